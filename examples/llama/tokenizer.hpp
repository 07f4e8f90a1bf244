// Vocabularies whose tokens are the 256 bytes.
#pragma once

#include <bpw/gguf.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace llama {

using token = std::uint32_t;

/// Bytes to tokens and back, for a vocabulary of the 256 bytes and special tokens.
class tokenizer {
  public:
    /// Reads a file's vocabulary of `size` tokens. Throws bpw::error when its tokens are not single
    /// bytes: a text would have to be split by rules that this program does not have.
    tokenizer(const bpw::gguf::metadata& metadata, std::size_t size);

    /// The token that stands at the beginning of a text.
    [[nodiscard]] token begin() const { return begin_; }
    [[nodiscard]] token encode(unsigned char byte) const { return tokens_[byte]; }
    [[nodiscard]] std::vector<token> encode(std::string_view text) const;
    /// The byte of a token; nothing for special ones.
    [[nodiscard]] std::optional<unsigned char> decode(token t) const { return bytes_[t]; }

  private:
    std::array<token, 256> tokens_{};
    std::vector<std::optional<unsigned char>> bytes_;
    token begin_ = 0;
};

}  // namespace llama
