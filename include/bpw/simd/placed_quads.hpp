// Quads and octets of bytes that change places, and bit fields of quads.
//
// Products of single rows want every place of a vector to hold weights of one group throughout: see
// unpack/by_runs.hpp.
#pragma once

#include <bpw/simd/vector64.hpp>

#include <algorithm>
#include <cstring>

BPW_NAMESPACE_BEGIN

namespace simd {

namespace detail {

template <int Swap, class A>
[[nodiscard]] BPW_INLINE bytes64<A> swapped_quads(const bytes64<A>& x, xsimd::generic) noexcept {
    std::uint8_t in[64];
    std::uint8_t out[64];
    x.store(in);
    for (std::size_t place = 0; place < 16; ++place) {
        std::memcpy(out + 4 * place, in + 4 * (place ^ std::size_t{Swap}), 4);
    }
    return bytes64<A>::load(out);
}

template <int Width, int To, const std::array<int, 16>& Shift, bool Loose, class A>
[[nodiscard]] BPW_INLINE bytes64<A> fields_of_quads(const bytes64<A>& x, xsimd::generic) noexcept {
    constexpr std::uint32_t mask = ((1u << Width) - 1) * 0x01010101u;
    std::uint8_t all[64];
    x.store(all);
    for (std::size_t place = 0; place < 16; ++place) {
        std::uint32_t quad = 0;
        std::memcpy(&quad, all + 4 * place, 4);
        quad = (quad >> Shift[place] & mask) << To;
        std::memcpy(all + 4 * place, &quad, 4);
    }
    return bytes64<A>::load(all);
}

// As an immediate of a shuffle of integers: place p takes number p ^ Swap.
template <int Swap>
inline constexpr int swapped_places = (0 ^ Swap) | (1 ^ Swap) << 2 | (2 ^ Swap) << 4 |
                                      (3 ^ Swap) << 6;

#if XSIMD_WITH_SSE4_1
template <int Swap, class A>
[[nodiscard]] BPW_INLINE bytes64<A> swapped_quads(const bytes64<A>& x, xsimd::sse4_1) noexcept {
    return bytes64<A>::make([&](std::size_t i) -> u8_batch<A> {
        return _mm_shuffle_epi32(x.v[i], swapped_places<Swap>);
    });
}
template <int Width, int To, const std::array<int, 16>& Shift, bool Loose, class A>
[[nodiscard]] BPW_INLINE bytes64<A> fields_of_quads(const bytes64<A>& x, xsimd::sse4_1) noexcept {
    // There is no shift by different amounts: to the left as a product, to the right by as much as
    // the largest.
    static constexpr int most = *std::max_element(Shift.begin(), Shift.end());
    static_assert(To <= most && most + Width <= 8);
    const __m128i mask = _mm_set1_epi8(static_cast<char>(((1 << Width) - 1) << To));
    const auto piece = [&](auto i) -> u8_batch<A> {
        constexpr std::size_t first = 4 * decltype(i)::value;
        constexpr auto by = [](std::size_t place) { return 1 << (most - Shift[first + place]); };
        const __m128i up = _mm_mullo_epi32(x.v[i], _mm_setr_epi32(by(0), by(1), by(2), by(3)));
        return _mm_and_si128(_mm_srli_epi32(up, most - To), mask);
    };
    return {{piece(std::integral_constant<std::size_t, 0>{}),
             piece(std::integral_constant<std::size_t, 1>{}),
             piece(std::integral_constant<std::size_t, 2>{}),
             piece(std::integral_constant<std::size_t, 3>{})}};
}
#endif
#if XSIMD_WITH_AVX2
template <int Swap, class A>
[[nodiscard]] BPW_INLINE bytes64<A> swapped_quads(const bytes64<A>& x, xsimd::avx2) noexcept {
    return bytes64<A>::make([&](std::size_t i) -> u8_batch<A> {
        return _mm256_shuffle_epi32(x.v[i], swapped_places<Swap>);
    });
}
template <int Width, int To, const std::array<int, 16>& Shift, bool Loose, class A>
[[nodiscard]] BPW_INLINE bytes64<A> fields_of_quads(const bytes64<A>& x, xsimd::avx2) noexcept {
    const __m256i mask = _mm256_set1_epi8(static_cast<char>(((1 << Width) - 1) << To));
    const auto piece = [&](auto i) -> u8_batch<A> {
        constexpr std::size_t first = 8 * decltype(i)::value;
        constexpr auto to_the_right = [](std::size_t quad) { return Shift[first + quad] - To; };
        constexpr bool right = [&] {
            for (std::size_t quad = 0; quad < 8; ++quad) {
                if (to_the_right(quad) < 0) return false;
            }
            return true;
        }();
        constexpr bool left = [&] {
            for (std::size_t quad = 0; quad < 8; ++quad) {
                if (to_the_right(quad) > 0) return false;
            }
            return true;
        }();
        const auto of_quads = [&](auto f) {
            return _mm256_setr_epi32(f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7));
        };
        if constexpr (right) {
            return _mm256_and_si256(_mm256_srlv_epi32(x.v[i], of_quads(to_the_right)), mask);
        } else if constexpr (left) {
            const __m256i by = of_quads([&](std::size_t quad) { return -to_the_right(quad); });
            return _mm256_and_si256(_mm256_sllv_epi32(x.v[i], by), mask);
        } else if constexpr (Width == 1) {
            const __m256i bit = of_quads([&](std::size_t quad) {
                return static_cast<int>(0x01010101u << Shift[first + quad]);
            });
            return _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_and_si256(x.v[i], bit), bit), mask);
        } else {
            const __m256i by = of_quads([&](std::size_t quad) { return Shift[first + quad]; });
            return _mm256_and_si256(_mm256_slli_epi32(_mm256_srlv_epi32(x.v[i], by), To), mask);
        }
    };
    return {{piece(std::integral_constant<std::size_t, 0>{}),
             piece(std::integral_constant<std::size_t, 1>{})}};
}
#endif
#if XSIMD_WITH_AVX512BW
template <int Swap, class A>
[[nodiscard]] BPW_INLINE bytes64<A> swapped_quads(const bytes64<A>& x, xsimd::avx512bw) noexcept {
    constexpr auto places = static_cast<_MM_PERM_ENUM>(swapped_places<Swap>);
    return {{_mm512_maskz_shuffle_epi32(every_lane, x.v[0], places)}};
}
template <int Width, int To, bool Loose>
[[nodiscard]] BPW_INLINE __m512i masked_field(const __m512i& bits) noexcept {
    if constexpr (Loose) return bits;
    return _mm512_and_si512(bits, _mm512_set1_epi8(static_cast<char>(((1 << Width) - 1) << To)));
}
// Whether the quads of every 8 bytes are shifted by the same.
template <const std::array<int, 16>& Shift>
inline constexpr bool shifts_octets = [] {
    for (std::size_t i = 0; i < 16; i += 2) {
        if (Shift[i] != Shift[i + 1]) return false;
    }
    return true;
}();
template <int Width, int To, const std::array<int, 16>& Shift, bool Loose>
[[nodiscard]] BPW_INLINE __m512i shifted_octet_fields(__m512i x) noexcept {
    static_assert(shifts_octets<Shift>);
    return octet_fields<Width, To, Loose, Shift[0], Shift[2], Shift[4], Shift[6], Shift[8],
                        Shift[10], Shift[12], Shift[14]>(x);
}
template <int Width, int To, const std::array<int, 16>& Shift, bool Loose, class A>
[[nodiscard]] BPW_INLINE bytes64<A> fields_of_quads(const bytes64<A>& x, xsimd::avx512bw) noexcept {
    if constexpr (shifts_octets<Shift>)
        return {{shifted_octet_fields<Width, To, Shift, Loose>(x.v[0])}};
    alignas(64) static constexpr auto by = [] {
        std::array<std::int32_t, 16> out{};
        for (std::size_t i = 0; i < 16; ++i) out[i] = (Shift[i] - To) & 31;
        return out;
    }();
    return {{masked_field<Width, To, Loose>(
        _mm512_maskz_rorv_epi32(every_lane, x.v[0], _mm512_load_si512(by.data())))}};
}
#endif
#if XSIMD_WITH_NEON64
template <int Swap, class A>
[[nodiscard]] BPW_INLINE bytes64<A> swapped_quads(const bytes64<A>& x, xsimd::neon64) noexcept {
    return bytes64<A>::make([&](std::size_t i) -> u8_batch<A> {
        uint32x4_t quads = vreinterpretq_u32_u8(x.v[i]);
        if constexpr (Swap % 2 != 0) quads = vrev64q_u32(quads);
        if constexpr (Swap >= 2) quads = vextq_u32(quads, quads, 2);
        return vreinterpretq_u8_u32(quads);
    });
}
template <int Width, int To, const std::array<int, 16>& Shift, bool Loose, class A>
[[nodiscard]] BPW_INLINE bytes64<A> fields_of_quads(const bytes64<A>& x, xsimd::neon64) noexcept {
    const uint8x16_t mask = vdupq_n_u8(((1 << Width) - 1) << To);
    return bytes64<A>::make([&](std::size_t i) -> u8_batch<A> {
        const int32x4_t by = vsubq_s32(vdupq_n_s32(To), vld1q_s32(&Shift[4 * i]));
        return vandq_u8(vreinterpretq_u8_u32(vshlq_u32(vreinterpretq_u32_u8(x.v[i]), by)), mask);
    });
}
#endif

