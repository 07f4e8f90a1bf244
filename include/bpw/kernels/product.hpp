// Products of quantized matrices with float vectors: dot, gemv, gemm.
//
// A tile of weights is decoded to floats, as dequantize would, and multiplied in float. These
// kernels exist for every type that has a scalar decode, and they are what faster kernels are
// tested against.
//
// The order of additions is fixed, so that a result has the same bits on every arch and for every
// number of threads. In dot and gemv sixteen sums run along a row of weights w and a vector x,
//
//   s[l] = fma(w[c], x[c], s[l])     for c = l, l + 16, l + 32, ...
//
// (rows whose length is not a multiple of 16 continue with zeros), and are added up as
// s[l] += s[l + 8], then + 4, + 2, + 1. In gemm it is one sum, s = fma(w[c], x[c], s), for every
// row and vector.
#pragma once

#include <bpw/core/vectors.hpp>
#include <bpw/kernels/dequantize.hpp>
#include <bpw/kernels/panel.hpp>
#include <bpw/simd/prefetch.hpp>
#include <bpw/simd/transpose.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <span>

BPW_NAMESPACE_BEGIN

namespace detail {

// Whole blocks, in weights: at least 256 and a multiple of 16, so that tiles continue each other's
// sums.
template <class T>
inline constexpr std::size_t tile_size = [] {
    constexpr auto unit = std::lcm(std::size_t{traits<T>::block_size}, std::size_t{16});
    return (256 + unit - 1) / unit * unit;
}();

// Where N vectors are, or the results of some row with each of them.
template <class Float, std::size_t N>
using pointers = std::array<Float*, N>;

// The rows from `row` on that the type interleaves times N vectors.
template <class A, class T, std::size_t N>
void multiply_by_vectors(const matrix_view<T>& w, std::size_t row,
                         const pointers<const float, N>& x, const pointers<float, N>& y) noexcept {
    using lanes = simd::float16<A>;
    constexpr auto tile = tile_size<T>;
    constexpr auto rows = std::size_t{traits<T>::rows};
    alignas(64) float weights[rows][tile];
    std::array<std::array<lanes, N>, rows> sums;
    for (auto& of_row : sums) of_row.fill(lanes::zero());
    for (std::size_t at = 0; at < w.cols(); at += tile) {
        const auto n = std::min(tile, w.cols() - at);
        decode_rows<A>(w, row, at, n, weights[0], tile);
        for (std::size_t k = 0; k < rows; ++k) {
            std::size_t i = 0;
            for (; i + 16 <= n; i += 16) {
                const auto of_row = lanes::load(weights[k] + i);
                for_each_index<N>([&](auto c) BPW_INLINE_LAMBDA {
                    sums[k][c].add_product(of_row, lanes::load(x[c] + at + i));
                });
            }
            if (i < n) {
                float rest[2][16]{};
                std::copy(weights[k] + i, weights[k] + n, rest[0]);
                for (std::size_t c = 0; c < N; ++c) {
                    std::copy(x[c] + at + i, x[c] + at + n, rest[1]);
                    sums[k][c].add_product(lanes::load(rest[0]), lanes::load(rest[1]));
                }
            }
        }
    }
    for (std::size_t c = 0; c < N; ++c) {
        for (std::size_t k = 0; k < rows; ++k) y[c][k] = sums[k][c].sum();
    }
}

// `Rows` rows of plain numbers from `row` on times N vectors: their sums run side by side.
template <std::size_t Rows, class A, class T, std::size_t N>
void multiply_plain_rows(const matrix_view<T>& w, std::size_t row,
                         const pointers<const float, N>& x, const pointers<float, N>& y) noexcept {
    using lanes = simd::float16<A>;
    constexpr auto size = sizeof(typename T::block);
    const auto from = array_of<Rows>([&](std::size_t k) { return w.block(row + k, 0).bytes; });
    // In registers: only the copy below is ever in memory.
    auto sums = array_of<Rows>([](std::size_t) BPW_INLINE_LAMBDA {
        return array_of<N>([](std::size_t) BPW_INLINE_LAMBDA { return lanes::zero(); });
    });
    const auto add = [&](std::size_t i) BPW_INLINE_LAMBDA {
        const auto values =
            array_of<N>([&](std::size_t c) BPW_INLINE_LAMBDA { return lanes::load(x[c] + i); });
        for_each_index<Rows>([&](auto k) BPW_INLINE_LAMBDA {
            const auto weights = load_plain<A>(static_cast<const T*>(nullptr), from[k] + i * size);
            for_each_index<N>(
                [&](auto c) BPW_INLINE_LAMBDA { sums[k][c].add_product(weights, values[c]); });
        });
    };
    // What follows the end of a row is the same row of the next run.
    constexpr std::size_t line = 64 / size;
    const auto row_bytes = w.cols() * size;
    std::size_t i = 0;
    for (; i + line <= w.cols(); i += line) {
        auto ahead = i * size + simd::prefetch_distance;
        if (ahead >= row_bytes) ahead += (Rows - 1) * row_bytes;
        for_each_index<Rows>([&](auto k) BPW_INLINE_LAMBDA {
            simd::prefetch<64>(reinterpret_cast<std::uintptr_t>(from[k]) + ahead);
        });
        for_each_index<line / 16>([&](auto n) BPW_INLINE_LAMBDA { add(i + 16 * n); });
    }
    for (; i + 16 <= w.cols(); i += 16) add(i);
    auto totals = sums;
    if (i < w.cols()) {
        float values[N][16]{};
        for (std::size_t c = 0; c < N; ++c) std::copy(x[c] + i, x[c] + w.cols(), values[c]);
        for_each_index<Rows>([&](auto k) {
            float weights[16]{};
            decode_run<A>(w, row + k, i, w.cols() - i, weights);
            for_each_index<N>([&](auto c) {
                totals[k][c].add_product(lanes::load(weights), lanes::load(values[c]));
            });
        });
    }
    for_each_index<N>(
        [&](auto c) { for_each_index<Rows>([&](auto k) { y[c][k] = totals[k][c].sum(); }); });
}

// Sixteen interleaved rows of bf16 times N vectors. Lane k of a vector's sums is row k.
template <class A, std::size_t N>
void multiply_bf16_rows(const matrix_view<bf16_r16>& w, std::size_t row,
                        const pointers<const float, N>& x, const pointers<float, N>& y) noexcept {
    using ints = simd::int16x<A>;
    using lanes = simd::float16<A>;
    // A block is two columns. The sums of eight blocks fill the registers, so that of several
    // vectors each is multiplied with some blocks alone.
    using sums_of_vector = std::array<lanes, 16>;
    std::array<sums_of_vector, N> sums;
    for (auto& of_vector : sums) of_vector.fill(lanes::zero());
    const auto add = [&](sums_of_vector& to, const float* values, std::size_t block,
                         auto pair) BPW_INLINE_LAMBDA {
        const auto* const bytes = w.block(row, block).bytes;
        const auto columns = ints::of_bytes(simd::bytes64<A>::load(bytes));
        const auto even = columns.template shifted_left<16>().as_float();
        const auto odd = (columns & static_cast<std::int32_t>(0xffff0000u)).as_float();
        to[2 * pair].add_product(even, lanes::all(values[2 * block]));
        to[2 * pair + 1].add_product(odd, lanes::all(values[2 * block + 1]));
    };
    const std::size_t at_once = N == 1 ? w.blocks() : 64;
    for (std::size_t first = 0; first < w.blocks(); first += at_once) {
        const auto end = std::min(first + at_once, w.blocks());
        for (std::size_t c = 0; c < N; ++c) {
            auto of_vector = sums[c];
            std::size_t block = first;
            for (; block + 8 <= end; block += 8) {
                for_each_index<8>([&](auto pair) BPW_INLINE_LAMBDA {
                    if (c == 0) simd::prefetch_ahead<64>(w.block(row, block + pair).bytes);
                    add(of_vector, x[c], block + pair, pair);
                });
            }
            for_each_index<8>([&](auto pair) BPW_INLINE_LAMBDA {
                if (block + pair < end) add(of_vector, x[c], block + pair, pair);
            });
            sums[c] = of_vector;
        }
    }
    for (std::size_t c = 0; c < N; ++c) {
        for (std::size_t half = 8; half != 0; half /= 2) {
            for (std::size_t l = 0; l < half; ++l) sums[c][l] = sums[c][l] + sums[c][l + half];
        }
        sums[c][0].store(y[c]);
    }
}

// `n` rows from `first` on, both multiples of the interleaved rows, times vectors c ... c + N - 1
// of x, as far as there are that many; the last one stands for those that there are not.
template <std::size_t N, class A, class T>
void multiply_run(const matrix_view<T>& w, std::size_t first, std::size_t n,
                  const vectors<const float>& x, std::size_t c, const vectors<float>& y) noexcept {
    constexpr auto unit = std::size_t{traits<T>::rows};
    const auto vector = [&](std::size_t i) { return std::min(c + i, x.count - 1); };
    const auto from = array_of<N>([&](std::size_t i) { return x[vector(i)]; });
    const auto to = [&](std::size_t row) {
        return array_of<N>([&](std::size_t i) { return y[vector(i)] + row; });
    };
    const auto end = first + n;
    auto row = first;
    if constexpr (plain_floats<T>) {
        constexpr std::size_t at_once = N == 1 ? 4 : 2;
        for (; row + at_once <= end; row += at_once) {
            multiply_plain_rows<at_once, A>(w, row, from, to(row));
        }
        for (; row < end; ++row) multiply_plain_rows<1, A>(w, row, from, to(row));
    } else if constexpr (std::is_same_v<T, bf16_r16>) {
        for (; row < end; row += unit) multiply_bf16_rows<A>(w, row, from, to(row));
    } else {
        for (; row < end; row += unit) multiply_by_vectors<A>(w, row, from, to(row));
    }
}

// Calls f with the number of vectors to multiply at a time, a constant, and the first of them,
// until all are. One at a time where vectors are emulated, so that compilers have less to do.
template <class F>
void for_few_vectors(std::size_t count, F f) {
    constexpr bool emulated = simd::emulates_vectors;
    for (std::size_t c = 0; c < count; c += emulated ? 1 : 4) {
        if (emulated || count - c == 1) {
            f(std::integral_constant<std::size_t, 1>{}, c);
        } else if constexpr (!emulated) {
            if (count - c == 2)
                f(std::integral_constant<std::size_t, 2>{}, c);
            else
                f(std::integral_constant<std::size_t, 4>{}, c);
        }
    }
}

// A tile of 32 rows, whose weights of a column stand together.
template <std::size_t Tile>
struct alignas(64) float_panel {
    float w[Tile][panel_rows];
};

// Columns from `at` on; rows behind the end are the last one.
template <class A, class T, std::size_t Tile>
void decode_panel(const matrix_view<T>& w, std::size_t first, std::size_t at, std::size_t n,
                  float_panel<Tile>& panel) noexcept {
    static constexpr auto to = [] {
        std::array<std::uint32_t, 16> out{};
        for (std::uint32_t c = 0; c < 16; ++c) out[c] = c * std::uint32_t{sizeof panel.w[0]};
        return out;
    }();
    alignas(64) float rows[16][Tile];
    for (std::size_t half = 0; half < panel_rows; half += 16) {
        constexpr auto unit = std::size_t{traits<T>::rows};
        for (std::size_t r = 0; r < 16; r += unit) {
            const auto row = std::min(first + half + r, w.rows() - unit);
            decode_rows<A>(w, row, at, n, rows[r], Tile);
        }
        for (auto& row : rows) std::fill(row + n, row + (n + 15) / 16 * 16, 0.0f);
        for (std::size_t c = 0; c < n; c += 16) {
            simd::transpose16<A>(reinterpret_cast<const std::uint8_t*>(rows[0] + c), sizeof rows[0],
                                 reinterpret_cast<std::uint8_t*>(&panel.w[c][half]), to);
        }
    }
}

// `Registers` registers of rows times `Vectors` vectors over `n` columns; adds to the sums
// y[c * stride + ...], or starts them.
template <class A, std::size_t Registers, std::size_t Vectors>
void multiply_float_panel(const float* w, std::size_t n, const std::array<const float*, Vectors>& x,
                          bool add, float* y, std::size_t stride) noexcept {
    using floats = xsimd::batch<float, A>;
    constexpr std::size_t lanes = floats::size;
    std::array<std::array<floats, Vectors>, Registers> total;
    for_each_index<Registers>([&](auto r) {
        for_each_index<Vectors>([&](auto c) {
            total[r][c] = add ? floats::load_unaligned(y + c * stride + r * lanes) : floats(0.0f);
        });
    });
    for (std::size_t i = 0; i < n; ++i) {
        std::array<floats, Registers> weights;
        for_each_index<Registers>(
            [&](auto r) { weights[r] = floats::load_unaligned(w + i * panel_rows + r * lanes); });
        for_each_index<Vectors>([&](auto c) {
            const floats value(x[c][i]);
            for_each_index<Registers>([&](auto r) {
                total[r][c] = simd::fused_multiply_add(weights[r], value, total[r][c]);
            });
        });
    }
    for_each_index<Registers>([&](auto r) {
        for_each_index<Vectors>(
            [&](auto c) { total[r][c].store_unaligned(y + c * stride + r * lanes); });
    });
}

// The 32 rows of a panel times vectors c, c + 1, ... of x, at most `at_once`.
template <class A, std::size_t Tile>
void multiply_float_panel(const float_panel<Tile>& panel, std::size_t rows, std::size_t first,
                          std::size_t at, std::size_t n, vectors<const float> x,
                          vectors<float> y) noexcept {
    constexpr auto at_once = vectors_at_once<A>;
    constexpr std::size_t registers = 2;
    std::array<const float*, at_once> from;
    for (std::size_t i = 0; i < at_once; ++i) from[i] = x[std::min(i, x.count - 1)] + at;
    const auto multiply = [&](float* to, std::size_t stride) {
        constexpr auto step = registers * xsimd::batch<float, A>::size;
        for (std::size_t row = 0; row < panel_rows; row += step) {
            multiply_float_panel<A, registers, at_once>(&panel.w[0][row], n, from, at != 0,
                                                        to + row, stride);
        }
    };
    if (x.count == at_once && rows == panel_rows) return multiply(y[0] + first, y.stride);
    alignas(64) float sums[at_once][panel_rows]{};
    for (std::size_t i = 0; i < x.count && at != 0; ++i) {
        std::copy(y[i] + first, y[i] + first + rows, sums[i]);
    }
    multiply(sums[0], panel_rows);
    for (std::size_t i = 0; i < x.count; ++i) std::copy(sums[i], sums[i] + rows, y[i] + first);
}

// 32 rows from `first` on times all vectors.
template <class A, class T>
void multiply_rows(const matrix_view<T>& w, std::size_t first, vectors<const float> x,
                   vectors<float> y) noexcept {
    constexpr auto tile = tile_size<T>;
    constexpr auto at_once = vectors_at_once<A>;
    const auto rows = std::min(panel_rows, w.rows() - first);
    float_panel<tile> panel;
    for (std::size_t at = 0; at < w.cols(); at += tile) {
        const auto n = std::min(tile, w.cols() - at);
        decode_panel<A>(w, first, at, n, panel);
        for (std::size_t c = 0; c < x.count; c += at_once) {
            const auto count = std::min(at_once, x.count - c);
            multiply_float_panel<A>(panel, rows, first, at, n, {x[c], count, x.length, x.stride},
                                    {y[c], count, y.length, y.stride});
        }
    }
}

[[nodiscard]] inline failure wrong_length(std::string_view what, std::size_t got,
                                          std::size_t expected, std::string_view matrix) {
    return fail(errc::size_mismatch, what, " has ", got, " floats; expected ", expected, ", the ",
                matrix);
}

// Whether `count` vectors of `length` elements can be multiplied with w, and y takes the results.
template <class T>
[[nodiscard]] result<void> products_fit(const matrix_view<T>& w, std::size_t count,
                                        std::size_t length, const vectors<float>& y) {
    if (length != w.cols()) {
        return wrong_length("a vector of x", length, w.cols(), "columns of the matrix");
    }
    if (y.length != w.rows()) {
        return wrong_length("a vector of y", y.length, w.rows(), "rows of the matrix");
    }
    if (count != y.count) {
        return fail(errc::size_mismatch, "x has ", count, " vectors and y has ", y.count,
                    "; expected as many");
    }
    return {};
}

}  // namespace detail

