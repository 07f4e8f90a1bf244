// Bytes and numbers that lie at fixed distances, and bytes moved within quarters of 16.
//
// Blocks put their scales between their codes. Where the codes of several blocks fill a vector, or
// one number of each of several blocks is wanted, these load them.
#pragma once

#include <bpw/simd/vector64.hpp>

#include <cstring>

BPW_NAMESPACE_BEGIN

namespace simd {

/// Where the four quarters of 64 bytes are read from.
using quarter_offsets = std::array<std::size_t, 4>;

namespace detail {

template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> load_quarters(const std::uint8_t* p, const quarter_offsets& at,
                                                  xsimd::generic) noexcept {
    if constexpr (u8_batch<A>::size == 16) {
        return bytes64<A>::make(
            [&](std::size_t i) { return u8_batch<A>::load_unaligned(p + at[i]); });
    } else {
        std::uint8_t all[64];
        for (std::size_t i = 0; i < 4; ++i) std::memcpy(all + 16 * i, p + at[i], 16);
        return bytes64<A>::load(all);
    }
}
#if XSIMD_WITH_AVX2
[[nodiscard]] BPW_INLINE __m256i load_halves_256(const std::uint8_t* low,
                                                 const std::uint8_t* high) noexcept {
    return _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(low))),
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(high)), 1);
}
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> load_quarters(const std::uint8_t* p, const quarter_offsets& at,
                                                  xsimd::avx2) noexcept {
    return {{load_halves_256(p + at[0], p + at[1]), load_halves_256(p + at[2], p + at[3])}};
}
#endif
#if XSIMD_WITH_AVX512BW
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> load_quarters(const std::uint8_t* p, const quarter_offsets& at,
                                                  xsimd::avx512bw) noexcept {
    if (at[0] == at[1] && at[1] == at[2] && at[2] == at[3]) {
        const auto* const from = reinterpret_cast<const __m128i*>(p + at[0]);
        return {{_mm512_maskz_broadcast_i32x4(every_lane, _mm_loadu_si128(from))}};
    }
    const auto ymm = [&](std::size_t i) {
        return at[i + 1] == at[i] + 16
                   ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + at[i]))
                   : load_halves_256(p + at[i], p + at[i + 1]);
    };
    return {{_mm512_maskz_inserti64x4(every_pair, _mm512_castsi256_si512(ymm(0)), ymm(2), 1)}};
}
#endif

template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> shuffle_quarters(const bytes64<A>& x,
                                                     const std::array<std::uint8_t, 64>& from,
                                                     xsimd::generic) noexcept {
    std::uint8_t in[64], out[64];
    x.store(in);
    for (std::size_t i = 0; i < 64; ++i) {
        out[i] = from[i] < 128 ? in[i / 16 * 16 + from[i] % 16] : std::uint8_t{0};
    }
    return bytes64<A>::load(out);
}
#if XSIMD_WITH_SSSE3
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> shuffle_quarters(const bytes64<A>& x,
                                                     const std::array<std::uint8_t, 64>& from,
                                                     xsimd::ssse3) noexcept {
    const auto index = bytes64<A>::load(from.data());
    return bytes64<A>::make([&](std::size_t i) { return _mm_shuffle_epi8(x.v[i], index.v[i]); });
}
#endif
#if XSIMD_WITH_AVX2
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> shuffle_quarters(const bytes64<A>& x,
                                                     const std::array<std::uint8_t, 64>& from,
                                                     xsimd::avx2) noexcept {
    const auto index = bytes64<A>::load(from.data());
    return bytes64<A>::make([&](std::size_t i) { return _mm256_shuffle_epi8(x.v[i], index.v[i]); });
}
#endif
#if XSIMD_WITH_AVX512BW
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> shuffle_quarters(const bytes64<A>& x,
                                                     const std::array<std::uint8_t, 64>& from,
                                                     xsimd::avx512bw) noexcept {
    return {{_mm512_shuffle_epi8(x.v[0], _mm512_loadu_si512(from.data()))}};
}
#endif
#if XSIMD_WITH_NEON64
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> shuffle_quarters(const bytes64<A>& x,
                                                     const std::array<std::uint8_t, 64>& from,
                                                     xsimd::neon64) noexcept {
    const auto index = bytes64<A>::load(from.data());
    return bytes64<A>::make([&](std::size_t i) { return vqtbl1q_u8(x.v[i], index.v[i]); });
}
#endif

