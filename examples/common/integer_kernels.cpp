// Apart from kernels.cpp, so that the two are compiled side by side.
#include "common/kernels.hpp"

#include <bpw/bpw.hpp>
#include <bpw/kernels/integer_product.hpp>

#include <span>

namespace examples {

void multiply_in_8_bits(const bpw::any_matrix& w, bpw::vectors<const float> x,
                        bpw::vectors<float> y, bpw::threads& run) {
    bpw::try_visit(w, [&]<class T>(const bpw::matrix_view<T>& view) -> bpw::result<void> {
        if constexpr (bpw::has_integer_lanes<T>) {
            if (x.count == 1 && y.count == 1) {
                const bpw::activations_for<T> packed(std::span(x[0], x.length));
                return bpw::try_gemv<T>(view, packed, {y[0], y.length}, run);
            }
            return bpw::try_gemm<T>(view, bpw::activation_batch_for<T>(x), y, run);
        } else {
            return bpw::try_gemm(view, x, y, run);
        }
    }).value();
}

}  // namespace examples
