// Instruction-set levels: their names, and the one that this translation unit is compiled for.
#pragma once

#include <bpw/core/error.hpp>

#include <array>
#include <cstdint>
#include <string_view>

namespace bpw {

// Outside the namespace of the instruction set: units that are compiled for different levels must
// mean the same by it.

/// The levels of each processor family, lowest first. Every level of a family has all that the ones
/// before it have, save that avx512bw and avx512 need not have avxvnni.
enum class arch : std::uint8_t {
    scalar,    ///< no vector code of bpw's own
    sse2,      ///< what every x86-64 has
    sse4_1,    ///< named "sse4.1"
    avx,       ///< also AVX2 without FMA
    avx2,      ///< AVX2, FMA, F16C, BMI2
    avxvnni,   ///< avx2 and AVX-VNNI
    avx512bw,  ///< avx2 and AVX-512 F, CD, BW, DQ, VL
    avx512,    ///< avx512bw and IFMA, VBMI, VNNI
    neon,      ///< what every AArch64 has
    dotprod,   ///< the dot products of ARMv8.2
    i8mm,      ///< dotprod and the 8-bit matrix products of ARMv8.6
};

}  // namespace bpw

BPW_NAMESPACE_BEGIN

namespace detail {

inline constexpr std::array<std::string_view, 11> arch_names{
    "scalar",   "sse2",   "sse4.1", "avx",     "avx2", "avxvnni",
    "avx512bw", "avx512", "neon",   "dotprod", "i8mm"};

}  // namespace detail

/// The name of a level, as in CMake and in this project's presets.
[[nodiscard]] constexpr std::string_view name(arch level) noexcept {
    return detail::arch_names[static_cast<std::size_t>(level)];
}

/// The level of that name. Errors: `not_found`.
[[nodiscard]] inline result<arch> arch_from_name(std::string_view name) {
    for (std::size_t i = 0; i < detail::arch_names.size(); ++i) {
        if (detail::arch_names[i] == name) return static_cast<arch>(i);
    }
    std::string known;
    for (const auto each : detail::arch_names) known.append(known.empty() ? "" : ", ").append(each);
    return fail(errc::not_found, "'", name, "' is no instruction-set level; expected one of ",
                known);
}

/// The level that this translation unit is compiled for, in the sense that kernels instantiated in
/// it use it.
inline constexpr arch this_arch =
#if defined(BPW_FORCE_SCALAR)
    arch::scalar;
#elif defined(__AVX512BW__) && defined(__AVX512VNNI__) && defined(__AVX512VBMI__)
    arch::avx512;
#elif defined(__AVX512BW__)
    arch::avx512bw;
#elif defined(__AVX2__) && defined(__FMA__) && defined(__AVXVNNI__)
    arch::avxvnni;
#elif defined(__AVX2__) && defined(__FMA__)
    arch::avx2;
#elif defined(__AVX__)
    arch::avx;
#elif defined(__SSE4_1__)
    arch::sse4_1;
#elif defined(__SSE2__) || defined(_M_X64)
    arch::sse2;
#elif defined(__ARM_FEATURE_MATMUL_INT8)
    arch::i8mm;
#elif defined(__ARM_FEATURE_DOTPROD)
    arch::dotprod;
#elif defined(__ARM_NEON)
    arch::neon;
#else
    arch::scalar;
#endif

/// Its name.
[[nodiscard]] constexpr std::string_view active_arch() noexcept { return name(this_arch); }

BPW_NAMESPACE_END
