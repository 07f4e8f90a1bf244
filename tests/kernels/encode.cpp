// Encoders of every type: against the reference's encodings of the golden source, and at the edges
// of what floats can be.
#include <kernels/encode_any.hpp>
#include <reference/golden.hpp>
#include <reference/random.hpp>

#include <bpw/formats/repack.hpp>
#include <bpw/kernels/encode/small_floats.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <string>
#include <thread>

using bpw::type_id;
using encode_any::through;

namespace {

std::vector<type_id> encodable() {
    std::vector<type_id> out;
    for (const auto id : bpw::all_types) {
        if (encode_any::can_encode(id)) out.push_back(id);
    }
    return out;
}

std::string test_name(const testing::TestParamInfo<type_id>& info) {
    return std::string(bpw::name(info.param));
}

type_id base_of(type_id id) { return bpw::info(id).base.value_or(id); }

// Plain numbers hold anything.
bool is_plain(type_id id) { return !bpw::info(id).quantized; }

// One scale and no finer levels for a long run: little is left of ordinary weights.
bool is_coarse(type_id id) {
    switch (base_of(id)) {
        case type_id::q1_0:
        case type_id::q2_0:
        case type_id::tq1_0:
        case type_id::tq2_0:
        case type_id::iq1_bn:
        case type_id::iq2_bn:
            return true;
        default:
            return false;
    }
}

// ---- what encoders minimise, written down from the format descriptions
struct objective {
    double c;            // of importance * sqrt(c * mean + x^2); negative: importance alone
    std::size_t window;  // over which the mean is taken; 0: the row
};

objective objective_of(type_id id) {
    switch (base_of(id)) {
        case type_id::q4_0:
        case type_id::q4_1:
        case type_id::q5_0:
        case type_id::q5_1:
        case type_id::q6_0:
            return {1, 0};
        case type_id::iq4_nl:
            return {2, 32};
        case type_id::q2_K:
            return {0.75, 256};
        case type_id::iq2_xxs:
        case type_id::iq2_xs:
            return {1, 256};
        case type_id::iq2_k:
        case type_id::iq2_ks:
        case type_id::iq3_k:
            return {1.5, 256};
        case type_id::iq1_m:
        case type_id::iq1_m_r4:
            return {1.5, 32};
        case type_id::iq2_kl:
            return {2.25, 256};
        case type_id::q3_K:
        case type_id::q4_K:
        case type_id::q5_K:
        case type_id::iq4_xs:
        case type_id::iq3_ks:
        case type_id::iq4_k:
        case type_id::iq4_ks:
        case type_id::iq4_kss:
        case type_id::iq5_k:
        case type_id::iq5_ks:
        case type_id::iq6_k:
        case type_id::iq1_s:
        case type_id::iq1_s_r4:
        case type_id::iq2_s:
        case type_id::iq3_xxs:
        case type_id::iq3_s:
        case type_id::iq1_kt:
        case type_id::iq2_kt:
        case type_id::iq3_kt:
        case type_id::iq4_kt:
            return {2, 256};
        default:
            return {-1, 0};
    }
}

double weighted_error(const objective& o, std::span<const float> x, std::span<const float> y,
                      std::size_t cols, std::span<const float> importance) {
    double error = 0;
    const auto window = o.window == 0 ? cols : o.window;
    for (std::size_t at = 0; at < x.size(); at += window) {
        double mean = 0;
        for (std::size_t i = at; i < at + window; ++i) mean += double{x[i]} * double{x[i]};
        mean /= static_cast<double>(window);
        for (std::size_t i = at; i < at + window; ++i) {
            const double u = importance.empty() ? 1.0 : double{importance[i % cols]};
            const double w = o.c < 0 ? u : u * std::sqrt(o.c * mean + double{x[i]} * double{x[i]});
            error += w * (double{x[i]} - double{y[i]}) * (double{x[i]} - double{y[i]});
        }
    }
    return error;
}

std::vector<float> golden_importance(std::size_t cols) {
    std::ifstream in(std::filesystem::path(BPW_TEST_DATA_DIR) / "golden" / "importance.f32",
                     std::ios::binary);
    std::vector<float> out(cols);
    in.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(4 * cols));
    EXPECT_TRUE(in.good());
    return out;
}

