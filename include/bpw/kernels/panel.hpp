// What the panels of integer and float products share.
#pragma once

#include <bpw/simd/arch.hpp>

#include <cstddef>
#include <type_traits>
#include <utility>

BPW_NAMESPACE_BEGIN

namespace detail {

// Rows of a panel: a few registers of them are multiplied at a time.
inline constexpr std::size_t panel_rows = 32;

// Vectors that are multiplied at a time: their sums, with those of the rows, fit the registers.
template <class A>
inline constexpr std::size_t vectors_at_once = std::is_base_of_v<xsimd::avx512f, A> ? 6 : 3;

template <class F, std::size_t... I>
BPW_INLINE void for_each_index(std::index_sequence<I...>, F f) {
    (f(std::integral_constant<std::size_t, I>{}), ...);
}
// Calls f(0), ..., f(N - 1) with constants.
template <std::size_t N, class F>
BPW_INLINE void for_each_index(F f) {
    for_each_index(std::make_index_sequence<N>{}, f);
}

}  // namespace detail

BPW_NAMESPACE_END
