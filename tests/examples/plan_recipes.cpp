// plan score and plan recipe, run as a user runs them.
#include "examples/program.hpp"
#include "plan/shipped.hpp"

#include <bpw/plan/number_text.hpp>
#include <bpw/plan/recipe.hpp>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace examples_test {
namespace {

namespace fs = std::filesystem;
using json = nlohmann::json;

// A folder of the test's own, removed afterwards.
class folder {
  public:
    explicit folder(const std::string& name) : path_(fs::temp_directory_path() / ("bpw_" + name)) {
        fs::remove_all(path_);
        fs::create_directories(path_);
    }
    ~folder() { fs::remove_all(path_); }
    [[nodiscard]] std::string file(const std::string& name, const std::string& text) const {
        std::ofstream(path_ / name, std::ios::binary) << text;
        return (path_ / name).string();
    }
    [[nodiscard]] std::string at(const std::string& name) const { return (path_ / name).string(); }

  private:
    fs::path path_;
};

const std::string map_text =
    "a.gguf:0:token_embd.weight:shape=(256, 512):dtype=bf16:elements=131072:bytes=262144\n"
    "a.gguf:0:blk.0.ffn_down.weight:shape=(256, 256):dtype=bf16:elements=65536:bytes=131072\n"
    "a.gguf:0:blk.1.ffn_down.weight:shape=(256, 256):dtype=bf16:elements=65536:bytes=131072\n"
    "Tiny-ME-BF16-SPECIAL_TENSOR-00001-of-00001.gguf:0:output_norm.weight:shape=(256,):dtype=f32:"
    "elements=256:bytes=1024\n";

TEST(plan_recipe, merges_expands_and_measures) {
    const folder f("plan_recipe");
    const auto map = f.file("tensors.bf16.map", map_text);
    const auto raw = f.file("raw.recipe",
                            "^token_embd\\.weight$=q6_K\n^blk\\.0\\.ffn_down\\.weight$=iq3_k\n"
                            "^blk\\.1\\.ffn_down\\.weight$=iq3_k\n^output_norm\\.weight$=f32\n");
    const auto merged = run("plan", {"recipe", "merge", raw});
    ASSERT_EQ(merged.status, 0) << merged.err;
    EXPECT_NE(merged.out.find("^blk\\.[0-1]\\.ffn_down\\.weight$=iq3_k\n"), std::string::npos);
    const auto again = f.file("merged.recipe", merged.out);
    const auto expanded = run("plan", {"recipe", "expand", again});
    EXPECT_NE(expanded.out.find("^blk\\.1\\.ffn_down\\.weight$=iq3_k\n"), std::string::npos);
    for (const auto& recipe : {raw, again}) {
        const auto size = run("plan", {"recipe", "size", recipe, "--map", map, "--json"});
        ASSERT_EQ(size.status, 0) << size.err;
        const auto j = json::parse(size.out);
        EXPECT_EQ(j["bytes"], 512 * 210 + 2 * 256 * 110 + 1024);
        EXPECT_EQ(j["tensors"].size(), 4u);
    }
    const auto list = run("plan", {"recipe", "to-custom-q", again, "--no-f32"});
    EXPECT_EQ(list.out, "^token_embd\\.weight$=q6_K,^blk\\.[0-1]\\.ffn_down\\.weight$=iq3_k\n");
    const auto lines = run("plan", {"recipe", "from-custom-q", "a=q4_K,b\\d=q5_K", "c=q8_0"});
    EXPECT_EQ(lines.out, "a=q4_K\nb[0-9]=q5_K\nc=q8_0\n");
}

TEST(plan_recipe, errors_are_one_line) {
    const folder f("plan_recipe_errors");
    const auto bad = f.file("bad.recipe", "a=q4_K\nb=q9_9\n");
    const auto o = run("plan", {"recipe", "expand", bad});
    EXPECT_EQ(o.status, 1);
    EXPECT_EQ(o.out, "");
    EXPECT_EQ(o.err, "plan: " + bad + ":2: type: 'q9_9' is not the name of a quant type\n");
    EXPECT_NE(run("plan", {"recipe", "expand", f.at("none")}).status, 0);
    EXPECT_NE(run("plan", {"recipe"}).status, 0);
}

TEST(plan_recipe, makes_named_mixes) {
    const folder f("plan_preset");
    const auto map = f.file("tensors.bf16.map", map_text);
    const auto o = run("plan", {"recipe", "preset", "q2_k", "--map", map, "--project", "mainline"});
    ASSERT_EQ(o.status, 0) << o.err;
    EXPECT_NE(o.out.find("# Model name: Tiny\n"), std::string::npos);
    EXPECT_NE(o.out.find("^token_embd\\.weight$=q6_K\n"), std::string::npos);
    EXPECT_NE(o.out.find("^blk\\.[0-1]\\.ffn_down\\.weight$=q3_K\n"), std::string::npos);
    EXPECT_NE(o.out.find("^output_norm\\.weight$=f32\n"), std::string::npos);
    EXPECT_NE(o.err.find("bits per weight"), std::string::npos);
    const auto none = run("plan", {"recipe", "preset", "q9", "--map", map});
    EXPECT_EQ(none.status, 1);
}

TEST(plan_score, tables_and_json) {
    const folder f("plan_score");
    const auto map = f.file("tensors.bf16.map", map_text);
    const auto metric = f.file("ppl_results.csv", "QTYPE,group0\nbf16,0%\nq4_K,+2%\nq8_0,+1%\n");
    const auto pp = f.file("pp_results_cpu-X.csv", "QTYPE,group0\nbf16,0%\nq4_K,+8%\nq8_0,+4%\n");
    const auto o = run(
        "plan", {"score", metric, "--pp", pp, "--map", map, "--csv", "--export", f.at("scores")});
    ASSERT_EQ(o.status, 0) << o.err;
    EXPECT_EQ(o.out,
              "QTYPE,avg_reduction%,score,ppl%,pp%,tg%\r\nq4_K,71.88,2.0000,+2.00%,+8.00%,\r\n"
              "q8_0,46.88,1.0000,+1.00%,+4.00%,\r\nbf16,0.00,0.0000,+0.00%,+0.00%,\r\n");
    EXPECT_EQ(plan_test::read(f.at("scores_cpu-X.csv")), o.out);
    const auto j = json::parse(run("plan", {"score", metric, "--map", map, "--json"}).out);
    EXPECT_EQ(j[0]["types"][0]["type"], "q4_K");
    EXPECT_EQ(j[0]["types"][0]["top_layer"], true);
    EXPECT_EQ(j[0]["types"][0]["pp_percent"], nullptr);
    const auto table = run("plan", {"score", metric, "--pp", pp, "--map", map});
    EXPECT_NE(table.out.find("top layer: q4_K\n"), std::string::npos);
    EXPECT_EQ(run("plan", {"score", metric, "--pp", pp, pp, "--map", map}).status, 1);
}

TEST(plan_score, published_tables) {
    PLAN_TEST_NEEDS_SHIPPED_DATA();
    const auto data = plan_test::shipped_folder() / "quants_graphs";
    const folder f("plan_score_published");
    std::vector<std::string> command{"score",    (data / "topp_results.csv").string(),
                                     "--map",    (data / "tensors.bf16.map").string(),
                                     "--export", f.at("quant_score")};
    const std::vector<std::string> machines{"cuda-RTX-6000-Pro", "cpu-AMD-5950X",
                                            "cpu-Intel-7980XE"};
    for (const std::string kind : {"pp", "tg"}) {
        command.push_back("--" + kind);
        for (const auto& m : machines) {
            command.push_back((data / (kind + "_results_" + m + ".csv")).string());
        }
    }
    const auto o = run("plan", command);
    ASSERT_EQ(o.status, 0) << o.err;
    for (const auto& m : machines) {
        EXPECT_EQ(plan_test::read(f.at("quant_score_" + m + ".csv")),
                  plan_test::read(data / "TOPP_BASED" / ("quant_score_" + m + ".csv")))
            << m;
    }
}

}  // namespace
}  // namespace examples_test
