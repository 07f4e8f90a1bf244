// Cost curves: what a model loses when all of it uses one type.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/core/type_id.hpp>
#include <bpw/plan/text.hpp>

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

BPW_NAMESPACE_BEGIN
namespace plan {

/// Loss of the whole model per type.
class cost_curve {
  public:
    explicit cost_curve(std::string source = {}) : source_(std::move(source)) {}

    /// Sets the loss of a type, named in any case.
    void set(std::string_view type, double loss) { losses_[lower(type)] = loss; }

    /// The loss of a type. A row-interleaved type takes its base type's and the other way round
    /// where only one was measured, except that iq1_s and iq1_s_r4 are different types. Plain
    /// numbers cost nothing unless the curve says so. Nothing where nothing is known.
    [[nodiscard]] std::optional<double> find(type_id type) const {
        const auto wanted = lower(name(type));
        if (const auto exact = look_up(wanted)) return exact;
        if (wanted == "f32" || wanted == "f16" || wanted == "bf16") return 0.0;
        if (wanted == "iq1_s" || wanted == "iq1_s_r4") return std::nullopt;
        auto base = wanted;
        for (const std::string_view suffix : suffixes) {
            if (wanted.ends_with(suffix)) base.resize(wanted.size() - suffix.size());
        }
        if (const auto plain = look_up(base)) return plain;
        for (const std::string_view suffix : suffixes) {
            if (const auto interleaved = look_up(base + std::string(suffix))) return interleaved;
        }
        return std::nullopt;
    }

    /// The loss of a type. Errors: `not_found`, which names the type and the file.
    [[nodiscard]] result<double> at(type_id type) const {
        if (const auto loss = find(type)) return *loss;
        return fail_at({source_}, errc::not_found, "the cost curve has no loss for the type ",
                       name(type));
    }

    [[nodiscard]] const std::string& source() const noexcept { return source_; }
    [[nodiscard]] std::size_t size() const noexcept { return losses_.size(); }

  private:
    static constexpr std::array<std::string_view, 3> suffixes{"_r4", "_r8", "_r16"};

    [[nodiscard]] std::optional<double> look_up(const std::string& type) const {
        const auto at = losses_.find(type);
        return at == losses_.end() ? std::nullopt : std::optional(at->second);
    }

    std::string source_;
    std::map<std::string, double> losses_;
};

/// Reads a cost curve: a header `QTYPE,group0` and a row per type, cells as in calibration
/// results; 404 and empty cells are unknown. A file with further columns is read by its first.
/// Errors: `malformed`, also for a type that stands there twice with different losses.
[[nodiscard]] inline result<cost_curve> read_cost_curve(std::string_view text,
                                                        std::string_view file) {
    const auto table = read_csv(text, file);
    if (!table) return table.error();
    if (table->header.size() < 2 || !bpw::detail::equal_without_case(table->header[0], "qtype")) {
        return fail_at({file, 1}, errc::malformed, "the header begins with ",
                       quoted(table->header[0]), "; expected QTYPE,group0");
    }
    cost_curve curve{std::string(file)};
    std::map<std::string, double> seen;
    for (const auto& row : table->rows) {
        if (is_not_measured_marker(row.cells[1])) continue;
        const auto loss = parse_ratio(row.cells[1]);
        if (!loss) continue;
        const auto type = trimmed(row.cells[0]);
        const auto [at, fresh] = seen.emplace(lower(type), *loss);
        if (!fresh && at->second != *loss) {
            return fail_at({file, row.line, type}, errc::malformed,
                           "the type stands there twice with different losses");
        }
        curve.set(type, *loss);
    }
    return curve;
}

}  // namespace plan
BPW_NAMESPACE_END