template <int Value, class A>
[[nodiscard]] BPW_INLINE u8_batch<A> where_on(const u8_batch<A>& x, const u8_batch<A>& bits,
                                              xsimd::generic) noexcept {
    constexpr auto size = u8_batch<A>::size;
    std::uint8_t a[size], b[size];
    x.store_unaligned(a);
    bits.store_unaligned(b);
    for (std::size_t i = 0; i < size; ++i) a[i] = (a[i] & b[i]) != 0 ? Value : 0;
    return u8_batch<A>::load_unaligned(a);
}
#if XSIMD_WITH_SSE2
template <int Value, class A>
[[nodiscard]] BPW_INLINE u8_batch<A> where_on(const u8_batch<A>& x, const u8_batch<A>& bits,
                                              xsimd::sse2) noexcept {
    return _mm_and_si128(_mm_cmpeq_epi8(_mm_and_si128(x, bits), bits), _mm_set1_epi8(Value));
}
#endif
#if XSIMD_WITH_AVX2
template <int Value, class A>
[[nodiscard]] BPW_INLINE u8_batch<A> where_on(const u8_batch<A>& x, const u8_batch<A>& bits,
                                              xsimd::avx2) noexcept {
    return _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_and_si256(x, bits), bits),
                            _mm256_set1_epi8(Value));
}
#endif
#if XSIMD_WITH_AVX512BW
template <int Value, class A>
[[nodiscard]] BPW_INLINE u8_batch<A> where_on(const u8_batch<A>& x, const u8_batch<A>& bits,
                                              xsimd::avx512bw) noexcept {
    return _mm512_maskz_mov_epi8(_mm512_test_epi8_mask(x, bits), _mm512_set1_epi8(Value));
}
#endif
#if XSIMD_WITH_NEON64
template <int Value, class A>
[[nodiscard]] BPW_INLINE u8_batch<A> where_on(const u8_batch<A>& x, const u8_batch<A>& bits,
                                              xsimd::neon64) noexcept {
    return vandq_u8(vtstq_u8(x, bits), vdupq_n_u8(Value));
}
#endif

// Where From is 128 bytes of `under` stay.
template <const std::array<std::uint8_t, 64>& From, class A>
[[nodiscard]] BPW_INLINE bytes64<A> shuffle_over(const bytes64<A>& under, const bytes64<A>& x,
                                                 xsimd::generic tag) noexcept {
    static constexpr auto kept = [] {
        std::array<std::uint8_t, 64> out{};
        for (std::size_t i = 0; i < 64; ++i) out[i] = From[i] == 128 ? 255 : 0;
        return out;
    }();
    (void)tag;
    const auto keep = bytes64<A>::load(kept.data());
    const auto moved = shuffle_quarters<A>(x, From, A{});
    return bytes64<A>::make([&](std::size_t i) { return (under.v[i] & keep.v[i]) | moved.v[i]; });
}
#if XSIMD_WITH_AVX512BW
template <const std::array<std::uint8_t, 64>& From, class A>
[[nodiscard]] BPW_INLINE bytes64<A> shuffle_over(const bytes64<A>& under, const bytes64<A>& x,
                                                 xsimd::avx512bw) noexcept {
    constexpr std::uint64_t moved = [] {
        std::uint64_t mask = 0;
        for (std::size_t i = 0; i < 64; ++i) mask |= std::uint64_t{From[i] != 128} << i;
        return mask;
    }();
    return {{_mm512_mask_shuffle_epi8(under.v[0], moved, x.v[0], _mm512_loadu_si512(From.data()))}};
}
#endif

template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> with_last_quarter(const bytes64<A>& x, std::uint64_t low,
                                                      std::uint64_t high, xsimd::generic) noexcept {
    std::uint8_t all[64];
    x.store(all);
    std::memcpy(all + 48, &low, 8);
    std::memcpy(all + 56, &high, 8);
    return bytes64<A>::load(all);
}
#if XSIMD_WITH_SSE2
[[nodiscard]] BPW_INLINE __m128i two_words(std::uint64_t low, std::uint64_t high) noexcept {
    return _mm_set_epi64x(static_cast<long long>(high), static_cast<long long>(low));
}
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> with_last_quarter(const bytes64<A>& x, std::uint64_t low,
                                                      std::uint64_t high, xsimd::sse2) noexcept {
    return {{x.v[0], x.v[1], x.v[2], two_words(low, high)}};
}
#endif
#if XSIMD_WITH_AVX2
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> with_last_quarter(const bytes64<A>& x, std::uint64_t low,
                                                      std::uint64_t high, xsimd::avx2) noexcept {
    return {{x.v[0], _mm256_inserti128_si256(x.v[1], two_words(low, high), 1)}};
}
#endif
#if XSIMD_WITH_AVX512BW
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> with_last_quarter(const bytes64<A>& x, std::uint64_t low,
                                                      std::uint64_t high,
                                                      xsimd::avx512bw) noexcept {
    return {{_mm512_maskz_inserti32x4(every_lane, x.v[0], two_words(low, high), 3)}};
}
#endif
#if XSIMD_WITH_NEON64
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> with_last_quarter(const bytes64<A>& x, std::uint64_t low,
                                                      std::uint64_t high, xsimd::neon64) noexcept {
    const auto words = vcombine_u64(vcreate_u64(low), vcreate_u64(high));
    return {{x.v[0], x.v[1], x.v[2], vreinterpretq_u8_u64(words)}};
}
#endif

