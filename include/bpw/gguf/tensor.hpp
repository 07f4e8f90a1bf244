// One tensor of a GGUF file: its description and a view of its bytes.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/core/matrix.hpp>
#include <bpw/core/type_id.hpp>
#include <bpw/formats/registry.hpp>
#include <bpw/gguf/constants.hpp>
#include <bpw/gguf/text.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

BPW_NAMESPACE_BEGIN
namespace gguf {

namespace detail {
class parser;
class layout_check;
}  // namespace detail

/// A tensor as the file describes it. Valid as long as the file is open.
class tensor {
  public:
    [[nodiscard]] std::string_view name() const noexcept { return name_; }
    /// The type's number in the file.
    [[nodiscard]] std::uint32_t type_number() const noexcept { return number_; }
    /// The type; nothing for a number that is unknown, removed, of the other dialect, or ambiguous.
    [[nodiscard]] std::optional<type_id> type() const noexcept { return type_; }
    /// One to four dimensions in GGUF's order: the first is the length of a row. None for a scalar.
    [[nodiscard]] std::span<const std::uint64_t> shape() const noexcept {
        return std::span(dims_).first(n_dims_);
    }
    /// Weights in a row.
    [[nodiscard]] std::uint64_t cols() const noexcept { return dims_[0]; }
    /// Rows in all: the product of all dimensions but the first.
    [[nodiscard]] std::uint64_t rows() const noexcept { return dims_[1] * dims_[2] * dims_[3]; }
    /// Weights in all; it fits 63 bits.
    [[nodiscard]] std::uint64_t elements() const noexcept { return cols() * rows(); }
    /// How many matrices of shape()[0] by shape()[1] the tensor holds: 1, or for instance the
    /// number of experts.
    [[nodiscard]] std::uint64_t slices() const noexcept { return dims_[2] * dims_[3]; }

    /// Where the tensor begins, in bytes after the beginning of its file's data.
    [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }
    /// Bytes of the tensor, row headers counted once per row; nothing when type() is.
    [[nodiscard]] std::optional<std::uint64_t> size() const noexcept { return size_; }
    /// The position in file::parts() of the part that holds the tensor.
    [[nodiscard]] std::uint32_t part() const noexcept { return part_; }

    /// The tensor's bytes in the file. Errors: those of type_from_gguf when there is no type(),
    /// `unsupported` when the file was opened for its metadata only.
    [[nodiscard]] result<std::span<const std::byte>> bytes() const {
        if (!type_) {
            auto reason = type_from_gguf(number_, dialect_);
            return fail(reason.error().code, in_words(),
                        " cannot be read: ", reason.error().message);
        }
        if (data_ == nullptr) {
            return fail(errc::unsupported, in_words(),
                        " has no bytes: the file was opened for its metadata only");
        }
        return std::span(data_, static_cast<std::size_t>(*size_));
    }

    /// A tensor of one or two dimensions as rows() rows of cols() weights. Errors: those of
    /// bytes(); `bad_shape` for a tensor of several slices.
    [[nodiscard]] result<any_matrix> matrix() const {
        if (slices() != 1) {
            return fail(errc::bad_shape, in_words(), " holds ", slices(),
                        " matrices; expected one (take them one by one with slice)");
        }
        const auto all = bytes();
        if (!all) return all.error();
        return any_matrix{*type_, *all, rows(), cols()};
    }

    /// Matrix i < slices() of the tensor: shape()[1] rows of shape()[0] weights. Errors: those of
    /// bytes(); `not_found` when there is no such slice; `bad_shape` when the type does not let a
    /// slice stand for itself.
    [[nodiscard]] result<any_matrix> slice(std::uint64_t i) const {
        if (i >= slices()) {
            return fail(errc::not_found, in_words(), " has no slice ", i, "; expected less than ",
                        slices());
        }
        if (slices() == 1) return matrix();
        const auto all = bytes();
        if (!all) return all.error();
        const auto& format = info(*type_);
        if (format.trailer_bytes != 0) {
            return fail(errc::bad_shape, in_words(), " has one scale behind all of its ", slices(),
                        " matrices: the type ", format.name, " has no slices");
        }
        if (dims_[1] % format.rows_interleaved != 0) {
            return fail(errc::bad_shape, in_words(), " has ", dims_[1],
                        " rows in a slice; expected a multiple of the ", format.rows_interleaved,
                        " that ", format.name, " interleaves");
        }
        const std::size_t each = all->size() / static_cast<std::size_t>(slices());
        return any_matrix{*type_, all->subspan(static_cast<std::size_t>(i) * each, each), dims_[1],
                          cols()};
    }

  private:
    friend class detail::parser;
    friend class detail::layout_check;

    [[nodiscard]] std::string in_words() const { return "tensor " + detail::quoted(name_); }

    std::string_view name_;
    std::array<std::uint64_t, max_dimensions> dims_{1, 1, 1, 1};
    std::uint64_t offset_ = 0;
    std::optional<std::uint64_t> size_;
    const std::byte* data_ = nullptr;
    std::optional<type_id> type_;
    std::uint32_t number_ = 0;
    std::uint32_t part_ = 0;
    std::uint32_t n_dims_ = 0;
    bpw::dialect dialect_ = bpw::dialect::any;
};

}  // namespace gguf
BPW_NAMESPACE_END
