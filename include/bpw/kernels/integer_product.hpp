// Products of quantized matrices with activations in 8 bits.
//
// Inside a run of 16 weights everything is integer and exact. The float work is fixed by the format
// and not by the arch: for every tile, in order, and every step of it (steps that have the same
// scale in every lane are added up first), sixteen sums
//
//   s[l] = fma(float(integer sum of lane l), scale of lane l, s[l])
//
// and sixteen more for what is added to the weights of each run of 16, o[r] = fma(offset[r],
// sum of the activations of run r, o[r]). A result is sum(s) + sum(o), each in the order of
// simd::float16::sum. So gemv gives the same bits on every arch and for every number of threads.
#pragma once

#include <bpw/kernels/activations.hpp>
#include <bpw/kernels/product.hpp>
#include <bpw/kernels/unpack.hpp>

#include <utility>

BPW_NAMESPACE_BEGIN

/// Whether a type's weights are integers times scales, so that it can be multiplied in integers.
template <class T>
inline constexpr bool has_integer_lanes = [] {
    if constexpr (requires { T::lanes; }) {
        return tile_weights % std::size_t{traits<T>::block_size} == 0 &&
               traits<T>::group_size % 16 == 0 &&
               traits<T>::lanes.max - std::min(0, traits<T>::lanes.min) <= 255;
    } else {
        return false;
    }
}();

/// The activations that matrices of type T are multiplied with.
template <class T>
using activations_for = activations<typename unpack<T>::order>;

namespace detail {

// The scale of each run of 16 weights of a tile, and what is added to its weights.
template <class A>
struct tile_scales {
    simd::float16<A> scale;
    simd::float16<A> offset;
};

template <class A, class T>
[[nodiscard]] inline tile_scales<A> scalar_scales(const tile_ref<T>& tile) noexcept {
    alignas(64) float scales[16]{};
    alignas(64) float offsets[16]{};
    constexpr auto runs = std::size_t{traits<T>::group_size} / 16;
    constexpr auto groups = std::size_t{traits<T>::groups};
    for (std::size_t b = 0; b < tile.blocks; ++b) {
        const auto block = tile.block(b);
        for (std::size_t g = 0; g < groups; ++g) {
            const float s = bpw::scale(block, static_cast<int>(g));
            const float o = bpw::offset(block, static_cast<int>(g));
            for (std::size_t r = 0; r < runs; ++r) {
                scales[(b * groups + g) * runs + r] = s;
                offsets[(b * groups + g) * runs + r] = o;
            }
        }
    }
    return {simd::float16<A>::load(scales), simd::float16<A>::load(offsets)};
}

template <class Unpack, class A, class T>
[[nodiscard]] BPW_INLINE tile_scales<A> scales_of(const tile_ref<T>& tile) noexcept {
    using lanes = simd::float16<A>;
    if constexpr (std::is_same_v<Unpack, scalar_unpack<T>>) {
        return scalar_scales<A>(tile);
    } else if constexpr (vector_scales<T>) {
        const auto block = tile.block();
        const auto scale =
            lanes::all(T::block_scale(block)) * group_scales<A, T>(block.bytes).to_float();
        auto offset = lanes::zero();
        if constexpr (has_group_offset<T>) {
            offset = lanes::all(T::block_offset(block)) *
                     group_field<A, T, T::m>(block.bytes).to_float();
        }
        if constexpr (requires { Unpack::step; }) {
            const auto shift = group_field<A, T, T::shift>(block.bytes).to_float();
            offset = scale * (shift * lanes::all(static_cast<float>(Unpack::step)));
        }
        return {scale, offset};
    } else if constexpr (half_scale_per_32<T>) {
        alignas(64) std::uint16_t bits[16];
        for (std::size_t b = 0; b < 8; ++b) {
            const auto d = static_cast<std::uint16_t>(tile.block(b).get(T::d));
            bits[2 * b] = bits[2 * b + 1] = d;
        }
        const auto scale = simd::from_halves<A>(bits);
        auto offset = lanes::zero();
        if constexpr (traits<T>::has_offset) {
            for (std::size_t b = 0; b < 8; ++b) {
                const auto m = static_cast<std::uint16_t>(tile.block(b).get(T::m));
                bits[2 * b] = bits[2 * b + 1] = m;
            }
            offset = simd::from_halves<A>(bits);
        }
        return {scale, offset};
    } else {
        static_assert(!requires { Unpack::step; });
        return scalar_scales<A>(tile);
    }
}

// The running sums of one row and one vector.
template <class A>
struct product_sums {
    simd::float16<A> products = simd::float16<A>::zero();
    simd::float16<A> offsets = simd::float16<A>::zero();

