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

// A tile of each of N vectors, or what belongs to each of them.
template <class Tile, std::size_t N>
using tiles_of_vectors = std::array<const Tile*, N>;
template <class A, std::size_t N>
using sums_of_vectors = std::array<product_sums<A>, N>;

// One tile times the same tile of N vectors: unpacked once.
template <class Unpack, class A, class T, class Tile, std::size_t N>
BPW_INLINE void multiply_tile(const tile_ref<T>& tile, const tiles_of_vectors<Tile, N>& x,
                              sums_of_vectors<A, N>& sums) noexcept {
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
    const auto scales_of_vector = array_of<N>([&](std::size_t c) BPW_INLINE_LAMBDA {
        auto scale = simd::float16<A>::load(x[c]->scale);
        if constexpr (!scaled_by_row<T>) scale = scales.scale * scale;
        if constexpr (fine != 0) scale = scale * simd::float16<A>::all(1.0f / (1 << fine));
        return scales_of_sums<order, group, alternating, A>(scale);
    });
    constexpr bool shifted = requires { Unpack::step; };
    constexpr bool with_offsets = has_offsets<Unpack, T>;
    constexpr int bias = Unpack::bias - bias_in_sums<T>;
    static_assert(with_offsets || (bias == 0 && fine == 0));
    constexpr int lowered = lanes_lowered_by<T, A>;
    const lanes_by_steps<Unpack, A, lowered, T> lanes(tile);
    std::array<ints, N> sum;
    std::array<simd::pair_sums<A>, N> pairs;
    const auto step = [&]<int Step>(std::integral_constant<int, Step>) {
        constexpr auto place = place_in_sum<order, group>(Step);
        constexpr bool first = place.number == 0;
        constexpr bool last = place.number + 1 == place.count;
        const auto& of_step = lanes.template get<Step>();
        [[maybe_unused]] const auto fine_of_step = [&] {
            if constexpr (fine != 0)
                return Unpack::template fine_lanes<Step, A>(tile);
            else
                return 0;
        }();
        for_each_index<N>([&](auto c) BPW_INLINE_LAMBDA {
            const auto& of_vector = *x[c];
            if constexpr (first) {
                sum[c] =
                    start_bias<T, A> == 0 ? ints::zero() : ints::load(of_vector.start + 16 * Step);
            }
            const auto add = [&](const auto*... factor) BPW_INLINE_LAMBDA {
                simd::add_dot4_of_run<Unpack::max, lowered, place.number, place.count>(
                    sum[c], pairs[c], of_step, simd::registers_at<A>(factor)...);
            };
            if constexpr (Step == 4) {
                static_assert(lowered == 0 || Step != 4);
                add(of_vector.fifth);
            } else if constexpr (requires { of_vector.magnitude; })
                add(of_vector.q + 64 * Step, of_vector.magnitude + 64 * Step);
            else
                add(of_vector.q + 64 * Step);
            if constexpr (fine != 0) {
                static_assert(first && last);
                sum[c] = sum[c].template shifted_left<fine>();
                simd::add_dot4<(1 << fine) - 1>(sum[c], fine_of_step, of_vector.q + 64 * Step);
            }
            if constexpr (last) {
                sums[c].products.add_product(sum[c].to_float(),
                                             scales_of_vector[c].template of_step<Step>());
            }
        });
    };
    step(std::integral_constant<int, 0>{});
    step(std::integral_constant<int, 1>{});
    step(std::integral_constant<int, 2>{});
    step(std::integral_constant<int, 3>{});
    if constexpr (steps_of<order> == 5) step(std::integral_constant<int, 4>{});
    const auto add_offset = [&](const simd::float16<A>& offset, auto member) BPW_INLINE_LAMBDA {
        for_each_index<N>([&](auto c) BPW_INLINE_LAMBDA {
            sums[c].offsets.add_product(offset, simd::float16<A>::load(x[c]->*member));
        });
    };
    if constexpr (shifted) {
        const auto shift = lookup_shifts<Unpack, bias, A, T, runs>(tile.block().bytes);
        for_each_index<N>([&](auto c) BPW_INLINE_LAMBDA {
            sums[c].offsets.add_product(scales.scale * simd::float16<A>::load(x[c]->sum), shift);
        });
    } else if constexpr (alternating) {
        static_assert(bias == 0);
        add_offset(scales.scale, &Tile::minus_odd);
    } else if constexpr (with_offsets) {
        auto offset = scales.offset;
        if constexpr (bias != 0) {
            offset.add_product(scales.scale, simd::float16<A>::all(-static_cast<float>(bias)));
        }
        add_offset(offset, &Tile::sum);
    }
}

