// Strings of a file: whether they are text, and how they appear in messages.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/quoted.hpp>

#include <cstddef>
#include <string>
#include <string_view>

BPW_NAMESPACE_BEGIN
namespace gguf {

/// Whether the bytes are well-formed UTF-8: shortest forms only, no surrogates, at most U+10FFFF.
[[nodiscard]] constexpr bool is_utf8(std::string_view text) noexcept {
    std::size_t i = 0;
    while (i < text.size()) {
        const auto lead = static_cast<unsigned char>(text[i++]);
        if (lead < 0x80) continue;
        // What the second byte may be keeps out long forms, surrogates and too large values.
        std::size_t more = 0;
        unsigned low = 0x80;
        unsigned high = 0xBF;
        if (lead >= 0xC2 && lead <= 0xDF) {
            more = 1;
        } else if (lead >= 0xE0 && lead <= 0xEF) {
            more = 2;
            if (lead == 0xE0) low = 0xA0;
            if (lead == 0xED) high = 0x9F;
        } else if (lead >= 0xF0 && lead <= 0xF4) {
            more = 3;
            if (lead == 0xF0) low = 0x90;
            if (lead == 0xF4) high = 0x8F;
        } else {
            return false;
        }
        if (text.size() - i < more) return false;
        for (; more != 0; --more, low = 0x80, high = 0xBF) {
            const auto next = static_cast<unsigned char>(text[i++]);
            if (next < low || next > high) return false;
        }
    }
    return true;
}

namespace detail {

using bpw::detail::quoted;

}  // namespace detail
}  // namespace gguf
BPW_NAMESPACE_END
