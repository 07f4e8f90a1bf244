// Lanes and scales of types that interleave the rows of a lattice type.
//
// A set of four vectors holds 64 columns of four rows, unpacked as the quads of one row of a
// lattice type are: lane l of every vector belongs to quad l of the set. The quads are in such an
// order that the four of a run of 16 columns follow each other, run after run, in each the rows.
#pragma once

#include <bpw/kernels/unpack/interleaved.hpp>
#include <bpw/kernels/unpack/lattice.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

template <class T>
concept interleaved_lattice = traits<T>::rows == 4 &&
                              (signed_lattice_codes<T> || shifted_lattice_codes<T>);

// Types whose interleaved rows are unpacked together.
template <class T>
concept interleaved_rows = interleaved_planes<T> || interleaved_lattice<T>;

template <class T>
    requires interleaved_lattice<T>
struct row_layout<T> {
    static constexpr int rows = 4;
    static constexpr int vectors = 16;
    static constexpr int quads = 4;
    static constexpr int group = std::min(32, traits<T>::group_size);
    static constexpr int groups = 256 / group;
    static constexpr int set = 4;
    static constexpr int sets = 4;
    [[nodiscard]] static constexpr int group_of(int s, int quad) noexcept {
        return 16 * (4 * s + quad) / group;
    }
};

// The same for all types, so that they share activations.
struct lattice_row_order {
    static constexpr int rows = 4;
    [[nodiscard]] static constexpr int weight(int step, int lane) noexcept {
        const int run = 4 * step + lane / 16;
        return 16 * run + 4 * (lane % 4) + lane % 16 / 4;
    }
    static void add_up(std::int32_t (&start)[64]) noexcept {
        for (std::size_t at = 0; at < 64; ++at) {
            if (at % 4 != 0) start[at / 4 * 4] += start[at];
        }
    }
};

// What a set is read from: a part of a block, or two blocks of 32 columns. The numbers of its
// octets, or quads, follow each other as in its lanes.
template <class T, int Set>
struct lattice_set {
    static constexpr bool whole_block = traits<T>::block_size == 256;
    static constexpr int first_block = whole_block ? 0 : Set * 64 / traits<T>::block_size;
    static constexpr std::size_t bytes =
        sizeof(typename T::block) * (whole_block ? 1 : 64 / std::size_t{traits<T>::block_size});
    static constexpr int first_octet = whole_block ? 32 * Set : 0;

    template <class Rule>
    [[nodiscard]] static constexpr std::size_t octet_bit(const Rule& rule, int at) noexcept {
        return row_by_row<Rule, 4, traits<T>::block_size / 8, sizeof(typename T::block), 2>{rule}
            .bit(0, first_octet + at);
    }
};

// Signs that are stored column by column in planes of bits: those of 4 rows and 32 columns in 16
// bytes, bit q of byte 4 k + i for column 4 q + i of row k.
template <class T>
concept signs_in_planes = requires {
    requires std::is_same_v<const decltype(values<256>(bits<1>(quads<1, 4>{0}))),
                            decltype(T::signs)>;
};

// Swaps bits of every integer: those whose position has bit J set with those that have bit K set.
template <int J, int K, class A>
[[nodiscard]] BPW_INLINE simd::int16x<A> swap_positions(const simd::int16x<A>& x) noexcept {
    constexpr int by = (1 << J) - (1 << K);
    constexpr auto lower = [] {
        std::uint32_t bits = 0;
        for (std::uint32_t p = 0; p < 32; ++p) {
            if ((p >> J & 1) == 0 && (p >> K & 1) == 1) bits |= 1u << p;
        }
        return bits;
    }();
    constexpr auto kept = static_cast<std::int32_t>(~(lower | lower << by));
    constexpr auto moved = static_cast<std::int32_t>(lower);
    return (x & kept) | (x & moved).template shifted_left<by>() |
           (x.template shifted_right<by>() & moved);
}

