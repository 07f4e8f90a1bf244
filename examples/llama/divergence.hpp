// How far a model's predictions are from those of another, the base: as a rule the same model
// before it was quantized.
#pragma once

#include "llama/prediction.hpp"
#include "llama/tokenizer.hpp"

#include <bpw/core/vectors.hpp>

#include <cstddef>
#include <span>
#include <vector>

namespace llama {

/// log of the sum of exp(x): what has to be taken off logits to make them log-probabilities.
[[nodiscard]] double log_sum_exp(std::span<const float> x);

/// The token with the largest logit, the first of several.
[[nodiscard]] token most_likely(std::span<const float> logits);

/// A prediction: logits up to a constant, and their log_sum_exp.
struct prediction {
    std::span<const float> logits;
    double sum;

    /// -log of the probability of a token, in nats.
    [[nodiscard]] double surprise(token t) const { return sum - double{logits[t]}; }
};

/// The Kullback-Leibler divergence of two predictions of as many tokens, in nats: the sum over all
/// tokens of p (log p - log q), where p is the base's probability and q the other one.
[[nodiscard]] double divergence(const prediction& base, const prediction& other);

/// What the base expects in one window.
struct base_window {
    bpw::vectors<const float> logits;  ///< up to a constant for each prediction
    std::span<const double> sum;       ///< log_sum_exp of each
    std::span<const double> surprise;  ///< of the tokens that came, in nats
    std::span<const token> top;        ///< the most likely tokens
};

/// What the base expects of a text.
class base_predictions {
  public:
    virtual ~base_predictions() = default;

    [[nodiscard]] virtual std::size_t windows() const = 0;
    /// Memory for predictions that are not in memory anyway.
    struct room {
        std::vector<float> logits;
        std::vector<double> sum;
        std::vector<double> surprise;
        std::vector<token> top;
    };
    /// Window i, valid as long as `r` is left alone. Safe to call from several threads with rooms
    /// of their own.
    [[nodiscard]] virtual base_window window(std::size_t i, room& r) const = 0;
};

/// exp of the mean surprise.
[[nodiscard]] double perplexity(const base_predictions& base);

/// The predictions of a model that is at hand, kept in memory: 4 bytes for each prediction and
/// token of the vocabulary.
class live_predictions final : public base_predictions {
  public:
    live_predictions(const model& m, const class windows& text, bpw::threads& run);

    [[nodiscard]] std::size_t windows() const override { return surprise_.size() / window_size; }
    [[nodiscard]] base_window window(std::size_t i, room& r) const override;

  private:
    std::size_t vocabulary_;
    std::vector<float> logits_;
    std::vector<double> sum_;
    std::vector<double> surprise_;
    std::vector<token> top_;
};

/// What was found at every place of a text, in the text's order.
struct predictions {
    std::vector<double> surprise;  ///< of the tokens that came, in nats
    /// These three with a base only.
    std::vector<double> base_surprise;
    std::vector<double> divergence;
    std::vector<double> same_top;  ///< 1 where both expect the same token most, otherwise 0
};

/// Predicts a text. `base` may be null; it must be of the same windows and vocabulary.
[[nodiscard]] predictions examine(const model& m, const windows& text, const base_predictions* base,
                                  bpw::threads& run);

}  // namespace llama
