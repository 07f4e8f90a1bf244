// Text files of the planner: lines, CSV, numbers, and errors that name file, line and field.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/core/quoted.hpp>

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

BPW_NAMESPACE_BEGIN
namespace plan {

using bpw::detail::quoted;

/// A place in a text file. Lines count from 1; line 0 means the file as a whole. An empty field
/// means the line as a whole.
struct place {
    std::string_view file;
    std::size_t line = 0;
    std::string_view field = {};
};

/// A failure whose message is "FILE:LINE: FIELD: " and the concatenation of the parts.
template <class... Parts>
[[nodiscard]] failure fail_at(const place& at, errc code, const Parts&... parts) {
    failure f{code, {}};
    f.message.append(at.file.empty() ? std::string_view("(text)") : at.file).append(":");
    if (at.line != 0) f.message.append(std::to_string(at.line)).append(":");
    f.message.append(" ");
    if (!at.field.empty()) f.message.append(at.field).append(": ");
    (bpw::detail::append(f.message, parts), ...);
    return f;
}

[[nodiscard]] constexpr bool is_space(char c) noexcept {
    return c == ' ' || (c >= '\t' && c <= '\r');
}
[[nodiscard]] constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// The text without blanks at its ends.
[[nodiscard]] constexpr std::string_view trimmed(std::string_view text) noexcept {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

/// ASCII letters in lower case.
[[nodiscard]] inline std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    }
    return out;
}

/// The pieces of a text between separators; one empty piece for an empty text.
[[nodiscard]] inline std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> pieces;
    for (;;) {
        const auto end = text.find(separator);
        pieces.push_back(text.substr(0, end));
        if (end == std::string_view::npos) return pieces;
        text.remove_prefix(end + 1);
    }
}

/// Walks through the lines of a text: ended by LF or CR LF, the last one also by the end of the
/// text. A byte order mark in front is skipped.
class line_reader {
  public:
    explicit line_reader(std::string_view text) : rest_(text) {
        if (rest_.substr(0, 3) == "\xEF\xBB\xBF") rest_.remove_prefix(3);
    }

    /// The next line without its end; nothing after the last one.
    [[nodiscard]] std::optional<std::string_view> next() {
        if (rest_.empty()) return std::nullopt;
        number_ += 1;
        const auto end = rest_.find('\n');
        auto line = rest_.substr(0, end);
        rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
        return line;
    }

    /// Number of the line that next() returned, from 1.
    [[nodiscard]] std::size_t number() const noexcept { return number_; }

  private:
    std::string_view rest_;
    std::size_t number_ = 0;
};

/// A finite decimal number with an optional sign, blanks around it ignored, independent of the
/// locale. Nothing for anything else, also for "nan", "inf" and hexadecimal.
[[nodiscard]] inline std::optional<double> parse_number(std::string_view text) {
    text = trimmed(text);
    if (!text.empty() && text.front() == '+') {
        text.remove_prefix(1);
        if (!text.empty() && text.front() == '-') return std::nullopt;
    }
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size() ||
        !std::isfinite(number)) {
        return std::nullopt;
    }
    return number;
}

/// A decimal number without sign, blanks around it ignored; nothing when it does not fit.
[[nodiscard]] inline std::optional<std::uint64_t> parse_count(std::string_view text) {
    text = trimmed(text);
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return number;
}

/// A number or a percentage: `0.25`, `25%` and `+25%` are the same. Nothing for an empty cell or
/// one that is no number.
[[nodiscard]] inline std::optional<double> parse_ratio(std::string_view text) {
    text = trimmed(text);
    const bool percent = !text.empty() && text.back() == '%';
    if (percent) text.remove_suffix(1);
    const auto number = parse_number(text);
    if (!number) return std::nullopt;
    return percent ? *number / 100 : *number;
}

/// Whether a cell is the marker of something that was not measured: `404`, `404.0`, `404%`.
[[nodiscard]] inline bool is_not_measured_marker(std::string_view text) {
    text = trimmed(text);
    if (!text.empty() && text.back() == '%') text.remove_suffix(1);
    const auto number = parse_number(text);
    return number && *number == 404;
}

/// The first integer in a text, as in `iq2_ks` the 2; nothing when there is no digit.
[[nodiscard]] inline std::optional<std::uint64_t> first_integer(std::string_view text) {
    std::size_t i = 0;
    while (i < text.size() && !is_digit(text[i])) ++i;
    std::size_t end = i;
    while (end < text.size() && is_digit(text[end])) ++end;
    return parse_count(text.substr(i, end - i));
}

/// One row of a CSV file.
struct csv_row {
    std::size_t line;                ///< where it begins, from 1
    std::vector<std::string> cells;  ///< as many as the header has
};

/// A CSV file with a header.
struct csv_table {
    std::string file;
    std::vector<std::string> header;
    std::vector<csv_row> rows;

    /// The position of a column; nothing when there is none of the name.
    [[nodiscard]] std::optional<std::size_t> column(std::string_view name) const {
        for (std::size_t i = 0; i < header.size(); ++i) {
            if (header[i] == name) return i;
        }
        return std::nullopt;
    }
};

namespace detail {

// One record from the front of `text`; the quotes of RFC 4180 may enclose line ends.
inline result<std::vector<std::string>> take_csv_record(std::string_view& text,
                                                        std::string_view file, std::size_t& line) {
    const std::size_t first = line;
    std::vector<std::string> cells;
    std::string cell;
    bool quotes = false;
    std::size_t i = 0;
    for (;; ++i) {
        if (i == text.size() && quotes) {
            return fail_at({file, first}, errc::malformed, "cell ", cells.size() + 1,
                           " begins with a quotation mark that nothing closes");
        }
        const char c = i == text.size() ? '\n' : text[i];
        if (c == '\n') line += 1;
        if (quotes) {
            if (c != '"') {
                cell += c;
            } else if (i + 1 < text.size() && text[i + 1] == '"') {
                cell += c;
                ++i;
            } else {
                quotes = false;
            }
        } else if (c == '"' && cell.empty()) {
            quotes = true;
        } else if (c == ',' || c == '\n') {
            if (c == '\n' && !cell.empty() && cell.back() == '\r') cell.pop_back();
            cells.push_back(std::exchange(cell, {}));
            if (c == '\n') break;
        } else {
            cell += c;
        }
    }
    text.remove_prefix(i < text.size() ? i + 1 : i);
    return cells;
}

}  // namespace detail

/// Reads comma-separated values with a header line: cells may stand in quotation marks, within
/// which "" is one mark. Blank lines are skipped. Errors: `malformed` for no header, a quotation
/// mark that is not closed, or a row whose cells are more or fewer than the header's.
[[nodiscard]] inline result<csv_table> read_csv(std::string_view text, std::string_view file) {
    csv_table table{std::string(file), {}, {}};
    if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
    std::size_t line = 1;
    while (!text.empty()) {
        const auto at = line;
        auto cells = detail::take_csv_record(text, file, line);
        if (!cells) return cells.error();
        if (cells->size() == 1 && trimmed(cells->front()).empty()) continue;
        if (table.header.empty()) {
            for (auto& name : *cells) name = std::string(trimmed(name));
            table.header = *std::move(cells);
        } else if (cells->size() != table.header.size()) {
            return fail_at({file, at}, errc::malformed, "the row has ", cells->size(),
                           " cells; expected ", table.header.size(), " as in the header");
        } else {
            table.rows.push_back({at, *std::move(cells)});
        }
    }
    if (table.header.empty()) {
        return fail_at({file}, errc::malformed, "the file has no header line");
    }
    return table;
}

}  // namespace plan
BPW_NAMESPACE_END
