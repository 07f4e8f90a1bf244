// The scale that lets a set of levels fit numbers best.
//
// For a scale S every number takes its nearest level v; the best S for these levels is
// sum w x v / sum w v^2, and the error is smallest where (sum w x v)^2 / sum w v^2 is largest.
// Sixteen scales are tried at a time, one in each lane, in the order of the numbers: a grid over
// the scales that can be meant, then a finer one around the best.
#pragma once

#include <bpw/kernels/encode/levels.hpp>
#include <bpw/kernels/encode/weighted_row.hpp>
#include <bpw/simd/float_lanes.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

/// Sixteen scales, each with the amount by which the levels are raised.
struct candidate_scales {
    floats scale;
    floats inverse;
    floats raised;

    candidate_scales(const floats& s, const floats& up) noexcept
        : scale(s), inverse(lanes::divide(floats::all(1.0f), s)), raised(up) {}
    /// The same scale sixteen times.
    explicit candidate_scales(float s, float up = 0.0f) noexcept
        : scale(floats::all(s)), inverse(floats::all(1.0f / s)), raised(floats::all(up)) {}
};

/// How the nearest level is found.
enum class level_kind : std::uint8_t { uniform, binned, table };

/// The nearest levels to x / scale.
template <level_kind Kind>
class nearest_level {
  public:
    nearest_level(const level_set& levels, const candidate_scales& c) noexcept
        : bins_(levels.all_levels(), levels.bin_shift, levels.turn.data(), levels.low.data(),
                levels.high.data()),
          table_(levels.all_levels()),
          bin_base_(static_cast<float>(levels.bin_base)) {
        if constexpr (Kind == level_kind::uniform) {
            lo_ = floats::all(levels.lo);
            hi_ = floats::all(levels.hi);
        } else {
            lo_ = floats::zero();
            hi_ = floats::all(static_cast<float>((32 << levels.bin_shift) - 1));
        }
        take(c);
    }

    /// Finds the codes of the levels, without what raises them.
    [[nodiscard]] static nearest_level of_codes(const level_set& levels,
                                                const candidate_scales& c) noexcept {
        static_assert(Kind != level_kind::uniform);
        nearest_level out(levels, c);
        out.bins_ = {levels.all_codes(), levels.bin_shift, levels.turn.data(),
                     levels.low_code.data(), levels.high_code.data()};
        out.table_ = levels.all_codes();
        out.raised_ = floats::zero();
        return out;
    }

    /// Changes the scales.
    BPW_INLINE void take(const candidate_scales& c) noexcept {
        if constexpr (Kind == level_kind::uniform) {
            inverse_ = c.inverse;
        } else {
            inverse_ = lanes::add(c.inverse, c.inverse);
            // Rounding down is rounding of what lies 1/2 below.
            offset_ =
                lanes::subtract(floats::all(-0.5f - bin_base_), lanes::add(c.raised, c.raised));
            raised_ = c.raised;
        }
    }

    [[nodiscard]] BPW_INLINE floats operator()(const floats& x) const noexcept {
        if constexpr (Kind == level_kind::uniform) {
            return lanes::round(lanes::clamp(x * inverse_, lo_, hi_));
        } else {
            const auto twice = lanes::clamp(lanes::fma(x, inverse_, offset_), lo_, hi_);
            const auto index = lanes::add(twice, floats::all(lanes::integer_shift));
            if constexpr (Kind == level_kind::binned)
                return lanes::add(bins_(index), raised_);
            else
                return lanes::add(lanes::lookup_shifted(table_, index), raised_);
        }
    }

  private:
    lanes::two_levels_per_bin<native_arch> bins_;
    const float* table_;
    float bin_base_;
    floats inverse_, offset_, raised_, lo_, hi_;
};

/// Calls f.template operator()<Kind>() for the way in which levels are found.
template <class F>
decltype(auto) with_kind(const level_set& levels, F f) {
    if (levels.uniform) return f.template operator()<level_kind::uniform>();
    if (levels.binned) return f.template operator()<level_kind::binned>();
    return f.template operator()<level_kind::table>();
}

/// sum w x v and sum w v^2 for each of sixteen scales.
struct projections {
    floats along, norm;
};

[[nodiscard]] inline projections project(const level_set& levels, const float* x, const float* w,
                                         std::size_t n, const candidate_scales& c) noexcept {
    return with_kind(levels, [&]<level_kind Kind>() {
        const nearest_level<Kind> nearest(levels, c);
        projections p{floats::zero(), floats::zero()};
        for (std::size_t i = 0; i < n; ++i) {
            const auto xi = floats::all(x[i]);
            const auto v = nearest(xi);
            const auto wv = floats::all(w[i]) * v;
            p.along = lanes::fma(wv, xi, p.along);
            p.norm = lanes::fma(wv, v, p.norm);
        }
        return p;
    });
}

/// What becomes of numbers whose scale is fixed: the error, and what a better scale is told from.
struct outcomes {
    floats error, along, norm;
};

