// Vectors of 64 bytes, 16 integers or 16 floats, whatever the width of the arch's registers.
//
// Unpacking and the kernels are written in these, so that one text serves every arch and the order
// of additions is the same everywhere. AVX-512 holds one in a register, AVX2 in two, SSE and NEON
// in four.
#pragma once

#include <bpw/core/half.hpp>
#include <bpw/simd/accumulator.hpp>
#include <bpw/simd/bytes.hpp>

#include <algorithm>
#include <array>
#include <utility>

BPW_NAMESPACE_BEGIN

namespace simd {

/// Makes loads read what was just stored to x. Compilers would take the parts of a vector out of
/// its register, by shuffles, where a load spreads or widens them on its way.
template <class T>
BPW_INLINE void through_memory([[maybe_unused]] T& x) noexcept {
#if defined(__GNUC__)
    asm("" : "+m"(x));
#endif
}

/// For permutations of sixteen numbers: every number from its own place.
inline constexpr std::array<int, 16> in_place{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

template <class A>
struct bytes64 {
    using vector = u8_batch<A>;
    static constexpr std::size_t per_vector = vector::size;
    registers<vector, 64 / per_vector> v;

    [[nodiscard]] BPW_INLINE static bytes64 load(const std::uint8_t* p) noexcept {
        return make([&](std::size_t i) { return vector::load_unaligned(p + i * per_vector); });
    }
    [[nodiscard]] BPW_INLINE static bytes64 all(std::uint8_t x) noexcept {
        return make([&](std::size_t) { return vector(x); });
    }
    template <class F>
    [[nodiscard]] BPW_INLINE static bytes64 make(F f) noexcept {
        return make(f, std::make_index_sequence<64 / per_vector>{});
    }
    template <class F, std::size_t... I>
    [[nodiscard]] BPW_INLINE static bytes64 make(F f, std::index_sequence<I...>) noexcept {
        return {{f(I)...}};
    }
    BPW_INLINE void store(std::uint8_t* p) const noexcept {
        for (std::size_t i = 0; i < v.size(); ++i) v[i].store_unaligned(p + i * per_vector);
    }

    /// Bits By ... By + Width - 1 of every byte.
    template <int Width, int By>
    [[nodiscard]] BPW_INLINE bytes64 field() const noexcept {
        return make([&](std::size_t i) { return byte_field<Width, By, A>(v[i]); });
    }
    /// The same with anything above them, where Loose.
    template <int Width, int By, bool Loose>
    [[nodiscard]] BPW_INLINE bytes64 field() const noexcept {
        if constexpr (!Loose)
            return field<Width, By>();
        else if constexpr (By == 0)
            return *this;
        else
            return words_shifted_right<By>();
    }
    template <int By>
    [[nodiscard]] BPW_INLINE bytes64 shifted_left() const noexcept {
        // As integers of 32 bits; what crosses from byte to byte is masked off.
        const vector kept(static_cast<std::uint8_t>(0xff << By & 0xff));
        return make([&](std::size_t i) {
            const auto wide = shift_left_32<By, A>(xsimd::bitwise_cast<std::int32_t>(v[i]));
            return xsimd::bitwise_cast<std::uint8_t>(wide) & kept;
        });
    }
    [[nodiscard]] BPW_INLINE friend bytes64 operator|(const bytes64& a, const bytes64& b) noexcept {
        return make([&](std::size_t i) { return a.v[i] | b.v[i]; });
    }
    [[nodiscard]] BPW_INLINE friend bytes64 operator+(const bytes64& a, const bytes64& b) noexcept {
        return make([&](std::size_t i) { return a.v[i] + b.v[i]; });
    }
    [[nodiscard]] BPW_INLINE friend bytes64 operator&(const bytes64& a, const bytes64& b) noexcept {
        return make([&](std::size_t i) { return a.v[i] & b.v[i]; });
    }
    [[nodiscard]] BPW_INLINE friend bytes64 operator^(const bytes64& a, const bytes64& b) noexcept {
        return make([&](std::size_t i) { return a.v[i] ^ b.v[i]; });
    }
    /// Integers of 16 bits shifted right.
    template <int By>
    [[nodiscard]] BPW_INLINE bytes64 words_shifted_right() const noexcept {
        return make([&](std::size_t i) {
            return xsimd::bitwise_cast<std::uint8_t>(xsimd::bitwise_cast<std::uint16_t>(v[i]) >>
                                                     By);
        });
    }
    [[nodiscard]] BPW_INLINE friend bytes64 operator^(const bytes64& a, std::uint8_t b) noexcept {
        return make([&](std::size_t i) { return a.v[i] ^ vector(b); });
    }
    /// table[b] for every byte b, all below Size: see simd::lookup.
    template <std::size_t Size>
    [[nodiscard]] BPW_INLINE bytes64 lookup(const std::uint8_t* table) const noexcept {
        return make([&](std::size_t i) { return simd::lookup<Size, A>(table, v[i]); });
    }
};

/// Whether a lookup by some low bits of every byte costs no more than one by whole bytes.
template <class A>
inline constexpr bool looks_up_low_bits =
#if defined(__AVX512VBMI__)
    std::is_base_of_v<xsimd::avx512bw, A>;
#else
    false;
#endif

/// Whether a lookup by whole bytes, in 256, takes few operations.
template <class A>
inline constexpr bool looks_up_whole_bytes = looks_up_low_bits<A>;

/// A table for looking up by low bits: it repeats itself.
template <const auto& Table>
inline constexpr auto repeated_table = [] {
    struct alignas(64) {
        std::uint8_t all[64];
    } out{};
    static_assert(64 % Table.size() == 0);
    for (std::size_t i = 0; i < 64; ++i) out.all[i] = Table[i % Table.size()];
    return out;
}();

/// Table[b mod Table.size()] for every byte b; a table of 16, 32 or 64 bytes.
template <const auto& Table, class A>
[[nodiscard]] BPW_INLINE bytes64<A> lookup_low_bits(const bytes64<A>& x) noexcept {
    constexpr auto size = Table.size();
    if constexpr (looks_up_low_bits<A>) {
        return x.template lookup<64>(repeated_table<Table>.all);
    } else {
        return (x & bytes64<A>::all(std::uint8_t{size - 1})).template lookup<size>(Table.data());
    }
}

/// Whether the upper bit of an index into 32 is better given apart, to lookup_by_halves: where
/// shuffles look up in 16, and give zero where bit 7 of an index is set.
template <class A>
inline constexpr bool looks_up_by_halves =
    (std::is_base_of_v<xsimd::ssse3, A> ||
     std::is_base_of_v<xsimd::avx2, A>)&&!std::is_base_of_v<xsimd::avx512f, A>;

/// Table[16 u + b] for every byte b below 16, u = 0 where the byte of `clear` is 255 and 1 where it
/// is 0; a table of 32 bytes.
template <const auto& Table, class A>
    requires looks_up_by_halves<A>
[[nodiscard]] BPW_INLINE bytes64<A> lookup_by_halves(const bytes64<A>& x,
                                                     const bytes64<A>& clear) noexcept {
    static constexpr auto change = [] {
        std::array<std::uint8_t, 16> out{};
        for (std::size_t i = 0; i < 16; ++i) {
            out[i] = static_cast<std::uint8_t>(Table[i] ^ Table[16 + i]);
        }
        return out;
    }();
    static_assert(Table.size() == 32);
    return x.template lookup<16>(Table.data()) ^ (x | clear).template lookup<16>(change.data());
}

namespace detail {

template <class A>
[[nodiscard]] BPW_INLINE u8_batch<A> select_bits(const u8_batch<A>& mask, const u8_batch<A>& a,
                                                 const u8_batch<A>& b, xsimd::generic) noexcept {
    return ((a ^ b) & mask) ^ b;
}
#if XSIMD_WITH_AVX512F
template <class A>
[[nodiscard]] BPW_INLINE u8_batch<A> select_bits(const u8_batch<A>& mask, const u8_batch<A>& a,
                                                 const u8_batch<A>& b, xsimd::avx512f) noexcept {
    return _mm512_ternarylogic_epi32(mask, a, b, 0xca);
}
#endif

}  // namespace detail

/// The Width lowest bits of every byte of `low`, and above them the bits of `high`.
template <int Width, class A>
[[nodiscard]] BPW_INLINE bytes64<A> joined(const bytes64<A>& low, const bytes64<A>& high) noexcept {
    const u8_batch<A> mask(static_cast<std::uint8_t>((1 << Width) - 1));
    return bytes64<A>::make(
        [&](std::size_t i) { return detail::select_bits<A>(mask, low.v[i], high.v[i], A{}); });
}

template <class A>
struct int16x {
    using vector = i32_batch<A>;
    static constexpr std::size_t per_vector = vector::size;
    registers<vector, 16 / per_vector> v;

    [[nodiscard]] BPW_INLINE static int16x zero() noexcept { return all(0); }
    [[nodiscard]] BPW_INLINE static int16x all(std::int32_t x) noexcept {
        return make([&](std::size_t) { return vector(x); });
    }
    [[nodiscard]] BPW_INLINE static int16x load(const std::int32_t* p) noexcept {
        return make([&](std::size_t i) { return vector::load_unaligned(p + i * per_vector); });
    }
    BPW_INLINE void store(std::int32_t* p) const noexcept {
        for (std::size_t i = 0; i < v.size(); ++i) v[i].store_unaligned(p + i * per_vector);
    }
    template <class F>
    [[nodiscard]] BPW_INLINE static int16x make(F f) noexcept {
        return make(f, std::make_index_sequence<16 / per_vector>{});
    }
    template <class F, std::size_t... I>
    [[nodiscard]] BPW_INLINE static int16x make(F f, std::index_sequence<I...>) noexcept {
        return {{f(I)...}};
    }
    [[nodiscard]] BPW_INLINE friend int16x operator+(const int16x& a, std::int32_t b) noexcept {
        return make([&](std::size_t i) { return a.v[i] + vector(b); });
    }
    [[nodiscard]] BPW_INLINE friend int16x operator+(const int16x& a, const int16x& b) noexcept {
        return make([&](std::size_t i) { return a.v[i] + b.v[i]; });
    }
    [[nodiscard]] BPW_INLINE friend int16x operator-(const int16x& a, const int16x& b) noexcept {
        return make([&](std::size_t i) { return a.v[i] - b.v[i]; });
    }
    [[nodiscard]] BPW_INLINE friend int16x operator&(const int16x& a, const int16x& b) noexcept {
        return make([&](std::size_t i) { return a.v[i] & b.v[i]; });
    }
    [[nodiscard]] BPW_INLINE friend int16x operator&(const int16x& a, std::int32_t b) noexcept {
        return make([&](std::size_t i) { return a.v[i] & vector(b); });
    }
    [[nodiscard]] BPW_INLINE friend int16x operator*(const int16x& a, const int16x& b) noexcept {
        return make([&](std::size_t i) { return a.v[i] * b.v[i]; });
    }
    /// table[i] of every lane i, all below Size.
    template <std::size_t Size>
    [[nodiscard]] BPW_INLINE int16x lookup(const std::int8_t* table) const noexcept;
    /// Four bytes to a lane, the lowest first.
    [[nodiscard]] BPW_INLINE static int16x of_bytes(const bytes64<A>& x) noexcept {
        return make([&](std::size_t i) { return xsimd::bitwise_cast<std::int32_t>(x.v[i]); });
    }
    /// The lanes' bits out of floats.
    [[nodiscard]] BPW_INLINE static int16x of_float(const float16<A>& x) noexcept {
        return make([&](std::size_t i) { return xsimd::bitwise_cast<std::int32_t>(x.v[i]); });
    }
    /// The bytes of the lanes, lowest first.
    [[nodiscard]] BPW_INLINE bytes64<A> as_bytes() const noexcept {
        return bytes64<A>::make(
            [&](std::size_t i) { return xsimd::bitwise_cast<std::uint8_t>(v[i]); });
    }
    template <int By>
    [[nodiscard]] BPW_INLINE int16x shifted_right() const noexcept {
        return make([&](std::size_t i) { return simd::shift_right_32<By, A>(v[i]); });
    }
    [[nodiscard]] BPW_INLINE friend int16x operator|(const int16x& a, const int16x& b) noexcept {
        return make([&](std::size_t i) { return a.v[i] | b.v[i]; });
    }
    [[nodiscard]] BPW_INLINE friend int16x operator^(const int16x& a, std::int32_t b) noexcept {
        return make([&](std::size_t i) { return a.v[i] ^ vector(b); });
    }
    template <int By>
    [[nodiscard]] BPW_INLINE int16x shifted_left() const noexcept {
        return make([&](std::size_t i) { return simd::shift_left_32<By, A>(v[i]); });
    }
    /// The lanes' bits as floats.
    [[nodiscard]] BPW_INLINE float16<A> as_float() const noexcept {
        return float16<A>::make([&](std::size_t i) { return xsimd::bitwise_cast<float>(v[i]); });
    }
    [[nodiscard]] BPW_INLINE float16<A> to_float() const noexcept {
        return float16<A>::make([&](std::size_t i) { return simd::to_float<A>(v[i]); });
    }
};

template <class A>
template <std::size_t Size>
BPW_INLINE int16x<A> int16x<A>::lookup(const std::int8_t* table) const noexcept {
    // Of the four bytes that are looked up the lowest counts.
    const auto found =
        as_bytes().template lookup<Size>(reinterpret_cast<const std::uint8_t*>(table));
    return make([&](std::size_t i) {
        return shift_right_32<24, A>(
            shift_left_32<24, A>(xsimd::bitwise_cast<std::int32_t>(found.v[i])));
    });
}

/// Lanes of a where x is below `bound`, else of b.
template <class A>
[[nodiscard]] BPW_INLINE int16x<A> select_less(const int16x<A>& x, std::int32_t bound,
                                               const int16x<A>& a, const int16x<A>& b) noexcept {
    return int16x<A>::make(
        [&](std::size_t i) { return xsimd::select(x.v[i] < i32_batch<A>(bound), a.v[i], b.v[i]); });
}

/// Where sixteen small numbers lie in 16 bytes: number i is the bits from `shift[i]` on of the
/// bytes byte[4 i] and byte[4 i + 1]; the other two bytes of a lane are index 128, which reads as
/// zero.
struct alignas(64) bit_plan {
    std::array<std::uint8_t, 64> byte;
    std::array<std::int32_t, 16> shift;
    std::int32_t mask;
};

namespace detail {

// Bits From ... of every byte moved to bits To ...; bits of its neighbours come in beside them.
template <int From, int To, class A>
[[nodiscard]] BPW_INLINE u8_batch<A> moved_bits(const u8_batch<A>& x) noexcept {
    if constexpr (From >= To) {
        return shift_right<From - To, A>(x);
    } else {
        const auto wide = xsimd::bitwise_cast<std::int32_t>(x);
        return xsimd::bitwise_cast<std::uint8_t>(shift_left_32<To - From, A>(wide));
    }
}

template <int Width, int Low, int High, int To, bool Loose, class A, std::size_t... I>
[[nodiscard]] BPW_INLINE bytes64<A> fields_of_halves(const bytes64<A>& x, xsimd::generic,
                                                     std::index_sequence<I...>) noexcept {
    using vector = u8_batch<A>;
    static_assert(vector::size <= 32);
    const vector mask(static_cast<std::uint8_t>(((1 << Width) - 1) << To));
    return {{(moved_bits<(I * vector::size < 32 ? Low : High), To, A>(x.v[I]) & mask)...}};
}
#if XSIMD_WITH_AVX512BW
template <int Width, int Low, int High, int To, bool Loose, class A, std::size_t... I>
[[nodiscard]] BPW_INLINE bytes64<A> fields_of_halves(const bytes64<A>& x, xsimd::avx512bw,
                                                     std::index_sequence<I...>) noexcept {
    return {{octet_fields<Width, To, Loose, Low, Low, Low, Low, High, High, High, High>(x.v[0])}};
}
#endif

template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> twice32(const std::uint8_t* p, xsimd::generic) noexcept {
    return bytes64<A>::make(
        [&](std::size_t i) { return u8_batch<A>::load_unaligned(p + i * u8_batch<A>::size % 32); });
}
#if XSIMD_WITH_AVX512BW
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> twice32(const std::uint8_t* p, xsimd::avx512bw) noexcept {
    return {{_mm512_maskz_broadcast_i64x4(
        every_pair, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))}};
}
#endif

template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> strided16(const std::uint8_t* p, std::size_t stride,
                                              xsimd::generic) noexcept {
    std::uint8_t all[64];
    for (std::size_t i = 0; i < 4; ++i)
        std::copy(p + i * stride, p + i * stride + 16, all + 16 * i);
    return bytes64<A>::load(all);
}
#if XSIMD_WITH_AVX2
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> strided16(const std::uint8_t* p, std::size_t stride,
                                              xsimd::avx2) noexcept {
    const auto at = [&](std::size_t i) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + i * stride));
    };
    return {{_mm256_inserti128_si256(_mm256_castsi128_si256(at(0)), at(1), 1),
             _mm256_inserti128_si256(_mm256_castsi128_si256(at(2)), at(3), 1)}};
}
#endif
#if XSIMD_WITH_AVX512BW
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> strided16(const std::uint8_t* p, std::size_t stride,
                                              xsimd::avx512bw) noexcept {
    const auto at = [&](std::size_t i) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + i * stride));
    };
    const __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(at(0)), at(1), 1);
    const __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(at(2)), at(3), 1);
    return {{_mm512_maskz_inserti64x4(every_pair, _mm512_castsi256_si512(low), high, 1)}};
}
#endif

