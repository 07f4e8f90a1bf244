// Sixteen floats at a time with the operations that a search needs.
//
// Encoders must write the same bytes on every arch. Each operation here rounds once, sums of
// products are fused explicitly, and no product feeds an addition, so that a compiler has nothing
// left to contract.
#pragma once

#include <bpw/simd/accumulator.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>

BPW_NAMESPACE_BEGIN

namespace detail {

using floats = simd::float16<native_arch>;
inline constexpr std::size_t lane_count = floats::size;
using lane_array = std::array<float, lane_count>;

namespace lanes {

namespace on {

template <class A>
using batch = xsimd::batch<float, A>;

template <class A>
[[nodiscard]] BPW_INLINE batch<A> min(const batch<A>& a, const batch<A>& b,
                                      xsimd::generic) noexcept {
    return xsimd::min(a, b);
}
template <class A>
[[nodiscard]] BPW_INLINE batch<A> max(const batch<A>& a, const batch<A>& b,
                                      xsimd::generic) noexcept {
    return xsimd::max(a, b);
}
template <class A>
[[nodiscard]] BPW_INLINE batch<A> sqrt(const batch<A>& a, xsimd::generic) noexcept {
    return xsimd::sqrt(a);
}
template <class A>
[[nodiscard]] BPW_INLINE batch<A> divide(const batch<A>& a, const batch<A>& b,
                                         xsimd::generic) noexcept {
    return a / b;
}
#if XSIMD_WITH_NEON64
// What xsimd 13 does for floats on NEON refines estimates, and is not rounded to the nearest.
template <class A>
[[nodiscard]] BPW_INLINE batch<A> sqrt(const batch<A>& a, xsimd::neon64) noexcept {
    return vsqrtq_f32(a);
}
template <class A>
[[nodiscard]] BPW_INLINE batch<A> divide(const batch<A>& a, const batch<A>& b,
                                         xsimd::neon64) noexcept {
    return vdivq_f32(a, b);
}
#endif
#if XSIMD_WITH_AVX512F
// The forms with a mask, because GCC 12 warns of the others that they leave lanes undefined.
template <class A>
[[nodiscard]] BPW_INLINE batch<A> min(const batch<A>& a, const batch<A>& b,
                                      xsimd::avx512f) noexcept {
    return _mm512_maskz_min_ps(simd::detail::every_lane, a, b);
}
template <class A>
[[nodiscard]] BPW_INLINE batch<A> max(const batch<A>& a, const batch<A>& b,
                                      xsimd::avx512f) noexcept {
    return _mm512_maskz_max_ps(simd::detail::every_lane, a, b);
}
template <class A>
[[nodiscard]] BPW_INLINE batch<A> sqrt(const batch<A>& a, xsimd::avx512f) noexcept {
    return _mm512_maskz_sqrt_ps(simd::detail::every_lane, a);
}
#endif

}  // namespace on

template <class F, class... Args>
[[nodiscard]] BPW_INLINE floats map(F f, const Args&... args) noexcept {
    floats out;
    for (std::size_t i = 0; i < out.v.size(); ++i) out.v[i] = f(args.v[i]...);
    return out;
}

[[nodiscard]] BPW_INLINE floats add(const floats& a, const floats& b) noexcept {
    return map([](const auto& x, const auto& y) { return x + y; }, a, b);
}
[[nodiscard]] BPW_INLINE floats subtract(const floats& a, const floats& b) noexcept {
    return map([](const auto& x, const auto& y) { return x - y; }, a, b);
}
[[nodiscard]] BPW_INLINE floats divide(const floats& a, const floats& b) noexcept {
    return map(
        [](const auto& x, const auto& y) { return on::divide<native_arch>(x, y, native_arch{}); },
        a, b);
}
/// a * b + c, rounded once.
[[nodiscard]] BPW_INLINE floats fma(const floats& a, const floats& b, const floats& c) noexcept {
    return map([](const auto& x, const auto& y,
                  const auto& z) { return simd::fused_multiply_add(x, y, z); },
               a, b, c);
}
[[nodiscard]] BPW_INLINE floats min(const floats& a, const floats& b) noexcept {
    return map(
        [](const auto& x, const auto& y) { return on::min<native_arch>(x, y, native_arch{}); }, a,
        b);
}
[[nodiscard]] BPW_INLINE floats max(const floats& a, const floats& b) noexcept {
    return map(
        [](const auto& x, const auto& y) { return on::max<native_arch>(x, y, native_arch{}); }, a,
        b);
}
[[nodiscard]] BPW_INLINE floats clamp(const floats& x, const floats& lo,
                                      const floats& hi) noexcept {
    return min(max(x, lo), hi);
}
[[nodiscard]] BPW_INLINE floats abs(const floats& a) noexcept {
    return map([](const auto& x) { return xsimd::abs(x); }, a);
}
[[nodiscard]] BPW_INLINE floats sqrt(const floats& a) noexcept {
    return map([](const auto& x) { return on::sqrt<native_arch>(x, native_arch{}); }, a);
}
/// yes where a < b, else no.
[[nodiscard]] BPW_INLINE floats where_less(const floats& a, const floats& b, const floats& yes,
                                           const floats& no) noexcept {
    return map([](const auto& x, const auto& y, const auto& p,
                  const auto& q) { return xsimd::select(x < y, p, q); },
               a, b, yes, no);
}

namespace on {

template <class A>
[[nodiscard]] BPW_INLINE batch<A> add_where_less(const batch<A>& sum, const batch<A>& a,
                                                 const batch<A>& b, const batch<A>& x,
                                                 xsimd::generic) noexcept {
    return sum + xsimd::select(a < b, x, batch<A>(0.0f));
}
#if XSIMD_WITH_AVX512F
template <class A>
[[nodiscard]] BPW_INLINE batch<A> add_where_less(const batch<A>& sum, const batch<A>& a,
                                                 const batch<A>& b, const batch<A>& x,
                                                 xsimd::avx512f) noexcept {
    return _mm512_mask_add_ps(sum, _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), sum, x);
}
#endif

}  // namespace on

/// sum + x where a < b, else sum, which is not -0.
[[nodiscard]] BPW_INLINE floats add_where_less(const floats& sum, const floats& a, const floats& b,
                                               const floats& x) noexcept {
    return map(
        [](const auto& s, const auto& p, const auto& q, const auto& y) {
            return on::add_where_less<native_arch>(s, p, q, y, native_arch{});
        },
        sum, a, b, x);
}

/// Added to a number below 2^22 in magnitude it leaves the nearest integer, ties to even, in the
/// lowest bits of the float.
inline constexpr float integer_shift = 0x1.8p23f;

/// a * b to the nearest integer, ties to even; for products below 2^22.
[[nodiscard]] BPW_INLINE floats round_product(const floats& a, const floats& b) noexcept {
    const auto shift = floats::all(integer_shift);
    return subtract(fma(a, b, shift), shift);
}
[[nodiscard]] BPW_INLINE floats round(const floats& a) noexcept {
    const auto shift = floats::all(integer_shift);
    return subtract(add(a, shift), shift);
}

[[nodiscard]] BPW_INLINE lane_array to_array(const floats& x) noexcept {
    lane_array out;
    x.store(out.data());
    return out;
}

namespace on {

template <class A>
[[nodiscard]] BPW_INLINE simd::float16<A> lookup(const float* table, const simd::float16<A>& x,
                                                 xsimd::generic) noexcept {
    float in[lane_count];
    x.store(in);
    for (auto& f : in) {
        f = table[std::bit_cast<std::int32_t>(f) - std::bit_cast<std::int32_t>(integer_shift)];
    }
    return simd::float16<A>::load(in);
}
#if XSIMD_WITH_AVX2
template <class A>
[[nodiscard]] BPW_INLINE simd::float16<A> lookup(const float* table, const simd::float16<A>& x,
                                                 xsimd::avx2) noexcept {
    const __m256i zero = _mm256_set1_epi32(std::bit_cast<std::int32_t>(integer_shift));
    simd::float16<A> out;
    for (std::size_t i = 0; i < out.v.size(); ++i) {
        const __m256i index = _mm256_sub_epi32(_mm256_castps_si256(x.v[i]), zero);
        out.v[i] = _mm256_i32gather_ps(table, index, 4);
    }
    return out;
}
#endif
#if XSIMD_WITH_AVX512F
template <class A>
[[nodiscard]] BPW_INLINE simd::float16<A> lookup(const float* table, const simd::float16<A>& x,
                                                 xsimd::avx512f) noexcept {
    const __m512i zero = _mm512_set1_epi32(std::bit_cast<std::int32_t>(integer_shift));
    const __m512i index =
        _mm512_maskz_sub_epi32(simd::detail::every_lane, _mm512_castps_si512(x.v[0]), zero);
    return {
        {_mm512_mask_i32gather_ps(_mm512_setzero_ps(), simd::detail::every_lane, index, table, 4)}};
}
#endif

}  // namespace on

/// table[i] of every lane, which holds the integer i, of any sign, plus
/// `integer_shift`.
[[nodiscard]] BPW_INLINE floats lookup_shifted(const float* table, const floats& x) noexcept {
    return on::lookup<native_arch>(table, x, native_arch{});
}

namespace on {

template <class A>
[[nodiscard]] BPW_INLINE simd::float16<A> from_bytes(const std::int8_t* p,
                                                     xsimd::generic) noexcept {
    float out[lane_count];
    for (std::size_t l = 0; l < lane_count; ++l) out[l] = p[l];
    return simd::float16<A>::load(out);
}
#if XSIMD_WITH_AVX2
template <class A>
[[nodiscard]] BPW_INLINE simd::float16<A> from_bytes(const std::int8_t* p, xsimd::avx2) noexcept {
    const __m128i all = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return {{_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(all)),
             _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(all, 8)))}};
}
#endif
#if XSIMD_WITH_AVX512F
template <class A>
[[nodiscard]] BPW_INLINE simd::float16<A> from_bytes(const std::int8_t* p,
                                                     xsimd::avx512f) noexcept {
    constexpr auto every = simd::detail::every_lane;
    const __m128i all = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return {{_mm512_maskz_cvtepi32_ps(every, _mm512_maskz_cvtepi8_epi32(every, all))}};
}
#endif

