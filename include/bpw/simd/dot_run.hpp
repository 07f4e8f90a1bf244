// Products over a run of quads, for kernels that multiply many of them.
//
// Archs without an instruction for dot4() add the products of small lanes in pairs of 16 bits, for
// as many quads as cannot overflow, and multiply lanes above that in words of 16 bits.
#pragma once

#include <bpw/simd/vector64.hpp>

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

// Quads whose pairs are added up in 16 bits.
template <int MaxU>
inline constexpr std::size_t quads_in_16_bits = 32767 / (2 * 127 * MaxU);

template <int MaxU, std::size_t K, std::size_t Count, class A>
BPW_INLINE void dot_quads(i32_batch<A>& sum, i16_batch<A>&, const u8_batch<A>& u,
                          const s8_batch<A>& s, xsimd::generic) noexcept {
    sum = dot4<MaxU, A>(sum, u, s);
}

template <class A>
[[nodiscard]] BPW_INLINE i32_batch<A> dot2(const i32_batch<A>& sum, const i16_batch<A>& a,
                                           const i16_batch<A>& b, xsimd::generic) noexcept {
    constexpr auto size = i16_batch<A>::size;
    std::int16_t x[size];
    std::int16_t y[size];
    std::int32_t z[size / 2];
    a.store_unaligned(x);
    b.store_unaligned(y);
    sum.store_unaligned(z);
    for (std::size_t i = 0; i < size; ++i) z[i / 2] += x[i] * y[i];
    return i32_batch<A>::load_unaligned(z);
}

