// A batch that several matrices share is packed once for all that agree.
#include <reference/random.hpp>

#include <bpw/kernels/packed_vectors.hpp>

#include <gtest/gtest.h>

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
    EXPECT_EQ(address(packed.vector<bpw::q4_K>()), address(packed.vector<bpw::q4_K>()));
    EXPECT_NE(address(packed.vector<bpw::q4_K>()), address(packed.vector<bpw::q6_K>()));
    EXPECT_EQ(packed.batch<bpw::q4_K>().count(), 3u);
    EXPECT_EQ(packed.batch<bpw::q4_K>().length(), 256u);
    EXPECT_EQ(packed.vector<bpw::q4_K>().size(), 256u);
}

TEST(packed_vectors, keep_what_was_packed_first) {
    std::vector<float> x(256, 1.0f);
    bpw::packed_vectors packed(bpw::vectors<const float>(x.data(), 1, 256));
    const auto& first = packed.vector<bpw::q4_K>();
    const auto* const tiles = first.tiles();
    static_cast<void>(packed.vector<bpw::iq4_xs>());
    static_cast<void>(packed.batch<bpw::q8_0>());
    EXPECT_EQ(packed.vector<bpw::q4_K>().tiles(), tiles);
}

}  // namespace