// Bit 0 of 64 words of 16 bits, four words to a multiplication that brings their bits together.
[[nodiscard]] BPW_INLINE std::uint64_t lowest_bits(const std::uint8_t* p, xsimd::generic) noexcept {
    std::uint64_t out = 0;
    for (std::size_t i = 0; i < 16; ++i) {
        std::uint64_t four = 0;
        std::memcpy(&four, p + 8 * i, 8);
        four = (four & 0x0001000100010001u) * 0x0001000200040008u >> 48 & 15u;
        out |= four << 4 * i;
    }
    return out;
}
#if XSIMD_WITH_SSE2
[[nodiscard]] BPW_INLINE std::uint64_t lowest_bits(const std::uint8_t* p, xsimd::sse2) noexcept {
    std::uint64_t out = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        const auto signs = [&](std::size_t n) {
            const auto* const from = reinterpret_cast<const __m128i*>(p + 16 * n);
            return _mm_slli_epi16(_mm_loadu_si128(from), 15);
        };
        const __m128i both = _mm_packs_epi16(signs(2 * i), signs(2 * i + 1));
        out |= std::uint64_t{static_cast<std::uint32_t>(_mm_movemask_epi8(both))} << 16 * i;
    }
    return out;
}
#endif
#if XSIMD_WITH_AVX512BW
[[nodiscard]] BPW_INLINE std::uint64_t lowest_bits(const std::uint8_t* p,
                                                   xsimd::avx512bw) noexcept {
    const __m512i one = _mm512_set1_epi16(1);
    const std::uint64_t low = _mm512_test_epi16_mask(_mm512_loadu_si512(p), one);
    const std::uint64_t high = _mm512_test_epi16_mask(_mm512_loadu_si512(p + 64), one);
    return low | high << 32;
}
#endif

template <class A>
[[nodiscard]] BPW_INLINE int16x<A> from_bytes(std::uint64_t low, std::uint64_t high,
                                              xsimd::generic) noexcept {
    std::int32_t out[16];
    for (std::size_t i = 0; i < 8; ++i) {
        out[i] = static_cast<std::int32_t>(low >> 8 * i & 255u);
        out[i + 8] = static_cast<std::int32_t>(high >> 8 * i & 255u);
    }
    return int16x<A>::load(out);
}
#if XSIMD_WITH_AVX2
template <class A>
[[nodiscard]] BPW_INLINE int16x<A> from_bytes(std::uint64_t low, std::uint64_t high,
                                              xsimd::avx2) noexcept {
    return {{_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<long long>(low))),
             _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<long long>(high)))}};
}
#endif
#if XSIMD_WITH_AVX512BW
template <class A>
[[nodiscard]] BPW_INLINE int16x<A> from_bytes(std::uint64_t low, std::uint64_t high,
                                              xsimd::avx512bw) noexcept {
    return {{_mm512_maskz_cvtepu8_epi32(every_lane, two_words(low, high))}};
}
#endif

template <const std::array<int, 16>& From, class A>
[[nodiscard]] BPW_INLINE int16x<A> bytes_of_word(std::uint64_t word, xsimd::generic) noexcept {
    std::int32_t out[16];
    for (std::size_t i = 0; i < 16; ++i) {
        out[i] = static_cast<std::int32_t>(word >> 8 * From[i] & 255u);
    }
    return int16x<A>::load(out);
}
// For shuffles that read zero where bit 7 is set.
template <const std::array<int, 16>& From>
alignas(64) inline constexpr auto places_in_word = [] {
    std::array<std::uint8_t, 64> out{};
    out.fill(128);
    for (std::size_t i = 0; i < 16; ++i) out[4 * i] = static_cast<std::uint8_t>(From[i]);
    return out;
}();
#if XSIMD_WITH_SSSE3
template <const std::array<int, 16>& From, class A>
[[nodiscard]] BPW_INLINE int16x<A> bytes_of_word(std::uint64_t word, xsimd::ssse3) noexcept {
    const auto from = bytes64<A>::load(places_in_word<From>.data());
    return int16x<A>::make([&](std::size_t i) -> i32_batch<A> {
        return _mm_shuffle_epi8(two_words(word, word), from.v[i]);
    });
}
#endif
#if XSIMD_WITH_AVX2
template <const std::array<int, 16>& From, class A>
[[nodiscard]] BPW_INLINE int16x<A> bytes_of_word(std::uint64_t word, xsimd::avx2) noexcept {
    const __m256i all = _mm256_set1_epi64x(static_cast<long long>(word));
    const auto from = bytes64<A>::load(places_in_word<From>.data());
    return int16x<A>::make(
        [&](std::size_t i) -> i32_batch<A> { return _mm256_shuffle_epi8(all, from.v[i]); });
}
#endif
#if XSIMD_WITH_AVX512BW
template <const std::array<int, 16>& From, class A>
[[nodiscard]] BPW_INLINE int16x<A> bytes_of_word(std::uint64_t word, xsimd::avx512bw) noexcept {
    return {{_mm512_shuffle_epi8(_mm512_set1_epi64(static_cast<long long>(word)),
                                 _mm512_load_si512(places_in_word<From>.data()))}};
}
#endif
#if XSIMD_WITH_NEON64
template <const std::array<int, 16>& From, class A>
[[nodiscard]] BPW_INLINE int16x<A> bytes_of_word(std::uint64_t word, xsimd::neon64) noexcept {
    const uint8x16_t all = vreinterpretq_u8_u64(vdupq_n_u64(word));
    const auto from = bytes64<A>::load(places_in_word<From>.data());
    return int16x<A>::make([&](std::size_t i) -> i32_batch<A> {
        return vreinterpretq_s32_u8(vqtbl1q_u8(all, from.v[i]));
    });
}
#endif

