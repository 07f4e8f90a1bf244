// codec against the golden vectors, and what it says to wrong input.
#include "examples/program.hpp"
#include "reference/golden.hpp"

#include <bpw/formats/repack.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace examples_test {
namespace {

reference::golden golden(const std::string& type) {
    return reference::load_golden(reference::golden_path(type, "random"));
}

std::vector<std::byte> bytes_of(const std::string& text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

std::string as_text(const std::vector<float>& floats) {
    return {reinterpret_cast<const char*>(floats.data()), 4 * floats.size()};
}

class golden_rows : public testing::TestWithParam<const char*> {};

TEST_P(golden_rows, decode_to_their_weights) {
    const auto g = golden(GetParam());
    const auto o = run("codec", {"decode", GetParam(), std::to_string(g.cols)}, g.payload);
    EXPECT_EQ(o.status, 0) << o.err;
    EXPECT_EQ(o.err, "");
    EXPECT_TRUE(o.out == as_text(g.weights));
}

TEST_P(golden_rows, of_any_number_are_read) {
    const auto g = golden(GetParam());
    // More than a run of rows, and not a whole number of runs.
    std::vector<std::byte> many;
    std::string expected;
    while (many.size() < 2'500'000) {
        many.insert(many.end(), g.payload.begin(), g.payload.end());
        expected += as_text(g.weights);
    }
    const auto o = run("codec", {"decode", GetParam(), std::to_string(g.cols)}, many);
    EXPECT_EQ(o.status, 0) << o.err;
    EXPECT_TRUE(o.out == expected);
}

INSTANTIATE_TEST_SUITE_P(codec, golden_rows,
                         testing::Values("q4_K", "iq2_xxs", "iq4_ks", "q8_KV", "q4_k_r4",
                                         "iq4_ks_r4", "q8_KV_r8", "iq1_m_r4"));

class golden_pairs : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(golden_pairs, repack_and_back) {
    const auto [base, interleaved] = GetParam();
    const auto g = golden(base);
    const auto cols = std::to_string(g.cols);
    const auto there = run("codec", {"repack", base, interleaved, cols}, g.payload);
    ASSERT_EQ(there.status, 0) << there.err;
    EXPECT_EQ(there.out.size(), g.payload.size());
    EXPECT_NE(bytes_of(there.out), g.payload);
    const auto decoded = run("codec", {"decode", interleaved, cols}, bytes_of(there.out));
    EXPECT_TRUE(decoded.out == as_text(g.weights));
    const auto back = run("codec", {"repack", interleaved, base, cols}, bytes_of(there.out));
    ASSERT_EQ(back.status, 0) << back.err;
    EXPECT_EQ(bytes_of(back.out), g.payload);
}

INSTANTIATE_TEST_SUITE_P(codec, golden_pairs,
                         testing::Values(std::pair{"q4_K", "q4_k_r4"},
                                         std::pair{"iq2_xxs", "iq2_xxs_r4"},
                                         std::pair{"iq4_ks", "iq4_ks_r4"}));

TEST(codec, reads_a_scale_behind_the_last_row) {
    // Two rows of 128 weights: all codes 2, which is +1, times 0.5.
    std::vector<std::byte> bytes(2 * 32 + 32);
    std::fill_n(bytes.begin(), 64, std::byte{0xAA});
    const float scale = 0.5f;
    std::memcpy(bytes.data() + 64, &scale, 4);
    const auto o = run("codec", {"decode", "i2_s", "128"}, bytes);
    EXPECT_EQ(o.status, 0) << o.err;
    EXPECT_TRUE(o.out == as_text(std::vector<float>(256, 0.5f)));

    bytes.pop_back();
    const auto cut = run("codec", {"decode", "i2_s", "128"}, bytes);
    EXPECT_NE(cut.status, 0);
    EXPECT_EQ(cut.out, "");
    EXPECT_NE(cut.err.find("the input has 95 bytes"), std::string::npos) << cut.err;
}

TEST(codec, decodes_no_rows) {
    const auto o = run("codec", {"decode", "q4_K", "256"});
    EXPECT_EQ(o.status, 0) << o.err;
    EXPECT_EQ(o.out, "");
}

TEST(codec, lists_every_type) {
    const auto o = run("codec", {"list"});
    EXPECT_EQ(o.status, 0) << o.err;
    for (const auto& t : bpw::type_infos()) {
        std::string line("\n");
        line.append(t.name).append(" ");
        EXPECT_NE(o.out.find(line), std::string::npos) << t.name;
    }
}

struct mistake {
    std::vector<std::string> arguments;
    std::size_t input;
    const char* sentence;
};

void PrintTo(const mistake& m, std::ostream* out) { *out << m.sentence; }

class wrong_input : public testing::TestWithParam<mistake> {};

TEST_P(wrong_input, is_refused_in_a_sentence) {
    const auto& m = GetParam();
    const auto o = run("codec", m.arguments, std::vector<std::byte>(m.input));
    EXPECT_GT(o.status, 0);
    EXPECT_NE(o.err.find(m.sentence), std::string::npos) << o.err;
}

INSTANTIATE_TEST_SUITE_P(
    codec, wrong_input,
    testing::Values(
        mistake{{"decode", "q4_X", "256"}, 0, "type name 'q4_X' is not one of the known"},
        mistake{{"decode", "q4_K", "100"}, 0, "row length 100 is not a multiple of 256"},
        mistake{{"decode", "q4_K", "0"}, 0, "COLS"}, mistake{{"decode", "q4_K", "-1"}, 0, "COLS"},
        mistake{{"decode", "q4_K", "many"}, 0, "COLS"},
        mistake{{"decode", "q4_K"}, 0, "COLS is required"},
        mistake{{"decode", "q4_K", "256"}, 145, "the input ends 1 bytes after row 1"},
        mistake{{"decode", "q4_K", "256"}, 143, "expected a multiple of 144 bytes"},
        mistake{{"decode", "q4_k_r4", "256"}, 144, "576 bytes, 4 rows of 256 weights of q4_k_r4"},
        mistake{{"decode", "q4_K", "274877906944"}, 144, "the input ends 144 bytes after row 0"},
        mistake{{"repack", "q4_K", "q6_k_r4", "256"}, 576, "expected q4_k_r4"},
        mistake{{"repack", "q4_1", "q4_0_r8", "32"}, 576, "nor as any other type"},
        mistake{{"repack", "q4_K", "q4_k_r4", "256"}, 144, "4 rows of 256 weights of q4_K"},
        mistake{{}, 0, "A subcommand is required"}, mistake{{"frobnicate"}, 0, "subcommand"}));

}  // namespace
}  // namespace examples_test
