// Vectors of 64 bytes that hold quads of several interleaved rows.
#pragma once

#include <bpw/simd/strided.hpp>

BPW_NAMESPACE_BEGIN

namespace simd {

namespace detail {

// Byte i of the result is byte from[i] of the 4 * (16 / Rows) bytes at p.
template <std::size_t Rows>
inline constexpr auto repeated_quads = [] {
    std::array<std::uint8_t, 64> from{};
    for (std::size_t i = 0; i < 64; ++i) {
        from[i] = static_cast<std::uint8_t>(i / 4 / Rows * 4 + i % 4);
    }
    return from;
}();

template <class A>
[[nodiscard]] BPW_INLINE u8_batch<A> all_of_quad(const std::int8_t* p) noexcept {
    std::int32_t quad = 0;
    std::memcpy(&quad, p, 4);
    return xsimd::bitwise_cast<std::uint8_t>(i32_batch<A>(quad));
}

template <std::size_t Rows, class A>
[[nodiscard]] BPW_INLINE bytes64<A> repeat_quads(const std::int8_t* p, xsimd::generic) noexcept {
    if constexpr (u8_batch<A>::size <= 16 || (u8_batch<A>::size == 32 && Rows >= 8)) {
        return bytes64<A>::make([&](std::size_t i) {
            return all_of_quad<A>(p + i * u8_batch<A>::size / 4 / Rows * 4);
        });
    } else {
        std::uint8_t out[64];
        for (std::size_t i = 0; i < 16; ++i) std::memcpy(out + 4 * i, p + i / Rows * 4, 4);
        return bytes64<A>::load(out);
    }
}
#if XSIMD_WITH_AVX2
template <std::size_t Rows, class A>
    requires(Rows == 4)
[[nodiscard]] BPW_INLINE bytes64<A> repeat_quads(const std::int8_t* p, xsimd::avx2) noexcept {
    const __m256i all =
        _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    const auto index = bytes64<A>::load(repeated_quads<Rows>.data());
    return bytes64<A>::make([&](std::size_t i) { return _mm256_shuffle_epi8(all, index.v[i]); });
}
#endif
#if XSIMD_WITH_AVX512BW
template <std::size_t Rows, class A>
[[nodiscard]] BPW_INLINE bytes64<A> repeat_quads(const std::int8_t* p, xsimd::avx512bw) noexcept {
    if constexpr (Rows == 16) {
        return {{all_of_quad<A>(p)}};
    } else {
        const __m512i index = _mm512_loadu_si512(repeated_quads<Rows>.data());
        if constexpr (Rows == 8) {
            const __m128i two = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
            return {{_mm512_shuffle_epi8(_mm512_maskz_broadcastq_epi64(every_pair, two), index)}};
        } else {
            const __m128i four = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
            return {{_mm512_shuffle_epi8(_mm512_maskz_broadcast_i32x4(every_lane, four), index)}};
        }
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
    constexpr auto by = [](int from) { return (from - To) & 63; };
    const __m512i turns =
        _mm512_set_epi64(by(S3), by(S3), by(S2), by(S2), by(S1), by(S1), by(S0), by(S0));
    const __m512i turned = _mm512_maskz_rorv_epi64(every_pair, x.v[0], turns);
    if constexpr (Loose) return {{turned}};
    return {
        {_mm512_and_si512(turned, _mm512_set1_epi8(static_cast<char>(((1 << Width) - 1) << To)))}};
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

inline constexpr bool shuffles_quads = XSIMD_WITH_AVX2;

template <std::size_t Rows, class A>
[[nodiscard]] BPW_INLINE int16x<A> repeat_ints(const std::int32_t* p, xsimd::generic) noexcept {
    if constexpr (i32_batch<A>::size <= Rows) {
        return int16x<A>::make(
            [&](std::size_t i) { return i32_batch<A>(p[i * i32_batch<A>::size / Rows]); });
    } else {
        std::int32_t out[16];
        for (std::size_t i = 0; i < 16; ++i) out[i] = p[i / Rows];
        return int16x<A>::load(out);
    }
}
#if XSIMD_WITH_AVX2
template <std::size_t Rows, class A>
    requires(Rows == 4)
[[nodiscard]] BPW_INLINE int16x<A> repeat_ints(const std::int32_t* p, xsimd::avx2) noexcept {
    const __m128i four = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const auto from = [&](__m256i index) {
        return _mm256_permutevar8x32_epi32(_mm256_castsi128_si256(four), index);
    };
    return {{from(_mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1)),
             from(_mm256_setr_epi32(2, 2, 2, 2, 3, 3, 3, 3))}};
}
#endif
#if XSIMD_WITH_AVX512F
template <std::size_t Rows, class A>
[[nodiscard]] BPW_INLINE int16x<A> repeat_ints(const std::int32_t* p, xsimd::avx512f) noexcept {
    if constexpr (Rows == 16) {
        return {{i32_batch<A>(p[0])}};
    } else {
        static constexpr auto from = [] {
            std::array<std::int32_t, 16> out{};
            for (std::size_t i = 0; i < 16; ++i) out[i] = static_cast<std::int32_t>(i / Rows);
            return out;
        }();
        // Rows == 8 needs two of the four.
        const __m128i four = Rows == 8 ? _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))
                                       : _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
        return {{_mm512_maskz_permutexvar_epi32(every_lane, _mm512_loadu_si512(from.data()),
                                                _mm512_maskz_broadcast_i32x4(every_lane, four))}};
    }
}
#endif

}  // namespace detail

/// Whether repeat_quads() takes an operation for every register, so that quads that are used often
/// are better kept repeated.
template <std::size_t Rows>
inline constexpr bool keeps_repeated_quads = detail::shuffles_quads&& Rows == 4;

/// 16 / Rows quads of bytes, each `Rows` times: 4, 8 or 16 rows.
template <std::size_t Rows, class A>
[[nodiscard]] BPW_INLINE bytes64<A> repeat_quads(const std::int8_t* p) noexcept {
    return detail::repeat_quads<Rows, A>(p, A{});
}

/// Byte i of the result is p[From[i]], out of the 64 bytes at p.
template <const std::array<std::uint8_t, 64>& From, class A>
[[nodiscard]] BPW_INLINE bytes64<A> load_permuted(const std::uint8_t* p) noexcept {
    return detail::load_permuted<From, A>(p, A{});
}

/// 16 / Rows integers, each `Rows` times.
template <std::size_t Rows, class A>
[[nodiscard]] BPW_INLINE int16x<A> repeat_ints(const std::int32_t* p) noexcept {
    return detail::repeat_ints<Rows, A>(p, A{});
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
