// The nearest run of the trellis generator.
//
// The runs are sorted into cells: each of their values lies in one of a few intervals, and a cell
// is one choice of intervals. What a cell costs at least is known from the intervals alone, a sum
// over the places; cells that cost more than what was found already are never opened. The result is
// the exact minimum.
#pragma once

#include <bpw/formats/trellis.hpp>
#include <bpw/simd/float_lanes.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <vector>

BPW_NAMESPACE_BEGIN

namespace detail {

/// `Length` values of each run; with `Magnitudes` their absolute values. Of runs of eight, `Threes`
/// places have three intervals and the others two.
template <std::size_t Length, bool Magnitudes, std::size_t Threes>
class trellis_search {
  public:
    struct found {
        float cost;
        std::uint16_t index;
    };

    /// The runs that start from first ... first + count - 1.
    trellis_search(std::uint32_t first, std::size_t count) : first_(first) {
        std::vector<std::uint16_t> cell(count);
        std::vector<std::uint32_t> sizes(cells, 0);
        for (std::size_t n = 0; n < count; ++n) {
            cell[n] = cell_of(first + static_cast<std::uint32_t>(n));
            ++sizes[cell[n]];
        }
        begin_.resize(cells + 1);
        for (std::size_t c = 0; c < cells; ++c) {
            begin_[c + 1] =
                begin_[c] + static_cast<std::uint32_t>((sizes[c] + lane_count - 1) / lane_count);
        }
        const auto vectors = std::size_t{begin_[cells]};
        index_.resize(vectors * lane_count);
        values_.resize(vectors * lane_count * Length);
        std::vector<std::uint32_t> filled(cells, 0);
        std::vector<std::uint16_t> last(cells, 0);
        const auto put = [&](std::size_t c, std::uint16_t n) {
            const auto at = filled[c]++;
            const auto vector = std::size_t{begin_[c]} + at / lane_count;
            index_[vector * lane_count + at % lane_count] = n;
            for (std::size_t k = 0; k < Length; ++k) {
                values_[(vector * Length + k) * lane_count + at % lane_count] =
                    static_cast<std::int8_t>(value(first_ + n, k));
            }
            last[c] = n;
        };
        for (std::size_t n = 0; n < count; ++n) put(cell[n], static_cast<std::uint16_t>(n));
        for (std::size_t c = 0; c < cells; ++c) {
            while (filled[c] % lane_count != 0) put(c, last[c]);
        }
    }

    /// Value k of a run, as the search sees it.
    [[nodiscard]] static int value(std::uint32_t start, std::size_t k) noexcept {
        const int v = trellis::value(start, static_cast<int>(k));
        return Magnitudes && v < 0 ? -v : v;
    }

    /// The run of least cost sum w (t - v)^2; its number counts from the first start. `guess` is
    /// one that may be good.
    [[nodiscard]] found nearest(const float* t, const float* w,
                                std::uint16_t guess) const noexcept {
        query q;
        q.best = {cost_of(guess, t, w), guess};
        for (std::size_t k = 0; k < Length; ++k) {
            q.t[k] = floats::all(t[k]);
            q.w[k] = floats::all(w[k]);
            // The intervals of a place, nearest first.
            const auto& bounds = limits(k);
            const auto count = intervals(k);
            std::size_t home = 0;
            while (home + 1 < count && t[k] >= bounds[home]) ++home;
            std::size_t below = home;
            std::size_t above = home + 1;
            for (std::size_t n = 0; n < count; ++n) {
                const float off_below = below < count
                                            ? (below == home ? 0.0f : t[k] - bounds[below])
                                            : std::numeric_limits<float>::infinity();
                const float off_above = above < count ? bounds[above - 1] - t[k]
                                                      : std::numeric_limits<float>::infinity();
                const bool down = off_below <= off_above;
                const float off = down ? off_below : off_above;
                q.interval[k][n] = static_cast<std::uint8_t>(down ? below : above);
                q.least[k][n] = w[k] * off * off;
                // Unsigned: below wraps past zero, and so ends.
                if (down)
                    --below;
                else
                    ++above;
            }
        }
        visit<Length>(q, 0, 0.0f);
        return q.best;
    }