template <class A>
BPW_INLINE void to_bytes(const simd::float16<A>& x, std::int8_t* p, xsimd::generic) noexcept {
    float in[lane_count];
    x.store(in);
    for (std::size_t l = 0; l < lane_count; ++l) p[l] = static_cast<std::int8_t>(in[l]);
}
#if XSIMD_WITH_AVX512F
template <class A>
BPW_INLINE void to_bytes(const simd::float16<A>& x, std::int8_t* p, xsimd::avx512f) noexcept {
    constexpr auto every = simd::detail::every_lane;
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                     _mm512_maskz_cvtepi32_epi8(every, _mm512_maskz_cvtps_epi32(every, x.v[0])));
}
#endif

template <class A>
BPW_INLINE void shifted_to_bytes(const simd::float16<A>& a, const simd::float16<A>& b,
                                 std::int8_t* p, xsimd::generic) noexcept {
    float in[2 * lane_count];
    a.store(in);
    b.store(in + lane_count);
    for (std::size_t l = 0; l < 2 * lane_count; ++l) {
        p[l] = static_cast<std::int8_t>(std::bit_cast<std::uint32_t>(in[l]) & 255u);
    }
}
#if XSIMD_WITH_SSE2
template <class A>
BPW_INLINE void shifted_to_bytes(const simd::float16<A>& a, const simd::float16<A>& b,
                                 std::int8_t* p, xsimd::sse2) noexcept {
    const __m128i zero = _mm_set1_epi32(std::bit_cast<std::int32_t>(integer_shift));
    const auto four = [&](__m128 x) { return _mm_sub_epi32(_mm_castps_si128(x), zero); };
    const auto sixteen = [&](const simd::float16<A>& x) {
        return _mm_packs_epi16(_mm_packs_epi32(four(x.v[0]), four(x.v[1])),
                               _mm_packs_epi32(four(x.v[2]), four(x.v[3])));
    };
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), sixteen(a));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p + lane_count), sixteen(b));
}
#endif
#if XSIMD_WITH_AVX2
template <class A>
BPW_INLINE void shifted_to_bytes(const simd::float16<A>& a, const simd::float16<A>& b,
                                 std::int8_t* p, xsimd::avx2) noexcept {
    const __m256i zero = _mm256_set1_epi32(std::bit_cast<std::int32_t>(integer_shift));
    const auto eight = [&](__m256 x) { return _mm256_sub_epi32(_mm256_castps_si256(x), zero); };
    const __m256i packed = _mm256_packs_epi16(_mm256_packs_epi32(eight(a.v[0]), eight(a.v[1])),
                                              _mm256_packs_epi32(eight(b.v[0]), eight(b.v[1])));
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permutevar8x32_epi32(packed, order));
}
#endif
#if XSIMD_WITH_AVX512BW
template <class A>
BPW_INLINE void shifted_to_bytes(const simd::float16<A>& a, const simd::float16<A>& b,
                                 std::int8_t* p, xsimd::avx512bw) noexcept {
    constexpr auto every = simd::detail::every_lane;
    const __m512i zero = _mm512_set1_epi32(std::bit_cast<std::int32_t>(integer_shift));
    const auto sixteen = [&](__m512 x) {
        return _mm512_maskz_sub_epi32(every, _mm512_castps_si512(x), zero);
    };
    const __m512i words = _mm512_packs_epi32(sixteen(a.v[0]), sixteen(b.v[0]));
    const __m512i bytes = _mm512_packs_epi16(words, words);
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 0, 4, 8, 12, 1, 5, 9, 13);
    const __m512i in_order = _mm512_maskz_permutexvar_epi32(every, order, bytes);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm512_maskz_extracti64x4_epi64(simd::detail::every_pair, in_order, 0));
}
#endif
#if XSIMD_WITH_NEON64
template <class A>
BPW_INLINE void shifted_to_bytes(const simd::float16<A>& a, const simd::float16<A>& b,
                                 std::int8_t* p, xsimd::neon64) noexcept {
    const auto sixteen = [](const simd::float16<A>& x) {
        const auto words = [&](std::size_t i) {
            return vmovn_high_u32(vmovn_u32(vreinterpretq_u32_f32(x.v[i])),
                                  vreinterpretq_u32_f32(x.v[i + 1]));
        };
        return vreinterpretq_s8_u8(vmovn_high_u16(vmovn_u16(words(0)), words(2)));
    };
    vst1q_s8(p, sixteen(a));
    vst1q_s8(p + lane_count, sixteen(b));
}
#endif

}  // namespace on

