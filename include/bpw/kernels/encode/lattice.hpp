// Encoders of the types whose weights are vectors of a lattice codebook with signs of their own:
// iq2_xxs, iq2_xs, iq2_s, iq3_xxs, iq3_s.
#pragma once

#include <bpw/formats/lattice.hpp>
#include <bpw/kernels/encode/codebook_search.hpp>
#include <bpw/kernels/encode/error_rules.hpp>
#include <bpw/kernels/encode/row_sink.hpp>
#include <bpw/kernels/encode/two_stage.hpp>

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
    using codebook = typename T::codebook;
    static constexpr auto length = std::size_t{codebook::length};
    static constexpr auto group = std::size_t{traits<T>::group_size};
    static constexpr bool even_signs = requires { T::signs7; };

    struct choice : group_choice {
        std::array<std::uint16_t, group / length> index{};
        std::uint32_t negative = 0;  ///< a bit for every weight
    };

    explicit signed_lattice_groups(const stage_rule& rule)
        : rule_(rule), levels_(magnitudes()), search_(levels_, 1, true) {}
    signed_lattice_groups(const signed_lattice_groups&) = delete;
    signed_lattice_groups& operator=(const signed_lattice_groups&) = delete;

    // Where every magnitude takes its nearest level is close to where vectors fit best.
    [[nodiscard]] scale_fits fit(const float* x, const float* w) const {
        std::array<float, group> magnitude;
        for (std::size_t i = 0; i < group; ++i) magnitude[i] = std::fabs(x[i]);
        scale_fits fits = search_(magnitude.data(), w, group);
        if (fits.best.scale == 0.0f) return fits;
        scale_fit best;
        const float first = fits.best.scale;
        float at = 0;
        const auto try_scale = [&](float scale) {
            const auto c = with_scale(x, w, scale);
            if (!(c.norm > 0.0f)) return;
            const float fitted = c.along / c.norm;
            const float gain = c.along * fitted;
            if (gain > best.gain) {
                best = {fitted, c.norm, gain, 0.0f};
                at = scale;
            }
        };
        for (const float ratio : {0.88f, 0.95f, 1.0f, 1.06f, 1.14f}) try_scale(first * ratio);
        if (best.scale > 0.0f && best.scale != at) try_scale(best.scale);
        fits.best = best;
        return fits;
    }

    [[nodiscard]] choice choose(const float* x, const float* w, const scale_fits& fits,
                                float d) const {
        choice best;
        best.error = std::numeric_limits<float>::infinity();
        const int first = rule_.inner->window(fits.best.scale / d, 2);
        for (int k = 0; k < 2; ++k) {
            const auto& entry = rule_.inner->entries[static_cast<std::size_t>(first + k)];
            auto c = with_scale(x, w, usable_scale(entry.value * d));
            if (!(c.error < best.error)) continue;
            best = c;
            best.scale = entry.value;
            best.code = entry.code;
        }
        return best;
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
        auto error = floats::zero();
        auto along = floats::zero();
        auto norm = floats::zero();
        const auto inverse = floats::all(1.0f / scale);
        for (std::size_t at = 0; at < group; at += lane_count) {
            const auto xs = floats::load(x + at);
            const auto ws = floats::load(w + at);
            const auto scaled = xs * inverse;
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
            const auto v = floats::load(value.data());
            const auto off = lanes::fma(floats::all(-scale), v, xs);
            const auto wv = ws * v;
            error = lanes::fma(ws * off, off, error);
            along = lanes::fma(wv, xs, along);
            norm = lanes::fma(wv, v, norm);
        }
        c.error = error.sum();
        c.along = along.sum();
        c.norm = norm.sum();
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
struct row_encoder<T> {
    row_encoder(std::size_t cols, const encode_options& options)
        : cols_(cols), row_(cols, rule_of_errors<T>, options), search_(stage_rule_of<T>(cols)) {}

    void operator()(const float* x, const float* importance, const row_sink<T>& out) {
        using t = traits<T>;
        constexpr auto block = std::size_t{t::block_size};
        constexpr auto group = std::size_t{t::group_size};
        row_.assign(x, importance);
        for (std::size_t b = 0; b < cols_ / block; ++b) {
            search_(row_.run(b * block, block));
            out.set(b, T::d, 0, search_.stored().bits);
            const auto& chosen = search_.chosen();
            for (std::size_t g = 0; g < chosen.size(); ++g) {
                const auto& c = chosen[g];
                out.set(b, T::s, static_cast<int>(g), c.code);
                for (std::size_t v = 0; v < c.index.size(); ++v) {
                    out.set(b, T::index, static_cast<int>(g * c.index.size() + v), c.index[v]);
                }
                if constexpr (requires { T::signs7; }) {
                    for (std::size_t octet = 0; octet < group / 8; ++octet) {
                        out.set(b, T::signs7, static_cast<int>(g * group / 8 + octet),
                                c.negative >> 8 * octet & 127u);
                    }
                } else {
                    for (std::size_t i = 0; i < group; ++i) {
                        out.set(b, T::signs, static_cast<int>(g * group + i), c.negative >> i & 1u);
                    }
                }
            }
        }
    }

  private:
    std::size_t cols_;
    weighted_row row_;
    two_stage<signed_lattice_groups<T>> search_;
};

}  // namespace detail

BPW_NAMESPACE_END
