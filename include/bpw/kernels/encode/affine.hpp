// Encoders of types with a scale and an offset per group: w = S u + O, u from 0 to U.
//
// For given codes the best S and O are a weighted linear regression. Sixteen scales are tried at a
// time, then sixteen pairs around the best regression. Where scales and offsets are small integers
// times two floats of a block, every group tries sixteen pairs of integers, and the floats are
// refitted to what was chosen, as long as that helps.
#pragma once

#include <bpw/kernels/encode/error_rules.hpp>
#include <bpw/kernels/encode/pack_codes.hpp>
#include <bpw/kernels/encode/row_sink.hpp>
#include <bpw/kernels/encode/two_stage.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

/// A regression line for the codes of a group.
struct line_fit {
    float scale = 0;
    float offset = 0;
    float spread = 0;     ///< sum w (u - mean of u)^2: what a departure of the scale costs
    float mean_code = 0;  ///< where the offset would compensate it
    float mean = 0;       ///< of the numbers
    float weight = 0;     ///< sum w
};

/// Sixteen lines.
struct candidate_lines {
    floats scale, offset;
};

/// Searches lines for n numbers.
class line_search {
  public:
    /// Codes go from 0 to `most`; `downwards` asks for offsets that are not positive.
    line_search(int most, bool downwards) : most_(static_cast<float>(most)), downwards_(downwards) {
        // As many steps between smallest and largest number as there are codes, more or less.
        const float below = most <= 3 ? 1.6f : most <= 15 ? 2.5f : 3.5f;
        const float above = most <= 3 ? 1.9f : most <= 15 ? 3.5f : 3.0f;
        lane_array steps;
        for (std::size_t half = 0; half < 2; ++half) {
            for (std::size_t l = 0; l < lane_count; ++l) {
                const auto k = static_cast<float>(half * lane_count + l);
                steps[l] = fused((below + above) / 31.0f, k, most_ - below);
            }
            steps_[half] = floats::load(steps.data());
        }
        lane_array stretch;
        lane_array move;
        for (std::size_t l = 0; l < lane_count; ++l) {
            stretch[l] = fused(static_cast<float>(l / 4) - 1.5f, 0.16f / most_, 1.0f);
            move[l] = (static_cast<float>(l % 4) - 1.5f) * 0.16f;
        }
        stretch_ = floats::load(stretch.data());
        move_ = floats::load(move.data());
    }

    [[nodiscard]] float most() const noexcept { return most_; }

    [[nodiscard]] line_fit operator()(const float* x, const float* w, std::size_t n) const {
        line_fit fit;
        float lo = x[0];
        float hi = x[0];
        float sum = 0;
        for (std::size_t i = 0; i < n; ++i) {
            lo = std::min(lo, x[i]);
            hi = std::max(hi, x[i]);
            sum = fused(w[i], x[i], sum);
            fit.weight += w[i];
        }
        fit.mean = sum / fit.weight;
        if (downwards_) lo = std::min(lo, 0.0f);
        fit.offset = lo;
        if (!(hi > lo)) return fit;
        float gain = 0;
        const auto range = floats::all(hi - lo);
        for (const auto& steps : steps_) {
            try_lines(x, w, n, {lanes::divide(range, steps), floats::all(lo)}, fit, gain);
        }
        for (int pass = 0; pass < 2; ++pass) {
            const auto scale = floats::all(fit.scale);
            const auto moved = lanes::fma(scale, move_, floats::all(fit.offset));
            try_lines(x, w, n, {scale * stretch_, moved}, fit, gain);
        }
        return fit;
    }

    /// The errors of sixteen lines.
    [[nodiscard]] floats errors(const float* x, const float* w, std::size_t n,
                                const candidate_lines& c) const noexcept {
        auto error = floats::zero();
        const coder codes(*this, c);
        const auto minus = lanes::subtract(floats::zero(), c.scale);
        for (std::size_t i = 0; i < n; ++i) {
            const auto xi = floats::all(x[i]);
            const auto off = lanes::fma(minus, codes(xi), lanes::subtract(xi, c.offset));
            error = lanes::fma(floats::all(w[i]) * off, off, error);
        }
        return error;
    }