using octet_shifts = std::array<int, 8>;

// Bits of each octet from its own bit on, moved to bit To, not yet masked: bits of neighbouring
// bytes may come in beside them.
template <int To, class A>
[[nodiscard]] BPW_INLINE bytes64<A> move_octets(const bytes64<A>& x, const octet_shifts& from,
                                                xsimd::generic) noexcept {
    std::uint8_t all[64];
    x.store(all);
    for (std::size_t i = 0; i < 64; ++i) {
        all[i] = static_cast<std::uint8_t>(all[i] >> from[i / 8] << To);
    }
    return bytes64<A>::load(all);
}
#if XSIMD_WITH_SSE2
template <int To, class A>
[[nodiscard]] BPW_INLINE bytes64<A> move_octets(const bytes64<A>& x, const octet_shifts& from,
                                                xsimd::sse2) noexcept {
    return bytes64<A>::make([&](std::size_t i) -> u8_batch<A> {
        const auto moved = [&](int bit) {
            return bit >= To ? _mm_srli_epi64(x.v[i], bit - To) : _mm_slli_epi64(x.v[i], To - bit);
        };
        const __m128i low = moved(from[2 * i]);
        if (from[2 * i] == from[2 * i + 1]) return low;
        const __m128i high = moved(from[2 * i + 1]);
        return _mm_castpd_si128(_mm_move_sd(_mm_castsi128_pd(high), _mm_castsi128_pd(low)));
    });
}
#endif
#if XSIMD_WITH_AVX2
template <int To, class A>
[[nodiscard]] BPW_INLINE bytes64<A> move_octets(const bytes64<A>& x, const octet_shifts& from,
                                                xsimd::avx2) noexcept {
    return bytes64<A>::make([&](std::size_t i) -> u8_batch<A> {
        const auto* const bit = &from[4 * i];
        const __m256i low =
            _mm256_srlv_epi64(x.v[i], _mm256_setr_epi64x(bit[0], bit[1], bit[2], bit[3]));
        return To == 0 ? low : _mm256_slli_epi64(low, To);
    });
}
#endif
#if XSIMD_WITH_NEON64
template <int To, class A>
[[nodiscard]] BPW_INLINE bytes64<A> move_octets(const bytes64<A>& x, const octet_shifts& from,
                                                xsimd::neon64) noexcept {
    return bytes64<A>::make([&](std::size_t i) -> u8_batch<A> {
        const auto by = [&](std::size_t octet) {
            return vdup_n_s8(static_cast<std::int8_t>(To - from[octet]));
        };
        return vshlq_u8(x.v[i], vcombine_s8(by(2 * i), by(2 * i + 1)));
    });
}
#endif

template <int Width, int To, int... From, class A>
[[nodiscard]] BPW_INLINE bytes64<A> fields_of_octets(const bytes64<A>& x, xsimd::generic) noexcept {
    const auto moved = move_octets<To, A>(x, {From...}, A{});
    return moved & bytes64<A>::all(static_cast<std::uint8_t>(((1 << Width) - 1) << To));
}
#if XSIMD_WITH_AVX512BW
template <int Width, int To, int... From, class A>
[[nodiscard]] BPW_INLINE bytes64<A> fields_of_octets(const bytes64<A>& x,
                                                     xsimd::avx512bw) noexcept {
    return {{octet_fields<Width, To, false, From...>(x.v[0])}};
}
#endif

// Whether bit i of a word stands for byte i.
#if XSIMD_WITH_AVX512BW
template <class A>
inline constexpr bool masks_are_bits = std::is_base_of_v<xsimd::avx512bw, A>;
#else
template <class A>
inline constexpr bool masks_are_bits = false;
#endif

template <int Value, class A>
[[nodiscard]] BPW_INLINE bytes64<A> add_where(const bytes64<A>& x, std::uint64_t bits,
                                              xsimd::generic) noexcept {
    std::uint8_t all[64];
    x.store(all);
    for (std::size_t i = 0; i < 64; ++i) {
        all[i] = static_cast<std::uint8_t>(all[i] + (bits >> i & 1) * Value);
    }
    return bytes64<A>::load(all);
}
#if XSIMD_WITH_AVX512BW
template <int Value, class A>
[[nodiscard]] BPW_INLINE bytes64<A> add_where(const bytes64<A>& x, std::uint64_t bits,
                                              xsimd::avx512bw) noexcept {
    return {{_mm512_mask_add_epi8(x.v[0], bits, x.v[0], _mm512_set1_epi8(Value))}};
}
#endif

