// From the bytes of a tile to integer lanes and group scales.
//
// The unpack of a type follows from the layout of its code field: which planes hold the bits
// decides the lane order and the instructions. Types without such a rule are unpacked by their
// scalar decode, in natural order.
#pragma once

#include <bpw/core/matrix.hpp>
#include <bpw/formats/iqk.hpp>
#include <bpw/formats/k_quants.hpp>
#include <bpw/formats/table4.hpp>
#include <bpw/formats/tables.hpp>
#include <bpw/kernels/lane_order.hpp>
#include <bpw/simd/vector64.hpp>

BPW_NAMESPACE_BEGIN

/// A tile of a row: 256 / block_size blocks, fewer at the end of a row.
template <class T>
struct tile_ref {
    const matrix_view<T>& matrix;
    std::size_t row;
    std::size_t first_block;
    std::size_t blocks;

    static constexpr std::size_t full = tile_weights / std::size_t{traits<T>::block_size};

    [[nodiscard]] block_ref<T> block(std::size_t b = 0) const noexcept {
        return matrix.block(row, first_block + b);
    }
    /// Bytes from a block of the row to the next.
    static constexpr std::size_t stride = sizeof(typename T::block);
};

namespace detail {

// ---- how codes lie in their bytes -------------------------------------------------------------

template <class Field>
struct code_planes;  // not every field has a rule

// 256 codes in one plane.
template <int Width, int Run>
    requires(Width < 8)
struct code_planes<field<256, part<Width, plane<Width, Run>>>> {
    using order = plane_order<Width, Run>;
    template <int Step, class A, class T>
    [[nodiscard]] static simd::bytes64<A> codes(const tile_ref<T>& tile) noexcept {
        constexpr int slots = 8 / Width;
        const auto* const p = tile.block().bytes + T::q.low.rule.byte;
        const auto bytes = simd::bytes64<A>::load(p + 64 * (Step / slots));
        return bytes.template field<Width, Width*(Step % slots)>();
    }
};

// Upper bits in a second plane: 32 bytes that serve both halves of a step, with the slot of the
// upper half `Apart` slots above.
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
    [[nodiscard]] static simd::bytes64<A> codes(const tile_ref<T>& tile) noexcept {
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
    [[nodiscard]] static simd::bytes64<A> codes(const tile_ref<T>& tile) noexcept {
        const auto* const p = tile.block(4 * (Step / 2)).bytes + T::q.low.rule.byte;
        return simd::strided16<A>(p, tile_ref<T>::stride).template field<4, 4 * (Step % 2)>();
    }
};

// ---- what codes mean --------------------------------------------------------------------------

// Lanes as unsigned bytes: lane = u - bias, plus `step` where the group's shift bit is set.
template <class T>
struct unsigned_lanes {
    static constexpr int bias = traits<T>::lanes.min < 0 ? -traits<T>::lanes.min : 0;
    static constexpr int max = traits<T>::lanes.max + bias;
};

template <class T>
concept plane_unpacked = traits<T>::rows == 1 && requires {
    typename code_planes<std::remove_cv_t<decltype(T::q)>>::order;
};

template <int Bias>
std::true_type is_biased_codes(const biased_codes<Bias>*);
std::false_type is_biased_codes(const void*);

// Codes that are the unsigned lanes themselves.
template <class T>
concept linear_codes =
    plane_unpacked<T> && decltype(is_biased_codes(static_cast<const T*>(nullptr)))::value;

template <const auto& Table>
std::integral_constant<const std::array<std::int8_t, 16>*, &Table> table_of(
    const table_codes<Table>*);
std::false_type table_of(const void*);

template <class T>
concept table16_codes = plane_unpacked<T> &&
    !std::is_same_v<std::false_type, decltype(table_of(static_cast<const T*>(nullptr)))>;

}  // namespace detail

namespace detail {

template <const auto& Table, int Step>
struct shifted_table_tag {
    static constexpr const auto& table = Table;
    static constexpr int step = Step;
};
template <const auto& Table, int Step>
shifted_table_tag<Table, Step> shifted_table_of(const shifted_table<Table, Step>*);
void shifted_table_of(const void*);
template <class T>
using shifted_table_t = decltype(shifted_table_of(static_cast<const T*>(nullptr)));

// Codes that are looked up in a table which a bit of the group shifts. iq4_kss has the table, but
// no plain field of codes.
template <class T>
concept shifted_table_codes = !std::is_void_v<shifted_table_t<T>> && requires {
    T::q;
}
&&plane_unpacked<T>;

}  // namespace detail

