// The library's kernels for every type behind ordinary functions, so that one source file of the
// tests instantiates them.
#pragma once

#include <bpw/kernels/runtime.hpp>

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

namespace any_type {

using executor = std::function<void(std::size_t, const std::function<void(std::size_t)>&)>;

// One task after the other on the calling thread.
inline const executor in_turn = bpw::serial{};

bpw::result<void> dequantize(const bpw::any_matrix& w, std::span<float> out,
                             const executor& run = in_turn);
bpw::result<void> gemm(const bpw::any_matrix& w, bpw::vectors<const float> x, bpw::vectors<float> y,
                       const executor& run = in_turn);
bpw::result<void> gemv(const bpw::any_matrix& w, bpw::vectors<const float> x, bpw::vectors<float> y,
                       const executor& run = in_turn);
inline bpw::result<void> gemv(const bpw::any_matrix& w, std::span<const float> x,
                              std::span<float> y, const executor& run = in_turn) {
    return gemv(w, bpw::vectors<const float>(x), bpw::vectors<float>(y), run);
}
bpw::result<float> dot(const bpw::any_matrix& w, std::size_t row, std::span<const float> x);

// All weights of a matrix that is known to be well-formed.
inline std::vector<float> weights(const bpw::any_matrix& w) {
    std::vector<float> out(w.rows * w.cols);
    dequantize(w, out).value();
    return out;
}

}  // namespace any_type
