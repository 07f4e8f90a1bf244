// What the CPU that the program runs on can do.
#pragma once

#include <bpw/core/arch.hpp>

#if defined(__x86_64__) || defined(__i386__) || defined(_M_X64) || defined(_M_IX86)
#define BPW_CPU_X86 1
#if defined(_MSC_VER)
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif

BPW_NAMESPACE_BEGIN

namespace detail {

#if defined(BPW_CPU_X86)
struct cpuid_words {
    std::uint32_t a = 0, b = 0, c = 0, d = 0;
};

// All zero where the CPU has no such leaf.
[[nodiscard]] inline cpuid_words cpuid(std::uint32_t leaf, std::uint32_t subleaf) noexcept {
    cpuid_words out;
#if defined(_MSC_VER)
    int words[4];
    __cpuid(words, 0);
    if (leaf > static_cast<std::uint32_t>(words[0])) return out;
    __cpuidex(words, static_cast<int>(leaf), static_cast<int>(subleaf));
    out = {static_cast<std::uint32_t>(words[0]), static_cast<std::uint32_t>(words[1]),
           static_cast<std::uint32_t>(words[2]), static_cast<std::uint32_t>(words[3])};
#else
    if (__get_cpuid_count(leaf, subleaf, &out.a, &out.b, &out.c, &out.d) == 0) return {};
#endif
    return out;
}

// The register states that the operating system saves and restores.
[[nodiscard]] inline std::uint32_t saved_states() noexcept {
#if defined(_MSC_VER)
    return static_cast<std::uint32_t>(_xgetbv(0));
#else
    std::uint32_t low = 0;
    std::uint32_t high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
#endif
}

// Bits of processor manuals: Intel's "Software Developer's Manual", volume 2, CPUID.
[[nodiscard]] inline bool cpu_has_on_x86(arch level) noexcept {
    const auto all = [](std::uint32_t word, auto... bits) {
        const std::uint32_t mask = ((1u << bits) | ...);
        return (word & mask) == mask;
    };
    const auto basic = cpuid(1, 0);
    if (level == arch::sse2) return all(basic.d, 26);
    if (level == arch::sse4_1) return all(basic.c, 9, 19);
    const auto states = all(basic.c, 27) ? saved_states() : 0;
    const bool has_avx = all(basic.c, 9, 19, 28) && all(states, 1, 2);
    if (level == arch::avx) return has_avx;
    const auto more = cpuid(7, 0);
    const bool has_avx2 = has_avx && all(basic.c, 12, 29) && all(more.b, 5, 8);
    if (level == arch::avx2) return has_avx2;
    if (level == arch::avxvnni) return has_avx2 && more.a >= 1 && all(cpuid(7, 1).a, 4);
    const bool has_avx512bw = has_avx2 && all(states, 5, 6, 7) && all(more.b, 16, 17, 28, 30, 31);
    if (level == arch::avx512bw) return has_avx512bw;
    return level == arch::avx512 && has_avx512bw && all(more.b, 21) && all(more.c, 1, 8, 11);
}
#elif defined(__aarch64__)
[[nodiscard]] inline bool cpu_has_on_aarch64(arch level) noexcept {
    if (level == arch::neon) return true;
#if defined(__linux__)
    const bool dot = (getauxval(AT_HWCAP) >> 20 & 1) != 0;      // HWCAP_ASIMDDP
    const bool matrix = (getauxval(AT_HWCAP2) >> 13 & 1) != 0;  // HWCAP2_I8MM
#elif defined(__APPLE__)
    const auto feature = [](const char* key) {
        int value = 0;
        std::size_t size = sizeof value;
        return sysctlbyname(key, &value, &size, nullptr, 0) == 0 && value != 0;
    };
    const bool dot = feature("hw.optional.arm.FEAT_DotProd");
    const bool matrix = feature("hw.optional.arm.FEAT_I8MM");
#else
    // Unknown: what the compiler may use anyway.
    constexpr bool dot = this_arch == arch::dotprod || this_arch == arch::i8mm;
    constexpr bool matrix = this_arch == arch::i8mm;
#endif
    return level == arch::dotprod ? dot : level == arch::i8mm && dot && matrix;
}
#endif

}  // namespace detail

/// Whether the CPU, and the operating system on it, can run code of a level. Asks them every time.
[[nodiscard]] inline bool cpu_has(arch level) noexcept {
    if (level == arch::scalar) return true;
#if defined(BPW_CPU_X86)
    return detail::cpu_has_on_x86(level);
#elif defined(__aarch64__)
    return detail::cpu_has_on_aarch64(level);
#else
    return false;
#endif
}

BPW_NAMESPACE_END

#undef BPW_CPU_X86
