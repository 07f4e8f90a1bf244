// The small float formats that scales are stored in, widened to float.
//
// All of them are exact in float. Everything is integer work on the bits, so that neither the
// rounding mode nor flush-to-zero modes set by a host program can change a result.
#pragma once

#include <bpw/core/config.hpp>

#include <bit>
#include <cstdint>

BPW_NAMESPACE_BEGIN

/// IEEE binary16 to float; subnormals kept, infinities and NaN carried over.
[[nodiscard]] constexpr float half_to_float(std::uint32_t bits) noexcept {
    const std::uint32_t sign = (bits & 0x8000u) << 16;
    const std::uint32_t exponent = (bits >> 10) & 31u;
    const std::uint32_t mantissa = bits & 0x3ffu;
    std::uint32_t out = 0;
    if (exponent == 31u) {
        out = 0x7f800000u | mantissa << 13;
    } else if (exponent != 0u) {
        out = (exponent + 112u) << 23 | mantissa << 13;
    } else if (mantissa != 0u) {
        const auto shift = static_cast<std::uint32_t>(std::countl_zero(mantissa)) - 21u;
        out = (113u - shift) << 23 | ((mantissa << shift) & 0x3ffu) << 13;
    }
    return std::bit_cast<float>(sign | out);
}

/// bfloat16 to float.
[[nodiscard]] constexpr float bf16_to_float(std::uint32_t bits) noexcept {
    return std::bit_cast<float>(bits << 16);
}

/// Half of an OCP E8M0 scale: 2^(e - 128) for every e in 0..255. The 4-bit tables that go with
/// it hold doubled values. e = 0 and 1 give float subnormals; 255 gives 2^127, not NaN.
[[nodiscard]] constexpr float e8m0_half_to_float(std::uint32_t e) noexcept {
    return std::bit_cast<float>(e < 2u ? 0x00200000u << e : (e - 1u) << 23);
}

/// Half of an unsigned E4M3 scale. The bytes 0x00 and 0x7f give zero; bit 7 is otherwise
/// ignored, so that 0xff gives 240.
[[nodiscard]] constexpr float ue4m3_half_to_float(std::uint32_t bits) noexcept {
    if (bits == 0u || bits == 0x7fu) return 0.0f;
    const std::uint32_t exponent = (bits >> 3) & 15u;
    const std::uint32_t mantissa = bits & 7u;
    if (exponent == 0u) return static_cast<float>(mantissa) * 0x1p-10f;
    return std::bit_cast<float>((exponent + 119u) << 23 | mantissa << 20);
}

BPW_NAMESPACE_END
