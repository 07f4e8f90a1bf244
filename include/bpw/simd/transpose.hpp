// Rows of 4-byte elements to columns, and their sums.
#pragma once

#include <bpw/simd/vector64.hpp>

#include <array>
#include <cstring>

BPW_NAMESPACE_BEGIN

namespace simd {

namespace detail {

// Four rows of four elements; element j of all rows goes to to[j].
template <class A>
BPW_INLINE void transpose4(const std::array<const std::uint8_t*, 4>& row,
                           const std::array<std::uint8_t*, 4>& to, xsimd::generic) noexcept {
    std::uint8_t column[4][16];
    for (std::size_t r = 0; r < 4; ++r) {
        for (std::size_t j = 0; j < 4; ++j) std::memcpy(column[j] + 4 * r, row[r] + 4 * j, 4);
    }
    for (std::size_t j = 0; j < 4; ++j) std::memcpy(to[j], column[j], 16);
}
#if XSIMD_WITH_SSE2
template <class A>
BPW_INLINE void transpose4(const std::array<const std::uint8_t*, 4>& row,
                           const std::array<std::uint8_t*, 4>& to, xsimd::sse2) noexcept {
    const auto load = [&](std::size_t r) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(row[r]));
    };
    const __m128i low01 = _mm_unpacklo_epi32(load(0), load(1));
    const __m128i low23 = _mm_unpacklo_epi32(load(2), load(3));
    const __m128i high01 = _mm_unpackhi_epi32(load(0), load(1));
    const __m128i high23 = _mm_unpackhi_epi32(load(2), load(3));
    const auto store = [&](std::size_t j, __m128i x) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to[j]), x);
    };
    store(0, _mm_unpacklo_epi64(low01, low23));
    store(1, _mm_unpackhi_epi64(low01, low23));
    store(2, _mm_unpacklo_epi64(high01, high23));
    store(3, _mm_unpackhi_epi64(high01, high23));
}
#endif
#if XSIMD_WITH_NEON64
template <class A>
BPW_INLINE void transpose4(const std::array<const std::uint8_t*, 4>& row,
                           const std::array<std::uint8_t*, 4>& to, xsimd::neon64) noexcept {
    const auto load = [&](std::size_t r) { return vreinterpretq_u32_u8(vld1q_u8(row[r])); };
    const auto even01 = vreinterpretq_u64_u32(vtrn1q_u32(load(0), load(1)));
    const auto even23 = vreinterpretq_u64_u32(vtrn1q_u32(load(2), load(3)));
    const auto odd01 = vreinterpretq_u64_u32(vtrn2q_u32(load(0), load(1)));
    const auto odd23 = vreinterpretq_u64_u32(vtrn2q_u32(load(2), load(3)));
    const auto store = [&](std::size_t j, uint64x2_t x) {
        vst1q_u8(to[j], vreinterpretq_u8_u64(x));
    };
    store(0, vtrn1q_u64(even01, even23));
    store(1, vtrn1q_u64(odd01, odd23));
    store(2, vtrn2q_u64(even01, even23));
    store(3, vtrn2q_u64(odd01, odd23));
}
#endif

