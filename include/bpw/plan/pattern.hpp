// Regular expressions over tensor names, for the two dialects that recipes and command lines use.
//
// Users' patterns are untrusted, so matching is a simulation of a nondeterministic automaton
// (Thompson 1968): its time is the length of the pattern times the length of the name, its memory
// the length of the pattern, and nothing recurses along the name. What only backtracking could
// match, back-references, is refused. Only whether a name matches is computed, so greed does not
// matter and alternatives have no order.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/plan/text.hpp>

#include <bitset>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

BPW_NAMESPACE_BEGIN
namespace plan {

/// Whose regular expressions.
enum class regex_syntax : std::uint8_t {
    ere,         ///< POSIX extended, as in bash `=~` and recipe files; \w \s \b are known as in GNU
    ecmascript,  ///< as in --custom-q, and what Python's `re` shares with it: \d, (?:...), (?=...)
};

/// How large a pattern may be.
struct pattern_limits {
    std::size_t nesting = 200;   ///< parentheses within parentheses
    std::size_t states = 10000;  ///< of the automaton, counted repetitions written out
};

/// A compiled regular expression. Bytes are characters.
class pattern {
  public:
    /// Compiles a pattern. Errors: `malformed` for what is no regular expression of the syntax,
    /// `unsupported` for back-references and beyond the limits.
    [[nodiscard]] static result<pattern> compile(std::string_view text,
                                                 regex_syntax syntax = regex_syntax::ecmascript,
                                                 const pattern_limits& limits = {});

    /// Whether the pattern matches somewhere in the name.
    [[nodiscard]] bool search(std::string_view name) const { return run(0, name, 0, true, any); }

    /// Whether the pattern matches the whole name.
    [[nodiscard]] bool matches(std::string_view name) const {
        return run(0, name, 0, false, name.size());
    }

    [[nodiscard]] const std::string& text() const noexcept { return text_; }

  private:
    friend class pattern_compiler;
    pattern() = default;

    static constexpr std::size_t any = std::numeric_limits<std::size_t>::max();

    enum class op : std::uint8_t {
        byte,         // the byte x
        set,          // a byte of sets_[x]
        split,        // both x and y
        jump,         // x
        begin,        // at the beginning of the name
        end,          // at its end
        word_edge,    // between a word character and another, x = 0; or not there, x = 1
        look,         // program x matches from here; y = 1: does not
        look_behind,  // program x matches up to here; y = 1: does not
        accept,
    };
    struct instruction {
        op code;
        std::uint32_t x = 0;
        std::uint32_t y = 0;
    };
    using byte_set = std::bitset<256>;
    using program = std::vector<instruction>;

    [[nodiscard]] static bool is_word(char c) noexcept {
        return is_digit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    }

    // The states alive before one byte of the name.
    struct threads {
        explicit threads(std::size_t states) : stamp(states, 0) {}
        std::vector<std::uint32_t> list;
        std::vector<std::uint32_t> stamp;
        std::uint32_t now = 0;
        void begin_step() {
            list.clear();
            now += 1;
        }
        [[nodiscard]] bool first_visit(std::uint32_t at) {
            return std::exchange(stamp[at], now) != now;
        }
    };

    // Adds a state and what it leads to without taking a byte; whether it accepts.
    bool follow(const program& p, threads& t, std::vector<std::uint32_t>& stack,
                std::string_view name, std::size_t at, std::uint32_t state) const {
        bool accepts = false;
        stack.push_back(state);
        while (!stack.empty()) {
            const auto s = stack.back();
            stack.pop_back();
            if (!t.first_visit(s)) continue;
            const auto i = p[s];
            bool pass = false;
            switch (i.code) {
                case op::byte:
                case op::set:
                    t.list.push_back(s);
                    break;
                case op::split:
                    stack.push_back(i.y);
                    stack.push_back(i.x);
                    break;
                case op::jump:
                    stack.push_back(i.x);
                    break;
                case op::begin:
                    pass = at == 0;
                    break;
                case op::end:
                    pass = at == name.size();
                    break;
                case op::word_edge: {
                    const bool before = at != 0 && is_word(name[at - 1]);
                    const bool after = at != name.size() && is_word(name[at]);
                    pass = (before != after) == (i.x == 0);
                    break;
                }
                case op::look:
                    pass = run(i.x, name, at, false, any) == (i.y == 0);
                    break;
                case op::look_behind:
                    pass = run(i.x, name, 0, true, at) == (i.y == 0);
                    break;
                case op::accept:
                    accepts = true;
                    break;
            }
            if (pass) stack.push_back(s + 1);
        }
        return accepts;
    }

