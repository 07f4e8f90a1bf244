// Lanes and scales of types that interleave rows, from the layout of their fields.
//
// A vector of 64 bytes holds 16 / R quads of each of R rows: quad after quad, in each the rows. So
// a sum of 16 integers belongs to R rows, and their scales are loaded as they lie in the block.
#pragma once

#include <bpw/formats/interleaved.hpp>
#include <bpw/kernels/unpack/codes.hpp>
#include <bpw/kernels/unpack/scales.hpp>
#include <bpw/simd/rows.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

// Whose codes and scales have the same meaning: the base type, where there is one.
template <class T>
struct same_codes {
    using type = typename T::base;
};
template <>
struct same_codes<q8_k_r8> {
    using type = q8_K;
};
struct biased_bytes {
    static constexpr int bias = 128;
    static constexpr int max = 255;
    template <int By = 0, class A>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> from_codes(
        const simd::bytes64<A>& codes) noexcept {
        return By == 0 ? codes : codes + simd::bytes64<A>::all(static_cast<std::uint8_t>(-By));
    }
};
template <class T>
struct code_rule : unpack<typename same_codes<T>::type> {};
template <>
struct code_rule<q8_k_r16> : biased_bytes {};

// Whether slots of codes lie in vectors as row_layout expects it: any other layout, of a user's own
// type, is decoded row by row.
template <class T>
[[nodiscard]] constexpr bool quads_fill_vectors() noexcept {
    constexpr int rows = traits<T>::rows;
    constexpr int width = std::remove_cvref_t<decltype(T::q.low)>::width;
    constexpr int vectors = traits<T>::block_size * rows / 64;
    if (8 % width != 0 || 16 % rows != 0 || traits<T>::block_size * rows % 64 != 0) return false;
    for (int k = 0; k < rows; ++k) {
        for (int n = 0; n < traits<T>::block_size; ++n) {
            const auto at = [&](int row, int column) {
                return static_cast<int>(T::q.low.rule.bit(row, column) - 8 * T::q.low.rule.byte);
            };
            const int bit = at(k, n);
            if (bit / 512 * (8 / width) + bit % 8 / width >= vectors) return false;
            if (bit != at(k, n / 4 * 4) + n % 4 * 8) return false;
            if (bit != at(0, n) + 32 * k) return false;
            if (at(0, n) % 512 / 32 % rows != 0) return false;
        }
    }
    return true;
}

// Types whose codes lie in planes of vectors. bf16_r16 has no codes, lattice types have indices.
template <class T>
concept interleaved_planes = (traits<T>::rows > 1) && requires {
    T::q.low.rule.byte;
}
&&quads_fill_vectors<T>() && !requires { code_rule<T>::is_scalar; };

// Where the quads of a type lie: the row and column of each of the sixteen in a vector.
template <class T>
struct row_layout {
    static constexpr int rows = traits<T>::rows;
    static constexpr int block_size = traits<T>::block_size;
    static constexpr int width = std::remove_cvref_t<decltype(T::q.low)>::width;
    static constexpr int slots = 8 / width;
    /// Vectors in a block and in a tile of 256 columns, and distinct quads of columns in each.
    static constexpr int block_vectors = block_size * rows / 64;
    static constexpr int vectors = 4 * rows;
    static constexpr int quads = 16 / rows;

    struct place {
        int row = -1;
        int column = -1;
    };
    // Vectors follow each other load by load, the slots of a load one after the other.
    static constexpr auto places = [] {
        std::array<std::array<place, 16>, std::size_t{block_vectors}> out{};
        for (int k = 0; k < rows; ++k) {
            for (int n = 0; n < block_size; n += 4) {
                const auto bit = static_cast<int>(T::q.low.rule.bit(k, n) - 8 * T::q.low.rule.byte);
                const int vector = bit / 512 * slots + bit % 8 / width;
                out[static_cast<std::size_t>(vector)][static_cast<std::size_t>(bit % 512 / 32)] = {
                    k, n};
            }
        }
        return out;
    }();
    static constexpr bool regular = [] {
        for (const auto& vector : places) {
            for (std::size_t i = 0; i < 16; ++i) {
                if (vector[i].row != static_cast<int>(i) % rows) return false;
                if (vector[i].column != vector[i - i % std::size_t{rows}].column) return false;
            }
        }
        return true;
    }();
    static_assert(regular);

    // The column in the tile of quad `quad` of vector `v` of the tile.
    [[nodiscard]] static constexpr int column(int v, int quad) noexcept {
        const auto& in_block = places[static_cast<std::size_t>(v % block_vectors)];
        return v / block_vectors * block_size +
               in_block[static_cast<std::size_t>(quad * rows)].column;
    }

    // Columns that share a scale, of weights and of activations.
    static constexpr int group = std::min(32, traits<T>::group_size);
    static constexpr int groups = 256 / group;

