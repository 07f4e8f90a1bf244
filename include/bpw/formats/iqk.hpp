// Types with two non-linear tables to choose from per group: iq2_k to iq6_k (f16 scale per block,
// groups of 16) and iq2_ks to iq5_ks, iq4_kss (one scale per row, groups of 32).
//
// w = d s (T[u] + step x): the shift bit x of a group raises its table by a constant. 256 weights a
// block, row lengths multiples of 256.
#pragma once

#include <bpw/formats/lattice.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

// Codes looked up in a table that the group's shift bit raises by Step.
template <const auto& Table, int Step>
struct shifted_table {
    static constexpr lane_range lanes{range_of(Table).min, range_of(Table).max + Step};
    template <class B>
    [[nodiscard]] static constexpr int lane(B b, int i) noexcept {
        using t = typename B::type;
        return Table[t::code(b, i)] + Step * static_cast<int>(b.get(t::shift, i / t::group_size));
    }
    template <class B>
    [[nodiscard]] static constexpr std::uint32_t code(B b, int i) noexcept {
        return b.get(B::type::q, i);
    }
};

// Odd scales 2 u - 127 of 7 bits.
struct seven_bit_scales {
    template <class B>
    [[nodiscard]] static constexpr int group_scale(B b, int g) noexcept {
        return 2 * static_cast<int>(b.get(B::type::s, g)) - 127;
    }
};

// Odd scales +-(2 m + 1), m in the low four bits, the sign above them.
struct odd_signed_scales {
    template <class B>
    [[nodiscard]] static constexpr int group_scale(B b, int g) noexcept {
        const auto u = static_cast<int>(b.get(B::type::s, g));
        const int magnitude = 2 * (u & 15) + 1;
        return u >= 16 ? -magnitude : magnitude;
    }
};

template <type_id Id, int GroupSize, type_id Fallback>
struct iqk_format : gguf_format<Id, 256, GroupSize> {
    static constexpr std::optional<type_id> fallback_ik = Fallback;
};

}  // namespace detail

/// s in -8..7, 2-bit codes. 2.375 bits per weight, for where codebook types are too slow.
///
///     0   d       f16
///     2   extra   x, a bit string
///     4   scales  s + 8 in nibbles
///     12  qs      u: 32 bytes hold 128 weights, two bits for each 32
struct iq2_k : detail::iqk_format<type_id::iq2_k, 16, type_id::iq4_nl>,
               detail::half_block_scale,
               detail::biased_scales<8>,
               detail::shifted_table<tables::nonlinear2, 5> {
    struct block {
        le16 d;
        std::uint8_t extra[2];
        std::uint8_t scales[8];
        std::uint8_t qs[64];
    };
    static constexpr auto d = half_at(offsetof(block, d));
    static constexpr auto shift = values<16>(bits<1>(plane<1>{offsetof(block, extra)}));
    static constexpr auto s = values<16>(bits<4>(plane<4>{offsetof(block, scales)}));
    static constexpr auto q = values<256>(bits<2>(plane<2, 32>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, shift, s, q);
    }
};

