// Batches of vectors to multiply matrices with, and the element types that they may have.
#pragma once

#include <bpw/core/half.hpp>

#include <cstddef>
#include <span>
#include <type_traits>

BPW_NAMESPACE_BEGIN

/// An IEEE binary16 number, as its bits.
struct half {
    std::uint16_t bits;
};

/// A bfloat16 number, as its bits.
struct bfloat16 {
    std::uint16_t bits;
};

/// A batch of vectors, each `length` floats, `stride` floats from one to the next.
template <class Float>
struct vectors {
    Float* data = nullptr;
    std::size_t count = 0;
    std::size_t length = 0;
    std::size_t stride = 0;

    vectors() = default;
    vectors(Float* first, std::size_t n, std::size_t len)
        : data(first), count(n), length(len), stride(len) {}
    vectors(Float* first, std::size_t n, std::size_t len, std::size_t step)
        : data(first), count(n), length(len), stride(step) {}
    /// One vector.
    vectors(std::span<Float> x) : vectors(x.data(), 1, x.size()) {}  // NOLINT
    /// Vectors to write can be read.
    operator vectors<const Float>() const  // NOLINT
        requires(!std::is_const_v<Float>) {
        return {data, count, length, stride};
    }

    [[nodiscard]] Float* operator[](std::size_t i) const noexcept { return data + i * stride; }
};

namespace detail {

// `n` elements as floats: themselves, or converted in `buffer`.
[[nodiscard]] inline const float* as_floats(const float* x, std::size_t, float*) noexcept {
    return x;
}
[[nodiscard]] inline const float* as_floats(const half* x, std::size_t n, float* buffer) noexcept {
    for (std::size_t i = 0; i < n; ++i) buffer[i] = half_to_float(x[i].bits);
    return buffer;
}
[[nodiscard]] inline const float* as_floats(const bfloat16* x, std::size_t n,
                                            float* buffer) noexcept {
    for (std::size_t i = 0; i < n; ++i) buffer[i] = bf16_to_float(x[i].bits);
    return buffer;
}

}  // namespace detail

BPW_NAMESPACE_END
