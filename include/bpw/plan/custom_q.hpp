// The lists of llama-quantize's --custom-q: `regex=type,regex=type,...`.
//
// A comma always separates, so that no regex holds one; regexes are ECMAScript's; the first one
// found in a tensor's name decides, and goes before the rules of the named mix.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/plan/recipe.hpp>
#include <bpw/plan/text.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

BPW_NAMESPACE_BEGIN
namespace plan {

/// Reads a list and appends it to those read before, as llama-quantize does with several
/// --custom-q. `source` stands in messages, the entry's position as its line. Empty entries, as a
/// last comma leaves one, are skipped. Errors: as parse_recipe.
[[nodiscard]] inline result<std::vector<recipe_rule>> parse_custom_q(
    std::string_view list, std::vector<recipe_rule> before = {},
    std::string_view source = "--custom-q") {
    std::size_t number = 0;
    for (const auto piece : split(list, ',')) {
        number += 1;
        const auto entry = trimmed(piece);
        if (entry.empty()) continue;
        auto rule = detail::parse_rule(entry, {source, number}, regex_syntax::ecmascript);
        if (!rule) return rule.error();
        before.push_back(*std::move(rule));
    }
    return before;
}

/// Writes rules as one list. Errors: `unsupported` for a regex that holds a comma, naming its line.
[[nodiscard]] inline result<std::string> write_custom_q(const std::vector<recipe_rule>& rules,
                                                        std::string_view file = {}) {
    std::string list;
    for (const auto& rule : rules) {
        if (rule.regex.find(',') != std::string::npos) {
            return fail_at({file, rule.line, "regex"}, errc::unsupported, quoted(rule.regex),
                           " holds a comma, which separates the entries of a --custom-q list");
        }
        if (!list.empty()) list += ',';
        list.append(rule.regex).append("=").append(name(rule.type));
    }
    return list;
}

/// Writes the regexes of a list in the syntax of recipes: \d becomes [0-9], a group that captures
/// nothing an ordinary one, a repetition that prefers few an ordinary one. Errors: `unsupported`
/// for look-around and for escapes that POSIX regexes lack, naming the entry.
[[nodiscard]] inline result<std::vector<recipe_rule>> recipe_rules_of(
    std::vector<recipe_rule> list, std::string_view source = "--custom-q") {
    for (auto& rule : list) {
        std::string out;
        bool bracket = false;
        const std::string_view in = rule.regex;
        for (std::size_t i = 0; i < in.size(); ++i) {
            const char c = in[i];
            const char next = i + 1 < in.size() ? in[i + 1] : '\0';
            const auto refuse = [&](std::string_view what) {
                return fail_at({source, rule.line, "regex"}, errc::unsupported, quoted(in),
                               " holds ", what, ", which the regexes of recipes do not have");
            };
            if (c == '\\' && next != '\0') {
                ++i;
                const std::string_view digits = "0-9";
                const std::string_view words = "A-Za-z0-9_";
                const std::string_view blanks = "[:space:]";
                const auto set = [&](std::string_view inside) {
                    if (bracket) {
                        out += inside;
                    } else {
                        out.append("[").append(inside).append("]");
                    }
                };
                if (next == 'd') {
                    set(digits);
                } else if (next == 'w') {
                    set(words);
                } else if (next == 's') {
                    set(blanks);
                } else if (!bracket && (next == 'D' || next == 'W' || next == 'S')) {
                    out.append("[^").append(next == 'D' ? digits : next == 'W' ? words : blanks);
                    out += ']';
                } else if (is_digit(next) || (next >= 'a' && next <= 'z') ||
                           (next >= 'A' && next <= 'Z')) {
                    return refuse("the escape " + quoted(in.substr(i - 1, 2)));
                } else if (bracket) {
                    // In a POSIX bracket a backslash is a character like any other.
                    if (next == ']' || next == '^' || next == '-' || next == '[') {
                        return refuse("the escape " + quoted(in.substr(i - 1, 2)) +
                                      " in a bracket");
                    }
                    out += next;
                } else {
                    out.append({c, next});
                }
                continue;
            }
            if (bracket) {
                bracket = c != ']';
                out += c;
            } else if (c == '(' && next == '?') {
                if (in.substr(i, 3) != "(?:") return refuse("look-around");
                out += c;
                i += 2;
            } else if (c == '?' && i != 0 && std::string_view("*+?}").find(in[i - 1]) != in.npos &&
                       (i < 2 || in[i - 2] != '\\')) {
                // Only whether a name matches counts, so greed does not.
            } else {
                bracket = c == '[';
                out += c;
            }
        }
        rule.regex = std::move(out);
    }
    return list;
}

}  // namespace plan
BPW_NAMESPACE_END
