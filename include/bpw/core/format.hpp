// What a quant type is, and what follows from its definition.
//
// A quant type is a struct with static members. It must have
//
//   name          std::string_view
//   block         struct of byte arrays: one block (of all rows of a group, if it interleaves)
//   block_size    weights in one block of one row
//   block_scale   float block_scale(b):     the scale of the block, or of its row
//   lane          int lane(b, i):           the integer of weight i of the block
//   lanes         lane_range: the smallest and largest integer that lane() returns
//
// where b is a block_ref. The weight is block_scale * lane. Types whose weights are not integers
// times a scale have `value` instead of `lane` and `lanes`. A type may also have
//
//   group_size    weights that share a group_scale (default: block_size)
//   group_scale   int group_scale(b, g):    one more factor for group g
//   block_offset  float block_offset(b):    added to the weight ...
//   group_offset  int group_offset(b, g):   ... after multiplication with this, if there is one
//   value         float value(b, i):        what dequantize uses in place of float(lane(b, i))
//   positive_zero true if a weight that is zero is +0 whatever the sign of its scale
//   rows          rows whose blocks are interleaved (default 1)
//   header_bytes  bytes in front of each row (default 0)
//   trailer_bytes bytes behind the whole tensor (default 0); then header means the trailer
//   with_fields   with_fields(f): f(fields...), every field of its layout, for repacking
//   id            type_id, if GGUF has a number for it
//
// Everything else - sizes, kernels, table entries - is derived.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/layout.hpp>
#include <bpw/core/type_id.hpp>

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>

BPW_NAMESPACE_BEGIN

/// The integers that the weights of a type become before scaling.
struct lane_range {
    int min;
    int max;
};

/// The smallest range that holds a table of numbers.
template <class Table>
[[nodiscard]] constexpr lane_range range_of(const Table& table) noexcept {
    lane_range r{table[0], table[0]};
    for (const auto& v : table) {
        if (v < r.min) r.min = v;
        if (v > r.max) r.max = v;
    }
    return r;
}

/// One row's part of one block.
template <class T>
struct block_ref {
    using type = T;

    const std::uint8_t* bytes;   ///< the block, of all interleaved rows
    const std::uint8_t* header;  ///< this row's header, or the tensor's trailer
    int row = 0;                 ///< the row within its interleaved group

    /// Value n of a field of the type's layout.
    template <class Field>
    [[nodiscard]] constexpr std::uint32_t get(const Field& field, int n = 0) const noexcept {
        return field.get(bytes, row, n);
    }
    /// The 32 bits of the header from byte `at` on as a float.
    [[nodiscard]] constexpr float header_float(std::size_t at = 0) const noexcept {
        return std::bit_cast<float>(read_bits(header, 8 * at, 32));
    }
};

