// Comparison of floats bit for bit, where any NaN equals any other.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <span>

namespace reference {

// By the bits, because a compiler may assume that there is no NaN.
inline bool is_nan(float x) {
    return (std::bit_cast<std::uint32_t>(x) & 0x7fffffffu) > 0x7f800000u;
}

inline bool same_bits(float a, float b) {
    return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) ||
           (is_nan(a) && is_nan(b));
}

inline testing::AssertionResult same_bits(std::span<const float> got, std::span<const float> want) {
    if (got.size() != want.size()) {
        return testing::AssertionFailure() << got.size() << " values instead of " << want.size();
    }
    std::size_t wrong = 0;
    std::size_t first = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
        if (!same_bits(got[i], want[i]) && wrong++ == 0) first = i;
    }
    if (wrong == 0) return testing::AssertionSuccess();
    return testing::AssertionFailure()
           << wrong << " of " << got.size() << " values differ, first at " << first << ": "
           << got[first] << " instead of " << want[first] << std::hexfloat << " (" << got[first]
           << ", " << want[first] << ")";
}

}  // namespace reference
