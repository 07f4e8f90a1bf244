// Types that interleave the rows of a base type: names that end in _r4, _r8 or _r16.
//
// R consecutive rows form a group: first their headers, then for every block one group block with
// the fields of all R rows, so arranged that one vector load yields 4 consecutive weights (a quad)
// of each row. The meaning of the fields, and so the weights, are those of the base type; a group
// block only lays them out anew:
//
//   codes    in vectors of 4 R bytes: byte 4 k + i belongs to row k and column i of a quad; the
//            slots of a vector hold several quads of a sub-block of 32 columns, in some order
//   numbers  one small integer per row and sub-block: those of all rows follow each other, R to a
//            sub-block, and fill the slots of a run of bytes
//
// Rows come in multiples of R, row lengths in multiples of the base type's block. Use them for
// matrices, not for tensors that are read by row.
#pragma once

#include <bpw/formats/iqk.hpp>
#include <bpw/formats/k_quants.hpp>
#include <bpw/formats/ternary.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

// The quads of a sub-block in the order of their places: slot by slot, vector by vector.
struct quad_order {
    int quad[8];

    [[nodiscard]] constexpr int place_of(int q) const noexcept {
        int place = 0;
        while (quad[place] != q) ++place;
        return place;
    }
};

inline constexpr quad_order quads_in_order{{0, 1, 2, 3, 4, 5, 6, 7}};
// Quads 16 columns, or 8 columns, apart share the slots of a byte.
inline constexpr quad_order halves{{0, 4, 1, 5, 2, 6, 3, 7}};
inline constexpr quad_order crossed{{0, 2, 4, 6, 1, 3, 5, 7}};
// For the upper bits of q6_k_r4 and q5_k_r4.
inline constexpr quad_order swapped{{0, 2, 1, 3, 4, 6, 5, 7}};

// Codes of `Width` bits.
template <int Width, int R, const quad_order& Order = quads_in_order>
struct quads {
    std::size_t byte;
    [[nodiscard]] constexpr std::size_t bit(int k, int n) const noexcept {
        const int moved = n / 32 * 32 + 4 * Order.place_of(n % 32 / 4) + n % 4;
        return plane<Width, 4 * R, R, 4>{byte}.bit(k, moved);
    }
};

// Numbers in slots of `Slot` bits in runs of `Run` bytes.
template <int Slot, int R, int Run = 1>
using numbers = plane<Slot, Run, R>;

// 7 stored bits v that stand for the low bits of v ^ (v << 1), so that no table is needed to
// find the sign that makes the parity even.
template <class Field>
struct recoded_signs {
    static constexpr int count = Field::count;
    static constexpr int width = 7;
    Field stored;

    [[nodiscard]] constexpr std::uint32_t get(const std::uint8_t* block, int k,
                                              int n) const noexcept {
        const auto v = stored.get(block, k, n);
        return (v ^ v << 1) & 127u;
    }
    constexpr void set(std::uint8_t* block, int k, int n, std::uint32_t signs) const noexcept {
        // Each bit is the parity of the signs up to it.
        for (const int by : {1, 2, 4}) signs ^= signs << by;
        stored.set(block, k, n, signs & 127u);
    }
};

template <class Field>
[[nodiscard]] constexpr recoded_signs<Field> recode(Field stored) noexcept {
    return {stored};
}

}  // namespace detail

/// The rows of `Base`, R at a time. The struct that derives from this lays out the group block
/// and the fields of the base type, in the same order.
template <class Base, int R, type_id Id>
struct interleaved : Base {
    using base = Base;
    static constexpr type_id id = Id;
    static constexpr std::string_view name = bpw::name(Id);
    static constexpr int rows = R;
};

// ---- blocks of 32
// -----------------------------------------------------------------------------

