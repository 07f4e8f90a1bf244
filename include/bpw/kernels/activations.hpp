// Activations quantized to 8 bits, packed for the types that they are multiplied with.
#pragma once

#include <bpw/core/half.hpp>
#include <bpw/core/vectors.hpp>
#include <bpw/kernels/lane_order.hpp>
#include <bpw/simd/floats.hpp>
#include <bpw/simd/quantize.hpp>
#include <bpw/simd/rows.hpp>
#include <bpw/simd/transpose.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

BPW_NAMESPACE_BEGIN

/// 256 activations: x = scale * q, with one scale for every 32 of them.
struct alignas(64) activation_tile {
    std::int8_t q[tile_weights];  ///< in the lane order of the tile
    std::int32_t start[64];  ///< what the sums of lanes with a bias start from; see activations
    // Of every run of 16, in an order that suits the lane order: see detail::order_of_runs.
    float scale[16];      ///< two runs of 32 activations have the same
    float sum[16];        ///< scale times the sum of q
    float minus_odd[16];  ///< minus scale times the sum of q of 32, where the run is an odd one
};

/// With the activations of a fifth step, for orders that have one.
struct five_step_activation_tile : activation_tile {
    std::int8_t fifth[64];
};
/// Either with the magnitudes of q, for archs that keep these.
template <class Tile>
struct activation_tile_with_magnitudes : Tile {
    std::uint8_t magnitude[tile_weights];
};

namespace detail {

template <class Tile>
using maybe_with_magnitudes =
    std::conditional_t<simd::keeps_magnitudes, activation_tile_with_magnitudes<Tile>, Tile>;

template <class Order>
struct tile_of_order {
    using type = maybe_with_magnitudes<activation_tile>;
};
template <class Order>
    requires(steps_of<Order> == 5)
struct tile_of_order<Order> {
    using type = maybe_with_magnitudes<five_step_activation_tile>;
};
// 256 values in the order of the weights.
struct alignas(64) quantized_tile {
    std::int8_t q[tile_weights];
    // Of every run of 16.
    float scale[tile_weights / 16];
    std::int32_t sum[tile_weights / 16];

    // Values from `n` on are zero.
    void assign(const float* x, std::size_t n) noexcept {
        if (n < tile_weights) {
            float rest[tile_weights]{};
            std::copy(x, x + n, rest);
            return assign(rest, tile_weights);
        }
        using A = native_arch;
        using lanes = simd::float16<A>;
        using ints = simd::int16x<A>;
        std::array<ints, tile_weights / 32> magnitudes;
        for (std::size_t g = 0; g < magnitudes.size(); ++g) {
            magnitudes[g] =
                simd::greater_magnitudes(lanes::load(x + 32 * g), lanes::load(x + 32 * g + 16));
        }
        const auto most = simd::greatest_lanes(magnitudes);
        if (simd::any_at_least(most, too_large)) return assign_without_large(most, x);
        const auto unless_small = [&](const lanes& number) BPW_INLINE_LAMBDA {
            constexpr auto least = std::bit_cast<std::int32_t>(1e-36f);
            return simd::select_less(most, least, ints::zero(), ints::of_float(number));
        };
        // Without its last two bits, so that three times it is a float too: see biased_float_sums.
        const auto unit = unless_small(most.as_float() * lanes::all(1.0f / 127.0f)) & ~3;
        unit.as_float().store(scale);
        float inverse[tile_weights / 16];
        unless_small(lanes::all(127.0f) / most.as_float()).as_float().store(inverse);
        std::array<ints, 4> quads;
        for (std::size_t step = 0; step < 4; ++step) {
            const auto values = simd::round_to_bytes<A>([&](std::size_t i) BPW_INLINE_LAMBDA {
                const auto run = 4 * step + i;
                return lanes::load(x + 16 * run) * lanes::all(inverse[run]);
            });
            values.store(reinterpret_cast<std::uint8_t*>(q) + 64 * step);
            quads[step] = ints::zero();
            simd::add_dot4<1>(quads[step], simd::bytes64<A>::all(1), q + 64 * step);
        }
        simd::sum_quads(quads).store(sum);
    }

  private:
    static constexpr auto too_large = std::bit_cast<std::int32_t>(0x1p100f);

