// Lanes from the lattice codebooks, four weights in a pair of bytes.
//
// The weights of a quad lie in the four nibbles of two bytes: first byte, high nibble; second,
// high; first, low; second, low. A nibble holds the code of a level and the weight's sign, each
// where it need not be moved: the sign of the four nibbles is bit 6, 7, 0 and 1. One lookup in a
// table of 16 then gives the lane. Codebooks of three levels have both codes of a nibble pair in
// one byte.
#pragma once

#include <bpw/formats/lattice.hpp>
#include <bpw/kernels/unpack/words.hpp>

#include <bit>

BPW_NAMESPACE_BEGIN

namespace detail {

/// Lane l of every step belongs to quad l.
struct lane_per_quad_order {
    [[nodiscard]] static constexpr int weight(int step, int lane) noexcept {
        return 4 * lane + step;
    }
};

// Where the code and the sign of weight k of a quad lie in its byte.
struct nibble_layout {
    std::array<int, 3> code;
    int sign;
};
template <std::size_t Levels>
inline constexpr std::array<nibble_layout, 4> nibble_layouts = [] {
    if constexpr (Levels <= 4)
        return std::array<nibble_layout, 4>{
            {{{4, 7, 7}, 6}, {{5, 6, 6}, 7}, {{1, 2, 2}, 0}, {{0, 3, 3}, 1}}};
    else
        return std::array<nibble_layout, 4>{
            {{{4, 5, 7}, 6}, {{4, 5, 6}, 7}, {{1, 2, 3}, 0}, {{0, 2, 3}, 1}}};
}();

template <std::size_t Levels>
inline constexpr int code_bits = Levels <= 4 ? 2 : 3;

// The bits of the byte with weights 0 and 2 (Which = 0), or 1 and 3, that are codes.
template <std::size_t Levels>
[[nodiscard]] constexpr std::uint8_t code_mask(std::size_t which) noexcept {
    int mask = 0;
    for (std::size_t k = which; k < 4; k += 2) {
        for (const int bit : nibble_layouts<Levels>[k].code) mask |= 1 << bit;
    }
    return static_cast<std::uint8_t>(mask);
}

// The codes of an octet's or quad's weights, where the lanes want them: a byte per quad, or two.
template <class Codebook>
inline constexpr auto packed_codes = [] {
    constexpr auto levels = Codebook::levels.size();
    constexpr auto length = std::size_t{Codebook::length};
    // The bits of each level for each weight, by level; plain arrays, because compilers count
    // steps.
    constexpr int most = 128;
    std::uint16_t bits[length][2 * most]{};
    for (std::size_t k = 0; k < length; ++k) {
        for (std::size_t code = 0; code < levels; ++code) {
            const auto byte = length == 8 ? k / 4 : k % 2;
            unsigned word = 0;
            for (std::size_t bit = 0; bit < std::size_t{code_bits<levels>}; ++bit) {
                const auto at = nibble_layouts<levels>[k % 4].code[bit];
                word |= static_cast<unsigned>(code >> bit & 1) << (8 * byte) << at;
            }
            bits[k][Codebook::levels[code] + most] = static_cast<std::uint16_t>(word);
        }
    }
    std::array<std::uint16_t, std::size_t{Codebook::entries}> out{};
    std::size_t e = 0;
    for (const auto& entry : lattice::grid<Codebook>) {
        unsigned word = 0;
        std::size_t k = 0;
        for (const int level : entry) word |= bits[k++][level + most];
        out[e++] = static_cast<std::uint16_t>(word);
    }
    return out;
}();

template <class Codebook>
inline constexpr auto codes_of_octets =
    simd::word_table<std::size_t{Codebook::entries}>::make(packed_codes<Codebook>);
template <class Codebook>
inline constexpr auto codes_of_quads =
    simd::pair_table<std::size_t{Codebook::entries}>::make(packed_codes<Codebook>);

// What a nibble means; f(level, negative) is the lane.
template <class Codebook, class F>
[[nodiscard]] constexpr std::array<simd::nibble_table, 4> nibble_tables(F f) {
    constexpr auto levels = Codebook::levels.size();
    std::array<simd::nibble_table, 4> out{};
    for (std::size_t k = 0; k < 4; ++k) {
        const auto& layout = nibble_layouts<levels>[k];
        for (unsigned nibble = 0; nibble < 16; ++nibble) {
            std::size_t code = 0;
            for (std::size_t bit = 0; bit < std::size_t{code_bits<levels>}; ++bit) {
                code |= std::size_t{nibble >> layout.code[bit] % 4 & 1} << bit;
            }
            if (code >= levels) continue;
            const bool negative = (nibble >> layout.sign % 4 & 1) != 0;
            out[k].set(nibble, static_cast<std::uint8_t>(f(Codebook::levels[code], negative)));
        }
    }
    return out;
}

// Codebooks of magnitudes with signs of their own.
template <class T>
concept signed_lattice_codes = requires {
    typename T::codebook;
    requires std::is_base_of_v<signed_lattice<typename T::codebook>, T>;
};

template <class T>
inline constexpr auto sign_plan = [] {
    if constexpr (requires { T::signs; }) {
        return simd::word_plan::make(8, sizeof(typename T::block),
                                     [](int o) { return T::signs.low.rule.bit(0, 8 * o); });
    } else {
        return simd::word_plan::make(7, sizeof(typename T::block),
                                     [](int o) { return T::signs7.low.rule.bit(0, o); });
    }
}();

// The signs of each quad where the nibbles want them.
template <class T, class A>
[[nodiscard]] BPW_INLINE simd::bytes64<A> quad_signs(const std::uint8_t* block) noexcept {
    auto octets = simd::gather_words<A, sign_plan<T>, true>(block);
    if constexpr (!requires { T::signs; }) {
        const auto complete = simd::with_parity<A>(octets.as_bytes());
        octets = simd::words32<A>::from_bytes(complete);
    }
    return simd::rotate_twins<A>(octets);
}

// The two bytes of each quad.
template <class T, class A>
[[nodiscard]] BPW_INLINE std::array<simd::bytes64<A>, 2> quad_codes(
    const std::uint8_t* block) noexcept {
    using codebook = typename T::codebook;
    std::array<simd::bytes64<A>, 2> codes;
    if constexpr (codebook::length == 8) {
        const auto index = words_of<A, T::index, sizeof(typename T::block)>(block);
        codes[0] = codes[1] = simd::lookup_words(codes_of_octets<codebook>, index);
    } else {
        const auto index = simd::bytes64<A>::load(block + T::index.low.rule.byte);
        const std::uint8_t* upper = nullptr;
        if constexpr (requires { T::index.high; }) upper = block + T::index.high.low.rule.byte;
        codes = simd::lookup_pairs(codes_of_quads<codebook>, index, upper);
    }
    return codes;
}

// Codebooks of -1, 0, 1 that a bit per octet or group shifts.
template <int OctetsPerShift>
std::integral_constant<int, OctetsPerShift> octets_per_shift(
    const shifted_ternary_lattice<OctetsPerShift>*);
void octets_per_shift(const void*);
template <class T>
using octets_per_shift_t = decltype(octets_per_shift(static_cast<const T*>(nullptr)));
template <class T>
concept shifted_lattice_codes = !std::is_void_v<octets_per_shift_t<T>>;

// The eight bits that end with the bit of an octet's shift.
template <class T>
inline constexpr auto shift_plan = simd::word_plan::make(8, sizeof(typename T::block), [](int o) {
    return T::shift.low.rule.bit(0, o / octets_per_shift_t<T>::value) - 7;
});

// As the base of an unpack: what is the same however the indices and signs are laid out.
template <class T>
struct lattice_lanes {
    // A power of two, because sums are multiplied with it.
    static constexpr int bias =
        static_cast<int>(std::bit_ceil(static_cast<unsigned>(traits<T>::lanes.max)));
    static constexpr int max = bias + traits<T>::lanes.max;

