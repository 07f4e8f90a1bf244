// Lanes from the generator of the trellis types, sixteen at a time.
#pragma once

#include <bpw/formats/trellis.hpp>
#include <bpw/kernels/unpack/numbers.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

template <type_id Id>
std::true_type is_trellis(const trellis_format<Id>*);
std::false_type is_trellis(const void*);

// Types whose lanes are the generator's values; iq3_kt has signs of its own.
template <class T>
concept trellis_codes = decltype(is_trellis(static_cast<const T*>(nullptr)))::value && !requires {
    T::signs;
};

}  // namespace detail

/// In natural order: a quad of lanes is values 0..3 or 4..7 of a run.
template <class T>
    requires detail::trellis_codes<T>
struct unpack<T> {
    using order = natural_order;
    // The sum of the four bytes of 6 bits is the unsigned lane.
    static constexpr int bias = 126;
    static constexpr int max = 4 * 63;
    static constexpr int run = 256 / T::index.count;

    template <int Step>
    static constexpr std::array<int, 16> index_of_quad = [] {
        std::array<int, 16> from{};
        for (int quad = 0; quad < 16; ++quad) {
            from[static_cast<std::size_t>(quad)] = (64 * Step + 4 * quad) / run;
        }
        return from;
    }();
    template <int Step>
    static constexpr std::array<int, 16> group_of_quad = [] {
        std::array<int, 16> from{};
        for (int quad = 0; quad < 16; ++quad) {
            from[static_cast<std::size_t>(quad)] = (64 * Step + 4 * quad) / 32;
        }
        return from;
    }();
    // The multiplier of value `k` of every quad.
    static constexpr auto multipliers = [] {
        std::array<std::array<std::int32_t, 16>, 4> out{};
        for (std::size_t k = 0; k < 4; ++k) {
            for (std::size_t quad = 0; quad < 16; ++quad) {
                const auto at = (4 * quad + k) % std::size_t{run};
                out[k][quad] = static_cast<std::int32_t>(trellis::multipliers[at]);
            }
        }
        return out;
    }();

    template <int Step, class A>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> lanes(const tile_ref<T>& tile) noexcept {
        using ints = simd::int16x<A>;
        constexpr auto size = sizeof(typename T::block);
        const auto* const block = tile.block().bytes;
        auto index = detail::numbers_of<A, T::index, index_of_quad<Step>, size>(block);
        if constexpr (requires { T::half; }) {
            const auto half = detail::numbers_of<A, T::half, group_of_quad<Step>, size>(block);
            index = index | half.template shifted_left<15>();
        }
        const auto start = index + 4096;
        ints bytes = ints::zero();
        [&]<std::size_t... K>(std::index_sequence<K...>) {
            ((bytes = bytes | byte_sums(start * ints::load(multipliers[K].data()) & 0x3f3f3f3f)
                                  .template shifted_left<8 * K>()),
             ...);
        }
        (std::make_index_sequence<4>{});
        return bytes.as_bytes();
    }

  private:
    template <class A>
    [[nodiscard]] BPW_INLINE static simd::int16x<A> byte_sums(const simd::int16x<A>& x) noexcept {
        static constexpr auto ones = [] {
            std::array<std::int8_t, 64> out{};
            for (auto& one : out) one = 1;
            return out;
        }();
        auto sums = simd::int16x<A>::zero();
        simd::add_dot4<63>(sums, x.as_bytes(), ones.data());
        return sums;
    }
};

BPW_NAMESPACE_END
