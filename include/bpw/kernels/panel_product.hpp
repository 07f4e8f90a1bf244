// Products of quantized matrices with many vectors of activations in 8 bits.
//
// Weights are unpacked once into a panel of 32 rows and up to 1024 columns,
// whose quads of all rows stand together; a register-blocked kernel multiplies
// it with a few vectors at a time. Inside a group of 16 or 32 weights
// everything is integer and exact; every group keeps its own scale:
//
//   s = fma(scale of the group, activation scale * float(integer sum), s)
//   s = fma(offset of the group, scaled sum of the activations, s)     where
//   there are offsets
//
// in the order of the groups, for every row and vector. So gemm gives the same
// bits on every arch and for every number of threads. They are not those of
// gemv, which adds in another order. Types with fine lanes have a second panel
// for these, or words for both; their integers have the unit of the fine lanes,
// and so have their scales.
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

// The lanes of 32 rows: quads, and in each the rows.
template <std::size_t Tiles>
using panel_lanes = std::uint8_t[Tiles * 64][panel_rows][4];

// The weights of 32 rows as unsigned lanes, and what scales them.
struct alignas(64) byte_panel {
    static constexpr std::size_t tiles = 4;
    panel_lanes<tiles> q;
    float scale[tiles * 16][panel_rows];
    float offset[tiles * 16][panel_rows];
};
struct alignas(64) fine_byte_panel : byte_panel {
    panel_lanes<tiles> fine;
};
// Or as words without their bias: lanes 0 and 2 of a quad, lanes 1 and 3.
struct alignas(64) word_panel {
    static constexpr std::size_t tiles = 2;
    std::int16_t q[tiles * 64][2][panel_rows][2];
    float scale[tiles * 16][panel_rows];
    float offset[tiles * 16][panel_rows];
};

// The group of weights that share a scale, on the side of the weights or of the
// activations.
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

// Where the sixteen numbers of a tile's runs go: those of a group of 32 are
// equal.
template <int Group>
[[nodiscard]] constexpr std::array<std::uint32_t, 16> scale_places() noexcept {
    std::array<std::uint32_t, 16> to{};
    for (std::uint32_t run = 0; run < 16; ++run) {
        to[run] = run * 16 / Group * std::uint32_t{sizeof(float) * panel_rows};
    }
    return to;
}

// What `step` adds to the lanes of each run whose shift bit is set, in every
// byte of an integer.
template <class Unpack, class A, class T>
[[nodiscard]] BPW_INLINE simd::int16x<A> shifts_of(const tile_ref<T>& tile) noexcept {
    return group_field<A, T, T::shift>(tile.block().bytes) *
           simd::int16x<A>::all(Unpack::step * 0x01010101);
}

// Lanes of sixteen rows to where their quads go.
template <class Order, class A>
void transpose_lanes(const std::uint8_t (&lanes)[16][tile_weights], std::uint8_t* q) noexcept {
    for_each_index<4>([&](auto step) {
        static constexpr auto to = panel_places<Order>(step);
        simd::transpose16<A>(lanes[0] + 64 * step, tile_weights, q, to);
    });
}

// The fine lanes of one tile of sixteen rows into the panel.
template <class A, class T>
void unpack_fine16(const matrix_view<T>& w, const std::array<std::size_t, 16>& rows,
                   std::size_t block, std::uint8_t* q) noexcept {
    using unpacked = unpack<T>;
    alignas(64) std::uint8_t lanes[16][tile_weights];
    for (std::size_t r = 0; r < 16; ++r) {
        const auto steps =
            fine_lanes_of<unpacked, A>(tile_ref<T>{w, rows[r], block, tile_ref<T>::full});
        for (std::size_t step = 0; step < 4; ++step) steps[step].store(lanes[r] + 64 * step);
    }
    transpose_lanes<typename unpacked::order, A>(lanes, q);
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
        constexpr float unit = 1.0f / (1 << fine_bits<Unpack>);
        (s.scale * simd::float16<A>::all(unit)).store(scales[r]);
        if constexpr (traits<T>::has_offset) s.offset.store(offsets[r]);
        if constexpr (requires { Unpack::step; }) shifts_of<Unpack, A>(tile).store(shifts[r]);
    }
    transpose_lanes<typename Unpack::order, A>(lanes, q);
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

