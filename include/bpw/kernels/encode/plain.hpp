// Encoders of plain numbers: f32, f16, bf16 and its interleaved form.
#pragma once

#include <bpw/formats/scalar.hpp>
#include <bpw/kernels/encode/options.hpp>
#include <bpw/kernels/encode/row_sink.hpp>
#include <bpw/kernels/encode/small_floats.hpp>
#include <bpw/simd/float_lanes.hpp>

#include <cstring>

BPW_NAMESPACE_BEGIN

namespace detail {

// A finite number's bits in the type. What lies beyond its range becomes its largest number: an
// infinite weight would poison every product.
template <class T>
struct plain_bits;
template <>
struct plain_bits<f32> {
    using word = std::uint32_t;
    static constexpr word of(float x) noexcept { return std::bit_cast<word>(x); }
};
template <>
struct plain_bits<f16> {
    using word = std::uint16_t;
    static constexpr word of(float x) noexcept {
        return static_cast<word>(float_to_finite_half(x));
    }
};
template <>
struct plain_bits<bf16> {
    using word = std::uint16_t;
    static constexpr word of(float x) noexcept {
        const auto bits = std::bit_cast<std::uint32_t>(x);
        const std::uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
        return static_cast<word>(rounded - ((rounded & 0x7fffu) == 0x7f80u ? 1u : 0u));
    }
};
template <>
struct plain_bits<bf16_r16> : plain_bits<bf16> {};

// n numbers one after the other.
template <class T>
void store_plain(const float* x, std::size_t n, std::uint8_t* to) noexcept {
    for (std::size_t i = 0; i < n; ++i) {
        const auto bits = plain_bits<T>::of(x[i]);
        std::memcpy(to + i * sizeof bits, &bits, sizeof bits);
    }
}
template <>
inline void store_plain<f16>(const float* x, std::size_t n, std::uint8_t* to) noexcept {
    const auto most = floats::all(65504.0f);
    const auto least = floats::all(-65504.0f);
    std::size_t i = 0;
    for (; i + lane_count <= n; i += lane_count) {
        const auto v = lanes::clamp(floats::load(x + i), least, most);
        lanes::store_halves(v, to + 2 * i, plain_bits<f16>::of);
    }
    for (; i < n; ++i) {
        const auto bits = plain_bits<f16>::of(x[i]);
        std::memcpy(to + 2 * i, &bits, 2);
    }
}

template <class T>
    requires requires { plain_bits<T>::of(0.0f); }
struct row_encoder<T> {
    row_encoder(std::size_t cols, const encode_options&) : cols_(cols) {}

    void operator()(const float* x, const float*, const row_sink<T>& out) const {
        constexpr auto per_block = std::size_t{traits<T>::block_size};
        if constexpr (traits<T>::rows == 1) {
            store_plain<T>(x, cols_, out.block(0));
        } else {
            for (std::size_t b = 0; b < cols_ / per_block; ++b) {
                for (std::size_t i = 0; i < per_block; ++i) {
                    out.set(b, T::x, static_cast<int>(i), plain_bits<T>::of(x[b * per_block + i]));
                }
            }
        }
    }

  private:
    std::size_t cols_;
};

}  // namespace detail

BPW_NAMESPACE_END
