// Tiles, and their unpacking by the scalar decode.
#pragma once

#include <bpw/core/matrix.hpp>
#include <bpw/kernels/lane_order.hpp>
#include <bpw/simd/vector64.hpp>

BPW_NAMESPACE_BEGIN

/// A tile of a row: 256 / block_size blocks, fewer at the end of a row.
template <class T>
struct tile_ref {
    const matrix_view<T>& matrix;
    std::size_t row;
    std::size_t first_block;
    std::size_t blocks;

    static constexpr std::size_t full = tile_weights / std::size_t{traits<T>::block_size};

    [[nodiscard]] block_ref<T> block(std::size_t b = 0) const noexcept {
        return matrix.block(row, first_block + b);
    }
    /// Bytes from a block of the row to the next.
    static constexpr std::size_t stride = sizeof(typename T::block);
};

namespace detail {

// Lanes as unsigned bytes: lane = u - bias, plus `step` where the group's shift bit is set.
template <class T>
struct unsigned_lanes {
    static constexpr int bias = traits<T>::lanes.min < 0 ? -traits<T>::lanes.min : 0;
    static constexpr int max = traits<T>::lanes.max + bias;
};

}  // namespace detail

/// Lanes through the scalar decode, in natural order: for every type and for the shorter tile at
/// the end of a row. `Bias` is at least what makes every lane positive.
template <class T, int Bias = detail::unsigned_lanes<T>::bias>
struct scalar_unpack {
    using order = natural_order;
    static constexpr bool is_scalar = true;
    static constexpr int bias = Bias;
    static constexpr int max =
        detail::unsigned_lanes<T>::max - detail::unsigned_lanes<T>::bias + Bias;

    template <int Step, class A>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> lanes(const tile_ref<T>& tile) noexcept {
        alignas(64) std::uint8_t u[64];
        constexpr auto size = std::size_t{traits<T>::block_size};
        for (std::size_t i = 0; i < 64; ++i) {
            const std::size_t n = 64 * Step + i;
            const bool inside = n / size < tile.blocks;
            u[i] = static_cast<std::uint8_t>(
                inside ? T::lane(tile.block(n / size), static_cast<int>(n % size)) + bias : 0);
        }
        return simd::bytes64<A>::load(u);
    }
};

/// How the lanes of a full tile are unpacked: `order`, and lanes<Step>(tile), 64 unsigned bytes
/// that exceed the lanes by `bias` and are at most `max`.
template <class T>
struct unpack : scalar_unpack<T> {};

BPW_NAMESPACE_END
