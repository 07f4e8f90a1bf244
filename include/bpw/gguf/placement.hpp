// Whether the tensors of a file lie in its data as they must: inside, apart, in order.
#pragma once

#include <bpw/core/checked.hpp>
#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/formats/registry.hpp>
#include <bpw/gguf/observations.hpp>
#include <bpw/gguf/options.hpp>
#include <bpw/gguf/tensor.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

BPW_NAMESPACE_BEGIN
namespace gguf::detail {

/// Checks the places of one file's tensors and gives them their bytes.
class layout_check {
  public:
    /// `data`: the file from the beginning of its tensor data. `data_offset`: where that is.
    layout_check(std::span<tensor> tensors, std::span<const std::byte> data,
                 std::uint64_t data_offset, std::uint64_t alignment, const options& chosen,
                 observations& seen)
        : tensors_(tensors),
          data_(data),
          data_offset_(data_offset),
          alignment_(alignment),
          options_(chosen),
          seen_(seen) {}

    [[nodiscard]] result<void> run() {
        if (auto aligned = check_alignment(); !aligned) return aligned;
        sort();
        for (std::size_t k = 0; k < order_.size(); ++k) {
            if (auto placed = check_place(k); !placed) return placed;
        }
        if (auto ordered = check_order(); !ordered) return ordered;
        for (auto& t : tensors_) {
            // An empty tensor may stand behind the end of a file without its last padding.
            if (t.size_) t.data_ = data_.data() + (*t.size_ == 0 ? 0 : t.offset_);
        }
        return {};
    }

  private:
    struct other_layout {
        std::uint32_t number;
        std::uint32_t weights;
        std::uint32_t bytes;
        std::string_view who;
    };
    // Layouts that files hold under a number that now means something else.
    static constexpr std::array<other_layout, 3> other_layouts{{
        {36, 32, 18, "the iq4_nl variant that mainline has removed"},
        {40, 32, 6, "the 1-bit blocks of early Prism files"},
        {42, 128, 34, "the 2-bit blocks of early Prism files"},
    }};

    [[nodiscard]] const tensor& at(std::size_t k) const { return tensors_[order_[k]]; }

    [[nodiscard]] result<void> check_alignment() const {
        for (const auto& t : tensors_) {
            if (t.offset_ % alignment_ != 0) {
                return fail(errc::malformed, t.in_words(), " has the offset ", t.offset_,
                            "; expected a multiple of the alignment ", alignment_);
            }
            if (is_empty(t) && t.offset_ > data_.size() && t.offset_ - data_.size() >= alignment_) {
                return past_the_end(t, 0);
            }
        }
        return {};
    }

    [[nodiscard]] static bool is_empty(const tensor& t) noexcept { return t.elements() == 0; }

    /// Lists what is not empty by offset.
    void sort() {
        order_.reserve(tensors_.size());
        for (std::size_t i = 0; i < tensors_.size(); ++i) {
            if (!is_empty(tensors_[i])) order_.push_back(static_cast<std::uint32_t>(i));
        }
        const auto by_offset = [&](std::uint32_t a, std::uint32_t b) {
            return tensors_[a].offset_ < tensors_[b].offset_;
        };
        in_order_ = std::is_sorted(order_.begin(), order_.end(), by_offset);
        if (!in_order_) std::stable_sort(order_.begin(), order_.end(), by_offset);
    }

    [[nodiscard]] result<void> check_place(std::size_t k) {
        const tensor& t = at(k);
        const bool last = k + 1 == order_.size();
        // A tensor of unknown size holds at least a byte.
        const auto size = t.size_.value_or(1);
        if (t.offset_ >= data_.size()) return past_the_end(t, size);
        const auto room = (last ? data_.size() : at(k + 1).offset_) - t.offset_;
        const bool ends_inside = size <= data_.size() - t.offset_;
        if (!t.size_) {
            if (room == 0) return overlap(t, at(k + 1));
            return {};
        }
        const auto padded = checked_round_up(size, alignment_);
        if (room != padded && !(last && room == size)) {
            if (auto explained = other_size(t, room, last); !explained) return explained;
        }
        if (size > room && !last) return overlap(t, at(k + 1));
        if (!ends_inside) return past_the_end(t, size);
        if (padded && room > *padded) {
            if (is_contested(t)) {
                return fail(errc::size_mismatch, t.in_words(), " has room for ", room,
                            " bytes; expected ", size, " for its type ", info(*t.type_).name,
                            ": files of several layouts use type number ", t.number_);
            }
            if (last) {
                seen_.add(room - *padded, " bytes follow the last tensor, ", quoted(t.name_));
            } else {
                seen_.add(room - *padded, " unused bytes lie between ", t.in_words(), " and ",
                          at(k + 1).in_words());
            }
        }
        return {};
    }