// 255 in every byte of quad n whose bit Shift[n] is clear, else 0.
template <const std::array<int, 16>& Shift, class A>
[[nodiscard]] BPW_INLINE bytes64<A> where_clear(const bytes64<A>& x, xsimd::generic) noexcept {
    const auto bits = fields_of_quads<1, 0, Shift, false, A>(x, A{});
    return bytes64<A>::make(
        [&](std::size_t i) { return bits.v[i] - u8_batch<A>(std::uint8_t{1}); });
}
template <const std::array<int, 16>& Shift>
alignas(64) inline constexpr auto bit_of_bytes = [] {
    std::array<std::uint8_t, 64> out{};
    for (std::size_t i = 0; i < 64; ++i) out[i] = static_cast<std::uint8_t>(1 << Shift[i / 4]);
    return out;
}();
#if XSIMD_WITH_SSE4_1
template <const std::array<int, 16>& Shift, class A>
[[nodiscard]] BPW_INLINE bytes64<A> where_clear(const bytes64<A>& x, xsimd::sse4_1) noexcept {
    const auto bits = x & bytes64<A>::load(bit_of_bytes<Shift>.data());
    return bytes64<A>::make([&](std::size_t i) -> u8_batch<A> {
        return _mm_cmpeq_epi8(bits.v[i], _mm_setzero_si128());
    });
}
#endif
#if XSIMD_WITH_AVX2
template <const std::array<int, 16>& Shift, class A>
[[nodiscard]] BPW_INLINE bytes64<A> where_clear(const bytes64<A>& x, xsimd::avx2) noexcept {
    const auto bits = x & bytes64<A>::load(bit_of_bytes<Shift>.data());
    return bytes64<A>::make([&](std::size_t i) -> u8_batch<A> {
        return _mm256_cmpeq_epi8(bits.v[i], _mm256_setzero_si256());
    });
}
#endif

