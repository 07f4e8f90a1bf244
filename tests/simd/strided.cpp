// Bytes and numbers at fixed distances, and bytes moved within quarters, against plain code.
#include <bpw/simd/placed_quads.hpp>
#include <bpw/simd/rows.hpp>
#include <bpw/simd/strided.hpp>
#include <bpw/simd/thirds.hpp>
#include <reference/random.hpp>
#include <reference/same_bits.hpp>

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace {

namespace simd = bpw::simd;
using arch = bpw::native_arch;
using bytes = simd::bytes64<arch>;
using plain = std::array<std::uint8_t, 64>;

plain random_bytes(reference::random& numbers) {
    plain out;
    for (auto& b : out) b = static_cast<std::uint8_t>(numbers.below(256));
    return out;
}

plain stored(const bytes& x) {
    plain out;
    x.store(out.data());
    return out;
}

// Exactly as long as what may be read, so that a sanitizer sees a byte too many.
std::vector<std::uint8_t> random_span(std::size_t n, reference::random& numbers) {
    std::vector<std::uint8_t> out(n);
    for (auto& b : out) b = static_cast<std::uint8_t>(numbers.below(256));
    return out;
}

template <std::size_t Stride, std::size_t Count, const std::array<int, 16>& From>
void expect_strided_from(reference::random& numbers) {
    for (int round = 0; round < 200; ++round) {
        const auto from = random_span(Stride * (Count - 1) + 2, numbers);
        float halves[16];
        std::int32_t numbers_of_bytes[16];
        simd::strided_halves<Stride, Count, arch, From>(from.data()).store(halves);
        simd::strided_bytes<Stride, Count, arch, From>(from.data()).store(numbers_of_bytes);
        for (std::size_t i = 0; i < 16; ++i) {
            const auto at = Stride * (static_cast<std::size_t>(From[i]) * Count / 16);
            const auto bits = static_cast<std::uint32_t>(from[at] | from[at + 1] << 8);
            EXPECT_TRUE(reference::same_bits(halves[i], bpw::half_to_float(bits))) << bits;
            EXPECT_EQ(numbers_of_bytes[i], from[at]);
        }
    }
}

constexpr std::array<int, 16> other_pairs{0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15};

template <std::size_t Stride, std::size_t Count>
void expect_strided(reference::random& numbers) {
    expect_strided_from<Stride, Count, simd::in_place>(numbers);
    expect_strided_from<Stride, Count, other_pairs>(numbers);
}

TEST(strided, halves_and_bytes) {
    reference::random numbers(61);
    expect_strided<2, 1>(numbers);
    expect_strided<66, 1>(numbers);
    expect_strided<18, 2>(numbers);
    expect_strided<18, 4>(numbers);
    expect_strided<17, 8>(numbers);
    expect_strided<18, 8>(numbers);
    expect_strided<22, 8>(numbers);
    expect_strided<26, 8>(numbers);
    expect_strided<34, 8>(numbers);
    expect_strided<36, 8>(numbers);
}

template <std::size_t Run, std::size_t Stride>
void expect_runs(reference::random& numbers) {
    const auto from = random_span(Stride * (16 / Run - 1) + 2 * Run, numbers);
    float halves[16];
    simd::runs_of_halves<Run, Stride, arch>(from.data()).store(halves);
    for (std::size_t i = 0; i < 16; ++i) {
        const auto at = i / Run * Stride + 2 * (i % Run);
        const auto bits = static_cast<std::uint32_t>(from[at] | from[at + 1] << 8);
        EXPECT_TRUE(reference::same_bits(halves[i], bpw::half_to_float(bits))) << bits;
    }
}

TEST(strided, runs_of_halves) {
    reference::random numbers(68);
    expect_runs<4, 72>(numbers);
    expect_runs<4, 0>(numbers);
    expect_runs<8, 144>(numbers);
    expect_runs<8, 0>(numbers);
    expect_runs<16, 0>(numbers);
}

template <std::size_t At, std::size_t Size>
void expect_everywhere(reference::random& numbers) {
    const auto from = random_span(Size, numbers);
    float halves[16];
    simd::half_everywhere<At, Size, arch>(from.data()).store(halves);
    const auto bits = static_cast<std::uint32_t>(from[At] | from[At + 1] << 8);
    for (const float x : halves) {
        EXPECT_TRUE(reference::same_bits(x, bpw::half_to_float(bits))) << bits;
    }
}

TEST(strided, half_everywhere) {
    reference::random numbers(69);
    expect_everywhere<0, 2>(numbers);
    expect_everywhere<0, 66>(numbers);
    expect_everywhere<80, 84>(numbers);
    expect_everywhere<82, 84>(numbers);
    expect_everywhere<108, 110>(numbers);
    expect_everywhere<2, 144>(numbers);
}

TEST(strided, every_half) {
    for (std::uint32_t bits = 0; bits < 65536; ++bits) {
        const std::uint8_t from[2] = {static_cast<std::uint8_t>(bits),
                                      static_cast<std::uint8_t>(bits >> 8)};
        float all[16];
        simd::strided_halves<2, 1, arch>(from).store(all);
        for (const float x : all) {
            ASSERT_TRUE(reference::same_bits(x, bpw::half_to_float(bits))) << bits;
        }
    }
}

TEST(quarters, are_loaded_from_their_places) {
    reference::random numbers(62);
    const auto from = random_span(16 + 90, numbers);
    const simd::quarter_offsets at{3, 90, 3, 47};
    const auto got = stored(simd::load_quarters<arch>(from.data(), at));
    for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(got[i], from[at[i / 16] + i % 16]);
    const auto pieces = stored(simd::load_pieces<16, 22, arch>(from.data()));
    for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(pieces[i], from[i / 16 * 22 + i % 16]);
    const auto halves = stored(simd::load_pieces<32, 36, arch>(from.data()));
    for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(halves[i], from[i / 32 * 36 + i % 32]);
}

constexpr std::array<int, 16> bits_from{0, 2, 4, 6, 1, 0, 3, 2, 5, 4, 6, 0, 3, 3, 1, 2};

template <int Swap, int Width, int To>
void expect_placed(const plain& x) {
    const auto got =
        stored(simd::placed_quads<Swap, Width, To, bits_from, false>(bytes::load(x.data())));
    for (std::size_t i = 0; i < 64; ++i) {
        const int byte = x[i ^ 4 * std::size_t{Swap}];
        EXPECT_EQ(got[i], (byte >> bits_from[i / 4] & ((1 << Width) - 1)) << To);
    }
}

TEST(quads, change_places) {
    reference::random numbers(70);
    for (int round = 0; round < 50; ++round) {
        const auto x = random_bytes(numbers);
        expect_placed<0, 2, 0>(x);
        expect_placed<1, 2, 0>(x);
        expect_placed<2, 2, 0>(x);
        expect_placed<3, 2, 0>(x);
        expect_placed<0, 1, 2>(x);
        expect_placed<1, 1, 2>(x);
        expect_placed<2, 1, 4>(x);
        expect_placed<3, 2, 6>(x);
    }
}

constexpr std::array<int, 16> bits_to_the_left{0, 1, 2, 0, 2, 1, 0, 0, 5, 4, 6, 4, 5, 6, 6, 4};

template <int Width, int To, const std::array<int, 16>& Shift>
void expect_fields(const plain& x) {
    const auto vector = bytes::load(x.data());
    const auto exact = stored(simd::fields_of_quads<Width, To, Shift, false>(vector));
    const auto loose = stored(simd::fields_of_quads<Width, To, Shift, true>(vector));
    constexpr int mask = ((1 << Width) - 1) << To;
    for (std::size_t i = 0; i < 64; ++i) {
        EXPECT_EQ(exact[i], x[i] >> Shift[i / 4] << To & mask);
        EXPECT_EQ(loose[i] & mask, exact[i]);
    }
}

TEST(quads, have_fields) {
    reference::random numbers(73);
    for (int round = 0; round < 50; ++round) {
        const auto x = random_bytes(numbers);
        expect_fields<2, 0, bits_from>(x);
        expect_fields<1, 2, bits_from>(x);
        expect_fields<2, 4, bits_from>(x);
        expect_fields<1, 4, bits_to_the_left>(x);
        expect_fields<2, 4, bits_to_the_left>(x);
    }
}

TEST(quads, say_where_a_bit_is_clear) {
    reference::random numbers(79);
    const auto x = random_bytes(numbers);
    const auto got = stored(simd::where_clear<bits_from>(bytes::load(x.data())));
    for (std::size_t i = 0; i < 64; ++i) {
        EXPECT_EQ(got[i], (x[i] >> bits_from[i / 4] & 1) == 0 ? 255 : 0) << "byte " << i;
    }
}

TEST(octets, are_zipped) {
    reference::random numbers(74);
    const auto x = random_bytes(numbers);
    const auto y = random_bytes(numbers);
    const auto expect = [&](const plain& got, std::size_t odd) {
        for (std::size_t i = 0; i < 64; ++i) {
            const auto& from = i % 16 < 8 ? x : y;
            EXPECT_EQ(got[i], from[i / 16 * 16 + 8 * odd + i % 8]) << odd << ", byte " << i;
        }
    };
    expect(stored(simd::zipped_octets<false>(bytes::load(x.data()), bytes::load(y.data()))), 0);
    expect(stored(simd::zipped_octets<true>(bytes::load(x.data()), bytes::load(y.data()))), 1);
}

template <std::size_t Size, std::size_t Number>
void expect_gathered(reference::random& numbers) {
    std::array<std::uint8_t, 128> x;
    for (auto& b : x) b = static_cast<std::uint8_t>(numbers.below(256));
    const auto got = stored(
        simd::gathered_twice<Size, Number>(bytes::load(x.data()), bytes::load(x.data() + 64)));
    std::vector<std::uint8_t> expected;
    for (std::size_t first = 0; first < 2; ++first) {
        for (std::size_t piece = first; piece < 32 / Size; piece += 2) {
            const auto* const p = x.data() + 4 * Size * piece + Size * Number;
            expected.insert(expected.end(), p, p + Size);
        }
    }
    for (std::size_t i = 0; i < 64; ++i) {
        EXPECT_EQ(got[i], expected[i % 32]) << Size << ", number " << Number << ", byte " << i;
    }
}

TEST(pieces, give_one_number_each) {
    reference::random numbers(75);
    expect_gathered<4, 0>(numbers);
    expect_gathered<4, 1>(numbers);
    expect_gathered<4, 2>(numbers);
    expect_gathered<4, 3>(numbers);
    expect_gathered<8, 0>(numbers);
    expect_gathered<8, 1>(numbers);
    expect_gathered<8, 2>(numbers);
    expect_gathered<8, 3>(numbers);
}

template <std::size_t Bytes, const std::array<int, 16>& From>
void expect_quads(reference::random& numbers) {
    const auto x = random_span(Bytes, numbers);
    const auto got = stored(simd::gathered_quads<Bytes, From, arch>(x.data()));
    for (std::size_t i = 0; i < 64; ++i) {
        EXPECT_EQ(got[i], x[4 * static_cast<std::size_t>(From[i / 4]) + i % 4]) << "byte " << i;
    }
}

constexpr std::array<int, 16> some_of_eight{7, 0, 3, 3, 1, 6, 2, 5, 4, 4, 0, 7, 6, 5, 1, 2};

TEST(words, give_their_bytes) {
    reference::random numbers(77);
    const auto x = random_span(8, numbers);
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < 8; ++i) word |= std::uint64_t{x[i]} << 8 * i;
    std::int32_t got[16];
    simd::bytes_of_word<some_of_eight, arch>(word).store(got);
    for (std::size_t i = 0; i < 16; ++i) {
        EXPECT_EQ(got[i], x[static_cast<std::size_t>(some_of_eight[i])]) << i;
    }
}

