// Raw recipes and their summary, line by line; and what other readers of the format find in them.
#include "plan/inputs.hpp"

#include <bpw/plan/recipe.hpp>
#include <bpw/plan/recipe_merge.hpp>
#include <bpw/plan/report.hpp>

#include <gtest/gtest.h>

#include <string>

namespace plan_test {
namespace {

struct planned {
    plan::model m;
    plan::plan_result plan;
    plan::report_options report;
};

planned small_plan() {
    std::string lines = bf16_line("token_embd.weight", 256, 512);
    std::string names = "QTYPE,token_embd.weight";
    std::string cells = "iq1_kt,0.5";
    for (int i = 0; i < 2; ++i) {
        const auto blk = std::string("blk.").append(std::to_string(i)) + ".";
        lines += bf16_line(blk + "attn_norm.weight", 256, 1) +
                 bf16_line(blk + "attn_q.weight", 256, 256) +
                 bf16_line(blk + "attn_k_b.weight", 128, 512) +
                 bf16_line(blk + "ffn_up_exps.weight", 256, 1024);
        names.append(",").append(blk).append("attn_q.weight");
        names.append(",").append(blk).append("attn_k_b.weight");
        names.append(",").append(blk).append("ffn_up_exps.weight");
        cells += i == 0 ? ",0.01,0.02,0.3" : ",0.05,0.01,0.1";
    }
    auto m = model_of(lines);
    const auto c = plan::read_calibration(names + "\n" + cells + "\n", "kld.csv").value();
    plan::plan_request r;
    plan::class_request cpu;
    cpu.name = "CPU";
    cpu.tensors.push_back(regex(".*_exps.*"));
    cpu.pool = types("iq4_ks iq2_k");
    cpu.size = plan::budget::of_percent(80);
    plan::class_request gpu;
    gpu.name = "GPU";
    gpu.pool = types("iq4_k q8_0");
    gpu.locks.push_back({regex("token_embd.weight"), type_id::iq6_k});
    gpu.size = plan::budget::of_percent(85.5);
    r.classes = {cpu, gpu};
    r.rest = 1;
    auto p = plan::make_plan(m, c, plan::default_cost_curve(), r).value();
    EXPECT_TRUE(p.optimal());
    plan::report_options report;
    report.order = {1, 0};
    report.tool = "the test";
    report.date = "2026-01-02 03:04:05 UTC+0000";
    report.script_sha256 = std::string(64, 'a');
    report.calibrations.push_back({"kld.csv", std::string(64, 'b')});
    report.degradations.push_back({"curve.csv", std::string(64, 'c')});
    report.maps.push_back({type_id::iq4_k, {}, {}, true});
    report.maps.push_back({type_id::bf16, std::string(64, 'd'), "m-00002", false});
    report.hidden.emplace_back("Gap [GPU]", "0");
    for (int i = 0; i < 20; ++i)
        report.command.push_back(std::string("--word").append(std::to_string(i)));
    report.command.push_back("it's [a] regex");
    return {std::move(m), std::move(p), std::move(report)};
}

TEST(report, a_raw_recipe_line_by_line) {
    const auto p = small_plan();
    const auto text = plan::write_raw_recipe(p.m, p.plan, p.report);
    const std::string expected = R"(
## GPU-loaded tensors
# Total GPU size: 0.000 GiB
# Outlier tensors total size: 0.000 GiB
# f32 tensors total size: 0.000 GiB
# Pre-assigned tensors total size: 0.000 GiB
# Optimized sub-total GPU size excluding outliers and f32: 0.000 GiB
# Auto-included f32 tensors for GPU:
^blk\.0\.attn_norm\.weight$=f32
^blk\.1\.attn_norm\.weight$=f32
# Group: attn_k_b\.weight
# WARNING - 1x attn_k_b.weight qtype fallback to q5_0 from iq4_k
^blk\.0\.attn_k_b\.weight$=q8_0
^blk\.1\.attn_k_b\.weight$=q5_0
# Group: attn_q\.weight
^blk\.1\.attn_q\.weight$=q8_0
^blk\.0\.attn_q\.weight$=iq4_k
# Group: token_embd\.weight
^token_embd\.weight$=iq6_k

## CPU-loaded tensors
# Total CPU size: 0.000 GiB
# Outlier tensors total size: 0.000 GiB
# f32 tensors total size: 0.000 GiB
# Pre-assigned tensors total size: 0.000 GiB
# Optimized sub-total CPU size excluding outliers and f32: 0.000 GiB
# Group: ffn_up_exps\.weight
^blk\.0\.ffn_up_exps\.weight$=iq4_ks
^blk\.1\.ffn_up_exps\.weight$=iq2_k

## Summary of tensor sizes per class)";
    EXPECT_EQ(text.substr(0, expected.size()), expected);
}

TEST(report, the_summary_line_by_line) {
    const auto p = small_plan();
    const auto text = plan::write_summary(p.m, p.plan, p.report);
    const auto has = [&](const std::string& line) {
        EXPECT_NE((std::string("\n") + text).find(std::string("\n") + line + "\n"),
                  std::string::npos)
            << "there is no line " << line << " in\n"
            << text;
    };
    has("# QTYPE\t\tCount\tBPW\tAssigned GiB\t% Assigned\tMax GiB (all)");
    has("# +f32       \t2  \t32    \t  0.00 GiB\t-\t\t-");
    has("# !q8_0     \t2  \t8.5   \t  0.00 GiB\t50.00%\t\t0.00");
    has("# +!iq6_k    \t1  \t6.625 \t  0.00 GiB\t-\t\t-");
    has("# *!q5_0    \t1  \t5.5   \t  0.00 GiB\t25.00%\t\t0.00");
    has("# !:iq4_ks  \t1  \t4.375 \t  0.00 GiB\t50.00%\t\t0.00");
    has("# GPU-loaded quants:");
    has("# CPU-friendly quants:");
    has("# - WARNING: 1 tensors are stored as another qtype than was asked for");
    has("# - Recipe produced on the 2026-01-02 03:04:05 UTC+0000 using the test");
    has(std::string("# - Script SHA-256: ").append(std::string(64, 'a')));
    has(std::string("# - Calibration dataset 'kld.csv' SHA-256: ").append(std::string(64, 'b')));
    has(std::string("# - Degradation dataset 'curve.csv' SHA-256: ").append(std::string(64, 'c')));
    has(std::string("# - tensors.bf16.map SHA-256: ").append(std::string(64, 'd')));
    has("# - tensors.bf16.map model name: m-00002");
    has("# - GPG signatures: DISABLED");
    has("# - Hidden parameters (not passed as CLI args):");
    has("#   Gap [GPU]: 0");
    has("# - Command used:");
    has(R"(# --word14 --word15 --word16 --word17 --word18 --word19 'it'"'"'s [a] regex')");
    EXPECT_EQ(text.find("tensors.iq4_k.map"), std::string::npos) << "there is no such file";

    // Only the line between the two halves is blank, and the credit is there.
    EXPECT_EQ(text.find("\n\n"), text.rfind("\n\n"));
    EXPECT_NE(text.find("Thireus, the GGUF Tool Suite and its contributors"), std::string::npos);
    for (std::size_t at = text.find("# - Command used:"); at < text.size();) {
        const auto end = text.find('\n', at);
        EXPECT_LE(end - at, 119u);
        at = end + 1;
    }
}

TEST(report, other_readers_find_what_they_rely_on) {
    const auto p = small_plan();
    const auto text = plan::write_raw_recipe(p.m, p.plan, p.report);
    for (const auto* line :
         {R"(^# GPU Total: [0-9]+\.)", R"(^# CPU Total: [0-9]+\.)",
          R"(^# GPU\+CPU Total: [0-9]+\.)", R"(^# -Average BPW: [0-9]+\.[0-9]+$)",
          R"(^# - Script SHA-256: [0-9a-f]{64}$)", R"(^# - Command used:$)"}) {
        const auto wanted = plan::pattern::compile(line, plan::regex_syntax::ere).value();
        int found = 0;
        plan::line_reader lines(text);
        while (const auto next = lines.next()) found += wanted.search(*next) ? 1 : 0;
        EXPECT_EQ(found, 1) << line;
    }
    const auto recipe = plan::parse_recipe(text, "raw.recipe").value();
    EXPECT_EQ(recipe.rules.size(), p.plan.tensors.size());
    std::vector<std::string> names;
    for (const auto& t : p.m.tensors()) names.push_back(t.name);
    const auto types = plan::resolve(recipe, names).value();
    for (const auto& a : p.plan.tensors) EXPECT_EQ(types[a.tensor], a.type);
    const auto totals = plan::totals_of(recipe.summary);
    EXPECT_TRUE(plan::write_merged(recipe, {}).ok());
    const plan::recipe_name_parts parts{"small", "me", {}, std::string(64, 'e')};
    EXPECT_EQ(
        plan::recipe_file_name(parts, totals),
        std::string("small.me-").append(plan::fixed(plan::average_bits(p.m, p.plan.tensors), 4)) +
            "bpw-0GB-GGUF_0GB-GPU_0GB-CPU.aaaaaaa_eeeeeee.recipe");
}

TEST(report, words_of_a_shell) {
    EXPECT_EQ(plan::shell_word("--size=10.5%"), "--size=10.5%");
    EXPECT_EQ(plan::shell_word(""), "''");
    EXPECT_EQ(plan::shell_word("a b"), "'a b'");
    EXPECT_EQ(plan::shell_word("a\nb"), "'a?b'");
}

}  // namespace
}  // namespace plan_test
