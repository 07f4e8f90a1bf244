// The lanes of a whole tile.
#pragma once

#include <bpw/kernels/unpack/tile.hpp>

#include <utility>

BPW_NAMESPACE_BEGIN

/// The four steps of a tile. An unpack whose steps share work defines `tile_lanes`, which does it
/// once: compilers cannot see that a gather gives the same twice.
template <class Unpack, class A, class T>
[[nodiscard]] BPW_INLINE std::array<simd::bytes64<A>, 4> lanes_of(
    const tile_ref<T>& tile) noexcept {
    if constexpr (requires { Unpack::template tile_lanes<A>(tile); }) {
        return Unpack::template tile_lanes<A>(tile);
    } else {
        return [&]<int... Step>(std::integer_sequence<int, Step...>) {
            return std::array<simd::bytes64<A>, 4>{Unpack::template lanes<Step, A>(tile)...};
        }
        (std::make_integer_sequence<int, 4>{});
    }
}

BPW_NAMESPACE_END
