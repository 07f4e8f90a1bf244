// Kernels made of tiles: their products have the bits of try_gemv, their lanes and scales are the
// weights.
#include <reference/random.hpp>
#include <reference/same_bits.hpp>
#include <reference/samples.hpp>

#include <bpw/bpw.hpp>
#include <bpw/kernels/tiles.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace {

// Plain and with offsets, with bias and with steps, codebooks, interleaved, with a scale for a row;
// with one block in a tile and with several.
template <class T>
class tiles : public testing::Test {
  public:
    static constexpr std::size_t rows = 8;

    void make(std::size_t cols) {
        reference::random numbers(cols);
        bytes = reference::random_tensor(T::id, rows, cols, numbers);
        w = *bpw::matrix_view<T>::make(bytes, rows, cols);
        x.resize(cols);
        for (auto& v : x) v = numbers.uniform();
    }

    std::vector<std::byte> bytes;
    bpw::matrix_view<T> w;
    std::vector<float> x;
};
using types = testing::Types<bpw::q4_0, bpw::q5_1, bpw::q8_0, bpw::q4_K, bpw::q6_K, bpw::iq2_xxs,
                             bpw::iq3_s, bpw::iq4_ks, bpw::iq2_k, bpw::q4_0_r8, bpw::q4_k_r4,
                             bpw::iq4_ks_r4, bpw::iq1_bn, bpw::q8_KV, bpw::iq2_bn_r4>;
TYPED_TEST_SUITE(tiles, types);

TYPED_TEST(tiles, products_have_the_bits_of_gemv) {
    using type = TypeParam;
    constexpr auto block = std::size_t{bpw::traits<type>::block_size};
    // Full tiles alone; one that is shorter, alone and behind others.
    for (const std::size_t cols : {std::size_t{1024}, block, 512 + block, std::size_t{256}}) {
        SCOPED_TRACE(cols);
        this->make(cols);
        const bpw::activations_for<type> packed(this->x);
        std::vector<float> expected(this->rows);
        ASSERT_TRUE(bpw::try_gemv<type>(this->w, packed, expected).ok());
        using products = bpw::row_products<type>;
        std::vector<float> got;
        for (std::size_t row = 0; row < this->rows; row += products::rows) {
            products sums;
            for (const float y : sums.totals()) EXPECT_EQ(y, 0.0f);
            for (std::size_t t = 0; t < bpw::tiles_per_row(this->w); ++t) {
                sums.add(this->w, row, t, packed.tiles()[t]);
            }
            for (const float y : sums.totals()) got.push_back(y);
        }
        EXPECT_TRUE(reference::same_bits(got, expected));
    }
}

// w = scale * (lane - bias) + offset, in the lane order of the type.
TYPED_TEST(tiles, lanes_and_scales_are_the_weights) {
    using type = TypeParam;
    using arch = bpw::native_arch;
    using unpack = bpw::unpack<type>;
    using order = typename unpack::order;
    if constexpr (bpw::traits<type>::rows == 1) {
        this->make(512);
        for (std::size_t row = 0; row < this->rows; ++row) {
            for (std::size_t t = 0; t < 2; ++t) {
                const auto tile = bpw::row_tile(this->w, row, t);
                const auto scales = bpw::scales_of<arch>(tile);
                const auto check = [&]<int Step>() {
                    std::uint8_t lanes[64];
                    float scale[16];
                    float offset[16];
                    unpack::template lanes<Step, arch>(tile).store(lanes);
                    bpw::of_quads<type, Step>(scales.scale).store(scale);
                    bpw::of_quads<type, Step>(scales.offset).store(offset);
                    for (int lane = 0; lane < 64; ++lane) {
                        const auto i = static_cast<std::size_t>(lane);
                        const auto weight = static_cast<std::size_t>(order::weight(Step, lane));
                        ASSERT_LE(lanes[i], unpack::max);
                        const float got =
                            scale[i / 4] * static_cast<float>(lanes[i] - unpack::bias) +
                            offset[i / 4];
                        constexpr auto size = std::size_t{bpw::traits<type>::block_size};
                        const float expected =
                            bpw::weight(tile.block(weight / size), static_cast<int>(weight % size));
                        ASSERT_NEAR(got, expected, 1e-5f * std::fabs(expected) + 1e-7f)
                            << "row " << row << ", weight " << 256 * t + weight;
                        if (!bpw::has_offsets<type>) {
                            ASSERT_EQ(offset[i / 4], 0.0f);
                        }
                    }
                };
                check.template operator()<0>();
                check.template operator()<1>();
                check.template operator()<2>();
                check.template operator()<3>();
            }
        }
    }
}

}  // namespace
