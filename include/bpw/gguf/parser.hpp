// From the bytes of one file to its metadata and tensors. Everything is checked before it is used.
#pragma once

#include <bpw/core/checked.hpp>
#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/core/type_id.hpp>
#include <bpw/formats/registry.hpp>
#include <bpw/gguf/constants.hpp>
#include <bpw/gguf/cursor.hpp>
#include <bpw/gguf/observations.hpp>
#include <bpw/gguf/options.hpp>
#include <bpw/gguf/part.hpp>
#include <bpw/gguf/placement.hpp>
#include <bpw/gguf/tensor.hpp>
#include <bpw/gguf/text.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

BPW_NAMESPACE_BEGIN
namespace gguf::detail {

/// Reads one file. Memory is taken in proportion to the bytes that are there, never to a count that
/// they state.
class parser {
  public:
    /// Tensors are appended to the list and marked with `number`, the position of the part.
    parser(part& into, std::vector<tensor>& tensors, std::uint32_t number, const options& chosen,
           observations& seen)
        : part_(into),
          tensors_(tensors),
          number_(number),
          options_(chosen),
          seen_(seen),
          at_(into.bytes_) {}

    [[nodiscard]] result<void> run() {
        if (header() && entries() && alignment() && records() && places()) return {};
        return std::move(*failure_);
    }

  private:
    template <class... Parts>
    [[nodiscard]] bool refuse(errc code, const Parts&... parts) {
        failure_ = fail(code, parts...);
        return false;
    }
    /// For what only the strict mode refuses.
    template <class... Parts>
    [[nodiscard]] bool tolerate(const Parts&... parts) {
        if (options_.strict) return refuse(errc::malformed, parts...);
        seen_.add(parts...);
        return true;
    }

    [[nodiscard]] bool header() {
        const auto size = part_.bytes_.size();
        const auto text = as_text(part_.bytes_);
        if (!text.starts_with(magic)) return wrong_magic(text);
        if (size < header_bytes) {
            return refuse(errc::malformed, "the file has ", size, " bytes; expected at least the ",
                          header_bytes, " of a GGUF header");
        }
        (void)at_.skip(magic.size());
        (void)at_.number(part_.version_);
        (void)at_.number(tensor_count_);
        (void)at_.number(entry_count_);
        const auto version = part_.version_;
        const auto swapped =
            version << 24 | (version & 0xFF00) << 8 | (version >> 8 & 0xFF00) | version >> 24;
        if (version > newest_version && swapped >= 1 && swapped <= newest_version) {
            return refuse(errc::unsupported, "the version field holds ", version, ", which is ",
                          swapped,
                          " with its bytes swapped: the file is big-endian; expected a "
                          "little-endian file");
        }
        if (version == 1) {
            return refuse(errc::unsupported,
                          "GGUF version 1, of August 2023, has another layout that is not "
                          "supported; expected version ",
                          oldest_version, " or ", newest_version);
        }
        if (version < oldest_version || version > newest_version) {
            return refuse(errc::unsupported, "GGUF version ", version,
                          " is unknown; expected version ", oldest_version, " or ", newest_version);
        }
        return count("metadata entries", entry_count_, least_metadata_bytes, at_.left()) &&
               count("tensors", tensor_count_, least_tensor_bytes,
                     at_.left() - entry_count_ * least_metadata_bytes);
    }

    [[nodiscard]] bool wrong_magic(std::string_view text) {
        const auto begin = text.substr(0, magic.size());
        // What people most often take for a GGUF file.
        const std::string_view hint =
            text.starts_with("version https://git-lfs")
                ? " (this is the pointer of a Git LFS file that was not downloaded)"
            : begin == "lmgg" || begin == "fmgg" || begin == "tjgg"
                ? " (this is a model in a format older than GGUF)"
                : "";
        return refuse(errc::malformed, "the file begins with ", quoted(begin), "; expected ",
                      quoted(magic), hint);
    }

