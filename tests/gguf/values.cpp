// Access to metadata: conversions, arrays, and what the errors say.
#include "gguf/verdict.hpp"

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gguf_test {
namespace {

class values : public testing::Test {
  protected:
    byte_vector bytes_ = sample().build();
    bpw::result<gguf::file> file_ = gguf::file::try_parse(bytes_);
    const gguf::metadata& all() { return file_->metadata(); }
};

template <class T>
void expect_refusal(const bpw::result<T>& r, errc code, const std::vector<std::string>& words) {
    ASSERT_FALSE(r.ok());
    EXPECT_EQ(static_cast<int>(r.error().code), static_cast<int>(code));
    expect_words(r.error().message, words);
}

TEST_F(values, numbers) {
    EXPECT_EQ(all().get<std::uint8_t>("a.u8").value(), 200);
    EXPECT_EQ(all().get<std::int8_t>("a.i8").value(), -100);
    EXPECT_EQ(all().get<std::uint16_t>("a.u16").value(), 60000);
    EXPECT_EQ(all().get<std::int16_t>("a.i16").value(), -30000);
    EXPECT_EQ(all().get<std::uint32_t>("a.u32").value(), 4000000000u);
    EXPECT_EQ(all().get<std::int32_t>("a.i32").value(), -2000000000);
    EXPECT_EQ(all().get<std::uint64_t>("a.u64").value(), 10000000000000000000u);
    EXPECT_EQ(all().get<std::int64_t>("a.i64").value(), -9000000000000000000);
    EXPECT_EQ(all().get<float>("a.f32").value(), 1.5F);
    EXPECT_EQ(all().get<double>("a.f64").value(), -2.25);
    EXPECT_EQ(all().get<double>("a.f32").value(), 1.5);
    EXPECT_TRUE(all().get<bool>("a.bool").value());
}

TEST_F(values, integers_of_other_widths) {
    EXPECT_EQ(all().get<std::uint64_t>("a.u8").value(), 200u);
    EXPECT_EQ(all().get<std::int32_t>("a.i8").value(), -100);
    EXPECT_EQ(all().get<std::int64_t>("a.u32").value(), 4000000000);
    expect_refusal(all().get<std::uint64_t>("a.i8"), errc::malformed,
                   {"'a.i8'", "i8 -100", "expected an integer of 0 to 18446744073709551615"});
    expect_refusal(all().get<std::int8_t>("a.u8"), errc::malformed,
                   {"'a.u8'", "u8 200", "-128 to 127"});
    expect_refusal(all().get<std::int32_t>("a.u32"), errc::malformed, {"4000000000"});
    expect_refusal(all().get<std::int64_t>("a.u64"), errc::malformed, {"10000000000000000000"});
}

TEST_F(values, other_types) {
    expect_refusal(all().get<std::uint32_t>("a.f32"), errc::malformed, {"'a.f32'", "f32 1.5"});
    expect_refusal(all().get<float>("a.f64"), errc::malformed, {"f64 -2.25", "expected an f32"});
    expect_refusal(all().get<double>("a.u8"), errc::malformed,
                   {"u8 200", "expected an f32 or f64"});
    expect_refusal(all().get<bool>("a.u8"), errc::malformed, {"u8 200", "expected a bool"});
    expect_refusal(all().get<std::uint8_t>("a.bool"), errc::malformed, {"bool true"});
    expect_refusal(all().get<std::string_view>("a.u8"), errc::malformed, {"expected a string"});
    expect_refusal(all().get<gguf::array>("general.architecture"), errc::malformed,
                   {"string 'llama'", "expected an array"});
    expect_refusal(all().get<std::string>("a.words"), errc::malformed,
                   {"array of 3 string", "expected a string"});
    expect_refusal(all().get<float>("no.such"), errc::not_found,
                   {"'no.such'", "missing", "expected an f32"});
}

TEST_F(values, defaults) {
    EXPECT_EQ(all().get_or<std::uint32_t>("no.such", 7).value(), 7u);
    EXPECT_EQ(all().get_or<std::uint32_t>("a.u8", 7).value(), 200u);
    expect_refusal(all().get_or<std::uint32_t>("a.f32", 7), errc::malformed, {"'a.f32'"});
}

TEST_F(values, strings_are_views_of_the_file) {
    const auto text = all().get<std::string_view>("general.architecture").value();
    EXPECT_EQ(text, "llama");
    EXPECT_GE(reinterpret_cast<const std::byte*>(text.data()), bytes_.data());
    EXPECT_LT(reinterpret_cast<const std::byte*>(text.data()), bytes_.data() + bytes_.size());
    EXPECT_EQ(all().get<std::string>("general.architecture").value(), "llama");
}

TEST_F(values, arrays) {
    const auto words = all().get<gguf::array>("a.words").value();
    EXPECT_EQ(words.element_type(), value_type::string);
    EXPECT_EQ(words.size(), 3u);
    const std::array<std::string_view, 3> expected{"one", "", "three"};
    std::size_t i = 0;
    for (const auto w : words) EXPECT_EQ(w.as<std::string_view>().value(), expected[i++]);
    EXPECT_EQ(i, 3u);
    EXPECT_EQ(words[2].as<std::string_view>().value(), "three");
    EXPECT_EQ(all().get<std::vector<std::string_view>>("a.words").value(),
              std::vector<std::string_view>(expected.begin(), expected.end()));

    const auto numbers = all().get<gguf::array>("a.numbers").value();
    EXPECT_EQ(numbers[1].as<int>().value(), -8);
    EXPECT_EQ(numbers.bytes().size(), 8u);
    EXPECT_EQ(all().get<std::vector<std::int64_t>>("a.numbers").value(),
              (std::vector<std::int64_t>{7, -8}));
    expect_refusal(all().get<std::vector<std::uint32_t>>("a.numbers"), errc::malformed,
                   {"element 1 of metadata key 'a.numbers'", "i32 -8"});
    expect_refusal(all().get<std::vector<float>>("a.words"), errc::malformed,
                   {"element 0 of metadata key 'a.words'", "string 'one'", "an f32"});
    expect_refusal(all().get<std::vector<float>>("a.f32"), errc::malformed, {"expected an array"});
    const auto empty = all().get<gguf::array>("a.empty").value();
    EXPECT_TRUE(empty.empty());
    EXPECT_EQ(empty.begin(), empty.end());
}

TEST_F(values, nested_arrays) {
    const auto outer = all().get<gguf::array>("a.nested").value();
    ASSERT_EQ(outer.size(), 3u);
    EXPECT_EQ(outer[0].as<std::vector<int>>().value(), (std::vector<int>{1, 2}));
    EXPECT_EQ(outer[1].as<std::vector<std::string>>().value(), std::vector<std::string>{"x"});
    const auto inner = outer[2].as<gguf::array>().value();
    ASSERT_EQ(inner.size(), 2u);
    EXPECT_EQ(inner[0].as<std::vector<bool>>().value(), std::vector<bool>{false});
    EXPECT_EQ(inner[1].as<gguf::array>()->element_type(), value_type::f64);
}

TEST_F(values, order_and_bytes) {
    const auto made = sample();
    ASSERT_EQ(all().size(), made.entries.size());
    std::size_t i = 0;
    for (const auto entry : all()) {
        EXPECT_EQ(entry.key, made.entries[i].key);
        EXPECT_TRUE(std::equal(entry.value.bytes().begin(), entry.value.bytes().end(),
                               made.entries[i].payload.begin(), made.entries[i].payload.end()))
            << entry.key;
        ++i;
    }
}

TEST_F(values, survive_a_move_of_the_file) {
    const auto before = all().get<std::string_view>("general.architecture").value();
    gguf::file moved = std::move(*file_);
    EXPECT_EQ(moved.metadata().get<std::string_view>("general.architecture").value().data(),
              before.data());
    EXPECT_TRUE(moved.matrix("blk.0.q").ok());
    static_assert(!std::is_copy_constructible_v<gguf::file>);
}

TEST(text, utf8) {
    for (const char* good :
         {"", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xef\xbf\xbf",
          "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "a\xc3\xa9z"}) {
        EXPECT_TRUE(gguf::is_utf8(good)) << good;
    }
    for (const char* bad :
         {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x7f", "\xc2\xc0", "\xe0\x9f\xbf",
          "\xe0\xa0", "\xe1\x80\x7f", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf0\x90\x80",
          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"}) {
        EXPECT_FALSE(gguf::is_utf8(bad));
    }
}

#if BPW_EXCEPTIONS
TEST(throwing_forms, carry_code_and_message) {
    const auto good = sample().build();
    EXPECT_EQ(gguf::file::parse(good).tensors().size(), 7u);
    byte_vector bad(good);
    bad[0] = std::byte{'X'};
    try {
        (void)gguf::file::parse(bad);
        FAIL();
    } catch (const bpw::error& e) {
        EXPECT_EQ(e.code(), errc::malformed);
        expect_words(e.what(), {"'XGUF'"});
    }
    EXPECT_THROW((void)gguf::file::open("no-such-file.gguf"), bpw::error);
}
#endif

}  // namespace
}  // namespace gguf_test
