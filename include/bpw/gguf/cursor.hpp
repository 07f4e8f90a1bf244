// Reading untrusted bytes: every step is checked against what remains.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/gguf/constants.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

BPW_NAMESPACE_BEGIN
namespace gguf::detail {

static_assert(std::endian::native == std::endian::little,
              "bpw reads GGUF, which is little-endian, on little-endian machines");

/// The number that begins at a byte, whatever its alignment.
template <class T>
[[nodiscard]] inline T load(const std::byte* from) noexcept {
    T number;
    std::memcpy(&number, from, sizeof number);
    return number;
}

[[nodiscard]] inline std::string_view as_text(std::span<const std::byte> bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A position in a span of bytes.
class cursor {
  public:
    explicit cursor(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}

    [[nodiscard]] std::uint64_t position() const noexcept { return position_; }
    [[nodiscard]] std::uint64_t left() const noexcept { return bytes_.size() - position_; }
    [[nodiscard]] std::span<const std::byte> rest() const noexcept {
        return bytes_.subspan(position_);
    }

    /// Reads a number; false, and nothing read, when too few bytes are left.
    template <class T>
    [[nodiscard]] bool number(T& out) noexcept {
        if (left() < sizeof(T)) return false;
        out = load<T>(bytes_.data() + position_);
        position_ += sizeof(T);
        return true;
    }
    /// Takes so many bytes; false, and nothing taken, when fewer are left.
    [[nodiscard]] bool take(std::uint64_t count, std::span<const std::byte>& out) noexcept {
        if (left() < count) return false;
        out = bytes_.subspan(position_, static_cast<std::size_t>(count));
        position_ += static_cast<std::size_t>(count);
        return true;
    }
    [[nodiscard]] bool skip(std::uint64_t count) noexcept {
        std::span<const std::byte> ignored;
        return take(count, ignored);
    }

  private:
    std::span<const std::byte> bytes_;
    std::size_t position_ = 0;
};

/// What measuring a value found.
struct extent {
    enum class problem : std::uint8_t { none, truncated, bad_type, too_deep };
    problem found = problem::none;
    std::uint64_t size = 0;      ///< bytes of the value, or where the problem is
    std::uint64_t declared = 0;  ///< the count, length or type that is the problem
    std::uint64_t left = 0;      ///< bytes that were left for it
    bool odd_bool = false;       ///< a bool that is neither 0 nor 1
};

/// How many of the bytes a value takes, in time linear in that number.
///
/// Arrays in arrays are followed with a stack of fixed depth: neither the depth nor a count that
/// the bytes state can make this recurse, allocate or run on.
[[nodiscard]] inline extent measure(value_type type, std::span<const std::byte> bytes) noexcept {
    using enum extent::problem;
    struct level {
        value_type type;
        std::uint64_t count;
    };
    std::array<level, max_array_depth> outer{};
    std::size_t depth = 0;
    level now{type, 1};
    cursor at(bytes);
    extent out;
    const auto stop = [&](extent::problem found, std::uint64_t declared) {
        out.found = found;
        out.size = at.position();
        out.declared = declared;
        out.left = at.left();
        return out;
    };
    for (;;) {
        if (now.count == 0) {
            if (depth == 0) break;
            now = outer[--depth];
            continue;
        }
        if (const auto each = fixed_bytes(now.type); each != 0) {
            if (now.count > at.left() / each) return stop(truncated, now.count);
            std::span<const std::byte> values;
            (void)at.take(now.count * each, values);
            if (now.type == value_type::boolean) {
                for (const auto b : values) out.odd_bool |= b > std::byte{1};
            }
            now.count = 0;
        } else if (now.type == value_type::string) {
            if (now.count > at.left() / sizeof(std::uint64_t)) return stop(truncated, now.count);
            for (; now.count != 0; --now.count) {
                std::uint64_t length = 0;
                if (!at.number(length)) return stop(truncated, length);
                if (!at.skip(length)) return stop(truncated, length);
            }
        } else {
            constexpr std::uint64_t least = sizeof(std::uint32_t) + sizeof(std::uint64_t);
            if (now.count > at.left() / least) return stop(truncated, now.count);
            if (depth == max_array_depth) return stop(too_deep, depth + 1);
            --now.count;
            outer[depth++] = now;
            std::uint32_t inner = 0;
            std::uint64_t count = 0;
            if (!at.number(inner) || !at.number(count)) return stop(truncated, count);
            if (inner >= value_type_count) return stop(bad_type, inner);
            now = {static_cast<value_type>(inner), count};
        }
    }
    out.size = at.position();
    return out;
}

}  // namespace gguf::detail
BPW_NAMESPACE_END
