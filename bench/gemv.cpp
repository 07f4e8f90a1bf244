#include "cases.hpp"

#include <bpw/formats/registry.hpp>
#include <bpw/kernels/integer_product.hpp>

namespace bench {

// Types with integer lanes are multiplied with activations in 8 bits, packed anew every time; the
// others in float.
void gemv(benchmark::State& state, bpw::type_id id, shape s, context* shared) {
    const auto w = shared->matrix(id, s);
    const auto x = random_floats(s.cols * s.vectors);
    const bpw::vectors<const float> in(x.data(), s.vectors, s.cols);
    std::vector<float> y(s.rows * s.vectors);
    const bpw::vectors<float> out(y.data(), s.vectors, s.rows);
    bpw::try_visit(w, [&]<class T>(const bpw::matrix_view<T>& view) {
        if constexpr (bpw::has_integer_lanes<T>) {
            std::vector<bpw::activations_for<T>> packed(s.vectors);
            for (auto _ : state) {
                for (std::size_t c = 0; c < s.vectors; ++c) {
                    packed[c].assign(std::span(in[c], s.cols));
                }
                bpw::try_gemv<T>(view, packed, out, shared->pool).value();
                benchmark::ClobberMemory();
            }
        } else {
            for (auto _ : state) {
                bpw::gemv(view, in, out, shared->pool);
                benchmark::ClobberMemory();
            }
        }
        count(state, s, w, least_product_seconds(s, w, shared->most, bpw::has_integer_lanes<T>));
    }).value();
}

}  // namespace bench
