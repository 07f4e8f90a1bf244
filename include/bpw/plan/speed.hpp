// How long decoding takes to read the weights of a type.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/core/type_id.hpp>
#include <bpw/formats/registry.hpp>
#include <bpw/plan/cost_curve.hpp>
#include <bpw/plan/model.hpp>
#include <bpw/plan/text.hpp>

#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

BPW_NAMESPACE_BEGIN
namespace plan {

/// Seconds per byte of weights that a device reads to make one token, per type.
class speed_table {
  public:
    explicit speed_table(std::string source = {}) : source_(std::move(source)) {}

    /// A device that reads every type at the same rate, which is what a memory limit means.
    [[nodiscard]] static speed_table of_bandwidth(double bytes_per_second) {
        speed_table t("the memory bandwidth");
        t.rest_ = 1 / bytes_per_second;
        return t;
    }

    /// Sets the seconds per byte of a type. Types that are not set take those of their form with or
    /// without interleaved rows.
    void set(std::string_view type, double seconds_per_byte) { table_.set(type, seconds_per_byte); }
    /// Sets the seconds per byte of all types that nothing else is known of.
    void set_rest(double seconds_per_byte) { rest_ = seconds_per_byte; }

    /// Seconds per byte. Errors: `not_found`, which names the type and the source.
    [[nodiscard]] result<double> at(type_id type) const {
        // Plain numbers cost a curve nothing, but a device time, so those are set or unknown.
        const auto seconds = table_.find(type);
        if (seconds && *seconds > 0) return *seconds;
        if (rest_) return *rest_;
        return fail_at({source_}, errc::not_found, "there is no speed of the type ", name(type));
    }

  private:
    std::string source_;
    cost_curve table_;
    std::optional<double> rest_;
};

/// Reads speeds: a header `QTYPE,column` and a row per type, 404 and empty cells unknown. The
/// second column's name says what its cells are:
/// - `seconds_per_byte`
/// - `bytes_per_second` or `GB/s` (10^9 bytes), of weights as stored
/// - any other: percent of tokens per second relative to bf16 with the whole model in the type, as
///   in published tables (`+78.60%`); `bf16_bytes_per_second` tells the rate of bf16
/// Errors: `malformed` for rates that are not above zero.
[[nodiscard]] inline result<speed_table> read_speeds(std::string_view text, std::string_view file,
                                                     double bf16_bytes_per_second) {
    const auto table = read_csv(text, file);
    if (!table) return table.error();
    if (table->header.size() < 2) {
        return fail_at({file, 1}, errc::malformed, "the header has one column; expected two");
    }
    const auto unit = lower(table->header[1]);
    speed_table speeds{std::string(file)};
    bool any = false;
    for (const auto& row : table->rows) {
        const auto name = trimmed(row.cells[0]);
        const auto cell = row.cells[1];
        if (is_not_measured_marker(cell)) continue;
        const auto value = parse_ratio(cell);
        if (!value) continue;
        double seconds = 0;
        if (unit == "seconds_per_byte") {
            seconds = *value;
        } else if (unit == "bytes_per_second") {
            seconds = 1 / *value;
        } else if (unit == "gb/s") {
            seconds = 1 / (*value * 1e9);
        } else {
            const auto type = type_from_name(name);
            if (!type) continue;  // a type that only the table's author has
            // The whole model takes 2 bytes per weight as bf16.
            const auto per_weight = 2 / (bf16_bytes_per_second * (1 + *value));
            seconds = per_weight / (info(*type).bits_per_weight / 8);
        }
        if (!(seconds > 0) || !std::isfinite(seconds)) {
            return fail_at({file, row.line, name}, errc::malformed, quoted(cell),
                           " is no speed; expected one above zero");
        }
        speeds.set(name, seconds);
        any = true;
    }
    if (!any) return fail_at({file}, errc::malformed, "the file holds no speed");
    return speeds;
}

/// The share of a tensor's weights that is read per token: of the experts those that are used; none
/// of the embedding where there is a separate output matrix, because a token reads one row of it.
[[nodiscard]] inline double active_share(const model& m, std::string_view tensor,
                                         double expert_share) {
    if (tensor.find("_exps.") != tensor.npos) return expert_share;
    if (tensor == "token_embd.weight" && m.find("output.weight") != nullptr) return 0;
    return 1;
}

/// The time that reading takes, in whole picoseconds.
[[nodiscard]] inline std::uint64_t picoseconds(std::uint64_t bytes, double seconds_per_byte,
                                               double share) {
    const auto ps = static_cast<double>(bytes) * seconds_per_byte * share * 1e12;
    return static_cast<std::uint64_t>(std::llround(std::fmin(ps, 0x1p52)));
}

}  // namespace plan
BPW_NAMESPACE_END
