// Matrices of random codes with scales of an ordinary size, as trained weights have them.
#pragma once

#include <bpw/bpw.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

namespace bench {

/// The bytes of a rows x cols matrix of T. Only the first rows are drawn; the rest repeats them, so
/// that large matrices are made quickly.
template <class T>
std::vector<std::byte> random_matrix(std::size_t rows, std::size_t cols) {
    using t = bpw::traits<T>;
    const auto row_bytes = *bpw::row_bytes<T>(cols);
    std::vector<std::byte> bytes(*bpw::tensor_bytes<T>(rows, cols));
    std::mt19937 random(1);
    std::normal_distribution<float> gauss(0.0f, 0.02f);
    const auto put = [](std::uint8_t* to, const auto& number) {
        std::memcpy(to, &number, sizeof number);
    };
    constexpr std::uint16_t half_scale = 0x211f;  // about 0.01
    constexpr float float_scale = 0.01f;
    auto* const data = reinterpret_cast<std::uint8_t*>(bytes.data());
    const std::size_t drawn = std::min<std::size_t>(rows, 32);
    for (std::size_t i = 0; i < drawn * row_bytes; ++i) {
        data[i] = static_cast<std::uint8_t>(random());
    }
    if (t::trailer_bytes != 0) put(data + rows * row_bytes, float_scale);
    const auto view = *bpw::matrix_view<T>::make(bytes, rows, cols);
    for (std::size_t row = 0; row < drawn; ++row) {
        for (std::size_t b = 0; b < view.blocks(); ++b) {
            const auto ref = view.block(row, b);
            auto* const block = data + (ref.bytes - data);
            const auto number = [&](const auto& field, int n) {
                const float x = gauss(random);
                const auto bits = std::bit_cast<std::uint32_t>(x);
                if (field.width == 32)
                    field.set(block, ref.row, n, bits);
                else if constexpr (std::is_same_v<T, bpw::f16>)
                    field.set(block, ref.row, n, 0x2000u | random() % 0x400u);
                else
                    field.set(block, ref.row, n, bits >> 16);
            };
            if constexpr (requires { T::x; }) {
                for (int n = 0; n < T::x.count; ++n) number(T::x, n);
            }
            if constexpr (requires { T::d; }) {
                T::d.set(block, ref.row, 0,
                         T::d.width == 32 ? std::bit_cast<std::uint32_t>(float_scale) : half_scale);
            }
            if constexpr (requires { T::dmin; }) T::dmin.set(block, ref.row, 0, half_scale);
            if constexpr (requires { T::m.count == 1 && T::m.width == 16; }) {
                if (T::m.count == 1) T::m.set(block, ref.row, 0, half_scale);
            }
            if constexpr (requires { T::e; }) T::e.set(block, ref.row, 0, 120);
        }
        if (t::header_bytes == 2) put(data + (view.block(row, 0).header - data), half_scale);
        if (t::header_bytes >= 4) put(data + (view.block(row, 0).header - data), float_scale);
    }
    for (std::size_t row = drawn; row < rows; row += drawn) {
        const auto n = std::min(drawn, rows - row);
        std::memcpy(data + row * row_bytes, data, n * row_bytes);
    }
    return bytes;
}

}  // namespace bench
