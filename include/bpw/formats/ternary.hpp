// One-bit and ternary types, for models trained with such weights.
#pragma once

#include <bpw/formats/int8.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

// Digit `power` of a byte that holds base-3 digits as ceil(256 n / 243), most significant
// first: multiplied by 3^power modulo 256 it begins with that digit. Defined for all 256 bytes.
[[nodiscard]] constexpr int trit(std::uint32_t byte, int power) noexcept {
    for (; power > 0; --power) byte = byte * 3u & 255u;
    return static_cast<int>(3u * byte >> 8);
}

// Which digit a weight is: of value `byte` of the type's field `digits`.
struct digit_place {
    int byte;
    int power;
};

// Weights that are base-3 digits minus one.
struct base3_digits {
    static constexpr lane_range lanes{-1, 1};
    template <class B>
    [[nodiscard]] static constexpr int lane(B b, int i) noexcept {
        const auto at = B::type::place(i);
        return trit(b.get(B::type::digits, at.byte), at.power) - 1;
    }
};

}  // namespace detail

/// w = d (2 u - 1). 1.125 bits per weight, blocks of 128. For models with binary weights.
///
///     0   d   f16
///     2   qs  a bit string
struct q1_0 : gguf_format<type_id::q1_0, 128>, detail::half_block_scale {
    struct block {
        le16 d;
        std::uint8_t qs[16];
    };
    static constexpr auto d = half_at(offsetof(block, d));
    static constexpr auto q = values<128>(bits<1>(plane<1>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, q);
    }
    static constexpr lane_range lanes{-1, 1};
    template <class B>
    [[nodiscard]] static constexpr int lane(B b, int i) noexcept {
        return 2 * static_cast<int>(b.get(B::type::q, i)) - 1;
    }
};

/// w = d (u - 1). 2.25 bits per weight, blocks of 64. Encoders never write u = 3.
///
///     0   d   f16
///     2   qs  two bits per weight, in order
struct q2_0 : gguf_format<type_id::q2_0, 64>, detail::half_block_scale, detail::biased_codes<1> {
    struct block {
        le16 d;
        std::uint8_t qs[16];
    };
    static constexpr auto d = half_at(offsetof(block, d));
    static constexpr auto q = values<64>(bits<2>(plane<2>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, q);
    }
    static constexpr lane_range lanes{-1, 2};
};

/// w = d (t - 1), t a base-3 digit. 1.6875 bits per weight, blocks of 256.
///
///     0   qs  48 bytes of five digits: digit k of the first 32 bytes are weights 32 k ..., of
///     the
///             next 16 bytes weights 160 + 16 k ...
///     48  qh  4 bytes of four digits: digit k are weights 240 + 4 k ...
///     52  d   f16
struct tq1_0 : gguf_format<type_id::tq1_0, 256>, detail::half_block_scale, detail::base3_digits {
    struct block {
        std::uint8_t qs[48];
        std::uint8_t qh[4];
        le16 d;
    };
    static constexpr auto d = half_at(offsetof(block, d));
    static constexpr auto digits = values<52>(bits<8>(plane<8>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, digits);
    }
    [[nodiscard]] static constexpr detail::digit_place place(int i) noexcept {
        if (i < 160) return {i % 32, i / 32};
        if (i < 240) return {32 + i % 16, (i - 160) / 16};
        return {48 + i % 4, (i - 240) / 4};
    }
};

/// w = d (u - 1). 2.0625 bits per weight, blocks of 256. Like tq1_0 and faster to unpack.
///
///     0   qs  32 bytes hold 128 weights, two bits for each 32
///     64  d   f16
struct tq2_0 : gguf_format<type_id::tq2_0, 256>, detail::half_block_scale, detail::biased_codes<1> {
    struct block {
        std::uint8_t qs[64];
        le16 d;
    };
    static constexpr auto d = half_at(offsetof(block, d));
    static constexpr auto q = values<256>(bits<2>(plane<2, 32>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, q);
    }
    static constexpr lane_range lanes{-1, 2};
};

/// w = d (t - 1), d one f16 per row, t a base-3 digit. 1.625 bits per weight and a 2-byte row
/// header, blocks of 64. For BitNet and TriLM models.
///
///     0   ql     three bytes of five digits per 16 weights, the first weight the least
///     significant 12  extra  the last weights of the four runs of 16, likewise
///
/// Readers beware: the CPU float decoder of ik_llama.cpp leaves the row header out of account;
/// the meaning here is that of its matrix products and of its other decoders.
struct iq1_bn : gguf_format<type_id::iq1_bn, 64>, detail::half_row_scale, detail::base3_digits {
    static constexpr std::size_t header_bytes = 2;
    struct block {
        std::uint8_t ql[12];
        std::uint8_t extra;
    };
    static constexpr auto digits = values<13>(bits<8>(plane<8>{offsetof(block, ql)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(digits);
    }
    [[nodiscard]] static constexpr detail::digit_place place(int i) noexcept {
        const int run = i / 16;
        const int k = i % 16;
        if (k < 15) return {3 * run + k / 5, 4 - k % 5};
        return {12, 4 - run};
    }
};

/// w = d (u - 1), d one f32 per row. 2 bits per weight and a 4-byte row header, blocks of 64.
///
///     0   qs  16 bytes, two bits for each 16 weights
struct iq2_bn : gguf_format<type_id::iq2_bn, 64>, detail::float_row_scale, detail::biased_codes<1> {
    static constexpr std::size_t header_bytes = 4;
    struct block {
        std::uint8_t qs[16];
    };
    static constexpr auto q = values<64>(bits<2>(plane<2, 16>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(q);
    }
    static constexpr lane_range lanes{-1, 2};
};

/// w = d (u - 1), d one f32 behind the whole tensor, followed by 28 bytes of padding. 2 bits
/// per weight, blocks of 128. Microsoft's BitNet files, as ik_llama.cpp reads them; the files
/// of other builds of that project use the same number for other layouts and cannot be told
/// apart.
///
///     0   qs  32 bytes, two bits for each 32 weights, the first 32 in the top bits
struct i2_s : gguf_format<type_id::i2_s, 128>, detail::float_row_scale, detail::biased_codes<1> {
    static constexpr std::size_t trailer_bytes = 32;
    struct block {
        std::uint8_t qs[32];
    };
    struct top_bits_first {
        [[nodiscard]] constexpr std::size_t bit(int, int n) const noexcept {
            return static_cast<std::size_t>(8 * (n % 32) + 6 - 2 * (n / 32));
        }
    };
    static constexpr auto q = values<128>(bits<2>(top_bits_first{}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(q);
    }
    static constexpr lane_range lanes{-1, 2};
};

BPW_NAMESPACE_END
