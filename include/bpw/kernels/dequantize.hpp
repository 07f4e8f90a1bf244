// Quantized weights to floats.
#pragma once

#include <bpw/core/executor.hpp>
#include <bpw/core/matrix.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

BPW_NAMESPACE_BEGIN

namespace detail {

// A task should be long against the cost of handing it out, and tasks many against threads.
inline constexpr std::size_t weights_per_task = 64 * 1024;

// Calls f(first, count) for runs of rows, each a multiple of the interleaved rows.
template <class T, class Executor, class F>
void for_row_runs(const matrix_view<T>& w, std::size_t weights, Executor& run, F f) {
    constexpr auto group = std::size_t{traits<T>::rows};
    const auto per_row = std::max<std::size_t>(w.cols(), 1);
    const auto step = std::max<std::size_t>(1, weights / per_row / group) * group;
    run((w.rows() + step - 1) / step, [&](std::size_t task) {
        const auto first = task * step;
        f(first, std::min(step, w.rows() - first));
    });
}

}  // namespace detail

/// Decodes one row into `out`, which takes cols() floats. No checks.
template <class T>
void dequantize_row(const matrix_view<T>& w, std::size_t row, float* out) noexcept {
    for (std::size_t b = 0; b < w.blocks(); ++b) {
        decode_block(w.block(row, b), out + b * std::size_t{traits<T>::block_size});
    }
}

/// Decodes a matrix into `out`, rows() x cols() floats in row-major order. Error: `size_mismatch`.
///
/// The same bits on every arch and for every number of threads: see weight().
template <class T, executor Executor = const serial>
[[nodiscard]] result<void> try_dequantize(const matrix_view<T>& w, std::span<float> out,
                                          Executor&& run = serial{}) {
    if (out.size() != w.rows() * w.cols()) {
        return fail(errc::size_mismatch, "the output of dequantize has ", out.size(),
                    " floats; expected ", w.rows(), " x ", w.cols());
    }
    detail::for_row_runs(w, detail::weights_per_task, run, [&](std::size_t first, std::size_t n) {
        for (std::size_t row = first; row < first + n; ++row) {
            dequantize_row(w, row, out.data() + row * w.cols());
        }
    });
    return {};
}

#if BPW_EXCEPTIONS
/// The same, or throws bpw::error.
template <class T, executor Executor = const serial>
void dequantize(const matrix_view<T>& w, std::span<float> out, Executor&& run = serial{}) {
    try_dequantize(w, out, run).value();
}
#endif

BPW_NAMESPACE_END