    // As many vectors follow each other whose quads are in the same groups.
    static constexpr int set = [] {
        int size = 8;
        const auto fits = [](int n) {
            for (int v = 0; v < vectors; ++v) {
                for (int quad = 0; quad < quads; ++quad) {
                    if (column(v, quad) / group != column(v / n * n, quad) / group) return false;
                }
            }
            return true;
        };
        while (!fits(size)) size /= 2;
        return size;
    }();
    static constexpr int sets = vectors / set;
    // The group of quad `quad` of set `s`.
    [[nodiscard]] static constexpr int group_of(int s, int quad) noexcept {
        return column(s * set, quad) / group;
    }
};

// In a set, adds the sums of quads that go to the same lanes to those of its first vector.
template <class T>
void add_up_sets(std::int32_t (&start)[64]) noexcept {
    constexpr auto place = simd::place_of_row_quad<std::size_t{row_layout<T>::rows}>;
    constexpr auto set = std::size_t{row_layout<T>::set};
    for (std::size_t v = 0; v < std::size_t{row_layout<T>::vectors}; ++v) {
        for (std::size_t quad = 0; quad < std::size_t{row_layout<T>::quads}; ++quad) {
            if (v % set != 0) start[place(v / set * set, quad)] += start[place(v, quad)];
        }
    }
}

// The order of the quads that the rows are multiplied with.
template <class T>
struct row_order {
    using layout = row_layout<T>;
    static constexpr int rows = layout::rows;
    static constexpr auto columns = [] {
        std::array<std::int16_t, 64> out{};
        for (int v = 0; v < layout::vectors; ++v) {
            for (int quad = 0; quad < layout::quads; ++quad) {
                out[simd::place_of_row_quad<std::size_t{rows}>(static_cast<std::size_t>(v),
                                                               static_cast<std::size_t>(quad))] =
                    static_cast<std::int16_t>(layout::column(v, quad));
            }
        }
        return out;
    }();
    [[nodiscard]] static constexpr int weight(int step, int lane) noexcept {
        return columns[static_cast<std::size_t>(16 * step + lane / 4)] + lane % 4;
    }
    static void add_up(std::int32_t (&start)[64]) noexcept { add_up_sets<T>(start); }
};

// Upper bits of a vector's codes: a place for each quarter of 16 bytes.
template <class T, int V>
struct upper_plan {
    using layout = row_layout<T>;
    static constexpr auto rule = T::q.high.low.rule;
    static constexpr int width = std::remove_cvref_t<decltype(T::q.high.low)>::width;
    static constexpr auto bit_of(std::size_t lane) {
        const auto place = layout::places[std::size_t{V}][lane / 4];
        return rule.bit(place.row, place.column + static_cast<int>(lane % 4));
    }
    static constexpr simd::quarter_offsets at{bit_of(0) / 8, bit_of(16) / 8, bit_of(32) / 8,
                                              bit_of(48) / 8};
    static constexpr int shift(std::size_t quarter) {
        return static_cast<int>(bit_of(16 * quarter) % 8);
    }
    static_assert([] {
        for (std::size_t lane = 0; lane < 64; ++lane) {
            if (bit_of(lane) != bit_of(lane / 16 * 16) + 8 * (lane % 16)) return false;
        }
        return true;
    }());
};

// Numbers of interleaved rows as one sequence: numbers 0 ... Chunk - 1 of row 0, of row 1, ..., the
// next Chunk numbers of row 0 ... Blocks that follow each other go on with it.
template <class Rule, int Rows, int Count, std::size_t BlockBytes, int Chunk>
struct row_by_row {
    Rule rule;
    [[nodiscard]] constexpr std::size_t bit(int, int at) const noexcept {
        const int n = at / (Chunk * Rows) * Chunk + at % Chunk;
        return 8 * BlockBytes * static_cast<std::size_t>(n / Count) +
               rule.bit(at / Chunk % Rows, n % Count);
    }
};
template <int Rows, std::size_t BlockBytes, int Chunk, int Count, class Low>
[[nodiscard]] constexpr auto sequence_of(const field<Count, Low>& f) noexcept {
    using rule = row_by_row<std::remove_cv_t<decltype(f.low.rule)>, Rows, Count, BlockBytes, Chunk>;
    return field<Count * Rows, part<Low::width, rule>>{{{f.low.rule}}};
}
template <int Rows, std::size_t BlockBytes, int Chunk, int Count, class Low, class Next,
          class... High>
