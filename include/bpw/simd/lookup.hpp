// Lookups in tables of codebooks, and the bits of thirty-two small numbers at a time.
//
// Every operation has a generic form through memory and overloads for the archs that have
// instructions for it; all give the same bits.
#pragma once

#include <bpw/simd/vector64.hpp>

#include <bit>
#include <cstring>

BPW_NAMESPACE_BEGIN

namespace simd {

/// Thirty-two numbers of 16 bits.
template <class A>
struct words32 {
    using vector = xsimd::batch<std::uint16_t, A>;
    static constexpr std::size_t per_vector = vector::size;
    registers<vector, 32 / per_vector> v;

    [[nodiscard]] BPW_INLINE static words32 load(const std::uint16_t* p) noexcept {
        return make([&](std::size_t i) { return vector::load_unaligned(p + i * per_vector); });
    }
    template <class F>
    [[nodiscard]] BPW_INLINE static words32 make(F f) noexcept {
        words32 out;
        for (std::size_t i = 0; i < out.v.size(); ++i) out.v[i] = f(i);
        return out;
    }
    [[nodiscard]] BPW_INLINE static words32 from_bytes(const bytes64<A>& x) noexcept {
        return make([&](std::size_t i) { return xsimd::bitwise_cast<std::uint16_t>(x.v[i]); });
    }
    void store(std::uint16_t* p) const noexcept {
        for (std::size_t i = 0; i < v.size(); ++i) v[i].store_unaligned(p + i * per_vector);
    }
    template <int By>
    [[nodiscard]] BPW_INLINE words32 shifted_left() const noexcept;
    template <int By>
    [[nodiscard]] BPW_INLINE words32 shifted_right() const noexcept;
    [[nodiscard]] BPW_INLINE friend words32 operator|(const words32& a, const words32& b) noexcept {
        return make([&](std::size_t i) { return a.v[i] | b.v[i]; });
    }
    [[nodiscard]] BPW_INLINE friend words32 operator&(const words32& a, std::uint16_t b) noexcept {
        return make([&](std::size_t i) { return a.v[i] & vector(b); });
    }
    /// Every bit of a word as its highest.
    [[nodiscard]] BPW_INLINE words32 filled_by_top_bit() const noexcept;
    /// Words 16 Half ... 16 Half + 15 as integers.
    template <int Half>
    [[nodiscard]] BPW_INLINE int16x<A> widened() const noexcept;
    /// The bytes of the words, lowest first.
    [[nodiscard]] BPW_INLINE bytes64<A> as_bytes() const noexcept {
        return bytes64<A>::make(
            [&](std::size_t i) { return xsimd::bitwise_cast<std::uint8_t>(v[i]); });
    }
};

/// Where thirty-two numbers of `width` bits lie, by the bit at which each begins. Every eight of
/// them lie within 16 bytes, all within 64, and each within two bytes.
struct word_plan {
    int width = 0;
    std::size_t window[4]{};  ///< the 16 bytes that hold numbers 8 i ... 8 i + 7
    std::uint8_t byte[64]{};  ///< from there, the two bytes of each number; 128 reads as zero
    std::uint16_t multiplier[32]{};  ///< moves a number to the top of its 16 bits
    bool aligned = true;             ///< all numbers begin with a byte
    std::size_t first = 0;           ///< the 64 bytes that hold all
    std::size_t bytes = 0;           ///< how many of them belong to the block
    std::uint8_t wide_byte[64]{};    ///< from there, the two bytes of each number
    std::uint8_t bit[64]{};          ///< in 8 of those bytes, where the low and high byte begin
    std::uint8_t bit_twice[64]{};    ///< the same with the low byte twice
    bool local = true;               ///< the bits are in the 8 bytes where they are wanted