/// Stores thirty-two integers in -127..127, to which `integer_shift` was added, as bytes.
BPW_INLINE void shifted_to_bytes(const floats& a, const floats& b, std::int8_t* p) noexcept {
    on::shifted_to_bytes<native_arch>(a, b, p, native_arch{});
}

/// Stores sixteen integers in -128..127 as bytes.
BPW_INLINE void to_bytes(const floats& x, std::int8_t* p) noexcept {
    on::to_bytes<native_arch>(x, p, native_arch{});
}

/// Sixteen signed bytes as floats.
[[nodiscard]] BPW_INLINE floats from_bytes(const std::int8_t* p) noexcept {
    return on::from_bytes<native_arch>(p, native_arch{});
}

/// Thirty-two numbers, looked up by bits Shift ... Shift + 4 of sixteen indices.
template <class A>
class table32 {
  public:
    explicit table32(const float* table) noexcept : table_(table) {}
    template <int Shift>
    [[nodiscard]] BPW_INLINE simd::float16<A> at(const std::uint32_t* index) const noexcept {
        float out[lane_count];
        for (std::size_t l = 0; l < lane_count; ++l) out[l] = table_[index[l] >> Shift & 31u];
        return simd::float16<A>::load(out);
    }

  private:
    const float* table_;
};
#if XSIMD_WITH_AVX512F
template <class A>
    requires(std::is_base_of_v<xsimd::avx512f, A>)
