// Byte operations of this level against plain loops, over all values where they can be counted.
#include <bpw/simd/bytes.hpp>
#include <reference/random.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace {

namespace simd = bpw::simd;
using arch = bpw::native_arch;
using bytes = simd::u8_batch<arch>;
using signed_bytes = simd::s8_batch<arch>;
using integers = simd::i32_batch<arch>;

constexpr std::size_t lanes = bytes::size;
constexpr std::size_t quads = integers::size;

template <class Batch>
std::array<typename Batch::value_type, Batch::size> values_of(const Batch& batch) {
    std::array<typename Batch::value_type, Batch::size> out;
    batch.store_unaligned(out.data());
    return out;
}

// Calls f with the constants 0 ... Count - 1.
template <int Count, class F>
void for_constants(F f) {
    [&]<int... I>(std::integer_sequence<int, I...>) { (f(std::integral_constant<int, I>{}), ...); }
    (std::make_integer_sequence<int, Count>{});
}

// --- dot4 ----------------------------------------------------------------------------------------

// One bound for each way that some arch has of multiplying, and its neighbours.
template <class MaxU>
class dot4 : public testing::Test {};
template <int MaxU>
using bound = std::integral_constant<int, MaxU>;
using bounds = testing::Types<bound<1>, bound<15>, bound<31>, bound<63>, bound<127>, bound<128>,
                              bound<129>, bound<130>, bound<254>, bound<255>>;
TYPED_TEST_SUITE(dot4, bounds);

// Sums that the products are added to: the sign of a sum must not matter.
constexpr std::int32_t starts[] = {0, 1, -1, 1 << 30, -(1 << 30)};

TYPED_TEST(dot4, of_every_pair_of_values) {
    constexpr int most = TypeParam::value;
    for (int u = 0; u <= most; ++u) {
        for (int s = -127; s <= 127; ++s) {
            const bytes us(static_cast<std::uint8_t>(u));
            const signed_bytes ss(static_cast<std::int8_t>(s));
            for (const auto start : starts) {
                const auto sums = values_of(simd::dot4<most, arch>(integers(start), us, ss));
                for (const auto sum : sums) ASSERT_EQ(sum, start + 4 * u * s) << u << " . " << s;
            }
        }
    }
}

// Every combination of extremes in the four products of a sum.
TYPED_TEST(dot4, of_every_four_extremes) {
    constexpr int most = TypeParam::value;
    constexpr int us[] = {0, most / 2, most - 1, most};
    constexpr int ss[] = {-127, -126, -1, 0, 1, 126, 127};
    constexpr std::size_t pairs = std::size(us) * std::size(ss);
    constexpr std::size_t all = pairs * pairs * pairs * pairs;
    std::array<std::uint8_t, lanes> u;
    std::array<std::int8_t, lanes> s;
    std::array<std::int32_t, quads> expected;
    for (std::size_t first = 0; first < all; first += quads) {
        for (std::size_t q = 0; q < quads; ++q) {
            auto number = std::min(first + q, all - 1);
            expected[q] = 7;
            for (std::size_t i = 4 * q; i < 4 * q + 4; ++i) {
                const int a = us[number % std::size(us)];
                const int b = ss[number / std::size(us) % std::size(ss)];
                number /= pairs;
                u[i] = static_cast<std::uint8_t>(a);
                s[i] = static_cast<std::int8_t>(b);
                expected[q] += a * b;
            }
        }
        ASSERT_EQ(values_of(simd::dot4<most, arch>(integers(7), bytes::load_unaligned(u.data()),
                                                   signed_bytes::load_unaligned(s.data()))),
                  expected);
    }
}