// Number From[i] of sixteen of which 16 / Count neighbours are the same.
template <std::size_t Count, const std::array<int, 16>& From>
[[nodiscard]] constexpr std::size_t number_of_lane(std::size_t i) noexcept {
    return static_cast<std::size_t>(From[i]) * Count / 16;
}

// Sixteen numbers of `Bytes` bytes in lanes of `Lane` bytes, `Count` of them at `Stride` and each
// in 16 / Count lanes: which bytes of which windows of 64 they are.
template <std::size_t Lane, std::size_t Bytes, std::size_t Stride, std::size_t Count,
          const std::array<int, 16>& From>
struct window_plan {
    static constexpr std::size_t extent = Stride * (Count - 1) + Bytes;
    static constexpr std::size_t per_window = (64 - Bytes) / Stride + 1;
    static constexpr std::size_t windows = (Count + per_window - 1) / per_window;
    // The last window ends with the last number, so that nothing behind it is read.
    static constexpr std::size_t start(std::size_t window) {
        const auto from = window * per_window * Stride;
        return window + 1 == windows && extent >= 64 ? extent - 64 : from;
    }
    struct permutation {
        alignas(64) std::array<std::uint8_t, 64> from{};
        std::uint64_t mask = 0;
    };
    template <std::size_t Window>
    static constexpr permutation of = [] {
        permutation out{};
        for (std::size_t i = 0; i < 16; ++i) {
            const auto n = number_of_lane<Count, From>(i);
            if (n / per_window != Window) continue;
            for (std::size_t b = 0; b < Bytes; ++b) {
                out.from[Lane * i + b] = static_cast<std::uint8_t>(Stride * n + b - start(Window));
                out.mask |= std::uint64_t{1} << (Lane * i + b);
            }
        }
        return out;
    }();
    // Readable bytes where the numbers span less than a window.
    static constexpr std::uint64_t readable =
        extent >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << extent) - 1;
};

#if XSIMD_WITH_AVX512VBMI
template <class Plan>
[[nodiscard]] BPW_INLINE __m512i permute_windows(const std::uint8_t* p) noexcept {
    const auto window = [&]<std::size_t Window>() {
        const auto* const from = p + Plan::start(Window);
        return Plan::extent >= 64 ? _mm512_loadu_si512(from)
                                  : _mm512_maskz_loadu_epi8(Plan::readable, from);
    };
    __m512i out = _mm512_maskz_permutexvar_epi8(Plan::template of<0>.mask,
                                                _mm512_load_si512(Plan::template of<0>.from.data()),
                                                window.template operator()<0>());
    [&]<std::size_t... Window>(std::index_sequence<Window...>) {
        ((out = _mm512_mask_permutexvar_epi8(
              out, Plan::template of<Window + 1>.mask,
              _mm512_load_si512(Plan::template of<Window + 1>.from.data()),
              window.template operator()<Window + 1>())),
         ...);
    }
    (std::make_index_sequence<Plan::windows - 1>{});
    return out;
}
#endif

template <std::size_t Stride, std::size_t Count, class A, const std::array<int, 16>& From>
[[nodiscard]] BPW_INLINE float16<A> strided_halves(const std::uint8_t* p, xsimd::generic) noexcept {
    std::uint16_t bits[16];
    for (std::size_t i = 0; i < 16; ++i) {
        const auto* const at = p + Stride * number_of_lane<Count, From>(i);
        bits[i] = static_cast<std::uint16_t>(at[0] | at[1] << 8);
    }
    return simd::from_halves<A>(bits);
}
#if XSIMD_WITH_AVX2 && defined(__F16C__)
template <std::size_t Stride, std::size_t Count, class A, const std::array<int, 16>& From>
[[nodiscard]] BPW_INLINE float16<A> strided_halves(const std::uint8_t* p, xsimd::avx2) noexcept {
    const auto at = [&](std::size_t i) {
        std::int16_t half = 0;
        if (i < Count) std::memcpy(&half, p + Stride * i, 2);
        return half;
    };
    const __m256 few =
        _mm256_cvtph_ps(_mm_setr_epi16(at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7)));
    const auto spread_from = [&](std::size_t first) {
        const auto of = [&](std::size_t lane) {
            return static_cast<int>(number_of_lane<Count, From>(first + lane));
        };
        return _mm256_permutevar8x32_ps(
            few, _mm256_setr_epi32(of(0), of(1), of(2), of(3), of(4), of(5), of(6), of(7)));
    };
    return {{spread_from(0), spread_from(8)}};
}
#endif
#if XSIMD_WITH_AVX512BW
template <std::size_t Stride, std::size_t Count, class A, const std::array<int, 16>& From>
[[nodiscard]] BPW_INLINE float16<A> strided_halves(const std::uint8_t* p,
                                                   xsimd::avx512bw) noexcept {
    if constexpr (Count == 1) {
        std::int16_t half = 0;
        std::memcpy(&half, p, 2);
        return {{_mm512_maskz_cvtph_ps(every_lane, _mm256_set1_epi16(half))}};
    } else {
#if XSIMD_WITH_AVX512VBMI
        const __m512i halves = permute_windows<window_plan<2, 2, Stride, Count, From>>(p);
        return {{_mm512_maskz_cvtph_ps(every_lane,
                                       _mm512_maskz_extracti64x4_epi64(every_pair, halves, 0))}};
#else
        const auto few =
            strided_halves<Stride, Count, xsimd::fma3<xsimd::avx2>, From>(p, xsimd::avx2{});
        return {{_mm512_insertf32x8(_mm512_castps256_ps512(few.v[0]), few.v[1], 1)}};
#endif
    }
}
#endif

