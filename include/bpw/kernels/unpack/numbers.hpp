// Sixteen small numbers of a block at a time: the values of a field, wherever its parts lie.
#pragma once

#include <bpw/kernels/unpack/tile.hpp>
#include <bpw/simd/gathered.hpp>

#include <optional>

BPW_NAMESPACE_BEGIN

namespace detail {

// Where the bits of one part of sixteen values of a field are: values from[0] ... from[15]. Four
// neighbouring values are read from a window of 16 bytes.
struct part_plan {
    std::array<std::size_t, 4> window;
    simd::bit_plan plan;

    // The window of values i ... i + n - 1: from the first byte that is needed on, but inside the
    // block. Nothing when they lie further apart.
    template <class Part>
    static constexpr std::optional<std::size_t> window_of(Part part, std::size_t block_bytes,
                                                          const std::array<int, 16>& from,
                                                          std::size_t i, std::size_t n) {
        std::size_t least = ~std::size_t{0};
        std::size_t most = 0;
        for (std::size_t j = i; j < i + n; ++j) {
            const auto at = part.rule.bit(0, from[j]);
            least = std::min(least, at / 8);
            most = std::max(most, (at + Part::width - 1) / 8);
        }
        if (block_bytes < 16 || most >= least + 16) return std::nullopt;
        return std::min(least, block_bytes - 16);
    }

    template <class Part>
    static constexpr bool fits(Part part, std::size_t block_bytes,
                               const std::array<int, 16>& from) {
        for (std::size_t i = 0; i < 16; i += 4) {
            if (!window_of(part, block_bytes, from, i, 4)) return false;
        }
        return Part::width <= 16;
    }

