// How small integers lie in the bytes of a block.
//
// A block is a struct of byte arrays; on top of it a format names its fields: how many values a
// field has and at which bits each lies. One description serves reading, writing, repacking
// between layouts and the proof that every bit of a block has exactly one owner.
//
// Bits are numbered little-endian through the block: bit b of byte B is bit 8 B + b. In a layout
// that interleaves rows, k is the row within its group; otherwise k is 0.
#pragma once

#include <bpw/core/config.hpp>

#include <cstddef>
#include <cstdint>

BPW_NAMESPACE_BEGIN

/// Bytes of little-endian numbers inside block structs, which thereby need no alignment.
using le16 = std::uint8_t[2];
using le32 = std::uint8_t[4];

/// The `width` (1 to 32) bits of `bytes` from bit `at` on, as an unsigned number.
[[nodiscard]] constexpr std::uint32_t read_bits(const std::uint8_t* bytes, std::size_t at,
                                                int width) noexcept {
    bytes += at / 8;
    const auto shift = static_cast<int>(at % 8);
    std::uint64_t word = *bytes;
    for (int have = 8; have < shift + width; have += 8) {
        word |= static_cast<std::uint64_t>(*++bytes) << have;
    }
    return static_cast<std::uint32_t>(word >> shift & ((std::uint64_t{1} << width) - 1));
}

/// Stores the low `width` bits of `value` at bit `at` of `bytes` and leaves the other bits
/// alone.
constexpr void write_bits(std::uint8_t* bytes, std::size_t at, int width,
                          std::uint32_t value) noexcept {
    bytes += at / 8;
    for (auto shift = static_cast<int>(at % 8); width > 0; shift = 0, ++bytes) {
        const int here = width < 8 - shift ? width : 8 - shift;
        const auto mask = ((1u << here) - 1u) << shift;
        *bytes = static_cast<std::uint8_t>((*bytes & ~mask) | (value << shift & mask));
        value >>= here;
        width -= here;
    }
}

/// Values in slots of `Slot` bits: the first `Run` values fill the lowest slots of `Run`
/// consecutive bytes, the next `Run` values the slots above, and so on; then the next `Run`
/// bytes follow. Slots of 8 bits and more simply follow each other.
///
/// `plane<4, 16>` holds weights 0..15 in the low and 16..31 in the high nibbles of 16 bytes;
/// `plane<1>` is an ordinary bit string; `plane<8>` an array of bytes. With `Rows` > 1, chunks
/// of `Chunk` consecutive values of row 0, row 1, ... alternate before they are laid out.
template <int Slot, int Run = 1, int Rows = 1, int Chunk = 1>
struct plane {
    std::size_t byte;  ///< where the plane begins in the block
    int sub = 0;       ///< first bit inside the slot, when a field uses only a part of it

    [[nodiscard]] constexpr std::size_t bit(int k, int n) const noexcept {
        const int j = Rows == 1 ? n : Chunk * (Rows * (n / Chunk) + k) + n % Chunk;
        if constexpr (Slot >= 8) {
            return 8 * byte + static_cast<std::size_t>(Slot * j + sub);
        } else {
            constexpr int slots = 8 / Slot;
            const int at = Run * (j / (Run * slots)) + j % Run;
            return 8 * (byte + static_cast<std::size_t>(at)) +
                   static_cast<std::size_t>(Slot * (j / Run % slots) + sub);
        }
    }
};

/// Values inside records: records of `Per` values follow each other every `Stride` bytes, the
/// values of a record every `Step` bits, and those of the next interleaved row `Row` bytes on.
template <int Per, int Stride, int Step = 0, int Row = 0>
struct records {
    std::size_t byte;
    int sub = 0;

    [[nodiscard]] constexpr std::size_t bit(int k, int n) const noexcept {
        return 8 * (byte + static_cast<std::size_t>(Stride * (n / Per) + Row * k)) +
               static_cast<std::size_t>(Step * (n % Per) + sub);
    }
};

/// `Width` bits of a value, at the places that `Rule` gives.
template <int Width, class Rule>
struct part {
    static constexpr int width = Width;
    Rule rule;
};

template <int Width, class Rule>
[[nodiscard]] constexpr part<Width, Rule> bits(Rule rule) noexcept {
    return {rule};
}

/// `Count` unsigned integers per row and block, each put together from parts, the least
/// significant first.
template <int Count, class Low, class... High>
struct field {
    static constexpr int count = Count;
    static constexpr int width = Low::width + field<Count, High...>::width;
    Low low;
    field<Count, High...> high;

    /// Value n of row k.
    [[nodiscard]] constexpr std::uint32_t get(const std::uint8_t* block, int k,
                                              int n) const noexcept {
        return read_bits(block, low.rule.bit(k, n), Low::width) | high.get(block, k, n)
                                                                      << Low::width;
    }

    constexpr void set(std::uint8_t* block, int k, int n, std::uint32_t value) const noexcept {
        write_bits(block, low.rule.bit(k, n), Low::width, value);
        high.set(block, k, n, value >> Low::width);
    }
};

template <int Count, class Only>
struct field<Count, Only> {
    static constexpr int count = Count;
    static constexpr int width = Only::width;
    Only low;

    [[nodiscard]] constexpr std::uint32_t get(const std::uint8_t* block, int k,
                                              int n) const noexcept {
        return read_bits(block, low.rule.bit(k, n), width);
    }

    constexpr void set(std::uint8_t* block, int k, int n, std::uint32_t value) const noexcept {
        write_bits(block, low.rule.bit(k, n), width, value);
    }
};

template <int Count, class Only>
[[nodiscard]] constexpr field<Count, Only> values(Only only) noexcept {
    return {only};
}

template <int Count, class Low, class... High>
    requires(sizeof...(High) > 0)
[[nodiscard]] constexpr field<Count, Low, High...> values(Low low, High... high) noexcept {
    return {low, values<Count>(high...)};
}

/// One 16-bit number per row and block; those of interleaved rows follow each other.
template <int Rows = 1>
[[nodiscard]] constexpr auto half_at(std::size_t byte) noexcept {
    return values<1>(bits<16>(plane<16, 1, Rows>{byte}));
}

/// An unsigned number of `Width` bits as two's complement.
template <int Width>
[[nodiscard]] constexpr int as_signed(std::uint32_t value) noexcept {
    return static_cast<std::int32_t>(value << (32 - Width)) >> (32 - Width);
}

BPW_NAMESPACE_END
