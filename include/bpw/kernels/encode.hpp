// Floats to quantized rows.
//
// Every encoder minimises the weighted squared error of what its rows decode to; docs/encoding.md
// says how. The bytes are the same on every arch and for every number of threads.
#pragma once

#include <bpw/core/executor.hpp>
#include <bpw/core/matrix.hpp>
#include <bpw/formats/repack.hpp>
#include <bpw/kernels/encode/affine.hpp>
#include <bpw/kernels/encode/byte_codes.hpp>
#include <bpw/kernels/encode/lattice.hpp>
#include <bpw/kernels/encode/options.hpp>
#include <bpw/kernels/encode/pairs.hpp>
#include <bpw/kernels/encode/parity.hpp>
#include <bpw/kernels/encode/plain.hpp>
#include <bpw/kernels/encode/row_sink.hpp>
#include <bpw/kernels/encode/scaled.hpp>
#include <bpw/kernels/encode/shifted_lattice.hpp>
#include <bpw/kernels/encode/ternary.hpp>
#include <bpw/kernels/encode/trellis.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

BPW_NAMESPACE_BEGIN

namespace detail {

template <class T>
concept encodes_rows = requires {
    sizeof(row_encoder<T>);
};

template <class T>
[[nodiscard]] consteval bool is_encodable() {
    using base = typename base_of<T>::type;
    if constexpr (encodes_rows<T>)
        return true;
    else if constexpr (!std::is_void_v<base>)
        return encodes_rows<base>;
    else
        return false;
}

// The first of `x` that is infinite or NaN.
[[nodiscard]] inline std::size_t first_not_finite(std::span<const float> x) noexcept {
    constexpr std::uint32_t exponent = 0x7f800000u;
    constexpr std::size_t run = 64;
    std::size_t i = 0;
    for (bool finite = true; x.size() - i >= run; i += run) {
        for (std::size_t k = 0; k < run; ++k) {
            finite &= (std::bit_cast<std::uint32_t>(x[i + k]) & exponent) != exponent;
        }
        if (!finite) break;
    }
    for (; i < x.size(); ++i) {
        if ((std::bit_cast<std::uint32_t>(x[i]) & exponent) == exponent) break;
    }
    return i;
}

[[nodiscard]] inline result<void> check_source(std::string_view type, std::span<const float> x,
                                               std::uint64_t rows, std::uint64_t cols,
                                               std::span<const float> importance) {
    const auto size = checked_mul(rows, cols);
    if (!size || x.size() != *size) {
        return fail(errc::size_mismatch, "the input of encode has ", x.size(), " floats; expected ",
                    rows, " x ", cols);
    }
    if (!importance.empty() && importance.size() != cols) {
        return fail(errc::size_mismatch, "the importance has ", importance.size(),
                    " floats; expected ", cols, ", one for every column, or none");
    }
    if (const auto at = first_not_finite(x); at != x.size()) {
        return fail(errc::malformed, "weight ", at % cols, " of row ", at / cols,
                    " is infinite or NaN; ", type, " holds finite weights");
    }
    for (std::size_t c = 0; c < importance.size(); ++c) {
        if (!(importance[c] >= 0.0f) || first_not_finite(importance.subspan(c, 1)) == 0) {
            return fail(errc::malformed, "the importance of column ", c,
                        " is negative, infinite or NaN; expected a finite number from 0 on");
        }
    }
    return {};
}

}  // namespace detail

/// Whether there is an encoder for T.
template <class T>
inline constexpr bool has_encoder = detail::is_encodable<T>();

/// Whether there is an encoder for a type. Not for the integers, f64, i2_s (one scale for a whole
/// tensor) and what only activations use.
[[nodiscard]] constexpr bool can_encode(type_id id) noexcept {
    switch (id) {
#define BPW_TYPE(name, number, writer) \
    case type_id::name:                \
        return has_encoder<bpw::name>;
#include <bpw/core/types.inc>
#undef BPW_TYPE
    }
    return false;
}

/// Encodes `rows` rows of `cols` weights, row-major in `x`, as type T.
///
/// `out` has the tensor_bytes of the result. `importance` has one number from 0 on for every
/// column, the same for all rows, or is empty, which means 1 for all. Groups of rows are handed to
/// `run`. Weights beyond the type's range become its largest. Errors: `bad_shape`, `size_mismatch`,
/// `malformed` for a weight or importance that is infinite or NaN; `out` is then left as it was.
template <class T, executor Executor = const serial>
    requires(has_encoder<T>)
