// Bit fields of quads that change places inside pieces of 16 bytes.
#pragma once

#include <bpw/simd/vector64.hpp>

#include <algorithm>
#include <cstring>

BPW_NAMESPACE_BEGIN

namespace simd {

namespace detail {

template <int Swap, int Width, int To, const std::array<int, 16>& Shift, bool Loose, class A>
[[nodiscard]] BPW_INLINE bytes64<A> placed_quads(const bytes64<A>& x, xsimd::generic) noexcept {
    constexpr std::uint32_t mask = ((1u << Width) - 1) * 0x01010101u;
    std::uint8_t in[64];
    std::uint8_t out[64];
    x.store(in);
    for (std::size_t place = 0; place < 16; ++place) {
        std::uint32_t quad = 0;
        std::memcpy(&quad, in + 4 * (place ^ std::size_t{Swap}), 4);
        quad = (quad >> Shift[place] & mask) << To;
        std::memcpy(out + 4 * place, &quad, 4);
    }
    return bytes64<A>::load(out);
}

// As an immediate of a shuffle of integers: place p takes number p ^ Swap.
template <int Swap>
inline constexpr int swapped_places = (0 ^ Swap) | (1 ^ Swap) << 2 | (2 ^ Swap) << 4 |
                                      (3 ^ Swap) << 6;

#if XSIMD_WITH_SSE4_1
template <int Swap, int Width, int To, const std::array<int, 16>& Shift, bool Loose, class A>
[[nodiscard]] BPW_INLINE bytes64<A> placed_quads(const bytes64<A>& x, xsimd::sse4_1) noexcept {
    // There is no shift by different amounts: to the left as a product, to the right by as much as
    // the largest.
    static constexpr int most = *std::max_element(Shift.begin(), Shift.end());
    static_assert(most + Width <= 8);
    const __m128i mask = _mm_set1_epi8(static_cast<char>(((1 << Width) - 1) << To));
    const auto piece = [&](auto i) -> u8_batch<A> {
        constexpr std::size_t first = 4 * decltype(i)::value;
        constexpr auto by = [](std::size_t place) { return 1 << (most - Shift[first + place]); };
        const __m128i quads = _mm_shuffle_epi32(x.v[i], swapped_places<Swap>);
        const __m128i up = _mm_mullo_epi32(quads, _mm_setr_epi32(by(0), by(1), by(2), by(3)));
        return _mm_and_si128(_mm_srli_epi32(up, most - To), mask);
    };
    return {{piece(std::integral_constant<std::size_t, 0>{}),
             piece(std::integral_constant<std::size_t, 1>{}),
             piece(std::integral_constant<std::size_t, 2>{}),
             piece(std::integral_constant<std::size_t, 3>{})}};
}
#endif
#if XSIMD_WITH_AVX2
template <int Swap, int Width, int To, const std::array<int, 16>& Shift, bool Loose, class A>
[[nodiscard]] BPW_INLINE bytes64<A> placed_quads(const bytes64<A>& x, xsimd::avx2) noexcept {
    const __m256i mask = _mm256_set1_epi8(static_cast<char>(((1 << Width) - 1) << To));
    return bytes64<A>::make([&](std::size_t i) -> u8_batch<A> {
        alignas(32) static constexpr auto less = [] {
            auto out = Shift;
            for (auto& by : out) by -= To;
            return out;
        }();
        const bool to_the_right = *std::min_element(&less[8 * i], &less[8 * i] + 8) >= 0;
        const auto& shift = to_the_right ? less : Shift;
        const __m256i by = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(&shift[8 * i]));
        const __m256i quads = _mm256_shuffle_epi32(x.v[i], swapped_places<Swap>);
        const __m256i moved = _mm256_srlv_epi32(quads, by);
        return _mm256_and_si256(to_the_right ? moved : _mm256_slli_epi32(moved, To), mask);
    });
}
#endif
#if XSIMD_WITH_AVX512BW
template <int Swap, int Width, int To, const std::array<int, 16>& Shift, bool Loose, class A>
[[nodiscard]] BPW_INLINE bytes64<A> placed_quads(const bytes64<A>& x, xsimd::avx512bw) noexcept {
    [[maybe_unused]] const __m512i mask =
        _mm512_set1_epi8(static_cast<char>(((1 << Width) - 1) << To));
#if defined(__AVX512VBMI__)
    // From which bit of its 8 bytes on each byte is taken; the neighbours in 16 bytes change places
    // in front.
    alignas(64) static constexpr auto from = [] {
        std::array<std::uint8_t, 64> out{};
        for (int i = 0; i < 64; ++i) {
            const int quad = i / 4 % 2 ^ Swap % 2;
            out[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(
                (32 * quad + 8 * (i % 4) + Shift[static_cast<std::size_t>(i / 4)] - To) & 63);
        }
        return out;
    }();
    constexpr auto halves = static_cast<_MM_PERM_ENUM>(swapped_places<Swap & 2>);
    __m512i near = x.v[0];
    if constexpr (Swap >= 2) near = _mm512_maskz_shuffle_epi32(every_lane, near, halves);
    const __m512i bits =
        _mm512_maskz_multishift_epi64_epi8(~std::uint64_t{0}, _mm512_load_si512(from.data()), near);
#else
    alignas(64) static constexpr auto by = [] {
        std::array<std::int32_t, 16> out{};
        for (std::size_t i = 0; i < 16; ++i) out[i] = (Shift[i] - To) & 31;
        return out;
    }();
    constexpr auto places = static_cast<_MM_PERM_ENUM>(swapped_places<Swap>);
    const __m512i bits =
        _mm512_maskz_rorv_epi32(every_lane, _mm512_maskz_shuffle_epi32(every_lane, x.v[0], places),
                                _mm512_load_si512(by.data()));
#endif
    return {{Loose ? bits : _mm512_and_si512(bits, mask)}};
}
#endif
#if XSIMD_WITH_NEON64
template <int Swap, int Width, int To, const std::array<int, 16>& Shift, bool Loose, class A>
[[nodiscard]] BPW_INLINE bytes64<A> placed_quads(const bytes64<A>& x, xsimd::neon64) noexcept {
    const uint8x16_t mask = vdupq_n_u8(((1 << Width) - 1) << To);
    return bytes64<A>::make([&](std::size_t i) -> u8_batch<A> {
        uint32x4_t quads = vreinterpretq_u32_u8(x.v[i]);
        if constexpr (Swap % 2 != 0) quads = vrev64q_u32(quads);
        if constexpr (Swap >= 2) quads = vextq_u32(quads, quads, 2);
        const int32x4_t by = vsubq_s32(vdupq_n_s32(To), vld1q_s32(&Shift[4 * i]));
        return vandq_u8(vreinterpretq_u8_u32(vshlq_u32(quads, by)), mask);
    });
}
#endif

template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> twice32(const std::uint8_t* p, xsimd::generic) noexcept {
    std::uint8_t both[64];
    std::memcpy(both, p, 32);
    std::memcpy(both + 32, p, 32);
    return bytes64<A>::load(both);
}
#if XSIMD_WITH_AVX2
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> twice32(const std::uint8_t* p, xsimd::avx2) noexcept {
    const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return {{half, half}};
}
#endif
#if XSIMD_WITH_AVX512BW
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> twice32(const std::uint8_t* p, xsimd::avx512bw) noexcept {
    return {{_mm512_maskz_broadcast_i64x4(
        every_pair, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))}};
}
#endif

}  // namespace detail

/// The four quads of each 16 bytes change places, p with p ^ Swap; of the quad that comes to place
/// n of the sixteen, bits Shift[n] ... Shift[n] + Width - 1 of every byte are kept, at bits To ...;
/// where Loose, anything may be beside them.
template <int Swap, int Width, int To, const std::array<int, 16>& Shift, bool Loose, class A>
[[nodiscard]] BPW_INLINE bytes64<A> placed_quads(const bytes64<A>& x) noexcept {
    static_assert(0 <= Swap && Swap < 4 && To + Width <= 8);
    return detail::placed_quads<Swap, Width, To, Shift, Loose, A>(x, A{});
}

/// 32 bytes twice.
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> twice32(const std::uint8_t* p) noexcept {
    return detail::twice32<A>(p, A{});
}

}  // namespace simd

BPW_NAMESPACE_END
