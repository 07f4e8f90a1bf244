// Reading and writing of bits, and the rules that place values in them.
#include <bpw/core/layout.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <set>
#include <vector>

namespace {

using bytes = std::vector<std::uint8_t>;

// A byte string with no pattern that shifts could hide in.
bytes noise(std::size_t n) {
    bytes out(n);
    std::uint32_t x = 1;
    for (auto& b : out) {
        x = x * 1664525u + 1013904223u;
        b = static_cast<std::uint8_t>(x >> 24);
    }
    return out;
}

bool bit_of(const bytes& b, std::size_t at) { return (b[at / 8] >> at % 8 & 1u) != 0; }

}  // namespace

TEST(layout, read_bits_reads_bit_by_bit) {
    const auto b = noise(16);
    for (std::size_t at = 0; at < 64; ++at) {
        for (int width = 1; width <= 32; ++width) {
            std::uint32_t want = 0;
            for (int i = 0; i < width; ++i) {
                want |= std::uint32_t{bit_of(b, at + static_cast<std::size_t>(i))} << i;
            }
            ASSERT_EQ(bpw::read_bits(b.data(), at, width), want) << at << ", " << width;
        }
    }
}

// The buffer ends with the last bit that is asked for: the address sanitizer would object.
TEST(layout, read_bits_reads_no_byte_too_many) {
    for (std::size_t at = 0; at < 64; ++at) {
        for (int width = 1; width <= 32; ++width) {
            const auto b = noise((at + static_cast<std::size_t>(width) + 7) / 8);
            const std::vector<std::uint8_t> exact(b.begin(), b.end());
            EXPECT_LE(bpw::read_bits(exact.data(), at, width) >> (width - 1), 1u);
        }
    }
}

TEST(layout, write_bits_changes_its_bits_only) {
    for (std::size_t at = 0; at < 40; ++at) {
        for (const int width : {1, 2, 3, 4, 7, 8, 9, 13, 16, 31, 32}) {
            for (const std::uint32_t value : {0u, 0xffffffffu, 0xa5c3f017u}) {
                auto b = noise(12);
                const auto before = b;
                bpw::write_bits(b.data(), at, width, value);
                const auto mask = width == 32 ? 0xffffffffu : (1u << width) - 1;
                ASSERT_EQ(bpw::read_bits(b.data(), at, width), value & mask);
                for (std::size_t i = 0; i < 8 * b.size(); ++i) {
                    if (i < at || i >= at + static_cast<std::size_t>(width)) {
                        ASSERT_EQ(bit_of(b, i), bit_of(before, i)) << at << ", " << width;
                    }
                }
            }
        }
    }
}

TEST(layout, plane_of_nibbles_in_halves) {
    constexpr bpw::plane<4, 16> p{3};
    for (int n = 0; n < 64; ++n) {
        const int run = n / 32;
        const int want = 8 * (3 + 16 * run + n % 16) + 4 * (n % 32 / 16);
        EXPECT_EQ(p.bit(0, n), static_cast<std::size_t>(want));
    }
}

TEST(layout, plane_of_single_bits) {
    constexpr bpw::plane<1> string{2};
    for (int n = 0; n < 100; ++n) EXPECT_EQ(string.bit(0, n), static_cast<std::size_t>(16 + n));
    constexpr bpw::plane<1, 32> columns{0};
    for (int n = 0; n < 256; ++n) {
        EXPECT_EQ(columns.bit(0, n), static_cast<std::size_t>(8 * (n % 32) + n / 32));
    }
}

TEST(layout, plane_of_wide_slots) {
    constexpr bpw::plane<16> words{4, 9};
    for (int n = 0; n < 10; ++n) {
        EXPECT_EQ(words.bit(0, n), static_cast<std::size_t>(8 * 4 + 16 * n + 9));
    }
}

TEST(layout, plane_with_interleaved_rows) {
    constexpr bpw::plane<8, 1, 4, 2> pairs{0};  // two bytes of row 0, two of row 1, ...
    for (int k = 0; k < 4; ++k) {
        for (int n = 0; n < 8; ++n) {
            EXPECT_EQ(pairs.bit(k, n), static_cast<std::size_t>(8 * (8 * (n / 2) + 2 * k + n % 2)));
        }
    }
}

TEST(layout, records) {
    constexpr bpw::records<4, 8, 7, 2> r{5, 1};
    for (int k = 0; k < 3; ++k) {
        for (int n = 0; n < 12; ++n) {
            EXPECT_EQ(r.bit(k, n),
                      static_cast<std::size_t>(8 * (5 + 8 * (n / 4) + 2 * k) + 7 * (n % 4) + 1));
        }
    }
}

// A plane gives every value bits of its own and leaves no hole.
TEST(layout, planes_fill_their_bytes) {
    const auto fills = [](const auto& rule, int slot, int rows, int count) {
        std::set<std::size_t> taken;
        for (int k = 0; k < rows; ++k) {
            for (int n = 0; n < count; ++n) {
                for (int i = 0; i < slot; ++i) {
                    taken.insert(rule.bit(k, n) + static_cast<std::size_t>(i));
                }
            }
        }
        const auto all = static_cast<std::size_t>(slot * rows * count);
        EXPECT_EQ(taken.size(), all);
        EXPECT_EQ(*taken.rbegin(), all - 1);
    };
    fills(bpw::plane<1>{0}, 1, 1, 64);
    fills(bpw::plane<1, 32>{0}, 1, 1, 256);
    fills(bpw::plane<2, 32>{0}, 2, 1, 256);
    fills(bpw::plane<4, 16>{0}, 4, 1, 64);
    fills(bpw::plane<4, 32, 8>{0}, 4, 8, 8);
    fills(bpw::plane<2, 16, 4, 4>{0}, 2, 4, 32);
    fills(bpw::plane<16, 1, 16, 2>{0}, 16, 16, 4);
}

TEST(layout, fields_of_several_parts) {
    constexpr auto f =
        bpw::values<4>(bpw::bits<4>(bpw::plane<4>{0}), bpw::bits<2>(bpw::plane<2>{2}),
                       bpw::bits<8>(bpw::plane<8>{3}));
    static_assert(f.count == 4 && f.width == 14);
    std::array<std::uint8_t, 7> block{};
    for (int n = 0; n < 4; ++n)
        f.set(block.data(), 0, n, 0x1234u + 0x0711u * static_cast<unsigned>(n));
    for (int n = 0; n < 4; ++n) {
        const auto value = (0x1234u + 0x0711u * static_cast<unsigned>(n)) & 0x3fffu;
        EXPECT_EQ(f.get(block.data(), 0, n), value);
        EXPECT_EQ(block[static_cast<std::size_t>(n / 2)] >> 4 * (n % 2) & 15,
                  static_cast<int>(value & 15));
        EXPECT_EQ(block[2] >> 2 * n & 3, static_cast<int>(value >> 4 & 3));
        EXPECT_EQ(block[static_cast<std::size_t>(3 + n)], value >> 6);
    }
}

TEST(layout, twos_complement) {
    EXPECT_EQ(bpw::as_signed<8>(0x7f), 127);
    EXPECT_EQ(bpw::as_signed<8>(0x80), -128);
    EXPECT_EQ(bpw::as_signed<8>(0xff), -1);
    EXPECT_EQ(bpw::as_signed<16>(0x8000), -32768);
    EXPECT_EQ(bpw::as_signed<32>(0x80000000u), -2147483647 - 1);
    EXPECT_EQ(bpw::as_signed<32>(0x7fffffffu), 2147483647);
}
