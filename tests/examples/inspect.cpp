// inspect: its JSON adds up, its text shows what is there, and bad files are refused.
#include "examples/program.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <map>
#include <string>

namespace examples_test {
namespace {

using json = nlohmann::json;

TEST(inspect, json_adds_up) {
    const auto path = model("tinylm-mix-2-rN.gguf");
    const auto o = run("inspect", {path, "--json"});
    ASSERT_EQ(o.status, 0) << o.err;
    const auto j = json::parse(o.out);

    EXPECT_EQ(j["version"], 3);
    EXPECT_EQ(j["bytes"], std::filesystem::file_size(path));
    EXPECT_EQ(j["metadata"]["general.architecture"], "llama");
    EXPECT_EQ(j["metadata"]["llama.block_count"], 4);
    EXPECT_EQ(j["metadata"]["llama.attention.layer_norm_rms_epsilon"], 1e-5);
    EXPECT_EQ(j["metadata"]["tokenizer.ggml.add_bos_token"], true);
    EXPECT_EQ(j["metadata"]["tokenizer.ggml.tokens"].size(), 257u);
    EXPECT_EQ(j["metadata"]["tokenizer.ggml.tokens"][256], "<|begin|>");
    ASSERT_EQ(j["tensors"].size(), 39u);
    EXPECT_EQ(j["tensors"][0]["shape"], json({256, 257}));

    std::map<std::string, std::uint64_t> bytes;
    std::uint64_t all = 0;
    std::uint64_t weights = 0;
    for (const auto& t : j["tensors"]) {
        bytes[t["type"].get<std::string>()] += t["bytes"].get<std::uint64_t>();
        all += t["bytes"].get<std::uint64_t>();
        std::uint64_t n = 1;
        for (const auto& d : t["shape"]) n *= d.get<std::uint64_t>();
        weights += n;
    }
    EXPECT_EQ(j["types"].size(), bytes.size());
    double share = 0;
    for (const auto& t : j["types"]) {
        EXPECT_EQ(t["bytes"], bytes[t["type"].get<std::string>()]);
        share += t["share"].get<double>();
    }
    EXPECT_NEAR(share, 1, 1e-12);
    EXPECT_EQ(j["total"]["bytes"], all);
    EXPECT_EQ(j["total"]["weights"], weights);
    EXPECT_NEAR(j["total"]["bits_per_weight"].get<double>(), 2.886, 0.0005);
    EXPECT_TRUE(j["observations"].empty());
}

TEST(inspect, text_shows_all_and_is_of_readable_width) {
    const auto o = run("inspect", {model("tinylm-mix-3.gguf")});
    ASSERT_EQ(o.status, 0) << o.err;
    for (const auto* part : {"GGUF version 3", "general.architecture", "llama.rope.freq_base",
                             "string[257]", "blk.3.ffn_down.weight", "256 x 257", "3.893"}) {
        EXPECT_NE(o.out.find(part), std::string::npos) << part;
    }
    for (std::size_t at = 0; at < o.out.size();) {
        const auto end = std::min(o.out.find('\n', at), o.out.size());
        EXPECT_LE(end - at, 130u) << o.out.substr(at, end - at);
        at = end + 1;
    }
}

TEST(inspect, summary_leaves_out_the_tensors) {
    const auto o = run("inspect", {model("tinylm-mix-3.gguf"), "--summary"});
    ASSERT_EQ(o.status, 0) << o.err;
    EXPECT_EQ(o.out.find("blk.0"), std::string::npos);
    EXPECT_NE(o.out.find("3.893"), std::string::npos);
}

TEST(inspect, refuses_what_is_no_gguf) {
    const auto other = run("inspect", {model("prose.txt")});
    EXPECT_EQ(other.status, 1);
    EXPECT_EQ(other.out, "");
    EXPECT_NE(other.err.find("expected 'GGUF'"), std::string::npos) << other.err;
    const auto none = run("inspect", {model("there-is-none.gguf")});
    EXPECT_EQ(none.status, 1);
    EXPECT_NE(none.err.find("there-is-none.gguf"), std::string::npos) << none.err;
    EXPECT_GT(run("inspect", {model("tinylm-mix-3.gguf"), "--dialect", "third"}).status, 0);
    EXPECT_EQ(run("inspect", {model("tinylm-mix-3.gguf"), "--dialect", "ik"}).status, 0);
}

TEST(inspect, reports_output_that_cannot_be_written) {
    if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "there is no /dev/full";
    std::string command = BPW_EXAMPLES_EMULATOR;
    command.append(" ").append(quoted(BPW_EXAMPLES_DIR "/inspect"));
    command.append(" ").append(quoted(model("tinylm-mix-3.gguf")));
    command.append(" >/dev/full 2>/dev/null");
    EXPECT_NE(std::system(command.c_str()), 0);
}

}  // namespace
}  // namespace examples_test