    [[nodiscard]] bool count(std::string_view what, std::uint64_t number, std::uint64_t least,
                             std::uint64_t left) {
        if (number > left / least) {
            return refuse(errc::malformed, "the header states ", number, " ", what, "; expected ",
                          left / least, " at most in the ", left, " bytes that remain for them");
        }
        if (number > options_.limits.entries) {
            return refuse(errc::unsupported, "the header states ", number, " ", what, "; expected ",
                          options_.limits.entries, " at most (limits.entries)");
        }
        return true;
    }

    [[nodiscard]] bool ends_in(std::string_view what, std::uint64_t i, std::uint64_t count) {
        return refuse(errc::malformed, "the file ends in ", what, " ", i, " of ", count,
                      " (at byte ", at_.position(), ", with ", at_.left(),
                      " bytes left); expected a whole record: the file is truncated");
    }

    // Metadata.

    [[nodiscard]] bool entries() {
        auto& list = part_.metadata_;
        list.records_.reserve(static_cast<std::size_t>(entry_count_));
        list.index_.reserve(static_cast<std::size_t>(entry_count_), secret());
        for (std::uint64_t i = 0; i < entry_count_; ++i) {
            if (!entry(i)) return false;
        }
        return true;
    }

    [[nodiscard]] std::uint64_t secret() const noexcept {
        return reinterpret_cast<std::uintptr_t>(part_.bytes_.data());
    }

    [[nodiscard]] bool entry(std::uint64_t i) {
        auto& list = part_.metadata_;
        const auto begin = at_.position();
        std::uint64_t length = 0;
        if (!at_.number(length)) return ends_in("metadata entry", i, entry_count_);
        std::span<const std::byte> bytes;
        if (!at_.take(length, bytes)) {
            return refuse(errc::malformed, "metadata entry ", i, " (at byte ", begin,
                          ") has a key of ", length, " bytes; expected no more than the ",
                          at_.left(), " that are left");
        }
        const auto key = as_text(bytes);
        if (!check_key(i, begin, key)) return false;

        std::uint32_t number = 0;
        if (!at_.number(number)) return ends_in("metadata entry", i, entry_count_);
        if (number >= value_type_count) {
            return refuse(errc::malformed, "metadata key ", quoted(key), " has the value type ",
                          number, "; expected 0 to ", value_type_count - 1);
        }
        const auto type = static_cast<value_type>(number);
        const auto* const from = at_.rest().data();
        const auto found = measure(type, at_.rest());
        if (found.found != extent::problem::none) return bad_value(key, type, found);
        if (found.odd_bool &&
            !tolerate("metadata key ", quoted(key), " holds a bool that is neither 0 nor 1")) {
            return false;
        }
        (void)at_.skip(found.size);
        list.records_.push_back({key, from, type});
        list.end_ = from + found.size;
        return index(static_cast<std::uint32_t>(i));
    }

    [[nodiscard]] bool check_key(std::uint64_t i, std::uint64_t begin, std::string_view key) {
        if (key.empty()) {
            return refuse(errc::malformed, "metadata entry ", i, " (at byte ", begin,
                          ") has an empty key; expected at least one character");
        }
        if (key.size() > max_key_bytes &&
            !tolerate("metadata key ", quoted(key), " has ", key.size(), " bytes; expected ",
                      max_key_bytes, " at most")) {
            return false;
        }
        const bool text = key.find('\0') == std::string_view::npos && is_utf8(key);
        if (!text && !tolerate("metadata key ", quoted(key),
                               " holds a NUL or is not UTF-8; expected text")) {
            return false;
        }
        if (options_.strict && !is_dotted_snake(key)) {
            return refuse(errc::malformed, "metadata key ", quoted(key),
                          " is not well-formed; expected lower_snake_case words with dots between "
                          "them");
        }
        return true;
    }

    [[nodiscard]] static bool is_dotted_snake(std::string_view key) {
        bool word = false;
        for (const char c : key) {
            const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
            if (!letter && (c != '.' || !word)) return false;
            word = letter;
        }
        return word;
    }

