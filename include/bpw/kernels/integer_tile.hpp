// Tiles of integer lanes with their scales, for products and for dequantization.
#pragma once

#include <bpw/kernels/unpack.hpp>

#include <algorithm>

BPW_NAMESPACE_BEGIN

/// Whether a type's weights are integers times scales, so that it can be multiplied in integers.
template <class T>
inline constexpr bool has_integer_lanes = [] {
    if constexpr (requires { T::lanes; }) {
        return tile_weights % std::size_t{traits<T>::block_size} == 0 &&
               traits<T>::group_size % 16 == 0 &&
               traits<T>::lanes.max - std::min(0, traits<T>::lanes.min) <= 255;
    } else {
        return false;
    }
}();

namespace detail {

// The scale of each run of 16 weights of a tile, and what is added to its weights.
template <class A>
struct tile_scales {
    simd::float16<A> scale;
    simd::float16<A> offset;
};

template <class A, class T>
[[nodiscard]] inline tile_scales<A> scalar_scales(const tile_ref<T>& tile) noexcept {
    alignas(64) float scales[16]{};
    alignas(64) float offsets[16]{};
    constexpr auto runs = std::size_t{traits<T>::group_size} / 16;
    constexpr auto groups = std::size_t{traits<T>::groups};
    for (std::size_t b = 0; b < tile.blocks; ++b) {
        const auto block = tile.block(b);
        for (std::size_t g = 0; g < groups; ++g) {
            const float s = bpw::scale(block, static_cast<int>(g));
            const float o = bpw::offset(block, static_cast<int>(g));
            for (std::size_t r = 0; r < runs; ++r) {
                scales[(b * groups + g) * runs + r] = s;
                offsets[(b * groups + g) * runs + r] = o;
            }
        }
    }
    return {simd::float16<A>::load(scales), simd::float16<A>::load(offsets)};
}

// Types with a scale for each row and no others: the products of rows are multiplied with it when
// they are complete.
template <class T>
concept scaled_by_row = !traits<T>::has_group_scale && !traits<T>::has_offset &&
                        (traits<T>::header_bytes != 0 || traits<T>::trailer_bytes != 0);

// What the product of row `row` is multiplied with at the end.
template <class T>
[[nodiscard]] BPW_INLINE float last_factor(const matrix_view<T>& w, std::size_t row) noexcept {
    if constexpr (scaled_by_row<T>)
        return T::block_scale(w.block(row, 0));
    else
        return 1.0f;
}

// Whether something is added to the weights after they are scaled.
template <class Unpack, class T>
inline constexpr bool has_offsets = traits<T>::has_offset || requires {
    Unpack::step;
};

// The part of the bias of the lanes that the sums of integers start from: the rest is part of what
// is added to the weights, where that is done anyway.
template <class T>
inline constexpr int bias_in_sums =
    traits<T>::rows == 1 && has_offsets<unpack<T>, T> ? 0 : unpack<T>::bias;

// By how much lanes are lowered before arch A multiplies them: where it lowers lanes, by their bias
// if what is left are signed bytes. (-128 costs an operation more: see dot4_of_lowered.)
template <class T, class A>
inline constexpr int lanes_lowered_by = [] {
    constexpr int by = simd::lowered_by<unpack<T>::max, A>;
    constexpr int bias = unpack<T>::bias;
    const bool fits = bias <= 128 && unpack<T>::max - bias <= 127;
    return by != 0 && bias != 0 && fits ? bias : by;
}();

// By how much lanes exceed the weights when arch A multiplies them, in the sums of integers.
template <class T, class A>
inline constexpr int start_bias = bias_in_sums<T> - lanes_lowered_by<T, A>;

// In the order Runs of the runs.
template <class Unpack, class A, const std::array<int, 16>& Runs = simd::in_place, class T>
[[nodiscard]] BPW_INLINE tile_scales<A> scales_of(const tile_ref<T>& tile) noexcept {
    constexpr bool is_scalar = requires { Unpack::is_scalar; };
    if constexpr (fast_scales<T> && !is_scalar) {
        tile_scales<A> out;
        out.scale = scale_vector<A, Runs>(tile);
        out.offset = offset_vector<Unpack, A, Runs>(tile, out.scale);
        return out;
    } else {
        static_assert(!requires { Unpack::step; } && Runs == simd::in_place);
        return scalar_scales<A>(tile);
    }
}

}  // namespace detail

BPW_NAMESPACE_END
