// Products of quantized matrices with activations in 8 bits.
//
// Inside a run of 16 weights everything is integer and exact. The float work is fixed by the format
// and not by the arch: for every tile, in order, and every step of it (steps that have the same
// scale in every lane are added up first), sixteen sums
//
//   s[l] = fma(float(integer sum of lane l), scale of lane l, s[l])
//
// (where there are fine lanes, of which an integer is a fraction, that fraction of the scale) and
// sixteen more for what is added to the weights of each run of 16, o[i] = fma(offset of run r[i],
// sum of the activations of that run, o[i]), r being order_of_runs; where there is such an offset,
// the bias of the lanes times the scale is part of it. A result is sum(s) + sum(o), each in the
// order of simd::float16::sum; where a row has one scale and no others, the scale of a lane is that
// of the activations, and the result is multiplied with the row's. Where R rows are interleaved,
// sixteen sums belong to R rows; they are added up in the same order as far as they belong to one
// row, and a last tile of less than 256 columns is added to the result. So gemv gives the same bits
// on every arch and for every number of threads.
#pragma once

#include <bpw/kernels/panel_product.hpp>
#include <bpw/kernels/product.hpp>
#include <bpw/kernels/row_group.hpp>
#include <bpw/kernels/unpack/lanes.hpp>
#include <bpw/simd/dot_run.hpp>
#include <bpw/simd/prefetch.hpp>

#include <utility>

BPW_NAMESPACE_BEGIN

/// The activations that a matrix of type T is multiplied with.
template <class T, class A = native_arch>
using activations_for = activations<typename row_unpack<T>::order, detail::start_bias<T, A>,
                                    std::min(32, traits<T>::group_size)>;

/// The batch of activations that a matrix of type T is multiplied with.
template <class T, class A = native_arch>
using activation_batch_for = activation_batch<batch_order<typename unpack<T>::order>, A>;

namespace detail {

// The running sums of one row and one vector.
template <class A>
struct product_sums {
    simd::float16<A> products = simd::float16<A>::zero();
    simd::float16<A> offsets = simd::float16<A>::zero();

    [[nodiscard]] BPW_INLINE float total() const noexcept { return products.sum() + offsets.sum(); }
};

// The scales of a tile's sums, step by step, out of those of its runs in the order order_of_runs;
// of every two runs of a group of 32 the first where Even: something else stands in the second
// place.
template <class Order, int Group, bool Even, class A>
class scales_of_sums {
  public:
    BPW_INLINE explicit scales_of_sums(const simd::float16<A>& scale) noexcept
        : scale_(in_order && Even ? simd::each_even_twice(scale) : scale) {
        if constexpr (in_memory) {
            scale.store(memory_);
            simd::through_memory(memory_);
        }
    }
    template <int Step>
    [[nodiscard]] BPW_INLINE simd::float16<A> of_step() const noexcept {
        if constexpr (in_order)
            return scale_;
        else if constexpr (in_memory)
            return simd::load_spread<A>(memory_, places_of_step<Step>);
        else
            return simd::spread(scale_, places_of_step<Step>);
    }