    /// `at(n)` is the bit of number n, counted from a block of `block_bytes` bytes.
    template <class At>
    [[nodiscard]] static constexpr word_plan make(int width, std::size_t block_bytes, At at) {
        word_plan out;
        out.width = width;
        std::size_t least = block_bytes;
        for (int n = 0; n < 32; ++n) least = std::min(least, at(n) / 8);
        // One window for all fields of a short block, so that it is loaded once.
        out.first = block_bytes < 64 ? 0 : std::min(least, block_bytes - 64);
        out.bytes = std::min<std::size_t>(64, block_bytes - out.first);
        for (int n = 0; n < 32; ++n) {
            const auto i = static_cast<std::size_t>(n);
            auto& window = out.window[i / 8];
            if (n % 8 == 0) {
                window = block_bytes;
                for (int k = n; k < n + 8; ++k) window = std::min(window, at(k) / 8);
                window = std::min(window, block_bytes - 16);
            }
            const auto bit = at(n);
            const auto shift = static_cast<int>(bit % 8);
            const bool crosses = shift + width > 8;
            const auto past = (bit + static_cast<std::size_t>(width) + 7) / 8;
            if (past > window + 16) throw "eight neighbouring numbers are not within 16 bytes";
            if (past > out.first + 64) throw "the numbers are not within 64 bytes";
            const auto byte = static_cast<std::uint8_t>(bit / 8 - window);
            const auto wide = static_cast<std::uint8_t>(bit / 8 - out.first);
            out.byte[2 * i] = byte;
            out.byte[2 * i + 1] = crosses ? static_cast<std::uint8_t>(byte + 1) : 128;
            out.multiplier[i] = static_cast<std::uint16_t>(1u << (16 - width - shift));
            out.aligned = out.aligned && shift == 0;
            out.wide_byte[2 * i] = wide;
            out.wide_byte[2 * i + 1] = crosses ? static_cast<std::uint8_t>(wide + 1) : wide;
            const auto from = bit - 8 * out.first;
            out.local = out.local && from / 64 == i / 4 &&
                        (from + static_cast<std::size_t>(width) - 1) / 64 == i / 4;
        }
        for (int n = 0; n < 32; ++n) {
            const auto i = static_cast<std::size_t>(n);
            const auto from = out.local ? (at(n) - 8 * out.first) % 64 : 16 * (i % 4) + at(n) % 8;
            out.bit[2 * i] = out.bit_twice[2 * i] = out.bit_twice[2 * i + 1] =
                static_cast<std::uint8_t>(from);
            out.bit[2 * i + 1] = static_cast<std::uint8_t>((from + 8) % 64);
        }
        return out;
    }
};

/// A table of 16 bytes, as lookup_nibble wants it.
struct alignas(64) nibble_table {
    std::array<std::uint8_t, 64> four_times{};

    constexpr void set(std::size_t nibble, std::uint8_t value) noexcept {
        for (std::size_t i = nibble; i < 64; i += 16) four_times[i] = value;
    }
};

/// A codebook of vectors that take 16 bits each.
template <std::size_t Entries>
struct alignas(64) word_table {
    std::uint16_t once[Entries];
    std::uint32_t twice[Entries];  ///< each in both halves

    [[nodiscard]] static constexpr word_table make(const std::array<std::uint16_t, Entries>& from) {
        word_table out{};
        for (std::size_t i = 0; i < Entries; ++i) {
            out.once[i] = from[i];
            out.twice[i] = from[i] * 0x10001u;
        }
        return out;
    }
};

/// A codebook of vectors that take two bytes each.
template <std::size_t Entries>
struct alignas(64) pair_table {
    std::uint8_t first[Entries];
    std::uint8_t second[Entries];
    std::uint32_t both[Entries];  ///< first in the lowest byte, second in the third

