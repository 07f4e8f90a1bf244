// Layer numbers as regular expressions: the shortest usual form of a set of numbers, and the way
// back from a regex to every text that it stands for.
//
// Both stay inside POSIX extended syntax and use nothing but digits, `[a-b]`, `|` and parentheses.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/plan/text.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

BPW_NAMESPACE_BEGIN
namespace plan {

namespace detail {

// One alternative of a layer regex: a range of digits at every decimal place, highest place first.
// `[1-2][5-9]` is {1,2}{5,9}.
struct digit_ranges {
    struct range {
        char first;
        char last;
        friend bool operator==(const range&, const range&) = default;
    };
    std::vector<range> places;

    [[nodiscard]] std::uint64_t lowest() const {
        std::uint64_t number = 0;
        for (const auto& p : places) number = 10 * number + static_cast<std::uint64_t>(p.first);
        return number;
    }
    [[nodiscard]] std::string text() const {
        std::string out;
        for (const auto& p : places) {
            const char first = static_cast<char>('0' + p.first);
            if (p.first == p.last) {
                out += first;
            } else {
                out += '[';
                out += first;
                out += '-';
                out += static_cast<char>('0' + p.last);
                out += ']';
            }
        }
        return out;
    }
};

// The numbers from `low` to `high` as alternatives, each a block of 10^k numbers or some such
// blocks side by side: digits, full tens, partial tens, and likewise above 99.
inline void cover_run(std::uint64_t low, std::uint64_t high, std::vector<digit_ranges>& out) {
    while (low <= high) {
        std::uint64_t block = 1;
        while (low % (10 * block) == 0 && low >= 10 * block && high - low >= 10 * block - 1) {
            block *= 10;
        }
        const std::uint64_t first = low / block % 10;
        const std::uint64_t blocks = std::min((high - low + 1) / block, 10 - first);
        digit_ranges part;
        for (std::uint64_t rest = low / block / 10; rest != 0; rest /= 10) {
            const auto digit = static_cast<char>(rest % 10);
            part.places.insert(part.places.begin(), {digit, digit});
        }
        part.places.push_back({static_cast<char>(first), static_cast<char>(first + blocks - 1)});
        for (std::uint64_t b = block; b > 1; b /= 10) part.places.push_back({0, 9});
        out.push_back(std::move(part));
        low += blocks * block;
    }
}

// Makes one alternative of two that differ at one place only, where their digits are neighbours,
// and that share a bracket at another. Whether it could.
inline bool join(digit_ranges& a, const digit_ranges& b) {
    if (a.places.size() != b.places.size()) return false;
    std::optional<std::size_t> place;
    bool bracket = false;
    for (std::size_t i = 0; i < a.places.size(); ++i) {
        if (a.places[i] == b.places[i]) {
            bracket = bracket || a.places[i].first != a.places[i].last;
        } else if (place) {
            return false;
        } else {
            place = i;
        }
    }
    if (!place || !bracket || a.places[*place].last + 1 != b.places[*place].first) return false;
    a.places[*place].last = b.places[*place].last;
    return true;
}

}  // namespace detail

/// A regular expression (POSIX extended) that matches exactly these numbers, written without
/// leading zeros, and no other integer: `60`, `[0-2]`, `5[2-3]`, `([0-9]|[1-5][0-9]|60)`. The
/// order of the numbers and repetitions do not matter; without numbers the text is empty.
[[nodiscard]] inline std::string layer_regex(std::vector<std::uint32_t> layers) {
    std::sort(layers.begin(), layers.end());
    layers.erase(std::unique(layers.begin(), layers.end()), layers.end());
    std::vector<detail::digit_ranges> parts;
    for (std::size_t i = 0; i < layers.size();) {
        std::size_t end = i + 1;
        while (end < layers.size() && layers[end] - layers[i] == end - i) ++end;
        detail::cover_run(layers[i], layers[end - 1], parts);
        i = end;
    }
    for (std::size_t i = 0; i < parts.size(); ++i) {
        for (std::size_t j = i + 1; j < parts.size();) {
            if (detail::join(parts[i], parts[j])) {
                parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(j));
                j = i + 1;
            } else {
                ++j;
            }
        }
    }
    std::sort(parts.begin(), parts.end(),
              [](const auto& a, const auto& b) { return a.lowest() < b.lowest(); });
    std::string text;
    for (const auto& part : parts) {
        if (!text.empty()) text += '|';
        text += part.text();
    }
    return parts.size() > 1 ? "(" + text + ")" : text;
}

