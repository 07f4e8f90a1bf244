// Lanes from codes that lie in planes: the codes themselves, or looked up in a table.
#pragma once

#include <bpw/formats/iqk.hpp>
#include <bpw/formats/table4.hpp>
#include <bpw/kernels/unpack/planes.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

template <int Bias>
std::true_type is_biased_codes(const biased_codes<Bias>*);
std::false_type is_biased_codes(const void*);

// Codes that are the unsigned lanes themselves.
template <class T>
concept linear_codes =
    plane_unpacked<T> && decltype(is_biased_codes(static_cast<const T*>(nullptr)))::value;

// Codes that are the lanes in two's complement.
template <class T>
concept signed_byte_codes = plane_unpacked<T> && std::is_base_of_v<signed_bytes, T>;

// Codes c of one bit for lanes 2 c - 1.
template <class T>
concept sign_bit_codes = plane_unpacked<T> && std::is_same_v<T, q1_0>;

template <const auto& Table>
std::integral_constant<const std::array<std::int8_t, 16>*, &Table> table_of(
    const table_codes<Table>*);
std::false_type table_of(const void*);

template <class T>
concept table16_codes = plane_unpacked<T> &&
    !std::is_same_v<std::false_type, decltype(table_of(static_cast<const T*>(nullptr)))>;

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

// Codes that are looked up in a table which a bit of the group shifts.
template <class T>
concept shifted_table_codes =
    !std::is_void_v<shifted_table_t<T>> && (plane_unpacked<T> || std::is_same_v<T, iq4_kss>);

// The table of lanes for codes that a bit of the group shifts.
template <class T>
struct shifted_lanes {
    using shifted = shifted_table_t<T>;
    static constexpr int bias = -range_of(shifted::table).min;
    static constexpr int max = range_of(shifted::table).max + bias;
    static constexpr auto table = [] {
        constexpr auto size = shifted::table.size();
        std::array<std::uint8_t, (size < 16 ? 16 : size)> biased{};
        for (std::size_t i = 0; i < biased.size(); ++i) {
            biased[i] = static_cast<std::uint8_t>(shifted::table[i % size] + bias);
        }
        return biased;
    }();
};
// Where weights are not integers, the next integers below and sixteenths.
template <class T>
    requires requires { T::cubic; }
struct shifted_lanes<T> {
    static constexpr int fine_bits = 4;
    static constexpr auto sixteenths = [] {
        std::array<int, T::cubic.size()> out{};
        for (std::size_t i = 0; i < out.size(); ++i) {
            const float scaled = 16.0f * T::cubic[i];
            out[i] = static_cast<int>(scaled + (scaled < 0.0f ? -0.5f : 0.5f));
        }
        return out;
    }();
    static constexpr int bias = -(*std::min_element(sixteenths.begin(), sixteenths.end()) >> 4);
    static constexpr int max =
        (*std::max_element(sixteenths.begin(), sixteenths.end()) >> 4) + bias;
    static constexpr auto table = [] {
        std::array<std::uint8_t, T::cubic.size()> out{};
        for (std::size_t i = 0; i < out.size(); ++i) {
            out[i] = static_cast<std::uint8_t>((sixteenths[i] >> 4) + bias);
        }
        return out;
    }();
    static constexpr auto fine_table = [] {
        std::array<std::uint8_t, T::cubic.size()> out{};
        for (std::size_t i = 0; i < out.size(); ++i) {
            out[i] = static_cast<std::uint8_t>(sixteenths[i] & 15);
        }
        return out;
    }();
};

// A table whose entries are lowered by By, modulo 256.
template <const auto& Table, int By>
inline constexpr auto lowered_table = [] {
    auto out = Table;
    for (auto& x : out) x = static_cast<std::uint8_t>(x - By);
    return out;
}();

// The same for codes whose bits do not come together.
template <const auto& Table, int By, class Planes>
inline constexpr auto spaced_table = [] {
    auto out = Table;
    for (std::size_t n = 0; n < out.size(); ++n) {
        out[n] = lowered_table<Table, By>[Planes::code_of_spaced(n)];
    }
    return out;
}();

template <class T>
concept has_codes = requires {
    T::q;
};
template <class T>
struct codes_of;
template <has_codes T>
struct codes_of<T> {
    using type = code_planes<std::remove_cv_t<decltype(T::q)>>;
};

// Codes as nibbles of v ^ (v << 1), v the upper 15 bits of a word.
struct parity_codes {
    using order = plane_order<4, 16>;
    static constexpr auto upper_bits = [] {
        std::array<std::uint8_t, 64> out{};
        for (std::size_t i = 0; i < 64; ++i) out[i] = i % 2 == 0 ? 0xfe : 0xff;
        return out;
    }();
    template <int Step, class A, class T>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> bytes(const tile_ref<T>& tile) noexcept {
        const auto words = simd::bytes64<A>::load(tile.block().bytes + 64 * (Step / 2));
        const auto upper = words & simd::bytes64<A>::load(upper_bits.data());
        return upper ^ words.template words_shifted_right<1>();
    }
    template <int Step, class A, bool Loose = false, class T>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> codes(const tile_ref<T>& tile) noexcept {
        return bytes<Step, A>(tile).template field<4, 4 * (Step % 2), Loose>();
    }
};
template <>
struct codes_of<iq4_kss> {
    using type = parity_codes;
};

