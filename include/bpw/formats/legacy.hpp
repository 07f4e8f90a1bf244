// Blocks of 32 weights with one f16 scale: q4_0, q4_1, q5_0, q5_1, q6_0, q8_0, q8_1.
//
// Their codes lie in 16 bytes: low nibbles are weights 0..15, high nibbles weights 16..31. Row
// lengths are multiples of 32.
#pragma once

#include <bpw/core/format.hpp>
#include <bpw/core/half.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

// The scale d of a block as its f16 field `d`.
struct half_block_scale {
    template <class B>
    [[nodiscard]] static constexpr float block_scale(B b) noexcept {
        return half_to_float(b.get(B::type::d));
    }
};

// Weights that are codes minus a constant.
template <int Bias>
struct biased_codes {
    template <class B>
    [[nodiscard]] static constexpr int lane(B b, int i) noexcept {
        return static_cast<int>(b.get(B::type::q, i)) - Bias;
    }
};

// Weights that are 8-bit two's complement numbers.
struct signed_bytes {
    static constexpr lane_range lanes{-128, 127};
    template <class B>
    [[nodiscard]] static constexpr int lane(B b, int i) noexcept {
        return as_signed<8>(b.get(B::type::q, i));
    }
};

// A constant per block, added to every weight.
struct half_block_offset {
    template <class B>
    [[nodiscard]] static constexpr float block_offset(B b) noexcept {
        return half_to_float(b.get(B::type::m));
    }
};

}  // namespace detail

/// w = d (u - 8). 4.5 bits per weight. The fast and simple 4-bit type.
///
///     0   d   f16, any sign
///     2   qs  16 bytes, u in nibbles
struct q4_0 : gguf_format<type_id::q4_0, 32>, detail::half_block_scale, detail::biased_codes<8> {
    struct block {
        le16 d;
        std::uint8_t qs[16];
    };
    static constexpr auto d = half_at(offsetof(block, d));
    static constexpr auto q = values<32>(bits<4>(plane<4, 16>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, q);
    }
    static constexpr lane_range lanes{-8, 7};
};

/// w = d u + m. 5 bits per weight. Better than q4_0 where blocks are not centred on zero.
///
///     0   d   f16
///     2   m   f16, added
///     4   qs  16 bytes, u in nibbles
struct q4_1 : gguf_format<type_id::q4_1, 32>,
              detail::half_block_scale,
              detail::half_block_offset,
              detail::biased_codes<0> {
    struct block {
        le16 d;
        le16 m;
        std::uint8_t qs[16];
    };
    static constexpr auto d = half_at(offsetof(block, d));
    static constexpr auto m = half_at(offsetof(block, m));
    static constexpr auto q = values<32>(bits<4>(plane<4, 16>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, m, q);
    }
    static constexpr lane_range lanes{0, 15};
};

/// w = d (u - 16). 5.5 bits per weight. A common fallback for row lengths that are not
/// multiples of 256.
///
///     0   d   f16, any sign
///     2   qh  bit 4 of u, a bit string
///     6   qs  16 bytes, bits 3..0 of u in nibbles
struct q5_0 : gguf_format<type_id::q5_0, 32>, detail::half_block_scale, detail::biased_codes<16> {
    struct block {
        le16 d;
        std::uint8_t qh[4];
        std::uint8_t qs[16];
    };
    static constexpr auto d = half_at(offsetof(block, d));
    static constexpr auto q = values<32>(bits<4>(plane<4, 16>{offsetof(block, qs)}),
                                         bits<1>(plane<1>{offsetof(block, qh)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, q);
    }
    static constexpr lane_range lanes{-16, 15};
};

/// w = d u + m. 6 bits per weight.
///
///     0   d   f16
///     2   m   f16, added
///     4   qh  bit 4 of u, a bit string
///     8   qs  16 bytes, bits 3..0 of u in nibbles
struct q5_1 : gguf_format<type_id::q5_1, 32>,
              detail::half_block_scale,
              detail::half_block_offset,
              detail::biased_codes<0> {
    struct block {
        le16 d;
        le16 m;
        std::uint8_t qh[4];
        std::uint8_t qs[16];
    };
    static constexpr auto d = half_at(offsetof(block, d));
    static constexpr auto m = half_at(offsetof(block, m));
    static constexpr auto q = values<32>(bits<4>(plane<4, 16>{offsetof(block, qs)}),
                                         bits<1>(plane<1>{offsetof(block, qh)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, m, q);
    }
    static constexpr lane_range lanes{0, 31};
};

/// w = d (u - 32). 6.5 bits per weight. Nearly as good as q6_K where rows are not multiples of
/// 256; also used for KV caches.
///
///     0   d   f16, any sign
///     2   qh  bits 5..4 of u: byte k holds, from bit 0 up, weights k, k + 16, k + 8, k + 24
///     10  qs  16 bytes, bits 3..0 of u in nibbles
struct q6_0 : gguf_format<type_id::q6_0, 32>, detail::half_block_scale, detail::biased_codes<32> {
    struct block {
        le16 d;
        std::uint8_t qh[8];
        std::uint8_t qs[16];
    };
    struct high_bits {
        std::size_t byte;
        [[nodiscard]] constexpr std::size_t bit(int, int n) const noexcept {
            return 8 * (byte + static_cast<std::size_t>(n % 8)) +
                   static_cast<std::size_t>(4 * (n / 8 % 2) + 2 * (n / 16));
        }
    };
    static constexpr auto d = half_at(offsetof(block, d));
    static constexpr auto q = values<32>(bits<4>(plane<4, 16>{offsetof(block, qs)}),
                                         bits<2>(high_bits{offsetof(block, qh)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, q);
    }
    static constexpr lane_range lanes{-32, 31};
};

/// w = d q. 8.5 bits per weight. Practically lossless; the reference that others are measured
/// by.
///
///     0   d   f16
///     2   qs  32 signed bytes
struct q8_0 : gguf_format<type_id::q8_0, 32>, detail::half_block_scale, detail::signed_bytes {
    struct block {
        le16 d;
        std::uint8_t qs[32];
    };
    static constexpr auto d = half_at(offsetof(block, d));
    static constexpr auto q = values<32>(bits<8>(plane<8>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, q);
    }
};

/// w = d q. 9 bits per weight. A format for activations, with the rounded sum of its weights;
/// no known tool writes it to files.
///
///     0   d   f16
///     2   s   f16, d times the sum of q: redundant, may have overflowed
///     4   qs  32 signed bytes
struct q8_1 : gguf_format<type_id::q8_1, 32>, detail::half_block_scale, detail::signed_bytes {
    struct block {
        le16 d;
        le16 s;
        std::uint8_t qs[32];
    };
    static constexpr auto d = half_at(offsetof(block, d));
    static constexpr auto s = half_at(offsetof(block, s));
    static constexpr auto q = values<32>(bits<8>(plane<8>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, s, q);
    }
};

BPW_NAMESPACE_END
