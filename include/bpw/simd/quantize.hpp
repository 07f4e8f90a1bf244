// What quantizing floats to bytes takes.
#pragma once

#include <bpw/simd/placed_quads.hpp>
#include <bpw/simd/transpose.hpp>

BPW_NAMESPACE_BEGIN

namespace simd {

namespace detail {

// The integers of four vectors, all in -128..127, as bytes.
template <class A>
[[nodiscard]] BPW_INLINE u8_batch<A> narrow(const std::array<i32_batch<A>, 4>& x,
                                            xsimd::generic) noexcept {
    constexpr auto size = i32_batch<A>::size;
    std::int32_t lanes[4 * size];
    for (std::size_t k = 0; k < 4; ++k) x[k].store_unaligned(lanes + k * size);
    std::uint8_t bytes[4 * size];
    for (std::size_t i = 0; i < 4 * size; ++i) bytes[i] = static_cast<std::uint8_t>(lanes[i]);
    return u8_batch<A>::load_unaligned(bytes);
}
#if XSIMD_WITH_SSE2
template <class A>
[[nodiscard]] BPW_INLINE u8_batch<A> narrow(const std::array<i32_batch<A>, 4>& x,
                                            xsimd::sse2) noexcept {
    return _mm_packs_epi16(_mm_packs_epi32(x[0], x[1]), _mm_packs_epi32(x[2], x[3]));
}
#endif
#if XSIMD_WITH_AVX2
template <class A>
[[nodiscard]] BPW_INLINE u8_batch<A> narrow(const std::array<i32_batch<A>, 4>& x,
                                            xsimd::avx2) noexcept {
    // The lower halves of all four come first, quad by quad.
    const __m256i quads =
        _mm256_packs_epi16(_mm256_packs_epi32(x[0], x[1]), _mm256_packs_epi32(x[2], x[3]));
    return _mm256_permutevar8x32_epi32(quads, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}
#endif
#if XSIMD_WITH_AVX512BW
template <class A>
[[nodiscard]] BPW_INLINE u8_batch<A> narrow(const std::array<i32_batch<A>, 4>& x,
                                            xsimd::avx512bw) noexcept {
    const __m512i quads =
        _mm512_packs_epi16(_mm512_packs_epi32(x[0], x[1]), _mm512_packs_epi32(x[2], x[3]));
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm512_maskz_permutexvar_epi32(every_lane, order, quads);
}
#endif
#if XSIMD_WITH_NEON64
template <class A>
[[nodiscard]] BPW_INLINE u8_batch<A> narrow(const std::array<i32_batch<A>, 4>& x,
                                            xsimd::neon64) noexcept {
    const auto words = [&](std::size_t k) {
        return vcombine_s16(vmovn_s32(x[k]), vmovn_s32(x[k + 1]));
    };
    return vreinterpretq_u8_s8(vcombine_s8(vmovn_s16(words(0)), vmovn_s16(words(2))));
}
#endif

// Every other lane of two vectors, from the first on.
template <class T, class A>
[[nodiscard]] BPW_INLINE xsimd::batch<T, A> even_lanes(const xsimd::batch<T, A>& a,
                                                       const xsimd::batch<T, A>& b,
                                                       xsimd::generic) noexcept {
    constexpr auto size = xsimd::batch<T, A>::size;
    T lanes[2 * size];
    a.store_unaligned(lanes);
    b.store_unaligned(lanes + size);
    for (std::size_t i = 0; i < size; ++i) lanes[i] = lanes[2 * i];
    return xsimd::batch<T, A>::load_unaligned(lanes);
}
#if XSIMD_WITH_SSE2
template <class T, class A>
[[nodiscard]] BPW_INLINE xsimd::batch<T, A> even_lanes(const xsimd::batch<T, A>& a,
                                                       const xsimd::batch<T, A>& b,
                                                       xsimd::sse2) noexcept {
    const auto floats = [](const auto& x) { return xsimd::bitwise_cast<float>(x); };
    return xsimd::bitwise_cast<T>(
        xsimd::batch<float, A>(_mm_shuffle_ps(floats(a), floats(b), 0x88)));
}
#endif
#if XSIMD_WITH_AVX2
template <class T, class A>
[[nodiscard]] BPW_INLINE xsimd::batch<T, A> even_lanes(const xsimd::batch<T, A>& a,
                                                       const xsimd::batch<T, A>& b,
                                                       xsimd::avx2) noexcept {
    const auto floats = [](const auto& x) { return xsimd::bitwise_cast<float>(x); };
    const __m256 halves = _mm256_shuffle_ps(floats(a), floats(b), 0x88);
    return xsimd::bitwise_cast<T>(
        i32_batch<A>(_mm256_permute4x64_epi64(_mm256_castps_si256(halves), 0xd8)));
}
#endif
#if XSIMD_WITH_NEON64
template <class T, class A>
[[nodiscard]] BPW_INLINE xsimd::batch<T, A> even_lanes(const xsimd::batch<T, A>& a,
                                                       const xsimd::batch<T, A>& b,
                                                       xsimd::neon64) noexcept {
    const auto ints = [](const auto& x) { return xsimd::bitwise_cast<std::int32_t>(x); };
    return xsimd::bitwise_cast<T>(i32_batch<A>(vuzp1q_s32(ints(a), ints(b))));
}
#endif

template <class T, class A, std::size_t N>
BPW_INLINE void store_even(const registers<xsimd::batch<T, A>, N>& v, T* to) noexcept {
    for (std::size_t i = 0; i < N / 2; ++i) {
        even_lanes<T, A>(v[2 * i], v[2 * i + 1], A{})
            .store_unaligned(to + i * xsimd::batch<T, A>::size);
    }
}
#if XSIMD_WITH_AVX512F
template <class T, class A>
BPW_INLINE void store_even(const registers<xsimd::batch<T, A>, 1>& v, T* to) noexcept {
    const __m512i x = xsimd::bitwise_cast<std::int32_t>(v[0]);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_maskz_cvtepi64_epi32(every_pair, x));
}
#endif

}  // namespace detail

/// The greater magnitude of every two lanes as the bits of a float: more than those of any number
/// where one is infinite or NaN.
template <class A>
[[nodiscard]] BPW_INLINE int16x<A> greater_magnitudes(const float16<A>& a,
                                                      const float16<A>& b) noexcept {
    using ints = i32_batch<A>;
    return int16x<A>::make([&](std::size_t i) {
        const ints magnitude(0x7fffffff);
        return detail::larger<A>(xsimd::bitwise_cast<std::int32_t>(a.v[i]) & magnitude,
                                 xsimd::bitwise_cast<std::int32_t>(b.v[i]) & magnitude, A{});
    });
}

/// Every lane and its neighbour, 0 and 1, 2 and 3, ...: swapped.
template <class A>
[[nodiscard]] BPW_INLINE int16x<A> swapped_neighbours(const int16x<A>& x) noexcept {
    return int16x<A>::of_bytes(detail::swapped_quads<1, A>(x.as_bytes(), A{}));
}

/// The greatest lane of each of eight vectors, twice.
template <class A>
[[nodiscard]] BPW_INLINE int16x<A> greatest_lanes(const std::array<int16x<A>, 8>& x) noexcept {
    using detail::maximum;
    const auto halves = [&](std::size_t i) BPW_INLINE_LAMBDA {
        return detail::fold_halves<maximum>(x[i], x[i + 1], A{});
    };
    const auto parts =
        detail::fold_quads<maximum, A>({halves(0), halves(2), halves(4), halves(6)}, A{});
    const auto others = swapped_neighbours(parts);
    return int16x<A>::make(
        [&](std::size_t i) { return detail::larger<A>(parts.v[i], others.v[i], A{}); });
}

/// Lanes 0, 2, 4, ...
template <class A>
BPW_INLINE void store_even(const float16<A>& x, float* to) noexcept {
    detail::store_even<float, A>(x.v, to);
}
template <class A>
BPW_INLINE void store_even(const int16x<A>& x, std::int32_t* to) noexcept {
    detail::store_even<std::int32_t, A>(x.v, to);
}

/// Whether a lane is at least `bound`.
template <class A>
[[nodiscard]] BPW_INLINE bool any_at_least(const int16x<A>& x, std::int32_t bound) noexcept {
    auto found = x.v[0] >= i32_batch<A>(bound);
    for (std::size_t i = 1; i < x.v.size(); ++i) found = found | (x.v[i] >= i32_batch<A>(bound));
    return xsimd::any(found);
}

/// The nearest integers to the floats f(0), ..., f(3), each a float16, as signed bytes: ties to
/// even, all in -128..127.
template <class A, class F>
[[nodiscard]] BPW_INLINE bytes64<A> round_to_bytes(F f) noexcept {
    const std::array<float16<A>, 4> x{f(0), f(1), f(2), f(3)};
    constexpr auto each = x[0].v.size();
    return bytes64<A>::make([&](std::size_t i) BPW_INLINE_LAMBDA {
        const auto rounded = [&](std::size_t k) BPW_INLINE_LAMBDA {
            return round_to_int<A>(x[k / each].v[k % each]);
        };
        return detail::narrow<A>(
            {rounded(4 * i), rounded(4 * i + 1), rounded(4 * i + 2), rounded(4 * i + 3)}, A{});
    });
}

}  // namespace simd

BPW_NAMESPACE_END
