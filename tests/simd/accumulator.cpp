// Sixteen running sums on this arch's vectors.
#include <bpw/simd/accumulator.hpp>
#include <reference/random.hpp>
#include <reference/same_bits.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

namespace {

using lanes = bpw::simd::float16<bpw::native_arch>;

void fill(float (&v)[16], reference::random& numbers) {
    for (auto& x : v) x = numbers.uniform() * std::ldexp(1.0f, static_cast<int>(numbers.below(12)));
}

}  // namespace

TEST(float16, loads_and_stores_at_any_address) {
    reference::random numbers(1);
    float in[16];
    fill(in, numbers);
    std::vector<std::byte> from(64 + 64), to(64 + 64);
    for (std::size_t shift = 0; shift < 64; shift += sizeof(float)) {
        std::memcpy(from.data() + shift, in, 64);
        const auto v = lanes::load(reinterpret_cast<const float*>(from.data() + shift));
        v.store(reinterpret_cast<float*>(to.data() + shift));
        EXPECT_EQ(std::memcmp(to.data() + shift, in, 64), 0);
    }
    float zero[16];
    lanes::zero().store(zero);
    for (const float z : zero) EXPECT_TRUE(reference::same_bits(z, 0.0f));
}

TEST(float16, adds_products_with_one_rounding) {
    reference::random numbers(2);
    for (int round = 0; round < 1000; ++round) {
        float a[16], b[16], c[16], got[16];
        fill(a, numbers);
        fill(b, numbers);
        fill(c, numbers);
        auto sum = lanes::load(c);
        sum.add_product(lanes::load(a), lanes::load(b));
        sum.store(got);
        for (int l = 0; l < 16; ++l) {
            ASSERT_TRUE(reference::same_bits(got[l], std::fma(a[l], b[l], c[l])));
        }
    }
}

// Pairs of lanes 8 apart, then 4, 2, 1.
TEST(float16, sum_is_a_fixed_tree) {
    reference::random numbers(3);
    for (int round = 0; round < 1000; ++round) {
        float v[16];
        fill(v, numbers);
        float by_four[4];
        for (int l = 0; l < 4; ++l) by_four[l] = (v[l] + v[l + 8]) + (v[l + 4] + v[l + 12]);
        const float want = (by_four[0] + by_four[2]) + (by_four[1] + by_four[3]);
        ASSERT_TRUE(reference::same_bits(lanes::load(v).sum(), want));
    }
}