/// Multiplies a matrix with a batch of vectors: y[c][r] = sum over i of w[r][i] x[c][i].
///
/// x: any number of vectors of w.cols() floats; y: as many of w.rows() floats. Tasks are 32 rows.
/// Errors: `size_mismatch`.
template <class T, class A = native_arch, executor Executor = const serial>
[[nodiscard]] result<void> try_gemm(const matrix_view<T>& w, vectors<const float> x,
                                    vectors<float> y, Executor&& run = serial{}) {
    if (auto fits = detail::products_fit(w, x.count, x.length, y); !fits.ok()) return fits;
    if constexpr (is_quant_format<T>) {
        if (w.cols() == 0) {
            for (std::size_t c = 0; c < y.count; ++c) std::fill(y[c], y[c] + y.length, 0.0f);
        }
        const auto panels = (w.rows() + detail::panel_rows - 1) / detail::panel_rows;
        run(x.count != 0 ? panels : 0, [&](std::size_t task) {
            detail::multiply_rows<A>(w, task * detail::panel_rows, x, y);
        });
    }
    return {};
}

/// Multiplies a matrix with a few vectors: y[c][r] = sum over i of w[r][i] x[c][i]. Every product
/// has the bits that it has with one vector alone. From about a dozen vectors on try_gemm is
/// faster.
///
/// x: any number of vectors of w.cols() floats; y: as many of w.rows() floats. Rows are handed to
/// `run` in runs of about 64 Ki weights. Errors: `size_mismatch`.
template <class T, class A = native_arch, executor Executor = const serial>
[[nodiscard]] result<void> try_gemv(const matrix_view<T>& w, vectors<const float> x,
                                    vectors<float> y, Executor&& run = serial{}) {
    if (auto fits = detail::products_fit(w, x.count, x.length, y); !fits.ok()) return fits;
    if constexpr (is_quant_format<T>) {
        constexpr auto unit = std::size_t{traits<T>::rows};
        detail::for_row_runs(w, detail::weights_per_task, unit, run,
                             [&](std::size_t first, std::size_t n) {
                                 detail::for_few_vectors(x.count, [&](auto at_once, std::size_t c) {
                                     detail::multiply_run<at_once(), A>(w, first, n, x, c, y);
                                 });
                             });
    }
    return {};
}