template <std::size_t Stride, std::size_t Count, class A, const std::array<int, 16>& From>
[[nodiscard]] BPW_INLINE int16x<A> strided_bytes(const std::uint8_t* p, xsimd::generic) noexcept {
    std::int32_t out[16];
    for (std::size_t i = 0; i < 16; ++i) out[i] = p[Stride * number_of_lane<Count, From>(i)];
    return int16x<A>::load(out);
}
#if XSIMD_WITH_AVX2
template <std::size_t Stride, std::size_t Count, class A, const std::array<int, 16>& From>
[[nodiscard]] BPW_INLINE int16x<A> strided_bytes(const std::uint8_t* p, xsimd::avx2) noexcept {
    const auto at = [&](std::size_t i) {
        return static_cast<char>(p[Stride * number_of_lane<Count, From>(i)]);
    };
    const __m128i bytes = _mm_setr_epi8(at(0), at(2), at(4), at(6), at(8), at(10), at(12), at(14),
                                        0, 0, 0, 0, 0, 0, 0, 0);
    static_assert(Count <= 8 && [] {
        for (std::size_t i = 0; i < 16; ++i) {
            if (number_of_lane<Count, From>(i) != number_of_lane<Count, From>(i / 2 * 2))
                return false;
        }
        return true;
    }());
    const __m128i twice = _mm_unpacklo_epi8(bytes, bytes);
    return {{_mm256_cvtepu8_epi32(twice), _mm256_cvtepu8_epi32(_mm_srli_si128(twice, 8))}};
}
#endif
#if XSIMD_WITH_AVX512VBMI
template <std::size_t Stride, std::size_t Count, class A, const std::array<int, 16>& From>
[[nodiscard]] BPW_INLINE int16x<A> strided_bytes(const std::uint8_t* p,
                                                 xsimd::avx512vbmi) noexcept {
    return {{permute_windows<window_plan<4, 1, Stride, Count, From>>(p)}};
}
#elif XSIMD_WITH_AVX512BW
template <std::size_t Stride, std::size_t Count, class A, const std::array<int, 16>& From>
[[nodiscard]] BPW_INLINE int16x<A> strided_bytes(const std::uint8_t* p, xsimd::avx512bw) noexcept {
    const auto few = strided_bytes<Stride, Count, xsimd::fma3<xsimd::avx2>, From>(p, xsimd::avx2{});
    return {{_mm512_inserti32x8(_mm512_castsi256_si512(few.v[0]), few.v[1], 1)}};
}
#endif

}  // namespace detail

/// 64 bytes out of four runs of 16, at p + at[0] ... p + at[3].
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> load_quarters(const std::uint8_t* p,
                                                  const quarter_offsets& at) noexcept {
    return detail::load_quarters<A>(p, at, A{});
}

/// 64 bytes out of pieces of `Piece` bytes (16, 32 or 64), `Stride` from one to the next.
template <std::size_t Piece, std::size_t Stride, class A>
[[nodiscard]] BPW_INLINE bytes64<A> load_pieces(const std::uint8_t* p) noexcept {
    static_assert(Piece == 16 || Piece == 32 || Piece == 64);
    if constexpr (Piece == 64 || Stride == Piece) {
        return bytes64<A>::load(p);
    } else {
        constexpr auto at = [](std::size_t i) { return 16 * i / Piece * Stride + 16 * i % Piece; };
        return load_quarters<A>(p, {at(0), at(1), at(2), at(3)});
    }
}

/// Byte i is byte from[i] of its own run of 16 of x; zero where from[i] is 128.
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> shuffle_quarters(
    const bytes64<A>& x, const std::array<std::uint8_t, 64>& from) noexcept {
    return detail::shuffle_quarters<A>(x, from, A{});
}

/// Byte i is byte From[i] of its own run of 16 of x; where From[i] is 128, byte i of `under` stays.
template <const std::array<std::uint8_t, 64>& From, class A>
[[nodiscard]] BPW_INLINE bytes64<A> shuffle_quarters_over(const bytes64<A>& under,
                                                          const bytes64<A>& x) noexcept {
    return detail::shuffle_over<From, A>(under, x, A{});
}

