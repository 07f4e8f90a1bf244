// Fused multiply-add: the emulation and every arch's vectors against std::fma.
#include <bpw/simd/fma.hpp>
#include <reference/random.hpp>
#include <reference/same_bits.hpp>

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>

namespace {

float from_bits(std::uint32_t bits) { return std::bit_cast<float>(bits); }

// The scalar form and every lane of a vector.
void check(float a, float b, float c) {
    using batch = xsimd::batch<float, bpw::native_arch>;
    const float want = std::fma(a, b, c);
    ASSERT_TRUE(reference::same_bits(bpw::simd::fused_multiply_add(a, b, c), want))
        << std::hexfloat << a << " * " << b << " + " << c << " gives "
        << bpw::simd::fused_multiply_add(a, b, c) << " instead of " << want;
    float lanes[batch::size];
    bpw::simd::fused_multiply_add(batch(a), batch(b), batch(c)).store_unaligned(lanes);
    for (const float lane : lanes) {
        ASSERT_TRUE(reference::same_bits(lane, want))
            << std::hexfloat << a << " * " << b << " + " << c << " gives " << lane;
    }
}

constexpr int rounds = 200000;

}  // namespace

TEST(fma, random_bit_patterns) {
    reference::random numbers(1);
    for (int i = 0; i < rounds; ++i) {
        const auto next = [&] {
            return from_bits(static_cast<std::uint32_t>(numbers.bits() >> 32));
        };
        const float a = next(), b = next(), c = next();
        check(a, b, c);
        if (HasFatalFailure()) return;
    }
}

// c near the product, from far above to far below: every way to round.
TEST(fma, exponents_near_each_other) {
    reference::random numbers(2);
    const auto near = [&](int exponent) {
        return from_bits(numbers.below(2) << 31 | static_cast<std::uint32_t>(127 + exponent) << 23 |
                         numbers.below(1u << 23));
    };
    for (int i = 0; i < rounds; ++i) {
        const int ea = static_cast<int>(numbers.below(20)) - 10;
        const int eb = static_cast<int>(numbers.below(20)) - 10;
        const int ec = ea + eb + static_cast<int>(numbers.below(110)) - 55;
        check(near(ea), near(eb), near(ec));
        if (HasFatalFailure()) return;
    }
}

// Sums that fall exactly between two floats but for the last bits of the product.
TEST(fma, ties) {
    reference::random numbers(3);
    for (int i = 0; i < rounds; ++i) {
        const auto bits = [&](std::uint32_t n) {
            return static_cast<float>(1 + 2 * numbers.below(n));
        };
        const float a = bits(1u << 11) * 0x1p-24f;
        const float b = bits(1u << 11) * 0x1p-12f;
        const float c = static_cast<float>((1u << 23) + numbers.below(1u << 23)) *
                        std::ldexp(1.0f, static_cast<int>(numbers.below(24)) - 30);
        check(numbers.below(2) != 0 ? -a : a, b, c);
        if (HasFatalFailure()) return;
    }
}

TEST(fma, cancellation) {
    reference::random numbers(4);
    for (int i = 0; i < rounds; ++i) {
        const float a = numbers.uniform();
        const float b = numbers.uniform();
        const float product = a * b;
        const int ulps = static_cast<int>(numbers.below(5)) - 2;
        const auto c =
            from_bits(std::bit_cast<std::uint32_t>(-product) + static_cast<std::uint32_t>(ulps));
        check(a, b, c);
        if (HasFatalFailure()) return;
    }
}

TEST(fma, subnormal_results) {
    reference::random numbers(5);
    for (int i = 0; i < rounds; ++i) {
        const float a = numbers.uniform() * 0x1p-70f;
        const float b =
            numbers.uniform() * std::ldexp(1.0f, -50 - static_cast<int>(numbers.below(35)));
        const float c = from_bits(numbers.below(2) << 31 | numbers.below(1u << 25));
        check(a, b, c);
        if (HasFatalFailure()) return;
    }
}

TEST(fma, special_values) {
    using limits = std::numeric_limits<float>;
    const std::initializer_list<float> values{
        0.0f,
        -0.0f,
        1.0f,
        -1.0f,
        limits::min(),
        -limits::min(),
        limits::max(),
        -limits::max(),
        limits::denorm_min(),
        -limits::denorm_min(),
        limits::infinity(),
        -limits::infinity(),
        limits::quiet_NaN(),
        0x1p-126f,
        0x1.fffffep-1f,
        0x1.000002p+0f,
        0x1p127f,
        0x1p-149f,
        0x1p-75f,
        3.0f,
    };
    for (const float a : values) {
        for (const float b : values) {
            for (const float c : values) {
                check(a, b, c);
                if (HasFatalFailure()) return;
            }
        }
    }
}

// Overflow and the last float before it.
TEST(fma, overflow) {
    reference::random numbers(6);
    for (int i = 0; i < rounds; ++i) {
        const float a = from_bits((190u << 23) + numbers.below(1u << 23));
        const float b = from_bits((190u << 23) + numbers.below(1u << 23));
        const float c = from_bits(numbers.below(2) << 31 | (253u + numbers.below(2)) << 23 |
                                  numbers.below(1u << 23));
        check(a, b, c);
        if (HasFatalFailure()) return;
    }
}
