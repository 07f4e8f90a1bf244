// Thirty-two values of a field at a time, as words of 16 bits.
#pragma once

#include <bpw/kernels/unpack/numbers.hpp>
#include <bpw/simd/lookup.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

template <class Field>
inline constexpr bool is_array_of_words = false;
template <int Count>
inline constexpr bool is_array_of_words<field<Count, part<16, plane<16>>>> = true;

template <const auto& Field, std::size_t BlockBytes, int First, int Repeat>
inline constexpr auto plan_of_words =
    simd::word_plan::make(std::remove_cvref_t<decltype(Field.low)>::width, BlockBytes,
                          [](int n) { return Field.low.rule.bit(0, First + n / Repeat); });

// The words with values First, First + 1, ... of a field from bit At on, each Repeat times.
template <class A, const auto& Field, std::size_t BlockBytes, int At, int First = 0, int Repeat = 1>
[[nodiscard]] BPW_INLINE simd::words32<A> merged_words(const simd::words32<A>& below,
                                                       const std::uint8_t* block) noexcept {
    constexpr int width = std::remove_cvref_t<decltype(Field.low)>::width;
    const auto words =
        simd::merge_words<plan_of_words<Field, BlockBytes, First, Repeat>, At, A>(below, block);
    if constexpr (requires { Field.high; })
        return merged_words<A, upper_parts<Field>, BlockBytes, At + width, First, Repeat>(words,
                                                                                          block);
    else
        return words;
}

// Thirty-two values of a field, from value First on.
template <class A, const auto& Field, std::size_t BlockBytes, int First = 0>
[[nodiscard]] BPW_INLINE simd::words32<A> words_of(const std::uint8_t* block) noexcept {
    if constexpr (is_array_of_words<std::remove_cvref_t<decltype(Field)>>) {
        return simd::words32<A>::from_bytes(
            simd::bytes64<A>::load(block + Field.low.rule.bit(0, First) / 8));
    } else {
        constexpr int width = std::remove_cvref_t<decltype(Field.low)>::width;
        const auto low = simd::gather_words<A, plan_of_words<Field, BlockBytes, First, 1>>(block);
        if constexpr (requires { Field.high; })
            return merged_words<A, upper_parts<Field>, BlockBytes, width, First>(low, block);
        else
            return low;
    }
}

}  // namespace detail

BPW_NAMESPACE_END