/// x with other bytes 48..63: those of two words, the lowest byte first.
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> with_last_quarter(const bytes64<A>& x, std::uint64_t low,
                                                      std::uint64_t high) noexcept {
    return detail::with_last_quarter<A>(x, low, high, A{});
}
/// x with other bytes 48..63: those at p.
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> with_last_quarter(const bytes64<A>& x,
                                                      const std::uint8_t* p) noexcept {
    std::uint64_t words[2];
    std::memcpy(words, p, 16);
    return detail::with_last_quarter<A>(x, words[0], words[1], A{});
}

/// Bit 0 of each of 64 words of 16 bits.
template <class A>
[[nodiscard]] BPW_INLINE std::uint64_t lowest_bits_of_words(const std::uint8_t* p) noexcept {
    return detail::lowest_bits(p, A{});
}

/// Sixteen bytes as integers, those of `low` first.
template <class A>
[[nodiscard]] BPW_INLINE int16x<A> from_bytes(std::uint64_t low, std::uint64_t high) noexcept {
    return detail::from_bytes<A>(low, high, A{});
}

/// Bytes From[0] ... From[15] of a word, all below 8, as integers; byte 0 is the lowest.
template <const std::array<int, 16>& From, class A>
[[nodiscard]] BPW_INLINE int16x<A> bytes_of_word(std::uint64_t word) noexcept {
    return detail::bytes_of_word<From, A>(word, A{});
}

/// `Value` where the one bit of `bit[i]` is set in byte i of x, else zero.
template <int Value, class A>
[[nodiscard]] BPW_INLINE bytes64<A> where_bit(const bytes64<A>& x,
                                              const std::array<std::uint8_t, 64>& bit) noexcept {
    const auto bits = bytes64<A>::load(bit.data());
    return bytes64<A>::make(
        [&](std::size_t i) { return detail::where_on<Value, A>(x.v[i], bits.v[i], A{}); });
}

/// Whether add_where() is one operation.
template <class A>
inline constexpr bool masks_are_bits = detail::masks_are_bits<A>;
/// x, and Value more in byte i where bit i is set.
template <int Value, class A>
[[nodiscard]] BPW_INLINE bytes64<A> add_where(const bytes64<A>& x, std::uint64_t bits) noexcept {
    return detail::add_where<Value, A>(x, bits, A{});
}

/// Bits From[i] ... From[i] + Width - 1 of every byte of octet i, at bits To ... of the result.
template <int Width, int To, int... From, class A>
[[nodiscard]] BPW_INLINE bytes64<A> fields_of_octets(const bytes64<A>& x) noexcept {
    static_assert(sizeof...(From) == 8);
    return detail::fields_of_octets<Width, To, From...>(x, A{});
}

/// `Count` (1, 2, 4 or 8) IEEE halves at p, p + Stride, ..., each in 16 / Count neighbouring lanes;
/// of these, lane i is lane From[i].
template <std::size_t Stride, std::size_t Count, class A,
          const std::array<int, 16>& From = in_place>
[[nodiscard]] BPW_INLINE float16<A> strided_halves(const std::uint8_t* p) noexcept {
    static_assert(Count == 1 || Count == 2 || Count == 4 || Count == 8);
    return detail::strided_halves<Stride, Count, A, From>(p, A{});
}

/// `Count` (1, 2, 4 or 8) bytes at p, p + Stride, ..., each in 16 / Count neighbouring lanes; of
/// these, lane i is lane From[i].
template <std::size_t Stride, std::size_t Count, class A,
          const std::array<int, 16>& From = in_place>
[[nodiscard]] BPW_INLINE int16x<A> strided_bytes(const std::uint8_t* p) noexcept {
    static_assert(Count == 1 || Count == 2 || Count == 4 || Count == 8);
    return detail::strided_bytes<Stride, Count, A, From>(p, A{});
}

namespace detail {

template <std::size_t At, std::size_t Size, class A>
[[nodiscard]] BPW_INLINE float16<A> half_everywhere(const std::uint8_t* p,
                                                    xsimd::generic) noexcept {
    return float16<A>::all(half_to_float(static_cast<std::uint32_t>(p[At] | p[At + 1] << 8)));
}
#if XSIMD_WITH_AVX2 && defined(__F16C__)
// Eight halves from memory take one operation, where one half takes three.
template <std::size_t At, std::size_t Size>
[[nodiscard]] BPW_INLINE __m256 eight_around(const std::uint8_t* p) noexcept {
    constexpr std::size_t first = std::min(At, Size - 16);
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + first)));
}
template <std::size_t At, std::size_t Size>
inline constexpr std::size_t place_of_eight = (At - std::min(At, Size - 16)) / 2;

template <std::size_t At, std::size_t Size, class A>
    requires(Size >= 16)
