// SHA-256 (FIPS 180-4), which recipes use to name the files that they were made from.
#pragma once

#include <bpw/core/config.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

BPW_NAMESPACE_BEGIN
namespace plan {

namespace detail {

// The constants are the fractions of the roots of the first primes, so they are computed: the first
// 32 bits of the fraction of the square or cube root of p, by bisection in integers.
template <int Power>
[[nodiscard]] constexpr std::uint32_t root_fraction(std::uint32_t p) noexcept {
    // The largest r with r^Power <= p * 2^(32 Power), bit by bit; products in two halves.
    __extension__ typedef unsigned __int128 wide;
    std::uint64_t r = 0;
    for (int bit = 36; bit >= 0; --bit) {
        const std::uint64_t t = r | std::uint64_t{1} << bit;
        bool fits = false;
        if constexpr (Power == 2) {
            fits = static_cast<wide>(t) * t <= static_cast<wide>(p) << 64;
        } else {
            fits = static_cast<wide>(t) * t * t <= static_cast<wide>(p) << 96;
        }
        if (fits) r = t;
    }
    return static_cast<std::uint32_t>(r);
}

template <int Power, std::size_t Count>
[[nodiscard]] constexpr std::array<std::uint32_t, Count> roots_of_primes() noexcept {
    std::array<std::uint32_t, Count> out{};
    std::size_t n = 0;
    for (std::uint32_t p = 2; n < Count; ++p) {
        bool prime = true;
        for (std::uint32_t d = 2; d * d <= p; ++d) prime = prime && p % d != 0;
        if (prime) out[n++] = root_fraction<Power>(p);
    }
    return out;
}

inline constexpr auto sha256_start = roots_of_primes<2, 8>();
inline constexpr auto sha256_rounds = roots_of_primes<3, 64>();

inline void sha256_block(std::array<std::uint32_t, 8>& state, const unsigned char* bytes) noexcept {
    std::array<std::uint32_t, 64> w{};
    for (std::size_t i = 0; i < 16; ++i) {
        for (std::size_t b = 0; b < 4; ++b) w[i] = w[i] << 8 | bytes[4 * i + b];
    }
    for (std::size_t i = 16; i < 64; ++i) {
        const auto x = w[i - 15];
        const auto y = w[i - 2];
        w[i] = w[i - 16] + (std::rotr(x, 7) ^ std::rotr(x, 18) ^ x >> 3) + w[i - 7] +
               (std::rotr(y, 17) ^ std::rotr(y, 19) ^ y >> 10);
    }
    auto [a, b, c, d, e, f, g, h] = state;
    for (std::size_t i = 0; i < 64; ++i) {
        const auto t = h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) +
                       ((e & f) ^ (~e & g)) + sha256_rounds[i] + w[i];
        const auto u =
            (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g;
        g = f;
        f = e;
        e = d + t;
        d = c;
        c = b;
        b = a;
        a = t + u;
    }
    const std::array<std::uint32_t, 8> round{a, b, c, d, e, f, g, h};
    for (std::size_t i = 0; i < 8; ++i) state[i] += round[i];
}

}  // namespace detail

/// The SHA-256 of some bytes as 64 lower-case hex digits.
[[nodiscard]] inline std::string sha256_hex(std::string_view bytes) {
    auto state = detail::sha256_start;
    const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
    std::size_t left = bytes.size();
    for (; left >= 64; left -= 64, data += 64) detail::sha256_block(state, data);

    std::array<unsigned char, 128> last{};
    for (std::size_t i = 0; i < left; ++i) last[i] = data[i];
    last[left] = 0x80;
    const std::size_t length = left < 56 ? 64 : 128;
    const std::uint64_t bits = 8 * static_cast<std::uint64_t>(bytes.size());
    for (std::size_t i = 0; i < 8; ++i) {
        last[length - 1 - i] = static_cast<unsigned char>(bits >> 8 * i);
    }
    for (std::size_t i = 0; i < length; i += 64) detail::sha256_block(state, last.data() + i);

    std::string hex;
    for (const auto word : state) {
        for (int shift = 28; shift >= 0; shift -= 4) hex += "0123456789abcdef"[word >> shift & 15];
    }
    return hex;
}

}  // namespace plan
BPW_NAMESPACE_END
