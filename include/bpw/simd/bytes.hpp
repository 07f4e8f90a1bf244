// Byte operations that xsimd lacks, as overloads on its arch tags.
//
// Every operation has a generic form that works on any arch through memory, and overloads for the
// archs that have instructions for it. They take batches of the arch's own width; vector64.hpp
// builds vectors of one width from them.
#pragma once

#include <bpw/simd/arch.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

BPW_NAMESPACE_BEGIN

namespace simd {

template <class A>
using u8_batch = xsimd::batch<std::uint8_t, A>;
template <class A>
using s8_batch = xsimd::batch<std::int8_t, A>;
template <class A>
using i32_batch = xsimd::batch<std::int32_t, A>;

namespace detail {

// The last parameter picks the overload: the arch's own tag converts to that of its ancestors.

template <int MaxU, class A>
[[nodiscard]] BPW_INLINE i32_batch<A> dot4_on(const i32_batch<A>& sum, const u8_batch<A>& u,
                                              const s8_batch<A>& s, xsimd::generic) noexcept {
    constexpr auto size = u8_batch<A>::size;
    std::uint8_t a[size];
    std::int8_t b[size];
    std::int32_t c[size / 4];
    u.store_unaligned(a);
    s.store_unaligned(b);
    sum.store_unaligned(c);
    for (std::size_t i = 0; i < size; ++i) c[i / 4] += a[i] * b[i];
    return i32_batch<A>::load_unaligned(c);
}

template <class A>
[[nodiscard]] BPW_INLINE u8_batch<A> lookup16_on(const std::uint8_t* table,
                                                 const u8_batch<A>& index,
                                                 xsimd::generic) noexcept {
    constexpr auto size = u8_batch<A>::size;
    std::uint8_t i[size];
    index.store_unaligned(i);
    for (auto& x : i) x = table[x];
    return u8_batch<A>::load_unaligned(i);
}

template <int By, class A>
[[nodiscard]] BPW_INLINE u8_batch<A> shift_right_on(const u8_batch<A>& x, xsimd::generic) noexcept {
    return x >> By;
}

#if XSIMD_WITH_SSSE3
// Two 16-bit sums of two products each cannot saturate while 2 * 127 * MaxU fits 15 bits.
template <int MaxU>
inline constexpr bool pairs_fit = 2 * 127 * MaxU <= 32767;

template <int MaxU, class A>
[[nodiscard]] BPW_INLINE i32_batch<A> dot4_on(const i32_batch<A>& sum, const u8_batch<A>& u,
                                              const s8_batch<A>& s, xsimd::ssse3) noexcept {
    if constexpr (pairs_fit<MaxU>) {
        return _mm_add_epi32(sum, _mm_madd_epi16(_mm_maddubs_epi16(u, s), _mm_set1_epi16(1)));
    } else {
        const __m128i low = _mm_set1_epi16(255);
        const __m128i even =
            _mm_madd_epi16(_mm_and_si128(u, low), _mm_srai_epi16(_mm_slli_epi16(s, 8), 8));
        const __m128i odd = _mm_madd_epi16(_mm_srli_epi16(u, 8), _mm_srai_epi16(s, 8));
        return _mm_add_epi32(sum, _mm_add_epi32(even, odd));
    }
}
template <class A>
[[nodiscard]] BPW_INLINE i32_batch<A> signed_dot4_on(const i32_batch<A>& sum, const s8_batch<A>& v,
                                                     const s8_batch<A>& s, xsimd::ssse3) noexcept {
    // Twice 128 * 127 fits 15 bits.
    const __m128i pairs = _mm_maddubs_epi16(_mm_abs_epi8(v), _mm_sign_epi8(s, v));
    return _mm_add_epi32(sum, _mm_madd_epi16(pairs, _mm_set1_epi16(1)));
}
template <class A>
[[nodiscard]] BPW_INLINE u8_batch<A> lookup16_on(const std::uint8_t* table,
                                                 const u8_batch<A>& index, xsimd::ssse3) noexcept {
    return _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)), index);
}
#endif
#if XSIMD_WITH_SSE2
template <int By, class A>
[[nodiscard]] BPW_INLINE u8_batch<A> shift_right_on(const u8_batch<A>& x, xsimd::sse2) noexcept {
    return _mm_and_si128(_mm_srli_epi16(x, By), _mm_set1_epi8(static_cast<char>(255 >> By)));
}
#endif

