#include "cases.hpp"

#include <bpw/formats/registry.hpp>
#include <bpw/kernels/integer_product.hpp>

namespace bench {

// As gemv, for batches.
void gemm(benchmark::State& state, bpw::type_id id, shape s, context* shared) {
    const auto w = shared->matrix(id, s);
    const auto x = random_floats(s.cols * s.vectors);
    std::vector<float> y(s.rows * s.vectors);
    const bpw::vectors<float> out(y.data(), s.vectors, s.rows);
    bpw::try_visit(w, [&]<class T>(const bpw::matrix_view<T>& view) {
        if constexpr (bpw::has_integer_lanes<T>) {
            bpw::activation_batch_for<T> packed;
            for (auto _ : state) {
                packed.assign(bpw::vectors<const float>(x.data(), s.vectors, s.cols), shared->pool);
                bpw::try_gemm<T>(view, packed, out, shared->pool).value();
                benchmark::ClobberMemory();
            }
        } else {
            for (auto _ : state) {
                bpw::gemm(view, {x.data(), s.vectors, s.cols}, out, shared->pool);
                benchmark::ClobberMemory();
            }
        }
        count(state, s, w, least_product_seconds(s, w, shared->most, bpw::has_integer_lanes<T>));
    }).value();
}

}  // namespace bench