// Tile `tile` of the rows first ... first + 31; rows behind the end are the
// last one. Lanes go to `q` and `fine`, group g to scale[g] and offset[g].
template <class A, class T>
void unpack_tile32(const matrix_view<T>& w, std::size_t first, std::size_t tile,
                   std::uint8_t (*q)[panel_rows][4],
                   [[maybe_unused]] std::uint8_t (*fine)[panel_rows][4], float (*scale)[panel_rows],
                   float (*offset)[panel_rows]) noexcept {
    constexpr auto full = tile_ref<T>::full;
    const auto block = tile * full;
    const auto blocks = std::min(full, w.blocks() - block);
    for (std::size_t half = 0; half < panel_rows; half += 16) {
        std::array<std::size_t, 16> rows;
        for (std::size_t r = 0; r < 16; ++r) rows[r] = std::min(first + half + r, w.rows() - 1);
        auto* const to = q[0][half];
        auto* const to_scale = scale[0] + half;
        auto* const to_offset = offset[0] + half;
        if (blocks == full) {
            if constexpr (interleaved_rows<T>) {
                constexpr auto n = std::size_t{traits<T>::rows};
                for (std::size_t r = 0; r < 16; r += n) {
                    const auto row = rows[r] / n * n;
                    unpack_row_tile<A>(tile_ref<T>{w, row, block, full}, to + 4 * r, 4 * panel_rows,
                                       to_scale + r, to_offset + r, panel_rows);
                }
            } else {
                unpack_tile16<unpack<T>, A>(w, rows, block, blocks, to, to_scale, to_offset);
                if constexpr (fine_bits<unpack<T>> != 0) {
                    unpack_fine16<A>(w, rows, block, fine[0][half]);
                }
            }
        } else if constexpr (full != 1) {
            static_assert(fine_bits<unpack<T>> == 0, "the scalar unpack has none");
            unpack_tile16<scalar_unpack<T, unpack<T>::bias>, A>(w, rows, block, blocks, to,
                                                                to_scale, to_offset);
        }
    }
}

// `tiles` tiles from tile `first_tile` on of the rows from `first` on.
template <class A, class T, class Panel>
void unpack_panel(const matrix_view<T>& w, std::size_t first, std::size_t first_tile,
                  std::size_t tiles, Panel& panel) noexcept {
    constexpr auto groups = tile_weights / std::size_t{panel_group<T>};
    for (std::size_t t = 0; t < tiles; ++t) {
        std::uint8_t(*fine)[panel_rows][4] = nullptr;
        if constexpr (fine_bits<unpack<T>> != 0) fine = panel.fine + 64 * t;
        unpack_tile32<A>(w, first, first_tile + t, panel.q + 64 * t, fine, panel.scale + groups * t,
                         panel.offset + groups * t);
    }
}
template <class A, class T>
void unpack_panel(const matrix_view<T>& w, std::size_t first, std::size_t first_tile,
                  std::size_t tiles, word_panel& panel) noexcept {
    using bytes = simd::u8_batch<A>;
    constexpr auto groups = tile_weights / std::size_t{panel_group<T>};
    constexpr int fine = fine_bits<unpack<T>>;
    const simd::i16_batch<A> bias(static_cast<std::int16_t>(unpack<T>::bias));
    alignas(64) panel_lanes<1> lanes;
    alignas(64) panel_lanes<1> fine_lanes;
    for (std::size_t t = 0; t < tiles; ++t) {
        unpack_tile32<A>(w, first, first_tile + t, lanes, fine_lanes, panel.scale + groups * t,
                         panel.offset + groups * t);
        for (std::size_t quad = 0; quad < 64; ++quad) {
            for (std::size_t at = 0; at < 4 * panel_rows; at += bytes::size) {
                const auto widen = [&](auto odd) {
                    auto words = simd::every_other_byte<odd(), A>(
                                     bytes::load_unaligned(lanes[quad][0] + at)) -
                                 bias;
                    if constexpr (fine != 0) {
                        words =
                            (words << fine) | simd::every_other_byte<odd(), A>(
                                                  bytes::load_unaligned(fine_lanes[quad][0] + at));
                    }
                    words.store_unaligned(panel.q[64 * t + quad][odd()][0] + at / 2);
                };
                widen(std::false_type{});
                widen(std::true_type{});
            }
        }
    }
}

