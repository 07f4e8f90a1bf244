// Bytes that hold digits of base 3, the first of which is the third that a byte lies in.
#pragma once

#include <bpw/simd/vector64.hpp>

BPW_NAMESPACE_BEGIN

namespace simd {

namespace detail {

// 3 x / 256 is x + x / 2 over 128; rounded means of x - 1 are means of x rounded down.
template <class A>
[[nodiscard]] BPW_INLINE u8_batch<A> thirds_on(const u8_batch<A>& x, xsimd::generic) noexcept {
    return xsimd::select(x > u8_batch<A>(std::uint8_t{85}), u8_batch<A>(std::uint8_t{1}),
                         u8_batch<A>(std::uint8_t{0})) +
           xsimd::select(x > u8_batch<A>(std::uint8_t{170}), u8_batch<A>(std::uint8_t{1}),
                         u8_batch<A>(std::uint8_t{0}));
}
#if XSIMD_WITH_SSE2
template <class A>
[[nodiscard]] BPW_INLINE u8_batch<A> thirds_on(const u8_batch<A>& x, xsimd::sse2) noexcept {
    const __m128i less = _mm_subs_epu8(x, _mm_set1_epi8(1));
    const __m128i three_quarters = _mm_avg_epu8(less, _mm_avg_epu8(less, _mm_setzero_si128()));
    return _mm_and_si128(_mm_srli_epi16(three_quarters, 6), _mm_set1_epi8(3));
}
#endif
#if XSIMD_WITH_AVX2
template <class A>
[[nodiscard]] BPW_INLINE u8_batch<A> thirds_on(const u8_batch<A>& x, xsimd::avx2) noexcept {
    const __m256i less = _mm256_subs_epu8(x, _mm256_set1_epi8(1));
    const __m256i three_quarters =
        _mm256_avg_epu8(less, _mm256_avg_epu8(less, _mm256_setzero_si256()));
    return _mm256_and_si256(_mm256_srli_epi16(three_quarters, 6), _mm256_set1_epi8(3));
}
#endif
template <int By, class A>
[[nodiscard]] BPW_INLINE u8_batch<A> thirds_of_pairs_on(const u8_batch<A>& x,
                                                        xsimd::generic) noexcept {
    std::uint8_t in[u8_batch<A>::size];
    std::uint8_t out[u8_batch<A>::size];
    x.store_unaligned(in);
    for (std::size_t i = 0; i < u8_batch<A>::size; ++i) {
        const auto from = in[i / 16 * 16 + i % 8 * 2 + i % 16 / 8];
        out[i] = static_cast<std::uint8_t>(3 * (from * By % 256) / 256);
    }
    return u8_batch<A>::load_unaligned(out);
}
// A byte in the upper half of a word times By begins with the product modulo 256, whose third is
// the upper word of the product with 3. Compilers would take the multiplications apart into shifts
// and additions.
#if XSIMD_WITH_SSE2
template <int By, class A>
[[nodiscard]] BPW_INLINE u8_batch<A> thirds_of_pairs_on(const u8_batch<A>& x,
                                                        xsimd::sse2) noexcept {
    const auto thirds = [](__m128i words) {
        if constexpr (By != 1) words = _mm_mullo_epi16(words, opaque(_mm_set1_epi16(By)));
        return _mm_mulhi_epu16(words, _mm_set1_epi16(3));
    };
    return _mm_packus_epi16(thirds(_mm_slli_epi16(x, 8)),
                            thirds(_mm_and_si128(x, _mm_set1_epi16(-256))));
}
#endif
#if XSIMD_WITH_AVX2
template <int By, class A>
[[nodiscard]] BPW_INLINE u8_batch<A> thirds_of_pairs_on(const u8_batch<A>& x,
                                                        xsimd::avx2) noexcept {
    const auto thirds = [](__m256i words) {
        if constexpr (By != 1) words = _mm256_mullo_epi16(words, opaque(_mm256_set1_epi16(By)));
        return _mm256_mulhi_epu16(words, _mm256_set1_epi16(3));
    };
    return _mm256_packus_epi16(thirds(_mm256_slli_epi16(x, 8)),
                               thirds(_mm256_and_si256(x, _mm256_set1_epi16(-256))));
}
#endif
#if XSIMD_WITH_AVX512BW
template <class A>
[[nodiscard]] BPW_INLINE u8_batch<A> thirds_on(const u8_batch<A>& x, xsimd::avx512bw) noexcept {
    const __mmask64 one = _mm512_cmpgt_epu8_mask(x, _mm512_set1_epi8(85));
    const __mmask64 two = _mm512_cmpgt_epu8_mask(x, _mm512_set1_epi8(static_cast<char>(170)));
    const __m512i out = _mm512_maskz_mov_epi8(one, _mm512_set1_epi8(1));
    return _mm512_mask_mov_epi8(out, two, _mm512_set1_epi8(2));
}
#endif
#if XSIMD_WITH_NEON64
template <class A>
[[nodiscard]] BPW_INLINE u8_batch<A> thirds_on(const u8_batch<A>& x, xsimd::neon64) noexcept {
    return vshrq_n_u8(vhaddq_u8(x, vshrq_n_u8(x, 1)), 6);
}
#endif

}  // namespace detail

/// 3 x / 256 of every byte x, rounded down: 0, 1 or 2.
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> thirds(const bytes64<A>& x) noexcept {
    return bytes64<A>::make([&](std::size_t i) { return detail::thirds_on<A>(x.v[i], A{}); });
}

/// Whether the thirds of products are better taken of pairs of bytes, with thirds_of_pairs.
template <class A>
inline constexpr bool takes_thirds_of_pairs =
    (std::is_base_of_v<xsimd::sse2, A> ||
     std::is_base_of_v<xsimd::avx2, A>)&&!std::is_base_of_v<xsimd::avx512f, A>;

/// The thirds of By x modulo 256: of every 16 bytes x those of 0, 2, ..., 14, then of 1, 3,
/// ..., 15.
template <int By, class A>
[[nodiscard]] BPW_INLINE bytes64<A> thirds_of_pairs(const bytes64<A>& x) noexcept {
    return bytes64<A>::make(
        [&](std::size_t i) { return detail::thirds_of_pairs_on<By, A>(x.v[i], A{}); });
}

}  // namespace simd

BPW_NAMESPACE_END