[[nodiscard]] inline outcomes measure(const level_set& levels, const float* x, const float* w,
                                      std::size_t n, const candidate_scales& c) noexcept {
    return with_kind(levels, [&]<level_kind Kind>() {
        const nearest_level<Kind> nearest(levels, c);
        outcomes o{floats::zero(), floats::zero(), floats::zero()};
        const auto minus = lanes::subtract(floats::zero(), c.scale);
        for (std::size_t i = 0; i < n; ++i) {
            const auto xi = floats::all(x[i]);
            const auto wi = floats::all(w[i]);
            const auto v = nearest(xi);
            const auto wv = wi * v;
            const auto off = lanes::fma(minus, v, xi);
            o.error = lanes::fma(wi * off, off, o.error);
            o.along = lanes::fma(wv, xi, o.along);
            o.norm = lanes::fma(wv, v, o.norm);
        }
        return o;
    });
}

/// A scale that fits, and how much a departure from it costs: about `norm` times its square.
struct scale_fit {
    float scale = 0;
    float norm = 0;
    float gain = 0;  ///< by how much the error is less than that of zeros
    float raised = 0;
};

/// The best fit with a positive and with a negative scale.
struct scale_fits {
    scale_fit best, other;
};

namespace ratios {

// Of the scales that are tried to the one that just reaches the largest number. Few levels fit best
// when large numbers are cut off.
[[nodiscard]] inline std::pair<float, float> range(int levels) noexcept {
    if (levels <= 3) return {0.12f, 1.6f};
    if (levels <= 4) return {0.25f, 1.6f};
    if (levels <= 8) return {0.4f, 1.6f};
    if (levels <= 16) return {0.6f, 1.5f};
    if (levels <= 32) return {0.75f, 1.33f};
    if (levels <= 64) return {0.86f, 1.15f};
    return {0.96f, 1.04f};
}

// The number whose n-th power is `power`, by halving intervals: the same bits everywhere, which the
// mathematical library does not promise.
[[nodiscard]] inline float root(double power, int n) noexcept {
    double lo = 1;
    double hi = power;
    for (int i = 0; i < 40; ++i) {
        const double middle = (lo + hi) * 0.5;
        double product = 1;
        for (int k = 0; k < n; ++k) product *= middle;
        (product < power ? lo : hi) = middle;
    }
    return static_cast<float>(hi);
}

// first, first * step, first * step^2, ...
[[nodiscard]] inline floats geometric(float first, float step) noexcept {
    lane_array out;
    for (auto& r : out) {
        r = first;
        first *= step;
    }
    return floats::load(out.data());
}

}  // namespace ratios

/// Searches the scale for n numbers with positive weights.
class scale_search {
  public:
    /// `rounds` times sixteen scales are tried first, of either sign unless `positive`.
    explicit scale_search(const level_set& levels, int rounds = 1, bool positive = false)
        : levels_(levels), signs_(levels.symmetric || positive ? 1 : 2) {
        const auto [lo, hi] = ratios::range(levels.count);
        const float step =
            ratios::root(static_cast<double>(hi / lo), static_cast<int>(lane_count) * rounds - 1);
        float first = lo;
        for (int r = 0; r < rounds; ++r) {
            grid_.push_back(ratios::geometric(first, step));
            for (std::size_t l = 0; l < lane_count; ++l) first *= step;
        }
        lane_array fine;
        for (std::size_t l = 0; l < lane_count; ++l) {
            fine[l] = 1.0f + (step - 1.0f) * (static_cast<float>(l) - 7.5f) * 0.125f;
        }
        fine_ = floats::load(fine.data());
    }

    [[nodiscard]] scale_fits operator()(const float* x, const float* w, std::size_t n) const {
        scale_fits fits;
        const float most = largest_magnitude(x, n);
        if (!(most > 0.0f)) return fits;
        const float reach = most / levels_.magnitude;
        if (levels_.count == 2 && levels_.symmetric) {
            fits.best = signs_only(x, w, n);
            return fits;
        }
        if (levels_.count == 3 && levels_.symmetric && n % lane_count == 0) {
            fits.best = ternary(x, w, n, most);
            return fits;
        }
        for (int sign = 0; sign < signs_; ++sign) {
            best_fits best;
            for (const auto& ratio : grid_) {
                const auto scale = ratio * floats::all(sign == 0 ? reach : -reach);
                best.add(levels_, x, w, n, scale, 0.0f);
                if (levels_.raised != 0.0f) best.add(levels_, x, w, n, scale, levels_.raised);
            }
            scale_fit fit = best.best();
            if (sign == 0 || fit.gain > fits.best.gain) std::swap(fit, fits.best);
            if (sign != 0) fits.other = fit;
        }
        if (fits.best.scale != 0.0f) {
            best_fits best;
            best.add(levels_, x, w, n, fine_ * floats::all(fits.best.scale), fits.best.raised);
            if (const auto finer = best.best(); finer.gain > fits.best.gain) fits.best = finer;
        }
        return fits;
    }

