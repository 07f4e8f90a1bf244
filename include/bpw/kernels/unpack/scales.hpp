// Group scales as vectors.
#pragma once

#include <bpw/formats/iqk.hpp>
#include <bpw/formats/k_quants.hpp>
#include <bpw/formats/lattice.hpp>
#include <bpw/formats/trellis.hpp>
#include <bpw/kernels/unpack/numbers.hpp>
#include <bpw/simd/floats.hpp>
#include <bpw/simd/strided.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

// The integer scales of a block's groups from its field `s`, for every rule that types have.
template <int Bias>
struct scale_rule {
    template <class V>
    static V apply(const V& s) noexcept {
        return s + -Bias;
    }
};
template <const auto& Table>
struct table_rule {
    static constexpr auto& table = Table;
    template <class V>
    static V apply(const V& s) noexcept {
        return s.template lookup<Table.size()>(Table.data());
    }
};
struct signed_rule {
    template <class V>
    static V apply(const V& s) noexcept {
        return (s ^ 128) + -128;
    }
};
template <int Offset>
struct doubled_rule {
    template <class V>
    static V apply(const V& s) noexcept {
        return s.template shifted_left<1>() + Offset;
    }
};
inline constexpr auto odd_signed_values = [] {
    std::array<std::int8_t, 32> out{};
    for (int u = 0; u < 32; ++u) {
        const int magnitude = 2 * (u & 15) + 1;
        out[static_cast<std::size_t>(u)] =
            static_cast<std::int8_t>(u < 16 ? magnitude : -magnitude);
    }
    return out;
}();
table_rule<odd_signed_values> rule_of_scales(const odd_signed_scales*);
template <int Bias>
scale_rule<Bias> rule_of_scales(const biased_scales<Bias>*);
scale_rule<0> rule_of_scales(const scale_and_min*);
signed_rule rule_of_scales(const signed_byte_scales*);
doubled_rule<-127> rule_of_scales(const seven_bit_scales*);
template <int Divisor>
doubled_rule<1> rule_of_scales(const odd_scales<Divisor>*);
table_rule<tables::nonlinear4> rule_of_scales(const nonlinear_scales*);
void rule_of_scales(const void*);

template <class T>
using rule_of_scales_t = decltype(rule_of_scales(static_cast<const T*>(nullptr)));

// The bytes of scales of iq4_kss are spread over the words of a block, a bit in each.
template <class T>
concept scattered_scales = std::is_same_v<T, iq4_kss>;

template <class A, class T, const auto& Field, const std::array<int, 16>& Runs = simd::in_place>
    requires scattered_scales<T>
[[nodiscard]] BPW_INLINE simd::int16x<A> group_field(const std::uint8_t* block) noexcept {
    const auto bytes =
        simd::bytes_of_word<value_of_run<8, Runs>, A>(simd::lowest_bits_of_words<A>(block));
    if constexpr (Field.width == 1)
        return bytes & 1;
    else
        return bytes.template shifted_right<1>();
}

template <class T>
concept vector_scales =
    traits<T>::block_size == 256 && traits<T>::rows == 1 && !std::is_void_v<rule_of_scales_t<T>> &&
    (scattered_scales<T> || requires {
        requires fits_plans(T::s, sizeof(typename T::block),
                            value_of_run<std::remove_cvref_t<decltype(T::s)>::count>);
    });

template <class A, class T, const std::array<int, 16>& Runs>
[[nodiscard]] BPW_INLINE simd::int16x<A> group_scales(const std::uint8_t* block) noexcept {
    using rule = rule_of_scales_t<T>;
    if constexpr (requires { rule::table; } && !scattered_scales<T>) {
        constexpr auto& from = value_of_run<std::remove_cvref_t<decltype(T::s)>::count, Runs>;
        return simd::gather_from_table<planned_parts<T::s, from, sizeof(typename T::block)>,
                                       rule::table, A>(block);
    } else {
        return rule::apply(group_field<A, T, T::s, Runs>(block));
    }
}

// Numbers of at most 4 bits are looked up as floats, whatever the bits above them are: the table
// repeats itself.
template <const auto& Values, int Width>
    requires(Width <= 4)
inline constexpr std::array<float, 16> repeated_levels = [] {
    std::array<float, 16> out{};
    for (std::size_t i = 0; i < 16; ++i) out[i] = Values[i % (std::size_t{1} << Width)];
    return out;
}();

// What the values of the parts of the field `s` mean as scales, when the parts have at most 4 bits
// each and a scale is the sum or the product of what its parts mean.
template <class T>
struct scale_parts {
    static constexpr auto& field = T::s;
    static constexpr int low_width = std::remove_cvref_t<decltype(T::s.low)>::width;
    static constexpr int width = std::remove_cvref_t<decltype(T::s)>::width;