    [[nodiscard]] bool bad_value(std::string_view key, value_type type, const extent& found) {
        const auto where = at_.position() + found.size;
        if (found.found == extent::problem::bad_type) {
            return refuse(errc::malformed, "metadata key ", quoted(key),
                          " holds an array of the value type ", found.declared, " (at byte ", where,
                          "); expected 0 to ", value_type_count - 1);
        }
        if (found.found == extent::problem::too_deep) {
            return refuse(errc::unsupported, "metadata key ", quoted(key), " holds arrays ",
                          found.declared, " deep; expected ", max_array_depth, " at most");
        }
        const auto each = fixed_bytes(type);
        if (each != 0) {
            return refuse(errc::malformed, "metadata key ", quoted(key), " has a value of type ",
                          name(type), " at byte ", where, ", where ", found.left,
                          " bytes are left; expected ", each);
        }
        return refuse(errc::malformed, "metadata key ", quoted(key), " has a value of type ",
                      name(type), " with the length ", found.declared, " (before byte ", where,
                      "); expected no more than the ", found.left, " bytes that are left hold");
    }

    [[nodiscard]] bool index(std::uint32_t i) {
        auto& list = part_.metadata_;
        const auto twin = list.index_.insert(i, list.key_of());
        if (twin == name_index::none) return true;
        const auto first = list[twin];
        const auto second = list[i];
        const bool same = first.value.type() == second.value.type() &&
                          std::ranges::equal(first.value.bytes(), second.value.bytes());
        if (same) {
            return tolerate("metadata key ", quoted(first.key), " appears twice with one value");
        }
        return refuse(errc::malformed, "metadata key ", quoted(first.key), " appears twice, as ",
                      first.value.describe(), " and as ", second.value.describe(),
                      "; expected every key once");
    }

    [[nodiscard]] bool alignment() {
        const auto found = part_.metadata_.find(keys::alignment);
        if (!found) return true;
        if (found->type() != value_type::u32) {
            return refuse(errc::malformed, "metadata key ", quoted(keys::alignment), " is ",
                          found->describe(), "; expected a u32");
        }
        const auto bytes = *found->as<std::uint64_t>();
        if (!std::has_single_bit(bytes)) {
            return refuse(errc::malformed, "metadata key ", quoted(keys::alignment), " is ", bytes,
                          "; expected a power of two");
        }
        if (bytes > options_.limits.alignment) {
            return refuse(errc::unsupported, "metadata key ", quoted(keys::alignment), " is ",
                          bytes, "; expected ", options_.limits.alignment,
                          " at most (limits.alignment)");
        }
        part_.alignment_ = bytes;
        return bytes >= 8 || tolerate("metadata key ", quoted(keys::alignment), " is ", bytes,
                                      "; expected a multiple of 8");
    }

    // Tensors.

    [[nodiscard]] bool records() {
        first_ = tensors_.size();
        // Exact for a single file. Reserving for each part of a split would move the list as often
        // as there are parts.
        if (tensors_.empty()) tensors_.reserve(static_cast<std::size_t>(tensor_count_));
        for (std::uint64_t i = 0; i < tensor_count_; ++i) {
            if (!record(i)) return false;
        }
        return true;
    }

    [[nodiscard]] bool record(std::uint64_t i) {
        tensor t;
        t.part_ = number_;
        t.dialect_ = options_.dialect;
        std::uint64_t length = 0;
        const auto begin = at_.position();
        if (!at_.number(length)) return ends_in("tensor record", i, tensor_count_);
        if (length == 0 || length > max_tensor_name_bytes) {
            return refuse(errc::malformed, "tensor ", i, " (at byte ", begin, ") has a name of ",
                          length, " bytes; expected 1 to ", max_tensor_name_bytes);
        }
        std::span<const std::byte> bytes;
        if (!at_.take(length, bytes)) return ends_in("tensor record", i, tensor_count_);
        t.name_ = as_text(bytes);
        if (!check_name(t)) return false;

        if (!at_.number(t.n_dims_)) return ends_in("tensor record", i, tensor_count_);
        if (t.n_dims_ > max_dimensions) {
            return refuse(errc::malformed, t.in_words(), " has ", t.n_dims_,
                          " dimensions; expected 1 to ", max_dimensions);
        }
        if (t.n_dims_ == 0 && options_.strict) {
            return refuse(errc::malformed, t.in_words(), " has no dimensions; expected 1 to ",
                          max_dimensions);
        }
        for (std::uint32_t d = 0; d < t.n_dims_; ++d) {
            if (!at_.number(t.dims_[d])) return ends_in("tensor record", i, tensor_count_);
        }
        if (!at_.number(t.number_) || !at_.number(t.offset_)) {
            return ends_in("tensor record", i, tensor_count_);
        }
        if (!check_shape(t) || !find_type(t) || !find_size(t)) return false;
        tensors_.push_back(t);
        return true;
    }