    // Whether a program matches in the name: from `from` on or, `anywhere`, from some later place;
    // up to `last`, or to some place when that is `any`.
    bool run(std::size_t which, std::string_view name, std::size_t from, bool anywhere,
             std::size_t last) const {
        const auto& p = programs_[which];
        threads now(p.size());
        threads next(p.size());
        std::vector<std::uint32_t> stack;
        now.begin_step();
        bool accepts = false;
        for (std::size_t at = from;; ++at) {
            if (at == from || anywhere) accepts |= follow(p, now, stack, name, at, 0);
            if (at == last) return accepts;
            if (accepts && last == any) return true;
            if (at == name.size() || (now.list.empty() && !anywhere)) return false;
            next.begin_step();
            accepts = false;
            const auto byte = static_cast<unsigned char>(name[at]);
            for (const auto s : now.list) {
                const auto i = p[s];
                if (i.code == op::byte ? i.x != byte : !sets_[i.x][byte]) continue;
                accepts |= follow(p, next, stack, name, at + 1, s + 1);
            }
            std::swap(now, next);
        }
    }

    std::string text_;
    std::vector<program> programs_;
    std::vector<byte_set> sets_;
};

// Text to a tree, tree to a program.
class pattern_compiler {
  public:
    pattern_compiler(std::string_view text, regex_syntax syntax, const pattern_limits& limits)
        : text_(text), ere_(syntax == regex_syntax::ere), limits_(limits) {}

    [[nodiscard]] result<pattern> compile() {
        const auto root = alternatives();
        if (!reason_ && at_ != text_.size()) refuse("')' closes nothing");
        if (!reason_) {
            out_.programs_.emplace_back();
            emit_program(0, root);
        }
        if (reason_) return *std::move(reason_);
        out_.text_ = std::string(text_);
        return std::move(out_);
    }

  private:
    using op = pattern::op;
    using byte_set = pattern::byte_set;
    using index = std::uint32_t;
    static constexpr std::uint32_t unlimited = std::numeric_limits<std::uint32_t>::max();

    struct node {
        enum class kind : std::uint8_t { leaf, sequence, alternatives, repeat, look } what;
        pattern::instruction leaf{};    // of a leaf; code, x and y of a look-around
        std::vector<index> children{};  // of the others
        std::uint32_t least = 0;        // of a repetition
        std::uint32_t most = unlimited;
    };

    void refuse(std::string_view why, errc code = errc::malformed) {
        if (reason_) return;
        reason_ = fail(code, "pattern ", quoted(text_), " at character ", at_ + 1, ": ", why);
    }

    [[nodiscard]] bool more() const noexcept { return !reason_ && at_ < text_.size(); }
    [[nodiscard]] char peek() const noexcept { return text_[at_]; }
    [[nodiscard]] bool take(std::string_view word) noexcept {
        if (text_.substr(at_, word.size()) != word) return false;
        at_ += word.size();
        return true;
    }

    index add(node n) {
        nodes_.push_back(std::move(n));
        return static_cast<index>(nodes_.size() - 1);
    }
    index add_leaf(op code, std::uint32_t x = 0) {
        return add({node::kind::leaf, {code, x, 0}, {}, 0, 0});
    }
    index add_byte(char c) { return add_leaf(op::byte, static_cast<unsigned char>(c)); }
    index add_set(const byte_set& set) {
        out_.sets_.push_back(set);
        return add_leaf(op::set, static_cast<std::uint32_t>(out_.sets_.size() - 1));
    }

    // --- text to tree ---------------------------------------------------------------------------

    index alternatives() {
        node n{node::kind::alternatives};
        n.children.push_back(sequence());
        while (more() && take("|")) n.children.push_back(sequence());
        return n.children.size() == 1 ? n.children.front() : add(std::move(n));
    }

    index sequence() {
        node n{node::kind::sequence};
        while (more() && peek() != '|') {
            if (peek() == ')' && (!ere_ || depth_ != 0)) break;
            n.children.push_back(repetition());
        }
        return add(std::move(n));
    }

