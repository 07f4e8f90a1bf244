#include <kernels/any_type.hpp>

namespace any_type {

bpw::result<void> dequantize(const bpw::any_matrix& w, std::span<float> out, const executor& run) {
    return bpw::try_dequantize(w, out, run);
}

bpw::result<void> gemm(const bpw::any_matrix& w, bpw::vectors<const float> x, bpw::vectors<float> y,
                       const executor& run) {
    return bpw::try_gemm(w, x, y, run);
}

bpw::result<void> gemv(const bpw::any_matrix& w, bpw::vectors<const float> x, bpw::vectors<float> y,
                       const executor& run) {
    return bpw::try_gemv(w, x, y, run);
}

bpw::result<float> dot(const bpw::any_matrix& w, std::size_t row, std::span<const float> x) {
    return bpw::try_dot(w, row, x);
}

}  // namespace any_type
