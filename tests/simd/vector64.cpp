// Vectors of 64 bytes, 16 integers and 16 floats at this level, against plain loops.
#include <bpw/simd/dot_run.hpp>
#include <bpw/simd/floats.hpp>
#include <bpw/simd/gathered.hpp>
#include <bpw/simd/transpose.hpp>
#include <bpw/simd/vector64.hpp>
#include <reference/random.hpp>
#include <reference/same_bits.hpp>

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

namespace simd = bpw::simd;
using arch = bpw::native_arch;
using bytes64 = simd::bytes64<arch>;
using int16x = simd::int16x<arch>;
using float16 = simd::float16<arch>;
using bytes = std::array<std::uint8_t, 64>;
using ints = std::array<std::int32_t, 16>;
using floats = std::array<float, 16>;

bytes values_of(const bytes64& v) {
    bytes out;
    v.store(out.data());
    return out;
}
ints values_of(const int16x& v) {
    ints out;
    v.store(out.data());
    return out;
}
floats values_of(const float16& v) {
    floats out;
    v.store(out.data());
    return out;
}

bytes64 vector_of(const bytes& x) { return bytes64::load(x.data()); }
int16x vector_of(const ints& x) { return int16x::load(x.data()); }
float16 vector_of(const floats& x) { return float16::load(x.data()); }

bytes random_bytes(reference::random& numbers) {
    bytes out;
    for (auto& x : out) x = static_cast<std::uint8_t>(numbers.below(256));
    return out;
}
ints random_ints(reference::random& numbers) {
    ints out;
    for (auto& x : out) x = static_cast<std::int32_t>(numbers.bits());
    return out;
}

// What f makes of every element.
template <class F, class T, std::size_t N>
auto each(const std::array<T, N>& x, F f) {
    std::array<std::decay_t<std::invoke_result_t<F, T>>, N> out;
    for (std::size_t i = 0; i < N; ++i) out[i] = f(x[i]);
    return out;
}

// Every byte value in every lane, one table of 64 after another.
template <class F>
void for_all_bytes(F f) {
    for (unsigned first = 0; first < 256; ++first) {
        bytes x;
        for (std::size_t i = 0; i < 64; ++i) x[i] = static_cast<std::uint8_t>(first + 5 * i);
        f(x);
        if (testing::Test::HasFatalFailure()) return;
    }
}

template <int Count, class F>
void for_constants(F f) {
    [&]<int... I>(std::integer_sequence<int, I...>) { (f(std::integral_constant<int, I>{}), ...); }
    (std::make_integer_sequence<int, Count>{});
}

// --- bytes64 -------------------------------------------------------------------------------------

TEST(bytes64, loads_and_stores_at_any_address) {
    reference::random numbers(1);
    std::vector<std::uint8_t> from(128);
    for (auto& x : from) x = static_cast<std::uint8_t>(numbers.below(256));
    for (std::size_t shift = 0; shift < 64; ++shift) {
        std::vector<std::uint8_t> to(128, 0xee);
        bytes64::load(from.data() + shift).store(to.data() + 63 - shift);
        EXPECT_EQ(std::memcmp(to.data() + 63 - shift, from.data() + shift, 64), 0);
        if (shift < 63) {
            EXPECT_EQ(to[62 - shift], 0xee);
        }
        EXPECT_EQ(to[127 - shift], 0xee);
    }
    for (unsigned x = 0; x < 256; ++x) {
        bytes expected;
        expected.fill(static_cast<std::uint8_t>(x));
        EXPECT_EQ(values_of(bytes64::all(static_cast<std::uint8_t>(x))), expected);
    }
}

TEST(bytes64, makes_its_registers_in_order) {
    reference::random numbers(2);
    const auto x = random_bytes(numbers);
    std::size_t calls = 0;
    const auto made = bytes64::make([&](std::size_t i) {
        EXPECT_EQ(i, calls++);
        return bytes64::vector::load_unaligned(x.data() + i * bytes64::per_vector);
    });
    EXPECT_EQ(values_of(made), x);
    EXPECT_EQ(calls * bytes64::per_vector, 64u);
}

