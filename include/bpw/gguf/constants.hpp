// The constants of the GGUF container, for the reader and for writers.
#pragma once

#include <bpw/core/config.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

BPW_NAMESPACE_BEGIN
namespace gguf {

inline constexpr std::string_view magic = "GGUF";
inline constexpr std::uint32_t oldest_version = 2;
inline constexpr std::uint32_t newest_version = 3;

/// Magic, version, tensor count and metadata count.
inline constexpr std::uint64_t header_bytes = 24;
/// The least that one metadata entry takes: key length, one byte of key, value type, one byte.
inline constexpr std::uint64_t least_metadata_bytes = 14;
/// The least that one tensor record takes: name length, one byte of name, dimension count, type,
/// offset.
inline constexpr std::uint64_t least_tensor_bytes = 25;

/// Where tensors begin, when the file does not say otherwise: at multiples of this many bytes.
inline constexpr std::uint64_t default_alignment = 32;
inline constexpr std::uint32_t max_dimensions = 4;
inline constexpr std::uint64_t max_key_bytes = 65535;
/// The format's limit. Readers written in C hold 63 and a terminator.
inline constexpr std::uint64_t max_tensor_name_bytes = 64;
/// How many arrays may lie inside each other, the outermost counted.
inline constexpr std::uint32_t max_array_depth = 4;

namespace keys {
inline constexpr std::string_view architecture = "general.architecture";
inline constexpr std::string_view alignment = "general.alignment";
inline constexpr std::string_view split_no = "split.no";
inline constexpr std::string_view split_count = "split.count";
inline constexpr std::string_view split_tensors_count = "split.tensors.count";
}  // namespace keys

/// The type of a metadata value. The numbers are the file's.
enum class value_type : std::uint32_t {
    u8 = 0,
    i8 = 1,
    u16 = 2,
    i16 = 3,
    u32 = 4,
    i32 = 5,
    f32 = 6,
    boolean = 7,  ///< one byte, 0 or 1
    string = 8,   ///< u64 length, then the bytes
    array = 9,    ///< u32 element type, u64 count, then the elements
    u64 = 10,
    i64 = 11,
    f64 = 12,
};

inline constexpr std::uint32_t value_type_count = 13;

/// The name as the format's specification writes it, or "unknown".
[[nodiscard]] constexpr std::string_view name(value_type t) noexcept {
    constexpr std::array<std::string_view, value_type_count> names{
        "u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
        "bool", "string", "array", "u64", "i64", "f64"};
    const auto i = static_cast<std::size_t>(t);
    return i < names.size() ? names[i] : "unknown";
}

/// Bytes of a value; 0 for strings and arrays, which say it themselves, and for unknown types.
[[nodiscard]] constexpr std::uint64_t fixed_bytes(value_type t) noexcept {
    constexpr std::array<std::uint8_t, value_type_count> bytes{1, 1, 2, 2, 4, 4, 4,
                                                               1, 0, 0, 8, 8, 8};
    const auto i = static_cast<std::size_t>(t);
    return i < bytes.size() ? bytes[i] : 0;
}

}  // namespace gguf
BPW_NAMESPACE_END
