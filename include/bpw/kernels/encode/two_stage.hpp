// Scales in two stages: w = D s v, s the scale of a group, D that of a block or of the row.
//
// First every group is fitted with a scale of its own. Then D is the scale that lets the group
// scales s fit these best: the same search, one stage up. Then every group takes the s and the
// codes that make its error least for this D; and D is refitted to those, as long as that helps.
#pragma once

#include <bpw/kernels/encode/scale_search.hpp>
#include <bpw/kernels/encode/small_floats.hpp>

#include <limits>
#include <optional>
#include <vector>

BPW_NAMESPACE_BEGIN

namespace detail {

/// How the float scale of a block or row is stored.
enum class float_storage : std::uint8_t { none, half, single };

struct stored_scale {
    std::uint32_t bits;
    float value;  ///< of what is stored, times 2^-exponent
};

/// The nearest scale that can be stored; `unit` is what a stored 1 means.
[[nodiscard]] inline stored_scale store_scale(float_storage storage, float scale, int exponent,
                                              float unit) noexcept {
    const double in_units = unit == 1.0f ? static_cast<double>(scale)
                                         : static_cast<double>(scale) / static_cast<double>(unit);
    const auto wanted = static_cast<float>(in_units * power_of_two(exponent));
    std::uint32_t bits = 0;
    float kept = 0;
    switch (storage) {
        case float_storage::none:
            kept = 1.0f;
            break;
        case float_storage::half:
            bits = float_to_finite_half(wanted);
            kept = half_to_float(bits);
            break;
        case float_storage::single:
            bits = std::bit_cast<std::uint32_t>(wanted);
            kept = wanted;
            break;
    }
    const double value =
        static_cast<double>(kept) * static_cast<double>(unit) * power_of_two(-exponent);
    return {bits, static_cast<float>(std::clamp(value, -0x1p120, 0x1p120))};
}

/// A scale that can be divided by: dividing by zero would make NaN of zeros.
[[nodiscard]] inline float usable_scale(float scale) noexcept {
    constexpr float least = 0x1p-120f;
    return std::fabs(scale) < least ? (scale < 0 ? -least : least) : scale;
}

/// The two kinds of scale of a type, whatever its bytes.
struct stage_rule {
    std::optional<scale_set> inner;         ///< of groups; none: D is that of a single group
    std::optional<level_set> inner_levels;  ///< the same for the search of D, where D is free
    float_storage storage = float_storage::none;
    float unit = 1.0f;      ///< what a stored 1 means
    std::size_t group = 0;  ///< weights
};

template <class T>
[[nodiscard]] stage_rule stage_rule_of(std::size_t cols) {
    stage_rule s;
    s.group = cols;
    constexpr auto header = traits<T>::header_bytes;
    constexpr bool free_scale = header != 0 || requires { T::d; };
    if constexpr (requires { T::d; }) {
        s.storage = T::d.width == 32 ? float_storage::single : float_storage::half;
        probe_block<T> one(T::d, 0x3f800000u);
        if (T::d.width == 16) one = probe_block<T>(T::d, 0x3c00u);
        s.unit = T::block_scale(one.ref());
        s.group = std::size_t{traits<T>::block_size};
    } else if constexpr (header != 0) {
        s.storage = header >= 4 ? float_storage::single : float_storage::half;
        std::array<std::uint8_t, header> one{};
        if (header >= 4)
            write_bits(one.data(), 0, 32, 0x3f800000u);
        else
            write_bits(one.data(), 0, 16, 0x3c00u);
        s.unit = T::block_scale(block_ref<T>{nullptr, one.data()});
    }
    if constexpr (has_scale_field<T>) {
        constexpr auto scale_codes = scale_of_code<T>();
        s.inner.emplace(scale_codes);
        s.group = std::size_t{traits<T>::group_size};
        if constexpr (free_scale) {
            std::array<int, scale_codes.size()> levels{};
            for (std::size_t u = 0; u < levels.size(); ++u) {
                levels[u] = static_cast<int>(scale_codes[u]);
            }
            s.inner_levels.emplace(levels);
        } else if constexpr (traits<T>::has_group_scale) {
            s.unit = T::block_scale(block_ref<T>{});
        }
    }
    return s;
}

/// What became of a group. Codes of other kinds derive from it.
struct group_choice {
    float scale = 0;        ///< without D
    std::uint8_t code = 0;  ///< that stands for it
    float error = 0;
    float along = 0;  ///< sum w x v
    float norm = 0;   ///< sum w v^2
};

/// Fits runs of weights that share one D. `Groups` has
///
///     static constexpr int passes = ...;                  // how often at most D is refitted
///     using choice = ...;                                 // derived from group_choice
///     scale_fits fit(const float* x, const float* w);     // of a group, with a scale of its own
///     choice choose(const float* x, const float* w, const scale_fits&, float d);
///
template <class Groups>
class two_stage {
  public:
    using choice = typename Groups::choice;

