// Quant types that a user defines get every kernel.
#include <bpw/bpw.hpp>
#include <reference/product.hpp>
#include <reference/random.hpp>
#include <reference/same_bits.hpp>

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace user {

// 24 weights of 5 bits in three groups, each with its own scale and offset: no power of two and no
// multiple of a vector anywhere.
struct q5_g8 {
    static constexpr std::string_view name = "q5_g8";
    static constexpr int block_size = 24;
    static constexpr int group_size = 8;
    static constexpr bpw::lane_range lanes{0, 31};
    struct block {
        bpw::le16 d;
        bpw::le16 m;
        std::uint8_t scales[3];  // scale in the low, offset in the high nibble
        std::uint8_t codes[15];
    };
    static constexpr auto d = bpw::half_at(0);
    static constexpr auto m = bpw::half_at(2);
    static constexpr auto s = bpw::values<3>(bpw::bits<4>(bpw::plane<8>{4}));
    static constexpr auto o = bpw::values<3>(bpw::bits<4>(bpw::plane<8>{4, 4}));
    static constexpr auto q = bpw::values<24>(bpw::bits<5>(bpw::records<24, 15, 5>{7}));

    using ref = bpw::block_ref<q5_g8>;
    static constexpr float block_scale(ref b) { return bpw::half_to_float(b.get(d)); }
    static constexpr int group_scale(ref b, int g) { return static_cast<int>(b.get(s, g)); }
    static constexpr float block_offset(ref b) { return bpw::half_to_float(b.get(m)); }
    static constexpr int group_offset(ref b, int g) { return static_cast<int>(b.get(o, g)) - 8; }
    static constexpr int lane(ref b, int i) { return static_cast<int>(b.get(q, i)); }
};

// Seven values that are not integers, a scale per row.
struct logarithmic {
    static constexpr std::string_view name = "logarithmic";
    static constexpr int block_size = 7;
    static constexpr std::size_t header_bytes = 4;
    struct block {
        std::uint8_t x[7];
    };
    using ref = bpw::block_ref<logarithmic>;
    static constexpr float block_scale(ref b) { return b.header_float(); }
    static constexpr float value(ref b, int i) {
        const int x = b.bytes[i];
        return static_cast<float>(1 + (x & 7)) * (x & 8 ? 1.0f : 0.125f) * (x & 128 ? -1.0f : 1.0f);
    }
};

// Two rows side by side: byte i has column i of row 0 in its low nibble, of row 1 in its high one.
struct q4_pair {
    static constexpr std::string_view name = "q4_pair";
    static constexpr int block_size = 8;
    static constexpr int rows = 2;
    static constexpr bpw::lane_range lanes{-8, 7};
    struct block {
        bpw::le16 d[2];
        std::uint8_t codes[8];
    };
    using ref = bpw::block_ref<q4_pair>;
    static constexpr float block_scale(ref b) {
        return bpw::half_to_float(
            bpw::read_bits(b.bytes, static_cast<std::size_t>(16 * b.row), 16));
    }
    static constexpr int lane(ref b, int i) { return (b.bytes[4 + i] >> 4 * b.row & 15) - 8; }
};

}  // namespace user

