// Unsigned 64-bit arithmetic that notices when it would wrap.
#pragma once

#include <bpw/core/config.hpp>

#include <cstdint>
#include <limits>
#include <optional>

BPW_NAMESPACE_BEGIN

/// a + b, or nothing when the sum does not fit 64 bits.
[[nodiscard]] constexpr std::optional<std::uint64_t> checked_add(std::uint64_t a, std::uint64_t b) {
    if (a > std::numeric_limits<std::uint64_t>::max() - b) return std::nullopt;
    return a + b;
}

/// a * b, or nothing when the product does not fit 64 bits.
[[nodiscard]] constexpr std::optional<std::uint64_t> checked_mul(std::uint64_t a, std::uint64_t b) {
    if (b != 0 && a > std::numeric_limits<std::uint64_t>::max() / b) return std::nullopt;
    return a * b;
}

/// The smallest multiple of `unit` (not 0) that is at least `a`, or nothing when it does not
/// fit.
[[nodiscard]] constexpr std::optional<std::uint64_t> checked_round_up(std::uint64_t a,
                                                                      std::uint64_t unit) {
    const auto rest = a % unit;
    return rest == 0 ? std::optional{a} : checked_add(a, unit - rest);
}

BPW_NAMESPACE_END