// The reference was run without importance for these.
bool is_unweighted(type_id id) {
    switch (id) {
        case type_id::mxfp4:
        case type_id::nvfp4:
        case type_id::q1_0:
        case type_id::q2_0:
        case type_id::tq1_0:
        case type_id::tq2_0:
            return true;
        default:
            return false;
    }
}

struct errors {
    double ours = 0;
    double reference = 0;
};
struct comparison {
    errors own;         // weighted as the type's encoder does
    errors importance;  // weighted by importance alone
};

std::optional<comparison> compare_with_reference(type_id id) {
    const std::string name(bpw::name(id));
    if (!std::filesystem::exists(reference::golden_path(name, "encoded"))) return {};
    auto g = reference::load_golden(reference::golden_path(name, "encoded"));
    // The stored decodings of these two leave the row header out of account.
    if (id == type_id::iq1_bn || id == type_id::iq2_bn)
        encode_any::decode({id, g.payload, g.rows, g.cols}, g.weights);
    std::vector<float> importance;
    if (!is_unweighted(id)) importance = golden_importance(g.cols);
    const auto ours = through(id, g.source, g.rows, g.cols, importance);
    const auto weighted_by = [&](const objective& o) {
        return errors{weighted_error(o, g.source, ours, g.cols, importance),
                      weighted_error(o, g.source, g.weights, g.cols, importance)};
    };
    return comparison{weighted_by(objective_of(id)), weighted_by({-1, 0})};
}

// Gaussian enough: sums of uniform numbers.
std::vector<float> gaussian(std::size_t n, std::uint64_t seed, float scale = 0.02f) {
    reference::random random(seed);
    std::vector<float> out(n);
    for (auto& x : out) {
        float sum = 0;
        for (int i = 0; i < 12; ++i) sum += random.uniform();
        x = scale * 0.5f * sum;
    }
    return out;
}

double distance(std::span<const float> x, std::span<const float> y) {
    double sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        sum += (double{x[i]} - double{y[i]}) * (double{x[i]} - double{y[i]});
    }
    return sum;
}

bool all_finite(std::span<const float> x) {
    for (const float v : x) {
        if ((std::bit_cast<std::uint32_t>(v) & 0x7f800000u) == 0x7f800000u) return false;
    }
    return true;
}

constexpr std::size_t cols = 512;

// Types with an encoder of their own. Those that interleave rows of others share theirs.
class every_encoder : public testing::TestWithParam<type_id> {
  protected:
    const std::size_t rows = std::max<std::size_t>(2, bpw::info(GetParam()).rows_interleaved);
};
class interleaving_encoder : public testing::TestWithParam<type_id> {};