// The running sums of the rows that stand together and N vectors.
template <class T, class A, std::size_t N>
using sums_of_rows =
    std::conditional_t<interleaved_rows<T>, sums_of_row_groups<A, N>, sums_of_vectors<A, N>>;

// Whether processors read ahead of a kernel by themselves in time: of a row alone, or of four of
// less than 6 bits a weight.
template <class T>
inline constexpr bool is_read_ahead = [] {
    constexpr auto weights = std::size_t{traits<T>::rows} * std::size_t{traits<T>::block_size};
    return traits<T>::rows == 1 ||
           (traits<T>::rows == 4 && 8 * sizeof(typename T::block) < 6 * weights);
}();

// Full tiles first ... end - 1 of the rows from `row` on that stand together, times those of N
// vectors. Where the processor does not, memory is read `ahead` bytes ahead.
template <class A, class T, class Tile, std::size_t N>
BPW_INLINE void multiply_tiles(const matrix_view<T>& w, std::size_t row, std::size_t first,
                               std::size_t end, std::size_t ahead,
                               const tiles_of_vectors<Tile, N>& x,
                               sums_of_rows<T, A, N>& sums) noexcept {
    constexpr auto full = tile_ref<T>::full;
    auto from = x;
    for (auto& tile : from) tile += first;
    for (std::size_t block = first * full; block < end * full; block += full) {
        constexpr auto bytes = full * sizeof(typename T::block);
        const auto* const p = w.block(row, block).bytes;
        if constexpr (N == 1 && is_read_ahead<T>)
            simd::prefetch_next_page<bytes>(p);
        else
            simd::prefetch_ahead<bytes>(p, ahead);
        const tile_ref<T> tile{w, row, block, full};
        if constexpr (interleaved_rows<T>)
            multiply_row_tile<A>(tile, from, sums);
        else
            multiply_tile<row_unpack<T>>(tile, from, sums);
        for (auto& next : from) ++next;
    }
}

// Writes the products of the rows from `row` on that stand together and N vectors: what was summed
// up, and the last tile where it is not full.
template <class A, class T, class Tile, std::size_t N>
void finish_rows(const matrix_view<T>& w, std::size_t row, const tiles_of_vectors<Tile, N>& x,
                 sums_of_rows<T, A, N>& sums, const std::array<float*, N>& y) noexcept {
    constexpr auto full = tile_ref<T>::full;
    constexpr auto rows = std::size_t{traits<T>::rows};
    const auto tiles = w.blocks() / full;
    const auto left = w.blocks() % full;
    const auto add_last = [&](std::size_t k, sums_of_vectors<A, N>& to) {
        if constexpr (full != 1) {
            static_assert(fine_bits<unpack<T>> == 0, "the scalar unpack has none");
            multiply_tile<scalar_unpack<T, unpack<T>::bias>>(
                tile_ref<T>{w, row + k, tiles * full, left},
                array_of<N>([&](std::size_t c) { return x[c] + tiles; }), to);
        }
    };
    float total[N][rows];
    if constexpr (interleaved_rows<T>) {
        for (std::size_t c = 0; c < N; ++c) sums[c].template total<rows>(total[c]);
        for (std::size_t k = 0; k < rows && left != 0; ++k) {
            sums_of_vectors<A, N> rest;
            add_last(k, rest);
            for (std::size_t c = 0; c < N; ++c) total[c][k] += rest[c].total();
        }
    } else {
        if (left != 0) add_last(0, sums);
        for (std::size_t c = 0; c < N; ++c) total[c][0] = sums[c].total();
    }
    for (std::size_t k = 0; k < rows; ++k) {
        const float factor = last_factor(w, row + k);
        for (std::size_t c = 0; c < N; ++c) y[c][row + k] = total[c][k] * factor;
    }
}

