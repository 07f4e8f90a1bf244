// Types whose codes are indices of lattice codebooks: iq1_s, iq1_m, iq2_xxs, iq2_xs, iq2_s,
// iq3_xxs, iq3_s, and iq2_kl.
//
// 256 weights a block, row lengths multiples of 256. Octets are runs of 8 weights, quads of 4.
// Encoders want an importance matrix for all but iq2_kl.
#pragma once

#include <bpw/formats/int8.hpp>
#include <bpw/formats/lattice_codebooks.hpp>
#include <bpw/formats/table4.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

// Scales d (2 s + 1) / Divisor.
template <int Divisor>
struct odd_scales {
    template <class B>
    [[nodiscard]] static constexpr float block_scale(B b) noexcept {
        return half_to_float(b.get(B::type::d)) * (1.0f / Divisor);
    }
    template <class B>
    [[nodiscard]] static constexpr int group_scale(B b, int g) noexcept {
        return 2 * static_cast<int>(b.get(B::type::s, g)) + 1;
    }
};

// Whether weight i is negative. Types with a field `signs` store a bit for every weight; those
// with `signs7` store 7 bits per octet, the 8th makes the number of negative weights even.
template <class B>
[[nodiscard]] constexpr bool is_negative(B b, int i) noexcept {
    if constexpr (requires { B::type::signs; }) {
        return b.get(B::type::signs, i) != 0;
    } else {
        const auto stored = b.get(B::type::signs7, i / 8);
        return i % 8 == 7 ? std::popcount(stored) % 2 != 0 : (stored >> i % 8 & 1u) != 0u;
    }
}

// Weights that are magnitudes from a codebook with signs of their own.
template <class Codebook>
struct signed_lattice {
    using codebook = Codebook;
    static constexpr int max = range_of(Codebook::levels).max;
    static constexpr lane_range lanes{-max, max};
    template <class B>
    [[nodiscard]] static constexpr int lane(B b, int i) noexcept {
        const auto& entry = lattice::grid<Codebook>[b.get(B::type::index, i / Codebook::length)];
        const int v = entry[static_cast<std::size_t>(i % Codebook::length)];
        return is_negative(b, i) ? -v : v;
    }
};

// Weights (g +- 1/8) 8 with g in -1, 0, 1: a bit per `OctetsPerShift` octets lowers them all by
// 1/8, else they are raised.
template <int OctetsPerShift>
struct shifted_ternary_lattice {
    using codebook = lattice::iq1;
    static constexpr lane_range lanes{-9, 9};
    template <class B>
    [[nodiscard]] static constexpr int lane(B b, int i) noexcept {
        const int g =
            lattice::grid<codebook>[b.get(B::type::index, i / 8)][static_cast<std::size_t>(i % 8)];
        return 8 * g + (b.get(B::type::shift, i / 8 / OctetsPerShift) != 0 ? -1 : 1);
    }
};

// A block of 256 for which iq4_nl is stored where the row length does not divide.
template <type_id Id, int GroupSize>
struct iq_format : gguf_format<Id, 256, GroupSize> {
    static constexpr std::optional<type_id> fallback_ik = type_id::iq4_nl;
    static constexpr std::optional<type_id> fallback_mainline = type_id::iq4_nl;
};

}  // namespace detail

/// w = d (2 s + 1) / 8 * +-G[index], G 256 vectors of 8, s in 0..15 per group of 32. 2.0625
/// bits per weight. About the least that models bear, with an importance matrix.
///
///     0   d       f16
///     2   groups  8 of 8 bytes: 4 index bytes; a 32-bit word: four 7-bit sign fields, s in the
///     top
struct iq2_xxs : detail::iq_format<type_id::iq2_xxs, 32>,
                 detail::odd_scales<8>,
                 detail::signed_lattice<lattice::iq2_xxs> {
    static constexpr bool needs_importance = true;
    struct block {
        le16 d;
        struct {
            std::uint8_t index[4];
            le32 signs_and_scale;
        } groups[8];
    };
    static constexpr auto d = half_at(offsetof(block, d));
    static constexpr auto s = values<8>(bits<4>(records<1, 8>{offsetof(block, groups) + 4, 28}));
    static constexpr auto index = values<32>(bits<8>(records<4, 8, 8>{offsetof(block, groups)}));
    static constexpr auto signs7 =
        values<32>(bits<7>(records<4, 8, 7>{offsetof(block, groups) + 4}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, s, index, signs7);
    }
};

