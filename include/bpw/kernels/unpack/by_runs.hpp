// Lanes for products of single rows, where every quad of a step belongs to the run of its place.
//
// The slots of a byte belong to different runs of 16 weights, so that the slots of a plane, one
// after the other, give sums that all need scales of their own. If each place takes another slot,
// and from step to step another byte, its quads are of one run throughout: the four steps add up
// in integers, and a tile needs one conversion and one multiplication with its scales.
#pragma once

#include <bpw/kernels/unpack/codes.hpp>
#include <bpw/simd/placed_quads.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

template <class Field>
struct run_planes;  // not every field has a rule

// 64 bytes of four slots, 32 bytes to a run of slots. Place p holds quads of slot p % 4 from the
// piece p / 4 of 16 bytes.
template <>
struct run_planes<field<256, part<2, plane<2, 32>>>> {
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
template <>
struct run_planes<field<256, part<2, plane<2, 32>>, part<1, plane<1, 32>>>> {
    using low = run_planes<field<256, part<2, plane<2, 32>>>>;
    using order = low::order;
    static constexpr std::array<int, 16> shift{0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7};

    template <int Step, class A, bool Loose = false, class T>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> codes(const tile_ref<T>& tile) noexcept {
        const auto* const p = tile.block().bytes + T::q.high.low.rule.byte;
        const auto upper = simd::placed_quads<Step, 1, 2, shift, Loose>(simd::twice32<A>(p));
        const auto lower = low::codes<Step, A, Loose>(tile);
        return Loose ? simd::joined<2>(lower, upper) : lower | upper;
    }
};

template <class T>
concept unpacked_by_runs = plane_unpacked<T> && requires {
    typename run_planes<std::remove_cv_t<decltype(T::q)>>::order;
};

}  // namespace detail

/// How the lanes of a full tile are unpacked for the product of a row with one vector: as `unpack`
/// says, in an order that may suit sums better.
template <class T>
struct row_unpack : unpack<T> {};

template <class T>
    requires detail::unpacked_by_runs<T>
struct row_unpack<T> : unpack<T> {
    using planes = detail::run_planes<std::remove_cv_t<decltype(T::q)>>;
    using order = typename planes::order;

    template <int Step, class A, int By = 0>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> lanes(const tile_ref<T>& tile) noexcept {
        return detail::lanes_of_codes<unpack<T>, planes, Step, By, A>(tile);
    }
};

BPW_NAMESPACE_END
