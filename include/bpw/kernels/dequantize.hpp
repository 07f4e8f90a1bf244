// Quantized weights to floats.
#pragma once

#include <bpw/kernels/decode_tile.hpp>

#include <cstddef>
#include <span>

BPW_NAMESPACE_BEGIN

/// Decodes one row into `out`, which takes cols() floats. No checks.
template <class T, class A = native_arch>
void dequantize_row(const matrix_view<T>& w, std::size_t row, float* out) noexcept {
    if constexpr (is_quant_format<T>) detail::decode_run<A>(w, row, 0, w.cols(), out);
}

/// Decodes a matrix into `out`, rows() x cols() floats in row-major order. Error: `size_mismatch`.
///
/// The same bits on every arch and for every number of threads: see weight().
template <class T, class A = native_arch, executor Executor = const serial>
[[nodiscard]] result<void> try_dequantize(const matrix_view<T>& w, std::span<float> out,
                                          Executor&& run = serial{}) {
    if (out.size() != w.rows() * w.cols()) {
        return fail(errc::size_mismatch, "the output of dequantize has ", out.size(),
                    " floats; expected ", w.rows(), " x ", w.cols());
    }
    constexpr auto unit = std::size_t{traits<T>::rows};
    detail::for_row_runs(
        w, detail::weights_per_task, unit, run, [&](std::size_t first, std::size_t n) {
            for (std::size_t row = first; row < first + n; row += unit) {
                detail::decode_rows<A>(w, row, 0, w.cols(), out.data() + row * w.cols(), w.cols());
            }
        });
    return {};
}

#if BPW_EXCEPTIONS
/// The same, or throws bpw::error.
template <class T, class A = native_arch, executor Executor = const serial>
void dequantize(const matrix_view<T>& w, std::span<float> out, Executor&& run = serial{}) {
    try_dequantize<T, A>(w, out, run).value();
}
#endif

BPW_NAMESPACE_END