using bit_windows = std::array<std::size_t, 4>;

template <bool OneWindow, bool Shift, class A>
[[nodiscard]] BPW_INLINE int16x<A> gather_bits(const std::uint8_t* p, const bit_windows& window,
                                               const bit_plan& plan, xsimd::generic) noexcept {
    std::int32_t out[16];
    for (std::size_t i = 0; i < 16; ++i) {
        const auto* const from = p + window[i / 4];
        const auto pair = static_cast<unsigned>(from[plan.byte[4 * i]]) |
                          static_cast<unsigned>(from[plan.byte[4 * i + 1]]) << 8;
        out[i] = static_cast<std::int32_t>(pair >> plan.shift[i]) & plan.mask;
    }
    return int16x<A>::load(out);
}
#if XSIMD_WITH_AVX2
template <bool OneWindow, bool Shift, class A>
[[nodiscard]] BPW_INLINE int16x<A> gather_bits(const std::uint8_t* p, const bit_windows& window,
                                               const bit_plan& plan, xsimd::avx2) noexcept {
    const auto at = [&](std::size_t i) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + window[i]));
    };
    return int16x<A>::make([&](std::size_t i) {
        const auto part = [&](const auto* from) {
            return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
        };
        const __m256i bytes = OneWindow ? _mm256_broadcastsi128_si256(at(0))
                                        : _mm256_inserti128_si256(_mm256_castsi128_si256(at(2 * i)),
                                                                  at(2 * i + 1), 1);
        const __m256i pairs = _mm256_shuffle_epi8(bytes, part(&plan.byte[32 * i]));
        const __m256i moved = Shift ? _mm256_srlv_epi32(pairs, part(&plan.shift[8 * i])) : pairs;
        return _mm256_and_si256(moved, _mm256_set1_epi32(plan.mask));
    });
}
#endif
#if XSIMD_WITH_AVX512BW
template <bool OneWindow, bool Shift, class A>
[[nodiscard]] BPW_INLINE int16x<A> gather_bits(const std::uint8_t* p, const bit_windows& window,
                                               const bit_plan& plan, xsimd::avx512bw) noexcept {
    const auto at = [&](std::size_t i) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + window[i]));
    };
    __m512i bytes;
    if constexpr (OneWindow) {
        bytes = _mm512_maskz_broadcast_i32x4(every_lane, at(0));
    } else {
        const __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(at(0)), at(1), 1);
        const __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(at(2)), at(3), 1);
        bytes = _mm512_maskz_inserti64x4(every_pair, _mm512_castsi256_si512(low), high, 1);
    }
    const __m512i pairs = _mm512_shuffle_epi8(bytes, _mm512_loadu_si512(plan.byte.data()));
    const __m512i moved =
        Shift ? _mm512_maskz_srlv_epi32(every_lane, pairs, _mm512_loadu_si512(plan.shift.data()))
              : pairs;
    return {{_mm512_and_si512(moved, _mm512_set1_epi32(plan.mask))}};
}
#endif

