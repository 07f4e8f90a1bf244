#include "kernels.hpp"

#include <bpw/bpw.hpp>
#include <bpw/kernels/integer_product.hpp>

namespace {

using type = bpw::q4_K;

bpw::matrix_view<type> view(const std::byte* w, std::size_t rows, std::size_t cols) {
    const auto bytes = *bpw::tensor_bytes<type>(rows, cols);
    return *bpw::matrix_view<type>::make({w, static_cast<std::size_t>(bytes)}, rows, cols);
}

}  // namespace

template <bpw::arch Level>
std::string_view kernels<Level>::active_arch() {
    return bpw::active_arch();
}

template <bpw::arch Level>
void kernels<Level>::multiply(const std::byte* w, std::size_t rows, std::size_t cols,
                              const float* x, float* y) {
    const bpw::activations_for<type> packed(std::span(x, cols));
    (void)bpw::try_gemv(view(w, rows, cols), packed, {y, rows});
}

template <bpw::arch Level>
void kernels<Level>::decode(const std::byte* w, std::size_t rows, std::size_t cols, float* out) {
    (void)bpw::try_dequantize(view(w, rows, cols), {out, rows * cols});
}

template struct kernels<bpw::this_arch>;
