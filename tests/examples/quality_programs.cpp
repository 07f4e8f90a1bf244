// perplexity against a base, and sensitivity, as a user runs them.
#include "examples/files.hpp"
#include "examples/program.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace examples_test {
namespace {

using nlohmann::json;

const auto f16 = model("tinylm-f16.gguf");
const auto mix = model("tinylm-mix-2-rN.gguf");

// A text of so many windows, fewer in builds that are slow.
std::string text_in(const scratch& folder, std::size_t windows, const char* from = "prose.txt") {
    if (BPW_EXAMPLES_SLOW_BUILD) windows = 1;
    const auto path = folder.path("text.txt");
    write(path, content_of(model(from)).substr(0, windows * 256));
    return path;
}

json measured(const std::vector<std::string>& arguments) {
    auto all = arguments;
    all.emplace_back("--json");
    const auto o = run("perplexity", all);
    EXPECT_EQ(o.status, 0) << o.err;
    return o.status == 0 ? json::parse(o.out) : json();
}

// The program fails with a sentence, and prints nothing else.
void expect_refused(const std::string& program, const std::vector<std::string>& arguments,
                    const std::string& sentence) {
    const auto o = run(program, arguments);
    EXPECT_EQ(o.status, 1);
    EXPECT_EQ(o.out, "");
    EXPECT_NE(o.err.find(sentence), std::string::npos) << o.err << "\nexpected: " << sentence;
}

// ---- perplexity against a base ------------------------------------------------------------------

TEST(perplexity_base, a_model_is_at_no_distance_from_itself) {
    const scratch folder;
    const auto text = text_in(folder, 9);
    const auto base = folder.path("f16.base");
    const auto saved = run("perplexity", {f16, text, "--save-base", base});
    ASSERT_EQ(saved.status, 0) << saved.err;
    EXPECT_NE(saved.out.find("saved as a base: " + base), std::string::npos) << saved.out;

    for (const auto& against : {base, f16}) {
        const auto j = measured({f16, mix, text, "--base", against});
        EXPECT_EQ(j["base"], "tinylm-f16.gguf");
        const auto& self = j["models"][0];
        EXPECT_EQ(self["log_perplexity_ratio"]["mean"], 0);
        EXPECT_EQ(self["same_top_token"]["mean"], 1);
        EXPECT_DOUBLE_EQ(self["same_top_token"]["confidence_95"][1].get<double>(), 1);
        if (against == f16) {
            EXPECT_EQ(self["kl_divergence"]["mean"], 0);
            EXPECT_EQ(self["kl_divergence"]["max"], 0);
        } else {
            // A base file keeps two bytes for each logit.
            EXPECT_LT(self["kl_divergence"]["mean"], 1e-8);
            EXPECT_LT(self["kl_divergence"]["max"], 1e-6);
        }
    }
}

TEST(perplexity_base, saved_and_live_bases_agree) {
    const scratch folder;
    const auto text = text_in(folder, 9);
    const auto base = folder.path("f16.base");
    ASSERT_EQ(run("perplexity", {f16, text, "--save-base", base}).status, 0);
    const auto saved = measured({mix, text, "--base", base})["models"][0];
    const auto live = measured({mix, text, "--base", f16, "--threads", "1"})["models"][0];
    const auto plain = measured({f16, mix, text})["models"];

    const double kl = live["kl_divergence"]["mean"];
    EXPECT_GT(kl, 0.02);
    EXPECT_LT(kl, 0.08);
    EXPECT_NEAR(saved["kl_divergence"]["mean"].get<double>(), kl, 1e-5 * kl);
    for (const auto* exact : {"log_perplexity_ratio", "same_top_token", "perplexity"}) {
        EXPECT_EQ(saved[exact], live[exact]) << exact;
    }
    // ln(PPL / PPL_base) is what the two perplexities say.
    const double ratio =
        std::log(plain[1]["perplexity"].get<double>() / plain[0]["perplexity"].get<double>());
    EXPECT_NEAR(live["log_perplexity_ratio"]["mean"].get<double>(), ratio, 1e-9);
    // What is sorted is in order.
    const auto& d = live["kl_divergence"];
    EXPECT_GT(d["median"], 0);
    EXPECT_LT(d["median"], d["mean"]);
    EXPECT_LT(d["mean"], d["quantile_99"]);
    EXPECT_LT(d["quantile_99"], d["max"]);
    EXPECT_LT(d["confidence_95"][0], d["mean"]);
    EXPECT_GT(d["confidence_95"][1], d["mean"]);
    const double same = live["same_top_token"]["mean"];
    EXPECT_GT(same, 0.75);
    EXPECT_LT(same, 0.99);
}

TEST(perplexity_base, shows_tables) {
    const scratch folder;
    const auto o = run("perplexity", {mix, text_in(folder, 1), "--base", f16});
    EXPECT_EQ(o.status, 0) << o.err;
    for (const auto* part : {"ln(PPL/PPL base)", "KL divergence", "median", "99 %", "max",
                             "same top token", "the base is tinylm-f16.gguf"}) {
        EXPECT_NE(o.out.find(part), std::string::npos) << part << "\n" << o.out;
    }
}

TEST(perplexity_base, draws_pictures_and_marks_the_front) {
    const scratch folder;
    const auto text = text_in(folder, 1);
    const auto picture = folder.path("p.svg");
    expect_refused("perplexity", {mix, text, "--plot-divergence", picture}, "expected --base");
    if (std::system("gnuplot --version > /dev/null 2>&1") != 0) {
        GTEST_SKIP() << "there is no gnuplot here";
    }
    const auto o = run("perplexity", {mix, f16, text, "--base", f16, "--plot", folder.path("q.svg"),
                                      "--plot-divergence", picture});
    ASSERT_EQ(o.status, 0) << o.err;
    EXPECT_NE(o.out.find("  *\n"), std::string::npos) << o.out;
    for (const auto* file : {"p.svg", "q.svg"}) {
        const auto svg = content_of(folder.path(file));
        EXPECT_EQ(svg.rfind("<?xml", 0), 0U) << file;
        EXPECT_NE(svg.find("tinylm-mix-2-rN"), std::string::npos) << file;
    }
}

TEST(perplexity_base, refuses_what_does_not_fit) {
    const scratch folder;
    const auto text = text_in(folder, 1);
    const auto base = folder.path("f16.base");
    ASSERT_EQ(run("perplexity", {f16, text, "--save-base", base}).status, 0);
    const auto whole = content_of(base);

    const auto other = folder.path("other.txt");
    auto words = content_of(text);
    words[100] = words[100] == 'x' ? 'y' : 'x';
    write(other, words);
    expect_refused("perplexity", {mix, other, "--base", base}, "with another text: token 100 of");
    write(other, words + words);
    expect_refused("perplexity", {mix, other, "--base", base},
                   "with another text, of 1 windows of 256 tokens; expected 2");

    write(base, whole.substr(0, whole.size() / 2));
    expect_refused("perplexity", {mix, text, "--base", base}, "was it cut off?");
    auto bytes = whole;
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
    write(base, bytes);
    expect_refused("perplexity", {mix, text, "--base", base}, "window 0 is damaged");

    // A vocabulary in which the token at the beginning of a text has another name.
    auto renamed = content_of(mix);
    const auto at = renamed.find("<|begin|>");
    ASSERT_NE(at, std::string::npos);
    renamed[at + 2] = 'B';
    write(folder.path("renamed.gguf"), renamed);
    write(base, whole);
    for (const auto& against : {base, f16}) {
        expect_refused("perplexity", {folder.path("renamed.gguf"), text, "--base", against},
                       "vocabulary");
    }
    expect_refused("perplexity", {mix, text, "--base", text}, "expected 'GGUF'");
    expect_refused("perplexity", {mix, f16, text, "--save-base", base}, "with several models");
    expect_refused("perplexity", {mix, text, "--save-base", folder.path("no/b")},
                   "cannot be written");
    EXPECT_EQ(content_of(base), whole);
}

// ---- sensitivity --------------------------------------------------------------------------------

// Small tensors, so that little is encoded.
std::vector<std::string> arguments_for(const std::string& text, const std::string& out) {
    return {f16,           text,
            "--out",       out,
            "--tensors",   R"(blk\.[01]\.attn_[kv]\.)",
            "--types",     "q8_0,q4_K,q2_K",
            "--reference", "q2_K"};
}

const std::vector<std::string> written{"measurements.csv", "kld_results.csv",
                                       "group0/kld_results.csv"};

TEST(sensitivity, interrupted_runs_end_in_the_same_files) {
    const scratch folder;
    const auto text = text_in(folder, 2);
    const auto once = run("sensitivity", arguments_for(text, folder.path("once")));
    ASSERT_EQ(once.status, 0) << once.err;
    EXPECT_NE(once.err.find("[7/7] model as q2_K"), std::string::npos) << once.err;
    const auto journal = content_of(folder.path("once/measurements.csv"));

    const std::vector<double> parts =
        BPW_EXAMPLES_SLOW_BUILD ? std::vector{0.8} : std::vector{0.0, 0.3, 0.55, 0.9, 1.0};
    for (const double part : parts) {
        const auto bytes = static_cast<std::size_t>(part * static_cast<double>(journal.size()));
        const auto out = folder.path("again" + std::to_string(bytes));
        std::filesystem::create_directories(out);
        write(out + "/measurements.csv", journal.substr(0, bytes));
        auto arguments = arguments_for(text, out);
        arguments.insert(arguments.end(), {"--threads", "1"});
        const auto again = run("sensitivity", arguments);
        ASSERT_EQ(again.status, 0) << again.err;
        if (part == 1) {
            EXPECT_EQ(again.err, "sensitivity: 7 of 7 measurements were made before\n");
        }
        for (const auto& file : written) {
            EXPECT_EQ(content_of(out + "/" + file), content_of(folder.path("once/" + file)))
                << file << " after " << bytes << " bytes";
        }
    }
}

TEST(sensitivity, the_planner_reads_what_it_writes) {
    const scratch folder;
    const auto out = folder.path("out");
    auto arguments = arguments_for(text_in(folder, 2), out);
    arguments.insert(arguments.end(), {"--group-by", "role"});
    const auto o = run("sensitivity", arguments);
    ASSERT_EQ(o.status, 0) << o.err;
    EXPECT_EQ(content_of(out + "/kld_results.csv").substr(0, 28), "QTYPE,blk.0.attn_k.weight,bl");

    const auto plan = run(
        "plan", {out + "/kld_results.csv", "--curve", out + "/group0/kld_results.csv", "--model",
                 f16, "--pool", "q8_0,q4_K,q2_K", "--assign-qtype", "q8_0", "--size", "60%"});
    EXPECT_NE(plan.status, 0);
    const auto made =
        run("plan",
            {out + "/kld_results.csv", "--curve", out + "/group0/kld_results.csv", "--model", f16,
             "--pool", "q8_0,q4_K,q2_K", "--gpu-assign-qtype", "q8_0", "--size", "3400000B"});
    ASSERT_EQ(made.status, 0) << made.err;
    EXPECT_NE(made.out.find("^blk\\.0\\.attn_k\\.weight$="), std::string::npos) << made.out;
    EXPECT_NE(made.err.find("proven optimal"), std::string::npos) << made.err;
}

TEST(sensitivity, losses_are_those_of_files_that_quantize_writes) {
    const scratch folder;
    const auto text = text_in(folder, 2);
    const auto out = folder.path("out");
    ASSERT_EQ(run("sensitivity", arguments_for(text, out)).status, 0);
    const auto file = folder.path("q2.gguf");
    const auto q = run("quantize", {f16, file, "--custom-q", R"(blk\.[01]\.attn_[kv]\.=q2_K)"});
    ASSERT_EQ(q.status, 0) << q.err;
    const auto j = measured({file, text, "--base", f16});
    const double kl = j["models"][0]["kl_divergence"]["mean"];
    const auto curve = content_of(out + "/group0/kld_results.csv");
    const auto at = curve.find("q2_K,");
    ASSERT_NE(at, std::string::npos) << curve;
    EXPECT_EQ(std::stod(curve.substr(at + 5)), kl);
}

// An importance matrix in the binary format: all columns of these tensors, some weighing more.
std::string importance_of(const std::vector<std::string>& tensors, int columns) {
    std::string out;
    const auto add = [&](const auto& value) {
        out.append(reinterpret_cast<const char*>(&value), sizeof value);
    };
    add(static_cast<std::int32_t>(tensors.size()));
    for (const auto& name : tensors) {
        add(static_cast<std::int32_t>(name.size()));
        out += name;
        add(std::int32_t{1});  // calls
        add(std::int32_t{columns});
        for (int c = 0; c < columns; ++c) add(c % 5 == 0 ? 20.0f : 1.0f);
    }
    return out;
}

TEST(sensitivity, encodes_with_the_importance_that_it_is_given) {
    const scratch folder;
    const auto text = text_in(folder, 1);
    const auto importance = folder.path("imatrix.dat");
    write(importance, importance_of({"blk.0.attn_k.weight", "blk.0.attn_v.weight"}, 256));
    const std::string tensors = R"(blk\.0\.attn_[kv]\.)";
    const auto loss = [&](const std::string& name, const std::vector<std::string>& more) {
        const auto out = folder.path(name);
        std::vector<std::string> arguments{f16,     text,      "--out", out,           "--tensors",
                                           tensors, "--types", "q2_K",  "--reference", "q2_K"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        const auto o = run("sensitivity", arguments);
        EXPECT_EQ(o.status, 0) << o.err;
        const auto curve = content_of(out + "/group0/kld_results.csv");
        const auto at = curve.find("q2_K,");
        return at == std::string::npos ? -1.0 : std::stod(curve.substr(at + 5));
    };
    const auto with = loss("with", {"--imatrix", importance});
    EXPECT_NE(with, loss("without", {}));

    const auto file = folder.path("q2.gguf");
    const auto q =
        run("quantize", {f16, file, "--custom-q", tensors + "=q2_K", "--imatrix", importance});
    ASSERT_EQ(q.status, 0) << q.err;
    const double kl = measured({file, text, "--base", f16})["models"][0]["kl_divergence"]["mean"];
    EXPECT_EQ(with, kl);
}

TEST(sensitivity, groups_share_what_they_lose) {
    const scratch folder;
    const auto text = text_in(folder, 1);
    auto arguments = arguments_for(text, folder.path("out"));
    arguments.insert(arguments.end(), {"--group", R"(blk\.0\.)"});
    const auto o = run("sensitivity", arguments);
    ASSERT_EQ(o.status, 0) << o.err;
    // Two tensors of equal size in the group, two alone; and three types.
    EXPECT_NE(o.err.find("[6/6] "), std::string::npos) << o.err;
    const auto csv = content_of(folder.path("out/kld_results.csv"));
    const auto row = csv.substr(csv.find('\n') + 1);
    std::vector<double> values;
    for (auto at = row.find(','); at != std::string::npos; at = row.find(',', at + 1)) {
        values.push_back(std::stod(row.substr(at + 1)));
    }
    ASSERT_EQ(values.size(), 4U) << csv;
    EXPECT_EQ(values[0], values[1]);
    EXPECT_NE(values[2], values[3]);
    EXPECT_GT(values[0], 0);
}

TEST(sensitivity, the_shipped_losses_serve_a_plan) {
    const std::string shipped = std::string(BPW_TEST_DATA_DIR) + "/losses";
    const auto made =
        run("plan", {shipped + "/kld_results.csv", "--curve", shipped + "/group0/kld_results.csv",
                     "--model", f16, "--pool", "q8_0,iq4_ks,iq3_k,iq2_ks", "--size", "1.3MiB"});
    EXPECT_EQ(made.status, 0) << made.err;
}

TEST(sensitivity, the_shipped_losses_are_current) {
    if (BPW_EXAMPLES_SLOW_BUILD) GTEST_SKIP() << "this build is too slow for whole texts";
    const std::string shipped = std::string(BPW_TEST_DATA_DIR) + "/losses";
    const scratch folder;
    const auto o =
        run("sensitivity", {f16, model("calibration.txt"), "--out", folder.path("out"), "--tensors",
                            R"(blk\.1\.attn_k\.)", "--reference", "iq2_k", "--types", "q8_0"});
    ASSERT_EQ(o.status, 0) << o.err;
    const auto value = [](const std::string& file) {
        const auto csv = content_of(file);
        std::size_t column = 0;
        const auto header = csv.substr(0, csv.find('\n'));
        const auto name = header.find("blk.1.attn_k.weight");
        for (std::size_t i = 0; i < name; ++i) column += header[i] == ',' ? 1 : 0;
        auto at = header.size();
        for (; column != 0; --column) at = csv.find(',', at) + 1;
        return std::stod(csv.substr(at));
    };
    const double now = value(folder.path("out/kld_results.csv"));
    EXPECT_GT(now, 1e-5);
    // Encoders may get better. Much better, and the shipped files should be measured anew.
    EXPECT_NEAR(value(shipped + "/kld_results.csv"), now, 0.1 * now);
}

TEST(sensitivity, refuses_in_a_sentence) {
    const scratch folder;
    const auto text = text_in(folder, 1);
    const auto out = folder.path("out");
    const auto with = [&](std::vector<std::string> more) {
        auto arguments = arguments_for(text, out);
        arguments.insert(arguments.end(), more.begin(), more.end());
        return arguments;
    };
    expect_refused("sensitivity", with({"--group", "nothing"}), "finds no tensor");
    expect_refused("sensitivity", with({"--group", "("}), "(");
    expect_refused("sensitivity", with({"--types", "q9_9"}), "q9_9");
    expect_refused("sensitivity", with({"--types", "iq2_xxs"}), "--imatrix FILE");
    expect_refused("sensitivity", with({"--types", "i2_s"}), "there is no encoder for i2_s");
    EXPECT_FALSE(std::filesystem::exists(out));

    std::filesystem::create_directories(out);
    const auto path = out + "/measurements.csv";
    write(path, "QTYPE,group0\nq8_0,0.1\n");
    expect_refused("sensitivity", with({}), "is this a file of another program?");
    EXPECT_EQ(content_of(path), "QTYPE,group0\nq8_0,0.1\n");
    std::filesystem::remove(path);

    ASSERT_EQ(run("sensitivity", with({"--group-by", "layer"})).status, 0);
    expect_refused("sensitivity", with({}), "was begun with groups=");
    const auto whole = content_of(path);
    auto bytes = whole;
    bytes[bytes.size() - 20] = bytes[bytes.size() - 20] == '1' ? '2' : '1';
    write(path, bytes);
    expect_refused("sensitivity", with({"--group-by", "layer"}), "does not have its checksum");
    EXPECT_EQ(content_of(path), bytes);
    write(path, whole);
    auto words = content_of(text);
    words[0] = 'x';
    write(text, words);
    expect_refused("sensitivity", with({"--group-by", "layer"}), "was begun with text=");
}

}  // namespace
}  // namespace examples_test
