// Conversion between types and their row-interleaved forms.
#include <bpw/formats/repack.hpp>
#include <kernels/any_type.hpp>
#include <reference/golden.hpp>
#include <reference/same_bits.hpp>
#include <reference/samples.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

using bpw::any_matrix;
using bpw::errc;
using bpw::type_id;

namespace {

using bytes = std::vector<std::byte>;

// Every base type with its interleaved form, as the format descriptions pair them.
constexpr std::pair<type_id, type_id> pairs[] = {
    {type_id::q4_0, type_id::q4_0_r8},       {type_id::q5_0, type_id::q5_0_r4},
    {type_id::q6_0, type_id::q6_0_r4},       {type_id::q8_0, type_id::q8_0_r8},
    {type_id::iq4_nl, type_id::iq4_nl_r4},   {type_id::mxfp4, type_id::mxfp4_r8},
    {type_id::iq4_xs, type_id::iq4_xs_r8},   {type_id::q2_K, type_id::q2_k_r4},
    {type_id::q3_K, type_id::q3_k_r4},       {type_id::q4_K, type_id::q4_k_r4},
    {type_id::q5_K, type_id::q5_k_r4},       {type_id::q6_K, type_id::q6_k_r4},
    {type_id::q8_KV, type_id::q8_KV_r8},     {type_id::iq2_bn, type_id::iq2_bn_r4},
    {type_id::iq2_xxs, type_id::iq2_xxs_r4}, {type_id::iq2_xs, type_id::iq2_xs_r4},
    {type_id::iq2_s, type_id::iq2_s_r4},     {type_id::iq3_xxs, type_id::iq3_xxs_r4},
    {type_id::iq3_s, type_id::iq3_s_r4},     {type_id::iq2_k, type_id::iq2_k_r4},
    {type_id::iq3_k, type_id::iq3_k_r4},     {type_id::iq4_k, type_id::iq4_k_r4},
    {type_id::iq5_k, type_id::iq5_k_r4},     {type_id::iq4_ks, type_id::iq4_ks_r4},
    {type_id::iq5_ks, type_id::iq5_ks_r4},
};

bytes repacked(type_id from, const bytes& tensor, std::uint64_t rows, std::uint64_t cols,
               type_id to) {
    bytes out(bpw::tensor_bytes(to, rows, cols).value(), std::byte{0xa5});
    bpw::repack(any_matrix{from, tensor, rows, cols}, to, out).value();
    return out;
}

std::vector<float> decode(type_id id, const bytes& tensor, std::size_t rows, std::size_t cols) {
    return any_type::weights({id, tensor, rows, cols});
}

// Types whose interleaved form has +0 where the base type has -0.
bool loses_negative_zero(type_id base) { return base == type_id::q5_0 || base == type_id::q6_0; }

void expect_same_weights(type_id base, std::vector<float> got, std::vector<float> want) {
    if (loses_negative_zero(base)) {
        for (auto* v : {&got, &want}) {
            for (auto& x : *v) x = x == 0.0f ? 0.0f : x;
        }
    }
    EXPECT_TRUE(reference::same_bits(got, want));
}

// q8_KV's header ends with the sum of the row, which its interleaved form does not store.
void set_sums_of_rows(bytes& tensor, std::size_t rows, std::size_t cols) {
    for (std::size_t r = 0; r < rows; ++r) {
        auto* const row = tensor.data() + r * (8 + cols);
        std::int32_t sum = 0;
        for (std::size_t c = 0; c < cols; ++c) sum += static_cast<std::int8_t>(row[8 + c]);
        std::memcpy(row + 4, &sum, 4);
    }
}

}  // namespace

TEST(repack, every_pair_is_known) {
    std::size_t with_base = 0;
    for (const auto& info : bpw::type_infos()) with_base += info.base.has_value() ? 1 : 0;
    EXPECT_EQ(with_base, std::size(pairs));
    for (const auto& [base, packed] : pairs) {
        EXPECT_EQ(bpw::info(packed).base, base) << bpw::name(packed);
        for (const auto other : bpw::all_types) {
            EXPECT_EQ(bpw::can_repack(base, other), other == packed) << bpw::name(other);
            EXPECT_EQ(bpw::can_repack(packed, other), other == base) << bpw::name(other);
        }
    }
}

