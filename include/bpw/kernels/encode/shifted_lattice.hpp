// Encoders of the types whose weights are ternary vectors with a shift: iq1_s, iq1_m and their
// interleaved kin, whose scales differ.
#pragma once

#include <bpw/formats/interleaved.hpp>
#include <bpw/kernels/encode/codebook_search.hpp>
#include <bpw/kernels/encode/vector_codes.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

template <int N>
std::integral_constant<int, N> octets_of_shift(const shifted_ternary_lattice<N>*);
void octets_of_shift(const void*);

template <class T>
concept shifted_lattice_type = requires {
    decltype(octets_of_shift(static_cast<const T*>(nullptr)))::value;
};

/// Groups of ternary vectors, raised or lowered together or each for itself.
template <class T>
class shifted_lattice_groups {
  public:
    static constexpr int passes = 1;
    using codebook = lattice::iq1;
    using choice = vector_choice;
    static constexpr auto group = std::size_t{traits<T>::group_size};
    static constexpr auto per_shift =
        std::size_t{decltype(octets_of_shift(static_cast<const T*>(nullptr)))::value};

    explicit shifted_lattice_groups(const stage_rule& rule)
        : rule_(rule), levels_(std::array{-9, -1, 7}), search_(raise(levels_), 1, true) {}
    shifted_lattice_groups(const shifted_lattice_groups&) = delete;
    shifted_lattice_groups& operator=(const shifted_lattice_groups&) = delete;

    [[nodiscard]] scale_fits fit(const float* x, const float* w) const {
        const float first = search_(x, w, group).best.scale;
        constexpr std::array ratios{1.0f};
        return {fit_scale(first, ratios, [&](float scale) { return with_scale(x, w, scale); }), {}};
    }

    [[nodiscard]] choice choose(const float* x, const float* w, const scale_fits& fits,
                                float d) const {
        return best_in_window<choice>(rule_, fits.best.scale, d, 2,
                                      [&](float scale) { return with_scale(x, w, scale); });
    }

  private:
    static constexpr std::size_t octets = group / 8;

    [[nodiscard]] static const level_set& raise(level_set& levels) noexcept {
        levels.raised = 2.0f;
        return levels;
    }

    [[nodiscard]] choice with_scale(const float* x, const float* w, float scale) const {
        using found = typename codebook_search<codebook>::found;
        // [raised or lowered][octet]
        std::array<std::array<found, octets>, 2> best;
        const auto inverse = floats::all(1.0f / scale);
        for (std::size_t lowered = 0; lowered < 2; ++lowered) {
            for (std::size_t at = 0; at < group; at += lane_count) {
                const auto wanted = scaled_target(floats::load(x + at), inverse);
                const auto ws = floats::load(w + at);
                alignas(64) float cost[2][4][8];
                for (std::size_t l = 0; l < 3; ++l) {
                    const auto off = lanes::subtract(wanted, floats::all(value_of(l, lowered)));
                    const auto all = lanes::to_array(ws * off * off);
                    std::copy_n(all.data(), 8, cost[0][l]);
                    std::copy_n(all.data() + 8, 8, cost[1][l]);
                }
                for (std::size_t o = 0; o < 2; ++o) {
                    std::fill_n(cost[o][3], 8, 0.0f);
                    // Alone with its shift an octet need not be searched when the other is better.
                    const bool alone = per_shift == 1 && lowered == 1;
                    best[lowered][at / 8 + o] = codebook_search<codebook>::nearest(
                        &cost[o][0][0],
                        alone ? best[0][at / 8 + o].cost : std::numeric_limits<float>::infinity());
                }
            }
        }
        choice c;
        for (std::size_t first = 0; first < octets; first += per_shift) {
            float raised = 0;
            float lowered = 0;
            for (std::size_t o = first; o < first + per_shift; ++o) {
                raised += best[0][o].cost;
                lowered += best[1][o].cost;
            }
            const bool down = lowered < raised;
            c.shift = static_cast<std::uint8_t>(c.shift | (down ? 1u : 0u) << first / per_shift);
            for (std::size_t o = first; o < first + per_shift; ++o) {
                c.index[o] = best[down ? 1 : 0][o].index;
            }
        }
        vector_sums sums;
        for (std::size_t at = 0; at < group; at += lane_count) {
            lane_array value;
            for (std::size_t l = 0; l < lane_count; ++l) {
                const auto o = (at + l) / 8;
                const int g = lattice::grid<codebook>[c.index[o]][l % 8];
                value[l] = value_of(static_cast<std::size_t>(g + 1),
                                    static_cast<std::size_t>(c.shift >> o / per_shift & 1));
            }
            sums.add(x + at, w + at, value.data(), scale);
        }
        sums.store(c);
        return c;
    }

    // In units of the decoder: 8 (g +- 1/8).
    [[nodiscard]] static constexpr float value_of(std::size_t level, std::size_t lowered) noexcept {
        return static_cast<float>(8 * (static_cast<int>(level) - 1) + (lowered != 0 ? -1 : 1));
    }

    const stage_rule& rule_;
    level_set levels_;
    scale_search search_;
};

template <class T>
    requires shifted_lattice_type<T>
struct row_encoder<T> : vector_row_encoder<T, shifted_lattice_groups<T>> {
    using vector_row_encoder<T, shifted_lattice_groups<T>>::vector_row_encoder;
};

}  // namespace detail

BPW_NAMESPACE_END
