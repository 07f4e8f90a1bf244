// Merged recipes: one line for all layers of a tensor that share a type, in sections for people,
// and the file names that recipes are published under.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/core/type_id.hpp>
#include <bpw/plan/layer_regex.hpp>
#include <bpw/plan/number_text.hpp>
#include <bpw/plan/recipe.hpp>
#include <bpw/plan/text.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

BPW_NAMESPACE_BEGIN
namespace plan {

namespace detail {

// The number that recipes head their sections with: bits as the type's name says, 32 for f32.
[[nodiscard]] inline std::uint64_t name_bits(type_id type) {
    return first_integer(name(type)).value_or(0);
}

// Joins rules of one type that differ in the layer number alone. Their order is kept where it can
// matter: nothing moves across a rule of `rules` that it must not cross.
class rule_joiner {
  public:
    void add(const recipe_rule& rule) {
        auto split = split_layer(rule.regex);
        if (!split) {
            out_.push_back(rule);
            return;
        }
        auto key = std::make_tuple(split->before, split->after, rule.type);
        const auto [at, fresh] = groups_.try_emplace(std::move(key), out_.size());
        if (fresh) {
            out_.push_back(rule);
            layers_.emplace(at->second, std::vector<std::uint32_t>{});
        }
        layers_[at->second].push_back(split->layer);
    }

    [[nodiscard]] std::vector<recipe_rule> take() {
        for (const auto& [key, position] : groups_) {
            const auto& [before, after, type] = key;
            out_[position].regex = before + layer_regex(std::move(layers_[position])) + after;
        }
        return std::move(out_);
    }

