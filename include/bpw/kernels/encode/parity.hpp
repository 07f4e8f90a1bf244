// The encoder of iq4_kss, the four codes of each of whose words have an even number of bits set.
//
// For every weight the nearest level of even and of odd codes is known; which of the two each of
// the four takes follows from adding up the cheapest ways to an even total.
#pragma once

#include <bpw/kernels/encode/scaled.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

class even_word_groups {
  public:
    static constexpr int passes = 4;
    using choice = level_groups::choice;

    even_word_groups(const stage_rule& rule, const level_set& levels)
        : rule_(rule), plain_(rule, levels), all_(levels) {
        for (std::size_t odd = 0; odd < 2; ++odd) {
            std::array<int, 8> some{};
            std::size_t n = 0;
            constexpr auto level = level_of_code<iq4_ks>();
            for (std::size_t u = 0; u < level.size(); ++u) {
                if ((std::popcount(u) & 1) == static_cast<int>(odd)) some[n++] = level[u];
            }
            half_[odd] = level_set(some);
            half_[odd].raised = levels.raised;
        }
    }
    even_word_groups(const even_word_groups&) = delete;
    even_word_groups& operator=(const even_word_groups&) = delete;

    [[nodiscard]] scale_fits fit(const float* x, const float* w) const { return plain_.fit(x, w); }

    [[nodiscard]] choice choose(const float* x, const float* w, const scale_fits& fits,
                                float d) const {
        choice best;
        best.error = std::numeric_limits<float>::infinity();
        const std::array<scale_fit, 2> seeds{fits.best, fits.other};
        for (std::size_t sign = 0; sign < (fits.other.gain > 0.0f ? 2 : 1); ++sign) {
            const int first = rule_.inner->window(seeds[sign].scale / d, 8);
            lane_array scale;
            lane_array raised;
            for (std::size_t l = 0; l < lane_count; ++l) {
                const auto at = static_cast<std::size_t>(first) + l % 8;
                scale[l] = usable_scale(rule_.inner->entries[at].value * d);
                raised[l] = l < 8 ? 0.0f : all_.raised;
            }
            const auto errors = lanes::to_array(
                error(x, w, {floats::load(scale.data()), floats::load(raised.data())}));
            const auto l = smallest_lane(errors);
            if (!(errors[l] < best.error)) continue;
            const auto& entry = rule_.inner->entries[static_cast<std::size_t>(first) + l % 8];
            best.scale = entry.value;
            best.code = entry.code;
            best.error = errors[l];
            best.shifted = l >= 8;
        }
        best.along = 0;
        best.norm = 0;
        const auto found = codes(x, w, best, d);
        for (std::size_t i = 0; i < found.size(); ++i) {
            const float v = static_cast<float>(tables::nonlinear4[found[i]]) +
                            (best.shifted ? all_.raised : 0.0f);
            best.along = fused(w[i] * v, x[i], best.along);
            best.norm = fused(w[i] * v, v, best.norm);
        }
        return best;
    }

    /// The codes of a group of 32.
    [[nodiscard]] std::array<std::uint8_t, 32> codes(const float* x, const float* w,
                                                     const choice& c, float d) const {
        const float scale = usable_scale(c.scale * d);
        const candidate_scales one(floats::all(scale), floats::all(c.shifted ? all_.raised : 0.0f));
        std::array<std::array<std::uint8_t, 32>, 2> code;
        std::array<std::array<float, 32>, 2> cost;
        for (std::size_t odd = 0; odd < 2; ++odd) {
            const nearest_level<level_kind::binned> nearest(half_[odd], one);
            for (std::size_t i = 0; i < 32; i += lane_count) {
                const auto v = nearest(floats::load(x + i));
                costs(floats::load(x + i), floats::load(w + i), one, v).store(cost[odd].data() + i);
                const auto level = lanes::to_array(lanes::subtract(v, one.raised));
                for (std::size_t l = 0; l < lane_count; ++l) {
                    code[odd][i + l] = all_.code_of(static_cast<int>(level[l]));
                }
            }
        }
        std::array<std::uint8_t, 32> out;
        for (std::size_t word = 0; word < 8; ++word) {
            // Every weight alone first; if that is odd in all, the one to which it costs least
            // changes sides.
            unsigned parity = 0;
            std::size_t cheapest = 0;
            float least = std::numeric_limits<float>::infinity();
            for (std::size_t k = 0; k < 4; ++k) {
                const auto i = place(word, k);
                const auto odd = cost[1][i] < cost[0][i] ? 1u : 0u;
                parity ^= odd;
                out[i] = code[odd][i];
                const float change = cost[1 - odd][i] - cost[odd][i];
                if (change < least) {
                    least = change;
                    cheapest = k;
                }
            }
            if (parity != 0) {
                const auto i = place(word, cheapest);
                out[i] = code[cost[1][i] < cost[0][i] ? 0 : 1][i];
            }
        }
        return out;
    }

