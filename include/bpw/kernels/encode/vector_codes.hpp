// Writes what is chosen for types whose codes stand for vectors of weights.
#pragma once

#include <bpw/kernels/encode/error_rules.hpp>
#include <bpw/kernels/encode/row_sink.hpp>
#include <bpw/kernels/encode/two_stage.hpp>

#include <array>
#include <limits>

BPW_NAMESPACE_BEGIN

namespace detail {

/// The codes of a group of up to 32 weights.
struct vector_choice : group_choice {
    std::array<std::uint16_t, 16> index{};
    std::uint32_t negative = 0;  ///< a bit for every weight
    std::uint8_t shift = 0;      ///< a bit for every shift of the group
    std::uint8_t half = 0;       ///< of the codebook, where the group chooses one
};

/// A row encoder over `Groups` for type T.
template <class T, class Groups>
class vector_row_encoder {
  public:
    vector_row_encoder(std::size_t cols, const encode_options& options)
        : cols_(cols), row_(cols, rule_of_errors<T>, options), search_(stage_rule_of<T>(cols)) {}

    template <class Target>
    void operator()(const float* x, const float* importance, const row_sink<Target>& out) {
        constexpr bool shared_by_row = t::header_bytes != 0;
        row_.assign(x, importance);
        const auto length = shared_by_row ? cols_ : block;
        for (std::size_t at = 0; at < cols_; at += length) {
            search_(row_.run(at, length));
            const auto bits = search_.stored().bits;
            if constexpr (shared_by_row)
                write_bits(out.header(), 0, t::header_bytes >= 4 ? 32 : 16, bits);
            else
                out.set(at / block, Target::d, 0, bits);
            const auto& chosen = search_.chosen();
            for (std::size_t g = 0; g < chosen.size(); ++g) {
                write(chosen[g], at / block + g / groups, g % groups, out);
            }
        }
    }

  private:
    using t = traits<T>;
    static constexpr auto block = std::size_t{t::block_size};
    static constexpr auto groups = std::size_t{t::groups};

    // Calls set(n, k) for the values of a field that belong to group g: number n of the block, k of
    // the group.
    template <class Field, class F>
    static void for_values(const Field& field, std::size_t g, F set) {
        const auto per_group = static_cast<std::size_t>(field.count) / groups;
        for (std::size_t k = 0; k < per_group; ++k) set(static_cast<int>(g * per_group + k), k);
    }

    template <class Target>
    static void write(const vector_choice& c, std::size_t b, std::size_t g,
                      const row_sink<Target>& out) {
        out.set(b, Target::s, static_cast<int>(g), c.code);
        for_values(Target::index, g,
                   [&](int n, std::size_t k) { out.set(b, Target::index, n, c.index[k]); });
        if constexpr (requires { Target::signs7; }) {
            for_values(Target::signs7, g, [&](int n, std::size_t k) {
                out.set(b, Target::signs7, n, c.negative >> 8 * k & 127u);
            });
        }
        if constexpr (requires { Target::signs; }) {
            for_values(Target::signs, g, [&](int n, std::size_t k) {
                out.set(b, Target::signs, n, c.negative >> k & 1u);
            });
        }
        if constexpr (requires { Target::shift; }) {
            for_values(Target::shift, g, [&](int n, std::size_t k) {
                out.set(b, Target::shift, n, static_cast<std::uint32_t>(c.shift >> k) & 1u);
            });
        }
        if constexpr (requires { Target::half; })
            out.set(b, Target::half, static_cast<int>(g), c.half);
    }

    std::size_t cols_;
    weighted_row row_;
    two_stage<Groups> search_;
};

/// x / scale, kept so small that its square can be told from that of its neighbours: where the
/// scale is at the end of its range nothing else bounds it.
[[nodiscard]] BPW_INLINE floats scaled_target(const floats& x, const floats& inverse) noexcept {
    const auto most = floats::all(0x1p20f);
    return lanes::clamp(x * inverse, lanes::subtract(floats::zero(), most), most);
}

/// What a vector code does to the sums that a scale is judged by.
struct vector_sums {
    floats error = floats::zero();
    floats along = floats::zero();
    floats norm = floats::zero();

    /// Sixteen weights with the values that stand for them before scaling.
    BPW_INLINE void add(const float* x, const float* w, const float* values, float scale) noexcept {
        const auto xs = floats::load(x);
        const auto ws = floats::load(w);
        const auto v = floats::load(values);
        const auto off = lanes::fma(floats::all(-scale), v, xs);
        const auto wv = ws * v;
        error = lanes::fma(ws * off, off, error);
        along = lanes::fma(wv, xs, along);
        norm = lanes::fma(wv, v, norm);
    }
    /// All weights of a group, a multiple of sixteen.
    template <std::size_t Group>
    BPW_INLINE void add_group(const float* x, const float* w,
                              const std::array<float, Group>& values, float scale) noexcept {
        for (std::size_t at = 0; at < Group; at += lane_count) {
            add(x + at, w + at, values.data() + at, scale);
        }
    }
    void store(group_choice& c) const noexcept {
        c.error = error.sum();
        c.along = along.sum();
        c.norm = norm.sum();
    }
};

/// Fits a scale to a group whose codes take long to find: tries `ratios` times `first`, then the
/// scale that suits the best of these. `with_scale(scale)` returns the codes.
template <class Ratios, class F>
[[nodiscard]] scale_fit fit_scale(float first, const Ratios& ratios, F with_scale) {
    scale_fit best;
    float at = 0;
    const auto try_scale = [&](float scale) {
        const auto c = with_scale(scale);
        if (!(c.norm > 0.0f)) return;
        const float fitted = c.along / c.norm;
        const float gain = c.along * fitted;
        if (gain > best.gain) {
            best = {fitted, c.norm, gain, 0.0f};
            at = scale;
        }
    };
    if (first == 0.0f) return best;
    for (const float ratio : ratios) try_scale(first * ratio);
    if (best.scale != 0.0f && best.scale != at) try_scale(best.scale);
    return best;
}

/// Takes scale number `at` of a rule if it is better, or the scale that suits the codes found with
/// it best. `with_scale(scale)` returns the codes for scale times D.
template <class F>
void try_entry(const stage_rule& rule, int at, float d, F with_scale, vector_choice& best) {
    const auto* entry = &rule.inner->entries[static_cast<std::size_t>(at)];
    const float tried = usable_scale(entry->value * d);
    vector_choice c = with_scale(tried);
    if (c.norm > 0.0f) {
        const auto& fitted = rule.inner->nearest(c.along / c.norm / d);
        const float scale = usable_scale(fitted.value * d);
        // The error is a parabola of the scale.
        const float slope = fused(tried + scale, c.norm, -2.0f * c.along);
        const float error = fused(scale - tried, slope, c.error);
        if (error < c.error) {
            entry = &fitted;
            c.error = std::max(error, 0.0f);
        }
    }
    if (!(c.error < best.error)) return;
    best = c;
    best.scale = entry->value;
    best.code = entry->code;
}

/// The best of `count` scales of a rule around one that fits: a Choice, which is a vector_choice.
template <class Choice, class F>
[[nodiscard]] Choice best_in_window(const stage_rule& rule, float fitted, float d, int count,
                                    F with_scale) {
    Choice best;
    best.error = std::numeric_limits<float>::infinity();
    const int first = rule.inner->window(fitted / d, count);
    for (int k = first; k < std::min(first + count, rule.inner->count); ++k) {
        try_entry(rule, k, d, with_scale, best);
    }
    return best;
}

}  // namespace detail

BPW_NAMESPACE_END
