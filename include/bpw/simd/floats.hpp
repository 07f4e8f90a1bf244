// Sixteen floats from sixteen numbers of other formats.
#pragma once

#include <bpw/simd/vector64.hpp>

#include <cstring>

BPW_NAMESPACE_BEGIN

namespace simd {

namespace detail {

template <class A>
[[nodiscard]] BPW_INLINE float16<A> from_signed_bytes(const std::int8_t* p,
                                                      xsimd::generic) noexcept {
    float out[16];
    for (std::size_t i = 0; i < 16; ++i) out[i] = static_cast<float>(p[i]);
    return float16<A>::load(out);
}
template <class A>
[[nodiscard]] BPW_INLINE float16<A> from_bf16(const void* p, xsimd::generic) noexcept {
    std::uint16_t numbers[16];
    std::memcpy(numbers, p, sizeof numbers);
    float out[16];
    for (std::size_t i = 0; i < 16; ++i) out[i] = bf16_to_float(numbers[i]);
    return float16<A>::load(out);
}
#if XSIMD_WITH_SSE4_1
template <class A>
[[nodiscard]] BPW_INLINE float16<A> from_signed_bytes(const std::int8_t* p,
                                                      xsimd::sse4_1) noexcept {
    const __m128i all = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return {{_mm_cvtepi32_ps(_mm_cvtepi8_epi32(all)),
             _mm_cvtepi32_ps(_mm_cvtepi8_epi32(_mm_srli_si128(all, 4))),
             _mm_cvtepi32_ps(_mm_cvtepi8_epi32(_mm_srli_si128(all, 8))),
             _mm_cvtepi32_ps(_mm_cvtepi8_epi32(_mm_srli_si128(all, 12)))}};
}
#endif
#if XSIMD_WITH_AVX2
template <class A>
[[nodiscard]] BPW_INLINE float16<A> from_signed_bytes(const std::int8_t* p, xsimd::avx2) noexcept {
    const auto part = [&](std::size_t i) {
        const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p + 8 * i));
        return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
    };
    return {{part(0), part(1)}};
}
template <class A>
[[nodiscard]] BPW_INLINE float16<A> from_bf16(const void* p, xsimd::avx2) noexcept {
    const auto part = [&](std::size_t i) {
        const __m128i halves = _mm_loadu_si128(static_cast<const __m128i*>(p) + i);
        return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
    };
    return {{part(0), part(1)}};
}
#endif
#if XSIMD_WITH_AVX512F
template <class A>
[[nodiscard]] BPW_INLINE float16<A> from_signed_bytes(const std::int8_t* p,
                                                      xsimd::avx512f) noexcept {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return {{_mm512_maskz_cvtepi32_ps(every_lane, _mm512_maskz_cvtepi8_epi32(every_lane, bytes))}};
}
template <class A>
[[nodiscard]] BPW_INLINE float16<A> from_bf16(const void* p, xsimd::avx512f) noexcept {
    const __m256i halves = _mm256_loadu_si256(static_cast<const __m256i*>(p));
    return {{_mm512_castsi512_ps(
        _mm512_maskz_slli_epi32(every_lane, _mm512_maskz_cvtepu16_epi32(every_lane, halves), 16))}};
}
#endif
#if XSIMD_WITH_NEON64
template <class A>
[[nodiscard]] BPW_INLINE float16<A> from_signed_bytes(const std::int8_t* p,
                                                      xsimd::neon64) noexcept {
    const int8x16_t all = vld1q_s8(p);
    const int16x8_t low = vmovl_s8(vget_low_s8(all));
    const int16x8_t high = vmovl_s8(vget_high_s8(all));
    return {{vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))), vcvtq_f32_s32(vmovl_high_s16(low)),
             vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))), vcvtq_f32_s32(vmovl_high_s16(high))}};
}
#endif

// Byte i of the result is byte From[i] of sixteen.
template <const std::array<int, 16>& From>
BPW_INLINE void permute16(const std::int8_t* in, std::int8_t* out, xsimd::generic) noexcept {
    for (std::size_t i = 0; i < 16; ++i) out[i] = in[From[i]];
}
template <const std::array<int, 16>& From>
alignas(16) inline constexpr auto bytes_from = [] {
    std::array<std::uint8_t, 16> out{};
    for (std::size_t i = 0; i < 16; ++i) out[i] = static_cast<std::uint8_t>(From[i]);
    return out;
}();
#if XSIMD_WITH_SSSE3
template <const std::array<int, 16>& From>
BPW_INLINE void permute16(const std::int8_t* in, std::int8_t* out, xsimd::ssse3) noexcept {
    const __m128i from = _mm_load_si128(reinterpret_cast<const __m128i*>(bytes_from<From>.data()));
    const __m128i all = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_shuffle_epi8(all, from));
}
#endif
#if XSIMD_WITH_NEON64
template <const std::array<int, 16>& From>
BPW_INLINE void permute16(const std::int8_t* in, std::int8_t* out, xsimd::neon64) noexcept {
    vst1q_s8(out, vqtbl1q_s8(vld1q_s8(in), vld1q_u8(bytes_from<From>.data())));
}
#endif

// Byte i of the result is byte From[i] of 256.
template <const auto& From, class A>
BPW_INLINE void permute256(const std::uint8_t* in, std::uint8_t* out, xsimd::generic) noexcept {
    for (std::size_t i = 0; i < 256; ++i) out[i] = in[From[i]];
}
#if XSIMD_WITH_AVX512VBMI
template <const auto& From, class A>
BPW_INLINE void permute256(const std::uint8_t* in, std::uint8_t* out, xsimd::avx512vbmi) noexcept {
    const __m512i a = _mm512_loadu_si512(in);
    const __m512i b = _mm512_loadu_si512(in + 64);
    const __m512i c = _mm512_loadu_si512(in + 128);
    const __m512i d = _mm512_loadu_si512(in + 192);
    for (std::size_t i = 0; i < 256; i += 64) {
        const __m512i from = _mm512_loadu_si512(&From[i]);
        const __m512i low = _mm512_permutex2var_epi8(a, from, b);
        const __m512i high = _mm512_permutex2var_epi8(c, from, d);
        _mm512_storeu_si512(out + i, _mm512_mask_blend_epi8(_mm512_movepi8_mask(from), low, high));
    }
}
#endif

}  // namespace detail

/// Sixteen signed bytes as floats.
template <class A>
[[nodiscard]] BPW_INLINE float16<A> from_signed_bytes(const std::int8_t* p) noexcept {
    return detail::from_signed_bytes<A>(p, A{});
}

/// Sixteen signed bytes as floats, number i that of byte From[i].
template <class A, const std::array<int, 16>& From>
[[nodiscard]] BPW_INLINE float16<A> from_signed_bytes(const std::int8_t* p) noexcept {
    if constexpr (From == in_place) {
        return from_signed_bytes<A>(p);
    } else {
        alignas(16) std::int8_t moved[16];
        detail::permute16<From>(p, moved, A{});
        return from_signed_bytes<A>(moved);
    }
}

/// The sixteen bfloat16 at p, any address, as floats.
template <class A>
[[nodiscard]] BPW_INLINE float16<A> from_bf16(const void* p) noexcept {
    return detail::from_bf16<A>(p, A{});
}

/// 256 bytes in another order: out[i] = in[From[i]].
template <const auto& From, class A>
BPW_INLINE void permute256(const std::uint8_t* in, std::uint8_t* out) noexcept {
    detail::permute256<From, A>(in, out, A{});
}

}  // namespace simd

BPW_NAMESPACE_END