    [[nodiscard]] bool check_name(const tensor& t) {
        if (t.name_.size() == max_tensor_name_bytes &&
            !tolerate(t.in_words(), " has a name of ", t.name_.size(), " bytes; expected ",
                      max_tensor_name_bytes - 1, " at most")) {
            return false;
        }
        const bool text = t.name_.find('\0') == std::string_view::npos && is_utf8(t.name_);
        return text || tolerate(t.in_words(),
                                " has a name that holds a NUL or is not UTF-8; expected text");
    }

    [[nodiscard]] bool check_shape(const tensor& t) {
        // An empty dimension must not hide that the others wrap.
        constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
        std::uint64_t product = 1;
        for (const auto d : t.shape()) {
            const auto next = checked_mul(product, std::max<std::uint64_t>(d, 1));
            if (d > most || !next || *next > most) {
                std::string shape;
                for (const auto each : t.shape()) {
                    if (!shape.empty()) shape += " x ";
                    shape += std::to_string(each);
                }
                return refuse(errc::overflow, t.in_words(), " has the shape ", shape,
                              "; expected no more than ", most, " elements");
            }
            product = *next;
        }
        return true;
    }

    [[nodiscard]] bool find_type(tensor& t) {
        // Neighbours mostly have one type.
        if (t.number_ != last_number_) {
            const auto found = type_from_gguf(t.number_, options_.dialect);
            if (!found) {
                if (options_.strict) {
                    return refuse(found.error().code, t.in_words(), ": ", found.error().message);
                }
                seen_.add(t.in_words(), " has no known size: ", found.error().message);
                return true;
            }
            last_number_ = t.number_;
            last_type_ = *found;
        }
        t.type_ = last_type_;
        return true;
    }

    [[nodiscard]] bool find_size(tensor& t) {
        if (!t.type_) return true;
        if (t.elements() == 0) {
            t.size_ = 0;
            return true;
        }
        const auto size = tensor_bytes(*t.type_, t.rows(), t.cols());
        if (size) {
            t.size_ = *size;
            return true;
        }
        if (!options_.metadata_only) {
            return refuse(size.error().code, t.in_words(), ": ", size.error().message);
        }
        seen_.add(t.in_words(), " has no size: ", size.error().message);
        return true;
    }

    [[nodiscard]] bool places() {
        const auto begin = checked_round_up(at_.position(), part_.alignment_);
        const auto size = std::uint64_t{part_.bytes_.size()};
        // The padding in front of no data may be missing.
        part_.data_offset_ = std::min(begin.value_or(size), size);
        const auto data = part_.bytes_.subspan(static_cast<std::size_t>(part_.data_offset_));
        const auto mine = std::span(tensors_).subspan(first_);
        if (mine.empty()) {
            if (!data.empty()) seen_.add(data.size(), " bytes follow a header without tensors");
            return true;
        }
        layout_check check(mine, data, part_.data_offset_, part_.alignment_, options_, seen_);
        auto placed = check.run();
        if (options_.metadata_only) {
            if (!placed) seen_.add(placed.error().message);
            for (auto& t : mine) t.data_ = nullptr;
            return true;
        }
        if (placed) return true;
        failure_ = placed.error();
        return false;
    }

    part& part_;
    std::vector<tensor>& tensors_;
    std::uint32_t number_;
    const options& options_;
    observations& seen_;
    cursor at_;
    std::uint64_t tensor_count_ = 0;
    std::uint64_t entry_count_ = 0;
    std::size_t first_ = 0;
    std::optional<std::uint32_t> last_number_;
    type_id last_type_{};
    std::optional<failure> failure_;
};

}  // namespace gguf::detail
BPW_NAMESPACE_END
