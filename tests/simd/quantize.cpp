// What quantizing floats to bytes takes, against plain loops.
#include <bpw/simd/quantize.hpp>
#include <reference/random.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace {

namespace simd = bpw::simd;
using arch = bpw::native_arch;
using int16x = simd::int16x<arch>;
using float16 = simd::float16<arch>;
using ints = std::array<std::int32_t, 16>;
using floats = std::array<float, 16>;

ints random_ints(reference::random& numbers) {
    ints out;
    for (auto& x : out) x = static_cast<std::int32_t>(numbers.bits());
    return out;
}
ints values_of(const int16x& v) {
    ints out;
    v.store(out.data());
    return out;
}

TEST(quantize, magnitudes_are_compared_as_bits) {
    const floats special{0.0f,
                         -0.0f,
                         1e-40f,
                         -1e-40f,
                         1.0f,
                         -1.5f,
                         std::numeric_limits<float>::max(),
                         -std::numeric_limits<float>::max(),
                         std::numeric_limits<float>::infinity(),
                         -std::numeric_limits<float>::infinity(),
                         std::numeric_limits<float>::quiet_NaN(),
                         -std::numeric_limits<float>::quiet_NaN(),
                         1e-36f,
                         0x1p100f,
                         -3.0f,
                         7.0f};
    for (std::size_t turn = 0; turn < 16; ++turn) {
        floats other = special;
        std::rotate(other.begin(), other.begin() + static_cast<std::ptrdiff_t>(turn), other.end());
        const auto got = values_of(
            simd::greater_magnitudes(float16::load(special.data()), float16::load(other.data())));
        for (std::size_t l = 0; l < 16; ++l) {
            EXPECT_EQ(got[l], std::max(std::bit_cast<std::int32_t>(std::fabs(special[l])),
                                       std::bit_cast<std::int32_t>(std::fabs(other[l]))));
        }
    }
}

TEST(quantize, the_greatest_of_every_vector_comes_twice) {
    reference::random numbers(1);
    for (int round = 0; round < 200; ++round) {
        std::array<ints, 8> x;
        std::array<int16x, 8> vectors;
        for (std::size_t i = 0; i < 8; ++i) {
            x[i] = random_ints(numbers);
            vectors[i] = int16x::load(x[i].data());
        }
        const auto got = values_of(simd::greatest_lanes(vectors));
        for (std::size_t i = 0; i < 16; ++i) {
            EXPECT_EQ(got[i], *std::max_element(x[i / 2].begin(), x[i / 2].end())) << i;
        }
    }
    // The greatest in every place.
    for (std::size_t at = 0; at < 16; ++at) {
        std::array<int16x, 8> vectors;
        for (int i = 0; i < 8; ++i) {
            ints x{};
            x[at] = i + 1;
            vectors[static_cast<std::size_t>(i)] = int16x::load(x.data());
        }
        const auto got = values_of(simd::greatest_lanes(vectors));
        for (int i = 0; i < 16; ++i) EXPECT_EQ(got[static_cast<std::size_t>(i)], i / 2 + 1) << at;
    }
}

TEST(quantize, neighbours_are_swapped) {
    reference::random numbers(2);
    const auto x = random_ints(numbers);
    const auto got = values_of(simd::swapped_neighbours(int16x::load(x.data())));
    for (std::size_t i = 0; i < 16; ++i) EXPECT_EQ(got[i], x[i ^ 1]);
}

TEST(quantize, every_other_lane_is_stored) {
    reference::random numbers(3);
    const auto x = random_ints(numbers);
    const auto v = int16x::load(x.data());
    std::array<std::int32_t, 9> integers{};
    std::array<float, 9> numbers32{};
    simd::store_even(v, integers.data());
    simd::store_even(v.as_float(), numbers32.data());
    for (std::size_t i = 0; i < 8; ++i) {
        EXPECT_EQ(integers[i], x[2 * i]);
        EXPECT_EQ(std::bit_cast<std::int32_t>(numbers32[i]), x[2 * i]);
    }
    EXPECT_EQ(integers[8], 0);
    EXPECT_EQ(numbers32[8], 0.0f);
}

TEST(quantize, one_lane_at_the_bound_is_found) {
    for (std::size_t at = 0; at < 16; ++at) {
        ints x;
        x.fill(-5);
        x[at] = 41;
        EXPECT_FALSE(simd::any_at_least(int16x::load(x.data()), 42));
        x[at] = 42;
        EXPECT_TRUE(simd::any_at_least(int16x::load(x.data()), 42));
    }
}

TEST(quantize, bytes_are_nearest_and_in_order) {
    // Ties and what is near them, for all bytes, in every lane.
    constexpr std::array<float, 5> near{0.0f, 0.5f, -0.5f, 0.49f, -0.49f};
    for (std::size_t turn = 0; turn < 256; ++turn) {
        std::array<std::array<float, 16>, 4> x;
        std::array<std::int8_t, 64> expected;
        for (std::size_t i = 0; i < 64; ++i) {
            const auto n = static_cast<float>((i * 37 + turn) % 254) - 126.5f + near[turn % 5];
            x[i / 16][i % 16] = n;
            expected[i] = static_cast<std::int8_t>(std::nearbyint(n));
        }
        std::array<std::uint8_t, 64> got;
        simd::round_to_bytes<arch>([&](std::size_t i) {
            return float16::load(x[i].data());
        }).store(got.data());
        for (std::size_t i = 0; i < 64; ++i) {
            ASSERT_EQ(static_cast<std::int8_t>(got[i]), expected[i]) << x[i / 16][i % 16];
        }
    }
}

}  // namespace
