// bpw's kernels for types known at run time, compiled once for all examples.
//
// Each of these functions holds a kernel for every quant type, which takes the compiler some time.
// A program does well to call them in one translation unit, as here.
#pragma once

#include <bpw/core/matrix.hpp>
#include <bpw/kernels/product.hpp>
#include <bpw/parallel.hpp>

#include <cstddef>
#include <span>

namespace examples {

/// y[c][r] = sum over i of w[r][i] x[c][i], with rows of w handed out to `run`.
/// x: any number of vectors of w.cols floats; y: as many of w.rows floats. Throws bpw::error.
void multiply(const bpw::any_matrix& w, bpw::vectors<const float> x, bpw::vectors<float> y,
              bpw::threads& run);

/// The same with each vector of x rounded to 8 bits, where the weights are integers times scales;
/// other types are multiplied in float. A few vectors go through gemv, many through gemm.
void multiply_in_8_bits(const bpw::any_matrix& w, bpw::vectors<const float> x,
                        bpw::vectors<float> y, bpw::threads& run);

/// Decodes w into `out`, w.rows x w.cols floats. Throws bpw::error.
void decode(const bpw::any_matrix& w, std::span<float> out);

/// Decodes one row of w into `out`, w.cols floats. Throws bpw::error.
void decode_row(const bpw::any_matrix& w, std::size_t row, std::span<float> out);

}  // namespace examples
