// Encoders of types whose weights are single levels times scales: w = D s (level + shift).
#pragma once

#include <bpw/kernels/encode/error_rules.hpp>
#include <bpw/kernels/encode/pack_codes.hpp>
#include <bpw/kernels/encode/row_sink.hpp>
#include <bpw/kernels/encode/two_stage.hpp>

#include <concepts>
#include <cstring>

BPW_NAMESPACE_BEGIN

namespace detail {

// The finer the levels, the narrower the dips of the error.
[[nodiscard]] inline int search_rounds(const level_set& levels) noexcept {
    return levels.uniform && levels.count >= 32 ? 3 : 2;
}

/// Groups whose weights take the nearest level each.
class level_groups {
  public:
    static constexpr int passes = 2;
    struct choice : group_choice {
        bool shifted = false;
    };

    level_groups(const stage_rule& rule, const level_set& levels)
        : rule_(rule), levels_(levels), search_(levels_, search_rounds(levels)) {}
    level_groups(const level_groups&) = delete;
    level_groups& operator=(const level_groups&) = delete;

    [[nodiscard]] const level_set& levels() const noexcept { return levels_; }

    [[nodiscard]] scale_fits fit(const float* x, const float* w) const {
        if (rule_.storage != float_storage::none) return search_(x, w, rule_.group);
        // Scales that are powers of two, or nearly so: the sixteen around the one that reaches the
        // largest weight are enough.
        scale_fits fits;
        fits.best.scale = largest_magnitude(x, rule_.group) / levels_.magnitude;
        return fits;
    }

    // Sixteen scales at once: those next to the fitted ones, of either sign, with either table.
    [[nodiscard]] choice choose(const float* x, const float* w, const scale_fits& fits,
                                float d) const {
        if (!rule_.inner) return with_scale(x, w, {1.0f, 0}, d);
        if (rule_.inner->octaves) return octave(x, w, fits.best.scale / d, d);
        std::array<choice, lane_count> tried;
        lane_array scale;
        lane_array raised{};
        const int tables = levels_.raised != 0.0f ? 2 : 1;
        const int signs = fits.other.gain > 0.0f ? 2 : 1;
        const int per = static_cast<int>(lane_count) / (tables * signs);
        std::size_t lane = 0;
        for (int sign = 0; sign < signs; ++sign) {
            const auto& fit = sign == 0 ? fits.best : fits.other;
            const int first = rule_.inner->window(fit.scale / d, per);
            for (int table = 0; table < tables; ++table) {
                for (int k = 0; k < per; ++k, ++lane) {
                    const int at = std::min(first + k, rule_.inner->count - 1);
                    const auto& entry = rule_.inner->entries[static_cast<std::size_t>(at)];
                    tried[lane].scale = entry.value;
                    tried[lane].code = entry.code;
                    tried[lane].shifted = table != 0;
                    raised[lane] = table == 0 ? 0.0f : levels_.raised;
                }
            }
        }
        for (std::size_t l = 0; l < lane_count; ++l) scale[l] = usable_scale(tried[l].scale * d);
        const auto found = measure(levels_, x, w, rule_.group,
                                   {floats::load(scale.data()), floats::load(raised.data())});
        const auto best = smallest_lane(found.error);
        auto& c = tried[best];
        c.error = lanes::to_array(found.error)[best];
        c.along = lanes::to_array(found.along)[best];
        c.norm = lanes::to_array(found.norm)[best];
        return c;
    }

    /// The codes of a group.
    void codes(const float* x, const choice& c, float d, std::uint8_t* out) const {
        const candidate_scales one(usable_scale(c.scale * d), c.shifted ? levels_.raised : 0.0f);
        with_kind(levels_, [&]<level_kind Kind>() {
            if constexpr (Kind == level_kind::uniform) {
                const nearest_level<Kind> nearest(levels_, one);
                const auto lowest = floats::all(levels_.in_order ? levels_.lo : 0.0f);
                for (std::size_t i = 0; i < rule_.group; i += lane_count) {
                    std::array<std::int8_t, lane_count> number;
                    lanes::to_bytes(lanes::subtract(nearest(floats::load(x + i)), lowest),
                                    number.data());
                    if (levels_.in_order) {
                        std::memcpy(out + i, number.data(), lane_count);
                    } else {
                        for (std::size_t l = 0; l < lane_count; ++l) {
                            out[i + l] = levels_.code_of(number[l]);
                        }
                    }
                }
            } else {
                const auto nearest = nearest_level<Kind>::of_codes(levels_, one);
                for (std::size_t i = 0; i < rule_.group; i += lane_count) {
                    std::array<std::int8_t, lane_count> code;
                    lanes::to_bytes(nearest(floats::load(x + i)), code.data());
                    std::memcpy(out + i, code.data(), lane_count);
                }
            }
        });
    }

