// The order in which a type's weights are unpacked.
//
// A tile is 256 weights of a row, unpacked in four steps of 64 lanes. A dot product does not care
// for the order of its terms, so every type has the order that is cheapest to unpack, and the
// activations are packed in the same order once. Four neighbouring lanes, a quad, always belong to
// one run of 16 weights: their products are added up before a scale is applied.
#pragma once

#include <bpw/core/format.hpp>

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

}  // namespace detail

BPW_NAMESPACE_END
