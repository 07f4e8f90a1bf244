// Results and errors.
#include <bpw/core/error.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace {

bpw::result<int> half_of(int n) {
    if (n % 2 != 0) return bpw::fail(bpw::errc::bad_shape, "number ", n, " is odd");
    return n / 2;
}

bpw::result<void> nothing_if(bool good) {
    if (!good) return bpw::fail(bpw::errc::io, "it failed");
    return {};
}

}  // namespace

TEST(result, holds_a_value) {
    const auto r = half_of(42);
    ASSERT_TRUE(r.ok());
    EXPECT_TRUE(static_cast<bool>(r));
    EXPECT_EQ(*r, 21);
    EXPECT_EQ(r.value(), 21);
}

TEST(result, holds_a_reason) {
    const auto r = half_of(7);
    ASSERT_FALSE(r.ok());
    EXPECT_FALSE(static_cast<bool>(r));
    EXPECT_EQ(r.error().code, bpw::errc::bad_shape);
    EXPECT_EQ(r.error().message, "number 7 is odd");
}

TEST(result, value_throws_the_reason) {
    try {
        (void)half_of(7).value();
        FAIL() << "nothing was thrown";
    } catch (const bpw::error& e) {
        EXPECT_EQ(e.code(), bpw::errc::bad_shape);
        EXPECT_STREQ(e.what(), "number 7 is odd");
    }
    EXPECT_THROW(nothing_if(false).value(), std::runtime_error);
    EXPECT_NO_THROW(nothing_if(true).value());
}

TEST(result, of_nothing) {
    EXPECT_TRUE(nothing_if(true).ok());
    ASSERT_FALSE(nothing_if(false).ok());
    EXPECT_EQ(nothing_if(false).error().message, "it failed");
}

TEST(result, moves_what_cannot_be_copied) {
    bpw::result<std::unique_ptr<int>> r = std::make_unique<int>(5);
    EXPECT_EQ(**r, 5);
    const std::unique_ptr<int> p = std::move(r).value();
    EXPECT_EQ(*p, 5);
}

TEST(result, of_the_type_of_its_reason) {
    const bpw::result<std::string> r = std::string("text");
    ASSERT_TRUE(r.ok());
    EXPECT_EQ(r->size(), 4u);
}

TEST(fail, concatenates_text_and_numbers) {
    const auto f = bpw::fail(bpw::errc::io, "a", std::string("b"), 'c', std::string_view("d"), -1,
                             std::uint64_t{18446744073709551615u}, short{3});
    EXPECT_EQ(f.message, "abcd-1184467440737095516153");
    EXPECT_EQ(f.code, bpw::errc::io);
}