constexpr std::array<int, 16> one_octet{4, 5, 4, 5, 4, 5, 4, 5, 4, 5, 4, 5, 4, 5, 4, 5};
constexpr std::array<int, 16> of_halves{2, 2, 2, 2, 6, 6, 6, 6, 2, 2, 2, 2, 6, 6, 6, 6};
constexpr std::array<int, 16> of_quarters{1, 1, 9, 9, 5, 5, 13, 13, 1, 1, 9, 9, 5, 5, 13, 13};

TEST(quads, are_gathered) {
    reference::random numbers(76);
    expect_quads<32, one_octet>(numbers);
    expect_quads<32, of_halves>(numbers);
    expect_quads<64, of_quarters>(numbers);
}

template <std::size_t Rows>
void expect_repeated_quads(reference::random& numbers) {
    const auto q = random_span(256, numbers);
    std::array<bool, 64> seen{};
    const auto expect = [&]<std::size_t V>(std::integral_constant<std::size_t, V> v) {
        const auto repeated = stored(simd::repeat_quads<Rows, V, arch>(q.data()).as_bytes());
        for (std::size_t i = 0; i < 64; ++i) {
            const auto place = simd::place_of_row_quad<Rows>(v, i / 4 / Rows);
            EXPECT_EQ(repeated[i], q[4 * place + i % 4]) << "vector " << v << ", byte " << i;
            seen[place] = true;
        }
    };
    [&]<std::size_t... V>(std::index_sequence<V...>) {
        (expect(std::integral_constant<std::size_t, V>{}), ...);
    }
    (std::make_index_sequence<4 * Rows>{});
    for (const bool place : seen) EXPECT_TRUE(place);
}

