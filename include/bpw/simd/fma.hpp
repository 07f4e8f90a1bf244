// a * b + c with one rounding, on archs with and without an instruction for it.
#pragma once

#include <bpw/simd/arch.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

BPW_NAMESPACE_BEGIN

namespace simd {

/// a * b + c rounded once, without a fused instruction.
///
/// The product of two floats is exact in double. Their sum with c is rounded to odd: where it is
/// not exact, its last bit is set. Rounding that to float then gives what one rounding would have
/// given, because double has more than twice the digits of float and two to spare.
/// Source: S. Boldo, G. Melquiond, "Emulation of a FMA and correctly rounded sums", 2008.
[[nodiscard]] inline float fused_multiply_add(float a, float b, float c) noexcept {
    const double p = static_cast<double>(a) * static_cast<double>(b);
    const double addend = c;
    const double sum = p + addend;
    const double back = sum - p;
    const double lost = (p - (sum - back)) + (addend - back);
    auto bits = std::bit_cast<std::uint64_t>(sum);
    if ((lost > 0.0 || lost < 0.0) && (bits & 1u) == 0u) {
        const bool outwards = (lost > 0.0) == (sum > 0.0);
        bits = outwards ? bits + 1 : bits - 1;
    }
    return static_cast<float>(std::bit_cast<double>(bits));
}

/// Whether an arch has fused multiply-add instructions.
template <class A>
inline constexpr bool has_fma = false;
template <class A>
inline constexpr bool has_fma<xsimd::fma3<A>> = true;
template <class A>
    requires std::is_base_of_v<xsimd::avx512f, A>
inline constexpr bool has_fma<A> = true;
template <class A>
    requires std::is_base_of_v<xsimd::fma3<xsimd::avx2>, A>
inline constexpr bool has_fma<A> = true;
template <class A>
    requires std::is_base_of_v<xsimd::neon64, A>
inline constexpr bool has_fma<A> = true;

/// a * b + c rounded once in every lane; the same bits on every arch.
template <class A>
[[nodiscard]] inline xsimd::batch<float, A> fused_multiply_add(
    const xsimd::batch<float, A>& a, const xsimd::batch<float, A>& b,
    const xsimd::batch<float, A>& c) noexcept {
    if constexpr (has_fma<A>) {
        return xsimd::fma(a, b, c);
    } else {
        constexpr auto size = xsimd::batch<float, A>::size;
        float x[size], y[size], z[size];
        a.store_unaligned(x);
        b.store_unaligned(y);
        c.store_unaligned(z);
        for (std::size_t i = 0; i < size; ++i) z[i] = fused_multiply_add(x[i], y[i], z[i]);
        return xsimd::batch<float, A>::load_unaligned(z);
    }
}

}  // namespace simd

BPW_NAMESPACE_END