  private:
    // The sum of weighted magnitudes, and that of the weights.
    struct magnitude_sums {
        float magnitudes;
        float weights;

        magnitude_sums(const float* x, const float* w, std::size_t n) noexcept {
            auto sum = floats::zero();
            auto weight = floats::zero();
            for (std::size_t i = 0; i < n; i += lane_count) {
                const auto ws = floats::load(w + i);
                sum = lanes::fma(ws, lanes::abs(floats::load(x + i)), sum);
                weight = lanes::add(weight, ws);
            }
            magnitudes = sum.sum();
            weights = weight.sum();
        }
    };

    // With one magnitude the best scale is the mean of magnitudes.
    [[nodiscard]] scale_fit signs_only(const float* x, const float* w, std::size_t n) const {
        const magnitude_sums sums(x, w, n);
        const float along = levels_.magnitude * sums.magnitudes;
        const float norm = levels_.magnitude * levels_.magnitude * sums.weights;
        return {along / norm, norm, along * (along / norm), 0.0f};
    }

    // With -1, 0 and 1 all that matters is which magnitudes are not zero: eight limits between the
    // mean and the largest magnitude, then eight around the best.
    [[nodiscard]] scale_fit ternary(const float* x, const float* w, std::size_t n,
                                    float most) const {
        const magnitude_sums sums(x, w, n);
        const float lowest = 0.4f * (sums.magnitudes / sums.weights);
        const float step = std::sqrt(std::sqrt(std::sqrt(0.8f * most / lowest)));
        scale_fit fit;
        const float coarse = limits(x, w, n, lowest, step, fit);
        if (coarse == 0.0f) return fit;
        // Nine steps of the finer grid are two of the coarse one.
        const float fine = fused(step - 1.0f, 0.2f, 1.0f);
        (void)limits(x, w, n, coarse / (fine * fine * fine * fine), fine, fit);
        return fit;
    }

    // Tries limit, limit * step, ...; returns the best of them, or 0 if none beats `fit`.
    [[nodiscard]] static float limits(const float* x, const float* w, std::size_t n, float limit,
                                      float step, scale_fit& fit) noexcept {
        constexpr std::size_t tried = 8;
        std::array<float, tried> at;
        std::array<floats, tried> least;
        std::array<floats, tried> along;
        std::array<floats, tried> norm;
        for (std::size_t k = 0; k < tried; ++k, limit *= step) {
            at[k] = limit;
            least[k] = floats::all(limit);
            along[k] = norm[k] = floats::zero();
        }
        for (std::size_t i = 0; i < n; i += lane_count) {
            const auto ws = floats::load(w + i);
            const auto magnitude = lanes::abs(floats::load(x + i));
            const auto wx = ws * magnitude;
            for (std::size_t k = 0; k < tried; ++k) {
                along[k] = lanes::add_where_less(along[k], least[k], magnitude, wx);
                norm[k] = lanes::add_where_less(norm[k], least[k], magnitude, ws);
            }
        }
        float best = 0;
        for (std::size_t k = 0; k < tried; ++k) {
            const float a = along[k].sum();
            const float b = norm[k].sum();
            if (!(b > 0.0f)) continue;
            const float scale = a / b;
            if (a * scale > fit.gain) {
                fit = {scale, b, a * scale, 0.0f};
                best = at[k];
            }
        }
        return best;
    }

    // The best of what was tried in every lane.
    class best_fits {
      public:
        BPW_INLINE void add(const level_set& levels, const float* x, const float* w, std::size_t n,
                            const floats& scale, float raised) noexcept {
            const auto p = project(levels, x, w, n, {scale, floats::all(raised)});
            // Where all levels are zero the gain is 0 / tiny.
            const auto fitted = lanes::divide(p.along, lanes::max(p.norm, floats::all(0x1p-100f)));
            const auto gain = p.along * fitted;
            scale_ = lanes::where_less(gain_, gain, fitted, scale_);
            norm_ = lanes::where_less(gain_, gain, p.norm, norm_);
            raised_ = lanes::where_less(gain_, gain, floats::all(raised), raised_);
            gain_ = lanes::max(gain_, gain);
        }
        [[nodiscard]] scale_fit best() const noexcept {
            const auto l = largest_lane(gain_);
            return {lanes::to_array(scale_)[l], lanes::to_array(norm_)[l],
                    lanes::to_array(gain_)[l], lanes::to_array(raised_)[l]};
        }

      private:
        floats gain_ = floats::zero();
        floats scale_ = floats::zero();
        floats norm_ = floats::zero();
        floats raised_ = floats::zero();
    };

    const level_set& levels_;
    int signs_;
    std::vector<floats> grid_;
    floats fine_ = floats::zero();
};

}  // namespace detail

BPW_NAMESPACE_END
