// Products of float matrices and vectors, written plainly: exactly in double precision, and in the
// order of additions that the library documents.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>

namespace reference {

struct exact_product {
    double sum;
    double magnitude;  // the sum of the terms' absolute values
};

inline exact_product product(std::span<const float> w, std::span<const float> x) {
    exact_product p{0, 0};
    for (std::size_t i = 0; i < w.size(); ++i) {
        const double term = static_cast<double>(w[i]) * static_cast<double>(x[i]);
        p.sum += term;
        p.magnitude += std::fabs(term);
    }
    return p;
}

// Sixteen running sums, each weight and its number rounded in together; rows continue with zeros up
// to a multiple of 16; then lane l + 8 is added to lane l, l + 4, l + 2, l + 1.
inline float ordered_product(std::span<const float> w, std::span<const float> x) {
    float s[16] = {};
    for (std::size_t c = 0; c < (w.size() + 15) / 16 * 16; ++c) {
        const bool inside = c < w.size();
        s[c % 16] = std::fma(inside ? w[c] : 0.0f, inside ? x[c] : 0.0f, s[c % 16]);
    }
    for (std::size_t half = 8; half != 0; half /= 2) {
        for (std::size_t l = 0; l < half; ++l) s[l] += s[l + half];
    }
    return s[0];
}

// One running sum, in the order of the weights.
inline float running_product(std::span<const float> w, std::span<const float> x) {
    float s = 0.0f;
    for (std::size_t c = 0; c < w.size(); ++c) s = std::fma(w[c], x[c], s);
    return s;
}

}  // namespace reference
