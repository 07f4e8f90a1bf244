// Sixteen small numbers whose bits lie in several parts of a block.
#pragma once

#include <bpw/simd/vector64.hpp>

#include <array>
#include <cstring>
#include <type_traits>
#include <utility>

BPW_NAMESPACE_BEGIN

namespace simd {

/// Bits At ... At + Width - 1 of sixteen numbers: see gather_bits. With a mask of all ones, what
/// stands above the eight lowest bits is not specified.
struct number_part {
    std::array<std::size_t, 4> window;
    bit_plan plan;
    int width;
    int at;

    [[nodiscard]] constexpr bool one_window() const noexcept { return window[0] == window[3]; }
    [[nodiscard]] constexpr bool shifts() const noexcept {
        return plan.shift != std::array<std::int32_t, 16>{};
    }
};

namespace detail {

template <const auto& Parts, std::size_t I, class A>
[[nodiscard]] BPW_INLINE int16x<A> gather_part(const std::uint8_t* p, xsimd::generic) noexcept {
    static constexpr auto& part = Parts[I];
    return simd::gather_bits<part.one_window(), part.shifts(), A>(p, part.window, part.plan);
}

// Where a part lies that all numbers have within `Bytes` bytes: the first of these, and the bits
// from there on.
template <const auto& Parts, std::size_t I, std::size_t Bytes>
struct part_within {
    static constexpr auto& part = Parts[I];
    static constexpr std::size_t first = [] {
        std::size_t least = 16 - Bytes;
        for (std::size_t i = 0; i < 16; ++i) {
            least = std::min(least, std::size_t{part.plan.byte[4 * i]});
        }
        return least;
    }();
    static constexpr bool fits = [] {
        for (std::size_t i = 0; i < 16; ++i) {
            if (part.plan.byte[4 * i + 1] >= first + Bytes) return false;
        }
        return part.one_window() && part.width <= 8;
    }();
    alignas(64) static constexpr auto bit = [] {
        std::array<std::int32_t, 16> out{};
        for (std::size_t i = 0; i < 16; ++i) {
            out[i] =
                8 * static_cast<std::int32_t>(part.plan.byte[4 * i] - first) + part.plan.shift[i];
        }
        return out;
    }();
};

#if XSIMD_WITH_AVX2
// A part that lies in four bytes needs no shuffle.
template <const auto& Parts, std::size_t I, class A>
requires part_within<Parts, I, 4>::fits [[nodiscard]] BPW_INLINE int16x<A> gather_part(
    const std::uint8_t* p, xsimd::avx2) noexcept {
    using place = part_within<Parts, I, 4>;
    std::int32_t four = 0;
    std::memcpy(&four, p + place::part.window[0] + place::first, 4);
    return int16x<A>::make([&](std::size_t i) -> i32_batch<A> {
        const auto* const by = reinterpret_cast<const __m256i*>(&place::bit[8 * i]);
        return _mm256_and_si256(_mm256_srlv_epi32(_mm256_set1_epi32(four), _mm256_load_si256(by)),
                                _mm256_set1_epi32(place::part.plan.mask));
    });
}
#endif

#if defined(__AVX512VBMI__)
// A part that lies in eight bytes needs one operation: bytes from any bit of these on.
template <const auto& Parts, std::size_t I, class A>
    requires(part_within<Parts, I, 8>::fits&& Parts[I].shifts())
[[nodiscard]] BPW_INLINE int16x<A> gather_part(const std::uint8_t* p, xsimd::avx512bw) noexcept {
    using place = part_within<Parts, I, 8>;
    long long eight = 0;
    std::memcpy(&eight, p + place::part.window[0] + place::first, 8);
    // Of each integer only the lowest byte matters; the other three are read from bit 0 on.
    const __m512i bytes = _mm512_maskz_multishift_epi64_epi8(
        ~std::uint64_t{0}, _mm512_load_si512(place::bit.data()), _mm512_set1_epi64(eight));
    return {{_mm512_and_si512(bytes, _mm512_set1_epi32(place::part.plan.mask))}};
}
#endif

template <const auto& Parts, class A, std::size_t... I>
[[nodiscard]] BPW_INLINE int16x<A> gather_parts(const std::uint8_t* p, std::index_sequence<I...>,
                                                xsimd::generic) noexcept {
    [[maybe_unused]] const auto moved = [&](auto i) {
        return gather_part<Parts, i, A>(p, A{}).template shifted_left<Parts[i].at>();
    };
    auto out = gather_part<Parts, 0, A>(p, A{});
    ((out = out | moved(std::integral_constant<std::size_t, I + 1>{})), ...);
    return out;
}

#if XSIMD_WITH_AVX2 && !XSIMD_WITH_AVX512F
// Numbers of at most 8 bits come together in the upper bytes of words: numbers n and n + 8 in the
// words of integer n, so that they are half as many operations as in integers.
template <const auto& Parts>
inline constexpr bool come_in_words = [] {
    for (const auto& part : Parts) {
        if (!part.one_window() || part.at + part.width > 8) return false;
    }
    return std::size(Parts) > 1;
}();
template <const auto& Parts, std::size_t I>
struct part_in_words {
    static constexpr auto& part = Parts[I];
    static constexpr std::size_t number(std::size_t word) {
        return word / 2 + (word % 2 == 0 ? 8 : 0);
    }
    alignas(32) static constexpr auto byte = [] {
        std::array<std::uint8_t, 32> out{};
        for (std::size_t i = 0; i < 32; ++i) out[i] = part.plan.byte[4 * number(i / 2) + i % 2];
        return out;
    }();
    alignas(32) static constexpr auto multiplier = [] {
        std::array<std::uint16_t, 16> out{};
        for (std::size_t i = 0; i < 16; ++i) {
            out[i] = static_cast<std::uint16_t>(1 << (8 + part.at - part.plan.shift[number(i)]));
        }
        return out;
    }();
    static constexpr auto mask = static_cast<short>(((1 << part.width) - 1) << (8 + part.at));
};
// In the upper byte of every word; the lower one is zero.
template <const auto& Parts, std::size_t... I>
[[nodiscard]] BPW_INLINE __m256i gather_words(const std::uint8_t* p,
                                              std::index_sequence<I...>) noexcept {
    const auto part = [&](auto i) {
        using words = part_in_words<Parts, i>;
        const auto load = [](const void* at) {
            return _mm256_load_si256(static_cast<const __m256i*>(at));
        };
        const __m256i bytes = _mm256_broadcastsi128_si256(
            _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + words::part.window[0])));
        const __m256i pairs = _mm256_shuffle_epi8(bytes, load(words::byte.data()));
        return _mm256_and_si256(_mm256_mullo_epi16(pairs, load(words::multiplier.data())),
                                _mm256_set1_epi16(words::mask));
    };
    __m256i both = part(std::integral_constant<std::size_t, 0>{});
    ((both = _mm256_or_si256(both, part(std::integral_constant<std::size_t, I + 1>{}))), ...);
    return both;
}
template <const auto& Parts, class A, std::size_t... I>
    requires come_in_words<Parts>
