// Encoders of types with 8-bit codes and one scale for a block or row.
//
// At 8 bits a search gains nothing that matters: the scale that just reaches the largest weight,
// then the one that suits the codes found with it, then the codes for that.
#pragma once

#include <bpw/kernels/encode/scaled.hpp>

#include <cstring>
#include <limits>
#include <vector>

BPW_NAMESPACE_BEGIN

namespace detail {

template <class T>
concept byte_codes = scaled_levels<T> && !has_scale_field<T> && T::q.width == 8;

template <class T>
    requires byte_codes<T>
inline constexpr bool writes_every_byte<T> = true;
template <class T>
    requires byte_codes<T>
inline constexpr bool takes_groups_of_rows<T> = true;

template <class T>
    requires byte_codes<T>
struct row_encoder<T> {
    row_encoder(std::size_t cols, const encode_options& options)
        : cols_(cols),
          row_(cols, rule_of_errors<T>, options),
          rule_(stage_rule_of<T>(cols)),
          zero_(T::lane(probe_block<T>(T::q, 0).ref(), 0) == 0 ? 0 : 128) {}

    /// Rows that are interleaved, or one row.
    template <class Target>
    [[nodiscard]] bool operator()(const float* x, const float* importance,
                                  const row_sink<Target>& out) {
        constexpr auto rows = std::size_t{traits<Target>::rows};
        for (std::size_t at = 0; at < cols_; at += rule_.group) {
            // The scales of all rows first, so that their codes are written side by side.
            std::array<coded_run, rows> runs;
            for (std::size_t k = 0; k < rows; ++k) {
                const float* const from = x + k * cols_ + at;
                const float most = largest_magnitude(from, rule_.group);
                if (!(most <= std::numeric_limits<float>::max())) return false;
                const float* const u = importance == nullptr ? nullptr : importance + at;
                runs[k].x = from;
                runs[k].most = most;
                // Numbers of an ordinary size need not be scaled, which takes longer than the rest.
                if (most == 0.0f || (most >= 0x1p-60f && most <= 0x1p60f)) {
                    set_scale({from, u, rule_.group, 0}, at / block, out.of_row(k), runs[k]);
                } else {
                    row_.assign(x + k * cols_, importance);
                    const auto run = row_.run(at, rule_.group);
                    scaled_[k].assign(run.x, run.x + rule_.group);
                    runs[k].x = scaled_[k].data();
                    runs[k].most = largest_magnitude(run.x, run.n);
                    set_scale(run, at / block, out.of_row(k), runs[k]);
                }
            }
            for (std::size_t b = 0; b < rule_.group / block; ++b) {
                write_block(runs, b * block, at / block + b, out);
            }
            for (std::size_t k = 0; k < rows; ++k) {
                complete(runs[k].sums, at / block, out.of_row(k));
            }
        }
        return true;
    }

  private:
    static constexpr auto block = std::size_t{traits<T>::block_size};

    struct coded_run {
        const float* x;
        float most;     // the largest magnitude
        float inverse;  // of the scale
        bool clamps;    // whether a code might exceed 127
        floats sums = floats::zero();
    };

    template <class Target>
    void set_scale(const weighted_run& run, std::size_t first, const row_sink<Target>& out,
                   coded_run& coded) const {
        auto scale = coded.most / 127.0f;
        if (coded.most != 0.0f) {
            // Two sums of each, because a sum waits for the one before.
            std::array<floats, 2> along{floats::zero(), floats::zero()};
            std::array<floats, 2> norm{floats::zero(), floats::zero()};
            const auto inverse = floats::all(1.0f / scale);
            for (std::size_t i = 0; i < run.n; i += 2 * lane_count) {
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
        if constexpr (requires { T::d; })
            out.set(first, Target::d, 0, stored.bits);
        else
            write_bits(out.header(), 0, traits<T>::header_bytes >= 4 ? 32 : 16, stored.bits);
        coded.inverse = 1.0f / usable_scale(stored.value);
        coded.clamps =
            fused(coded.most, coded.inverse, lanes::integer_shift) > lanes::integer_shift + 127.0f;
    }

    // Block b of all rows, whose weights are those from `at` on of their runs.
    template <class Target>
    void write_block(std::array<coded_run, std::size_t{traits<Target>::rows}>& runs, std::size_t at,
                     std::size_t b, const row_sink<Target>& out) const {
        using places = code_places<Target, 0>;
        constexpr bool in_place = places::follows(block, 8);
        auto* const bytes = out.block(b);
        std::array<std::int8_t, block> aside;
        for (std::size_t k = 0; k < runs.size(); ++k) {
            auto* codes = aside.data();
            if constexpr (in_place) {
                codes = reinterpret_cast<std::int8_t*>(bytes + places::first[k * places::runs] / 8);
            }
            write_codes<sums_row<Target> || std::is_same_v<T, q8_1>>(runs[k], at, codes);
            if (zero_ != 0) {
                for (std::size_t i = 0; i < block; ++i) {
                    codes[i] = static_cast<std::int8_t>(codes[i] ^ -128);
                }
            }
            if constexpr (!in_place) {
                pack_codes<Target>(bytes, static_cast<int>(k),
                                   reinterpret_cast<std::uint8_t*>(aside.data()));
            }
        }
    }

    // The codes of a block. Their sums are exact in every lane for rows of up to 2 million.
    template <bool Sums>
    BPW_INLINE static void write_codes(coded_run& run, std::size_t at,
                                       std::int8_t* codes) noexcept {
        const auto shift = floats::all(lanes::integer_shift);
        const auto inverse = floats::all(run.inverse);
        const auto most = floats::all(lanes::integer_shift + 127.0f);
        const auto least = floats::all(lanes::integer_shift - 127.0f);
        const auto shifted = [&](std::size_t i) {
            const auto v = lanes::fma(floats::load(run.x + at + i), inverse, shift);
            return run.clamps ? lanes::clamp(v, least, most) : v;
        };
        for (std::size_t i = 0; i < block; i += 2 * lane_count) {
            const auto a = shifted(i);
            const auto b = shifted(i + lane_count);
            if constexpr (Sums) {
                const auto sum = lanes::add(lanes::subtract(a, shift), lanes::subtract(b, shift));
                run.sums = lanes::add(run.sums, sum);
            }
            lanes::shifted_to_bytes(a, b, codes + i);
        }
    }

    // What a type keeps beside the codes.
    template <class Target>
    static void complete([[maybe_unused]] const floats& sums, std::size_t first,
                         const row_sink<Target>& out) {
        if constexpr (sums_row<Target>) {
            std::int64_t sum = 0;
            for (const float lane : lanes::to_array(sums)) sum += static_cast<std::int64_t>(lane);
            Target::complete_header(out.header(), sum);
        } else if constexpr (std::is_same_v<T, q8_1>) {
            const float weight = T::block_scale(out.read(first)) * sums.sum();
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
    std::array<std::vector<float>, 16>
        scaled_;  // runs of each row that are not of an ordinary size
};

}  // namespace detail

BPW_NAMESPACE_END