    index repetition() {
        const auto start = at_;
        auto item = atom();
        for (bool repeated = false; more(); repeated = true) {
            std::uint32_t least = 0;
            std::uint32_t most = unlimited;
            const auto before = at_;
            if (take("*")) {
            } else if (take("+")) {
                least = 1;
            } else if (take("?")) {
                most = 1;
            } else if (peek() != '{' || !counts(least, most)) {
                break;
            }
            const auto what = nodes_.empty() ? node::kind::sequence : nodes_[item].what;
            const bool place = what == node::kind::leaf && nodes_[item].leaf.code != op::byte &&
                               nodes_[item].leaf.code != op::set;
            if (reason_) break;
            if ((repeated && !ere_) || place) {
                at_ = before;
                refuse("there is nothing that could be repeated");
                break;
            }
            if (!ere_ && more()) (void)take("?");
            node n{node::kind::repeat};
            n.children.push_back(item);
            n.least = least;
            n.most = most;
            item = add(std::move(n));
            // Without parentheses the depth of the tree would be free of the nesting limit.
            if (++stacked_ > limits_.nesting) refuse("too many repetitions", errc::unsupported);
        }
        if (at_ == start) refuse("there is nothing that could be matched");
        stacked_ = 0;
        return item;
    }

    // {m}, {m,}, {,n} or {m,n}. False and nothing taken where ECMAScript means the character '{'.
    bool counts(std::uint32_t& least, std::uint32_t& most) {
        const auto close = text_.find('}', at_);
        const auto inner =
            close == std::string_view::npos ? "" : text_.substr(at_ + 1, close - at_ - 1);
        const auto comma = inner.find(',');
        const auto first = inner.substr(0, comma);
        const auto m = parse_count(first);
        const auto n = comma == std::string_view::npos ? m : parse_count(inner.substr(comma + 1));
        const bool open = comma != std::string_view::npos && comma + 1 == inner.size();
        if ((!m && !(first.empty() && n)) || (!n && !open)) {
            if (ere_) refuse("'{' begins no repetition count");
            return ere_;
        }
        constexpr std::uint64_t largest = 1000;
        if (m.value_or(0) > largest || n.value_or(0) > largest) {
            refuse("a repetition count is above 1000", errc::unsupported);
        } else if (n && *n < m.value_or(0)) {
            refuse("the repetition counts are out of order");
        } else {
            least = static_cast<std::uint32_t>(m.value_or(0));
            most = n ? static_cast<std::uint32_t>(*n) : unlimited;
        }
        at_ = close + 1;
        return true;
    }

    index atom() {
        const char c = peek();
        switch (c) {
            case '(':
                return group();
            case '[':
                return bracket();
            case '\\':
                return escape();
            case '.': {
                ++at_;
                byte_set all;
                all.set();
                if (!ere_) all.reset('\n');
                return add_set(all);
            }
            case '^':
                ++at_;
                return add_leaf(op::begin);
            case '$':
                ++at_;
                return add_leaf(op::end);
            case '*':
            case '+':
            case '?':
                refuse("there is nothing that could be repeated");
                return 0;
            default:
                if (c == '{' && ere_) refuse("there is nothing that could be repeated");
                ++at_;
                return add_byte(c);
        }
    }

    index group() {
        const auto open = at_++;
        if (++depth_ > limits_.nesting) {
            refuse("the parentheses are nested too deeply", errc::unsupported);
            return 0;
        }
        std::optional<pattern::instruction> look;
        if (!ere_ && take("?")) {
            if (take("=") || take("!")) {
                look = {op::look, 0, text_[at_ - 1] == '!' ? 1U : 0U};
            } else if (take("<=") || take("<!")) {
                look = {op::look_behind, 0, text_[at_ - 1] == '!' ? 1U : 0U};
            } else if (take("P<") || take("<")) {
                const auto end = text_.find('>', at_);
                if (end == std::string_view::npos) refuse("the name of the group has no end");
                at_ = end == std::string_view::npos ? text_.size() : end + 1;
            } else if (!take(":")) {
                refuse("'(?' begins a group of an unknown kind", errc::unsupported);
            }
        }
        // Their number and nesting are factors of the time that a match takes.
        if (look && (++looks_ > 16 || looking_)) {
            refuse("look-around within look-around, or more than 16 of them", errc::unsupported);
        }
        if (look) looking_ = true;
        auto inner = alternatives();
        if (look) looking_ = false;
        --depth_;
        if (!reason_ && !take(")")) {
            at_ = open;
            refuse("'(' is not closed");
        }
        if (!look) return inner;
        node n{node::kind::look, *look, {inner}, 0, 0};
        return add(std::move(n));
    }

    // The set of a letter behind a backslash.
    static std::optional<byte_set> named_set(char letter) {
        byte_set set;
        const char small = static_cast<char>(letter | 32);
        if (small != 'd' && small != 'w' && small != 's') return std::nullopt;
        for (unsigned i = 0; i < 128; ++i) {
            const char c = static_cast<char>(i);
            if (small == 'd' ? is_digit(c) : small == 'w' ? pattern::is_word(c) : is_space(c)) {
                set.set(i);
            }
        }
        return letter == small ? set : ~set;
    }