  private:
    std::vector<recipe_rule> out_;
    std::map<std::tuple<std::string, std::string, type_id>, std::size_t> groups_;
    std::map<std::size_t, std::vector<std::uint32_t>> layers_;
};

}  // namespace detail

/// Rules of a recipe joined over layers.
struct merged_rules {
    std::vector<recipe_rule> tensors;  ///< rules that spell out names; their order does not matter
    std::vector<recipe_rule> general;  ///< all others, after the first, in this order
};

/// Joins rules that are equal but for the number of the layer into one each. Every tensor gets the
/// type that it had. Rules that spell out names go in front of all others, which keep their order;
/// names that an earlier rule decides are left out. Errors: those of expand_rules and
/// pattern::compile.
[[nodiscard]] inline result<merged_rules> merge_rules(const std::vector<recipe_rule>& rules,
                                                      const expansion_limits& limits = {}) {
    std::vector<recipe_rule> general;
    std::vector<std::pair<std::string, recipe_rule>> tensors;
    std::set<std::string> seen;
    std::vector<pattern> before;
    auto left = limits;
    for (const auto& rule : rules) {
        const auto texts = detail::expand_within(rule, left);
        if (!texts) return texts.error();
        std::vector<std::string> names;
        for (const auto& text : *texts) {
            if (auto name = literal_name(text)) names.push_back(*std::move(name));
        }
        if (names.size() != texts->size()) {
            auto compiled = pattern::compile(rule.regex, regex_syntax::ere);
            if (!compiled) {
                return fail_at({{}, rule.line, "regex"}, compiled.error().code,
                               compiled.error().message);
            }
            before.push_back(*std::move(compiled));
            // Only rules of layers gain by being taken apart.
            const bool layers = std::all_of(texts->begin(), texts->end(), [](const auto& text) {
                return split_layer(text).has_value();
            });
            if (!layers) general.push_back(rule);
            for (const auto& text : *texts) {
                if (layers) general.push_back({text, rule.type, rule.line});
            }
            continue;
        }
        for (auto& name : names) {
            const bool decided = std::any_of(before.begin(), before.end(),
                                             [&](const pattern& p) { return p.search(name); });
            if (!decided && seen.insert(name).second) tensors.emplace_back(std::move(name), rule);
        }
    }

    merged_rules out;
    detail::rule_joiner join;
    for (auto& [name, rule] : tensors) {
        rule.regex = escaped_name(name);
        join.add(rule);
    }
    out.tensors = join.take();
    // Neighbours of one type may change places, others not.
    for (std::size_t i = 0; i < general.size();) {
        detail::rule_joiner neighbours;
        const auto type = general[i].type;
        for (; i < general.size() && general[i].type == type; ++i) neighbours.add(general[i]);
        for (auto& rule : neighbours.take()) out.general.push_back(std::move(rule));
    }
    return out;
}

namespace detail {

// The sections of a merged recipe, in their order.
enum class section : std::uint8_t {
    head,
    attn_k_b,
    attention,
    dense_ffn,
    layer_norm,
    positions,
    deepstack,
    nextn,
    routing,
    gate,
    misc,
    shared_experts,
    experts,
    general,
};

inline constexpr std::string_view dash = " \xE2\x80\x94 ";

inline constexpr std::array section_titles{
    std::string_view("Model head & embeddings"),
    std::string_view("Special attention kernels \xE2\x80\x94 single-quant only (llama-quantize "
                     "takes care of it)"),
    std::string_view("Multi-headed attention parameters"),
    std::string_view("Dense Feed-Forward Network weights"),
    std::string_view("LayerNorm / Post-LN"),
    std::string_view("Embeddings & positional encodings"),
    std::string_view("Deepstack modules"),
    std::string_view("NextN tensors"),
    std::string_view("MoE Gating & Routing"),
    std::string_view("Gating network"),
    std::string_view("Misc / Other tensors"),
    std::string_view("GPU-loaded - MoE Shared Experts Feed-Forward Network - ffn_*_shexp"),
    std::string_view("CPU-friendly - MoE Per-expert Feed-Forward Network - ffn_*_exps"),
    std::string_view("Rules for more than one tensor, in this order"),
};

// Where a tensor's line goes. `name` is its regex, dots escaped.
[[nodiscard]] inline section section_of(std::string_view regex) {
    const auto has = [&](std::string_view part) { return regex.find(part) != regex.npos; };
    const auto is = [&](std::string_view part) {
        return starts_with(regex.substr(std::min<std::size_t>(1, regex.size())), part);
    };
    if (has("shexp")) return section::shared_experts;
    if (has("exps")) return section::experts;
    if (is("output\\.") || is("output_norm\\.") || is("token_embd\\.")) return section::head;
    if (has("nextn")) return section::nextn;
    if (has("deepstack")) return section::deepstack;
    if (has("attn_k_b\\.")) return section::attn_k_b;
    if (has("\\.attn_")) return section::attention;
    if (has("ffn_down") || has("ffn_up")) return section::dense_ffn;
    if (has("patch_embd") || has("position_embd")) return section::positions;
    if (has("post_ln") || has("pre_ln") || has("\\.ln1\\.") || has("\\.ln2\\.")) {
        return section::layer_norm;
    }
    if (has("ffn_gate_inp") || has("exp_probs_b")) return section::routing;
    if (has("ffn_gate")) return section::gate;
    return section::misc;
}

struct merged_line {
    std::string_view tensor;  // the regex behind the layers: sorts the layers of a tensor together
    std::uint64_t bits;
    const recipe_rule* rule;
};

inline void write_section(std::string_view heading, std::vector<merged_line> lines,
                          std::string& out) {
    std::set<std::uint64_t, std::greater<>> bits;
    for (const auto& line : lines) bits.insert(line.bits);
    out.append(heading).append(dash).append("qbits:");
    for (const auto b : bits) out.append(" ").append(std::to_string(b));
    out += '\n';
    for (const auto& line : lines) {
        out.append(line.rule->regex).append("=").append(name(line.rule->type)).append("\n");
    }
}

// The part of a regex that names the tensor within its layer.
[[nodiscard]] inline std::string_view tensor_part(std::string_view regex) {
    if (regex.find("blk\\.") == regex.npos) return regex;
    auto at = regex.find("blk\\.") + 5;
    int depth = 0;
    for (; at < regex.size(); ++at) {
        if (regex[at] == '(') ++depth;
        if (regex[at] == ')') --depth;
        if (regex[at] == '\\' && depth == 0) break;
    }
    return regex.substr(at);
}

}  // namespace detail

/// What stands above a merged recipe.
struct recipe_header {
    std::string producer = "bpw";  ///< of `## Quant mix recipe created using `
    std::string model;             ///< empty: the recipe's
    std::string link;              ///< empty: the recipe's, or no line
};

/// Writes a recipe with its layers merged: header, the rules in sections, the recipe's summary as
/// it is, and a last line. Reading it gives every tensor the type that `r` gives it. Errors: those
/// of merge_rules.
[[nodiscard]] inline result<std::string> write_merged(const recipe& r,
                                                      const recipe_header& header = {}) {
    using detail::section;
    const auto merged = merge_rules(r.rules);
    if (!merged) return merged.error();

    std::map<section, std::vector<detail::merged_line>> sections;
    for (const auto& rule : merged->tensors) {
        sections[detail::section_of(rule.regex)].push_back(
            {detail::tensor_part(rule.regex), detail::name_bits(rule.type), &rule});
    }
    for (const auto& rule : merged->general) {
        sections[section::general].push_back({{}, detail::name_bits(rule.type), &rule});
    }
    for (auto& [where, lines] : sections) {
        const bool experts = where == section::shared_experts || where == section::experts;
        const auto key = [&](const detail::merged_line& line) {
            return std::make_tuple(experts ? std::string_view() : line.tensor, ~line.bits,
                                   name(line.rule->type), std::string_view(line.rule->regex));
        };
        if (where == section::general) continue;
        std::sort(lines.begin(), lines.end(), [&](const auto& a, const auto& b) {
            if (experts) {
                return std::make_tuple(~a.bits, std::string_view(a.rule->regex)) <
                       std::make_tuple(~b.bits, std::string_view(b.rule->regex));
            }
            return key(a) < key(b);
        });
    }

    std::string out = "## Quant mix recipe created using ";
    out.append(header.producer).append("\n");
    const auto& model = header.model.empty() ? r.model : header.model;
    const auto& link = header.link.empty() ? r.link : header.link;
    out.append(detail::model_mark).append(model).append("\n");
    if (!link.empty()) out.append(detail::link_mark).append(link).append("\n");

    for (auto& [where, lines] : sections) {
        const auto title = detail::section_titles[static_cast<std::size_t>(where)];
        if (where != section::shared_experts && where != section::experts) {
            out += "\n";
            detail::write_section("## " + std::string(title), std::move(lines), out);
            continue;
        }
        const std::string suffix = where == section::experts ? "_exps" : "_shexp";
        const std::string kind = where == section::experts ? " (per-expert)" : " (shared experts)";
        out.append("\n## ").append(title);
        constexpr std::array<std::pair<std::string_view, std::string_view>, 4> blocks{{
            {"ffn_down", "down-projection"},
            {"ffn_up", "up-projection"},
            {"ffn_gate", "gating network"},
            {"", "other tensors"},
        }};
        for (const auto& [part, what] : blocks) {
            const auto mine = [&, part = part](const detail::merged_line& line) {
                return line.rule->regex.find(part) != std::string::npos;
            };
            std::vector<detail::merged_line> block;
            std::copy_if(lines.begin(), lines.end(), std::back_inserter(block), mine);
            lines.erase(std::remove_if(lines.begin(), lines.end(), mine), lines.end());
            if (block.empty()) continue;
            if (out.back() == '\n') out += '\n';
            if (out.back() != '\n') out += '\n';
            std::string heading = "# ";
            heading.append(part.empty() ? "*" : part).append(suffix).append(detail::dash);
            heading.append(what).append(kind);
            detail::write_section(heading, std::move(block), out);
        }
    }
    if (!r.summary.empty()) {
        out += "\n";
        for (const auto& line : r.summary) out.append(line).append("\n");
    }
    out.append("\n").append(detail::end_mark).append("\n");
    return out;
}

/// What the summary of a recipe says, as far as its file name needs it.
struct recipe_totals {
    std::optional<std::uint64_t> gpu_gib;  ///< integer part of the class's size
    std::optional<std::uint64_t> cpu_gib;
    std::optional<std::uint64_t> all_gib;  ///< of both; the one class's when there is one
    std::string bits_per_weight;           ///< as written, `3.8487`; empty when there is none
    std::string script_sha256;             ///< 64 hex digits; empty when there is none
    std::string command;                   ///< on one line; empty when there is none
};

/// Reads the totals out of the lines of a summary. Lines that are missing or not of the form leave
/// their values empty.
[[nodiscard]] inline recipe_totals totals_of(const std::vector<std::string>& summary) {
    recipe_totals t;
    const auto after = [](std::string_view line, std::string_view mark) {
        return detail::starts_with(line, mark)
                   ? std::optional<std::string_view>(trimmed(line.substr(mark.size())))
                   : std::nullopt;
    };
    const auto whole = [](std::string_view text) {
        return parse_count(text.substr(0, text.find('.')));
    };
    bool command = false;
    for (const auto& text : summary) {
        const std::string_view line = trimmed(text);
        if (command) {
            if (line.empty() || line.front() != '#') break;
            auto words = trimmed(line.substr(1));
            if (!words.empty() && words.back() == '\\') words.remove_suffix(1);
            words = trimmed(words);
            while (!words.empty()) {
                std::size_t end = 0;
                while (end < words.size() && !is_space(words[end])) ++end;
                if (!t.command.empty()) t.command += ' ';
                t.command += words.substr(0, end);
                words = trimmed(words.substr(end));
            }
        } else if (const auto gpu = after(line, "# GPU Total: ")) {
            t.gpu_gib = whole(*gpu);
        } else if (const auto cpu = after(line, "# CPU Total: ")) {
            t.cpu_gib = whole(*cpu);
        } else if (const auto all = after(line, "# GPU+CPU Total: ")) {
            t.all_gib = whole(*all);
        } else if (const auto bpw = after(line, "# -Average BPW: ")) {
            if (parse_number(*bpw)) t.bits_per_weight = std::string(*bpw);
        } else if (const auto hash = after(line, "# - Script SHA-256: ")) {
            const auto hex = hash->substr(0, 64);
            const bool digits = std::all_of(hex.begin(), hex.end(), [](char c) {
                return is_digit(c) || (c >= 'a' && c <= 'f');
            });
            if (hex.size() == 64 && digits) t.script_sha256 = std::string(hex);
        } else if (detail::starts_with(line, "# - Command used:")) {
            command = true;
        }
    }
    if (!t.all_gib) t.all_gib = t.gpu_gib ? t.gpu_gib : t.cpu_gib;
    return t;
}

/// What a recipe's file name says beside its summary.
struct recipe_name_parts {
    std::string model;
    std::string user;
    std::optional<double> perplexity;
    std::string command_sha256;  ///< hex digits of the hash of recipe_totals::command; may be empty
};

/// The file name of a recipe:
/// MODEL.USER-3.8487bpw-8.2505ppl.1GB-GGUF_0GB-GPU_0GB-CPU.569b7f6_9193781.recipe
/// Sizes are whole GiB; NA stands for a hash or an average that is not known.
[[nodiscard]] inline std::string recipe_file_name(const recipe_name_parts& parts,
                                                  const recipe_totals& totals) {
    const auto hash = [](std::string_view hex) {
        return hex.empty() ? std::string("NA") : std::string(hex.substr(0, 7));
    };
    const auto size = [](std::optional<std::uint64_t> gib) {
        return std::to_string(gib.value_or(0));
    };
    std::string out = parts.model;
    out.append(".").append(parts.user).append("-");
    out.append(totals.bits_per_weight.empty() ? "NA" : totals.bits_per_weight).append("bpw-");
    if (parts.perplexity) out.append(fixed(*parts.perplexity, 4)).append("ppl.");
    out.append(size(totals.all_gib)).append("GB-GGUF_");
    out.append(size(totals.gpu_gib)).append("GB-GPU_");
    out.append(size(totals.cpu_gib)).append("GB-CPU.");
    return out + hash(totals.script_sha256) + "_" + hash(parts.command_sha256) + ".recipe";
}

}  // namespace plan
BPW_NAMESPACE_END