TYPED_TEST(dot4, of_random_values_in_every_lane) {
    constexpr int most = TypeParam::value;
    reference::random numbers(1);
    for (int round = 0; round < 20000; ++round) {
        std::array<std::uint8_t, lanes> u;
        std::array<std::int8_t, lanes> s;
        std::array<std::int32_t, quads> sums;
        std::array<std::int32_t, quads> expected;
        for (std::size_t i = 0; i < lanes; ++i) {
            u[i] = static_cast<std::uint8_t>(numbers.below(most + 1));
            s[i] = static_cast<std::int8_t>(static_cast<int>(numbers.below(255)) - 127);
        }
        for (std::size_t q = 0; q < quads; ++q) {
            expected[q] = sums[q] = static_cast<std::int32_t>(numbers.below(1u << 30)) - (1 << 29);
            for (std::size_t i = 4 * q; i < 4 * q + 4; ++i) expected[q] += u[i] * s[i];
        }
        ASSERT_EQ(values_of(simd::dot4<most, arch>(integers::load_unaligned(sums.data()),
                                                   bytes::load_unaligned(u.data()),
                                                   signed_bytes::load_unaligned(s.data()))),
                  expected);
    }
}

// --- lookup --------------------------------------------------------------------------------------

template <std::size_t Size>
void check_lookup() {
    SCOPED_TRACE(Size);
    reference::random numbers(2);
    // At an odd address.
    std::vector<std::uint8_t> memory(Size + 1);
    const std::uint8_t* const table = memory.data() + 1;
    for (int round = 0; round < 50; ++round) {
        for (auto& b : memory) b = static_cast<std::uint8_t>(numbers.below(256));
        // Every index in every lane.
        for (std::size_t first = 0; first < Size; ++first) {
            std::array<std::uint8_t, lanes> index;
            std::array<std::uint8_t, lanes> expected;
            for (std::size_t i = 0; i < lanes; ++i) {
                index[i] = static_cast<std::uint8_t>((first + 7 * i) % Size);
                expected[i] = table[index[i]];
            }
            ASSERT_EQ(
                values_of(simd::lookup<Size, arch>(table, bytes::load_unaligned(index.data()))),
                expected);
        }
    }
}

TEST(lookup, of_every_index) {
    check_lookup<16>();
    check_lookup<32>();
    check_lookup<64>();
    check_lookup<128>();
    check_lookup<256>();
}

// --- shifts --------------------------------------------------------------------------------------

TEST(shift_right, of_every_byte) {
    for (unsigned first = 0; first < 256; ++first) {
        std::array<std::uint8_t, lanes> x;
        for (std::size_t i = 0; i < lanes; ++i) x[i] = static_cast<std::uint8_t>(first + 37 * i);
        for_constants<8>([&](auto by) {
            std::array<std::uint8_t, lanes> expected;
            for (std::size_t i = 0; i < lanes; ++i) {
                expected[i] = static_cast<std::uint8_t>(x[i] >> by);
            }
            ASSERT_EQ(values_of(simd::shift_right<by(), arch>(bytes::load_unaligned(x.data()))),
                      expected)
                << "by " << by;
        });
    }
}

TEST(shift_32, by_every_distance) {
    using limits = std::numeric_limits<std::int32_t>;
    reference::random numbers(3);
    for (int round = 0; round < 1000; ++round) {
        std::array<std::int32_t, quads> x;
        for (auto& n : x) n = static_cast<std::int32_t>(numbers.bits());
        if (round == 0) x.fill(limits::min());
        if (round == 1) x.fill(limits::max());
        if (round == 2) x.fill(-1);
        for_constants<32>([&](auto by) {
            std::array<std::int32_t, quads> left;
            std::array<std::int32_t, quads> right;
            for (std::size_t i = 0; i < quads; ++i) {
                left[i] = static_cast<std::int32_t>(static_cast<std::uint32_t>(x[i]) << by);
                right[i] = x[i] >> by;
            }
            const auto v = integers::load_unaligned(x.data());
            ASSERT_EQ(values_of(simd::shift_left_32<by(), arch>(v)), left) << "by " << by;
            ASSERT_EQ(values_of(simd::shift_right_32<by(), arch>(v)), right) << "by " << by;
        });
    }
}

}  // namespace
