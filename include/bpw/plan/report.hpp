// Plans as text: the raw recipe with its summary block, in the format of Thireus' GGUF Tool Suite,
// which mergers, downloaders and people read.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/type_id.hpp>
#include <bpw/formats/registry.hpp>
#include <bpw/plan/calibration.hpp>
#include <bpw/plan/model.hpp>
#include <bpw/plan/number_text.hpp>
#include <bpw/plan/planner.hpp>
#include <bpw/plan/recipe.hpp>
#include <bpw/plan/text.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

BPW_NAMESPACE_BEGIN
namespace plan {

/// A file that a plan was made from.
struct report_file {
    std::string name;
    std::string sha256;
};

/// A map that a plan was made from, or whose types were computed.
struct report_map {
    type_id type;
    std::string sha256;  ///< empty where there is no file
    std::string model;   ///< the name of its last shard, without `.gguf`
    bool computed = false;
};

/// What a report says beside the plan. Empty parts are left out.
struct report_options {
    std::vector<std::size_t> order;  ///< of the classes; empty: as in the plan
    std::string tool = "bpw";        ///< the name and version of the producer
    std::string script_sha256;       ///< of the producer
    std::string date;                ///< local date, time and zone
    std::vector<report_file> calibrations;
    std::vector<report_file> degradations;
    std::vector<report_map> maps;
    std::string signatures = "DISABLED";                      ///< PASSED, FAILED or DISABLED
    std::vector<std::pair<std::string, std::string>> hidden;  ///< names and values
    std::vector<std::string> command;                         ///< the words of the command line
};

/// Bits per weight of all tensors of a plan together.
[[nodiscard]] inline double average_bits(const model& m,
                                         const std::vector<assigned_tensor>& tensors) {
    double bytes = 0;
    double elements = 0;
    for (const auto& a : tensors) {
        bytes += static_cast<double>(a.bytes);
        elements += static_cast<double>(m.tensors()[a.tensor].elements);
    }
    return elements == 0 ? 0 : 8 * bytes / elements;
}

/// A word as a shell reads it back: in single quotes where it needs them.
[[nodiscard]] inline std::string shell_word(std::string_view word) {
    const auto plain = [](char c) {
        return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               std::string_view("@%_+=:,./-").find(c) != std::string_view::npos;
    };
    if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return std::string(word);
    std::string out = "'";
    for (const char c : word) {
        if (c == '\'') {
            out += "'\"'\"'";
        } else if (static_cast<unsigned char>(c) < 0x20) {
            out += '?';  // a line end would end the comment
        } else {
            out += c;
        }
    }
    out += '\'';
    return out;
}

namespace detail {

[[nodiscard]] inline double gib(std::uint64_t bytes) { return static_cast<double>(bytes) / 0x1p30; }

[[nodiscard]] inline std::string padded(std::string text, std::size_t width) {
    if (text.size() < width) text.append(width - text.size(), ' ');
    return text;
}

[[nodiscard]] inline std::string padded_left(std::string text, std::size_t width) {
    if (text.size() < width) text.insert(0, width - text.size(), ' ');
    return text;
}

// A row of the table of types.
struct type_row {
    bool fixed = false;  // f32, locked, unmeasured
    bool fell_back = false;
    bool kept = false;
    bool computed = false;
    type_id type{};
    std::uint64_t count = 0;
    std::uint64_t bytes = 0;
    std::uint64_t elements = 0;
    std::uint64_t all_bytes = 0;  // of all planned tensors at this type
    std::uint64_t all_elements = 0;

    [[nodiscard]] double bits() const {
        const auto n = count != 0 ? elements : all_elements;
        const auto b = count != 0 ? bytes : all_bytes;
        if (n == 0) return info(type).bits_per_weight;
        return 8 * static_cast<double>(b) / static_cast<double>(n);
    }
    [[nodiscard]] bool depends_on_shape() const {
        return count != 0 && info(type).row_header_bytes != 0;
    }
    [[nodiscard]] std::string title() const {
        std::string marked = computed ? "!" : "";
        if (depends_on_shape()) marked += ':';
        marked += name(type);
        if (fixed && fell_back) return std::string("*+").append(padded(marked, 8));
        if (fixed) return std::string("+").append(padded(marked, 10));
        if (fell_back) return std::string("*").append(padded(marked, 9));
        return padded(marked, 10);
    }
};

class report_writer {
  public:
    report_writer(const model& m, const plan_result& plan, const report_options& options)
        : model_(m), plan_(plan), options_(options), order_(options.order) {
        if (order_.empty()) {
            for (std::size_t c = 0; c < plan.classes.size(); ++c) order_.push_back(c);
        }
        std::erase_if(order_, [&](std::size_t c) { return !plan.classes[c].planned; });
    }

