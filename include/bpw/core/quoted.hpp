// Bytes of a file as they appear in messages.
#pragma once

#include <bpw/core/config.hpp>

#include <cstddef>
#include <string>
#include <string_view>

BPW_NAMESPACE_BEGIN

namespace detail {

struct quote {
    [[nodiscard]] std::string operator()(std::string_view text, std::size_t most = 80) const {
        constexpr std::string_view digits = "0123456789abcdef";
        std::string out = "'";
        for (const char c : text.substr(0, most)) {
            const auto byte = static_cast<unsigned char>(c);
            if (byte >= 0x20 && byte < 0x7F) {
                out += c;
            } else {
                out += "\\x";
                out += digits[byte >> 4];
                out += digits[byte & 15];
            }
        }
        out += text.size() > most ? "...'" : "'";
        return out;
    }
};

/// quoted(text, most = 80): bytes of a file as they appear in messages: in quotes, control
/// characters and bytes outside ASCII as \xNN, cut after `most` bytes. An object and no function,
/// so that its argument does not bring in std::quoted of <iomanip>.
inline constexpr quote quoted{};

}  // namespace detail

BPW_NAMESPACE_END
