// Tiles of weights as floats, through the same unpacking as the products.
#pragma once

#include <bpw/formats/scalar.hpp>
#include <bpw/kernels/integer_tile.hpp>
#include <bpw/kernels/row_group.hpp>
#include <bpw/kernels/unpack/lanes.hpp>
#include <bpw/simd/floats.hpp>
#include <bpw/simd/prefetch.hpp>
#include <bpw/simd/transpose.hpp>

#include <cstring>

BPW_NAMESPACE_BEGIN

namespace detail {

// Whether every 16 lanes are 16 consecutive weights.
template <class Order>
inline constexpr bool has_natural_runs = [] {
    for (int lane = 0; lane < 256; ++lane) {
        const int first = Order::weight(lane / 64, lane % 64 / 16 * 16);
        if (first % 16 != 0 || Order::weight(lane / 64, lane % 64) != first + lane % 16) {
            return false;
        }
    }
    return true;
}();

// The lane of each weight of a tile.
template <class Order>
inline constexpr auto lane_of_weight = [] {
    std::array<std::uint8_t, tile_weights> lanes{};
    for (int lane = 0; lane < 256; ++lane) {
        lanes[static_cast<std::size_t>(Order::weight(lane / 64, lane % 64))] =
            static_cast<std::uint8_t>(lane);
    }
    return lanes;
}();

// Types whose weights are a polynomial of the code, not the integer of products.
template <class T>
concept polynomial_codes = requires {
    T::coefficients;
    typename unpack<T>::planes::order;
};

// Types whose zeros have a sign, which integers lack: magnitudes with a plane of signs, a bit for
// each group of 32.
template <class T>
concept signed_zeros = has_value<T> && requires {
    requires std::is_same_v<std::remove_cvref_t<decltype(T::signs)>,
                            field<256, part<1, plane<1, 32>>>>;
};

// Full tiles of these types are decoded in vectors; all others, and tiles at the end of a row, by
// decode_block.
template <class T>
concept vector_decoded = has_integer_lanes<T> && traits<T>::rows == 1 &&
                         (!has_value<T> || polynomial_codes<T> || signed_zeros<T>)&&!requires {
    unpack<T>::is_scalar;
};

// The integers of a tile before scaling, as floats in the order of the weights: get(run).
template <class A, class T>
class tile_values {
  public:
    using unpacked = unpack<T>;
    using lanes = simd::float16<A>;

    BPW_INLINE explicit tile_values(const tile_ref<T>& tile) noexcept {
        alignas(64) std::uint8_t unpacked_bytes[tile_weights];
        constexpr bool natural = has_natural_runs<typename unpacked::order>;
        auto* const to = natural ? bytes_ : unpacked_bytes;
        if constexpr (polynomial_codes<T>) {
            [&]<int... Step>(std::integer_sequence<int, Step...>) {
                (unpacked::planes::template codes<Step, A>(tile).store(to + 64 * Step), ...);
            }
            (std::make_integer_sequence<int, 4>{});
        } else {
            constexpr auto minus_bias = static_cast<std::uint8_t>(-unpacked::bias);
            const auto steps = lanes_of<unpacked, A>(tile);
            for (std::size_t step = 0; step < 4; ++step) {
                (steps[step] + simd::bytes64<A>::all(minus_bias)).store(to + 64 * step);
            }
        }
        if constexpr (!natural) {
            simd::permute256<lane_of_weight<typename unpacked::order>, A>(unpacked_bytes, bytes_);
        }
        if constexpr (signed_zeros<T>) {
            const auto* const bits = tile.block().bytes + T::signs.low.rule.byte;
            for_each_index<4>([&](auto step) {
                constexpr int group = 2 * static_cast<int>(step);
                simd::fields_of_halves<1, group, group + 1, 7, false>(simd::twice32<A>(bits))
                    .store(reinterpret_cast<std::uint8_t*>(signs_ + 64 * step));
            });
        }
        if constexpr (requires { unpacked::step; }) {
            (group_field<A, T, T::shift>(tile.block().bytes).to_float() *
             lanes::all(static_cast<float>(unpacked::step)))
                .store(shift_);
            simd::through_memory(shift_);
        }
        simd::through_memory(bytes_);
    }

