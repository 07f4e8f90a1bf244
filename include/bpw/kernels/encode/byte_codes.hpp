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

// How many codes that follow each other lie in bytes that do.
template <class T>
inline constexpr int adjacent_codes = [] {
    constexpr int count = T::q.count;
    int run = 1;
    const auto adjacent = [](int n) {
        for (int first = 0; first < count; first += n) {
            for (int i = 1; i < n; ++i) {
                if (T::q.low.rule.bit(0, first + i) !=
                    T::q.low.rule.bit(0, first) + 8 * static_cast<std::size_t>(i))
                    return false;
            }
        }
        return true;
    };
    for (const int n : {4, 16}) {
        if (count % n == 0 && adjacent(n)) run = n;
    }
    return run;
}();

template <class T>
    requires byte_codes<T>
struct row_encoder<T> {
    row_encoder(std::size_t cols, const encode_options& options)
        : cols_(cols),
          row_(cols, rule_of_errors<T>, options),
          rule_(stage_rule_of<T>(cols)),
          zero_(T::lane(probe_block<T>(T::q, 0).ref(), 0) == 0 ? 0 : 128) {}

    void operator()(const float* x, const float* importance, const row_sink<T>& out) {
        row_.assign(x, importance);
        for (std::size_t at = 0; at < cols_; at += rule_.group) {
            encode_run(x + at, importance == nullptr ? nullptr : importance + at, at, out);
        }
    }

  private:
    static constexpr auto block = std::size_t{traits<T>::block_size};

    void encode_run(const float* x, const float* importance, std::size_t at,
                    const row_sink<T>& out) {
        const auto n = rule_.group;
        const float most = largest_magnitude(x, n);
        // Numbers of an ordinary size need not be scaled, which takes longer than the rest.
        weighted_run run{x, importance, n, 0};
        if (most != 0.0f && (most < 0x1p-60f || most > 0x1p60f)) run = row_.run(at, n);
        auto scale = run.x == x ? most / 127.0f : largest_magnitude(run.x, n) / 127.0f;
        if (most != 0.0f) {
            auto along = floats::zero();
            auto norm = floats::zero();
            const auto inverse = floats::all(1.0f / scale);
            for (std::size_t i = 0; i < n; i += lane_count) {
                const auto xs = floats::load(run.x + i);
                const auto v = lanes::round_product(xs, inverse);
                const auto wv = run.w == nullptr ? v : floats::load(run.w + i) * v;
                along = lanes::fma(wv, xs, along);
                norm = lanes::fma(wv, v, norm);
            }
            const float fitted = along.sum() / norm.sum();
            // Importance may be zero, or beyond all measure.
            if (fitted > 0.9f * scale && fitted < 1.1f * scale) scale = fitted;
        }
        const auto stored = store_scale(rule_.storage, scale, run.exponent, rule_.unit);
        const auto first = at / block;
        if constexpr (requires { T::d; })
            out.set(first, T::d, 0, stored.bits);
        else
            write_bits(out.header(), 0, traits<T>::header_bytes >= 4 ? 32 : 16, stored.bits);
        write_codes(run, stored.value, first, out);
    }

    void write_codes(const weighted_run& run, float scale, std::size_t first,
                     const row_sink<T>& out) {
        constexpr auto chunk = std::size_t{adjacent_codes<T>};
        const auto inverse = floats::all(1.0f / usable_scale(scale));
        const auto most = floats::all(127.0f);
        const auto least = floats::all(-127.0f);
        std::int64_t sum = 0;
        for (std::size_t i = 0; i < run.n; i += lane_count) {
            std::array<std::int8_t, lane_count> codes;
            lanes::to_bytes(
                lanes::round(lanes::clamp(floats::load(run.x + i) * inverse, least, most)),
                codes.data());
            if constexpr (needs_sum) {
                for (const auto c : codes) sum += c;
            }
            if (zero_ != 0) {
                for (auto& c : codes) c = static_cast<std::int8_t>(c ^ -128);
            }
            auto* const bytes = out.block(first + i / block);
            for (std::size_t l = 0; l < lane_count; l += chunk) {
                const auto bit = T::q.low.rule.bit(out.row, static_cast<int>((i + l) % block));
                std::memcpy(bytes + bit / 8, codes.data() + l, chunk);
            }
        }
        if constexpr (requires { T::complete_header(nullptr, 0); }) {
            T::complete_header(out.header(), sum);
        } else if constexpr (std::is_same_v<T, q8_1>) {
            const float weight = T::block_scale(out.read(first)) * static_cast<float>(sum);
            out.set(first, T::s, 0, float_to_finite_half(weight));
        } else if constexpr (requires { T::sums; }) {
            write_sums(first, out);
        }
    }

    static constexpr bool needs_sum = requires { T::complete_header(nullptr, 0); }
    || std::is_same_v<T, q8_1>;

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
