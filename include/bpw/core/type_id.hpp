// The numbers and names of quant types.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

BPW_NAMESPACE_BEGIN

/// The two projects that write GGUF files. They agree on most type numbers; `any` stands for
/// numbers that mean one layout in both, and for a caller who does not know who wrote a file.
enum class dialect : std::uint8_t {
    any,
    mainline,  ///< llama.cpp
    ik,        ///< ik_llama.cpp
};

[[nodiscard]] constexpr std::string_view name(dialect d) noexcept {
    return d == dialect::mainline ? "mainline" : d == dialect::ik ? "ik" : "any";
}

namespace detail {
inline constexpr std::uint32_t second_layout = 0x10000;
}

/// A quant type. The value is GGUF's number, except for q8_K_ik: ik_llama.cpp's blocks of q8_K
/// have another size than mainline's under the same number.
enum class type_id : std::uint32_t {
#define BPW_TYPE(name, number, dialect) name = number,
#define second_layout detail::second_layout
#include <bpw/core/types.inc>
#undef second_layout
#undef BPW_TYPE
};

namespace detail {

struct type_entry {
    type_id id;
    std::string_view name;
    dialect writer;
};

inline constexpr std::array type_entries {
#define BPW_TYPE(name, number, writer) type_entry{type_id::name, #name, dialect::writer},
#include <bpw/core/types.inc>
#undef BPW_TYPE
};

[[nodiscard]] constexpr bool equal_without_case(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) return false;
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (lower(a[i]) != lower(b[i])) return false;
    }
    return true;
}

}  // namespace detail

/// Every type, in the order of the list in types.inc.
inline constexpr auto all_types = [] {
    std::array<type_id, detail::type_entries.size()> ids{};
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = detail::type_entries[i].id;
    return ids;
}();

/// Whether a value converted to type_id is one of the enumerators.
[[nodiscard]] constexpr bool is_known(type_id id) noexcept {
    for (const auto& entry : detail::type_entries) {
        if (entry.id == id) return true;
    }
    return false;
}

/// The name of a type as recipe and map files spell it: lower case but for a final K or KV of
/// the plain types (`q4_K`, `q8_KV`, `q4_k_r4`, `iq4_ks`). Empty for a value that is no type.
[[nodiscard]] constexpr std::string_view name(type_id id) noexcept {
    for (const auto& entry : detail::type_entries) {
        if (entry.id == id) return entry.name;
    }
    return {};
}

/// The name that a dialect's own tools use: `q1_0` is `q1_0_g128` in ik_llama.cpp, and
/// `q8_K_ik` is `q8_K`.
[[nodiscard]] constexpr std::string_view name(type_id id, dialect d) noexcept {
    if (id == type_id::q1_0 && d == dialect::ik) return "q1_0_g128";
    if (id == type_id::q8_K_ik && d == dialect::ik) return name(type_id::q8_K);
    return name(id);
}

/// The type of a name, compared without case; ik_llama.cpp's `q1_0_g128` is `q1_0`.
[[nodiscard]] inline result<type_id> type_from_name(std::string_view text) {
    for (const auto& entry : detail::type_entries) {
        if (detail::equal_without_case(entry.name, text)) return entry.id;
    }
    if (detail::equal_without_case(text, "q1_0_g128")) return type_id::q1_0;
    return fail(errc::unknown_type, "type name '", text, "' is not one of the known quant types");
}

/// The number that stands for a type in a GGUF file.
[[nodiscard]] constexpr std::uint32_t gguf_number(type_id id) noexcept {
    return static_cast<std::uint32_t>(id) % detail::second_layout;
}

/// Who writes a type: one dialect, or `any` for both.
[[nodiscard]] constexpr dialect writer(type_id id) noexcept {
    for (const auto& entry : detail::type_entries) {
        if (entry.id == id) return entry.writer;
    }
    return dialect::any;
}

/// Whether the two dialects mean different things by a number: 15 (blocks of different size),
/// 36 (ik_llama.cpp's i2_s, an iq4_nl layout since removed from mainline) and 41 (the same
/// layout under two names).
[[nodiscard]] constexpr bool is_ambiguous(std::uint32_t number) noexcept {
    return number == 15 || number == 36 || number == 41;
}

/// The type that a GGUF number stands for.
///
/// With `dialect::any` every number that means one layout is accepted, whoever writes it.
/// Errors: `unknown_type` for numbers that never were, that were removed from the format, that
/// only describe activations in memory, or that belong to the other dialect; `ambiguous_type`
/// where the dialect decides and was not stated.
[[nodiscard]] inline result<type_id> type_from_gguf(std::uint32_t number,
                                                    dialect d = dialect::any) {
    if (d == dialect::any && is_ambiguous(number) && number != 41) {
        return fail(errc::ambiguous_type, "type number ", number,
                    " means different layouts in mainline and in ik_llama.cpp: state the dialect");
    }
    const detail::type_entry* other = nullptr;
    for (const auto& entry : detail::type_entries) {
        if (gguf_number(entry.id) != number) continue;
        if (d == dialect::any || entry.writer == dialect::any || entry.writer == d) return entry.id;
        other = &entry;
    }
    if (number == 4 || number == 5 || (number >= 31 && number <= 33) ||
        (number >= 36 && number <= 38)) {
        return fail(errc::unknown_type, "type number ", number,
                    " was removed from the GGUF format; expected a current type");
    }
    if ((number >= 97 && number <= 99) || number == 136 || (number >= 147 && number <= 150)) {
        return fail(errc::unknown_type, "type number ", number,
                    " describes activations in memory; expected a type of tensors in files");
    }
    if (other != nullptr) {
        return fail(errc::unknown_type, "type number ", number, " (", other->name,
                    ") belongs to the dialect '", name(other->writer), "', not to '", name(d), "'");
    }
    return fail(errc::unknown_type, "type number ", number, " is not one of the known quant types");
}

BPW_NAMESPACE_END