TEST(bytes64, has_every_field) {
    for_all_bytes([](const bytes& x) {
        const auto v = vector_of(x);
        for_constants<64>([&](auto code) {
            constexpr int width = code() / 8 + 1;
            constexpr int by = code() % 8;
            if constexpr (width + by <= 8) {
                const auto field = each(x, [](std::uint8_t b) {
                    return static_cast<std::uint8_t>(b >> by & ((1 << width) - 1));
                });
                ASSERT_EQ((values_of(v.template field<width, by>())), field)
                    << width << " bits from " << by;
            }
        });
    });
}

TEST(bytes64, shifts_bytes_and_words) {
    for_all_bytes([](const bytes& x) {
        const auto v = vector_of(x);
        for_constants<8>([&](auto by) {
            const auto shifted =
                each(x, [&](std::uint8_t b) { return static_cast<std::uint8_t>(b << by); });
            ASSERT_EQ(values_of(v.template shifted_left<by()>()), shifted) << "by " << by;
        });
        for_constants<16>([&](auto by) {
            bytes shifted;
            for (std::size_t i = 0; i < 64; i += 2) {
                const auto word = (x[i] | x[i + 1] << 8) >> by;
                shifted[i] = static_cast<std::uint8_t>(word);
                shifted[i + 1] = static_cast<std::uint8_t>(word >> 8);
            }
            ASSERT_EQ(values_of(v.template words_shifted_right<by()>()), shifted) << "by " << by;
        });
    });
}

TEST(bytes64, combines_bytes) {
    reference::random numbers(3);
    for (int round = 0; round < 1000; ++round) {
        const auto a = random_bytes(numbers);
        const auto b = random_bytes(numbers);
        const auto expect = [&](const bytes64& got, auto operation) {
            bytes expected;
            for (std::size_t i = 0; i < 64; ++i) {
                expected[i] = static_cast<std::uint8_t>(operation(a[i], b[i]));
            }
            ASSERT_EQ(values_of(got), expected);
        };
        expect(vector_of(a) | vector_of(b), std::bit_or<int>());
        expect(vector_of(a) & vector_of(b), std::bit_and<int>());
        expect(vector_of(a) ^ vector_of(b), std::bit_xor<int>());
        expect(vector_of(a) + vector_of(b), std::plus<int>());
        ASSERT_EQ(values_of(vector_of(a) ^ b[0]),
                  each(a, [&](std::uint8_t x) { return static_cast<std::uint8_t>(x ^ b[0]); }));
    }
}

template <std::size_t Size>
void check_lookup() {
    reference::random numbers(4);
    std::array<std::uint8_t, Size> table;
    for (auto& x : table) x = static_cast<std::uint8_t>(numbers.below(256));
    for (std::size_t first = 0; first < Size; ++first) {
        bytes index;
        for (std::size_t i = 0; i < 64; ++i) {
            index[i] = static_cast<std::uint8_t>((first + 3 * i) % Size);
        }
        ASSERT_EQ(values_of(vector_of(index).template lookup<Size>(table.data())),
                  each(index, [&](std::uint8_t i) { return table[i]; }));
    }
}

TEST(bytes64, looks_up_every_index) {
    check_lookup<16>();
    check_lookup<32>();
    check_lookup<64>();
}

// --- int16x --------------------------------------------------------------------------------------

TEST(int16x, loads_stores_and_repeats) {
    reference::random numbers(5);
    const auto x = random_ints(numbers);
    std::vector<std::byte> memory(64 + 64 + 64);
    for (std::size_t shift = 0; shift < 64; shift += 4) {
        auto* const at = reinterpret_cast<std::int32_t*>(memory.data() + shift);
        vector_of(x).store(at);
        EXPECT_EQ(values_of(int16x::load(at)), x);
    }
    ints expected;
    EXPECT_EQ(values_of(int16x::zero()), ints{});
    for (const auto n : x) {
        expected.fill(n);
        EXPECT_EQ(values_of(int16x::all(n)), expected);
    }
}

