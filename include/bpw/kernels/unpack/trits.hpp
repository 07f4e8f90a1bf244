// Lanes from base-3 digits, five in a byte.
//
// A byte begins with its first digit; multiplied by 3 modulo 256 it begins with the next. So most
// lanes of step s are digit s + 1 of bytes that stay in their lanes and are multiplied from step to
// step, and the other lanes are first digits, of bytes as they are.
#pragma once

#include <bpw/formats/ternary.hpp>
#include <bpw/kernels/unpack/by_runs.hpp>
#include <bpw/simd/strided.hpp>
#include <bpw/simd/thirds.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

template <class A>
[[nodiscard]] BPW_INLINE simd::bytes64<A> times_three(const simd::bytes64<A>& x) noexcept {
    return x + x + x;
}

template <int Times, class A>
[[nodiscard]] BPW_INLINE simd::bytes64<A> times_three_to(const simd::bytes64<A>& x) noexcept {
    if constexpr (Times == 0)
        return x;
    else
        return times_three_to<Times - 1>(times_three(x));
}

}  // namespace detail

/// 48 bytes keep lanes 0..47; lanes 48..63 are their first digits in turn and, at last, the 16
/// digits of the four bytes behind.
template <>
struct unpack<tq1_0> {
    struct order {
        [[nodiscard]] static constexpr int weight(int step, int lane) noexcept {
            if (lane < 32) return 32 * (step + 1) + lane;
            if (lane < 48) return 160 + 16 * (step + 1) + lane - 32;
            const int j = lane - 48;
            if (step < 2) return 16 * step + j;
            if (step == 2) return 160 + j;
            return 240 + 4 * (j / 8 * 2 + j % 2) + j % 8 / 2;
        }
    };
    static constexpr int bias = 1;
    static constexpr int max = 2;

    template <int Step, class A>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> lanes(const tile_ref<tq1_0>& tile) noexcept {
        const auto* const p = tile.block().bytes + tq1_0::digits.low.rule.byte;
        const auto bytes = simd::load_quarters<A>(p, {0, 16, 32, 32});
        const auto digits = detail::times_three_to<Step + 1>(bytes);
        if constexpr (Step < 3) {
            return simd::thirds(simd::with_last_quarter(digits, p + 16 * Step));
        } else {
            // Four bytes, each in 16 bits, and their multiples between them.
            constexpr std::uint64_t low = 0x00ff00ff00ff00ff;
            const auto one = spread(p + 48);
            const auto three = one * 3 & low;
            const auto nine = three * 3 & low;
            const auto last = nine * 3 & low;
            return simd::thirds(
                simd::with_last_quarter(digits, one | three << 8, nine | last << 8));
        }
    }

  private:
    [[nodiscard]] BPW_INLINE static std::uint64_t spread(const std::uint8_t* p) noexcept {
        return std::uint64_t{p[0]} | std::uint64_t{p[1]} << 16 | std::uint64_t{p[2]} << 32 |
               std::uint64_t{p[3]} << 48;
    }
};

namespace detail {

// A block of iq1_bn has 16 lanes, eight for each group of 32 weights: six are the group's bytes;
// the other two their first digits in turn, and twice a digit of the block's last byte.
struct iq1_bn_plan {
    // The byte of a lane, and whether it is one whose first digit is taken.
    struct source {
        int byte;
        bool first;
    };
    static constexpr source source_of(int step, int lane) noexcept {
        const int half = lane / 8;
        const int k = lane % 8;
        if (k < 6) return {6 * half + k, false};
        if (k == 6) return {6 * half + step, true};
        // In the last lane the digits of the last byte come when their turn is.
        const bool upper = step >= 2;
        if (upper == (half == 0)) return {12, false};
        return {6 * half + 4 + step % 2, true};
    }
    struct order {
        [[nodiscard]] static constexpr int weight(int step, int lane) noexcept {
            const auto from = source_of(step, lane % 16);
            const int power = from.first ? 0 : step + 1;
            for (int i = 0; i < 64; ++i) {
                const auto place = iq1_bn::place(i);
                if (place.byte == from.byte && place.power == power) return lane / 16 * 64 + i;
            }
            return -1;
        }
    };
    // Blocks are read 16 bytes at a time, the last one from before its beginning.
    static constexpr std::size_t stride = sizeof(iq1_bn::block);
    static constexpr simd::quarter_offsets at{0, stride, 2 * stride, 4 * stride - 16};
    static constexpr std::uint8_t index_of(int quarter, int byte) noexcept {
        const auto start = at[static_cast<std::size_t>(quarter)];
        return static_cast<std::uint8_t>(quarter * static_cast<int>(stride) + byte -
                                         static_cast<int>(start));
    }
};

inline constexpr auto iq1_bn_kept = [] {
    std::array<std::uint8_t, 64> out{};
    for (int lane = 0; lane < 64; ++lane) {
        const int byte = lane % 8 == 7 ? 12 : iq1_bn_plan::source_of(0, lane % 16).byte;
        out[static_cast<std::size_t>(lane)] = iq1_bn_plan::index_of(lane / 16, byte);
    }
    return out;
}();
template <int Step>
inline constexpr auto iq1_bn_first = [] {
    std::array<std::uint8_t, 64> out{};
    for (int lane = 0; lane < 64; ++lane) {
        const auto from = iq1_bn_plan::source_of(Step, lane % 16);
        out[static_cast<std::size_t>(lane)] =
            from.first ? iq1_bn_plan::index_of(lane / 16, from.byte) : std::uint8_t{128};
    }
    return out;
}();

// The four digits of a byte behind its first, in two bits each.
inline constexpr auto later_digits = [] {
    std::array<std::uint8_t, 256> out{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        for (int power = 1; power <= 4; ++power) {
            out[byte] |= static_cast<std::uint8_t>(trit(byte, power) << (2 * power - 2));
        }
    }
    return out;
}();

}  // namespace detail

