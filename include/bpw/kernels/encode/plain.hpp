// Encoders of plain numbers: f32, f16, bf16 and its interleaved form.
#pragma once

#include <bpw/formats/scalar.hpp>
#include <bpw/kernels/encode/options.hpp>
#include <bpw/kernels/encode/row_sink.hpp>
#include <bpw/kernels/encode/small_floats.hpp>
#include <bpw/kernels/encode/weighted_row.hpp>
#include <bpw/simd/float_lanes.hpp>
#include <bpw/simd/transpose.hpp>

#include <algorithm>
#include <array>
#include <cstring>

BPW_NAMESPACE_BEGIN

namespace detail {

// Stores numbers, each the nearest, and says whether all have stayed finite. `too_large` is the
// first magnitude, as bits of a float, that does not.
template <class T>
struct plain_writer;
template <>
struct plain_writer<f32> {
    static constexpr std::uint32_t too_large = 0x7f800000u;
    [[nodiscard]] static bool store(const float* x, std::size_t n, std::uint8_t* to) noexcept {
        std::memcpy(to, x, n * sizeof(float));
        return std::bit_cast<std::uint32_t>(largest_magnitude(x, n)) < too_large;
    }
    [[nodiscard]] static constexpr std::uint32_t bits(float x) noexcept {
        return std::bit_cast<std::uint32_t>(x);
    }
};
template <>
struct plain_writer<f16> {
    static constexpr std::uint32_t too_large = 0x477ff000u;
    [[nodiscard]] static bool store(const float* x, std::size_t n, std::uint8_t* to) noexcept {
        return lanes::store_halves(x, n, to, float_to_half);
    }
    [[nodiscard]] static constexpr std::uint16_t bits(float x) noexcept {
        return static_cast<std::uint16_t>(float_to_half(x));
    }
};
template <>
struct plain_writer<bf16> {
    static constexpr std::uint32_t too_large = 0x7f7f8000u;
    [[nodiscard]] static bool store(const float* x, std::size_t n, std::uint8_t* to) noexcept {
        return lanes::store_bf16(x, n, to) < too_large;
    }
    [[nodiscard]] static constexpr std::uint16_t bits(float x) noexcept {
        return static_cast<std::uint16_t>(float_to_bf16(x));
    }
};
template <>
struct plain_writer<bf16_r16> : plain_writer<bf16> {};

// n numbers one after the other. What lies beyond the type's range becomes its largest number: an
// infinite weight would poison every product. Returns whether all are finite.
template <class T>
[[nodiscard]] bool store_plain(const float* x, std::size_t n, std::uint8_t* to) noexcept {
    using writer = plain_writer<T>;
    if (writer::store(x, n, to)) return true;
    bool finite = true;
    for (std::size_t i = 0; i < n; ++i) {
        const auto magnitude = std::bit_cast<std::uint32_t>(x[i]) & 0x7fffffffu;
        if (magnitude < writer::too_large) continue;
        finite = finite && magnitude < plain_writer<f32>::too_large;
        const float largest = std::bit_cast<float>(writer::too_large - 1u);
        const auto bits = writer::bits(x[i] < 0.0f ? -largest : largest);
        std::memcpy(to + i * sizeof bits, &bits, sizeof bits);
    }
    return finite;
}

template <class T>
    requires requires { plain_writer<T>::too_large; }
struct row_encoder<T> {
    row_encoder(std::size_t cols, const encode_options&) : cols_(cols) {}

    /// Rows that are interleaved, or one row.
    [[nodiscard]] bool operator()(const float* x, const float*, const row_sink<T>& out) const {
        constexpr auto rows = std::size_t{traits<T>::rows};
        std::uint8_t* const to = out.group;
        if constexpr (rows == 1) {
            return store_plain<T>(x, cols_, to);
        } else {
            constexpr auto per_block = std::size_t{traits<T>::block_size};
            constexpr std::size_t word = sizeof(std::uint32_t);
            static_assert(rows == 16 && per_block * T::x.width == 8 * word);
            static_assert(T::x.low.rule.bit(15, 0) == 8 * 15 * word);
            constexpr auto columns = [] {
                std::array<std::uint32_t, 16> at{};
                for (std::size_t i = 0; i < at.size(); ++i) {
                    at[i] = static_cast<std::uint32_t>(i * sizeof(typename T::block));
                }
                return at;
            }();
            // Columns of all rows together, so that what is written stays in the cache meanwhile.
            constexpr std::size_t run = 128;
            std::array<std::array<std::uint8_t, run * word>, rows> words;
            bool finite = true;
            for (std::size_t b = 0; b < cols_ / per_block; b += run) {
                const auto blocks = std::min(run, cols_ / per_block - b);
                for (std::size_t k = 0; k < rows; ++k) {
                    finite = store_plain<T>(x + k * cols_ + b * per_block, blocks * per_block,
                                            words[k].data()) &&
                             finite;
                }
                std::size_t i = 0;
                for (; i + 16 <= blocks; i += 16) {
                    simd::transpose16<native_arch>(words[0].data() + i * word, run * word,
                                                   to + (b + i) * rows * word, columns);
                }
                for (; i < blocks; ++i) {
                    for (std::size_t k = 0; k < rows; ++k) {
                        std::memcpy(to + ((b + i) * rows + k) * word, &words[k][i * word], word);
                    }
                }
            }
            return finite;
        }
    }

  private:
    std::size_t cols_;
};

template <class T>
    requires requires { plain_writer<T>::too_large; }
inline constexpr bool writes_every_byte<T> = true;
template <class T>
    requires requires { plain_writer<T>::too_large; }
inline constexpr bool takes_groups_of_rows<T> = true;
template <class T>
    requires requires { plain_writer<T>::too_large; }
inline constexpr bool joins_rows<T> = traits<T>::rows == 1;

}  // namespace detail

BPW_NAMESPACE_END