/// Lanes through the scalar decode, in natural order: for every type and for the shorter tile at
/// the end of a row.
template <class T>
struct scalar_unpack {
    using order = natural_order;
    static constexpr int bias = detail::unsigned_lanes<T>::bias;
    static constexpr int max = detail::unsigned_lanes<T>::max;

    template <int Step, class A>
    [[nodiscard]] static simd::bytes64<A> lanes(const tile_ref<T>& tile) noexcept {
        alignas(64) std::uint8_t u[64];
        constexpr auto size = std::size_t{traits<T>::block_size};
        for (std::size_t i = 0; i < 64; ++i) {
            const std::size_t n = 64 * Step + i;
            const bool inside = n / size < tile.blocks;
            u[i] = static_cast<std::uint8_t>(
                inside ? T::lane(tile.block(n / size), static_cast<int>(n % size)) + bias : 0);
        }
        return simd::bytes64<A>::load(u);
    }
};

/// How the lanes of a full tile are unpacked: `order`, and lanes<Step>(tile), 64 unsigned bytes
/// that exceed the lanes by `bias` and are at most `max`.
template <class T>
struct unpack : scalar_unpack<T> {};

template <class T>
    requires detail::linear_codes<T>
struct unpack<T> {
    using planes = detail::code_planes<std::remove_cv_t<decltype(T::q)>>;
    using order = typename planes::order;
    static constexpr int bias = detail::unsigned_lanes<T>::bias;
    static constexpr int max = detail::unsigned_lanes<T>::max;

    template <int Step, class A>
    [[nodiscard]] static simd::bytes64<A> lanes(const tile_ref<T>& tile) noexcept {
        return planes::template codes<Step, A>(tile);
    }
};

template <class T>
    requires detail::table16_codes<T>
struct unpack<T> {
    using planes = detail::code_planes<std::remove_cv_t<decltype(T::q)>>;
    using order = typename planes::order;
    static constexpr int bias = detail::unsigned_lanes<T>::bias;
    static constexpr int max = detail::unsigned_lanes<T>::max;

    static constexpr auto table = [] {
        std::array<std::uint8_t, 16> biased{};
        const auto& levels = *decltype(detail::table_of(static_cast<const T*>(nullptr)))::value;
        for (std::size_t i = 0; i < 16; ++i) {
            biased[i] = static_cast<std::uint8_t>(levels[i] + bias);
        }
        return biased;
    }();

    template <int Step, class A>
    [[nodiscard]] static simd::bytes64<A> lanes(const tile_ref<T>& tile) noexcept {
        return planes::template codes<Step, A>(tile).template lookup<16>(table.data());
    }
};

// The unshifted table; the shift is part of what is added to a group (see scales_of).
template <class T>
    requires detail::shifted_table_codes<T>
struct unpack<T> {
    using planes = detail::code_planes<std::remove_cv_t<decltype(T::q)>>;
    using shifted = detail::shifted_table_t<T>;
    using order = typename planes::order;
    static constexpr int bias = -range_of(shifted::table).min;
    static constexpr int max = range_of(shifted::table).max + bias;
    static constexpr int step = shifted::step;

    static constexpr auto table = [] {
        constexpr auto size = shifted::table.size();
        std::array<std::uint8_t, (size < 16 ? 16 : size)> biased{};
        for (std::size_t i = 0; i < size; ++i) {
            biased[i] = static_cast<std::uint8_t>(shifted::table[i] + bias);
        }
        return biased;
    }();

    template <int Step, class A>
    [[nodiscard]] static simd::bytes64<A> lanes(const tile_ref<T>& tile) noexcept {
        return planes::template codes<Step, A>(tile).template lookup<table.size()>(table.data());
    }
};

namespace detail {

// ---- group scales -----------------------------------------------------------------------------

// The bits of one part of a field, for each run of 16 weights of a block of 256.
template <class Part, int Count>
struct part_plan {
    // The 16 bytes to load: from `first`, but inside the block.
    std::size_t first;
    simd::bit_plan plan;

