// Lanes from the generator of the trellis types, sixteen starts at a time.
#pragma once

#include <bpw/formats/trellis.hpp>
#include <bpw/kernels/unpack/words.hpp>
#include <bpw/simd/transpose.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

template <type_id Id>
std::true_type is_trellis(const trellis_format<Id>*);
std::false_type is_trellis(const void*);

template <class T>
concept trellis_codes = decltype(is_trellis(static_cast<const T*>(nullptr)))::value;

// Runs of 8: two steps take the first and the last four weights of the same sixteen runs.
struct half_runs_order {
    [[nodiscard]] static constexpr int weight(int step, int lane) noexcept {
        return 128 * (step / 2) + 8 * (lane / 4) + 4 * (step % 2) + lane % 4;
    }
};

// Numbers First ... First + 3 of sixteen runs that begin with `start`, each as the sum of its four
// bytes of six bits: the unsigned lane.
template <int First, class A>
[[nodiscard]] BPW_INLINE simd::bytes64<A> run_sums(const simd::int16x<A>& start) noexcept {
    const auto number = [&](std::size_t k) BPW_INLINE_LAMBDA {
        const auto multiplier =
            static_cast<std::int32_t>(trellis::multipliers[std::size_t{First} + k]);
        return start * simd::int16x<A>::all(multiplier) & 0x3f3f3f3f;
    };
    return simd::sums_of_bytes<A>({number(0), number(1), number(2), number(3)});
}

// The unsigned lanes of a type with runs of 8.
template <class A, class T>
[[nodiscard]] BPW_INLINE std::array<simd::bytes64<A>, 4> sums_of_octets(
    const std::uint8_t* block) noexcept {
    const auto index = words_of<A, T::index, sizeof(typename T::block)>(block);
    const auto first = index.template widened<0>() + 4096;
    const auto second = index.template widened<1>() + 4096;
    return {run_sums<0, A>(first), run_sums<4, A>(first), run_sums<0, A>(second),
            run_sums<4, A>(second)};
}

// What the generator yields less 126.
inline constexpr int trellis_bias = 126;

}  // namespace detail

/// iq1_kt and iq2_kt.
template <class T>
    requires detail::trellis_codes<T>
struct unpack<T> {
    using order = detail::half_runs_order;
    static constexpr int bias = detail::trellis_bias;
    static constexpr int max = 4 * 63;

    template <class A>
    [[nodiscard]] BPW_INLINE static std::array<simd::bytes64<A>, 4> tile_lanes(
        const tile_ref<T>& tile) noexcept {
        return detail::sums_of_octets<A, T>(tile.block().bytes);
    }
    template <int Step, class A>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> lanes(const tile_ref<T>& tile) noexcept {
        return tile_lanes<A>(tile)[Step];
    }
};

/// Runs of 4, in natural order.
template <>
struct unpack<iq4_kt> {
    using T = iq4_kt;
    using order = natural_order;
    static constexpr int bias = detail::trellis_bias;
    static constexpr int max = 4 * 63;

    template <int Step, class A>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> lanes(const tile_ref<T>& tile) noexcept {
        constexpr auto size = sizeof(T::block);
        constexpr int first = 32 * (Step / 2);
        const auto* const block = tile.block().bytes;
        const auto low = detail::words_of<A, T::index, size, first>(block);
        const auto index = detail::merged_words<A, T::half, size, 15, first / 8, 8>(low, block);
        return detail::run_sums<0, A>(index.template widened<Step % 2>() + 4096);
    }
};

/// Magnitudes of what the generator yields, with signs of their own.
template <>
struct unpack<iq3_kt> {
    using T = iq3_kt;
    using order = detail::half_runs_order;
    static constexpr int bias = 128;
    static constexpr int max = bias + T::lanes.max;

    template <class A>
    [[nodiscard]] BPW_INLINE static std::array<simd::bytes64<A>, 4> tile_lanes(
        const tile_ref<T>& tile) noexcept {
        const auto* const block = tile.block().bytes;
        const auto sums = detail::sums_of_octets<A, T>(block);
        return {with_signs<0, A>(block, sums[0]), with_signs<1, A>(block, sums[1]),
                with_signs<2, A>(block, sums[2]), with_signs<3, A>(block, sums[3])};
    }
    template <int Step, class A>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> lanes(const tile_ref<T>& tile) noexcept {
        return tile_lanes<A>(tile)[Step];
    }

  private:
    // The sign of a weight is in the byte of its place in its group, a bit for each group. Every
    // other step has the same places.
    static constexpr auto place = [](int step, int lane) { return order::weight(step, lane) % 32; };
    template <int Step>
    static constexpr std::array<std::int32_t, 16> quad_of = [] {
        std::array<std::int32_t, 16> from{};
        for (int quad = 0; quad < 16; ++quad) {
            from[static_cast<std::size_t>(quad)] = place(Step, 4 * quad) / 4;
        }
        return from;
    }();
    template <int Step>
    static constexpr std::array<std::uint8_t, 64> bit_of = [] {
        std::array<std::uint8_t, 64> bits{};
        for (int lane = 0; lane < 64; ++lane) {
            bits[static_cast<std::size_t>(lane)] =
                static_cast<std::uint8_t>(1 << order::weight(Step, lane) / 32);
        }
        return bits;
    }();

    template <int Step, class A>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> with_signs(
        const std::uint8_t* block, const simd::bytes64<A>& sums) noexcept {
        using vector = simd::u8_batch<A>;
        const auto signs = simd::pick_quads<A>(block + T::signs.low.rule.byte, quad_of<Step % 2>);
        const auto bits = simd::bytes64<A>::load(bit_of<Step>.data());
        const vector zero(static_cast<std::uint8_t>(detail::trellis_bias));
        const vector middle(static_cast<std::uint8_t>(bias));
        return simd::bytes64<A>::make([&](std::size_t i) {
            const auto value = xsimd::bitwise_cast<std::int8_t>(sums.v[i] - zero);
            const auto magnitude = xsimd::bitwise_cast<std::uint8_t>(xsimd::abs(value));
            const auto negative = (signs.v[i] & bits.v[i]) != vector(0);
            return xsimd::select(negative, middle - magnitude, middle + magnitude);
        });
    }
};

BPW_NAMESPACE_END