    // The lanes of sixty-four quads out of their codes and signs (or shifts).
    template <class A>
    [[nodiscard]] BPW_INLINE static std::array<simd::bytes64<A>, 4> of_quads(
        const std::array<simd::bytes64<A>, 2>& codes, const simd::bytes64<A>& signs) noexcept {
        constexpr auto levels = T::codebook::levels.size();
        const auto first = simd::select_bits<A>(code_mask<levels>(0), codes[0], signs);
        const auto second = simd::select_bits<A>(code_mask<levels>(1), codes[1], signs);
        return {simd::lookup_nibble<4, A>(tables[0], first),
                simd::lookup_nibble<4, A>(tables[1], second),
                simd::lookup_nibble<0, A>(tables[2], first),
                simd::lookup_nibble<0, A>(tables[3], second)};
    }

  private:
    static constexpr auto tables = nibble_tables<typename T::codebook>([](int level, bool set) {
        if constexpr (shifted_lattice_codes<T>)
            return bias + 8 * level + (set ? -1 : 1);
        else
            return bias + (set ? -level : level);
    });
};

}  // namespace detail

template <class T>
    requires(traits<T>::rows == 1 &&
             (detail::signed_lattice_codes<T> || detail::shifted_lattice_codes<T>))
struct unpack<T> : detail::lattice_lanes<T> {
    using order = detail::lane_per_quad_order;

    template <class A>
    [[nodiscard]] BPW_INLINE static std::array<simd::bytes64<A>, 4> tile_lanes(
        const tile_ref<T>& tile) noexcept {
        const auto* const block = tile.block().bytes;
        return unpack::template of_quads<A>(detail::quad_codes<T, A>(block), signs<A>(block));
    }
    template <int Step, class A>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> lanes(const tile_ref<T>& tile) noexcept {
        return tile_lanes<A>(tile)[Step];
    }

  private:
    template <class A>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> signs(const std::uint8_t* block) noexcept {
        if constexpr (detail::shifted_lattice_codes<T>)
            return simd::gather_words<A, detail::shift_plan<T>, true>(block)
                .filled_by_top_bit()
                .as_bytes();
        else
            return detail::quad_signs<T, A>(block);
    }
};

BPW_NAMESPACE_END
