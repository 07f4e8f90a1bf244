// Where an encoder writes: one row of a group of interleaved rows.
#pragma once

#include <bpw/core/format.hpp>

#include <cstddef>
#include <cstdint>

BPW_NAMESPACE_BEGIN

namespace detail {

/// Row `row` of an interleaved group (0 for ordinary types). The bytes were zero.
template <class T>
struct row_sink {
    using type = T;
    std::uint8_t* group;
    int row = 0;

    [[nodiscard]] row_sink of_row(std::size_t k) const noexcept {
        return {group, static_cast<int>(k)};
    }
    [[nodiscard]] std::uint8_t* header() const noexcept {
        return group + static_cast<std::size_t>(row) * traits<T>::header_bytes;
    }
    [[nodiscard]] std::uint8_t* block(std::size_t b) const noexcept {
        return group + std::size_t{traits<T>::rows} *
                           (traits<T>::header_bytes + b * traits<T>::block_bytes);
    }
    template <class Field>
    void set(std::size_t b, const Field& field, int n, std::uint32_t value) const noexcept {
        field.set(block(b), row, n, value);
    }
    [[nodiscard]] block_ref<T> read(std::size_t b) const noexcept {
        return {block(b), header(), row};
    }
};

/// Encodes rows of one length. A specialisation has
///
///     explicit row_encoder(std::size_t cols, const encode_options&);
///     template <class Target>
///     void operator()(const float* x, const float* importance, const row_sink<Target>&);
///
/// where x is finite and importance, which may be null, is finite and not negative. `Target` is T
/// or a type that interleaves its rows.
template <class T>
struct row_encoder;

/// Whether the encoder of T takes the rows of a group at once, x those of the first one, and any
/// weights at all. It then says whether all are finite:
///
///     template <class Target>
///     bool operator()(const float* x, const float* importance, const row_sink<Target>& first);
///
template <class T>
inline constexpr bool takes_groups_of_rows = false;

/// Whether the encoder of T takes rows that follow each other as a single one.
template <class T>
inline constexpr bool joins_rows = false;

/// Whether the encoder of T leaves none of the bytes as they were.
template <class T>
inline constexpr bool writes_every_byte = false;

}  // namespace detail

BPW_NAMESPACE_END
