// plan: commands as people type them, what is written where, and what is refused.
#include "examples/program.hpp"
#include "plan/inputs.hpp"

#include <bpw/plan/recipe.hpp>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

namespace examples_test {
namespace {

namespace fs = std::filesystem;
namespace plan = bpw::plan;
using json = nlohmann::json;
using words = std::vector<std::string>;

// A folder with the files of a small mixture of experts that is removed again. It has the names of
// a DeepSeek model, so that commands for those run.
class workplace {
  public:
    explicit workplace(int layers = 8) {
        std::random_device random;
        folder_ =
            fs::temp_directory_path() /
            (std::string("bpw-plan-").append(std::to_string(random())) + std::to_string(random()));
        fs::create_directory(folder_);
        using plan_test::bf16_line;
        std::string map = bf16_line("token_embd.weight", 512, 1024) +
                          bf16_line("output.weight", 512, 1024) +
                          bf16_line("output_norm.weight", 512, 1);
        std::string names = "QTYPE,token_embd.weight,output.weight";
        std::string cells = "iq1_m_r4,0.03,0.4";
        const auto measured = [&](const std::string& name, double value) {
            names += std::string(",") + name;
            cells += std::string(",").append(std::to_string(value)) + "%";
        };
        for (int i = 0; i < layers; ++i) {
            const auto blk = std::string("blk.").append(std::to_string(i)) + ".";
            map += bf16_line(blk + "attn_norm.weight", 512, 1);
            map += bf16_line(blk + "attn_k_b.weight", 128, 512);
            map += bf16_line(blk + "attn_output.weight", 512, 512);
            const std::string kind = i < 3 ? "" : "_exps";
            for (const auto* part : {"ffn_up", "ffn_gate", "ffn_down"}) {
                const auto name = blk + part + kind + ".weight";
                map += bf16_line(name, 512, 4096);
                measured(name, 0.5 + 0.1 * i + (part[4] == 'd' ? 0.3 : 0.0));
            }
        }
        write("tensors.bf16.map", map);
        write("kld_results.csv", names + "\n" + cells + "\n");
        write("curve.csv",
              "QTYPE,group0\nq8_0,0.001\niq6_k,0.003\niq5_k,0.01\niq4_ks,0.05\niq3_k,"
              "0.16\niq2_k,0.9\niq1_m,4\nq5_0,0.02\n");
    }
    workplace(const workplace&) = delete;
    workplace& operator=(const workplace&) = delete;
    ~workplace() {
        std::error_code ignored;
        fs::remove_all(folder_, ignored);
    }

    [[nodiscard]] std::string path(const std::string& name) const {
        return (folder_ / name).string();
    }
    void write(const std::string& name, const std::string& text) const {
        std::ofstream(folder_ / name, std::ios::binary) << text;
    }

