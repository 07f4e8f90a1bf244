// Sixteen running float sums, whatever the width of the arch's vectors.
#pragma once

#include <bpw/simd/fma.hpp>

#include <array>
#include <cstddef>
#include <cstring>
#include <utility>

BPW_NAMESPACE_BEGIN

namespace simd {

/// The registers that hold one long vector. Copied one by one: what is copied as a block goes
/// through memory.
template <class V, std::size_t N>
struct registers {
    V all[N];

    registers() = default;
    template <class... Vs>
        requires(sizeof...(Vs) == N && (std::is_convertible_v<Vs, V> && ...))
    BPW_INLINE registers(const Vs&... each)
    noexcept : all{each...} {}
    BPW_INLINE registers(const registers& from) noexcept
        : registers(from, std::make_index_sequence<N>{}) {}
    BPW_INLINE registers& operator=(const registers& from) noexcept {
        for (std::size_t i = 0; i < N; ++i) all[i] = from.all[i];
        return *this;
    }

    [[nodiscard]] static constexpr std::size_t size() noexcept { return N; }
    [[nodiscard]] BPW_INLINE V& operator[](std::size_t i) noexcept { return all[i]; }
    [[nodiscard]] BPW_INLINE const V& operator[](std::size_t i) const noexcept { return all[i]; }

  private:
    template <std::size_t... I>
    BPW_INLINE registers(const registers& from, std::index_sequence<I...>) noexcept
        : all{from.all[I]...} {}
};

/// One register needs no care.
template <class V>
struct registers<V, 1> {
    V all[1];

    [[nodiscard]] static constexpr std::size_t size() noexcept { return 1; }
    [[nodiscard]] BPW_INLINE V& operator[](std::size_t i) noexcept { return all[i]; }
    [[nodiscard]] BPW_INLINE const V& operator[](std::size_t i) const noexcept { return all[i]; }
};

namespace detail {

// The same vector, of which compilers do not know what is in it.
template <class V>
[[nodiscard]] BPW_INLINE V opaque(V x) noexcept {
#if defined(__GNUC__) && defined(__SSE2__)
#ifdef __AVX512F__
    asm("" : "+v"(x));
#else
    asm("" : "+x"(x));
#endif
#endif
    return x;
}

template <class A>
[[nodiscard]] BPW_INLINE xsimd::batch<float, A> to_float(const xsimd::batch<std::int32_t, A>& x,
                                                         xsimd::generic) noexcept {
    return xsimd::to_float(x);
}
template <class A>
[[nodiscard]] BPW_INLINE xsimd::batch<std::int32_t, A> round_to_int(const xsimd::batch<float, A>& x,
                                                                    xsimd::generic) noexcept {
    return xsimd::nearbyint_as_int(x);
}
template <class A>
[[nodiscard]] BPW_INLINE xsimd::batch<std::int32_t, A> larger(
    const xsimd::batch<std::int32_t, A>& a, const xsimd::batch<std::int32_t, A>& b,
    xsimd::generic) noexcept {
    return xsimd::max(a, b);
}
template <class A>
[[nodiscard]] BPW_INLINE std::int32_t greatest(const xsimd::batch<std::int32_t, A>& x,
                                               xsimd::generic) noexcept {
    return xsimd::reduce_max(x);
}
#if XSIMD_WITH_AVX512F
// The forms with a mask, because GCC 12 warns of the others that they leave lanes undefined.
inline constexpr __mmask16 every_lane = 0xffff;
inline constexpr __mmask8 every_pair = 0xff;

template <class A>
[[nodiscard]] BPW_INLINE xsimd::batch<float, A> to_float(const xsimd::batch<std::int32_t, A>& x,
                                                         xsimd::avx512f) noexcept {
    return _mm512_maskz_cvtepi32_ps(every_lane, x);
}
template <class A>
[[nodiscard]] BPW_INLINE xsimd::batch<std::int32_t, A> round_to_int(const xsimd::batch<float, A>& x,
                                                                    xsimd::avx512f) noexcept {
    return _mm512_maskz_cvtps_epi32(every_lane, x);
}
template <class A>
[[nodiscard]] BPW_INLINE xsimd::batch<std::int32_t, A> larger(
    const xsimd::batch<std::int32_t, A>& a, const xsimd::batch<std::int32_t, A>& b,
    xsimd::avx512f) noexcept {
    return _mm512_maskz_max_epi32(every_lane, a, b);
}
template <class A>
[[nodiscard]] BPW_INLINE std::int32_t greatest(const xsimd::batch<std::int32_t, A>& x,
                                               xsimd::avx512f) noexcept {
    const __m256i half = _mm256_max_epi32(_mm512_maskz_extracti64x4_epi64(every_pair, x, 0),
                                          _mm512_maskz_extracti64x4_epi64(every_pair, x, 1));
    __m128i most = _mm_max_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    most = _mm_max_epi32(most, _mm_shuffle_epi32(most, 0x4e));
    return _mm_cvtsi128_si32(_mm_max_epi32(most, _mm_shuffle_epi32(most, 0xb1)));
}
#endif

// The sum of sixteen lanes: l and l + 8 first, then l + 4, l + 2, l + 1.
template <class A, std::size_t N, std::size_t... I>
[[nodiscard]] BPW_INLINE float sum16(const registers<xsimd::batch<float, A>, N>& v,
                                     std::index_sequence<I...>, xsimd::generic tag) noexcept {
    if constexpr (N > 1) {
        return sum16<A, N / 2>({(v[I] + v[I + N / 2])...}, std::make_index_sequence<N / 4>{}, tag);
    } else {
        constexpr auto size = xsimd::batch<float, A>::size;
        float lane[size];
        v[0].store_unaligned(lane);
        for (std::size_t half = size / 2; half != 0; half /= 2) {
            for (std::size_t l = 0; l < half; ++l) lane[l] += lane[l + half];
        }
        return lane[0];
    }
}
#if XSIMD_WITH_SSE2
[[nodiscard]] BPW_INLINE float sum4(__m128 x) noexcept {
    x = _mm_add_ps(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(_mm_add_ss(x, _mm_shuffle_ps(x, x, 1)));
}
template <class A>
[[nodiscard]] BPW_INLINE float sum16(const registers<xsimd::batch<float, A>, 4>& v,
                                     std::index_sequence<0, 1>, xsimd::sse2) noexcept {
    return sum4((v[0] + v[2]) + (v[1] + v[3]));
}
#endif
#if XSIMD_WITH_AVX
[[nodiscard]] BPW_INLINE float sum8(__m256 x) noexcept {
    return sum4(_mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1)));
}
template <class A>
[[nodiscard]] BPW_INLINE float sum16(const registers<xsimd::batch<float, A>, 2>& v,
                                     std::index_sequence<0>, xsimd::avx) noexcept {
    return sum8(v[0] + v[1]);
}
#endif
#if XSIMD_WITH_AVX512F
template <class A>
[[nodiscard]] BPW_INLINE float sum16(const registers<xsimd::batch<float, A>, 1>& v,
                                     std::index_sequence<>, xsimd::avx512f) noexcept {
    const __m512i bits = _mm512_castps_si512(v[0]);
    const auto half = [&](__m256i x) { return _mm256_castsi256_ps(x); };
    return sum8(_mm256_add_ps(half(_mm512_maskz_extracti64x4_epi64(every_pair, bits, 0)),
                              half(_mm512_maskz_extracti64x4_epi64(every_pair, bits, 1))));
}
#endif

}  // namespace detail