    std::string raw_recipe() {
        for (const auto c : order_) write_class(c);
        line("");
        out_ += summary();
        return std::move(out_);
    }

    std::string summary() {
        std::string body;
        std::swap(body, out_);
        line("## Summary of tensor sizes per class");
        for (const auto c : order_) {
            const auto& k = plan_.classes[c];
            std::string row = "# ";
            row.append(k.name).append(" Total: ").append(size(k.bytes())).append(" GiB (");
            row.append(fixed(share(c), 2)).append("%) | ").append(size(k.largest_bytes));
            row.append(" GiB max, if all were ").append(name(k.pool.front())).append(" | ");
            row.append(size(k.smallest_bytes)).append(" GiB min, if all were ");
            line(row.append(name(k.pool.back())));
        }
        if (order_.size() > 1) {
            std::string names;
            double mean = 0;
            for (const auto c : order_) {
                names.append(names.empty() ? "" : "+").append(plan_.classes[c].name);
                mean += share(c) / static_cast<double>(order_.size());
            }
            std::string row = "# ";
            row.append(names).append(" Total: ").append(size(plan_.bytes())).append(" GiB (");
            line(row.append(fixed(mean, 2)).append("%)"));
        }
        line("");
        line("## Summary of tensor counts and bpw per qtype");
        for (const auto c : order_) write_table(c);
        line("#");
        line(std::string("# -Average BPW: ").append(fixed(average_bits(model_, plan_.tensors), 4)));
        line("#");
        write_notes();
        std::swap(body, out_);
        return body;
    }

  private:
    void line(std::string_view text) { out_.append(text).append("\n"); }
    static std::string size(std::uint64_t bytes) { return fixed(gib(bytes), 2); }

    [[nodiscard]] const model_tensor& tensor_of(const assigned_tensor& a) const {
        return model_.tensors()[a.tensor];
    }
    [[nodiscard]] double share(std::size_t c) const {
        const auto& k = plan_.classes[c];
        if (k.largest_bytes == 0) return 100;
        return 100 * static_cast<double>(k.bytes()) / static_cast<double>(k.largest_bytes);
    }

    // --- tensors --------------------------------------------------------------------------------

    // Layers in the order of their numbers.
    static bool before(std::string_view a, std::string_view b) {
        const auto key = [](std::string_view n) {
            return std::tuple(layer_of(n).value_or(0), without_layer(n));
        };
        return key(a) < key(b);
    }

    void write_class(std::size_t c) {
        const auto& k = plan_.classes[c];
        const auto amount = [&](std::string_view what, std::uint64_t bytes) {
            line(std::string("# ")
                     .append(what)
                     .append(": ")
                     .append(fixed(gib(bytes), 3))
                     .append(" GiB"));
        };
        line("");
        line(std::string("## ").append(k.name).append("-loaded tensors"));
        amount(std::string("Total ").append(k.name).append(" size"), k.bytes());
        amount("Outlier tensors total size", k.outlier_bytes);
        amount("f32 tensors total size", k.kept_bytes);
        amount("Pre-assigned tensors total size", k.locked_bytes + k.unmeasured_bytes);
        amount(std::string("Optimized sub-total ")
                   .append(k.name)
                   .append(" size excluding outliers and f32"),
               k.planned_bytes);

        std::vector<const assigned_tensor*> kept;
        std::map<std::string_view, std::vector<const assigned_tensor*>> groups;
        for (const auto& a : plan_.tensors) {
            if (a.class_index != c) continue;
            if (a.why == reason::kept) {
                kept.push_back(&a);
            } else {
                groups[without_layer(tensor_of(a).name)].push_back(&a);
            }
        }
        std::sort(kept.begin(), kept.end(), [&](const auto* a, const auto* b) {
            return before(tensor_of(*a).name, tensor_of(*b).name);
        });
        if (!kept.empty()) {
            line(std::string("# Auto-included f32 tensors for ").append(k.name).append(":"));
        }
        for (const auto* a : kept) rule(*a);
        for (auto& [suffix, members] : groups) write_group(suffix, members);
    }