TEST(int16x, calculates_modulo_32_bits) {
    reference::random numbers(6);
    for (int round = 0; round < 1000; ++round) {
        const auto a = random_ints(numbers);
        const auto b = random_ints(numbers);
        const auto va = vector_of(a);
        const auto vb = vector_of(b);
        const auto expect = [&](const int16x& got, auto operation, bool one) {
            ints expected;
            for (std::size_t i = 0; i < 16; ++i) {
                const auto right = static_cast<std::uint32_t>(one ? b[0] : b[i]);
                expected[i] =
                    static_cast<std::int32_t>(operation(static_cast<std::uint32_t>(a[i]), right));
            }
            ASSERT_EQ(values_of(got), expected);
        };
        using word = std::uint32_t;
        expect(va + vb, std::plus<word>(), false);
        expect(va - vb, std::minus<word>(), false);
        expect(va * vb, std::multiplies<word>(), false);
        expect(va & vb, std::bit_and<word>(), false);
        expect(va | vb, std::bit_or<word>(), false);
        expect(va + b[0], std::plus<word>(), true);
        expect(va & b[0], std::bit_and<word>(), true);
        expect(va ^ b[0], std::bit_xor<word>(), true);
    }
}

TEST(int16x, shifts_by_every_distance) {
    reference::random numbers(7);
    for (int round = 0; round < 100; ++round) {
        const auto x = random_ints(numbers);
        for_constants<32>([&](auto by) {
            ASSERT_EQ(values_of(vector_of(x).template shifted_right<by()>()),
                      each(x, [&](std::int32_t n) { return n >> by; }));
            ASSERT_EQ(values_of(vector_of(x).template shifted_left<by()>()),
                      each(x, [&](std::int32_t n) {
                          return static_cast<std::int32_t>(static_cast<std::uint32_t>(n) << by);
                      }));
        });
    }
}

template <std::size_t Size>
void expect_signed_lookup() {
    reference::random numbers(8);
    for (int round = 0; round < 200; ++round) {
        std::array<std::int8_t, Size> table;
        for (auto& x : table) x = static_cast<std::int8_t>(numbers.below(256));
        ints index;
        for (auto& i : index) i = static_cast<std::int32_t>(numbers.below(Size));
        ASSERT_EQ(values_of(vector_of(index).lookup<Size>(table.data())), each(index, [&](int i) {
                      return std::int32_t{table[static_cast<std::size_t>(i)]};
                  }));
    }
}

TEST(int16x, looks_up_signed_bytes) {
    expect_signed_lookup<16>();
    expect_signed_lookup<32>();
}

TEST(int16x, is_bytes_lowest_first) {
    ints x;
    bytes expected;
    for (std::size_t i = 0; i < 64; ++i) expected[i] = static_cast<std::uint8_t>(200 + i);
    std::memcpy(x.data(), expected.data(), 64);
    if constexpr (std::endian::native == std::endian::little) {
        EXPECT_EQ(values_of(vector_of(x).as_bytes()), expected);
    }
}

TEST(int16x, becomes_the_nearest_floats) {
    using limits = std::numeric_limits<std::int32_t>;
    reference::random numbers(9);
    for (int round = 0; round < 2000; ++round) {
        ints x = random_ints(numbers);
        // Small ones, ones around 2^24 where rounding begins, ties, and the largest.
        for (auto& n : x) n >>= numbers.below(31);
        if (round == 0) {
            x = {0,
                 1,
                 -1,
                 1 << 24,
                 (1 << 24) + 1,
                 (1 << 24) + 2,
                 (1 << 24) + 3,
                 -(1 << 24) - 1,
                 -(1 << 24) - 3,
                 (1 << 25) + 2,
                 (1 << 25) + 6,
                 limits::max(),
                 limits::min(),
                 limits::max() - 64,
                 limits::max() - 63,
                 -127};
        }
        ASSERT_EQ(values_of(vector_of(x).to_float()),
                  each(x, [](std::int32_t n) { return static_cast<float>(n); }));
        const auto bits = values_of(vector_of(x).as_float());
        for (std::size_t i = 0; i < 16; ++i) {
            ASSERT_EQ(std::bit_cast<std::int32_t>(bits[i]), x[i]);
        }
    }
}

