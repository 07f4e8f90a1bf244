// 8-bit weights with a float scale per 256 weights (q8_K) or per row (q8_KV).
#pragma once

#include <bpw/formats/legacy.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

struct float_block_scale {
    template <class B>
    [[nodiscard]] static constexpr float block_scale(B b) noexcept {
        return std::bit_cast<float>(b.get(B::type::d));
    }
};

// The scale of a row as a float at the start of its header.
struct float_row_scale {
    template <class B>
    [[nodiscard]] static constexpr float block_scale(B b) noexcept {
        return b.header_float();
    }
};

// The scale of a row as an f16 at the start of its header.
struct half_row_scale {
    template <class B>
    [[nodiscard]] static constexpr float block_scale(B b) noexcept {
        return half_to_float(read_bits(b.header, 0, 16));
    }
};

}  // namespace detail

/// w = d q. 9.125 bits per weight, 256 weights. A format for activations, as llama.cpp lays it
/// out.
///
///     0    d      f32, may be negative
///     4    qs     256 signed bytes
///     260  bsums  16 sums of 16 q each, i16: redundant, unset when the block is zero
struct q8_K : gguf_format<type_id::q8_K, 256>, detail::float_block_scale, detail::signed_bytes {
    struct block {
        le32 d;
        std::uint8_t qs[256];
        le16 bsums[16];
    };
    static constexpr auto d = values<1>(bits<32>(plane<32>{offsetof(block, d)}));
    static constexpr auto q = values<256>(bits<8>(plane<8>{offsetof(block, qs)}));
    static constexpr auto sums = values<16>(bits<16>(plane<16>{offsetof(block, bsums)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, q, sums);
    }
};

/// q8_K as ik_llama.cpp lays it out: 9.25 bits per weight, a float sum (redundant, may be
/// unset) behind the scale.
///
///     0    d      f32, may be negative
///     4    sum    f32
///     8    qs     256 signed bytes
///     264  bsums  16 sums of 16 q each, i16
struct q8_K_ik : gguf_format<type_id::q8_K_ik, 256>,
                 detail::float_block_scale,
                 detail::signed_bytes {
    struct block {
        le32 d;
        le32 sum;
        std::uint8_t qs[256];
        le16 bsums[16];
    };
    static constexpr auto d = values<1>(bits<32>(plane<32>{offsetof(block, d)}));
    static constexpr auto sum = values<1>(bits<32>(plane<32>{offsetof(block, sum)}));
    static constexpr auto q = values<256>(bits<8>(plane<8>{offsetof(block, qs)}));
    static constexpr auto sums = values<16>(bits<16>(plane<16>{offsetof(block, bsums)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(d, sum, q, sums);
    }
};

/// w = d q with one d per row. 8 bits per weight and an 8-byte row header: d (f32) and the sum
/// of the row's q (i32, redundant). Made for KV caches; loses accuracy on rows with outliers.
struct q8_KV : gguf_format<type_id::q8_KV, 32>, detail::float_row_scale, detail::signed_bytes {
    static constexpr std::size_t header_bytes = 8;
    struct block {
        std::uint8_t qs[32];
    };
    static constexpr auto q = values<32>(bits<8>(plane<8>{offsetof(block, qs)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(q);
    }

    /// Writes what the header holds beyond the scale; `sum` is that of the row's lanes.
    static constexpr void complete_header(std::uint8_t* header, std::int64_t sum) noexcept {
        write_bits(header, 32, 32, static_cast<std::uint32_t>(sum));
    }
};

BPW_NAMESPACE_END