    [[nodiscard]] static constexpr pair_table make(const std::array<std::uint16_t, Entries>& from) {
        pair_table out{};
        for (std::size_t i = 0; i < Entries; ++i) {
            out.first[i] = static_cast<std::uint8_t>(from[i] & 255);
            out.second[i] = static_cast<std::uint8_t>(from[i] >> 8);
            out.both[i] = std::uint32_t{out.first[i]} | std::uint32_t{out.second[i]} << 16;
        }
        return out;
    }
};

namespace detail {

template <class A>
using u16_batch = xsimd::batch<std::uint16_t, A>;

template <int By, class A>
[[nodiscard]] BPW_INLINE u16_batch<A> shift_words(const u16_batch<A>& x, xsimd::generic) noexcept {
    if constexpr (By < 0)
        return x >> -By;
    else
        return x << By;
}
#if XSIMD_WITH_SSE2
template <int By, class A>
[[nodiscard]] BPW_INLINE u16_batch<A> shift_words(const u16_batch<A>& x, xsimd::sse2) noexcept {
    if constexpr (By < 0)
        return _mm_srli_epi16(x, -By);
    else
        return _mm_slli_epi16(x, By);
}
#endif
#if XSIMD_WITH_AVX2
template <int By, class A>
[[nodiscard]] BPW_INLINE u16_batch<A> shift_words(const u16_batch<A>& x, xsimd::avx2) noexcept {
    if constexpr (By < 0)
        return _mm256_srli_epi16(x, -By);
    else
        return _mm256_slli_epi16(x, By);
}
#endif
#if XSIMD_WITH_AVX512BW
template <int By, class A>
[[nodiscard]] BPW_INLINE u16_batch<A> shift_words(const u16_batch<A>& x, xsimd::avx512bw) noexcept {
    if constexpr (By < 0)
        return _mm512_srli_epi16(x, -By);
    else
        return _mm512_slli_epi16(x, By);
}
#endif

template <class A>
[[nodiscard]] BPW_INLINE u16_batch<A> fill_words(const u16_batch<A>& x, xsimd::generic) noexcept {
    return u16_batch<A>(0) - shift_words<-15, A>(x, A{});
}
#if XSIMD_WITH_SSE2
template <class A>
[[nodiscard]] BPW_INLINE u16_batch<A> fill_words(const u16_batch<A>& x, xsimd::sse2) noexcept {
    return _mm_srai_epi16(x, 15);
}
#endif
#if XSIMD_WITH_AVX2
template <class A>
[[nodiscard]] BPW_INLINE u16_batch<A> fill_words(const u16_batch<A>& x, xsimd::avx2) noexcept {
    return _mm256_srai_epi16(x, 15);
}
#endif
#if XSIMD_WITH_AVX512BW
template <class A>
[[nodiscard]] BPW_INLINE u16_batch<A> fill_words(const u16_batch<A>& x, xsimd::avx512bw) noexcept {
    return _mm512_srai_epi16(x, 15);
}
#endif

template <int Half, class A>
[[nodiscard]] BPW_INLINE int16x<A> widen_words(const words32<A>& x, xsimd::generic) noexcept {
    std::uint16_t in[32];
    std::int32_t out[16];
    x.store(in);
    for (std::size_t i = 0; i < 16; ++i) out[i] = in[16 * Half + i];
    return int16x<A>::load(out);
}
#if XSIMD_WITH_SSE2
template <int Half, class A>
[[nodiscard]] BPW_INLINE int16x<A> widen_words(const words32<A>& x, xsimd::sse2) noexcept {
    const __m128i zero = _mm_setzero_si128();
    return int16x<A>::make([&](std::size_t i) -> i32_batch<A> {
        const __m128i words = x.v[2 * Half + i / 2];
        return i % 2 == 0 ? _mm_unpacklo_epi16(words, zero) : _mm_unpackhi_epi16(words, zero);
    });
}
#endif
#if XSIMD_WITH_AVX2
template <int Half, class A>
[[nodiscard]] BPW_INLINE int16x<A> widen_words(const words32<A>& x, xsimd::avx2) noexcept {
    const __m256i words = x.v[Half];
    return {{_mm256_cvtepu16_epi32(_mm256_castsi256_si128(words)),
             _mm256_cvtepu16_epi32(_mm256_extracti128_si256(words, 1))}};
}
#endif
#if XSIMD_WITH_AVX512BW
template <int Half, class A>
[[nodiscard]] BPW_INLINE int16x<A> widen_words(const words32<A>& x, xsimd::avx512bw) noexcept {
    return {{_mm512_maskz_cvtepu16_epi32(
        every_lane, _mm512_maskz_extracti64x4_epi64(every_pair, x.v[0], Half))}};
}
#endif
#if XSIMD_WITH_NEON64
template <int Half, class A>
[[nodiscard]] BPW_INLINE int16x<A> widen_words(const words32<A>& x, xsimd::neon64) noexcept {
    return int16x<A>::make([&](std::size_t i) -> i32_batch<A> {
        const uint16x8_t words = x.v[2 * Half + i / 2];
        return vreinterpretq_s32_u32(
            vmovl_u16(i % 2 == 0 ? vget_low_u16(words) : vget_high_u16(words)));
    });
}
#endif

template <int By, class A>
[[nodiscard]] BPW_INLINE bytes64<A> lookup_nibble_on(const nibble_table& table, const bytes64<A>& x,
                                                     xsimd::generic) noexcept {
    return x.template field<4, By>().template lookup<16>(table.four_times.data());
}

template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> select_bits_on(std::uint8_t mask, const bytes64<A>& a,
                                                   const bytes64<A>& b, xsimd::generic) noexcept {
    const u8_batch<A> m(mask);
    return bytes64<A>::make([&](std::size_t i) { return ((a.v[i] ^ b.v[i]) & m) ^ b.v[i]; });
}

// Whether a byte has an odd number of bits set among the lowest four, as bit 7.
inline constexpr auto parity16 = [] {
    std::array<std::uint8_t, 16> out{};
    for (unsigned i = 0; i < 16; ++i) out[i] = std::popcount(i) % 2 != 0 ? 128 : 0;
    return out;
}();

template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> with_parity_on(const bytes64<A>& x, xsimd::generic) noexcept {
    const u8_batch<A> seven(127);
    return bytes64<A>::make([&](std::size_t i) {
        const auto bits = x.v[i] & seven;
        const auto folded = (bits ^ shift_right<4, A>(bits)) & u8_batch<A>(15);
        return bits | simd::lookup<16, A>(parity16.data(), folded);
    });
}

template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> rotate_twins_on(const words32<A>& x, xsimd::generic) noexcept {
    return words32<A>::make([&](std::size_t i) {
               const auto right = shift_words<-2, A>(x.v[i], A{});
               const auto left = shift_words<2, A>(x.v[i], A{});
               return (right & u16_batch<A>(0x00ff)) | (left & u16_batch<A>(0xff00));
           })
        .as_bytes();
}

template <class A, const word_plan& Plan, bool Twice>
[[nodiscard]] BPW_INLINE words32<A> gather_words_on(const std::uint8_t* p,
                                                    xsimd::generic) noexcept {
    std::uint16_t out[32];
    for (std::size_t i = 0; i < 32; ++i) {
        const auto* const from = p + Plan.window[i / 8];
        const unsigned low = from[Plan.byte[2 * i]];
        const unsigned high = Plan.byte[2 * i + 1] == 128 ? 0u : from[Plan.byte[2 * i + 1]];
        const auto word = ((low | high << 8) * Plan.multiplier[i] & 0xffffu) >> (16 - Plan.width);
        out[i] = static_cast<std::uint16_t>(Twice ? word * 0x0101u : word);
    }
    return words32<A>::load(out);
}

template <std::size_t Entries, class A>
[[nodiscard]] BPW_INLINE bytes64<A> lookup_words_on(const word_table<Entries>& table,
                                                    const words32<A>& index,
                                                    xsimd::generic) noexcept {
    std::uint16_t i[32];
    index.store(i);
    for (auto& x : i) x = table.once[x];
    return words32<A>::load(i).as_bytes();
}

template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> pick_quads_on(const std::uint8_t* p,
                                                  const std::array<std::int32_t, 16>& from,
                                                  xsimd::generic) noexcept {
    std::uint8_t out[64];
    for (std::size_t i = 0; i < 16; ++i) std::memcpy(out + 4 * i, p + 4 * from[i], 4);
    return bytes64<A>::load(out);
}
#if XSIMD_WITH_AVX2
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> pick_quads_on(const std::uint8_t* p,
                                                  const std::array<std::int32_t, 16>& from,
                                                  xsimd::avx2) noexcept {
    const auto load = [](const void* at) {
        return _mm256_loadu_si256(static_cast<const __m256i*>(at));
    };
    const __m256i quads = load(p);
    return {{_mm256_permutevar8x32_epi32(quads, load(&from[0])),
             _mm256_permutevar8x32_epi32(quads, load(&from[8]))}};
}
#endif
#if XSIMD_WITH_AVX512BW
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> pick_quads_on(const std::uint8_t* p,
                                                  const std::array<std::int32_t, 16>& from,
                                                  xsimd::avx512bw) noexcept {
    const __m512i quads =
        _mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    return {{_mm512_maskz_permutexvar_epi32(every_lane, _mm512_loadu_si512(from.data()), quads)}};
}
#endif

template <std::size_t Entries, class A>
[[nodiscard]] BPW_INLINE std::array<bytes64<A>, 2> lookup_pairs_on(const pair_table<Entries>& table,
                                                                   const bytes64<A>& index,
                                                                   const std::uint8_t* upper,
                                                                   xsimd::generic) noexcept {
    std::uint8_t low[64], first[64], second[64];
    index.store(low);
    for (std::size_t i = 0; i < 64; ++i) {
        std::size_t at = low[i];
        if constexpr (Entries == 512) at |= (std::size_t{upper[i / 8]} >> i % 8 & 1) << 8;
        first[i] = table.first[at];
        second[i] = table.second[at];
    }
    return {bytes64<A>::load(first), bytes64<A>::load(second)};
}

#if XSIMD_WITH_AVX2
template <class A, const word_plan& Plan, bool Twice>
[[nodiscard]] BPW_INLINE words32<A> gather_words_on(const std::uint8_t* p, xsimd::avx2) noexcept {
    const auto at = [&](std::size_t i) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + Plan.window[i]));
    };
    return words32<A>::make([&](std::size_t i) -> u16_batch<A> {
        const __m256i bytes =
            _mm256_inserti128_si256(_mm256_castsi128_si256(at(2 * i)), at(2 * i + 1), 1);
        const auto part = [&](const auto* from) {
            return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
        };
        __m256i word = _mm256_shuffle_epi8(bytes, part(&Plan.byte[32 * i]));
        if constexpr (!(Plan.aligned && Plan.width == 8)) {
            word = _mm256_mullo_epi16(word, part(&Plan.multiplier[16 * i]));
            word = _mm256_srli_epi16(word, 16 - Plan.width);
        }
        return Twice ? _mm256_or_si256(word, _mm256_slli_epi16(word, 8)) : word;
    });
}