TEST(int16x, selects_by_comparing) {
    using limits = std::numeric_limits<std::int32_t>;
    reference::random numbers(10);
    for (int round = 0; round < 500; ++round) {
        const auto a = random_ints(numbers);
        const auto b = random_ints(numbers);
        ints x = random_ints(numbers);
        for (auto& n : x) n >>= numbers.below(31);
        for (const auto bound : {0, 1, -1, x[3], x[3] + 1, limits::min(), limits::max()}) {
            ints expected;
            for (std::size_t i = 0; i < 16; ++i) expected[i] = x[i] < bound ? a[i] : b[i];
            ASSERT_EQ(
                values_of(simd::select_less<arch>(vector_of(x), bound, vector_of(a), vector_of(b))),
                expected);
        }
    }
}

// --- halves, strided16 ---------------------------------------------------------------------------

TEST(halves, have_every_pair_of_fields) {
    reference::random numbers(11);
    for (int round = 0; round < 20; ++round) {
        // No more than 32 bytes may be read.
        std::vector<std::uint8_t> x(32);
        for (auto& b : x) b = static_cast<std::uint8_t>(numbers.below(256));
        for_constants<5>([&](auto less) {
            for_constants<64>([&](auto code) {
                constexpr int width = less() + 1;
                constexpr int low = code() / 8 % 8;
                constexpr int high = code() % 8;
                if constexpr (width + low <= 8 && width + high <= 8) {
                    // A place of its own for every pair.
                    constexpr int to = (3 * low + high) % (9 - width);
                    bytes expected;
                    for (std::size_t i = 0; i < 32; ++i) {
                        constexpr int mask = (1 << width) - 1;
                        expected[i] = static_cast<std::uint8_t>((x[i] >> low & mask) << to);
                        expected[32 + i] = static_cast<std::uint8_t>((x[i] >> high & mask) << to);
                    }
                    ASSERT_EQ((values_of(simd::fields_of_halves<width, low, high, to, false>(
                                  simd::twice32<arch>(x.data())))),
                              expected)
                        << width << " bits from " << low << " and " << high;
                }
            });
        });
    }
}

// Where anything may stand beside the bits, those are still the same.
TEST(halves, may_be_loose) {
    reference::random numbers(14);
    std::vector<std::uint8_t> x(32);
    for (auto& b : x) b = static_cast<std::uint8_t>(numbers.below(256));
    const auto exact =
        values_of(simd::fields_of_halves<2, 4, 6, 4, false>(simd::twice32<arch>(x.data())));
    const auto loose =
        values_of(simd::fields_of_halves<2, 4, 6, 4, true>(simd::twice32<arch>(x.data())));
    for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(loose[i] & 0x30, exact[i]);
}

TEST(field, may_be_loose) {
    reference::random numbers(15);
    const auto x = random_bytes(numbers);
    const auto exact = values_of(vector_of(x).template field<3, 2>());
    const auto loose = values_of(vector_of(x).template field<3, 2, true>());
    for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(loose[i] & 7, exact[i]);
}

TEST(joined, has_the_low_bits_of_one_and_the_others_of_another) {
    reference::random numbers(16);
    const auto x = random_bytes(numbers);
    const auto y = random_bytes(numbers);
    const auto got = values_of(simd::joined<3>(vector_of(x), vector_of(y)));
    for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(got[i], (x[i] & 7) | (y[i] & 0xf8));
}

constexpr auto table16 = [] {
    std::array<std::uint8_t, 16> out{};
    for (std::size_t i = 0; i < 16; ++i) out[i] = static_cast<std::uint8_t>(7 * i + 3);
    return out;
}();
constexpr auto table32 = [] {
    std::array<std::uint8_t, 32> out{};
    for (std::size_t i = 0; i < 32; ++i) out[i] = static_cast<std::uint8_t>(5 * i + 90);
    return out;
}();

