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

// Values First, First + 1, ... of a field, each Repeat times.
template <class A, const auto& Field, std::size_t BlockBytes, int First = 0, int Repeat = 1>
[[nodiscard]] BPW_INLINE simd::words32<A> words_of(const std::uint8_t* block) noexcept {
    using part = std::remove_cvref_t<decltype(Field.low)>;
    if constexpr (is_array_of_words<std::remove_cvref_t<decltype(Field)>>) {
        static_assert(Repeat == 1);
        return simd::words32<A>::from_bytes(
            simd::bytes64<A>::load(block + Field.low.rule.bit(0, First) / 8));
    } else {
        static constexpr auto plan = simd::word_plan::make(part::width, BlockBytes, [](int n) {
            return Field.low.rule.bit(0, First + n / Repeat);
        });
        const auto low = simd::gather_words<A, plan>(block);
        if constexpr (requires { Field.high; }) {
            return low | words_of<A, upper_parts<Field>, BlockBytes, First, Repeat>(block)
                             .template shifted_left<part::width>();
        } else {
            return low;
        }
    }
}

}  // namespace detail

BPW_NAMESPACE_END