TEST(quads, are_repeated_for_rows) {
    reference::random numbers(8);
    expect_repeated_quads<4>(numbers);
    expect_repeated_quads<8>(numbers);
    expect_repeated_quads<16>(numbers);
}

TEST(quads, thirty_two_bytes_twice) {
    reference::random numbers(71);
    const auto from = random_span(32, numbers);
    const auto got = stored(simd::twice32<arch>(from.data()));
    for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(got[i], from[i % 32]);
}

constexpr std::array<std::uint8_t, 64> moves = [] {
    std::array<std::uint8_t, 64> out{};
    for (std::size_t i = 0; i < 64; ++i) {
        out[i] = i % 5 == 0 ? std::uint8_t{128} : static_cast<std::uint8_t>(i * 7 % 16);
    }
    return out;
}();

TEST(quarters, are_shuffled) {
    reference::random numbers(63);
    const auto x = random_bytes(numbers);
    const auto under = random_bytes(numbers);
    const auto got = stored(simd::shuffle_quarters(bytes::load(x.data()), moves));
    const auto over = stored(
        simd::shuffle_quarters_over<moves>(bytes::load(under.data()), bytes::load(x.data())));
    for (std::size_t i = 0; i < 64; ++i) {
        const auto moved = x[i / 16 * 16 + moves[i] % 16];
        EXPECT_EQ(got[i], moves[i] == 128 ? 0 : moved);
        EXPECT_EQ(over[i], moves[i] == 128 ? under[i] : moved);
    }
}

