// Two units, compiled for different instruction sets from one source, each run their own code.
#include "unit.hpp"

#include <gtest/gtest.h>

TEST(two_levels, each_unit_runs_its_own_code) {
    const unit_report a = low();
    const unit_report b = high();
    EXPECT_STRNE(a.instruction_set, b.instruction_set);
    EXPECT_NE(a.function, b.function);
    EXPECT_EQ(a.sum, b.sum);
}
