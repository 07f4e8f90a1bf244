// Every type's decoding against golden vectors, bit for bit.
#include <kernels/any_type.hpp>
#include <reference/golden.hpp>
#include <reference/same_bits.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

using bpw::type_id;

namespace {

// Types that no reference implementation decodes; decoding.cpp and repack.cpp check them.
const std::set<type_id> without_golden{
    type_id::f32,  type_id::f64,     type_id::i8,   type_id::i16,
    type_id::i32,  type_id::i64,     type_id::q8_1, type_id::bf16_r16,
    type_id::q8_K, type_id::q8_K_ik, type_id::i2_s, type_id::mxfp4_r8,
};

std::vector<float> decode(type_id id, std::span<const std::byte> bytes, std::size_t rows,
                          std::size_t cols) {
    std::vector<float> out(rows * cols);
    any_type::dequantize({id, bytes, rows, cols}, out).value();
    return out;
}

std::vector<std::filesystem::path> all_files() {
    std::vector<std::filesystem::path> files;
    const auto folder = std::filesystem::path(BPW_TEST_DATA_DIR) / "golden";
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().extension() == ".gold") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
}

}  // namespace

TEST(golden, every_file) {
    const auto files = all_files();
    EXPECT_EQ(files.size(), 149u);
    for (const auto& file : files) {
        SCOPED_TRACE(file.filename());
        const auto g = reference::load_golden(file);
        const auto named = bpw::type_from_name(g.type);
        ASSERT_TRUE(named.ok()) << named.error().message;
        const auto id = *named;
        const auto& info = bpw::info(id);
        EXPECT_EQ(file.stem().string(), g.type + (g.kind == 0 ? ".encoded" : ".random"));
        EXPECT_EQ(g.number, bpw::gguf_number(id));
        EXPECT_EQ(g.interleave, info.rows_interleaved);
        ASSERT_EQ(bpw::tensor_bytes(id, g.rows, g.cols).value(), g.payload.size());
        EXPECT_TRUE(reference::same_bits(decode(id, g.payload, g.rows, g.cols), g.weights));
    }
}

// Ternary types with a scale per row, from the rule that their encoder follows.
TEST(golden, ternary_rows_are_what_was_encoded) {
    for (const auto id : {type_id::iq1_bn, type_id::iq2_bn}) {
        SCOPED_TRACE(bpw::name(id));
        const auto g =
            reference::load_golden(reference::golden_path(std::string(bpw::name(id)), "encoded"));
        const auto got = decode(id, g.payload, g.rows, g.cols);
        for (std::size_t r = 0; r < g.rows; ++r) {
            const float* const x = g.source.data() + r * g.cols;
            float most = 0;
            for (std::size_t c = 0; c < g.cols; ++c) most = std::max(most, std::fabs(x[c]));
            // iq1_bn stores the scale as a half.
            const double tolerance = id == type_id::iq1_bn ? most * 0x1p-11 : 0.0;
            for (std::size_t c = 0; c < g.cols; ++c) {
                const float want = std::fabs(x[c]) < 0.5f * most ? 0.0f : std::copysign(most, x[c]);
                ASSERT_NEAR(got[r * g.cols + c], want, tolerance) << r << ", " << c;
            }
        }
    }
}

TEST(golden, no_type_was_forgotten) {
    for (const auto id : bpw::all_types) {
        const std::string name(bpw::name(id));
        const bool encoded = std::filesystem::exists(reference::golden_path(name, "encoded"));
        const bool random = std::filesystem::exists(reference::golden_path(name, "random"));
        EXPECT_EQ(encoded, !without_golden.contains(id)) << name;
        // Every bit pattern of f16 has a test of its own.
        EXPECT_EQ(random, encoded && id != type_id::f16) << name;
    }
}

// A matrix of rows at any address: file mappings align tensors, pieces cut out of them are not.
TEST(golden, blocks_at_odd_addresses) {
    for (const auto* name :
         {"q4_K", "iq2_xxs", "iq4_ks", "mxfp4", "iq3_k_r4", "q8_KV_r8", "bf16"}) {
        SCOPED_TRACE(name);
        const auto g = reference::load_golden(reference::golden_path(name, "random"));
        std::vector<std::byte> buffer(g.payload.size() + 64);
        for (std::size_t shift = 0; shift < 64; shift += 1) {
            std::copy(g.payload.begin(), g.payload.end(),
                      buffer.begin() + static_cast<std::ptrdiff_t>(shift));
            const std::span<const std::byte> moved(buffer.data() + shift, g.payload.size());
            ASSERT_TRUE(reference::same_bits(
                decode(bpw::type_from_name(name).value(), moved, g.rows, g.cols), g.weights))
                << shift;
        }
    }
}
