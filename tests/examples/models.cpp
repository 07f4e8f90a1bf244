// perplexity and generate on real models, and on models that are not what they seem.
#include "examples/files.hpp"
#include "examples/program.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace examples_test {
namespace {

namespace fs = std::filesystem;

// A file that goes away with the test.
class temporary_file {
  public:
    explicit temporary_file(const std::string& content) {
        std::random_device random;
        path_ = fs::temp_directory_path() / ("bpw-file-" + std::to_string(random()));
        std::ofstream(path_, std::ios::binary) << content;
    }
    temporary_file(const temporary_file&) = delete;
    temporary_file& operator=(const temporary_file&) = delete;
    ~temporary_file() {
        std::error_code ignored;
        fs::remove(path_, ignored);
    }
    [[nodiscard]] std::string path() const { return path_.string(); }

  private:
    fs::path path_;
};

// ---- perplexity ---------------------------------------------------------------------------------

// Perplexities of prose.txt and of its first three windows, from exactly decoded weights and a
// forward pass in double precision that shares no code with this one.
struct known_model {
    const char* file;
    double bits_per_weight;
    double whole;
    double three_windows;
};

void PrintTo(const known_model& m, std::ostream* out) { *out << m.file; }

constexpr known_model shipped[]{{"tinylm-f16.gguf", 16.011, 4.04272, 4.818265},
                                {"tinylm-mix-3.gguf", 3.893, 4.06791, 4.870193},
                                {"tinylm-mix-2-rN.gguf", 2.886, 4.16436, 4.872489}};

void expect_perplexity(const std::string& path, const std::string& text, std::size_t windows,
                       double bits_per_weight, double expected) {
    const auto o = run("perplexity", {path, text, "--json"});
    ASSERT_EQ(o.status, 0) << o.err;
    const auto j = nlohmann::json::parse(o.out);
    EXPECT_EQ(j["windows"], windows);
    const auto& m = j["models"][0];
    EXPECT_NEAR(m["bits_per_weight"].get<double>(), bits_per_weight, 0.0005);
    EXPECT_NEAR(m["perplexity"].get<double>(), expected, 0.00005 * expected);
    EXPECT_GT(m["tokens_per_second"].get<double>(), 0);
}

class shipped_model : public testing::TestWithParam<known_model> {};

TEST_P(shipped_model, has_the_perplexity_of_its_exact_weights) {
    const auto& m = GetParam();
    if (BPW_EXAMPLES_SLOW_BUILD) {
        // A rest that is shorter than a window is dropped.
        const temporary_file part(content_of(model("prose.txt")).substr(0, 3 * 256 + 255));
        expect_perplexity(model(m.file), part.path(), 3, m.bits_per_weight, m.three_windows);
    } else {
        expect_perplexity(model(m.file), model("prose.txt"), 30, m.bits_per_weight, m.whole);
    }
}

INSTANTIATE_TEST_SUITE_P(perplexity, shipped_model, testing::ValuesIn(shipped));

class other_model : public testing::TestWithParam<known_model> {};

TEST_P(other_model, has_the_perplexity_of_its_exact_weights) {
    const auto& m = GetParam();
    const char* folder = std::getenv("BPW_TEST_DATA");
    if (folder == nullptr) GTEST_SKIP() << "BPW_TEST_DATA names no folder with more models";
    if (BPW_EXAMPLES_SLOW_BUILD) GTEST_SKIP() << "this build is too slow for whole texts";
    const auto path = fs::path(folder) / "models" / m.file;
    ASSERT_TRUE(fs::exists(path)) << path << " is missing";
    expect_perplexity(path.string(), model("prose.txt"), 30, m.bits_per_weight, m.whole);
}

INSTANTIATE_TEST_SUITE_P(perplexity, other_model,
                         testing::Values(known_model{"tinylm-q8_0.gguf", 8.517, 4.04328, 0},
                                         known_model{"tinylm-q4_K_M.gguf", 4.849, 4.04885, 0},
                                         known_model{"tinylm-mix-4.gguf", 4.821, 4.05101, 0},
                                         known_model{"tinylm-iq4_ks.gguf", 4.721, 4.05046, 0},
                                         known_model{"tinylm-iq4_ks_r4.gguf", 4.721, 4.05046, 0},
                                         known_model{"tinylm-mix-2.gguf", 2.886, 4.16436, 0}));

TEST(perplexity, compares_models_in_a_table) {
    const temporary_file part(content_of(model("prose.txt")).substr(0, 256));
    const auto o = run("perplexity", {model("tinylm-mix-3.gguf"), model("tinylm-mix-2-rN.gguf"),
                                      part.path(), "--threads", "1"});
    EXPECT_EQ(o.status, 0) << o.err;
    for (const auto* part_of_it : {"tinylm-mix-3.gguf ", "tinylm-mix-2-rN.gguf ", " 3.893 ",
                                   " 2.886 ", "+0.00 %", "1 window of 256 bytes, 1 thread\n"}) {
        EXPECT_NE(o.out.find(part_of_it), std::string::npos) << part_of_it << "\n" << o.out;
    }
}

TEST(perplexity, needs_a_text_of_a_window) {
    const temporary_file text(std::string(255, 'a'));
    const auto short_text = run("perplexity", {model("tinylm-mix-3.gguf"), text.path()});
    EXPECT_EQ(short_text.status, 1);
    EXPECT_NE(short_text.err.find("has 255 bytes; expected a window of 256"), std::string::npos)
        << short_text.err;
    const auto no_text = run("perplexity", {model("tinylm-mix-3.gguf")});
    EXPECT_EQ(no_text.status, 1);
    EXPECT_NE(no_text.err.find("one model or more and a text"), std::string::npos) << no_text.err;
}

// ---- generate -----------------------------------------------------------------------------------

TEST(generate, continues_the_prompt) {
    const std::vector<std::string> arguments{model("tinylm-mix-3.gguf"), "The river ", "-n", "30"};
    const auto one = run("generate", arguments);
    ASSERT_EQ(one.status, 0) << one.err;
    // The prompt, 30 bytes and a line end.
    EXPECT_EQ(one.out.size(), 10u + 30 + 1);
    EXPECT_EQ(one.out.substr(0, 10), "The river ");
    EXPECT_NE(one.err.find("prompt: 11 tokens"), std::string::npos) << one.err;
    EXPECT_NE(one.err.find("text: 30 tokens"), std::string::npos) << one.err;
    // It has learnt to write words.
    EXPECT_TRUE(std::all_of(one.out.begin(), one.out.end(), [](char c) {
        return c == '\n' || (c >= ' ' && c <= '~');
    })) << one.out;

    auto again = arguments;
    again.insert(again.end(), {"--threads", "1"});
    EXPECT_EQ(run("generate", again).out, one.out);
    auto other = arguments;
    other.insert(other.end(), {"--seed", "2"});
    EXPECT_NE(run("generate", other).out, one.out);
}

TEST(generate, at_temperature_0_needs_no_seed) {
    std::vector<std::string> arguments{
        model("tinylm-mix-2-rN.gguf"), "", "-n", "20", "--temperature", "0", "--seed", "1"};
    const auto one = run("generate", arguments);
    EXPECT_EQ(one.out.size(), 21u) << one.err;
    arguments.back() = "2";
    EXPECT_EQ(run("generate", arguments).out, one.out);
}

TEST(generate, goes_on_when_the_context_is_full) {
    const std::string prompt(300, 'a');
    const auto o = run("generate", {model("tinylm-mix-2-rN.gguf"), prompt, "-n", "140"});
    ASSERT_EQ(o.status, 0) << o.err;
    EXPECT_EQ(o.out.size(), 300u + 140 + 1);
    EXPECT_NE(o.err.find("prompt: 129 tokens"), std::string::npos) << o.err;
}

// ---- models that are not what they seem ---------------------------------------------------------

struct change {
    const char* key;       // of the metadata; the value is changed ...
    std::string from;      // ... from these bytes
    std::string to;        // ... to these
    const char* sentence;  // of the message
};

void PrintTo(const change& c, std::ostream* out) { *out << c.key << ": " << c.sentence; }

// A number behind the number of its type, as it stands behind its key.
template <class Number>
std::string typed(std::uint32_t type, Number n) {
    std::string bytes(4 + sizeof n, '\0');
    std::memcpy(bytes.data(), &type, 4);
    std::memcpy(bytes.data() + 4, &n, sizeof n);
    return bytes;
}
std::string u32(std::uint32_t n) { return typed(4, n); }
std::string f32(float n) { return typed(6, n); }

class changed_model : public testing::TestWithParam<change> {};

TEST_P(changed_model, is_refused_in_a_sentence) {
    const auto& c = GetParam();
    auto bytes = content_of(model("tinylm-mix-3.gguf"));
    const auto key = bytes.find(c.key);
    ASSERT_NE(key, std::string::npos);
    const auto at = bytes.find(c.from, key + std::strlen(c.key));
    ASSERT_NE(at, std::string::npos);
    ASSERT_EQ(c.from.size(), c.to.size());
    bytes.replace(at, c.to.size(), c.to);
    const temporary_file file(bytes);
    for (const auto* program : {"perplexity", "generate"}) {
        const auto o = run(program, {file.path(), model("prose.txt")});
        EXPECT_EQ(o.status, 1) << o.err;
        EXPECT_EQ(o.out, "");
        EXPECT_NE(o.err.find(c.sentence), std::string::npos) << o.err;
    }
}

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

INSTANTIATE_TEST_SUITE_P(
    llama, changed_model,
    testing::Values(
        change{"general.architecture", "llama", "gemma", "architecture is 'gemma'"},
        change{"llama.block_count", u32(4), u32(5), "tensor 'blk.4.attn_norm.weight' is missing"},
        change{"llama.block_count", u32(4), u32(3), "tensor 'blk.3."},
        change{"llama.block_count", u32(4), u32(0), "'llama.block_count' is 0"},
        change{"llama.block_count", u32(4), u32(0xffffffff), "'llama.block_count' is 4294967295"},
        change{"llama.block_coun", "t", "s", "'llama.block_count' is missing"},
        change{"llama.embedding_length", u32(256), u32(512), "expected 128, the size of a head"},
        change{"llama.feed_forward_length", u32(768), u32(767), "tensor 'blk.0.ffn_gate.weight'"},
        change{"llama.attention.head_count", u32(4), u32(3), "does not divide into 3 heads"},
        change{"llama.attention.head_count_kv", u32(2), u32(3), "do not divide among 3"},
        change{"llama.attention.head_count_kv", u32(2), u32(4), "tensor 'blk.0.attn_k.weight'"},
        change{"llama.rope.dimension_count", u32(64), u32(32), "the size of a head"},
        change{"llama.rope.freq_base", f32(10000), f32(0), "is not above 1"},
        change{"llama.attention.layer_norm_rms_epsilon", f32(1e-5f), f32(not_a_number),
               "is not between 0 and 1"},
        change{"tokenizer.ggml.tokens", "A", "B", "is no single byte"},
        change{"tokenizer.ggml.bos_token_id", u32(256), u32(257), "expected less than 257"}));

TEST(llama, sees_what_is_no_model) {
    for (const auto* program : {"perplexity", "generate"}) {
        const auto o = run(program, {model("prose.txt"), model("prose.txt")});
        EXPECT_EQ(o.status, 1);
        EXPECT_NE(o.err.find("expected 'GGUF'"), std::string::npos) << o.err;
    }
}

}  // namespace
}  // namespace examples_test