class table32<A> {
  public:
    explicit table32(const float* table) noexcept
        : low_(_mm512_loadu_ps(table)), high_(_mm512_loadu_ps(table + lane_count)) {}
    template <int Shift>
    [[nodiscard]] BPW_INLINE simd::float16<A> at(const std::uint32_t* index) const noexcept {
        const __m512i i =
            _mm512_maskz_srli_epi32(simd::detail::every_lane, _mm512_loadu_si512(index), Shift);
        return {{_mm512_permutex2var_ps(low_, i, high_)}};
    }

  private:
    __m512 low_, high_;
};
#endif

/// Of integers n in 32 bins of 2^shift: low[bin] if n < turn[bin], else high[bin]. `all` says the
/// same for every n.
template <class A>
class two_levels_per_bin {
  public:
    two_levels_per_bin(const float* all, int, const float*, const float*, const float*) noexcept
        : all_(all) {}
    /// `x` holds n plus `integer_shift`.
    [[nodiscard]] BPW_INLINE simd::float16<A> operator()(const simd::float16<A>& x) const noexcept {
        return on::lookup<A>(all_, x, A{});
    }

  private:
    const float* all_;
};
#if XSIMD_WITH_AVX512F
template <class A>
    requires(std::is_base_of_v<xsimd::avx512f, A>)