#if XSIMD_WITH_AVX2
template <int MaxU, class A>
[[nodiscard]] BPW_INLINE i32_batch<A> dot4_on(const i32_batch<A>& sum, const u8_batch<A>& u,
                                              const s8_batch<A>& s, xsimd::avx2) noexcept {
#if defined(__AVXVNNI__)
    return _mm256_dpbusd_avx_epi32(sum, u, s);
#else
    if constexpr (pairs_fit<MaxU>) {
        return _mm256_add_epi32(
            sum, _mm256_madd_epi16(_mm256_maddubs_epi16(u, s), _mm256_set1_epi16(1)));
    } else {
        const __m256i low = _mm256_set1_epi16(255);
        const __m256i even = _mm256_madd_epi16(_mm256_and_si256(u, low),
                                               _mm256_srai_epi16(_mm256_slli_epi16(s, 8), 8));
        const __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(u, 8), _mm256_srai_epi16(s, 8));
        return _mm256_add_epi32(sum, _mm256_add_epi32(even, odd));
    }
#endif
}
template <class A>
[[nodiscard]] BPW_INLINE i32_batch<A> signed_dot4_on(const i32_batch<A>& sum, const s8_batch<A>& v,
                                                     const s8_batch<A>& s, xsimd::avx2) noexcept {
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(v), _mm256_sign_epi8(s, v));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
template <class A>
[[nodiscard]] BPW_INLINE u8_batch<A> lookup16_on(const std::uint8_t* table,
                                                 const u8_batch<A>& index, xsimd::avx2) noexcept {
    const __m128i t = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(t), index);
}
template <int By, class A>
[[nodiscard]] BPW_INLINE u8_batch<A> shift_right_on(const u8_batch<A>& x, xsimd::avx2) noexcept {
    return _mm256_and_si256(_mm256_srli_epi16(x, By),
                            _mm256_set1_epi8(static_cast<char>(255 >> By)));
}
#endif

#if XSIMD_WITH_AVX512BW
template <int MaxU, class A>
[[nodiscard]] BPW_INLINE i32_batch<A> dot4_on(const i32_batch<A>& sum, const u8_batch<A>& u,
                                              const s8_batch<A>& s, xsimd::avx512bw) noexcept {
#if defined(__AVX512VNNI__)
    return _mm512_dpbusd_epi32(sum, u, s);
#else
    if constexpr (pairs_fit<MaxU>) {
        return _mm512_add_epi32(
            sum, _mm512_madd_epi16(_mm512_maddubs_epi16(u, s), _mm512_set1_epi16(1)));
    } else {
        const __m512i low = _mm512_set1_epi16(255);
        const __m512i even = _mm512_madd_epi16(_mm512_and_si512(u, low),
                                               _mm512_srai_epi16(_mm512_slli_epi16(s, 8), 8));
        const __m512i odd = _mm512_madd_epi16(_mm512_srli_epi16(u, 8), _mm512_srai_epi16(s, 8));
        return _mm512_add_epi32(sum, _mm512_add_epi32(even, odd));
    }
#endif
}
template <class A>
[[nodiscard]] BPW_INLINE u8_batch<A> lookup16_on(const std::uint8_t* table,
                                                 const u8_batch<A>& index,
                                                 xsimd::avx512bw) noexcept {
    const __m128i t = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
    return _mm512_shuffle_epi8(_mm512_maskz_broadcast_i32x4(0xffff, t), index);
}
template <int By, class A>
[[nodiscard]] BPW_INLINE u8_batch<A> shift_right_on(const u8_batch<A>& x,
                                                    xsimd::avx512bw) noexcept {
    return _mm512_and_si512(_mm512_srli_epi16(x, By),
                            _mm512_set1_epi8(static_cast<char>(255 >> By)));
}
#endif