template <int Swap, int Width, int To, const std::array<int, 16>& Shift, bool Loose, class A>
[[nodiscard]] BPW_INLINE bytes64<A> placed_quads(const bytes64<A>& x, xsimd::generic) noexcept {
    return fields_of_quads<Width, To, Shift, Loose, A>(swapped_quads<Swap, A>(x, A{}), A{});
}
#if XSIMD_WITH_AVX512VBMI
template <int Swap, int Width, int To, const std::array<int, 16>& Shift, bool Loose, class A>
[[nodiscard]] BPW_INLINE bytes64<A> placed_quads(const bytes64<A>& x, xsimd::avx512vbmi) noexcept {
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
    auto near = x;
    if constexpr (Swap >= 2) near = swapped_quads<(Swap & 2), A>(x, A{});
    if constexpr (Swap % 2 == 0 && shifts_octets<Shift>)
        return {{shifted_octet_fields<Width, To, Shift, Loose>(near.v[0])}};
    return {{masked_field<Width, To, Loose>(_mm512_maskz_multishift_epi64_epi8(
        ~std::uint64_t{0}, _mm512_load_si512(from.data()), near.v[0]))}};
}
#endif

// In every 16 bytes the first numbers (Odd: the last) of Size bytes of a and b in turn.
template <std::size_t Size, bool Odd, class A>
[[nodiscard]] BPW_INLINE u8_batch<A> zipped(const u8_batch<A>& a, const u8_batch<A>& b,
                                            xsimd::generic) noexcept {
    constexpr auto size = u8_batch<A>::size;
    std::uint8_t x[size];
    std::uint8_t y[size];
    std::uint8_t out[size];
    a.store_unaligned(x);
    b.store_unaligned(y);
    for (std::size_t at = 0; at < size; at += 16) {
        for (std::size_t i = 0; i < 8; i += Size) {
            std::memcpy(out + at + 2 * i, x + at + i + (Odd ? 8 : 0), Size);
            std::memcpy(out + at + 2 * i + Size, y + at + i + (Odd ? 8 : 0), Size);
        }
    }
    return u8_batch<A>::load_unaligned(out);
}
#if XSIMD_WITH_SSE2
template <std::size_t Size, bool Odd, class A>
[[nodiscard]] BPW_INLINE u8_batch<A> zipped(const u8_batch<A>& a, const u8_batch<A>& b,
                                            xsimd::sse2) noexcept {
    if constexpr (Size == 4)
        return Odd ? _mm_unpackhi_epi32(a, b) : _mm_unpacklo_epi32(a, b);
    else
        return Odd ? _mm_unpackhi_epi64(a, b) : _mm_unpacklo_epi64(a, b);
}
#endif
#if XSIMD_WITH_AVX2
template <std::size_t Size, bool Odd, class A>
[[nodiscard]] BPW_INLINE u8_batch<A> zipped(const u8_batch<A>& a, const u8_batch<A>& b,
                                            xsimd::avx2) noexcept {
    if constexpr (Size == 4)
        return Odd ? _mm256_unpackhi_epi32(a, b) : _mm256_unpacklo_epi32(a, b);
    else
        return Odd ? _mm256_unpackhi_epi64(a, b) : _mm256_unpacklo_epi64(a, b);
}
#endif
#if XSIMD_WITH_AVX512BW
template <std::size_t Size, bool Odd, class A>
[[nodiscard]] BPW_INLINE u8_batch<A> zipped(const u8_batch<A>& a, const u8_batch<A>& b,
                                            xsimd::avx512bw) noexcept {
    if constexpr (Size == 4)
        return Odd ? _mm512_maskz_unpackhi_epi32(every_lane, a, b)
                   : _mm512_maskz_unpacklo_epi32(every_lane, a, b);
    else
        return Odd ? _mm512_maskz_unpackhi_epi64(every_pair, a, b)
                   : _mm512_maskz_unpacklo_epi64(every_pair, a, b);
}
#endif
#if XSIMD_WITH_NEON64
template <std::size_t Size, bool Odd, class A>
[[nodiscard]] BPW_INLINE u8_batch<A> zipped(const u8_batch<A>& a, const u8_batch<A>& b,
                                            xsimd::neon64) noexcept {
    if constexpr (Size == 4) {
        const uint32x4_t x = vreinterpretq_u32_u8(a);
        const uint32x4_t y = vreinterpretq_u32_u8(b);
        return vreinterpretq_u8_u32(Odd ? vzip2q_u32(x, y) : vzip1q_u32(x, y));
    } else {
        const uint64x2_t x = vreinterpretq_u64_u8(a);
        const uint64x2_t y = vreinterpretq_u64_u8(b);
        return vreinterpretq_u8_u64(Odd ? vzip2q_u64(x, y) : vzip1q_u64(x, y));
    }
}
#endif

