// Metadata values: views of bytes in the file, converted when they are asked for.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/gguf/constants.hpp>
#include <bpw/gguf/cursor.hpp>
#include <bpw/gguf/text.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

BPW_NAMESPACE_BEGIN
namespace gguf {

class array;

namespace detail {

template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;

template <class T>
concept whole_number = std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char>;

/// How a message names what the caller asked for.
template <class T>
[[nodiscard]] std::string wanted() {
    if constexpr (std::same_as<T, bool>) {
        return "a bool";
    } else if constexpr (whole_number<T>) {
        std::string range = "an integer of ";
        range += std::to_string(std::numeric_limits<T>::min());
        range += " to ";
        range += std::to_string(std::numeric_limits<T>::max());
        return range;
    } else if constexpr (std::same_as<T, float>) {
        return "an f32";
    } else if constexpr (std::same_as<T, double>) {
        return "an f32 or f64";
    } else if constexpr (is_vector<T>) {
        return "an array";
    } else if constexpr (std::same_as<T, array>) {
        return "an array";
    } else {
        return "a string";
    }
}

}  // namespace detail

/// What `as` and `get` can return: bool, integers (from every integer type that holds the number),
/// float (from f32), double (from f32 and f64), std::string_view into the file, std::string,
/// gguf::array, and std::vector of any of these.
template <class T>
concept readable = std::same_as<T, bool> || detail::whole_number<T> || std::same_as<T, float> ||
    std::same_as<T, double> || std::same_as<T, std::string_view> || std::same_as<T, std::string> ||
    std::same_as<T, array> || detail::is_vector<T>;

/// One metadata value: a view, valid as long as the file is open.
class value {
  public:
    value() = default;
    /// The bytes must hold a value of this type, as the reader has checked.
    value(value_type type, std::span<const std::byte> bytes) noexcept
        : bytes_(bytes), type_(type) {}

    [[nodiscard]] value_type type() const noexcept { return type_; }
    /// The value as stored: strings with their length, arrays with element type and count.
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }

    /// The value as a T. The message of an error begins with `what`. Errors: `malformed` for
    /// another type than asked for or a number out of range.
    template <readable T>
    [[nodiscard]] result<T> as(std::string_view what = "the value") const;

    /// Type and value in a few words, for messages: "i32 -3", "string 'llama'", "array of 5 u32".
    [[nodiscard]] std::string describe() const;

  private:
    template <class From, class To>
    [[nodiscard]] bool integer(To& out) const noexcept {
        const auto number = detail::load<From>(bytes_.data());
        out = static_cast<To>(number);
        return std::in_range<To>(number);
    }
    template <class To>
    [[nodiscard]] bool any_integer(To& out) const noexcept {
        switch (type_) {
            case value_type::u8:
                return integer<std::uint8_t>(out);
            case value_type::i8:
                return integer<std::int8_t>(out);
            case value_type::u16:
                return integer<std::uint16_t>(out);
            case value_type::i16:
                return integer<std::int16_t>(out);
            case value_type::u32:
                return integer<std::uint32_t>(out);
            case value_type::i32:
                return integer<std::int32_t>(out);
            case value_type::u64:
                return integer<std::uint64_t>(out);
            case value_type::i64:
                return integer<std::int64_t>(out);
            default:
                return false;
        }
    }
    [[nodiscard]] std::string_view text() const noexcept {
        return detail::as_text(bytes_.subspan(sizeof(std::uint64_t)));
    }

    std::span<const std::byte> bytes_;
    value_type type_ = value_type::array;
};

/// An array of metadata: a view that makes its elements when they are asked for, so that a
/// vocabulary of a million strings costs nothing until it is read.
class array {
  public:
    class iterator {
      public:
        using value_type = value;
        using difference_type = std::ptrdiff_t;
        using reference = value;
        using iterator_category = std::input_iterator_tag;
        using iterator_concept = std::forward_iterator_tag;

        iterator() = default;
        [[nodiscard]] value operator*() const noexcept { return {type_, rest_.first(size_)}; }
        iterator& operator++() noexcept {
            rest_ = rest_.subspan(size_);
            --left_;
            find_size();
            return *this;
        }
        iterator operator++(int) noexcept {
            auto old = *this;
            ++*this;
            return old;
        }
        friend bool operator==(const iterator& a, const iterator& b) noexcept {
            return a.left_ == b.left_;
        }

