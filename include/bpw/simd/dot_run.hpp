// Products of bytes by fours over a run of quads, for kernels that multiply many of them.
//
// Archs without an instruction for dot4() add pairs in 16 bits for as many quads as cannot
// overflow, and multiply magnitudes where unsigned lanes would.
#pragma once

#include <bpw/simd/bytes.hpp>

BPW_NAMESPACE_BEGIN

namespace simd {

template <class A>
using i16_batch = xsimd::batch<std::int16_t, A>;

namespace detail {

#if defined(__AVXVNNI__) || defined(__AVX512VNNI__) || !defined(__SSSE3__)
inline constexpr bool adds_in_16_bits = false;
#else
inline constexpr bool adds_in_16_bits = true;
#endif

template <int MaxU, std::size_t K, std::size_t Count, class A>
BPW_INLINE void dot_quads(i32_batch<A>& sum, i16_batch<A>&, const u8_batch<A>& u,
                          const s8_batch<A>& s, xsimd::generic) noexcept {
    sum = dot4<MaxU, A>(sum, u, s);
}

// Quads whose pairs are added up in 16 bits.
template <int MaxU>
inline constexpr std::size_t quads_in_16_bits = MaxU > 129 ? 1 : 32767 / (2 * 127 * MaxU);

#if XSIMD_WITH_SSSE3
template <int MaxU, std::size_t K, std::size_t Count, class A>
requires adds_in_16_bits BPW_INLINE void dot_quads(i32_batch<A>& sum, i16_batch<A>& pairs,
                                                   const u8_batch<A>& u, const s8_batch<A>& s,
                                                   xsimd::ssse3) noexcept {
    constexpr auto most = quads_in_16_bits<MaxU>;
    const __m128i products = MaxU > 129 ? _mm_maddubs_epi16(_mm_abs_epi8(u), _mm_sign_epi8(s, u))
                                        : _mm_maddubs_epi16(u, s);
    pairs = K % most == 0 ? products : _mm_add_epi16(pairs, products);
    if constexpr (K % most == most - 1 || K == Count - 1) {
        sum = _mm_add_epi32(sum, _mm_madd_epi16(pairs, _mm_set1_epi16(1)));
    }
}
#endif
#if XSIMD_WITH_AVX2
template <int MaxU, std::size_t K, std::size_t Count, class A>
requires adds_in_16_bits BPW_INLINE void dot_quads(i32_batch<A>& sum, i16_batch<A>& pairs,
                                                   const u8_batch<A>& u, const s8_batch<A>& s,
                                                   xsimd::avx2) noexcept {
    constexpr auto most = quads_in_16_bits<MaxU>;
    const __m256i products = MaxU > 129
                                 ? _mm256_maddubs_epi16(_mm256_abs_epi8(u), _mm256_sign_epi8(s, u))
                                 : _mm256_maddubs_epi16(u, s);
    pairs = K % most == 0 ? products : _mm256_add_epi16(pairs, products);
    if constexpr (K % most == most - 1 || K == Count - 1) {
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    }
}
#endif

}  // namespace detail

/// Lanes with bounds between these are multiplied by the same instructions.
[[nodiscard]] constexpr int bound_of_lanes(int max) noexcept {
    if (!detail::adds_in_16_bits) return 255;
    for (const int bound : {15, 31, 64, 129}) {
        if (max <= bound) return bound;
    }
    return 255;
}

/// What dot_quads subtracts from lanes u that are at most MaxU, a bound_of_lanes(): then they fit
/// a signed byte.
template <int MaxU>
inline constexpr int lowered_lanes = detail::adds_in_16_bits&& MaxU > 129 ? 128 : 0;

/// Lanes as dot_quads takes them.
template <int MaxU, class A>
[[nodiscard]] BPW_INLINE u8_batch<A> lower_lanes(const u8_batch<A>& u) noexcept {
    if constexpr (lowered_lanes<MaxU> != 0)
        return u ^ u8_batch<A>(std::uint8_t{128});
    else
        return u;
}

/// Quad K of Count: sum += u . s by fours, exact when all are added, in the order of K. `pairs` is
/// what this needs from quad to quad.
template <int MaxU, std::size_t K, std::size_t Count, class A>
BPW_INLINE void dot_quads(i32_batch<A>& sum, i16_batch<A>& pairs, const u8_batch<A>& u,
                          const s8_batch<A>& s) noexcept {
    detail::dot_quads<MaxU, K, Count, A>(sum, pairs, u, s, A{});
}

}  // namespace simd

BPW_NAMESPACE_END