#if XSIMD_WITH_NEON64
[[nodiscard]] BPW_INLINE int32x4_t signed_dot4(int32x4_t sum, int8x16_t v, int8x16_t s) noexcept {
#if defined(__ARM_FEATURE_DOTPROD)
    return vdotq_s32(sum, v, s);
#else
    const int32x4_t low = vpaddlq_s16(vmull_s8(vget_low_s8(v), vget_low_s8(s)));
    const int32x4_t high = vpaddlq_s16(vmull_high_s8(v, s));
    return vaddq_s32(sum, vpaddq_s32(low, high));
#endif
}
template <class A>
[[nodiscard]] BPW_INLINE i32_batch<A> signed_dot4_on(const i32_batch<A>& sum, const s8_batch<A>& v,
                                                     const s8_batch<A>& s, xsimd::neon64) noexcept {
    return signed_dot4(sum, v, s);
}
template <int MaxU, class A>
[[nodiscard]] BPW_INLINE i32_batch<A> dot4_on(const i32_batch<A>& sum, const u8_batch<A>& u,
                                              const s8_batch<A>& s, xsimd::neon64) noexcept {
#if defined(__ARM_FEATURE_MATMUL_INT8)
    return vusdotq_s32(sum, u, s);
#else
    if constexpr (MaxU <= 127) {
        return signed_dot4(sum, vreinterpretq_s8_u8(u), s);
    } else {
        // u = (u - 128) + 128
        const int32x4_t sums = signed_dot4(vdupq_n_s32(0), vdupq_n_s8(1), s);
        const int8x16_t v = vreinterpretq_s8_u8(veorq_u8(u, vdupq_n_u8(128)));
        return signed_dot4(vaddq_s32(vshlq_n_s32(sums, 7), sum), v, s);
    }
#endif
}
template <class A>
[[nodiscard]] BPW_INLINE u8_batch<A> lookup16_on(const std::uint8_t* table,
                                                 const u8_batch<A>& index, xsimd::neon64) noexcept {
    return vqtbl1q_u8(vld1q_u8(table), index);
}
template <int By, class A>
[[nodiscard]] BPW_INLINE u8_batch<A> shift_right_on(const u8_batch<A>& x, xsimd::neon64) noexcept {
    return vshrq_n_u8(x, By);
}
#endif

#if defined(__AVXVNNI__) || defined(__AVX512VNNI__) || defined(__ARM_FEATURE_MATMUL_INT8)
template <class A>
inline constexpr bool lowers_lanes = false;
#else
template <class A>
inline constexpr bool lowers_lanes =
    std::is_base_of_v<xsimd::ssse3, A> || std::is_base_of_v<xsimd::avx2, A> ||
    std::is_base_of_v<xsimd::neon64, A>;
#endif
template <class A>
i32_batch<A> signed_dot4_on(const i32_batch<A>&, const s8_batch<A>&, const s8_batch<A>&,
                            xsimd::generic) = delete;
#if XSIMD_WITH_SSSE3
inline constexpr int most_unsigned = 129;
static_assert(pairs_fit<most_unsigned> && !pairs_fit<most_unsigned + 1>);
#else
inline constexpr int most_unsigned = 127;
#endif

#if XSIMD_WITH_SSSE3
template <class A>
[[nodiscard]] BPW_INLINE i32_batch<A> signed_dot4_on(const i32_batch<A>& sum, const s8_batch<A>& v,
                                                     const s8_batch<A>& s,
                                                     const u8_batch<A>& magnitude,
                                                     xsimd::ssse3) noexcept {
    const __m128i pairs = _mm_maddubs_epi16(magnitude, _mm_sign_epi8(v, s));
    return _mm_add_epi32(sum, _mm_madd_epi16(pairs, _mm_set1_epi16(1)));
}
#endif
#if XSIMD_WITH_AVX2
template <class A>
[[nodiscard]] BPW_INLINE i32_batch<A> signed_dot4_on(const i32_batch<A>& sum, const s8_batch<A>& v,
                                                     const s8_batch<A>& s,
                                                     const u8_batch<A>& magnitude,
                                                     xsimd::avx2) noexcept {
    const __m256i pairs = _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(v, s));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
#endif
template <class A>
[[nodiscard]] BPW_INLINE i32_batch<A> signed_dot4_on(const i32_batch<A>& sum, const s8_batch<A>& v,
                                                     const s8_batch<A>& s, const u8_batch<A>&,
                                                     xsimd::generic) noexcept {
    return signed_dot4_on<A>(sum, v, s, A{});
}