    /// Finds the codes of numbers.
    class coder {
      public:
        coder(const line_search& search, const candidate_lines& c) noexcept
            : inverse_(lanes::divide(floats::all(1.0f), c.scale)),
              shift_(lanes::subtract(floats::zero(), c.offset * inverse_)),
              most_(floats::all(search.most_)) {}
        [[nodiscard]] BPW_INLINE floats operator()(const floats& x) const noexcept {
            return lanes::round(
                lanes::clamp(lanes::fma(x, inverse_, shift_), floats::zero(), most_));
        }

      private:
        floats inverse_, shift_, most_;
    };

  private:
    void try_lines(const float* x, const float* w, std::size_t n, const candidate_lines& c,
                   line_fit& fit, float& gain) const {
        const coder codes(*this, c);
        auto sum = floats::zero();
        auto squares = floats::zero();
        auto products = floats::zero();
        const auto mean = floats::all(fit.mean);
        for (std::size_t i = 0; i < n; ++i) {
            const auto xi = floats::all(x[i]);
            const auto u = codes(xi);
            const auto wu = floats::all(w[i]) * u;
            sum = lanes::fma(floats::all(w[i]), u, sum);
            squares = lanes::fma(wu, u, squares);
            products = lanes::fma(wu, lanes::subtract(xi, mean), products);
        }
        const auto tiny = floats::all(0x1p-100f);
        const auto mean_code = lanes::divide(sum, floats::all(fit.weight));
        const auto spread =
            lanes::max(lanes::fma(lanes::subtract(floats::zero(), sum), mean_code, squares), tiny);
        auto scale = lanes::divide(products, spread);
        auto offset = lanes::fma(lanes::subtract(floats::zero(), scale), mean_code, mean);
        // Relative to the error of a constant, the mean.
        auto gains = products * scale;
        if (downwards_) {
            // Through zero, where the regression would pass above it.
            const auto along = lanes::fma(mean, sum, products);
            const auto through = lanes::divide(along, lanes::max(squares, tiny));
            const auto constant = floats::all(-(fit.mean * fit.mean * fit.weight));
            const auto gain_through = lanes::fma(along, through, constant);
            gains = lanes::where_less(floats::zero(), offset, gain_through, gains);
            scale = lanes::where_less(floats::zero(), offset, through, scale);
            offset = lanes::min(offset, floats::zero());
        }
        // Lines that fall are of no use.
        gains = lanes::where_less(floats::zero(), scale, gains, floats::zero());
        const auto best = largest_lane(gains);
        if (!(lanes::to_array(gains)[best] > gain)) return;
        gain = lanes::to_array(gains)[best];
        fit.scale = lanes::to_array(scale)[best];
        fit.offset = lanes::to_array(offset)[best];
        fit.spread = lanes::to_array(spread)[best];
        fit.mean_code = lanes::to_array(mean_code)[best];
    }

    float most_;
    bool downwards_;
    std::array<floats, 2> steps_{};
    floats stretch_ = floats::zero();
    floats move_ = floats::zero();
};

template <class T>
concept one_line = quant_format<T> && !requires {
    typename T::base;
}
&&requires {
    T::q;
    T::m;
    requires traits<T>::has_offset && !traits<T>::has_group_scale;
};

/// One scale and one offset a block.
template <class T>
    requires one_line<T>
struct row_encoder<T> {
    row_encoder(std::size_t cols, const encode_options& options)
        : cols_(cols), row_(cols, rule_of_errors<T>, options), search_(T::lanes.max, false) {}

    template <class Target>
    void operator()(const float* x, const float* importance, const row_sink<Target>& out) {
        constexpr auto block = std::size_t{traits<T>::block_size};
        row_.assign(x, importance);
        for (std::size_t b = 0; b < cols_ / block; ++b) {
            const auto run = row_.run(b * block, block);
            const auto fit = search_(run.x, run.w, block);
            const auto store = [&](float v) {
                return store_scale(float_storage::half, v, run.exponent, 1.0f);
            };
            const auto scale = store(fit.scale);
            const auto offset = store(fit.offset);
            out.set(b, Target::d, 0, scale.bits);
            out.set(b, Target::m, 0, offset.bits);
            const line_search::coder codes(
                search_, {floats::all(usable_scale(scale.value)), floats::all(offset.value)});
            std::array<std::int8_t, block> u;
            for (std::size_t i = 0; i < block; i += lane_count) {
                lanes::to_bytes(codes(floats::load(run.x + i)), u.data() + i);
            }
            pack_codes<Target>(out.block(b), out.row, reinterpret_cast<std::uint8_t*>(u.data()));
        }
    }

