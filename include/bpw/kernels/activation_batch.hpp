// Many vectors of activations quantized to 8 bits, packed for gemm.
#pragma once

#include <bpw/core/executor.hpp>
#include <bpw/kernels/activations.hpp>
#include <bpw/kernels/panel.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

// An integer n below 2^22 in magnitude, added to the bits of this float, gives the float that is
// larger by n: sums that start from there need no conversion. Its product with a scale that has
// only 22 digits is exact, so that fma(sum, scale, -biased_float_sums * scale) is n times the
// scale, rounded once.
inline constexpr float biased_float_sums = 0x1.8p23f;

// One tile of `N` vectors. A run of 16 values of all vectors stands together.
template <std::size_t N>
struct alignas(64) batch_tile {
    std::int8_t q[16][N][16];
    float scale[N][8];        // of every 32 ...
    float unbias[N][8];       // ... times minus the bias of sums that are read as floats
    std::int32_t sum[N][16];  // of the q of every run of 16 ...
    std::int32_t sum32[N][8];
    float scaled_sum[N][16];  // ... times the scale
    float scaled_sum32[N][8];

    // The sums of groups of 16 or 32 of vector c.
    template <int Group>
    [[nodiscard]] const std::int32_t* sums_of(std::size_t c) const noexcept {
        if constexpr (Group == 16)
            return sum[c];
        else
            return sum32[c];
    }
    template <int Group>
    [[nodiscard]] const float* scaled_sums_of(std::size_t c) const noexcept {
        if constexpr (Group == 16)
            return scaled_sum[c];
        else
            return scaled_sum32[c];
    }

    // Puts vector c in place; its quads in the order of the lanes of `Order`.
    template <class Order>
    void assign(std::size_t c, const quantized_tile& from) noexcept {
        if constexpr (std::is_same_v<Order, natural_order>) {
            assign_values(c, from.q);
        } else {
            std::int8_t lanes[tile_weights];
            arrange<order_of_places<Order>>(from.q, lanes);
            assign_values(c, lanes);
        }
        using floats = simd::float16<native_arch>;
        using ints = simd::int16x<native_arch>;
        const auto scales = floats::load(from.scale);
        const auto sums = ints::load(from.sum);
        const auto sums32 = sums + simd::swapped_neighbours(sums);
        simd::store_even(scales, scale[c]);
        simd::store_even(scales * floats::all(-biased_float_sums), unbias[c]);
        sums.store(sum[c]);
        simd::store_even(sums32, sum32[c]);
        (scales * sums.to_float()).store(scaled_sum[c]);
        simd::store_even(scales * sums32.to_float(), scaled_sum32[c]);
    }

  private:
    void assign_values(std::size_t c, const std::int8_t (&lanes)[tile_weights]) noexcept {
        for (std::size_t run = 0; run < 16; ++run) std::memcpy(q[run][c], lanes + 16 * run, 16);
    }
};

// Where quad k of vector c is in a batch of N, counted in quads.
template <std::size_t N>
[[nodiscard]] constexpr std::size_t quad_of_batch(std::size_t k, std::size_t c) noexcept {
    return 4 * (k / 4 * N + c) + k % 4;
}

}  // namespace detail

/// A batch of activation vectors, quantized as `activations` does.
///
/// A batch packed in natural_order serves the matrices of most types: see batch_order.
template <class Order, class A = native_arch>
class activation_batch {
  public:
    using order = Order;
    static constexpr std::size_t at_once = detail::vectors_at_once<A>;
    using tile = detail::batch_tile<at_once>;

    activation_batch() = default;
    /// Elements are float, half or bfloat16.
    template <class Float, executor Executor = const serial>
    explicit activation_batch(vectors<Float> x, Executor&& run = serial{}) {
        assign(x, run);
    }

    /// Packs `x` anew; allocates when it is larger than any before. A task is `at_once` vectors.
    template <class Float, executor Executor = const serial>
    void assign(vectors<Float> x, Executor&& run = serial{}) {
        count_ = x.count;
        length_ = x.length;
        const auto tasks = (count_ + at_once - 1) / at_once;
        tiles_.resize(tasks * tiles_per_vector());
        run(tasks, [&](std::size_t task) { pack(x, task * at_once); });
    }

    /// Vectors.
    [[nodiscard]] std::size_t count() const noexcept { return count_; }
    /// Activations in a vector.
    [[nodiscard]] std::size_t length() const noexcept { return length_; }

    [[nodiscard]] std::size_t tiles_per_vector() const noexcept {
        return (length_ + tile_weights - 1) / tile_weights;
    }
    /// The tiles of vectors first, first + 1, ..., first + at_once - 1; `first` is a multiple of
    /// at_once.
    [[nodiscard]] const tile* tiles(std::size_t first) const noexcept {
        return tiles_.data() + first / at_once * tiles_per_vector();
    }

  private:
    // The vectors first ... first + at_once - 1; those that there are not are zero.
    template <class Float>
    void pack(vectors<Float> x, std::size_t first) noexcept {
        detail::quantized_tile natural;
        for (std::size_t t = 0; t < tiles_per_vector(); ++t) {
            const auto at = t * tile_weights;
            auto& to = tiles_[first / at_once * tiles_per_vector() + t];
            for (std::size_t c = 0; c < at_once; ++c) {
                const auto n = first + c < count_ ? std::min(tile_weights, length_ - at) : 0;
                float buffer[tile_weights];
                natural.assign(n != 0 ? detail::as_floats(x[first + c] + at, n, buffer) : buffer,
                               n);
                if (length_ - at >= tile_weights)
                    to.template assign<Order>(c, natural);
                else
                    to.template assign<natural_order>(c, natural);
            }
        }
    }

    std::vector<tile> tiles_;
    std::size_t count_ = 0;
    std::size_t length_ = 0;
};

BPW_NAMESPACE_END
