// Lossless conversion between a base type and the type that interleaves its rows.
#pragma once

#include <bpw/formats/registry.hpp>

#include <algorithm>
#include <cstring>

BPW_NAMESPACE_BEGIN

namespace detail {

template <class T>
struct base_of {
    using type = void;
};
template <class T>
    requires requires { typename T::base; }
struct base_of<T> {
    using type = typename T::base;
};

}  // namespace detail

/// Whether rows of `From` can be laid out as `To` without loss: one interleaves the other's rows.
template <class From, class To>
inline constexpr bool is_repackable = std::is_same_v<typename detail::base_of<From>::type, To> ||
                                      std::is_same_v<typename detail::base_of<To>::type, From>;

/// Whether rows of one type can be laid out as another without loss.
[[nodiscard]] inline bool can_repack(type_id from, type_id to) noexcept {
    const auto* f = find_info(from);
    const auto* t = find_info(to);
    return f != nullptr && t != nullptr && (f->base == to || t->base == from);
}

/// Lays the rows of `from` out as type `To`: the same weights, bit for bit, in other places.
///
/// `out` must have the tensor_bytes of the result. What the result stores beyond the source (the
/// row sums of q8_KV) is computed anew; what it does not store is dropped. Groups of rows are
/// handed to `run`. Errors: `bad_shape` when the result cannot have as many rows, `size_mismatch`.
template <class To, class From, executor Executor = const serial>
    requires is_repackable<From, To>
[[nodiscard]] result<void> repack(const matrix_view<From>& from, std::span<std::byte> out,
                                  Executor&& run = serial{}) {
    const auto size = tensor_bytes<To>(from.rows(), from.cols());
    if (!size) return size.error();
    if (out.size() != *size) {
        return fail(errc::size_mismatch, "a ", from.rows(), " x ", from.cols(), " matrix of ",
                    traits<To>::name, " takes ", *size, " bytes, but the output has ", out.size());
    }
    std::fill(out.begin(), out.end(), std::byte{0});
    const auto to = *matrix_view<To>::make(out, from.rows(), from.cols());
    auto* const base = reinterpret_cast<std::uint8_t*>(out.data());
    constexpr auto shared = std::min(traits<From>::header_bytes, traits<To>::header_bytes);
    constexpr bool adds_to_header = [&] {
        if constexpr (requires { To::complete_header(nullptr, 0); })
            return traits<To>::header_bytes > shared;
        else
            return false;
    }();
    const auto writable = [&](const std::uint8_t* p) {
        return base + (p - reinterpret_cast<const std::uint8_t*>(out.data()));
    };
    const auto repack_row = [&](std::size_t row) {
        std::int64_t sum = 0;
        for (std::size_t b = 0; b < from.blocks(); ++b) {
            const auto source = from.block(row, b);
            const auto target = to.block(row, b);
            const auto copy = [&](const auto& in, const auto& result) {
                for (int n = 0; n < in.count; ++n) {
                    result.set(writable(target.bytes), target.row, n, source.get(in, n));
                }
            };
            From::with_fields([&](const auto&... in) {
                return To::with_fields([&](const auto&... result) { (copy(in, result), ...); });
            });
            if constexpr (adds_to_header) {
                for (int i = 0; i < traits<From>::block_size; ++i) sum += From::lane(source, i);
            }
        }
        if (from.blocks() == 0) return;
        auto* const header = writable(to.block(row, 0).header);
        std::memcpy(header, from.block(row, 0).header, shared);
        if constexpr (adds_to_header) To::complete_header(header, sum);
    };
    constexpr auto group = std::size_t{std::max(traits<From>::rows, traits<To>::rows)};
    run(from.rows() / group, [&](std::size_t g) {
        for (std::size_t row = g * group; row < (g + 1) * group; ++row) repack_row(row);
    });
    return {};
}

/// The same for types known at run time. Errors: also `unsupported` for types that do not convert
/// into each other without loss.
template <executor Executor = const serial>
[[nodiscard]] result<void> repack(const any_matrix& from, type_id to, std::span<std::byte> out,
                                  Executor&& run = serial{}) {
    return try_visit(from, [&]<class From>(const matrix_view<From>& view) -> result<void> {
        using base = typename detail::base_of<From>::type;
        if constexpr (!std::is_void_v<base>) {
            if (to == base::id) return repack<base>(view, out, run);
        } else if (to == interleaved_form(From::id)) {
            return try_visit(to, [&]<class To>(tag<To>) -> result<void> {
                if constexpr (is_repackable<From, To>)
                    return repack<To>(view, out, run);
                else
                    return {};
            });
        }
        return fail(errc::unsupported, "rows of ", traits<From>::name, " cannot be repacked as ",
                    name(to), " without loss; expected a type and its interleaved form");
    });
}

BPW_NAMESPACE_END
