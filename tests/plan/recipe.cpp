// Recipes: what parses, what the errors say, which rule decides, merging and expanding.
#include "plan/shipped.hpp"
#include "reference/random.hpp"

#include <bpw/plan/recipe.hpp>
#include <bpw/plan/recipe_merge.hpp>
#include <bpw/plan/sha256.hpp>

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

namespace plan_test {
namespace {

using namespace bpw::plan;
using bpw::errc;
using bpw::type_id;

const std::string small =
    "## Quant mix recipe created using something\n"
    "# Model name: Tiny-1B\n"
    "# Link to the original model: https://example.org/tiny\n"
    "\n"
    "  ^output_norm\\.weight$ = f32  \r\n"
    "^token_embd\\.weight$=Q6_k\n"
    "^blk\\.([0-9]|1[0-1])\\.attn_v\\.weight$=iq4_k=locked\n"
    "^blk\\.[0-3]\\.ffn_down_exps\\.weight$=iq3_k\n"
    "^blk\\.([4-9]|1[0-1])\\.ffn_down_exps\\.weight$=iq2_ks\n"
    "^blk\\..*=iq4_ks\n"
    "\n"
    "## Summary of tensor sizes per class\n"
    "# GPU Total: 1.25 GiB (75%) | more\n"
    "# CPU Total: 3.99 GiB (50%) | more\n"
    "# GPU+CPU Total: 5.24 GiB (62.5%)\n"
    "\n"
    "# -Average BPW: 3.8487\n"
    "# - Script SHA-256: 569b7f6a3239c9173d71ca1fadf34222607d72a2cfed2c284b42633e95b4a627\n"
    "# - Command used:\n"
    "# plan --a   b \\\n"
    "# --c d\n"
    "\n"
    "## THE END!\n";

std::string error_of(std::string_view text) {
    const auto r = parse_recipe(text, "my.recipe");
    EXPECT_FALSE(r.ok()) << text;
    return r.ok() ? "" : r.error().message;
}

TEST(recipe, reads_rules_and_what_comments_say) {
    const auto r = parse_recipe(small, "small.recipe");
    ASSERT_TRUE(r.ok()) << r.error().message;
    EXPECT_EQ(r->model, "Tiny-1B");
    EXPECT_EQ(r->link, "https://example.org/tiny");
    ASSERT_EQ(r->rules.size(), 6u);
    EXPECT_EQ(r->rules[0].regex, "^output_norm\\.weight$");
    EXPECT_EQ(r->rules[0].type, type_id::f32);
    EXPECT_EQ(r->rules[0].line, 5u);
    EXPECT_EQ(r->rules[1].type, type_id::q6_K);
    EXPECT_EQ(r->rules[2].type, type_id::iq4_k);
    ASSERT_EQ(r->summary.size(), 10u);
    EXPECT_EQ(r->summary.front(), "## Summary of tensor sizes per class");
    EXPECT_EQ(r->summary.back(), "# --c d");
}

TEST(recipe, first_matching_line_decides) {
    const auto r = parse_recipe(small, "small.recipe").value();
    const auto types = resolve(r, {"blk.11.attn_v.weight", "blk.3.ffn_down_exps.weight",
                                   "blk.12.attn_v.weight", "output_norm.weight"});
    ASSERT_TRUE(types.ok()) << types.error().message;
    EXPECT_EQ(*types, (std::vector<type_id>{type_id::iq4_k, type_id::iq3_k, type_id::iq4_ks,
                                            type_id::f32}));
    const auto missing = resolve(r, {"output.weight"});
    ASSERT_FALSE(missing.ok());
    EXPECT_EQ(missing.error().code, errc::not_found);
    EXPECT_EQ(
        missing.error().message,
        "small.recipe: no line of the recipe matches the tensor 'output.weight'; expected one "
        "for every tensor");
}

TEST(recipe, general_rules_before_names_win) {
    const auto r = parse_recipe("ffn=q4_K\n^a\\.ffn$=q8_0\n^b$=q8_0\nb=q2_K\n", "r").value();
    EXPECT_EQ(resolve(r, {"a.ffn", "b", "ab"}).value(),
              (std::vector<type_id>{type_id::q4_K, type_id::q8_0, type_id::q2_K}));
}

TEST(recipe, errors_name_file_line_and_field) {
    EXPECT_EQ(error_of("\n\nblk.0\n"),
              "my.recipe:3: there is no '=' in 'blk.0'; expected regex=type");
    EXPECT_EQ(error_of("# c\n=q4_K"),
              "my.recipe:2: regex: nothing stands before the '=' of '=q4_K'; expected a regular "
              "expression of tensor names");
    EXPECT_EQ(error_of("a="),
              "my.recipe:1: type: nothing stands behind the '=' of 'a='; expected the name of a "
              "quant type");
    EXPECT_EQ(error_of("a=q4_K\nb=q9_9"),
              "my.recipe:2: type: 'q9_9' is not the name of a quant type");
    EXPECT_EQ(error_of("x(=q4_K").substr(0, 19), "my.recipe:1: regex:");
    EXPECT_EQ(error_of(std::string("\x01\xFF=q\n4", 6)),
              "my.recipe:1: type: 'q' is not the name of a quant type");
}

TEST(recipe, survives_any_bytes) {
    reference::random random(11);
    const std::string alphabet = "^$\\.[]()|{}*+?=#\n\r abk0127-_\xEF\xBB\xBF\xFF\x00q";
    for (int round = 0; round < 3000; ++round) {
        std::string text;
        for (auto n = random.below(80); n > 0; --n) {
            text += alphabet[random.below(static_cast<std::uint32_t>(alphabet.size()))];
        }
        if (random.below(2) == 0) text += "=q4_K\n";
        const auto r = parse_recipe(text, "x");
        if (!r) {
            EXPECT_FALSE(r.error().message.empty());
            continue;
        }
        (void)write_merged(*r);
    }
}

TEST(recipe, names_of_tensors_as_regexes) {
    EXPECT_EQ(escaped_name("blk.0.attn_q.weight"), "^blk\\.0\\.attn_q\\.weight$");
    for (const std::string name : {"blk.0.x", "a+b(c)[d]{2}^$|?*\\", ""}) {
        EXPECT_EQ(literal_name(escaped_name(name)), name);
    }
    for (const auto* regex : {"blk", "^blk.0$", "^a|b$", "^a\\d$", "^a\\$", "^", "$"}) {
        EXPECT_FALSE(literal_name(regex)) << regex;
    }
}

// The types that a recipe gives to the tensors that it and another one spell out.
std::map<std::string, type_id> assignment(const recipe& r, const recipe& other) {
    std::set<std::string> names;
    for (const auto* from : {&r, &other}) {
        for (const auto& rule : expand_rules(from->rules).value()) {
            names.insert(literal_name(rule.regex).value_or(rule.regex));
        }
    }
    const auto index = rule_index::make(r.rules).value();
    std::map<std::string, type_id> out;
    for (const auto& n : names) {
        if (const auto i = index.find(n)) out[n] = r.rules[*i].type;
    }
    return out;
}

void expect_round_trip(const recipe& r) {
    const auto merged = write_merged(r);
    ASSERT_TRUE(merged.ok()) << merged.error().message;
    const auto again = parse_recipe(*merged, "merged");
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(assignment(r, *again), assignment(*again, r));
    EXPECT_EQ(again->summary, r.summary);
    EXPECT_EQ(write_merged(*again, {"bpw", {}, {}}).value(), *merged);

    recipe expanded = r;
    expanded.rules = expand_rules(r.rules).value();
    EXPECT_EQ(assignment(r, expanded), assignment(expanded, r));
    EXPECT_EQ(write_merged(expanded).value(), *merged);
}

TEST(merge, keeps_every_assignment) {
    expect_round_trip(parse_recipe(small, "small").value());
    // Names behind general rules, names twice, general rules that differ in the layer alone.
    expect_round_trip(parse_recipe("^blk\\.1\\.a$=q4_K\n"
                                   "blk\\.2\\.=q5_K\nblk\\.3\\.=q5_K\nblk\\.4\\.=q6_K\n"
                                   "^blk\\.2\\.a$=q8_0\n^blk\\.1\\.a$=q2_K\n^blk\\.9\\.a$=q2_K\n"
                                   ".*=iq4_xs\n",
                                   "mixed")
                          .value());
}

TEST(merge, moves_no_general_rule_past_another) {
    const auto r =
        parse_recipe("blk\\.1\\.=q5_K\nblk\\.=q6_K\nblk\\.2\\.=q5_K\nblk\\.3\\.=q5_K\n", "g")
            .value();
    const auto m = merge_rules(r.rules).value();
    ASSERT_EQ(m.general.size(), 3u);
    EXPECT_EQ(m.general[0].regex, "blk\\.1\\.");
    EXPECT_EQ(m.general[1].regex, "blk\\.");
    EXPECT_EQ(m.general[2].regex, "blk\\.[2-3]\\.");
}

TEST(merge, random_subsets_of_layers) {
    reference::random random(3);
    const type_id types[] = {type_id::q4_K, type_id::iq3_k, type_id::q8_0};
    for (int round = 0; round < 50; ++round) {
        recipe r;
        std::map<std::string, type_id> want;
        for (std::uint32_t layer = 0; layer < 200; ++layer) {
            for (const auto* tensor : {"attn_q.weight", "ffn_up_exps.weight"}) {
                if (random.below(4) == 0) continue;
                const auto name = "blk." + std::to_string(layer) + "." + tensor;
                const auto type = types[random.below(3)];
                want[name] = type;
                r.rules.push_back({escaped_name(name), type});
            }
        }
        const auto again = parse_recipe(write_merged(r).value(), "again").value();
        EXPECT_LE(again.rules.size(), 6u);
        EXPECT_EQ(assignment(again, r), want);
    }
}

TEST(merge, sections_and_order) {
    recipe r;
    r.model = "Tiny";
    const auto add = [&](const std::string& name, type_id type) {
        r.rules.push_back({escaped_name(name), type});
    };
    add("blk.1.ffn_down_exps.weight", type_id::iq2_k);
    add("blk.0.ffn_down_exps.weight", type_id::iq3_k);
    add("blk.0.ffn_gate_inp_shexp.weight", type_id::f32);
    add("blk.0.ffn_up_shexp.weight", type_id::q8_0);
    add("blk.0.ffn_gate.weight", type_id::q4_K);
    add("blk.0.exp_probs_b.bias", type_id::f32);
    add("blk.0.ffn_norm.weight", type_id::f32);
    add("blk.0.ffn_up.weight", type_id::q4_K);
    add("blk.0.attn_k_b.weight", type_id::q8_0);
    add("blk.0.attn_q.weight", type_id::q6_K);
    add("output.weight", type_id::q6_K);
    add("v.patch_embd.weight", type_id::f32);
    add("v.deepstack.3.fc1.weight", type_id::q8_0);
    add("blk.2.nextn.eh_proj.weight", type_id::q8_0);
    r.summary = {"## Summary of tensor sizes per class", "# GPU Total: 1 GiB"};
    EXPECT_EQ(
        write_merged(r, {"bpw", {}, "https://example.org"}).value(),
        "## Quant mix recipe created using bpw\n"
        "# Model name: Tiny\n"
        "# Link to the original model: https://example.org\n"
        "\n## Model head & embeddings \xE2\x80\x94 qbits: 6\n"
        "^output\\.weight$=q6_K\n"
        "\n## Special attention kernels \xE2\x80\x94 single-quant only (llama-quantize takes "
        "care of it) \xE2\x80\x94 qbits: 8\n"
        "^blk\\.0\\.attn_k_b\\.weight$=q8_0\n"
        "\n## Multi-headed attention parameters \xE2\x80\x94 qbits: 6\n"
        "^blk\\.0\\.attn_q\\.weight$=q6_K\n"
        "\n## Dense Feed-Forward Network weights \xE2\x80\x94 qbits: 4\n"
        "^blk\\.0\\.ffn_up\\.weight$=q4_K\n"
        "\n## Embeddings & positional encodings \xE2\x80\x94 qbits: 32\n"
        "^v\\.patch_embd\\.weight$=f32\n"
        "\n## Deepstack modules \xE2\x80\x94 qbits: 8\n"
        "^v\\.deepstack\\.3\\.fc1\\.weight$=q8_0\n"
        "\n## NextN tensors \xE2\x80\x94 qbits: 8\n"
        "^blk\\.2\\.nextn\\.eh_proj\\.weight$=q8_0\n"
        "\n## MoE Gating & Routing \xE2\x80\x94 qbits: 32\n"
        "^blk\\.0\\.exp_probs_b\\.bias$=f32\n"
        "\n## Gating network \xE2\x80\x94 qbits: 4\n"
        "^blk\\.0\\.ffn_gate\\.weight$=q4_K\n"
        "\n## Misc / Other tensors \xE2\x80\x94 qbits: 32\n"
        "^blk\\.0\\.ffn_norm\\.weight$=f32\n"
        "\n## GPU-loaded - MoE Shared Experts Feed-Forward Network - ffn_*_shexp\n"
        "# ffn_up_shexp \xE2\x80\x94 up-projection (shared experts) \xE2\x80\x94 qbits: 8\n"
        "^blk\\.0\\.ffn_up_shexp\\.weight$=q8_0\n"
        "\n# ffn_gate_shexp \xE2\x80\x94 gating network (shared experts) \xE2\x80\x94 qbits: 32\n"
        "^blk\\.0\\.ffn_gate_inp_shexp\\.weight$=f32\n"
        "\n## CPU-friendly - MoE Per-expert Feed-Forward Network - ffn_*_exps\n"
        "# ffn_down_exps \xE2\x80\x94 down-projection (per-expert) \xE2\x80\x94 qbits: 3 2\n"
        "^blk\\.0\\.ffn_down_exps\\.weight$=iq3_k\n"
        "^blk\\.1\\.ffn_down_exps\\.weight$=iq2_k\n"
        "\n## Summary of tensor sizes per class\n"
        "# GPU Total: 1 GiB\n"
        "\n## THE END!\n");
}

TEST(file_name, from_the_summary) {
    const auto t = totals_of(parse_recipe(small, "small").value().summary);
    EXPECT_EQ(t.command, "plan --a b --c d");
    EXPECT_EQ(recipe_file_name({"Tiny-1B", "ME", 8.25054, sha256_hex(t.command)}, t),
              "Tiny-1B.ME-3.8487bpw-8.2505ppl.5GB-GGUF_1GB-GPU_3GB-CPU.569b7f6_" +
                  sha256_hex("plan --a b --c d").substr(0, 7) + ".recipe");
    EXPECT_EQ(recipe_file_name({"M", "U", {}, {}}, {}),
              "M.U-NAbpw-0GB-GGUF_0GB-GPU_0GB-CPU.NA_NA.recipe");
    for (const auto* line : {"# GPU Total: x", "# - Script SHA-256: 12", "# -Average BPW: z", ""}) {
        const auto none = totals_of({line});
        EXPECT_FALSE(none.gpu_gib);
        EXPECT_TRUE(none.script_sha256.empty() && none.bits_per_weight.empty());
    }
}

TEST(sha256, known_values) {
    EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(sha256_hex("abc"),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(sha256_hex(std::string(1000000, 'a')),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    std::set<std::string> all;
    for (std::size_t n = 0; n < 200; ++n) all.insert(sha256_hex(std::string(n, 'x')));
    EXPECT_EQ(all.size(), 200u);
}

TEST(merge, published_recipes_round_trip) {
    PLAN_TEST_NEEDS_SHIPPED_DATA();
    const auto paths = shipped_recipes();
    EXPECT_GE(paths.size(), 14u);
    for (const auto& path : paths) {
        SCOPED_TRACE(path.filename().string());
        const auto r = parse_recipe(read(path), path.filename().string());
        ASSERT_TRUE(r.ok()) << r.error().message;
        EXPECT_FALSE(r->rules.empty());
        EXPECT_FALSE(r->summary.empty());
        expect_round_trip(*r);
        // The same lines as published, in another order.
        std::multiset<std::string> theirs;
        for (const auto& rule : r->rules) theirs.insert(write_rules({rule}));
        std::multiset<std::string> ours;
        for (const auto& rule : merge_rules(r->rules).value().tensors) {
            ours.insert(write_rules({rule}));
        }
        EXPECT_EQ(ours, theirs);
    }
}

TEST(file_name, of_published_recipes) {
    PLAN_TEST_NEEDS_SHIPPED_DATA();
    std::size_t commands = 0;
    for (const auto& path : shipped_recipes()) {
        const auto name = path.filename().string();
        const auto r = parse_recipe(read(path), name).value();
        const auto t = totals_of(r.summary);
        const auto hashes = name.find("-CPU.") + 5;
        EXPECT_EQ(t.script_sha256.substr(0, 7), name.substr(hashes, 7));
        // Some files hold another command than the one that was hashed.
        const bool same = sha256_hex(t.command).substr(0, 7) == name.substr(hashes + 8, 7);
        commands += same ? 1 : 0;
        EXPECT_NE(name.find("-" + t.bits_per_weight + "bpw-"), std::string::npos);
        const auto sizes = std::to_string(*t.all_gib) + "GB-GGUF_" + std::to_string(*t.gpu_gib) +
                           "GB-GPU_" + std::to_string(t.cpu_gib.value_or(0)) + "GB-CPU.";
        EXPECT_NE(name.find(sizes), std::string::npos) << sizes;
    }
    EXPECT_GE(commands, 9u);
}

}  // namespace
}  // namespace plan_test