// What the multiplication of a panel depends on of the type: few kernels serve
// all types.
template <int Max, int Group, bool Offsets, int FineBits>
struct panel_shape {
    // Whether the sums are small enough to be read as floats.
    static constexpr bool biased_sums = FineBits == 0;
    static_assert(Max * 127 * 32 < 1 << 22);
    static constexpr int max = Max;
    static constexpr int group = Group;
    static constexpr bool offsets = Offsets;
    static constexpr bool words = simd::multiplied_as_words(Max);
    // Words hold the fine bits with the others.
    static constexpr int fine_bits = words ? 0 : FineBits;
    using panel =
        std::conditional_t<words, word_panel,
                           std::conditional_t<fine_bits != 0, fine_byte_panel, byte_panel>>;
};

template <class T>
using panel_shape_of = panel_shape<simd::bound_of_lanes(std::max(
                                       unpack<T>::max, scalar_unpack<T, unpack<T>::bias>::max)),
                                   panel_group<T>, traits<T>::has_offset, fine_bits<unpack<T>>>;

// The quads of a few vectors as words, in the order of the batch: the lanes 0
// and 2, 1 and 3.
template <std::size_t Tiles, std::size_t N>
struct alignas(64) batch_words {
    std::int16_t q[2][Tiles * 64 * N][2];

    template <class A>
    void assign(const batch_tile<N>* x, std::size_t tiles) noexcept {
        using bytes = simd::s8_batch<A>;
        constexpr std::size_t size = 4 * 64 * N;
        static_assert(size % bytes::size == 0);
        for (std::size_t t = 0; t < tiles; ++t) {
            for (std::size_t at = 0; at < size; at += bytes::size) {
                const auto values = bytes::load_unaligned(x[t].q[0][0] + at);
                auto* const to = q[0][0] + (t * size + at) / 2;
                simd::every_other_byte<false, A>(values).store_unaligned(to);
                simd::every_other_byte<true, A>(values).store_unaligned(to + Tiles * size / 2);
            }
        }
    }
};
// Kernels that multiply bytes take them from the batch.
struct no_words {
    template <class A, class Tile>
    void assign(const Tile*, std::size_t) noexcept {}
};
template <class Shape, std::size_t N>
using batch_words_of =
    std::conditional_t<Shape::words, batch_words<Shape::panel::tiles, N>, no_words>;

// The same four bytes in every integer.
template <class A>
[[nodiscard]] BPW_INLINE simd::i32_batch<A> repeat4(const void* p) noexcept {
    std::int32_t four = 0;
    std::memcpy(&four, p, 4);
    return simd::i32_batch<A>(four);
}

template <class A, std::size_t Registers, std::size_t Vectors>
using panel_sums = std::array<std::array<simd::i32_batch<A>, Vectors>, Registers>;