    // The character of an ECMAScript escape that stands for one, behind the backslash.
    std::optional<char> escaped_character() {
        const char c = text_[at_++];
        switch (c) {
            case 't':
                return '\t';
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 'f':
                return '\f';
            case 'v':
                return '\v';
            case '0':
                return '\0';
            case 'x': {
                unsigned value = 0;
                const auto digits = text_.substr(at_, 2);
                const auto [end, error] =
                    std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
                if (digits.size() != 2 || error != std::errc{} || end != digits.data() + 2) {
                    return std::nullopt;
                }
                at_ += 2;
                return static_cast<char>(value);
            }
            default:
                if (is_digit(c) || (pattern::is_word(c) && c != '_')) return std::nullopt;
                return c;
        }
    }

    index escape() {
        ++at_;
        if (!more()) {
            refuse("the pattern ends in a backslash");
            return 0;
        }
        const char c = peek();
        if (c == 'b' || c == 'B') {
            ++at_;
            return add_leaf(op::word_edge, c == 'B' ? 1 : 0);
        }
        if (ere_ && (c == 'd' || c == 'D')) {
            refuse("POSIX regular expressions have no \\d; expected [0-9]");
            return 0;
        }
        if (const auto set = named_set(c)) {
            ++at_;
            return add_set(*set);
        }
        if (c >= '1' && c <= '9') {
            refuse("back-references are not supported", errc::unsupported);
            return 0;
        }
        if (!ere_ && (c == 'A' || c == 'Z')) {
            ++at_;
            return add_leaf(c == 'A' ? op::begin : op::end);
        }
        if (ere_ && (pattern::is_word(c) || c == '<' || c == '>')) {
            refuse("a backslash stands before a character that needs none");
            return 0;
        }
        const auto character = escaped_character();
        if (!character) {
            refuse("the escape is unknown");
            return 0;
        }
        return add_byte(*character);
    }

    index bracket() {
        const auto open = at_++;
        const bool inverted = take("^");
        byte_set set;
        const auto unclosed = [&] {
            at_ = open;
            refuse("'[' is not closed");
            return index{0};
        };
        for (bool first = true;; first = false) {
            if (reason_) return 0;
            if (!more()) return unclosed();
            if (peek() == ']' && !first) break;
            if (take("[:")) {
                const auto end = text_.find(":]", at_);
                if (end == std::string_view::npos) return unclosed();
                add_class(text_.substr(at_, end - at_), set);
                at_ = end + 2;
                continue;
            }
            if (text_.substr(at_, 2) == "[=" || text_.substr(at_, 2) == "[.") {
                refuse("equivalence classes and collating elements are not supported",
                       errc::unsupported);
                return 0;
            }
            if (!ere_ && peek() == '\\' && at_ + 1 < text_.size()) {
                if (const auto named = named_set(text_[at_ + 1])) {
                    set |= *named;
                    at_ += 2;
                    continue;
                }
            }
            const auto low = bracket_character();
            if (!low) return unclosed();
            auto high = low;
            const bool range = at_ + 1 < text_.size() && peek() == '-' && text_[at_ + 1] != ']';
            if (range) {
                ++at_;
                high = bracket_character();
                if (!high) return unclosed();
            }
            if (*high < *low) refuse("the range in brackets is out of order");
            for (unsigned i = *low; i <= *high; ++i) set.set(i);
        }
        ++at_;
        return add_set(inverted ? ~set : set);
    }

    std::optional<unsigned char> bracket_character() {
        if (!more()) return std::nullopt;
        if (ere_ || peek() != '\\') return static_cast<unsigned char>(text_[at_++]);
        ++at_;
        if (!more()) return std::nullopt;
        const auto character = escaped_character();
        if (!character) refuse("the escape in brackets is unknown");
        return static_cast<unsigned char>(character.value_or('\0'));
    }