template <std::size_t Entries, class A>
[[nodiscard]] BPW_INLINE bytes64<A> lookup_words_on(const word_table<Entries>& table,
                                                    const words32<A>& index, xsimd::avx2) noexcept {
    const auto* const t = reinterpret_cast<const int*>(table.twice);
    return bytes64<A>::make([&](std::size_t i) -> u8_batch<A> {
        const __m256i both = index.v[i];
        const __m256i even = _mm256_and_si256(both, _mm256_set1_epi32(0xffff));
        const __m256i odd = _mm256_srli_epi32(both, 16);
        return _mm256_blend_epi16(_mm256_i32gather_epi32(t, even, 4),
                                  _mm256_i32gather_epi32(t, odd, 4), 0xaa);
    });
}

template <std::size_t Entries, class A>
[[nodiscard]] BPW_INLINE std::array<bytes64<A>, 2> lookup_pairs_on(const pair_table<Entries>& table,
                                                                   const bytes64<A>& index,
                                                                   const std::uint8_t* upper,
                                                                   xsimd::avx2) noexcept {
    const auto* const t = reinterpret_cast<const int*>(table.both);
    std::array<bytes64<A>, 2> out;
    for (std::size_t i = 0; i < 2; ++i) {
        const __m256i bytes = index.v[i];
        const __m256i low = _mm256_set1_epi32(255);
        __m256i at[4] = {
            _mm256_and_si256(bytes, low), _mm256_and_si256(_mm256_srli_epi32(bytes, 8), low),
            _mm256_and_si256(_mm256_srli_epi32(bytes, 16), low), _mm256_srli_epi32(bytes, 24)};
        if constexpr (Entries == 512) {
            int bits = 0;
            std::memcpy(&bits, upper + 4 * i, 4);
            const __m256i four = _mm256_srlv_epi32(_mm256_set1_epi32(bits),
                                                   _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28));
            const __m256i eighth = _mm256_set1_epi32(256);
            at[0] = _mm256_or_si256(at[0], _mm256_and_si256(_mm256_slli_epi32(four, 8), eighth));
            at[1] = _mm256_or_si256(at[1], _mm256_and_si256(_mm256_slli_epi32(four, 7), eighth));
            at[2] = _mm256_or_si256(at[2], _mm256_and_si256(_mm256_slli_epi32(four, 6), eighth));
            at[3] = _mm256_or_si256(at[3], _mm256_and_si256(_mm256_slli_epi32(four, 5), eighth));
        }
        const auto entry = [&](std::size_t k) { return _mm256_i32gather_epi32(t, at[k], 4); };
        const __m256i a = _mm256_or_si256(entry(0), _mm256_slli_epi32(entry(1), 8));
        const __m256i b = _mm256_or_si256(entry(2), _mm256_slli_epi32(entry(3), 8));
        out[0].v[i] = _mm256_blend_epi16(a, _mm256_slli_epi32(b, 16), 0xaa);
        out[1].v[i] = _mm256_blend_epi16(_mm256_srli_epi32(a, 16), b, 0xaa);
    }
    return out;
}
#endif

