// What a type costs a tensor: the loss model of the planner.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/plan/calibration.hpp>
#include <bpw/plan/groups.hpp>
#include <bpw/plan/pattern.hpp>
#include <bpw/plan/text.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

BPW_NAMESPACE_BEGIN
namespace plan {

/// How losses of tensors and of types make up a cost. As it stands: s * c, the tensor's
/// sensitivity times the type's whole-model loss.
struct loss_options {
    double tensor_exponent = 1;  ///< p of s^p
    double type_exponent = 1;    ///< q of c^q
    double tensor_scaling = 0;   ///< e: c is multiplied by (s / mean s)^e
    /// Take the measurement's floor off the sensitivities; see floor_of.
    bool remove_floor = false;
    /// The floor, such as the measured baseline's own divergence; found in the values if absent.
    std::optional<double> floor;
    /// Divide values that were measured for several tensors at once.
    bool split_joint = false;
    /// Which tensors were measured at once; found in the values where empty.
    std::vector<std::pair<std::string, std::vector<pattern>>> joint;
    /// Use sqrt(1 + c / compression) - 1 in place of c; 0 switches it off.
    double compression = 0;

    /// Floor, joint measurements and a compressed curve together, which rank recipes better than
    /// the plain product does.
    [[nodiscard]] static loss_options better() {
        loss_options o;
        o.remove_floor = true;
        o.split_joint = true;
        o.compression = 0.05;
        return o;
    }
};

/// The q-quantile of values, 0 <= q <= 1, interpolated between neighbours; 0 for no values.
[[nodiscard]] inline double quantile(std::vector<double> values, double q) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    const auto at = q * static_cast<double>(values.size() - 1);
    const auto low = static_cast<std::size_t>(at);
    const auto high = std::min(low + 1, values.size() - 1);
    return std::fma(at - static_cast<double>(low), values[high] - values[low], values[low]);
}

/// The constant in all measurements of a calibration: the 2 % quantile of what was measured and is
/// not zero.
[[nodiscard]] inline double floor_of(const calibration& c) {
    std::vector<double> values;
    for (std::size_t i = 0; i < c.losses.size(); ++i) {
        if (c.losses[i] && !c.inherited[i] && *c.losses[i] != 0) values.push_back(*c.losses[i]);
    }
    return quantile(std::move(values), 0.02);
}

/// Takes the floor f off a sensitivity. A fifth of it stays, because all of it would crush tensors
/// that merely lie at the noise level; zero stays zero.
[[nodiscard]] inline double without_floor(double s, double f) {
    return s == 0 ? 0 : std::max(std::fma(-0.8, f, s), 0.2 * f);
}

/// A type's loss as it is used for one tensor among many, where loss grows slower than for the
/// whole model: sqrt(1 + c / scale) - 1.
[[nodiscard]] inline double compressed_loss(double c, double scale) {
    return std::sqrt(1 + std::max(c, 0.0) / scale) - 1;
}

/// x^p for p > 0, keeping the sign of x.
[[nodiscard]] inline double signed_power(double x, double p) {
    if (p == 1) return x;
    return x < 0 ? -std::pow(-x, p) : std::pow(x, p);
}

