// A batch that several matrices share is packed once for all that agree.
#include <reference/random.hpp>
#include <reference/samples.hpp>

#include <bpw/kernels/packed_vectors.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace {

const void* address(const auto& x) { return &x; }

TEST(packed_vectors, are_packed_once_for_types_that_agree) {
    std::vector<float> x(3 * 256);
    reference::random numbers(5);
    for (auto& v : x) v = numbers.uniform();
    bpw::packed_vectors packed(bpw::vectors<const float>(x.data(), 3, 256));
    // The batches of q4_K and q6_K have one layout, for all that their lanes have other orders.
    EXPECT_EQ(address(packed.batch<bpw::q4_K>()), address(packed.batch<bpw::q6_K>()));
    EXPECT_EQ(packed.each<bpw::q4_K>().data(), packed.each<bpw::q4_K>().data());
    EXPECT_NE(address(packed.each<bpw::q4_K>()[0]), address(packed.each<bpw::q6_K>()[0]));
    EXPECT_EQ(packed.batch<bpw::q4_K>().count(), 3u);
    EXPECT_EQ(packed.batch<bpw::q4_K>().length(), 256u);
    ASSERT_EQ(packed.each<bpw::q4_K>().size(), 3u);
    EXPECT_EQ(packed.each<bpw::q4_K>()[2].size(), 256u);
}

TEST(packed_vectors, keep_what_was_packed_first) {
    std::vector<float> x(256, 1.0f);
    bpw::packed_vectors packed(bpw::vectors<const float>(x.data(), 1, 256));
    const auto* const tiles = packed.each<bpw::q4_K>()[0].tiles();
    static_cast<void>(packed.each<bpw::iq4_xs>());
    static_cast<void>(packed.batch<bpw::q8_0>());
    EXPECT_EQ(packed.each<bpw::q4_K>()[0].tiles(), tiles);
}

// A few vectors are multiplied one by one, many as a batch.
TEST(packed_vectors, are_multiplied_by_the_kernel_for_their_number) {
    using type = bpw::q4_K;
    constexpr std::size_t rows = 5, cols = 512, most = bpw::few_vectors + 1;
    reference::random numbers(6);
    const auto bytes = reference::random_tensor(type::id, rows, cols, numbers);
    const bpw::matrix_view<type> w(bytes, rows, cols);
    std::vector<float> x(most * cols);
    for (auto& v : x) v = numbers.uniform();
    for (const std::size_t count : {std::size_t{1}, bpw::few_vectors, most}) {
        const bpw::vectors<const float> in(x.data(), count, cols);
        bpw::packed_vectors packed(in);
        std::vector<float> got(count * rows);
        std::vector<float> expected(count * rows);
        const bpw::vectors<float> out(expected.data(), count, rows);
        ASSERT_TRUE(bpw::try_multiply(w, packed, {got.data(), count, rows}).ok());
        if (count <= bpw::few_vectors)
            ASSERT_TRUE(bpw::try_gemv<type>(w, packed.each<type>(), out).ok());
        else
            ASSERT_TRUE(bpw::try_gemm<type>(w, packed.batch<type>(), out).ok());
        EXPECT_EQ(got, expected) << count << " vectors";
#if BPW_EXCEPTIONS
        std::fill(got.begin(), got.end(), 0.0f);
        bpw::multiply(w, packed, {got.data(), count, rows});
        EXPECT_EQ(got, expected) << count << " vectors, throwing";
#endif
    }
}

}  // namespace
