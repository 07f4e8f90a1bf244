// Recipes: which quant type each tensor gets, as lines `regex=type`.
//
// The format is that of Thireus' GGUF Tool Suite: blank lines and lines that begin with # are
// skipped, the first = ends the regex, text behind a second = is ignored, the first line whose
// regex is found in a tensor's name decides. Regexes are POSIX extended (bash's `=~`).
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/core/type_id.hpp>
#include <bpw/plan/layer_regex.hpp>
#include <bpw/plan/pattern.hpp>
#include <bpw/plan/text.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

BPW_NAMESPACE_BEGIN
namespace plan {

/// One line of a recipe. The type f32 means: the tensor as it is in the unquantized model.
struct recipe_rule {
    std::string regex;
    type_id type;
    std::size_t line = 0;  ///< where it stands in its file, from 1; 0 when it comes from no file

    friend bool operator==(const recipe_rule& a, const recipe_rule& b) {
        return a.regex == b.regex && a.type == b.type;
    }
};

/// A recipe: its rules in their order, and what its comments say of it.
struct recipe {
    std::string file;   ///< for messages; may be empty
    std::string model;  ///< of the line `# Model name: `; may be empty
    std::string link;   ///< of the line `# Link to the original model: `
    std::vector<recipe_rule> rules;
    std::vector<std::string> summary;  ///< the lines from `## Summary of tensor sizes` to the end,
                                       ///< without the closing `## THE END!`
};

namespace detail {

inline constexpr std::string_view model_mark = "# Model name: ";
inline constexpr std::string_view link_mark = "# Link to the original model: ";
inline constexpr std::string_view summary_mark = "## Summary of tensor sizes per class";
inline constexpr std::string_view end_mark = "## THE END!";

[[nodiscard]] constexpr bool starts_with(std::string_view text, std::string_view with) noexcept {
    return text.substr(0, with.size()) == with;
}

// `regex=type`, blanks around both ignored; text behind a second = too.
[[nodiscard]] inline result<recipe_rule> parse_rule(std::string_view text, const place& at,
                                                    regex_syntax syntax) {
    const auto equal = text.find('=');
    if (equal == text.npos) {
        return fail_at(at, errc::malformed, "there is no '=' in ", quoted(text),
                       "; expected regex=type");
    }
    const auto regex = trimmed(text.substr(0, equal));
    auto type = text.substr(equal + 1);
    type = trimmed(type.substr(0, type.find('=')));
    if (regex.empty()) {
        return fail_at({at.file, at.line, "regex"}, errc::malformed,
                       "nothing stands before the '=' of ", quoted(text),
                       "; expected a regular expression of tensor names");
    }
    if (type.empty()) {
        return fail_at({at.file, at.line, "type"}, errc::malformed,
                       "nothing stands behind the '=' of ", quoted(text),
                       "; expected the name of a quant type");
    }
    const auto id = type_from_name(type);
    if (!id) {
        return fail_at({at.file, at.line, "type"}, errc::unknown_type, quoted(type),
                       " is not the name of a quant type");
    }
    const auto compiled = pattern::compile(regex, syntax);
    if (!compiled) {
        return fail_at({at.file, at.line, "regex"}, compiled.error().code,
                       compiled.error().message);
    }
    return recipe_rule{std::string(regex), *id, at.line};
}

}  // namespace detail

/// Reads a recipe. `file` is its name in messages. Errors: `malformed` for a line without = or
/// with nothing at one side of it, or a regex that is none; `unknown_type`; `unsupported` for a
/// regex with back-references or beyond the limits of pattern.
[[nodiscard]] inline result<recipe> parse_recipe(std::string_view text, std::string_view file) {
    recipe r;
    r.file = std::string(file);
    bool summary = false;
    line_reader lines(text);
    while (const auto whole = lines.next()) {
        const auto line = trimmed(*whole);
        if (line == detail::end_mark) {
            summary = false;
        } else if (line.empty() || line.front() == '#') {
            if (detail::starts_with(line, detail::model_mark) && r.model.empty()) {
                r.model = std::string(trimmed(line.substr(detail::model_mark.size())));
            } else if (detail::starts_with(line, detail::link_mark) && r.link.empty()) {
                r.link = std::string(trimmed(line.substr(detail::link_mark.size())));
            }
            summary = summary || line == detail::summary_mark;
            if (summary) r.summary.emplace_back(*whole);
        } else {
            auto rule = detail::parse_rule(line, {file, lines.number()}, regex_syntax::ere);
            if (!rule) return rule.error();
            r.rules.push_back(*std::move(rule));
        }
    }
    while (!r.summary.empty() && trimmed(r.summary.back()).empty()) r.summary.pop_back();
    return r;
}

/// The regex that matches a tensor's name and nothing else: `^blk\.0\.attn_q\.weight$`.
[[nodiscard]] inline std::string escaped_name(std::string_view name) {
    std::string out = "^";
    for (const char c : name) {
        if (std::string_view(".[]{}()*+?|^$\\").find(c) != std::string_view::npos) out += '\\';
        out += c;
    }
    return out + "$";
}

/// The name that a regex of the form of escaped_name() matches; nothing for any other regex.
[[nodiscard]] inline std::optional<std::string> literal_name(std::string_view regex) {
    if (regex.size() < 2 || regex.front() != '^' || regex.back() != '$') return std::nullopt;
    regex = regex.substr(1, regex.size() - 2);
    std::string name;
    for (std::size_t i = 0; i < regex.size(); ++i) {
        char c = regex[i];
        if (c == '\\') {
            if (++i == regex.size()) return std::nullopt;
            c = regex[i];
            const bool letter = is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
            if (letter || c == '_' || c == '<' || c == '>' || c == '`' || c == '\'') {
                return std::nullopt;
            }
        } else if (std::string_view(".[]{}()*+?|^$").find(c) != std::string_view::npos) {
            return std::nullopt;
        }
        name += c;
    }
    return name;
}

/// The rules one line each, `regex=type`.
[[nodiscard]] inline std::string write_rules(const std::vector<recipe_rule>& rules) {
    std::string out;
    for (const auto& rule : rules) {
        out.append(rule.regex).append("=").append(name(rule.type)).append("\n");
    }
    return out;
}

namespace detail {

// The texts that a rule stands for. What they take is taken off the limits.
[[nodiscard]] inline result<std::vector<std::string>> expand_within(const recipe_rule& rule,
                                                                    expansion_limits& left) {
    auto texts = expand_regex(rule.regex, left);
    if (!texts) return texts;
    left.texts -= std::min(left.texts, texts->size());
    for (const auto& text : *texts) left.bytes -= std::min(left.bytes, text.size());
    return texts;
}

}  // namespace detail

/// A rule for each tensor that the regexes of a recipe spell out. Rules that cannot be written out
/// (see expand_regex) stay as they are. What is expanded decides as before for every tensor.
/// Errors: `unsupported` beyond the limits, which count for the whole recipe.
[[nodiscard]] inline result<std::vector<recipe_rule>> expand_rules(
    const std::vector<recipe_rule>& rules, const expansion_limits& limits = {}) {
    std::vector<recipe_rule> out;
    auto left = limits;
    for (const auto& rule : rules) {
        auto texts = detail::expand_within(rule, left);
        if (!texts) return texts.error();
        for (auto& text : *texts) out.push_back({std::move(text), rule.type, rule.line});
    }
    return out;
}

/// Answers which rule of a recipe decides for a tensor.
class rule_index {
  public:
    /// Compiles the rules. Errors: those of pattern::compile, with file and line.
    [[nodiscard]] static result<rule_index> make(const std::vector<recipe_rule>& rules,
                                                 regex_syntax syntax = regex_syntax::ere,
                                                 std::string_view file = {}) {
        rule_index index;
        for (std::size_t i = 0; i < rules.size(); ++i) {
            // Most lines of recipes spell out names: looked up, not matched one by one.
            const auto names = spelled_out(rules[i].regex);
            for (const auto& n : names) index.literal_.emplace(n, i);
            if (!names.empty()) continue;
            auto compiled = pattern::compile(rules[i].regex, syntax);
            if (!compiled) {
                return fail_at({file, rules[i].line, "regex"}, compiled.error().code,
                               compiled.error().message);
            }
            index.general_.emplace_back(i, *std::move(compiled));
        }
        return index;
    }