// Where the signs of a tile are read: in its block or, as records of 32 for every row, in a copy.
template <class A, class T>
class lattice_signs {
  public:
    BPW_INLINE explicit lattice_signs(const tile_ref<T>&) noexcept {}
    [[nodiscard]] BPW_INLINE const std::uint8_t* at(const std::uint8_t* block) const noexcept {
        return block;
    }
    static constexpr std::size_t bytes = lattice_set<T, 0>::bytes;
    static constexpr auto rule() noexcept { return T::signs.low.rule; }
};
template <class A, class T>
    requires signs_in_planes<T>
class lattice_signs<A, T> {
  public:
    BPW_INLINE explicit lattice_signs(const tile_ref<T>& tile) noexcept {
        const auto* const from = tile.block().bytes + T::signs.low.rule.byte;
        for (std::size_t i = 0; i < 128; i += 64) {
            // In each integer byte i, bit q becomes bit 4 q + i.
            const auto plane = simd::bytes64<A>::load(from + i);
            auto x = simd::int16x<A>::make(
                [&](std::size_t n) { return xsimd::bitwise_cast<std::int32_t>(plane.v[n]); });
            x = swap_positions<4, 2>(x);
            x = swap_positions<3, 1>(x);
            x = swap_positions<2, 0>(x);
            x = swap_positions<1, 0>(x);
            x.as_bytes().store(bytes_ + i);
        }
    }
    [[nodiscard]] BPW_INLINE const std::uint8_t* at(const std::uint8_t*) const noexcept {
        return bytes_;
    }
    static constexpr std::size_t bytes = 128;
    static constexpr auto rule() noexcept { return records<32, 16, 1, 4>{0}; }

  private:
    alignas(64) std::uint8_t bytes_[bytes];
};

template <class T>
struct shift_of_octet {
    [[nodiscard]] constexpr std::size_t bit(int k, int n) const noexcept {
        return T::shift.low.rule.bit(k, n / octets_per_shift_t<T>::value) - 7;
    }
};
template <class Rule>
struct signs_of_octet {
    Rule rule;
    [[nodiscard]] constexpr std::size_t bit(int k, int n) const noexcept {
        return rule.bit(k, 8 * n);
    }
};

// The signs of a set's octets, or the eight bits that end with the bit of each octet's shift.
template <class T, int Set>
inline constexpr auto row_sign_plan = [] {
    using set = lattice_set<T, Set>;
    if constexpr (shifted_lattice_codes<T>) {
        return simd::word_plan::make(
            8, set::bytes, [](int at) { return set::octet_bit(shift_of_octet<T>{}, at); });
    } else if constexpr (requires { T::signs; }) {
        using signs = lattice_signs<xsimd::generic, T>;
        return simd::word_plan::make(8, signs::bytes, [](int at) {
            return set::octet_bit(signs_of_octet<decltype(signs::rule())>{signs::rule()}, at);
        });
    } else {
        return simd::word_plan::make(
            7, set::bytes, [](int at) { return set::octet_bit(T::signs7.stored.low.rule, at); });
    }
}();

// Where the bytes of a set's indices lie, from the first of them on: a byte for every quad, or two
// for every octet.
template <class T>
inline constexpr auto index_bytes = [] {
    constexpr int each = T::codebook::length / 4;
    using rule = decltype(T::index.low.rule);
    std::array<std::uint8_t, 64> from{};
    for (int at = 0; at < 64; ++at) {
        const auto bit =
            row_by_row<rule, 4, 64 / each, 0, 4 / each>{T::index.low.rule}.bit(0, at / each);
        const auto byte = bit / 8 + static_cast<std::size_t>(at % each);
        from[static_cast<std::size_t>(at)] =
            static_cast<std::uint8_t>(byte - T::index.low.rule.byte);
    }
    return from;
}();
template <class T, int Set, class A>
[[nodiscard]] BPW_INLINE simd::bytes64<A> load_indices(const std::uint8_t* block) noexcept {
    return simd::load_permuted<index_bytes<T>, A>(block + T::index.low.rule.byte +
                                                  64 * std::size_t{Set});
}