[[nodiscard]] constexpr auto sequence_of(const field<Count, Low, Next, High...>& f) noexcept {
    using rule = row_by_row<std::remove_cv_t<decltype(f.low.rule)>, Rows, Count, BlockBytes, Chunk>;
    const auto prepend = [&]<int N, class... Parts>(const field<N, Parts...>& high) {
        return field<N, part<Low::width, rule>, Parts...>{{{f.low.rule}}, high};
    };
    return prepend(sequence_of<Rows, BlockBytes, Chunk>(f.high));
}
template <class T, const auto& Field, int Chunk = 1>
inline constexpr auto sequence =
    sequence_of<traits<T>::rows, sizeof(typename T::block), Chunk>(Field);

// Where sixteen numbers of a field lie, from number 16 J of its sequence on.
template <class T, const auto& Field, int J>
struct row_numbers_place {
    // Blocks of less than 256 columns are read from the one on in which the numbers begin.
    static constexpr int first = 16 / traits<T>::rows * J;
    static constexpr int per_block = std::remove_cvref_t<decltype(Field)>::count;
    static constexpr int block = first / per_block;
    static constexpr auto bytes =
        std::size_t{std::max(1, 16 / traits<T>::rows / per_block)} * sizeof(typename T::block);
    static constexpr auto from = [] {
        std::array<int, 16> out{};
        for (int i = 0; i < 16; ++i) {
            out[static_cast<std::size_t>(i)] = (first - block * per_block) * traits<T>::rows + i;
        }
        return out;
    }();
};

// These numbers; those of the lowest part of the field with other bits above them.
template <class A, class T, const auto& Field, int J>
[[nodiscard]] BPW_INLINE simd::int16x<A> row_numbers(const tile_ref<T>& tile) noexcept {
    using place = row_numbers_place<T, Field, J>;
    return numbers_of<A, sequence<T, Field>, place::from, place::bytes>(
        tile.block(place::block).bytes);
}
template <class A, class T, const auto& Field, int J>
[[nodiscard]] BPW_INLINE simd::int16x<A> row_bits(const tile_ref<T>& tile) noexcept {
    using place = row_numbers_place<T, Field, J>;
    return bits_of<A, sequence<T, Field>, place::from, place::bytes>(
        tile.block(place::block).bytes);
}

// f16 numbers of the rows of the blocks from `block` on, as the sixteen sums of a vector have them.
template <class A, class T, const auto& Half>
[[nodiscard]] BPW_INLINE simd::float16<A> row_halves(const tile_ref<T>& tile,
                                                     std::size_t block) noexcept {
    constexpr auto rows = std::size_t{traits<T>::rows};
    constexpr bool one_block = traits<T>::block_size == 256;
    return simd::runs_of_halves < rows, one_block ? 0 : tile_ref<T>::stride,
           A > (tile.block(block).bytes + Half.low.rule.byte);
}

// Types whose block_scale is a constant times the f16 number d of the block or of the row.
template <class T>
concept half_scales = traits<T>::header_bytes == 2 || requires {
    requires std::is_same_v<const decltype(half_at<traits<T>::rows>(0)), decltype(T::d)>;
};
template <class T>
inline constexpr float half_scale_factor = [] {
    constexpr std::uint32_t one = 0x3c00;
    std::uint8_t bytes[sizeof(typename T::block)]{};
    std::uint8_t header[2]{};
    if constexpr (requires { T::d; }) T::d.set(bytes, 0, 0, one);
    write_bits(header, 0, 16, one);
    return T::block_scale(block_ref<T>{bytes, header});
}();

// The scales of blocks or rows for vector J of the tile's scales: groups J * 16 / R ...
template <int J, class A, class T>
[[nodiscard]] BPW_INLINE simd::float16<A> row_block_scales(const tile_ref<T>& tile) noexcept {
    constexpr auto rows = std::size_t{traits<T>::rows};
    constexpr auto per_block = std::size_t{traits<T>::block_size} / row_layout<T>::group;
    constexpr auto group = J * 16 / rows;
    if constexpr (std::is_base_of_v<half_block_scale, T>) {
        return row_halves<A, T, T::d>(tile, group / per_block);
    } else if constexpr (std::is_base_of_v<mxfp4, T>) {
        std::int32_t e[16];
        for (std::size_t i = 0; i < 16; ++i) {
            e[i] = tile.block(group + i / rows).bytes[T::e.low.rule.byte + i % rows];
        }
        return from_e8m0_half<A>(simd::int16x<A>::load(e));
    } else if constexpr (half_scales<T>) {
        const auto factor = simd::float16<A>::all(half_scale_factor<T>);
        if constexpr (requires { T::d; })
            return row_halves<A, T, T::d>(tile, group / per_block) * factor;
        else
            return simd::runs_of_halves<rows, 0, A>(tile.block().header) * factor;
    } else {
        // One number for each row.
        float d[16];
        for (std::size_t i = 0; i < 16; ++i) {
            auto block = tile.block();
            block.row = static_cast<int>(i % rows);
            block.header += i % rows * traits<T>::header_bytes;
            d[i] = i < rows ? T::block_scale(block) : d[i % rows];
        }
        return simd::float16<A>::load(d);
    }
}