    static constexpr part_plan make(Part part, std::size_t block_bytes) {
        std::array<std::size_t, 16> at{};
        std::size_t least = block_bytes;
        for (std::size_t run = 0; run < 16; ++run) {
            at[run] = part.rule.bit(0, static_cast<int>(run * std::size_t{Count} / 16));
            if (at[run] / 8 < least) least = at[run] / 8;
        }
        part_plan out{};
        out.first = least + 16 <= block_bytes ? least : block_bytes - 16;
        for (std::size_t run = 0; run < 16; ++run) {
            const auto byte = static_cast<std::uint8_t>(at[run] / 8 - out.first);
            const bool crosses = at[run] % 8 + Part::width > 8;
            out.plan.byte[4 * run] = byte;
            out.plan.byte[4 * run + 1] = crosses ? static_cast<std::uint8_t>(byte + 1) : byte;
            out.plan.byte[4 * run + 2] = out.plan.byte[4 * run + 3] = 128;
            out.plan.shift[run] = static_cast<std::int32_t>(at[run] % 8);
        }
        out.plan.mask = (1 << Part::width) - 1;
        return out;
    }
};

template <class Part, int Count>
[[nodiscard]] constexpr bool fits_a_plan(Part part, std::size_t block_bytes) {
    std::size_t least = ~std::size_t{0};
    std::size_t most = 0;
    for (int n = 0; n < Count; ++n) {
        const auto at = part.rule.bit(0, n);
        least = std::min(least, at / 8);
        most = std::max(most, (at + Part::width - 1) / 8);
    }
    return block_bytes >= 16 && most < least + 16;
}

template <int Count, class Low, class... High>
[[nodiscard]] constexpr bool fits_plans(const field<Count, Low, High...>& f,
                                        std::size_t block_bytes) {
    if (!fits_a_plan<Low, Count>(f.low, block_bytes)) return false;
    if constexpr (sizeof...(High) > 0)
        return fits_plans(f.high, block_bytes);
    else
        return true;
}

template <class A, class T, const auto* Field>
[[nodiscard]] simd::int16x<A> group_field(const std::uint8_t* block) noexcept {
    using f = std::remove_cvref_t<decltype(*Field)>;
    using low = std::remove_cvref_t<decltype(Field->low)>;
    static constexpr auto plan =
        part_plan<low, f::count>::make(Field->low, sizeof(typename T::block));
    const auto value = simd::gather_bits<A>(block + plan.first, plan.plan);
    if constexpr (requires { Field->high; }) {
        using high = std::remove_cvref_t<decltype(Field->high.low)>;
        static constexpr auto upper =
            part_plan<high, f::count>::make(Field->high.low, sizeof(typename T::block));
        const auto bits = simd::gather_bits<A>(block + upper.first, upper.plan);
        return value | bits.template shifted_left<low::width>();
    } else {
        return value;
    }
}

// The integer scales of a block's groups from its field `s`, for every rule that types have.
template <int Bias>
struct scale_rule {
    template <class V>
    static V apply(const V& s) noexcept {
        return s + -Bias;
    }
};
struct signed_rule {
    template <class V>
    static V apply(const V& s) noexcept {
        return (s ^ 128) + -128;
    }
};
template <int Factor, int Offset>
struct linear_rule {
    template <class V>
    static V apply(const V& s) noexcept {
        return s.template shifted_left<Factor - 1>() + Offset;
    }
};
struct odd_signed_rule {
    template <class V>
    static V apply(const V& s) noexcept {
        const V magnitude = (s & 15).template shifted_left<1>() + 1;
        return magnitude - (magnitude & (V::zero() - (s & 16).template shifted_right<4>()))
                               .template shifted_left<1>();
    }
};
odd_signed_rule rule_of_scales(const odd_signed_scales*);
template <int Bias>
scale_rule<Bias> rule_of_scales(const biased_scales<Bias>*);
scale_rule<0> rule_of_scales(const scale_and_min*);
signed_rule rule_of_scales(const signed_byte_scales*);
linear_rule<2, -127> rule_of_scales(const seven_bit_scales*);
template <int Divisor>
linear_rule<2, 1> rule_of_scales(const odd_scales<Divisor>*);
void rule_of_scales(const void*);

template <class T>
using rule_of_scales_t = decltype(rule_of_scales(static_cast<const T*>(nullptr)));

// Fields of one part or two.
template <class T>
concept vector_scales = traits<T>::block_size == 256 && traits<T>::rows == 1 &&
                        !std::is_void_v<rule_of_scales_t<T>> && requires {
    requires fits_plans(T::s, sizeof(typename T::block));
}
&&!requires { T::s.high.high; };

template <class A, class T>
[[nodiscard]] simd::int16x<A> group_scales(const std::uint8_t* block) noexcept {
    return rule_of_scales_t<T>::apply(group_field<A, T, &T::s>(block));
}

// Blocks of 32 with one f16 scale and maybe an f16 offset.
template <class T>
concept half_scale_per_32 = traits<T>::block_size == 32 && traits<T>::rows == 1 &&
                            !traits<T>::has_group_scale && std::is_base_of_v<half_block_scale, T> &&
                            (!traits<T>::has_offset || std::is_base_of_v<half_block_offset, T>);

}  // namespace detail

BPW_NAMESPACE_END
