// Products of quantized matrices with many vectors of activations in 8 bits.
//
// Weights are unpacked once into a panel of 32 rows and 1024 columns, whose quads of all rows stand
// together; a register-blocked kernel multiplies it with a few vectors at a time. Inside a group of
// 16 or 32 weights everything is integer and exact; every group keeps its own scale:
//
//   s = fma(scale of the group, activation scale * float(integer sum), s)
//   s = fma(offset of the group, scaled sum of the activations, s)     where there are offsets
//
// in the order of the groups, for every row and vector. So gemm gives the same bits on every arch
// and for every number of threads. They are not those of gemv, which adds in another order.
#pragma once

#include <bpw/kernels/activation_batch.hpp>
#include <bpw/kernels/integer_tile.hpp>
#include <bpw/kernels/panel.hpp>
#include <bpw/kernels/row_group.hpp>
#include <bpw/kernels/unpack/lanes.hpp>
#include <bpw/simd/dot_run.hpp>
#include <bpw/simd/transpose.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

inline constexpr std::size_t panel_tiles = 4;

// The weights of 32 rows as unsigned lanes, and what scales them.
struct alignas(64) weight_panel {
    std::uint8_t q[panel_tiles * 64][panel_rows][4];
    float scale[panel_tiles * 16][panel_rows];
    float offset[panel_tiles * 16][panel_rows];
};

// The group of weights that share a scale, on the side of the weights or of the activations.
template <class T>
inline constexpr int panel_group = std::min(32, traits<T>::group_size);

// Where the sixteen quads of a step go, in bytes of a panel.
template <class Order>
[[nodiscard]] constexpr std::array<std::uint32_t, 16> panel_places(std::size_t step) noexcept {
    std::array<std::uint32_t, 16> to{};
    for (std::size_t i = 0; i < 16; ++i) {
        to[i] = std::uint32_t{quad_places<Order>[16 * step + i]} * 4 * panel_rows;
    }
    return to;
}

// Where the sixteen numbers of a tile's runs go: those of a group of 32 are equal.
template <int Group>
[[nodiscard]] constexpr std::array<std::uint32_t, 16> scale_places() noexcept {
    std::array<std::uint32_t, 16> to{};
    for (std::uint32_t run = 0; run < 16; ++run) {
        to[run] = run * 16 / Group * std::uint32_t{sizeof(float) * panel_rows};
    }
    return to;
}

// What `step` adds to the lanes of each run whose shift bit is set, in every byte of an integer.
template <class Unpack, class A, class T>
[[nodiscard]] BPW_INLINE simd::int16x<A> shifts_of(const tile_ref<T>& tile) noexcept {
    return group_field<A, T, T::shift>(tile.block().bytes) *
           simd::int16x<A>::all(Unpack::step * 0x01010101);
}

// One tile of sixteen rows into the panel.
template <class Unpack, class A, class T>
void unpack_tile16(const matrix_view<T>& w, const std::array<std::size_t, 16>& rows,
                   std::size_t block, std::size_t blocks, std::uint8_t* q, float* scale,
                   float* offset) noexcept {
    alignas(64) std::uint8_t lanes[16][tile_weights];
    alignas(64) float scales[16][16];
    alignas(64) float offsets[16][16];
    alignas(64) std::int32_t shifts[16][16];
    for (std::size_t r = 0; r < 16; ++r) {
        const tile_ref<T> tile{w, rows[r], block, blocks};
        const auto steps = lanes_of<Unpack, A>(tile);
        for (std::size_t step = 0; step < 4; ++step) steps[step].store(lanes[r] + 64 * step);
        const auto s = scales_of<Unpack, A>(tile);
        s.scale.store(scales[r]);
        if constexpr (traits<T>::has_offset) s.offset.store(offsets[r]);
        if constexpr (requires { Unpack::step; }) shifts_of<Unpack, A>(tile).store(shifts[r]);
    }
    for_each_index<4>([&](auto step) {
        static constexpr auto to = panel_places<typename Unpack::order>(step);
        simd::transpose16<A>(lanes[0] + 64 * step, tile_weights, q, to);
    });
    const auto transpose = [](const auto& from, auto* out) {
        static constexpr auto to = scale_places<panel_group<T>>();
        simd::transpose16<A>(reinterpret_cast<const std::uint8_t*>(from), sizeof from[0],
                             reinterpret_cast<std::uint8_t*>(out), to);
    };
    transpose(scales, scale);
    if constexpr (traits<T>::has_offset) transpose(offsets, offset);
    if constexpr (requires { Unpack::step; }) {
        constexpr auto quads = std::size_t{panel_group<T>} / 4;
        alignas(64) std::int32_t by_group[16][panel_rows];
        transpose(shifts, by_group[0]);
        for (std::size_t quad = 0; quad < 64; ++quad) {
            auto* const lanes16 = q + quad * 4 * panel_rows;
            (simd::bytes64<A>::load(lanes16) +
             simd::int16x<A>::load(by_group[quad / quads]).as_bytes())
                .store(lanes16);
        }
    }
}

