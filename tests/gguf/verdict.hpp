// A file's two verdicts: what the strict and the lenient mode answer.
#pragma once

#include "gguf/image.hpp"
#include "gguf/touch.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gguf_test {

using bpw::errc;

/// Refused with this code and a message that holds these words, or accepted with observations that
/// do; accepted without words means without observations.
struct verdict {
    std::optional<errc> code;
    std::vector<std::string> words;
};

inline verdict refused(errc code, std::vector<std::string> words) {
    return {code, std::move(words)};
}
inline verdict accepted(std::vector<std::string> words = {}) { return {{}, std::move(words)}; }

inline void expect_words(std::string_view text, const std::vector<std::string>& words) {
    for (const auto& w : words) {
        EXPECT_NE(text.find(w), std::string_view::npos) << "expected '" << w << "' in: " << text;
    }
}

inline void expect_verdict(std::span<const std::byte> file, const verdict& expected,
                           const gguf::options& chosen) {
    SCOPED_TRACE(chosen.strict ? "strict" : "lenient");
    const tight_copy copy(file);
    const auto f = gguf::file::try_parse(copy.get(), chosen);
    if (expected.code) {
        ASSERT_FALSE(f.ok()) << "accepted, but expected a refusal";
        EXPECT_EQ(static_cast<int>(f.error().code), static_cast<int>(*expected.code))
            << f.error().message;
        expect_words(f.error().message, expected.words);
        return;
    }
    ASSERT_TRUE(f.ok()) << f.error().message;
    std::string all;
    for (const auto& o : f->observations()) all += o + "\n";
    if (expected.words.empty()) {
        EXPECT_EQ(all, "");
    }
    expect_words(all, expected.words);
    (void)touch(*f);
}

inline void expect_verdicts(const char* name, const byte_vector& file, const verdict& strict,
                            const verdict& lenient, gguf::options chosen = {}) {
    SCOPED_TRACE(name);
    chosen.strict = true;
    expect_verdict(file, strict, chosen);
    chosen.strict = false;
    expect_verdict(file, lenient, chosen);
    survives(tight_copy(file).get());
}

/// The same answer in both modes.
inline void expect_verdict_of_both(const char* name, const byte_vector& file, const verdict& both,
                                   const gguf::options& chosen = {}) {
    expect_verdicts(name, file, both, both, chosen);
}

}  // namespace gguf_test
