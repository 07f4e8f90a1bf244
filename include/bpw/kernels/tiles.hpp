// Tiles for kernels of one's own.
//
// Two ways in. row_products adds up products tile by tile, for a kernel that does more with a row
// than gemv does, or with rows of several matrices at once; the results have the bits of try_gemv.
// Below it, unpack<T>::lanes gives the integers of a tile in lane order, scales_of what they are
// multiplied with, and of_quads spreads that to the quads of a step.
#pragma once

#include <bpw/kernels/integer_product.hpp>

#include <array>

BPW_NAMESPACE_BEGIN

/// Tiles in a row, the last one perhaps shorter.
template <class T>
[[nodiscard]] std::size_t tiles_per_row(const matrix_view<T>& w) noexcept {
    return (w.cols() + tile_weights - 1) / tile_weights;
}

/// Tile `i` of row `row`.
template <class T>
[[nodiscard]] tile_ref<T> row_tile(const matrix_view<T>& w, std::size_t row,
                                   std::size_t i) noexcept {
    constexpr auto full = tile_ref<T>::full;
    return {w, row, i * full, std::min(full, w.blocks() - i * full)};
}

/// The running products of a row and one vector; of the rows that stand together, where a type
/// interleaves them.
template <class T, class A = native_arch>
    requires has_integer_lanes<T>
class row_products {
  public:
    /// Rows at once: 1, or those that T interleaves.
    static constexpr auto rows = std::size_t{traits<T>::rows};

    /// Adds tile `i` of the rows from `row` on, a multiple of `rows`, times tile `i` of a vector
    /// that is packed for T (activations_for<T>). In the order of the tiles.
    BPW_INLINE void add(const matrix_view<T>& w, std::size_t row, std::size_t i,
                        const typename activations_for<T, A>::tile& x) noexcept {
        const auto tile = row_tile(w, row, i);
        const std::array from{&x};
        if constexpr (detail::scaled_by_row<T>) {
            for (std::size_t k = 0; k < rows; ++k) of_rows_[k] = w.block(row + k, 0);
        }
        if (tile.blocks == tile_ref<T>::full) {
            if constexpr (together)
                detail::multiply_row_tile<A>(tile, from, sums_);
            else
                add_each<row_unpack<T>>(tile, from, sums_);
        } else if constexpr (tile_ref<T>::full != 1) {
            if constexpr (together) {
                separate_sums last;
                add_each<scalar_unpack<T, unpack<T>::bias>>(tile, from, last);
                for (std::size_t k = 0; k < rows; ++k) last_[k] = last[k][0].total();
            } else {
                add_each<scalar_unpack<T, unpack<T>::bias>>(tile, from, sums_);
            }
        }
    }

    /// The products so far.
    [[nodiscard]] BPW_INLINE std::array<float, rows> totals() const noexcept {
        std::array<float, rows> y;
        if constexpr (together) {
            sums_[0].template total<rows>(y.data());
            for (std::size_t k = 0; k < rows; ++k) y[k] += last_[k];
        } else {
            for (std::size_t k = 0; k < rows; ++k) y[k] = sums_[k][0].total();
        }
        if constexpr (detail::scaled_by_row<T>) {
            const bool any = of_rows_[0].bytes != nullptr;
            for (std::size_t k = 0; k < rows && any; ++k) y[k] *= T::block_scale(of_rows_[k]);
        }
        return y;
    }

  private:
    // Whether whole tiles of interleaved rows are multiplied as they lie. The shorter tile at the
    // end of a row is decoded row by row.
    static constexpr bool together = detail::interleaved_rows<T>;
    using separate_sums = std::array<detail::sums_of_vectors<A, 1>, rows>;

    using vector_tile = std::array<const typename activations_for<T, A>::tile*, 1>;

    template <class Unpack>
    BPW_INLINE static void add_each(const tile_ref<T>& tile, const vector_tile& x,
                                    separate_sums& sums) noexcept {
        for (std::size_t k = 0; k < rows; ++k) {
            detail::multiply_tile<Unpack>(
                tile_ref<T>{tile.matrix, tile.row + k, tile.first_block, tile.blocks}, x, sums[k]);
        }
    }

    std::conditional_t<together, detail::sums_of_row_groups<A, 1>, separate_sums> sums_;
    std::array<float, together ? rows : 0> last_{};
    // Where the factors of the products are, which do not come with the tiles.
    std::array<block_ref<T>, detail::scaled_by_row<T> ? rows : 0> of_rows_{};
};

/// What the integers of a tile are multiplied with (`scale`) and what is added then (`offset`), for
/// each run of 16 weights: w = scale * (lane - unpack<T>::bias) + offset. Where fine_bits says so,
/// the lane is followed by a fraction, fine_lanes_of.
template <class A>
using tile_scales = detail::tile_scales<A>;

/// The scales of a full tile of one row.
template <class A, class T>
    requires has_integer_lanes<T>
[[nodiscard]] BPW_INLINE tile_scales<A> scales_of(const tile_ref<T>& tile) noexcept {
    return detail::scales_of<unpack<T>, A>(tile);
}

/// Whether tiles of T have offsets other than zero.
template <class T>
inline constexpr bool has_offsets = detail::has_offsets<unpack<T>, T>;

/// Numbers of the runs of a tile, for each of the sixteen quads of a step.
template <class T, int Step, class A>
[[nodiscard]] BPW_INLINE simd::float16<A> of_quads(const simd::float16<A>& of_runs) noexcept {
    static constexpr auto runs = detail::runs_of_step<typename unpack<T>::order>(Step);
    return runs == simd::in_place ? of_runs : simd::spread(of_runs, runs);
}

BPW_NAMESPACE_END
