#include "sensitivity/journal.hpp"

#include "common/program.hpp"

#include <bpw/core/error.hpp>
#include <bpw/plan/sha256.hpp>
#include <bpw/plan/text.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>

namespace examples {
namespace {

using bpw::errc;
using kind = measured::kind;

const std::vector<std::string> header{"measured",  "type",      "tensors",         "kld",
                                      "kld_error", "ppl_ratio", "ppl_ratio_error", "check"};
constexpr std::string_view begin_word = "of";

template <class... Parts>
[[noreturn]] void refuse(errc code, const Parts&... parts) {
    throw bpw::error(bpw::fail(code, parts...));
}

std::string word_of(kind k) { return k == kind::alone ? "alone" : "all"; }

std::string text_of(const settings& of) {
    std::string text;
    for (const auto& [name, value] : of) {
        text.append(text.empty() ? "" : " ").append(name).append("=").append(value);
    }
    return text;
}

// The first setting in which two texts of settings differ.
std::string first_difference(std::string_view mine, std::string_view theirs) {
    const auto a = bpw::plan::split(mine, ' ');
    const auto b = bpw::plan::split(theirs, ' ');
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (i < b.size() && a[i] == b[i]) continue;
        return std::string(i < b.size() ? b[i] : "nothing").append("; expected ").append(a[i]);
    }
    return "more settings";
}

}  // namespace

std::string shortest(double number) {
    std::array<char, 40> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    return {digits.data(), end};
}

std::string csv_row(const std::vector<std::string>& cells) {
    std::string row;
    for (const auto& cell : cells) {
        if (&cell != &cells.front()) row += ',';
        if (cell.find_first_of(",\"\r\n") == std::string::npos) {
            row += cell;
            continue;
        }
        row += '"';
        for (const char c : cell) row.append(c == '"' ? 2 : 1, c);
        row += '"';
    }
    return row;
}

// An open file that no other process appends to at the same time.
class journal::file {
  public:
    explicit file(std::string path) : path_(std::move(path)) {
        descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        if (descriptor_ < 0) fail_with(errno);
        if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
            const int reason = errno;
            ::close(descriptor_);
            if (reason != EWOULDBLOCK) fail_with(reason);
            refuse(errc::io, path_,
                   " is being written by another run; expected to be the only one");
        }
    }
    ~file() { ::close(descriptor_); }
    file(const file&) = delete;
    file& operator=(const file&) = delete;

    void cut(std::size_t bytes) const {
        if (::ftruncate(descriptor_, static_cast<::off_t>(bytes)) != 0) fail_with(errno);
    }
    void append(std::string_view bytes) const {
        while (!bytes.empty()) {
            const auto done = ::write(descriptor_, bytes.data(), bytes.size());
            if (done < 0 && errno == EINTR) continue;
            if (done <= 0) fail_with(done < 0 ? errno : ENOSPC);
            bytes.remove_prefix(static_cast<std::size_t>(done));
        }
    }

  private:
    [[noreturn]] void fail_with(int reason) const {
        refuse(errc::io, path_, " cannot be written: ", std::strerror(reason));
    }

    std::string path_;
    int descriptor_ = -1;
};

journal::journal(const std::string& path, const settings& of)
    : path_(path), settings_(text_of(of)), file_(std::make_unique<file>(path)) {
    auto content = read_file(path);
    const auto whole = content.rfind('\n') + 1;  // 0 where there is no line end
    if (whole != content.size()) {
        was_cut_ = true;
        content.resize(whole);
    }
    if (!content.empty()) read(content);
    // Only now: a file that is refused stays as it is.
    if (was_cut_) file_->cut(whole);
    if (content.empty()) file_->append(csv_row(header) + "\n");
    const bool begun = content.find('\n') + 1 < content.size();
    if (!begun) append({std::string(begin_word), "", settings_, "", "", "", ""});
}

journal::~journal() = default;

std::string journal::check_of(const std::string& row) const {
    return bpw::plan::sha256_hex(settings_ + "\n" + row).substr(0, 8);
}

void journal::append(const std::vector<std::string>& cells) {
    const auto row = csv_row(cells);
    file_->append(row + "," + check_of(row) + "\n");
}

void journal::read(const std::string& content) {
    const auto table = bpw::plan::read_csv(content, path_).value();
    if (table.header != header) {
        using bpw::plan::quoted;
        refuse(errc::malformed, path_, " begins with the columns ", quoted(csv_row(table.header)),
               "; expected ", quoted(csv_row(header)), " (is this a file of another program?)");
    }
    const auto damaged = [&](const bpw::plan::csv_row& row, const char* why) {
        refuse(errc::malformed, path_, ", line ", row.line, ": ", why,
               "; expected a row as it was written (remove the file to measure anew)");
    };
    for (const auto& row : table.rows) {
        const auto& c = row.cells;
        const bool first = &row == &table.rows.front();
        if (first != (c[0] == begin_word))
            damaged(row, "the settings stand in the first row alone");
        if (first && c[2] != settings_) {
            refuse(errc::unsupported, path_, " was begun with ", first_difference(settings_, c[2]),
                   " (--out names another folder)");
        }
        if (check_of(csv_row({c.begin(), c.end() - 1})) != c.back()) {
            damaged(row, "the row does not have its checksum");
        }
        if (first) continue;
        std::array<double, 4> numbers{};
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            const auto n = bpw::plan::parse_number(c[3 + i]);
            if (!n) damaged(row, "a loss is no number");
            numbers[i] = *n;
        }
        if (c[0] != word_of(kind::alone) && c[0] != word_of(kind::all)) {
            damaged(row, "the first cell is neither 'alone' nor 'all'");
        }
        const measured what{c[0] == word_of(kind::all) ? kind::all : kind::alone, c[1], c[2]};
        if (find(what)) damaged(row, "the measurement stands there twice");
        remember(what, {{numbers[0], numbers[1]}, {numbers[2], numbers[3]}});
    }
}

void journal::remember(const measured& what, const loss& found) {
    positions_.emplace(what, rows_.size());
    rows_.emplace_back(what, found);
}

std::optional<loss> journal::find(const measured& what) const {
    const auto at = positions_.find(what);
    if (at == positions_.end()) return std::nullopt;
    return rows_[at->second].second;
}

void journal::add(const measured& what, const loss& found) {
    append({word_of(what.what), what.type, what.tensors, shortest(found.kld.mean),
            shortest(found.kld.error), shortest(found.ppl.mean), shortest(found.ppl.error)});
    remember(what, found);
}

}  // namespace examples
