// codec against the golden vectors, and what it says to wrong input.
#include "examples/program.hpp"
#include "reference/golden.hpp"
#include "reference/product.hpp"
#include "reference/random.hpp"

#include <bpw/formats/repack.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
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

// --- matvec --------------------------------------------------------------------------------------

// Columns of ordinary floats.
std::vector<float> columns_of(std::size_t count, std::size_t cols) {
    reference::random numbers(7);
    std::vector<float> x(count * cols);
    for (auto& value : x) value = numbers.uniform();
    return x;
}

std::vector<std::byte> joined(std::vector<std::byte> rows, std::span<const float> x) {
    const auto bytes = std::as_bytes(x);
    rows.insert(rows.end(), bytes.begin(), bytes.end());
    return rows;
}

std::vector<float> as_floats(const std::string& text) {
    std::vector<float> floats(text.size() / 4);
    std::memcpy(floats.data(), text.data(), 4 * floats.size());
    return floats;
}

outcome matvec(const std::string& type, std::size_t rows, std::size_t cols,
               std::span<const std::byte> input, std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"matvec", type, std::to_string(rows), std::to_string(cols)});
    return run("codec", more, input);
}

// 8-bit activations cost about half a percent; plain numbers are multiplied in float.
class multiplied : public testing::TestWithParam<std::pair<const char*, double>> {};

TEST_P(multiplied, as_a_plain_loop_in_double) {
    const auto [type, tolerance] = GetParam();
    const auto g = reference::load_golden(reference::golden_path(type, "encoded"));
    const std::size_t count = 3;
    const auto x = columns_of(count, g.cols);
    const auto o = matvec(type, g.rows, g.cols, joined(g.payload, x), {"--threads", "2"});
    ASSERT_EQ(o.status, 0) << o.err;
    EXPECT_EQ(o.err, "");
    ASSERT_EQ(o.out.size(), 4 * count * g.rows);
    const auto y = as_floats(o.out);
    double wrong = 0;
    double size = 0;
    for (std::size_t c = 0; c < count; ++c) {
        for (std::size_t r = 0; r < g.rows; ++r) {
            const auto right = reference::product(std::span(g.weights).subspan(r * g.cols, g.cols),
                                                  std::span(x).subspan(c * g.cols, g.cols))
                                   .sum;
            wrong += (y[c * g.rows + r] - right) * (y[c * g.rows + r] - right);
            size += right * right;
        }
    }
    EXPECT_GT(size, 0.0);
    EXPECT_LE(std::sqrt(wrong / size), tolerance);

    // A column alone is the same product, whatever the number of threads.
    const auto alone =
        matvec(type, g.rows, g.cols, joined(g.payload, std::span(x).subspan(g.cols, g.cols)));
    ASSERT_EQ(alone.status, 0) << alone.err;
    const auto one = as_floats(alone.out);
    ASSERT_EQ(one.size(), g.rows);
    double apart = 0;
    for (std::size_t r = 0; r < g.rows; ++r) {
        apart = std::max(apart, double{std::abs(one[r] - y[g.rows + r])});
    }
    EXPECT_LE(apart, 1e-5 * std::sqrt(size / static_cast<double>(y.size())));
}

INSTANTIATE_TEST_SUITE_P(codec, multiplied,
                         testing::Values(std::pair{"f16", 1e-5}, std::pair{"bf16", 1e-5},
                                         std::pair{"q8_0", 0.006}, std::pair{"q4_K", 0.006},
                                         std::pair{"iq2_xxs", 0.006}, std::pair{"iq4_ks", 0.006},
                                         std::pair{"iq3_kt", 0.006}, std::pair{"q8_KV", 0.006},
                                         std::pair{"q4_k_r4", 0.006}),
                         [](const auto& each) { return std::string(each.param.first); });

TEST(codec, multiplies_with_a_scale_behind_the_last_row) {
    // Two rows of 128 weights: all codes 2, which is +1, times 0.5; x is exact in 8 bits.
    std::vector<std::byte> bytes(2 * 32 + 32);
    std::fill_n(bytes.begin(), 64, std::byte{0xAA});
    const float scale = 0.5f;
    std::memcpy(bytes.data() + 64, &scale, 4);
    const std::vector<float> x(128, 127.0f);
    const auto o = matvec("i2_s", 2, 128, joined(bytes, x));
    ASSERT_EQ(o.status, 0) << o.err;
    EXPECT_EQ(as_floats(o.out), std::vector<float>(2, 0.5f * 127 * 128));
}