// A ladder of tables of 16: the table's half is chosen by the index's upper bit.
template <class A, std::size_t Size, class Tag>
[[nodiscard]] BPW_INLINE u8_batch<A> lookup_on(std::integral_constant<std::size_t, Size>,
                                               const std::uint8_t* table, const u8_batch<A>& index,
                                               Tag tag) noexcept {
    if constexpr (Size == 16) {
        return lookup16_on<A>(table, index, tag);
    } else {
        constexpr std::integral_constant<std::size_t, Size / 2> half;
        const u8_batch<A> low = index & u8_batch<A>(static_cast<std::uint8_t>(Size / 2 - 1));
        return xsimd::select(index == low, lookup_on<A>(half, table, low, tag),
                             lookup_on<A>(half, table + Size / 2, low, tag));
    }
}

// Tables of more than 16 bytes.
template <std::size_t Size, class A>
[[nodiscard]] BPW_INLINE u8_batch<A> wide_lookup_on(const std::uint8_t* table,
                                                    const u8_batch<A>& index,
                                                    xsimd::generic) noexcept {
    return lookup_on<A>(std::integral_constant<std::size_t, Size>{}, table, index, A{});
}
#if XSIMD_WITH_SSSE3
// A shuffle gives zero where bit 7 of the index is set, as it is after less than was there is taken
// off. So each table of 16 is the change from the one before it.
template <std::size_t Size, class A>
    requires(Size <= 128)
[[nodiscard]] BPW_INLINE u8_batch<A> wide_lookup_on(const std::uint8_t* table,
                                                    const u8_batch<A>& index,
                                                    xsimd::ssse3) noexcept {
    const auto part = [&](std::size_t at) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(table + at));
    };
    __m128i out = _mm_shuffle_epi8(part(0), index);
    for (std::size_t at = 16; at < Size; at += 16) {
        const __m128i above = _mm_sub_epi8(index, _mm_set1_epi8(static_cast<char>(at)));
        const __m128i change = _mm_xor_si128(part(at - 16), part(at));
        out = _mm_xor_si128(out, _mm_shuffle_epi8(change, above));
    }
    return out;
}
#endif
#if XSIMD_WITH_AVX2
template <std::size_t Size, class A>
    requires(Size <= 128)
[[nodiscard]] BPW_INLINE u8_batch<A> wide_lookup_on(const std::uint8_t* table,
                                                    const u8_batch<A>& index,
                                                    xsimd::avx2) noexcept {
    const auto part = [&](std::size_t at) {
        return _mm256_broadcastsi128_si256(
            _mm_loadu_si128(reinterpret_cast<const __m128i*>(table + at)));
    };
    __m256i out = _mm256_shuffle_epi8(part(0), index);
    for (std::size_t at = 16; at < Size; at += 16) {
        const __m256i above = _mm256_sub_epi8(index, _mm256_set1_epi8(static_cast<char>(at)));
        const __m256i change = _mm256_xor_si256(part(at - 16), part(at));
        out = _mm256_xor_si256(out, _mm256_shuffle_epi8(change, above));
    }
    return out;
}
#endif
#if XSIMD_WITH_AVX512VBMI
template <std::size_t Size, class A>
[[nodiscard]] BPW_INLINE u8_batch<A> wide_lookup_on(const std::uint8_t* table,
                                                    const u8_batch<A>& index,
                                                    xsimd::avx512vbmi) noexcept {
    constexpr __mmask64 every_byte = ~__mmask64{0};
    const auto of_two = [&](const std::uint8_t* p) {
        return _mm512_permutex2var_epi8(_mm512_loadu_si512(p), index, _mm512_loadu_si512(p + 64));
    };
    if constexpr (Size == 256) {
        return _mm512_mask_mov_epi8(of_two(table), _mm512_movepi8_mask(index), of_two(table + 128));
    } else if constexpr (Size == 128) {
        return of_two(table);
    } else if constexpr (Size == 64) {
        return _mm512_maskz_permutexvar_epi8(every_byte, index, _mm512_loadu_si512(table));
    } else {
        const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(table));
        return _mm512_maskz_permutexvar_epi8(every_byte, index,
                                             _mm512_maskz_broadcast_i64x4(0xff, half));
    }
}
#endif

