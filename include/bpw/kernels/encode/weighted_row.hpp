// A row made ready for a search: brought to an ordinary magnitude, with the weight of every error.
#pragma once

#include <bpw/kernels/encode/options.hpp>
#include <bpw/simd/float_lanes.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

BPW_NAMESPACE_BEGIN

namespace detail {

/// The c of error_weight::usual, and over how many weights the mean is taken (0: the row). A
/// negative c stands for u alone.
struct error_rule {
    float c = -1.0f;
    std::size_t window = 0;
};

/// 2^e as a double; every float exponent has one.
[[nodiscard]] inline double power_of_two(int e) noexcept {
    return std::bit_cast<double>(static_cast<std::uint64_t>(1023 + e) << 52);
}

/// The exponent of a finite number's magnitude, -149 for zero.
[[nodiscard]] inline int exponent_of(float x) noexcept {
    const auto magnitude = std::bit_cast<std::uint32_t>(x) & 0x7fffffffu;
    if (magnitude >= 0x800000u) return static_cast<int>(magnitude >> 23) - 127;
    return magnitude == 0 ? -149 : 31 - std::countl_zero(magnitude) - 149;
}

/// The largest magnitude of finite numbers.
[[nodiscard]] inline float largest_magnitude(const float* x, std::size_t n) noexcept {
    const auto whole = n / lane_count * lane_count;
    float most = std::bit_cast<float>(lanes::greatest_magnitude(x, whole));
    for (std::size_t i = whole; i < n; ++i) most = std::max(most, std::fabs(x[i]));
    return most;
}

/// Numbers times a power of two, rounded once.
inline void scale_by_power_of_two(const float* x, std::size_t n, int e, float* out) noexcept {
    if (e >= -126 && e <= 127) {
        const auto scale = floats::all(static_cast<float>(power_of_two(e)));
        for (std::size_t i = 0; i < n; i += lane_count) {
            (floats::load(x + i) * scale).store(out + i);
        }
    } else {
        const double scale = power_of_two(e);
        for (std::size_t i = 0; i < n; ++i) {
            out[i] = static_cast<float>(static_cast<double>(x[i]) * scale);
        }
    }
}

/// A run of weights that share a float scale.
struct weighted_run {
    const float* x;  ///< times 2^exponent: the weights; the largest is 1 to 2, or all are 0
    const float* w;  ///< of the squared errors, positive; the largest is 1 to 2
    std::size_t n;
    int exponent;
};

/// Brings runs of a row to an ordinary magnitude, so that neither sums of squares overflow nor tiny
/// weights are lost.
class weighted_row {
  public:
    weighted_row(std::size_t cols, const error_rule& usual, const encode_options& options)
        : rule_(usual), options_(options), cols_(cols) {
        if (options.weight == error_weight::importance) rule_.c = -1.0f;
    }

    /// `importance` may be null.
    void assign(const float* x, const float* importance) {
        // Without x in them the weights of errors are those of the row before.
        if (importance != importance_) std::fill(weighed_.begin(), weighed_.end(), false);
        source_ = x;
        importance_ = importance;
        squares_ =
            rule_.c >= 0.0f && importance == nullptr && options_.weight == error_weight::squares;
        if (rule_.c >= 0.0f && rule_.window == 0) mean_ = mean_square(x, cols_);
    }

    /// Weights first ... first + n - 1, n a multiple of 16.
    [[nodiscard]] weighted_run run(std::size_t first, std::size_t n) {
        // Not before, because 8-bit types hardly need it.
        if (x_.empty()) {
            x_.resize(cols_);
            w_.resize(cols_);
            weighed_.resize(cols_ / lane_count + 1);
        }
        const float* const x = source_ + first;
        float* const out = x_.data() + first;
        // Close to the largest float a scale that is rounded up would decode to infinity.
        constexpr float most = 0x1p126f;
        const float largest = largest_magnitude(x, n);
        const int e = exponent_of(std::min(largest, most));
        const float* from = x;
        if (largest > most) {
            for (std::size_t i = 0; i < n; ++i) out[i] = std::clamp(x[i], -most, most);
            from = out;
        }
        scale_by_power_of_two(from, n, -e, out);
        if (rule_.c >= 0.0f || !weighed_[first / lane_count]) {
            weigh(first, n, e);
            weighed_[first / lane_count] = true;
        }
        return {out, w_.data() + first, n, e};
    }

  private:
    // The products are exact in double, so that fusing changes nothing.
    [[nodiscard]] static double mean_square(const float* x, std::size_t n) noexcept {
        double sums[4] = {0, 0, 0, 0};
        for (std::size_t i = 0; i < n; ++i) {
            const double v = x[i];
            sums[i % 4] += v * v;
        }
        return ((sums[0] + sums[1]) + (sums[2] + sums[3])) / static_cast<double>(n);
    }

    void weigh(std::size_t first, std::size_t n, int e) noexcept {
        float* const w = w_.data() + first;
        const float* const x = x_.data() + first;
        const float* const u = importance_ == nullptr ? nullptr : importance_ + first;
        if (rule_.c < 0.0f && u == nullptr) {
            std::fill_n(w, n, 1.0f);
            return;
        }
        if (u == nullptr) {
            std::fill_n(w, n, 1.0f);
        } else {
            const int unit = exponent_of(largest_magnitude(u, n));
            scale_by_power_of_two(u, n, -unit, w);
        }
        if (rule_.c >= 0.0f) {
            const auto window = rule_.window == 0 ? n : std::min(rule_.window, n);
            for (std::size_t at = 0; at < n; at += window) {
                double mean = rule_.window == 0 ? mean_ : mean_square(source_ + first + at, window);
                mean *= power_of_two(-e) * power_of_two(-e) * static_cast<double>(rule_.c);
                const auto base = floats::all(static_cast<float>(std::min(mean, 1e30)));
                for (std::size_t i = at; i < at + window; i += lane_count) {
                    const auto v = floats::load(x + i);
                    const auto grown = squares_ ? v * v : lanes::sqrt(lanes::fma(v, v, base));
                    (floats::load(w + i) * grown).store(w + i);
                }
            }
        }
        const float most = largest_magnitude(w, n);
        if (!(most > 0.0f)) {
            std::fill_n(w, n, 1.0f);
            return;
        }
        // Where nothing is known to matter, all matters alike: a run without importance is still
        // encoded as well as possible.
        const auto scale = floats::all(static_cast<float>(power_of_two(-exponent_of(most))));
        const auto least = floats::all(0x1p-26f);
        for (std::size_t i = 0; i < n; i += lane_count) {
            lanes::max(floats::load(w + i) * scale, least).store(w + i);
        }
    }

    error_rule rule_;
    encode_options options_;
    bool squares_ = false;
    double mean_ = 0;
    const float* source_ = nullptr;
    const float* importance_ = nullptr;
    std::size_t cols_;
    std::vector<float> x_;
    std::vector<float> w_;
    std::vector<bool> weighed_;
};

}  // namespace detail

BPW_NAMESPACE_END
