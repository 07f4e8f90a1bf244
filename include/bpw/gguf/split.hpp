// Names and keys of a model that is split over several files.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/gguf/constants.hpp>
#include <bpw/gguf/metadata.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

BPW_NAMESPACE_BEGIN
namespace gguf {

/// The parts of a name like `model-00001-of-01148.gguf`.
struct split_name {
    std::string model;     ///< what stands before the numbers
    std::uint32_t number;  ///< from 1
    std::uint32_t count;

    /// Takes a file name apart; nothing when it is not of this form.
    [[nodiscard]] static std::optional<split_name> parse(std::string_view file_name) {
        constexpr std::string_view extension = ".gguf";
        constexpr std::string_view of = "-of-";
        if (!file_name.ends_with(extension)) return std::nullopt;
        file_name.remove_suffix(extension.size());
        const auto count = take_number(file_name);
        if (!count || !file_name.ends_with(of)) return std::nullopt;
        file_name.remove_suffix(of.size());
        const auto number = take_number(file_name);
        if (!number || !file_name.ends_with('-')) return std::nullopt;
        file_name.remove_suffix(1);
        return split_name{std::string(file_name), *number, *count};
    }

    [[nodiscard]] std::string text() const {
        return model + "-" + digits(number) + "-of-" + digits(count) + ".gguf";
    }

  private:
    static constexpr std::size_t width = 5;

    [[nodiscard]] static std::optional<std::uint32_t> take_number(std::string_view& text) {
        if (text.size() < width) return std::nullopt;
        std::uint32_t number = 0;
        for (const char c : text.substr(text.size() - width)) {
            if (c < '0' || c > '9') return std::nullopt;
            number = number * 10 + static_cast<std::uint32_t>(c - '0');
        }
        text.remove_suffix(width);
        return number;
    }
    [[nodiscard]] static std::string digits(std::uint32_t number) {
        auto out = std::to_string(number);
        if (out.size() < width) out.insert(0, width - out.size(), '0');
        return out;
    }
};

namespace detail {

/// What the keys `split.*` of one file say.
struct split_keys {
    std::uint64_t number = 0;  ///< from 0
    std::uint64_t count = 1;
    std::optional<std::uint64_t> tensors;

    [[nodiscard]] static result<split_keys> read(const metadata& from) {
        split_keys out;
        const auto count = from.get_or<std::uint64_t>(keys::split_count, 1);
        if (!count) return count.error();
        out.count = *count;
        if (out.count <= 1) return out;
        const auto number = from.get<std::uint64_t>(keys::split_no);
        if (!number) return number.error();
        out.number = *number;
        if (from.contains(keys::split_tensors_count)) {
            const auto tensors = from.get<std::uint64_t>(keys::split_tensors_count);
            if (!tensors) return tensors.error();
            out.tensors = *tensors;
        }
        return out;
    }
};

}  // namespace detail
}  // namespace gguf
BPW_NAMESPACE_END