template <std::size_t Size, std::size_t Number, class A>
[[nodiscard]] BPW_INLINE bytes64<A> gathered_twice(const bytes64<A>& a, const bytes64<A>& b,
                                                   xsimd::generic) noexcept {
    static_assert(u8_batch<A>::size == 16);
    const auto half = [&](std::size_t odd) {
        if constexpr (Size == 4) {
            constexpr bool upper = Number / 2 != 0;
            return zipped<8, Number % 2 != 0, A>(zipped<4, upper, A>(a.v[odd], a.v[2 + odd], A{}),
                                                 zipped<4, upper, A>(b.v[odd], b.v[2 + odd], A{}),
                                                 A{});
        } else {
            constexpr auto at = Number / 2;
            return zipped<8, Number % 2 != 0, A>(a.v[2 * odd + at], b.v[2 * odd + at], A{});
        }
    };
    const auto even = half(0);
    const auto odd = half(1);
    return {{even, odd, even, odd}};
}
#if XSIMD_WITH_AVX2
template <std::size_t Size, std::size_t Number, class A>
[[nodiscard]] BPW_INLINE bytes64<A> gathered_twice(const bytes64<A>& a, const bytes64<A>& b,
                                                   xsimd::avx2) noexcept {
    if constexpr (Size == 4) {
        constexpr bool upper = Number / 2 != 0;
        const auto half =
            zipped<8, Number % 2 != 0, A>(zipped<4, upper, A>(a.v[0], a.v[1], A{}),
                                          zipped<4, upper, A>(b.v[0], b.v[1], A{}), A{});
        return {{half, half}};
    } else {
        constexpr bool odd = Number % 2 != 0;
        const __m256i even_pieces = zipped<8, odd, A>(a.v[0], b.v[0], A{});
        const __m256i odd_pieces = zipped<8, odd, A>(a.v[1], b.v[1], A{});
        constexpr int halves = Number / 2 == 0 ? 0x20 : 0x31;
        const u8_batch<A> half = _mm256_permute2x128_si256(even_pieces, odd_pieces, halves);
        return {{half, half}};
    }
}
#endif
#if XSIMD_WITH_AVX512BW
template <std::size_t Size, std::size_t Number, class A>
[[nodiscard]] BPW_INLINE bytes64<A> gathered_twice(const bytes64<A>& a, const bytes64<A>& b,
                                                   xsimd::avx512bw) noexcept {
    alignas(64) static constexpr auto from = [] {
        std::array<std::uint32_t, 16> out{};
        constexpr std::size_t pieces = 32 / Size;
        for (std::size_t i = 0; i < 16; ++i) {
            const std::size_t n = 4 * i % 32 / Size;
            const std::size_t piece = 2 * n % pieces + 2 * n / pieces;
            out[i] = static_cast<std::uint32_t>(Size * piece + Size / 4 * Number + i % (Size / 4));
        }
        return out;
    }();
    return {{_mm512_permutex2var_epi32(a.v[0], _mm512_load_si512(from.data()), b.v[0])}};
}
#endif