template <class A>
[[nodiscard]] BPW_INLINE float16<A> from_halves(const void* p, xsimd::generic) noexcept {
    std::uint16_t halves[16];
    std::memcpy(halves, p, sizeof halves);
    float out[16];
    for (std::size_t i = 0; i < 16; ++i) out[i] = half_to_float(halves[i]);
    return float16<A>::load(out);
}
#if XSIMD_WITH_AVX2 && defined(__F16C__)
template <class A>
[[nodiscard]] BPW_INLINE float16<A> from_halves(const void* p, xsimd::avx2) noexcept {
    const auto* const q = static_cast<const __m128i*>(p);
    return {{_mm256_cvtph_ps(_mm_loadu_si128(q)), _mm256_cvtph_ps(_mm_loadu_si128(q + 1))}};
}
#endif
#if XSIMD_WITH_AVX512BW
template <class A>
[[nodiscard]] BPW_INLINE float16<A> from_halves(const void* p, xsimd::avx512bw) noexcept {
    return {
        {_mm512_maskz_cvtph_ps(every_lane, _mm256_loadu_si256(static_cast<const __m256i*>(p)))}};
}
#endif

template <int Bits, class A>
[[nodiscard]] BPW_INLINE float16<A> lookup_floats(const std::array<float, 16>& table,
                                                  const int16x<A>& index, xsimd::generic) noexcept {
    std::int32_t i[16];
    float out[16];
    index.store(i);
    for (std::size_t k = 0; k < 16; ++k) out[k] = table[static_cast<std::size_t>(i[k] & 15)];
    return float16<A>::load(out);
}
#if XSIMD_WITH_AVX2
template <int Bits, class A>
[[nodiscard]] BPW_INLINE float16<A> lookup_floats(const std::array<float, 16>& table,
                                                  const int16x<A>& index, xsimd::avx2) noexcept {
    const __m256 low = _mm256_loadu_ps(table.data());
    const __m256 high = _mm256_loadu_ps(table.data() + 8);
    return float16<A>::make([&](std::size_t k) -> xsimd::batch<float, A> {
        const __m256i i = index.v[k];
        const __m256 first = _mm256_permutevar8x32_ps(low, i);
        if constexpr (Bits < 4) return first;
        return _mm256_blendv_ps(first, _mm256_permutevar8x32_ps(high, i),
                                _mm256_castsi256_ps(_mm256_slli_epi32(i, 28)));
    });
}
#endif
#if XSIMD_WITH_AVX512BW
template <int, class A>
[[nodiscard]] BPW_INLINE float16<A> lookup_floats(const std::array<float, 16>& table,
                                                  const int16x<A>& index,
                                                  xsimd::avx512bw) noexcept {
    return {{_mm512_maskz_permutexvar_ps(every_lane, index.v[0], _mm512_loadu_ps(table.data()))}};
}
#endif