/// The same with one vector.
template <class T, class A = native_arch, executor Executor = const serial>
[[nodiscard]] result<void> try_gemv(const matrix_view<T>& w, std::span<const float> x,
                                    std::span<float> y, Executor&& run = serial{}) {
    return try_gemv<T, A>(w, vectors<const float>(x), vectors<float>(y), run);
}

/// The dot product of row `row` with x, w.cols() floats. Errors: `size_mismatch`, `bad_shape` when
/// there is no such row.
template <class T, class A = native_arch>
[[nodiscard]] result<float> try_dot(const matrix_view<T>& w, std::size_t row,
                                    std::span<const float> x) {
    if (x.size() != w.cols()) {
        return detail::wrong_length("x", x.size(), w.cols(), "columns of the matrix");
    }
    if (row >= w.rows()) {
        return fail(errc::bad_shape, "row ", row, " was asked for; the matrix has ", w.rows());
    }
    if constexpr (is_quant_format<T>) {
        constexpr auto rows = std::size_t{traits<T>::rows};
        std::array<float, rows> y;
        detail::multiply_by_vectors<A, T, 1>(w, row / rows * rows, {x.data()}, {y.data()});
        return y[row % rows];
    } else {
        return 0.0f;
    }
}

#if BPW_EXCEPTIONS
/// The same, or throws bpw::error.
template <class T, class A = native_arch, executor Executor = const serial>
void gemm(const matrix_view<T>& w, vectors<const float> x, vectors<float> y,
          Executor&& run = serial{}) {
    try_gemm<T, A>(w, x, y, run).value();
}

/// The same, or throws bpw::error.
template <class T, class A = native_arch, executor Executor = const serial>
void gemv(const matrix_view<T>& w, vectors<const float> x, vectors<float> y,
          Executor&& run = serial{}) {
    try_gemv<T, A>(w, x, y, run).value();
}

/// The same, or throws bpw::error.
template <class T, class A = native_arch, executor Executor = const serial>
void gemv(const matrix_view<T>& w, std::span<const float> x, std::span<float> y,
          Executor&& run = serial{}) {
    try_gemv<T, A>(w, x, y, run).value();
}

/// The same, or throws bpw::error.
template <class T, class A = native_arch>
[[nodiscard]] float dot(const matrix_view<T>& w, std::size_t row, std::span<const float> x) {
    return try_dot<T, A>(w, row, x).value();
}
#endif

BPW_NAMESPACE_END
