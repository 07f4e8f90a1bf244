// Errors: a sentence and a code, carried by result<T> or thrown as bpw::error.
#pragma once

#include <bpw/core/config.hpp>

#include <cassert>
#include <concepts>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

BPW_NAMESPACE_BEGIN

/// What kind of check failed. The message says the rest.
enum class errc : std::uint8_t {
    unknown_type,    ///< a type name or number that no format has
    ambiguous_type,  ///< a number that two dialects use for different formats
    bad_shape,       ///< rows or columns that the type cannot hold
    size_mismatch,   ///< a buffer that is shorter or longer than its description
    overflow,        ///< a size that does not fit 64 bits
    malformed,       ///< bytes that break the rules of their file format
    unsupported,     ///< well-formed, but outside what this library handles
    not_found,       ///< a key, tensor or file that is not there
    io,              ///< the operating system refused
};

/// A failed check: what kind, and one sentence that names the thing, its value and what was
/// expected.
struct failure {
    errc code;
    std::string message;
};

/// What the throwing forms throw.
class error : public std::runtime_error {
  public:
    explicit error(const failure& f) : std::runtime_error(f.message), code_(f.code) {}
    error(errc code, const std::string& message) : std::runtime_error(message), code_(code) {}
    [[nodiscard]] errc code() const noexcept { return code_; }

  private:
    errc code_;
};

/// A value, or the reason why there is none.
///
/// `value()` returns the value or throws bpw::error; where exceptions are switched off, check
/// `ok()` first.
template <class T>
class [[nodiscard]] result {
  public:
    using value_type = T;

    result(T value) : state_(std::in_place_index<0>, std::move(value)) {}          // NOLINT
    result(failure reason) : state_(std::in_place_index<1>, std::move(reason)) {}  // NOLINT

    [[nodiscard]] bool ok() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return ok(); }

    /// The value. Undefined when there is none.
    [[nodiscard]] T& operator*() & noexcept { return *std::get_if<0>(&state_); }
    [[nodiscard]] const T& operator*() const& noexcept { return *std::get_if<0>(&state_); }
    // By value, so that what is taken from a temporary result outlives it.
    [[nodiscard]] T operator*() && noexcept { return std::move(*std::get_if<0>(&state_)); }
    [[nodiscard]] T* operator->() noexcept { return std::get_if<0>(&state_); }
    [[nodiscard]] const T* operator->() const noexcept { return std::get_if<0>(&state_); }

    /// The reason. Undefined when there is a value.
    [[nodiscard]] const failure& error() const noexcept { return *std::get_if<1>(&state_); }

    [[nodiscard]] T& value() & { return require(), **this; }
    [[nodiscard]] const T& value() const& { return require(), **this; }
    [[nodiscard]] T value() && { return require(), std::move(**this); }

  private:
    void require() const {
#if BPW_EXCEPTIONS
        if (!ok()) throw bpw::error(error());
#else
        assert(ok());
#endif
    }

    std::variant<T, failure> state_;
};

template <>
class [[nodiscard]] result<void> {
  public:
    using value_type = void;

    result() = default;
    result(failure reason) : reason_(std::move(reason)) {}  // NOLINT

    [[nodiscard]] bool ok() const noexcept { return !reason_; }
    explicit operator bool() const noexcept { return ok(); }
    [[nodiscard]] const failure& error() const noexcept { return *reason_; }
    void value() const {
#if BPW_EXCEPTIONS
        if (!ok()) throw bpw::error(*reason_);
#else
        assert(ok());
#endif
    }

  private:
    std::optional<failure> reason_;
};

namespace detail {

inline void append(std::string& out, std::string_view text) { out += text; }
inline void append(std::string& out, char c) { out += c; }
template <class N>
    requires(std::integral<N> && !std::same_as<N, char> && !std::same_as<N, bool>)
void append(std::string& out, N number) { out += std::to_string(number); }

}  // namespace detail

/// Makes a failure whose message is the concatenation of strings, characters and integers.
template <class... Parts>
[[nodiscard]] failure fail(errc code, const Parts&... parts) {
    failure f{code, {}};
    (detail::append(f.message, parts), ...);
    return f;
}

BPW_NAMESPACE_END