class two_levels_per_bin<A> {
  public:
    two_levels_per_bin(const float*, int shift, const float* turn, const float* low,
                       const float* high) noexcept
        : shift_(_mm512_set1_epi32(shift)) {
        const auto integer = _mm512_set1_ps(integer_shift);
        for (std::size_t half = 0; half < 2; ++half) {
            turn_[half] = _mm512_add_ps(_mm512_loadu_ps(turn + lane_count * half), integer);
            low_[half] = _mm512_loadu_ps(low + lane_count * half);
            high_[half] = _mm512_loadu_ps(high + lane_count * half);
        }
    }
    [[nodiscard]] BPW_INLINE simd::float16<A> operator()(const simd::float16<A>& x) const noexcept {
        const __m512i bin =
            _mm512_maskz_srlv_epi32(simd::detail::every_lane, _mm512_castps_si512(x.v[0]), shift_);
        const auto below =
            _mm512_cmp_ps_mask(x.v[0], _mm512_permutex2var_ps(turn_[0], bin, turn_[1]), _CMP_LT_OQ);
        const __m512 low = _mm512_permutex2var_ps(low_[0], bin, low_[1]);
        const __m512 high = _mm512_permutex2var_ps(high_[0], bin, high_[1]);
        return {{_mm512_mask_blend_ps(below, high, low)}};
    }

  private:
    __m512i shift_;
    __m512 turn_[2], low_[2], high_[2];
};
#endif

/// Whether a < b in any lane.
[[nodiscard]] BPW_INLINE bool any_less(const floats& a, const floats& b) noexcept {
    auto less = a.v[0] < b.v[0];
    for (std::size_t i = 1; i < a.v.size(); ++i) less = less | (a.v[i] < b.v[i]);
    return xsimd::any(less);
}