std::vector<type_id> encodable(bool interleaving) {
    std::vector<type_id> out;
    for (const auto id : encodable()) {
        if (bpw::info(id).base.has_value() == interleaving) out.push_back(id);
    }
    return out;
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(encode, every_encoder, testing::ValuesIn(encodable(false)), test_name);
INSTANTIATE_TEST_SUITE_P(encode, interleaving_encoder, testing::ValuesIn(encodable(true)),
                         test_name);

TEST(encode, covers_every_type_of_weights) {
    for (const auto& t : bpw::type_infos()) {
        const bool no_weights = t.id >= type_id::i8 && t.id <= type_id::f64;
        EXPECT_EQ(encode_any::can_encode(t.id), !no_weights && t.id != type_id::i2_s) << t.name;
    }
}

TEST_P(every_encoder, is_no_worse_than_the_reference) {
    const auto e = compare_with_reference(GetParam());
    if (!e) return;
    // The last digits of the scale differ even where both find the optimum.
    EXPECT_LE(e->own.ours, e->own.reference * 1.00001);
    EXPECT_LE(e->importance.ours, e->importance.reference * 1.0005);
}

TEST(encode, is_better_than_the_reference_on_the_whole) {
    double sum = 0;
    int count = 0;
    for (const auto id : encodable()) {
        if (is_plain(id) || is_coarse(id) || bpw::info(id).base) continue;
        if (const auto e = compare_with_reference(id)) {
            sum += std::log(e->own.ours / e->own.reference);
            ++count;
        }
    }
    EXPECT_GT(count, 30);
    EXPECT_LT(std::exp(sum / count), 0.95);
}

// Rows of ordinary numbers, of some beyond the type's range, and of those next to its end.
TEST(encode, rounds_plain_numbers_to_the_nearest) {
    constexpr std::size_t rows = 4;
    // Not a multiple of any vector's length.
    constexpr std::size_t odd = 333;
    reference::random random(14);
    std::vector<float> x(rows * odd);
    for (std::size_t i = 0; i < x.size(); ++i) {
        do {
            x[i] = std::bit_cast<float>(static_cast<std::uint32_t>(random.bits()));
        } while (!all_finite({&x[i], 1}) || (i < odd && std::fabs(x[i]) > 1e4f));
    }
    std::size_t at = 2 * odd;
    for (const float end : {65519.996f, 65520.0f, 65504.0f, 0x1.fep127f, 0x1.feffp127f, 0x1.ffp127f,
                            std::numeric_limits<float>::max()}) {
        x[at++] = end;
        x[at++] = -end;
    }
    const auto expect = [&](type_id id, auto nearest, std::uint32_t infinity) {
        std::vector<std::byte> bytes(encode_any::bytes_of(id, rows, odd));
        ASSERT_TRUE(encode_any::encode(id, x, rows, odd, bytes));
        for (std::size_t i = 0; i < x.size(); ++i) {
            std::uint16_t bits;
            std::memcpy(&bits, bytes.data() + 2 * i, 2);
            std::uint32_t wanted = nearest(x[i]);
            if ((wanted & 0x7fffu) == infinity) --wanted;
            ASSERT_EQ(bits, wanted) << bpw::name(id) << ' ' << x[i];
        }
    };
    expect(type_id::f16, bpw::float_to_half, 0x7c00u);
    expect(type_id::bf16, bpw::float_to_bf16, 0x7f80u);
}

// Some kernels negate codes in 8 bits. Here the best scale does not reach the largest weight.
TEST(encode, writes_no_code_without_an_opposite) {
    auto x = gaussian(8 * cols, 15);
    std::vector<float> importance(cols, 1.0f);
    for (std::size_t i = 0; i < x.size(); i += 16) {
        x[i] = i % 32 == 0 ? 0.125f : -0.125f;
        importance[i % cols] = 0.0f;
    }
    const auto has_code = [&](type_id id, std::size_t header, std::size_t block, int code) {
        std::vector<std::byte> bytes(encode_any::bytes_of(id, 8, cols));
        EXPECT_TRUE(encode_any::encode(id, x, 8, cols, bytes, importance));
        bool found = false;
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            found = found ||
                    (i % block >= header && bytes[i] == std::byte{static_cast<std::uint8_t>(code)});
        }
        return found;
    };
    for (const int code : {127, -127, -128}) {
        EXPECT_EQ(has_code(type_id::q8_0, 2, 34, code), code != -128);
        EXPECT_EQ(has_code(type_id::q8_KV, 8, 8 + cols, code), code != -128);
        EXPECT_EQ(has_code(type_id::q8_k_r8, 16, 16 + 8 * 256, code), code != -128);
    }
}

TEST_P(every_encoder, keeps_rows_of_zeros) {
    const std::vector<float> zeros(rows * cols, 0.0f);
    for (const float w : through(GetParam(), zeros, rows, cols)) ASSERT_EQ(w, 0.0f);
    const std::vector<float> importance(cols, 1.0f);
    for (const float w : through(GetParam(), zeros, rows, cols, importance)) ASSERT_EQ(w, 0.0f);
}

TEST_P(every_encoder, keeps_groups_of_zeros_small) {
    if (is_coarse(GetParam()) && base_of(GetParam()) == type_id::q1_0) return;
    auto x = gaussian(rows * cols, 1);
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t i = 64; i < 96; ++i) x[row * cols + i] = 0.0f;
    }
    const auto y = through(GetParam(), x, rows, cols);
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t i = 64; i < 96; ++i) ASSERT_LT(std::fabs(y[row * cols + i]), 0.0045f) << i;
    }
}

// Every power of two, also those that are subnormal or near the largest float.
TEST_P(every_encoder, takes_any_magnitude) {
    constexpr std::size_t few = 256;
    for (const int e : {-149, -140, -127, -126, -60, -24, -14, 0, 15, 16, 60, 100, 126, 127}) {
        auto x = gaussian(rows * few, 2, 0.25f);
        for (auto& v : x) v = std::ldexp(v, e);
        const auto y = through(GetParam(), x, rows, few);
        EXPECT_TRUE(all_finite(y)) << "2^" << e;
        // What is out of range is cut off or lost, but does not change sides on the whole.
        double product = 0;
        for (std::size_t i = 0; i < x.size(); ++i) product += double{x[i]} * double{y[i]};
        EXPECT_GE(product, 0.0) << "2^" << e;
    }
}