// `tiles` tiles from tile `first_tile` on of the rows first ... first + 31; rows behind the end are
// the last one.
template <class A, class T>
void unpack_panel(const matrix_view<T>& w, std::size_t first, std::size_t first_tile,
                  std::size_t tiles, weight_panel& panel) noexcept {
    constexpr auto full = tile_ref<T>::full;
    constexpr auto groups = tile_weights / std::size_t{panel_group<T>};
    for (std::size_t half = 0; half < panel_rows; half += 16) {
        std::array<std::size_t, 16> rows;
        for (std::size_t r = 0; r < 16; ++r) rows[r] = std::min(first + half + r, w.rows() - 1);
        for (std::size_t t = 0; t < tiles; ++t) {
            const auto block = (first_tile + t) * full;
            const auto blocks = std::min(full, w.blocks() - block);
            auto* const q = &panel.q[64 * t][half][0];
            auto* const scale = &panel.scale[groups * t][half];
            auto* const offset = &panel.offset[groups * t][half];
            if (blocks == full) {
                if constexpr (interleaved_rows<T>) {
                    constexpr auto n = std::size_t{traits<T>::rows};
                    for (std::size_t r = 0; r < 16; r += n) {
                        const auto row = rows[r] / n * n;
                        unpack_row_tile<A>(tile_ref<T>{w, row, block, full}, q + 4 * r,
                                           4 * panel_rows, scale + r, offset + r, panel_rows);
                    }
                } else {
                    unpack_tile16<unpack<T>, A>(w, rows, block, blocks, q, scale, offset);
                }
            } else if constexpr (full != 1) {
                unpack_tile16<scalar_unpack<T, unpack<T>::bias>, A>(w, rows, block, blocks, q,
                                                                    scale, offset);
            }
        }
    }
}

// What the multiplication of a panel depends on of the type: few kernels serve all types.
template <int Max, int Group, bool Offsets>
struct panel_shape {
    static constexpr int max = Max;
    static constexpr int group = Group;
    static constexpr bool offsets = Offsets;
};

template <class T>
using panel_shape_of = panel_shape<simd::bound_of_lanes(std::max(
                                       unpack<T>::max, scalar_unpack<T, unpack<T>::bias>::max)),
                                   panel_group<T>, traits<T>::has_offset>;