/// The greatest magnitude of n numbers, n a multiple of 16, as the bits of a float: more than those
/// of any number where one is infinite or NaN.
[[nodiscard]] inline std::uint32_t greatest_magnitude(const float* x, std::size_t n) noexcept {
    using ints = xsimd::batch<std::int32_t, native_arch>;
    constexpr std::size_t at_once = 4;
    constexpr auto per_vector = floats::per_vector;
    const auto larger = [](const ints& a, const ints& b) {
        return simd::detail::larger<native_arch>(a, b, native_arch{});
    };
    std::array<ints, at_once> most;
    most.fill(ints(0));
    const auto add = [&](std::size_t k, const float* p) {
        const auto v = floats::vector::load_unaligned(p);
        most[k] = larger(most[k], xsimd::bitwise_cast<std::int32_t>(v) & ints(0x7fffffff));
    };
    std::size_t i = 0;
    for (; i + at_once * per_vector <= n; i += at_once * per_vector) {
        for (std::size_t k = 0; k < at_once; ++k) add(k, x + i + k * per_vector);
    }
    for (; i + per_vector <= n; i += per_vector) add(0, x + i);
    return static_cast<std::uint32_t>(simd::detail::greatest<native_arch>(
        larger(larger(most[0], most[1]), larger(most[2], most[3])), native_arch{}));
}

/// Whether n numbers, n a multiple of 16, are finite and have no sign. -0 has one.
[[nodiscard]] inline bool finite_without_sign(const float* x, std::size_t n) noexcept {
    using ints = xsimd::batch<std::int32_t, native_arch>;
    constexpr std::size_t at_once = 2;
    constexpr auto per_vector = floats::per_vector;
    std::array<ints, at_once> most;
    std::array<ints, at_once> any;
    most.fill(ints(0));
    any.fill(ints(0));
    for (std::size_t i = 0; i < n; i += at_once * per_vector) {
        for (std::size_t k = 0; k < at_once && i + k * per_vector < n; ++k) {
            const auto bits = xsimd::bitwise_cast<std::int32_t>(
                floats::vector::load_unaligned(x + i + k * per_vector));
            most[k] = simd::detail::larger<native_arch>(most[k], bits, native_arch{});
            any[k] = any[k] | bits;
        }
    }
    // As integers the bits of such numbers have the order of the numbers.
    const auto greatest = simd::detail::greatest<native_arch>(
        simd::detail::larger<native_arch>(most[0], most[1], native_arch{}), native_arch{});
    std::int32_t signs[floats::per_vector];
    (any[0] | any[1]).store_unaligned(signs);
    return greatest < 0x7f800000 &&
           std::all_of(std::begin(signs), std::end(signs), [](auto b) { return b >= 0; });
}

/// The smallest lane's number.
[[nodiscard]] BPW_INLINE float smallest(const floats& x) noexcept {
    auto least = x.v[0];
    for (std::size_t i = 1; i < x.v.size(); ++i) {
        least = on::min<native_arch>(least, x.v[i], native_arch{});
    }
    float out[floats::per_vector];
    least.store_unaligned(out);
    float best = out[0];
    for (const float f : out) best = f < best ? f : best;
    return best;
}

}  // namespace lanes

/// a * b + c rounded once, for single numbers.
[[nodiscard]] BPW_INLINE float fused(float a, float b, float c) noexcept {
    if constexpr (simd::has_fma<native_arch>)
        return __builtin_fmaf(a, b, c);
    else
        return simd::fused_multiply_add(a, b, c);
}

/// a b - c d, the second product rounded first.
[[nodiscard]] inline double cross_difference(double a, double b, double c, double d) noexcept {
    return std::fma(a, b, -(c * d));
}

namespace lanes::on {

template <class A>
[[nodiscard]] BPW_INLINE std::size_t largest_lane(const simd::float16<A>& x,
                                                  xsimd::generic) noexcept {
    const auto all = to_array(x);
    std::size_t best = 0;
    for (std::size_t l = 1; l < lane_count; ++l) {
        if (all[l] > all[best]) best = l;
    }
    return best;
}
#if XSIMD_WITH_AVX512F
template <class A>
[[nodiscard]] BPW_INLINE std::size_t largest_lane(const simd::float16<A>& x,
                                                  xsimd::avx512f) noexcept {
    // Not _mm512_mask_reduce_max_ps, which GCC 12 warns of.
    const auto half = [bits = _mm512_castps_si512(x.v[0])](auto i) {
        return _mm256_castsi256_ps(
            _mm512_maskz_extracti64x4_epi64(simd::detail::every_pair, bits, i()));
    };
    const __m256 eight = _mm256_max_ps(half(std::integral_constant<int, 0>{}),
                                       half(std::integral_constant<int, 1>{}));
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    four = _mm_max_ss(four, _mm_shuffle_ps(four, four, 1));
    const __m512 most = _mm512_set1_ps(_mm_cvtss_f32(four));
    const unsigned mask = _mm512_cmp_ps_mask(x.v[0], most, _CMP_EQ_OQ);
    return static_cast<std::size_t>(std::countr_zero(mask | 1u << lane_count)) % lane_count;
}
#endif

}  // namespace lanes::on