    /// The first rule whose regex is found in a tensor's name; nothing when there is none.
    [[nodiscard]] std::optional<std::size_t> find(const std::string& tensor) const {
        std::optional<std::size_t> best;
        if (const auto at = literal_.find(tensor); at != literal_.end()) best = at->second;
        for (const auto& [i, compiled] : general_) {
            if (best && *best < i) break;
            if (compiled.search(tensor)) return i;
        }
        return best;
    }

  private:
    static std::vector<std::string> spelled_out(std::string_view regex) {
        std::vector<std::string> names;
        if (regex.empty() || regex.front() != '^') return names;
        const auto texts = expand_regex(regex, {1000, std::size_t{1} << 20, 50});
        if (!texts) return names;
        for (const auto& text : *texts) {
            auto literal = literal_name(text);
            if (!literal) return {};
            names.push_back(*std::move(literal));
        }
        return names;
    }

    std::unordered_map<std::string, std::size_t> literal_;
    std::vector<std::pair<std::size_t, pattern>> general_;
};

/// The type that a recipe gives to each of these tensors, in their order; f32 stands for the
/// tensor as it is in the unquantized model. Errors: `not_found` names the first tensor that no
/// line matches; those of parse_recipe for rules that were not parsed.
[[nodiscard]] inline result<std::vector<type_id>> resolve(const recipe& r,
                                                          const std::vector<std::string>& tensors) {
    const auto index = rule_index::make(r.rules, regex_syntax::ere, r.file);
    if (!index) return index.error();
    std::vector<type_id> types;
    types.reserve(tensors.size());
    for (const auto& tensor : tensors) {
        const auto rule = index->find(tensor);
        if (!rule) {
            return fail_at({r.file}, errc::not_found, "no line of the recipe matches the tensor ",
                           quoted(tensor), "; expected one for every tensor");
        }
        types.push_back(r.rules[*rule].type);
    }
    return types;
}

}  // namespace plan
BPW_NAMESPACE_END
