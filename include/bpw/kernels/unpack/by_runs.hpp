// Lanes for products of single rows, where every quad of a step belongs to the group of its place.
//
// The slots of a byte belong to different groups, so that the slots of a plane, one after the
// other, give sums that all need scales of their own. If each place takes another slot, or bytes
// change places, its quads are of one group throughout: the four steps add up in integers, and a
// tile needs one conversion and one multiplication with its scales.
#pragma once

#include <bpw/kernels/unpack/codes.hpp>
#include <bpw/kernels/unpack/lanes.hpp>
#include <bpw/simd/placed_quads.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

template <int Group, class Field>
struct run_planes;  // not every field has a rule

// 64 bytes of four slots, 32 bytes to a run of slots. Place p holds quads of slot p % 4 from the
// piece p / 4 of 16 bytes.
template <int Group>
struct run_planes<Group, field<256, part<2, plane<2, 32>>>> {
    struct order {
        [[nodiscard]] static constexpr int weight(int step, int lane) noexcept {
            const int place = lane / 4;
            const int byte = 16 * (place / 4) + 4 * ((place % 4) ^ step) + lane % 4;
            return 128 * (byte / 32) + 32 * (place % 4) + byte % 32;
        }
    };
    static constexpr std::array<int, 16> shift{0, 2, 4, 6, 0, 2, 4, 6, 0, 2, 4, 6, 0, 2, 4, 6};

    template <int Step, class A, bool Loose = false, class T>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> codes(const tile_ref<T>& tile) noexcept {
        const auto* const p = tile.block().bytes + T::q.low.rule.byte;
        return simd::placed_quads<Step, 2, 0, shift, Loose>(simd::bytes64<A>::load(p));
    }
};

// Third bits in 32 bytes of eight slots.
template <int Group>
struct run_planes<Group, field<256, part<2, plane<2, 32>>, part<1, plane<1, 32>>>> {
    using low = run_planes<Group, field<256, part<2, plane<2, 32>>>>;
    using order = typename low::order;
    static constexpr std::array<int, 16> shift{0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7};

    template <int Step, class A, bool Loose = false, class T>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> codes(const tile_ref<T>& tile) noexcept {
        const auto upper = upper_bits<Step, 2, Loose, A>(tile);
        const auto lower = low::template codes<Step, A, Loose>(tile);
        return Loose ? simd::joined<2>(lower, upper) : lower | upper;
    }
    // For tables: the third bit comes as bit 3, which takes a shift less.
    template <int Step, class A, class T>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> spaced_codes(
        const tile_ref<T>& tile) noexcept {
        return low::template codes<Step, A>(tile) | upper_bits<Step, 3, false, A>(tile);
    }
    [[nodiscard]] static constexpr std::size_t code_of_spaced(std::size_t n) noexcept {
        return n % 4 + n / 8 * 4;
    }

  private:
    template <int Step, int To, bool Loose, class A, class T>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> upper_bits(const tile_ref<T>& tile) noexcept {
        const auto* const p = tile.block().bytes + T::q.high.low.rule.byte;
        return simd::placed_quads<Step, 1, To, shift, Loose>(simd::twice32<A>(p));
    }
};

// Blocks of 16 bytes of four slots, two of which are a group. Quads 0 and 1 of each block are of
// the first group, quads 2 and 3 of the second.
template <>
struct run_planes<32, field<64, part<2, plane<2, 16>>>> {
    struct order {
        [[nodiscard]] static constexpr int weight(int step, int lane) noexcept {
            const int quad = lane / 4 % 4;
            const int slot = quad / 2 * 2 + step / 2;
            return 64 * (lane / 16) + 16 * slot + 4 * (quad ^ 2 * (step % 2)) + lane % 4;
        }
    };
    template <int Upper>
    static constexpr auto shift = [] {
        std::array<int, 16> out{};
        for (std::size_t i = 0; i < 16; ++i) out[i] = 2 * Upper + (i % 4 < 2 ? 0 : 4);
        return out;
    }();

    template <int Step, class A, bool Loose = false, class T>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> codes(const tile_ref<T>& tile) noexcept {
        using planes = code_planes<field<64, part<2, plane<2, 16>>>>;
        return simd::placed_quads<2 * (Step % 2), 2, 0, shift<Step / 2>, Loose>(
            planes::template bytes<0, A>(tile));
    }
};

// Nibbles of 128 bytes: a group has one nibble of all bytes of a piece, of 16 bytes or of 32. A
// step takes a quarter of every piece, the low nibbles in its first half.
template <int Group, int Run>
struct run_planes<Group, field<256, part<4, plane<4, Run>>>> {
    static constexpr int quarter = Group / 4;
    struct order {
        [[nodiscard]] static constexpr int weight(int step, int lane) noexcept {
            constexpr int pieces = 32 / quarter;
            const int n = lane % 32 / quarter;
            const int piece = 2 * n % pieces + 2 * n / pieces;
            const int byte = 4 * quarter * piece + quarter * step + lane % quarter;
            return plane_order<4, Run>::weight(byte / 64 * 2 + lane / 32, byte % 64);
        }
    };