    void add_class(std::string_view name, byte_set& set) {
        const auto between = [](unsigned c, char low, char high) {
            return c >= static_cast<unsigned char>(low) && c <= static_cast<unsigned char>(high);
        };
        bool known = false;
        const auto add_if = [&](std::string_view word, auto holds) {
            if (name != word) return;
            known = true;
            for (unsigned c = 0; c < 128; ++c) {
                if (holds(c)) set.set(c);
            }
        };
        const auto digit = [&](unsigned c) { return between(c, '0', '9'); };
        const auto small = [&](unsigned c) { return between(c, 'a', 'z'); };
        const auto capital = [&](unsigned c) { return between(c, 'A', 'Z'); };
        const auto letter = [&](unsigned c) { return small(c) || capital(c); };
        const auto graph = [&](unsigned c) { return between(c, '!', '~'); };
        add_if("digit", digit);
        add_if("lower", small);
        add_if("upper", capital);
        add_if("alpha", letter);
        add_if("alnum", [&](unsigned c) { return letter(c) || digit(c); });
        add_if("xdigit", [&](unsigned c) {
            return digit(c) || between(c, 'a', 'f') || between(c, 'A', 'F');
        });
        add_if("space", [](unsigned c) { return is_space(static_cast<char>(c)); });
        add_if("blank", [](unsigned c) { return c == ' ' || c == '\t'; });
        add_if("graph", graph);
        add_if("print", [&](unsigned c) { return c == ' ' || graph(c); });
        add_if("punct", [&](unsigned c) { return graph(c) && !letter(c) && !digit(c); });
        add_if("cntrl", [](unsigned c) { return c < 32 || c == 127; });
        if (!known) refuse("the character class is unknown");
    }

    // --- tree to program ------------------------------------------------------------------------

    void emit_program(std::size_t which, index root) {
        emit(which, root);
        put(which, {op::accept});
    }

    std::size_t put(std::size_t which, pattern::instruction i) {
        out_.programs_[which].push_back(i);
        return out_.programs_[which].size() - 1;
    }
    [[nodiscard]] std::uint32_t here(std::size_t which) const {
        return static_cast<std::uint32_t>(out_.programs_[which].size());
    }

    void emit(std::size_t which, index at) {
        // Also counts nodes that emit nothing, or empty groups could be repeated without end.
        if (++emitted_ > limits_.states) {
            refuse("the pattern is too large", errc::unsupported);
            return;
        }
        auto& programs = out_.programs_;
        const auto& n = nodes_[at];
        switch (n.what) {
            case node::kind::leaf:
                put(which, n.leaf);
                break;
            case node::kind::look: {
                programs.emplace_back();
                const auto inner = programs.size() - 1;
                emit_program(inner, n.children[0]);
                put(which, {n.leaf.code, static_cast<std::uint32_t>(inner), n.leaf.y});
                break;
            }
            case node::kind::sequence:
                for (const auto child : n.children) {
                    if (reason_) return;
                    emit(which, child);
                }
                break;
            case node::kind::alternatives: {
                std::vector<std::size_t> ends;
                for (std::size_t i = 0; i + 1 < n.children.size() && !reason_; ++i) {
                    const auto fork = put(which, {op::split, here(which) + 1});
                    emit(which, n.children[i]);
                    ends.push_back(put(which, {op::jump}));
                    programs[which][fork].y = here(which);
                }
                emit(which, n.children.back());
                for (const auto end : ends) programs[which][end].x = here(which);
                break;
            }
            case node::kind::repeat:
                emit_repeat(which, n.children[0], n.least, n.most);
                break;
        }
    }

    void emit_repeat(std::size_t which, index child, std::uint32_t least, std::uint32_t most) {
        auto& programs = out_.programs_;
        for (std::uint32_t i = 0; i < least && !reason_; ++i) emit(which, child);
        if (most == unlimited) {
            const auto fork = put(which, {op::split, here(which) + 1});
            emit(which, child);
            put(which, {op::jump, static_cast<std::uint32_t>(fork)});
            programs[which][fork].y = here(which);
            return;
        }
        std::vector<std::size_t> forks;
        for (std::uint32_t i = least; i < most && !reason_; ++i) {
            forks.push_back(put(which, {op::split, here(which) + 1}));
            emit(which, child);
        }
        for (const auto fork : forks) programs[which][fork].y = here(which);
    }

    std::string_view text_;
    bool ere_;
    pattern_limits limits_;
    std::size_t at_ = 0;
    std::size_t depth_ = 0;
    std::size_t stacked_ = 0;
    std::size_t looks_ = 0;
    bool looking_ = false;
    std::size_t emitted_ = 0;
    std::vector<node> nodes_;
    std::optional<failure> reason_;
    pattern out_;
};

inline result<pattern> pattern::compile(std::string_view text, regex_syntax syntax,
                                        const pattern_limits& limits) {
    return pattern_compiler(text, syntax, limits).compile();
}

}  // namespace plan
BPW_NAMESPACE_END