// `Registers` registers of rows, from `row` on, times all vectors of a batch tile, over `tiles`
// tiles. Adds to the sums y[c * stride + row ...], or starts them.
template <class Shape, class A, std::size_t Registers, std::size_t Vectors>
void multiply_panel(const weight_panel& panel, int bias, std::size_t row, std::size_t tiles,
                    const batch_tile<Vectors>* x, bool add, float* y, std::size_t stride) noexcept {
    using ints = simd::i32_batch<A>;
    using floats = xsimd::batch<float, A>;
    constexpr std::size_t lanes = ints::size;
    constexpr std::size_t quads = Shape::group / 4;
    constexpr std::size_t groups = tile_weights / Shape::group;
    y += row;
    std::array<std::array<floats, Vectors>, Registers> total;
    for_each_index<Registers>([&](auto r) {
        for_each_index<Vectors>([&](auto c) {
            total[r][c] = add ? floats::load_unaligned(y + c * stride + r * lanes) : floats(0.0f);
        });
    });
    for (std::size_t t = 0; t < tiles; ++t) {
        // What the bias of the lanes adds is taken off the sums at their start.
        alignas(64) std::int32_t start[groups * Vectors];
        const auto* const x_sums = x[t].template sums_of<Shape::group>(0);
        for (std::size_t i = 0; i < groups * Vectors; ++i)
            start[i] = (simd::lowered_lanes<Shape::max> - bias) * x_sums[i];
        for (std::size_t g = 0; g < groups; ++g) {
            std::array<std::array<ints, Vectors>, Registers> sum;
            std::array<std::array<simd::i16_batch<A>, Vectors>, Registers> pairs;
            for_each_index<Vectors>([&](auto c) {
                const ints first(start[g * Vectors + c]);
                for_each_index<Registers>([&](auto r) { sum[r][c] = first; });
            });
            const auto* const weights = &panel.q[64 * t + quads * g][row][0];
            const auto* const values = &x[t].q[quads * g][0][0];
            for_each_index<quads>([&](auto k) {
                std::array<simd::u8_batch<A>, Registers> u;
                for_each_index<Registers>([&](auto r) {
                    u[r] = simd::lower_lanes<Shape::max, A>(simd::u8_batch<A>::load_unaligned(
                        weights + k * 4 * panel_rows + r * 4 * lanes));
                });
                for_each_index<Vectors>([&](auto c) {
                    std::int32_t quad = 0;
                    std::memcpy(&quad, values + (k * Vectors + c) * 4, 4);
                    const auto s = xsimd::bitwise_cast<std::int8_t>(ints(quad));
                    for_each_index<Registers>([&](auto r) {
                        simd::dot_quads<Shape::max, k, quads, A>(sum[r][c], pairs[r][c], u[r], s);
                    });
                });
            });
            const auto* const x_scale = x[t].scale[g * Shape::group / 32];
            const auto* const x_scaled = x[t].template scaled_sums_of<Shape::group>(g);
            for_each_index<Registers>([&](auto r) {
                const auto at = row + r * lanes;
                const auto scale = floats::load_unaligned(&panel.scale[groups * t + g][at]);
                for_each_index<Vectors>([&](auto c) {
                    total[r][c] = simd::fused_multiply_add(
                        scale, floats(x_scale[c]) * simd::to_float<A>(sum[r][c]), total[r][c]);
                });
                if constexpr (Shape::offsets) {
                    const auto offset = floats::load_unaligned(&panel.offset[groups * t + g][at]);
                    for_each_index<Vectors>([&](auto c) {
                        total[r][c] =
                            simd::fused_multiply_add(offset, floats(x_scaled[c]), total[r][c]);
                    });
                }
            });
        }
    }
    for_each_index<Registers>([&](auto r) {
        for_each_index<Vectors>(
            [&](auto c) { total[r][c].store_unaligned(y + c * stride + r * lanes); });
    });
}

// 32 rows from `first` on times the vectors of `x` from `begin` up to `end`.
template <class A, class T, class Order>
void multiply_panel_rows(const matrix_view<T>& w, std::size_t first,
                         const activation_batch<Order, A>& x, std::size_t begin, std::size_t end,
                         vectors<float> y) noexcept {
    constexpr auto at_once = activation_batch<Order, A>::at_once;
    constexpr std::size_t registers = 2;
    const auto rows = std::min(panel_rows, w.rows() - first);
    const auto all_tiles = x.tiles_per_vector();
    weight_panel panel;
    for (std::size_t tile = 0; tile < all_tiles; tile += panel_tiles) {
        const auto tiles = std::min(panel_tiles, all_tiles - tile);
        unpack_panel<A>(w, first, tile, tiles, panel);
        const auto multiply = [&](std::size_t c, float* to, std::size_t stride) {
            for (std::size_t row = 0; row < panel_rows;
                 row += registers * simd::i32_batch<A>::size) {
                multiply_panel<panel_shape_of<T>, A, registers, at_once>(
                    panel, unpack<T>::bias, row, tiles, x.tiles(c) + tile, tile != 0, to, stride);
            }
        };
        for (std::size_t c = begin; c < end; c += at_once) {
            const auto n = std::min(at_once, end - c);
            if (n == at_once && rows == panel_rows) {
                multiply(c, y[c] + first, y.stride);
                continue;
            }
            alignas(64) float sums[at_once][panel_rows]{};
            for (std::size_t i = 0; i < n && tile != 0; ++i) {
                std::copy(y[c + i] + first, y[c + i] + first + rows, sums[i]);
            }
            multiply(c, sums[0], panel_rows);
            for (std::size_t i = 0; i < n; ++i) {
                std::copy(sums[i], sums[i] + rows, y[c + i] + first);
            }
        }
    }
}

}  // namespace detail

BPW_NAMESPACE_END