namespace detail {

template <class T>
using ref = block_ref<T>;

template <class T>
concept has_group_scale = requires(ref<T> b) {
    { T::group_scale(b, 0) } -> std::same_as<int>;
};
template <class T>
concept has_offset = requires(ref<T> b) {
    { T::block_offset(b) } -> std::same_as<float>;
};
template <class T>
concept has_group_offset = requires(ref<T> b) {
    { T::group_offset(b, 0) } -> std::same_as<int>;
};
template <class T>
concept has_positive_zero = requires {
    requires T::positive_zero;
};
template <class T>
concept has_value = requires(ref<T> b) {
    { T::value(b, 0) } -> std::same_as<float>;
};

// The checks stand one behind the other so that a missing member gives its own sentence and no
// second one.
template <class T>
[[nodiscard]] consteval bool check_format() {
    constexpr bool has_name = requires { std::string_view(T::name); };
    constexpr bool has_block_size = requires { static_cast<int>(T::block_size); };
    constexpr bool has_block = requires { typename T::block; };
    constexpr bool has_lanes = requires {
        { T::lanes } -> std::convertible_to<lane_range>;
    };
    constexpr bool has_scale = requires(ref<T> b) {
        { T::block_scale(b) } -> std::same_as<float>;
    };
    constexpr bool has_lane = requires(ref<T> b) {
        { T::lane(b, 0) } -> std::same_as<int>;
    };
    constexpr bool has_weight = has_lane || has_value<T>;
    static_assert(has_name, "bpw: a quant type must have a static member `name`, a string_view");
    static_assert(has_block_size,
                  "bpw: a quant type must have a static member `block_size`, the number of weights "
                  "in one block of a row");
    static_assert(has_block,
                  "bpw: a quant type must have a member type `block`, a struct of byte "
                  "arrays that lays out one block");
    static_assert(has_lanes || !has_lane,
                  "bpw: a quant type must have a static member `lanes`, the lane_range "
                  "of the integers that lane() returns");
    static_assert(has_scale,
                  "bpw: a quant type must have a static function `float block_scale(block_ref)`");
    static_assert(has_weight,
                  "bpw: a quant type must have a static function `int lane(block_ref, int)`, or "
                  "`float value(block_ref, int)` if its weights are not scaled integers");
    if constexpr (has_block) {
        static_assert(alignof(typename T::block) == 1,
                      "bpw: the members of a quant type's `block` must be arrays of bytes, so that "
                      "a block has no padding and may lie at any address");
        return has_name && has_block_size && (has_lanes || !has_lane) && has_scale && has_weight &&
               alignof(typename T::block) == 1;
    }
    return false;
}

}  // namespace detail

/// Whether a type defines everything that a quant type must.
template <class T>
inline constexpr bool is_quant_format = detail::check_format<T>();

/// A type that defines everything that a quant type must. The kernels do not ask for this concept
/// but check its parts one by one, so that the error names what is missing.
template <class T>
concept quant_format = requires(block_ref<T> b) {
    std::string_view(T::name);
    static_cast<int>(T::block_size);
    typename T::block;
    { T::block_scale(b) } -> std::same_as<float>;
}
&&(detail::has_value<T> || requires(block_ref<T> b) {
    { T::lanes } -> std::convertible_to<lane_range>;
    { T::lane(b, 0) } -> std::same_as<int>;
});

/// What follows from a quant type's definition.
template <class T, bool Valid = is_quant_format<T>>
struct traits {
    static constexpr std::string_view name = T::name;
    /// Weights in a block of one row.
    static constexpr int block_size = T::block_size;
    /// Rows whose blocks are interleaved; 1 for ordinary types.
    static constexpr int rows = [] {
        if constexpr (requires { T::rows; })
            return static_cast<int>(T::rows);
        else
            return 1;
    }();
    /// Weights that share an integer scale.
    static constexpr int group_size = [] {
        if constexpr (requires { T::group_size; })
            return static_cast<int>(T::group_size);
        else
            return block_size;
    }();
    static constexpr int groups = block_size / group_size;
    /// Bytes of a block per row.
    static constexpr std::size_t block_bytes = sizeof(typename T::block) / rows;
    /// Bytes in front of each row; those of an interleaved group stand together.
    static constexpr std::size_t header_bytes = [] {
        if constexpr (requires { T::header_bytes; })
            return static_cast<std::size_t>(T::header_bytes);
        else
            return std::size_t{0};
    }();
    /// Bytes behind the last row of a tensor.
    static constexpr std::size_t trailer_bytes = [] {
        if constexpr (requires { T::trailer_bytes; })
            return static_cast<std::size_t>(T::trailer_bytes);
        else
            return std::size_t{0};
    }();
    /// Bits per weight of a long row.
    static constexpr double bits_per_weight = 8.0 * block_bytes / block_size;
    static constexpr lane_range lanes = [] {
        if constexpr (requires { T::lanes; })
            return lane_range(T::lanes);
        else
            return lane_range{0, 0};
    }();
    static constexpr bool has_group_scale = detail::has_group_scale<T>;
    static constexpr bool has_offset = detail::has_offset<T>;