#if XSIMD_WITH_AVX2 && !XSIMD_WITH_AVX512F
inline constexpr bool loads_lanes = true;
#else
inline constexpr bool loads_lanes = false;
#endif

template <class A>
[[nodiscard]] BPW_INLINE float16<A> spread(const float16<A>& x, const std::array<int, 16>& from,
                                           xsimd::generic) noexcept {
    float in[16], out[16];
    x.store(in);
    for (std::size_t i = 0; i < 16; ++i) out[i] = in[from[i]];
    return float16<A>::load(out);
}
#if XSIMD_WITH_AVX2
template <class A>
[[nodiscard]] BPW_INLINE float16<A> spread(const float16<A>& x, const std::array<int, 16>& from,
                                           xsimd::avx2) noexcept {
    float16<A> out;
    for (std::size_t i = 0; i < 2; ++i) {
        const __m256i index = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(&from[8 * i]));
        const __m256 low = _mm256_permutevar8x32_ps(x.v[0], index);
        const __m256 high = _mm256_permutevar8x32_ps(x.v[1], index);
        out.v[i] = _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
    }
    return out;
}
#endif
#if XSIMD_WITH_AVX512BW
template <class A>
[[nodiscard]] BPW_INLINE float16<A> spread(const float16<A>& x, const std::array<int, 16>& from,
                                           xsimd::avx512bw) noexcept {
    return {{_mm512_maskz_permutexvar_ps(every_lane, _mm512_loadu_si512(from.data()), x.v[0])}};
}
#endif

