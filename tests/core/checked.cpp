// Arithmetic that notices when it would wrap, against 128-bit arithmetic.
#include <bpw/core/checked.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace {

__extension__ using wide = unsigned __int128;
constexpr auto most = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t numbers[] = {
    0,          1,          2,           3,           31,       32,       255,
    256,        0xffffffff, 0x100000000, 0x100000001, most / 3, most / 2, most / 2 + 1,
    most - 256, most - 31,  most - 1,    most,
};

void same(std::optional<std::uint64_t> got, wide want) {
    ASSERT_EQ(got.has_value(), want <= most);
    if (got) {
        ASSERT_TRUE(*got == want);
    }
}

}  // namespace

TEST(checked, sums_and_products) {
    for (const auto a : numbers) {
        for (const auto b : numbers) {
            SCOPED_TRACE(testing::Message() << a << " and " << b);
            same(bpw::checked_add(a, b), wide{a} + b);
            same(bpw::checked_mul(a, b), wide{a} * b);
        }
    }
}

TEST(checked, rounding_up) {
    for (const auto a : numbers) {
        for (const std::uint64_t unit : {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{3},
                                         std::uint64_t{32}, std::uint64_t{4096}, most / 2, most}) {
            SCOPED_TRACE(testing::Message() << a << " to " << unit);
            same(bpw::checked_round_up(a, unit), (wide{a} + unit - 1) / unit * unit);
        }
    }
}
