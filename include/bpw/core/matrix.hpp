// Views of quantized matrices: bytes whose size was checked once, when the view was made.
#pragma once

#include <bpw/core/checked.hpp>
#include <bpw/core/error.hpp>
#include <bpw/core/executor.hpp>
#include <bpw/core/format.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

BPW_NAMESPACE_BEGIN

namespace detail {

// What sizes depend on, for types known at compile time and at run time alike.
struct shape_rule {
    std::string_view name;
    std::uint64_t block_size;
    std::uint64_t block_bytes;
    std::uint64_t header_bytes;
    std::uint64_t rows;
    std::uint64_t trailer_bytes;
};

template <class T>
inline constexpr shape_rule shape_rule_of{traits<T>::name,        traits<T>::block_size,
                                          traits<T>::block_bytes, traits<T>::header_bytes,
                                          traits<T>::rows,        traits<T>::trailer_bytes};

[[nodiscard]] inline result<std::uint64_t> row_bytes(const shape_rule& t, std::uint64_t cols) {
    if (cols % t.block_size != 0) {
        return fail(errc::bad_shape, "row length ", cols, " is not a multiple of ", t.block_size,
                    ", the block size of ", t.name);
    }
    const auto blocks = checked_mul(cols / t.block_size, t.block_bytes);
    const auto bytes = blocks ? checked_add(*blocks, t.header_bytes) : std::nullopt;
    if (!bytes) {
        return fail(errc::overflow, "a row of ", cols, " weights of ", t.name,
                    " takes more bytes than 64 bits can count");
    }
    return *bytes;
}

[[nodiscard]] inline result<std::uint64_t> tensor_bytes(const shape_rule& t, std::uint64_t rows,
                                                        std::uint64_t cols) {
    if (rows % t.rows != 0) {
        return fail(errc::bad_shape, "row count ", rows, " is not a multiple of ", t.rows,
                    ", the rows that ", t.name, " interleaves");
    }
    const auto row = row_bytes(t, cols);
    if (!row) return row.error();
    const auto body = checked_mul(*row, rows);
    const auto bytes = body ? checked_add(*body, t.trailer_bytes) : std::nullopt;
    if (!bytes) {
        return fail(errc::overflow, "a tensor of ", rows, " rows of ", cols, " weights of ", t.name,
                    " takes more bytes than 64 bits can count");
    }
    return *bytes;
}

}  // namespace detail

/// Bytes of a row of `cols` weights, with its header. Errors: `bad_shape` when `cols` is not a
/// multiple of the block size, `overflow`.
template <class T>
[[nodiscard]] result<std::uint64_t> row_bytes(std::uint64_t cols) {
    return detail::row_bytes(detail::shape_rule_of<T>, cols);
}

/// Bytes of a tensor of `rows` rows (the product of all dimensions but the first) of `cols`
/// weights. Errors: `bad_shape`, also when `rows` is not a multiple of the interleaved rows;
/// `overflow`.
template <class T>
[[nodiscard]] result<std::uint64_t> tensor_bytes(std::uint64_t rows, std::uint64_t cols) {
    return detail::tensor_bytes(detail::shape_rule_of<T>, rows, cols);
}

/// A matrix of a type known at run time: `rows` rows of `cols` weights in `bytes`. An unchecked
/// description; visit() makes a matrix_view of it.
struct any_matrix {
    type_id type;
    std::span<const std::byte> bytes;
    std::uint64_t rows;
    std::uint64_t cols;
};

/// A matrix of quantized weights: rows() rows of cols() weights of type T, in the byte order of
/// files. A view: the bytes belong to somebody else. They may lie at any address.
template <class T>
class matrix_view {
  public:
    using type = T;
    using t = traits<T>;

    /// An empty matrix.
    matrix_view() = default;

    /// Checks that `bytes` hold exactly `rows` rows of `cols` weights. Errors: `bad_shape` when
    /// the type cannot hold the shape, `size_mismatch`, `overflow`.
    [[nodiscard]] static result<matrix_view> make(std::span<const std::byte> bytes,
                                                  std::uint64_t rows, std::uint64_t cols) {
        const auto size = tensor_bytes<T>(rows, cols);
        if (!size) return size.error();
        if (bytes.size() != *size) {
            return fail(errc::size_mismatch, "a ", rows, " x ", cols, " matrix of ", t::name,
                        " takes ", *size, " bytes, but ", bytes.size(), " were given");
        }
        matrix_view m;
        m.data_ = reinterpret_cast<const std::uint8_t*>(bytes.data());
        m.rows_ = static_cast<std::size_t>(rows);
        m.cols_ = static_cast<std::size_t>(cols);
        m.row_bytes_ = static_cast<std::size_t>(*bpw::row_bytes<T>(cols));
        return m;
    }

#if BPW_EXCEPTIONS
    /// The same, or throws bpw::error.
    matrix_view(std::span<const std::byte> bytes, std::uint64_t rows, std::uint64_t cols)
        : matrix_view(make(bytes, rows, cols).value()) {}
#endif

    [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
    [[nodiscard]] std::size_t cols() const noexcept { return cols_; }
    /// Blocks in a row.
    [[nodiscard]] std::size_t blocks() const noexcept { return cols_ / std::size_t{t::block_size}; }
    /// Bytes of a row, with its header.
    [[nodiscard]] std::size_t row_bytes() const noexcept { return row_bytes_; }

    /// Block `b` of row `row`.
    [[nodiscard]] block_ref<T> block(std::size_t row, std::size_t b) const noexcept {
        const auto k = row % std::size_t{t::rows};
        const std::uint8_t* group = data_ + (row - k) * row_bytes_;
        const std::uint8_t* header =
            t::trailer_bytes != 0 ? data_ + rows_ * row_bytes_ : group + k * t::header_bytes;
        return {group + std::size_t{t::rows} * (t::header_bytes + b * t::block_bytes), header,
                static_cast<int>(k)};
    }

    /// Rows first ... first + count - 1; both are multiples of the interleaved rows.
    [[nodiscard]] matrix_view row_slice(std::size_t first, std::size_t count) const noexcept
        requires(traits<T>::trailer_bytes == 0) {
        matrix_view m = *this;
        m.data_ += first * row_bytes_;
        m.rows_ = count;
        return m;
    }

  private:
    const std::uint8_t* data_ = nullptr;
    std::size_t rows_ = 0;
    std::size_t cols_ = 0;
    std::size_t row_bytes_ = 0;
};

namespace detail {

// A task should be long against the cost of handing it out, and tasks many against threads.
inline constexpr std::size_t weights_per_task = 64 * 1024;

// Calls f(first, count) for runs of rows of about `weights` weights; all but the last run are
// multiples of `unit` rows, itself a multiple of the interleaved rows.
template <class T, class Executor, class F>
void for_row_runs(const matrix_view<T>& w, std::size_t weights, std::size_t unit, Executor& run,
                  F f) {
    const auto per_unit = std::max<std::size_t>(w.cols(), 1) * unit;
    const auto step = std::max<std::size_t>(1, weights / per_unit) * unit;
    run((w.rows() + step - 1) / step, [&](std::size_t task) {
        const auto first = task * step;
        f(first, std::min(step, w.rows() - first));
    });
}

}  // namespace detail

BPW_NAMESPACE_END
