// Interleaved rows: products with one vector, and their way into panels and to floats.
#pragma once

#include <bpw/kernels/activations.hpp>
#include <bpw/kernels/integer_tile.hpp>
#include <bpw/kernels/panel.hpp>
#include <bpw/kernels/unpack/interleaved_lattice.hpp>
#include <bpw/simd/dot_run.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

// Vectors of sixteen scales in a tile.
template <class T>
inline constexpr std::size_t scale_vectors =
    std::size_t{row_layout<T>::groups * traits<T>::rows} / 16;

// The running sums of R rows and one vector, sixteen of each kind; sum l belongs to row l % R.
template <class A>
struct row_group_sums {
    simd::float16<A> products = simd::float16<A>::zero();
    simd::float16<A> offsets = simd::float16<A>::zero();

    // Adds sums l and l + 8, then l + 4, while they belong to the same row.
    template <std::size_t Rows>
    void total(float* y) const noexcept {
        float a[16];
        float b[16];
        products.store(a);
        offsets.store(b);
        for (std::size_t n = 8; n >= Rows; n /= 2) {
            for (std::size_t l = 0; l < n; ++l) {
                a[l] += a[l + n];
                b[l] += b[l + n];
            }
        }
        for (std::size_t row = 0; row < Rows; ++row) y[row] = a[row] + b[row];
    }
};

// The vector of scales that a set needs, and which of it each of the sixteen sums.
template <class T, int Set>
struct scales_of_set {
    using layout = row_layout<T>;
    static constexpr int vector = layout::group_of(Set, 0) * traits<T>::rows / 16;
    static constexpr auto from = [] {
        std::array<int, 16> out{};
        for (int i = 0; i < 16; ++i) {
            const int at =
                layout::group_of(Set, i / layout::rows) * layout::rows + i % layout::rows;
            out[static_cast<std::size_t>(i)] = at - 16 * vector;
        }
        return out;
    }();
    static constexpr bool in_place = [] {
        for (int i = 0; i < 16; ++i) {
            if (from[static_cast<std::size_t>(i)] < 0 || from[static_cast<std::size_t>(i)] > 15)
                throw "the groups of a set are not in one vector";
            if (from[static_cast<std::size_t>(i)] != i) return false;
        }
        return true;
    }();
};

// Registers of quads of the activations, or of their magnitudes, for vector V of a tile, each quad
// for all rows.
template <std::size_t Rows, std::size_t V, class A, class Byte>
[[nodiscard]] BPW_INLINE auto quads_of_rows(const Byte* q) noexcept {
    return [all = simd::repeat_quads<Rows, V, A>(q)](std::size_t i)
               BPW_INLINE_LAMBDA { return xsimd::bitwise_cast<Byte>(all.v[i]); };
}

// What the activations of the groups of scale vector J are multiplied with, and the sums of their
// first (Run = 0) or second runs.
template <class T, std::size_t J, class A>
[[nodiscard]] BPW_INLINE simd::float16<A> scales_of_groups(const activation_tile& x) noexcept {
    return simd::repeat_quads<std::size_t{traits<T>::rows}, J, A>(x.scale).as_float();
}
template <class T, std::size_t J, std::size_t Run, class A>
[[nodiscard]] BPW_INLINE simd::float16<A> sums_of_groups(const activation_tile& x) noexcept {
    constexpr auto v = Run * scale_vectors<T> + J;
    return simd::repeat_quads<std::size_t{traits<T>::rows}, v, A>(x.sum).as_float();
}

template <class A, std::size_t N>
using sums_of_row_groups = std::array<row_group_sums<A>, N>;

