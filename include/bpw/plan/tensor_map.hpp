// Tensor maps: which tensors a published model has, in which type and of how many bytes.
#pragma once

#include <bpw/core/checked.hpp>
#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/core/type_id.hpp>
#include <bpw/formats/registry.hpp>
#include <bpw/plan/text.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

BPW_NAMESPACE_BEGIN
namespace plan {

/// Bytes of a tensor without and with what stands beside the blocks.
struct tensor_size {
    std::uint64_t blocks;  ///< the blocks alone, as published maps list it
    std::uint64_t exact;   ///< with row headers and trailer
};

/// Sizes of a tensor of a type whose row length may fall short of whole blocks: the blocks are
/// those of all weights together, rounded up. Nothing where 64 bits do not suffice.
[[nodiscard]] inline std::optional<tensor_size> size_of(const type_info& type, std::uint64_t rows,
                                                        std::uint64_t elements) {
    const auto blocks = checked_mul(
        elements / type.block_size + (elements % type.block_size != 0 ? 1 : 0), type.block_bytes);
    const auto headers = checked_mul(rows, type.row_header_bytes);
    if (!blocks || !headers) return std::nullopt;
    const auto body = checked_add(*blocks, *headers);
    const auto exact = body ? checked_add(*body, type.trailer_bytes) : std::nullopt;
    if (!exact) return std::nullopt;
    return tensor_size{*blocks, *exact};
}

/// One line of a map.
struct mapped_tensor {
    std::string name;
    std::vector<std::uint64_t> shape;  ///< the first dimension is the row length; none is empty
    type_id type;                      ///< as stored, which may differ from the map's type
    std::uint64_t elements;
    std::uint64_t listed_bytes;  ///< as the map says
    std::uint64_t bytes;         ///< exact, row headers included

    [[nodiscard]] std::uint64_t cols() const noexcept { return shape.front(); }
    [[nodiscard]] std::uint64_t rows() const noexcept { return elements / shape.front(); }
};

/// A map file.
struct tensor_map {
    std::string file;
    std::vector<mapped_tensor> tensors;  ///< in the order of the file
    std::string last_shard;              ///< file name in the last line, without `.gguf`
    std::unordered_map<std::string, std::size_t> positions;

    [[nodiscard]] const mapped_tensor* find(const std::string& name) const {
        const auto at = positions.find(name);
        return at == positions.end() ? nullptr : &tensors[at->second];
    }
};

namespace detail {

inline result<mapped_tensor> read_map_line(const place& at, std::string_view name,
                                           std::string_view shape, std::string_view dtype,
                                           std::string_view elements, std::string_view bytes) {
    const auto here = [&](std::string_view field) { return place{at.file, at.line, field}; };
    mapped_tensor t{std::string(name), {}, {}, 0, 0, 0};
    if (name.empty()) return fail_at(here("tensor name"), errc::malformed, "it is empty");
    const auto type = type_from_name(dtype);
    if (!type) {
        return fail_at(here("dtype"), errc::unknown_type, quoted(dtype),
                       " is not one of the known quant types");
    }
    t.type = *type;
    const auto count = parse_count(elements);
    if (!count || *count == 0) {
        return fail_at(here("elements"), errc::malformed, quoted(elements),
                       " is not a count of weights");
    }
    t.elements = *count;
    const auto listed = parse_count(bytes);
    if (!listed) {
        return fail_at(here("bytes"), errc::malformed, quoted(bytes), " is not a count of bytes");
    }
    t.listed_bytes = *listed;
    if (shape.size() < 2 || shape.front() != '(' || shape.back() != ')') {
        return fail_at(here("shape"), errc::malformed, quoted(shape),
                       " is no list of dimensions; expected (a, b, ...)");
    }
    std::uint64_t product = 1;
    for (const auto piece : split(shape.substr(1, shape.size() - 2), ',')) {
        if (trimmed(piece).empty()) continue;  // of a single dimension, "(2048,)"
        const auto n = parse_count(piece);
        const auto next = n && *n != 0 ? checked_mul(product, *n) : std::nullopt;
        if (!next) {
            return fail_at(here("shape"), errc::malformed, quoted(piece),
                           " is no dimension of a tensor");
        }
        product = *next;
        t.shape.push_back(*n);
    }
    if (t.shape.empty()) t.shape.push_back(1);
    if (product != t.elements) {
        return fail_at(here("shape"), errc::size_mismatch, "the dimensions hold ", product,
                       " weights; expected elements=", t.elements);
    }
    const auto size = size_of(info(t.type), t.rows(), t.elements);
    if (!size) {
        return fail_at(here("elements"), errc::overflow, "a tensor of ", t.elements,
                       " weights takes more bytes than 64 bits can count");
    }
    // Published maps leave out row headers; others may list them.
    t.bytes = t.listed_bytes == size->blocks ? size->exact : t.listed_bytes;
    return t;
}

}  // namespace detail

/// Reads a map: lines of fields between colons, `shard : sha256 : name : shape=(a, b) : dtype=x :
/// elements=n : bytes=n`, further fields ignored. Lines without dtype, elements or bytes are
/// skipped. Errors, each with file, line and field: `malformed`, `unknown_type`, `size_mismatch`
/// when the shape does not hold the elements, `overflow`.
[[nodiscard]] inline result<tensor_map> read_tensor_map(std::string_view text,
                                                        std::string_view file) {
    tensor_map map{std::string(file), {}, {}, {}};
    line_reader lines(text);
    while (const auto line = lines.next()) {
        const auto fields = split(*line, ':');
        std::string_view shape = "()";
        std::optional<std::string_view> dtype;
        std::optional<std::string_view> elements;
        std::optional<std::string_view> bytes;
        for (std::size_t i = 3; i < fields.size(); ++i) {
            const auto field = trimmed(fields[i]);
            const auto equals = field.find('=');
            if (equals == std::string_view::npos) continue;
            const auto value = trimmed(field.substr(equals + 1));
            const auto key = trimmed(field.substr(0, equals));
            if (key == "shape") shape = value;
            if (key == "dtype") dtype = value;
            if (key == "elements") elements = value;
            if (key == "bytes") bytes = value;
        }
        if (!dtype || !elements || !bytes) continue;
        auto tensor = detail::read_map_line({file, lines.number()}, trimmed(fields[2]), shape,
                                            *dtype, *elements, *bytes);
        if (!tensor) return tensor.error();
        if (!map.positions.emplace(tensor->name, map.tensors.size()).second) {
            return fail_at({file, lines.number(), "tensor name"}, errc::malformed,
                           quoted(tensor->name), " stands in an earlier line already");
        }
        map.tensors.push_back(*std::move(tensor));
        map.last_shard = std::string(trimmed(fields[0]));
    }
    constexpr std::string_view suffix = ".gguf";
    if (map.last_shard.ends_with(suffix)) {
        map.last_shard.resize(map.last_shard.size() - suffix.size());
    }
    if (map.tensors.empty()) {
        return fail_at({file}, errc::malformed,
                       "the file describes no tensor; expected lines with dtype=, elements= and "
                       "bytes=");
    }
    return map;
}

}  // namespace plan
BPW_NAMESPACE_END