      private:
        friend class array;
        iterator(gguf::value_type type, std::span<const std::byte> rest,
                 std::uint64_t left) noexcept
            : rest_(rest), left_(left), type_(type) {
            find_size();
        }
        void find_size() noexcept {
            if (left_ == 0) return;
            const auto found = detail::measure(type_, rest_);
            // Somebody who changes the file under the mapping ends the array, no more.
            if (found.found != detail::extent::problem::none) {
                left_ = 0;
                return;
            }
            size_ = static_cast<std::size_t>(found.size);
        }

        std::span<const std::byte> rest_;
        std::uint64_t left_ = 0;
        std::size_t size_ = 0;
        gguf::value_type type_ = gguf::value_type::u8;
    };

    array() = default;

    [[nodiscard]] gguf::value_type element_type() const noexcept { return type_; }
    [[nodiscard]] std::uint64_t size() const noexcept { return count_; }
    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    [[nodiscard]] iterator begin() const noexcept { return {type_, elements_, count_}; }
    [[nodiscard]] iterator end() const noexcept { return {}; }

    /// Element i < size(): at once for numbers, after a walk of i elements for strings and arrays.
    [[nodiscard]] value operator[](std::uint64_t i) const noexcept {
        if (const auto each = static_cast<std::size_t>(fixed_bytes(type_)); each != 0) {
            return {type_, elements_.subspan(static_cast<std::size_t>(i) * each, each)};
        }
        auto at = begin();
        for (; i != 0; --i) ++at;
        return *at;
    }

    /// The elements as stored, without element type and count.
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return elements_; }

  private:
    friend class value;
    static constexpr std::size_t head = sizeof(std::uint32_t) + sizeof(std::uint64_t);

    explicit array(std::span<const std::byte> bytes) noexcept
        : elements_(bytes.subspan(head)),
          count_(detail::load<std::uint64_t>(bytes.data() + sizeof(std::uint32_t))),
          type_(static_cast<gguf::value_type>(detail::load<std::uint32_t>(bytes.data()))) {}

    std::span<const std::byte> elements_;
    std::uint64_t count_ = 0;
    gguf::value_type type_ = gguf::value_type::u8;
};

inline std::string value::describe() const {
    std::string out(name(type_));
    switch (type_) {
        case value_type::string:
            return out + " " + detail::quoted(text());
        case value_type::array: {
            const array a(bytes_);
            return out + " of " + std::to_string(a.size()) + " " +
                   std::string(name(a.element_type()));
        }
        case value_type::f32:
            return out + " " + std::to_string(detail::load<float>(bytes_.data()));
        case value_type::f64:
            return out + " " + std::to_string(detail::load<double>(bytes_.data()));
        case value_type::u64:
            return out + " " + std::to_string(detail::load<std::uint64_t>(bytes_.data()));
        case value_type::boolean:
            return out + (bytes_[0] != std::byte{0} ? " true" : " false");
        default:
            break;
    }
    std::int64_t number = 0;
    (void)any_integer(number);
    return out + " " + std::to_string(number);
}

template <readable T>
result<T> value::as(std::string_view what) const {
    const auto refuse = [&] {
        return fail(errc::malformed, what, " is ", describe(), "; expected ", detail::wanted<T>());
    };
    if constexpr (std::same_as<T, bool>) {
        if (type_ == value_type::boolean) return bytes_[0] != std::byte{0};
    } else if constexpr (detail::whole_number<T>) {
        T number = 0;
        if (any_integer(number)) return number;
    } else if constexpr (std::same_as<T, float>) {
        if (type_ == value_type::f32) return detail::load<float>(bytes_.data());
    } else if constexpr (std::same_as<T, double>) {
        if (type_ == value_type::f32) return double{detail::load<float>(bytes_.data())};
        if (type_ == value_type::f64) return detail::load<double>(bytes_.data());
    } else if constexpr (std::same_as<T, array>) {
        if (type_ == value_type::array) return array(bytes_);
    } else if constexpr (detail::is_vector<T>) {
        if (type_ != value_type::array) return refuse();
        const array from(bytes_);
        T out;
        // The count is no larger than the bytes that were checked to hold so many elements.
        out.reserve(static_cast<std::size_t>(from.size()));
        for (const value element : from) {
            auto converted = element.as<typename T::value_type>();
            if (!converted) {
                return fail(converted.error().code, "element ", out.size(), " of ", what, " is ",
                            element.describe(), "; expected ",
                            detail::wanted<typename T::value_type>());
            }
            out.push_back(std::move(*converted));
        }
        return out;
    } else {
        if (type_ == value_type::string) return T(text());
    }
    return refuse();
}

}  // namespace gguf
BPW_NAMESPACE_END
