// Types whose weights are drawn from a generator: iq1_kt, iq2_kt, iq3_kt, iq4_kt.
//
// Every run of 8 weights (iq4_kt: 4) stores the start of a multiplicative generator; weight k of
// the run is the sum of the low six bits of the four bytes of the k-th number that it yields, less
// 126: nearly Gaussian, in -122..123. Nothing carries over from run to run.
//
// 256 weights a block, groups of 32, one f32 scale per row (4-byte row header). The engine these
// come from multiplies its matrix products by 1.05 for iq2_kt and by 1.01 for iq3_kt; the weights
// here are those that its row decoder gives.
#pragma once

#include <bpw/formats/lattice.hpp>

BPW_NAMESPACE_BEGIN

namespace trellis {

/// The powers 1 to 8 of the generator's multiplier 0xcbac1fed, modulo 2^32.
inline constexpr auto multipliers = [] {
    std::array<std::uint32_t, 8> powers{};
    std::uint32_t power = 1;
    for (auto& p : powers) p = power *= 0xcbac1fedu;
    return powers;
}();

/// Weight k (0..7) of the run that starts from `index` (0..65535).
[[nodiscard]] constexpr int value(std::uint32_t index, int k) noexcept {
    const std::uint32_t x = (index + 4096u) * multipliers[static_cast<std::size_t>(k)];
    const std::uint32_t b = x & 0x3f3f3f3fu;
    return static_cast<int>((b & 255u) + (b >> 8 & 255u) + (b >> 16 & 255u) + (b >> 24)) - 126;
}

inline constexpr lane_range range{-122, 123};

}  // namespace trellis

namespace detail {

template <type_id Id>
struct trellis_format : gguf_format<Id, 256, 32>, float_row_scale {
    static constexpr std::optional<type_id> fallback_ik = type_id::iq4_nl;
    static constexpr std::size_t header_bytes = 4;
    static constexpr lane_range lanes = trellis::range;
    template <class B>
    [[nodiscard]] static constexpr int lane(B b, int i) noexcept {
        return trellis::value(b.get(B::type::index, i / 8), i % 8);
    }
};

// Scales from the table of 16 levels; it has no zero.
struct nonlinear_scales {
    template <class B>
    [[nodiscard]] static constexpr int group_scale(B b, int g) noexcept {
        return tables::nonlinear4[b.get(B::type::s, g)];
    }
};

}  // namespace detail

/// w = d T[s] v, 13-bit starts. 1.75 bits per weight; the best quality at that size.
///
///     0   groups  8 bytes: s in the low nibble, bit 12 of the four starts in the high one
///     8   ql      32 bytes, bits 7..0 of the starts
///     40  qh      bits 11..8: low nibbles octets 0..15
struct iq1_kt : detail::trellis_format<type_id::iq1_kt>, detail::nonlinear_scales {
    static constexpr bool needs_importance = true;
    struct block {
        std::uint8_t groups[8];
        std::uint8_t ql[32];
        std::uint8_t qh[16];
    };
    static constexpr auto s = values<8>(bits<4>(plane<8>{offsetof(block, groups)}));
    static constexpr auto index = values<32>(bits<8>(plane<8>{offsetof(block, ql)}),
                                             bits<4>(plane<4, 16>{offsetof(block, qh)}),
                                             bits<1>(records<4, 1, 1>{offsetof(block, groups), 4}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(s, index);
    }
};

/// w = d T[s] v, 16-bit starts. 2.125 bits per weight, slightly better than iq2_xs.
///
///     0   scales  s in nibbles, low nibbles groups 0..3
///     4   qs      32 16-bit starts
struct iq2_kt : detail::trellis_format<type_id::iq2_kt>, detail::nonlinear_scales {
    static constexpr bool needs_importance = true;
    struct block {
        std::uint8_t scales[4];
        le16 qs[32];
    };
    static constexpr auto s = values<8>(bits<4>(plane<4, 4>{offsetof(block, scales)}));
    static constexpr auto index = values<32>(bits<16>(plane<16>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(s, index);
    }
};

/// w = d s +-|v|, 16-bit starts, s in 0..15. 3.125 bits per weight, between iq3_xxs and iq3_s.
///
///     0   scales  s in nibbles, low nibbles groups 0..3
///     4   qs      32 16-bit starts
///     68  signs   32 bytes, one bit a group
struct iq3_kt : detail::trellis_format<type_id::iq3_kt>, detail::biased_scales<0> {
    struct block {
        std::uint8_t scales[4];
        le16 qs[32];
        std::uint8_t signs[32];
    };
    static constexpr auto s = values<8>(bits<4>(plane<4, 4>{offsetof(block, scales)}));
    static constexpr auto index = values<32>(bits<16>(plane<16>{offsetof(block, qs)}));
    static constexpr auto signs = values<256>(bits<1>(plane<1, 32>{offsetof(block, signs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(s, index, signs);
    }
    static constexpr lane_range lanes{-123, 123};

    template <class B>
    [[nodiscard]] static constexpr int magnitude(B b, int i) noexcept {
        const int v = trellis::value(b.get(B::type::index, i / 8), i % 8);
        return v < 0 ? -v : v;
    }
    template <class B>
    [[nodiscard]] static constexpr int lane(B b, int i) noexcept {
        return detail::is_negative(b, i) ? -magnitude(b, i) : magnitude(b, i);
    }
    // A zero can be negative here, which an integer lane cannot express.
    template <class B>
    [[nodiscard]] static constexpr float value(B b, int i) noexcept {
        const auto v = static_cast<float>(magnitude(b, i));
        return detail::is_negative(b, i) ? -v : v;
    }
};

/// w = d s v, 15-bit starts per quad, s in -64..63. 4 bits per weight, the lowest error there.
///
///     0   groups  8 words of 32 bits: bit 15 of the group's starts, s + 64, eight times
///     bits 14..12 32  ql      64 bytes, bits 7..0 of the starts 96  qh      bits 11..8: low
///     nibbles quads 0..31
struct iq4_kt : detail::trellis_format<type_id::iq4_kt>, detail::biased_scales<64> {
    struct block {
        le32 groups[8];
        std::uint8_t ql[64];
        std::uint8_t qh[32];
    };
    static constexpr auto s = values<8>(bits<7>(plane<32>{offsetof(block, groups), 1}));
    static constexpr auto half = values<8>(bits<1>(plane<32>{offsetof(block, groups)}));
    static constexpr auto index = values<64>(bits<8>(plane<8>{offsetof(block, ql)}),
                                             bits<4>(plane<4, 32>{offsetof(block, qh)}),
                                             bits<3>(records<8, 4, 3>{offsetof(block, groups), 8}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(s, half, index);
    }
    template <class B>
    [[nodiscard]] static constexpr int lane(B b, int i) noexcept {
        return trellis::value(b.get(index, i / 4) | b.get(half, i / 32) << 15, i % 4);
    }
};

BPW_NAMESPACE_END