TEST(lookup_low_bits, ignores_the_others) {
    for (int first = 0; first < 256; first += 64) {
        bytes x;
        for (std::size_t i = 0; i < 64; ++i) x[i] = static_cast<std::uint8_t>(first + int(i));
        const auto of16 = values_of(simd::lookup_low_bits<table16>(vector_of(x)));
        const auto of32 = values_of(simd::lookup_low_bits<table32>(vector_of(x)));
        for (std::size_t i = 0; i < 64; ++i) {
            EXPECT_EQ(of16[i], table16[x[i] % 16]);
            EXPECT_EQ(of32[i], table32[x[i] % 32]);
        }
    }
}

// All pairs of an index and what is said of its upper bit, where the level looks up so.
template <class A>
void expect_lookup_by_halves() {
    if constexpr (simd::looks_up_by_halves<A>) {
        for (const std::uint8_t clear : {std::uint8_t{0}, std::uint8_t{255}}) {
            bytes x;
            bytes upper;
            for (std::size_t i = 0; i < 64; ++i) {
                x[i] = static_cast<std::uint8_t>(i % 16);
                upper[i] = i / 16 % 2 == 0 ? clear : static_cast<std::uint8_t>(~clear);
            }
            const auto got = values_of(simd::lookup_by_halves<table32>(
                simd::bytes64<A>::load(x.data()), simd::bytes64<A>::load(upper.data())));
            for (std::size_t i = 0; i < 64; ++i) {
                EXPECT_EQ(got[i], table32[x[i] + (upper[i] == 0 ? 16u : 0u)]) << i;
            }
        }
    }
}

TEST(lookup_by_halves, takes_the_upper_bit_apart) { expect_lookup_by_halves<arch>(); }

TEST(strided16, has_four_runs_at_any_distance) {
    reference::random numbers(12);
    for (std::size_t stride = 0; stride < 300; ++stride) {
        // The last byte that may be read is the last of the fourth run.
        std::vector<std::uint8_t> x(3 * stride + 16);
        for (auto& b : x) b = static_cast<std::uint8_t>(numbers.below(256));
        bytes expected;
        for (std::size_t i = 0; i < 64; ++i) expected[i] = x[i / 16 * stride + i % 16];
        ASSERT_EQ(values_of(simd::strided16<arch>(x.data(), stride)), expected);
    }
}

// --- gather_bits ---------------------------------------------------------------------------------

template <bool OneWindow>
void check_gather_bits() {
    reference::random numbers(13);
    for (int round = 0; round < 2000; ++round) {
        std::vector<std::uint8_t> x(16 + 40);
        for (auto& b : x) b = static_cast<std::uint8_t>(numbers.below(256));
        std::array<std::size_t, 4> window{};
        for (auto& w : window) w = numbers.below(41);
        if (OneWindow) window.fill(window[0]);
        simd::bit_plan plan{};
        const auto width = 1 + numbers.below(8);
        plan.mask = (1 << width) - 1;
        ints expected;
        for (std::size_t i = 0; i < 16; ++i) {
            const auto low = numbers.below(16);
            const auto high = numbers.below(16);
            plan.byte[4 * i] = static_cast<std::uint8_t>(low);
            plan.byte[4 * i + 1] = static_cast<std::uint8_t>(high);
            plan.byte[4 * i + 2] = plan.byte[4 * i + 3] = 128;
            plan.shift[i] = static_cast<std::int32_t>(numbers.below(16));
            const auto* const from = x.data() + window[i / 4];
            expected[i] = (from[low] | from[high] << 8) >> plan.shift[i] & plan.mask;
        }
        ASSERT_EQ(values_of(simd::gather_bits<OneWindow, true, arch>(x.data(), window, plan)),
                  expected);
    }
}

TEST(gather_bits, out_of_one_window) { check_gather_bits<true>(); }
TEST(gather_bits, out_of_four_windows) { check_gather_bits<false>(); }

// --- floats --------------------------------------------------------------------------------------

