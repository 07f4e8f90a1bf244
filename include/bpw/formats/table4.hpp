// 4-bit codes that are looked up in a table: iq4_nl, iq4_xs, mxfp4, nvfp4.
#pragma once

#include <bpw/formats/legacy.hpp>
#include <bpw/formats/tables.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

// Weights that are codes looked up in a table.
template <const auto& Table>
struct table_codes {
    static constexpr lane_range lanes = range_of(Table);
    template <class B>
    [[nodiscard]] static constexpr int lane(B b, int i) noexcept {
        return Table[b.get(B::type::q, i)];
    }
};

// Group scales stored with a bias.
template <int Bias>
struct biased_scales {
    template <class B>
    [[nodiscard]] static constexpr int group_scale(B b, int g) noexcept {
        return static_cast<int>(b.get(B::type::s, g)) - Bias;
    }
};

// Group scales that are signed bytes.
struct signed_byte_scales {
    template <class B>
    [[nodiscard]] static constexpr int group_scale(B b, int g) noexcept {
        return as_signed<8>(b.get(B::type::s, g));
    }
};

}  // namespace detail

/// w = d T[u], T the 16 non-uniform levels. 4.5 bits per weight. Better than q4_0 for
/// bell-shaped blocks. No level is 0.
///
///     0   d   f16, any sign
///     2   qs  16 bytes, u in nibbles: low nibbles are weights 0..15
struct iq4_nl : gguf_format<type_id::iq4_nl, 32>,
                detail::half_block_scale,
                detail::table_codes<tables::nonlinear4> {
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
};

/// w = d s T[u], T as iq4_nl, s in -32..31 per group of 32. 4.25 bits per weight, about the
/// quality of iq4_nl. Wants an importance matrix.
///
///     0   d         f16, any sign
///     2   scales_h  bits 5..4 of s + 32, two bits a group
///     4   scales_l  bits 3..0 of s + 32, nibbles
///     8   qs        128 bytes, u in nibbles: 16 bytes a group, low nibbles are its first half
struct iq4_xs : gguf_format<type_id::iq4_xs, 256, 32>,
                detail::half_block_scale,
                detail::biased_scales<32>,
                detail::table_codes<tables::nonlinear4> {
    static constexpr std::optional<type_id> fallback_ik = type_id::iq4_nl;
    static constexpr std::optional<type_id> fallback_mainline = type_id::iq4_nl;
    struct block {
        le16 d;
        std::uint8_t scales_h[2];
        std::uint8_t scales_l[4];
        std::uint8_t qs[128];
    };
    static constexpr auto d = half_at(offsetof(block, d));
    static constexpr auto s = values<8>(bits<4>(plane<4>{offsetof(block, scales_l)}),
                                        bits<2>(plane<2>{offsetof(block, scales_h)}));
    static constexpr auto q = values<256>(bits<4>(plane<4, 16>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, s, q);
    }
};

/// w = 2^(e-128) F[u], F twice the E2M1 values. 4.25 bits per weight. Lossless for models that
/// were trained in MXFP4, poor for others.
///
///     0   e   E8M0 exponent
///     1   qs  16 bytes, u in nibbles: low nibbles are weights 0..15
struct mxfp4 : gguf_format<type_id::mxfp4, 32>, detail::table_codes<tables::fp4> {
    struct block {
        std::uint8_t e;
        std::uint8_t qs[16];
    };
    static constexpr auto e = values<1>(bits<8>(plane<8>{offsetof(block, e)}));
    static constexpr auto q = values<32>(bits<4>(plane<4, 16>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(e, q);
    }
    template <class B>
    [[nodiscard]] static constexpr float block_scale(B b) noexcept {
        return e8m0_half_to_float(b.get(B::type::e));
    }
};

/// w = e F[u], F as mxfp4, e half an unsigned E4M3 number per group of 16. 4.5 bits per weight.
/// For checkpoints in NVFP4; their second scale, one float per tensor or expert, is a tensor of
/// its own (`<name>.scale`).
///
///     0   d   4 scales, UE4M3
///     4   qs  32 bytes, u in nibbles: 8 bytes a group, low nibbles are its first half
struct nvfp4 : gguf_format<type_id::nvfp4, 64, 16>, detail::table_codes<tables::fp4> {
    struct block {
        std::uint8_t d[4];
        std::uint8_t qs[32];
    };
    static constexpr auto s = values<4>(bits<8>(plane<8>{offsetof(block, d)}));
    static constexpr auto q = values<64>(bits<4>(plane<4, 8>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(s, q);
    }
    // Every scale is a multiple of 2^-10.
    template <class B>
    [[nodiscard]] static constexpr float block_scale(B) noexcept {
        return 0x1p-10f;
    }
    template <class B>
    [[nodiscard]] static constexpr int group_scale(B b, int g) noexcept {
        return static_cast<int>(ue4m3_half_to_float(b.get(B::type::s, g)) * 0x1p10f);
    }
};

BPW_NAMESPACE_END
