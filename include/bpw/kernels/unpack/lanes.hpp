// The lanes of a whole tile.
#pragma once

#include <bpw/kernels/unpack/tile.hpp>

#include <utility>

BPW_NAMESPACE_BEGIN

/// The four steps of a tile, every lane lowered by By, modulo 256. An unpack whose steps share work
/// defines `tile_lanes`, which does it once: compilers cannot see that a gather gives the same
/// twice. One that looks lanes up gives them lowered, with By as a further argument of the
/// template.
template <class Unpack, class A, int By = 0, class T>
[[nodiscard]] BPW_INLINE std::array<simd::bytes64<A>, 4> lanes_of(
    const tile_ref<T>& tile) noexcept {
    if constexpr (By != 0 && requires { Unpack::template lanes<0, A, By>(tile); }) {
        return [&]<int... Step>(std::integer_sequence<int, Step...>) BPW_INLINE_LAMBDA {
            return std::array<simd::bytes64<A>, 4>{Unpack::template lanes<Step, A, By>(tile)...};
        }
        (std::make_integer_sequence<int, 4>{});
    } else if constexpr (By != 0) {
        auto lanes = lanes_of<Unpack, A>(tile);
        for (auto& step : lanes) {
            step = step + simd::bytes64<A>::all(static_cast<std::uint8_t>(-By));
        }
        return lanes;
    } else if constexpr (requires { Unpack::template tile_lanes<A>(tile); }) {
        return Unpack::template tile_lanes<A>(tile);
    } else {
        return [&]<int... Step>(std::integer_sequence<int, Step...>) BPW_INLINE_LAMBDA {
            return std::array<simd::bytes64<A>, 4>{Unpack::template lanes<Step, A>(tile)...};
        }
        (std::make_integer_sequence<int, 4>{});
    }
}

/// Bits of the second lanes, `fine_lanes`, that an unpack has for weights between integers: a
/// weight is lane - bias + fine lane / 2^fine_bits then, and sums of integers have the unit
/// 2^-fine_bits. 0 where there are none.
template <class Unpack>
inline constexpr int fine_bits = [] {
    if constexpr (requires { Unpack::fine_bits; })
        return Unpack::fine_bits;
    else
        return 0;
}();

/// The fine lanes of the four steps of a tile; nothing where there are none.
template <class Unpack, class A, class T>
[[nodiscard]] BPW_INLINE auto fine_lanes_of([[maybe_unused]] const tile_ref<T>& tile) noexcept {
    if constexpr (fine_bits<Unpack> != 0) {
        return [&]<int... Step>(std::integer_sequence<int, Step...>) BPW_INLINE_LAMBDA {
            return std::array<simd::bytes64<A>, 4>{Unpack::template fine_lanes<Step, A>(tile)...};
        }
        (std::make_integer_sequence<int, 4>{});
    } else {
        return std::array<simd::bytes64<A>, 0>{};
    }
}

BPW_NAMESPACE_END