// Vector J of the scales of a tile's groups and rows.
template <int J, class A, class T>
[[nodiscard]] BPW_INLINE simd::float16<A> row_scales(const tile_ref<T>& tile) noexcept {
    const auto scale = row_block_scales<J, A>(tile);
    if constexpr (tabled_scales<T, A>) {
        return scale * looked_up_scales<A, T>([&]<const auto & Field>() BPW_INLINE_LAMBDA {
                   return row_bits<A, T, Field, J>(tile);
               });
    } else if constexpr (traits<T>::has_group_scale) {
        return scale * rule_of_scales_t<T>::apply(row_numbers<A, T, T::s, J>(tile)).to_float();
    } else {
        return scale;
    }
}

// What is added to the weights of groups and rows, for types with minima or shifted tables.
template <int J, class A, class T>
[[nodiscard]] BPW_INLINE simd::float16<A> row_minima(const tile_ref<T>& tile) noexcept {
    const auto dmin = row_halves<A, T, T::dmin>(tile, 0);
    return (simd::float16<A>::zero() - dmin) * row_numbers<A, T, T::m, J>(tile).to_float();
}

}  // namespace detail

namespace detail {

// A tile with some of its codes in a register: 64 bytes, in which the slots of several vectors lie.
template <class A, class T>
struct loaded_codes {
    const tile_ref<T>& tile;
    simd::bytes64<A> slots;
};

}  // namespace detail

/// The lanes of vector V of a tile of interleaved rows, 4 R of them, lowered by By; see
/// detail::row_layout.
template <class T>
    requires detail::interleaved_planes<T>
struct unpack<T> : detail::code_rule<T> {
    using layout = detail::row_layout<T>;
    using order = detail::row_order<T>;

    // The codes of vector V and of those whose slots follow its own.
    template <int V, class A>
    [[nodiscard]] BPW_INLINE static detail::loaded_codes<A, T> load(
        const tile_ref<T>& tile) noexcept {
        constexpr int in_block = V % layout::block_vectors;
        const auto* const block = tile.block(V / layout::block_vectors).bytes;
        return {tile, simd::bytes64<A>::load(block + T::q.low.rule.byte +
                                             64 * (in_block / layout::slots))};
    }
    template <int V, class A, bool Loose = false>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> codes(
        const detail::loaded_codes<A, T>& from) noexcept {
        constexpr int in_block = V % layout::block_vectors;
        auto codes =
            from.slots
                .template field<layout::width, layout::width*(in_block % layout::slots), Loose>();
        if constexpr (requires { T::q.high; }) {
            using plan = detail::upper_plan<T, in_block>;
            const auto* const block = from.tile.block(V / layout::block_vectors).bytes;
            const auto upper =
                simd::fields_of_quarters<plan::width, layout::width, Loose, plan::shift(0),
                                         plan::shift(1), plan::shift(2), plan::shift(3)>(
                    simd::load_quarters<A>(block, plan::at));
            codes = Loose ? simd::joined<layout::width>(codes, upper) : codes | upper;
        }
        return codes;
    }
    template <int V, int By = 0, class A>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> row_lanes(
        const detail::loaded_codes<A, T>& from) noexcept {
        return detail::lanes_of_codes<detail::code_rule<T>, unpack, V, By, A>(from);
    }
};

namespace detail {

// The vectors of a tile set by set, lanes lowered by By; see row_layout::set.
template <class A, class T>
class row_sets {
  public:
    BPW_INLINE explicit row_sets(const tile_ref<T>& tile) noexcept : tile_(tile) {}

    template <int Set, int By = 0>
    [[nodiscard]] BPW_INLINE auto get() const noexcept {
        constexpr int size = row_layout<T>::set;
        constexpr int slots = std::min(row_layout<T>::slots, size);
        std::array<simd::bytes64<A>, std::size_t{size}> out;
        for_each_index<std::size_t{size / slots}>([&](auto i) BPW_INLINE_LAMBDA {
            constexpr int first = Set * size + slots * static_cast<int>(i);
            auto from = unpack<T>::template load<first, A>(tile_);
            // Compilers would load bytes again for each of the vectors.
            if constexpr (slots > 1) from.slots = simd::opaque(from.slots);
            for_each_index<std::size_t{slots}>([&](auto slot) BPW_INLINE_LAMBDA {
                constexpr int v = first + static_cast<int>(slot);
                out[slots * i + slot] = unpack<T>::template row_lanes<v, By>(from);
            });
        });
        return out;
    }

  private:
    const tile_ref<T>& tile_;
};

}  // namespace detail

BPW_NAMESPACE_END
