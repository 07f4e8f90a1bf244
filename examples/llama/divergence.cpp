#include "llama/divergence.hpp"

#include <algorithm>
#include <cmath>

namespace llama {

double log_sum_exp(std::span<const float> x) {
    const double largest = double{*std::max_element(x.begin(), x.end())};
    double sum = 0;
    for (const float v : x) sum += std::exp(double{v} - largest);
    return largest + std::log(sum);
}

token most_likely(std::span<const float> logits) {
    return static_cast<token>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

double divergence(const prediction& base, const prediction& other) {
    double sum = 0;
    for (std::size_t i = 0; i < base.logits.size(); ++i) {
        const double p = double{base.logits[i]} - base.sum;
        const double q = double{other.logits[i]} - other.sum;
        sum += std::exp(p) * (p - q);
    }
    // It cannot be negative; the roundings of a sum that is nearly zero can.
    return std::max(sum, 0.0);
}

double perplexity(const base_predictions& base) {
    double sum = 0;
    base_predictions::room room;
    for (std::size_t i = 0; i < base.windows(); ++i) {
        for (const double s : base.window(i, room).surprise) sum += s;
    }
    return std::exp(sum / static_cast<double>(base.windows() * window_size));
}

live_predictions::live_predictions(const model& m, const class windows& text, bpw::threads& run)
    : vocabulary_(m.size().vocabulary) {
    const auto n = text.count() * window_size;
    logits_.resize(n * vocabulary_);
    sum_.resize(n);
    surprise_.resize(n);
    top_.resize(n);
    predict(m, text, run, [&](std::size_t i, bpw::vectors<const float> logits) {
        for (std::size_t t = 0; t < window_size; ++t) {
            const auto at = i * window_size + t;
            const std::span row(logits[t], vocabulary_);
            std::copy(row.begin(), row.end(),
                      logits_.begin() + static_cast<std::ptrdiff_t>(at * vocabulary_));
            sum_[at] = log_sum_exp(row);
            surprise_[at] = prediction{row, sum_[at]}.surprise(text.expected(i)[t]);
            top_[at] = most_likely(row);
        }
    });
}

base_window live_predictions::window(std::size_t i, room&) const {
    const auto first = i * window_size;
    return {{logits_.data() + first * vocabulary_, window_size, vocabulary_},
            std::span(sum_).subspan(first, window_size),
            std::span(surprise_).subspan(first, window_size),
            std::span(top_).subspan(first, window_size)};
}

predictions examine(const model& m, const windows& text, const base_predictions* base,
                    bpw::threads& run) {
    predictions out;
    const auto n = text.count() * window_size;
    out.surprise.resize(n);
    if (base != nullptr) {
        for (auto* v : {&out.base_surprise, &out.divergence, &out.same_top}) v->resize(n);
    }
    predict(m, text, run, [&](std::size_t i, bpw::vectors<const float> logits) {
        base_predictions::room room;
        base_window b;
        if (base != nullptr) b = base->window(i, room);
        for (std::size_t t = 0; t < window_size; ++t) {
            const auto at = i * window_size + t;
            const std::span row(logits[t], logits.length);
            const prediction here{row, log_sum_exp(row)};
            out.surprise[at] = here.surprise(text.expected(i)[t]);
            if (base == nullptr) continue;
            out.base_surprise[at] = b.surprise[t];
            out.divergence[at] = divergence({{b.logits[t], b.logits.length}, b.sum[t]}, here);
            out.same_top[at] = b.top[t] == most_likely(row) ? 1 : 0;
        }
    });
    return out;
}

}  // namespace llama
