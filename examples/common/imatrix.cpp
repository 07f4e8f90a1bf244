#include "common/imatrix.hpp"

#include "common/program.hpp"

#include <bpw/core/error.hpp>
#include <bpw/gguf.hpp>

#include <bit>
#include <cstring>
#include <string_view>
#include <utility>

namespace examples {
namespace {

namespace gguf = bpw::gguf;
using bpw::errc;

template <class... Parts>
[[noreturn]] void refuse(errc code, const Parts&... parts) {
    throw bpw::error(bpw::fail(code, parts...));
}

std::string in_quotes(const std::string& text) { return gguf::detail::quoted(text); }

bool is_usable(float x) {
    constexpr std::uint32_t exponent = 0x7f800000u;
    return (std::bit_cast<std::uint32_t>(x) & exponent) != exponent && x >= 0;
}

void add(imatrix& to, std::string tensor, std::vector<float> values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (is_usable(values[i])) continue;
        refuse(errc::malformed, to.file, ": the importance of column ", i, " of ", in_quotes(tensor),
               " is negative, infinite or NaN; expected a finite number from 0 on");
    }
    const auto [at, is_new] = to.entries.emplace(std::move(tensor), std::move(values));
    if (!is_new) {
        refuse(errc::malformed, to.file, ": ", in_quotes(at->first), " appears twice; expected once");
    }
}

// i32 entries; each: i32 and a name, i32 calls, i32 and sums of squares times calls. Then, in newer
// files, i32 chunks, and i32 and the name of the text.
class older_format {
  public:
    older_format(std::span<const std::byte> bytes, imatrix& out) : at_(bytes), out_(out) {}

    void read() {
        const auto count = number("its number of entries");
        if (count < 1) {
            refuse(errc::malformed, out_.file, ": the number of entries is ", count,
                   "; expected at least 1 (is this an importance matrix?)");
        }
        for (std::int32_t i = 0; i < count; ++i) read_entry(i, count);
        if (at_.left() == 0) return;
        const auto chunks = number("the number of chunks");
        if (chunks > 0) out_.chunks = static_cast<std::uint64_t>(chunks);
        if (at_.left() == 0) return;
        const auto text = take_text(number("the length of the text's name"), "the text's name");
        if (!text.empty()) out_.datasets.push_back(text);
        if (at_.left() != 0) {
            refuse(errc::malformed, out_.file, ": ", at_.left(), " bytes follow the end");
        }
    }

  private:
    void read_entry(std::int32_t i, std::int32_t count) {
        std::string what = "entry ";
        what += std::to_string(i + 1);
        what += " of ";
        what += std::to_string(count);
        auto name = take_text(number(what), what);
        if (name.empty() || !gguf::is_utf8(name)) {
            refuse(errc::malformed, out_.file, ": ", what, " has the name ", in_quotes(name),
                   "; expected that of a tensor (is this an importance matrix?)");
        }
        what += ", ";
        what += in_quotes(name);
        const auto calls = number(what);
        const auto values = number(what);
        if (values < 1) {
            refuse(errc::malformed, out_.file, ": ", what, " has ", values,
                   " numbers; expected one for every column");
        }
        std::span<const std::byte> bytes;
        if (!at_.take(4 * static_cast<std::uint64_t>(values), bytes)) {
            refuse(errc::malformed, out_.file, " ends in ", what, ": ", at_.left(),
                   " bytes are left; expected ", values, " numbers of 4 bytes");
        }
        std::vector<float> sums(static_cast<std::size_t>(values));
        std::memcpy(sums.data(), bytes.data(), bytes.size());
        if (calls > 0) {
            for (auto& s : sums) s /= static_cast<float>(calls);
        }
        add(out_, std::move(name), std::move(sums));
    }

