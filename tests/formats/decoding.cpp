// Types without golden vectors, decoded by the formulas that describe them, from bytes put together
// here.
#include <kernels/any_type.hpp>
#include <reference/random.hpp>
#include <reference/same_bits.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

using bpw::type_id;

namespace {

// Bytes in the order in which they are appended, little-endian.
struct writer {
    std::vector<std::byte> bytes;

    template <class N>
    void put(N number) {
        for (std::size_t i = 0; i < sizeof(N); ++i) {
            bytes.push_back(static_cast<std::byte>(
                std::bit_cast<std::array<std::uint8_t, sizeof(N)>>(number)[i]));
        }
    }
};

std::vector<float> decode(type_id id, const std::vector<std::byte>& bytes, std::size_t rows,
                          std::size_t cols) {
    return any_type::weights({id, bytes, rows, cols});
}

template <class N>
void check_plain(type_id id, const std::vector<N>& numbers) {
    SCOPED_TRACE(bpw::name(id));
    writer out;
    std::vector<float> want;
    for (const N n : numbers) {
        out.put(n);
        want.push_back(static_cast<float>(n));
    }
    EXPECT_TRUE(reference::same_bits(decode(id, out.bytes, 1, numbers.size()), want));
}

}  // namespace

TEST(decoding, plain_numbers) {
    check_plain<float>(type_id::f32, {0.0f, -0.0f, 1.5f, -0x1p-149f, 0x1.fffffep127f});
    check_plain<double>(type_id::f64, {0.0, -1.0, 1e-300, 3.14159265358979, -1e30, 0x1.000001p0});
    check_plain<std::int8_t>(type_id::i8, {0, 1, -1, 127, -128});
    check_plain<std::int16_t>(type_id::i16, {0, 1, -1, 32767, -32768, 12345});
    check_plain<std::int32_t>(type_id::i32, {0, -1, 2147483647, -2147483647 - 1, 16777217});
    check_plain<std::int64_t>(type_id::i64, {0, -1, 9223372036854775807, -9223372036854775807 - 1,
                                             std::int64_t{1} << 40, -(std::int64_t{1} << 33) + 1});
}

TEST(decoding, f16_every_bit_pattern) {
    writer out;
    std::vector<float> want;
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
        out.put(static_cast<std::uint16_t>(bits));
        want.push_back(bpw::half_to_float(bits));
    }
    EXPECT_TRUE(reference::same_bits(decode(type_id::f16, out.bytes, 16, 4096), want));
}

// Word index of (row, column): (row / 16) 16 cols + 32 (col / 2) + 2 (row % 16) + col % 2.
TEST(decoding, bf16_r16) {
    constexpr std::size_t rows = 48, cols = 10;
    reference::random numbers(1);
    std::vector<std::byte> bytes(2 * rows * cols);
    std::vector<float> want(rows * cols);
    for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t c = 0; c < cols; ++c) {
            const auto word = static_cast<std::uint16_t>(numbers.below(0x10000));
            std::memcpy(
                bytes.data() + 2 * (r / 16 * 16 * cols + 32 * (c / 2) + 2 * (r % 16) + c % 2),
                &word, 2);
            want[r * cols + c] = std::bit_cast<float>(std::uint32_t{word} << 16);
        }
    }
    EXPECT_TRUE(reference::same_bits(decode(type_id::bf16_r16, bytes, rows, cols), want));
}

TEST(decoding, q8_1) {
    writer out;
    std::vector<float> want;
    // d of 0.5, -2 and 2^-24; sums that mean nothing, not-a-numbers among them.
    const std::pair<std::uint16_t, float> scales[] = {{std::uint16_t{0x3800}, 0.5f},
                                                      {std::uint16_t{0xc000}, -2.0f},
                                                      {std::uint16_t{1}, 0x1p-24f}};
    for (const auto& [bits, d] : scales) {
        out.put(bits);
        out.put(std::uint16_t{0x7e01});
        for (int i = 0; i < 32; ++i) {
            const auto q = static_cast<std::int8_t>(i * 37 - 128);
            out.put(q);
            want.push_back(d * static_cast<float>(q));
        }
    }
    EXPECT_TRUE(reference::same_bits(decode(type_id::q8_1, out.bytes, 1, 96), want));
}