// Indices of 9 bits in words with the signs of their octets above them.
template <class Field>
inline constexpr bool is_nine_bits_of_words = false;
template <int Count>
inline constexpr bool is_nine_bits_of_words<const field<Count, part<9, plane<16, 1, 4, 4>>>> = true;
template <class T>
concept signs_above_indices = requires {
    requires is_nine_bits_of_words<decltype(T::index)>;
    requires T::signs7.stored.low.rule.byte == T::index.low.rule.byte;
    requires T::signs7.stored.low.rule.sub == 9;
};

// Seven recoded bits of every octet, in both bytes of its word; the eighth sign, which makes the
// number of ones even, is the highest of them.
template <class A>
[[nodiscard]] BPW_INLINE simd::bytes64<A> recoded_quad_signs(
    const simd::bytes64<A>& stored) noexcept {
    return simd::rotate_twins<A>(simd::words32<A>::from_bytes(stored ^ (stored + stored)));
}

template <class T, int Set, class A>
[[nodiscard]] BPW_INLINE simd::bytes64<A> row_signs(const std::uint8_t* p) noexcept {
    if constexpr (signs_above_indices<T>) {
        const auto words = simd::words32<A>::from_bytes(load_indices<T, Set, A>(p));
        const auto stored = words.template shifted_right<9>();
        return recoded_quad_signs<A>((stored | stored.template shifted_left<8>()).as_bytes());
    } else {
        const auto octets = simd::gather_words<A, row_sign_plan<T, Set>, true>(p);
        if constexpr (shifted_lattice_codes<T>)
            return octets.filled_by_top_bit().as_bytes();
        else if constexpr (requires { T::signs; })
            return simd::rotate_twins<A>(octets);
        else
            return recoded_quad_signs<A>(octets.as_bytes() & simd::bytes64<A>::all(127));
    }
}

// The ninth bits of the indices of a set's quads, as a string.
template <class T, int Set>
[[nodiscard]] BPW_INLINE std::uint64_t ninth_bits(const std::uint8_t* block) noexcept {
    constexpr auto rule = T::index.high.low.rule;
    // They are stored row by row, four bits of each run.
    static_assert([&] {
        for (int at = 0; at < 64; ++at) {
            const auto n = 16 * Set + at / 32 * 8 + at % 8;
            if (rule.bit(at / 8 % 4, n) != 8 * rule.byte + static_cast<std::size_t>(64 * Set + at))
                return false;
        }
        return true;
    }());
    std::uint64_t x = 0;
    std::memcpy(&x, block + rule.byte + 8 * std::size_t{Set}, 8);
    std::uint64_t moved = (x ^ x >> 4) & 0x00f000f000f000f0u;
    x ^= moved ^ moved << 4;
    moved = (x ^ x >> 8) & 0x0000ff000000ff00u;
    return x ^ moved ^ moved << 8;
}

template <class T, int Set, class A>
[[nodiscard]] BPW_INLINE std::array<simd::bytes64<A>, 2> row_codes(
    const std::uint8_t* block) noexcept {
    using codebook = typename T::codebook;
    using set = lattice_set<T, Set>;
    if constexpr (codebook::length == 8) {
        const auto index = [&] {
            if constexpr (signs_above_indices<T>)
                return simd::words32<A>::from_bytes(load_indices<T, Set, A>(block)) & 511;
            else
                return words_of<A, sequence<T, T::index, 2>, set::bytes, set::first_octet>(block);
        }();
        const auto codes = simd::lookup_words(codes_of_octets<codebook>, index);
        return {codes, codes};
    } else {
        const auto index = load_indices<T, Set, A>(block);
        if constexpr (requires { T::index.high; }) {
            const auto bits = ninth_bits<T, Set>(block);
            std::uint8_t upper[8];
            std::memcpy(upper, &bits, 8);
            return simd::lookup_pairs(codes_of_quads<codebook>, index, upper);
        } else {
            return simd::lookup_pairs(codes_of_quads<codebook>, index);
        }
    }
}

