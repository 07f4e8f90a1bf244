// The instruction set that this translation unit is compiled for.
#pragma once

#include <bpw/core/config.hpp>

// The emulated vectors are what the scalar level runs on.
#if !defined(XSIMD_WITH_EMULATED)
#define XSIMD_WITH_EMULATED 1
#endif
#include <string_view>
#include <xsimd/xsimd.hpp>

BPW_NAMESPACE_BEGIN

#if defined(BPW_FORCE_SCALAR)
#if !XSIMD_WITH_EMULATED
#error \
    "BPW_FORCE_SCALAR needs xsimd's emulated vectors: include bpw before xsimd, or define XSIMD_WITH_EMULATED as 1"
#endif
using native_arch = xsimd::emulated<128>;
#else
/// The best xsimd arch of this translation unit.
using native_arch = xsimd::default_arch;
#endif

/// The level of the instruction set that kernels instantiated in this translation unit use: scalar,
/// sse2, sse4.1, avx2, avx512, neon, dotprod or i8mm; avx, avxvnni and avx512bw for the steps
/// between.
[[nodiscard]] constexpr std::string_view active_arch() noexcept {
#if defined(BPW_FORCE_SCALAR)
    return "scalar";
#elif defined(__AVX512BW__) && defined(__AVX512VNNI__) && defined(__AVX512VBMI__)
    return "avx512";
#elif defined(__AVX512BW__)
    return "avx512bw";
#elif defined(__AVX2__) && defined(__FMA__) && defined(__AVXVNNI__)
    return "avxvnni";
#elif defined(__AVX2__) && defined(__FMA__)
    return "avx2";
#elif defined(__AVX__)
    return "avx";
#elif defined(__SSE4_1__)
    return "sse4.1";
#elif defined(__SSE2__) || defined(_M_X64)
    return "sse2";
#elif defined(__ARM_FEATURE_MATMUL_INT8)
    return "i8mm";
#elif defined(__ARM_FEATURE_DOTPROD)
    return "dotprod";
#elif defined(__ARM_NEON)
    return "neon";
#else
    return "scalar";
#endif
}

BPW_NAMESPACE_END
