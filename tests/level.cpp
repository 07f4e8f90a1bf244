// The level that this program was compiled for is the one that bpw says it uses.
#include <gtest/gtest.h>
#include <bpw/bpw.hpp>

#include <string_view>

TEST(level, is_the_one_asked_for) {
    constexpr std::string_view expected = BPW_EXPECT_ARCH;
    RecordProperty("active_arch", std::string(bpw::active_arch()));
    if (expected == "native") {
        EXPECT_NE(bpw::active_arch(), "scalar");
    } else {
        EXPECT_EQ(bpw::active_arch(), expected);
    }
}
