// dequantize, dot, gemv and gemm of every type: against plain arithmetic on the decoded weights,
// for many shapes, bit for bit where the order of additions is documented.
#include <bpw/parallel.hpp>
#include <kernels/any_type.hpp>
#include <reference/product.hpp>
#include <reference/same_bits.hpp>
#include <reference/samples.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using bpw::any_matrix;
using bpw::type_id;

namespace {

struct tensor {
    type_id type;
    std::size_t rows;
    std::size_t cols;
    std::vector<std::byte> bytes;

    operator any_matrix() const { return {type, bytes, rows, cols}; }  // NOLINT
};

tensor random_tensor(type_id type, std::size_t rows, std::size_t cols, std::uint64_t seed) {
    reference::random numbers(seed + static_cast<std::uint64_t>(type));
    return {type, rows, cols, reference::random_tensor(type, rows, cols, numbers)};
}

std::vector<float> random_vector(std::size_t n, std::uint64_t seed) {
    reference::random numbers(seed);
    std::vector<float> out(n);
    for (auto& x : out) x = numbers.uniform();
    return out;
}

constexpr float canary = -12345.5f;

// y = w x for `count` vectors with gaps of `gap` floats between them, compared with the plain
// implementation; the gaps must stay as they were.
void check_gemm(const tensor& w, std::size_t count, std::size_t gap,
                const any_type::executor& run = any_type::in_turn) {
    SCOPED_TRACE(testing::Message()
                 << w.rows << " x " << w.cols << ", " << count << " vectors, gap " << gap);
    const auto weights = any_type::weights(w);
    const auto x = random_vector(count * (w.cols + gap), 1);
    std::vector<float> y(count * (w.rows + gap) + 1, canary);
    ASSERT_TRUE(any_type::gemm(w, {x.data(), count, w.cols, w.cols + gap},
                               {y.data(), count, w.rows, w.rows + gap}, run)
                    .ok());
    for (std::size_t c = 0; c < count; ++c) {
        const std::span<const float> xc(x.data() + c * (w.cols + gap), w.cols);
        for (std::size_t r = 0; r < w.rows; ++r) {
            const std::span<const float> wr(weights.data() + r * w.cols, w.cols);
            const float got = y[c * (w.rows + gap) + r];
            const auto exact = reference::product(wr, xc);
            ASSERT_LE(std::fabs(got - exact.sum), 0x1p-20 * exact.magnitude) << c << ", " << r;
            ASSERT_EQ(std::bit_cast<std::uint32_t>(got),
                      std::bit_cast<std::uint32_t>(reference::running_product(wr, xc)))
                << c << ", " << r;
        }
        for (std::size_t g = 0; g < gap; ++g) {
            ASSERT_EQ(y[c * (w.rows + gap) + w.rows + g], canary) << "gap behind vector " << c;
        }
    }
    ASSERT_EQ(y.back(), canary);
}

std::size_t interleave(type_id type) { return bpw::info(type).rows_interleaved; }
std::size_t block(type_id type) { return bpw::info(type).block_size; }

template <class F>
void for_every_type(F f) {
    for (const auto type : bpw::all_types) {
        SCOPED_TRACE(bpw::name(type));
        f(type);
        if (testing::Test::HasFatalFailure()) return;
    }
}

}  // namespace

TEST(every_type, columns_of_one_to_nine_blocks) {
    for_every_type([](type_id type) {
        for (std::size_t blocks = 1; blocks <= 9; ++blocks) {
            check_gemm(random_tensor(type, interleave(type), blocks * block(type), blocks), 1, 0);
        }
    });
}

TEST(every_type, rows) {
    for_every_type([](type_id type) {
        const auto r = interleave(type);
        for (std::size_t rows = 1; rows <= 17; ++rows) {
            check_gemm(random_tensor(type, (rows + r - 1) / r * r, block(type), rows), 2, 1);
        }
        check_gemm(random_tensor(type, (33 + r - 1) / r * r, block(type), 33), 1, 0);
    });
}

TEST(every_type, vectors) {
    for_every_type([](type_id type) {
        const auto w = random_tensor(type, interleave(type), block(type), 3);
        for (const std::size_t count :
             {1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u, 9u, 15u, 16u, 17u, 64u, 129u, 130u}) {
            check_gemm(w, count, count % 3);
        }
    });
}

TEST(every_type, dot_and_gemv) {
    for_every_type([](type_id type) {
        const auto w = random_tensor(type, 2 * interleave(type), 3 * block(type), 4);
        const auto weights = any_type::weights(w);
        const auto x = random_vector(w.cols, 5);
        std::vector<float> y(w.rows);
        ASSERT_TRUE(any_type::gemv(w, x, y).ok());
        for (std::size_t r = 0; r < w.rows; ++r) {
            const std::span<const float> wr(weights.data() + r * w.cols, w.cols);
            ASSERT_TRUE(reference::same_bits(y[r], reference::ordered_product(wr, x)));
            ASSERT_TRUE(reference::same_bits(any_type::dot(w, r, x).value(), y[r]));
        }
    });
}

