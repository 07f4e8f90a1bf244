// Codes, a byte each, to their places in a block.
//
// Most layouts put several codes that follow each other into the same bits of adjacent bytes, or
// are strings of bits. Either way eight codes are moved in one word.
#pragma once

#include <bpw/core/format.hpp>
#include <bpw/kernels/unpack/numbers.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

BPW_NAMESPACE_BEGIN

namespace detail {

template <int P, class Field>
[[nodiscard]] constexpr const auto& part_of(const Field& field) noexcept {
    if constexpr (P == 0)
        return field.low;
    else
        return part_of<P - 1>(field.high);
}

/// Where the bits of part P of T::q lie.
template <class T, int P>
struct code_places {
    static constexpr std::size_t count = std::size_t{T::q.count};
    static constexpr int width = std::remove_cvref_t<decltype(part_of<P>(T::q))>::width;

    [[nodiscard]] static constexpr std::size_t bit(std::size_t row, std::size_t n) noexcept {
        return part_of<P>(T::q).rule.bit(static_cast<int>(row), static_cast<int>(n));
    }
    // Whether code n + 1 lies `step` bits behind code n, in every run of so many.
    [[nodiscard]] static constexpr bool follows(std::size_t length, std::size_t step) noexcept {
        if (count % length != 0) return false;
        for (std::size_t n = 0; n < count; ++n) {
            if (n % length != 0 && bit(0, n) != bit(0, n - 1) + step) return false;
        }
        return true;
    }
    static constexpr bool is_string = width < 8 && (width == 1 || width == 2 || width == 4) &&
                                      follows(8, std::size_t{width}) && bit(0, 0) % 8 == 0;
    static constexpr std::size_t run = is_string ? 8 : follows(8, 8) ? 8 : follows(4, 8) ? 4 : 1;
    static constexpr std::size_t runs = count / run;
    /// The first bit of a run, by row.
    static constexpr auto first = [] {
        std::array<std::uint16_t, std::size_t{traits<T>::rows} * runs> out{};
        for (std::size_t i = 0; i < out.size(); ++i) {
            out[i] = static_cast<std::uint16_t>(bit(i / runs, i % runs * run));
        }
        return out;
    }();
};

// The lowest `width` bits of eight bytes, one after the other.
template <int Width>
[[nodiscard]] BPW_INLINE constexpr std::uint64_t string_of(std::uint64_t bytes) noexcept {
    if constexpr (Width == 1) {
        return (bytes & 0x0101010101010101u) * 0x0102040810204080u >> 56;
    } else if constexpr (Width == 2) {
        bytes &= 0x0303030303030303u;
        bytes = (bytes | bytes >> 6) & 0x000f000f000f000fu;
        bytes = (bytes | bytes >> 12) & 0x000000ff000000ffu;
        return (bytes | bytes >> 24) & 0xffffu;
    } else {
        bytes &= 0x0f0f0f0f0f0f0f0fu;
        bytes = (bytes | bytes >> 4) & 0x00ff00ff00ff00ffu;
        bytes = (bytes | bytes >> 8) & 0x0000ffff0000ffffu;
        return (bytes | bytes >> 16) & 0xffffffffu;
    }
}

template <class T, int P>
BPW_INLINE void pack_part(std::uint8_t* block, int row, const std::uint8_t* codes,
                          int below) noexcept {
    using places = code_places<T, P>;
    using word = std::conditional_t<places::run == 4, std::uint32_t, std::uint64_t>;
    constexpr std::uint32_t mask = (1u << places::width) - 1u;
    const auto* const first = places::first.data() + static_cast<std::size_t>(row) * places::runs;
    for (std::size_t r = 0; r < places::runs; ++r) {
        const auto at = std::size_t{first[r]};
        const auto* const from = codes + r * places::run;
        if constexpr (places::run == 1) {
            write_bits(block, at, places::width, static_cast<std::uint32_t>(*from >> below));
        } else if constexpr (places::is_string && std::endian::native == std::endian::little) {
            std::uint64_t bytes;
            std::memcpy(&bytes, from, 8);
            const auto string = string_of<places::width>(bytes >> below);
            std::memcpy(block + at / 8, &string, std::size_t{places::width});
        } else if constexpr (places::is_string) {
            for (std::size_t i = 0; i < 8; ++i) {
                write_bits(block, at + i * std::size_t{places::width}, places::width,
                           static_cast<std::uint32_t>(from[i] >> below));
            }
        } else {
            word moved;
            word there;
            std::memcpy(&moved, from, sizeof moved);
            if constexpr (places::width == 8) {
                std::memcpy(block + at / 8, &moved, sizeof moved);
                continue;
            }
            std::memcpy(&there, block + at / 8, sizeof there);
            constexpr auto every = static_cast<word>(0x0101010101010101u * mask);
            there |= (moved >> below & every) << at % 8;
            std::memcpy(block + at / 8, &there, sizeof there);
        }
    }
}

/// Stores the codes of one row of a block, whose bits were zero.
template <class T, int P = 0>
BPW_INLINE void pack_codes(std::uint8_t* block, int row, const std::uint8_t* codes,
                           int below = 0) noexcept {
    pack_part<T, P>(block, row, codes, below);
    if constexpr (P + 1 < static_cast<int>(parts_of(T::q))) {
        pack_codes<T, P + 1>(block, row, codes, below + code_places<T, P>::width);
    }
}

}  // namespace detail

BPW_NAMESPACE_END
