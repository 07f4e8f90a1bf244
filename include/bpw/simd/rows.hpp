// Vectors of 64 bytes that hold quads of several interleaved rows.
#pragma once

#include <bpw/simd/strided.hpp>

BPW_NAMESPACE_BEGIN

namespace simd {

/// Where quad `quad` of vector v stands among the 64 quads of a tile that are the same for `Rows`
/// rows: a vector takes 16 / Rows of them. Where it takes four, the first ones of four vectors
/// stand together, then the second ones, ...: so none of them leaves its 16 bytes when it is
/// repeated.
template <std::size_t Rows>
[[nodiscard]] constexpr std::size_t place_of_row_quad(std::size_t v, std::size_t quad) noexcept {
    return Rows == 4 ? v / 4 * 16 + 4 * quad + v % 4 : v * (16 / Rows) + quad;
}

namespace detail {

template <class A>
[[nodiscard]] BPW_INLINE i32_batch<A> all_of_quad(const void* p) noexcept {
    std::int32_t quad = 0;
    std::memcpy(&quad, p, 4);
    return i32_batch<A>(quad);
}

template <std::size_t Rows, std::size_t V, class A>
[[nodiscard]] BPW_INLINE int16x<A> repeat_quads(const void* q, xsimd::generic) noexcept {
    constexpr auto size = i32_batch<A>::size;
    const auto quad = [&](std::size_t lane) {
        return static_cast<const char*>(q) + 4 * place_of_row_quad<Rows>(V, lane / Rows);
    };
    if constexpr (size <= Rows) {
        return int16x<A>::make([&](std::size_t i) { return all_of_quad<A>(quad(i * size)); });
    } else {
        std::int32_t out[16];
        for (std::size_t i = 0; i < 16; ++i) std::memcpy(out + i, quad(i), 4);
        return int16x<A>::load(out);
    }
}
#if XSIMD_WITH_AVX2
template <std::size_t Rows, std::size_t V, class A>
    requires(Rows == 4)
[[nodiscard]] BPW_INLINE int16x<A> repeat_quads(const void* q, xsimd::avx2) noexcept {
    const auto* const four = static_cast<const __m256i*>(q) + V / 4 * 2;
    constexpr int from = V % 4 * 0x55;
    return {{_mm256_shuffle_epi32(_mm256_loadu_si256(four), from),
             _mm256_shuffle_epi32(_mm256_loadu_si256(four + 1), from)}};
}
#endif
#if XSIMD_WITH_AVX512BW
template <std::size_t Rows, std::size_t V, class A>
[[nodiscard]] BPW_INLINE int16x<A> repeat_quads(const void* q, xsimd::avx512bw) noexcept {
    if constexpr (Rows == 16) {
        return {{all_of_quad<A>(static_cast<const char*>(q) + 4 * V)}};
    } else if constexpr (Rows == 8) {
        const __m128i two =
            _mm_loadl_epi64(reinterpret_cast<const __m128i*>(static_cast<const char*>(q) + 8 * V));
        const __m512i index = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
        return {{_mm512_maskz_permutexvar_epi32(every_lane, index, _mm512_castsi128_si512(two))}};
    } else {
        const __m512i four = _mm512_loadu_si512(static_cast<const __m512i*>(q) + V / 4);
        return {{_mm512_maskz_shuffle_epi32(every_lane, four,
                                            static_cast<_MM_PERM_ENUM>(V % 4 * 0x55))}};
    }
}
#endif

template <int Width, int To, bool Loose, int S0, int S1, int S2, int S3, class A>
[[nodiscard]] BPW_INLINE bytes64<A> fields_of_quarters(const bytes64<A>& x,
                                                       xsimd::generic) noexcept {
    constexpr int mask = ((1 << Width) - 1) << To;
    if constexpr (u8_batch<A>::size == 16) {
        const u8_batch<A> kept(static_cast<std::uint8_t>(mask));
        return {{moved_bits<S0, To, A>(x.v[0]) & kept, moved_bits<S1, To, A>(x.v[1]) & kept,
                 moved_bits<S2, To, A>(x.v[2]) & kept, moved_bits<S3, To, A>(x.v[3]) & kept}};
    } else {
        constexpr std::array<int, 4> by{S0, S1, S2, S3};
        std::uint8_t all[64];
        x.store(all);
        for (std::size_t i = 0; i < 64; ++i) {
            all[i] = static_cast<std::uint8_t>(all[i] >> by[i / 16] << To & mask);
        }
        return bytes64<A>::load(all);
    }
}
#if XSIMD_WITH_AVX2
template <int Width, int To, bool Loose, int S0, int S1, int S2, int S3, class A>
[[nodiscard]] BPW_INLINE bytes64<A> fields_of_quarters(const bytes64<A>& x, xsimd::avx2) noexcept {
    const __m256i mask = _mm256_set1_epi8(static_cast<char>(((1 << Width) - 1) << To));
    const auto half = [&]<int Low, int High>(const __m256i& from) {
        const auto by = [](int low, int high) { return _mm256_set_epi64x(high, high, low, low); };
        __m256i moved;
        if constexpr (Low >= To && High >= To)
            moved = _mm256_srlv_epi64(from, by(Low - To, High - To));
        else if constexpr (Low <= To && High <= To)
            moved = _mm256_sllv_epi64(from, by(To - Low, To - High));
        else
            moved = _mm256_slli_epi64(_mm256_srlv_epi64(from, by(Low, High)), To);
        return _mm256_and_si256(moved, mask);
    };
    return {{half.template operator()<S0, S1>(x.v[0]), half.template operator()<S2, S3>(x.v[1])}};
}
#endif
#if XSIMD_WITH_AVX512BW
template <int Width, int To, bool Loose, int S0, int S1, int S2, int S3, class A>
[[nodiscard]] BPW_INLINE bytes64<A> fields_of_quarters(const bytes64<A>& x,
                                                       xsimd::avx512bw) noexcept {
    return {{octet_fields<Width, To, Loose, S0, S0, S1, S1, S2, S2, S3, S3>(x.v[0])}};
}
#endif

// Whether a permutation of bytes moves integers as a whole, inside halves of 32 bytes.
template <const std::array<std::uint8_t, 64>& From>
inline constexpr bool permutes_quads_of_halves = [] {
    for (std::size_t i = 0; i < 64; ++i) {
        if (From[i] % 4 != i % 4 || From[i] / 4 != From[i / 4 * 4] / 4) return false;
        if (From[i] / 32 != i / 32) return false;
    }
    return true;
}();

template <const std::array<std::uint8_t, 64>& From, class A>
[[nodiscard]] BPW_INLINE bytes64<A> load_permuted(const std::uint8_t* p, xsimd::generic) noexcept {
    if constexpr (permutes_quads_of_halves<From>) {
        std::uint8_t out[64];
        for (std::size_t i = 0; i < 64; i += 4) std::memcpy(out + i, p + From[i], 4);
        return bytes64<A>::load(out);
    } else {
        return bytes64<A>::load(From.data()).template lookup<64>(p);
    }
}
#if XSIMD_WITH_AVX2
template <const std::array<std::uint8_t, 64>& From, class A>
    requires permutes_quads_of_halves<From>
[[nodiscard]] BPW_INLINE bytes64<A> load_permuted(const std::uint8_t* p, xsimd::avx2) noexcept {
    return bytes64<A>::make([&](std::size_t i) -> u8_batch<A> {
        const auto from = [&](std::size_t k) { return From[32 * i + 4 * k] / 4 % 8; };
        return _mm256_permutevar8x32_epi32(
            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32 * i)),
            _mm256_setr_epi32(from(0), from(1), from(2), from(3), from(4), from(5), from(6),
                              from(7)));
    });
}
#endif
#if XSIMD_WITH_AVX512BW
template <const std::array<std::uint8_t, 64>& From, class A>
    requires permutes_quads_of_halves<From>