    template <class... Args>
    explicit two_stage(const stage_rule& rule, Args&&... args)
        : rule_(rule), groups_(rule_, std::forward<Args>(args)...) {
        if (rule_.inner_levels) {
            outer_search_.emplace(*rule_.inner_levels, 2, rule_.inner_levels->lo >= 0.0f);
        }
    }
    two_stage(const two_stage&) = delete;
    two_stage& operator=(const two_stage&) = delete;

    /// Finds D and the codes of every group.
    void operator()(const weighted_run& run) {
        const auto count = run.n / rule_.group;
        fits_.resize(count);
        for (std::size_t g = 0; g < count; ++g) {
            fits_[g] = groups_.fit(run.x + g * rule_.group, run.w + g * rule_.group);
        }
        chosen_.resize(count);
        if (rule_.storage == float_storage::none) {
            stored_ = store_scale(float_storage::none, 1.0f, run.exponent, rule_.unit);
            (void)choose(run, stored_.value);
            return;
        }
        float wanted = rule_.inner ? outer_scale() : fits_[0].best.scale;
        float least = std::numeric_limits<float>::infinity();
        // Where D is the only scale, the search has found it already.
        const int passes = rule_.inner ? Groups::passes : 2;
        for (int pass = 0; pass < passes; ++pass) {
            const auto stored = store_scale(rule_.storage, wanted, run.exponent, rule_.unit);
            if (pass != 0 && stored.bits == stored_.bits) break;
            std::swap(chosen_, before_);
            chosen_.resize(count);
            const float error = choose(run, stored.value);
            if (pass != 0 && !(error < least)) {
                std::swap(chosen_, before_);
                break;
            }
            least = error;
            stored_ = stored;
            float along = 0;
            float norm = 0;
            for (const auto& c : chosen_) {
                along = fused(c.scale, c.along, along);
                norm = fused(c.scale * c.scale, c.norm, norm);
            }
            if (!(norm > 0.0f)) return;
            wanted = along / norm;
        }
        // Whatever was chosen last, this is the D that suits it best.
        stored_ = store_scale(rule_.storage, wanted, run.exponent, rule_.unit);
    }

    [[nodiscard]] const stored_scale& stored() const noexcept { return stored_; }
    [[nodiscard]] const std::vector<choice>& chosen() const noexcept { return chosen_; }
    [[nodiscard]] const Groups& groups() const noexcept { return groups_; }
    [[nodiscard]] std::size_t group_size() const noexcept { return rule_.group; }

  private:
    [[nodiscard]] float outer_scale() {
        inner_.clear();
        cost_.clear();
        float most = 0;
        for (const auto& f : fits_) most = std::max(most, f.best.norm);
        for (const auto& f : fits_) {
            inner_.push_back(f.best.scale);
            cost_.push_back(most > 0.0f ? f.best.norm / most : 1.0f);
        }
        return (*outer_search_)(inner_.data(), cost_.data(), inner_.size()).best.scale;
    }

    // The best codes of every group for this D; returns their error.
    [[nodiscard]] float choose(const weighted_run& run, float outer) {
        float error = 0;
        for (std::size_t g = 0; g < chosen_.size(); ++g) {
            chosen_[g] = groups_.choose(run.x + g * rule_.group, run.w + g * rule_.group, fits_[g],
                                        usable_scale(outer));
            error += chosen_[g].error;
        }
        return error;
    }

    stage_rule rule_;
    Groups groups_;
    std::optional<scale_search> outer_search_;
    std::vector<scale_fits> fits_;
    std::vector<float> inner_;
    std::vector<float> cost_;
    std::vector<choice> chosen_;
    std::vector<choice> before_;
    stored_scale stored_{};
};

}  // namespace detail

BPW_NAMESPACE_END
