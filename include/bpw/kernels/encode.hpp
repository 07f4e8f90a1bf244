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

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
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

// The first of `x` that is infinite or NaN; their number if there is none.
[[nodiscard]] inline std::size_t first_not_finite(std::span<const float> x) noexcept {
    constexpr std::uint32_t infinity = 0x7f800000u;
    const auto whole = x.size() / lane_count * lane_count;
    std::size_t i = lanes::greatest_magnitude(x.data(), whole) < infinity ? whole : 0;
    while (i < x.size() && (std::bit_cast<std::uint32_t>(x[i]) & infinity) != infinity) ++i;
    return i;
}

// The first of `u` that is negative, infinite or NaN; their number if there is none.
[[nodiscard]] inline std::size_t first_no_importance(std::span<const float> u) noexcept {
    const auto whole = u.size() / lane_count * lane_count;
    std::size_t i = lanes::finite_without_sign(u.data(), whole) ? whole : 0;
    while (i < u.size() && u[i] >= 0.0f && u[i] <= std::numeric_limits<float>::max()) ++i;
    return i;
}

// The first row with an infinite or NaN weight, found by several tasks.
class first_bad_row {
  public:
    explicit first_bad_row(std::size_t none) noexcept : none_(none), row_(none) {}
    void add(std::size_t row) noexcept {
        auto before = row_.load(std::memory_order_relaxed);
        while (row < before && !row_.compare_exchange_weak(before, row)) {
        }
    }
    [[nodiscard]] bool found() const noexcept { return row_ != none_; }
    [[nodiscard]] std::size_t row() const noexcept { return row_; }

  private:
    std::size_t none_;
    std::atomic<std::size_t> row_;
};

[[nodiscard]] inline result<void> check_source(std::span<const float> x, std::uint64_t rows,
                                               std::uint64_t cols,
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
    if (const auto c = first_no_importance(importance); c != importance.size()) {
        return fail(errc::malformed, "the importance of column ", c,
                    " is negative, infinite or NaN; expected a finite number from 0 on");
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
/// `malformed` for an importance or a weight that is infinite or NaN. `out` is then left as it was,
/// but undefined where a weight is at fault: weights are looked at when their row's turn comes.
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
    if (auto checked = detail::check_source(x, rows, cols, importance); !checked) {
        return checked;
    }
    if (rows == 0 || cols == 0) return {};
    const float* const u = importance.empty() ? nullptr : importance.data();
    constexpr auto together = std::size_t{traits<T>::rows};
    const auto per_group = static_cast<std::size_t>(cols) * together;
    const auto group_bytes = static_cast<std::size_t>(*size / rows) * together;
    const auto groups = static_cast<std::size_t>(rows) / together;
    const auto groups_per_task = std::max<std::size_t>(1, detail::weights_per_task / per_group);
    detail::first_bad_row bad(static_cast<std::size_t>(rows));
    using encoder_of = std::conditional_t<detail::encodes_rows<T>, T, base>;
    run((groups + groups_per_task - 1) / groups_per_task, [&](std::size_t task) {
        const auto first = task * groups_per_task;
        const auto last = std::min(groups, first + groups_per_task);
        const auto row = [&](std::size_t k) { return x.subspan(k * cols, cols); };
        const auto refuse = [&](std::size_t from, std::size_t count) {
            for (std::size_t k = from; k < from + count; ++k) {
                if (detail::first_not_finite(row(k)) == cols) continue;
                bad.add(k);
                return true;
            }
            return false;
        };
        const auto sink = [&](std::size_t group) {
            return detail::row_sink<T>{
                reinterpret_cast<std::uint8_t*>(out.data() + group * group_bytes)};
        };
        if constexpr (detail::joins_rows<encoder_of>) {
            const auto count = last - first;
            const detail::row_encoder<encoder_of> encoder(count * per_group, options);
            if (!encoder(row(first).data(), u, sink(first))) (void)refuse(first, count);
        } else {
            detail::row_encoder<encoder_of> encoder(static_cast<std::size_t>(cols), options);
            for (std::size_t group = first; group < last; ++group) {
                const auto to = sink(group);
                const auto at = group * together;
                if constexpr (!detail::writes_every_byte<encoder_of>) {
                    std::fill_n(to.group, group_bytes, std::uint8_t{0});
                }
                if constexpr (detail::takes_groups_of_rows<encoder_of>) {
                    if (!encoder(row(at).data(), u, to) && refuse(at, together)) return;
                } else {
                    if (refuse(at, together)) return;
                    for (std::size_t k = 0; k < together; ++k) {
                        encoder(row(at + k).data(), u, to.of_row(k));
                    }
                }
            }
        }
    });
    if (bad.found()) {
        const auto row = x.subspan(bad.row() * cols, cols);
        return fail(errc::malformed, "weight ", detail::first_not_finite(row), " of row ",
                    bad.row(), " is infinite or NaN; ", traits<T>::name, " holds finite weights");
    }
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