    // The sixteen weights of run `Run`.
    template <int Run>
    [[nodiscard]] BPW_INLINE lanes get() const noexcept {
        constexpr auto at = has_natural_runs<typename unpacked::order>
                                ? lane_of_weight<typename unpacked::order>[16 * Run]
                                : 16 * Run;
        auto x = simd::from_signed_bytes<A>(reinterpret_cast<const std::int8_t*>(bytes_ + at));
        if constexpr (polynomial_codes<T>) {
            auto sum = lanes::all(T::coefficients[0]);
            for (std::size_t i = 1; i < T::coefficients.size(); ++i) {
                auto next = lanes::all(T::coefficients[i]);
                next.add_product(x, sum);
                sum = next;
            }
            x = sum;
        }
        if constexpr (requires { unpacked::step; }) x = x + lanes::all(shift_[Run]);
        if constexpr (signed_zeros<T>) {
            x = x.with_signs_of(simd::from_signed_bytes<A>(signs_ + 16 * Run));
        }
        return x;
    }

  private:
    alignas(64) std::uint8_t bytes_[tile_weights];
    alignas(64) float shift_[16];
    alignas(64) std::int8_t signs_[signed_zeros<T> ? tile_weights : 1];
};

// Stores sixteen weights. A store waits for its line, so that of the next tile is asked for.
template <class A>
BPW_INLINE void put(const simd::float16<A>& x, float* to) noexcept {
    simd::prefetch_for_writing(to + tile_weights);
    x.store(to);
}

template <class A, class T>
BPW_INLINE void decode_full_tile(const tile_ref<T>& tile, float* out) noexcept {
    using lanes = simd::float16<A>;
    const tile_values<A, T> values(tile);
    const auto scales = scales_of<unpack<T>, A>(tile);
    alignas(64) float scale[16];
    alignas(64) float offset[16];
    scales.scale.store(scale);
    simd::through_memory(scale);
    if constexpr (traits<T>::has_offset) {
        scales.offset.store(offset);
        simd::through_memory(offset);
    }
    [&]<int... Run>(std::integer_sequence<int, Run...>) {
        const auto decode = [&]<int R>(std::integral_constant<int, R>) {
            auto x = values.template get<R>() * lanes::all(scale[R]);
            // Here the product is exact, so that it does not matter that it is rounded first.
            if constexpr (traits<T>::has_offset) x = x + lanes::all(offset[R]);
            if constexpr (has_positive_zero<T>) x = x + lanes::all(0.0f);
            put(x, out + 16 * R);
        };
        (decode(std::integral_constant<int, Run>{}), ...);
    }
    (std::make_integer_sequence<int, 16>{});
}

// Sixteen plain numbers as floats, for the types that weights are stored in.
template <class A>
[[nodiscard]] BPW_INLINE simd::float16<A> load_plain(const f32*, const std::uint8_t* p) noexcept {
    return simd::int16x<A>::of_bytes(simd::bytes64<A>::load(p)).as_float();
}
template <class A>
[[nodiscard]] BPW_INLINE simd::float16<A> load_plain(const f16*, const std::uint8_t* p) noexcept {
    return simd::from_halves<A>(p);
}
template <class A>
[[nodiscard]] BPW_INLINE simd::float16<A> load_plain(const bf16*, const std::uint8_t* p) noexcept {
    return simd::from_bf16<A>(p);
}

template <class T>
concept plain_floats = std::is_same_v<T, f32> || std::is_same_v<T, f16> || std::is_same_v<T, bf16>;

// `count` weights of a row from `first` on, a multiple of the tile size.
template <class A, class T>
void decode_run(const matrix_view<T>& w, std::size_t row, std::size_t first, std::size_t count,
                float* out) noexcept {
    constexpr auto size = std::size_t{traits<T>::block_size};
    std::size_t at = 0;
    if constexpr (plain_floats<T>) {
        const auto* const p = w.block(row, first).bytes;
        for (; at + 16 <= count; at += 16) {
            const auto* const from = p + at * sizeof(typename T::block);
            put(load_plain<A>(static_cast<const T*>(nullptr), from), out + at);
        }
    } else if constexpr (vector_decoded<T>) {
        for (; at + tile_weights <= count; at += tile_weights) {
            decode_full_tile<A>(tile_ref<T>{w, row, (first + at) / size, tile_ref<T>::full},
                                out + at);
        }
    }
    for (; at < count; at += size) decode_block(w.block(row, (first + at) / size), out + at);
}

// Where each weight of a tile stands when the quads are in the order of quad_places.
template <class Order>
inline constexpr auto place_of_weight = [] {
    std::array<std::uint8_t, tile_weights> places{};
    for (int lane = 0; lane < 256; ++lane) {
        places[static_cast<std::size_t>(Order::weight(lane / 64, lane % 64))] =
            static_cast<std::uint8_t>(4 * quad_places<Order>[static_cast<std::size_t>(lane / 4)] +
                                      lane % 4);
    }
    return places;
}();

// One tile of R interleaved rows; row k at out + k * stride.
template <class A, class T>
void decode_row_tile(const tile_ref<T>& tile, float* out, std::size_t stride) noexcept {
    using lanes = simd::float16<A>;
    using order = typename unpack<T>::order;
    constexpr auto rows = std::size_t{traits<T>::rows};
    constexpr auto group = std::size_t{row_layout<T>::group};
    alignas(64) std::uint8_t q[64][rows][4];
    float scale[tile_weights / group][rows];
    float offset[tile_weights / group][rows];
    unpack_row_tile<A>(tile, &q[0][0][0], 4 * rows, scale[0], offset[0], rows);
    for (std::size_t k = 0; k < rows; ++k) {
        alignas(64) std::uint8_t bytes[tile_weights];
        for (std::size_t quad = 0; quad < 64; ++quad) std::memcpy(bytes + 4 * quad, q[quad][k], 4);
        for (std::size_t at = 0; at < tile_weights; at += 64) {
            (simd::bytes64<A>::load(bytes + at) +
             simd::bytes64<A>::all(static_cast<std::uint8_t>(-unpack<T>::bias)))
                .store(bytes + at);
        }
        const std::uint8_t* by_weight = bytes;
        alignas(64) std::uint8_t moved[tile_weights];
        if constexpr (!has_natural_quads<order>) {
            simd::permute256<place_of_weight<order>, A>(bytes, moved);
            by_weight = moved;
        }
        for (std::size_t run = 0; run < 16; ++run) {
            const auto g = 16 * run / group;
            auto x = simd::from_signed_bytes<A>(
                         reinterpret_cast<const std::int8_t*>(by_weight + 16 * run)) *
                     lanes::all(scale[g][k]);
            if constexpr (traits<T>::has_offset) x = x + lanes::all(offset[g][k]);
            if constexpr (has_positive_zero<T>) x = x + lanes::all(0.0f);
            put(x, out + k * stride + 16 * run);
        }
    }
}

// 32 columns of 16 rows of bf16_r16, from block `block` on.
template <class A>
void decode_bf16_rows(const matrix_view<bf16_r16>& w, std::size_t row, std::size_t block,
                      float* out, std::size_t stride) noexcept {
    static constexpr auto to = [] {
        std::array<std::uint32_t, 16> rows{};
        for (std::uint32_t k = 0; k < 16; ++k) rows[k] = 64 * k;
        return rows;
    }();
    alignas(64) std::uint16_t x[16][32];
    simd::transpose16<A>(w.block(row, block).bytes, sizeof(bf16_r16::block),
                         reinterpret_cast<std::uint8_t*>(x), to);
    for (std::size_t k = 0; k < 16; ++k) {
        simd::from_bf16<A>(x[k]).store(out + k * stride);
        simd::from_bf16<A>(x[k] + 16).store(out + k * stride + 16);
    }
}

// As decode_run, for the rows row, row + 1, ... that the type interleaves.
template <class A, class T>
void decode_rows(const matrix_view<T>& w, std::size_t row, std::size_t first, std::size_t count,
                 float* out, std::size_t stride) noexcept {
    constexpr auto rows = std::size_t{traits<T>::rows};
    constexpr auto size = std::size_t{traits<T>::block_size};
    std::size_t at = 0;
    if constexpr (std::is_same_v<T, bf16_r16>) {
        for (; at + 32 <= count; at += 32) {
            decode_bf16_rows<A>(w, row, (first + at) / size, out + at, stride);
        }
    } else if constexpr (interleaved_rows<T>) {
        for (; at + tile_weights <= count; at += tile_weights) {
            decode_row_tile<A>(tile_ref<T>{w, row, (first + at) / size, tile_ref<T>::full},
                               out + at, stride);
        }
    }
    for (std::size_t k = 0; k < rows; ++k) {
        decode_run<A>(w, row + k, first + at, count - at, out + k * stride + at);
    }
}

}  // namespace detail

BPW_NAMESPACE_END
