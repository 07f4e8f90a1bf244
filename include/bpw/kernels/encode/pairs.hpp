// The encoder of iq2_kl, whose codes stand for pairs of weights.
//
// The codebook is small enough to try sixteen scales at once: a pair costs as many additions as
// there are entries.
#pragma once

#include <bpw/formats/lattice.hpp>
#include <bpw/kernels/encode/vector_codes.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

class pair_groups {
  public:
    static constexpr int passes = 4;
    using codebook = lattice::iq2_kl;
    using choice = vector_choice;

    explicit pair_groups(const stage_rule& rule)
        : rule_(rule), levels_(level_values()), search_(levels_, 2) {}
    pair_groups(const pair_groups&) = delete;
    pair_groups& operator=(const pair_groups&) = delete;

    // Single levels first, which pairs come close to.
    [[nodiscard]] scale_fits fit(const float* x, const float* w) const {
        auto fits = search_(x, w, group);
        for (auto* fit : {&fits.best, &fits.other}) {
            if (fit->scale == 0.0f) continue;
            lane_array scale;
            for (std::size_t l = 0; l < lane_count; ++l) {
                scale[l] = fit->scale * fused(0.03f, static_cast<float>(l), 0.79f);
            }
            const auto l = smallest_lane(lanes::to_array(errors(x, w, floats::load(scale.data()))));
            const auto c = with_scale(x, w, scale[l]);
            if (!(c.norm > 0.0f)) continue;
            const float fitted = c.along / c.norm;
            *fit = {fitted, c.norm, c.along * fitted, 0.0f};
        }
        if (fits.other.gain > fits.best.gain) std::swap(fits.best, fits.other);
        return fits;
    }

    [[nodiscard]] choice choose(const float* x, const float* w, const scale_fits& fits,
                                float d) const {
        const int first = rule_.inner->window(fits.best.scale / d, 8);
        const int second = rule_.inner->window(fits.other.scale / d, 8);
        const auto entry = [&](std::size_t lane) -> const scale_set::entry& {
            const int at = lane < 8 ? first : second - 8;
            return rule_.inner->entries[static_cast<std::size_t>(at + static_cast<int>(lane))];
        };
        lane_array scale;
        for (std::size_t l = 0; l < lane_count; ++l) scale[l] = usable_scale(entry(l).value * d);
        const auto l = smallest_lane(lanes::to_array(errors(x, w, floats::load(scale.data()))));
        auto best = with_scale(x, w, scale[l]);
        best.scale = entry(l).value;
        best.code = entry(l).code;
        return best;
    }

  private:
    static constexpr std::size_t group = 32;
    static constexpr auto levels = codebook::levels.size();
    static constexpr auto entries = std::size_t{codebook::entries};

    [[nodiscard]] static constexpr std::array<int, levels> level_values() noexcept {
        std::array<int, levels> out{};
        for (std::size_t l = 0; l < levels; ++l) out[l] = codebook::levels[l];
        return out;
    }
    // The numbers of an entry's levels.
    static constexpr auto places = [] {
        std::array<std::array<std::uint8_t, 2>, entries> out{};
        for (std::size_t e = 0; e < entries; ++e) {
            for (std::size_t k = 0; k < 2; ++k) {
                while (codebook::levels[out[e][k]] != lattice::grid<codebook>[e][k]) ++out[e][k];
            }
        }
        return out;
    }();

    // Of sixteen scales.
    [[nodiscard]] static floats errors(const float* x, const float* w,
                                       const floats& scale) noexcept {
        const auto minus = lanes::subtract(floats::zero(), scale);
        const auto costs = [&](std::size_t i) {
            std::array<floats, levels> out;
            const auto xi = floats::all(x[i]);
            const auto wi = floats::all(w[i]);
            for (std::size_t l = 0; l < levels; ++l) {
                const auto off =
                    lanes::fma(minus, floats::all(static_cast<float>(codebook::levels[l])), xi);
                out[l] = lanes::max(wi * off * off, floats::zero());
            }
            return out;
        };
        auto total = floats::zero();
        for (std::size_t i = 0; i < group; i += 2) {
            const auto first = costs(i);
            const auto second = costs(i + 1);
            auto least = floats::all(std::numeric_limits<float>::infinity());
            for (const auto& place : places) {
                least = lanes::min(least, lanes::add(first[place[0]], second[place[1]]));
            }
            total = lanes::add(total, least);
        }
        return total;
    }

    // Lanes are pairs here.
    [[nodiscard]] static choice with_scale(const float* x, const float* w, float scale) noexcept {
        choice c;
        std::array<lane_array, 2> xs;
        std::array<lane_array, 2> ws;
        for (std::size_t p = 0; p < lane_count; ++p) {
            for (std::size_t k = 0; k < 2; ++k) {
                xs[k][p] = x[2 * p + k];
                ws[k][p] = w[2 * p + k];
            }
        }
        std::array<std::array<floats, levels>, 2> cost;
        for (std::size_t k = 0; k < 2; ++k) {
            const auto xk = floats::load(xs[k].data());
            for (std::size_t l = 0; l < levels; ++l) {
                const auto off = lanes::fma(
                    floats::all(-scale), floats::all(static_cast<float>(codebook::levels[l])), xk);
                cost[k][l] = lanes::max(floats::load(ws[k].data()) * off * off, floats::zero());
            }
        }
        auto least = floats::all(std::numeric_limits<float>::infinity());
        auto best = floats::zero();
        for (std::size_t e = 0; e < entries; ++e) {
            const auto sum = lanes::add(cost[0][places[e][0]], cost[1][places[e][1]]);
            best = lanes::where_less(sum, least, floats::all(static_cast<float>(e)), best);
            least = lanes::min(least, sum);
        }
        const auto index = lanes::to_array(best);
        std::array<float, group> value;
        for (std::size_t p = 0; p < lane_count; ++p) {
            c.index[p] = static_cast<std::uint16_t>(index[p]);
            for (std::size_t k = 0; k < 2; ++k) {
                value[2 * p + k] = lattice::grid<codebook>[c.index[p]][k];
            }
        }
        vector_sums sums;
        sums.add_group(x, w, value, scale);
        sums.store(c);
        return c;
    }

    const stage_rule& rule_;
    level_set levels_;
    scale_search search_;
};

template <>
struct row_encoder<iq2_kl> : vector_row_encoder<iq2_kl, pair_groups> {
    using vector_row_encoder<iq2_kl, pair_groups>::vector_row_encoder;
};

}  // namespace detail

BPW_NAMESPACE_END