template <class A>
BPW_INLINE void transpose16(const std::uint8_t* rows, std::size_t stride, std::uint8_t* out,
                            const std::uint32_t* to, xsimd::generic tag) noexcept {
    static_cast<void>(tag);
    for (std::size_t r = 0; r < 16; r += 4) {
        for (std::size_t c = 0; c < 16; c += 4) {
            std::array<const std::uint8_t*, 4> from;
            std::array<std::uint8_t*, 4> columns;
            for (std::size_t i = 0; i < 4; ++i) {
                from[i] = rows + (r + i) * stride + 4 * c;
                columns[i] = out + to[c + i] + 4 * r;
            }
            transpose4<A>(from, columns, A{});
        }
    }
}
#if XSIMD_WITH_AVX512F
template <class A>
BPW_INLINE void transpose16(const std::uint8_t* rows, std::size_t stride, std::uint8_t* out,
                            const std::uint32_t* to, xsimd::avx512f) noexcept {
    // Quarter c of rows 0, 4, 8, 12 first, so that unpacking finds its neighbours in its quarter.
    const auto quarter = [&](std::size_t r, std::size_t c) {
        const auto at = [&](std::size_t i) {
            return _mm_loadu_si128(
                reinterpret_cast<const __m128i*>(rows + (r + 4 * i) * stride + 16 * c));
        };
        __m512i x = _mm512_castsi128_si512(at(0));
        x = _mm512_maskz_inserti32x4(every_lane, x, at(1), 1);
        x = _mm512_maskz_inserti32x4(every_lane, x, at(2), 2);
        return _mm512_maskz_inserti32x4(every_lane, x, at(3), 3);
    };
    for (std::size_t c = 0; c < 4; ++c) {
        const __m512i row0 = quarter(0, c);
        const __m512i row1 = quarter(1, c);
        const __m512i row2 = quarter(2, c);
        const __m512i row3 = quarter(3, c);
        const __m512i low01 = _mm512_maskz_unpacklo_epi32(every_lane, row0, row1);
        const __m512i low23 = _mm512_maskz_unpacklo_epi32(every_lane, row2, row3);
        const __m512i high01 = _mm512_maskz_unpackhi_epi32(every_lane, row0, row1);
        const __m512i high23 = _mm512_maskz_unpackhi_epi32(every_lane, row2, row3);
        _mm512_storeu_si512(out + to[4 * c], _mm512_maskz_unpacklo_epi64(every_pair, low01, low23));
        _mm512_storeu_si512(out + to[4 * c + 1],
                            _mm512_maskz_unpackhi_epi64(every_pair, low01, low23));
        _mm512_storeu_si512(out + to[4 * c + 2],
                            _mm512_maskz_unpacklo_epi64(every_pair, high01, high23));
        _mm512_storeu_si512(out + to[4 * c + 3],
                            _mm512_maskz_unpackhi_epi64(every_pair, high01, high23));
    }
}
#endif

// What folds put between two integers.
struct plus {
    [[nodiscard]] static std::int32_t of(std::int32_t a, std::int32_t b) noexcept { return a + b; }
    template <class A>
    [[nodiscard]] BPW_INLINE static i32_batch<A> of(const i32_batch<A>& a,
                                                    const i32_batch<A>& b) noexcept {
        return a + b;
    }
};
struct maximum {
    [[nodiscard]] static std::int32_t of(std::int32_t a, std::int32_t b) noexcept {
        return std::max(a, b);
    }
    template <class A>
    [[nodiscard]] BPW_INLINE static i32_batch<A> of(const i32_batch<A>& a,
                                                    const i32_batch<A>& b) noexcept {
        return larger<A>(a, b, A{});
    }
};