// sum[r][c] += the quads of rows times those of vector c.
template <int Max, std::size_t Quads, class A, std::size_t Registers, std::size_t Vectors>
BPW_INLINE void multiply_quads(panel_sums<A, Registers, Vectors>& sum, const std::uint8_t* weights,
                               const std::int8_t* values) noexcept {
    constexpr std::size_t size = simd::u8_batch<A>::size;
    std::array<std::array<simd::i16_batch<A>, Vectors>, Registers> pairs;
    for_each_index<Quads>([&](auto k) BPW_INLINE_LAMBDA {
        std::array<simd::u8_batch<A>, Registers> u;
        for_each_index<Registers>([&](auto r) BPW_INLINE_LAMBDA {
            u[r] = simd::u8_batch<A>::load_unaligned(weights + k * 4 * panel_rows + r * size);
        });
        for_each_index<Vectors>([&](auto c) BPW_INLINE_LAMBDA {
            const auto s = xsimd::bitwise_cast<std::int8_t>(
                repeat4<A>(values + quad_of_batch<Vectors>(k, c) * 4));
            for_each_index<Registers>([&](auto r) BPW_INLINE_LAMBDA {
                simd::dot_quads<Max, k, Quads, A>(sum[r][c], pairs[r][c], u[r], s);
            });
        });
    });
}
// The same in words; `second` is how far the second half of a vector's quads is
// behind the first.
template <std::size_t Quads, class A, std::size_t Registers, std::size_t Vectors>
BPW_INLINE void multiply_words(panel_sums<A, Registers, Vectors>& sum, const std::int16_t* weights,
                               const std::int16_t* values, std::size_t second) noexcept {
    constexpr std::size_t size = simd::i16_batch<A>::size;
    for_each_index<Quads>([&](auto k) BPW_INLINE_LAMBDA {
        for_each_index<2>([&](auto half) BPW_INLINE_LAMBDA {
            std::array<simd::i16_batch<A>, Registers> u;
            for_each_index<Registers>([&](auto r) BPW_INLINE_LAMBDA {
                u[r] = simd::i16_batch<A>::load_unaligned(
                    weights + (2 * k + half) * 2 * panel_rows + r * size);
            });
            for_each_index<Vectors>([&](auto c) BPW_INLINE_LAMBDA {
                const auto s = xsimd::bitwise_cast<std::int16_t>(
                    repeat4<A>(values + half * second + quad_of_batch<Vectors>(k, c) * 2));
                for_each_index<Registers>([&](auto r) BPW_INLINE_LAMBDA {
                    sum[r][c] = simd::dot2<A>(sum[r][c], u[r], s);
                });
            });
        });
    });
}

