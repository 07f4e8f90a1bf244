// Small float formats against their definitions, evaluated in double precision.
#include <bpw/core/half.hpp>

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace {

// A float format of one sign bit (or none), exponent and mantissa, by the textbook.
double by_definition(std::uint32_t bits, int exponent_bits, int mantissa_bits) {
    const int mantissa = static_cast<int>(bits & ((1u << mantissa_bits) - 1));
    const int exponent = static_cast<int>(bits >> mantissa_bits & ((1u << exponent_bits) - 1));
    const double sign = (bits >> (exponent_bits + mantissa_bits) & 1u) != 0u ? -1.0 : 1.0;
    const int bias = (1 << (exponent_bits - 1)) - 1;
    if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
    return sign * std::ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
}

// Bits of a float whose value `v` is exact, worked out without float arithmetic on `v`, so that
// flush-to-zero modes do not matter.
std::uint32_t float_bits(double v) {
    const auto bits = std::bit_cast<std::uint64_t>(v);
    const auto sign = static_cast<std::uint32_t>(bits >> 32 & 0x80000000u);
    const auto exponent = static_cast<int>(bits >> 52 & 2047u) - 1023;
    const auto mantissa = (bits & ((std::uint64_t{1} << 52) - 1)) | std::uint64_t{1} << 52;
    if ((bits << 1) == 0) return sign;
    if (exponent >= -126) {
        return sign | static_cast<std::uint32_t>(exponent + 127) << 23 |
               (static_cast<std::uint32_t>(mantissa >> 29) & 0x7fffffu);
    }
    return sign | static_cast<std::uint32_t>(mantissa >> (29 - 126 - exponent));
}

void check_every_half() {
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
        // Through memory, so that the compiler does not evaluate the conversion itself.
        volatile std::uint32_t runtime = bits;
        const auto got = std::bit_cast<std::uint32_t>(bpw::half_to_float(runtime));
        const auto exponent = bits >> 10 & 31u;
        const auto mantissa = bits & 0x3ffu;
        if (exponent != 31u) {
            ASSERT_EQ(got, float_bits(by_definition(bits, 5, 10))) << "half " << bits;
        } else if (mantissa == 0) {
            ASSERT_EQ(got, (bits & 0x8000u) << 16 | 0x7f800000u) << "half " << bits;
        } else {
            ASSERT_EQ(got & 0x7f800000u, 0x7f800000u) << "half " << bits;
            ASSERT_NE(got & 0x007fffffu, 0u) << "half " << bits;
        }
    }
}

void check_every_exponent() {
    for (std::uint32_t e = 0; e < 256; ++e) {
        volatile std::uint32_t runtime = e;
        const auto got = std::bit_cast<std::uint32_t>(bpw::e8m0_half_to_float(runtime));
        ASSERT_EQ(got, float_bits(std::ldexp(1.0, static_cast<int>(e) - 128))) << "e8m0 " << e;
    }
}

void check_every_ue4m3() {
    for (std::uint32_t bits = 0; bits < 256; ++bits) {
        volatile std::uint32_t runtime = bits;
        const auto got = std::bit_cast<std::uint32_t>(bpw::ue4m3_half_to_float(runtime));
        const double want = bits == 0 || bits == 0x7f ? 0.0 : by_definition(bits & 0x7fu, 4, 3) / 2;
        ASSERT_EQ(got, float_bits(want)) << "ue4m3 " << bits;
    }
}

}  // namespace

TEST(half, every_bit_pattern) { check_every_half(); }

TEST(half, known_values) {
    EXPECT_EQ(bpw::half_to_float(0x3c00), 1.0f);
    EXPECT_EQ(bpw::half_to_float(0xc000), -2.0f);
    EXPECT_EQ(bpw::half_to_float(0x7bff), 65504.0f);
    EXPECT_EQ(bpw::half_to_float(0x0001), 0x1p-24f);
    EXPECT_EQ(bpw::half_to_float(0x03ff), 1023 * 0x1p-24f);
    EXPECT_EQ(bpw::half_to_float(0x0400), 0x1p-14f);
    EXPECT_TRUE(std::signbit(bpw::half_to_float(0x8000)));
    static_assert(bpw::half_to_float(0x3555) == 1365 * 0x1p-12f);
}

TEST(bf16, every_bit_pattern) {
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
        const auto got = std::bit_cast<std::uint32_t>(bpw::bf16_to_float(bits));
        ASSERT_EQ(got, bits << 16);
        if ((bits >> 7 & 255u) != 255u) {
            ASSERT_EQ(got, float_bits(by_definition(bits, 8, 7)));
        }
    }
}

TEST(e8m0, every_exponent) { check_every_exponent(); }

TEST(e8m0, known_values) {
    EXPECT_EQ(bpw::e8m0_half_to_float(128), 1.0f);
    EXPECT_EQ(bpw::e8m0_half_to_float(127), 0.5f);
    EXPECT_EQ(bpw::e8m0_half_to_float(255), 0x1p127f);
    EXPECT_EQ(std::bit_cast<std::uint32_t>(bpw::e8m0_half_to_float(0)), 0x00200000u);
    EXPECT_EQ(std::bit_cast<std::uint32_t>(bpw::e8m0_half_to_float(1)), 0x00400000u);
}

TEST(ue4m3, every_bit_pattern) { check_every_ue4m3(); }

TEST(ue4m3, known_values) {
    EXPECT_EQ(bpw::ue4m3_half_to_float(0x7e), 224.0f);
    EXPECT_EQ(bpw::ue4m3_half_to_float(0x7f), 0.0f);
    EXPECT_EQ(bpw::ue4m3_half_to_float(0xff), 240.0f);
    EXPECT_EQ(bpw::ue4m3_half_to_float(0x80), 0.0f);
    EXPECT_EQ(bpw::ue4m3_half_to_float(0x01), 0x1p-10f);
}

#if defined(__SSE2__)
// Other libraries of a program may have switched subnormals off for the process.
TEST(half, flush_to_zero_and_rounding_modes_change_nothing) {
    const auto before = _mm_getcsr();
    for (const unsigned rounding : {0x0000u, 0x2000u, 0x4000u, 0x6000u}) {
        _mm_setcsr((before & ~0x6000u) | 0x8040u | rounding);
        const bool flushes = [] {
            volatile float tiny = 0x1p-130f;
            volatile float doubled = tiny * 2.0f;
            return std::bit_cast<std::uint32_t>(static_cast<float>(doubled)) == 0;
        }();
        check_every_half();
        check_every_exponent();
        check_every_ue4m3();
        _mm_setcsr(before);
        EXPECT_TRUE(flushes);
    }
}
#endif