template <class Op, class A>
[[nodiscard]] BPW_INLINE int16x<A> fold_quads(const std::array<int16x<A>, 4>& x,
                                              xsimd::generic) noexcept {
    std::int32_t out[16];
    for (std::size_t i = 0; i < 4; ++i) {
        std::int32_t lane[16];
        x[i].store(lane);
        for (std::size_t k = 0; k < 4; ++k) {
            const auto* const four = lane + 4 * k;
            out[4 * i + k] = Op::of(Op::of(four[0], four[1]), Op::of(four[2], four[3]));
        }
    }
    return int16x<A>::load(out);
}
#if XSIMD_WITH_SSE2
template <class Op, class A>
[[nodiscard]] BPW_INLINE int16x<A> fold_quads(const std::array<int16x<A>, 4>& x,
                                              xsimd::sse2) noexcept {
    using vector = i32_batch<A>;
    const auto pairs = [](__m128i a, __m128i b) -> __m128i {
        return Op::template of<A>(vector(_mm_unpacklo_epi32(a, b)),
                                  vector(_mm_unpackhi_epi32(a, b)));
    };
    return int16x<A>::make([&](std::size_t i) -> vector {
        const auto& v = x[i].v;
        const __m128i first = pairs(v[0], v[1]);
        const __m128i second = pairs(v[2], v[3]);
        return Op::template of<A>(vector(_mm_unpacklo_epi64(first, second)),
                                  vector(_mm_unpackhi_epi64(first, second)));
    });
}
#endif
#if XSIMD_WITH_AVX2
template <class Op, class A>
[[nodiscard]] BPW_INLINE int16x<A> fold_quads(const std::array<int16x<A>, 4>& x,
                                              xsimd::avx2) noexcept {
    using vector = i32_batch<A>;
    const auto pairs = [](__m256i a, __m256i b) -> __m256i {
        return Op::template of<A>(vector(_mm256_unpacklo_epi32(a, b)),
                                  vector(_mm256_unpackhi_epi32(a, b)));
    };
    return int16x<A>::make([&](std::size_t i) -> vector {
        const auto& a = x[2 * i].v;
        const auto& b = x[2 * i + 1].v;
        const __m256i first = pairs(a[0], a[1]);
        const __m256i second = pairs(b[0], b[1]);
        // Those of the lower halves, then of the upper ones.
        const __m256i quads = Op::template of<A>(vector(_mm256_unpacklo_epi64(first, second)),
                                                 vector(_mm256_unpackhi_epi64(first, second)));
        return _mm256_permutevar8x32_epi32(quads, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    });
}
#endif
#if XSIMD_WITH_AVX512F
template <class Op, class A>
[[nodiscard]] BPW_INLINE int16x<A> fold_quads(const std::array<int16x<A>, 4>& x,
                                              xsimd::avx512f) noexcept {
    using vector = i32_batch<A>;
    const auto pairs = [](const __m512i& a, const __m512i& b) -> __m512i {
        return Op::template of<A>(vector(_mm512_maskz_unpacklo_epi32(every_lane, a, b)),
                                  vector(_mm512_maskz_unpackhi_epi32(every_lane, a, b)));
    };
    const __m512i first = pairs(x[0].v[0], x[1].v[0]);
    const __m512i second = pairs(x[2].v[0], x[3].v[0]);
    const __m512i quads =
        Op::template of<A>(vector(_mm512_maskz_unpacklo_epi64(every_pair, first, second)),
                           vector(_mm512_maskz_unpackhi_epi64(every_pair, first, second)));
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return {{vector(_mm512_maskz_permutexvar_epi32(every_lane, order, quads))}};
}
#endif
#if XSIMD_WITH_NEON64
[[nodiscard]] BPW_INLINE int32x4_t fold_neighbours(plus, int32x4_t a, int32x4_t b) noexcept {
    return vpaddq_s32(a, b);
}
[[nodiscard]] BPW_INLINE int32x4_t fold_neighbours(maximum, int32x4_t a, int32x4_t b) noexcept {
    return vpmaxq_s32(a, b);
}
template <class Op, class A>
[[nodiscard]] BPW_INLINE int16x<A> fold_quads(const std::array<int16x<A>, 4>& x,
                                              xsimd::neon64) noexcept {
    return int16x<A>::make([&](std::size_t i) -> i32_batch<A> {
        const auto& v = x[i].v;
        return fold_neighbours(Op{}, fold_neighbours(Op{}, v[0], v[1]),
                               fold_neighbours(Op{}, v[2], v[3]));
    });
}
#endif

// Lanes l and l + 8 of a, then of b.
template <class Op, class A>
[[nodiscard]] BPW_INLINE int16x<A> fold_halves(const int16x<A>& a, const int16x<A>& b,
                                               xsimd::generic) noexcept {
    constexpr std::size_t half = 8 / int16x<A>::per_vector;
    static_assert(half != 0);
    return int16x<A>::make([&](std::size_t i) {
        const auto& from = i < half ? a.v : b.v;
        return Op::template of<A>(from[i % half], from[i % half + half]);
    });
}
#if XSIMD_WITH_AVX512F
template <class Op, class A>
[[nodiscard]] BPW_INLINE int16x<A> fold_halves(const int16x<A>& a, const int16x<A>& b,
                                               xsimd::avx512f) noexcept {
    using vector = i32_batch<A>;
    const __m512i x = a.v[0];
    const __m512i y = b.v[0];
    return {{Op::template of<A>(vector(_mm512_maskz_shuffle_i32x4(every_lane, x, y, 0x44)),
                                vector(_mm512_maskz_shuffle_i32x4(every_lane, x, y, 0xee)))}};
}
#endif

template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> sums_of_bytes(const std::array<int16x<A>, 4>& x,
                                                  xsimd::generic) noexcept {
    // The sums come in at the lowest byte and are pushed up by those that follow.
    static constexpr auto ones = [] {
        std::array<std::int8_t, 64> out{};
        for (auto& one : out) one = 1;
        return out;
    }();
    auto sums = int16x<A>::zero();
    const auto add = [&](const int16x<A>& number)
                         BPW_INLINE_LAMBDA { add_dot4<63>(sums, number.as_bytes(), ones.data()); };
    const auto push = [&](const int16x<A>& number) BPW_INLINE_LAMBDA {
        sums = sums.template shifted_left<8>();
        add(number);
    };
    add(x[3]);
    push(x[2]);
    push(x[1]);
    push(x[0]);
    return sums.as_bytes();
}
// Where neighbours are added as bytes, first in pairs, the sums of a register of each x[k] are four
// bytes one after the other.
alignas(32) inline constexpr std::array<std::uint8_t, 32> byte_of_sums{
    0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15,
    0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
#if XSIMD_WITH_SSSE3
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> sums_of_bytes(const std::array<int16x<A>, 4>& x,
                                                  xsimd::ssse3) noexcept {
    const __m128i ones = _mm_set1_epi8(1);
    return bytes64<A>::make([&](std::size_t i) -> u8_batch<A> {
        const auto pairs = [&](std::size_t k) { return _mm_maddubs_epi16(x[k].v[i], ones); };
        const auto of_two = [&](std::size_t k) {
            return _mm_maddubs_epi16(_mm_packus_epi16(pairs(k), pairs(k + 1)), ones);
        };
        return _mm_shuffle_epi8(
            _mm_packus_epi16(of_two(0), of_two(2)),
            _mm_load_si128(reinterpret_cast<const __m128i*>(byte_of_sums.data())));
    });
}
#endif
#if XSIMD_WITH_AVX2
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> sums_of_bytes(const std::array<int16x<A>, 4>& x,
                                                  xsimd::avx2) noexcept {
    const __m256i ones = _mm256_set1_epi8(1);
    return bytes64<A>::make([&](std::size_t i) -> u8_batch<A> {
        const auto pairs = [&](std::size_t k) { return _mm256_maddubs_epi16(x[k].v[i], ones); };
        const auto of_two = [&](std::size_t k) {
            return _mm256_maddubs_epi16(_mm256_packus_epi16(pairs(k), pairs(k + 1)), ones);
        };
        return _mm256_shuffle_epi8(
            _mm256_packus_epi16(of_two(0), of_two(2)),
            _mm256_load_si256(reinterpret_cast<const __m256i*>(byte_of_sums.data())));
    });
}
#endif
#if XSIMD_WITH_AVX512BW
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> sums_of_bytes(const std::array<int16x<A>, 4>& x,
                                                  xsimd::avx512bw) noexcept {
    return sums_of_bytes<A>(x, xsimd::generic{});
}
#endif
#if XSIMD_WITH_NEON64
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> sums_of_bytes(const std::array<int16x<A>, 4>& x,
                                                  xsimd::neon64) noexcept {
    const uint8x16_t from = vld1q_u8(byte_of_sums.data());
    return bytes64<A>::make([&](std::size_t i) -> u8_batch<A> {
        const auto of_two = [&](std::size_t k) {
            return vpaddq_u8(vreinterpretq_u8_s32(x[k].v[i]), vreinterpretq_u8_s32(x[k + 1].v[i]));
        };
        return vqtbl1q_u8(vpaddq_u8(of_two(0), of_two(2)), from);
    });
}
#endif

}  // namespace detail

/// Byte k of integer i is the sum of the four bytes, none above 63, of integer i of x[k].
template <class A>
[[nodiscard]] BPW_INLINE bytes64<A> sums_of_bytes(const std::array<int16x<A>, 4>& x) noexcept {
    return detail::sums_of_bytes<A>(x, A{});
}

/// The sums of every four lanes: lane 4 i + k is that of lanes 4 k ... 4 k + 3 of x[i].
template <class A>
[[nodiscard]] BPW_INLINE int16x<A> sum_quads(const std::array<int16x<A>, 4>& x) noexcept {
    return detail::fold_quads<detail::plus>(x, A{});
}

/// Sixteen rows of sixteen 4-byte elements, `stride` bytes from one to the next. Element c of all
/// rows, 64 bytes, is stored at out + to[c].
template <class A>
BPW_INLINE void transpose16(const std::uint8_t* rows, std::size_t stride, std::uint8_t* out,
                            const std::array<std::uint32_t, 16>& to) noexcept {
    detail::transpose16<A>(rows, stride, out, to.data(), A{});
}

}  // namespace simd

BPW_NAMESPACE_END