  private:
    static constexpr bool in_order = sums_keep_to_groups<Order, Group>;
    template <int Step>
    static constexpr std::array<int, 16> places_of_step = [] {
        auto runs = runs_of_step<Order>(Step);
        // Those of a group of 32 are equal.
        for (auto& run : runs) run = Even || Group == 32 ? run / 2 * 2 : run;
        return runs;
    }();
    static constexpr bool in_memory = !in_order &&
                                      simd::spreads_one_lane_to_registers<A>(places_of_step<0>) &&
                                      simd::spreads_one_lane_to_registers<A>(places_of_step<1>) &&
                                      simd::spreads_one_lane_to_registers<A>(places_of_step<2>) &&
                                      simd::spreads_one_lane_to_registers<A>(places_of_step<3>);
    simd::float16<A> scale_;
    alignas(64) float memory_[in_memory ? 16 : 1];
};

// The number of a step among those whose products are added up before a scale is applied.
struct step_place {
    std::size_t number = 0;
    std::size_t count = 1;
};
template <class Order, int Group>
[[nodiscard]] constexpr step_place place_in_sum(int step) noexcept {
    step_place out;
    for (int s = step; s > 0 && same_groups<Order, Group>(s - 1, s); --s) ++out.number;
    out.count += out.number;
    constexpr int last = steps_of<Order> - 1;
    for (int s = step; s < last && same_groups<Order, Group>(s, s + 1); ++s) ++out.count;
    return out;
}

// One tile times the same tile of a vector.
template <class Unpack, class A, class T, class Tile>
BPW_INLINE void multiply_tile(const tile_ref<T>& tile, const Tile& x,
                              product_sums<A>& sums) noexcept {
    using order = typename Unpack::order;
    using ints = simd::int16x<A>;
    // Activations have a scale for every 32.
    constexpr int group = std::min(32, traits<T>::group_size);
    // Scales and minima of groups of 32 alternate in one vector.
    constexpr bool alternating = alternating_scales<T> && !requires { Unpack::is_scalar; };
    constexpr auto& runs = order_of_runs<order, group>;
    [[maybe_unused]] const auto scales = [&] {
        if constexpr (scaled_by_row<T>)
            return 0;
        else if constexpr (alternating)
            return alternating_scales_of<A, runs>(tile);
        else
            return scales_of<Unpack, A, runs>(tile);
    }();
    constexpr int fine = fine_bits<Unpack>;
    auto scale = simd::float16<A>::load(x.scale);
    if constexpr (!scaled_by_row<T>) scale = scales.scale * scale;
    if constexpr (fine != 0) scale = scale * simd::float16<A>::all(1.0f / (1 << fine));
    constexpr bool shifted = requires { Unpack::step; };
    constexpr bool with_offsets = has_offsets<Unpack, T>;
    constexpr int bias = Unpack::bias - bias_in_sums<T>;
    static_assert(with_offsets || (bias == 0 && fine == 0));
    constexpr int lowered = lanes_lowered_by<T, A>;
    const lanes_by_steps<Unpack, A, lowered, T> lanes(tile);
    const scales_of_sums<order, group, alternating, A> of_sums(scale);
    ints sum;
    simd::pair_sums<A> pairs;
    const auto step = [&]<int Step>(std::integral_constant<int, Step>) {
        constexpr auto place = place_in_sum<order, group>(Step);
        constexpr bool first = place.number == 0;
        constexpr bool last = place.number + 1 == place.count;
        if constexpr (first) {
            sum = start_bias<T, A> == 0 ? ints::zero() : ints::load(x.start + 16 * Step);
        }
        const auto add = [&](const auto*... factor) BPW_INLINE_LAMBDA {
            simd::add_dot4_of_run<Unpack::max, lowered, place.number, place.count>(
                sum, pairs, lanes.template get<Step>(), simd::registers_at<A>(factor)...);
        };
        // Magnitudes of rows that stand together are not in the order of q.
        if constexpr (Step == 4) {
            static_assert(lowered == 0 || Step != 4);
            [&](const auto& tile_of_x) BPW_INLINE_LAMBDA { add(tile_of_x.fifth); }(x);
        } else if constexpr (
            requires { x.magnitude; } && !requires { x.repeated; })
            add(x.q + 64 * Step, x.magnitude + 64 * Step);
        else
            add(x.q + 64 * Step);
        if constexpr (fine != 0) {
            static_assert(first && last);
            sum = sum.template shifted_left<fine>();
            simd::add_dot4<(1 << fine) - 1>(sum, Unpack::template fine_lanes<Step, A>(tile),
                                            x.q + 64 * Step);
        }
        if constexpr (last) {
            sums.products.add_product(sum.to_float(), of_sums.template of_step<Step>());
        }
    };
    step(std::integral_constant<int, 0>{});
    step(std::integral_constant<int, 1>{});
    step(std::integral_constant<int, 2>{});
    step(std::integral_constant<int, 3>{});
    if constexpr (steps_of<order> == 5) step(std::integral_constant<int, 4>{});
    if constexpr (shifted) {
        sums.offsets.add_product(scales.scale * simd::float16<A>::load(x.sum),
                                 lookup_shifts<Unpack, bias, A, T, runs>(tile.block().bytes));
    } else if constexpr (alternating) {
        static_assert(bias == 0);
        sums.offsets.add_product(scales.scale, simd::float16<A>::load(x.minus_odd));
    } else if constexpr (with_offsets) {
        auto offset = scales.offset;
        if constexpr (bias != 0) {
            offset.add_product(scales.scale, simd::float16<A>::all(-static_cast<float>(bias)));
        }
        sums.offsets.add_product(offset, simd::float16<A>::load(x.sum));
    }
}

template <class A, class T>
[[nodiscard]] float multiply_row(const matrix_view<T>& w, std::size_t row,
                                 const activations_for<T, A>& x) noexcept {
    constexpr auto full = tile_ref<T>::full;
    product_sums<A> sums;
    const auto* from = x.tiles();
    std::size_t block = 0;
    for (; block + full <= w.blocks(); block += full) {
        simd::prefetch_ahead<full * sizeof(typename T::block)>(w.block(row, block).bytes);
        multiply_tile<row_unpack<T>>(tile_ref<T>{w, row, block, full}, *from++, sums);
    }
    if constexpr (full != 1) {
        static_assert(fine_bits<unpack<T>> == 0, "the scalar unpack has none");
        if (block < w.blocks()) {
            multiply_tile<scalar_unpack<T, unpack<T>::bias>>(
                tile_ref<T>{w, row, block, w.blocks() - block}, *from, sums);
        }
    }
    return sums.total() * last_factor(w, row);
}

// The rows from `row` on that the type interleaves: R results.
template <class A, class T>
void multiply_row_group(const matrix_view<T>& w, std::size_t row, const activations_for<T, A>& x,
                        float* y) noexcept {
    constexpr auto full = tile_ref<T>::full;
    constexpr auto rows = std::size_t{traits<T>::rows};
    row_group_sums<A> sums;
    const auto* from = x.tiles();
    std::size_t block = 0;
    for (; block + full <= w.blocks(); block += full) {
        simd::prefetch_ahead<full * sizeof(typename T::block)>(w.block(row, block).bytes);
        multiply_row_tile<A>(tile_ref<T>{w, row, block, full}, *from++, sums);
    }
    sums.template total<rows>(y);
    for (std::size_t k = 0; k < rows; ++k) {
        if constexpr (full != 1) {
            if (block < w.blocks()) {
                product_sums<A> rest;
                multiply_tile<scalar_unpack<T, unpack<T>::bias>>(
                    tile_ref<T>{w, row + k, block, w.blocks() - block}, *from, rest);
                y[k] += rest.total();
            }
        }
        y[k] *= last_factor(w, row + k);
    }
}

}  // namespace detail

