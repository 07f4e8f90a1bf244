// Products in integers, for every type that has them.
#include <kernels/integer_types.hpp>
#include <reference/random.hpp>
#include <reference/samples.hpp>

#include <bpw/formats/registry.hpp>
#include <bpw/kernels/integer_product.hpp>
#include <bpw/parallel.hpp>

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace {

using integer_types::for_every_integer_type;
using integer_types::random_floats;

// What activations stand for after packing, in the order of the weights.
template <class Order, int Bias, int Group>
std::vector<double> unpacked(const bpw::activations<Order, Bias, Group>& a) {
    std::vector<double> x(a.size());
    for (std::size_t t = 0; t * bpw::tile_weights < x.size(); ++t) {
        const auto& tile = a.tiles()[t];
        const bool full = (t + 1) * bpw::tile_weights <= x.size();
        float scale_of_run[16];
        for (std::size_t n = 0; n < 16; ++n) {
            const int run =
                full ? bpw::detail::order_of_runs<Order, Group>[n] : static_cast<int>(n);
            scale_of_run[run] = tile.scale[n];
        }
        const auto put = [&](int i, std::int8_t q) {
            const auto at = t * bpw::tile_weights + static_cast<std::size_t>(i);
            if (at < x.size()) x[at] = static_cast<double>(scale_of_run[i / 16]) * q;
        };
        const std::size_t steps = full ? bpw::steps_of<Order> : 4;
        for (std::size_t lane = 0; lane < 64 * steps; ++lane) {
            const auto step = static_cast<int>(lane / 64);
            const auto in_step = static_cast<int>(lane % 64);
            const int i =
                full ? Order::weight(step, in_step) : bpw::natural_order::weight(step, in_step);
            const auto q = [&] {
                if constexpr (bpw::steps_of<Order> == 5)
                    return step < 4 ? tile.q[lane] : tile.fifth[in_step];
                else
                    return tile.q[lane];
            }();
            if (i >= 0)
                put(i, q);
            else
                EXPECT_EQ(q, 0) << "a lane without a weight";
        }
    }
    return x;
}

// A weight as integers see it: in sixteenths where it is no integer before scaling.
template <class T>
double integer_weight(const bpw::matrix_view<T>& w, std::size_t row, std::size_t i) {
    constexpr auto size = std::size_t{bpw::traits<T>::block_size};
    const auto block = w.block(row, i / size);
    const int n = static_cast<int>(i % size);
    const int g = n / bpw::traits<T>::group_size;
    const auto lane = [&] {
        if constexpr (bpw::detail::has_value<T>)
            return std::round(16 * static_cast<double>(T::value(block, n))) / 16;
        else
            return T::lane(block, n);
    };
    return static_cast<double>(bpw::scale(block, g)) * lane() +
           static_cast<double>(bpw::offset(block, g));
}

// Offsets are added apart from the products that they may cancel.
template <class T>
double offset_of(const bpw::matrix_view<T>& w, std::size_t row, std::size_t i) {
    constexpr auto size = std::size_t{bpw::traits<T>::block_size};
    const auto block = w.block(row, i / size);
    const int g = static_cast<int>(i % size) / bpw::traits<T>::group_size;
    return std::fabs(static_cast<double>(bpw::offset(block, g))) +
           5 * std::fabs(static_cast<double>(bpw::scale(block, g)));
}

template <class T>
void expect_products(std::size_t rows, std::size_t cols, std::size_t count,
                     reference::random& numbers) {
    const auto bytes = reference::random_tensor(T::id, rows, cols, numbers);
    const bpw::matrix_view<T> w(bytes, rows, cols);
    const auto x = random_floats(count * cols, numbers);
    const bpw::activation_batch_for<T> batch(bpw::vectors<const float>(x.data(), count, cols));
    std::vector<float> y(count * (rows + 1), -1.0f);
    bpw::try_gemm<T>(w, batch, bpw::vectors<float>(y.data(), count, rows, rows + 1)).value();
    std::vector<float> alone(rows);
    for (std::size_t c = 0; c < count; ++c) {
        const bpw::activations_for<T> vector{std::span(x).subspan(c * cols, cols)};
        const auto exact = unpacked(vector);
        bpw::try_gemv<T>(w, vector, alone).value();
        for (std::size_t row = 0; row < rows; ++row) {
            double sum = 0;
            double magnitude = 0;
            for (std::size_t i = 0; i < cols; ++i) {
                const double term = integer_weight(w, row, i) * exact[i];
                sum += term;
                magnitude += std::fabs(term) + std::fabs(offset_of(w, row, i) * exact[i]);
            }
            EXPECT_NEAR(static_cast<double>(y[c * (rows + 1) + row]), sum, 0x1p-20 * magnitude)
                << "gemm, row " << row << ", vector " << c;
            EXPECT_NEAR(static_cast<double>(alone[row]), sum, 0x1p-20 * magnitude)
                << "gemv, row " << row << ", vector " << c;
        }
        EXPECT_EQ(y[c * (rows + 1) + rows], -1.0f) << "written behind the vector";
    }
}

TEST(integer_product, agrees_with_double_precision) {
    reference::random numbers(41);
    for_every_integer_type([&]<class T>(bpw::tag<T>) {
        constexpr auto rows = std::size_t{bpw::traits<T>::rows};
        constexpr auto block = std::size_t{bpw::traits<T>::block_size};
        expect_products<T>(rows, block, 1, numbers);
        expect_products<T>(2 * rows, 512, 5, numbers);
        expect_products<T>(rows, 768 - (block < 256 ? block : 0), 2, numbers);
    });
}

// Codes and activations at their limits: no step on the way may saturate.
TEST(integer_product, is_exact_at_the_limits) {
    for (const int code : {0x00, 0xff, 0x7f, 0x80, 0x55}) {
        for (const bool alternating : {false, true}) {
            for_every_integer_type([&]<class T>(bpw::tag<T>) {
                constexpr auto rows = std::size_t{bpw::traits<T>::rows};
                reference::random numbers(7);
                auto bytes = reference::random_tensor(T::id, rows, 256, numbers);
                const bpw::matrix_view<T> w(bytes, rows, 256);
                // Only the codes: scales stay ordinary numbers.
                const auto fill = [&](const auto& field) {
                    for (std::size_t b = 0; b < w.blocks(); ++b) {
                        const auto block = w.block(0, b);
                        auto* const p =
                            reinterpret_cast<std::uint8_t*>(bytes.data()) +
                            (block.bytes - reinterpret_cast<const std::uint8_t*>(bytes.data()));
                        for (int n = 0; n < field.count; ++n) {
                            field.set(p, 0, n, static_cast<std::uint32_t>(code * 0x0101));
                        }
                    }
                };
                if constexpr (requires { T::q; }) fill(T::q);
                if constexpr (requires { T::index; }) fill(T::index);
                std::vector<float> x(256, 1.0f);
                for (std::size_t i = 0; alternating && i < x.size(); i += 2) x[i] = -1.0f;
                const bpw::activations_for<T> packed(x);
                std::vector<float> y(rows);
                bpw::try_gemv<T>(w, packed, y).value();
                std::vector<float> of_batch(rows);
                bpw::try_gemm<T>(w,
                                 bpw::activation_batch_for<T>(
                                     bpw::vectors<const float>(std::span<const float>(x))),
                                 std::span<float>(of_batch))
                    .value();
                double sum = 0;
                double magnitude = 0;
                const auto exact = unpacked(packed);
                for (std::size_t i = 0; i < 256; ++i) {
                    const double term = integer_weight(w, 0, i) * exact[i];
                    sum += term;
                    magnitude += std::fabs(term) + offset_of(w, 0, i) * std::fabs(exact[i]);
                }
                EXPECT_NEAR(static_cast<double>(y[0]), sum, 0x1p-20 * magnitude);
                EXPECT_NEAR(static_cast<double>(of_batch[0]), sum, 0x1p-20 * magnitude);
            });
        }
    }
}

// The same bits on every arch, for any number of vectors and of threads.
TEST(integer_product, has_the_same_bits_everywhere) {
    reference::random numbers(43);
    std::uint64_t hash = 0;
    bpw::threads pool(3);
    for_every_integer_type([&]<class T>(bpw::tag<T>) {
        constexpr auto rows = 5 * std::size_t{bpw::traits<T>::rows};
        const auto bytes = reference::random_tensor(T::id, rows, 512, numbers);
        const bpw::matrix_view<T> w(bytes, rows, 512);
        const auto x = random_floats(9 * 512, numbers);
        const auto add = [&](float y) {
            hash = reference::mix(hash ^ std::bit_cast<std::uint32_t>(y));
        };
        std::vector<float> y(rows);
        std::vector<float> y_threads(rows);
        const bpw::activations_for<T> vector{std::span(x).first(512)};
        bpw::try_gemv<T>(w, vector, y).value();
        bpw::try_gemv<T>(w, vector, y_threads, pool).value();
        EXPECT_EQ(y, y_threads);
        for (const float value : y) add(value);
        std::vector<float> z(9 * rows);
        std::vector<float> z_threads(9 * rows);
        const bpw::activation_batch_for<T> batch(bpw::vectors<const float>(x.data(), 9, 512));
        bpw::try_gemm<T>(w, batch, bpw::vectors<float>(z.data(), 9, rows)).value();
        bpw::try_gemm<T>(w, batch, bpw::vectors<float>(z_threads.data(), 9, rows), pool).value();
        EXPECT_EQ(z, z_threads);
        for (const float value : z) add(value);
    });
    EXPECT_EQ(hash, 7330457177758302279u);
}

TEST(activations, quantize_as_documented) {
    std::vector<float> x(96, 0.0f);
    x[0] = 254.0f;
    x[1] = -254.0f;
    x[2] = 1.0f;  // half a step: ties to even
    x[3] = 3.0f;
    x[32] = 1e-37f;
    x[64] = std::numeric_limits<float>::infinity();
    const bpw::activations<bpw::natural_order> a(x);
    const auto& tile = a.tiles()[0];
    EXPECT_EQ(tile.scale[0], 2.0f);
    EXPECT_EQ(tile.scale[1], 2.0f);
    EXPECT_EQ(tile.q[0], 127);
    EXPECT_EQ(tile.q[1], -127);
    EXPECT_EQ(tile.q[2], 0);
    EXPECT_EQ(tile.q[3], 2);
    EXPECT_EQ(tile.sum[0], 4.0f);
    EXPECT_EQ(tile.scale[2], 0.0f);
    EXPECT_EQ(tile.q[32], 0);
    EXPECT_TRUE(std::isnan(tile.scale[4]));
    EXPECT_EQ(tile.q[64], 0);
}

TEST(integer_product, names_what_does_not_fit) {
    reference::random numbers(1);
    const auto bytes = reference::random_tensor(bpw::type_id::q4_K, 2, 256, numbers);
    const bpw::matrix_view<bpw::q4_K> w(bytes, 2, 256);
    std::vector<float> y(2);
    const bpw::activations_for<bpw::q4_K> wrong(std::vector<float>(512));
    const auto r = bpw::try_gemv<bpw::q4_K>(w, wrong, y);
    ASSERT_FALSE(r.ok());
    EXPECT_NE(r.error().message.find("512"), std::string::npos) << r.error().message;
    EXPECT_NE(r.error().message.find("256"), std::string::npos) << r.error().message;
    const std::vector<bpw::activations_for<bpw::q4_K>> three(
        3, bpw::activations_for<bpw::q4_K>(std::vector<float>(256)));
    const auto of_three = bpw::try_gemv<bpw::q4_K>(w, three, bpw::vectors<float>(y.data(), 1, 2));
    ASSERT_FALSE(of_three.ok());
    EXPECT_EQ(of_three.error().message, "x has 3 vectors and y has 1; expected as many");
}

}  // namespace
