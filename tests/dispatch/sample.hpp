// A product that every level must get right, and to the same bits.
#pragma once

#include "kernels.hpp"

#include "reference/product.hpp"
#include "reference/random.hpp"

#include <bpw/dispatch.hpp>

#include <cmath>
#include <cstdint>
#include <vector>

namespace dispatch_test {

inline constexpr std::size_t rows = 8;
inline constexpr std::size_t cols = 1024;

struct sample {
    std::vector<std::byte> w;
    std::vector<float> x;
};

inline sample make_sample() {
    reference::random numbers(11);
    sample s{std::vector<std::byte>(rows * cols / 256 * 144), std::vector<float>(cols)};
    for (auto& b : s.w) b = static_cast<std::byte>(numbers.below(256));
    for (std::size_t block = 0; block < s.w.size(); block += 144) {
        // The two scales of a block, halves of about 0.01.
        s.w[block + 1] = s.w[block + 3] = std::byte{0x21};
    }
    for (auto& x : s.x) x = numbers.uniform();
    return s;
}

/// The products of the sample at the level of `choice`.
template <class Dispatch>
std::vector<float> products(const Dispatch& choice, const sample& s) {
    std::vector<float> y(rows);
    choice([&](auto level) {
        kernels<level>::multiply(s.w.data(), rows, cols, s.x.data(), y.data());
    });
    return y;
}

/// Whether they are those of the decoded weights, as far as 8 bits allow.
template <class Dispatch>
bool right(const Dispatch& choice, const sample& s, const std::vector<float>& y) {
    std::vector<float> decoded(rows * cols);
    choice([&](auto level) { kernels<level>::decode(s.w.data(), rows, cols, decoded.data()); });
    double wrong = 0;
    double size = 0;
    for (std::size_t r = 0; r < rows; ++r) {
        const auto exact = reference::product(std::span(decoded).subspan(r * cols, cols), s.x).sum;
        wrong += (y[r] - exact) * (y[r] - exact);
        size += exact * exact;
    }
    return size > 0 && std::sqrt(wrong / size) < 0.01;
}

}  // namespace dispatch_test