TEST(repack, there_and_back_on_random_bytes) {
    for (const auto& [base, packed] : pairs) {
        SCOPED_TRACE(bpw::name(packed));
        reference::random numbers(static_cast<std::uint64_t>(packed));
        const auto& info = bpw::info(packed);
        const std::size_t rows = 2 * info.rows_interleaved;
        const std::size_t cols = 3 * info.block_size;
        // All bytes random, scales included.
        bytes tensor(bpw::tensor_bytes(base, rows, cols).value());
        for (auto& b : tensor) b = static_cast<std::byte>(numbers.below(256));
        if (base == type_id::q8_KV) set_sums_of_rows(tensor, rows, cols);
        const auto interleaved = repacked(base, tensor, rows, cols, packed);
        EXPECT_EQ(repacked(packed, interleaved, rows, cols, base), tensor);

        bytes other(interleaved.size());
        for (auto& b : other) b = static_cast<std::byte>(numbers.below(256));
        EXPECT_EQ(repacked(base, repacked(packed, other, rows, cols, base), rows, cols, packed),
                  other);
    }
}

TEST(repack, weights_stay_the_same) {
    for (const auto& [base, packed] : pairs) {
        SCOPED_TRACE(bpw::name(packed));
        reference::random numbers(static_cast<std::uint64_t>(base));
        const auto& info = bpw::info(packed);
        const std::size_t rows = 2 * info.rows_interleaved;
        const std::size_t cols = 3 * info.block_size;
        const auto tensor = reference::random_tensor(base, rows, cols, numbers);
        const auto interleaved = repacked(base, tensor, rows, cols, packed);
        expect_same_weights(base, decode(packed, interleaved, rows, cols),
                            decode(base, tensor, rows, cols));
    }
}

// The reference's own repacking. Where the base file has fewer rows than a group, the interleaved
// file is taken apart instead.
TEST(repack, golden_files) {
    for (const auto& [base, packed] : pairs) {
        SCOPED_TRACE(bpw::name(packed));
        if (packed == type_id::mxfp4_r8) continue;
        const auto b =
            reference::load_golden(reference::golden_path(std::string(bpw::name(base)), "encoded"));
        const auto p = reference::load_golden(
            reference::golden_path(std::string(bpw::name(packed)), "encoded"));
        ASSERT_EQ(b.cols, p.cols);
        ASSERT_LE(b.rows, p.rows);
        const std::uint64_t whole = b.rows / p.interleave * p.interleave;
        const auto row = bpw::row_bytes(base, b.cols).value();
        const auto packed_row = bpw::row_bytes(packed, b.cols).value();
        if (whole != 0) {
            const bytes some(b.payload.begin(),
                             b.payload.begin() + static_cast<std::ptrdiff_t>(whole * row));
            const bytes want(p.payload.begin(),
                             p.payload.begin() + static_cast<std::ptrdiff_t>(whole * packed_row));
            EXPECT_EQ(repacked(base, some, whole, b.cols, packed), want);
        }
        auto apart = repacked(packed, p.payload, p.rows, p.cols, base);
        apart.resize(b.payload.size());
        EXPECT_EQ(apart, b.payload);
    }
}

// mxfp4_r8 has no golden file. Its layout, byte by byte: per row an exponent, then four vectors of
// 8 rows x 4 columns, the low nibbles columns 4 v + i, the high nibbles 16 columns on.
TEST(repack, mxfp4_r8_by_its_description) {
    const auto g = reference::load_golden(reference::golden_path("mxfp4", "random"));
    const auto more = reference::load_golden(reference::golden_path("mxfp4", "encoded"));
    bytes tensor = g.payload;
    tensor.insert(tensor.end(), more.payload.begin(), more.payload.end());
    std::vector<float> weights = g.weights;
    weights.insert(weights.end(), more.weights.begin(), more.weights.end());
    const std::size_t cols = g.cols;
    const auto packed = repacked(type_id::mxfp4, tensor, 8, cols, type_id::mxfp4_r8);
    EXPECT_TRUE(reference::same_bits(decode(type_id::mxfp4_r8, packed, 8, cols), weights));
    for (std::size_t row = 0; row < 8; ++row) {
        for (std::size_t col = 0; col < cols; ++col) {
            const std::size_t block = col / 32, c = col % 32;
            const auto* const from = tensor.data() + row * (cols / 32 * 17) + block * 17;
            const auto* const to = packed.data() + block * 136;
            ASSERT_EQ(to[row], from[0]);
            const auto code = static_cast<unsigned>(from[1 + c % 16]) >> 4 * (c / 16) & 15u;
            const auto placed = static_cast<unsigned>(to[8 + 32 * (c % 16 / 4) + 4 * row + c % 4]);
            ASSERT_EQ(placed >> 4 * (c / 16) & 15u, code) << row << ", " << col;
        }
    }
}

