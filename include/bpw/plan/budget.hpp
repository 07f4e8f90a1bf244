// Sizes that a class of tensors may take.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/plan/text.hpp>

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

BPW_NAMESPACE_BEGIN
namespace plan {

/// A limit in bytes, or in percent of what a class takes at the largest type of its pool.
struct budget {
    enum class unit : std::uint8_t { none, bytes, percent } kind = unit::none;
    std::uint64_t bytes = 0;
    double percent = 0;

    [[nodiscard]] static budget of_bytes(std::uint64_t n) { return {unit::bytes, n, 0}; }
    [[nodiscard]] static budget of_percent(double p) { return {unit::percent, 0, p}; }

    /// The limit in bytes, rounded down, for a class of this largest size; nothing for no limit.
    /// From 99.99 % on the largest size itself fits.
    [[nodiscard]] std::optional<std::uint64_t> limit(std::uint64_t largest) const {
        if (kind == unit::none) return std::nullopt;
        if (kind == unit::bytes) return bytes;
        if (percent >= 99.99 && percent <= 100) return largest;
        const auto limit = std::floor(static_cast<double>(largest) * (percent / 100));
        if (limit >= 0x1p62) return std::uint64_t{1} << 62;
        return static_cast<std::uint64_t>(limit);
    }
};

/// Reads a budget: `10`, `10GiB` and `10G` are GiB (2^30 bytes), `512MiB` and `512M` are MiB, `80%`
/// is a share of the largest size, `1000B` are bytes. Fractions of bytes are dropped. Errors:
/// `malformed`.
[[nodiscard]] inline result<budget> read_budget(std::string_view text) {
    const auto refuse = [&] {
        return fail(errc::malformed, "size ", quoted(text),
                    " cannot be read; expected GiB as in 10.5, or 512MiB, 80%, 1000B");
    };
    auto number = trimmed(text);
    double unit = 0x1p30;
    bool percent = false;
    const auto ends = [&](std::string_view suffix, double bytes) {
        if (!lower(number).ends_with(suffix)) return false;
        number.remove_suffix(suffix.size());
        unit = bytes;
        return true;
    };
    if (!number.empty() && number.back() == '%') {
        percent = true;
        number.remove_suffix(1);
    } else if (!ends("gib", 0x1p30) && !ends("mib", 0x1p20) && !ends("kib", 0x1p10) &&
               !ends("tib", 0x1p40) && !ends("g", 0x1p30) && !ends("m", 0x1p20)) {
        (void)ends("b", 1);
    }
    const auto value = parse_number(number);
    if (!value || *value < 0) return refuse();
    if (percent) return budget::of_percent(*value);
    const auto bytes = std::floor(*value * unit);
    if (bytes >= 0x1p62) return refuse();
    return budget::of_bytes(static_cast<std::uint64_t>(bytes));
}

}  // namespace plan
BPW_NAMESPACE_END