TEST_P(every_encoder, takes_magnitudes_side_by_side) {
    reference::random random(3);
    std::vector<float> x(rows * cols);
    for (auto& v : x) {
        do {
            v = std::bit_cast<float>(static_cast<std::uint32_t>(random.bits()));
        } while (!all_finite({&v, 1}));
    }
    EXPECT_TRUE(all_finite(through(GetParam(), x, rows, cols)));
    // The largest float beside the smallest.
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = i % 7 == 0   ? std::numeric_limits<float>::max()
               : i % 7 == 3 ? std::numeric_limits<float>::lowest()
                            : std::numeric_limits<float>::denorm_min();
    }
    EXPECT_TRUE(all_finite(through(GetParam(), x, rows, cols)));
}

TEST_P(every_encoder, takes_importance_of_zero) {
    const auto x = gaussian(rows * cols, 4);
    const auto flat = distance(x, through(GetParam(), x, rows, cols));
    std::vector<float> importance(cols, 0.0f);
    const auto nothing = through(GetParam(), x, rows, cols, importance);
    EXPECT_TRUE(all_finite(nothing));
    EXPECT_LT(distance(x, nothing), 1.2 * flat + 1e-30);
    // With its sign too.
    importance.assign(cols, -0.0f);
    EXPECT_EQ(nothing, through(GetParam(), x, rows, cols, importance));
    // Only some columns matter: the others are still encoded, not dropped.
    for (std::size_t c = 0; c < cols; ++c) importance[c] = c / 32 % 3 == 0 ? 0.0f : 1.0f;
    const auto some = through(GetParam(), x, rows, cols, importance);
    EXPECT_TRUE(all_finite(some));
    EXPECT_LT(distance(x, some), 1.6 * flat + 1e-30);
}

TEST_P(every_encoder, takes_extreme_importance) {
    const auto x = gaussian(rows * cols, 5);
    reference::random random(6);
    std::vector<float> importance(cols);
    for (auto& u : importance) {
        u = std::ldexp(1.0f + std::fabs(random.uniform()),
                       static_cast<int>(random.below(250)) - 125);
    }
    EXPECT_TRUE(all_finite(through(GetParam(), x, rows, cols, importance)));
    importance.assign(cols, std::numeric_limits<float>::denorm_min());
    EXPECT_TRUE(all_finite(through(GetParam(), x, rows, cols, importance)));
}

TEST_P(every_encoder, heeds_importance) {
    if (is_plain(GetParam())) return;
    const auto x = gaussian(rows * cols, 7);
    std::vector<float> importance(cols, 1.0f);
    for (std::size_t c = 0; c < cols; c += 4) importance[c] = 50.0f;
    const auto with = through(GetParam(), x, rows, cols, importance);
    const auto without = through(GetParam(), x, rows, cols);
    const objective plain{-1, 0};
    EXPECT_LE(weighted_error(plain, x, with, cols, importance),
              1.0001 * weighted_error(plain, x, without, cols, importance));
}

TEST_P(every_encoder, heeds_the_wanted_weights) {
    // Enough rows that what a search misses evens out.
    const auto many = 2 * rows;
    const auto x = gaussian(many * cols, 8);
    const objective plain{-1, 0};
    const auto usual = through(GetParam(), x, many, cols);
    const auto alone = through(GetParam(), x, many, cols, {}, {bpw::error_weight::importance});
    // Trellis searches are not exhaustive, and miss more.
    const bool trellis = bpw::name(GetParam()).ends_with("_kt");
    EXPECT_LE(weighted_error(plain, x, alone, cols, {}),
              (trellis ? 1.03 : 1.005) * weighted_error(plain, x, usual, cols, {}));
    EXPECT_TRUE(all_finite(through(GetParam(), x, many, cols, {}, {bpw::error_weight::squares})));
}