TEST(decoding, q8_K_of_both_dialects) {
    for (const auto id : {type_id::q8_K, type_id::q8_K_ik}) {
        SCOPED_TRACE(bpw::name(id));
        writer out;
        std::vector<float> want;
        for (const float d : {0.3f, -0x1.234568p-9f, 0x1p-140f}) {
            out.put(d);
            if (id == type_id::q8_K_ik) out.put(std::bit_cast<float>(0x7fc00000u));
            for (int i = 0; i < 256; ++i) {
                const auto q = static_cast<std::int8_t>(i * 11 - 128);
                out.put(q);
                want.push_back(d * static_cast<float>(q));
            }
            for (int i = 0; i < 16; ++i) out.put(std::int16_t{-1});
        }
        EXPECT_EQ(out.bytes.size(), 3 * (id == type_id::q8_K ? 292u : 296u));
        EXPECT_TRUE(reference::same_bits(decode(id, out.bytes, 3, 256), want));
    }
}

// Weight j of the flattened tensor: byte 32 (j / 128) + j % 32, bits 6 - 2 (j % 128 / 32), and one
// scale behind all of them.
TEST(decoding, i2_s) {
    constexpr std::size_t rows = 3, cols = 256;
    reference::random numbers(2);
    const float d = 0x1.2345p-5f;
    std::vector<std::byte> bytes(rows * cols / 4 + 32, std::byte{0xee});
    std::fill(bytes.begin(), bytes.begin() + rows * cols / 4, std::byte{0});
    std::vector<float> want(rows * cols);
    for (std::size_t j = 0; j < rows * cols; ++j) {
        const auto u = numbers.below(4);
        auto& byte = bytes[32 * (j / 128) + j % 32];
        byte |= static_cast<std::byte>(u << (6 - 2 * (j % 128 / 32)));
        want[j] = d * (static_cast<float>(u) - 1.0f);
    }
    std::memcpy(bytes.data() + rows * cols / 4, &d, 4);
    EXPECT_TRUE(reference::same_bits(decode(type_id::i2_s, bytes, rows, cols), want));
}

TEST(decoding, signs_of_zeros) {
    const auto is_negative_zero = [](float x) {
        return std::bit_cast<std::uint32_t>(x) == 0x80000000u;
    };
    // The codes that mean zero, behind a negative scale: -0 in q5_0, +0 where rows interleave.
    writer plain;
    plain.put(std::uint16_t{0xbc00});
    plain.put(std::uint32_t{0xffffffff});
    for (int i = 0; i < 16; ++i) plain.put(std::uint8_t{0x00});
    for (const float w : decode(type_id::q5_0, plain.bytes, 1, 32))
        EXPECT_TRUE(is_negative_zero(w));
    writer packed;
    for (int k = 0; k < 4; ++k) packed.put(std::uint16_t{0xbc00});
    for (int i = 0; i < 16; ++i) packed.put(std::uint8_t{0xff});
    for (int i = 0; i < 64; ++i) packed.put(std::uint8_t{0x00});
    for (const float w : decode(type_id::q5_0_r4, packed.bytes, 4, 32)) {
        EXPECT_TRUE(reference::same_bits(w, 0.0f));
    }
    // mxfp4's code 8 is 0, not -0.
    writer micro;
    micro.put(std::uint8_t{128});
    for (int i = 0; i < 16; ++i) micro.put(std::uint8_t{0x08});
    for (const float w : decode(type_id::mxfp4, micro.bytes, 1, 32)) {
        EXPECT_TRUE(reference::same_bits(w, 0.0f));
    }
}

// Each of the 256 exponents with each code: subnormal, ordinary and infinite weights.
TEST(decoding, mxfp4_every_exponent) {
    const float table[] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
    writer out;
    std::vector<float> want;
    for (int e = 0; e < 256; ++e) {
        out.put(static_cast<std::uint8_t>(e));
        for (unsigned i = 0; i < 16; ++i) out.put(static_cast<std::uint8_t>(i | (15 - i) << 4));
        for (std::size_t i = 0; i < 32; ++i) {
            const double w = std::ldexp(static_cast<double>(table[i < 16 ? i : 31 - i]), e - 128);
            want.push_back(static_cast<float>(w));
        }
    }
    EXPECT_TRUE(reference::same_bits(decode(type_id::mxfp4, out.bytes, 1, 256 * 32), want));
}