[[nodiscard]] BPW_INLINE bytes64<A> load_permuted(const std::uint8_t* p, xsimd::avx512bw) noexcept {
    static constexpr auto quads = [] {
        std::array<std::int32_t, 16> out{};
        for (std::size_t i = 0; i < 16; ++i) out[i] = From[4 * i] / 4;
        return out;
    }();
    return {{_mm512_maskz_permutexvar_epi32(every_lane, _mm512_loadu_si512(quads.data()),
                                            _mm512_loadu_si512(p))}};
}
#endif

}  // namespace detail

/// Vector V of the quads of a tile, each for all of `Rows` rows: 4, 8 or 16. q: its 64 quads of
/// bytes, or 64 integers, in the order of place_of_row_quad.
template <std::size_t Rows, std::size_t V, class A>
[[nodiscard]] BPW_INLINE int16x<A> repeat_quads(const void* q) noexcept {
    return detail::repeat_quads<Rows, V, A>(q, A{});
}

/// Byte i of the result is p[From[i]], out of the 64 bytes at p.
template <const std::array<std::uint8_t, 64>& From, class A>
[[nodiscard]] BPW_INLINE bytes64<A> load_permuted(const std::uint8_t* p) noexcept {
    return detail::load_permuted<From, A>(p, A{});
}

/// `Width` bits of every byte, from bit S0 on in the first quarter of 16 bytes, S1 in the second
/// ..., at bits To ... of the result. Where Loose, anything may be beside them.
template <int Width, int To, bool Loose, int S0, int S1, int S2, int S3, class A>
[[nodiscard]] BPW_INLINE bytes64<A> fields_of_quarters(const bytes64<A>& x) noexcept {
    return detail::fields_of_quarters<Width, To, Loose, S0, S1, S2, S3, A>(x, A{});
}

/// sum += (u - LoweredBy) . s by fours, exact; u at most MaxU. See lowered_by.
template <int MaxU, int LoweredBy = 0, class A>
BPW_INLINE void add_dot4(int16x<A>& sum, const bytes64<A>& u, const bytes64<A>& s) noexcept {
    for (std::size_t i = 0; i < sum.v.size(); ++i) {
        sum.v[i] = lowered_dot4<MaxU, LoweredBy, A>(sum.v[i], u.v[i],
                                                    xsimd::bitwise_cast<std::int8_t>(s.v[i]));
    }
}

}  // namespace simd

BPW_NAMESPACE_END