template <int Width, int To, int S0, int S1, int S2, int S3>
void expect_fields(const plain& x) {
    const auto fields = [&]<bool Loose>() {
        return stored(
            simd::fields_of_quarters<Width, To, Loose, S0, S1, S2, S3>(bytes::load(x.data())));
    };
    const auto got = fields.template operator()<false>();
    const auto loose = fields.template operator()<true>();
    constexpr int shift[4]{S0, S1, S2, S3};
    constexpr int kept = ((1 << Width) - 1) << To;
    for (std::size_t i = 0; i < 64; ++i) {
        EXPECT_EQ(got[i], (x[i] >> shift[i / 16] & ((1 << Width) - 1)) << To);
        EXPECT_EQ(loose[i] & kept, got[i]);
    }
}

TEST(quarters, have_fields) {
    reference::random numbers(72);
    for (int round = 0; round < 50; ++round) {
        const auto x = random_bytes(numbers);
        expect_fields<1, 2, 0, 1, 2, 3>(x);
        expect_fields<1, 2, 7, 7, 7, 7>(x);
        expect_fields<1, 4, 4, 0, 5, 1>(x);
        expect_fields<2, 4, 0, 2, 4, 6>(x);
        expect_fields<2, 4, 6, 6, 2, 2>(x);
        expect_fields<4, 0, 4, 0, 4, 0>(x);
    }
}

TEST(quarters, the_last_is_replaced) {
    reference::random numbers(64);
    const auto x = random_bytes(numbers);
    const auto last = random_bytes(numbers);
    const auto got = stored(simd::with_last_quarter(bytes::load(x.data()), last.data()));
    for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(got[i], i < 48 ? x[i] : last[i - 48]);
}

