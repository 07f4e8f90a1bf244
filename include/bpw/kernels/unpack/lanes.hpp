// The lanes of a whole tile.
#pragma once

#include <bpw/kernels/unpack/tile.hpp>

#include <utility>

BPW_NAMESPACE_BEGIN

namespace detail {

// Whether the steps share work that compilers do not see to be the same, such as a gather: then
// `tile_lanes` does it once.
template <class Unpack, class A, class T>
concept unpacks_whole_tiles = requires(const tile_ref<T>& tile) {
    Unpack::template tile_lanes<A>(tile);
};

// The lanes of one step, every lane lowered by By, modulo 256.
template <class Unpack, int Step, class A, int By, class T>
[[nodiscard]] BPW_INLINE simd::bytes64<A> lanes_of_step(const tile_ref<T>& tile) noexcept {
    if constexpr (By != 0 && requires { Unpack::template lanes<Step, A, By>(tile); })
        return Unpack::template lanes<Step, A, By>(tile);
    else if constexpr (By != 0)
        return Unpack::template lanes<Step, A>(tile) +
               simd::bytes64<A>::all(static_cast<std::uint8_t>(-By));
    else
        return Unpack::template lanes<Step, A>(tile);
}

}  // namespace detail

/// The four steps of a tile, every lane lowered by By, modulo 256. An unpack that looks lanes up
/// gives them lowered, with By as a further argument of the template.
template <class Unpack, class A, int By = 0, class T>
[[nodiscard]] BPW_INLINE std::array<simd::bytes64<A>, 4> lanes_of(
    const tile_ref<T>& tile) noexcept {
    if constexpr (detail::unpacks_whole_tiles<Unpack, A, T>) {
        auto lanes = Unpack::template tile_lanes<A>(tile);
        if constexpr (By != 0) {
            for (auto& step : lanes) {
                step = step + simd::bytes64<A>::all(static_cast<std::uint8_t>(-By));
            }
        }
        return lanes;
    } else {
        return [&]<int... Step>(std::integer_sequence<int, Step...>) BPW_INLINE_LAMBDA {
            return std::array<simd::bytes64<A>, 4>{
                detail::lanes_of_step<Unpack, Step, A, By>(tile)...};
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

namespace detail {

// The lanes of a tile, each step unpacked when it is asked for: compilers keep what is unpacked
// early in memory. Not where steps share work.
template <class Unpack, class A, int By, class T>
class lanes_by_steps {
  public:
    BPW_INLINE explicit lanes_by_steps(const tile_ref<T>& tile) noexcept : tile_(tile) {}
    template <int Step>
    [[nodiscard]] BPW_INLINE simd::bytes64<A> get() const noexcept {
        return lanes_of_step<Unpack, Step, A, By>(tile_);
    }

  private:
    const tile_ref<T>& tile_;
};
template <class Unpack, class A, int By, class T>
    requires unpacks_whole_tiles<Unpack, A, T>
class lanes_by_steps<Unpack, A, By, T> {
  public:
    BPW_INLINE explicit lanes_by_steps(const tile_ref<T>& tile) noexcept
        : lanes_(lanes_of<Unpack, A, By>(tile)) {}
    template <int Step>
    [[nodiscard]] BPW_INLINE const simd::bytes64<A>& get() const noexcept {
        return lanes_[Step];
    }

  private:
    std::array<simd::bytes64<A>, 4> lanes_;
};

}  // namespace detail

BPW_NAMESPACE_END