template <>
struct unpack<iq1_bn> {
    using order = detail::iq1_bn_plan::order;
    static constexpr int bias = 1;
    static constexpr int max = 2;

    template <int Step, class A>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> lanes(const tile_ref<iq1_bn>& tile) noexcept {
        const auto bytes = simd::load_quarters<A>(tile.block().bytes, detail::iq1_bn_plan::at);
        const auto kept = simd::shuffle_quarters(bytes, detail::iq1_bn_kept);
        constexpr auto& first = detail::iq1_bn_first<Step>;
        if constexpr (simd::looks_up_whole_bytes<A>) {
            const auto later = kept.template lookup<256>(detail::later_digits.data());
            return simd::shuffle_quarters_over<first>(later.template field<2, 2 * Step>(),
                                                      simd::thirds(bytes));
        } else {
            const auto digits = detail::times_three_to<Step + 1>(kept);
            return simd::thirds(simd::shuffle_quarters_over<first>(digits, bytes));
        }
    }
};

namespace detail {

// The same for products of rows: a lane has the same byte in all steps, digits 1 to 4 and in the
// fifth step digit 0. The last byte has two digits in each group; where it has none, and in the
// eighth lane, activations are zero.
struct iq1_bn_row_plan {
    static constexpr int byte_of(int lane) noexcept {
        return lane % 8 < 6 ? lane % 16 / 8 * 6 + lane % 8 : 12;
    }
    struct order {
        static constexpr int steps = 5;
        [[nodiscard]] static constexpr int weight(int step, int lane) noexcept {
            const int power = step < 4 ? step + 1 : 0;
            for (int i = lane % 16 / 8 * 32; i < lane % 16 / 8 * 32 + 32 && lane % 8 != 7; ++i) {
                const auto place = iq1_bn::place(i);
                if (place.byte == byte_of(lane) && place.power == power) return lane / 16 * 64 + i;
            }
            return -1;
        }
    };
    // Where the bytes of the lanes are; `Pairs` if thirds_of_pairs() has them in another order.
    template <bool Pairs>
    static constexpr auto index = [] {
        std::array<std::uint8_t, 64> out{};
        for (int lane = 0; lane < 64; ++lane) {
            const int at = Pairs ? lane / 16 * 16 + lane % 8 * 2 + lane % 16 / 8 : lane;
            out[static_cast<std::size_t>(at)] = iq1_bn_plan::index_of(lane / 16, byte_of(lane));
        }
        return out;
    }();
};

}  // namespace detail

template <>
struct row_unpack<iq1_bn> : unpack<iq1_bn> {
    using order = detail::iq1_bn_row_plan::order;

    template <int Step, class A>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> lanes(const tile_ref<iq1_bn>& tile) noexcept {
        constexpr bool pairs = simd::takes_thirds_of_pairs<A>;
        const auto bytes = simd::shuffle_quarters(
            simd::load_quarters<A>(tile.block().bytes, detail::iq1_bn_plan::at),
            detail::iq1_bn_row_plan::index<pairs>);
        if constexpr (pairs) {
            constexpr int powers[]{3, 9, 27, 81, 1};
            return simd::thirds_of_pairs<powers[Step]>(bytes);
        } else if constexpr (Step == 4) {
            return simd::thirds(bytes);
        } else if constexpr (simd::looks_up_whole_bytes<A>) {
            return bytes.template lookup<256>(detail::later_digits.data())
                .template field<2, 2 * Step>();
        } else {
            return simd::thirds(detail::times_three_to<Step + 1>(bytes));
        }
    }
};

BPW_NAMESPACE_END
