// --custom-q lists: read, written, and turned into recipes.
#include "plan/shipped.hpp"

#include <bpw/plan/custom_q.hpp>
#include <bpw/plan/recipe_merge.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace plan_test {
namespace {

using namespace bpw::plan;
using bpw::type_id;

TEST(custom_q, reads_lists_as_written) {
    const auto first = parse_custom_q("attn=iq5_k,token_embd.weight=q4_K, ,").value();
    ASSERT_EQ(first.size(), 2u);
    const auto all = parse_custom_q("blk\\.\\d+\\.ffn_(?:up|gate)=iq4_ks", first).value();
    ASSERT_EQ(all.size(), 3u);
    const auto index = rule_index::make(all, regex_syntax::ecmascript).value();
    EXPECT_EQ(index.find("blk.3.attn_v.weight"), 0u);
    EXPECT_EQ(index.find("token_embd.weight"), 1u);
    EXPECT_EQ(index.find("blk.12.ffn_gate.weight"), 2u);
    EXPECT_EQ(index.find("blk.12.ffn_down.weight"), std::nullopt);
}

TEST(custom_q, errors_name_the_entry) {
    const auto no_type = parse_custom_q("a=q4_K,b=q9");
    ASSERT_FALSE(no_type.ok());
    EXPECT_EQ(no_type.error().message, "--custom-q:2: type: 'q9' is not the name of a quant type");
    const auto no_equal = parse_custom_q("blk.{1,2}=q4_K");
    ASSERT_FALSE(no_equal.ok());
    EXPECT_EQ(no_equal.error().message,
              "--custom-q:1: there is no '=' in 'blk.{1'; expected regex=type");
    EXPECT_FALSE(parse_custom_q("a(=q4_K").ok());
}

TEST(custom_q, writes_and_reads_back) {
    const auto rules = parse_recipe("^blk\\.[0-3]\\.x$=q4_K\n^y$=F32\n", "r").value().rules;
    const auto list = write_custom_q(rules);
    ASSERT_TRUE(list.ok());
    EXPECT_EQ(*list, "^blk\\.[0-3]\\.x$=q4_K,^y$=f32");
    EXPECT_EQ(parse_custom_q(*list).value(), rules);
    const auto comma = parse_recipe("a\nb{1,2}=q4_K", "r");
    EXPECT_FALSE(comma.ok());
    const auto refused =
        write_custom_q(parse_recipe("a=q4_K\nb{1,2}=q4_K", "r").value().rules, "r");
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(
        refused.error().message,
        "r:2: regex: 'b{1,2}' holds a comma, which separates the entries of a --custom-q list");
}

TEST(custom_q, as_a_recipe) {
    const auto convert = [](const std::string& regex) {
        return recipe_rules_of(parse_custom_q(regex + "=q4_K").value());
    };
    EXPECT_EQ(convert("blk\\.\\d+\\.x").value()[0].regex, "blk\\.[0-9]+\\.x");
    EXPECT_EQ(convert("(?:a|b)").value()[0].regex, "(a|b)");
    EXPECT_EQ(convert("a.*?b").value()[0].regex, "a.*b");
    EXPECT_EQ(convert("a\\*?b").value()[0].regex, "a\\*?b");
    EXPECT_EQ(convert("[\\d_]\\w\\D").value()[0].regex, "[0-9_][A-Za-z0-9_][^0-9]");
    const auto look = convert("a(?!b)");
    ASSERT_FALSE(look.ok());
    EXPECT_EQ(
        look.error().message,
        "--custom-q:1: regex: 'a(?!b)' holds look-around, which the regexes of recipes do not "
        "have");
    EXPECT_FALSE(convert("\\bblk").ok());
}

TEST(custom_q, published_recipes_and_back) {
    PLAN_TEST_NEEDS_SHIPPED_DATA();
    for (const auto& path : shipped_recipes()) {
        SCOPED_TRACE(path.filename().string());
        const auto rules = parse_recipe(read(path), path.filename().string()).value().rules;
        const auto list = write_custom_q(rules);
        ASSERT_TRUE(list.ok()) << list.error().message;
        EXPECT_EQ(recipe_rules_of(parse_custom_q(*list).value()).value(), rules);
    }
}

}  // namespace
}  // namespace plan_test
