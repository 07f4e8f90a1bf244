// The forward pass: a text that grows token by token, and what the model expects next.
#pragma once

#include "llama/model.hpp"
#include "llama/tokenizer.hpp"

#include <bpw/kernels/product.hpp>
#include <bpw/parallel.hpp>

#include <cstddef>
#include <span>
#include <vector>

namespace llama {

/// One text in progress: the keys and values of all its tokens (the KV cache), and scratch memory.
class session {
  public:
    /// Room for `capacity` tokens. The model and the threads must outlive the session.
    session(const model& m, bpw::threads& run, std::size_t capacity);

    /// Forgets the text.
    void clear() { length_ = 0; }
    [[nodiscard]] std::size_t length() const { return length_; }
    [[nodiscard]] std::size_t capacity() const { return capacity_; }

    /// Appends tokens to the text and returns the logits after each of them: tokens.size() vectors
    /// of size().vocabulary floats, valid until the next call. Throws bpw::error when there is no
    /// room, or a token is outside the vocabulary.
    bpw::vectors<const float> append(std::span<const token> tokens);

    /// The same for the last token only.
    std::span<const float> append_last(std::span<const token> tokens);

  private:
    // The keys of one head: a row for each position; and its values: a column for each position.
    struct head_cache {
        std::vector<float> keys;
        std::vector<float> values;
    };

    void run_layers(std::span<const token> tokens);
    void attention(const layer& l, std::vector<head_cache>& cache, std::size_t n);
    void feed_forward(const layer& l, std::size_t n);
    void store(std::vector<head_cache>& cache, std::size_t n);
    void rotate(float* head, std::size_t position) const;

    const model& model_;
    bpw::threads& run_;
    std::size_t capacity_;
    std::size_t length_ = 0;
    std::vector<std::vector<head_cache>> cache_;  // [layer][kv head]
    std::vector<float> cosine_, sine_;            // [position][pair]

    // Activations of the tokens that are being appended, one vector a token.
    std::vector<float> state_, normed_, query_, key_, value_, mixed_, added_, gate_, up_, scores_;
    std::vector<float> logits_;
};

}  // namespace llama