/// How much a regex may expand to.
struct expansion_limits {
    std::size_t texts = 100000;
    std::size_t bytes = std::size_t{64} << 20;
    std::size_t nesting = 50;  ///< parentheses within parentheses
};

namespace detail {

// Enumerates the alternatives of a regex. `plain` becomes false at anything that cannot be
// enumerated, `too_many` beyond the limits.
class alternatives {
  public:
    using texts = std::vector<std::string>;

    alternatives(std::string_view text, const expansion_limits& limits)
        : rest_(text), limits_(limits) {}

    [[nodiscard]] texts all() {
        texts out = sequence(0);
        if (!rest_.empty()) plain = false;
        return out;
    }

    bool plain = true;
    bool too_many = false;

  private:
    [[nodiscard]] bool repeated() const {
        return !rest_.empty() && std::string_view("*+?{").find(rest_.front()) != rest_.npos;
    }

    void append(texts& out, std::string_view text) {
        bytes_ += out.size() * text.size();
        too_many = too_many || bytes_ > limits_.bytes;
        if (too_many) return;
        for (auto& t : out) t += text;
    }

    void multiply(texts& out, const texts& by) {
        for (const auto& t : out) bytes_ += t.size() * by.size();
        for (const auto& t : by) bytes_ += t.size() * out.size();
        if (by.size() > limits_.texts / out.size() || bytes_ > limits_.bytes) {
            too_many = true;
            return;
        }
        texts product;
        product.reserve(out.size() * by.size());
        for (const auto& a : out) {
            for (const auto& b : by) product.push_back(a + b);
        }
        out = std::move(product);
    }

    // Up to the `|` or `)` that ends it, or the end of the text.
    texts sequence(std::size_t depth) {
        texts out{{}};
        while (!rest_.empty() && plain && !too_many) {
            const char c = rest_.front();
            if (c == ')' || c == '|') break;
            if (c == '\\') {
                if (rest_.size() < 2) {
                    plain = false;
                    break;
                }
                append(out, rest_.substr(0, 2));
                rest_.remove_prefix(2);
            } else if (c == '[') {
                bracket(out);
            } else if (c == '(') {
                group(out, depth);
            } else {
                append(out, rest_.substr(0, 1));
                rest_.remove_prefix(1);
            }
        }
        return out;
    }

    void group(texts& out, std::size_t depth) {
        rest_.remove_prefix(1);
        if (depth == limits_.nesting || repeated()) {
            plain = false;
            return;
        }
        texts inside;
        for (;;) {
            for (auto& t : sequence(depth + 1)) inside.push_back(std::move(t));
            if (!plain || too_many) return;
            if (inside.size() > limits_.texts) {
                too_many = true;
                return;
            }
            if (rest_.empty()) {
                plain = false;
                return;
            }
            const char c = rest_.front();
            rest_.remove_prefix(1);
            if (c == ')') break;
        }
        if (repeated()) {
            plain = false;
            return;
        }
        multiply(out, inside);
    }

    void bracket(texts& out) {
        std::size_t end = 1;
        if (end < rest_.size() && rest_[end] == '^') ++end;
        if (end < rest_.size() && rest_[end] == ']') ++end;
        while (end < rest_.size() && rest_[end] != ']') {
            const char kind = end + 1 < rest_.size() ? rest_[end + 1] : '\0';
            if (rest_[end] == '[' && (kind == ':' || kind == '.' || kind == '=')) {
                const char close[] = {kind, ']', '\0'};
                const auto at = rest_.find(close, end + 2);
                if (at == rest_.npos) break;
                end = at + 1;
            }
            ++end;
        }
        if (end >= rest_.size()) {
            plain = false;
            return;
        }
        const auto inside = rest_.substr(1, end - 1);
        const auto whole = rest_.substr(0, end + 1);
        rest_.remove_prefix(end + 1);
        const auto digits = digits_of(inside);
        if (digits.empty()) {
            append(out, whole);
        } else if (repeated()) {
            plain = false;
        } else {
            multiply(out, digits);
        }
    }