    template <int Step, class A, bool Loose = false, class T>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> codes(const tile_ref<T>& tile) noexcept {
        using planes = code_planes<field<256, part<4, plane<4, Run>>>>;
        const auto bytes = simd::gathered_twice<std::size_t{quarter}, std::size_t{Step}>(
            planes::template bytes<0, A>(tile), planes::template bytes<2, A>(tile));
        return simd::fields_of_halves<4, 0, 4, 0, Loose>(bytes);
    }
};

// Upper bits in slots for each 32 weights.
template <int Group, int Run, int High>
struct run_planes<Group, field<256, part<4, plane<4, Run>>, part<High, plane<High, 32>>>> {
    using low = run_planes<Group, field<256, part<4, plane<4, Run>>>>;
    using order = typename low::order;
    // Where the upper bits of quad i of a step are: their four bytes, and the bit in these.
    template <int Step, class F>
    static constexpr std::array<int, 16> of_quads(F f) {
        std::array<int, 16> out{};
        for (int i = 0; i < 16; ++i)
            out[static_cast<std::size_t>(i)] = f(order::weight(Step, 4 * i));
        return out;
    }
    static constexpr int slots = 8 / High;
    template <int Step>
    static constexpr auto quad = of_quads<Step>([](int n) {
        return n / (32 * slots) * 8 + n % 32 / 4;
    });
    template <int Step>
    static constexpr auto bit = of_quads<Step>([](int n) { return High * (n / 32 % slots); });

    template <int Step, class A, bool Loose = false, class T>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> codes(const tile_ref<T>& tile) noexcept {
        const auto upper =
            simd::fields_of_quads<High, 4, bit<Step>, Loose>(upper_bytes<Step, A>(tile));
        const auto lower = low::template codes<Step, A, Loose>(tile);
        return Loose ? simd::joined<4>(lower, upper) : lower | upper;
    }
    template <int Step, class A, class T>
        requires(High == 1)
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> where_upper_is_clear(
        const tile_ref<T>& tile) noexcept {
        return simd::where_clear<bit<Step>>(upper_bytes<Step, A>(tile));
    }

  private:
    template <int Step, class A, class T>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> upper_bytes(const tile_ref<T>& tile) noexcept {
        return simd::gathered_quads<std::size_t{32 * High}, quad<Step>, A>(tile.block().bytes +
                                                                           T::q.high.low.rule.byte);
    }
};

// Nibbles of 128 bytes, in every 16 bytes a group of 32. Two steps take the first 8 of each of
// these, the low nibbles and the high ones, and two steps the last 8.
template <class Planes>
struct zipped_planes {
    struct order {
        [[nodiscard]] static constexpr int weight(int step, int lane) noexcept {
            const int byte = lane / 16 * 16 + step / 2 * 8 + lane % 8;
            return Planes::order::weight(step % 2 + lane % 16 / 8 * 2, byte);
        }
    };

    template <int Step, class A, bool Loose = false, class T>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> codes(const tile_ref<T>& tile) noexcept {
        constexpr int nibble = Step % 2;
        constexpr bool odd = Step / 2 != 0;
        if constexpr (requires { Planes::template bytes<0, A>(tile); }) {
            return simd::zipped_octets<odd>(Planes::template bytes<0, A>(tile),
                                            Planes::template bytes<2, A>(tile))
                .template field<4, 4 * nibble, Loose>();
        } else {
            return simd::zipped_octets<odd>(Planes::template codes<nibble, A>(tile),
                                            Planes::template codes<2 + nibble, A>(tile));
        }
    }
};

template <class T>
struct run_planes_of;
template <class T>
concept groups_of_16_bytes = traits<T>::rows == 1 && traits<T>::group_size == 32 &&
                             std::is_same_v<typename codes_of<T>::type::order, plane_order<4, 16>>;
template <has_codes T>
    requires(!groups_of_16_bytes<T>)
struct run_planes_of<T> {
    using type = run_planes<std::min(32, traits<T>::group_size), std::remove_cv_t<decltype(T::q)>>;
};
template <groups_of_16_bytes T>
struct run_planes_of<T> {
    using type = zipped_planes<typename codes_of<T>::type>;
};

template <class T>
concept unpacked_by_runs = traits<T>::rows == 1 && fine_bits<unpack<T>> == 0 && requires {
    typename run_planes_of<T>::type::order;
};

}  // namespace detail

/// How the lanes of a full tile are unpacked for the product of a row with one vector: as `unpack`
/// says, in an order that may suit sums better.
template <class T>
struct row_unpack : unpack<T> {};

template <class T>
    requires detail::unpacked_by_runs<T>
struct row_unpack<T> : unpack<T> {
    using planes = typename detail::run_planes_of<T>::type;
    using order = typename planes::order;
    static_assert(detail::sums_keep_to_groups<order, std::min(32, traits<T>::group_size)>);

    template <int Step, class A, int By = 0>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> lanes(const tile_ref<T>& tile) noexcept {
        return detail::lanes_of_codes<unpack<T>, planes, Step, By, A>(tile);
    }
};

BPW_NAMESPACE_END
