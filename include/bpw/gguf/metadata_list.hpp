// Metadata that can be changed, as it will be written.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/gguf/constants.hpp>
#include <bpw/gguf/cursor.hpp>
#include <bpw/gguf/metadata.hpp>
#include <bpw/gguf/text.hpp>
#include <bpw/gguf/value.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

BPW_NAMESPACE_BEGIN
namespace gguf {

namespace detail {

template <class T>
void put(std::vector<std::byte>& to, T number) {
    const auto at = to.size();
    to.resize(at + sizeof number);
    std::memcpy(to.data() + at, &number, sizeof number);
}
inline void put_text(std::vector<std::byte>& to, std::string_view text) {
    put(to, std::uint64_t{text.size()});
    const auto* const from = reinterpret_cast<const std::byte*>(text.data());
    to.insert(to.end(), from, from + text.size());
}

template <class T>
[[nodiscard]] consteval value_type value_type_of() {
    if constexpr (std::same_as<T, bool>)
        return value_type::boolean;
    else if constexpr (std::same_as<T, float>)
        return value_type::f32;
    else if constexpr (std::same_as<T, double>)
        return value_type::f64;
    else if constexpr (is_vector<T>)
        return value_type::array;
    else if constexpr (std::convertible_to<T, std::string_view>)
        return value_type::string;
    else if constexpr (sizeof(T) == 1)
        return std::signed_integral<T> ? value_type::i8 : value_type::u8;
    else if constexpr (sizeof(T) == 2)
        return std::signed_integral<T> ? value_type::i16 : value_type::u16;
    else if constexpr (sizeof(T) == 4)
        return std::signed_integral<T> ? value_type::i32 : value_type::u32;
    else
        return std::signed_integral<T> ? value_type::i64 : value_type::u64;
}

template <class T>
void put_value(std::vector<std::byte>& to, const T& value) {
    if constexpr (is_vector<T>) {
        put(to, static_cast<std::uint32_t>(value_type_of<typename T::value_type>()));
        put(to, std::uint64_t{value.size()});
        for (const auto& element : value) put_value<typename T::value_type>(to, element);
    } else if constexpr (std::convertible_to<T, std::string_view>) {
        put_text(to, std::string_view(value));
    } else if constexpr (std::same_as<T, bool>) {
        put(to, static_cast<std::uint8_t>(value ? 1 : 0));
    } else {
        put(to, value);
    }
}

}  // namespace detail

/// What can be set: bool, integers, float, double, strings, and std::vector of any of these. The
/// C++ type decides the type in the file: std::uint16_t becomes u16.
template <class T>
concept writable = std::same_as<T, bool> || detail::whole_number<T> || std::same_as<T, float> ||
    std::same_as<T, double> || std::convertible_to<T, std::string_view> || detail::is_vector<T>;

/// An ordered list of keys and values to be written. Entries taken from a file stay views of it,
/// and byte for byte what they are there, until they are set; the file must then outlive the list.
class metadata_list {
  public:
    metadata_list() = default;
    /// All entries of a file, in its order.
    explicit metadata_list(const metadata& from) {
        entries_.reserve(from.size());
        for (const auto& [key, value] : from) {
            entries_.push_back({std::string(key), value.type(), value.bytes(), {}});
        }
    }

    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
    [[nodiscard]] metadata::entry operator[](std::size_t i) const noexcept {
        return {entries_[i].key, entries_[i].value()};
    }
    /// The first entry of a key. Valid until the list changes.
    [[nodiscard]] std::optional<gguf::value> find(std::string_view key) const noexcept {
        for (const auto& e : entries_) {
            if (e.key == key) return e.value();
        }
        return std::nullopt;
    }

    /// Replaces the value of a key where it stands, or adds the key behind all others. Errors:
    /// `malformed` for a key that is empty, longer than 65535 bytes, holds a NUL or is not UTF-8.
    template <writable T>
    [[nodiscard]] result<void> set(std::string_view key, const T& value) {
        std::vector<std::byte> bytes;
        detail::put_value<T>(bytes, value);
        return put(key, detail::value_type_of<T>(), std::move(bytes));
    }
    /// The same with a value as files store it: strings with their length, arrays with element type
    /// and count. Errors: also `malformed` for bytes that are no such value.
    [[nodiscard]] result<void> set_stored(std::string_view key, value_type type,
                                          std::span<const std::byte> bytes) {
        const auto found = detail::measure(type, bytes);
        if (found.found != detail::extent::problem::none || found.size != bytes.size()) {
            return fail(errc::malformed, "the ", bytes.size(), " bytes for metadata key ",
                        detail::quoted(key), " are no value of type ", name(type));
        }
        return put(key, type, {bytes.begin(), bytes.end()});
    }

    /// Removes every entry of a key; says whether there was one.
    bool remove(std::string_view key) {
        return std::erase_if(entries_, [&](const record& e) { return e.key == key; }) != 0;
    }

  private:
    struct record {
        std::string key;
        value_type type;
        std::span<const std::byte> bytes;
        std::vector<std::byte> own;  ///< the bytes, once they were set

        [[nodiscard]] gguf::value value() const noexcept {
            return {type, own.empty() ? bytes : std::span<const std::byte>(own)};
        }
    };

    [[nodiscard]] result<void> put(std::string_view key, value_type type,
                                   std::vector<std::byte> bytes) {
        if (key.empty() || key.size() > max_key_bytes || !is_utf8(key) ||
            key.find('\0') != std::string_view::npos) {
            return fail(errc::malformed, "metadata key ", detail::quoted(key), " has ", key.size(),
                        " bytes; expected UTF-8 text of 1 to ", max_key_bytes, " without NUL");
        }
        for (auto& e : entries_) {
            if (e.key != key) continue;
            e.type = type;
            e.own = std::move(bytes);
            return {};
        }
        entries_.push_back({std::string(key), type, {}, std::move(bytes)});
        return {};
    }

    std::vector<record> entries_;
};

}  // namespace gguf
BPW_NAMESPACE_END
