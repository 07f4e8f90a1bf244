// What the panels of integer and float products share.
#pragma once

#include <bpw/simd/arch.hpp>

#include <array>
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

// The array f(0), ..., f(N - 1).
template <std::size_t N, class F>
[[nodiscard]] BPW_INLINE auto array_of(F f) {
    return [&]<std::size_t... I>(std::index_sequence<I...>) BPW_INLINE_LAMBDA {
        return std::array<decltype(f(std::size_t{0})), N>{f(I)...};
    }
    (std::make_index_sequence<N>{});
}

}  // namespace detail

BPW_NAMESPACE_END
