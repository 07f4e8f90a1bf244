// The examples that check themselves.
#include "examples/program.hpp"

#include <gtest/gtest.h>

namespace examples_test {
namespace {

class self_checking : public testing::TestWithParam<const char*> {};

TEST_P(self_checking, finds_everything_right) {
    const auto o = run(GetParam(), {});
    EXPECT_EQ(o.status, 0) << o.out << o.err;
    EXPECT_EQ(o.out.find("WRONG"), std::string::npos) << o.out;
    EXPECT_NE(o.out.find("right"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(example, self_checking, testing::Values("custom_kernel", "custom_type"));

}  // namespace
}  // namespace examples_test
