#include "perplexity/base_file.hpp"

#include <bpw/core/error.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <optional>
#include <utility>

namespace examples {
namespace {

using bpw::errc;
using llama::token;

static_assert(std::endian::native == std::endian::little, "base files are little-endian");

constexpr std::string_view magic = "bpw-base";
constexpr std::uint32_t version = 1;
constexpr std::size_t fixed_header_bytes = 48;
constexpr std::uint32_t longest_name = 4096;
// More would not fit what a window of them takes into 64 bits.
constexpr std::uint32_t most = 1u << 24;

template <class... Parts>
[[noreturn]] void refuse(errc code, const Parts&... parts) {
    throw bpw::error(bpw::fail(code, parts...));
}

template <class Number>
void put(std::string& to, const Number& n) {
    char bytes[sizeof n];
    std::memcpy(bytes, &n, sizeof n);
    to.append(bytes, sizeof n);
}

// Takes numbers from the front of bytes whose length was checked.
class reader {
  public:
    explicit reader(std::string_view bytes) : bytes_(bytes) {}
    template <class Number>
    [[nodiscard]] Number number() {
        Number n;
        std::memcpy(&n, bytes_.data(), sizeof n);
        bytes_.remove_prefix(sizeof n);
        return n;
    }
    template <class Number>
    void numbers(std::span<Number> out) {
        std::memcpy(out.data(), bytes_.data(), out.size_bytes());
        bytes_.remove_prefix(out.size_bytes());
    }

  private:
    std::string_view bytes_;
};

// For each prediction the token that came, the likeliest token, the surprise, the range, the codes;
// and a checksum behind the window.
std::uint64_t block_bytes(const base_subject& s) {
    const std::uint64_t each = 2 * sizeof(token) + sizeof(double) + sizeof(float) +
                               sizeof(std::uint16_t) * std::uint64_t{s.vocabulary};
    return s.window * each + sizeof(std::uint64_t);
}

std::string header_of(const base_subject& s) {
    std::string bytes(magic);
    put(bytes, version);
    put(bytes, s.vocabulary);
    put(bytes, s.window);
    put(bytes, static_cast<std::uint32_t>(s.model.size()));
    put(bytes, s.windows);
    put(bytes, s.vocabulary_hash);
    put(bytes, fnv1a(s.model, fnv1a(bytes)));
    return bytes + s.model;
}

constexpr double largest_code = std::numeric_limits<std::uint16_t>::max();

}  // namespace

std::uint64_t fnv1a(std::string_view bytes, std::uint64_t hash) {
    for (const char c : bytes) {
        hash ^= static_cast<unsigned char>(c);
        hash *= 0x100000001b3u;
    }
    return hash;
}

std::uint64_t vocabulary_hash(const bpw::gguf::metadata& metadata) {
    auto hash = fnv1a({});
    const auto texts = metadata.get<bpw::gguf::array>("tokenizer.ggml.tokens").value();
    for (const auto element : texts) {
        const auto text = element.as<std::string_view>("a token").value();
        hash = fnv1a(std::string_view("\0", 1), fnv1a(text, hash));
    }
    return hash;
}

// --- writing -------------------------------------------------------------------------------------

struct base_writer::output {
    bpw::gguf::detail::output_file<> file;