    template <class Part>
    static constexpr part_plan make(Part part, std::size_t block_bytes,
                                    const std::array<int, 16>& from) {
        part_plan out{};
        const auto common = window_of(part, block_bytes, from, 0, 16);
        for (std::size_t i = 0; i < 4; ++i) {
            out.window[i] = common ? *common : *window_of(part, block_bytes, from, 4 * i, 4);
        }
        for (std::size_t i = 0; i < 16; ++i) {
            const auto at = part.rule.bit(0, from[i]);
            const auto byte = static_cast<std::uint8_t>(at / 8 - out.window[i / 4]);
            const bool crosses = at % 8 + Part::width > 8;
            out.plan.byte[4 * i] = byte;
            out.plan.byte[4 * i + 1] = crosses ? static_cast<std::uint8_t>(byte + 1) : byte;
            out.plan.byte[4 * i + 2] = out.plan.byte[4 * i + 3] = 128;
            out.plan.shift[i] = static_cast<std::int32_t>(at % 8);
        }
        out.plan.mask = (1 << Part::width) - 1;
        return out;
    }
};

// The value of each of the runs of 16 weights Runs[0] ... Runs[15], for a field with `Count` values
// in 256 weights.
template <int Count, const std::array<int, 16>& Runs = simd::in_place>
inline constexpr std::array<int, 16> value_of_run = [] {
    auto from = Runs;
    for (auto& run : from) run = run * Count / 16;
    return from;
}();

template <class Field>
[[nodiscard]] constexpr bool fits_plans(const Field& f, std::size_t block_bytes,
                                        const std::array<int, 16>& from) {
    if (!part_plan::fits(f.low, block_bytes, from)) return false;
    if constexpr (requires { f.high; })
        return fits_plans(f.high, block_bytes, from);
    else
        return true;
}

// The parts of a field above the lowest, as an object of their own: a template argument.
template <const auto& Field>
inline constexpr auto upper_parts = Field.high;

template <class Field>
[[nodiscard]] constexpr std::size_t parts_of(const Field& f) noexcept {
    if constexpr (requires { f.high; })
        return 1 + parts_of(f.high);
    else
        return 1;
}
template <std::size_t Parts, class Field>
constexpr void plan_parts(const Field& f, std::size_t block_bytes, const std::array<int, 16>& from,
                          std::array<simd::number_part, Parts>& out, int at = 0) {
    constexpr int width = std::remove_cvref_t<decltype(f.low)>::width;
    const auto low = part_plan::make(f.low, block_bytes, from);
    out[Parts - parts_of(f)] = {low.window, low.plan, width, at};
    if constexpr (requires { f.high; }) plan_parts(f.high, block_bytes, from, out, at + width);
}
template <const auto& Field, const std::array<int, 16>& From, std::size_t BlockBytes>
inline constexpr auto planned_parts = [] {
    std::array<simd::number_part, parts_of(Field)> out{};
    plan_parts(Field, BlockBytes, From, out);
    return out;
}();

// Sixteen values of a field: values From[0] ... From[15].
template <class A, const auto& Field, const std::array<int, 16>& From, std::size_t BlockBytes>
[[nodiscard]] BPW_INLINE simd::int16x<A> numbers_of(const std::uint8_t* block) noexcept {
    return simd::gather_parts<planned_parts<Field, From, BlockBytes>, A>(block);
}

// The same of the lowest part of a field, with other bits above them.
template <const auto& Field, const std::array<int, 16>& From, std::size_t BlockBytes>
inline constexpr auto unmasked_part = [] {
    const auto low = part_plan::make(Field.low, BlockBytes, From);
    std::array<simd::number_part, 1> out{
        {{low.window, low.plan, std::remove_cvref_t<decltype(Field.low)>::width, 0}}};
    out[0].plan.mask = -1;
    return out;
}();
template <class A, const auto& Field, const std::array<int, 16>& From, std::size_t BlockBytes>
[[nodiscard]] BPW_INLINE simd::int16x<A> bits_of(const std::uint8_t* block) noexcept {
    return simd::gather_parts<unmasked_part<Field, From, BlockBytes>, A>(block);
}

// Where the values of a field of one part begin in their bytes, if all begin at the same bit and
// end in the same byte: without a shift they come 2^bit times larger.
template <const auto& Field, const std::array<int, 16>& From>
inline constexpr int bit_in_byte = [] {
    if constexpr (requires { Field.high; }) {
        return 0;
    } else {
        const auto bit = Field.low.rule.bit(0, From[0]) % 8;
        for (const int from : From) {
            const auto at = Field.low.rule.bit(0, from) % 8;
            if (at != bit || at + std::remove_cvref_t<decltype(Field.low)>::width > 8) return 0;
        }
        return static_cast<int>(bit);
    }
}();
template <const auto& Field, const std::array<int, 16>& From, std::size_t BlockBytes>
inline constexpr auto unshifted_parts = [] {
    auto out = planned_parts<Field, From, BlockBytes>;
    constexpr int bit = bit_in_byte<Field, From>;
    if (bit != 0) {
        out[0].plan.shift = {};
        out[0].plan.mask <<= bit;
    }
    return out;
}();

// The values of a field that belong to the runs of 16 weights Runs[0] ... Runs[15]; those of its
// lowest part with other bits above them.
template <class A, class T, const auto& Field, const std::array<int, 16>& Runs = simd::in_place>
[[nodiscard]] BPW_INLINE simd::int16x<A> group_field(const std::uint8_t* block) noexcept {
    return numbers_of<A, Field, value_of_run<std::remove_cvref_t<decltype(Field)>::count, Runs>,
                      sizeof(typename T::block)>(block);
}
template <class A, class T, const auto& Field, const std::array<int, 16>& Runs = simd::in_place>
[[nodiscard]] BPW_INLINE simd::int16x<A> group_bits(const std::uint8_t* block) noexcept {
    return bits_of<A, Field, value_of_run<std::remove_cvref_t<decltype(Field)>::count, Runs>,
                   sizeof(typename T::block)>(block);
}

// The same with what they are too large by: group_field times times_too_large.
template <class A>
struct scaled_numbers {
    simd::int16x<A> numbers;
    float times_too_large;
};
template <class A, class T, const auto& Field, const std::array<int, 16>& Runs = simd::in_place>
[[nodiscard]] BPW_INLINE scaled_numbers<A> group_field_scaled(const std::uint8_t* block) noexcept {
    constexpr auto& from = value_of_run<std::remove_cvref_t<decltype(Field)>::count, Runs>;
    constexpr auto& parts = unshifted_parts<Field, from, sizeof(typename T::block)>;
    return {simd::gather_parts<parts, A>(block), 1 << bit_in_byte<Field, from>};
}

}  // namespace detail

BPW_NAMESPACE_END
