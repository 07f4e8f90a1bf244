// Apart from kernels.cpp, so that the two are compiled side by side.
#include "common/kernels.hpp"

#include <bpw/bpw.hpp>
#include <bpw/kernels/integer_product.hpp>

#include <vector>

namespace examples {

void multiply_in_8_bits(const bpw::any_matrix& w, bpw::vectors<const float> x,
                        bpw::vectors<float> y, bpw::threads& run) {
    bpw::try_visit(w, [&]<class T>(const bpw::matrix_view<T>& view) -> bpw::result<void> {
        if constexpr (bpw::has_integer_lanes<T>) {
            std::vector<bpw::activations_for<T>> packed;
            packed.reserve(x.count);
            for (std::size_t c = 0; c < x.count; ++c) {
                packed.emplace_back(std::span(x[c], x.length));
            }
            if (packed.size() == 1 && y.count == 1) {
                return bpw::try_gemv<T>(view, packed[0], {y[0], y.length}, run);
            }
            return bpw::try_gemm<T>(view, packed, y, run);
        } else {
            return bpw::try_gemm(view, x, y, run);
        }
    }).value();
}

}  // namespace examples