TEST(every_type, a_few_vectors_at_once) {
    for_every_type([](type_id type) {
        const auto w = random_tensor(type, 3 * interleave(type), 3 * block(type), 24);
        const auto x = random_vector(7 * w.cols, 25);
        for (const std::size_t count : {0u, 2u, 3u, 4u, 7u}) {
            std::vector<float> y((w.rows + 1) * count, canary);
            ASSERT_TRUE(
                any_type::gemv(w, {x.data(), count, w.cols}, {y.data(), count, w.rows, w.rows + 1})
                    .ok());
            for (std::size_t c = 0; c < count; ++c) {
                std::vector<float> alone(w.rows + 1, canary);
                ASSERT_TRUE(any_type::gemv(w, std::span(x).subspan(c * w.cols, w.cols),
                                           std::span(alone).first(w.rows))
                                .ok());
                ASSERT_TRUE(reference::same_bits(
                    std::span<const float>(y).subspan(c * alone.size(), alone.size()), alone))
                    << "vector " << c << " of " << count;
            }
        }
    });
}

// Written down from one run. Every instruction set, compiler and processor gives these.
TEST(every_type, the_same_bits_everywhere) {
    std::uint64_t weights_hash = 0;
    std::uint64_t products_hash = 0;
    const auto add = [](std::uint64_t& hash, std::span<const float> values) {
        for (const float v : values) hash = reference::mix(hash ^ std::bit_cast<std::uint32_t>(v));
    };
    for_every_type([&](type_id type) {
        const auto w = random_tensor(type, interleave(type), 3 * block(type), 6);
        add(weights_hash, any_type::weights(w));
        const auto x = random_vector(3 * w.cols, 7);
        std::vector<float> y(3 * w.rows);
        ASSERT_TRUE(any_type::gemm(w, {x.data(), 3, w.cols}, {y.data(), 3, w.rows}).ok());
        add(products_hash, y);
        std::vector<float> y0(w.rows);
        ASSERT_TRUE(any_type::gemv(w, std::span(x).first(w.cols), y0).ok());
        add(products_hash, y0);
    });
    EXPECT_EQ(weights_hash, 1193298723774515735u);
    EXPECT_EQ(products_hash, 11912120991532145504u);
}

TEST(every_type, threads_change_no_bit) {
    // Rows enough for several tasks.
    for (const auto type : {type_id::q4_K, type_id::iq2_xxs, type_id::q8_0_r8, type_id::iq4_ks,
                            type_id::bf16_r16, type_id::i2_s}) {
        SCOPED_TRACE(bpw::name(type));
        const auto w = random_tensor(type, 640, 512, 8);
        const auto x = random_vector(2 * w.cols, 9);
        const auto weights = any_type::weights(w);
        std::vector<float> want(2 * w.rows);
        ASSERT_TRUE(any_type::gemm(w, {x.data(), 2, w.cols}, {want.data(), 2, w.rows}).ok());
        for (unsigned n = 1; n <= 8; ++n) {
            bpw::threads pool(n);
            const any_type::executor run = std::ref(pool);
            std::vector<float> y(want.size(), canary);
            ASSERT_TRUE(any_type::gemm(w, {x.data(), 2, w.cols}, {y.data(), 2, w.rows}, run).ok());
            ASSERT_TRUE(reference::same_bits(y, want)) << n;
            std::vector<float> decoded(weights.size(), canary);
            ASSERT_TRUE(any_type::dequantize(w, decoded, run).ok());
            ASSERT_TRUE(reference::same_bits(decoded, weights)) << n;
        }
    }
}

TEST(every_type, fewer_rows_than_threads) {
    bpw::threads pool(8);
    for_every_type([&](type_id type) {
        check_gemm(random_tensor(type, interleave(type), block(type), 10), 1, 2, std::ref(pool));
    });
}

// A caller's own way to run tasks: here from the last to the first.
TEST(every_type, executor_of_the_caller) {
    std::size_t tasks = 0;
    const any_type::executor backwards = [&](std::size_t n,
                                             const std::function<void(std::size_t)>& f) {
        tasks += n;
        for (std::size_t i = n; i-- > 0;) f(i);
    };
    check_gemm(random_tensor(type_id::q4_0, 2048, 128, 11), 3, 1, backwards);
    EXPECT_GT(tasks, 2u);
    check_gemm(random_tensor(type_id::iq3_k_r4, 1024, 256, 12), 3, 1, backwards);
}

TEST(every_type, empty_matrices) {
    for_every_type([](type_id type) {
        check_gemm({type, 0, block(type), std::vector<std::byte>(bpw::info(type).trailer_bytes)}, 3,
                   0);
        check_gemm(random_tensor(type, interleave(type), 2 * block(type), 13), 0, 0);
        // A row without columns has the sum 0.
        const auto w = random_tensor(type, interleave(type), 0, 14);
        std::vector<float> y(2 * w.rows, canary);
        ASSERT_TRUE(any_type::gemm(w, {nullptr, 2, 0}, {y.data(), 2, w.rows}).ok());
        for (const float v : y) ASSERT_EQ(v, 0.0f);
        ASSERT_TRUE(any_type::dequantize(w, {}).ok());
    });
}