template <class A>
[[nodiscard]] BPW_INLINE xsimd::batch<float, A> to_float(
    const xsimd::batch<std::int32_t, A>& x) noexcept {
    return detail::to_float<A>(x, A{});
}

/// The nearest integers, ties to even.
template <class A>
[[nodiscard]] BPW_INLINE xsimd::batch<std::int32_t, A> round_to_int(
    const xsimd::batch<float, A>& x) noexcept {
    return detail::round_to_int<A>(x, A{});
}

/// Sixteen floats in as many vectors as the arch needs.
template <class A>
struct float16 {
    using vector = xsimd::batch<float, A>;
    static constexpr std::size_t size = 16;
    static constexpr std::size_t per_vector = vector::size;
    static_assert(size % per_vector == 0, "bpw: vectors of more than 16 floats are not supported");

    registers<vector, size / per_vector> v;

    /// The vectors f(0), f(1), ... Written out rather than a loop, which a compiler may unroll too
    /// late to keep the vectors in registers.
    template <class F>
    [[nodiscard]] BPW_INLINE static float16 make(F f) noexcept {
        return make(f, std::make_index_sequence<size / per_vector>{});
    }
    [[nodiscard]] BPW_INLINE static float16 zero() noexcept { return all(0.0f); }
    [[nodiscard]] BPW_INLINE static float16 all(float x) noexcept {
        return make([&](std::size_t) { return vector(x); });
    }

    /// Sixteen floats from any address.
    [[nodiscard]] BPW_INLINE static float16 load(const float* p) noexcept {
        return make([&](std::size_t i) { return vector::load_unaligned(p + i * per_vector); });
    }

    BPW_INLINE void store(float* p) const noexcept {
        for (std::size_t i = 0; i < v.size(); ++i) v[i].store_unaligned(p + i * per_vector);
    }

    /// Adds a * b to every lane, rounding once.
    BPW_INLINE void add_product(const float16& a, const float16& b) noexcept {
        *this = make([&](std::size_t i) { return fused_multiply_add(a.v[i], b.v[i], v[i]); });
    }

    [[nodiscard]] BPW_INLINE friend float16 operator-(const float16& a, const float16& b) noexcept {
        return make([&](std::size_t i) { return a.v[i] - b.v[i]; });
    }
    [[nodiscard]] BPW_INLINE friend float16 operator+(const float16& a, const float16& b) noexcept {
        return make([&](std::size_t i) { return a.v[i] + b.v[i]; });
    }
    [[nodiscard]] BPW_INLINE friend float16 operator*(const float16& a, const float16& b) noexcept {
        return make([&](std::size_t i) { return a.v[i] * b.v[i]; });
    }
    [[nodiscard]] BPW_INLINE friend float16 operator/(const float16& a, const float16& b) noexcept {
        return make([&](std::size_t i) { return a.v[i] / b.v[i]; });
    }

    /// Every lane with the sign of that of `other`.
    [[nodiscard]] BPW_INLINE float16 with_signs_of(const float16& other) const noexcept {
        float16 out;
        for (std::size_t i = 0; i < v.size(); ++i) out.v[i] = xsimd::copysign(v[i], other.v[i]);
        return out;
    }

    /// The sum of all lanes, in a fixed tree: lane l and l + 8 first, then l + 4, l + 2, l + 1.
    [[nodiscard]] BPW_INLINE float sum() const noexcept {
        return detail::sum16<A>(v, std::make_index_sequence<size / per_vector / 2>{}, A{});
    }

  private:
    template <class F, std::size_t... I>
    [[nodiscard]] BPW_INLINE static float16 make(F f, std::index_sequence<I...>) noexcept {
        return {{f(I)...}};
    }
};

}  // namespace simd

BPW_NAMESPACE_END
