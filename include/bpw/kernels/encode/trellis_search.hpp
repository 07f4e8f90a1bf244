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
#include <vector>

BPW_NAMESPACE_BEGIN

namespace detail {

/// `Length` values of each run; with `Magnitudes` their absolute values. Of runs of eight, `Threes`
/// places have three intervals and the others two.
template <std::size_t Length, bool Magnitudes, std::size_t Threes>
class trellis_search {
    static constexpr std::size_t most_intervals = Length == 4 ? 8 : 3;

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

    /// What is asked of a search: sum w (t - v)^2 for a run's v. Serves every search of this kind.
    class query {
      public:
        query(const float* t, const float* w) noexcept {
            for (std::size_t k = 0; k < Length; ++k) {
                const float wt = w[k] * t[k];
                weight_[k] = w[k];
                slope_[k] = -2.0f * wt;
                base_ = fused(wt, t[k], base_);
                const auto& from = lower(k);
                const auto& to = upper(k);
                std::size_t home = 0;
                for (std::size_t i = 1; i < intervals(k); ++i) home += t[k] >= from[i] ? 1 : 0;
                home_[k] = static_cast<std::uint8_t>(home);
                for (std::size_t i = 0; i < most_intervals; ++i) {
                    const float off = std::max(std::max(from[i] - t[k], t[k] - to[i]), 0.0f);
                    // Never negative, but the comparison keeps the product from being fused.
                    least_[k][i] = std::max(w[k] * off * off, 0.0f);
                }
            }
        }

      private:
        friend class trellis_search;
        float base_ = 0;
        std::array<float, Length> weight_;
        std::array<float, Length> slope_;
        std::array<std::uint8_t, Length> home_;
        std::array<std::array<float, most_intervals>, Length> least_;
    };

    /// A run whose cost is the least, or nearly so; its number counts from the first start. `guess`
    /// is one that may be good.
    [[nodiscard]] found nearest(const query& q, std::uint16_t guess) const noexcept {
        state now{q, {}, 0, {}, {}};
        now.take({cost_of(guess, q), guess});
        for (std::size_t k = 0; k < Length; ++k) {
            now.weight[k] = floats::all(q.weight_[k]);
            now.slope[k] = floats::all(q.slope_[k]);
        }
        visit<Length>(now, 0, 0.0f);
        return now.best;
    }

  private:
    // Where the intervals of a place begin, about quantiles of the values.
    static constexpr float far = 1e9f;
    using bounds = std::array<float, most_intervals + 1>;
    [[nodiscard]] static constexpr std::size_t intervals(std::size_t k) noexcept {
        if (Length == 4) return k == 3 ? 4 : 8;
        return k < Threes ? 3 : 2;
    }
    [[nodiscard]] static constexpr bounds bounds_of(std::size_t k) noexcept {
        bounds out{};
        out.fill(far);
        out[0] = -far;
        const auto set = [&](auto... inner) {
            std::size_t i = 1;
            ((out[i++] = inner), ...);
        };
        if constexpr (Length == 4) {
            if (intervals(k) == 4)
                set(-25.5f, 0.0f, 25.5f);
            else
                set(-42.5f, -25.5f, -12.5f, 0.0f, 12.5f, 25.5f, 42.5f);
        } else if (intervals(k) == 2) {
            set(Magnitudes ? 25.5f : 0.0f);
        } else {
            set(Magnitudes ? 16.5f : -15.5f, Magnitudes ? 35.5f : 15.5f);
        }
        return out;
    }
    static constexpr auto table = [] {
        std::array<std::array<std::array<float, most_intervals>, Length>, 2> out{};
        for (std::size_t k = 0; k < Length; ++k) {
            for (std::size_t i = 0; i < most_intervals; ++i) {
                out[0][k][i] = bounds_of(k)[i];
                out[1][k][i] = bounds_of(k)[i + 1];
            }
        }
        return out;
    }();
    [[nodiscard]] static constexpr const std::array<float, most_intervals>& lower(
        std::size_t k) noexcept {
        return table[0][k];
    }
    [[nodiscard]] static constexpr const std::array<float, most_intervals>& upper(
        std::size_t k) noexcept {
        return table[1][k];
    }
    // [how many][home]: the intervals by their distance from the one that the target lies in,
    // about.
    static constexpr auto order = [] {
        std::array<std::array<std::array<std::uint8_t, most_intervals>, most_intervals>,
                   most_intervals + 1>
            out{};
        for (std::size_t count = 1; count <= most_intervals; ++count) {
            for (std::size_t home = 0; home < count; ++home) {
                auto* to = out[count][home].data();
                *to++ = static_cast<std::uint8_t>(home);
                for (std::size_t by = 1; by < count; ++by) {
                    if (home + by < count) *to++ = static_cast<std::uint8_t>(home + by);
                    if (home >= by) *to++ = static_cast<std::uint8_t>(home - by);
                }
            }
        }
        return out;
    }();
    static constexpr std::size_t cells = [] {
        std::size_t n = 1;
        for (std::size_t k = 0; k < Length; ++k) n *= intervals(k);
        return n;
    }();

