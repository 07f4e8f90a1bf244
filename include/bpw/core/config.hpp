// Version, the inline namespace that carries the instruction set, and the few compiler switches.
#pragma once

#define BPW_VERSION_MAJOR 0
#define BPW_VERSION_MINOR 1
#define BPW_VERSION_PATCH 0

// A template instantiated in two translation units that were compiled for different instruction
// sets must be two functions: under one name the linker keeps a single body, and the unit built
// for the older CPU may get the code of the newer one. Everything therefore lives in an inline
// namespace named after the features that the compiler may use in this translation unit.
// BPW_FORCE_SCALAR asks for the emulated vectors whatever the compiler flags say.

#if defined(BPW_FORCE_SCALAR)
#define BPW_KEY_LEVEL scalar
#elif defined(__AVX512F__) && defined(__AVX512BW__)
#define BPW_KEY_LEVEL avx512bw
#elif defined(__AVX512F__)
#define BPW_KEY_LEVEL avx512f
#elif defined(__AVX2__)
#define BPW_KEY_LEVEL avx2
#elif defined(__AVX__)
#define BPW_KEY_LEVEL avx
#elif defined(__SSE4_2__)
#define BPW_KEY_LEVEL sse4_2
#elif defined(__SSE4_1__)
#define BPW_KEY_LEVEL sse4_1
#elif defined(__SSSE3__)
#define BPW_KEY_LEVEL ssse3
#elif defined(__ARM_FEATURE_SVE2)
#define BPW_KEY_LEVEL sve2
#elif defined(__ARM_FEATURE_SVE)
#define BPW_KEY_LEVEL sve
#else
#define BPW_KEY_LEVEL base
#endif

#if defined(__FMA__)
#define BPW_KEY_FMA _fma
#else
#define BPW_KEY_FMA
#endif
#if defined(__F16C__)
#define BPW_KEY_F16C _f16c
#else
#define BPW_KEY_F16C
#endif
#if defined(__BMI2__)
#define BPW_KEY_BMI2 _bmi2
#else
#define BPW_KEY_BMI2
#endif
#if defined(__AVXVNNI__)
#define BPW_KEY_AVXVNNI _avxvnni
#else
#define BPW_KEY_AVXVNNI
#endif
#if defined(__AVX512VNNI__)
#define BPW_KEY_VNNI _vnni
#else
#define BPW_KEY_VNNI
#endif
#if defined(__AVX512VBMI__)
#define BPW_KEY_VBMI _vbmi
#else
#define BPW_KEY_VBMI
#endif
#if defined(__AVX512VBMI2__)
#define BPW_KEY_VBMI2 _vbmi2
#else
#define BPW_KEY_VBMI2
#endif
#if defined(__GFNI__)
#define BPW_KEY_GFNI _gfni
#else
#define BPW_KEY_GFNI
#endif
#if defined(__AVX512BF16__) || defined(__ARM_FEATURE_BF16)
#define BPW_KEY_BF16 _bf16
#else
#define BPW_KEY_BF16
#endif
#if defined(__AVX512FP16__) || defined(__ARM_FEATURE_FP16_VECTOR_ARITHMETIC)
#define BPW_KEY_FP16 _fp16
#else
#define BPW_KEY_FP16
#endif
#if defined(__ARM_FEATURE_DOTPROD)
#define BPW_KEY_DOTPROD _dotprod
#else
#define BPW_KEY_DOTPROD
#endif
#if defined(__ARM_FEATURE_MATMUL_INT8)
#define BPW_KEY_I8MM _i8mm
#else
#define BPW_KEY_I8MM
#endif

#define BPW_JOIN_TOKENS(a, b, c, d, e, f, g, h, i, j, k, l, m) a##b##c##d##e##f##g##h##i##j##k##l##m
#define BPW_JOIN(...) BPW_JOIN_TOKENS(__VA_ARGS__)
#define BPW_INSTRUCTION_SET                                                                       \
    BPW_JOIN(v0_1_, BPW_KEY_LEVEL, BPW_KEY_FMA, BPW_KEY_F16C, BPW_KEY_BMI2, BPW_KEY_AVXVNNI,      \
             BPW_KEY_VNNI, BPW_KEY_VBMI, BPW_KEY_VBMI2, BPW_KEY_GFNI, BPW_KEY_BF16, BPW_KEY_FP16, \
             BPW_JOIN_PAIR(BPW_KEY_DOTPROD, BPW_KEY_I8MM))
#define BPW_JOIN_PAIR_TOKENS(a, b) a##b
#define BPW_JOIN_PAIR(a, b) BPW_JOIN_PAIR_TOKENS(a, b)

#define BPW_NAMESPACE_BEGIN \
    namespace bpw {         \
    inline namespace BPW_INSTRUCTION_SET {
#define BPW_NAMESPACE_END \
    }                     \
    }

// Without exceptions the forms that throw are not declared; those that return a result remain.
#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
#define BPW_EXCEPTIONS 1
#else
#define BPW_EXCEPTIONS 0
#endif

// For the small functions of hot loops, whose vectors must not pass through memory in a call; the
// second behind the parameters of a lambda.
#if defined(_MSC_VER)
#define BPW_INLINE __forceinline
#define BPW_INLINE_LAMBDA
#else
#define BPW_INLINE [[gnu::always_inline]] inline
#define BPW_INLINE_LAMBDA __attribute__((always_inline))
#endif
