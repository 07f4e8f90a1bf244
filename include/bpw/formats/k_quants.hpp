// The k-quants q2_K to q6_K: 256 weights whose groups have integer scales.
//
// Row lengths are multiples of 256.
#pragma once

#include <bpw/formats/table4.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

// Groups with a scale s and a minimum mn: w = (d s) u - dmin mn.
struct scale_and_min {
    template <class B>
    [[nodiscard]] static constexpr int group_scale(B b, int g) noexcept {
        return static_cast<int>(b.get(B::type::s, g));
    }
    template <class B>
    [[nodiscard]] static constexpr float block_offset(B b) noexcept {
        return -half_to_float(b.get(B::type::dmin));
    }
    template <class B>
    [[nodiscard]] static constexpr int group_offset(B b, int g) noexcept {
        return static_cast<int>(b.get(B::type::m, g));
    }
};

// Eight pairs of 6-bit numbers in 12 bytes. Numbers 0..3 of the first kind are the low bits of
// bytes 0..3, of the second kind of bytes 4..7; the bits 3..0 of numbers 4..7 are the nibbles
// of bytes 8..11, their bits 5..4 the upper bits of bytes 0..7.
template <int Kind>
struct six_bits_low {
    std::size_t byte;
    [[nodiscard]] constexpr std::size_t bit(int, int n) const noexcept {
        const auto at = static_cast<std::size_t>(n);
        return n < 4 ? 8 * (byte + 4 * Kind + at) : 8 * (byte + 4 + at) + 4 * Kind;
    }
};
template <int Kind>
struct six_bits_high {
    std::size_t byte;
    [[nodiscard]] constexpr std::size_t bit(int, int n) const noexcept {
        const auto at = static_cast<std::size_t>(n);
        return n < 4 ? 8 * (byte + 4 * Kind + at) + 4 : 8 * (byte + 4 * Kind + at - 4) + 6;
    }
};
template <int Kind>
[[nodiscard]] constexpr auto six_bits(std::size_t byte) noexcept {
    return values<8>(bits<4>(six_bits_low<Kind>{byte}), bits<2>(six_bits_high<Kind>{byte}));
}

}  // namespace detail

/// w = d s u - dmin mn, s and mn in 0..15 per group of 16. 2.625 bits per weight. The smallest
/// type that is linear; wants an importance matrix.
///
///     0   scales  byte g: low nibble s, high nibble mn
///     16  qs      u: 32 bytes hold 128 weights, two bits for each 32
///     80  d       f16
///     82  dmin    f16
struct q2_K : gguf_format<type_id::q2_K, 256, 16>,
              detail::half_block_scale,
              detail::scale_and_min,
              detail::biased_codes<0> {
    static constexpr std::optional<type_id> fallback_ik = type_id::iq4_nl;
    static constexpr std::optional<type_id> fallback_mainline = type_id::q4_0;
    struct block {
        std::uint8_t scales[16];
        std::uint8_t qs[64];
        le16 d;
        le16 dmin;
    };
    static constexpr auto d = half_at(offsetof(block, d));
    static constexpr auto dmin = half_at(offsetof(block, dmin));
    static constexpr auto s = values<16>(bits<4>(plane<8>{offsetof(block, scales)}));
    static constexpr auto m = values<16>(bits<4>(plane<8>{offsetof(block, scales), 4}));
    static constexpr auto q = values<256>(bits<2>(plane<2, 32>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, dmin, s, m, q);
    }
    static constexpr lane_range lanes{0, 3};
};