[[nodiscard]] BPW_INLINE int16x<A> gather_parts(const std::uint8_t* p,
                                                std::index_sequence<I...> upper_parts,
                                                xsimd::avx2) noexcept {
    const __m256i both = gather_words<Parts>(p, upper_parts);
    return {{_mm256_srli_epi32(both, 24), _mm256_srli_epi32(_mm256_slli_epi32(both, 16), 24)}};
}
#endif

template <const auto& Parts, const auto& Table, class A>
[[nodiscard]] BPW_INLINE int16x<A> gather_from_table(const std::uint8_t* p,
                                                     xsimd::generic) noexcept {
    using upper_parts = std::make_index_sequence<std::size(Parts) - 1>;
    return gather_parts<Parts, A>(p, upper_parts{}, A{})
        .template lookup<Table.size()>(Table.data());
}
#if XSIMD_WITH_AVX2 && !XSIMD_WITH_AVX512F
template <const auto& Parts, const auto& Table, class A>
    requires come_in_words<Parts>
[[nodiscard]] BPW_INLINE int16x<A> gather_from_table(const std::uint8_t* p, xsimd::avx2) noexcept {
    using upper_parts = std::make_index_sequence<std::size(Parts) - 1>;
    const u8_batch<A> words = gather_words<Parts>(p, upper_parts{});
    const __m256i both =
        simd::lookup<Table.size(), A>(reinterpret_cast<const std::uint8_t*>(Table.data()), words);
    return {{_mm256_srai_epi32(both, 24), _mm256_srai_epi32(_mm256_slli_epi32(both, 16), 24)}};
}
#endif

// Whether numbers are cheaper gathered from all their parts than looked up part by part.
#if XSIMD_WITH_AVX2 && !XSIMD_WITH_AVX512F
template <class A>
inline constexpr bool gathers_rather_than_looks_up = std::is_base_of_v<xsimd::avx2, A>;
#else
template <class A>
inline constexpr bool gathers_rather_than_looks_up = false;
#endif

}  // namespace detail

/// Sixteen numbers from their parts, the lowest first; see number_part.
template <const auto& Parts, class A>
[[nodiscard]] BPW_INLINE int16x<A> gather_parts(const std::uint8_t* p) noexcept {
    return detail::gather_parts<Parts, A>(p, std::make_index_sequence<std::size(Parts) - 1>{}, A{});
}

/// Table[n] for sixteen such numbers n, all below Table.size(): signed bytes.
template <const auto& Parts, const auto& Table, class A>
[[nodiscard]] BPW_INLINE int16x<A> gather_from_table(const std::uint8_t* p) noexcept {
    return detail::gather_from_table<Parts, Table, A>(p, A{});
}

/// Whether scales are cheaper gathered as integers than looked up in tables of floats, part by
/// part.
template <class A>
inline constexpr bool gathers_rather_than_looks_up = detail::gathers_rather_than_looks_up<A>;

}  // namespace simd

BPW_NAMESPACE_END