    // With zeros for the groups that have values which are too large, and NaN for their scales.
    void assign_without_large(const simd::int16x<native_arch>& magnitudes,
                              const float* x) noexcept {
        std::int32_t most[tile_weights / 16];
        magnitudes.store(most);
        float rest[tile_weights];
        for (std::size_t i = 0; i < tile_weights; ++i)
            rest[i] = most[i / 16] >= too_large ? 0.0f : x[i];
        assign(rest, tile_weights);
        for (std::size_t run = 0; run < tile_weights / 16; ++run) {
            if (most[run] >= too_large) scale[run] = std::numeric_limits<float>::quiet_NaN();
        }
    }
};

template <class Order>
inline constexpr auto weight_of_lane = [] {
    std::array<std::uint8_t, tile_weights> weights{};
    for (int lane = 0; lane < 256; ++lane) {
        weights[static_cast<std::size_t>(lane)] =
            static_cast<std::uint8_t>(Order::weight(lane / 64, lane % 64));
    }
    return weights;
}();

// The weights of a fifth step's lanes, -1 for lanes without a weight.
template <class Order>
inline constexpr auto weight_of_fifth = [] {
    std::array<std::int16_t, 64> weights{};
    for (int lane = 0; lane < 64; ++lane) {
        weights[static_cast<std::size_t>(lane)] = static_cast<std::int16_t>(Order::weight(4, lane));
    }
    return weights;
}();

// Zero for lanes without a weight.
template <class Order>
inline constexpr auto lane_mask = [] {
    std::array<std::int8_t, tile_weights> mask{};
    for (int lane = 0; lane < 256; ++lane) {
        mask[static_cast<std::size_t>(lane)] = Order::weight(lane / 64, lane % 64) < 0 ? 0 : -1;
    }
    return mask;
}();

// The 256 activations of a tile in the order of the lanes.
template <class Order>
void arrange(const std::int8_t (&from)[tile_weights], std::int8_t (&to)[tile_weights]) noexcept {
    if constexpr (std::is_same_v<Order, natural_order>) {
        std::memcpy(to, from, sizeof to);
    } else {
        simd::permute256<weight_of_lane<Order>, native_arch>(
            reinterpret_cast<const std::uint8_t*>(from), reinterpret_cast<std::uint8_t*>(to));
    }
}

template <class Order, int Bias, int Group, class Tile>
void arrange(const quantized_tile& from, Tile& tile) noexcept {
    for (std::size_t i = 0; i < 16; ++i) {
        const auto run = static_cast<std::size_t>(order_of_runs<Order, Group>[i]);
        tile.scale[i] = from.scale[run];
        tile.sum[i] = from.scale[run] * static_cast<float>(from.sum[run]);
        const auto sum32 = from.sum[run / 2 * 2] + from.sum[run / 2 * 2 + 1];
        tile.minus_odd[i] = run % 2 == 0 ? 0.0f : -from.scale[run] * static_cast<float>(sum32);
    }
    arrange<Order>(from.q, tile.q);
    if constexpr (steps_of<Order> == 5) {
        for (std::size_t lane = 0; lane < tile_weights; ++lane)
            tile.q[lane] &= lane_mask<Order>[lane];
        for (std::size_t lane = 0; lane < 64; ++lane) {
            const int weight = weight_of_fifth<Order>[lane];
            tile.fifth[lane] = weight < 0 ? std::int8_t{0} : from.q[weight];
        }
    }
    if constexpr (requires { tile.magnitude; }) {
        for (std::size_t i = 0; i < tile_weights; ++i) {
            tile.magnitude[i] = static_cast<std::uint8_t>(std::abs(tile.q[i]));
        }
    }
    for (std::size_t quad = 0; quad < tile_weights / 4; ++quad) {
        const auto* const four = tile.q + 4 * quad;
        tile.start[quad] = -Bias * (four[0] + four[1] + four[2] + four[3]);
    }
    if constexpr (steps_of<Order> == 5) {
        static_assert(sums_keep_to_groups<Order, Group>);
        for (std::size_t quad = 0; quad < 16; ++quad) {
            const auto* const four = tile.fifth + 4 * quad;
            tile.start[48 + quad] -= Bias * (four[0] + four[1] + four[2] + four[3]);
        }
    }
    if constexpr (requires { Order::add_up(tile.start); }) {
        Order::add_up(tile.start);
    } else {
        // Sums go on from step to step while these are of the same groups.
        static constexpr std::array<bool, 3> goes_on{same_groups<Order, Group>(0, 1),
                                                     same_groups<Order, Group>(1, 2),
                                                     same_groups<Order, Group>(2, 3)};
        for (std::size_t step = 3; step-- > 0;) {
            for (std::size_t quad = 16 * step; goes_on[step] && quad < 16 * step + 16; ++quad) {
                tile.start[quad] += tile.start[quad + 16];
            }
        }
    }
}

}  // namespace detail

/// A vector of activations in lane order `Order`.
///
/// Every 32 values x share the scale d = max |x| / 127 (as a product with the rounded reciprocal,
/// the last two bits cleared), and q = x * (127 / max |x|) rounded to nearest, ties to even, in
/// -127..127. Where all are smaller than 1e-36 in magnitude, d and q are 0. Where one is NaN,
/// infinite or at least 2^100 in magnitude, d is NaN and q is 0: such a value makes every product
/// NaN. A length that is not a multiple of 256 is continued
/// with zeros; the last tile is in natural order then.
///
/// Lanes that exceed the weights by Bias give sums that are too large by Bias times the sum of the
/// activations: sums over groups of Group weights start from minus that. Reusable for all matrices
/// whose types agree in the three: see activations_for.
template <class Order, int Bias = 0, int Group = 32>
class activations {
  public:
    using order = Order;
    using tile = typename detail::tile_of_order<Order>::type;

    activations() = default;
    /// float, half or bfloat16.
    template <class Float>
    explicit activations(std::span<Float> x) {
        assign(x);
    }
    template <class Float>
    explicit activations(const std::vector<Float>& x) {
        assign(std::span(x));
    }

    /// Packs `x` anew; allocates when it is longer than any before.
    template <class Float>
    void assign(std::span<Float> x) {
        size_ = x.size();
        tiles_.resize((x.size() + tile_weights - 1) / tile_weights);
        detail::quantized_tile natural;
        for (std::size_t t = 0; t < tiles_.size(); ++t) {
            const auto n = std::min(tile_weights, x.size() - t * tile_weights);
            float buffer[tile_weights];
            natural.assign(detail::as_floats(x.data() + t * tile_weights, n, buffer), n);
            if (n == tile_weights)
                detail::arrange<Order, Bias, Group>(natural, tiles_[t]);
            else
                detail::arrange<natural_order, Bias, Group>(natural, tiles_[t]);
        }
    }
    template <class Float>
    void assign(const std::vector<Float>& x) {
        assign(std::span(x));
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] const tile* tiles() const noexcept { return tiles_.data(); }

  private:
    std::vector<tile> tiles_;
    std::size_t size_ = 0;
};

BPW_NAMESPACE_END
