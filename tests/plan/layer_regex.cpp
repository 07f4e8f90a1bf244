// Layer regexes: the canonical text, and that they match exactly the layers that they were made of.
#include "plan/shipped.hpp"
#include "reference/random.hpp"

#include <bpw/plan/layer_regex.hpp>
#include <bpw/plan/pattern.hpp>
#include <bpw/plan/recipe.hpp>
#include <bpw/plan/recipe_merge.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <set>
#include <string>
#include <vector>

namespace plan_test {
namespace {

using namespace bpw::plan;
using numbers = std::vector<std::uint32_t>;

numbers between(std::uint32_t low, std::uint32_t high) {
    numbers out(high - low + 1);
    std::iota(out.begin(), out.end(), low);
    return out;
}

numbers join(numbers a, const numbers& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

TEST(layer_regex, canonical_text) {
    EXPECT_EQ(layer_regex({}), "");
    EXPECT_EQ(layer_regex({60}), "60");
    EXPECT_EQ(layer_regex({0, 1, 2}), "[0-2]");
    EXPECT_EQ(layer_regex({53, 52}), "5[2-3]");
    EXPECT_EQ(layer_regex({0, 39}), "(0|39)");
    EXPECT_EQ(layer_regex(between(1, 9)), "[1-9]");
    EXPECT_EQ(layer_regex(between(0, 60)), "([0-9]|[1-5][0-9]|60)");
    EXPECT_EQ(layer_regex(between(3, 60)), "([3-9]|[1-5][0-9]|60)");
    EXPECT_EQ(layer_regex(between(0, 35)), "([0-9]|[1-2][0-9]|3[0-5])");
    EXPECT_EQ(layer_regex(join(between(15, 19), between(25, 29))), "[1-2][5-9]");
    EXPECT_EQ(layer_regex(join(join(between(12, 14), between(22, 24)), between(32, 34))),
              "[1-3][2-4]");
    EXPECT_EQ(layer_regex({3, 7, 11, 15}), "(3|7|11|15)");
    EXPECT_EQ(layer_regex(between(95, 125)), "(9[5-9]|1[0-1][0-9]|12[0-5])");
    EXPECT_EQ(layer_regex(between(100, 299)), "[1-2][0-9][0-9]");
    EXPECT_EQ(layer_regex({4294967295u}), "4294967295");
}

// What the regex matches of 0..999, by expansion and by matching.
void expect_exactly(const numbers& layers) {
    const auto text = layer_regex(layers);
    SCOPED_TRACE(text);
    const std::set<std::uint32_t> want(layers.begin(), layers.end());
    const auto compiled = pattern::compile("^blk\\." + text + "\\.x$", regex_syntax::ere);
    ASSERT_TRUE(compiled.ok()) << compiled.error().message;
    for (std::uint32_t n = 0; n < 1000; ++n) {
        ASSERT_EQ(compiled->search("blk." + std::to_string(n) + ".x"), want.count(n) == 1) << n;
    }
    const auto texts = expand_regex(text);
    ASSERT_TRUE(texts.ok());
    std::set<std::uint32_t> got;
    for (const auto& t : *texts) got.insert(static_cast<std::uint32_t>(std::stoul(t)));
    EXPECT_EQ(got, want);
    EXPECT_EQ(texts->size(), want.size());
}

TEST(layer_regex, matches_exactly_random_layers) {
    reference::random random(7);
    for (int round = 0; round < 300; ++round) {
        const auto most = 1 + random.below(200);
        const auto share = 1 + random.below(100);
        numbers layers;
        for (std::uint32_t n = 0; n < most; ++n) {
            if (random.below(100) < share) layers.push_back(n);
        }
        if (layers.empty()) layers.push_back(most);
        ASSERT_NO_FATAL_FAILURE(expect_exactly(layers));
    }
}

TEST(layer_regex, matches_exactly_every_run_below_220) {
    for (std::uint32_t low = 0; low < 220; low += 7) {
        for (std::uint32_t high = low; high < 220; high += 3) {
            std::set<std::string> got;
            for (const auto& t : *expand_regex(layer_regex(between(low, high)))) got.insert(t);
            std::set<std::string> want;
            for (auto n = low; n <= high; ++n) want.insert(std::to_string(n));
            ASSERT_EQ(got, want) << low << ".." << high;
        }
    }
}

std::vector<std::string> expanded(std::string_view text) { return expand_regex(text).value(); }
using texts = std::vector<std::string>;

TEST(expand_regex, writes_out_digits_and_alternatives) {
    EXPECT_EQ(expanded("a[1-3]b"), (texts{"a1b", "a2b", "a3b"}));
    EXPECT_EQ(expanded("[1-2][0-1]"), (texts{"10", "11", "20", "21"}));
    EXPECT_EQ(expanded("x(7|1[0-1])\\.y"), (texts{"x7\\.y", "x10\\.y", "x11\\.y"}));
    EXPECT_EQ(expanded("ffn_(up|gate)_exps"), (texts{"ffn_up_exps", "ffn_gate_exps"}));
    EXPECT_EQ(expanded("((1|2)3|4)"), (texts{"13", "23", "4"}));
    EXPECT_EQ(expanded("[13-5]"), (texts{"1", "3", "4", "5"}));
    EXPECT_EQ(expanded(".*\\.(1|2)\\..*"), (texts{".*\\.1\\..*", ".*\\.2\\..*"}));
    EXPECT_EQ(expanded("[a-z][^0-9][[:digit:]][0-1]"),
              (texts{"[a-z][^0-9][[:digit:]]0", "[a-z][^0-9][[:digit:]]1"}));
}

TEST(expand_regex, leaves_what_cannot_be_written_out) {
    for (const std::string_view text :
         {"[0-9]+", "(a|b)*", "[0-9]{2}", "a|b", "(a", "a)", "[0-9", "a\\", "(?:1|2)", "", "[]"}) {
        EXPECT_EQ(expanded(text), (texts{std::string(text)})) << text;
    }
}

TEST(expand_regex, is_bounded) {
    std::string bomb;
    for (int i = 0; i < 40; ++i) bomb += "[0-9]";
    const auto r = expand_regex(bomb);
    ASSERT_FALSE(r.ok());
    EXPECT_EQ(r.error().code, bpw::errc::unsupported);
    EXPECT_FALSE(expand_regex("[0-9][0-9][0-9][0-9]" + std::string(100000, 'a')).ok());
    const std::string deep = std::string(1000, '(') + "1" + std::string(1000, ')');
    EXPECT_EQ(expanded(deep), (texts{deep}));
}

TEST(split_layer, finds_the_number) {
    const auto s = split_layer("^blk\\.12\\.attn_q\\.weight$");
    ASSERT_TRUE(s.has_value());
    EXPECT_EQ(s->before, "^blk\\.");
    EXPECT_EQ(s->layer, 12u);
    EXPECT_EQ(s->after, "\\.attn_q\\.weight$");
    EXPECT_EQ(split_layer("blk.3.x")->layer, 3u);
    EXPECT_EQ(split_layer("^v\\.blk\\.3\\.x$")->before, "^v\\.blk\\.");
    EXPECT_EQ(split_layer("^mm\\.0\\.x$")->layer, 0u);
    EXPECT_EQ(split_layer("^v\\.deepstack\\.8\\.fc1$")->layer, 8u);
    EXPECT_FALSE(split_layer("^output\\.weight$"));
    EXPECT_FALSE(split_layer("xblk.3.y"));
    EXPECT_FALSE(split_layer("blk.03.y"));
    EXPECT_FALSE(split_layer("blk.99999999999.y"));
    EXPECT_FALSE(split_layer("blk."));
}

// Every regex of the published recipes is what the layers that it stands for give again.
TEST(layer_regex, texts_of_published_recipes) {
    PLAN_TEST_NEEDS_SHIPPED_DATA();
    std::size_t same = 0;
    std::size_t all = 0;
    for (const auto& path : shipped_recipes()) {
        const auto r = parse_recipe(read(path), path.filename().string());
        ASSERT_TRUE(r.ok()) << r.error().message;
        for (const auto& rule : r->rules) {
            numbers layers;
            std::string before;
            std::string after;
            for (const auto& text : expanded(rule.regex)) {
                const auto s = split_layer(text);
                if (!s) continue;
                layers.push_back(s->layer);
                before = s->before;
                after = s->after;
            }
            if (layers.empty()) continue;
            all += 1;
            const auto again = before + layer_regex(layers) + after;
            EXPECT_EQ(again, rule.regex);
            same += again == rule.regex ? 1 : 0;
        }
    }
    EXPECT_GT(all, 400u);
    EXPECT_EQ(same, all);
}

}  // namespace
}  // namespace plan_test