TEST(from_halves, of_every_half) {
    std::array<std::uint16_t, 17> memory;
    // At an odd multiple of the alignment.
    std::uint16_t* const halves = memory.data() + 1;
    for (std::uint32_t first = 0; first < 0x10000; first += 16) {
        for (std::uint32_t i = 0; i < 16; ++i) halves[i] = static_cast<std::uint16_t>(first + i);
        const auto got = values_of(simd::from_halves<arch>(halves));
        for (std::size_t i = 0; i < 16; ++i) {
            const float expected = bpw::half_to_float(halves[i]);
            ASSERT_TRUE(reference::same_bits(got[i], expected)) << halves[i];
            ASSERT_EQ(std::signbit(got[i]), std::signbit(expected)) << halves[i];
        }
    }
}

TEST(spread, takes_any_lane_to_any_lane) {
    floats x;
    for (std::size_t i = 0; i < 16; ++i) x[i] = static_cast<float>(i) - 7.5f;
    x[3] = std::numeric_limits<float>::infinity();
    x[12] = -0.0f;
    reference::random numbers(14);
    for (int round = 0; round < 1000; ++round) {
        std::array<int, 16> from;
        for (auto& i : from) i = static_cast<int>(numbers.below(16));
        if (round < 16) from.fill(round);
        const auto got = values_of(simd::spread<arch>(vector_of(x), from));
        for (std::size_t i = 0; i < 16; ++i) {
            ASSERT_TRUE(reference::same_bits(got[i], x[static_cast<std::size_t>(from[i])]));
        }
    }
}

TEST(spread, doubles_the_even_lanes) {
    floats x;
    for (std::size_t i = 0; i < 16; ++i) x[i] = static_cast<float>(i) - 7.5f;
    x[4] = -0.0f;
    const auto got = values_of(simd::each_even_twice(vector_of(x)));
    for (std::size_t i = 0; i < 16; ++i) {
        EXPECT_TRUE(reference::same_bits(got[i], x[i / 2 * 2])) << i;
    }
}

constexpr std::array<int, 16> any_order{3, 15, 0, 8, 8, 1, 7, 12, 2, 10, 4, 4, 14, 9, 6, 11};

TEST(signed_bytes, become_floats_in_any_order) {
    std::int8_t x[16];
    for (int first = -128; first < 128; first += 16) {
        for (int i = 0; i < 16; ++i) x[i] = static_cast<std::int8_t>(first + i);
        const auto in_place = values_of(simd::from_signed_bytes<arch>(x));
        const auto moved = values_of(simd::from_signed_bytes<arch, any_order>(x));
        for (std::size_t i = 0; i < 16; ++i) {
            EXPECT_EQ(in_place[i], static_cast<float>(x[i]));
            EXPECT_EQ(moved[i], static_cast<float>(x[any_order[i]]));
        }
    }
}

// --- add_dot4 ------------------------------------------------------------------------------------

template <int MaxU>
void check_add_dot4() {
    SCOPED_TRACE(MaxU);
    reference::random numbers(15);
    for (int round = 0; round < 2000; ++round) {
        bytes u;
        std::array<std::int8_t, 65> memory;
        // Activations need not be aligned.
        std::int8_t* const s = memory.data() + 1;
        for (std::size_t i = 0; i < 64; ++i) {
            // Extremes in the first rounds.
            const auto choice = numbers.below(round < 200 ? 2 : MaxU + 1);
            u[i] = static_cast<std::uint8_t>(round < 200 ? choice * MaxU : choice);
            s[i] =
                static_cast<std::int8_t>(round < 200 ? (numbers.below(2) != 0 ? 127 : -127)
                                                     : static_cast<int>(numbers.below(255)) - 127);
        }
        ints sums;
        for (auto& n : sums) n = static_cast<std::int32_t>(numbers.below(2000)) - 1000;
        ints expected = sums;
        for (std::size_t i = 0; i < 64; ++i) expected[i / 4] += u[i] * s[i];
        auto got = vector_of(sums);
        simd::add_dot4<MaxU>(got, vector_of(u), s);
        ASSERT_EQ(values_of(got), expected);

        constexpr int lowered = simd::lowered_by<MaxU, arch>;
        for (std::size_t i = 0; i < 64; ++i) expected[i / 4] -= lowered * s[i];
        got = vector_of(sums);
        simd::add_dot4<MaxU, lowered>(got, vector_of(u), s);
        ASSERT_EQ(values_of(got), expected);
    }
}