    void rule(const assigned_tensor& a) {
        line(escaped_name(tensor_of(a).name)
                 .append("=")
                 .append(a.why == reason::kept ? name(type_id::f32) : name(a.type)));
    }

    void write_group(std::string_view suffix, std::vector<const assigned_tensor*>& members) {
        auto pattern = escaped_name(suffix);
        line(std::string("# Group: ").append(pattern, 1, pattern.size() - 2));
        std::map<std::pair<std::string_view, std::string_view>, std::size_t> fallbacks;
        for (const auto* a : members) {
            if (a->fell_back()) fallbacks[{name(a->type), name(a->asked)}] += 1;
        }
        for (const auto& [types, count] : fallbacks) {
            std::string text = "# WARNING - ";
            text.append(std::to_string(count)).append("x ").append(suffix);
            text.append(" qtype fallback to ").append(types.first).append(" from ");
            line(text.append(types.second));
        }
        std::sort(members.begin(), members.end(), [&](const auto* a, const auto* b) {
            const bool free_a = a->why == reason::planned;
            const bool free_b = b->why == reason::planned;
            if (free_a != free_b) return free_b;
            if (free_a && *a->sensitivity != *b->sensitivity) {
                return *a->sensitivity > *b->sensitivity;
            }
            return before(tensor_of(*a).name, tensor_of(*b).name);
        });
        for (const auto* a : members) rule(*a);
    }

    // --- types ----------------------------------------------------------------------------------

    std::vector<type_row> rows_of(std::size_t c) const {
        const auto& k = plan_.classes[c];
        std::vector<type_row> rows;
        const auto row_of = [&](bool held, bool fell_back, bool kept, type_id type) -> type_row& {
            for (auto& r : rows) {
                if (r.fixed == held && r.fell_back == fell_back && r.kept == kept &&
                    r.type == type) {
                    return r;
                }
            }
            auto& r = rows.emplace_back();
            r.fixed = held;
            r.fell_back = fell_back;
            r.kept = kept;
            r.type = type;
            return r;
        };
        for (const auto type : k.pool) (void)row_of(false, false, false, type);
        for (const auto& a : plan_.tensors) {
            if (a.class_index != c) continue;
            auto& r = row_of(a.why != reason::planned, a.fell_back(), a.why == reason::kept,
                             a.why == reason::kept ? type_id::f32 : a.type);
            r.count += 1;
            r.bytes += a.bytes;
            r.elements += tensor_of(a).elements;
            r.computed = r.computed || a.computed;
        }
        for (auto& r : rows) {
            if (r.fixed) continue;
            for (const auto& a : plan_.tensors) {
                if (a.class_index != c || a.why != reason::planned) continue;
                const auto& t = tensor_of(a);
                const auto s = model_.stored(t, r.type, plan_.storage);
                if (!s) continue;
                r.all_bytes += s->bytes;
                r.all_elements += t.elements;
                if (r.count == 0) r.computed = r.computed || s->computed;
            }
        }
        std::stable_sort(rows.begin(), rows.end(), [](const type_row& a, const type_row& b) {
            if (a.kept != b.kept) return a.kept;
            if (a.bits() != b.bits()) return a.bits() > b.bits();
            if (a.type != b.type) return larger_type(a.type, b.type);
            return std::pair(a.fixed, a.fell_back) < std::pair(b.fixed, b.fell_back);
        });
        return rows;
    }

    void write_table(std::size_t c) {
        const auto& k = plan_.classes[c];
        line("#");
        line(std::string("# ").append(k.name).append(k.name == "CPU" ? "-friendly quants:"
                                                                     : "-loaded quants:"));
        line("# QTYPE\t\tCount\tBPW\tAssigned GiB\t% Assigned\tMax GiB (all)");
        for (const auto& r : rows_of(c)) {
            std::string text = "# ";
            text.append(r.title()).append("\t").append(padded(std::to_string(r.count), 3));
            text.append("\t").append(padded(trimmed_fixed(r.bits(), 4), 6)).append("\t");
            text.append(padded_left(fixed(gib(r.bytes), 2), 6)).append(" GiB\t");
            if (r.fixed) {
                text.append("-\t\t-");
            } else {
                const auto part = r.all_bytes == 0 ? 0.0
                                                   : 100 * static_cast<double>(r.bytes) /
                                                         static_cast<double>(r.all_bytes);
                text.append(padded_left(fixed(part, 2), 5))
                    .append("%\t\t")
                    .append(size(r.all_bytes));
            }
            line(text);
            seen_fallback_ = seen_fallback_ || r.fell_back;
            seen_shape_ = seen_shape_ || r.depends_on_shape();
            seen_computed_ = seen_computed_ || r.computed;
        }
    }