    static constexpr float scale_of(std::uint32_t value) {
        std::uint8_t bytes[sizeof(typename T::block)]{};
        T::s.set(bytes, 0, 0, value);
        return static_cast<float>(T::group_scale(block_ref<T>{bytes, nullptr}, 0));
    }
    static constexpr std::array<float, 16> low = [] {
        std::array<float, 16> out{};
        for (std::uint32_t v = 0; v < 1u << low_width && v < 16; ++v) out[v] = scale_of(v);
        return out;
    }();
    // What the upper part adds, or multiplies with.
    template <bool Factor>
    static constexpr std::array<float, 16> high = [] {
        std::array<float, 16> out{};
        for (std::uint32_t v = 0; v < 1u << (width - low_width) && v < 16; ++v) {
            const float s = scale_of(v << low_width);
            out[v] = !Factor ? s - low[0] : low[0] == 0 ? 0.0f : s / low[0];
        }
        return out;
    }();
    static constexpr bool small = low_width <= 4 && width - low_width <= 4;
    static constexpr bool all_are(auto&& combined) {
        if (!small) return false;
        for (std::uint32_t v = 0; v < 1u << width; ++v) {
            if (scale_of(v) != combined(v & ((1u << low_width) - 1), v >> low_width)) return false;
        }
        return true;
    }
    static constexpr bool add_up =
        all_are([](std::uint32_t l, std::uint32_t h) { return low[l] + high<false>[h]; });
    static constexpr bool multiply = [] {
        if (add_up) return false;
        return all_are([](std::uint32_t l, std::uint32_t h) { return low[l] * high<true>[h]; });
    }();
};
template <class T, class A>
concept tabled_scales =
    traits<T>::has_group_scale && !scattered_scales<T> &&
    (scale_parts<T>::add_up || scale_parts<T>::multiply) && !simd::gathers_rather_than_looks_up<A>;

// What the parts of `s` mean, looked up and combined: bits.operator()<Field>() gives the lowest
// part of a field, with any bits above.
template <class A, class T, class Bits>
[[nodiscard]] BPW_INLINE simd::float16<A> looked_up_scales(const Bits& bits) noexcept {
    using parts = scale_parts<T>;
    const auto low = simd::lookup_floats<parts::low_width>(
        repeated_levels<parts::low, parts::low_width>, bits.template operator()<T::s>());
    if constexpr (parts::width == parts::low_width) {
        return low;
    } else {
        constexpr int width = parts::width - parts::low_width;
        constexpr auto& meaning = parts::template high<parts::multiply>;
        const auto high = simd::lookup_floats<width>(repeated_levels<meaning, width>,
                                                     bits.template operator()<upper_parts<T::s>>());
        if constexpr (parts::multiply)
            return low * high;
        else
            return low + high;
    }
}

// Signed bytes, one for each run of 16 weights.
template <class T>
concept byte_scales = vector_scales<T> && std::is_base_of_v<signed_byte_scales, T> &&
    (std::remove_cvref_t<decltype(T::s)>::count == 16);

template <class A, class T, const std::array<int, 16>& Runs>
[[nodiscard]] BPW_INLINE simd::float16<A> group_scale_floats(const std::uint8_t* block) noexcept {
    if constexpr (byte_scales<T>) {
        static_assert(T::s.low.rule.bit(0, 15) == T::s.low.rule.bit(0, 0) + 8 * 15);
        return simd::from_signed_bytes<A, Runs>(
            reinterpret_cast<const std::int8_t*>(block + T::s.low.rule.bit(0, 0) / 8));
    } else if constexpr (tabled_scales<T, A>) {
        return looked_up_scales<A, T>([block]<const auto & Field>() BPW_INLINE_LAMBDA {
            return group_bits<A, T, Field, Runs>(block);
        });
    } else {
        return group_scales<A, T, Runs>(block).to_float();
    }
}

// The scales of blocks and rows as vectors, for each run of 16 weights of the tile.
template <class T>
inline constexpr std::size_t tile_blocks = tile_weights / std::size_t{traits<T>::block_size};

template <class A, class T, const auto& Half, const std::array<int, 16>& Runs>
[[nodiscard]] BPW_INLINE simd::float16<A> halves_of_blocks(const tile_ref<T>& tile) noexcept {
    const auto* const p = tile.block().bytes;
    constexpr auto at = std::size_t{Half.low.rule.byte};
    if constexpr (tile_blocks<T> == 1)
        return simd::half_everywhere<at, sizeof(typename T::block), A>(p);
    else
        return simd::strided_halves<tile_ref<T>::stride, tile_blocks<T>, A, Runs>(p + at);
}