    void write(std::string_view bytes) { file.write(std::as_bytes(std::span(bytes))).value(); }
};

base_writer::base_writer(const std::string& path, const base_subject& subject) : subject_(subject) {
    subject_.model.resize(std::min<std::size_t>(subject_.model.size(), longest_name));
    const auto header = header_of(subject_);
    const auto bytes = header.size() + subject_.windows * block_bytes(subject_);
    out_ = std::make_unique<output>(
        output{bpw::gguf::detail::output_file<>::create(path, bytes).value()});
    out_->write(header);
}

base_writer::~base_writer() = default;

void base_writer::add(std::size_t i, std::span<const token> came,
                      bpw::vectors<const float> logits) {
    std::string block;
    block.reserve(static_cast<std::size_t>(block_bytes(subject_)));
    std::vector<token> top;
    std::vector<double> surprise;
    std::vector<float> range;
    std::vector<std::uint16_t> codes;
    for (std::size_t t = 0; t < came.size(); ++t) {
        const std::span row(logits[t], logits.length);
        const auto [least, largest] = std::minmax_element(row.begin(), row.end());
        const double width = double{*largest} - double{*least};
        const bool finite =
            std::all_of(row.begin(), row.end(), [](float x) { return std::isfinite(x); });
        if (!finite || width > double{std::numeric_limits<float>::max()}) {
            refuse(errc::malformed, "prediction ", t, " of window ", i,
                   " has logits that are infinite or NaN; expected finite ones");
        }
        top.push_back(llama::most_likely(row));
        surprise.push_back(llama::prediction{row, llama::log_sum_exp(row)}.surprise(came[t]));
        range.push_back(static_cast<float>(width));
        for (const float x : row) {
            // Likely tokens lie close together, where roots have the finest steps.
            const double share = width > 0 ? (double{*largest} - double{x}) / width : 0;
            codes.push_back(
                static_cast<std::uint16_t>(std::lround(largest_code * std::sqrt(share))));
        }
    }
    const auto append = [&](const auto& numbers) {
        block.append(reinterpret_cast<const char*>(numbers.data()),
                     numbers.size() * sizeof numbers[0]);
    };
    append(came);
    append(top);
    append(surprise);
    append(range);
    append(codes);
    put(block, fnv1a(block));

    const std::lock_guard lock(mutex_);
    waiting_.emplace(i, std::move(block));
    for (auto next = waiting_.find(written_); next != waiting_.end();
         next = waiting_.find(written_)) {
        out_->write(next->second);
        waiting_.erase(next);
        ++written_;
    }
}

void base_writer::finish() {
    if (written_ != subject_.windows) {
        refuse(errc::size_mismatch, written_, " windows were written; expected ", subject_.windows);
    }
    out_->file.complete().value();
    out_->file.publish().value();
}

// --- reading -------------------------------------------------------------------------------------

base_file::base_file(std::string path) : path_(std::move(path)) {
    std::ifstream in(path_, std::ios::binary | std::ios::ate);
    const auto end = in.tellg();
    if (!in || end < 0) refuse(errc::io, path_, " cannot be read");
    const auto bytes = static_cast<std::uint64_t>(end);
    std::string header(fixed_header_bytes, '\0');
    in.seekg(0);
    in.read(header.data(),
            static_cast<std::streamsize>(std::min<std::uint64_t>(bytes, header.size())));
    if (!header.starts_with(magic)) {
        refuse(errc::malformed, path_, " does not begin with '", magic,
               "'; expected a file that --save-base wrote");
    }
    if (bytes < header.size()) {
        refuse(errc::malformed, path_, " ends in its header, after ", bytes, " bytes; expected ",
               header.size(), " and more");
    }
    reader from(std::string_view(header).substr(magic.size()));
    if (const auto v = from.number<std::uint32_t>(); v != version) {
        refuse(errc::unsupported, path_, " is of version ", v, " of its format; expected ",
               version);
    }
    subject_.vocabulary = from.number<std::uint32_t>();
    subject_.window = from.number<std::uint32_t>();
    const auto name_bytes = from.number<std::uint32_t>();
    subject_.windows = from.number<std::uint64_t>();
    subject_.vocabulary_hash = from.number<std::uint64_t>();
    const auto checksum = from.number<std::uint64_t>();
    if (name_bytes > longest_name || name_bytes > bytes - header.size()) {
        refuse(errc::malformed, path_, " is damaged: its header names a model in ", name_bytes,
               " bytes");
    }
    subject_.model.resize(name_bytes);
    in.read(subject_.model.data(), static_cast<std::streamsize>(name_bytes));
    const auto found = fnv1a(
        subject_.model, fnv1a(std::string_view(header).substr(0, header.size() - sizeof checksum)));
    if (!in || found != checksum || subject_.vocabulary == 0 || subject_.vocabulary > most ||
        subject_.window == 0 || subject_.window > most || subject_.windows == 0) {
        refuse(errc::malformed, path_, " is damaged: its header does not have its checksum");
    }
    header_bytes_ = header.size() + name_bytes;
    const auto each = block_bytes(subject_);
    const auto behind = bytes - header_bytes_;
    if (behind % each != 0 || behind / each != subject_.windows) {
        refuse(errc::size_mismatch, path_, " has ", bytes, " bytes, of which ", header_bytes_,
               " are its header; expected ", subject_.windows, " windows of ", each,
               " bytes behind it (was it cut off?)");
    }
}

std::string base_file::block(std::size_t i) const {
    std::string bytes(static_cast<std::size_t>(block_bytes(subject_)), '\0');
    // A stream of its own, for windows are read from several threads.
    std::ifstream in(path_, std::ios::binary);
    in.seekg(static_cast<std::streamoff>(header_bytes_ + i * bytes.size()));
    in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (!in) refuse(errc::io, path_, ": window ", i, " cannot be read");
    const auto content = std::string_view(bytes).substr(0, bytes.size() - sizeof(std::uint64_t));
    if (reader(std::string_view(bytes).substr(content.size())).number<std::uint64_t>() !=
        fnv1a(content)) {
        refuse(errc::malformed, path_, ": window ", i,
               " is damaged: it does not have its checksum");
    }
    return bytes;
}

llama::base_window base_file::window(std::size_t i, room& r) const {
    const auto bytes = block(i);
    const std::size_t n = subject_.window;
    const std::size_t vocabulary = subject_.vocabulary;
    reader from(std::string_view(bytes).substr(n * sizeof(token)));
    r.top.resize(n);
    r.surprise.resize(n);
    r.sum.resize(n);
    r.logits.resize(n * vocabulary);
    std::vector<float> range(n);
    std::vector<std::uint16_t> codes(vocabulary);
    from.numbers(std::span(r.top));
    from.numbers(std::span(r.surprise));
    from.numbers(std::span(range));
    for (std::size_t t = 0; t < n; ++t) {
        from.numbers(std::span(codes));
        const double step = double{range[t]} / (largest_code * largest_code);
        const auto row = std::span(r.logits).subspan(t * vocabulary, vocabulary);
        for (std::size_t v = 0; v < vocabulary; ++v) {
            const auto code = static_cast<double>(codes[v]);
            row[v] = static_cast<float>(-step * code * code);
        }
        r.sum[t] = llama::log_sum_exp(row);
    }
    return {{r.logits.data(), n, vocabulary}, r.sum, r.surprise, r.top};
}

void base_file::expect(const base_subject& other, const llama::windows& text) const {
    if (subject_.vocabulary != other.vocabulary ||
        subject_.vocabulary_hash != other.vocabulary_hash) {
        refuse(errc::unsupported, path_, " was saved from ", subject_.model,
               ", whose vocabulary of ", subject_.vocabulary, " tokens is not that of ",
               other.model, ", ", other.vocabulary, " tokens; expected the same");
    }
    if (subject_.window != other.window || subject_.windows != other.windows) {
        refuse(errc::unsupported, path_, " was saved with another text, of ", subject_.windows,
               " windows of ", subject_.window, " tokens; expected ", other.windows, " of ",
               other.window);
    }
    std::vector<token> came(subject_.window);
    for (std::size_t i = 0; i < windows(); ++i) {
        const auto bytes = block(i);
        reader(bytes).numbers(std::span(came));
        const auto now = text.expected(i);
        const auto differs = std::mismatch(came.begin(), came.end(), now.begin());
        if (differs.first == came.end()) continue;
        refuse(errc::unsupported, path_, " was saved with another text: token ",
               differs.first - came.begin(), " of window ", i, " is ", *differs.first,
               " there; expected ", *differs.second);
    }
}

bool is_base_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::string begin(magic.size(), '\0');
    in.read(begin.data(), static_cast<std::streamsize>(begin.size()));
    return in && begin == magic;
}

}  // namespace examples
