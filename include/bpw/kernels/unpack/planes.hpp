// Codes out of bit planes: which planes hold the bits decides the lane order and the instructions.
//
// Where codes are only looked up, some planes give them `Loose`, with any bits above them.
#pragma once

#include <bpw/formats/ternary.hpp>
#include <bpw/kernels/unpack/tile.hpp>
#include <bpw/simd/strided.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

template <class Field>
struct code_planes;  // not every field has a rule

// 256 codes in one plane.
template <int Width, int Run>
struct code_planes<field<256, part<Width, plane<Width, Run>>>> {
    using order = plane_order<Width, Run>;
    // The 64 bytes whose slots step `Step` is one of.
    template <int Step, class A, class T>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> bytes(const tile_ref<T>& tile) noexcept {
        return simd::bytes64<A>::load(tile.block().bytes + T::q.low.rule.byte +
                                      64 * (Step / (8 / Width)));
    }
    template <int Step, class A, bool Loose = false, class T>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> codes(const tile_ref<T>& tile) noexcept {
        return bytes<Step, A>(tile).template field<Width, Width*(Step % (8 / Width)), Loose>();
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

    template <int Step, class A, bool Loose = false, class T>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> codes(const tile_ref<T>& tile) noexcept {
        const auto* const p = tile.block().bytes + T::q.high.low.rule.byte + byte_of(Step, 0);
        const auto upper =
            simd::fields_of_halves<High, High * slot_of(Step, 0), High * slot_of(Step, 32), Width,
                                   Loose>(simd::twice32<A>(p));
        const auto lower = low::template codes<Step, A, Loose>(tile);
        return Loose ? simd::joined<Width>(lower, upper) : lower | upper;
    }
};

// Blocks of less than 256 weights: a vector takes the codes of several, one behind the other.
template <int Count, int Width, int Run>
    requires(Count<256 && Count * Width % 128 == 0 && Width> 1)
struct code_planes<field<Count, part<Width, plane<Width, Run>>>> {
    using order = plane_order<Width, Run>;
    static constexpr auto block_bytes = std::size_t{Count} * Width / 8;

    template <int Step, class A, class T>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> bytes(const tile_ref<T>& tile) noexcept {
        constexpr auto first = std::size_t{Step} / (8 / Width) * 64 / block_bytes;
        return simd::load_pieces<block_bytes, tile_ref<T>::stride, A>(tile.block(first).bytes +
                                                                      T::q.low.rule.byte);
    }
    template <int Step, class A, bool Loose = false, class T>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> codes(const tile_ref<T>& tile) noexcept {
        return bytes<Step, A>(tile).template field<Width, Width*(Step % (8 / Width)), Loose>();
    }
};

// One slot for each 32 of 128 weights, the first in the top bits.
template <>
struct code_planes<field<128, part<2, i2_s::top_bits_first>>> {
    using order = plane_order<2, 32>;
    template <int Step, class A, class T>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> codes(const tile_ref<T>& tile) noexcept {
        return simd::load_pieces<32, tile_ref<T>::stride, A>(tile.block().bytes)
            .template field<2, 6 - 2 * Step>();
    }
};

// Two blocks of 128 bits. A step takes one bit of each of the 32 bytes and then the bit four above.
template <>
struct code_planes<field<128, part<1, plane<1>>>> {
    struct order {
        [[nodiscard]] static constexpr int weight(int step, int lane) noexcept {
            return 8 * (lane % 32) + step + 4 * (lane / 32);
        }
    };
    template <int Step, class A, class T>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> codes(const tile_ref<T>& tile) noexcept {
        constexpr auto next = tile_ref<T>::stride;
        const auto bytes =
            simd::load_quarters<A>(tile.block().bytes + T::q.low.rule.byte, {0, next, 0, next});
        constexpr int low = Step;
        constexpr int high = Step + 4;
        return simd::fields_of_octets<1, 0, low, low, low, low, high, high, high, high>(bytes);
    }
};

// Blocks of 32 with 16 bytes of nibbles and, in front of these, upper bits.
struct nibbles_with_upper_bits {
    using low = code_planes<field<32, part<4, plane<4, 16>>>>;
    using order = typename low::order;

    // 16 bytes of each of the four blocks from the upper bits on.
    template <int Step, class A, class T>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> upper_bytes(const tile_ref<T>& tile) noexcept {
        constexpr auto at = T::q.high.low.rule.byte;
        static_assert(at + 16 <= sizeof(typename T::block));
        return simd::load_pieces<16, tile_ref<T>::stride, A>(tile.block(4 * (Step / 2)).bytes + at);
    }
};

// A string of 32 fifth bits.
template <>
struct code_planes<field<32, part<4, plane<4, 16>>, part<1, plane<1>>>> : nibbles_with_upper_bits {
    static constexpr auto bit_of_lane = [] {
        std::array<std::uint8_t, 64> out{};
        for (std::size_t i = 0; i < 64; ++i) out[i] = static_cast<std::uint8_t>(1 << i % 8);
        return out;
    }();
    template <int Step>
    static constexpr auto byte_of_lane = [] {
        std::array<std::uint8_t, 64> out{};
        for (std::size_t i = 0; i < 64; ++i) {
            out[i] = static_cast<std::uint8_t>(2 * (Step % 2) + i % 16 / 8);
        }
        return out;
    }();

    template <int Step, class A, class T>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> codes(const tile_ref<T>& tile) noexcept {
        const auto lower = low::template codes<Step, A>(tile);
        if constexpr (simd::masks_are_bits<A>) {
            return simd::add_where<16>(lower, upper_bits<Step>(tile));
        } else {
            const auto string =
                simd::shuffle_quarters(upper_bytes<Step, A>(tile), byte_of_lane<Step>);
            return lower | simd::where_bit<16>(string, bit_of_lane);
        }
    }

  private:
    // Those of the step's 64 lanes, 16 from each of four blocks.
    template <int Step, class T>
    [[nodiscard]] BPW_INLINE static std::uint64_t upper_bits(const tile_ref<T>& tile) noexcept {
        constexpr auto at = std::size_t{T::q.high.low.rule.byte} + 2 * (Step % 2);
        std::uint64_t bits = 0;
        for (std::size_t b = 0; b < 4; ++b) {
            std::uint16_t of_block = 0;
            std::memcpy(&of_block, tile.block(4 * (Step / 2) + b).bytes + at, 2);
            bits |= std::uint64_t{of_block} << 16 * b;
        }
        return bits;
    }
};

// Four pairs of upper bits in each of eight bytes.
template <>
struct code_planes<field<32, part<4, plane<4, 16>>, part<2, q6_0::high_bits>>>
    : nibbles_with_upper_bits {
    static constexpr auto byte_of_lane = [] {
        std::array<std::uint8_t, 64> out{};
        for (std::size_t i = 0; i < 64; ++i) out[i] = static_cast<std::uint8_t>(i % 8);
        return out;
    }();

    template <int Step, class A, class T>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> codes(const tile_ref<T>& tile) noexcept {
        const auto pairs = simd::shuffle_quarters(upper_bytes<Step, A>(tile), byte_of_lane);
        constexpr int a = 2 * (Step % 2);
        constexpr int b = a + 4;
        return low::template codes<Step, A>(tile) |
               simd::fields_of_octets<2, 4, a, b, a, b, a, b, a, b>(pairs);
    }
};

template <class T>
concept plane_unpacked = traits<T>::rows == 1 && requires {
    typename code_planes<std::remove_cv_t<decltype(T::q)>>::order;
};

}  // namespace detail

BPW_NAMESPACE_END