#if XSIMD_WITH_AVX512BW
inline constexpr __mmask64 every_byte = ~std::uint64_t{0};

template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> select_bits_on(std::uint8_t mask, const bytes64<A>& a,
                                                   const bytes64<A>& b, xsimd::avx512bw) noexcept {
    const __m512i m = _mm512_set1_epi8(static_cast<char>(mask));
    return {{_mm512_ternarylogic_epi32(m, a.v[0], b.v[0], 0xca)}};
}

// Thirty-two words of 16 bits out of words of 32 that hold each twice.
[[nodiscard]] BPW_INLINE __m512i gather_on_avx512(const std::uint32_t* table,
                                                  __m512i index) noexcept {
    const auto at = [&](__m512i i) {
        return _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), every_lane, i, table, 4);
    };
    const __m512i even = _mm512_maskz_and_epi32(every_lane, index, _mm512_set1_epi32(0xffff));
    const __m512i odd = _mm512_maskz_srli_epi32(every_lane, index, 16);
    return _mm512_ternarylogic_epi32(_mm512_set1_epi32(0xffff), at(even), at(odd), 0xca);
}
// The same out of a table of Count words in registers, by the bits of the index below Count.
template <std::size_t Count>
[[nodiscard]] BPW_INLINE __m512i permute_words(const std::uint16_t* table, __m512i index) noexcept {
    if constexpr (Count == 64) {
        return _mm512_permutex2var_epi16(_mm512_loadu_si512(table), index,
                                         _mm512_loadu_si512(table + 32));
    } else {
        const __m512i upper_half = _mm512_set1_epi16(Count / 2);
        return _mm512_mask_blend_epi16(_mm512_test_epi16_mask(index, upper_half),
                                       permute_words<Count / 2>(table, index),
                                       permute_words<Count / 2>(table + Count / 2, index));
    }
}
template <std::size_t Entries, class A>
[[nodiscard]] BPW_INLINE bytes64<A> lookup_words_on(const word_table<Entries>& table,
                                                    const words32<A>& index,
                                                    xsimd::avx512bw) noexcept {
    // Up to there permutations take less time than a gather.
    if constexpr (Entries <= 1024)
        return {{permute_words<Entries>(table.once, index.v[0])}};
    else
        return {{gather_on_avx512(table.twice, index.v[0])}};
}

