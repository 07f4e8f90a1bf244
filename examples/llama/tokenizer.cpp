#include "llama/tokenizer.hpp"

#include <algorithm>
#include <map>
#include <string>

namespace llama {

namespace {

// The alphabet of GPT-2's vocabulary files: bytes that are printable in Latin-1 stand for
// themselves, the others for the characters from U+0100 on.
std::map<std::string, unsigned char, std::less<>> byte_alphabet() {
    std::map<std::string, unsigned char, std::less<>> alphabet;
    unsigned next = 0x100;
    for (unsigned byte = 0; byte < 256; ++byte) {
        const bool shown = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
        const unsigned code = shown ? byte : next++;
        std::string text;
        if (code < 0x80) {
            text = static_cast<char>(code);
        } else {
            text = {static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 0x3F))};
        }
        alphabet[text] = static_cast<unsigned char>(byte);
    }
    return alphabet;
}

template <class... Parts>
[[noreturn]] void refuse(const Parts&... parts) {
    throw bpw::error(bpw::fail(bpw::errc::unsupported, parts...,
                               "; expected a byte-level vocabulary: the 256 bytes, in the spelling "
                               "of GPT-2's vocabularies, and special tokens"));
}

}  // namespace

tokenizer::tokenizer(const bpw::gguf::metadata& metadata, std::size_t size) {
    constexpr std::uint32_t normal = 1;
    const auto texts = metadata.get<bpw::gguf::array>("tokenizer.ggml.tokens").value();
    if (texts.size() != size) {
        throw bpw::error(bpw::fail(bpw::errc::malformed, "the vocabulary has ", texts.size(),
                                   " tokens; expected ", size, ", the rows of the embedding"));
    }
    // More tokens than bytes and a few special ones are words: no need to look at each.
    if (size > 256 + 64) refuse("the vocabulary has ", size, " tokens");
    const auto merges = metadata.get_or("tokenizer.ggml.merges", bpw::gguf::array{}).value();
    if (!merges.empty()) refuse("the vocabulary has ", merges.size(), " merges");
    const auto types =
        metadata.get_or("tokenizer.ggml.token_type", std::vector<std::uint32_t>(size, normal))
            .value();
    if (types.size() != size) {
        throw bpw::error(bpw::fail(bpw::errc::malformed, "metadata key 'tokenizer.ggml.token_type'",
                                   " has ", types.size(), " elements; expected ", size));
    }

    const auto alphabet = byte_alphabet();
    std::array<bool, 256> found{};
    bytes_.resize(size);
    token t = 0;
    for (const auto element : texts) {
        const auto text = element.as<std::string_view>("a token").value();
        const auto letter = alphabet.find(text);
        if (letter != alphabet.end() && types[t] == normal && !found[letter->second]) {
            found[letter->second] = true;
            tokens_[letter->second] = t;
            bytes_[t] = letter->second;
        } else if (types[t] == normal) {
            refuse("token ", t, " is no single byte");
        }
        ++t;
    }
    const auto missing = std::find(found.begin(), found.end(), false) - found.begin();
    if (missing != 256) refuse("no token stands for the byte ", missing);

    begin_ = metadata.get<token>("tokenizer.ggml.bos_token_id").value();
    if (begin_ >= size) {
        throw bpw::error(bpw::fail(bpw::errc::malformed,
                                   "metadata key 'tokenizer.ggml.bos_token_id'", " is ", begin_,
                                   "; expected less than ", size));
    }
}

std::vector<token> tokenizer::encode(std::string_view text) const {
    std::vector<token> out;
    out.reserve(text.size());
    for (const char c : text) out.push_back(encode(static_cast<unsigned char>(c)));
    return out;
}

}  // namespace llama