template <class A>
[[nodiscard]] BPW_INLINE float16<A> each_even_twice(const float16<A>& x, xsimd::generic) noexcept {
    static constexpr std::array<int, 16> even{0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10, 12, 12, 14, 14};
    return spread<A>(x, even, xsimd::generic{});
}
#if XSIMD_WITH_SSE3
template <class A>
[[nodiscard]] BPW_INLINE float16<A> each_even_twice(const float16<A>& x, xsimd::sse3) noexcept {
    return float16<A>::make([&](std::size_t i) { return _mm_moveldup_ps(x.v[i]); });
}
#endif
#if XSIMD_WITH_AVX2
template <class A>
[[nodiscard]] BPW_INLINE float16<A> each_even_twice(const float16<A>& x, xsimd::avx2) noexcept {
    return float16<A>::make([&](std::size_t i) { return _mm256_moveldup_ps(x.v[i]); });
}
#endif
#if XSIMD_WITH_AVX512F
template <class A>
[[nodiscard]] BPW_INLINE float16<A> each_even_twice(const float16<A>& x, xsimd::avx512f) noexcept {
    return {{_mm512_maskz_moveldup_ps(every_lane, x.v[0])}};
}
#endif
#if XSIMD_WITH_NEON64
template <class A>
[[nodiscard]] BPW_INLINE float16<A> each_even_twice(const float16<A>& x, xsimd::neon64) noexcept {
    return float16<A>::make([&](std::size_t i) { return vtrn1q_f32(x.v[i], x.v[i]); });
}
#endif

}  // namespace detail