// One type for every way of searching. A search may miss its best now and then, so that for a
// single type the errors may be a little larger, but not for all.
TEST(encode, minimises_what_is_asked_for) {
    constexpr std::size_t rows = 8;
    const auto x = gaussian(rows * cols, 8);
    const objective plain{-1, 0};
    double ratios = 0;
    int types = 0;
    for (const auto id : {type_id::q4_0, type_id::q4_1, type_id::q4_K, type_id::q3_K,
                          type_id::iq4_nl, type_id::iq3_k, type_id::iq4_kss, type_id::iq2_kl,
                          type_id::iq2_xs, type_id::iq3_s, type_id::iq1_s, type_id::iq2_kt}) {
        const auto usual = through(id, x, rows, cols);
        const auto alone = through(id, x, rows, cols, {}, {bpw::error_weight::importance});
        const auto squares = through(id, x, rows, cols, {}, {bpw::error_weight::squares});
        EXPECT_NE(usual, alone) << bpw::name(id);
        EXPECT_NE(usual, squares) << bpw::name(id);
        ratios += std::log(weighted_error(plain, x, alone, cols, {}) /
                           weighted_error(plain, x, usual, cols, {}));
        ++types;
    }
    EXPECT_LT(std::exp(ratios / types), 0.99);
}

// Weights that the type can hold exactly are kept.
TEST_P(every_encoder, keeps_what_it_decodes) {
    const auto x = gaussian(rows * cols, 9);
    const auto once = through(GetParam(), x, rows, cols);
    const auto twice = through(GetParam(), once, rows, cols);
    // A search may miss the one scale among all that is exact, but not by much.
    EXPECT_LE(distance(once, twice), 0.1 * distance(x, once));
}

// One type for every way of searching or of laying out what was found.
TEST(encode, writes_the_same_bytes_for_any_number_of_threads) {
    // A task and a part of another.
    const std::size_t many = 144;
    const auto x = gaussian(many * cols, 10);
    const auto importance = golden_importance(cols);
    for (const auto id :
         {type_id::bf16_r16, type_id::q4_0_r8, type_id::q8_KV, type_id::q2_K, type_id::iq3_k,
          type_id::iq4_kss, type_id::iq2_kl, type_id::iq2_xs, type_id::iq1_kt, type_id::tq1_0}) {
        std::vector<std::byte> alone(encode_any::bytes_of(id, many, cols));
        // Bytes that were there before do not show.
        std::vector<std::byte> together(alone.size(), std::byte{0xa5});
        ASSERT_TRUE(encode_any::encode(id, x, many, cols, alone, importance));
        std::atomic<std::size_t> tasks = 0;
        const auto in_reverse = [&](std::size_t n, const std::function<void(std::size_t)>& f) {
            tasks += n;
            std::vector<std::thread> threads;
            for (std::size_t i = n; i-- > 0;) threads.emplace_back([&f, i] { f(i); });
            for (auto& t : threads) t.join();
        };
        ASSERT_TRUE(encode_any::encode(id, x, many, cols, together, importance, {}, in_reverse));
        EXPECT_GT(tasks, 1u);
        EXPECT_TRUE(alone == together) << bpw::name(id);
    }
}

TEST_P(interleaving_encoder, lays_out_interleaved_rows_as_repacking_does) {
    const auto base = bpw::info(GetParam()).base;
    ASSERT_TRUE(base);
    const std::size_t rows = bpw::info(GetParam()).rows_interleaved;
    // Bytes that were there before do not show.
    const auto x = gaussian(rows * cols, 11);
    std::vector<std::byte> plain(encode_any::bytes_of(*base, rows, cols));
    std::vector<std::byte> direct(encode_any::bytes_of(GetParam(), rows, cols), std::byte{0xa5});
    ASSERT_TRUE(encode_any::encode(*base, x, rows, cols, plain));
    ASSERT_TRUE(encode_any::encode(GetParam(), x, rows, cols, direct));
    std::vector<std::byte> repacked(direct.size());
    ASSERT_TRUE(bpw::repack({*base, plain, rows, cols}, GetParam(), repacked));
    EXPECT_TRUE(direct == repacked);
}