  private:
    std::size_t cols_;
    weighted_row row_;
    line_search search_;
};

template <class T>
concept scales_and_mins = quant_format<T> && !requires {
    typename T::base;
}
&&requires {
    T::q;
    T::s;
    T::m;
    T::d;
    T::dmin;
};

/// Integer scales and minima of groups, and a float for each of both a block.
template <class T>
    requires scales_and_mins<T>
struct row_encoder<T> {
    row_encoder(std::size_t cols, const encode_options& options)
        : cols_(cols),
          row_(cols, rule_of_errors<T>, options),
          search_(T::lanes.max, true),
          integers_(level_of_integer()),
          integer_search_(integers_, 2, true) {}

    template <class Target>
    void operator()(const float* x, const float* importance, const row_sink<Target>& out) {
        row_.assign(x, importance);
        for (std::size_t b = 0; b < cols_ / block; ++b) {
            const auto run = row_.run(b * block, block);
            find(run);
            write(run, b, out);
        }
    }

  private:
    static constexpr auto block = std::size_t{traits<T>::block_size};
    static constexpr auto group = std::size_t{traits<T>::group_size};
    static constexpr auto groups = block / group;
    static constexpr int top = (1 << T::s.width) - 1;
    static_assert(T::m.width == T::s.width);

    struct choice {
        int s = 0;
        int m = 0;
    };
    struct solution {
        stored_scale d{};
        stored_scale dmin{};
        std::array<choice, groups> chosen{};
        float error = std::numeric_limits<float>::infinity();
    };

    [[nodiscard]] static constexpr auto level_of_integer() noexcept {
        std::array<int, top + 1> out{};
        for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<int>(i);
        return out;
    }

    void find(const weighted_run& run) {
        lane_array scale{};
        lane_array offset{};
        lane_array spread{};
        lane_array weight{};
        float most_spread = 0x1p-100f;
        float most_weight = 0x1p-100f;
        for (std::size_t g = 0; g < groups; ++g) {
            fits_[g] = search_(run.x + g * group, run.w + g * group, group);
            scale[g] = fits_[g].scale;
            offset[g] = 0.0f - fits_[g].offset;
            most_spread = std::max(most_spread, fits_[g].spread);
            most_weight = std::max(most_weight, fits_[g].weight);
        }
        for (std::size_t g = 0; g < groups; ++g) {
            spread[g] = fits_[g].spread / most_spread;
            weight[g] = fits_[g].weight / most_weight;
        }
        float d = integer_search_(scale.data(), spread.data(), groups).best.scale;
        float dmin = integer_search_(offset.data(), weight.data(), groups).best.scale;
        best_ = {};
        for (int pass = 0; pass < 2; ++pass) {
            solution now;
            now.d = store_scale(float_storage::half, d, run.exponent, 1.0f);
            now.dmin = store_scale(float_storage::half, dmin, run.exponent, 1.0f);
            if (pass != 0 && now.d.bits == best_.d.bits && now.dmin.bits == best_.dmin.bits) break;
            choose(run, now);
            if (!(now.error < best_.error)) break;
            best_ = now;
            refit(run, d, dmin);
        }
    }

    // Four scales around the fitted one, and for each of them four minima around the one that
    // compensates its departure best.
    void choose(const weighted_run& run, solution& now) const {
        const float d = usable_scale(now.d.value);
        const float dmin = usable_scale(now.dmin.value);
        now.error = 0;
        for (std::size_t g = 0; g < groups; ++g) {
            const auto& fit = fits_[g];
            const auto first = [](float wanted) {
                const float low = std::clamp(wanted, 0.0f, static_cast<float>(top));
                return std::clamp(static_cast<int>(low) - 1, 0, top - 3);
            };
            std::array<choice, lane_count> choices;
            lane_array scale;
            lane_array offset;
            const int first_s = first(fit.scale / d);
            for (int k = 0; k < 4; ++k) {
                const int s = first_s + k;
                const float real = d * static_cast<float>(s);
                const float wanted = fused(real, fit.mean_code, 0.0f - fit.mean);
                const int first_m = first(wanted / dmin);
                for (int j = 0; j < 4; ++j) {
                    const auto lane = static_cast<std::size_t>(4 * k + j);
                    choices[lane] = {s, first_m + j};
                    scale[lane] = usable_scale(real);
                    offset[lane] = now.dmin.value * -static_cast<float>(first_m + j);
                }
            }
            const auto errors = lanes::to_array(
                search_.errors(run.x + g * group, run.w + g * group, group,
                               {floats::load(scale.data()), floats::load(offset.data())}));
            const auto best = smallest_lane(errors);
            now.chosen[g] = choices[best];
            now.error += errors[best];
        }
    }