template <int By, class A>
[[nodiscard]] BPW_INLINE i32_batch<A> shift_left_32_on(const i32_batch<A>& x,
                                                       xsimd::generic) noexcept {
    return x << By;
}
template <int By, class A>
[[nodiscard]] BPW_INLINE i32_batch<A> shift_right_32_on(const i32_batch<A>& x,
                                                        xsimd::generic) noexcept {
    return x >> By;
}
#if XSIMD_WITH_AVX512F
// The forms with a mask, because GCC 12 warns of the others that they leave lanes undefined.
template <int By, class A>
[[nodiscard]] BPW_INLINE i32_batch<A> shift_left_32_on(const i32_batch<A>& x,
                                                       xsimd::avx512f) noexcept {
    return _mm512_maskz_slli_epi32(0xffff, x, By);
}
template <int By, class A>
[[nodiscard]] BPW_INLINE i32_batch<A> shift_right_32_on(const i32_batch<A>& x,
                                                        xsimd::avx512f) noexcept {
    return _mm512_maskz_srai_epi32(0xffff, x, By);
}
#endif

template <int Width, int By, class A>
[[nodiscard]] BPW_INLINE u8_batch<A> byte_field_on(const u8_batch<A>& x, xsimd::generic) noexcept {
    const auto moved = shift_right_on<By, A>(x, A{});
    if constexpr (By + Width == 8)
        return moved;
    else
        return moved & u8_batch<A>(static_cast<std::uint8_t>((1 << Width) - 1));
}

// What GFNI multiplies a byte with to move its bits From ... From + Width - 1 to bits To ... and to
// clear the others.
[[nodiscard]] constexpr long long field_matrix(int width, int from, int to) noexcept {
    std::uint64_t matrix = 0;
    for (int i = 0; i < width; ++i) matrix |= std::uint64_t{1} << (from + i) << 8 * (7 - to - i);
    return static_cast<long long>(matrix);
}

#if XSIMD_WITH_AVX512BW && defined(__GFNI__)
template <int Width, int By, class A>
[[nodiscard]] BPW_INLINE u8_batch<A> byte_field_on(const u8_batch<A>& x, xsimd::avx512bw) noexcept {
    return _mm512_gf2p8affine_epi64_epi8(x, _mm512_set1_epi64(field_matrix(Width, By, 0)), 0);
}
#endif
#if XSIMD_WITH_AVX512BW
// `Width` bits of every byte, at bits To ... of the result: each 8 bytes have their own place in
// From. Where Loose, anything may be beside them.
template <int Width, int To, bool Loose, int... From>
[[nodiscard]] BPW_INLINE __m512i octet_fields(__m512i x) noexcept {
    static_assert(sizeof...(From) == 8);
#if defined(__GFNI__)
    alignas(64) static constexpr long long matrices[]{field_matrix(Width, From, To)...};
    return _mm512_gf2p8affine_epi64_epi8(x, _mm512_load_si512(matrices), 0);
#else
    alignas(64) static constexpr long long by[]{((From - To) & 63)...};
    const __m512i turned = _mm512_maskz_rorv_epi64(0xff, x, _mm512_load_si512(by));
    if constexpr (Loose) return turned;
    return _mm512_and_si512(turned, _mm512_set1_epi8(static_cast<char>(((1 << Width) - 1) << To)));
#endif
}
#endif

}  // namespace detail

/// sum[i] + u[4 i] s[4 i] + ... + u[4 i + 3] s[4 i + 3], exact.
///
/// u holds at most MaxU, s is in -127..127: the bound decides whether an arch may add products in
/// 16 bits on the way.
template <int MaxU, class A>
[[nodiscard]] BPW_INLINE i32_batch<A> dot4(const i32_batch<A>& sum, const u8_batch<A>& u,
                                           const s8_batch<A>& s) noexcept {
    static_assert(MaxU >= 0 && MaxU <= 255);
    return detail::dot4_on<MaxU, A>(sum, u, s, A{});
}

/// By how much lanes of at most MaxU are better lowered before an arch multiplies them: 128, where
/// it has no fast product of such unsigned bytes with signed ones, else 0.
template <int MaxU, class A>
inline constexpr int lowered_by = detail::lowers_lanes<A>&& MaxU > detail::most_unsigned ? 128 : 0;

