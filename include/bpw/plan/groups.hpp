// Groups of tensors that belong together layer by layer.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/plan/calibration.hpp>
#include <bpw/plan/pattern.hpp>
#include <bpw/plan/text.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

BPW_NAMESPACE_BEGIN
namespace plan {

/// Patterns, each searched in names: the tensors of one layer that match different patterns of a
/// group belong together, as `ffn_up_exps` and `ffn_gate_exps` do.
using group_patterns = std::vector<pattern>;

/// Compiles the patterns of a group from a list between commas. Errors: those of
/// pattern::compile.
[[nodiscard]] inline result<group_patterns> read_group(std::string_view text) {
    group_patterns group;
    for (const auto piece : split(text, ',')) {
        if (trimmed(piece).empty()) continue;
        auto p = pattern::compile(trimmed(piece));
        if (!p) return p.error();
        group.push_back(*std::move(p));
    }
    return group;
}

/// Tensors that belong together, as positions in a list of names; and why a group was left out.
struct grouped {
    std::vector<std::vector<std::size_t>> sets;  ///< one set per layer
    std::string objection;                       ///< empty when the group could be formed
};

/// Finds the sets of a group among names. The tensors of two patterns are paired by layer, where a
/// name has none by the first number in it, where there is no number by the name. No set is formed,
/// and `objection` says why, when the patterns match unequal numbers of tensors or different
/// layers.
[[nodiscard]] inline grouped form_groups(const group_patterns& patterns,
                                         std::span<const std::string_view> names) {
    // How a name is numbered, its number, and what is left.
    using key = std::tuple<int, std::uint64_t, std::string_view>;
    const auto key_of = [](std::string_view name) {
        if (const auto layer = layer_of(name)) return key{0, *layer, {}};
        if (const auto number = first_integer(name)) return key{1, *number, {}};
        return key{2, 0, name};
    };
    const auto title = [&] {
        std::string text;
        for (const auto& p : patterns) text.append(text.empty() ? "" : ",").append(p.text());
        return quoted(text, 200);
    };
    grouped g;
    std::vector<std::vector<std::size_t>> matched;
    for (const auto& p : patterns) {
        auto& list = matched.emplace_back();
        for (std::size_t i = 0; i < names.size(); ++i) {
            if (p.search(names[i])) list.push_back(i);
        }
        std::stable_sort(list.begin(), list.end(), [&](std::size_t a, std::size_t b) {
            return std::pair(key_of(names[a]), names[a]) < std::pair(key_of(names[b]), names[b]);
        });
        if (list.size() != matched.front().size()) {
            g.objection =
                fail(errc::malformed, "the group ", title(),
                     " is left out: ", quoted(patterns.front().text()), " matches ",
                     matched.front().size(), " tensors and ", quoted(p.text()), " ", list.size())
                    .message;
            return g;
        }
    }
    if (matched.size() < 2) return g;
    for (std::size_t i = 0; i < matched.front().size(); ++i) {
        std::vector<std::size_t> set;
        for (const auto& list : matched) {
            const auto first = key_of(names[matched.front()[i]]);
            const auto mine = key_of(names[list[i]]);
            const bool numbered = std::get<0>(first) != 2;
            if (std::get<0>(mine) != std::get<0>(first) || (numbered && mine != first)) {
                g.objection = fail(errc::malformed, "the group ", title(),
                                   " is left out: ", quoted(names[matched.front()[i]]),
                                   " has no counterpart of its layer")
                                  .message;
                g.sets.clear();
                return g;
            }
            if (std::find(set.begin(), set.end(), list[i]) == set.end()) set.push_back(list[i]);
        }
        if (set.size() > 1) g.sets.push_back(std::move(set));
    }
    return g;
}

}  // namespace plan
BPW_NAMESPACE_END