// `count` rows from `first` on times N vectors. Some rows are multiplied with some tiles of several
// vectors, which stay in the first-level cache, before the next tiles.
template <class A, class T, class Tile, std::size_t N>
void multiply_run(const matrix_view<T>& w, std::size_t first, std::size_t count,
                  const tiles_of_vectors<Tile, N>& x, const std::array<float*, N>& y) noexcept {
    constexpr auto unit = std::size_t{traits<T>::rows};
    constexpr auto units_at_once = N == 1 ? 1 : std::max<std::size_t>(8 / unit, 1);
    const std::size_t tiles = w.blocks() / tile_ref<T>::full;
    const std::size_t tiles_at_once = N == 1 ? std::max<std::size_t>(tiles, 1) : 32 / N;
    // These rows do not come one byte after the other: the next ones are read meanwhile.
    const std::size_t ahead =
        N == 1 ? simd::prefetch_distance : units_at_once * unit * w.row_bytes();
    for (std::size_t row = first; row < first + count; row += unit * units_at_once) {
        const auto units = std::min(units_at_once, (first + count - row) / unit);
        std::array<sums_of_rows<T, A, N>, units_at_once> sums;
        for (std::size_t tile = 0; tile < tiles; tile += tiles_at_once) {
            const auto end = std::min(tile + tiles_at_once, tiles);
            for (std::size_t i = 0; i < units; ++i) {
                auto of_rows = sums[i];
                multiply_tiles<A>(w, row + i * unit, tile, end, ahead, x, of_rows);
                sums[i] = of_rows;
            }
        }
        for (std::size_t i = 0; i < units; ++i) {
            finish_rows<A>(w, row + i * unit, x, sums[i], y);
        }
    }
}

// `count` rows from `first` on times vectors c ... c + N - 1 of x, as far as there are that many;
// the last one stands for those that there are not.
template <std::size_t N, class A, class T>
void multiply_run(const matrix_view<T>& w, std::size_t first, std::size_t count,
                  std::span<const activations_for<T, A>> x, std::size_t c,
                  const vectors<float>& y) noexcept {
    const auto at = [&](std::size_t i) { return std::min(c + i, x.size() - 1); };
    multiply_run<A>(w, first, count, array_of<N>([&](std::size_t i) { return x[at(i)].tiles(); }),
                    array_of<N>([&](std::size_t i) { return y[at(i)]; }));
}

}  // namespace detail

/// Multiplies a matrix with a few vectors of activations in 8 bits: y[c][r] = sum over i of
/// w[r][i] x[c][i]. Every product has the bits that it has with one vector alone. From about a
/// dozen vectors on, a batch and try_gemm are faster.
///
/// x: any number of vectors of w.cols() packed values; y: as many of w.rows() floats. Errors:
/// `size_mismatch`.
template <class T, class A = native_arch, executor Executor = const serial>
    requires has_integer_lanes<T>
[[nodiscard]] result<void> try_gemv(const matrix_view<T>& w,
                                    std::span<const activations_for<T, A>> x, vectors<float> y,
                                    Executor&& run = serial{}) {
    for (const auto& vector : x) {
        if (auto fits = detail::products_fit(w, x.size(), vector.size(), y); !fits.ok())
            return fits;
    }
    if (x.empty()) return detail::products_fit(w, 0, w.cols(), y);
    detail::for_row_runs(w, detail::weights_per_task, std::size_t{traits<T>::rows}, run,
                         [&](std::size_t first, std::size_t n) {
                             detail::for_few_vectors(x.size(), [&](auto at_once, std::size_t c) {
                                 detail::multiply_run<at_once(), A>(w, first, n, x, c, y);
                             });
                         });
    return {};
}

/// The same with one vector.
template <class T, class A = native_arch, executor Executor = const serial>
    requires has_integer_lanes<T>
[[nodiscard]] result<void> try_gemv(const matrix_view<T>& w, const activations_for<T, A>& x,
                                    std::span<float> y, Executor&& run = serial{}) {
    if (auto fits = detail::products_fit(w, 1, x.size(), y); !fits.ok()) return fits;
    // Not by the form for several vectors, whose kernels take the compiler longer.
    detail::for_row_runs(w, detail::weights_per_task, std::size_t{traits<T>::rows}, run,
                         [&](std::size_t first, std::size_t n) {
                             detail::multiply_run<1, A>(w, first, n, std::span(&x, 1), 0, y);
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
    if (auto fits = detail::products_fit(w, x.count(), x.length(), y); !fits.ok()) return fits;
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