/// `Width` bits from bit Low on of the bytes in lanes 0..31, from bit High on in lanes 32..63; both
/// at bits To ... of the result. Where Loose, anything may be beside them.
template <int Width, int Low, int High, int To, bool Loose, class A>
[[nodiscard]] BPW_INLINE bytes64<A> fields_of_halves(const bytes64<A>& x) noexcept {
    return detail::fields_of_halves<Width, Low, High, To, Loose, A>(
        x, A{}, std::make_index_sequence<64 / u8_batch<A>::size>{});
}

/// The same bytes, of which compilers do not know where they were loaded from.
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> opaque(const bytes64<A>& x) noexcept {
    if constexpr (emulates_vectors)
        return x;
    else
        return bytes64<A>::make(
            [&](std::size_t i) -> u8_batch<A> { return detail::opaque(x.v[i].data); });
}

/// 32 bytes twice.
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> twice32(const std::uint8_t* p) noexcept {
    return detail::twice32<A>(p, A{});
}

/// Four runs of 16 bytes, `stride` bytes from one to the next.
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> strided16(const std::uint8_t* p, std::size_t stride) noexcept {
    return detail::strided16<A>(p, stride, A{});
}

/// Sixteen small numbers, every four of them out of the 16 bytes at p + window[i]; with OneWindow
/// all out of the same.
template <bool OneWindow, bool Shift, class A>
[[nodiscard]] BPW_INLINE int16x<A> gather_bits(const std::uint8_t* p,
                                               const std::array<std::size_t, 4>& window,
                                               const bit_plan& plan) noexcept {
    return detail::gather_bits<OneWindow, Shift, A>(p, window, plan, A{});
}