    /// The column, within its group, of number k of the codes of a word.
    [[nodiscard]] static constexpr std::size_t place(std::size_t word, std::size_t k) noexcept {
        return 2 * word + k / 2 + 16 * (k % 2);
    }

  private:
    [[nodiscard]] static floats costs(const floats& x, const floats& w, const candidate_scales& c,
                                      const floats& v) noexcept {
        const auto off = lanes::fma(lanes::subtract(floats::zero(), c.scale), v, x);
        // Never negative, but the comparison keeps the product from being fused with what follows.
        return lanes::max(w * off * off, floats::zero());
    }

    // Of sixteen scales.
    [[nodiscard]] floats error(const float* x, const float* w,
                               const candidate_scales& c) const noexcept {
        const nearest_level<level_kind::binned> even(half_[0], c);
        const nearest_level<level_kind::binned> odd(half_[1], c);
        auto total = floats::zero();
        for (std::size_t word = 0; word < 8; ++word) {
            auto sum = floats::zero();
            auto cheapest = floats::all(std::numeric_limits<float>::infinity());
            auto sign = floats::all(1.0f);
            for (std::size_t k = 0; k < 4; ++k) {
                const auto i = place(word, k);
                const auto xi = floats::all(x[i]);
                const auto wi = floats::all(w[i]);
                const auto a = costs(xi, wi, c, even(xi));
                const auto b = costs(xi, wi, c, odd(xi));
                const auto change = lanes::subtract(b, a);
                sum = lanes::add(sum, lanes::min(a, b));
                cheapest = lanes::min(cheapest, lanes::abs(change));
                sign = lanes::where_less(change, floats::zero(),
                                         lanes::subtract(floats::zero(), sign), sign);
            }
            total = lanes::add(total, sum);
            total = lanes::where_less(sign, floats::zero(), lanes::add(total, cheapest), total);
        }
        return total;
    }

    const stage_rule& rule_;
    level_groups plain_;
    level_set all_;
    std::array<level_set, 2> half_;
};

template <>
struct row_encoder<iq4_kss> {
    row_encoder(std::size_t cols, const encode_options& options)
        : cols_(cols),
          row_(cols, rule_of_errors<iq4_kss>, options),
          search_(stage_rule_of<iq4_kss>(cols), levels_of<iq4_ks>()) {}

    template <class Target>
    void operator()(const float* x, const float* importance, const row_sink<Target>& out) {
        using t = traits<iq4_kss>;
        constexpr auto group = std::size_t{t::group_size};
        constexpr auto groups = std::size_t{t::groups};
        row_.assign(x, importance);
        const auto run = row_.run(0, cols_);
        search_(run);
        write_bits(out.header(), 0, 32, search_.stored().bits);
        const auto& chosen = search_.chosen();
        for (std::size_t g = 0; g < chosen.size(); ++g) {
            const auto b = g / groups;
            const auto in_block = static_cast<int>(g % groups);
            out.set(b, iq4_kss::s, in_block, chosen[g].code);
            out.set(b, iq4_kss::shift, in_block, chosen[g].shifted ? 1 : 0);
            const auto codes = search_.groups().codes(run.x + g * group, run.w + g * group,
                                                      chosen[g], search_.stored().value);
            for (std::size_t word = 0; word < 8; ++word) {
                std::uint32_t nibbles = 0;
                for (std::size_t k = 0; k < 4; ++k) {
                    nibbles |= std::uint32_t{codes[even_word_groups::place(word, k)]} << 4 * k;
                }
                // Every stored bit is the parity of the nibbles' bits up to it.
                for (const int by : {1, 2, 4, 8}) nibbles ^= nibbles << by;
                out.set(b, iq4_kss::v, 8 * in_block + static_cast<int>(word), nibbles & 0x7fffu);
            }
        }
    }

  private:
    std::size_t cols_;
    weighted_row row_;
    two_stage<even_word_groups> search_;
};

}  // namespace detail

BPW_NAMESPACE_END