template <const std::array<int, 16>& From>
inline constexpr bool is_one_octet = [] {
    for (std::size_t i = 0; i < 16; ++i) {
        if (From[i] != From[i % 2] || From[1] != From[0] + 1) return false;
    }
    return true;
}();
template <std::size_t Bytes, const std::array<int, 16>& From, class A>
[[nodiscard]] BPW_INLINE bytes64<A> gathered_quads(const std::uint8_t* p, xsimd::generic) noexcept {
    std::uint8_t out[64];
    for (std::size_t i = 0; i < 16; ++i) std::memcpy(out + 4 * i, p + 4 * From[i], 4);
    return bytes64<A>::load(out);
}
#if XSIMD_WITH_SSE4_1
// As the immediate of a shuffle that takes two quads from each of two registers.
template <const std::array<int, 16>& From>
[[nodiscard]] constexpr int two_and_two(std::size_t first) noexcept {
    const auto place = [&](std::size_t i) { return From[first + i] % 4; };
    return place(0) | place(1) << 2 | place(2) << 4 | place(3) << 6;
}
template <std::size_t Bytes, const std::array<int, 16>& From, class A>
[[nodiscard]] BPW_INLINE bytes64<A> gathered_quads(const std::uint8_t* p, xsimd::sse4_1) noexcept {
    const auto piece = [&](auto i) -> u8_batch<A> {
        constexpr std::size_t first = 4 * decltype(i)::value;
        static_assert(From[first] / 4 == From[first + 1] / 4);
        static_assert(From[first + 2] / 4 == From[first + 3] / 4);
        const auto at = [&](std::size_t n) {
            const auto* const from = p + From[first + n] / 4 * 16;
            return _mm_castsi128_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
        };
        return _mm_castps_si128(_mm_shuffle_ps(at(0), at(2), two_and_two<From>(first)));
    };
    return {{piece(std::integral_constant<std::size_t, 0>{}),
             piece(std::integral_constant<std::size_t, 1>{}),
             piece(std::integral_constant<std::size_t, 2>{}),
             piece(std::integral_constant<std::size_t, 3>{})}};
}
#endif
#if XSIMD_WITH_AVX2
template <const std::array<int, 16>& From>
[[nodiscard]] BPW_INLINE long long the_octet(const std::uint8_t* p) noexcept {
    long long octet = 0;
    std::memcpy(&octet, p + 4 * From[0], 8);
    return octet;
}
template <std::size_t Bytes, const std::array<int, 16>& From, class A>
[[nodiscard]] BPW_INLINE bytes64<A> gathered_quads(const std::uint8_t* p, xsimd::avx2) noexcept {
    const auto at = [&](std::size_t i) {
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32 * i));
    };
    if constexpr (is_one_octet<From>) {
        const u8_batch<A> all = _mm256_set1_epi64x(the_octet<From>(p));
        return {{all, all}};
    } else if constexpr (Bytes == 32) {
        return bytes64<A>::make([&](std::size_t i) -> u8_batch<A> {
            const auto* const from = reinterpret_cast<const __m256i*>(&From[8 * i]);
            return _mm256_permutevar8x32_epi32(at(0), _mm256_loadu_si256(from));
        });
    } else {
        // Quads do not change halves, and every half takes two from each register.
        static_assert([] {
            for (int i = 0; i < 16; ++i) {
                const int register_of_two = i / 2 % 2;
                const int half = i / 4 % 2;
                const int from = From[static_cast<std::size_t>(i)];
                if (from / 8 != register_of_two || from / 4 % 2 != half) return false;
                if (from % 4 != From[static_cast<std::size_t>(i % 4)] % 4) return false;
            }
            return true;
        }());
        const u8_batch<A> half = _mm256_castps_si256(_mm256_shuffle_ps(
            _mm256_castsi256_ps(at(0)), _mm256_castsi256_ps(at(1)), two_and_two<From>(0)));
        return {{half, half}};
    }
}
#endif
#if XSIMD_WITH_AVX512BW
template <std::size_t Bytes, const std::array<int, 16>& From, class A>
[[nodiscard]] BPW_INLINE bytes64<A> gathered_quads(const std::uint8_t* p,
                                                   xsimd::avx512bw) noexcept {
    if constexpr (is_one_octet<From>) {
        return {{_mm512_set1_epi64(the_octet<From>(p))}};
    } else {
        const auto all = Bytes == 32 ? simd::twice32<A>(p) : bytes64<A>::load(p);
        return {{_mm512_maskz_permutexvar_epi32(every_lane, _mm512_loadu_si512(From.data()),
                                                all.v[0])}};
    }
}
#endif
#if XSIMD_WITH_NEON64
template <std::size_t Bytes, const std::array<int, 16>& From, class A>
[[nodiscard]] BPW_INLINE bytes64<A> gathered_quads(const std::uint8_t* p, xsimd::neon64) noexcept {
    const auto two = [&](std::size_t i) {
        std::uint32_t quads[2];
        std::memcpy(&quads[0], p + 4 * From[i], 4);
        std::memcpy(&quads[1], p + 4 * From[i + 1], 4);
        return From[i] == From[i + 1] ? vdup_n_u32(quads[0]) : vld1_u32(quads);
    };
    return bytes64<A>::make([&](std::size_t i) -> u8_batch<A> {
        return vreinterpretq_u8_u32(vcombine_u32(two(4 * i), two(4 * i + 2)));
    });
}
#endif

}  // namespace detail