// Sums are opaque: compilers would add their terms in another order, have all products first, and
// no registers for them.
#if XSIMD_WITH_SSSE3
template <int MaxU, std::size_t K, std::size_t Count, class A>
requires adds_in_16_bits BPW_INLINE void dot_quads(i32_batch<A>& sum, i16_batch<A>& pairs,
                                                   const u8_batch<A>& u, const s8_batch<A>& s,
                                                   xsimd::ssse3) noexcept {
    constexpr auto most = quads_in_16_bits<MaxU>;
    const __m128i products = _mm_maddubs_epi16(u, s);
    pairs = K % most == 0 ? products : opaque(_mm_add_epi16(pairs, products));
    if constexpr (K % most == most - 1 || K == Count - 1) {
        sum = opaque(_mm_add_epi32(sum, _mm_madd_epi16(pairs, _mm_set1_epi16(1))));
    }
}
template <class A>
[[nodiscard]] BPW_INLINE i32_batch<A> dot2(const i32_batch<A>& sum, const i16_batch<A>& a,
                                           const i16_batch<A>& b, xsimd::ssse3) noexcept {
    return opaque(_mm_add_epi32(sum, _mm_madd_epi16(a, b)));
}
#endif
#if XSIMD_WITH_AVX2
template <int MaxU, std::size_t K, std::size_t Count, class A>
requires adds_in_16_bits BPW_INLINE void dot_quads(i32_batch<A>& sum, i16_batch<A>& pairs,
                                                   const u8_batch<A>& u, const s8_batch<A>& s,
                                                   xsimd::avx2) noexcept {
    constexpr auto most = quads_in_16_bits<MaxU>;
    const __m256i products = _mm256_maddubs_epi16(u, s);
    pairs = K % most == 0 ? products : opaque(_mm256_add_epi16(pairs, products));
    if constexpr (K % most == most - 1 || K == Count - 1) {
        sum = opaque(_mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1))));
    }
}
template <class A>
[[nodiscard]] BPW_INLINE i32_batch<A> dot2(const i32_batch<A>& sum, const i16_batch<A>& a,
                                           const i16_batch<A>& b, xsimd::avx2) noexcept {
    return opaque(_mm256_add_epi32(sum, _mm256_madd_epi16(a, b)));
}
#endif
#if XSIMD_WITH_AVX512BW
template <class A>
[[nodiscard]] BPW_INLINE i32_batch<A> dot2(const i32_batch<A>& sum, const i16_batch<A>& a,
                                           const i16_batch<A>& b, xsimd::avx512bw) noexcept {
    return opaque(_mm512_add_epi32(sum, _mm512_madd_epi16(a, b)));
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

/// Whether lanes of at most `max` are better multiplied as words of 16 bits, with dot2().
[[nodiscard]] constexpr bool multiplied_as_words(int max) noexcept {
    return detail::adds_in_16_bits && max > 129;
}

/// Quad K of Count: sum += u . s by fours, exact when all are added, in the order of K. `pairs` is
/// what this needs from quad to quad. u is at most MaxU, for which multiplied_as_words() is false.
template <int MaxU, std::size_t K, std::size_t Count, class A>
BPW_INLINE void dot_quads(i32_batch<A>& sum, i16_batch<A>& pairs, const u8_batch<A>& u,
                          const s8_batch<A>& s) noexcept {
    static_assert(!multiplied_as_words(MaxU));
    detail::dot_quads<MaxU, K, Count, A>(sum, pairs, u, s, A{});
}

/// What the products of a run of vectors need from one to the next.
template <class A>
struct pair_sums {
    registers<i16_batch<A>, 64 / u8_batch<A>::size> v;
};

template <class First, class... Others>
[[nodiscard]] BPW_INLINE const First& first_of(const First& first, const Others&...) noexcept {
    return first;
}

/// The registers of 64 bytes at `p`, for add_dot4_of_run().
template <class A, class Byte>
[[nodiscard]] BPW_INLINE auto registers_at(const Byte* p) noexcept {
    return [p](std::size_t i) BPW_INLINE_LAMBDA {
        using vector = xsimd::batch<Byte, A>;
        return vector::load_unaligned(p + i * vector::size);
    };
}

/// Vector K of Count: sum += lanes . s by fours, exact when all are added, in the order of K. The
/// lanes, at most MaxU, were lowered by LoweredBy: see lowered_by. `s(i)...` is register i of the
/// other factor and, where these are kept, of its magnitudes.
template <int MaxU, int LoweredBy, std::size_t K, std::size_t Count, class A, class... S>
BPW_INLINE void add_dot4_of_run(int16x<A>& sum, pair_sums<A>& pairs, const bytes64<A>& lanes,
                                const S&... s) noexcept {
    sum = int16x<A>::make([&](std::size_t i) {
        auto of_register = sum.v[i];
        if constexpr (LoweredBy != 0 || multiplied_as_words(MaxU))
            of_register = dot4_of_lowered<MaxU, LoweredBy, A>(of_register, lanes.v[i], s(i)...);
        else
            dot_quads<MaxU, K, Count, A>(of_register, pairs.v[i], lanes.v[i], first_of(s(i)...));
        return of_register;
    });
}

/// sum[i] + a[2 i] b[2 i] + a[2 i + 1] b[2 i + 1].
template <class A>
[[nodiscard]] BPW_INLINE i32_batch<A> dot2(const i32_batch<A>& sum, const i16_batch<A>& a,
                                           const i16_batch<A>& b) noexcept {
    return detail::dot2<A>(sum, a, b, A{});
}

/// The bytes 0, 2, 4, ... (Odd = false) or 1, 3, 5, ... of x as words.
template <bool Odd, class A>
[[nodiscard]] BPW_INLINE i16_batch<A> every_other_byte(const u8_batch<A>& x) noexcept {
    const auto words = xsimd::bitwise_cast<std::uint16_t>(x);
    return xsimd::bitwise_cast<std::int16_t>(
        Odd ? words >> 8 : words & xsimd::batch<std::uint16_t, A>(std::uint16_t{255}));
}
template <bool Odd, class A>
[[nodiscard]] BPW_INLINE i16_batch<A> every_other_byte(const s8_batch<A>& x) noexcept {
    const auto words = xsimd::bitwise_cast<std::int16_t>(x);
    return (Odd ? words : words << 8) >> 8;
}

}  // namespace simd

BPW_NAMESPACE_END