// Powers of two 2^(e - 128) from bytes e, as e8m0_half_to_float() has them.
template <class A>
[[nodiscard]] BPW_INLINE simd::float16<A> from_e8m0_half(const simd::int16x<A>& e) noexcept {
    const auto normal = (e + -1).template shifted_left<23>();
    const auto small = (e + 1).template shifted_left<21>();  // e = 0, 1: subnormals
    return simd::select_less(e, 2, small, normal).as_float();
}

// Halves of unsigned E4M3 numbers, as ue4m3_half_to_float() has them.
template <class A>
[[nodiscard]] BPW_INLINE simd::float16<A> from_ue4m3_half(const simd::int16x<A>& bits) noexcept {
    using ints = simd::int16x<A>;
    const auto exponent = bits.template shifted_right<3>() & 15;
    const auto mantissa = bits & 7;
    const auto digits = simd::select_less(exponent, 1, mantissa, mantissa + 8);
    const auto power = simd::select_less(exponent, 1, ints::all(1), exponent);
    const auto number = simd::select_less(bits ^ 127, 1, ints::zero(), digits);
    return number.to_float() * (power + (127 - 11)).template shifted_left<23>().as_float();
}

template <class A, const std::array<int, 16>& Runs, class T>
[[nodiscard]] BPW_INLINE simd::float16<A> block_scale_of(const tile_ref<T>& tile,
                                                         const half_block_scale*) noexcept {
    return halves_of_blocks<A, T, T::d, Runs>(tile);
}
template <class A, const std::array<int, 16>& Runs, class T, int Divisor>
    requires std::is_same_v<const decltype(half_at(0)), decltype(T::d)>
[[nodiscard]] BPW_INLINE simd::float16<A> block_scale_of(const tile_ref<T>& tile,
                                                         const odd_scales<Divisor>*) noexcept {
    return halves_of_blocks<A, T, T::d, Runs>(tile) * simd::float16<A>::all(1.0f / Divisor);
}
template <class A, const std::array<int, 16>& Runs, class T>
[[nodiscard]] BPW_INLINE simd::float16<A> block_scale_of(const tile_ref<T>& tile,
                                                         const half_row_scale*) noexcept {
    return simd::strided_halves<2, 1, A>(tile.block().header);
}
template <class A, const std::array<int, 16>& Runs, class T>
[[nodiscard]] BPW_INLINE simd::float16<A> block_scale_of(const tile_ref<T>& tile,
                                                         const mxfp4*) noexcept {
    return from_e8m0_half<A>(simd::strided_bytes<tile_ref<T>::stride, tile_blocks<T>, A, Runs>(
        tile.block().bytes + T::e.low.rule.byte));
}
// All sixteen scales at once: a tile has 16 groups.
template <class A, const std::array<int, 16>& Runs, class T>
[[nodiscard]] BPW_INLINE simd::float16<A> block_scale_of(const tile_ref<T>& tile,
                                                         const nvfp4*) noexcept {
    static_assert(Runs == simd::in_place);
    std::uint64_t words[4];
    for (std::size_t b = 0; b < 4; ++b) {
        std::uint32_t four = 0;
        std::memcpy(&four, tile.block().bytes + b * tile_ref<T>::stride + T::s.low.rule.byte, 4);
        words[b] = four;
    }
    return from_ue4m3_half<A>(
        simd::from_bytes<A>(words[0] | words[1] << 32, words[2] | words[3] << 32));
}
// One scale for the block or the row, read as the type says.
template <class A, const std::array<int, 16>& Runs, class T>
[[nodiscard]] BPW_INLINE simd::float16<A> block_scale_of(const tile_ref<T>& tile,
                                                         const void*) noexcept {
    return simd::float16<A>::all(T::block_scale(tile.block()));
}

// Types whose scales and offsets are loaded by the functions above: one for every block or row, or
// all sixteen of a tile.
template <class T>
concept scale_per_block = !traits<T>::has_group_scale &&
                          (traits<T>::block_size == 256 || std::is_base_of_v<half_block_scale, T> ||
                           std::is_same_v<T, mxfp4>);
template <class T>
concept scale_per_row =
    std::is_base_of_v<half_row_scale, T> || std::is_base_of_v<float_row_scale, T>;
template <class T>
concept offset_is_half = !traits<T>::has_offset || std::is_base_of_v<half_block_offset, T>;
template <class T>
concept plain_scales = traits<T>::rows == 1 && offset_is_half<T> &&
                       (std::is_same_v<T, nvfp4> || scale_per_block<T> ||
                        (!traits<T>::has_group_scale && scale_per_row<T>));
template <class T>
concept fast_scales = vector_scales<T> || plain_scales<T>;

// The scale of each of the runs of 16 weights Runs[0] ... Runs[15] of a full tile.
template <class A, const std::array<int, 16>& Runs = simd::in_place, class T>
    requires fast_scales<T>