    // The codes of a group, as floats.
    template <class F>
    void for_codes(const weighted_run& run, std::size_t g, F f) const {
        const auto& c = best_.chosen[g];
        const float scale = usable_scale(best_.d.value * static_cast<float>(c.s));
        const float offset = best_.dmin.value * -static_cast<float>(c.m);
        const line_search::coder codes(search_, {floats::all(scale), floats::all(offset)});
        for (std::size_t i = g * group; i < (g + 1) * group; i += lane_count) {
            f(i, codes(floats::load(run.x + i)));
        }
    }

    // The two floats that fit the chosen integers and codes best.
    void refit(const weighted_run& run, float& d, float& dmin) const {
        // Normal equations of x = d (s u) - dmin m.
        double aa = 0, ab = 0, bb = 0, ax = 0, bx = 0;
        for (std::size_t g = 0; g < groups; ++g) {
            auto uu = floats::zero();
            auto ux = floats::zero();
            auto u1 = floats::zero();
            auto x1 = floats::zero();
            auto w1 = floats::zero();
            for_codes(run, g, [&](std::size_t i, const floats& u) {
                const auto x = floats::load(run.x + i);
                const auto w = floats::load(run.w + i);
                const auto wu = w * u;
                uu = lanes::fma(wu, u, uu);
                ux = lanes::fma(wu, x, ux);
                u1 = lanes::fma(w, u, u1);
                x1 = lanes::fma(w, x, x1);
                w1 = lanes::add(w1, w);
            });
            // Sums of 24 bits times integers of 12 are exact in double.
            const double s = best_.chosen[g].s;
            const double m = best_.chosen[g].m;
            aa += s * s * static_cast<double>(uu.sum());
            ab += s * m * static_cast<double>(u1.sum());
            bb += m * m * static_cast<double>(w1.sum());
            ax += s * static_cast<double>(ux.sum());
            bx += m * static_cast<double>(x1.sum());
        }
        const double determinant = cross_difference(aa, bb, ab, ab);
        if (bb > 0 && determinant > aa * bb * 1e-6) {
            d = static_cast<float>(cross_difference(ax, bb, ab, bx) / determinant);
            dmin = static_cast<float>(cross_difference(ax, ab, aa, bx) / determinant);
        } else if (aa > 0) {
            d = static_cast<float>(ax / aa);
        }
    }

    template <class Target>
    void write(const weighted_run& run, std::size_t b, const row_sink<Target>& out) const {
        std::array<std::int8_t, block> u;
        out.set(b, Target::d, 0, best_.d.bits);
        out.set(b, Target::dmin, 0, best_.dmin.bits);
        for (std::size_t g = 0; g < groups; ++g) {
            out.set(b, Target::s, static_cast<int>(g),
                    static_cast<std::uint32_t>(best_.chosen[g].s));
            out.set(b, Target::m, static_cast<int>(g),
                    static_cast<std::uint32_t>(best_.chosen[g].m));
            for_codes(run, g, [&](std::size_t i, const floats& codes) {
                lanes::to_bytes(codes, u.data() + i);
            });
        }
        pack_codes<Target>(out.block(b), out.row, reinterpret_cast<std::uint8_t*>(u.data()));
    }

    std::size_t cols_;
    weighted_row row_;
    line_search search_;
    level_set integers_;
    scale_search integer_search_;
    std::array<line_fit, groups> fits_{};
    solution best_;
};

}  // namespace detail

BPW_NAMESPACE_END
