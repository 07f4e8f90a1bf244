// Encoders of the types whose weights are vectors of a lattice codebook with signs of their own:
// iq2_xxs, iq2_xs, iq2_s, iq3_xxs, iq3_s.
#pragma once

#include <bpw/formats/lattice.hpp>
#include <bpw/kernels/encode/codebook_search.hpp>
#include <bpw/kernels/encode/vector_codes.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

template <class T>
concept signed_lattice_type = !requires {
    typename T::base;
}
&&requires {
    typename T::codebook;
    requires std::is_base_of_v<signed_lattice<typename T::codebook>, T>;
};

/// Groups of vectors with signs.
template <class T>
class signed_lattice_groups {
  public:
    static constexpr int passes = 1;
    using codebook = typename T::codebook;
    static constexpr auto length = std::size_t{codebook::length};
    static constexpr auto group = std::size_t{traits<T>::group_size};
    static constexpr bool even_signs = requires { T::signs7; };

    using choice = vector_choice;

    explicit signed_lattice_groups(const stage_rule& rule)
        : rule_(rule), levels_(magnitudes()), search_(levels_, 1, true) {}
    signed_lattice_groups(const signed_lattice_groups&) = delete;
    signed_lattice_groups& operator=(const signed_lattice_groups&) = delete;

    // Where every magnitude takes its nearest level is close to where vectors fit best.
    [[nodiscard]] scale_fits fit(const float* x, const float* w) const {
        std::array<float, group> magnitude;
        for (std::size_t i = 0; i < group; ++i) magnitude[i] = std::fabs(x[i]);
        const float first = search_(magnitude.data(), w, group).best.scale;
        constexpr std::array ratios{1.0f};
        return {fit_scale(first, ratios, [&](float scale) { return with_scale(x, w, scale); }), {}};
    }

    [[nodiscard]] choice choose(const float* x, const float* w, const scale_fits& fits,
                                float d) const {
        return best_in_window<choice>(rule_, fits.best.scale, d, 2,
                                      [&](float scale) { return with_scale(x, w, scale); });
    }

  private:
    static constexpr auto levels = codebook::levels.size();

    [[nodiscard]] static constexpr auto magnitudes() noexcept {
        std::array<int, levels> out{};
        for (std::size_t l = 0; l < levels; ++l) out[l] = codebook::levels[l];
        return out;
    }

    // The nearest vectors with this scale, and their error.
    [[nodiscard]] choice with_scale(const float* x, const float* w, float scale) const {
        choice c;
        vector_sums sums;
        const auto inverse = floats::all(1.0f / scale);
        for (std::size_t at = 0; at < group; at += lane_count) {
            const auto xs = floats::load(x + at);
            const auto ws = floats::load(w + at);
            const auto scaled = scaled_target(xs, inverse);
            const auto wanted = lanes::abs(scaled);
            // [vector of the run][level][place]
            alignas(64) float cost[lane_count / length][levels > 4 ? 8 : 4][length];
            lane_array by_level[levels];
            for (std::size_t l = 0; l < levels; ++l) {
                const auto off =
                    lanes::subtract(wanted, floats::all(static_cast<float>(codebook::levels[l])));
                by_level[l] = lanes::to_array(ws * off * off);
                for (std::size_t v = 0; v < lane_count / length; ++v) {
                    std::copy_n(by_level[l].data() + v * length, length, cost[v][l]);
                }
            }
            const auto target = lanes::to_array(scaled);
            std::uint32_t negative = 0;
            for (std::size_t i = 0; i < lane_count; ++i) {
                negative |= static_cast<std::uint32_t>(target[i] < 0.0f) << i;
            }
            if constexpr (even_signs) {
                for (std::size_t octet = 0; octet < 2; ++octet) {
                    if (std::popcount(negative >> 8 * octet & 255u) % 2 == 0) continue;
                    const auto flip = cheapest_flip(by_level, target, w + at, 8 * octet);
                    negative ^= 1u << flip;
                    for (std::size_t l = 0; l < levels; ++l) {
                        cost[flip / length][l][flip % length] =
                            flipped_cost(target[flip], w[at + flip], l);
                    }
                }
            }
            lane_array value;
            for (std::size_t v = 0; v < lane_count / length; ++v) {
                const auto found = codebook_search<codebook>::nearest(&cost[v][0][0]);
                c.index[at / length + v] = found.index;
                for (std::size_t k = 0; k < length; ++k) {
                    const auto i = v * length + k;
                    const float magnitude = lattice::grid<codebook>[found.index][k];
                    value[i] = (negative >> i & 1u) != 0u ? -magnitude : magnitude;
                }
            }
            c.negative |= negative << at;
            sums.add(x + at, w + at, value.data(), scale);
        }
        sums.store(c);
        return c;
    }

    [[nodiscard]] static float flipped_cost(float target, float w, std::size_t level) noexcept {
        const float off = std::fabs(target) + static_cast<float>(codebook::levels[level]);
        return w * off * off;
    }

    // Of eight weights the one whose sign is wrong at least cost.
    [[nodiscard]] static std::size_t cheapest_flip(const lane_array (&by_level)[levels],
                                                   const lane_array& target, const float* w,
                                                   std::size_t octet) noexcept {
        std::size_t best = octet;
        float least = std::numeric_limits<float>::infinity();
        for (std::size_t i = octet; i < octet + 8; ++i) {
            float now = by_level[0][i];
            for (std::size_t l = 1; l < levels; ++l) now = std::min(now, by_level[l][i]);
            const float off = std::fabs(target[i]) + static_cast<float>(codebook::levels[0]);
            const float change = fused(w[i] * off, off, -now);
            if (change < least) {
                least = change;
                best = i;
            }
        }
        return best;
    }

    const stage_rule& rule_;
    level_set levels_;
    scale_search search_;
};

template <class T>
    requires signed_lattice_type<T>
struct row_encoder<T> : vector_row_encoder<T, signed_lattice_groups<T>> {
    using vector_row_encoder<T, signed_lattice_groups<T>>::vector_row_encoder;
};

}  // namespace detail

BPW_NAMESPACE_END