TEST_P(every_encoder, refuses_in_a_sentence) {
    const auto id = GetParam();
    auto x = gaussian(rows * cols, 12);
    std::vector<std::byte> out(encode_any::bytes_of(id, rows, cols), std::byte{0x5a});
    const auto before = out;
    const auto message = [&](const bpw::result<void>& r) {
        EXPECT_FALSE(r.ok());
        return r.ok() ? std::string() : r.error().message;
    };
    const std::span<const float> all(x);
    const std::span<std::byte> room(out);
    EXPECT_NE(
        message(encode_any::encode(id, all.first(100), rows, cols, out)).find("has 100 floats"),
        std::string::npos);
    EXPECT_NE(message(encode_any::encode(id, x, rows, cols, room.first(out.size() - 1)))
                  .find("the output has"),
              std::string::npos);
    std::vector<float> importance(cols - 1, 1.0f);
    EXPECT_NE(
        message(encode_any::encode(id, x, rows, cols, out, importance)).find("the importance has"),
        std::string::npos);
    importance.assign(cols, 1.0f);
    for (const float bad :
         {-1.0f, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
        importance[7] = bad;
        EXPECT_NE(message(encode_any::encode(id, x, rows, cols, out, importance)).find("column 7 "),
                  std::string::npos);
    }
    EXPECT_TRUE(out == before);
    for (const float bad :
         {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
        x[cols + 5] = bad;
        EXPECT_NE(message(encode_any::encode(id, x, rows, cols, out)).find("weight 5 of row 1 "),
                  std::string::npos);
    }
    x[cols + 5] = 0;
    out = before;
    if (bpw::info(id).block_size > 1) {
        EXPECT_NE(
            message(encode_any::encode(id, x, rows, cols - 1, out)).find("is not a multiple of"),
            std::string::npos);
    }
    if (bpw::info(id).rows_interleaved > 1) {
        EXPECT_NE(message(encode_any::encode(id, x, rows - 1, cols, out)).find("row count "),
                  std::string::npos);
    }
    EXPECT_TRUE(out == before);
}

TEST_P(every_encoder, encodes_no_rows) {
    EXPECT_TRUE(encode_any::encode(GetParam(), {}, 0, cols, {}));
}

// One type for every way of searching. The sums were taken once; a change of an encoder changes
// them, but no change of the arch, the compiler or its flags may.
TEST(encode, writes_the_same_bytes_on_every_arch) {
    constexpr std::size_t rows = 16;
    struct expected {
        type_id id;
        std::uint64_t sum;
    };
    constexpr expected types[] = {
        {type_id::f16, 0x4aaea21d000b7c3bu},     {type_id::q4_0, 0x66937ad123a05458u},
        {type_id::q4_1, 0x8dd2dec59b64e134u},    {type_id::q8_0, 0x5ca1eb756e49a8f7u},
        {type_id::q2_K, 0x1438a8daa64df2bu},     {type_id::q6_K, 0x5a4a45ef7398f5d7u},
        {type_id::iq4_nl, 0x5adf516e233c1575u},  {type_id::mxfp4, 0x4aba7f4acec6ebddu},
        {type_id::iq3_k, 0xd11e004e1dd5d63eu},   {type_id::iq5_ks, 0xffbe197b6bb3386bu},
        {type_id::iq4_kss, 0x70998870b453cd2fu}, {type_id::iq2_kl, 0xab5380b0661b3f18u},
        {type_id::iq2_xs, 0x18c66c20808f899fu},  {type_id::iq3_xxs, 0x8a092f5182e424edu},
        {type_id::iq1_m, 0xf294b7163db8c313u},   {type_id::iq2_kt, 0x792a3c4dea5c8417u},
        {type_id::iq4_kt, 0xb37f219d274308a3u},  {type_id::tq1_0, 0xfe5c3940724c79c6u},
    };
    auto x = gaussian(rows * cols, 13);
    for (std::size_t i = 0; i < x.size(); i += 37) x[i] *= 5.0f;
    const auto importance = golden_importance(cols);
    for (const auto& t : types) {
        std::vector<std::byte> bytes(encode_any::bytes_of(t.id, rows, cols));
        std::uint64_t sum = 0;
        for (const bool weighted : {true, false}) {
            ASSERT_TRUE(encode_any::encode(
                t.id, x, rows, cols, bytes,
                weighted ? std::span<const float>(importance) : std::span<const float>()));
            for (const auto b : bytes) sum = reference::mix(sum ^ static_cast<std::uint64_t>(b));
        }
        EXPECT_EQ(sum, t.sum) << bpw::name(t.id) << std::hex << " 0x" << sum;
    }
}

TEST(encode, refuses_types_without_an_encoder) {
    const std::vector<float> x(128);
    std::vector<std::byte> out(64);
    const auto r = encode_any::encode(type_id::i2_s, x, 1, 128, out);
    ASSERT_FALSE(r.ok());
    EXPECT_EQ(r.error().message, "there is no encoder for i2_s");
    EXPECT_EQ(encode_any::encode(static_cast<type_id>(9999), x, 1, 128, out).error().code,
              bpw::errc::unknown_type);
}