TEST(bits, choose_values) {
    reference::random numbers(65);
    plain bit;
    for (std::size_t i = 0; i < 64; ++i) bit[i] = static_cast<std::uint8_t>(1 << i * 3 % 8);
    for (int round = 0; round < 100; ++round) {
        const auto x = random_bytes(numbers);
        const auto got = stored(simd::where_bit<16>(bytes::load(x.data()), bit));
        for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(got[i], (x[i] & bit[i]) != 0 ? 16 : 0);
    }
}

TEST(bits, of_octets_are_fields) {
    reference::random numbers(66);
    constexpr int from[8] = {0, 3, 6, 6, 1, 2, 4, 5};
    for (int round = 0; round < 100; ++round) {
        const auto x = random_bytes(numbers);
        const auto vector = bytes::load(x.data());
        const auto lowest = stored(simd::fields_of_octets<2, 0, 0, 3, 6, 6, 1, 2, 4, 5>(vector));
        const auto upper = stored(simd::fields_of_octets<2, 4, 0, 3, 6, 6, 1, 2, 4, 5>(vector));
        for (std::size_t i = 0; i < 64; ++i) {
            EXPECT_EQ(lowest[i], x[i] >> from[i / 8] & 3);
            EXPECT_EQ(upper[i], lowest[i] << 4);
        }
    }
}

TEST(bits, choose_bytes_that_grow) {
    reference::random numbers(73);
    for (int round = 0; round < 100; ++round) {
        const auto x = random_bytes(numbers);
        std::uint64_t bits = 0;
        for (int i = 0; i < 4; ++i) bits = bits << 16 | numbers.below(1 << 16);
        const auto got = stored(simd::add_where<16>(bytes::load(x.data()), bits));
        for (std::size_t i = 0; i < 64; ++i) {
            EXPECT_EQ(got[i], static_cast<std::uint8_t>(x[i] + (bits >> i & 1) * 16));
        }
    }
}

TEST(bits, lowest_of_words) {
    reference::random numbers(67);
    for (int round = 0; round < 100; ++round) {
        const auto words = random_span(128, numbers);
        const auto got = simd::lowest_bits_of_words<arch>(words.data());
        for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(got >> i & 1, words[2 * i] & 1u) << i;
    }
}

TEST(bytes, thirds_of_all) {
    for (std::size_t first = 0; first < 256; first += 64) {
        plain x;
        for (std::size_t i = 0; i < 64; ++i) x[i] = static_cast<std::uint8_t>(first + i);
        const auto got = stored(simd::thirds(bytes::load(x.data())));
        for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(got[i], 3 * (first + i) / 256);
    }
}

template <int By>
void expect_thirds_of_pairs() {
    for (unsigned first = 0; first < 256; ++first) {
        plain x;
        for (std::size_t i = 0; i < 64; ++i) x[i] = static_cast<std::uint8_t>(first + 5 * i);
        const auto got = stored(simd::thirds_of_pairs<By>(bytes::load(x.data())));
        for (std::size_t i = 0; i < 64; ++i) {
            const auto from = x[i / 16 * 16 + i % 8 * 2 + i % 16 / 8];
            EXPECT_EQ(got[i], 3 * (from * By % 256) / 256) << int{from};
        }
    }
}
TEST(bytes, thirds_of_products_in_pairs) {
    expect_thirds_of_pairs<1>();
    expect_thirds_of_pairs<3>();
    expect_thirds_of_pairs<9>();
    expect_thirds_of_pairs<27>();
    expect_thirds_of_pairs<81>();
}

TEST(bytes, become_integers) {
    std::int32_t got[16];
    simd::from_bytes<arch>(0x8877665544332211u, 0x00ffeeddccbbaa99u).store(got);
    for (std::int32_t i = 0; i < 15; ++i) EXPECT_EQ(got[i], 0x11 * (i + 1));
    EXPECT_EQ(got[15], 0);
}

TEST(integers, are_selected_by_a_bound) {
    std::int32_t x[16], got[16];
    for (std::int32_t i = 0; i < 16; ++i) x[i] = 5 * i - 20;
    using ints = simd::int16x<arch>;
    simd::select_less(ints::load(x), 2, ints::all(7), ints::load(x)).store(got);
    for (std::size_t i = 0; i < 16; ++i) EXPECT_EQ(got[i], x[i] < 2 ? 7 : x[i]);
}

}  // namespace