TEST(repack, typed_form) {
    reference::random numbers(7);
    const auto tensor = reference::random_tensor(type_id::q4_K, 8, 512, numbers);
    bytes out(tensor.size());
    const bpw::matrix_view<bpw::q4_K> view(tensor, 8, 512);
    ASSERT_TRUE(bpw::repack<bpw::q4_k_r4>(view, out).ok());
    EXPECT_EQ(out, repacked(type_id::q4_K, tensor, 8, 512, type_id::q4_k_r4));
    static_assert(bpw::is_repackable<bpw::q4_K, bpw::q4_k_r4>);
    static_assert(!bpw::is_repackable<bpw::q4_K, bpw::q5_k_r4>);
    static_assert(!bpw::is_repackable<bpw::q4_K, bpw::q4_K>);
    static_assert(!bpw::is_repackable<bpw::iq1_s, bpw::iq1_s_r4>);
}

TEST(repack, nothing_to_do) {
    for (const auto& [base, packed] : pairs) {
        EXPECT_TRUE(bpw::repack(any_matrix{base, {}, 0, 512}, packed, {}).ok()) << bpw::name(base);
        const auto header = bpw::info(base).row_header_bytes;
        const auto packed_header = bpw::info(packed).row_header_bytes;
        const bytes in(16 * header);
        bytes out(16 * packed_header);
        EXPECT_TRUE(bpw::repack(any_matrix{base, in, 16, 0}, packed, out).ok()) << bpw::name(base);
    }
}

TEST(repack, errors) {
    const auto refused = [](type_id from, std::uint64_t rows, type_id to, std::size_t out_bytes) {
        const bytes in(bpw::tensor_bytes(from, rows, 256).value());
        bytes out(out_bytes);
        const auto r = bpw::repack(any_matrix{from, in, rows, 256}, to, out);
        EXPECT_FALSE(r.ok());
        return r.ok() ? bpw::failure{} : r.error();
    };
    const auto rows = refused(type_id::q4_K, 6, type_id::q4_k_r4, 6 * 144);
    EXPECT_EQ(rows.code, errc::bad_shape);
    EXPECT_EQ(rows.message,
              "row count 6 is not a multiple of 4, the rows that q4_k_r4 interleaves");
    const auto size = refused(type_id::q4_K, 4, type_id::q4_k_r4, 575);
    EXPECT_EQ(size.code, errc::size_mismatch);
    EXPECT_EQ(size.message, "a 4 x 256 matrix of q4_k_r4 takes 576 bytes, but the output has 575");
    for (const auto& [from, to] :
         {std::pair{type_id::q4_K, type_id::q5_k_r4}, std::pair{type_id::q4_k_r4, type_id::q5_K},
          std::pair{type_id::q4_K, type_id::q4_K}, std::pair{type_id::iq1_s, type_id::iq1_s_r4},
          std::pair{type_id::q8_K, type_id::q8_k_r8}, std::pair{type_id::bf16, type_id::bf16_r16},
          std::pair{type_id::f32, type_id::f16}}) {
        const auto other = refused(from, 16, to, 1);
        EXPECT_EQ(other.code, errc::unsupported);
        EXPECT_NE(other.message.find(bpw::name(from)), std::string::npos) << other.message;
        EXPECT_NE(other.message.find(bpw::name(to)), std::string::npos) << other.message;
    }
}