/// w = d s (u - 4), s in -32..31 per group of 16. 3.4375 bits per weight. No minimum: best
/// where groups are centred on zero. Wants an importance matrix.
///
///     0    hmask   bit 2 of u: 32 bytes, one bit for each 32 weights
///     32   qs      bits 1..0 of u: 32 bytes hold 128 weights, two bits for each 32
///     96   scales  s + 32: 8 bytes with bits 3..0, 4 bytes with bits 5..4
///     108  d       f16, any sign
struct q3_K : gguf_format<type_id::q3_K, 256, 16>,
              detail::half_block_scale,
              detail::biased_scales<32>,
              detail::biased_codes<4> {
    static constexpr std::optional<type_id> fallback_ik = type_id::iq4_nl;
    static constexpr std::optional<type_id> fallback_mainline = type_id::q4_0;
    struct block {
        std::uint8_t hmask[32];
        std::uint8_t qs[64];
        std::uint8_t scales[12];
        le16 d;
    };
    static constexpr auto d = half_at(offsetof(block, d));
    static constexpr auto s = values<16>(bits<4>(plane<4, 8>{offsetof(block, scales)}),
                                         bits<2>(plane<2, 4>{offsetof(block, scales) + 8}));
    static constexpr auto q = values<256>(bits<2>(plane<2, 32>{offsetof(block, qs)}),
                                          bits<1>(plane<1, 32>{offsetof(block, hmask)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, s, q);
    }
    static constexpr lane_range lanes{-4, 3};
};

/// w = d s u - dmin mn, s and mn in 0..63 per group of 32. 4.5 bits per weight. The general
/// 4-bit type, robust where groups are not centred on zero.
///
///     0   d       f16
///     2   dmin    f16
///     4   scales  eight s and eight mn of 6 bits
///     16  qs      u: 32 bytes hold 64 weights, low nibbles the first 32
struct q4_K : gguf_format<type_id::q4_K, 256, 32>,
              detail::half_block_scale,
              detail::scale_and_min,
              detail::biased_codes<0> {
    static constexpr std::optional<type_id> fallback_ik = type_id::q5_0;
    static constexpr std::optional<type_id> fallback_mainline = type_id::q5_0;
    struct block {
        le16 d;
        le16 dmin;
        std::uint8_t scales[12];
        std::uint8_t qs[128];
    };
    static constexpr auto d = half_at(offsetof(block, d));
    static constexpr auto dmin = half_at(offsetof(block, dmin));
    static constexpr auto s = detail::six_bits<0>(offsetof(block, scales));
    static constexpr auto m = detail::six_bits<1>(offsetof(block, scales));
    static constexpr auto q = values<256>(bits<4>(plane<4, 32>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, dmin, s, m, q);
    }
    static constexpr lane_range lanes{0, 15};
};

/// w = d s u - dmin mn, s and mn in 0..63 per group of 32. 5.5 bits per weight, half the error
/// of q4_K.
///
///     0   d       f16
///     2   dmin    f16
///     4   scales  eight s and eight mn of 6 bits
///     16  qh      bit 4 of u: 32 bytes, one bit for each 32 weights
///     48  qs      bits 3..0 of u: 32 bytes hold 64 weights, low nibbles the first 32
struct q5_K : gguf_format<type_id::q5_K, 256, 32>,
              detail::half_block_scale,
              detail::scale_and_min,
              detail::biased_codes<0> {
    static constexpr std::optional<type_id> fallback_ik = type_id::q6_0;
    static constexpr std::optional<type_id> fallback_mainline = type_id::q5_1;
    struct block {
        le16 d;
        le16 dmin;
        std::uint8_t scales[12];
        std::uint8_t qh[32];
        std::uint8_t qs[128];
    };
    static constexpr auto d = half_at(offsetof(block, d));
    static constexpr auto dmin = half_at(offsetof(block, dmin));
    static constexpr auto s = detail::six_bits<0>(offsetof(block, scales));
    static constexpr auto m = detail::six_bits<1>(offsetof(block, scales));
    static constexpr auto q = values<256>(bits<4>(plane<4, 32>{offsetof(block, qs)}),
                                          bits<1>(plane<1, 32>{offsetof(block, qh)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, dmin, s, m, q);
    }
    static constexpr lane_range lanes{0, 31};
};

/// w = d s (u - 32), s in -128..127 per group of 16. 6.5625 bits per weight. For output and
/// embedding tensors.
///
///     0    ql      bits 3..0 of u: 64 bytes hold 128 weights, low nibbles the first 64
///     128  qh      bits 5..4 of u: 32 bytes hold 128 weights, two bits for each 32
///     192  scales  s, signed bytes
///     208  d       f16, any sign
struct q6_K : gguf_format<type_id::q6_K, 256, 16>,
              detail::half_block_scale,
              detail::signed_byte_scales,
              detail::biased_codes<32> {
    static constexpr std::optional<type_id> fallback_ik = type_id::q8_0;
    static constexpr std::optional<type_id> fallback_mainline = type_id::q8_0;
    struct block {
        std::uint8_t ql[128];
        std::uint8_t qh[64];
        std::uint8_t scales[16];
        le16 d;
    };
    static constexpr auto d = half_at(offsetof(block, d));
    static constexpr auto s = values<16>(bits<8>(plane<8>{offsetof(block, scales)}));
    static constexpr auto q = values<256>(bits<4>(plane<4, 64>{offsetof(block, ql)}),
                                          bits<2>(plane<2, 32>{offsetof(block, qh)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, s, q);
    }
    static constexpr lane_range lanes{-32, 31};
};

BPW_NAMESPACE_END