  private:
    // Limits between the intervals of a place, about quantiles of the values.
    static constexpr std::size_t most_intervals = 8;
    [[nodiscard]] static constexpr std::size_t intervals(std::size_t k) noexcept {
        if (Length == 4) return k == 3 ? 4 : 8;
        return k < Threes ? 3 : 2;
    }
    [[nodiscard]] static constexpr const std::array<float, most_intervals - 1>& limits(
        std::size_t k) noexcept {
        constexpr std::size_t signed_or_not = Magnitudes ? 1 : 0;
        switch (intervals(k)) {
            case 2:
                return limits_of_2[signed_or_not];
            case 3:
                return limits_of_3[signed_or_not];
            case 4:
                return limits_of_4;
            default:
                return limits_of_8;
        }
    }
    using interval_limits = std::array<float, most_intervals - 1>;
    static constexpr std::array<interval_limits, 2> limits_of_2{{{0.0f}, {25.5f}}};
    static constexpr std::array<interval_limits, 2> limits_of_3{{{-15.5f, 15.5f}, {16.5f, 35.5f}}};
    static constexpr interval_limits limits_of_4{-25.5f, 0.0f, 25.5f};
    static constexpr interval_limits limits_of_8{-42.5f, -25.5f, -12.5f, 0.0f, 12.5f, 25.5f, 42.5f};
    static constexpr std::size_t cells = [] {
        std::size_t n = 1;
        for (std::size_t k = 0; k < Length; ++k) n *= intervals(k);
        return n;
    }();

    struct query {
        found best;
        floats t[Length];
        floats w[Length];
        float least[Length][most_intervals];
        std::uint8_t interval[Length][most_intervals];
    };

    [[nodiscard]] static std::uint16_t cell_of(std::uint32_t start) noexcept {
        std::size_t cell = 0;
        for (std::size_t k = Length; k-- > 0;) {
            const auto v = static_cast<float>(value(start, k));
            std::size_t i = 0;
            while (i + 1 < intervals(k) && v >= limits(k)[i]) ++i;
            cell = cell * intervals(k) + i;
        }
        return static_cast<std::uint16_t>(cell);
    }

    [[nodiscard]] float cost_of(std::uint16_t n, const float* t, const float* w) const noexcept {
        float cost = 0;
        for (std::size_t k = 0; k < Length; ++k) {
            const float off = t[k] - static_cast<float>(value(first_ + n, k));
            cost = fused(w[k] * off, off, cost);
        }
        return cost;
    }

    // The cells that agree with the intervals chosen for places `Place` and up.
    template <std::size_t Place>
    void visit(query& q, std::size_t cell, float least) const noexcept {
        if constexpr (Place == 0) {
            open(q, cell);
        } else {
            constexpr auto k = Place - 1;
            for (std::size_t n = 0; n < intervals(k); ++n) {
                const float sum = least + q.least[k][n];
                if (!(sum < q.best.cost)) return;
                visit<k>(q, cell * intervals(k) + q.interval[k][n], sum);
            }
        }
    }

    void open(query& q, std::size_t cell) const noexcept {
        auto least = floats::all(q.best.cost);
        auto at = floats::all(-1.0f);
        for (std::size_t v = begin_[cell]; v < begin_[cell + 1]; ++v) {
            auto cost = floats::zero();
            for (std::size_t k = 0; k < Length; ++k) {
                const auto off = lanes::subtract(
                    q.t[k], lanes::from_bytes(values_.data() + (v * Length + k) * lane_count));
                cost = lanes::fma(q.w[k] * off, off, cost);
            }
            at = lanes::where_less(cost, least, floats::all(static_cast<float>(v - begin_[cell])),
                                   at);
            least = lanes::min(cost, least);
        }
        if (!lanes::any_less(least, floats::all(q.best.cost))) return;
        const auto costs = lanes::to_array(least);
        const auto lane = smallest_lane(costs);
        const auto vector = begin_[cell] + static_cast<std::size_t>(lanes::to_array(at)[lane]);
        q.best = {costs[lane], index_[vector * lane_count + lane]};
    }

    std::uint32_t first_;
    std::vector<std::uint32_t> begin_;  // vector of a cell
    std::vector<std::uint16_t> index_;
    std::vector<std::int8_t> values_;  // [vector][place][lane]
};

}  // namespace detail

BPW_NAMESPACE_END