    // What a bracket of digits and ranges of digits stands for; nothing for any other bracket.
    static texts digits_of(std::string_view inside) {
        bool has[10] = {};
        for (std::size_t i = 0; i < inside.size(); ++i) {
            if (!is_digit(inside[i])) return {};
            char last = inside[i];
            if (i + 2 < inside.size() && inside[i + 1] == '-') {
                last = inside[i + 2];
                if (!is_digit(last) || last < inside[i]) return {};
            }
            for (char d = inside[i]; d <= last; ++d) has[d - '0'] = true;
            if (last != inside[i] || (i + 2 < inside.size() && inside[i + 1] == '-')) i += 2;
        }
        texts out;
        for (std::size_t d = 0; d < 10; ++d) {
            if (has[d]) out.emplace_back(1, static_cast<char>('0' + d));
        }
        return out;
    }

    std::string_view rest_;
    const expansion_limits& limits_;
    std::size_t bytes_ = 0;  // written so far, also what was thrown away
};

}  // namespace detail

/// Every alternative that a regex stands for: parentheses with `|` and brackets of digits are
/// written out, everything else stays as it is. A regex that cannot be written out, because one of
/// those is repeated (`(a|b)*`, `[0-9]+`) or because it is not well-formed, comes back alone and
/// unchanged. Errors: `unsupported` beyond the limits.
[[nodiscard]] inline result<std::vector<std::string>> expand_regex(
    std::string_view regex, const expansion_limits& limits = {}) {
    detail::alternatives a(regex, limits);
    auto texts = a.all();
    if (a.too_many) {
        return fail(errc::unsupported, "the regex ", quoted(regex), " stands for more than ",
                    limits.texts, " texts or ", limits.bytes, " bytes");
    }
    if (!a.plain) return std::vector<std::string>{std::string(regex)};
    return texts;
}

/// A regex of one layer, taken apart around the number of the layer.
struct layer_split {
    std::string before;  ///< up to the number: `^blk\.`
    std::uint32_t layer;
    std::string after;  ///< from the number on: `\.attn_q\.weight$`
};

/// Finds the layer number of a regex or tensor name: the digits of the first `blk.N.`, `mm.N.` or
/// `deepstack.N.`, whose dots may be escaped. Nothing when there is none.
[[nodiscard]] inline std::optional<layer_split> split_layer(std::string_view regex) {
    const auto dot = [&](std::size_t at) -> std::size_t {
        if (at < regex.size() && regex[at] == '.') return at + 1;
        if (regex.substr(std::min(at, regex.size()), 2) == "\\.") return at + 2;
        return 0;
    };
    for (std::size_t i = 0; i < regex.size(); ++i) {
        const char before = i == 0 ? '^' : regex[i - 1];
        if (is_digit(before) || before == '_' || (before >= 'a' && before <= 'z') ||
            (before >= 'A' && before <= 'Z')) {
            continue;
        }
        for (const std::string_view word : {"blk", "mm", "deepstack"}) {
            if (regex.substr(i, word.size()) != word) continue;
            const auto begin = dot(i + word.size());
            if (begin == 0) continue;
            auto end = begin;
            while (end < regex.size() && is_digit(regex[end])) ++end;
            const auto number = parse_count(regex.substr(begin, end - begin));
            if (end == begin || !number || *number > 0xFFFFFFFFu || dot(end) == 0) continue;
            if (end - begin > 1 && regex[begin] == '0') continue;
            return layer_split{std::string(regex.substr(0, begin)),
                               static_cast<std::uint32_t>(*number), std::string(regex.substr(end))};
        }
    }
    return std::nullopt;
}

}  // namespace plan
BPW_NAMESPACE_END
