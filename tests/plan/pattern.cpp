// Regular expressions: what they match in both syntaxes, what is refused, and that no pattern and
// no name makes matching slow or deep.
#include <bpw/plan/pattern.hpp>

#include <gtest/gtest.h>

#include <random>
#include <regex>
#include <string>

namespace plan_test {
namespace {

namespace plan = bpw::plan;
using plan::regex_syntax;

plan::pattern regex(std::string_view text, regex_syntax syntax = regex_syntax::ecmascript) {
    return plan::pattern::compile(text, syntax).value();
}

struct expectation {
    std::string pattern;
    std::string name;
    bool found;
    bool whole;
};

TEST(pattern, what_both_syntaxes_share) {
    const std::vector<expectation> all{
        {"abc", "xabcx", true, false},
        {"^abc$", "abc", true, true},
        {"^abc$", "xabc", false, false},
        {"", "", true, true},
        {"", "a", true, false},
        {"a|bc", "bc", true, true},
        {"(a|)b", "b", true, true},
        {"a*", "b", true, false},
        {"a+b?", "aa", true, true},
        {"a{2,3}", "aaaa", true, false},
        {"a{2}", "a", false, false},
        {"a{0,2}b", "aab", true, true},
        {"a{2,}", "aaaaa", true, true},
        {"[a-c]x", "bx", true, true},
        {"[^a-c]", "b", false, false},
        {"[]a]", "]", true, true},
        {"[a-]", "-", true, true},
        {"[[:digit:]]+", "15", true, true},
        {R"(\.weight$)", "blk.0.ffn_up.weight", true, false},
        {R"(^blk\.([0-9]|[1-5][0-9]|60)\.x$)", "blk.60.x", true, true},
        {R"(^blk\.([0-9]|[1-5][0-9]|60)\.x$)", "blk.61.x", false, false},
        {R"(\bffn)", "blk.ffn", true, false},
        {"(a*)*b", "aaab", true, true},
        {"(|a)*$", "aa", true, true},
    };
    for (const auto& e : all) {
        for (const auto syntax : {regex_syntax::ere, regex_syntax::ecmascript}) {
            SCOPED_TRACE(e.pattern + " on " + e.name);
            const auto p = regex(e.pattern, syntax);
            EXPECT_EQ(p.search(e.name), e.found);
            EXPECT_EQ(p.matches(e.name), e.whole);
            EXPECT_EQ(p.text(), e.pattern);
        }
    }
}

TEST(pattern, what_only_one_syntax_has) {
    EXPECT_TRUE(regex(R"(blk\.\d+\.(?:a|b))").matches("blk.12.b"));
    EXPECT_FALSE(regex(R"(^(?!.*exps).*$)").search("blk.0.ffn_up_exps.weight"));
    EXPECT_TRUE(regex(R"(^(?!.*exps).*$)").search("blk.0.attn_q.weight"));
    EXPECT_TRUE(regex("(?<=_)up").search("ffn_up"));
    EXPECT_FALSE(regex("(?<!_)up").search("ffn_up"));
    EXPECT_TRUE(regex("x{y}").matches("x{y}"));
    EXPECT_TRUE(regex(".*?a+?").matches("bba"));
    EXPECT_TRUE(regex(R"([\d.]+)").matches("1.5"));
    EXPECT_TRUE(regex("a)", regex_syntax::ere).matches("a)"));
    EXPECT_TRUE(regex("a+*", regex_syntax::ere).matches("aa"));
    EXPECT_TRUE(regex(R"([\.]x)", regex_syntax::ere).matches("\\x"))
        << "a backslash in brackets is a character";
}

TEST(pattern, refuses_with_the_place) {
    const auto message = [](std::string_view text, regex_syntax syntax) {
        const auto p = plan::pattern::compile(text, syntax);
        return p ? std::string("compiled") : p.error().message;
    };
    using enum regex_syntax;
    EXPECT_EQ(message("a(b", ecmascript), "pattern 'a(b' at character 2: '(' is not closed");
    EXPECT_EQ(message("b)", ecmascript), "pattern 'b)' at character 2: ')' closes nothing");
    EXPECT_NE(message("[a", ere).find("'[' is not closed"), std::string::npos);
    EXPECT_NE(message("*a", ere).find("nothing that could be repeated"), std::string::npos);
    EXPECT_NE(message("a**", ecmascript).find("nothing that could be repeated"), std::string::npos);
    EXPECT_NE(message("[z-a]", ere).find("out of order"), std::string::npos);
    EXPECT_NE(message("a{3,2}", ere).find("out of order"), std::string::npos);
    EXPECT_NE(message(R"(\d)", ere).find("expected [0-9]"), std::string::npos);
    EXPECT_NE(message("\\", ere).find("ends in a backslash"), std::string::npos);
    EXPECT_NE(message("[[:word:]]", ere).find("class is unknown"), std::string::npos);
    for (const auto* text : {R"((a)\1)", "(?i)a", "a{2000}", "(?=(?!a))"}) {
        EXPECT_EQ(plan::pattern::compile(text).error().code, bpw::errc::unsupported) << text;
    }
}

TEST(pattern, hostile_patterns_and_names_stay_cheap) {
    EXPECT_FALSE(plan::pattern::compile(std::string(100'000, '(')).ok());
    EXPECT_FALSE(plan::pattern::compile("((a{1000}){1000}){1000}").ok());
    EXPECT_FALSE(plan::pattern::compile("(((){1000}){1000}){1000}").ok());
    const auto stars = std::string("a").append(100'000, '*');
    EXPECT_FALSE(plan::pattern::compile(stars, regex_syntax::ere).ok());
    const std::string long_name(100'000, 'x');
    EXPECT_FALSE(regex("(x*)*(x|x)*(x+x+)+y").search(long_name));
    EXPECT_TRUE(regex("(x|xx)*").matches(long_name));
}

// The standard library's engine agrees wherever it is safe to ask it.
TEST(pattern, agrees_with_the_standard_library) {
    std::mt19937 random(1);
    const std::string letters = "ab()[]|*+?.^$ab";
    int compared = 0;
    for (int n = 0; n < 20'000; ++n) {
        std::string text;
        for (auto length = random() % 8; length != 0; --length) {
            text += letters[random() % letters.size()];
        }
        const auto ours = plan::pattern::compile(text);
        if (!ours) continue;
        std::regex theirs;
        try {
            theirs = std::regex(text);
        } catch (const std::regex_error&) {
            continue;
        }
        // There `[]` and `[^]` are complete.
        if (text.find("[]") != text.npos || text.find("[^]") != text.npos) continue;
        for (const auto* name : {"", "a", "b", "ab", "ba", "aab", "abab"}) {
            EXPECT_EQ(ours->search(name), std::regex_search(name, theirs)) << text << " " << name;
            EXPECT_EQ(ours->matches(name), std::regex_match(name, theirs)) << text << " " << name;
            ++compared;
        }
    }
    EXPECT_GT(compared, 10'000);
}

}  // namespace
}  // namespace plan_test