namespace detail {

// How many columns of a calibration share each column's measurement: columns of equal value in one
// layer whose names without layer do so in ten layers or more.
inline std::vector<std::size_t> joint_by_value(const calibration& c) {
    std::map<std::pair<std::uint64_t, double>, std::vector<std::size_t>> equal;
    for (std::size_t i = 0; i < c.names.size(); ++i) {
        const auto layer = layer_of(c.names[i]);
        if (!layer || !c.losses[i] || c.inherited[i] || *c.losses[i] == 0) continue;
        equal[{*layer, *c.losses[i]}].push_back(i);
    }
    // Single equal values are chance, so sets are counted by their names.
    std::map<std::vector<std::string_view>, std::vector<std::vector<std::size_t>>> patterns;
    for (auto& [key, columns] : equal) {
        if (columns.size() < 2) continue;
        std::sort(columns.begin(), columns.end(), [&](std::size_t a, std::size_t b) {
            return without_layer(c.names[a]) < without_layer(c.names[b]);
        });
        std::vector<std::string_view> names;
        for (const auto i : columns) names.push_back(without_layer(c.names[i]));
        patterns[names].push_back(columns);
    }
    std::vector<std::size_t> members(c.names.size(), 1);
    for (const auto& [names, layers] : patterns) {
        if (layers.size() < 10) continue;
        for (const auto& columns : layers) {
            for (const auto i : columns) members[i] = columns.size();
        }
    }
    return members;
}

inline std::vector<std::size_t> joint_by_file(
    const calibration& c, const std::vector<std::pair<std::string, std::vector<pattern>>>& groups) {
    std::vector<std::size_t> members(c.names.size(), 1);
    for (const auto& [name, patterns] : groups) {
        std::vector<std::size_t> columns;
        for (std::size_t i = 0; i < c.names.size(); ++i) {
            if (!c.losses[i] || c.inherited[i]) continue;
            const auto matches = [&](const pattern& p) { return p.search(c.names[i]); };
            if (std::any_of(patterns.begin(), patterns.end(), matches)) columns.push_back(i);
        }
        for (const auto i : columns) members[i] = std::max(members[i], columns.size());
    }
    return members;
}

}  // namespace detail

/// Reads which tensors were measured at once: lines `groupN:regex[,regex...]`, blank lines and
/// lines from `#` on are skipped. Errors: `malformed`, and those of pattern::compile.
[[nodiscard]] inline result<std::vector<std::pair<std::string, std::vector<pattern>>>>
read_joint_groups(std::string_view text, std::string_view file) {
    std::vector<std::pair<std::string, std::vector<pattern>>> groups;
    line_reader lines(text);
    while (const auto next = lines.next()) {
        const auto line = trimmed(*next);
        if (line.empty() || line.front() == '#') continue;
        const auto colon = line.find(':');
        if (colon == std::string_view::npos) {
            return fail_at({file, lines.number()}, errc::malformed, quoted(line),
                           " has no colon; expected a group, a colon and patterns");
        }
        auto patterns = read_group(line.substr(colon + 1));
        if (!patterns) {
            return fail_at({file, lines.number(), trimmed(line.substr(0, colon))},
                           patterns.error().code, patterns.error().message);
        }
        groups.emplace_back(std::string(trimmed(line.substr(0, colon))), *std::move(patterns));
    }
    return groups;
}

/// The sensitivities of a calibration's columns as the options want them: joint measurements split,
/// then the floor taken off. Columns without a measurement stay without.
[[nodiscard]] inline std::vector<std::optional<double>> sensitivities(const calibration& c,
                                                                      const loss_options& o) {
    auto s = c.losses;
    if (o.remove_floor) {
        const auto floor = o.floor ? *o.floor : floor_of(c);
        for (auto& x : s) {
            if (x) x = without_floor(*x, floor);
        }
    }
    if (o.split_joint) {
        const auto members =
            o.joint.empty() ? detail::joint_by_value(c) : detail::joint_by_file(c, o.joint);
        for (std::size_t i = 0; i < s.size(); ++i) {
            if (s[i]) *s[i] /= static_cast<double>(members[i]);
        }
    }
    return s;
}

/// The cost of a type of loss c for a tensor of sensitivity s, where the tensors' mean sensitivity
/// is `mean`.
[[nodiscard]] inline double cost_of(double s, double c, double mean, const loss_options& o) {
    if (o.compression > 0) c = compressed_loss(c, o.compression);
    c = signed_power(c, o.type_exponent);
    if (o.tensor_scaling != 0 && s > 0 && mean > 0) c *= std::pow(s / mean, o.tensor_scaling);
    return signed_power(s, o.tensor_exponent) * c;
}

}  // namespace plan
BPW_NAMESPACE_END
