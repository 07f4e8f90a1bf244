#include "common/kernels.hpp"

#include <bpw/bpw.hpp>

namespace examples {

void multiply(const bpw::any_matrix& w, bpw::vectors<const float> x, bpw::vectors<float> y,
              bpw::threads& run) {
    bpw::gemm(w, x, y, run);
}

void decode(const bpw::any_matrix& w, std::span<float> out) { bpw::dequantize(w, out); }

void decode_row(const bpw::any_matrix& w, std::size_t row, std::span<float> out) {
    if (row >= w.rows || out.size() != w.cols) {
        throw bpw::error(bpw::fail(bpw::errc::bad_shape, "row ", row, " of ", out.size(),
                                   " weights was asked for; the matrix has ", w.rows, " rows of ",
                                   w.cols));
    }
    // dequantize_row finds a row of an interleaved type inside its group.
    bpw::try_visit(w, [&](const auto& view) {
        bpw::dequantize_row(view, row, out.data());
    }).value();
}

}  // namespace examples