struct q4_0_r8 : interleaved<q4_0, 8, type_id::q4_0_r8> {
    struct block {
        le16 d[8];
        std::uint8_t qs[128];
    };
    static constexpr auto d = half_at<8>(offsetof(block, d));
    static constexpr auto q =
        values<32>(bits<4>(detail::quads<4, 8, detail::halves>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, q);
    }
};

/// A zero is +0 here, whatever the sign of the scale; likewise in q6_0_r4 and q8_k_r16.
struct q5_0_r4 : interleaved<q5_0, 4, type_id::q5_0_r4> {
    static constexpr bool positive_zero = true;
    struct block {
        le16 d[4];
        std::uint8_t qh[16];
        std::uint8_t qs[64];
    };
    static constexpr auto d = half_at<4>(offsetof(block, d));
    static constexpr auto q =
        values<32>(bits<4>(detail::quads<4, 4, detail::crossed>{offsetof(block, qs)}),
                   bits<1>(detail::quads<1, 4, detail::halves>{offsetof(block, qh)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, q);
    }
};

struct q6_0_r4 : interleaved<q6_0, 4, type_id::q6_0_r4> {
    static constexpr bool positive_zero = true;
    struct block {
        le16 d[4];
        std::uint8_t qh[32];
        std::uint8_t qs[64];
    };
    static constexpr auto d = half_at<4>(offsetof(block, d));
    static constexpr auto q =
        values<32>(bits<4>(detail::quads<4, 4, detail::crossed>{offsetof(block, qs)}),
                   bits<2>(detail::quads<2, 4>{offsetof(block, qh)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, q);
    }
};

struct q8_0_r8 : interleaved<q8_0, 8, type_id::q8_0_r8> {
    struct block {
        le16 d[8];
        std::uint8_t qs[256];
    };
    static constexpr auto d = half_at<8>(offsetof(block, d));
    static constexpr auto q = values<32>(bits<8>(detail::quads<8, 8>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, q);
    }
};

struct iq4_nl_r4 : interleaved<iq4_nl, 4, type_id::iq4_nl_r4> {
    struct block {
        le16 d[4];
        std::uint8_t qs[64];
    };
    static constexpr auto d = half_at<4>(offsetof(block, d));
    static constexpr auto q =
        values<32>(bits<4>(detail::quads<4, 4, detail::crossed>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, q);
    }
};

struct mxfp4_r8 : interleaved<mxfp4, 8, type_id::mxfp4_r8> {
    struct block {
        std::uint8_t e[8];
        std::uint8_t qs[128];
    };
    static constexpr auto e = values<1>(bits<8>(detail::numbers<8, 8>{offsetof(block, e)}));
    static constexpr auto q =
        values<32>(bits<4>(detail::quads<4, 8, detail::halves>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(e, q);
    }
};

// ---- k-quants and 8 bits
// ----------------------------------------------------------------------

struct iq4_xs_r8 : interleaved<iq4_xs, 8, type_id::iq4_xs_r8> {
    struct block {
        le16 d[8];
        std::uint8_t scales_h[16];
        std::uint8_t scales_l[32];
        std::uint8_t qs[1024];
    };
    static constexpr auto d = half_at<8>(offsetof(block, d));
    static constexpr auto s =
        values<8>(bits<4>(detail::numbers<4, 8, 32>{offsetof(block, scales_l)}),
                  bits<2>(detail::numbers<2, 8, 16>{offsetof(block, scales_h)}));
    static constexpr auto q = values<256>(bits<4>(detail::quads<4, 8>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, s, q);
    }
};

struct q2_k_r4 : interleaved<q2_K, 4, type_id::q2_k_r4> {
    struct block {
        le16 d[4];
        le16 dmin[4];
        std::uint8_t scales[64];
        std::uint8_t qs[256];
    };
    static constexpr auto d = half_at<4>(offsetof(block, d));
    static constexpr auto dmin = half_at<4>(offsetof(block, dmin));
    static constexpr auto s = values<16>(bits<4>(detail::numbers<8, 4>{offsetof(block, scales)}));
    static constexpr auto m =
        values<16>(bits<4>(detail::numbers<8, 4>{offsetof(block, scales), 4}));
    static constexpr auto q = values<256>(bits<2>(detail::quads<2, 4>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, dmin, s, m, q);
    }
};

struct q3_k_r4 : interleaved<q3_K, 4, type_id::q3_k_r4> {
    struct block {
        le16 d[4];
        std::uint8_t scales_h[16];
        std::uint8_t scales_l[32];
        std::uint8_t qh[128];
        std::uint8_t qs[256];
    };
    static constexpr auto d = half_at<4>(offsetof(block, d));
    static constexpr auto s =
        values<16>(bits<4>(detail::numbers<4, 4, 32>{offsetof(block, scales_l)}),
                   bits<2>(detail::numbers<2, 4, 16>{offsetof(block, scales_h)}));
    static constexpr auto q = values<256>(bits<2>(detail::quads<2, 4>{offsetof(block, qs)}),
                                          bits<1>(detail::quads<1, 4>{offsetof(block, qh)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, s, q);
    }
};

/// Upper bits of scale and minimum share a nibble, lower bits a byte; likewise in q5_k_r4.
struct q4_k_r4 : interleaved<q4_K, 4, type_id::q4_k_r4> {
    struct block {
        le16 d[4];
        le16 dmin[4];
        std::uint8_t scales_h[16];
        std::uint8_t scales_l[32];
        std::uint8_t qs[512];
    };
    static constexpr auto d = half_at<4>(offsetof(block, d));
    static constexpr auto dmin = half_at<4>(offsetof(block, dmin));
    static constexpr auto s =
        values<8>(bits<4>(detail::numbers<8, 4>{offsetof(block, scales_l)}),
                  bits<2>(detail::numbers<4, 4, 16>{offsetof(block, scales_h)}));
    static constexpr auto m =
        values<8>(bits<4>(detail::numbers<8, 4>{offsetof(block, scales_l), 4}),
                  bits<2>(detail::numbers<4, 4, 16>{offsetof(block, scales_h), 2}));
    static constexpr auto q =
        values<256>(bits<4>(detail::quads<4, 4, detail::crossed>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, dmin, s, m, q);
    }
};

struct q5_k_r4 : interleaved<q5_K, 4, type_id::q5_k_r4> {
    struct block {
        le16 d[4];
        le16 dmin[4];
        std::uint8_t scales_h[16];
        std::uint8_t scales_l[32];
        std::uint8_t qh[128];
        std::uint8_t qs[512];
    };
    static constexpr auto d = half_at<4>(offsetof(block, d));
    static constexpr auto dmin = half_at<4>(offsetof(block, dmin));
    static constexpr auto s =
        values<8>(bits<4>(detail::numbers<8, 4>{offsetof(block, scales_l)}),
                  bits<2>(detail::numbers<4, 4, 16>{offsetof(block, scales_h)}));
    static constexpr auto m =
        values<8>(bits<4>(detail::numbers<8, 4>{offsetof(block, scales_l), 4}),
                  bits<2>(detail::numbers<4, 4, 16>{offsetof(block, scales_h), 2}));
    static constexpr auto q =
        values<256>(bits<4>(detail::quads<4, 4, detail::crossed>{offsetof(block, qs)}),
                    bits<1>(detail::quads<1, 4, detail::swapped>{offsetof(block, qh)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, dmin, s, m, q);
    }
};

struct q6_k_r4 : interleaved<q6_K, 4, type_id::q6_k_r4> {
    struct block {
        le16 d[4];
        std::uint8_t scales[64];
        std::uint8_t qh[256];
        std::uint8_t ql[512];
    };
    static constexpr auto d = half_at<4>(offsetof(block, d));
    static constexpr auto s = values<16>(bits<8>(detail::numbers<8, 4>{offsetof(block, scales)}));
    static constexpr auto q =
        values<256>(bits<4>(detail::quads<4, 4, detail::crossed>{offsetof(block, ql)}),
                    bits<2>(detail::quads<2, 4, detail::swapped>{offsetof(block, qh)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, s, q);
    }
};

/// w = d q, one f16 d per row and block of 256. 8.0625 bits per weight. Unlike q8_K: a target
/// that other types are expanded into for large batches. Without a base type of its own.
struct q8_k_r8 : gguf_format<type_id::q8_k_r8, 256>,
                 detail::half_block_scale,
                 detail::signed_bytes {
    static constexpr int rows = 8;
    static constexpr std::optional<type_id> fallback_ik = type_id::q8_0;
    struct block {
        le16 d[8];
        std::uint8_t qs[2048];
    };
    static constexpr auto d = half_at<8>(offsetof(block, d));
    static constexpr auto q = values<256>(bits<8>(detail::quads<8, 8>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, q);
    }
};

/// q8_k_r8 with 16 rows and codes biased by 128. Builds without AVX-512 wrote it unbiased,
/// which cannot be told from the file.
struct q8_k_r16 : gguf_format<type_id::q8_k_r16, 256>,
                  detail::half_block_scale,
                  detail::biased_codes<128> {
    static constexpr int rows = 16;
    static constexpr bool positive_zero = true;
    static constexpr lane_range lanes{-128, 127};
    struct block {
        le16 d[16];
        std::uint8_t qs[4096];
    };
    static constexpr auto d = half_at<16>(offsetof(block, d));
    static constexpr auto q = values<256>(bits<8>(detail::quads<8, 16>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, q);
    }
};

/// 4-byte row headers: the scale without the sum that q8_KV stores.
struct q8_KV_r8 : interleaved<q8_KV, 8, type_id::q8_KV_r8> {
    static constexpr std::size_t header_bytes = 4;
    struct block {
        std::uint8_t qs[256];
    };
    static constexpr auto q = values<32>(bits<8>(detail::quads<8, 8>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(q);
    }
};

struct iq2_bn_r4 : interleaved<iq2_bn, 4, type_id::iq2_bn_r4> {
    struct block {
        std::uint8_t qs[64];
    };
    static constexpr auto q = values<64>(bits<2>(detail::quads<2, 4>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(q);
    }
};

// ---- two tables to choose from
// ----------------------------------------------------------------

struct iq2_k_r4 : interleaved<iq2_k, 4, type_id::iq2_k_r4> {
    struct block {
        le16 d[4];
        std::uint8_t extra[8];
        std::uint8_t scales[32];
        std::uint8_t qs[256];
    };
    static constexpr auto d = half_at<4>(offsetof(block, d));
    static constexpr auto shift =
        values<16>(bits<1>(detail::numbers<1, 4, 8>{offsetof(block, extra)}));
    static constexpr auto s =
        values<16>(bits<4>(detail::numbers<4, 4, 32>{offsetof(block, scales)}));
    static constexpr auto q = values<256>(bits<2>(detail::quads<2, 4>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, shift, s, q);
    }
};

struct iq3_k_r4 : interleaved<iq3_k, 4, type_id::iq3_k_r4> {
    struct block {
        le16 d[4];
        std::uint8_t extra[8];
        std::uint8_t scales_h[8];
        std::uint8_t scales_l[32];
        std::uint8_t qs[256];
        std::uint8_t qh[128];
    };
    static constexpr auto d = half_at<4>(offsetof(block, d));
    static constexpr auto shift =
        values<16>(bits<1>(detail::numbers<1, 4, 8>{offsetof(block, extra)}));
    static constexpr auto s =
        values<16>(bits<4>(detail::numbers<4, 4, 32>{offsetof(block, scales_l)}),
                   bits<1>(detail::numbers<1, 4, 8>{offsetof(block, scales_h)}));
    static constexpr auto q = values<256>(bits<2>(detail::quads<2, 4>{offsetof(block, qs)}),
                                          bits<1>(detail::quads<1, 4>{offsetof(block, qh)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, shift, s, q);
    }
};

struct iq4_k_r4 : interleaved<iq4_k, 4, type_id::iq4_k_r4> {
    struct block {
        le16 d[4];
        std::uint8_t extra[8];
        std::uint8_t scales_h[16];
        std::uint8_t scales_l[32];
        std::uint8_t qs[512];
    };
    static constexpr auto d = half_at<4>(offsetof(block, d));
    static constexpr auto shift =
        values<16>(bits<1>(detail::numbers<1, 4, 8>{offsetof(block, extra)}));
    static constexpr auto s =
        values<16>(bits<4>(detail::numbers<4, 4, 32>{offsetof(block, scales_l)}),
                   bits<2>(detail::numbers<2, 4, 16>{offsetof(block, scales_h)}));
    static constexpr auto q =
        values<256>(bits<4>(detail::quads<4, 4, detail::crossed>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, shift, s, q);
    }
};

struct iq5_k_r4 : interleaved<iq5_k, 4, type_id::iq5_k_r4> {
    struct block {
        le16 d[4];
        std::uint8_t extra[8];
        std::uint8_t scales_h[16];
        std::uint8_t scales_l[32];
        std::uint8_t qs[512];
        std::uint8_t qh[128];
    };
    static constexpr auto d = half_at<4>(offsetof(block, d));
    static constexpr auto shift =
        values<16>(bits<1>(detail::numbers<1, 4, 8>{offsetof(block, extra)}));
    static constexpr auto s =
        values<16>(bits<4>(detail::numbers<4, 4, 32>{offsetof(block, scales_l)}),
                   bits<2>(detail::numbers<2, 4, 16>{offsetof(block, scales_h)}));
    static constexpr auto q =
        values<256>(bits<4>(detail::quads<4, 4, detail::crossed>{offsetof(block, qs)}),
                    bits<1>(detail::quads<1, 4, detail::crossed>{offsetof(block, qh)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, shift, s, q);
    }
};

struct iq4_ks_r4 : interleaved<iq4_ks, 4, type_id::iq4_ks_r4> {
    struct block {
        std::uint8_t scales[32];
        std::uint8_t qs[512];
    };
    static constexpr auto shift =
        values<8>(bits<1>(detail::numbers<8, 4>{offsetof(block, scales)}));
    static constexpr auto s = values<8>(bits<7>(detail::numbers<8, 4>{offsetof(block, scales), 1}));
    static constexpr auto q =
        values<256>(bits<4>(detail::quads<4, 4, detail::crossed>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(shift, s, q);
    }
};

struct iq5_ks_r4 : interleaved<iq5_ks, 4, type_id::iq5_ks_r4> {
    struct block {
        std::uint8_t scales[32];
        std::uint8_t qs[512];
        std::uint8_t qh[128];
    };
    static constexpr auto shift =
        values<8>(bits<1>(detail::numbers<8, 4>{offsetof(block, scales)}));
    static constexpr auto s = values<8>(bits<7>(detail::numbers<8, 4>{offsetof(block, scales), 1}));
    static constexpr auto q =
        values<256>(bits<4>(detail::quads<4, 4, detail::crossed>{offsetof(block, qs)}),
                    bits<1>(detail::quads<1, 4, detail::crossed>{offsetof(block, qh)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(shift, s, q);
    }
};

// ---- lattice codebooks
// ------------------------------------------------------------------------
//
// `plane<8, 1, 4, n>` holds n bytes of row 0, n of row 1, ...; `records<p, stride, step, row>`
// what is packed into one unit per row and sub-block.

struct iq2_xxs_r4 : interleaved<iq2_xxs, 4, type_id::iq2_xxs_r4> {
    struct block {
        le16 d[4];
        // One byte per row and octet: a bit of the group's scale, 7 bits that stand for the
        // signs.
        std::uint8_t signs[128];
        std::uint8_t qs[128];
    };
    static constexpr auto d = half_at<4>(offsetof(block, d));
    static constexpr auto s = values<8>(bits<1>(records<1, 16, 0, 4>{offsetof(block, signs)}),
                                        bits<1>(records<1, 16, 0, 4>{offsetof(block, signs) + 1}),
                                        bits<1>(records<1, 16, 0, 4>{offsetof(block, signs) + 2}),
                                        bits<1>(records<1, 16, 0, 4>{offsetof(block, signs) + 3}));
    static constexpr auto index = values<32>(bits<8>(plane<8, 1, 4, 4>{offsetof(block, qs)}));
    static constexpr auto signs7 =
        detail::recode(values<32>(bits<7>(plane<8, 1, 4, 4>{offsetof(block, signs), 1})));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, s, index, signs7);
    }
};

struct iq2_xs_r4 : interleaved<iq2_xs, 4, type_id::iq2_xs_r4> {
    struct block {
        le16 d[4];
        le16 qs[128];
        std::uint8_t scales[32];
    };
    static constexpr auto d = half_at<4>(offsetof(block, d));
    static constexpr auto s = values<16>(bits<4>(records<2, 4, 4, 1>{offsetof(block, scales)}));
    static constexpr auto index = values<32>(bits<9>(plane<16, 1, 4, 4>{offsetof(block, qs)}));
    static constexpr auto signs7 =
        detail::recode(values<32>(bits<7>(plane<16, 1, 4, 4>{offsetof(block, qs), 9})));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, s, index, signs7);
    }
};

struct iq2_s_r4 : interleaved<iq2_s, 4, type_id::iq2_s_r4> {
    struct block {
        le16 d[4];
        std::uint8_t qs[128];
        std::uint8_t qh[32];
        std::uint8_t signs[128];
        std::uint8_t scales[32];
    };
    static constexpr auto d = half_at<4>(offsetof(block, d));
    static constexpr auto s = values<16>(bits<4>(records<2, 4, 4, 1>{offsetof(block, scales)}));
    static constexpr auto index = values<32>(bits<8>(plane<8, 1, 4, 4>{offsetof(block, qs)}),
                                             bits<2>(records<4, 4, 2, 1>{offsetof(block, qh)}));
    static constexpr auto signs =
        values<256>(bits<1>(records<32, 16, 1, 4>{offsetof(block, signs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, s, index, signs);
    }
};

struct iq3_xxs_r4 : interleaved<iq3_xxs, 4, type_id::iq3_xxs_r4> {
    struct block {
        le16 d[4];
        std::uint8_t signs[128];  // as in iq2_xxs_r4
        std::uint8_t qs[256];
    };
    static constexpr auto d = half_at<4>(offsetof(block, d));
    static constexpr auto s = values<8>(bits<1>(records<1, 16, 0, 4>{offsetof(block, signs)}),
                                        bits<1>(records<1, 16, 0, 4>{offsetof(block, signs) + 1}),
                                        bits<1>(records<1, 16, 0, 4>{offsetof(block, signs) + 2}),
                                        bits<1>(records<1, 16, 0, 4>{offsetof(block, signs) + 3}));
    static constexpr auto index = values<64>(bits<8>(plane<8, 1, 4, 8>{offsetof(block, qs)}));
    static constexpr auto signs7 =
        detail::recode(values<32>(bits<7>(plane<8, 1, 4, 4>{offsetof(block, signs), 1})));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, s, index, signs7);
    }
};

struct iq3_s_r4 : interleaved<iq3_s, 4, type_id::iq3_s_r4> {
    struct block {
        le16 d[4];
        std::uint8_t qs[256];
        std::uint8_t qh[32];
        std::uint8_t signs[128];
        std::uint8_t scales[16];
    };
    // Quads 0 and 4, 1 and 5, ... of all rows stand together.
    struct index_bytes {
        std::size_t byte;
        [[nodiscard]] constexpr std::size_t bit(int k, int n) const noexcept {
            const int place = n / 8 * 8 + n % 4 * 2 + n % 8 / 4;
            return 8 * (byte + static_cast<std::size_t>(4 * place + k));
        }
    };
    static constexpr auto d = half_at<4>(offsetof(block, d));
    static constexpr auto s =
        values<8>(bits<4>(detail::numbers<4, 4, 16>{offsetof(block, scales)}));
    static constexpr auto index = values<64>(bits<8>(index_bytes{offsetof(block, qs)}),
                                             bits<1>(records<8, 4, 1, 1>{offsetof(block, qh)}));
    static constexpr auto signs = values<256>(bits<1>(detail::quads<1, 4>{offsetof(block, signs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, s, index, signs);
    }
};

/// w = d (2 s + 1) / 8 * (8 G[index] +- 1), d one f16 per row, s in 0..7 and the sign of the
/// shift per block of 32. 1.5 bits per weight and a 2-byte row header: the smallest type.
/// Unlike iq1_s, which has a scale per 256 weights; neither converts into the other without
/// loss.
struct iq1_s_r4 : gguf_format<type_id::iq1_s_r4, 32>, detail::shifted_ternary_lattice<4> {
    static constexpr int rows = 4;
    static constexpr std::size_t header_bytes = 2;
    static constexpr bool needs_importance = true;
    static constexpr std::optional<type_id> fallback_ik = type_id::iq4_nl;
    struct block {
        std::uint8_t qs[16];
        le16 qh[4];
    };
    static constexpr auto s = values<1>(bits<3>(plane<16, 1, 4>{offsetof(block, qh), 12}));
    static constexpr auto shift = values<1>(bits<1>(plane<16, 1, 4>{offsetof(block, qh), 15}));
    static constexpr auto index = values<4>(bits<8>(detail::numbers<8, 4>{offsetof(block, qs)}),
                                            bits<3>(records<4, 8, 3, 2>{offsetof(block, qh)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(s, shift, index);
    }
    template <class B>
    [[nodiscard]] static constexpr float block_scale(B b) noexcept {
        return detail::half_row_scale::block_scale(b) * 0.125f;
    }
    template <class B>
    [[nodiscard]] static constexpr int group_scale(B b, int g) noexcept {
        return 2 * static_cast<int>(b.get(s, g)) + 1;
    }
};

/// w = d s / 8 * (8 G[index] +- 1), d one f16 per row, s in 0..15 per group of 16, a shift per
/// octet, blocks of 32. 1.75 bits per weight and a 2-byte row header. Clearly better than
/// iq1_s_r4; unlike iq1_m in its scales.
struct iq1_m_r4 : gguf_format<type_id::iq1_m_r4, 32, 16>,
                  detail::shifted_ternary_lattice<1>,
                  detail::biased_scales<0> {
    static constexpr int rows = 4;
    static constexpr std::size_t header_bytes = 2;
    static constexpr bool needs_importance = true;
    static constexpr std::optional<type_id> fallback_ik = type_id::iq4_nl;
    struct block {
        std::uint8_t qs[16];
        std::uint8_t qh[8];
        std::uint8_t scales[4];
    };
    static constexpr auto s = values<2>(bits<4>(records<2, 4, 4, 1>{offsetof(block, scales)}));
    static constexpr auto shift = values<4>(bits<1>(records<2, 4, 4, 1>{offsetof(block, qh), 3}));
    static constexpr auto index = values<4>(bits<8>(detail::numbers<8, 4>{offsetof(block, qs)}),
                                            bits<3>(records<2, 4, 4, 1>{offsetof(block, qh)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(s, shift, index);
    }
    template <class B>
    [[nodiscard]] static constexpr float block_scale(B b) noexcept {
        return detail::half_row_scale::block_scale(b) * 0.125f;
    }
};

BPW_NAMESPACE_END