    [[nodiscard]] float total() const noexcept { return products.sum() + offsets.sum(); }
};

template <class Order, int Step>
inline constexpr std::array<int, 16> runs_of = runs_of_step<Order>(Step);

// One tile times the same tile of `Columns` vectors.
template <class Unpack, class A, std::size_t Columns, class T>
BPW_INLINE void multiply_tile(const tile_ref<T>& tile,
                              const std::array<const activation_tile*, Columns>& x,
                              std::array<product_sums<A>, Columns>& sums) noexcept {
    using order = typename Unpack::order;
    // Activations have a scale for every 32.
    constexpr int group = std::min(32, traits<T>::group_size);
    const auto scales = scales_of<Unpack, A>(tile);
    std::array<simd::bytes64<A>, 4> lanes;
    [&]<int... Step>(std::integer_sequence<int, Step...>) {
        ((lanes[Step] = Unpack::template lanes<Step, A>(tile)), ...);
    }
    (std::make_integer_sequence<int, 4>{});
    for (std::size_t c = 0; c < Columns; ++c) {
        const auto scale = scales.scale * simd::float16<A>::load(x[c]->scale);
        const auto step = [&]<int Step>(simd::int16x<A>& sum) {
            if constexpr (Step == 0 || !same_groups<order, group>(Step - 1, Step)) {
                sum = simd::int16x<A>::zero();
            }
            if constexpr (Unpack::bias != 0) {
                sum = sum + simd::int16x<A>::load(x[c]->quad_sum + 16 * Step) *
                                simd::int16x<A>::all(-Unpack::bias);
            }
            simd::add_dot4<Unpack::max>(sum, lanes[Step], x[c]->q + 64 * Step);
            if constexpr (Step == 3 || !same_groups<order, group>(Step, Step + 1)) {
                sums[c].products.add_product(sum.to_float(),
                                             simd::spread(scale, runs_of<order, Step>));
            }
        };
        simd::int16x<A> sum;
        [&]<int... Step>(std::integer_sequence<int, Step...>) {
            (step.template operator()<Step>(sum), ...);
        }
        (std::make_integer_sequence<int, 4>{});
        if constexpr (traits<T>::has_offset || requires { Unpack::step; }) {
            sums[c].offsets.add_product(scales.offset, simd::float16<A>::load(x[c]->sum));
        }
    }
}

template <class A, std::size_t Columns, class T, class Order>
void multiply_row(const matrix_view<T>& w, std::size_t row, const activations<Order>* x, float* y,
                  std::size_t y_stride) noexcept {
    constexpr auto full = tile_ref<T>::full;
    std::array<product_sums<A>, Columns> sums;
    std::array<const activation_tile*, Columns> from;
    for (std::size_t c = 0; c < Columns; ++c) from[c] = x[c].tiles();
    std::size_t block = 0;
    for (; block + full <= w.blocks(); block += full) {
        multiply_tile<unpack<T>, A, Columns>(tile_ref<T>{w, row, block, full}, from, sums);
        for (auto& tile : from) ++tile;
    }
    if (block < w.blocks()) {
        multiply_tile<scalar_unpack<T>, A, Columns>(tile_ref<T>{w, row, block, w.blocks() - block},
                                                    from, sums);
    }
    for (std::size_t c = 0; c < Columns; ++c) y[c * y_stride] = sums[c].total();
}

}  // namespace detail

/// Multiplies a matrix with activations in 8 bits: y[c][r] = sum over i of w[r][i] x[c][i].
///
/// x: any number of packed vectors of w.cols() values; y: as many of w.rows() floats. Errors:
/// `size_mismatch`.
template <class T, class A = native_arch, executor Executor = const serial>
    requires has_integer_lanes<T>
[[nodiscard]] result<void> try_gemm(const matrix_view<T>& w, std::span<const activations_for<T>> x,
                                    vectors<float> y, Executor&& run = serial{}) {
    for (const auto& vector : x) {
        if (vector.size() != w.cols()) {
            return detail::wrong_length("a vector of x", vector.size(), w.cols(),
                                        "columns of the matrix");
        }
    }
    if (y.length != w.rows()) {
        return detail::wrong_length("a vector of y", y.length, w.rows(), "rows of the matrix");
    }
    if (x.size() != y.count) {
        return fail(errc::size_mismatch, "x has ", x.size(), " vectors and y has ", y.count,
                    "; expected as many");
    }
    constexpr auto unit = std::size_t{traits<T>::rows};
    const auto share = detail::weights_per_task / std::max<std::size_t>(1, x.size() / 8);
    detail::for_row_runs(w, share, unit, run, [&](std::size_t first, std::size_t n) {
        std::size_t c = 0;
        for (; c + 4 <= x.size(); c += 4) {
            for (std::size_t row = first; row < first + n; ++row) {
                detail::multiply_row<A, 4>(w, row, &x[c], y[c] + row, y.stride);
            }
        }
        for (; c < x.size(); ++c) {
            for (std::size_t row = first; row < first + n; ++row) {
                detail::multiply_row<A, 1>(w, row, &x[c], y[c] + row, y.stride);
            }
        }
    });
    return {};
}

/// Multiplies a matrix with one packed vector. Errors: `size_mismatch`.
template <class T, class A = native_arch, executor Executor = const serial>
    requires has_integer_lanes<T>
[[nodiscard]] result<void> try_gemv(const matrix_view<T>& w, const activations_for<T>& x,
                                    std::span<float> y, Executor&& run = serial{}) {
    return try_gemm<T, A>(w, std::span(&x, 1), vectors<float>(y), run);
}

BPW_NAMESPACE_END