#if defined(__AVX512VBMI__)
// The window of a plan, the two bytes of each number in the 8 bytes where it is wanted.
template <const word_plan& Plan>
[[nodiscard]] BPW_INLINE __m512i load_window(const std::uint8_t* p) noexcept {
    __m512i bytes;
    if constexpr (Plan.bytes == 64)
        bytes = _mm512_loadu_si512(p + Plan.first);
    else
        bytes = _mm512_maskz_loadu_epi8((std::uint64_t{1} << Plan.bytes) - 1, p + Plan.first);
    if constexpr (Plan.local)
        return bytes;
    else
        return _mm512_maskz_permutexvar_epi8(every_byte, _mm512_loadu_si512(Plan.wide_byte), bytes);
}
#endif

template <class A, const word_plan& Plan, bool Twice>
[[nodiscard]] BPW_INLINE words32<A> gather_words_on(const std::uint8_t* p,
                                                    xsimd::avx512bw) noexcept {
#if defined(__AVX512VBMI__)
    if constexpr (Plan.aligned && Plan.width == 8 && !Plan.local) {
        constexpr __mmask64 kept = Twice ? ~std::uint64_t{0} : 0x5555555555555555u;
        return {{_mm512_maskz_mov_epi8(kept, load_window<Plan>(p))}};
    } else {
        const __m512i bytes = load_window<Plan>(p);
        if constexpr (Twice) {
            return {{_mm512_maskz_multishift_epi64_epi8(
                every_byte, _mm512_loadu_si512(Plan.bit_twice), bytes)}};
        } else {
            const __m512i words =
                _mm512_maskz_multishift_epi64_epi8(every_byte, _mm512_loadu_si512(Plan.bit), bytes);
            return {{_mm512_and_si512(words, _mm512_set1_epi16((1 << Plan.width) - 1))}};
        }
    }
#else
    const auto at = [&](std::size_t i) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + Plan.window[i]));
    };
    const __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(at(0)), at(1), 1);
    const __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(at(2)), at(3), 1);
    const __m512i bytes =
        _mm512_maskz_inserti64x4(every_pair, _mm512_castsi256_si512(low), high, 1);
    __m512i word = _mm512_shuffle_epi8(bytes, _mm512_loadu_si512(Plan.byte));
    if constexpr (!(Plan.aligned && Plan.width == 8)) {
        word = _mm512_mullo_epi16(word, _mm512_loadu_si512(Plan.multiplier));
        word = _mm512_srli_epi16(word, 16 - Plan.width);
    }
    return {{Twice ? _mm512_or_si512(word, _mm512_slli_epi16(word, 8)) : word}};
