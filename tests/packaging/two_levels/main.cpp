// Two units, compiled from one source for different instruction sets, each run their own code.
#include "unit.hpp"

#include <gtest/gtest.h>

TEST(two_levels, each_unit_runs_its_own_code) {
    const unit_report a = low();
    const unit_report b = high();
    EXPECT_EQ(a.level, BPW_LOW_LEVEL);
    EXPECT_EQ(b.level, BPW_HIGH_LEVEL);
    for (unsigned i = 0; i < a.functions.size(); ++i) EXPECT_NE(a.functions[i], b.functions[i]);
    EXPECT_NE(a.dot, 0.0f);
    EXPECT_EQ(a.dot, b.dot);
}