namespace {

template <class T>
std::vector<std::byte> random_tensor(std::size_t rows, std::size_t cols) {
    reference::random numbers(rows + cols);
    std::vector<std::byte> bytes(bpw::tensor_bytes<T>(rows, cols).value());
    // No byte above 0x3f: every half, float and code that begins anywhere is finite.
    for (auto& b : bytes) b = static_cast<std::byte>(numbers.below(64));
    return bytes;
}

// Weight (row, col), by hand.
float expected(std::type_identity<user::q5_g8>, const std::byte* data, std::size_t row,
               std::size_t col, std::size_t cols) {
    const auto* const block =
        reinterpret_cast<const std::uint8_t*>(data) + (row * cols + col) / 24 * 22;
    const std::size_t i = col % 24, g = i / 8;
    const auto half = [&](std::size_t at) {
        return bpw::half_to_float(block[at] | static_cast<std::uint32_t>(block[at + 1]) << 8);
    };
    unsigned code = 0;
    for (std::size_t bit = 0; bit < 5; ++bit) {
        const std::size_t at = 5 * i + bit;
        code |= (block[7 + at / 8] >> at % 8 & 1u) << bit;
    }
    const float scale = half(0) * static_cast<float>(block[4 + g] & 15);
    const float offset = half(2) * static_cast<float>((block[4 + g] >> 4) - 8);
    return scale * static_cast<float>(code) + offset;
}
float expected(std::type_identity<user::logarithmic>, const std::byte* data, std::size_t row,
               std::size_t col, std::size_t cols) {
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(data) + row * (4 + cols);
    std::uint32_t scale = 0;
    for (int i = 3; i >= 0; --i) scale = scale << 8 | bytes[i];
    const int x = bytes[4 + col];
    const float v = static_cast<float>(1 + x % 8) / (x / 8 % 2 != 0 ? 1.0f : 8.0f);
    return std::bit_cast<float>(scale) * (x >= 128 ? -v : v);
}
float expected(std::type_identity<user::q4_pair>, const std::byte* data, std::size_t row,
               std::size_t col, std::size_t cols) {
    const auto* const block =
        reinterpret_cast<const std::uint8_t*>(data) + (row / 2 * (cols / 8) + col / 8) * 12;
    const std::size_t k = row % 2;
    const float d =
        bpw::half_to_float(block[2 * k] | static_cast<std::uint32_t>(block[2 * k + 1]) << 8);
    const int code = (k == 0 ? block[4 + col % 8] & 15 : block[4 + col % 8] >> 4) - 8;
    return d * static_cast<float>(code);
}

template <class T>
void check(std::size_t rows, std::size_t cols) {
    SCOPED_TRACE(testing::Message() << T::name << ", " << rows << " x " << cols);
    const auto bytes = random_tensor<T>(rows, cols);
    const bpw::matrix_view<T> w(bytes, rows, cols);
    std::vector<float> want(rows * cols);
    for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t c = 0; c < cols; ++c) {
            want[r * cols + c] = expected(std::type_identity<T>{}, bytes.data(), r, c, cols);
        }
    }
    std::vector<float> weights(rows * cols);
    bpw::dequantize(w, weights);
    ASSERT_TRUE(reference::same_bits(weights, want));

    constexpr std::size_t count = 6;
    reference::random numbers(1);
    std::vector<float> x(count * cols);
    for (auto& v : x) v = numbers.uniform();
    std::vector<float> y(count * rows), column(rows), pooled(count * rows);
    bpw::gemm(w, {x.data(), count, cols}, {y.data(), count, rows});
    bpw::threads pool(3);
    bpw::gemm(w, {x.data(), count, cols}, {pooled.data(), count, rows}, pool);
    ASSERT_TRUE(reference::same_bits(pooled, y));
    for (std::size_t c = 0; c < count; ++c) {
        const std::span<const float> xc(x.data() + c * cols, cols);
        bpw::gemv(w, xc, column);
        for (std::size_t r = 0; r < rows; ++r) {
            const std::span<const float> wr(want.data() + r * cols, cols);
            ASSERT_TRUE(reference::same_bits(y[c * rows + r], reference::running_product(wr, xc)));
            ASSERT_TRUE(reference::same_bits(column[r], reference::ordered_product(wr, xc)));
            ASSERT_TRUE(reference::same_bits(bpw::dot(w, r, xc), column[r]));
        }
    }
}

}  // namespace

TEST(custom_type, what_follows_from_the_definition) {
    using t = bpw::traits<user::q5_g8>;
    EXPECT_EQ(t::block_bytes, 22u);
    EXPECT_EQ(t::groups, 3);
    EXPECT_EQ(t::rows, 1);
    EXPECT_TRUE(t::has_offset && t::has_group_scale);
    EXPECT_DOUBLE_EQ(t::bits_per_weight, 8.0 * 22 / 24);
    EXPECT_EQ(bpw::row_bytes<user::logarithmic>(21).value(), 25u);
    EXPECT_EQ(bpw::traits<user::q4_pair>::block_bytes, 6u);
    EXPECT_EQ(bpw::tensor_bytes<user::q4_pair>(4, 16).value(), 48u);
}

// Row lengths from one block over several tiles, most of them no multiple of 16.
TEST(custom_type, every_kernel) {
    for (const std::size_t blocks : {1u, 2u, 3u, 5u, 10u, 11u, 12u, 23u, 48u}) {
        check<user::q5_g8>(5, 24 * blocks);
        check<user::logarithmic>(3, 7 * blocks);
        check<user::q4_pair>(6, 8 * blocks);
    }
    check<user::logarithmic>(2, 7 * 64);
    check<user::q4_pair>(200, 8 * 64);
}

TEST(custom_type, its_name_is_in_the_errors) {
    const std::vector<std::byte> bytes(44);
    const auto length = bpw::matrix_view<user::q5_g8>::make(bytes, 1, 25);
    ASSERT_FALSE(length.ok());
    EXPECT_EQ(length.error().message,
              "row length 25 is not a multiple of 24, the block size of q5_g8");
    const auto rows = bpw::matrix_view<user::q4_pair>::make(bytes, 3, 8);
    ASSERT_FALSE(rows.ok());
    EXPECT_EQ(rows.error().message,
              "row count 3 is not a multiple of 2, the rows that q4_pair interleaves");
}
