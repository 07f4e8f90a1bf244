// Floats to the small formats that scales are stored in.
//
// Integer work on the bits, as in core/half.hpp, so that neither the rounding mode nor
// flush-to-zero modes matter.
#pragma once

#include <bpw/core/half.hpp>

#include <bit>
#include <cstdint>

BPW_NAMESPACE_BEGIN

/// The nearest IEEE binary16, ties to even. What rounds to 65520 or more becomes infinite, as IEEE
/// says; NaN stays NaN.
[[nodiscard]] constexpr std::uint32_t float_to_half(float x) noexcept {
    const auto bits = std::bit_cast<std::uint32_t>(x);
    const std::uint32_t sign = bits >> 16 & 0x8000u;
    const std::uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return sign | 0x7e00u;
    if (magnitude >= 0x477ff000u) return sign | 0x7c00u;
    const auto round_to_even = [](std::uint32_t m, std::uint32_t shift) {
        const std::uint32_t half = (1u << (shift - 1)) - 1u;
        return (m + half + (m >> shift & 1u)) >> shift;
    };
    if (magnitude >= 0x38800000u) return sign | round_to_even(magnitude - 0x38000000u, 13);
    if (magnitude < 0x33000000u) return sign;
    const std::uint32_t shift = 126u - (magnitude >> 23);
    return sign | round_to_even((magnitude & 0x7fffffu) | 0x800000u, shift);
}

/// The nearest bfloat16, ties to even; NaN stays NaN, and quiet.
[[nodiscard]] constexpr std::uint32_t float_to_bf16(float x) noexcept {
    const auto bits = std::bit_cast<std::uint32_t>(x);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return bits >> 16 | 0x40u;
    return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}

namespace detail {

/// The nearest finite binary16.
[[nodiscard]] constexpr std::uint32_t float_to_finite_half(float x) noexcept {
    const auto bits = float_to_half(x);
    return (bits & 0x7fffu) == 0x7c00u ? bits - 1u : bits;
}

}  // namespace detail

BPW_NAMESPACE_END
