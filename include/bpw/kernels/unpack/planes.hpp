// Codes out of bit planes: which planes hold the bits decides the lane order and the instructions.
#pragma once

#include <bpw/kernels/unpack/tile.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

template <class Field>
struct code_planes;  // not every field has a rule

// 256 codes in one plane.
template <int Width, int Run>
    requires(Width < 8)
struct code_planes<field<256, part<Width, plane<Width, Run>>>> {
    using order = plane_order<Width, Run>;
    template <int Step, class A, class T>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> codes(const tile_ref<T>& tile) noexcept {
        constexpr int slots = 8 / Width;
        const auto* const p = tile.block().bytes + T::q.low.rule.byte;
        const auto bytes = simd::bytes64<A>::load(p + 64 * (Step / slots));
        return bytes.template field<Width, Width*(Step % slots)>();
    }
};

// Upper bits in a second plane: 32 bytes that serve both halves of a step, each half with a slot of
// its own.
template <int Width, int Run, int High>
    requires(Width < 8)
struct code_planes<field<256, part<Width, plane<Width, Run>>, part<High, plane<High, 32>>>> {
    using low = code_planes<field<256, part<Width, plane<Width, Run>>>>;
    using order = typename low::order;

    // Where the upper bits of a lane are.
    static constexpr int byte_of(int step, int lane) {
        const int n = order::weight(step, lane);
        return 32 * (n / (32 * (8 / High))) + n % 32;
    }
    static constexpr int slot_of(int step, int lane) {
        return order::weight(step, lane) / 32 % (8 / High);
    }
    static constexpr bool regular = [] {
        for (int step = 0; step < 4; ++step) {
            for (int lane = 0; lane < 64; ++lane) {
                if (byte_of(step, lane) != byte_of(step, 0) + lane % 32) return false;
                if (slot_of(step, lane) != slot_of(step, lane / 32 * 32)) return false;
            }
        }
        return true;
    }();
    static_assert(regular);

    template <int Step, class A, class T>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> codes(const tile_ref<T>& tile) noexcept {
        const auto* const p = tile.block().bytes + T::q.high.low.rule.byte + byte_of(Step, 0);
        const auto upper =
            simd::halves<High, High * slot_of(Step, 0), High * slot_of(Step, 32), A>(p);
        return low::template codes<Step, A>(tile) | upper.template shifted_left<Width>();
    }
};

// Blocks of 32 with 16 bytes of nibbles; a step takes the nibbles of four blocks.
template <>
struct code_planes<field<32, part<4, plane<4, 16>>>> {
    using order = plane_order<4, 16>;
    template <int Step, class A, class T>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> codes(const tile_ref<T>& tile) noexcept {
        const auto* const p = tile.block(4 * (Step / 2)).bytes + T::q.low.rule.byte;
        return simd::strided16<A>(p, tile_ref<T>::stride).template field<4, 4 * (Step % 2)>();
    }
};

template <class T>
concept plane_unpacked = traits<T>::rows == 1 && requires {
    typename code_planes<std::remove_cv_t<decltype(T::q)>>::order;
};

}  // namespace detail

BPW_NAMESPACE_END