/// dot4() of lanes that were lowered by By: unless that is 0, they are signed bytes.
template <int MaxU, int By, class A>
[[nodiscard]] BPW_INLINE i32_batch<A> dot4_of_lowered(const i32_batch<A>& sum, const u8_batch<A>& u,
                                                      const s8_batch<A>& s) noexcept {
    static_assert(By == 0 || (By <= 128 && MaxU - By <= 127));
    if constexpr (By == 0)
        return dot4<MaxU, A>(sum, u, s);
    else
        return detail::signed_dot4_on<A>(sum, xsimd::bitwise_cast<std::int8_t>(u), s, A{});
}

/// The same with the magnitudes of s, which save archs that keep them (keeps_magnitudes) the
/// magnitudes of the lanes.
template <int MaxU, int By, class A>
[[nodiscard]] BPW_INLINE i32_batch<A> dot4_of_lowered(const i32_batch<A>& sum, const u8_batch<A>& u,
                                                      const s8_batch<A>& s,
                                                      const u8_batch<A>& magnitude) noexcept {
    // The negative of -128 is not a byte.
    if constexpr (By == 0 || By == 128)
        return dot4_of_lowered<MaxU, By, A>(sum, u, s);
    else
        return detail::signed_dot4_on<A>(sum, xsimd::bitwise_cast<std::int8_t>(u), s, magnitude,
                                         A{});
}

/// Whether activations are kept with their magnitudes: where signed bytes are multiplied as
/// magnitudes and signs.
#if XSIMD_WITH_SSSE3 && !defined(__AVXVNNI__) && !defined(__AVX512F__)
inline constexpr bool keeps_magnitudes = true;
#else
inline constexpr bool keeps_magnitudes = false;
#endif

/// dot4() of u - By, By 0 or 128.
template <int MaxU, int By, class A>
[[nodiscard]] BPW_INLINE i32_batch<A> lowered_dot4(const i32_batch<A>& sum, const u8_batch<A>& u,
                                                   const s8_batch<A>& s) noexcept {
    return dot4_of_lowered<MaxU, By, A>(sum, u ^ u8_batch<A>(static_cast<std::uint8_t>(By)), s);
}

/// table[index[i]] for a table of Size bytes, 16, 32, 64, 128 or 256; every index is below Size.
template <std::size_t Size, class A>
[[nodiscard]] BPW_INLINE u8_batch<A> lookup(const std::uint8_t* table,
                                            const u8_batch<A>& index) noexcept {
    static_assert(Size == 16 || Size == 32 || Size == 64 || Size == 128 || Size == 256);
    if constexpr (Size == 16)
        return detail::lookup16_on<A>(table, index, A{});
    else
        return detail::wide_lookup_on<Size, A>(table, index, A{});
}

/// Every 32-bit integer shifted left.
template <int By, class A>
[[nodiscard]] BPW_INLINE i32_batch<A> shift_left_32(const i32_batch<A>& x) noexcept {
    return detail::shift_left_32_on<By, A>(x, A{});
}

/// Every 32-bit integer shifted right, the sign with it.
template <int By, class A>
[[nodiscard]] BPW_INLINE i32_batch<A> shift_right_32(const i32_batch<A>& x) noexcept {
    return detail::shift_right_32_on<By, A>(x, A{});
}

/// Every byte shifted right by 0 to 7 bits.
template <int By, class A>
[[nodiscard]] BPW_INLINE u8_batch<A> shift_right(const u8_batch<A>& x) noexcept {
    if constexpr (By == 0) {
        return x;
    } else {
        return detail::shift_right_on<By, A>(x, A{});
    }
}

/// Bits By ... By + Width - 1 of every byte.
template <int Width, int By, class A>
[[nodiscard]] BPW_INLINE u8_batch<A> byte_field(const u8_batch<A>& x) noexcept {
    static_assert(Width > 0 && By >= 0 && By + Width <= 8);
    if constexpr (By == 0)
        return x & u8_batch<A>(static_cast<std::uint8_t>((1 << Width) - 1));
    else
        return detail::byte_field_on<Width, By, A>(x, A{});
}

}  // namespace simd

BPW_NAMESPACE_END