TEST(add_dot4, is_exact_for_every_bound) {
    check_add_dot4<1>();
    check_add_dot4<15>();
    check_add_dot4<127>();
    check_add_dot4<129>();
    check_add_dot4<130>();
    check_add_dot4<255>();
}

// --- add_dot4_of_run -----------------------------------------------------------------------------

// Lanes of 0 ... MaxU that archs which lower such lanes lower by `By`.
template <int MaxU, int By>
void check_run() {
    SCOPED_TRACE(MaxU);
    constexpr int by = simd::lowered_by<MaxU, arch> == 0 ? 0 : By;
    reference::random numbers(16);
    for (int round = 0; round < 1000; ++round) {
        bytes u[4];
        std::int8_t s[4][64];
        std::uint8_t magnitude[4][64];
        ints expected;
        for (auto& n : expected) n = static_cast<std::int32_t>(numbers.below(2000)) - 1000;
        auto got = vector_of(expected);
        auto with_magnitudes = got;
        for (std::size_t k = 0; k < 4; ++k) {
            for (std::size_t i = 0; i < 64; ++i) {
                // In the first rounds extremes, all of one sign in the very first.
                const int lane = round < 2     ? MaxU
                                 : round < 200 ? static_cast<int>(numbers.below(2)) * MaxU
                                               : static_cast<int>(numbers.below(MaxU + 1));
                const int value = round < 2     ? 254 * round - 127
                                  : round < 200 ? static_cast<int>(numbers.below(2)) * 254 - 127
                                                : static_cast<int>(numbers.below(255)) - 127;
                u[k][i] = static_cast<std::uint8_t>(lane - by);
                s[k][i] = static_cast<std::int8_t>(value);
                magnitude[k][i] = static_cast<std::uint8_t>(std::abs(value));
                expected[i / 4] += (lane - by) * value;
            }
        }
        simd::pair_sums<arch> pairs;
        simd::pair_sums<arch> other_pairs;
        const auto add = [&]<std::size_t K>(std::integral_constant<std::size_t, K>) {
            const auto values = simd::registers_at<arch>(s[K]);
            simd::add_dot4_of_run<MaxU, by, K, 4>(got, pairs, vector_of(u[K]), values);
            simd::add_dot4_of_run<MaxU, by, K, 4>(with_magnitudes, other_pairs, vector_of(u[K]),
                                                  values, simd::registers_at<arch>(magnitude[K]));
        };
        add(std::integral_constant<std::size_t, 0>{});
        add(std::integral_constant<std::size_t, 1>{});
        add(std::integral_constant<std::size_t, 2>{});
        add(std::integral_constant<std::size_t, 3>{});
        ASSERT_EQ(values_of(got), expected);
        ASSERT_EQ(values_of(with_magnitudes), expected);
    }
}

TEST(add_dot4_of_run, is_exact_for_every_bound) {
    check_run<1, 0>();
    check_run<15, 0>();
    check_run<31, 0>();
    check_run<64, 0>();
    check_run<129, 0>();
    check_run<240, 127>();
    check_run<255, 128>();
}

// --- gather_parts --------------------------------------------------------------------------------

// Sixteen numbers of 6 bits: four bits from byte 2 n / 3 and two from byte 10 + n / 4 on.
constexpr int low_byte(int n) { return 2 * n / 3; }
constexpr int low_shift(int n) { return n % 2 == 0 ? 4 : 1; }
constexpr int high_byte(int n) { return 10 + n / 4; }
constexpr int high_shift(int n) { return 2 * (3 - n % 4); }
template <class Byte, class Shift>
constexpr simd::number_part make_part(Byte byte, Shift shift, int width, int at) {
    simd::number_part part{{3, 3, 3, 3}, {}, width, at};
    for (int n = 0; n < 16; ++n) {
        const auto i = static_cast<std::size_t>(n);
        for (std::size_t k = 0; k < 4; ++k) part.plan.byte[4 * i + k] = 128;
        part.plan.byte[4 * i] = part.plan.byte[4 * i + 1] = static_cast<std::uint8_t>(byte(n));
        part.plan.shift[i] = shift(n);
    }
    part.plan.mask = (1 << width) - 1;
    return part;
}
constexpr std::array<simd::number_part, 2> two_parts{make_part(low_byte, low_shift, 4, 0),
                                                     make_part(high_byte, high_shift, 2, 4)};