    std::int32_t number(std::string_view what) {
        std::int32_t n = 0;
        if (!at_.number(n)) {
            refuse(errc::malformed, out_.file, " ends in ", what, ": ", at_.left(),
                   " bytes are left; expected 4 at least");
        }
        return n;
    }
    std::string take_text(std::int32_t length, std::string_view what) {
        std::span<const std::byte> bytes;
        if (length < 0 || !at_.take(static_cast<std::uint64_t>(length), bytes)) {
            refuse(errc::malformed, out_.file, ": ", what, " has a name of ", length,
                   " bytes; expected no more than the ", at_.left(), " that are left");
        }
        return std::string(gguf::detail::as_text(bytes));
    }

    gguf::detail::cursor at_;
    imatrix& out_;
};

std::vector<float> floats_of(const gguf::tensor& t, const std::string& file) {
    if (t.type() != bpw::type_id::f32) {
        refuse(errc::malformed, file, ": tensor ", in_quotes(std::string(t.name())), " has the type ",
               t.type() ? bpw::name(*t.type()) : "unknown", "; expected f32");
    }
    const auto bytes = t.bytes().value();
    std::vector<float> out(bytes.size() / sizeof(float));
    std::memcpy(out.data(), bytes.data(), bytes.size());
    return out;
}

void read_gguf(std::span<const std::byte> bytes, imatrix& out) {
    const auto parsed = gguf::file::try_parse(bytes);
    if (!parsed) refuse(parsed.error().code, out.file, ": ", parsed.error().message);
    const auto& meta = parsed->metadata();
    out.datasets = meta.get_or<std::vector<std::string>>("imatrix.datasets", {}).value();
    out.chunks = meta.get_or<std::uint64_t>("imatrix.chunk_count", 0).value();
    constexpr std::string_view sums_end = ".in_sum2";
    for (const auto& t : parsed->tensors()) {
        if (!t.name().ends_with(sums_end)) continue;
        std::string tensor(t.name().substr(0, t.name().size() - sums_end.size()));
        auto values = floats_of(t, out.file);
        const auto counts_tensor = parsed->get(tensor + ".counts");
        if (!counts_tensor) refuse(errc::not_found, out.file, ": ", counts_tensor.error().message);
        const auto counts = floats_of(*counts_tensor, out.file);
        if (counts.size() != t.rows()) {
            refuse(errc::malformed, out.file, ": tensor ", in_quotes(tensor + ".counts"), " has ",
                   counts.size(), " numbers; expected ", t.rows(), ", one for each row of sums");
        }
        const auto cols = static_cast<std::size_t>(t.cols());
        for (std::size_t i = 0; i < values.size(); ++i) {
            const auto count = counts[i / cols];
            // An expert that no text has reached: nothing is known of its columns.
            values[i] = count > 0 ? values[i] / count : 1.0F;
        }
        add(out, std::move(tensor), std::move(values));
    }
    if (out.entries.empty()) {
        refuse(errc::malformed, out.file,
               " holds no tensor whose name ends in '.in_sum2'; expected an importance matrix");
    }
}

}  // namespace

std::span<const float> imatrix::columns(const std::string& tensor, std::uint64_t cols,
                                        std::uint64_t i, std::uint64_t slices) const {
    const auto at = entries.find(tensor);
    if (at == entries.end()) return {};
    const std::span<const float> all(at->second);
    if (all.size() == cols) return all;
    if (slices != 0 && all.size() % slices == 0 && all.size() / slices == cols) {
        return all.subspan(static_cast<std::size_t>(i * cols), static_cast<std::size_t>(cols));
    }
    refuse(errc::size_mismatch, file, ": ", in_quotes(tensor), " has ", all.size(),
           " numbers; expected ", cols, ", one for every column, or as many for each of ", slices,
           " slices");
}

imatrix parse_imatrix(std::span<const std::byte> bytes, const std::string& name) {
    imatrix out;
    out.file = name;
    if (gguf::detail::as_text(bytes).starts_with(gguf::magic)) {
        read_gguf(bytes, out);
    } else {
        older_format(bytes, out).read();
    }
    return out;
}

imatrix read_imatrix(const std::string& path) {
    const auto bytes = read_file(path);
    return parse_imatrix(std::as_bytes(std::span(bytes)), path);
}

}  // namespace examples