/// s = +-(2 m + 1), 3-bit codes. 3.4375 bits per weight, the general 3-bit type.
///
///     0   d         f16
///     2   extra     x, a bit string
///     4   scales_h  sign of s, a bit string
///     6   scales_l  m in nibbles
///     14  qs        bits 1..0 of u: 32 bytes hold 128 weights
///     78  qh        bit 2 of u: 32 bytes, one bit for each 32 weights
struct iq3_k : detail::iqk_format<type_id::iq3_k, 16, type_id::iq4_nl>,
               detail::half_block_scale,
               detail::odd_signed_scales,
               detail::shifted_table<tables::nonlinear3, 4> {
    struct block {
        le16 d;
        std::uint8_t extra[2];
        std::uint8_t scales_h[2];
        std::uint8_t scales_l[8];
        std::uint8_t qs[64];
        std::uint8_t qh[32];
    };
    static constexpr auto d = half_at(offsetof(block, d));
    static constexpr auto shift = values<16>(bits<1>(plane<1>{offsetof(block, extra)}));
    static constexpr auto s = values<16>(bits<4>(plane<4>{offsetof(block, scales_l)}),
                                         bits<1>(plane<1>{offsetof(block, scales_h)}));
    static constexpr auto q = values<256>(bits<2>(plane<2, 32>{offsetof(block, qs)}),
                                          bits<1>(plane<1, 32>{offsetof(block, qh)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, shift, s, q);
    }
};

/// s in -32..31, 4-bit codes. 4.5 bits per weight, for attention and output tensors.
///
///     0   d         f16
///     2   extra     x, a bit string
///     4   scales_h  bits 5..4 of s + 32, two bits a group
///     8   scales_l  bits 3..0 of s + 32, nibbles
///     16  qs        u: 16 bytes hold 32 weights, low nibbles the first 16
struct iq4_k : detail::iqk_format<type_id::iq4_k, 16, type_id::q5_0>,
               detail::half_block_scale,
               detail::biased_scales<32>,
               detail::shifted_table<tables::nonlinear4, 4> {
    struct block {
        le16 d;
        std::uint8_t extra[2];
        std::uint8_t scales_h[4];
        std::uint8_t scales_l[8];
        std::uint8_t qs[128];
    };
    static constexpr auto d = half_at(offsetof(block, d));
    static constexpr auto shift = values<16>(bits<1>(plane<1>{offsetof(block, extra)}));
    static constexpr auto s = values<16>(bits<4>(plane<4>{offsetof(block, scales_l)}),
                                         bits<2>(plane<2>{offsetof(block, scales_h)}));
    static constexpr auto q = values<256>(bits<4>(plane<4, 16>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, shift, s, q);
    }
};

/// s in -32..31, 5-bit codes. 5.5 bits per weight, nearly lossless.
///
///     0    d, extra, scales as iq4_k
///     16   qs  bits 3..0 of u: 32 bytes hold 64 weights, low nibbles the first 32
///     144  qh  bit 4 of u: 32 bytes, one bit for each 32 weights
struct iq5_k : detail::iqk_format<type_id::iq5_k, 16, type_id::q6_0>,
               detail::half_block_scale,
               detail::biased_scales<32>,
               detail::shifted_table<tables::nonlinear5, 2> {
    struct block {
        le16 d;
        std::uint8_t extra[2];
        std::uint8_t scales_h[4];
        std::uint8_t scales_l[8];
        std::uint8_t qs[128];
        std::uint8_t qh[32];
    };
    static constexpr auto d = half_at(offsetof(block, d));
    static constexpr auto shift = values<16>(bits<1>(plane<1>{offsetof(block, extra)}));
    static constexpr auto s = values<16>(bits<4>(plane<4>{offsetof(block, scales_l)}),
                                         bits<2>(plane<2>{offsetof(block, scales_h)}));
    static constexpr auto q = values<256>(bits<4>(plane<4, 32>{offsetof(block, qs)}),
                                          bits<1>(plane<1, 32>{offsetof(block, qh)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, shift, s, q);
    }
};

/// s in -128..127, 6-bit codes. 6.625 bits per weight, for output and embedding tensors.
///
/// It has two decodings: the integer table, which its encoder optimises against (`lane`), and a
/// cubic through nearly the same points, which decoding and products use (`value`). They differ by
/// at most 0.49 of a step.
///
///     0    d       f16
///     2    extra   x, a bit string
///     4    scales  s, signed bytes
///     20   qs      bits 3..0 of u: 32 bytes hold 64 weights, low nibbles the first 32
///     148  qh      bits 5..4 of u: 32 bytes hold 128 weights, two bits for each 32
struct iq6_k : detail::iqk_format<type_id::iq6_k, 16, type_id::q8_0>,
               detail::half_block_scale,
               detail::signed_byte_scales,
               detail::shifted_table<tables::nonlinear6, 1> {
    struct block {
        le16 d;
        std::uint8_t extra[2];
        std::uint8_t scales[16];
        std::uint8_t qs[128];
        std::uint8_t qh[64];
    };
    static constexpr auto d = half_at(offsetof(block, d));
    static constexpr auto shift = values<16>(bits<1>(plane<1>{offsetof(block, extra)}));
    static constexpr auto s = values<16>(bits<8>(plane<8>{offsetof(block, scales)}));
    static constexpr auto q = values<256>(bits<4>(plane<4, 32>{offsetof(block, qs)}),
                                          bits<2>(plane<2, 32>{offsetof(block, qh)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, shift, s, q);
    }

    // Horner's scheme in fused steps. The products of a 6-bit integer and a float are exact in
    // double, so that each step rounds once, to float.
    static constexpr std::array coefficients{0.0011972f, -0.11218f, 6.2568f, -127.0f};
    static constexpr auto cubic = [] {
        std::array<float, 64> out{};
        for (int u = 0; u < 64; ++u) {
            float p = coefficients[0];
            for (std::size_t i = 1; i < coefficients.size(); ++i) {
                p = static_cast<float>(static_cast<double>(u) * static_cast<double>(p) +
                                       static_cast<double>(coefficients[i]));
            }
            out[static_cast<std::size_t>(u)] = p;
        }
        return out;
    }();
    template <class B>
    [[nodiscard]] static constexpr float value(B b, int i) noexcept {
        return cubic[b.get(B::type::q, i)] + static_cast<float>(b.get(B::type::shift, i / 16));
    }
};

/// s in -16..15, 2-bit codes, d one f16 per row. 2.1875 bits per weight and a 2-byte row
/// header; the smallest type without a codebook.
///
///     0   extra   low byte x, high byte bit 4 of s + 16
///     2   scales  bits 3..0 of s + 16, nibbles
///     6   qs      u: 32 bytes hold 128 weights, two bits for each 32
struct iq2_ks : detail::iqk_format<type_id::iq2_ks, 32, type_id::iq4_nl>,
                detail::half_row_scale,
                detail::biased_scales<16>,
                detail::shifted_table<tables::nonlinear2, 5> {
    static constexpr std::size_t header_bytes = 2;
    struct block {
        std::uint8_t extra[2];
        std::uint8_t scales[4];
        std::uint8_t qs[64];
    };
    static constexpr auto shift = values<8>(bits<1>(plane<1>{offsetof(block, extra)}));
    static constexpr auto s = values<8>(bits<4>(plane<4>{offsetof(block, scales)}),
                                        bits<1>(plane<1>{offsetof(block, extra) + 1}));
    static constexpr auto q = values<256>(bits<2>(plane<2, 32>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(shift, s, q);
    }
};

/// s in -16..15, 3-bit codes, d one f16 per row. 3.1875 bits per weight and a 2-byte row
/// header.
///
///     0   extra   low byte bit 4 of s + 16, high byte x (the other way round than in iq2_ks)
///     2   scales  bits 3..0 of s + 16, low nibbles groups 0..3
///     6   qs      bits 1..0 of u: 32 bytes hold 128 weights
///     70  qh      bit 2 of u: 32 bytes, one bit for each 32 weights
struct iq3_ks : detail::iqk_format<type_id::iq3_ks, 32, type_id::iq4_nl>,
                detail::half_row_scale,
                detail::biased_scales<16>,
                detail::shifted_table<tables::nonlinear3, 4> {
    static constexpr std::size_t header_bytes = 2;
    struct block {
        std::uint8_t extra[2];
        std::uint8_t scales[4];
        std::uint8_t qs[64];
        std::uint8_t qh[32];
    };
    static constexpr auto shift = values<8>(bits<1>(plane<1>{offsetof(block, extra) + 1}));
    static constexpr auto s = values<8>(bits<4>(plane<4, 4>{offsetof(block, scales)}),
                                        bits<1>(plane<1>{offsetof(block, extra)}));
    static constexpr auto q = values<256>(bits<2>(plane<2, 32>{offsetof(block, qs)}),
                                          bits<1>(plane<1, 32>{offsetof(block, qh)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(shift, s, q);
    }
};

/// s odd in -127..127, 4-bit codes, d one f32 per row. 4.25 bits per weight and a 4-byte row
/// header; the usual 4-bit type for feed-forward and expert tensors.
///
///     0   scales  byte g: bit 0 x, bits 7..1 (s + 127) / 2
///     8   qs      u: 16 bytes hold 32 weights, low nibbles the first 16
struct iq4_ks : detail::iqk_format<type_id::iq4_ks, 32, type_id::iq4_nl>,
                detail::float_row_scale,
                detail::seven_bit_scales,
                detail::shifted_table<tables::nonlinear4, 4> {
    static constexpr std::size_t header_bytes = 4;
    struct block {
        std::uint8_t scales[8];
        std::uint8_t qs[128];
    };
    static constexpr auto shift = values<8>(bits<1>(plane<8>{offsetof(block, scales)}));
    static constexpr auto s = values<8>(bits<7>(plane<8>{offsetof(block, scales), 1}));
    static constexpr auto q = values<256>(bits<4>(plane<4, 16>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(shift, s, q);
    }
};

/// As iq4_ks at exactly 4 bits per weight: the four codes of a word have even parity, and the
/// bit that this frees in each of a group's eight words makes up the scale byte. 4-byte row
/// header.
///
///     0   words  64 of 16 bits: bit m % 8 of a scale byte as in iq4_ks; above it 15 bits v.
///     The
///                nibbles of v ^ (v << 1) are u of columns 2 m, 2 m + 16, 2 m + 1, 2 m + 17 of
///                the group, m the word's number in it
struct iq4_kss : detail::iqk_format<type_id::iq4_kss, 32, type_id::iq4_nl>,
                 detail::float_row_scale,
                 detail::seven_bit_scales,
                 detail::shifted_table<tables::nonlinear4, 4> {
    static constexpr std::size_t header_bytes = 4;
    struct block {
        le16 words[64];
    };
    static constexpr auto shift = values<8>(bits<1>(records<1, 16>{0}));
    static constexpr auto s = values<8>(bits<1>(records<1, 16>{2}), bits<1>(records<1, 16>{4}),
                                        bits<1>(records<1, 16>{6}), bits<1>(records<1, 16>{8}),
                                        bits<1>(records<1, 16>{10}), bits<1>(records<1, 16>{12}),
                                        bits<1>(records<1, 16>{14}));
    static constexpr auto v = values<64>(bits<15>(plane<16>{0, 1}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(shift, s, v);
    }
    template <class B>
    [[nodiscard]] static constexpr std::uint32_t code(B b, int i) noexcept {
        const auto word = b.get(v, 8 * (i / 32) + i % 16 / 2);
        const int nibble = 2 * (i % 2) + i % 32 / 16;
        return (word ^ word << 1) >> 4 * nibble & 15u;
    }
};

/// s odd in -127..127, 5-bit codes, d one f32 per row. 5.25 bits per weight and a 4-byte row
/// header.
///
///     0    scales  as iq4_ks
///     8    qs      bits 3..0 of u: 32 bytes hold 64 weights, low nibbles the first 32
///     136  qh      bit 4 of u: 32 bytes, one bit for each 32 weights
struct iq5_ks : detail::iqk_format<type_id::iq5_ks, 32, type_id::q5_0>,
                detail::float_row_scale,
                detail::seven_bit_scales,
                detail::shifted_table<tables::nonlinear5, 2> {
    static constexpr std::size_t header_bytes = 4;
    struct block {
        std::uint8_t scales[8];
        std::uint8_t qs[128];
        std::uint8_t qh[32];
    };
    static constexpr auto shift = values<8>(bits<1>(plane<8>{offsetof(block, scales)}));
    static constexpr auto s = values<8>(bits<7>(plane<8>{offsetof(block, scales), 1}));
    static constexpr auto q = values<256>(bits<4>(plane<4, 32>{offsetof(block, qs)}),
                                          bits<1>(plane<1, 32>{offsetof(block, qh)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(shift, s, q);
    }
};

BPW_NAMESPACE_END
