// Encoders of the types whose weights come from the trellis generator: iq1_kt, iq2_kt, iq3_kt,
// iq4_kt.
#pragma once

#include <bpw/kernels/encode/trellis_search.hpp>
#include <bpw/kernels/encode/vector_codes.hpp>

#include <cmath>

BPW_NAMESPACE_BEGIN

namespace detail {

template <type_id Id>
std::true_type is_trellis_layout(const trellis_format<Id>*);
std::false_type is_trellis_layout(const void*);

template <class T>
concept trellis_type = decltype(is_trellis_layout(static_cast<const T*>(nullptr)))::value;

/// Groups of runs.
template <class T>
class trellis_groups {
  public:
    using choice = vector_choice;
    static constexpr bool has_signs = requires { T::signs; };
    static constexpr bool has_halves = requires { T::half; };
    static constexpr auto group = std::size_t{traits<T>::group_size};
    static constexpr auto length = std::size_t{traits<T>::block_size} / std::size_t{T::index.count};
    using search = trellis_search<length, has_signs, T::index.width == 16 ? 6 : 2>;

    static constexpr int passes = 1;
    // The root mean square of the values that runs are best fitted with, and the scales that are
    // tried beside that. Few of them, because a search takes long.
    static constexpr float spread = has_signs ? 39.0f : has_halves ? 42.0f : 38.0f;
    static constexpr auto ratios = [] {
        if constexpr (has_signs || has_halves)
            return std::array{0.7f, 0.8f, 0.9f, 1.0f, 1.12f, 1.25f, 1.4f};
        else
            return std::array{0.9f, 1.0f, 1.12f};
    }();
    explicit trellis_groups(const stage_rule& rule) : rule_(rule) {
        constexpr auto starts = std::size_t{1} << T::index.width;
        for (std::uint32_t half = 0; half < (has_halves ? 2 : 1); ++half) {
            search_.emplace_back(half << T::index.width, starts);
        }
    }

    // Values of the generator have a known root mean square, and a largest value, which is rare.
    [[nodiscard]] scale_fits fit(const float* x, const float* w) const {
        auto squares = floats::zero();
        auto weights = floats::zero();
        for (std::size_t i = 0; i < group; i += lane_count) {
            const auto xs = floats::load(x + i);
            const auto ws = floats::load(w + i);
            squares = lanes::fma(ws * xs, xs, squares);
            weights = lanes::add(weights, ws);
        }
        const float weight = weights.sum();
        const float rms = std::sqrt(squares.sum() / weight);
        const float scale = std::max(rms / spread, largest_magnitude(x, group) / 100.0f);
        scale_fits fits;
        fits.best = {scale, weight, weight, 0.0f};
        return fits;
    }

    // Every scale is another codebook to choose from; and so is its opposite, where the values can
    // have either sign.
    [[nodiscard]] choice choose(const float* x, const float* w, const scale_fits& fits,
                                float d) const {
        choice best;
        best.error = std::numeric_limits<float>::infinity();
        choice last;
        const auto with = [&](float scale) { return last = with_scale(x, w, scale, last); };
        for (const float sign : {1.0f, -1.0f}) {
            if (has_signs && sign < 0.0f) break;
            int before = -1;
            for (const float ratio : ratios) {
                const auto& entry = rule_.inner->nearest(sign * ratio * fits.best.scale / d);
                const auto at = static_cast<int>(&entry - rule_.inner->entries.data());
                if (at == before) continue;
                before = at;
                try_entry(rule_, at, d, with, best);
            }
            last = {};
        }
        return best;
    }

  private:
    static constexpr std::size_t runs = group / length;

    // `guess` holds runs that may be good.
    [[nodiscard]] choice with_scale(const float* x, const float* w, float scale,
                                    const choice& guess) const {
        choice c;
        std::array<float, group> target;
        const auto inverse = floats::all(1.0f / scale);
        for (std::size_t i = 0; i < group; i += lane_count) {
            const auto scaled = scaled_target(floats::load(x + i), inverse);
            (has_signs ? lanes::abs(scaled) : scaled).store(target.data() + i);
            if constexpr (has_signs) {
                const auto signed_target = lanes::to_array(scaled);
                for (std::size_t l = 0; l < lane_count; ++l) {
                    c.negative |= static_cast<std::uint32_t>(signed_target[l] < 0.0f) << (i + l);
                }
            }
        }
        std::array<std::array<std::uint16_t, runs>, 2> index{};
        std::array<float, 2> cost{};
        for (std::size_t r = 0; r < runs; ++r) {
            const typename search::query q(target.data() + r * length, w + r * length);
            for (std::size_t half = 0; half < search_.size(); ++half) {
                const auto found = search_[half].nearest(q, guess.index[r]);
                index[half][r] = found.index;
                cost[half] += found.cost;
            }
        }
        c.half = search_.size() == 2 && cost[1] < cost[0] ? 1 : 0;
        std::array<float, group> value;
        for (std::size_t r = 0; r < runs; ++r) {
            c.index[r] = index[c.half][r];
            const auto start = c.index[r] | std::uint32_t{c.half} << T::index.width;
            for (std::size_t k = 0; k < length; ++k) {
                const auto i = r * length + k;
                const auto v = static_cast<float>(search::value(start, k));
                value[i] = (c.negative >> i & 1u) != 0u ? -v : v;
            }
        }
        vector_sums sums;
        sums.add_group(x, w, value, scale);
        sums.store(c);
        return c;
    }

    const stage_rule& rule_;
    std::vector<search> search_;
};

template <class T>
    requires trellis_type<T>
struct row_encoder<T> : vector_row_encoder<T, trellis_groups<T>> {
    using vector_row_encoder<T, trellis_groups<T>>::vector_row_encoder;
};

}  // namespace detail

BPW_NAMESPACE_END