    static_assert(sizeof(typename T::block) % rows == 0,
                  "bpw: `block` of an interleaved quant type must hold the same for every row");
    static_assert(block_size > 0 && block_size % group_size == 0,
                  "bpw: `block_size` of a quant type must be a positive multiple of `group_size`");
};

// A type that failed the checks gets sizes, so that the checks' sentence is the only error.
template <class T>
struct traits<T, false> {
    static constexpr std::string_view name = "?";
    static constexpr int block_size = 1, rows = 1, group_size = 1, groups = 1;
    static constexpr std::size_t block_bytes = 1, header_bytes = 0, trailer_bytes = 0;
    static constexpr double bits_per_weight = 8;
    static constexpr lane_range lanes{0, 0};
    static constexpr bool has_group_scale = false, has_offset = false;
};

/// The scale of group g: fl(block_scale * group_scale).
template <class T>
[[nodiscard]] constexpr float scale(block_ref<T> b, int g) noexcept {
    if constexpr (traits<T>::has_group_scale)
        return T::block_scale(b) * static_cast<float>(T::group_scale(b, g));
    else
        return T::block_scale(b);
}

/// What is added to the weights of group g; 0 for types without an offset.
template <class T>
[[nodiscard]] constexpr float offset(block_ref<T> b, int g) noexcept {
    if constexpr (detail::has_group_offset<T>)
        return T::block_offset(b) * static_cast<float>(T::group_offset(b, g));
    else if constexpr (traits<T>::has_offset)
        return T::block_offset(b);
    else
        return 0.0f;
}

/// Weight i of a block: fl(scale * value + offset). Where there is an offset the product is
/// exact, so that it does not matter whether a compiler fuses the two steps.
template <class T>
[[nodiscard]] constexpr float weight(block_ref<T> b, int i, float group_scale,
                                     float group_offset) noexcept {
    float v = 0;
    if constexpr (detail::has_value<T>)
        v = T::value(b, i);
    else
        v = static_cast<float>(T::lane(b, i));
    if constexpr (traits<T>::has_offset)
        return group_scale * v + group_offset;
    else if constexpr (detail::has_positive_zero<T>)
        return group_scale * v + 0.0f;
    else
        return group_scale * v;
}

template <class T>
[[nodiscard]] constexpr float weight(block_ref<T> b, int i) noexcept {
    const int g = i / traits<T>::group_size;
    return weight(b, i, scale(b, g), offset(b, g));
}

/// All block_size weights of one row's block.
template <class T>
constexpr void decode_block(block_ref<T> b, float* out) noexcept {
    if constexpr (is_quant_format<T>) {
        using t = traits<T>;
        for (int g = 0; g < t::groups; ++g) {
            const float s = scale(b, g);
            const float o = offset(b, g);
            for (int j = 0; j < t::group_size; ++j) {
                const int i = g * t::group_size + j;
                out[i] = weight(b, i, s, o);
            }
        }
    }
}

/// The traits that are the same for all types of GGUF, with the usual values of the rest.
template <type_id Id, int BlockSize, int GroupSize = BlockSize>
struct gguf_format {
    static constexpr type_id id = Id;
    static constexpr std::string_view name = bpw::name(Id);
    static constexpr int block_size = BlockSize;
    static constexpr int group_size = GroupSize;
    static constexpr int rows = 1;
    static constexpr std::size_t header_bytes = 0;
    static constexpr std::size_t trailer_bytes = 0;
    /// Whether encoders refuse to work without an importance matrix.
    static constexpr bool needs_importance = false;
    /// What the llama-quantize of each project stores instead when the row length does not
    /// divide.
    static constexpr std::optional<type_id> fallback_ik = std::nullopt;
    static constexpr std::optional<type_id> fallback_mainline = std::nullopt;
};

BPW_NAMESPACE_END