[[nodiscard]] BPW_INLINE float16<A> half_everywhere(const std::uint8_t* p, xsimd::avx2) noexcept {
    constexpr int place = static_cast<int>(place_of_eight<At, Size>);
    const __m256 all =
        _mm256_permutevar8x32_ps(eight_around<At, Size>(p), _mm256_set1_epi32(place));
    return {{all, all}};
}
#endif
#if XSIMD_WITH_AVX512F
// From memory a number is spread by the load, which leaves the ports of vectors to others. What is
// written as a store and a load would be made a permutation.
template <std::size_t At, std::size_t Size, class A>
    requires(Size >= 16)
[[nodiscard]] BPW_INLINE float16<A> half_everywhere(const std::uint8_t* p,
                                                    xsimd::avx512f) noexcept {
    alignas(32) float eight[8];
    _mm256_store_ps(eight, eight_around<At, Size>(p));
    __m512 all;
    asm("vbroadcastss %1, %0" : "=v"(all) : "m"(eight[place_of_eight<At, Size>]));
    return {{all}};
}
#endif

template <std::size_t Run, std::size_t Stride, class A>
[[nodiscard]] BPW_INLINE float16<A> runs_of_halves(const std::uint8_t* p, xsimd::generic) noexcept {
    std::uint16_t bits[16];
    for (std::size_t i = 0; i < 16; i += Run) std::memcpy(bits + i, p + i / Run * Stride, 2 * Run);
    return simd::from_halves<A>(bits);
}
#if XSIMD_WITH_AVX2 && defined(__F16C__)
// What is stored in halves cannot be loaded as one soon.
template <std::size_t Run, std::size_t Stride, class A>
    requires(Run == 8)
[[nodiscard]] BPW_INLINE float16<A> runs_of_halves(const std::uint8_t* p, xsimd::avx2) noexcept {
    const auto at = [&](std::size_t run) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + run * Stride));
    };
    return {{_mm256_cvtph_ps(at(0)), _mm256_cvtph_ps(at(1))}};
}
#endif
#if XSIMD_WITH_AVX512F
template <std::size_t Run, std::size_t Stride, class A>
    requires(Run == 8)
[[nodiscard]] BPW_INLINE float16<A> runs_of_halves(const std::uint8_t* p, xsimd::avx512f) noexcept {
    const auto at = [&](std::size_t run) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + run * Stride));
    };
    const __m256i all = _mm256_inserti128_si256(_mm256_castsi128_si256(at(0)), at(1), 1);
    return {{_mm512_maskz_cvtph_ps(every_lane, all)}};
}
#endif

template <class A>
[[nodiscard]] BPW_INLINE float16<A> repeated_halves(const std::uint8_t* p,
                                                    xsimd::generic) noexcept {
    std::uint16_t two[2];
    std::memcpy(two, p, 4);
    const std::array<float, 2> x{half_to_float(two[0]), half_to_float(two[1])};
    float out[16];
    for (std::size_t i = 0; i < 16; ++i) out[i] = x[i % 2];
    return float16<A>::load(out);
}
#if XSIMD_WITH_AVX2 && defined(__F16C__)
template <class A>
[[nodiscard]] BPW_INLINE float16<A> repeated_halves(const std::uint8_t* p, xsimd::avx2) noexcept {
    std::int32_t two = 0;
    std::memcpy(&two, p, 4);
    const __m256 x = _mm256_cvtph_ps(_mm_set1_epi32(two));
    return {{x, x}};
}
#endif
#if XSIMD_WITH_AVX512F
template <class A>
[[nodiscard]] BPW_INLINE float16<A> repeated_halves(const std::uint8_t* p,
                                                    xsimd::avx512f) noexcept {
    std::int32_t two = 0;
    std::memcpy(&two, p, 4);
    return {{_mm512_maskz_cvtph_ps(every_lane, _mm256_set1_epi32(two))}};
}
#endif

}  // namespace detail

/// Two IEEE halves as floats, eight times.
template <class A>
[[nodiscard]] BPW_INLINE float16<A> repeated_halves(const std::uint8_t* p) noexcept {
    return detail::repeated_halves<A>(p, A{});
}

/// The IEEE half at p + At, in all lanes; At is even, and the Size bytes at p may be read.
template <std::size_t At, std::size_t Size, class A>
[[nodiscard]] BPW_INLINE float16<A> half_everywhere(const std::uint8_t* p) noexcept {
    static_assert(At + 2 <= Size && ((At - std::min(At, Size - 16)) % 2 == 0 || Size < 16));
    return detail::half_everywhere<At, Size, A>(p, A{});
}

/// Sixteen IEEE halves: runs of Run (4, 8 or 16) at p, p + Stride, ...
template <std::size_t Run, std::size_t Stride, class A>
[[nodiscard]] BPW_INLINE float16<A> runs_of_halves(const std::uint8_t* p) noexcept {
    static_assert(Run == 4 || Run == 8 || Run == 16);
    return detail::runs_of_halves<Run, Stride, A>(p, A{});
}

}  // namespace simd

BPW_NAMESPACE_END