#endif
}

#if defined(__AVX512VBMI__)
template <class A, const word_plan& Plan, int At>
[[nodiscard]] BPW_INLINE words32<A> merge_words_on(const words32<A>& below, const std::uint8_t* p,
                                                   xsimd::avx512bw) noexcept {
    // Where the bytes of each word begin, so that the number comes in at bit At of its word.
    alignas(64) static constexpr auto from = [] {
        std::array<std::uint8_t, 64> bits{};
        for (std::size_t i = 0; i < 64; ++i) {
            bits[i] = static_cast<std::uint8_t>((Plan.bit[i] + 64 - At) % 64);
        }
        return bits;
    }();
    const __m512i words = _mm512_maskz_multishift_epi64_epi8(
        every_byte, _mm512_load_si512(from.data()), load_window<Plan>(p));
    constexpr auto mask = static_cast<short>(((1 << Plan.width) - 1) << At);
    return {{_mm512_ternarylogic_epi32(_mm512_set1_epi16(mask), words, below.v[0], 0xca)}};
}

template <int By, class A>
[[nodiscard]] BPW_INLINE bytes64<A> lookup_nibble_on(const nibble_table& table, const bytes64<A>& x,
                                                     xsimd::avx512bw) noexcept {
    // The lookup heeds six bits of the index.
    const __m512i index = _mm512_srli_epi16(x.v[0], By);
    return {{_mm512_maskz_permutexvar_epi8(every_byte, index,
                                           _mm512_loadu_si512(table.four_times.data()))}};
}

// Seven bits with their parity.
alignas(64) inline constexpr auto parity128 = [] {
    std::array<std::uint8_t, 128> out{};
    for (unsigned i = 0; i < 128; ++i) {
        out[i] = static_cast<std::uint8_t>(std::popcount(i) % 2 != 0 ? i | 128 : i);
    }
    return out;
}();
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> with_parity_on(const bytes64<A>& x, xsimd::avx512bw) noexcept {
    return {{_mm512_permutex2var_epi8(_mm512_load_si512(parity128.data()), x.v[0],
                                      _mm512_load_si512(parity128.data() + 64))}};
}

template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> rotate_twins_on(const words32<A>& x, xsimd::avx512bw) noexcept {
    return {{_mm512_maskz_multishift_epi64_epi8(every_byte, _mm512_set1_epi64(0x3632262216120602),
                                                x.v[0])}};
}

[[nodiscard]] BPW_INLINE __m512i lookup256(const std::uint8_t* table, __m512i index,
                                           __mmask64 upper) noexcept {
    const auto part = [&](int i) { return _mm512_loadu_si512(table + 64 * i); };
    return _mm512_mask_blend_epi8(upper, _mm512_permutex2var_epi8(part(0), index, part(1)),
                                  _mm512_permutex2var_epi8(part(2), index, part(3)));
}
template <std::size_t Entries, class A>
[[nodiscard]] BPW_INLINE std::array<bytes64<A>, 2> lookup_pairs_on(const pair_table<Entries>& table,
                                                                   const bytes64<A>& index,
                                                                   const std::uint8_t* upper,
                                                                   xsimd::avx512bw) noexcept {
    const __m512i i = index.v[0];
    const __mmask64 seventh = _mm512_movepi8_mask(i);
    __m512i first = lookup256(table.first, i, seventh);
    __m512i second = lookup256(table.second, i, seventh);
    if constexpr (Entries == 512) {
        std::uint64_t eighth = 0;
        std::memcpy(&eighth, upper, 8);
        first = _mm512_mask_blend_epi8(eighth, first, lookup256(table.first + 256, i, seventh));
        second = _mm512_mask_blend_epi8(eighth, second, lookup256(table.second + 256, i, seventh));
    }
    return {bytes64<A>{{first}}, bytes64<A>{{second}}};
}
#endif
#endif

