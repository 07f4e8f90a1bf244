// The run-time side of the formats: what is known of a type_id, and the way from a type_id to the
// type's struct.
#pragma once

#include <bpw/core/matrix.hpp>
#include <bpw/formats/int8.hpp>
#include <bpw/formats/interleaved.hpp>
#include <bpw/formats/iqk.hpp>
#include <bpw/formats/k_quants.hpp>
#include <bpw/formats/lattice.hpp>
#include <bpw/formats/legacy.hpp>
#include <bpw/formats/scalar.hpp>
#include <bpw/formats/table4.hpp>
#include <bpw/formats/ternary.hpp>
#include <bpw/formats/trellis.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

BPW_NAMESPACE_BEGIN

/// Stands for a quant type where a value is needed: `visit(id, [](auto tag) { using T =
/// typename decltype(tag)::type; ... })`.
template <class T>
struct tag {
    using type = T;
};

/// Sizes and traits of a type, for code that learns the type at run time.
struct type_info {
    type_id id;
    std::string_view name;
    std::uint32_t block_size;        ///< weights in a block of a row
    std::uint32_t block_bytes;       ///< bytes of a block per row
    std::uint32_t row_header_bytes;  ///< bytes in front of each row
    std::uint32_t rows_interleaved;  ///< 1: not interleaved
    std::uint32_t trailer_bytes;     ///< bytes behind the whole tensor
    double bits_per_weight;          ///< of a long row
    bool quantized;                  ///< false for plain numbers
    bool needs_importance;           ///< encoders refuse to work without an importance matrix
    std::optional<type_id> base;     ///< the type whose rows are interleaved, where repacking is
                                     ///< lossless
    std::optional<type_id> fallback_ik;        ///< what ik_llama.cpp stores instead when the row
                                               ///< length does not divide
    std::optional<type_id> fallback_mainline;  ///< the same for llama.cpp
};

namespace detail {

template <class T>
[[nodiscard]] constexpr type_info make_info() noexcept {
    using t = traits<T>;
    type_info i{};
    i.id = T::id;
    i.name = t::name;
    i.block_size = t::block_size;
    i.block_bytes = t::block_bytes;
    i.row_header_bytes = t::header_bytes;
    i.rows_interleaved = t::rows;
    i.trailer_bytes = t::trailer_bytes;
    i.bits_per_weight = t::bits_per_weight;
    i.quantized = requires { T::lanes; };
    i.needs_importance = T::needs_importance;
    if constexpr (requires { typename T::base; }) i.base = T::base::id;
    i.fallback_ik = T::fallback_ik;
    i.fallback_mainline = T::fallback_mainline;
    return i;
}

inline constexpr std::array type_infos {
#define BPW_TYPE(name, number, writer) make_info<bpw::name>(),
#include <bpw/core/types.inc>
#undef BPW_TYPE
};

[[nodiscard]] inline failure not_a_type(type_id id) {
    return fail(errc::unknown_type, "type id ", static_cast<std::uint32_t>(id),
                " is not one of the known quant types");
}

}  // namespace detail

/// What is known of every type, in the order of all_types.
[[nodiscard]] constexpr std::span<const type_info> type_infos() noexcept {
    return detail::type_infos;
}

/// What is known of a type; nothing for a value that is no type.
[[nodiscard]] constexpr const type_info* find_info(type_id id) noexcept {
    for (const auto& i : detail::type_infos) {
        if (i.id == id) return &i;
    }
    return nullptr;
}

/// What is known of a type, which must be one.
[[nodiscard]] constexpr const type_info& info(type_id id) noexcept { return *find_info(id); }

/// The type that interleaves the rows of `id`, if there is one.
[[nodiscard]] constexpr std::optional<type_id> interleaved_form(type_id id) noexcept {
    for (const auto& i : detail::type_infos) {
        if (i.base == id) return i.id;
    }
    return std::nullopt;
}

namespace detail {
[[nodiscard]] constexpr shape_rule rule_of(const type_info& i) noexcept {
    return {i.name,         i.block_size, i.block_bytes, i.row_header_bytes, i.rows_interleaved,
            i.trailer_bytes};
}
}  // namespace detail

/// Bytes of a row of `cols` weights, with its header. Errors: `unknown_type`, `bad_shape` when
/// `cols` is not a multiple of the block size, `overflow`.
[[nodiscard]] inline result<std::uint64_t> row_bytes(type_id id, std::uint64_t cols) {
    const auto* i = find_info(id);
    if (i == nullptr) return detail::not_a_type(id);
    return detail::row_bytes(detail::rule_of(*i), cols);
}

/// Bytes of a tensor of `rows` rows (the product of all dimensions but the first) of `cols`
/// weights. Errors: `unknown_type`, `bad_shape`, also when `rows` is not a multiple of the
/// interleaved rows; `overflow`.
[[nodiscard]] inline result<std::uint64_t> tensor_bytes(type_id id, std::uint64_t rows,
                                                        std::uint64_t cols) {
    const auto* i = find_info(id);
    if (i == nullptr) return detail::not_a_type(id);
    return detail::tensor_bytes(detail::rule_of(*i), rows, cols);
}

/// Calls `f(tag<T>{})` with the struct T of a type and returns `unknown_type` for a value that
/// is no type. `f` must return result<R> or void; void becomes result<void>.
template <class F>
auto try_visit(type_id id, F&& f) {
    using returned = decltype(f(tag<f32>{}));
    using wrapped = std::conditional_t<std::is_void_v<returned>, result<void>, returned>;
    switch (id) {
#define BPW_TYPE(name, number, writer)                   \
    case type_id::name:                                  \
        if constexpr (std::is_void_v<returned>) {        \
            std::forward<F>(f)(tag<bpw::name>{});        \
            return wrapped{};                            \
        } else {                                         \
            return std::forward<F>(f)(tag<bpw::name>{}); \
        }
#include <bpw/core/types.inc>
#undef BPW_TYPE
    }
    return wrapped(detail::not_a_type(id));
}

#if BPW_EXCEPTIONS
/// Calls `f(tag<T>{})` with the struct T of a type and returns what `f` returns. Throws
/// bpw::error for a value that is no type.
template <class F>
decltype(auto) visit(type_id id, F&& f) {
    switch (id) {
#define BPW_TYPE(name, number, writer) \
    case type_id::name:                \
        return std::forward<F>(f)(tag<bpw::name>{});
#include <bpw/core/types.inc>
#undef BPW_TYPE
    }
    throw error(detail::not_a_type(id));
}
#endif

/// Calls `f(matrix_view<T>)` with a checked view of a matrix whose type is known at run time.
/// Errors: those of matrix_view::make and of try_visit.
template <class F>
auto try_visit(const any_matrix& m, F&& f) {
    using returned = decltype(f(matrix_view<f32>{}));
    using wrapped = std::conditional_t<std::is_void_v<returned>, result<void>, returned>;
    return try_visit(m.type, [&]<class T>(tag<T>) -> wrapped {
        const auto view = matrix_view<T>::make(m.bytes, m.rows, m.cols);
        if (!view) return view.error();
        if constexpr (std::is_void_v<returned>) {
            f(*view);
            return {};
        } else {
            return f(*view);
        }
    });
}

BPW_NAMESPACE_END