/// The sixteen IEEE halves at p, any address, as floats.
template <class A>
[[nodiscard]] BPW_INLINE float16<A> from_halves(const void* p) noexcept {
    return detail::from_halves<A>(p, A{});
}

/// table[i] for every index i, of which the low four bits count; with fewer Bits the table repeats
/// itself every 2^Bits entries, or all indices are below that.
template <int Bits = 4, class A>
[[nodiscard]] BPW_INLINE float16<A> lookup_floats(const std::array<float, 16>& table,
                                                  const int16x<A>& index) noexcept {
    return detail::lookup_floats<Bits, A>(table, index, A{});
}

/// Whether every register of spread(x, from) holds one of the lanes of x, which archs without wide
/// permutations better load than move.
template <class A>
[[nodiscard]] constexpr bool spreads_one_lane_to_registers(
    const std::array<int, 16>& from) noexcept {
    constexpr auto size = int16x<A>::per_vector;
    for (std::size_t i = 0; i < 16; ++i) {
        if (from[i] != from[i / size * size]) return false;
    }
    return detail::loads_lanes;
}
/// spread() out of the sixteen floats at p, where the above is so.
template <class A>
[[nodiscard]] BPW_INLINE float16<A> load_spread(const float* p,
                                                const std::array<int, 16>& from) noexcept {
    return float16<A>::make(
        [&](std::size_t i) { return xsimd::batch<float, A>(p[from[i * float16<A>::per_vector]]); });
}

/// Lane i of the result is lane from[i] of x.
template <class A>
[[nodiscard]] BPW_INLINE float16<A> spread(const float16<A>& x,
                                           const std::array<int, 16>& from) noexcept {
    return detail::spread<A>(x, from, A{});
}

/// Lanes 0, 2, 4, ... of x, each also in the place of the next.
template <class A>
[[nodiscard]] BPW_INLINE float16<A> each_even_twice(const float16<A>& x) noexcept {
    return detail::each_even_twice<A>(x, A{});
}

/// sum += (u - LoweredBy) . s by fours, exact; u at most MaxU. See lowered_by.
template <int MaxU, int LoweredBy = 0, class A>
BPW_INLINE void add_dot4(int16x<A>& sum, const bytes64<A>& u, const std::int8_t* s) noexcept {
    using vector = s8_batch<A>;
    sum = int16x<A>::make([&](std::size_t i) {
        return lowered_dot4<MaxU, LoweredBy, A>(sum.v[i], u.v[i],
                                                vector::load_unaligned(s + i * vector::size));
    });
}

}  // namespace simd

BPW_NAMESPACE_END
