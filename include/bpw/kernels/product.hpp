// Products of quantized matrices with float vectors: dot, gemv, gemm.
//
// These are the portable kernels: a tile of weights is decoded to floats, as dequantize would, and
// multiplied in float. They exist for every type that has a scalar decode, and they are the
// definition that faster kernels are tested against.
//
// The order of additions is fixed. Sixteen sums run along a row of weights w and a vector x:
//
//   s[l] = fma(w[c], x[c], s[l])     for c = l, l + 16, l + 32, ...
//
// (rows whose length is not a multiple of 16 continue with zeros), and are added up as
// s[l] += s[l + 8], then + 4, + 2, + 1. So a result has the same bits on every arch, for every
// number of threads, and whether it comes from dot, gemv or gemm.
#pragma once

#include <bpw/core/vectors.hpp>
#include <bpw/kernels/dequantize.hpp>
#include <bpw/simd/accumulator.hpp>

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

// `Columns` running sums over one tile; `steps` counts 16 weights each. x[c] points at the tile's
// part of vector c.
template <class A, std::size_t Columns>
void multiply_tile(const float* w, std::size_t steps, const std::array<const float*, Columns>& x,
                   simd::float16<A>* sums) noexcept {
    using lanes = simd::float16<A>;
    std::array<lanes, Columns> s;
    for (std::size_t c = 0; c < Columns; ++c) s[c] = sums[c];
    for (std::size_t i = 0; i < steps; ++i) {
        const auto weights = lanes::load(w + 16 * i);
        for (std::size_t c = 0; c < Columns; ++c) {
            s[c].add_product(weights, lanes::load(x[c] + 16 * i));
        }
    }
    for (std::size_t c = 0; c < Columns; ++c) sums[c] = s[c];
}

// `rows` (at most MostRows) rows from `first` on times `x`, which has at most MostVectors vectors.
template <class A, std::size_t MostRows, std::size_t MostVectors, class T>
void multiply_rows(const matrix_view<T>& w, std::size_t first, std::size_t rows,
                   vectors<const float> x, float* y, std::size_t y_stride) noexcept {
    using lanes = simd::float16<A>;
    constexpr auto tile = tile_size<T>;
    constexpr auto at_once = std::min<std::size_t>(4, MostVectors);
    alignas(64) float weights[MostRows][tile];
    alignas(64) float rest[at_once][16];
    std::array<std::array<lanes, MostVectors>, MostRows> sums;
    for (std::size_t k = 0; k < rows; ++k) {
        for (std::size_t c = 0; c < x.count; ++c) sums[k][c] = lanes::zero();
    }
    for (std::size_t at = 0; at < w.cols(); at += tile) {
        const auto n = std::min(tile, w.cols() - at);
        const auto steps = n / 16;
        for (std::size_t k = 0; k < rows; ++k) {
            decode_run<A>(w, first + k, at, n, weights[k]);
            std::fill(weights[k] + n, weights[k] + (n + 15) / 16 * 16, 0.0f);
        }
        // A few vectors with all rows, so that their part of x is read from memory once.
        const auto columns = [&]<std::size_t Columns>(std::size_t c) {
            std::array<const float*, Columns> from;
            std::array<const float*, Columns> end;
            for (std::size_t j = 0; j < Columns; ++j) {
                from[j] = x[c + j] + at;
                std::fill(rest[j], rest[j] + 16, 0.0f);
                std::copy(from[j] + 16 * steps, from[j] + n, rest[j]);
                end[j] = rest[j];
            }
            for (std::size_t k = 0; k < rows; ++k) {
                multiply_tile<A, Columns>(weights[k], steps, from, &sums[k][c]);
                if (n % 16 != 0) {
                    multiply_tile<A, Columns>(weights[k] + 16 * steps, 1, end, &sums[k][c]);
                }
            }
        };
        std::size_t c = 0;
        for (; c + at_once <= x.count; c += at_once) columns.template operator()<at_once>(c);
        for (; c < x.count; ++c) columns.template operator()<1>(c);
    }
    for (std::size_t k = 0; k < rows; ++k) {
        for (std::size_t c = 0; c < x.count; ++c) y[c * y_stride + k] = sums[k][c].sum();
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
/// x: any number of vectors of w.cols() floats; y: as many of w.rows() floats. Rows are handed to
/// `run` in runs of about 64 Ki weights. Errors: `size_mismatch`.
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
        constexpr auto group = std::size_t{traits<T>::rows};
        // So many rows at a time that x comes from the cache, and as many vectors as keep the sums
        // within 32 KiB of stack.
        constexpr auto most_rows = std::max<std::size_t>(8, group);
        constexpr auto most_vectors = 512 / most_rows;
        const auto share = detail::weights_per_task / std::max<std::size_t>(1, x.count / 8);
        const auto unit = x.count == 1 ? group : most_rows;
        detail::for_row_runs(w, share, unit, run, [&](std::size_t first, std::size_t n) {
            if (x.count == 1) {
                for (std::size_t row = first; row < first + n; row += group) {
                    detail::multiply_rows<A, group, 1>(w, row, group, x, y.data + row, y.stride);
                }
                return;
            }
            for (std::size_t row = first; row < first + n; row += most_rows) {
                const auto rows = std::min(most_rows, first + n - row);
                for (std::size_t c = 0; c < x.count; c += most_vectors) {
                    const vectors<const float> some{x[c], std::min(most_vectors, x.count - c),
                                                    x.length, x.stride};
                    detail::multiply_rows<A, most_rows, most_vectors>(w, row, rows, some,
                                                                      y[c] + row, y.stride);
                }
            }
        });
    }
    return {};
}

/// Multiplies a matrix with one vector: y[r] = sum over i of w[r][i] x[i]. x: w.cols() floats; y:
/// w.rows() floats. Errors: `size_mismatch`.
template <class T, class A = native_arch, executor Executor = const serial>
[[nodiscard]] result<void> try_gemv(const matrix_view<T>& w, std::span<const float> x,
                                    std::span<float> y, Executor&& run = serial{}) {
    return try_gemm<T, A>(w, vectors<const float>(x), vectors<float>(y), run);
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
    float y = 0;
    if constexpr (is_quant_format<T>) {
        detail::multiply_rows<A, 1, 1>(w, row, 1, vectors<const float>(x), &y, 1);
    }
    return y;
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