    // --- notes ----------------------------------------------------------------------------------

    void write_notes() {
        line("# -Notes:");
        line(
            "# - '+' means user-defined pre-assigned tensors, or tensor missing from csv data or "
            "f32 tensors");
        if (seen_fallback_) {
            line(
                "# - '*' means fallback tensors: their rows do not fit the qtype that was asked "
                "for, so they are stored as another;");
            line("#   such rows count the stored qtype");
        }
        if (seen_shape_) {
            line(
                "# - ':' means the bpw of this qtype depends on tensor shapes: every row has a "
                "header of its own");
        }
        if (seen_computed_) {
            line(
                "# - '!' means sizes of this qtype are computed by its rules: there was no map of "
                "a published set");
        }
        std::size_t substituted = 0;
        for (const auto& a : plan_.tensors) substituted += a.fell_back() ? 1 : 0;
        if (substituted != 0) {
            line(std::string("# - WARNING: ")
                     .append(std::to_string(substituted))
                     .append(" tensors are stored as another qtype than was asked for"));
        }
        if (!options_.date.empty()) {
            line(std::string("# - Recipe produced on the ")
                     .append(options_.date)
                     .append(" using ")
                     .append(options_.tool));
        } else {
            line(std::string("# - Recipe produced using ").append(options_.tool));
        }
        line(
            "#   Recipe format, published tensor maps and calibration data: Thireus, the GGUF Tool "
            "Suite and its contributors");
        line("#   (https://gguf.thireus.com/)");
        note("Script SHA-256: ", options_.script_sha256);
        for (const auto& f : options_.calibrations) dataset("Calibration", f);
        for (const auto& f : options_.degradations) dataset("Degradation", f);
        write_maps();
        note("GPG signatures: ", options_.signatures);
        if (!options_.hidden.empty()) line("# - Hidden parameters (not passed as CLI args):");
        for (const auto& [key, value] : options_.hidden) {
            line(std::string("#   ").append(key).append(": ").append(value));
        }
        write_command();
    }

    void note(std::string_view what, std::string_view value) {
        if (!value.empty()) line(std::string("# - ").append(what).append(value));
    }

    void dataset(std::string_view kind, const report_file& f) {
        std::string text(kind);
        text.append(" dataset '").append(f.name).append("' SHA-256: ");
        note(text, f.sha256);
    }

    void write_maps() {
        auto maps = options_.maps;
        std::stable_sort(maps.begin(), maps.end(), [](const auto& a, const auto& b) {
            return a.type != b.type && larger_type(a.type, b.type);
        });
        for (const auto& m : maps) {
            std::string file = "tensors.";
            file.append(name(m.type)).append(".map");
            const std::string_view computed = m.computed ? " (computed)" : "";
            note(file + " SHA-256: ",
                 m.sha256.empty() ? "" : std::string(m.sha256).append(computed));
            note(file + " model name: ",
                 m.model.empty() ? "" : std::string(m.model).append(computed));
        }
    }

    void write_command() {
        if (options_.command.empty()) return;
        line("# - Command used:");
        constexpr std::size_t columns = 115;
        std::string row;
        for (const auto& word : options_.command) {
            const auto text = shell_word(word);
            if (!row.empty() && row.size() + 1 + text.size() > columns) {
                line(std::string("# ").append(row).append(" \\"));
                row.clear();
            }
            row.append(row.empty() ? "" : " ").append(text);
        }
        line(std::string("# ").append(row));
    }

    const model& model_;
    const plan_result& plan_;
    const report_options& options_;
    std::vector<std::size_t> order_;
    std::string out_;
    bool seen_fallback_ = false;
    bool seen_shape_ = false;
    bool seen_computed_ = false;
};

}  // namespace detail

/// A feasible plan as a raw recipe: a section per class with one line per tensor, then the summary.
[[nodiscard]] inline std::string write_raw_recipe(const model& m, const plan_result& plan,
                                                  const report_options& options) {
    return detail::report_writer(m, plan, options).raw_recipe();
}

/// The summary alone, which ends without a blank line.
[[nodiscard]] inline std::string write_summary(const model& m, const plan_result& plan,
                                               const report_options& options) {
    return detail::report_writer(m, plan, options).summary();
}

}  // namespace plan
BPW_NAMESPACE_END
