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

// The rows from `row` on that the type interleaves times one vector.
template <class A, class T>
void multiply_by_vector(const matrix_view<T>& w, std::size_t row, const float* x,
                        float* y) noexcept {
    using lanes = simd::float16<A>;
    constexpr auto tile = tile_size<T>;
    constexpr auto rows = std::size_t{traits<T>::rows};
    alignas(64) float weights[rows][tile];
    std::array<lanes, rows> sums;
    sums.fill(lanes::zero());
    for (std::size_t at = 0; at < w.cols(); at += tile) {
        const auto n = std::min(tile, w.cols() - at);
        decode_rows<A>(w, row, at, n, weights[0], tile);
        for (std::size_t k = 0; k < rows; ++k) {
            std::size_t i = 0;
            for (; i + 16 <= n; i += 16) {
                sums[k].add_product(lanes::load(weights[k] + i), lanes::load(x + at + i));
            }
            if (i < n) {
                float rest[2][16]{};
                std::copy(weights[k] + i, weights[k] + n, rest[0]);
                std::copy(x + at + i, x + at + n, rest[1]);
                sums[k].add_product(lanes::load(rest[0]), lanes::load(rest[1]));
            }
        }
    }
    for (std::size_t k = 0; k < rows; ++k) y[k] = sums[k].sum();
}

// `Rows` rows of plain numbers from `row` on times one vector: their sums run side by side.
template <std::size_t Rows, class A, class T>
void multiply_plain_rows(const matrix_view<T>& w, std::size_t row, const float* x,
                         float* y) noexcept {
    using lanes = simd::float16<A>;
    constexpr auto size = sizeof(typename T::block);
    std::array<const std::uint8_t*, Rows> from;
    std::array<lanes, Rows> sums;
    for_each_index<Rows>([&](auto k) {
        from[k] = w.block(row + k, 0).bytes;
        sums[k] = lanes::zero();
    });
    const auto add = [&](std::size_t i) BPW_INLINE_LAMBDA {
        const auto values = lanes::load(x + i);
        for_each_index<Rows>([&](auto k) BPW_INLINE_LAMBDA {
            sums[k].add_product(load_plain<A>(static_cast<const T*>(nullptr), from[k] + i * size),
                                values);
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
    if (i < w.cols()) {
        float values[16]{};
        std::copy(x + i, x + w.cols(), values);
        for_each_index<Rows>([&](auto k) {
            float weights[16]{};
            decode_run<A>(w, row + k, i, w.cols() - i, weights);
            sums[k].add_product(lanes::load(weights), lanes::load(values));
        });
    }
    for_each_index<Rows>([&](auto k) { y[k] = sums[k].sum(); });
}

// Sixteen interleaved rows of bf16 times one vector: lane k of the sixteen sums is row k.
template <class A>
void multiply_bf16_rows(const matrix_view<bf16_r16>& w, std::size_t row, const float* x,
                        float* y) noexcept {
    using ints = simd::int16x<A>;
    std::array<simd::float16<A>, 16> sums;
    sums.fill(simd::float16<A>::zero());
    const auto add = [&](std::size_t block, auto pair) {
        const auto* const bytes = w.block(row, block).bytes;
        simd::prefetch_ahead<64>(bytes);
        std::int32_t pairs[16];
        std::memcpy(pairs, bytes, sizeof pairs);
        const auto columns = ints::load(pairs);
        const auto even = columns.template shifted_left<16>().as_float();
        const auto odd = (columns & static_cast<std::int32_t>(0xffff0000u)).as_float();
        sums[2 * pair].add_product(even, simd::float16<A>::all(x[2 * block]));
        sums[2 * pair + 1].add_product(odd, simd::float16<A>::all(x[2 * block + 1]));
    };
    std::size_t block = 0;
    for (; block + 8 <= w.blocks(); block += 8) {
        for_each_index<8>([&](auto pair) { add(block + pair, pair); });
    }
    for_each_index<8>([&](auto pair) {
        if (block + pair < w.blocks()) add(block + pair, pair);
    });
    for (std::size_t half = 8; half != 0; half /= 2) {
        for (std::size_t l = 0; l < half; ++l) sums[l] = sums[l] + sums[l + half];
    }
    sums[0].store(y);
}

// `n` rows from `first` on, both multiples of the interleaved rows, times one vector.
template <class A, class T>
void multiply_run(const matrix_view<T>& w, std::size_t first, std::size_t n, const float* x,
                  float* y) noexcept {
    constexpr auto unit = std::size_t{traits<T>::rows};
    std::size_t k = 0;
    if constexpr (plain_floats<T>) {
        for (; k + 4 <= n; k += 4) multiply_plain_rows<4, A>(w, first + k, x, y + k);
        for (; k < n; ++k) multiply_plain_rows<1, A>(w, first + k, x, y + k);
    } else if constexpr (std::is_same_v<T, bf16_r16>) {
        for (; k < n; k += unit) multiply_bf16_rows<A>(w, first + k, x, y + k);
    } else {
        for (; k < n; k += unit) multiply_by_vector<A>(w, first + k, x, y + k);
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

}  // namespace detail

/// Multiplies a matrix with a batch of vectors: y[c][r] = sum over i of w[r][i] x[c][i].
///
/// x: any number of vectors of w.cols() floats; y: as many of w.rows() floats. Tasks are 32 rows.
/// Errors: `size_mismatch`.
template <class T, class A = native_arch, executor Executor = const serial>
[[nodiscard]] result<void> try_gemm(const matrix_view<T>& w, vectors<const float> x,
                                    vectors<float> y, Executor&& run = serial{}) {
    if (x.length != w.cols()) {
        return detail::wrong_length("a vector of x", x.length, w.cols(), "columns of the matrix");
    }
    if (y.length != w.rows()) {
        return detail::wrong_length("a vector of y", y.length, w.rows(), "rows of the matrix");
    }
    if (x.count != y.count) {
        return fail(errc::size_mismatch, "x has ", x.count, " vectors and y has ", y.count,
                    "; expected as many");
    }
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

/// Multiplies a matrix with one vector: y[r] = sum over i of w[r][i] x[i]. x: w.cols() floats; y:
/// w.rows() floats. Rows are handed to `run` in runs of about 64 Ki weights. Errors:
/// `size_mismatch`.
template <class T, class A = native_arch, executor Executor = const serial>
[[nodiscard]] result<void> try_gemv(const matrix_view<T>& w, std::span<const float> x,
                                    std::span<float> y, Executor&& run = serial{}) {
    if (x.size() != w.cols()) {
        return detail::wrong_length("x", x.size(), w.cols(), "columns of the matrix");
    }
    if (y.size() != w.rows()) {
        return detail::wrong_length("y", y.size(), w.rows(), "rows of the matrix");
    }
    if constexpr (is_quant_format<T>) {
        constexpr auto unit = std::size_t{traits<T>::rows};
        detail::for_row_runs(w, detail::weights_per_task, unit, run,
                             [&](std::size_t first, std::size_t n) {
                                 detail::multiply_run<A>(w, first, n, x.data(), &y[first]);
                             });
    }
    return {};
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
        detail::multiply_by_vector<A>(w, row / rows * rows, x.data(), y.data());
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