    /// What no reader may assume, but ggml's own writers keep: offsets grow with the list, and
    /// nothing but padding lies between tensors.
    [[nodiscard]] result<void> check_order() {
        if (options_.strict) {
            std::uint64_t expected = 0;
            for (const auto& t : tensors_) {
                if (t.offset_ != expected) {
                    return fail(errc::malformed, t.in_words(), " has the offset ", t.offset_,
                                "; expected ", expected,
                                ", directly behind the tensors listed before it");
                }
                // Cannot wrap: the tensor ends inside the data.
                expected = *checked_round_up(t.offset_ + t.size_.value_or(0), alignment_);
            }
            return {};
        }
        if (!in_order_) seen_.add("the tensors' data is in another order than their list");
        if (!order_.empty() && at(0).offset_ != 0) {
            seen_.add(at(0).offset_, " unused bytes lie before the first tensor, ",
                      quoted(at(0).name_));
        }
        return {};
    }

    [[nodiscard]] static bool is_contested(const tensor& t) {
        return std::any_of(other_layouts.begin(), other_layouts.end(),
                           [&](const other_layout& l) { return l.number == t.number_; });
    }

    /// An error when the room of a tensor is just what a known mistake or another layout under the
    /// same number would leave.
    [[nodiscard]] result<void> other_size(const tensor& t, std::uint64_t room, bool last) const {
        const auto fits = [&](std::optional<std::uint64_t> bytes) {
            return bytes &&
                   (checked_round_up(*bytes, alignment_) == room || (last && *bytes == room));
        };
        const auto& format = info(*t.type_);
        const auto header = std::uint64_t{format.row_header_bytes};
        if (header != 0 && room < *t.size_ &&
            (fits(*t.size_ - t.rows() * header) || fits(*t.size_ - (t.rows() - 1) * header))) {
            return fail(errc::size_mismatch, t.in_words(), " has room for ", room,
                        " bytes; expected ", *t.size_, " for ", t.rows(), " rows of the type ",
                        format.name, ": the file was written by a tool that does not count the ",
                        header,
                        "-byte header of every row, so its tensor data is damaged (its "
                        "metadata can be read with the option metadata_only)");
        }
        for (const auto& layout : other_layouts) {
            if (layout.number != t.number_ || t.elements() % layout.weights != 0) continue;
            if (fits(checked_mul(t.elements() / layout.weights, layout.bytes))) {
                return fail(errc::size_mismatch, t.in_words(), " has room for ", room,
                            " bytes; expected ", *t.size_, " for its type ", format.name,
                            ": the size is that of ", layout.who, ", which used type number ",
                            t.number_, " too");
            }
        }
        if (t.type_ == type_id::q8_K || t.type_ == type_id::q8_K_ik) {
            const auto other = t.type_ == type_id::q8_K ? type_id::q8_K_ik : type_id::q8_K;
            const auto size = tensor_bytes(other, t.rows(), t.cols());
            if (size && fits(*size)) {
                return fail(errc::size_mismatch, t.in_words(), " has room for ", room,
                            " bytes; expected ", *t.size_,
                            " for q8_K of the stated dialect: the size is that of the dialect '",
                            bpw::name(writer(other)), "'");
            }
        }
        return {};
    }

    [[nodiscard]] static failure overlap(const tensor& t, const tensor& next) {
        const std::string size =
            t.size_ ? std::to_string(*t.size_) + " bytes" : std::string("an unknown size");
        return fail(errc::malformed, t.in_words(), " (offset ", t.offset_, ", ", size,
                    ") overlaps ", next.in_words(), " (offset ", next.offset_,
                    "); expected tensors apart from each other");
    }

    [[nodiscard]] failure past_the_end(const tensor& t, std::uint64_t size) const {
        return fail(errc::size_mismatch, t.in_words(), " needs ", size, " bytes at offset ",
                    t.offset_, ", but the file's data has ", data_.size(), " (from byte ",
                    data_offset_, "); expected tensors inside the file, which may be truncated");
    }

    std::span<tensor> tensors_;
    std::span<const std::byte> data_;
    std::uint64_t data_offset_;
    std::uint64_t alignment_;
    const options& options_;
    observations& seen_;
    std::vector<std::uint32_t> order_;
    bool in_order_ = true;
};

}  // namespace gguf::detail
BPW_NAMESPACE_END