/// w = d (2 s + 1) / 8 * +-G[index], G 512 vectors of 8, s in 0..15 per group of 16. 2.3125
/// bits per weight.
///
///     0   d       f16
///     2   qs      32 16-bit words: 9-bit index, 7-bit signs
///     66  scales  s in nibbles
struct iq2_xs : detail::iq_format<type_id::iq2_xs, 16>,
                detail::odd_scales<8>,
                detail::signed_lattice<lattice::iq2_xs> {
    static constexpr bool needs_importance = true;
    struct block {
        le16 d;
        le16 qs[32];
        std::uint8_t scales[8];
    };
    static constexpr auto d = half_at(offsetof(block, d));
    static constexpr auto s = values<16>(bits<4>(plane<4>{offsetof(block, scales)}));
    static constexpr auto index = values<32>(bits<9>(plane<16>{offsetof(block, qs)}));
    static constexpr auto signs7 = values<32>(bits<7>(plane<16>{offsetof(block, qs), 9}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, s, index, signs7);
    }
};

/// w = d (2 s + 1) / 8 * +-G[index], G 1024 vectors of 8, s in 0..15 per group of 16, free
/// signs. 2.5625 bits per weight, clearly better than iq2_xs.
///
///     0   d       f16
///     2   qs      32 bytes, bits 7..0 of the index
///     34  signs   a bit string
///     66  qh      bits 9..8 of the index, two bits an octet
///     74  scales  s in nibbles
struct iq2_s : detail::iq_format<type_id::iq2_s, 16>,
               detail::odd_scales<8>,
               detail::signed_lattice<lattice::iq2_s> {
    static constexpr bool needs_importance = true;
    struct block {
        le16 d;
        std::uint8_t qs[32];
        std::uint8_t signs[32];
        std::uint8_t qh[8];
        std::uint8_t scales[8];
    };
    static constexpr auto d = half_at(offsetof(block, d));
    static constexpr auto s = values<16>(bits<4>(plane<4>{offsetof(block, scales)}));
    static constexpr auto index =
        values<32>(bits<8>(plane<8>{offsetof(block, qs)}), bits<2>(plane<2>{offsetof(block, qh)}));
    static constexpr auto signs = values<256>(bits<1>(plane<1>{offsetof(block, signs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, s, index, signs);
    }
};

/// w = d (2 s + 1) / 4 * +-G[index], G 256 vectors of 4, s in 0..15 per group of 32. 3.0625
/// bits per weight, a solid 3-bit type.
///
///     0   d      f16
///     2   qs     64 index bytes
///     66  words  8 of 32 bits: four 7-bit sign fields, s in the top
struct iq3_xxs : detail::iq_format<type_id::iq3_xxs, 32>,
                 detail::odd_scales<4>,
                 detail::signed_lattice<lattice::iq3_xxs> {
    struct block {
        le16 d;
        std::uint8_t qs[64];
        le32 words[8];
    };
    static constexpr auto d = half_at(offsetof(block, d));
    static constexpr auto s = values<8>(bits<4>(records<1, 4>{offsetof(block, words), 28}));
    static constexpr auto index = values<64>(bits<8>(plane<8>{offsetof(block, qs)}));
    static constexpr auto signs7 = values<32>(bits<7>(records<4, 4, 7>{offsetof(block, words)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, s, index, signs7);
    }
};

/// w = d (2 s + 1) * +-G[index], G 512 vectors of 4, s in 0..15 per group of 32, free
/// signs. 3.4375 bits per weight, the best of the 3-bit codebook types.
///
///     0    d       f16
///     2    qs      64 bytes, bits 7..0 of the index
///     66   qh      bit 8 of the index, a bit string
///     74   signs   a bit string
///     106  scales  s in nibbles
struct iq3_s : detail::iq_format<type_id::iq3_s, 32>,
               detail::odd_scales<1>,
               detail::signed_lattice<lattice::iq3_s> {
    struct block {
        le16 d;
        std::uint8_t qs[64];
        std::uint8_t qh[8];
        std::uint8_t signs[32];
        std::uint8_t scales[4];
    };
    static constexpr auto d = half_at(offsetof(block, d));
    static constexpr auto s = values<8>(bits<4>(plane<4>{offsetof(block, scales)}));
    static constexpr auto index =
        values<64>(bits<8>(plane<8>{offsetof(block, qs)}), bits<1>(plane<1>{offsetof(block, qh)}));
    static constexpr auto signs = values<256>(bits<1>(plane<1>{offsetof(block, signs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, s, index, signs);
    }
};

/// w = d (2 s + 1) / 8 * (8 G[index] +- 1), G 2048 ternary vectors of 8, s in 0..7 and the sign
/// of the shift per group of 32. 1.5625 bits per weight, for the experts of very large models.
///
///     0   d   f16
///     2   qs  32 bytes, bits 7..0 of the index
///     34  qh  8 16-bit words: four times bits 10..8 of the index, s, the shift
struct iq1_s : detail::iq_format<type_id::iq1_s, 32>,
               detail::odd_scales<8>,
               detail::shifted_ternary_lattice<4> {
    static constexpr bool needs_importance = true;
    struct block {
        le16 d;
        std::uint8_t qs[32];
        le16 qh[8];
    };
    static constexpr auto d = half_at(offsetof(block, d));
    static constexpr auto s = values<8>(bits<3>(plane<16>{offsetof(block, qh), 12}));
    static constexpr auto shift = values<8>(bits<1>(plane<16>{offsetof(block, qh), 15}));
    static constexpr auto index = values<32>(bits<8>(plane<8>{offsetof(block, qs)}),
                                             bits<3>(records<4, 2, 3>{offsetof(block, qh)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, s, shift, index);
    }
};

/// As iq1_s with s per group of 16 and a shift per octet. 1.75 bits per weight, distinctly
/// better.
///
///     0   qs      32 bytes, bits 7..0 of the index
///     32  qh      32 nibbles: bits 10..8 of the index, the shift
///     48  scales  4 16-bit words: four s of 3 bits; their top nibbles are the bits of d (f16)
struct iq1_m : detail::iq_format<type_id::iq1_m, 16>,
               detail::odd_scales<8>,
               detail::shifted_ternary_lattice<1> {
    static constexpr bool needs_importance = true;
    struct block {
        std::uint8_t qs[32];
        std::uint8_t qh[16];
        le16 scales[4];
    };
    static constexpr auto d = values<1>(bits<4>(plane<16>{offsetof(block, scales), 12}),
                                        bits<4>(plane<16>{offsetof(block, scales) + 2, 12}),
                                        bits<4>(plane<16>{offsetof(block, scales) + 4, 12}),
                                        bits<4>(plane<16>{offsetof(block, scales) + 6, 12}));
    static constexpr auto s = values<16>(bits<3>(records<4, 2, 3>{offsetof(block, scales)}));
    static constexpr auto shift = values<32>(bits<1>(plane<4>{offsetof(block, qh), 3}));
    static constexpr auto index =
        values<32>(bits<8>(plane<8>{offsetof(block, qs)}), bits<3>(plane<4>{offsetof(block, qh)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, s, shift, index);
    }
};

/// w = d s P[index], P 32 pairs of levels, s in -32..31 per group of 32, d one f16 per
/// row. 2.6875 bits per weight and a 2-byte row header. Cheap to decode, good without an
/// importance matrix.
///
///     0   scales_h  bits 5..4 of s + 32, two bits a group
///     2   scales_l  bits 3..0 of s + 32, low nibbles groups 0..3
///     6   qs        64 bytes, bits 3..0 of the index: 16 bytes hold two groups
///     70  qh        bit 4 of the index: 16 bytes, one bit a group
struct iq2_kl : detail::iq_format<type_id::iq2_kl, 32>,
                detail::half_row_scale,
                detail::biased_scales<32> {
    using codebook = lattice::iq2_kl;
    static constexpr std::optional<type_id> fallback_mainline = std::nullopt;
    static constexpr std::size_t header_bytes = 2;
    struct block {
        std::uint8_t scales_h[2];
        std::uint8_t scales_l[4];
        std::uint8_t qs[64];
        std::uint8_t qh[16];
    };
    static constexpr auto s = values<8>(bits<4>(plane<4, 4>{offsetof(block, scales_l)}),
                                        bits<2>(plane<2>{offsetof(block, scales_h)}));
    static constexpr auto index = values<128>(bits<4>(plane<4, 16>{offsetof(block, qs)}),
                                              bits<1>(plane<1, 16>{offsetof(block, qh)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(s, index);
    }
    static constexpr lane_range lanes = range_of(codebook::levels);
    template <class B>
    [[nodiscard]] static constexpr int lane(B b, int i) noexcept {
        return lattice::grid<codebook>[b.get(B::type::index, i / 2)]
                                      [static_cast<std::size_t>(i % 2)];
    }
};

BPW_NAMESPACE_END