/// Multiplies a matrix with one vector of activations in 8 bits: y[r] = sum over i of w[r][i] x[i].
///
/// x: w.cols() packed values; y: w.rows() floats. Errors: `size_mismatch`.
template <class T, class A = native_arch, executor Executor = const serial>
    requires has_integer_lanes<T>
[[nodiscard]] result<void> try_gemv(const matrix_view<T>& w, const activations_for<T, A>& x,
                                    std::span<float> y, Executor&& run = serial{}) {
    if (x.size() != w.cols()) {
        return detail::wrong_length("x", x.size(), w.cols(), "columns of the matrix");
    }
    if (y.size() != w.rows()) {
        return detail::wrong_length("y", y.size(), w.rows(), "rows of the matrix");
    }
    detail::for_row_runs(w, detail::weights_per_task, std::size_t{traits<T>::rows}, run,
                         [&](std::size_t first, std::size_t n) {
                             if constexpr (detail::interleaved_rows<T>) {
                                 constexpr auto unit = std::size_t{traits<T>::rows};
                                 for (std::size_t row = first; row < first + n; row += unit) {
                                     detail::multiply_row_group<A>(w, row, x, &y[row]);
                                 }
                             } else {
                                 for (std::size_t row = first; row < first + n; ++row) {
                                     y[row] = detail::multiply_row<A>(w, row, x);
                                 }
                             }
                         });
    return {};
}

/// Multiplies a matrix with a batch of activations in 8 bits: y[c][r] = sum over i of
/// w[r][i] x[c][i].
///
/// x: any number of packed vectors of w.cols() values; y: as many of w.rows() floats. Tasks are
/// some panels of 32 rows and, where there are few rows, some of the vectors. Errors:
/// `size_mismatch`.
template <class T, class A = native_arch, executor Executor = const serial>
    requires has_integer_lanes<T>
[[nodiscard]] result<void> try_gemm(const matrix_view<T>& w, const activation_batch_for<T, A>& x,
                                    vectors<float> y, Executor&& run = serial{}) {
    if (x.length() != w.cols()) {
        return detail::wrong_length("a vector of x", x.length(), w.cols(), "columns of the matrix");
    }
    if (y.length != w.rows()) {
        return detail::wrong_length("a vector of y", y.length, w.rows(), "rows of the matrix");
    }
    if (x.count() != y.count) {
        return fail(errc::size_mismatch, "x has ", x.count(), " vectors and y has ", y.count,
                    "; expected as many");
    }
    if (w.cols() == 0) {
        for (std::size_t c = 0; c < y.count; ++c) std::fill(y[c], y[c] + y.length, 0.0f);
        return {};
    }
    // Unpacking a panel is worth some sixty vectors. Panels that follow each other are multiplied
    // with some columns of all vectors, which stay in a cache, before the next columns: so a thread
    // gets more tasks than one only where these are still large.
    constexpr auto at_once = activation_batch_for<T, A>::at_once;
    constexpr auto least_vectors = 64 / at_once * at_once;
    constexpr std::size_t most_panels = 16;
    const auto enough_tasks = threads_of(run, 16);
    const auto panels = (w.rows() + detail::panel_rows - 1) / detail::panel_rows;
    const auto together = std::clamp<std::size_t>(panels / enough_tasks, 1, most_panels);
    const auto groups = (panels + together - 1) / together;
    const auto most_shares = std::max<std::size_t>(1, x.count() / least_vectors);
    const auto shares =
        groups == 0 ? 1 : std::clamp<std::size_t>(enough_tasks / groups, 1, most_shares);
    const auto share = (x.count() / shares + x.at_once) / x.at_once * x.at_once;
    run(groups * shares, [&](std::size_t task) {
        const auto begin = task % shares * share;
        const auto end = std::min(begin + share, x.count());
        if (begin < end) {
            const auto first = task / shares * together * detail::panel_rows;
            const auto rows = std::min(together * detail::panel_rows, w.rows() - first);
            detail::multiply_panels<A>(w, first, rows, x, begin, end, y);
        }
    });
    return {};
}

BPW_NAMESPACE_END
