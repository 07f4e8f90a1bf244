#include "common/text.hpp"

#include <bpw/gguf/text.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ostream>

namespace examples {

std::string readable_size(std::uint64_t bytes) {
    constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB"};
    if (bytes < 1024) return std::to_string(bytes) + " B";
    double number = static_cast<double>(bytes);
    std::size_t unit = 0;
    // 1023.995 and more would be written as 1024.00.
    while (number >= 1023.995 && unit + 1 < units.size()) {
        number /= 1024;
        ++unit;
    }
    return fixed(number, 2) + " " + units[unit];
}

std::string fixed(double number, int digits) {
    std::array<char, 400> text{};
    std::snprintf(text.data(), text.size(), "%.*f", digits, number);
    return text.data();
}

namespace {

[[nodiscard]] constexpr bool continues(char c) { return (c & 0xC0) == 0x80; }

void append_escaped(std::string& out, char c) {
    constexpr std::string_view digits = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    out += "\\x";
    out += digits[byte >> 4];
    out += digits[byte & 15];
}

}  // namespace

std::string printable(std::string_view text, std::size_t most) {
    const bool cut = text.size() > most;
    if (cut) {
        while (most > 0 && continues(text[most])) --most;
        text = text.substr(0, most);
    }
    const bool utf8 = bpw::gguf::is_utf8(text);
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        // U+0080 to U+009F are control characters too.
        const bool c1 =
            byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
        if (utf8 && c1) {
            append_escaped(out, text[i]);
            append_escaped(out, text[++i]);
        } else if (byte < 0x20 || byte == 0x7F || (byte >= 0x80 && !utf8)) {
            append_escaped(out, text[i]);
        } else {
            out += text[i];
        }
    }
    return cut ? out + "..." : out;
}

std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return !continues(c); }));
}

void table::print(std::ostream& out, std::string_view indent) const {
    std::vector<std::size_t> widths;
    std::size_t total = 2 * (columns_.size() - 1);
    for (std::size_t c = 0; c < columns_.size(); ++c) {
        auto widest = width(columns_[c].title);
        for (const auto& row : rows_) {
            if (!row.empty()) widest = std::max(widest, width(row[c]));
        }
        widths.push_back(widest);
        total += widest;
    }
    const auto line = [&](auto cell) {
        std::string text(indent);
        for (std::size_t c = 0; c < columns_.size(); ++c) {
            const std::string& now = cell(c);
            const std::string gap(widths[c] - width(now), ' ');
            if (c != 0) text += "  ";
            text += columns_[c].side == align::left ? now + gap : gap + now;
        }
        text.erase(text.find_last_not_of(' ') + 1);
        out << text << '\n';
    };
    const auto rule = [&] { out << indent << std::string(total, '-') << '\n'; };
    line([&](std::size_t c) -> const std::string& { return columns_[c].title; });
    rule();
    for (const auto& row : rows_) {
        if (row.empty()) {
            rule();
        } else {
            line([&](std::size_t c) -> const std::string& { return row[c]; });
        }
    }
}

}  // namespace examples