// Scales whose four bits are the lowest bits of four bytes.
template <class T>
concept scales_in_four_bytes = requires {
    requires decltype(T::s.high.high.high)::width == 1;
};

template <class T>
inline constexpr auto row_scale_levels = [] {
    std::array<float, 16> out{};
    for (std::uint32_t v = 0; v < 1u << std::remove_cvref_t<decltype(T::s)>::width; ++v) {
        out[v] = scale_parts<T>::scale_of(v);
    }
    return out;
}();

// Whether the scales of all numbers lie at the same distances.
template <class T>
inline constexpr bool even_scale_steps = [] {
    const auto& levels = row_scale_levels<T>;
    for (std::size_t v = 1; v < std::size_t{1} << std::remove_cvref_t<decltype(T::s)>::width; ++v) {
        if (levels[v] - levels[v - 1] != levels[1] - levels[0]) return false;
    }
    return true;
}();

template <int J, class A, class T>
    requires interleaved_lattice<T>
[[nodiscard]] BPW_INLINE simd::float16<A> row_scales(const tile_ref<T>& tile) noexcept {
    const auto numbers = [&] {
        if constexpr (scales_in_four_bytes<T>) {
            static constexpr auto powers = [] {
                std::array<std::int8_t, 64> out{};
                for (std::size_t i = 0; i < 64; ++i) out[i] = static_cast<std::int8_t>(1 << i % 4);
                return out;
            }();
            const auto bytes = simd::bytes64<A>::load(tile.block().bytes + T::s.low.rule.byte +
                                                      64 * std::size_t{J});
            auto sum = simd::int16x<A>::zero();
            simd::add_dot4<1>(sum, bytes & simd::bytes64<A>::all(1), powers.data());
            return sum;
        } else {
            return row_numbers<A, T, T::s, J>(tile);
        }
    }();
    constexpr int width = std::remove_cvref_t<decltype(T::s)>::width;
    const auto scale = row_block_scales<J, A>(tile);
    if constexpr (even_scale_steps<T> && simd::gathers_rather_than_looks_up<A>) {
        constexpr auto& levels = row_scale_levels<T>;
        auto level = simd::float16<A>::all(levels[0]);
        level.add_product(numbers.to_float(), simd::float16<A>::all(levels[1] - levels[0]));
        return scale * level;
    } else {
        return scale * simd::lookup_floats<width>(row_scale_levels<T>, numbers);
    }
}

}  // namespace detail

template <class T>
    requires detail::interleaved_lattice<T>
struct unpack<T> : detail::lattice_lanes<T> {
    using order = detail::lattice_row_order;
};

namespace detail {

template <class A, class T>
    requires interleaved_lattice<T>
class row_sets<A, T> {
  public:
    BPW_INLINE explicit row_sets(const tile_ref<T>& tile) noexcept : tile_(tile), signs_(tile) {}

    template <int Set, int By = 0>
    [[nodiscard]] BPW_INLINE std::array<simd::bytes64<A>, 4> get() const noexcept {
        static_assert(By == 0, "the lanes are small");
        const auto* const block = tile_.block(lattice_set<T, Set>::first_block).bytes;
        return unpack<T>::template of_quads<A>(row_codes<T, Set, A>(block),
                                               row_signs<T, Set, A>(signs_.at(block)));
    }

  private:
    const tile_ref<T>& tile_;
    lattice_signs<A, T> signs_;
};

}  // namespace detail

BPW_NAMESPACE_END
