// The codebooks: checksums of the expanded lattices, known values of the generator, small tables.
#include <bpw/formats/iqk.hpp>
#include <bpw/formats/lattice.hpp>
#include <bpw/formats/tables.hpp>
#include <bpw/formats/ternary.hpp>
#include <bpw/formats/trellis.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <set>
#include <vector>

namespace {

// CRC-32 as zlib calculates it, bit by bit.
std::uint32_t crc32(const std::vector<std::uint8_t>& bytes) {
    std::uint32_t crc = 0xffffffff;
    for (const auto b : bytes) {
        crc ^= b;
        for (int i = 0; i < 8; ++i) crc = crc >> 1 ^ ((crc & 1u) != 0 ? 0xedb88320u : 0u);
    }
    return ~crc;
}

template <class Codebook>
void check_lattice(std::size_t entries, std::size_t length, std::uint32_t checksum) {
    const auto& grid = bpw::lattice::grid<Codebook>;
    ASSERT_EQ(grid.size(), entries);
    std::vector<std::uint8_t> bytes;
    std::set<std::vector<int>> seen;
    for (const auto& entry : grid) {
        ASSERT_EQ(entry.size(), length);
        for (const int v : entry) bytes.push_back(static_cast<std::uint8_t>(v));
        seen.insert({entry.begin(), entry.end()});
    }
    EXPECT_EQ(seen.size(), entries);
    EXPECT_EQ(crc32(bytes), checksum);
}

}  // namespace

TEST(codebooks, checksum_of_a_known_text) {
    EXPECT_EQ(crc32({'1', '2', '3', '4', '5', '6', '7', '8', '9'}), 0xcbf43926u);
}

TEST(codebooks, lattices) {
    check_lattice<bpw::lattice::iq1>(2048, 8, 0xb85e6ccf);
    check_lattice<bpw::lattice::iq2_xxs>(256, 8, 0x9924ff02);
    check_lattice<bpw::lattice::iq2_xs>(512, 8, 0xfa1e1bfd);
    check_lattice<bpw::lattice::iq2_s>(1024, 8, 0x25ae5bf1);
    check_lattice<bpw::lattice::iq3_xxs>(256, 4, 0x07ba9ed0);
    check_lattice<bpw::lattice::iq3_s>(512, 4, 0xf576e4f3);
    check_lattice<bpw::lattice::iq2_kl>(32, 2, 0x84edeeb3);
}

TEST(codebooks, known_entries) {
    for (const int v : bpw::lattice::grid<bpw::lattice::iq1>[0]) EXPECT_EQ(v, -1);
    for (const int v : bpw::lattice::grid<bpw::lattice::iq1>[1029]) EXPECT_EQ(v, 0);
    for (const int v : bpw::lattice::grid<bpw::lattice::iq2_xxs>[0]) EXPECT_EQ(v, 8);
    for (const int v : bpw::lattice::grid<bpw::lattice::iq2_kl>[17]) EXPECT_EQ(v, 1);
}

TEST(codebooks, trellis) {
    const std::vector<int> first{-47, -36, -39, -86, -38, -38, -47, -35};
    const std::vector<int> last{26, -32, -16, -9, -25, -62, 17, 10};
    for (int k = 0; k < 8; ++k) {
        EXPECT_EQ(bpw::trellis::value(0, k), first[static_cast<std::size_t>(k)]);
        EXPECT_EQ(bpw::trellis::value(65535, k), last[static_cast<std::size_t>(k)]);
    }
}

// Step by step, as the generator is defined, for every start.
TEST(codebooks, trellis_step_by_step) {
    int least = 0;
    int most = 0;
    for (std::uint32_t index = 0; index < 65536; ++index) {
        std::uint32_t x = index + 4096;
        for (int k = 0; k < 8; ++k) {
            x *= 0xcbac1fedu;
            int v = -126;
            for (int byte = 0; byte < 4; ++byte) v += static_cast<int>(x >> 8 * byte & 0x3fu);
            ASSERT_EQ(bpw::trellis::value(index, k), v) << index;
            least = std::min(least, v);
            most = std::max(most, v);
        }
    }
    EXPECT_EQ(least, bpw::trellis::range.min);
    EXPECT_EQ(most, bpw::trellis::range.max);
    EXPECT_EQ(bpw::trellis::multipliers[7], 0x60b19b21u);
}

TEST(codebooks, digits_of_base_three_bytes) {
    for (int n = 0; n < 243; ++n) {
        const auto byte = static_cast<std::uint32_t>((256 * n + 242) / 243);
        const int digits[] = {n / 81, n / 27 % 3, n / 9 % 3, n / 3 % 3, n % 3};
        for (int k = 0; k < 5; ++k) EXPECT_EQ(bpw::detail::trit(byte, k), digits[k]) << n;
    }
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        for (int k = 0; k < 5; ++k) EXPECT_LE(bpw::detail::trit(byte, k), 2);
    }
}

TEST(codebooks, tables) {
    const auto increasing = [](const auto& table) {
        return std::adjacent_find(table.begin(), table.end(), std::greater_equal<>()) ==
               table.end();
    };
    EXPECT_TRUE(increasing(bpw::tables::nonlinear2));
    EXPECT_TRUE(increasing(bpw::tables::nonlinear3));
    EXPECT_TRUE(increasing(bpw::tables::nonlinear4));
    EXPECT_TRUE(increasing(bpw::tables::nonlinear5));
    EXPECT_TRUE(increasing(bpw::tables::nonlinear6));
    for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(bpw::tables::fp4[i + 8], -bpw::tables::fp4[i]);
}

// The cubic of iq6_k comes within half a step of the table that its encoder uses.
TEST(codebooks, cubic_of_iq6_k) {
    for (std::size_t u = 0; u < 64; ++u) {
        EXPECT_NEAR(bpw::iq6_k::cubic[u], bpw::tables::nonlinear6[u], 0.49 + 1e-2) << u;
        const auto q = static_cast<float>(u);
        const float p =
            std::fma(q, std::fma(q, std::fma(q, 0.0011972f, -0.11218f), 6.2568f), -127.0f);
        EXPECT_EQ(bpw::iq6_k::cubic[u], p);
    }
}
