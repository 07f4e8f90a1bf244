// The vectors that this translation unit's instruction set has.
#pragma once

#include <bpw/core/arch.hpp>

// The emulated vectors are what the scalar level runs on.
#if !defined(XSIMD_WITH_EMULATED)
#define XSIMD_WITH_EMULATED 1
#endif
#include <xsimd/xsimd.hpp>

BPW_NAMESPACE_BEGIN

#if defined(BPW_FORCE_SCALAR)
#if !XSIMD_WITH_EMULATED
#error \
    "BPW_FORCE_SCALAR needs xsimd's emulated vectors: include bpw before xsimd, or define XSIMD_WITH_EMULATED as 1"
#endif
using native_arch = xsimd::emulated<128>;
#elif defined(__AVXVNNI__) && defined(__FMA__) && !defined(__AVX512F__)
// xsimd's tag for AVX-VNNI knows nothing of FMA. The byte products look at the compiler's macro.
using native_arch = xsimd::fma3<xsimd::avx2>;
#else
/// The best xsimd arch of this translation unit.
using native_arch = xsimd::default_arch;
#endif

namespace simd {

/// Whether vectors are emulated.
#if defined(BPW_FORCE_SCALAR)
inline constexpr bool emulates_vectors = true;
#else
inline constexpr bool emulates_vectors = false;
#endif

}  // namespace simd

BPW_NAMESPACE_END