/// Of quad n of the sixteen, bits Shift[n] ... Shift[n] + Width - 1 of every byte, at bits To ...;
/// where Loose, anything may be beside them.
template <int Width, int To, const std::array<int, 16>& Shift, bool Loose, class A>
[[nodiscard]] BPW_INLINE bytes64<A> fields_of_quads(const bytes64<A>& x) noexcept {
    static_assert(To + Width <= 8);
    return detail::fields_of_quads<Width, To, Shift, Loose, A>(x, A{});
}

/// 255 in every byte of quad n of the sixteen whose bit Shift[n] is clear, else 0: for
/// lookup_by_halves.
template <const std::array<int, 16>& Shift, class A>
[[nodiscard]] BPW_INLINE bytes64<A> where_clear(const bytes64<A>& x) noexcept {
    return detail::where_clear<Shift, A>(x, A{});
}

/// The same when the four quads of each 16 bytes have changed places, p with p ^ Swap.
template <int Swap, int Width, int To, const std::array<int, 16>& Shift, bool Loose, class A>
[[nodiscard]] BPW_INLINE bytes64<A> placed_quads(const bytes64<A>& x) noexcept {
    static_assert(0 <= Swap && Swap < 4 && To + Width <= 8);
    return detail::placed_quads<Swap, Width, To, Shift, Loose, A>(x, A{});
}

