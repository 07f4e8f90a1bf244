// Encoders of plain numbers: f32, f16, bf16 and its interleaved form.
#pragma once

#include <bpw/formats/scalar.hpp>
#include <bpw/kernels/encode/options.hpp>
#include <bpw/kernels/encode/row_sink.hpp>
#include <bpw/kernels/encode/small_floats.hpp>

#include <concepts>

BPW_NAMESPACE_BEGIN

namespace detail {

template <class T>
struct plain_bits;
template <>
struct plain_bits<f32> {
    static constexpr std::uint32_t of(float x) noexcept { return std::bit_cast<std::uint32_t>(x); }
};
template <>
struct plain_bits<f16> {
    // Infinite would be what IEEE says of large numbers, but it poisons every product.
    static constexpr std::uint32_t of(float x) noexcept { return float_to_finite_half(x); }
};
template <>
struct plain_bits<bf16> {
    static constexpr std::uint32_t of(float x) noexcept {
        const auto bits = float_to_bf16(x);
        return (bits & 0x7fffu) == 0x7f80u ? bits - 1u : bits;
    }
};
template <>
struct plain_bits<bf16_r16> : plain_bits<bf16> {};

template <class T>
    requires requires { plain_bits<T>::of(0.0f); }
struct row_encoder<T> {
    row_encoder(std::size_t cols, const encode_options&) : cols_(cols) {}

    void operator()(const float* x, const float*, const row_sink<T>& out) const {
        constexpr auto per_block = std::size_t{traits<T>::block_size};
        for (std::size_t c = 0; c < cols_; ++c) {
            out.set(c / per_block, T::x, static_cast<int>(c % per_block), plain_bits<T>::of(x[c]));
        }
    }

  private:
    std::size_t cols_;
};

}  // namespace detail

BPW_NAMESPACE_END