// Not a number and infinity reach the results of their row and no other.
TEST(every_type, broken_scales_stay_in_their_row) {
    int tried = 0;
    for_every_type([&](type_id type) {
        for (const bool infinite : {false, true}) {
            auto w = random_tensor(type, 2 * interleave(type), 2 * block(type), 15);
            const auto x = random_vector(w.cols, 16);
            std::vector<float> before(w.rows), after(w.rows);
            ASSERT_TRUE(any_type::gemv(w, x, before).ok());
            const std::size_t row = w.rows / 2;
            if (!reference::set_row_scale(type, w.bytes, w.rows, w.cols, row,
                                          infinite ? 0x7c00u : 0x7e00u,
                                          infinite ? 0x7f800000u : 0x7fc00000u)) {
                return;
            }
            ++tried;
            ASSERT_TRUE(any_type::gemv(w, x, after).ok());
            for (std::size_t r = 0; r < w.rows; ++r) {
                if (r == row) {
                    const auto bits = std::bit_cast<std::uint32_t>(after[r]);
                    ASSERT_EQ(bits & 0x7f800000u, 0x7f800000u) << after[r];
                    if (!infinite) {
                        ASSERT_TRUE(reference::is_nan(after[r]));
                    }
                } else {
                    ASSERT_TRUE(reference::same_bits(after[r], before[r])) << r;
                }
            }
        }
    });
    EXPECT_EQ(tried, 2 * 73);
}

TEST(every_type, large_and_tiny_numbers) {
    for_every_type([](type_id type) {
        const auto w = random_tensor(type, interleave(type), 2 * block(type), 17);
        const auto weights = any_type::weights(w);
        for (const float size : {6.5e4f, 1e30f, 1e-38f, 1e-44f, 0.0f}) {
            const std::vector<float> x(w.cols, size);
            std::vector<float> y(w.rows);
            ASSERT_TRUE(any_type::gemv(w, x, y).ok());
            for (std::size_t r = 0; r < w.rows; ++r) {
                const std::span<const float> wr(weights.data() + r * w.cols, w.cols);
                ASSERT_TRUE(reference::same_bits(y[r], reference::ordered_product(wr, x))) << size;
            }
        }
    });
}

TEST(every_type, wrong_sizes_are_refused) {
    const auto w = random_tensor(type_id::q4_K, 3, 256, 18);
    std::vector<float> x(2 * 256), y(2 * 3), out(3 * 256);
    const auto refused = [](const auto& result, bpw::errc code, std::string_view message) {
        ASSERT_FALSE(result.ok());
        EXPECT_EQ(result.error().code, code);
        EXPECT_EQ(result.error().message, message);
    };
    using bpw::errc;
    refused(any_type::dequantize(w, std::span(out).first(767)), errc::size_mismatch,
            "the output of dequantize has 767 floats; expected 3 x 256");
    refused(any_type::gemm(w, {x.data(), 2, 255}, {y.data(), 2, 3}), errc::size_mismatch,
            "a vector of x has 255 floats; expected 256, the columns of the matrix");
    refused(any_type::gemm(w, {x.data(), 2, 256}, {y.data(), 2, 4}), errc::size_mismatch,
            "a vector of y has 4 floats; expected 3, the rows of the matrix");
    refused(any_type::gemm(w, {x.data(), 2, 256}, {y.data(), 1, 3}), errc::size_mismatch,
            "x has 2 vectors and y has 1; expected as many");
    refused(any_type::gemv(w, std::span(x).first(100), std::span(y).first(3)), errc::size_mismatch,
            "a vector of x has 100 floats; expected 256, the columns of the matrix");
    refused(any_type::dot(w, 0, std::span(x).first(257)), errc::size_mismatch,
            "x has 257 floats; expected 256, the columns of the matrix");
    refused(any_type::dot(w, 3, std::span(x).first(256)), errc::bad_shape,
            "row 3 was asked for; the matrix has 3");

    any_matrix shorter = w;
    shorter.bytes = shorter.bytes.first(3 * 144 - 1);
    refused(any_type::dequantize(shorter, out), errc::size_mismatch,
            "a 3 x 256 matrix of q4_K takes 432 bytes, but 431 were given");
    any_matrix narrow = w;
    narrow.cols = 128;
    refused(any_type::dequantize(narrow, out), errc::bad_shape,
            "row length 128 is not a multiple of 256, the block size of q4_K");
    refused(any_type::dequantize({type_id::q4_k_r4, w.bytes, 3, 256}, out), errc::bad_shape,
            "row count 3 is not a multiple of 4, the rows that q4_k_r4 interleaves");
    refused(any_type::dequantize({static_cast<type_id>(5), w.bytes, 3, 256}, out),
            errc::unknown_type, "type id 5 is not one of the known quant types");
    refused(any_type::gemm({type_id::f32, {}, std::uint64_t{1} << 60, 16}, {x.data(), 1, 16},
                           {y.data(), 1, 3}),
            errc::overflow,
            "a tensor of 1152921504606846976 rows of 16 weights of f32 takes more bytes than 64 "
            "bits can count");
}
