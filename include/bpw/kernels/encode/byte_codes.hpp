// Encoders of types with 8-bit codes and one scale for a block or row.
//
// At 8 bits a search gains nothing that matters: the scale that just reaches the largest weight,
// then the one that suits the codes found with it, then the codes for that.
#pragma once

#include <bpw/kernels/encode/scaled.hpp>

#include <cstring>

BPW_NAMESPACE_BEGIN

namespace detail {

template <class T>
concept byte_codes = scaled_levels<T> && !has_scale_field<T> && T::q.width == 8;

template <class T>
    requires byte_codes<T>
inline constexpr bool writes_every_byte<T> = true;

template <class T>
    requires byte_codes<T>
struct row_encoder<T> {
    row_encoder(std::size_t cols, const encode_options& options)
        : cols_(cols),
          row_(cols, rule_of_errors<T>, options),
          rule_(stage_rule_of<T>(cols)),
          zero_(T::lane(probe_block<T>(T::q, 0).ref(), 0) == 0 ? 0 : 128) {}

    template <class Target>
    void operator()(const float* x, const float* importance, const row_sink<Target>& out) {
        row_.assign(x, importance);
        for (std::size_t at = 0; at < cols_; at += rule_.group) {
            encode_run(x + at, importance == nullptr ? nullptr : importance + at, at, out);
        }
    }

  private:
    static constexpr auto block = std::size_t{traits<T>::block_size};

    template <class Target>
    void encode_run(const float* x, const float* importance, std::size_t at,
                    const row_sink<Target>& out) {
        const auto n = rule_.group;
        const float most = largest_magnitude(x, n);
        // Numbers of an ordinary size need not be scaled, which takes longer than the rest.
        weighted_run run{x, importance, n, 0};
        if (most != 0.0f && (most < 0x1p-60f || most > 0x1p60f)) run = row_.run(at, n);
        auto scale = run.x == x ? most / 127.0f : largest_magnitude(run.x, n) / 127.0f;
        if (most != 0.0f) {
            // Two sums of each, because a sum waits for the one before.
            std::array<floats, 2> along{floats::zero(), floats::zero()};
            std::array<floats, 2> norm{floats::zero(), floats::zero()};
            const auto inverse = floats::all(1.0f / scale);
            for (std::size_t i = 0; i < n; i += 2 * lane_count) {
                for (std::size_t k = 0; k < 2; ++k) {
                    const auto xs = floats::load(run.x + i + k * lane_count);
                    const auto v = lanes::round_product(xs, inverse);
                    const auto wv =
                        run.w == nullptr ? v : floats::load(run.w + i + k * lane_count) * v;
                    along[k] = lanes::fma(wv, xs, along[k]);
                    norm[k] = lanes::fma(wv, v, norm[k]);
                }
            }
            const float fitted =
                lanes::add(along[0], along[1]).sum() / lanes::add(norm[0], norm[1]).sum();
            // Importance may be zero, or beyond all measure.
            if (fitted > 0.9f * scale && fitted < 1.1f * scale) scale = fitted;
        }
        const auto stored = store_scale(rule_.storage, scale, run.exponent, rule_.unit);
        const auto first = at / block;
        if constexpr (requires { T::d; })
            out.set(first, Target::d, 0, stored.bits);
        else
            write_bits(out.header(), 0, traits<T>::header_bytes >= 4 ? 32 : 16, stored.bits);
        write_codes(run, stored.value, first, out);
    }

    template <class Target>
    void write_codes(const weighted_run& run, float scale, std::size_t first,
                     const row_sink<Target>& out) {
        using places = code_places<Target, 0>;
        constexpr bool in_place = places::follows(block, 8);
        constexpr bool needs_sum = sums_row<Target> || std::is_same_v<T, q8_1>;
        const auto inverse = floats::all(1.0f / usable_scale(scale));
        const auto most = floats::all(127.0f);
        const auto least = floats::all(-127.0f);
        std::array<std::int8_t, block> aside;
        std::int64_t sum = 0;
        auto lane_sums = floats::zero();
        for (std::size_t b = 0; b < run.n / block; ++b) {
            auto* const bytes = out.block(first + b);
            auto* const codes = in_place
                                    ? reinterpret_cast<std::int8_t*>(bytes + places::first[0] / 8)
                                    : aside.data();
            for (std::size_t i = 0; i < block; i += lane_count) {
                const auto v = lanes::round(
                    lanes::clamp(floats::load(run.x + b * block + i) * inverse, least, most));
                if constexpr (needs_sum) lane_sums = lanes::add(lane_sums, v);
                lanes::to_bytes(v, codes + i);
            }
            // So few that every lane's sum is exact.
            if (needs_sum && (b + 1 == run.n / block || b % 256 == 255)) {
                sum += static_cast<std::int64_t>(lane_sums.sum());
                lane_sums = floats::zero();
            }
            if (zero_ != 0) {
                for (std::size_t i = 0; i < block; ++i) {
                    codes[i] = static_cast<std::int8_t>(codes[i] ^ -128);
                }
            }
            if constexpr (!in_place) {
                pack_codes<Target>(bytes, out.row, reinterpret_cast<std::uint8_t*>(aside.data()));
            }
        }
        if constexpr (sums_row<Target>) {
            Target::complete_header(out.header(), sum);
        } else if constexpr (std::is_same_v<T, q8_1>) {
            const float weight = T::block_scale(out.read(first)) * static_cast<float>(sum);
            out.set(first, T::s, 0, float_to_finite_half(weight));
        } else if constexpr (requires { T::sums; }) {
            write_sums(first, out);
        }
    }

    // Whether the row's header has a sum beside the scale.
    template <class Target>
    static constexpr bool sums_row = traits<Target>::header_bytes > 4;

    // Sums that types for activations keep beside the weights.
    static void write_sums(std::size_t b, const row_sink<T>& out) {
        const auto block_now = out.read(b);
        int total = 0;
        for (int g = 0; g < T::sums.count; ++g) {
            int sum = 0;
            for (int i = 0; i < 16; ++i) sum += T::lane(block_now, 16 * g + i);
            out.set(b, T::sums, g, static_cast<std::uint32_t>(sum));
            total += sum;
        }
        if constexpr (requires { T::sum; }) {
            const float weight = T::block_scale(block_now) * static_cast<float>(total);
            out.set(b, T::sum, 0, std::bit_cast<std::uint32_t>(weight));
        }
    }

    std::size_t cols_;
    weighted_row row_;
    stage_rule rule_;
    int zero_;  // the code of zero
};

}  // namespace detail

BPW_NAMESPACE_END
