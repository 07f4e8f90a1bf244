// Sixteen small numbers of a block at a time: the values of a field, wherever its parts lie.
#pragma once

#include <bpw/kernels/unpack/tile.hpp>

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

// The value of each run of 16 weights, for a field with `Count` values in 256 weights.
template <int Count>
inline constexpr std::array<int, 16> value_of_run = [] {
    std::array<int, 16> from{};
    for (int run = 0; run < 16; ++run) from[static_cast<std::size_t>(run)] = run * Count / 16;
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

// Sixteen values of a field: values From[0] ... From[15].
template <class A, const auto& Field, const std::array<int, 16>& From, std::size_t BlockBytes>
[[nodiscard]] BPW_INLINE simd::int16x<A> numbers_of(const std::uint8_t* block) noexcept {
    static constexpr auto plan = part_plan::make(Field.low, BlockBytes, From);
    constexpr bool one_window = plan.window[0] == plan.window[3];
    constexpr bool shift = plan.plan.shift != std::array<std::int32_t, 16>{};
    const auto low = simd::gather_bits<one_window, shift, A>(block, plan.window, plan.plan);
    if constexpr (requires { Field.high; }) {
        constexpr int width = std::remove_cvref_t<decltype(Field.low)>::width;
        return low | numbers_of<A, upper_parts<Field>, From, BlockBytes>(block)
                         .template shifted_left<width>();
    } else {
        return low;
    }
}

// The value of the lowest part of a field for each run of 16 weights, with other bits above it.
template <class A, class T, const auto& Field>
[[nodiscard]] BPW_INLINE simd::int16x<A> group_bits(const std::uint8_t* block) noexcept {
    static constexpr auto plan = [] {
        auto masked = part_plan::make(Field.low, sizeof(typename T::block),
                                      value_of_run<std::remove_cvref_t<decltype(Field)>::count>);
        masked.plan.mask = -1;
        return masked;
    }();
    constexpr bool one_window = plan.window[0] == plan.window[3];
    constexpr bool shift = plan.plan.shift != std::array<std::int32_t, 16>{};
    return simd::gather_bits<one_window, shift, A>(block, plan.window, plan.plan);
}

// The values of a field that belong to each run of 16 weights.
template <class A, class T, const auto& Field>
[[nodiscard]] BPW_INLINE simd::int16x<A> group_field(const std::uint8_t* block) noexcept {
    return numbers_of<A, Field, value_of_run<std::remove_cvref_t<decltype(Field)>::count>,
                      sizeof(typename T::block)>(block);
}

}  // namespace detail

BPW_NAMESPACE_END