constexpr std::array<simd::number_part, 1> one_part{make_part(high_byte, high_shift, 2, 0)};

TEST(gather_parts, of_two_and_of_one) {
    reference::random numbers(17);
    for (int round = 0; round < 200; ++round) {
        std::uint8_t block[19];
        for (auto& b : block) b = static_cast<std::uint8_t>(numbers.below(256));
        const auto both = values_of(simd::gather_parts<two_parts, arch>(block));
        const auto one = values_of(simd::gather_parts<one_part, arch>(block));
        for (int n = 0; n < 16; ++n) {
            const int low = block[3 + low_byte(n)] >> low_shift(n) & 15;
            const int high = block[3 + high_byte(n)] >> high_shift(n) & 3;
            EXPECT_EQ(both[static_cast<std::size_t>(n)], low | high << 4);
            EXPECT_EQ(one[static_cast<std::size_t>(n)], high);
        }
    }
}

constexpr std::array<std::int8_t, 64> signed64 = [] {
    std::array<std::int8_t, 64> out{};
    for (int i = 0; i < 64; ++i)
        out[static_cast<std::size_t>(i)] = static_cast<std::int8_t>(4 * i - 128);
    return out;
}();

TEST(gather_from_table, looks_up_what_is_gathered) {
    reference::random numbers(80);
    for (int round = 0; round < 200; ++round) {
        std::uint8_t block[19];
        for (auto& b : block) b = static_cast<std::uint8_t>(numbers.below(256));
        const auto both = values_of(simd::gather_from_table<two_parts, signed64, arch>(block));
        const auto one = values_of(simd::gather_from_table<one_part, signed64, arch>(block));
        for (int n = 0; n < 16; ++n) {
            const auto low = std::size_t{block[3 + low_byte(n)]} >> low_shift(n) & 15;
            const auto high = std::size_t{block[3 + high_byte(n)]} >> high_shift(n) & 3;
            EXPECT_EQ(both[static_cast<std::size_t>(n)], signed64[low | high << 4]);
            EXPECT_EQ(one[static_cast<std::size_t>(n)], signed64[high]);
        }
    }
}

TEST(sums_of_bytes, come_together) {
    reference::random numbers(78);
    for (int round = 0; round < 100; ++round) {
        std::array<bytes, 4> x;
        for (auto& vector : x) {
            for (auto& b : vector) {
                b = static_cast<std::uint8_t>(round == 0 ? 63 : numbers.below(64));
            }
        }
        std::array<simd::int16x<arch>, 4> vectors;
        for (std::size_t k = 0; k < 4; ++k) {
            ints lanes;
            std::memcpy(lanes.data(), x[k].data(), 64);
            vectors[k] = vector_of(lanes);
        }
        const auto got = values_of(simd::sums_of_bytes(vectors));
        for (std::size_t i = 0; i < 64; ++i) {
            const auto* const four = x[i % 4].data() + i / 4 * 4;
            ASSERT_EQ(got[i], four[0] + four[1] + four[2] + four[3]) << i;
        }
    }
}

TEST(sum_quads, adds_neighbours) {
    reference::random numbers(18);
    for (int round = 0; round < 50; ++round) {
        std::array<ints, 4> x;
        std::array<int16x, 4> vectors;
        for (std::size_t i = 0; i < 4; ++i) {
            for (auto& lane : x[i]) lane = static_cast<std::int32_t>(numbers.below(1 << 20));
            vectors[i] = vector_of(x[i]);
        }
        const auto sums = values_of(simd::sum_quads(vectors));
        for (std::size_t n = 0; n < 16; ++n) {
            const auto* const four = &x[n / 4][n % 4 * 4];
            EXPECT_EQ(sums[n], four[0] + four[1] + four[2] + four[3]);
        }
    }
}

}  // namespace
