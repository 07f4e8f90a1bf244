// What a model expects of a text, window by window.
//
// The text is cut into windows of 256 bytes; a shorter rest is dropped. A window's input is the
// beginning-of-text token and its first 255 bytes, and all of its 256 bytes are predicted.
#pragma once

#include "llama/model.hpp"
#include "llama/tokenizer.hpp"

#include <bpw/core/vectors.hpp>
#include <bpw/parallel.hpp>

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace llama {

inline constexpr std::size_t window_size = 256;

/// A text as a model's tokens.
class windows {
  public:
    /// Throws bpw::error when the text is shorter than a window, the model's context is, or its
    /// vocabulary is not one of bytes. `file` is the text's, for messages.
    windows(const model& m, std::string_view text, const std::string& file);

    [[nodiscard]] std::size_t count() const { return tokens_.size() / window_size; }
    /// The tokens that are predicted in window i.
    [[nodiscard]] std::span<const token> expected(std::size_t i) const {
        return std::span(tokens_).subspan(i * window_size, window_size);
    }
    /// What the model reads in window i.
    [[nodiscard]] std::vector<token> input(std::size_t i) const;

  private:
    std::vector<token> tokens_;
    token begin_;
};

/// Predicts all windows and calls f(i, logits) for window i: window_size vectors of
/// size().vocabulary floats. Windows are handed out to `run`, so f is called from its threads, for
/// windows in any order; what f throws is thrown again here.
void predict(const model& m, const windows& text, bpw::threads& run,
             const std::function<void(std::size_t, bpw::vectors<const float>)>& f);

}  // namespace llama
