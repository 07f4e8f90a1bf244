// The metadata of one GGUF file: its entries in order, and each by its key.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/gguf/constants.hpp>
#include <bpw/gguf/name_index.hpp>
#include <bpw/gguf/value.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

BPW_NAMESPACE_BEGIN
namespace gguf {

namespace detail {
class parser;
}

/// An ordered list of keys and values, with access by key in constant time. A view of the file.
class metadata {
  public:
    struct entry {
        std::string_view key;
        gguf::value value;
    };

    class iterator {
      public:
        using value_type = entry;
        using difference_type = std::ptrdiff_t;
        using reference = entry;
        using iterator_category = std::input_iterator_tag;
        using iterator_concept = std::forward_iterator_tag;

        iterator() = default;
        [[nodiscard]] entry operator*() const noexcept { return (*list_)[i_]; }
        iterator& operator++() noexcept {
            ++i_;
            return *this;
        }
        iterator operator++(int) noexcept {
            auto old = *this;
            ++*this;
            return old;
        }
        friend bool operator==(const iterator& a, const iterator& b) noexcept {
            return a.i_ == b.i_;
        }

      private:
        friend class metadata;
        iterator(const metadata& list, std::size_t i) noexcept : list_(&list), i_(i) {}
        const metadata* list_ = nullptr;
        std::size_t i_ = 0;
    };

    [[nodiscard]] std::size_t size() const noexcept { return records_.size(); }
    [[nodiscard]] bool empty() const noexcept { return records_.empty(); }
    [[nodiscard]] iterator begin() const noexcept { return {*this, 0}; }
    [[nodiscard]] iterator end() const noexcept { return {*this, size()}; }

    /// Entry i < size(), in the file's order.
    [[nodiscard]] entry operator[](std::size_t i) const noexcept {
        const auto& r = records_[i];
        // A value ends where the length of the next key begins.
        const auto* stop = i + 1 < records_.size()
                               ? reinterpret_cast<const std::byte*>(records_[i + 1].key.data()) -
                                     sizeof(std::uint64_t)
                               : end_;
        return {r.key, value(r.type, {r.value, stop})};
    }

    [[nodiscard]] std::optional<value> find(std::string_view key) const noexcept {
        const auto i = index_.find(key, key_of());
        if (i == detail::name_index::none) return std::nullopt;
        return (*this)[i].value;
    }
    [[nodiscard]] bool contains(std::string_view key) const noexcept {
        return find(key).has_value();
    }

    /// The value of a key as a T (see `readable`). Errors: `not_found` when the key is missing,
    /// `malformed` when its value is no T.
    template <readable T>
    [[nodiscard]] result<T> get(std::string_view key) const {
        if (const auto found = find(key)) return found->template as<T>(in_words(key));
        return fail(errc::not_found, in_words(key), " is missing; expected ", detail::wanted<T>());
    }

    /// The same with a default for a missing key. A value of another type is still an error.
    template <readable T>
    [[nodiscard]] result<T> get_or(std::string_view key, T otherwise) const {
        if (const auto found = find(key)) return found->template as<T>(in_words(key));
        return otherwise;
    }

  private:
    friend class detail::parser;

    struct record {
        std::string_view key;
        const std::byte* value;
        value_type type;
    };

    [[nodiscard]] static std::string in_words(std::string_view key) {
        return "metadata key " + detail::quoted(key);
    }
    struct key_at {
        const std::vector<record>& list;
        std::string_view operator()(std::uint32_t i) const noexcept { return list[i].key; }
    };
    [[nodiscard]] key_at key_of() const noexcept { return {records_}; }

    std::vector<record> records_;
    detail::name_index index_;
    const std::byte* end_ = nullptr;
};

}  // namespace gguf
BPW_NAMESPACE_END
