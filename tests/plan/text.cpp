// Lines, numbers and CSV: what is read, and what is refused with file, line and field.
#include <bpw/plan/text.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace plan_test {
namespace {

namespace plan = bpw::plan;

TEST(text, lines_end_in_any_way) {
    plan::line_reader lines(
        "\xEF\xBB\xBF"
        "one\r\n\ntwo\nthree");
    std::vector<std::string> seen;
    while (const auto line = lines.next()) seen.emplace_back(*line);
    EXPECT_EQ(seen, (std::vector<std::string>{"one", "", "two", "three"}));
    EXPECT_EQ(lines.number(), 4u);
    EXPECT_FALSE(plan::line_reader("").next());
}

TEST(text, numbers) {
    EXPECT_EQ(plan::parse_number(" +0.25 "), 0.25);
    EXPECT_EQ(plan::parse_number("-1e-3"), -0.001);
    for (const auto* bad : {"", " ", "nan", "inf", "-inf", "0x10", "1,5", "1 2", "+-1", "1e999"}) {
        EXPECT_FALSE(plan::parse_number(bad)) << bad;
    }
    EXPECT_EQ(plan::parse_count("18446744073709551615"), 18446744073709551615u);
    EXPECT_FALSE(plan::parse_count("18446744073709551616"));
    EXPECT_FALSE(plan::parse_count("-1"));
    EXPECT_EQ(plan::parse_ratio("+12.5%"), 0.125);
    EXPECT_EQ(plan::parse_ratio("0.5"), 0.5);
    EXPECT_FALSE(plan::parse_ratio("%"));
}

TEST(text, the_marker_of_what_was_not_measured) {
    for (const auto* marker : {"404", "404.0", "404%", " 404.00% "}) {
        EXPECT_TRUE(plan::is_not_measured_marker(marker)) << marker;
    }
    for (const auto* value : {"", "0.404", "4040", "404x", "40.4%"}) {
        EXPECT_FALSE(plan::is_not_measured_marker(value)) << value;
    }
}

TEST(text, messages_escape_what_they_quote) {
    EXPECT_EQ(plan::quoted("a\n\xFF"), R"('a\x0a\xff')");
    EXPECT_EQ(plan::quoted("abcdef", 3), "'abc...'");
    const auto f = plan::fail_at({"x.map", 3, "bytes"}, bpw::errc::malformed, "bad");
    EXPECT_EQ(f.message, "x.map:3: bytes: bad");
}

TEST(csv, quotation_marks_and_line_ends) {
    const auto t =
        plan::read_csv("QTYPE, a,b\r\n\"x,\"\"y\"\"\",1,\n\n\"two\nlines\",2,3", "f.csv").value();
    EXPECT_EQ(t.header, (std::vector<std::string>{"QTYPE", "a", "b"}));
    ASSERT_EQ(t.rows.size(), 2u);
    EXPECT_EQ(t.rows[0].cells, (std::vector<std::string>{"x,\"y\"", "1", ""}));
    EXPECT_EQ(t.rows[0].line, 2u);
    EXPECT_EQ(t.rows[1].cells, (std::vector<std::string>{"two\nlines", "2", "3"}));
    EXPECT_EQ(t.rows[1].line, 4u);
    EXPECT_EQ(t.column("b"), 2u);
    EXPECT_FALSE(t.column("c"));
}

TEST(csv, refuses_with_file_and_line) {
    const auto message = [](std::string_view text) {
        const auto t = plan::read_csv(text, "f.csv");
        return t ? std::string("read") : t.error().message;
    };
    EXPECT_EQ(message(""), "f.csv: the file has no header line");
    EXPECT_EQ(message("\n \n"), "f.csv: the file has no header line");
    EXPECT_EQ(message("a,b\n1,2\n1\n"),
              "f.csv:3: the row has 1 cells; expected 2 as in the header");
    EXPECT_EQ(message("a,b\n\"1,2\n"),
              "f.csv:2: cell 1 begins with a quotation mark that nothing closes");
}

}  // namespace
}  // namespace plan_test
