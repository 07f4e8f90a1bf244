// The order in which a type's weights are unpacked.
//
// A tile is 256 weights of a row, unpacked in four steps of 64 lanes. A dot product does not care
// for the order of its terms, so every type has the order that is cheapest to unpack, and the
// activations are packed in the same order once. Four neighbouring lanes, a quad, always belong to
// one run of 16 weights: their products are added up before a scale is applied. For products of
// single rows an order may have a fifth step, and lanes without a weight, weight -1, in it and in
// the others.
#pragma once

#include <bpw/simd/rows.hpp>

#include <array>

BPW_NAMESPACE_BEGIN

/// Weights in a tile.
inline constexpr std::size_t tile_weights = 256;

/// Lanes in the order of the weights.
struct natural_order {
    [[nodiscard]] static constexpr int weight(int step, int lane) noexcept {
        return 64 * step + lane;
    }
};

/// The order of the slots of plane<Slot, Run>: a step is one slot of 64 bytes.
template <int Slot, int Run>
struct plane_order {
    [[nodiscard]] static constexpr int weight(int step, int lane) noexcept {
        constexpr int slots = 8 / Slot;
        const int byte = 64 * (step / slots) + lane;
        return Run * slots * (byte / Run) + Run * (step % slots) + byte % Run;
    }
};

/// Steps of an order: four, or what it says.
template <class Order>
inline constexpr int steps_of = [] {
    if constexpr (requires { Order::steps; })
        return Order::steps;
    else
        return 4;
}();

namespace detail {

// The run of 16 weights that quad `quad` of step `step` belongs to.
template <class Order>
[[nodiscard]] constexpr std::array<int, 16> runs_of_step(int step) noexcept {
    std::array<int, 16> runs{};
    for (int quad = 0; quad < 16; ++quad) {
        runs[static_cast<std::size_t>(quad)] = Order::weight(step, 4 * quad) / 16;
    }
    return runs;
}

// Whether quads of two steps belong to the same groups of GroupSize weights throughout.
template <class Order, int GroupSize>
[[nodiscard]] constexpr bool same_groups(int a, int b) noexcept {
    for (int quad = 0; quad < 16; ++quad) {
        if (Order::weight(a, 4 * quad) / GroupSize != Order::weight(b, 4 * quad) / GroupSize) {
            return false;
        }
    }
    return true;
}

// Whether each of the sixteen sums of a tile belongs to a group of its own, or shares one with as
// many others as a group has runs: quads of the same place belong to the same group in all steps.
template <class Order, int GroupSize>
inline constexpr bool sums_keep_to_groups = [] {
    if constexpr (requires { Order::rows; }) return false;
    for (int step = 1; step < steps_of<Order>; ++step) {
        if (!same_groups<Order, GroupSize>(0, step)) return false;
    }
    return true;
}();

// The order of the runs of 16 weights in vectors of what belongs to them, such as their scales:
// that of the sums, if these keep to groups. For rows that stand together, as what is repeated for
// these: the first runs of the groups, then the second.
template <class Order, int GroupSize>
inline constexpr std::array<int, 16> order_of_runs = [] {
    auto runs = simd::in_place;
    if constexpr (requires { Order::rows; }) {
        constexpr auto rows = std::size_t{Order::rows};
        constexpr auto of_group = std::size_t{GroupSize} / 16;
        constexpr auto vectors = rows / of_group;
        for (std::size_t i = 0; i < 16; ++i) {
            const auto v = i * rows / 16;
            const auto group = v % vectors * 16 / rows + i % (16 / rows);
            runs[simd::place_of_row_quad<rows>(v, i % (16 / rows))] =
                static_cast<int>(group * of_group + v / vectors);
        }
    } else if constexpr (sums_keep_to_groups<Order, GroupSize>) {
        std::array<int, 16> taken{};
        for (int sum = 0; sum < 16; ++sum) {
            const int group = Order::weight(0, 4 * sum) / GroupSize;
            runs[static_cast<std::size_t>(sum)] =
                GroupSize / 16 * group + taken[static_cast<std::size_t>(group)]++;
        }
    }
    return runs;
}();

// Whether every quad is four consecutive weights.
template <class Order>
inline constexpr bool has_natural_quads = [] {
    for (int lane = 0; lane < 256; ++lane) {
        const int first = Order::weight(lane / 64, lane % 64 / 4 * 4);
        if (first % 4 != 0 || Order::weight(lane / 64, lane % 64) != first + lane % 4) return false;
    }
    return true;
}();

// The quads of a tile in the order of their groups, as a batch is packed: quad n of the tile (of
// 64, four steps of 16) becomes number quad_places<Order>[n].
template <class Order>
inline constexpr std::array<std::uint8_t, 64> quad_places = [] {
    std::array<std::uint8_t, 64> place{};
    std::array<int, 64> key{};
    for (std::size_t n = 0; n < 64; ++n) {
        const auto quad = static_cast<int>(n);
        const int weight = Order::weight(quad / 16, quad % 16 * 4);
        key[n] = has_natural_quads<Order> ? weight : weight / 16;
    }
    for (std::size_t n = 0; n < 64; ++n) {
        int before = 0;
        for (std::size_t m = 0; m < 64; ++m) {
            before += key[m] < key[n] || (key[m] == key[n] && m < n);
        }
        place[n] = static_cast<std::uint8_t>(before);
    }
    return place;
}();

// The order in which these stand in a batch.
template <class Order>
struct order_of_places {
    [[nodiscard]] static constexpr int weight(int step, int lane) noexcept {
        const int place = 16 * step + lane / 4;
        for (std::size_t n = 0; n < 64; ++n) {
            if (quad_places<Order>[n] == place) {
                const auto quad = static_cast<int>(n);
                return Order::weight(quad / 16, quad % 16 * 4 + lane % 4);
            }
        }
        return -1;
    }
};
template <>
struct order_of_places<natural_order> : natural_order {};

}  // namespace detail

/// The order in which a batch is packed for types that unpack in `Order`: one order serves all
/// types whose quads are consecutive weights.
template <class Order>
using batch_order = std::conditional_t<detail::has_natural_quads<Order>, natural_order, Order>;

BPW_NAMESPACE_END
