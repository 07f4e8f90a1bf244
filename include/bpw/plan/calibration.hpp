// Calibration results: how much a model loses when one tensor alone is made worse.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/core/type_id.hpp>
#include <bpw/plan/text.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

BPW_NAMESPACE_BEGIN
namespace plan {

/// A tensor's name without its layer: `blk.12.attn_q.weight` is `attn_q.weight`. Other names are
/// returned whole.
[[nodiscard]] constexpr std::string_view without_layer(std::string_view name) noexcept {
    constexpr std::string_view prefix = "blk.";
    if (name.substr(0, prefix.size()) != prefix) return name;
    std::size_t i = prefix.size();
    while (i < name.size() && is_digit(name[i])) ++i;
    if (i == prefix.size() || i == name.size() || name[i] != '.') return name;
    return name.substr(i + 1);
}

/// The layer in a tensor's name; nothing for a name without `blk.N.`.
[[nodiscard]] inline std::optional<std::uint64_t> layer_of(std::string_view name) {
    const auto rest = without_layer(name);
    if (rest.size() == name.size()) return std::nullopt;
    return parse_count(name.substr(4, name.size() - rest.size() - 5));
}

/// The measurements of one reference type.
struct calibration {
    std::string file;
    std::string reference;           ///< the row: the type that each tensor was dropped to
    std::vector<std::string> names;  ///< tensors in the order of the columns
    /// Loss per column; nothing where nothing was measured and nothing could be inherited.
    std::vector<std::optional<double>> losses;
    /// Columns marked as not measured whose value is the mean of similar tensors.
    std::vector<bool> inherited;
    std::unordered_map<std::string, std::size_t> positions;

    /// Loss of a tensor; nothing when it has no column or was not measured.
    [[nodiscard]] std::optional<double> find(const std::string& name) const {
        const auto at = positions.find(name);
        return at == positions.end() ? std::nullopt : losses[at->second];
    }
};

namespace detail {

// Tensors marked as not measured take the mean of those of the same name in other layers, or else
// of those whose name begins with the same component.
inline void inherit_losses(calibration& c, const std::vector<bool>& marked) {
    struct mean {
        double sum = 0;
        std::size_t count = 0;
    };
    const auto component = [](std::string_view name) {
        const auto rest = without_layer(name);
        return rest.substr(0, rest.find('.'));
    };
    std::map<std::string_view, mean> by_name;
    std::map<std::string_view, mean> by_component;
    for (std::size_t i = 0; i < c.names.size(); ++i) {
        if (!c.losses[i]) continue;
        for (auto* m :
             {&by_name[without_layer(c.names[i])], &by_component[component(c.names[i])]}) {
            m->sum += *c.losses[i];
            m->count += 1;
        }
    }
    for (std::size_t i = 0; i < c.names.size(); ++i) {
        if (!marked[i]) continue;
        auto m = by_name[without_layer(c.names[i])];
        if (m.count == 0) m = by_component[component(c.names[i])];
        if (m.count == 0) continue;
        c.losses[i] = m.sum / static_cast<double>(m.count);
        c.inherited[i] = true;
    }
}

inline result<std::size_t> choose_row(const csv_table& table, std::string_view reference) {
    if (!reference.empty()) {
        for (std::size_t i = 0; i < table.rows.size(); ++i) {
            if (bpw::detail::equal_without_case(trimmed(table.rows[i].cells[0]), reference)) {
                return i;
            }
        }
        return fail_at({table.file, 0, table.header[0]}, errc::not_found, "there is no row ",
                       quoted(reference));
    }
    const auto rank = [&](std::size_t row) {
        const auto name = trimmed(table.rows[row].cells[0]);
        const auto bits = first_integer(name).value_or(std::numeric_limits<std::uint64_t>::max());
        return std::pair(lower(name).ends_with("_bn"), bits);
    };
    std::size_t best = 0;
    for (std::size_t i = 1; i < table.rows.size(); ++i) {
        if (rank(i) < rank(best)) best = i;
    }
    return best;
}

}  // namespace detail

/// Reads calibration results: a header `QTYPE,tensor,...` and a row per reference type. Cells are
/// numbers or percentages; others, and empty ones, mean "not measured". 404 means the same, and
/// that similar tensors' mean stands for it.
///
/// `reference` names the row. Without it the row of the smallest first integer in its name is
/// taken, the first of several, and rows ending in `_bn` only if there is no other. Errors:
/// `malformed`, `not_found`.
[[nodiscard]] inline result<calibration> read_calibration(std::string_view text,
                                                          std::string_view file,
                                                          std::string_view reference = {}) {
    const auto table = read_csv(text, file);
    if (!table) return table.error();
    if (!bpw::detail::equal_without_case(table->header[0], "qtype")) {
        return fail_at({file, 1, "column 1"}, errc::malformed, quoted(table->header[0]),
                       " heads the names of the types; expected 'QTYPE'");
    }
    if (table->rows.empty()) {
        return fail_at({file}, errc::malformed, "the file has no row of measurements");
    }
    const auto row = detail::choose_row(*table, reference);
    if (!row) return row.error();
    const auto& cells = table->rows[*row].cells;

    calibration c{std::string(file), std::string(trimmed(cells[0])), {}, {}, {}, {}};
    std::vector<bool> marked;
    for (std::size_t i = 1; i < cells.size(); ++i) {
        const auto& name = table->header[i];
        if (name.empty()) continue;
        if (!c.positions.emplace(name, c.names.size()).second) {
            return fail_at({file, 1, name}, errc::malformed, "the column stands there twice");
        }
        marked.push_back(is_not_measured_marker(cells[i]));
        c.names.push_back(name);
        c.losses.push_back(marked.back() ? std::nullopt : parse_ratio(cells[i]));
    }
    c.inherited.assign(c.names.size(), false);
    detail::inherit_losses(c, marked);
    return c;
}

}  // namespace plan
BPW_NAMESPACE_END