/// The lane with the largest number, the first of equal ones. There is no NaN.
[[nodiscard]] BPW_INLINE std::size_t largest_lane(const floats& x) noexcept {
    return lanes::on::largest_lane<native_arch>(x, native_arch{});
}

/// The lane with the smallest number, the first of equal ones. There is no NaN.
[[nodiscard]] BPW_INLINE std::size_t smallest_lane(const floats& x) noexcept {
    return largest_lane(lanes::subtract(floats::zero(), x));
}

/// The same for numbers in memory.
[[nodiscard]] inline std::size_t smallest_lane(const lane_array& x) noexcept {
    std::size_t best = 0;
    for (std::size_t l = 1; l < lane_count; ++l) {
        if (x[l] < x[best]) best = l;
    }
    return best;
}

namespace lanes {

namespace on {

// Returns all bits that were stored, or-ed together.
template <class A, class F>
[[nodiscard]] BPW_INLINE std::uint32_t store_halves(const float* x, std::size_t n, std::uint8_t* to,
                                                    F half_of, xsimd::generic) noexcept {
    std::uint32_t all = 0;
    for (std::size_t i = 0; i < n; ++i) {
        const auto bits = static_cast<std::uint16_t>(half_of(x[i]));
        std::memcpy(to + 2 * i, &bits, 2);
        all |= bits;
    }
    return all;
}
#if XSIMD_WITH_AVX2 && defined(__F16C__)
template <class A, class F>
[[nodiscard]] BPW_INLINE std::uint32_t store_eight_halves(const float* x, std::size_t n,
                                                          std::uint8_t* to, F half_of) noexcept {
    // The loads are all that takes time. Wider ones would more often lie in two cache lines.
    constexpr std::uintptr_t ahead = 512;
    __m128i all = _mm_setzero_si128();
    std::size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        _mm_prefetch(reinterpret_cast<const char*>(reinterpret_cast<std::uintptr_t>(x + i) + ahead),
                     _MM_HINT_T0);
        for (std::size_t k = i; k < i + 16; k += 8) {
            const __m128i halves =
                _mm256_cvtps_ph(_mm256_loadu_ps(x + k), _MM_FROUND_TO_NEAREST_INT);
            _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 2 * k), halves);
            all = _mm_or_si128(all, halves);
        }
    }
    std::uint16_t bits[8];
    _mm_storeu_si128(reinterpret_cast<__m128i*>(bits), all);
    auto any = store_halves<xsimd::generic>(x + i, n - i, to + 2 * i, half_of, xsimd::generic{});
    for (const auto b : bits) any |= b;
    return any;
}
template <class A, class F>
[[nodiscard]] BPW_INLINE std::uint32_t store_halves(const float* x, std::size_t n, std::uint8_t* to,
                                                    F half_of, xsimd::avx2) noexcept {
    return store_eight_halves<A>(x, n, to, half_of);
}
#if XSIMD_WITH_AVX512F
template <class A, class F>
[[nodiscard]] BPW_INLINE std::uint32_t store_halves(const float* x, std::size_t n, std::uint8_t* to,
                                                    F half_of, xsimd::avx512f) noexcept {
    return store_eight_halves<A>(x, n, to, half_of);
}
#endif
#endif

}  // namespace on