[[nodiscard]] BPW_INLINE simd::float16<A> scale_vector(const tile_ref<T>& tile) noexcept {
    const auto scale = block_scale_of<A, Runs>(tile, static_cast<const T*>(nullptr));
    if constexpr (vector_scales<T>)
        return scale * group_scale_floats<A, T, Runs>(tile.block().bytes);
    else
        return scale;
}

// Fields of eight scales s and eight minima m as one of sixteen numbers s, m, s, m, ...
template <class S, class M>
struct alternating_rule {
    S s;
    M m;
    [[nodiscard]] constexpr std::size_t bit(int k, int n) const noexcept {
        return n % 2 == 0 ? s.bit(k, n / 2) : m.bit(k, n / 2);
    }
};
template <int Width, class S, class M>
[[nodiscard]] constexpr auto alternate(const part<Width, S>& s, const part<Width, M>& m) noexcept {
    return part<Width, alternating_rule<S, M>>{{s.rule, m.rule}};
}
template <class T>
inline constexpr auto alternating_field = values<16>(alternate(T::s.low, T::m.low),
                                                     alternate(T::s.high.low, T::m.high.low));

// Types with groups of 32, unsigned scales and minima in two parts each, and d in front of dmin.
template <class T>
concept alternating_scales =
    traits<T>::rows == 1 && traits<T>::group_size == 32 &&
    std::is_base_of_v<scale_and_min, T>&& std::is_base_of_v<half_block_scale, T>&& requires {
    requires T::d.low.rule.byte + 2 == T::dmin.low.rule.byte;
    requires T::s.count == 8 && T::m.count == 8;
    alternating_field<T>;
};

template <class A>
struct alternating_tile_scales {
    simd::float16<A> scale;  // d s, dmin m, d s, dmin m, ...
};
template <class A, const std::array<int, 16>& Runs, class T>
[[nodiscard]] BPW_INLINE alternating_tile_scales<A> alternating_scales_of(
    const tile_ref<T>& tile) noexcept {
    const auto* const block = tile.block().bytes;
    return {simd::repeated_halves<A>(block + T::d.low.rule.byte) *
            numbers_of<A, alternating_field<T>, Runs, sizeof(typename T::block)>(block).to_float()};
}

// What the shift bits add to the lanes of Unpack, and minus Bias, for the runs of 16 weights Runs.
template <class Unpack, int Bias>
inline constexpr std::array<float, 2> shift_levels{static_cast<float>(-Bias),
                                                   static_cast<float>(Unpack::step - Bias)};
template <class Unpack, int Bias, class A, class T, const std::array<int, 16>& Runs>
[[nodiscard]] BPW_INLINE simd::float16<A> lookup_shifts(const std::uint8_t* block) noexcept {
    constexpr auto& table = repeated_levels<shift_levels<Unpack, Bias>, 1>;
    if constexpr (scattered_scales<T>)
        return simd::lookup_floats<1>(table, group_field<A, T, T::shift, Runs>(block));
    else
        return simd::lookup_floats<1>(table, group_bits<A, T, T::shift, Runs>(block));
}

inline constexpr std::array<float, 16> minus_numbers = [] {
    std::array<float, 16> out{};
    for (std::size_t i = 0; i < 16; ++i) out[i] = -static_cast<float>(i);
    return out;
}();

// What is added to the weights of the runs of 16 Runs[0] ... Runs[15]; zero for types without
// offsets. The lanes of Unpack may lack a `step` that shifted groups add.
template <class Unpack, class A, const std::array<int, 16>& Runs = simd::in_place, class T>
    requires fast_scales<T>
[[nodiscard]] BPW_INLINE simd::float16<A> offset_vector(const tile_ref<T>& tile,
                                                        const simd::float16<A>& scale) noexcept {
    using lanes = simd::float16<A>;
    const auto* const bytes = tile.block().bytes;
    if constexpr (requires { Unpack::step; }) {
        return scale * lookup_shifts<Unpack, 0, A, T, Runs>(bytes);
    } else if constexpr (has_group_offset<T>) {
        // A minimum: -dmin m.
        const auto dmin = halves_of_blocks<A, T, T::dmin, Runs>(tile);
        constexpr int width = std::remove_cvref_t<decltype(T::m)>::width;
        if constexpr (width <= 4 && !simd::gathers_rather_than_looks_up<A>) {
            return dmin * simd::lookup_floats<width>(repeated_levels<minus_numbers, width>,
                                                     group_bits<A, T, T::m, Runs>(bytes));
        } else {
            const auto minima = group_field_scaled<A, T, T::m, Runs>(bytes);
            return dmin * lanes::all(-1.0f / minima.times_too_large) * minima.numbers.to_float();
        }
    } else if constexpr (traits<T>::has_offset) {
        return halves_of_blocks<A, T, T::m, Runs>(tile);
    } else {
        return lanes::zero();
    }
}

}  // namespace detail

BPW_NAMESPACE_END
