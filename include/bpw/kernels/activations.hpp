// Activations quantized to 8 bits, packed for the types that they are multiplied with.
#pragma once

#include <bpw/kernels/lane_order.hpp>
#include <bpw/simd/vector64.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

BPW_NAMESPACE_BEGIN

/// 256 activations: x = scale * q, with one scale for every 32 of them.
struct alignas(64) activation_tile {
    std::int8_t q[tile_weights];  ///< in the lane order of the tile
    std::int32_t quad_sum[64];    ///< of four neighbouring q each
    float scale[16];              ///< of every run of 16; two neighbours are equal
    float sum[16];                ///< scale times the sum of q, of every run of 16
};

/// A vector of activations in lane order `Order`.
///
/// Every 32 values x share the scale d = max |x| / 127, and q = x * (127 / max |x|) rounded to
/// nearest, ties to even, in -127..127. Where all are smaller than 1e-36 in magnitude, d and q are
/// 0. Where one is infinite or NaN, d is NaN and q is 0: such a value makes every product NaN.
/// A length that is not a multiple of 256 is continued with zeros; the last tile is in natural
/// order then. Reusable for all matrices whose types have the same order.
template <class Order>
class activations {
  public:
    using order = Order;

    activations() = default;
    explicit activations(std::span<const float> x) { assign(x); }

    /// Packs `x` anew; allocates when it is longer than any before.
    void assign(std::span<const float> x) {
        size_ = x.size();
        tiles_.resize((x.size() + tile_weights - 1) / tile_weights);
        for (std::size_t t = 0; t < tiles_.size(); ++t) {
            const auto at = t * tile_weights;
            if (x.size() - at >= tile_weights) {
                pack<Order>(x.data() + at, tiles_[t]);
            } else {
                float rest[tile_weights]{};
                std::copy(x.begin() + static_cast<std::ptrdiff_t>(at), x.end(), rest);
                pack<natural_order>(rest, tiles_[t]);
            }
        }
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] const activation_tile* tiles() const noexcept { return tiles_.data(); }

  private:
    template <class TileOrder>
    static void pack(const float* x, activation_tile& tile) noexcept {
        std::int8_t q[tile_weights]{};
        for (std::size_t g = 0; g < tile_weights / 32; ++g) {
            const float* const part = x + 32 * g;
            float most = 0.0f;
            bool finite = true;
            for (std::size_t i = 0; i < 32; ++i) {
                const float magnitude = std::fabs(part[i]);
                finite = finite && magnitude <= std::numeric_limits<float>::max();
                most = magnitude > most ? magnitude : most;
            }
            const bool zero = !finite || most < 1e-36f;
            const float inverse = zero ? 0.0f : 127.0f / most;
            int sums[2] = {0, 0};
            for (std::size_t half = 0; half < 2 && !zero; ++half) {
                std::int32_t rounded[16];
                (simd::float16<native_arch>::load(part + 16 * half) *
                 simd::float16<native_arch>::all(inverse))
                    .round_to(rounded);
                for (std::size_t i = 0; i < 16; ++i) {
                    q[32 * g + 16 * half + i] = static_cast<std::int8_t>(rounded[i]);
                    sums[half] += rounded[i];
                }
            }
            const float scale = !finite ? std::numeric_limits<float>::quiet_NaN()
                                : zero  ? 0.0f
                                        : most / 127.0f;
            for (std::size_t half = 0; half < 2; ++half) {
                tile.scale[2 * g + half] = scale;
                tile.sum[2 * g + half] = scale * static_cast<float>(sums[half]);
            }
        }
        static constexpr auto from = [] {
            std::array<std::uint8_t, tile_weights> weights{};
            for (int lane = 0; lane < 256; ++lane) {
                weights[static_cast<std::size_t>(lane)] =
                    static_cast<std::uint8_t>(TileOrder::weight(lane / 64, lane % 64));
            }
            return weights;
        }();
        for (std::size_t lane = 0; lane < tile_weights; ++lane) tile.q[lane] = q[from[lane]];
        for (std::size_t quad = 0; quad < tile_weights / 4; ++quad) {
            const auto* const four = tile.q + 4 * quad;
            tile.quad_sum[quad] = four[0] + four[1] + four[2] + four[3];
        }
    }

    std::vector<activation_tile> tiles_;
    std::size_t size_ = 0;
};

BPW_NAMESPACE_END