    // Cells whose bound is not far below what was found hardly ever hold anything better: in eight
    // dimensions the best run of a cell is far from its nearest corner.
    static constexpr float prospect = Length == 4 ? 0.5f : Magnitudes ? 0.4f : 0.25f;

    struct state {
        const query& q;
        found best;
        float limit;
        std::array<floats, Length> weight;
        std::array<floats, Length> slope;

        void take(const found& f) noexcept {
            best = f;
            limit = prospect * f.cost;
        }
    };

    [[nodiscard]] static std::uint16_t cell_of(std::uint32_t start) noexcept {
        std::size_t cell = 0;
        for (std::size_t k = Length; k-- > 0;) {
            const auto v = static_cast<float>(value(start, k));
            std::size_t i = 0;
            while (i + 1 < intervals(k) && v >= lower(k)[i + 1]) ++i;
            cell = cell * intervals(k) + i;
        }
        return static_cast<std::uint16_t>(cell);
    }

    [[nodiscard]] float cost_of(std::uint16_t n, const query& q) const noexcept {
        float cost = q.base_;
        for (std::size_t k = 0; k < Length; ++k) {
            const auto v = static_cast<float>(value(first_ + n, k));
            cost = fused(fused(q.weight_[k], v, q.slope_[k]), v, cost);
        }
        return cost;
    }

    // The cells that agree with the intervals chosen for places `Place` and up.
    template <std::size_t Place>
    void visit(state& now, std::size_t cell, float least) const noexcept {
        if constexpr (Place == 0) {
            open(now, cell);
        } else {
            constexpr auto k = Place - 1;
            for (std::size_t n = 0; n < intervals(k); ++n) {
                const std::size_t i = order[intervals(k)][now.q.home_[k]][n];
                const float sum = least + now.q.least_[k][i];
                if (sum < now.limit) visit<k>(now, cell * intervals(k) + i, sum);
            }
        }
    }

    void open(state& now, std::size_t cell) const noexcept {
        auto least = floats::all(now.best.cost);
        auto at = floats::all(-1.0f);
        for (std::size_t v = begin_[cell]; v < begin_[cell + 1]; ++v) {
            auto cost = floats::all(now.q.base_);
            for (std::size_t k = 0; k < Length; ++k) {
                const auto value =
                    lanes::from_bytes(values_.data() + (v * Length + k) * lane_count);
                cost = lanes::fma(lanes::fma(now.weight[k], value, now.slope[k]), value, cost);
            }
            at = lanes::where_less(cost, least, floats::all(static_cast<float>(v - begin_[cell])),
                                   at);
            least = lanes::min(cost, least);
        }
        if (!lanes::any_less(least, floats::all(now.best.cost))) return;
        const auto costs = lanes::to_array(least);
        const auto lane = smallest_lane(costs);
        const auto vector = begin_[cell] + static_cast<std::size_t>(lanes::to_array(at)[lane]);
        now.take({costs[lane], index_[vector * lane_count + lane]});
    }

    std::uint32_t first_;
    std::vector<std::uint32_t> begin_;  // vector of a cell
    std::vector<std::uint16_t> index_;
    std::vector<std::int8_t> values_;  // [vector][place][lane]
};

}  // namespace detail

BPW_NAMESPACE_END