// `Registers` registers of rows, from `row` on, times all vectors of a batch
// tile, over `tiles` tiles. Adds to the sums y[c * stride + row ...], or starts
// them. Flattened: where many types share a program, compilers would call the
// parts of the loop.
template <class Shape, class A, std::size_t Registers, std::size_t Vectors>
void multiply_panel(const typename Shape::panel& panel, [[maybe_unused]] int bias, std::size_t row,
                    std::size_t tiles, const batch_tile<Vectors>* x,
                    [[maybe_unused]] const batch_words_of<Shape, Vectors>& words, bool add,
                    float* y, std::size_t stride) noexcept {
    using ints = simd::i32_batch<A>;
    using floats = xsimd::batch<float, A>;
    constexpr std::size_t lanes = ints::size;
    constexpr std::size_t quads = Shape::group / 4;
    constexpr std::size_t groups = tile_weights / Shape::group;
    y += row;
    std::array<std::array<floats, Vectors>, Registers> total;
    for_each_index<Registers>([&](auto r) BPW_INLINE_LAMBDA {
        for_each_index<Vectors>([&](auto c) BPW_INLINE_LAMBDA {
            total[r][c] = add ? floats::load_unaligned(y + c * stride + r * lanes) : floats(0.0f);
        });
    });
    constexpr bool biased = Shape::biased_sums && simd::has_fma<A>;
    constexpr std::int32_t zero = biased ? std::bit_cast<std::int32_t>(biased_float_sums) : 0;
    for (std::size_t t = 0; t < tiles; ++t) {
        // What the bias of the lanes adds is taken off the sums at their start.
        alignas(64) std::int32_t start[groups * Vectors];
        if constexpr (!Shape::words) {
            // Those of one vector after the other.
            const auto* const x_sums = x[t].template sums_of<Shape::group>(0);
            for (std::size_t i = 0; i < groups * Vectors; ++i) start[i] = zero - bias * x_sums[i];
        }
        for (std::size_t g = 0; g < groups; ++g) {
            panel_sums<A, Registers, Vectors> sum;
            for_each_index<Vectors>([&](auto c) BPW_INLINE_LAMBDA {
                const ints first(Shape::words ? zero : start[c * groups + g]);
                for_each_index<Registers>([&](auto r) BPW_INLINE_LAMBDA { sum[r][c] = first; });
            });
            const auto quad = 64 * t + quads * g;
            if constexpr (Shape::words) {
                multiply_words<quads, A>(sum, panel.q[quad][0][row], words.q[0][quad * Vectors],
                                         sizeof words.q[0] / sizeof words.q[0][0][0]);
            } else {
                const auto* const values = x[t].q[quads / 4 * g][0];
                multiply_quads<Shape::max, quads, A>(sum, panel.q[quad][row], values);
                if constexpr (Shape::fine_bits != 0) {
                    for (auto& of_row : sum) {
                        for (auto& s : of_row) s = simd::shift_left_32<Shape::fine_bits, A>(s);
                    }
                    constexpr int max = (1 << Shape::fine_bits) - 1;
                    multiply_quads<max, quads, A>(sum, panel.fine[quad][row], values);
                }
            }
            const auto group32 = g * Shape::group / 32;
            for_each_index<Registers>([&](auto r) BPW_INLINE_LAMBDA {
                const auto at = row + r * lanes;
                const auto scale = floats::load_unaligned(&panel.scale[groups * t + g][at]);
                for_each_index<Vectors>([&](auto c) BPW_INLINE_LAMBDA {
                    const auto product = [&] {
                        const floats by(x[t].scale[c][group32]);
                        if constexpr (biased)
                            return simd::fused_multiply_add(xsimd::bitwise_cast<float>(sum[r][c]),
                                                            by, floats(x[t].unbias[c][group32]));
                        else
                            return by * simd::to_float<A>(sum[r][c]);
                    }();
                    total[r][c] = simd::fused_multiply_add(scale, product, total[r][c]);
                });
                if constexpr (Shape::offsets) {
                    const auto offset = floats::load_unaligned(&panel.offset[groups * t + g][at]);
                    for_each_index<Vectors>([&](auto c) BPW_INLINE_LAMBDA {
                        const floats sums(x[t].template scaled_sums_of<Shape::group>(c)[g]);
                        total[r][c] = simd::fused_multiply_add(offset, sums, total[r][c]);
                    });
                }
            });
        }
    }
    for_each_index<Registers>([&](auto r) BPW_INLINE_LAMBDA {
        for_each_index<Vectors>([&](auto c) BPW_INLINE_LAMBDA {
            total[r][c].store_unaligned(y + c * stride + r * lanes);
        });
    });
}

// Rows times the vectors of `x` from `begin` up to `end`.
template <class A, class T, class Order>
void multiply_panels(const matrix_view<T>& w, std::size_t first_row, std::size_t count,
                     const activation_batch<Order, A>& x, std::size_t begin, std::size_t end,
                     vectors<float> y) noexcept {
    constexpr auto at_once = activation_batch<Order, A>::at_once;
    constexpr std::size_t registers = 2;
    const auto all_tiles = x.tiles_per_vector();
    using shape = panel_shape_of<T>;
    typename shape::panel panel;
    constexpr auto most_tiles = shape::panel::tiles;
    batch_words_of<shape, at_once> words;
    const auto multiply_panel_tiles = [&](std::size_t first, std::size_t rows, std::size_t tile,
                                          std::size_t tiles) {
        unpack_panel<A>(w, first, tile, tiles, panel);
        const auto multiply = [&](std::size_t c, float* to, std::size_t stride) {
            const auto* const from = x.tiles(c) + tile;
            words.template assign<A>(from, tiles);
            for (std::size_t row = 0; row < panel_rows;
                 row += registers * simd::i32_batch<A>::size) {
                multiply_panel<shape, A, registers, at_once>(panel, unpack<T>::bias, row, tiles,
                                                             from, words, tile != 0, to, stride);
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
    };
    for (std::size_t tile = 0; tile < all_tiles; tile += most_tiles) {
        const auto tiles = std::min(most_tiles, all_tiles - tile);
        for (std::size_t at = 0; at < count; at += panel_rows) {
            multiply_panel_tiles(first_row + at, std::min(panel_rows, count - at), tile, tiles);
        }
    }
}

}  // namespace detail

BPW_NAMESPACE_END
