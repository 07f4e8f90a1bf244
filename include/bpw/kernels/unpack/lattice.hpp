// Lanes from the lattice codebooks, an octet of weights at a time.
#pragma once

#include <bpw/formats/lattice.hpp>
#include <bpw/kernels/unpack/tile.hpp>
#include <cstring>

BPW_NAMESPACE_BEGIN

namespace detail {

// The entries of a codebook as eight (or four) bytes, each raised by `Bias`.
template <class Codebook, int Bias>
inline constexpr auto packed_entries = [] {
    using word = std::conditional_t<Codebook::length == 8, std::uint64_t, std::uint32_t>;
    std::array<word, std::size_t{Codebook::entries}> out{};
    for (std::size_t e = 0; e < out.size(); ++e) {
        for (std::size_t k = 0; k < std::size_t{Codebook::length}; ++k) {
            out[e] |= static_cast<word>(lattice::grid<Codebook>[e][k] + Bias) << 8 * k;
        }
    }
    return out;
}();

// For every byte of sign bits eight bytes, 255 where the bit is set.
inline constexpr auto sign_masks = [] {
    std::array<std::uint64_t, 256> out{};
    for (std::size_t bits = 0; bits < 256; ++bits) {
        for (std::size_t k = 0; k < 8; ++k) {
            if ((bits >> k & 1) != 0) out[bits] |= std::uint64_t{255} << 8 * k;
        }
    }
    return out;
}();

// The sign bits of octet `o`.
template <class T>
[[nodiscard]] inline std::uint32_t signs_of(const block_ref<T>& b, int o) noexcept {
    if constexpr (requires { T::signs; }) {
        return read_bits(b.bytes, T::signs.low.rule.bit(0, 8 * o), 8);
    } else {
        const auto stored = b.get(T::signs7, o);
        return stored | static_cast<std::uint32_t>(std::popcount(stored) & 1) << 7;
    }
}

// Codebooks of magnitudes with signs of their own.
template <class T>
concept signed_lattice_codes = traits<T>::rows == 1 && requires {
    typename T::codebook;
    requires std::is_base_of_v<signed_lattice<typename T::codebook>, T>;
};

}  // namespace detail

template <class T>
    requires detail::signed_lattice_codes<T>
struct unpack<T> {
    using order = natural_order;
    static constexpr int bias = detail::unsigned_lanes<T>::bias;
    static constexpr int max = detail::unsigned_lanes<T>::max;

    template <int Step, class A>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> lanes(const tile_ref<T>& tile) noexcept {
        using codebook = typename T::codebook;
        constexpr auto& entries = detail::packed_entries<codebook, 0>;
        constexpr auto biases = std::uint64_t{bias} * 0x0101010101010101u;
        const auto block = tile.block();
        alignas(64) std::uint64_t octets[8];
        for (int i = 0; i < 8; ++i) {
            const int o = 8 * Step + i;
            std::uint64_t entry = 0;
            if constexpr (codebook::length == 8) {
                entry = entries[block.get(T::index, o)];
            } else {
                entry = entries[block.get(T::index, 2 * o)] |
                        std::uint64_t{entries[block.get(T::index, 2 * o + 1)]} << 32;
            }
            // bias + entry or bias - entry in every byte; neither carries into the next.
            const auto mask = detail::sign_masks[detail::signs_of(block, o)];
            octets[i] = biases + (entry & ~mask) - (entry & mask);
        }
        return simd::bytes64<A>::load(reinterpret_cast<const std::uint8_t*>(octets));
    }
};

BPW_NAMESPACE_END
