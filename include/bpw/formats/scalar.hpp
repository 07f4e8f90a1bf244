// Plain numbers, one per weight.
#pragma once

#include <bpw/core/format.hpp>
#include <bpw/core/half.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

// A plain number is a block of one weight whose value is the number itself.
template <type_id Id, int Bytes, class Value>
struct plain_number : gguf_format<Id, 1> {
    struct block {
        std::uint8_t x[Bytes];
    };
    static constexpr auto x = values<1>(bits<(Bytes < 4 ? 8 * Bytes : 32)>(plane<8>{0}));

    template <class B>
    [[nodiscard]] static constexpr float block_scale(B) noexcept {
        return 1.0f;
    }
    template <class B>
    [[nodiscard]] static constexpr float value(B b, int) noexcept {
        return static_cast<float>(Value::of(b.bytes));
    }
};

struct f32_value {
    static constexpr float of(const std::uint8_t* p) {
        return std::bit_cast<float>(read_bits(p, 0, 32));
    }
};
struct f16_value {
    static constexpr float of(const std::uint8_t* p) { return half_to_float(read_bits(p, 0, 16)); }
};
struct bf16_value {
    static constexpr float of(const std::uint8_t* p) { return bf16_to_float(read_bits(p, 0, 16)); }
};
constexpr std::uint64_t read_64_bits(const std::uint8_t* p) {
    return read_bits(p, 0, 32) | std::uint64_t{read_bits(p, 32, 32)} << 32;
}
struct f64_value {
    static constexpr double of(const std::uint8_t* p) {
        return std::bit_cast<double>(read_64_bits(p));
    }
};
struct i64_value {
    static constexpr std::int64_t of(const std::uint8_t* p) {
        return static_cast<std::int64_t>(read_64_bits(p));
    }
};
template <int Bits>
struct int_value {
    static constexpr int of(const std::uint8_t* p) {
        return static_cast<int>(as_signed<Bits>(read_bits(p, 0, Bits)));
    }
};

}  // namespace detail

/// IEEE binary32, 32 bits per weight.
struct f32 : detail::plain_number<type_id::f32, 4, detail::f32_value> {};
/// IEEE binary16, 16 bits per weight; subnormals are kept. Finer than bf16 for ordinary
/// weights.
struct f16 : detail::plain_number<type_id::f16, 2, detail::f16_value> {};
/// bfloat16, 16 bits per weight: the upper half of a float. Lossless for bf16 checkpoints.
struct bf16 : detail::plain_number<type_id::bf16, 2, detail::bf16_value> {};
/// IEEE binary64. Like the integers below it appears in files beside the weights.
struct f64 : detail::plain_number<type_id::f64, 8, detail::f64_value> {};
struct i8 : detail::plain_number<type_id::i8, 1, detail::int_value<8>> {};
struct i16 : detail::plain_number<type_id::i16, 2, detail::int_value<16>> {};
struct i32 : detail::plain_number<type_id::i32, 4, detail::int_value<32>> {};
struct i64 : detail::plain_number<type_id::i64, 8, detail::i64_value> {};

/// bfloat16 with 16 rows interleaved in pairs of columns: 64 bytes hold columns c and c + 1 of
/// row 0, of row 1, ..., the operand of a bf16 pair-dot instruction. Rows in multiples of 16.
struct bf16_r16 : gguf_format<type_id::bf16_r16, 2> {
    static constexpr int rows = 16;
    struct block {
        le16 x[16][2];
    };
    static constexpr auto x = values<2>(bits<16>(plane<16, 1, 16, 2>{0}));

    template <class B>
    [[nodiscard]] static constexpr float block_scale(B) noexcept {
        return 1.0f;
    }
    template <class B>
    [[nodiscard]] static constexpr float value(B b, int i) noexcept {
        return bf16_to_float(b.get(x, i));
    }
};

BPW_NAMESPACE_END