template <class A, const word_plan& Plan, int At>
[[nodiscard]] BPW_INLINE words32<A> merge_words_on(const words32<A>& below, const std::uint8_t* p,
                                                   xsimd::generic) noexcept {
    return below | gather_words_on<A, Plan, false>(p, A{}).template shifted_left<At>();
}

}  // namespace detail

template <class A>
template <int By>
words32<A> words32<A>::shifted_left() const noexcept {
    return make([&](std::size_t i) { return detail::shift_words<By, A>(v[i], A{}); });
}
template <class A>
template <int By>
words32<A> words32<A>::shifted_right() const noexcept {
    return make([&](std::size_t i) { return detail::shift_words<-By, A>(v[i], A{}); });
}

template <class A>
template <int Half>
int16x<A> words32<A>::widened() const noexcept {
    return detail::widen_words<Half, A>(*this, A{});
}
template <class A>
words32<A> words32<A>::filled_by_top_bit() const noexcept {
    return make([&](std::size_t i) { return detail::fill_words<A>(v[i], A{}); });
}

/// Entry x >> By & 15 of the table for every byte x; By is 0 or 4.
template <int By, class A>
[[nodiscard]] BPW_INLINE bytes64<A> lookup_nibble(const nibble_table& table,
                                                  const bytes64<A>& x) noexcept {
    static_assert(By == 0 || By == 4);
    return detail::lookup_nibble_on<By, A>(table, x, A{});
}

/// The bits of `a` where `mask` has ones, those of `b` elsewhere; the same mask for every byte.
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> select_bits(std::uint8_t mask, const bytes64<A>& a,
                                                const bytes64<A>& b) noexcept {
    return detail::select_bits_on<A>(mask, a, b, A{});
}

/// The lower seven bits of every byte, and bit 7 such that the number of ones is even.
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> with_parity(const bytes64<A>& x) noexcept {
    return detail::with_parity_on<A>(x, A{});
}

/// Of words whose two bytes are equal, the lower byte rotated right by 2 bits and the upper one
/// rotated left by 2.
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> rotate_twins(const words32<A>& x) noexcept {
    return detail::rotate_twins_on<A>(x, A{});
}

/// Thirty-two numbers out of the block at p; with Twice each is in both bytes of its word, and the
/// bits above it are not defined.
template <class A, const word_plan& Plan, bool Twice = false>
[[nodiscard]] BPW_INLINE words32<A> gather_words(const std::uint8_t* p) noexcept {
    static_assert(!Twice || Plan.width <= 8);
    return detail::gather_words_on<A, Plan, Twice>(p, A{});
}

/// Four bytes sixteen times: those at p + 4 from[i], out of the 32 bytes at p.
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> pick_quads(const std::uint8_t* p,
                                               const std::array<std::int32_t, 16>& from) noexcept {
    return detail::pick_quads_on<A>(p, from, A{});
}

/// `below`, and thirty-two numbers out of the block at p from bit `At` of each word on, where the
/// words of `below` are zero.
template <const word_plan& Plan, int At, class A>
[[nodiscard]] BPW_INLINE words32<A> merge_words(const words32<A>& below,
                                                const std::uint8_t* p) noexcept {
    static_assert(At + Plan.width <= 16);
    return detail::merge_words_on<A, Plan, At>(below, p, A{});
}

/// The entries of thirty-two indices, a power of two of them.
template <std::size_t Entries, class A>
[[nodiscard]] BPW_INLINE bytes64<A> lookup_words(const word_table<Entries>& table,
                                                 const words32<A>& index) noexcept {
    return detail::lookup_words_on<Entries, A>(table, index, A{});
}

/// The two bytes of sixty-four entries of a table of 256 or 512. For 512 entries bit i of the
/// string `upper` is bit 8 of index i.
template <std::size_t Entries, class A>
[[nodiscard]] BPW_INLINE std::array<bytes64<A>, 2> lookup_pairs(
    const pair_table<Entries>& table, const bytes64<A>& index,
    const std::uint8_t* upper = nullptr) noexcept {
    static_assert(Entries == 256 || Entries == 512);
    return detail::lookup_pairs_on<Entries, A>(table, index, upper, A{});
}

}  // namespace simd

BPW_NAMESPACE_END