  private:
    fs::path folder_;
};

plan::recipe recipe_of(const outcome& o) { return plan::parse_recipe(o.out, "stdout").value(); }

// The command of a published DeepSeek-R1 recipe, as it stands in that recipe.
words deepseek_command(const std::string& csv) {
    return {csv,
            "--tolerance",
            "0.01",
            "--cpu-irq-k",
            "1.5",
            "--gpu-irq-k",
            "1.5",
            "--gpu-assign-qtype",
            "iq4_xs",
            "--cpu-tensors-max-size",
            "140",
            "--gpu-tensors-max-size",
            "85%",
            "--exponential-factor",
            "8",
            "--cpu-tensors",
            R"(blk\.([3-9]|[1-5][0-9]|60)\.ffn_down_exps\.weight)",
            R"(blk\.([3-9]|[1-5][0-9]|60)\.ffn_up_exps\.weight)",
            R"(blk\.([3-9]|[1-5][0-9]|60)\.ffn_gate_exps\.weight)",
            "--gpu-tensors",
            ".*",
            "--cpu-quants",
            "iq3_k",
            "iq2_k",
            "iq1_m_r4",
            "--gpu-quants",
            "q8_0",
            "iq5_k_r4",
            "iq6_k",
            "--gpu-assign-tensors",
            R"(blk\.([0-9]|[1-5][0-9]|60)\.attn_k_b\.weight=q8_0)",
            "--harmonize-tensors",
            R"(blk\..*\.ffn_up_exps.*,blk\..*\.ffn_gate_exps.*)",
            "--harmonization-technique",
            "3"};
}

TEST(plan, a_split_between_gpu_and_cpu_runs_as_typed) {
    const workplace w;
    auto command = deepseek_command(w.path("kld_results.csv"));
    const auto o = run("plan", command);
    ASSERT_EQ(o.status, 0) << o.err;
    EXPECT_NE(o.err.find("--tolerance has no effect"), std::string::npos) << o.err;
    EXPECT_NE(o.err.find("--exponential-factor has no effect"), std::string::npos) << o.err;
    EXPECT_NE(o.err.find("Qwen3-4B-Thinking-2507 stands in"), std::string::npos) << o.err;
    EXPECT_NE(o.err.find("proven optimal"), std::string::npos) << o.err;

    const auto recipe = recipe_of(o);
    EXPECT_EQ(recipe.rules.size(), 3u + 8 * 6);
    for (const auto& r : recipe.rules) {
        const auto has = [&](const char* part) { return r.regex.find(part) != std::string::npos; };
        if (has("attn_k_b")) {
            EXPECT_EQ(r.type, bpw::type_id::q8_0);
        } else if (has("attn_output")) {
            EXPECT_EQ(r.type, bpw::type_id::iq4_xs) << "it has no column";
        } else if (has("norm")) {
            EXPECT_EQ(r.type, bpw::type_id::f32);
        } else if (has("_exps")) {
            EXPECT_EQ(r.type, bpw::type_id::iq3_k) << "140 GiB do not bind";
        }
    }
    EXPECT_NE(o.out.find("\n# GPU Total: 0."), std::string::npos);
    EXPECT_NE(o.out.find("\n# CPU Total: 0."), std::string::npos);
    EXPECT_NE(o.out.find("\n# GPU+CPU Total: 0."), std::string::npos);
    EXPECT_NE(o.out.find("# - Command used:\n# plan "), std::string::npos);

    // A budget that binds: up and gate of a layer still share a type.
    command[10] = "24MiB";
    command[9] = "--cpu-tensors-max-size";
    const auto tight = run("plan", command);
    ASSERT_EQ(tight.status, 0) << tight.err;
    std::map<std::string, bpw::type_id> types;
    for (const auto& r : recipe_of(tight).rules) types[r.regex] = r.type;
    for (int i = 3; i < 8; ++i) {
        const auto blk = std::string(R"(^blk\.)").append(std::to_string(i)) + R"(\.)";
        EXPECT_EQ(types[blk + R"(ffn_up_exps\.weight$)"], types[blk + R"(ffn_gate_exps\.weight$)"]);
    }
}

TEST(plan, json_holds_the_certificate) {
    const workplace w;
    const auto o = run("plan", {w.path("kld_results.csv"), "--curve", w.path("curve.csv"), "--pool",
                                "q8_0,iq5_k,iq4_ks", "iq2_k", "--size", "25MiB", "--json"});
    ASSERT_EQ(o.status, 0) << o.err;
    const auto j = json::parse(o.out);
    EXPECT_EQ(j["optimal"], true);
    ASSERT_EQ(j["classes"].size(), 1u);
    const auto& k = j["classes"][0];
    EXPECT_EQ(k["name"], "GPU");
    EXPECT_EQ(k["pool"], json({"q8_0", "iq5_k", "iq4_ks", "iq2_k"}));
    EXPECT_EQ(k["budget_bytes"], 25u << 20);
    EXPECT_LE(k["bytes"], k["budget_bytes"]);
    EXPECT_EQ(k["gap"], 0);
    EXPECT_EQ(k["cost"], k["lower_bound"]);
    std::uint64_t bytes = 0;
    for (const auto& t : j["tensors"]) bytes += t["bytes"].get<std::uint64_t>();
    EXPECT_EQ(bytes, k["bytes"]);
    EXPECT_EQ(j["bytes"], k["bytes"]);
    EXPECT_EQ(j["tensors"].size(), 3u + 8 * 6);
}

TEST(plan, the_same_input_gives_the_same_recipe) {
    const workplace w;
    const auto date = [](std::string text) {
        const auto at = text.find("produced on the ");
        return text.erase(at, text.find(" using", at) - at);
    };
    const words command{
        w.path("kld_results.csv"), "--pool", "q8_0", "iq4_ks", "iq2_k", "--size", "60%"};
    const auto first = run("plan", command);
    ASSERT_EQ(first.status, 0) << first.err;
    EXPECT_EQ(date(first.out), date(run("plan", command).out));
}

TEST(plan, names_the_size_that_would_fit) {
    const workplace w;
    const auto o = run("plan", {w.path("kld_results.csv"), "--curve", w.path("curve.csv"), "--pool",
                                "q8_0", "iq2_k", "--size", "1MiB"});
    EXPECT_EQ(o.status, 1);
    EXPECT_EQ(o.out, "");
    EXPECT_NE(o.err.find("class GPU needs at least"), std::string::npos) << o.err;
    EXPECT_NE(o.err.find("its budget is 1048576 bytes"), std::string::npos) << o.err;
}

TEST(plan, any_number_of_classes) {
    const workplace w;
    const auto o =
        run("plan", {w.path("kld_results.csv"), "--curve", w.path("curve.csv"), "--class",
                     "GPU 0;size=6MiB;pool=q8_0 iq5_k iq4_ks",
                     R"(NUMA 0;size=8MiB;pool=iq4_ks iq3_k iq2_k;tensors=blk\.[0-3]\..*ffn.*)",
                     R"(NUMA 1;pool=iq3_k;tensors=blk\..*ffn.*)", "--json"});
    ASSERT_EQ(o.status, 0) << o.err;
    const auto j = json::parse(o.out);
    std::map<std::string, int> count;
    for (const auto& t : j["tensors"]) count[t["class"].get<std::string>()] += 1;
    EXPECT_EQ(count, (std::map<std::string, int>{{"GPU 0", 27}, {"NUMA 0", 12}, {"NUMA 1", 12}}));
    EXPECT_EQ(j["optimal"], true);
}

TEST(plan, every_flag_of_quant_assign_is_known) {
    const workplace w;
    const auto o = run("plan", {"--gpu-tensors",
                                ".*",
                                "--gpu-quants",
                                "q8_0",
                                "iq4_ks",
                                "iq2_k",
                                "--gpu-tensors-max-size",
                                "60.00%",
                                "--gpu-assign-qtype",
                                "q6_K",
                                "--harmonize-tensors",
                                "",
                                "--use-auto-quant-assign",
                                "--auto-no-pareto-filter",
                                "--auto-force-combo",
                                "3",
                                "--auto-deg-exponent",
                                "0.5",
                                "--exponential-factor",
                                "0.5",
                                "--quant-degradation-csv",
                                w.path("curve.csv"),
                                "--compute-missing-map",
                                "--ignore-imatrix-rules",
                                "--with-imatrix",
                                "--skip-gpg",
                                "--info",
                                "--debug",
                                "--synergistic-tensors",
                                "",
                                "--synergy-strength",
                                "0.1",
                                "--per-tensor-degradation-scaling",
                                "0.1",
                                "--fallback-quants",
                                "q8_0",
                                "--fallback-quants-forbidden",
                                "^iq1",
                                "--qtype",
                                "iq1_m_r4",
                                "--tensors-from-csv",
                                "--ignore-f32",
                                "--no-fallback",
                                "--cpu-assign-qtype",
                                "q8_0",
                                "--model",
                                w.path(""),
                                "--cpu-assign-tensors",
                                "none=q8_0"});
    ASSERT_EQ(o.status, 0) << o.err;
    EXPECT_EQ(recipe_of(o).rules.size(), 2u + 8 * 3) << "only what the CSV lists";
    EXPECT_NE(o.out.find("Loss exponent (p): 0.5"), std::string::npos);
    EXPECT_NE(run("plan", {"--help"}).out.find("--gpu-tensors-max-size"), std::string::npos);
}

TEST(plan, reads_shapes_from_a_gguf_file) {
    const auto file = model("tinylm-f16.gguf");
    const auto about = json::parse(run("inspect", {file, "--json"}).out);
    std::string names = "QTYPE";
    std::string cells = "q2_K";
    for (const auto& t : about["tensors"]) {
        if (t["shape"].size() < 2) continue;
        names += std::string(",") + t["name"].get<std::string>();
        cells += ",0.5";
    }
    const workplace w;
    w.write("tiny.csv", names + "\n" + cells + "\n");
    const auto o = run("plan", {w.path("tiny.csv"), "--model", file, "--pool", "q8_0", "q4_K",
                                "q3_K", "--size", "50%", "--json"});
    ASSERT_EQ(o.status, 0) << o.err;
    const auto j = json::parse(o.out);
    EXPECT_EQ(j["tensors"].size(), about["tensors"].size());
    EXPECT_EQ(j["optimal"], true);
    EXPECT_LE(j["bytes"], j["classes"][0]["budget_bytes"]);
}

TEST(plan, keeps_a_limit_on_time) {
    const workplace w;
    words command{w.path("kld_results.csv"),
                  "--curve",
                  w.path("curve.csv"),
                  "--pool",
                  "q8_0,iq5_k,iq4_ks,iq2_k",
                  "--size",
                  "70%",
                  "--gpu-speed",
                  "1",
                  "--json"};
    const auto free = json::parse(run("plan", command).out);
    const auto seconds = free["seconds_per_token"].get<double>();
    command.insert(command.end(), {"--max-time", std::to_string(seconds * 900)});
    const auto o = run("plan", command);
    ASSERT_EQ(o.status, 0) << o.err;
    const auto j = json::parse(o.out);
    EXPECT_LE(j["seconds_per_token"].get<double>(), seconds * 0.9);
    EXPECT_GE(j["cost"].get<double>(), free["cost"].get<double>());
    command.back() = "0.0001";
    EXPECT_NE(run("plan", command).err.find("microseconds"), std::string::npos);
}

TEST(plan, takes_speeds_from_the_benchmark) {
    const workplace w;
    const auto file = w.path("kernels.json");
    const auto plan_with = [&](const std::string& text) {
        std::ofstream(file) << text;
        return run("plan", {w.path("kld_results.csv"), "--curve", w.path("curve.csv"), "--pool",
                            "q8_0,iq2_k", "--size", "70%", "--gpu-speed", file, "--json"});
    };
    // The faster of two runs counts, and nothing but gemv.
    const std::string cases =
        R"({"name": "gemv/q8_0/16384x4096", "run_type": "iteration", "GB/s": 10.0},
           {"name": "gemv/q8_0/16384x4096", "run_type": "iteration", "GB/s": 20.0},
           {"name": "gemm/q8_0/512x4096x512", "run_type": "iteration", "GB/s": 999.0},
           {"name": "gemv/bf16/16384x4096", "run_type": "iteration", "GB/s": 20.0},
           {"name": "gemv/f32/16384x4096", "run_type": "iteration", "GB/s": 20.0},
           {"name": "gemv/iq4_nl/16384x4096", "run_type": "iteration", "GB/s": 20.0},
           {"name": "gemv/iq2_k/16384x4096", "run_type": "iteration", "GB/s": 20.0})";
    const auto measured = plan_with("{\"benchmarks\": [" + cases + "]}");
    ASSERT_EQ(measured.status, 0) << measured.err;
    const auto uniform =
        run("plan", {w.path("kld_results.csv"), "--curve", w.path("curve.csv"), "--pool",
                     "q8_0,iq2_k", "--size", "70%", "--gpu-speed", "20", "--json"});
    EXPECT_NEAR(json::parse(measured.out)["seconds_per_token"].get<double>(),
                json::parse(uniform.out)["seconds_per_token"].get<double>(), 1e-12);
    EXPECT_NE(plan_with("{\"benchmarks\": []}").err.find("no case gemv"), std::string::npos);
    EXPECT_NE(plan_with("{").err.find("not JSON"), std::string::npos);
}

TEST(plan, pareto_lists_the_front) {
    const workplace w;
    const auto o = run("plan", {"pareto", w.path("kld_results.csv"), "--curve", w.path("curve.csv"),
                                "--pool", "q8_0,iq5_k,iq4_ks,iq2_k", "--labels", "0", "--json"});
    ASSERT_EQ(o.status, 0) << o.err;
    EXPECT_NE(o.err.find("no larger and at most"), std::string::npos) << o.err;
    const auto parsed = json::parse(o.out);
    EXPECT_EQ(parsed["whole"], false);
    EXPECT_LE(parsed["cost_factor"], 1.0500001);
    const auto& j = parsed["points"];
    ASSERT_GT(j.size(), 4u);
    for (std::size_t i = 1; i < j.size(); ++i) {
        EXPECT_GT(j[i]["bytes"], j[i - 1]["bytes"]);
        EXPECT_LT(j[i]["cost"], j[i - 1]["cost"]);
    }
    const auto all = run("plan", {"pareto", w.path("kld_results.csv"), "--curve",
                                  w.path("curve.csv"), "--pool", "q8_0,iq2_k", "--csv"});
    ASSERT_EQ(all.status, 0) << all.err;
    EXPECT_NE(all.err.find(" plans that no other beats"), std::string::npos) << all.err;
}

TEST(plan, refuses_with_a_sentence) {
    const workplace w;
    const auto error = [&](words more) {
        words command{w.path("kld_results.csv"), "--curve", w.path("curve.csv")};
        command.insert(command.end(), more.begin(), more.end());
        const auto o = run("plan", command);
        EXPECT_NE(o.status, 0);
        EXPECT_EQ(o.out, "");
        return o.err;
    };
    EXPECT_NE(error({"--pool", "q9_9"}).find("'q9_9' is not the name of a quant type"),
              std::string::npos);
    EXPECT_NE(error({"--gpu-tensors", "(", "--pool", "q8_0"}).find("'(' is not closed"),
              std::string::npos);
    EXPECT_NE(error({"--size", "ten", "--pool", "q8_0"}).find("'ten' cannot be read"),
              std::string::npos);
    EXPECT_NE(error({"--pool", "q3_K"}).find("no loss for the type q3_K"), std::string::npos);
    EXPECT_NE(error({"--lock", "abc", "--pool", "q8_0"}).find("has no '='"), std::string::npos);
    EXPECT_NE(run("plan", {w.path("none.csv"), "--model", w.path("")}).err.find("none.csv"),
              std::string::npos);
    w.write("tensors.bf16.map", "a:b:c:shape=(2):dtype=f32:elements=3:bytes=12\n");
    EXPECT_NE(error({"--pool", "q8_0"}).find("tensors.bf16.map:1: shape: "), std::string::npos);
}

}  // namespace
}  // namespace examples_test