TEST(codec, says_what_is_missing_of_a_product) {
    const auto sentence = [](std::size_t input) {
        const auto o = matvec("q4_K", 2, 256, std::vector<std::byte>(input));
        EXPECT_GT(o.status, 0);
        EXPECT_EQ(o.out, "");
        return o.err;
    };
    EXPECT_EQ(sentence(287),
              "codec: the input ends after 287 bytes; expected 288 bytes of 2 rows of 256 weights "
              "of q4_K, then columns of 256 floats\n");
    const std::string expected =
        " bytes follow the matrix; expected 1024 for each column, 256 floats, and at least one "
        "column\n";
    EXPECT_EQ(sentence(288), "codec: 0" + expected);
    EXPECT_EQ(sentence(288 + 1023), "codec: 1023" + expected);
    EXPECT_EQ(sentence(288 + 1025), "codec: 1025" + expected);
}

// --- repack --------------------------------------------------------------------------------------

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

class encoded_rows : public testing::TestWithParam<const char*> {};

TEST_P(encoded_rows, are_close_to_what_was_read) {
    const auto g = reference::load_golden(reference::golden_path(GetParam(), "encoded"));
    const auto cols = std::to_string(g.cols);
    const auto importance =
        (std::filesystem::path(BPW_TEST_DATA_DIR) / "golden" / "importance.f32").string();
    const auto source = bytes_of(as_text(g.source));
    const auto encoded =
        run("codec", {"encode", GetParam(), cols, "--importance", importance}, source);
    ASSERT_EQ(encoded.status, 0) << encoded.err;
    EXPECT_EQ(encoded.out.size(), g.payload.size());
    const auto flat = run("codec", {"encode", GetParam(), cols}, source);
    ASSERT_EQ(flat.status, 0) << flat.err;
    EXPECT_NE(flat.out, encoded.out);
    const auto decoded = run("codec", {"decode", GetParam(), cols}, bytes_of(flat.out));
    ASSERT_EQ(decoded.out.size(), source.size());
    double error = 0;
    double norm = 0;
    for (std::size_t i = 0; i < g.source.size(); ++i) {
        float w = 0;
        std::memcpy(&w, decoded.out.data() + 4 * i, 4);
        error += (double{w} - double{g.source[i]}) * (double{w} - double{g.source[i]});
        norm += double{g.source[i]} * double{g.source[i]};
    }
    EXPECT_LT(error, 0.02 * norm);
}

INSTANTIATE_TEST_SUITE_P(codec, encoded_rows,
                         testing::Values("q4_K", "iq4_ks", "iq4_nl_r4", "iq4_ks_r4"));

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
        mistake{{"encode", "i2_s", "256"}, 1024, "there is no encoder for i2_s"},
        mistake{{"encode", "q4_K", "100"}, 400, "row length 100 is not a multiple of 256"},
        mistake{{"encode", "q4_K", "256"}, 1023, "expected a multiple of 1024 bytes"},
        mistake{{"encode", "q4_k_r4", "256"}, 1024, "4 rows of 256 weights of f32"},
        mistake{
            {"encode", "q4_K", "256", "--importance", "/nowhere"}, 0, "'/nowhere' cannot be read"},
        mistake{{"encode", "q4_K", "256", "--importance", "/dev/null"}, 0, "/dev/null"},
        mistake{{"repack", "q4_K", "q6_k_r4", "256"}, 576, "expected q4_k_r4"},
        mistake{{"repack", "q4_1", "q4_0_r8", "32"}, 576, "nor as any other type"},
        mistake{{"repack", "q4_K", "q4_k_r4", "256"}, 144, "4 rows of 256 weights of q4_K"},
        mistake{{"matvec", "q4_X", "1", "256"}, 0, "type name 'q4_X' is not one of the known"},
        mistake{{"matvec", "q4_K", "1", "100"}, 0, "row length 100 is not a multiple of 256"},
        mistake{{"matvec", "q4_k_r4", "2", "256"}, 0, "row count 2 is not a multiple of 4"},
        mistake{{"matvec", "q4_K", "0", "256"}, 0, "ROWS"},
        mistake{{"matvec", "q4_K", "256"}, 0, "COLS is required"},
        mistake{{"matvec", "q4_K", "1", "256", "--threads", "-1"}, 0, "--threads"},
        mistake{{"matvec", "q4_K", "281474976710656", "281474976710656"}, 0, "64 bits"},
        mistake{{"matvec", "q4_K", "281474976710656", "256"}, 9, "the input ends after 9 bytes"},
        mistake{{}, 0, "A subcommand is required"}, mistake{{"frobnicate"}, 0, "subcommand"}));

}  // namespace
}  // namespace examples_test