// The lanes of a step by what Unpack makes of codes: a lookup in its table, or from_codes().
template <class Unpack, class Planes, int Step, int By, class A, class Tile>
[[nodiscard]] BPW_INLINE simd::bytes64<A> lanes_of_codes(const Tile& tile) noexcept {
    if constexpr (simd::looks_up_low_bits<A> && requires {
                      Unpack::table;
                      Planes::template codes<Step, A, true>(tile);
                  }) {
        return simd::lookup_low_bits<lowered_table<Unpack::table, By>>(
            Planes::template codes<Step, A, true>(tile));
    } else if constexpr (simd::looks_up_by_halves<A> && requires {
                             requires Unpack::table.size() == 32;
                             Planes::template where_upper_is_clear<Step, A>(tile);
                         }) {
        return simd::lookup_by_halves<lowered_table<Unpack::table, By>>(
            Planes::low::template codes<Step, A>(tile),
            Planes::template where_upper_is_clear<Step, A>(tile));
    } else if constexpr (requires {
                             requires Unpack::table.size() == 16;
                             Planes::template spaced_codes<Step, A>(tile);
                         }) {
        return Planes::template spaced_codes<Step, A>(tile).template lookup<16>(
            spaced_table<Unpack::table, By, Planes>.data());
    } else {
        return Unpack::template from_codes<By>(Planes::template codes<Step, A>(tile));
    }
}

}  // namespace detail

template <class T>
    requires detail::linear_codes<T>
struct unpack<T> {
    using planes = detail::code_planes<std::remove_cv_t<decltype(T::q)>>;
    using order = typename planes::order;
    static constexpr int bias = detail::unsigned_lanes<T>::bias;
    static constexpr int max = detail::unsigned_lanes<T>::max;

    template <int Step, class A>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> lanes(const tile_ref<T>& tile) noexcept {
        return detail::lanes_of_codes<unpack, planes, Step, 0, A>(tile);
    }
    template <int By = 0, class A>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> from_codes(
        const simd::bytes64<A>& codes) noexcept {
        return By == 0 ? codes : codes + simd::bytes64<A>::all(static_cast<std::uint8_t>(-By));
    }
};

template <class T>
    requires detail::signed_byte_codes<T>
struct unpack<T> {
    using planes = detail::code_planes<std::remove_cv_t<decltype(T::q)>>;
    using order = typename planes::order;
    static constexpr int bias = 128;
    static constexpr int max = 255;

    template <int Step, class A, int By = 0>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> lanes(const tile_ref<T>& tile) noexcept {
        return detail::lanes_of_codes<unpack, planes, Step, By, A>(tile);
    }
    template <int By = 0, class A>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> from_codes(
        const simd::bytes64<A>& codes) noexcept {
        static_assert(By == 0 || By == bias);
        return By == 0 ? codes ^ std::uint8_t{128} : codes;
    }
};

template <class T>
    requires detail::sign_bit_codes<T>
struct unpack<T> {
    using planes = detail::code_planes<std::remove_cv_t<decltype(T::q)>>;
    using order = typename planes::order;
    static constexpr int bias = 1;
    static constexpr int max = 2;

    template <int Step, class A>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> lanes(const tile_ref<T>& tile) noexcept {
        const auto codes = planes::template codes<Step, A>(tile);
        return codes + codes;
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

    template <int Step, class A, int By = 0>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> lanes(const tile_ref<T>& tile) noexcept {
        return detail::lanes_of_codes<unpack, planes, Step, By, A>(tile);
    }
    template <int By = 0, class A>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> from_codes(
        const simd::bytes64<A>& codes) noexcept {
        return codes.template lookup<16>(detail::lowered_table<table, By>.data());
    }
};

// The unshifted table; the shift is part of what is added to a group (see scales_of).
template <class T>
    requires detail::shifted_table_codes<T>
struct unpack<T> : detail::shifted_lanes<T> {
    using planes = typename detail::codes_of<T>::type;
    using order = typename planes::order;
    using detail::shifted_lanes<T>::table;
    static constexpr int step = detail::shifted_table_t<T>::step;

    template <int Step, class A, int By = 0>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> lanes(const tile_ref<T>& tile) noexcept {
        return detail::lanes_of_codes<unpack, planes, Step, By, A>(tile);
    }
    template <int By = 0, class A>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> from_codes(
        const simd::bytes64<A>& codes) noexcept {
        return codes.template lookup<table.size()>(detail::lowered_table<table, By>.data());
    }
    template <int Step, class A>
        requires requires { detail::shifted_lanes<T>::fine_table; }
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> fine_lanes(const tile_ref<T>& tile) noexcept {
        constexpr auto& fine = detail::shifted_lanes<T>::fine_table;
        if constexpr (simd::looks_up_low_bits<A>)
            return simd::lookup_low_bits<fine>(planes::template codes<Step, A, true>(tile));
        else
            return planes::template codes<Step, A>(tile).template lookup<fine.size()>(fine.data());
    }
};

BPW_NAMESPACE_END