  private:
    // Of scales that are powers of two: the one that reaches the largest weight, the one above and
    // two below.
    [[nodiscard]] choice octave(const float* x, const float* w, float reach, float d) const {
        constexpr std::size_t most = 4;
        const auto tried = std::min(most, static_cast<std::size_t>(rule_.inner->count));
        const auto* const first = &rule_.inner->entries[static_cast<std::size_t>(
            rule_.inner->window(reach, static_cast<int>(most)))];
        std::array<floats, most> errors;
        with_kind(levels_, [&]<level_kind Kind>() {
            nearest_level<Kind> nearest(levels_, candidate_scales(1.0f));
            for (std::size_t k = 0; k < tried; ++k) {
                const float scale = usable_scale(first[k].value * d);
                nearest.take(candidate_scales(scale));
                const auto minus = floats::all(-scale);
                errors[k] = floats::zero();
                for (std::size_t i = 0; i < rule_.group; i += lane_count) {
                    const auto xs = floats::load(x + i);
                    const auto off = lanes::fma(minus, nearest(xs), xs);
                    errors[k] = lanes::fma(floats::load(w + i) * off, off, errors[k]);
                }
            }
        });
        // Without branches: which one it is cannot be predicted.
        choice best;
        best.error = errors[0].sum();
        std::size_t at = 0;
        for (std::size_t k = 1; k < tried; ++k) {
            const float error = errors[k].sum();
            at += (k - at) * static_cast<std::size_t>(error < best.error);
            best.error = std::min(best.error, error);
        }
        best.scale = first[at].value;
        best.code = first[at].code;
        return best;
    }

    // One scale, with the weights in the lanes.
    [[nodiscard]] choice with_scale(const float* x, const float* w, const scale_set::entry& entry,
                                    float d) const {
        const float scale = usable_scale(entry.value * d);
        const candidate_scales one(scale);
        const auto minus = floats::all(-scale);
        choice c;
        with_kind(levels_, [&]<level_kind Kind>() {
            const nearest_level<Kind> nearest(levels_, one);
            auto error = floats::zero();
            auto along = floats::zero();
            auto norm = floats::zero();
            for (std::size_t i = 0; i < rule_.group; i += lane_count) {
                const auto xs = floats::load(x + i);
                const auto ws = floats::load(w + i);
                const auto v = nearest(xs);
                const auto wv = ws * v;
                const auto off = lanes::fma(minus, v, xs);
                error = lanes::fma(ws * off, off, error);
                along = lanes::fma(wv, xs, along);
                norm = lanes::fma(wv, v, norm);
            }
            c.error = error.sum();
            c.along = along.sum();
            c.norm = norm.sum();
        });
        c.scale = entry.value;
        c.code = entry.code;
        return c;
    }

    const stage_rule& rule_;
    level_set levels_;
    scale_search search_;
};

// Types with codes for levels and no minimum. Interleaved types are laid out from their base.
template <class T>
concept scaled_levels = quant_format<T> && !requires {
    typename T::base;
}
&&requires {
    T::q;
    requires !traits<T>::has_offset;
    requires traits<T>::trailer_bytes == 0;
    T::lanes;
};

template <class T>
    requires(scaled_levels<T> && (has_scale_field<T> || T::q.width < 8))
struct row_encoder<T> {
    row_encoder(std::size_t cols, const encode_options& options)
        : cols_(cols),
          row_(cols, rule_of_errors<T>, options),
          search_(stage_rule_of<T>(cols), levels_of<T>()) {}

    template <class Target>
    void operator()(const float* x, const float* importance, const row_sink<Target>& out) {
        row_.assign(x, importance);
        constexpr auto block = std::size_t{traits<T>::block_size};
        constexpr bool shared_by_row = traits<T>::header_bytes != 0;
        const auto length = shared_by_row ? cols_ : block;
        for (std::size_t at = 0; at < cols_; at += length) {
            const auto run = row_.run(at, length);
            search_(run);
            write(run, at / block, out);
        }
    }

  private:
    template <class Target>
    void write(const weighted_run& run, std::size_t first, const row_sink<Target>& out) {
        constexpr auto block = std::size_t{traits<T>::block_size};
        const auto& stored = search_.stored();
        const auto& chosen = search_.chosen();
        if constexpr (requires { T::d; })
            out.set(first, Target::d, 0, stored.bits);
        else if constexpr (traits<T>::header_bytes != 0)
            write_bits(out.header(), 0, traits<T>::header_bytes >= 4 ? 32 : 16, stored.bits);
        if constexpr (has_scale_field<T>) {
            constexpr auto per_block = std::size_t{traits<T>::groups};
            for (std::size_t g = 0; g < chosen.size(); ++g) {
                const auto n = static_cast<int>(g % per_block);
                out.set(first + g / per_block, scale_field<Target>(), n, chosen[g].code);
                if constexpr (requires { T::shift; })
                    out.set(first + g / per_block, Target::shift, n, chosen[g].shifted ? 1 : 0);
            }
        }
        codes_.resize(run.n);
        const auto group = search_.group_size();
        for (std::size_t g = 0; g < chosen.size(); ++g) {
            search_.groups().codes(run.x + g * group, chosen[g], stored.value,
                                   codes_.data() + g * group);
        }
        for (std::size_t b = 0; b < run.n / block; ++b) {
            pack_codes<Target>(out.block(first + b), out.row, codes_.data() + b * block);
        }
    }

    std::size_t cols_;
    weighted_row row_;
    two_stage<level_groups> search_;
    std::vector<std::uint8_t> codes_;
};

}  // namespace detail

BPW_NAMESPACE_END
