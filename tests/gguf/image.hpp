// Builds GGUF files in memory, well-formed or with any single thing wrong.
#pragma once

#include <bpw/gguf.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gguf_test {

namespace gguf = bpw::gguf;
using gguf::value_type;
using byte_vector = std::vector<std::byte>;

template <class T>
void put(byte_vector& to, T number) {
    const auto at = to.size();
    to.resize(at + sizeof number);
    std::memcpy(to.data() + at, &number, sizeof number);
}
inline void put_text(byte_vector& to, std::string_view text) {
    const auto* from = reinterpret_cast<const std::byte*>(text.data());
    to.insert(to.end(), from, from + text.size());
}
inline void put_string(byte_vector& to, std::string_view text) {
    put(to, std::uint64_t{text.size()});
    put_text(to, text);
}
inline void put(byte_vector& to, value_type type) { put(to, static_cast<std::uint32_t>(type)); }

/// The payload of a number.
template <class T>
byte_vector number(T value) {
    byte_vector out;
    put(out, value);
    return out;
}
inline byte_vector string(std::string_view text) {
    byte_vector out;
    put_string(out, text);
    return out;
}
/// The payload of an array whose elements have these payloads.
inline byte_vector array(value_type type, const std::vector<byte_vector>& elements) {
    byte_vector out;
    put(out, type);
    put(out, std::uint64_t{elements.size()});
    for (const auto& e : elements) out.insert(out.end(), e.begin(), e.end());
    return out;
}

struct entry {
    std::string key;
    std::uint32_t type = 0;
    byte_vector payload;
    std::optional<std::uint64_t> key_length{};  ///< what to state instead of the length
};

struct tensor {
    std::string name;
    std::vector<std::uint64_t> shape;
    std::uint32_t type = 0;
    std::optional<std::uint64_t> offset{};  ///< instead of the place behind the one before
    std::optional<std::uint64_t> size{};    ///< of the byte_vector to write, instead of the type's
    std::optional<std::uint32_t> dimensions{};   ///< what to state instead of the number
    std::optional<std::uint64_t> name_length{};  ///< what to state instead of the length
};

/// A file before it is written: fields hold what the file shall say, be it true or not.
struct image {
    std::string magic = "GGUF";
    std::uint32_t version = 3;
    std::optional<std::uint64_t> tensor_count{};
    std::optional<std::uint64_t> entry_count{};
    std::vector<entry> entries{};
    std::vector<tensor> tensors{};
    /// Where the tensors are put; the key is only written by align().
    std::uint64_t alignment = 32;
    bool pad_the_last = true;
    std::uint64_t trailing = 0;
    bpw::dialect dialect = bpw::dialect::any;

    image& kv(std::string key, value_type type, byte_vector payload) {
        entries.push_back({std::move(key), static_cast<std::uint32_t>(type), std::move(payload)});
        return *this;
    }
    image& align(std::uint32_t to) {
        alignment = to;
        return kv("general.alignment", value_type::u32, number(to));
    }
    image& add(tensor t) {
        tensors.push_back(std::move(t));
        return *this;
    }
    image& add(std::string name, std::vector<std::uint64_t> shape, std::uint32_t type = 0) {
        return add(tensor{std::move(name), std::move(shape), type});
    }

    [[nodiscard]] std::uint64_t padded(std::uint64_t n) const {
        return alignment == 0 ? n : (n + alignment - 1) / alignment * alignment;
    }
    [[nodiscard]] std::uint64_t size_of(const tensor& t) const {
        if (t.size) return *t.size;
        std::uint64_t rows = 1;
        for (std::size_t d = 1; d < t.shape.size(); ++d) rows *= t.shape[d];
        const auto cols = t.shape.empty() ? 1 : t.shape[0];
        if (rows * cols == 0) return 0;
        const auto type = bpw::type_from_gguf(t.type, dialect);
        const auto size =
            type ? bpw::tensor_bytes(*type, rows, cols) : bpw::result<std::uint64_t>(0);
        return size && *size < (1u << 24) ? *size : 0;
    }

