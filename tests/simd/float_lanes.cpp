// Operations on sixteen floats, each lane against one number.
#include <bpw/simd/float_lanes.hpp>
#include <reference/random.hpp>
#include <reference/same_bits.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace {

namespace lanes = bpw::detail::lanes;
using bpw::detail::floats;
using bpw::detail::lane_array;
using bpw::detail::lane_count;

constexpr int rounds = 20000;

// Normal numbers of either sign whose sums, products and quotients are normal too.
lane_array random_lanes(reference::random& numbers) {
    lane_array out;
    for (auto& x : out) {
        x = std::bit_cast<float>(static_cast<std::uint32_t>(
            numbers.below(2) << 31 | (97 + numbers.below(60)) << 23 | numbers.below(1u << 23)));
    }
    return out;
}

void expect_lanes(const floats& got, const lane_array& want) {
    const auto all = lanes::to_array(got);
    for (std::size_t l = 0; l < lane_count; ++l) {
        ASSERT_TRUE(reference::same_bits(all[l], want[l]))
            << std::hexfloat << "lane " << l << ": " << all[l] << " instead of " << want[l];
    }
}

template <class Vector, class Plain>
void expect_same(Vector vector, Plain plain) {
    reference::random numbers(7);
    for (int round = 0; round < rounds; ++round) {
        const auto a = random_lanes(numbers);
        const auto b = random_lanes(numbers);
        lane_array want;
        for (std::size_t l = 0; l < lane_count; ++l) want[l] = plain(a[l], b[l]);
        expect_lanes(vector(floats::load(a.data()), floats::load(b.data())), want);
        if (testing::Test::HasFatalFailure()) return;
    }
}

}  // namespace

TEST(float_lanes, arithmetic_rounds_to_nearest) {
    expect_same([](const floats& a, const floats& b) { return lanes::add(a, b); },
                [](float a, float b) { return a + b; });
    expect_same([](const floats& a, const floats& b) { return lanes::subtract(a, b); },
                [](float a, float b) { return a - b; });
    expect_same([](const floats& a, const floats& b) { return lanes::divide(a, b); },
                [](float a, float b) { return a / b; });
    expect_same([](const floats& a, const floats&) { return lanes::sqrt(lanes::abs(a)); },
                [](float a, float) { return std::sqrt(std::abs(a)); });
    expect_same([](const floats& a, const floats& b) { return lanes::fma(a, b, a); },
                [](float a, float b) { return std::fma(a, b, a); });
}

TEST(float_lanes, order) {
    expect_same([](const floats& a, const floats& b) { return lanes::min(a, b); },
                [](float a, float b) { return std::min(a, b); });
    expect_same([](const floats& a, const floats& b) { return lanes::max(a, b); },
                [](float a, float b) { return std::max(a, b); });
    expect_same(
        [](const floats& a, const floats& b) { return lanes::where_less(a, b, b, lanes::abs(a)); },
        [](float a, float b) { return a < b ? b : std::abs(a); });
    reference::random numbers(8);
    for (int round = 0; round < rounds; ++round) {
        auto a = random_lanes(numbers);
        a[numbers.below(lane_count)] = a[numbers.below(lane_count)];
        const auto x = floats::load(a.data());
        const auto largest = std::max_element(a.begin(), a.end());
        const auto smallest = std::min_element(a.begin(), a.end());
        ASSERT_EQ(bpw::detail::largest_lane(x), static_cast<std::size_t>(largest - a.begin()));
        ASSERT_EQ(bpw::detail::smallest_lane(x), static_cast<std::size_t>(smallest - a.begin()));
        ASSERT_EQ(bpw::detail::smallest_lane(a), static_cast<std::size_t>(smallest - a.begin()));
        ASSERT_EQ(lanes::smallest(x), *smallest);
        ASSERT_FALSE(lanes::any_less(x, floats::all(*smallest)));
        ASSERT_TRUE(lanes::any_less(floats::all(*smallest), floats::all(std::abs(*smallest) * 2)));
    }
}

TEST(float_lanes, integers) {
    float table[512];
    for (int i = 0; i < 512; ++i) table[i] = std::ldexp(static_cast<float>(i), i % 7);
    reference::random numbers(9);
    for (int round = 0; round < rounds; ++round) {
        lane_array x, rounded, looked_up;
        std::uint32_t index[lane_count];
        lane_array from_table;
        std::int8_t bytes[lane_count];
        for (std::size_t l = 0; l < lane_count; ++l) {
            // Halves among them, which go to the even integer.
            x[l] = (static_cast<float>(numbers.below(1017)) - 508.0f) / 4;
            rounded[l] = std::nearbyint(x[l]);
            bytes[l] = static_cast<std::int8_t>(rounded[l]);
            looked_up[l] = table[256 + bytes[l]];
            index[l] = static_cast<std::uint32_t>(numbers.below(1u << 15));
            from_table[l] = table[index[l] >> 5 & 31];
        }
        const auto v = lanes::round(floats::load(x.data()));
        expect_lanes(lanes::abs(v), [&] {
            auto out = rounded;
            for (auto& f : out) f = std::abs(f);
            return out;
        }());
        const auto shifted = lanes::add(v, floats::all(lanes::integer_shift));
        expect_lanes(lanes::lookup_shifted(table + 256, shifted), looked_up);
        std::int8_t stored[lane_count];
        lanes::to_bytes(v, stored);
        EXPECT_TRUE(std::equal(stored, stored + lane_count, bytes));
        lane_array again;
        for (std::size_t l = 0; l < lane_count; ++l) again[l] = bytes[l];
        expect_lanes(lanes::from_bytes(bytes), again);
        expect_lanes(lanes::table32<bpw::native_arch>(table).at<5>(index), from_table);
        if (testing::Test::HasFailure()) return;
    }
}

// What a bin says must be what the table of all integers says.
TEST(float_lanes, two_levels_per_bin) {
    constexpr int shift = 2;
    float turn[32], low[32], high[32], all[32 << shift];
    reference::random numbers(10);
    for (int bin = 0; bin < 32; ++bin) {
        turn[bin] = static_cast<float>((bin << shift) + static_cast<int>(numbers.below(5)));
        low[bin] = static_cast<float>(numbers.below(100));
        high[bin] = static_cast<float>(numbers.below(100));
        for (int n = bin << shift; n < (bin + 1) << shift; ++n) {
            all[n] = static_cast<float>(n) < turn[bin] ? low[bin] : high[bin];
        }
    }
    const lanes::two_levels_per_bin<bpw::native_arch> levels(all, shift, turn, low, high);
    for (std::size_t first = 0; first < 32 << shift; first += lane_count) {
        lane_array x, want;
        for (std::size_t l = 0; l < lane_count; ++l) {
            x[l] = static_cast<float>(first + l) + lanes::integer_shift;
            want[l] = all[first + l];
        }
        expect_lanes(levels(floats::load(x.data())), want);
    }
}
