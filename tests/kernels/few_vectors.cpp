// Products in integers of a few vectors, which are multiplied by kernels of their own.
#include <kernels/integer_types.hpp>
#include <reference/samples.hpp>

#include <bpw/kernels/integer_product.hpp>

#include <gtest/gtest.h>

#include <span>
#include <vector>

namespace {

using integer_types::random_floats;

// All types, or one for every kind of kernel.
template <class F>
void for_tested_types(F f) {
#ifdef BPW_ALL_TYPES
    integer_types::for_every_integer_type(f);
#else
    integer_types::for_types<bpw::q4_0, bpw::q8_0, bpw::q8_KV, bpw::iq1_bn, bpw::q4_K, bpw::q6_K,
                             bpw::iq4_k, bpw::iq6_k, bpw::iq2_xxs, bpw::iq1_s, bpw::iq3_s,
                             bpw::iq4_kt, bpw::q4_0_r8, bpw::iq4_ks_r4, bpw::iq3_xxs_r4,
                             bpw::q8_k_r16>(f);
#endif
}

// More tiles and rows than are multiplied before the next ones of either; the last tile is not
// full.
TEST(few_vectors, have_the_bits_of_one) {
    reference::random numbers(44);
    for_tested_types([&]<class T>(bpw::tag<T>) {
        constexpr auto rows = 10 / std::size_t{bpw::traits<T>::rows} * bpw::traits<T>::rows +
                              std::size_t{bpw::traits<T>::rows};
        constexpr auto cols = 17 * bpw::tile_weights + std::size_t{bpw::traits<T>::block_size};
        constexpr std::size_t most = 7;
        const auto bytes = reference::random_tensor(T::id, rows, cols, numbers);
        const bpw::matrix_view<T> w(bytes, rows, cols);
        const auto x = random_floats(most * cols, numbers);
        std::vector<bpw::activations_for<T>> packed;
        std::vector<float> alone(most * rows);
        for (std::size_t c = 0; c < most; ++c) {
            packed.emplace_back(std::span(x).subspan(c * cols, cols));
            bpw::try_gemv<T>(w, packed[c], std::span(alone).subspan(c * rows, rows)).value();
        }
        for (const std::size_t count : {0u, 2u, 3u, 4u, 5u, 7u}) {
            std::vector<float> y(count * (rows + 1), -1.0f);
            bpw::try_gemv<T>(w, std::span(packed).first(count),
                             bpw::vectors<float>(y.data(), count, rows, rows + 1))
                .value();
            for (std::size_t c = 0; c < count; ++c) {
                for (std::size_t row = 0; row < rows; ++row) {
                    ASSERT_EQ(y[c * (rows + 1) + row], alone[c * rows + row])
                        << "row " << row << ", vector " << c << " of " << count;
                }
                ASSERT_EQ(y[c * (rows + 1) + rows], -1.0f) << "written behind the vector";
            }
        }
    });
}

}  // namespace