/// Of every 16 bytes of a and b the first 8 (Odd: the last), those of b behind those of a.
template <bool Odd, class A>
[[nodiscard]] BPW_INLINE bytes64<A> zipped_octets(const bytes64<A>& a,
                                                  const bytes64<A>& b) noexcept {
    return bytes64<A>::make(
        [&](std::size_t i) { return detail::zipped<8, Odd, A>(a.v[i], b.v[i], A{}); });
}

/// The 128 bytes of a and b are pieces of four numbers of Size (4 or 8) bytes each: number `Number`
/// of the pieces 0, 2, 4, ..., 1, 3, 5, ...; all of it twice.
template <std::size_t Size, std::size_t Number, class A>
[[nodiscard]] BPW_INLINE bytes64<A> gathered_twice(const bytes64<A>& a,
                                                   const bytes64<A>& b) noexcept {
    static_assert((Size == 4 || Size == 8) && Number < 4);
    return detail::gathered_twice<Size, Number, A>(a, b, A{});
}

/// Quads From[0] ... From[15] of the Bytes (32 or 64) bytes at p. In every four of From, the first
/// two and the last two are in 16 bytes each.
template <std::size_t Bytes, const std::array<int, 16>& From, class A>
[[nodiscard]] BPW_INLINE bytes64<A> gathered_quads(const std::uint8_t* p) noexcept {
    static_assert(Bytes == 32 || Bytes == 64);
    return detail::gathered_quads<Bytes, From, A>(p, A{});
}

}  // namespace simd

BPW_NAMESPACE_END
