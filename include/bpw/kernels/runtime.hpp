// The kernels for matrices whose type is known at run time only.
//
// Each instantiates its kernel for every type; where compile time matters, visit the few types that
// you support and call the typed forms. All are templates, so that who does not call them does not
// pay for them.
#pragma once

#include <bpw/formats/registry.hpp>
#include <bpw/kernels/product.hpp>

BPW_NAMESPACE_BEGIN

/// Decodes a matrix of any type. Errors: those of matrix_view::make and of the typed form.
template <executor Executor = const serial>
[[nodiscard]] result<void> try_dequantize(const any_matrix& w, std::span<float> out,
                                          Executor&& run = serial{}) {
    return try_visit(w, [&](const auto& view) { return try_dequantize(view, out, run); });
}

/// Multiplies a matrix of any type with a batch of vectors. Errors: those of matrix_view::make and
/// of the typed form.
template <executor Executor = const serial>
[[nodiscard]] result<void> try_gemm(const any_matrix& w, vectors<const float> x, vectors<float> y,
                                    Executor&& run = serial{}) {
    return try_visit(w, [&](const auto& view) { return try_gemm(view, x, y, run); });
}

/// Multiplies a matrix of any type with a few vectors. Errors: as above.
template <executor Executor = const serial>
[[nodiscard]] result<void> try_gemv(const any_matrix& w, vectors<const float> x, vectors<float> y,
                                    Executor&& run = serial{}) {
    return try_visit(w, [&](const auto& view) { return try_gemv(view, x, y, run); });
}

/// The same with one vector.
template <executor Executor = const serial>
[[nodiscard]] result<void> try_gemv(const any_matrix& w, std::span<const float> x,
                                    std::span<float> y, Executor&& run = serial{}) {
    return try_gemv(w, vectors<const float>(x), vectors<float>(y), run);
}

/// The dot product of row `row` of a matrix of any type with x. Errors: as above.
template <class Float = float>
[[nodiscard]] result<Float> try_dot(const any_matrix& w, std::size_t row,
                                    std::span<const float> x) {
    return try_visit(w, [&](const auto& view) { return try_dot(view, row, x); });
}

#if BPW_EXCEPTIONS
/// The same, or throws bpw::error.
template <executor Executor = const serial>
void dequantize(const any_matrix& w, std::span<float> out, Executor&& run = serial{}) {
    try_dequantize(w, out, run).value();
}

/// The same, or throws bpw::error.
template <executor Executor = const serial>
void gemm(const any_matrix& w, vectors<const float> x, vectors<float> y,
          Executor&& run = serial{}) {
    try_gemm(w, x, y, run).value();
}

/// The same, or throws bpw::error.
template <executor Executor = const serial>
void gemv(const any_matrix& w, vectors<const float> x, vectors<float> y,
          Executor&& run = serial{}) {
    try_gemv(w, x, y, run).value();
}

/// The same, or throws bpw::error.
template <executor Executor = const serial>
void gemv(const any_matrix& w, std::span<const float> x, std::span<float> y,
          Executor&& run = serial{}) {
    try_gemv(w, x, y, run).value();
}

/// The same, or throws bpw::error.
template <class Float = float>
[[nodiscard]] Float dot(const any_matrix& w, std::size_t row, std::span<const float> x) {
    return try_dot(w, row, x).value();
}
#endif

BPW_NAMESPACE_END
