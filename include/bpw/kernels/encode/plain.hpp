// Encoders of plain numbers: f32, f16, bf16 and its interleaved form.
#pragma once

#include <bpw/formats/scalar.hpp>
#include <bpw/kernels/encode/options.hpp>
#include <bpw/kernels/encode/row_sink.hpp>
#include <bpw/kernels/encode/small_floats.hpp>
#include <bpw/simd/float_lanes.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

BPW_NAMESPACE_BEGIN

namespace detail {

// A finite number's bits in the type. What lies beyond its range becomes its largest number: an
// infinite weight would poison every product. near() leaves that out.
template <class T>
struct plain_bits;
template <>
struct plain_bits<f32> {
    using word = std::uint32_t;
    static constexpr word of(float x) noexcept { return std::bit_cast<word>(x); }
    static constexpr word near(float x) noexcept { return of(x); }
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
    static constexpr word near(float x) noexcept {
        const auto bits = std::bit_cast<std::uint32_t>(x);
        return static_cast<word>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
    }
    static constexpr word of(float x) noexcept {
        const std::uint32_t rounded = near(x);
        return static_cast<word>(rounded - ((rounded & 0x7fffu) == 0x7f80u ? 1u : 0u));
    }
};
template <>
struct plain_bits<bf16_r16> : plain_bits<bf16> {};

// n numbers one after the other, with near(). Returns whether that is right for all of them; says
// no now and then where it is.
template <class T>
[[nodiscard]] bool store_near(const float* x, std::size_t n, std::uint8_t* to) noexcept {
    using word = typename plain_bits<T>::word;
    // Runs of one length, which compilers turn into vectors.
    constexpr std::size_t run = 32;
    const auto store = [](const float* from, std::size_t count, std::uint8_t* out) {
        std::array<word, run> words;
        std::uint32_t all = 0;
        for (std::size_t i = 0; i < count; ++i) {
            all |= std::bit_cast<std::uint32_t>(from[i]);
            words[i] = plain_bits<T>::near(from[i]);
        }
        std::memcpy(out, words.data(), count * sizeof(word));
        return all;
    };
    std::uint32_t all = 0;
    std::size_t i = 0;
    for (; i + run <= n; i += run) all |= store(x + i, run, to + i * sizeof(word));
    all |= store(x + i, n - i, to + i * sizeof(word));
    // From half the largest exponent on, where rounding may reach infinity.
    return (all & 0x7f000000u) != 0x7f000000u;
}
template <>
[[nodiscard]] inline bool store_near<f16>(const float* x, std::size_t n,
                                          std::uint8_t* to) noexcept {
    lanes::half_writer<native_arch> writer;
    std::size_t i = 0;
    for (; i + lane_count <= n; i += lane_count) {
        writer.store(floats::load(x + i), to + 2 * i, float_to_half);
    }
    if (i < n) {
        lane_array last{};
        std::copy_n(x + i, n - i, last.data());
        std::array<std::uint8_t, 2 * lane_count> bytes;
        writer.store(floats::load(last.data()), bytes.data(), float_to_half);
        std::copy_n(bytes.data(), 2 * (n - i), to + 2 * i);
    }
    return writer.finite();
}

// n numbers one after the other. Returns whether all are finite; says no now and then where they
// are.
template <class T>
[[nodiscard]] bool store_plain(const float* x, std::size_t n, std::uint8_t* to) noexcept {
    if (store_near<T>(x, n, to)) return true;
    bool finite = true;
    for (std::size_t i = 0; i < n; ++i) {
        finite = finite && std::fabs(x[i]) <= std::numeric_limits<float>::max();
        const auto bits = plain_bits<T>::of(x[i]);
        std::memcpy(to + i * sizeof bits, &bits, sizeof bits);
    }
    return finite;
}

template <class T>
    requires requires { plain_bits<T>::of(0.0f); }
struct row_encoder<T> {
    row_encoder(std::size_t cols, const encode_options&) : cols_(cols) {}

    /// Rows that are interleaved, or one row.
    [[nodiscard]] bool operator()(const float* x, std::uint8_t* to) const {
        constexpr auto rows = std::size_t{traits<T>::rows};
        if constexpr (rows == 1) {
            return store_plain<T>(x, cols_, to);
        } else {
            constexpr auto per_block = std::size_t{traits<T>::block_size};
            constexpr std::size_t word = sizeof(std::uint32_t);
            static_assert(per_block * T::x.width == 8 * word);
            // Columns of all rows together, so that what is written stays in the cache meanwhile.
            constexpr std::size_t run = 16;
            bool finite = true;
            for (std::size_t b = 0; b < cols_ / per_block; b += run) {
                const auto blocks = std::min(run, cols_ / per_block - b);
                for (std::size_t k = 0; k < rows; ++k) {
                    std::array<std::uint8_t, run * word> words;
                    finite = store_plain<T>(x + k * cols_ + b * per_block, blocks * per_block,
                                            words.data()) &&
                             finite;
                    const auto at = T::x.low.rule.bit(static_cast<int>(k), 0) / 8;
                    auto* const out = to + b * rows * word + at;
                    for (std::size_t i = 0; i < blocks; ++i) {
                        std::memcpy(out + i * rows * word, words.data() + i * word, word);
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
    requires requires { plain_bits<T>::of(0.0f); }
inline constexpr bool writes_every_byte<T> = true;
template <class T>
    requires requires { plain_bits<T>::of(0.0f); }
inline constexpr bool takes_any_weights<T> = true;

}  // namespace detail

BPW_NAMESPACE_END