// One tile of R rows times the same tile of N vectors: unpacked once.
template <class A, class T, class Tile, std::size_t N>
BPW_INLINE void multiply_row_tile(const tile_ref<T>& tile, const std::array<const Tile*, N>& x,
                                  sums_of_row_groups<A, N>& sums) noexcept {
    using lanes = simd::float16<A>;
    using layout = row_layout<T>;
    using unpacked = unpack<T>;
    constexpr auto rows = std::size_t{traits<T>::rows};
    std::array<std::array<lanes, scale_vectors<T>>, N> scale;
    for_each_index<scale_vectors<T>>([&](auto j) BPW_INLINE_LAMBDA {
        constexpr auto J = static_cast<int>(j);
        if constexpr (scaled_by_row<T>) {
            for_each_index<N>(
                [&](auto c) BPW_INLINE_LAMBDA { scale[c][j] = scales_of_groups<T, j, A>(*x[c]); });
        } else {
            const auto own = row_scales<J, A>(tile);
            const auto add_offset = [&](const lanes& offset) BPW_INLINE_LAMBDA {
                for_each_index<N>([&](auto c) BPW_INLINE_LAMBDA {
                    sums[c].offsets.add_product(offset, sums_of_groups<T, j, 0, A>(*x[c]));
                    if constexpr (layout::group == 32) {
                        sums[c].offsets.add_product(offset, sums_of_groups<T, j, 1, A>(*x[c]));
                    }
                });
            };
            if constexpr (has_group_offset<T>) {
                add_offset(row_minima<J, A>(tile));
            } else if constexpr (requires { unpacked::step; }) {
                add_offset(own *
                           simd::lookup_floats<1>(repeated_levels<shift_levels<unpacked, 0>, 1>,
                                                  row_bits<A, T, T::shift, J>(tile)));
            }
            for_each_index<N>([&](auto c) BPW_INLINE_LAMBDA {
                scale[c][j] = own * scales_of_groups<T, j, A>(*x[c]);
            });
        }
    });
    const row_sets<A, T> sets(tile);
    for_each_index<std::size_t{layout::sets}>([&](auto s) BPW_INLINE_LAMBDA {
        constexpr auto first = s * std::size_t{layout::set};
        constexpr int lowered = lanes_lowered_by<T, A>;
        constexpr auto count = std::size_t{layout::set};
        const auto vectors = sets.template get<static_cast<int>(s), lowered>();
        for_each_index<N>([&](auto c) BPW_INLINE_LAMBDA {
            const auto& of_vector = *x[c];
            auto sum = simd::int16x<A>::zero();
            if constexpr (start_bias<T, A> != 0) {
                sum = simd::repeat_quads<rows, first, A>(of_vector.start);
            }
            simd::pair_sums<A> pairs;
            for_each_index<count>([&](auto i) BPW_INLINE_LAMBDA {
                const auto add = [&](const auto&... factor) BPW_INLINE_LAMBDA {
                    simd::add_dot4_of_run<unpacked::max, lowered, i, count>(sum, pairs, vectors[i],
                                                                            factor...);
                };
                const auto values = quads_of_rows<rows, first + i, A>(of_vector.q);
                if constexpr (requires { of_vector.magnitude; })
                    add(values, quads_of_rows<rows, first + i, A>(of_vector.magnitude));
                else
                    add(values);
            });
            using scales = scales_of_set<T, static_cast<int>(s)>;
            if constexpr (scales::in_place)
                sums[c].products.add_product(sum.to_float(), scale[c][scales::vector]);
            else
                sums[c].products.add_product(sum.to_float(),
                                             simd::spread(scale[c][scales::vector], scales::from));
        });
    });
}

// One tile of R rows as unsigned lanes, the quads in the order of quad_places: quad n of row k at
// q + n * quad_stride + 4 k; the scales of group g at scale + g * scale_stride + k.
template <class A, class T>
void unpack_row_tile(const tile_ref<T>& tile, std::uint8_t* q, std::size_t quad_stride,
                     float* scale, float* offset, std::size_t scale_stride) noexcept {
    using layout = row_layout<T>;
    using unpacked = unpack<T>;
    constexpr auto rows = std::size_t{traits<T>::rows};
    constexpr auto quads = std::size_t{layout::quads};
    const row_sets<A, T> sets(tile);
    for_each_index<std::size_t{layout::sets}>([&](auto s) {
        const auto vectors = sets.template get<static_cast<int>(s)>();
        for (std::size_t v = 0; v < vectors.size(); ++v) {
            alignas(64) std::uint8_t lanes[64];
            vectors[v].store(lanes);
            for (std::size_t i = 0; i < quads; ++i) {
                const std::size_t quad =
                    quad_places<typename unpacked::order>[simd::place_of_row_quad<rows>(
                        s * vectors.size() + v, i)];
                std::memcpy(q + quad * quad_stride, lanes + 4 * rows * i, 4 * rows);
            }
        }
    });
    const auto put = [&](std::size_t j, const auto& from, auto* to, std::size_t stride) {
        alignas(64) std::remove_pointer_t<decltype(to)> of_vector[16];
        from.store(of_vector);
        for (std::size_t i = 0; i < quads; ++i) {
            std::memcpy(to + (j * quads + i) * stride, of_vector + i * rows, 4 * rows);
        }
    };
    alignas(64) std::int32_t shift[16 * 16];
    for_each_index<scale_vectors<T>>([&](auto j) {
        constexpr auto J = static_cast<int>(j);
        put(j, row_scales<J, A>(tile), scale, scale_stride);
        if constexpr (has_group_offset<T>) put(j, row_minima<J, A>(tile), offset, scale_stride);
        if constexpr (requires { unpacked::step; }) {
            put(j,
                row_numbers<A, T, T::shift, J>(tile) *
                    simd::int16x<A>::all(unpacked::step * 0x01010101),
                shift, rows);
        }
    });
    if constexpr (requires { unpacked::step; }) {
        // Lanes stay below 256: nothing is carried from byte to byte.
        constexpr auto quads_of_group = std::size_t{layout::group} / 4;
        for (std::size_t quad = 0; quad < 64; ++quad) {
            for (std::size_t k = 0; k < rows; ++k) {
                auto* const at = q + quad * quad_stride + 4 * k;
                std::uint32_t four = 0;
                std::memcpy(&four, at, 4);
                four += static_cast<std::uint32_t>(shift[quad / quads_of_group * rows + k]);
                std::memcpy(at, &four, 4);
            }
        }
    }
}

}  // namespace detail

BPW_NAMESPACE_END
