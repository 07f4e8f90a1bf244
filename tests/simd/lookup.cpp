// Lookups in tables and small numbers out of bit strings, against scalar code.
#include <bpw/core/layout.hpp>
#include <bpw/simd/lookup.hpp>
#include <reference/random.hpp>

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cstring>
#include <vector>

namespace {

using arch = bpw::native_arch;
using bytes64 = bpw::simd::bytes64<arch>;
using words32 = bpw::simd::words32<arch>;

// Calls f with every byte in every one of 64 lanes.
template <class F>
void for_every_byte(F f) {
    std::array<std::uint8_t, 64> in{};
    for (unsigned start = 0; start < 256; ++start) {
        for (unsigned i = 0; i < 64; ++i) in[i] = static_cast<std::uint8_t>(start + 5 * i);
        f(in);
    }
}

std::array<std::uint8_t, 64> stored(const bytes64& x) {
    std::array<std::uint8_t, 64> out{};
    x.store(out.data());
    return out;
}
std::array<std::uint16_t, 32> stored(const words32& x) {
    std::array<std::uint16_t, 32> out{};
    x.store(out.data());
    return out;
}

std::vector<std::uint8_t> random_bytes(std::size_t n, reference::random& numbers) {
    std::vector<std::uint8_t> bytes(n);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(numbers.below(256));
    return bytes;
}

TEST(lookup, of_nibbles) {
    bpw::simd::nibble_table table;
    for (std::size_t i = 0; i < 16; ++i) table.set(i, static_cast<std::uint8_t>(200 - 11 * i));
    for_every_byte([&](const auto& in) {
        const auto x = bytes64::load(in.data());
        const auto low = stored(bpw::simd::lookup_nibble<0>(table, x));
        const auto high = stored(bpw::simd::lookup_nibble<4>(table, x));
        for (std::size_t i = 0; i < 64; ++i) {
            ASSERT_EQ(low[i], 200 - 11 * (in[i] & 15));
            ASSERT_EQ(high[i], 200 - 11 * (in[i] >> 4));
        }
    });
}

TEST(lookup, selects_bits) {
    for_every_byte([&](const auto& in) {
        const auto a = bytes64::load(in.data());
        std::array<std::uint8_t, 64> other{};
        for (std::size_t i = 0; i < 64; ++i) other[i] = static_cast<std::uint8_t>(in[i] * 7 + i);
        const auto b = bytes64::load(other.data());
        for (const int bits : {0x00, 0xff, 0x96, 0x69, 0xbe}) {
            const auto mask = static_cast<std::uint8_t>(bits);
            const auto out = stored(bpw::simd::select_bits(mask, a, b));
            for (std::size_t i = 0; i < 64; ++i) {
                ASSERT_EQ(out[i], (in[i] & mask) | (other[i] & ~mask & 255));
            }
        }
    });
}

TEST(lookup, completes_parity) {
    for_every_byte([&](const auto& in) {
        const auto out = stored(bpw::simd::with_parity(bytes64::load(in.data())));
        for (std::size_t i = 0; i < 64; ++i) {
            ASSERT_EQ(out[i] & 127, in[i] & 127);
            ASSERT_EQ(std::popcount(out[i]) % 2, 0);
        }
    });
}

TEST(lookup, rotates_twins) {
    for (unsigned start = 0; start < 256; start += 32) {
        std::array<std::uint16_t, 32> in{};
        for (unsigned i = 0; i < 32; ++i) in[i] = static_cast<std::uint16_t>((start + i) * 0x101);
        const auto out = stored(bpw::simd::rotate_twins(words32::load(in.data())));
        for (std::size_t i = 0; i < 32; ++i) {
            const auto byte = static_cast<std::uint8_t>(in[i] & 255);
            ASSERT_EQ(out[2 * i], std::rotr(byte, 2));
            ASSERT_EQ(out[2 * i + 1], std::rotl(byte, 2));
        }
    }
}

TEST(words32, shifts_and_fills) {
    std::array<std::uint16_t, 32> in{};
    for (unsigned start = 0; start < 65536; start += 32) {
        for (unsigned i = 0; i < 32; ++i) in[i] = static_cast<std::uint16_t>(start + i);
        const auto x = words32::load(in.data());
        const auto left = stored(x.shifted_left<3>());
        const auto right = stored(x.shifted_right<9>());
        const auto filled = stored(x.filled_by_top_bit());
        const auto both = stored((x & 0x0f0f) | x.shifted_left<8>());
        std::int32_t wide[32];
        x.widened<0>().store(wide);
        x.widened<1>().store(wide + 16);
        for (std::size_t i = 0; i < 32; ++i) {
            ASSERT_EQ(wide[i], in[i]);
            ASSERT_EQ(left[i], in[i] << 3 & 0xffff);
            ASSERT_EQ(right[i], in[i] >> 9);
            ASSERT_EQ(filled[i], in[i] >= 0x8000 ? 0xffff : 0);
            ASSERT_EQ(both[i], (in[i] & 0x0f0f) | (in[i] << 8 & 0xffff));
        }
    }
}

// Fields as blocks have them: in place, across bytes, in records, near the end of a short block.
template <int Width, class Rule>
constexpr auto plan_of(std::size_t block_bytes, Rule rule) {
    return bpw::simd::word_plan::make(Width, block_bytes, [=](int n) { return rule.bit(0, n); });
}
using bpw::plane;
using bpw::records;
constexpr auto whole_bytes = plan_of<8>(66, plane<8>{34});
constexpr auto nine_of_sixteen = plan_of<9>(74, plane<16>{2});
constexpr auto seven_of_sixteen = plan_of<7>(74, plane<16>{2, 9});
constexpr auto pairs = plan_of<2>(82, plane<2>{66});
constexpr auto octet_records = plan_of<8>(66, records<4, 8, 8>{2});
constexpr auto sign_records = plan_of<7>(66, records<4, 8, 7>{6});
constexpr auto far_sign_records = plan_of<7>(98, records<4, 4, 7>{66});
constexpr auto triples = plan_of<3>(50, records<4, 2, 3>{34});
constexpr auto nibbles = plan_of<3>(56, plane<4>{32});

template <const bpw::simd::word_plan& Plan, class Rule>
void check_plan(std::size_t block_bytes, Rule rule) {
    reference::random numbers(5);
    for (int round = 0; round < 200; ++round) {
        const auto block = random_bytes(block_bytes, numbers);
        const auto once = stored(bpw::simd::gather_words<arch, Plan>(block.data()));
        for (std::size_t i = 0; i < 32; ++i) {
            const auto want =
                bpw::read_bits(block.data(), rule.bit(0, static_cast<int>(i)), Plan.width);
            ASSERT_EQ(once[i], want) << "number " << i;
        }
        constexpr int at = 16 - Plan.width;
        std::array<std::uint16_t, 32> below{};
        for (auto& word : below) word = static_cast<std::uint16_t>(numbers.below(1u << at));
        const auto merged =
            stored(bpw::simd::merge_words<Plan, at>(words32::load(below.data()), block.data()));
        for (std::size_t i = 0; i < 32; ++i) ASSERT_EQ(merged[i], below[i] | once[i] << at);
        if constexpr (Plan.width <= 8) {
            const auto twice =
                stored(bpw::simd::gather_words<arch, Plan, true>(block.data()).as_bytes());
            const unsigned mask = (1u << Plan.width) - 1;
            for (std::size_t i = 0; i < 64; ++i) ASSERT_EQ(twice[i] & mask, once[i / 2]);
        }
    }
}

TEST(words32, come_from_every_place) {
    check_plan<whole_bytes>(66, plane<8>{34});
    check_plan<nine_of_sixteen>(74, plane<16>{2});
    check_plan<seven_of_sixteen>(74, plane<16>{2, 9});
    check_plan<pairs>(82, plane<2>{66});
    check_plan<octet_records>(66, records<4, 8, 8>{2});
    check_plan<sign_records>(66, records<4, 8, 7>{6});
    check_plan<far_sign_records>(98, records<4, 4, 7>{66});
    check_plan<triples>(50, records<4, 2, 3>{34});
    check_plan<nibbles>(56, plane<4>{32});
}

template <std::size_t Entries>
void check_words() {
    std::array<std::uint16_t, Entries> entries{};
    for (std::size_t i = 0; i < Entries; ++i) {
        entries[i] = static_cast<std::uint16_t>((i * 40503 + 7) & 0xffff);
    }
    static const auto table = bpw::simd::word_table<Entries>::make(entries);
    std::array<std::uint16_t, 32> index{};
    for (unsigned start = 0; start < Entries; ++start) {
        for (unsigned i = 0; i < 32; ++i) {
            index[i] = static_cast<std::uint16_t>((start + 67 * i) % Entries);
        }
        const auto out = stored(bpw::simd::lookup_words(table, words32::load(index.data())));
        for (std::size_t i = 0; i < 32; ++i) {
            ASSERT_EQ(out[2 * i] | out[2 * i + 1] << 8, entries[index[i]]);
        }
    }
}

TEST(lookup, of_words) {
    check_words<256>();
    check_words<512>();
    check_words<1024>();
    check_words<2048>();
}

TEST(lookup, of_quads) {
    reference::random numbers(7);
    const auto in = random_bytes(32, numbers);
    for (int step = 1; step < 8; ++step) {
        std::array<std::int32_t, 16> from{};
        for (int i = 0; i < 16; ++i) from[static_cast<std::size_t>(i)] = (step * i + i / 8) % 8;
        const auto out = stored(bpw::simd::pick_quads<arch>(in.data(), from));
        for (std::size_t i = 0; i < 64; ++i) {
            ASSERT_EQ(out[i], in[4 * static_cast<std::size_t>(from[i / 4]) + i % 4]);
        }
    }
}

template <std::size_t Entries>
void check_pairs() {
    reference::random numbers(6);
    std::array<std::uint16_t, Entries> entries{};
    for (auto& entry : entries) entry = static_cast<std::uint16_t>(numbers.below(65536));
    const auto table = bpw::simd::pair_table<Entries>::make(entries);
    for_every_byte([&](const auto& in) {
        const auto upper = random_bytes(8, numbers);
        const auto out = bpw::simd::lookup_pairs(table, bytes64::load(in.data()), upper.data());
        const auto first = stored(out[0]);
        const auto second = stored(out[1]);
        for (std::size_t i = 0; i < 64; ++i) {
            std::size_t at = in[i];
            if (Entries == 512) at |= bpw::read_bits(upper.data(), i, 1) << 8;
            ASSERT_EQ(first[i], entries[at] & 255);
            ASSERT_EQ(second[i], entries[at] >> 8);
        }
    });
}

TEST(lookup, of_pairs) {
    check_pairs<256>();
    check_pairs<512>();
}

}  // namespace