/// Stores n numbers as IEEE halves, rounded to the nearest, ties to even; what is beyond them
/// becomes infinite. half_of(x) does that for one number where there is no instruction. Returns
/// whether all are finite.
template <class F>
[[nodiscard]] BPW_INLINE bool store_halves(const float* x, std::size_t n, std::uint8_t* to,
                                           F half_of) noexcept {
    constexpr std::uint32_t infinity = 0x7c00u;
    const auto all = on::store_halves<native_arch>(x, n, to, half_of, native_arch{});
    if ((all & infinity) != infinity) return true;
    std::uint32_t most = 0;
    for (std::size_t i = 0; i < n; ++i) {
        std::uint16_t bits;
        std::memcpy(&bits, to + 2 * i, 2);
        most = std::max(most, bits & 0x7fffu);
    }
    return most < infinity;
}

namespace on {

// Of float bits: the upper halves, rounded to the nearest, ties to even. Returns the largest
// magnitude among them.
template <class A>
[[nodiscard]] BPW_INLINE std::uint32_t store_upper_halves(const float* x, std::size_t n,
                                                          std::uint8_t* to,
                                                          xsimd::generic) noexcept {
    // Runs of one length, which compilers turn into vectors.
    constexpr std::size_t run = 32;
    std::uint32_t most = 0;
    const auto store = [&](const float* from, std::size_t count, std::uint8_t* out) {
        std::array<std::uint16_t, run> words;
        for (std::size_t i = 0; i < count; ++i) {
            const auto bits = std::bit_cast<std::uint32_t>(from[i]);
            most = std::max(most, bits & 0x7fffffffu);
            words[i] = static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
        }
        std::memcpy(out, words.data(), count * sizeof(std::uint16_t));
    };
    std::size_t i = 0;
    for (; i + run <= n; i += run) store(x + i, run, to + 2 * i);
    store(x + i, n - i, to + 2 * i);
    return most;
}
#if XSIMD_WITH_AVX512BW
template <class A>
[[nodiscard]] BPW_INLINE std::uint32_t store_upper_halves(const float* x, std::size_t n,
                                                          std::uint8_t* to,
                                                          xsimd::avx512bw) noexcept {
    constexpr auto every = simd::detail::every_lane;
    const __m512i below_half = _mm512_set1_epi32(0x7fff);
    const __m512i half = _mm512_set1_epi32(0x8000);
    const __m512i odd = _mm512_set1_epi32(0x10000);
    const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    __m512i most[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    const auto upper = [&](const float* from, __m512i& largest) {
        const __m512i bits = _mm512_loadu_si512(from);
        largest = _mm512_maskz_max_epu32(every, largest, _mm512_add_epi32(bits, bits));
        __m512i sum = _mm512_add_epi32(bits, below_half);
        sum = _mm512_mask_add_epi32(sum, _mm512_test_epi32_mask(bits, odd), bits, half);
        return _mm512_maskz_srli_epi32(every, sum, 16);
    };
    std::size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        const __m512i low = upper(x + i, most[0]);
        const __m512i words = _mm512_packus_epi32(low, upper(x + i + 16, most[1]));
        _mm512_storeu_si512(to + 2 * i,
                            _mm512_maskz_permutexvar_epi64(simd::detail::every_pair, order, words));
    }
    const auto rest = store_upper_halves<A>(x + i, n - i, to + 2 * i, xsimd::generic{});
    std::uint32_t all[2 * lane_count];
    _mm512_storeu_si512(all, most[0]);
    _mm512_storeu_si512(all + lane_count, most[1]);
    return std::max(rest, *std::max_element(std::begin(all), std::end(all)) >> 1);
}
#endif

}  // namespace on

/// Stores n numbers as bfloat16, rounded to the nearest, ties to even. Returns the bits of the
/// largest magnitude among the numbers; from 0x7f7f8000 on it is infinite or NaN, or has become so.
[[nodiscard]] BPW_INLINE std::uint32_t store_bf16(const float* x, std::size_t n,
                                                  std::uint8_t* to) noexcept {
    return on::store_upper_halves<native_arch>(x, n, to, native_arch{});
}

}  // namespace lanes

}  // namespace detail

BPW_NAMESPACE_END