[[nodiscard]] result<void> encode(std::span<const float> x, std::uint64_t rows, std::uint64_t cols,
                                  std::span<std::byte> out, std::span<const float> importance = {},
                                  const encode_options& options = {}, Executor&& run = serial{}) {
    using base = typename detail::base_of<T>::type;
    const auto size = tensor_bytes<T>(rows, cols);
    if (!size) return size.error();
    if (out.size() != *size) {
        return fail(errc::size_mismatch, "a ", rows, " x ", cols, " matrix of ", traits<T>::name,
                    " takes ", *size, " bytes, but the output has ", out.size());
    }
    if (auto checked = detail::check_source(traits<T>::name, x, rows, cols, importance); !checked) {
        return checked;
    }
    if (rows == 0 || cols == 0) return {};
    const float* const u = importance.empty() ? nullptr : importance.data();
    constexpr auto together = std::size_t{traits<T>::rows};
    const auto per_group = static_cast<std::size_t>(cols) * together;
    const auto group_bytes = static_cast<std::size_t>(*size / rows) * together;
    const auto groups = static_cast<std::size_t>(rows) / together;
    const auto groups_per_task = std::max<std::size_t>(1, detail::weights_per_task / per_group);
    run((groups + groups_per_task - 1) / groups_per_task, [&](std::size_t task) {
        const auto first = task * groups_per_task;
        const auto last = std::min(groups, first + groups_per_task);
        const auto encode_group = [&]<class Row>(auto& encoder, std::size_t group, Row sink_of) {
            for (std::size_t k = 0; k < together; ++k) {
                const auto* const from = x.data() + group * per_group + k * cols;
                encoder(from, u, sink_of(k));
            }
        };
        if constexpr (detail::encodes_rows<T>) {
            detail::row_encoder<T> encoder(static_cast<std::size_t>(cols), options);
            for (std::size_t group = first; group < last; ++group) {
                auto* const to = out.data() + group * group_bytes;
                std::fill_n(to, group_bytes, std::byte{0});
                encode_group(encoder, group, [&](std::size_t k) {
                    return detail::row_sink<T>{reinterpret_cast<std::uint8_t*>(to),
                                               static_cast<int>(k)};
                });
            }
        } else {
            detail::row_encoder<base> encoder(static_cast<std::size_t>(cols), options);
            const auto base_row = static_cast<std::size_t>(*row_bytes<base>(cols));
            std::vector<std::byte> plain(base_row * together);
            for (std::size_t group = first; group < last; ++group) {
                std::fill(plain.begin(), plain.end(), std::byte{0});
                encode_group(encoder, group, [&](std::size_t k) {
                    return detail::row_sink<base>{
                        reinterpret_cast<std::uint8_t*>(plain.data() + k * base_row)};
                });
                // The shape was checked; nothing is left that could fail.
                (void)repack<T>(*matrix_view<base>::make(plain, together, cols),
                                out.subspan(group * group_bytes, group_bytes));
            }
        }
    });
    return {};
}

/// One row of as many weights as `x` has, as type T, which does not interleave rows. Errors: as
/// above.
template <class T>
    requires(has_encoder<T>&& traits<T>::rows == 1)
[[nodiscard]] result<std::vector<std::byte>> encode_row(std::span<const float> x,
                                                        std::span<const float> importance = {},
                                                        const encode_options& options = {}) {
    const auto size = row_bytes<T>(x.size());
    if (!size) return size.error();
    std::vector<std::byte> out(static_cast<std::size_t>(*size));
    if (auto done = encode<T>(x, 1, x.size(), out, importance, options); !done) return done.error();
    return out;
}

/// encode() for a type known at run time. Errors: also `unknown_type`, `unsupported` where
/// can_encode() is false.
template <executor Executor = const serial>
[[nodiscard]] result<void> encode_rows(type_id type, std::span<const float> x, std::uint64_t rows,
                                       std::uint64_t cols, std::span<std::byte> out,
                                       std::span<const float> importance = {},
                                       const encode_options& options = {},
                                       Executor&& run = serial{}) {
    return try_visit(type, [&]<class T>(tag<T>) -> result<void> {
        if constexpr (has_encoder<T>)
            return encode<T>(x, rows, cols, out, importance, options, run);
        else
            return fail(errc::unsupported, "there is no encoder for ", traits<T>::name);
    });
}

BPW_NAMESPACE_END