    /// Everything in front of the tensors' data.
    [[nodiscard]] byte_vector header() const {
        byte_vector out;
        put_text(out, magic);
        put(out, version);
        put(out, tensor_count.value_or(tensors.size()));
        put(out, entry_count.value_or(entries.size()));
        for (const auto& e : entries) {
            put(out, e.key_length.value_or(e.key.size()));
            put_text(out, e.key);
            put(out, e.type);
            out.insert(out.end(), e.payload.begin(), e.payload.end());
        }
        std::uint64_t next = 0;
        for (const auto& t : tensors) {
            put(out, t.name_length.value_or(t.name.size()));
            put_text(out, t.name);
            put(out, t.dimensions.value_or(static_cast<std::uint32_t>(t.shape.size())));
            for (const auto d : t.shape) put(out, d);
            put(out, t.type);
            put(out, t.offset.value_or(next));
            next = padded(t.offset.value_or(next) + size_of(t));
        }
        return out;
    }

    [[nodiscard]] byte_vector build() const {
        byte_vector out = header();
        if (tensors.empty()) {
            out.resize(out.size() + trailing);
            return out;
        }
        out.resize(padded(out.size()));
        const auto data = out.size();
        std::uint64_t next = 0;
        std::uint64_t end = 0;
        for (const auto& t : tensors) {
            const auto offset = t.offset.value_or(next);
            const auto size = size_of(t);
            next = padded(offset + size);
            const auto stop = pad_the_last ? next : offset + size;
            // A place far outside is stated, not written.
            if (offset > (1u << 26) || stop > (1u << 26)) continue;
            if (stop > end) {
                end = stop;
                out.resize(data + end);
            }
            for (std::uint64_t i = 0; i < size; ++i) {
                out[data + offset + i] = static_cast<std::byte>((i * 37 + t.name.size()) & 0xFF);
            }
        }
        out.resize(data + end + trailing);
        return out;
    }
};

/// A file with a bit of everything.
inline image sample() {
    image m;
    m.kv("general.architecture", value_type::string, string("llama"))
        .kv("a.u8", value_type::u8, number(std::uint8_t{200}))
        .kv("a.i8", value_type::i8, number(std::int8_t{-100}))
        .kv("a.u16", value_type::u16, number(std::uint16_t{60000}))
        .kv("a.i16", value_type::i16, number(std::int16_t{-30000}))
        .kv("a.u32", value_type::u32, number(std::uint32_t{4000000000}))
        .kv("a.i32", value_type::i32, number(std::int32_t{-2000000000}))
        .kv("a.u64", value_type::u64, number(std::uint64_t{10000000000000000000u}))
        .kv("a.i64", value_type::i64, number(std::int64_t{-9000000000000000000}))
        .kv("a.f32", value_type::f32, number(1.5F))
        .kv("a.f64", value_type::f64, number(-2.25))
        .kv("a.bool", value_type::boolean, number(std::uint8_t{1}))
        .kv("a.empty", value_type::array, array(value_type::string, {}))
        .kv("a.words", value_type::array,
            array(value_type::string, {string("one"), string(""), string("three")}))
        .kv("a.numbers", value_type::array,
            array(value_type::i32, {number(std::int32_t{7}), number(std::int32_t{-8})}))
        .kv("a.nested", value_type::array,
            array(value_type::array,
                  {array(value_type::u16, {number(std::uint16_t{1}), number(std::uint16_t{2})}),
                   array(value_type::string, {string("x")}),
                   array(value_type::array, {array(value_type::boolean, {number(std::uint8_t{0})}),
                                             array(value_type::f64, {})})}))
        .align(32);
    m.add("token_embd.weight", {64, 3}, 1)
        .add("norm", {5}, 0)
        .add("blk.0.q", {256, 4}, 12)
        .add("blk.0.experts", {32, 2, 3}, 8)
        .add("blk.0.headers", {256, 4}, 144)
        .add("empty", {0, 4}, 0)
        .add("last", {7}, 24);
    return m;
}

}  // namespace gguf_test
