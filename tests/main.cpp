// The main function of every test program. It runs the tests only when this processor has the
// instruction-set level that they were compiled for (BPW_EXPECT_ARCH), and exits with 77 otherwise,
// which ctest reports as skipped.
//
// This file is compiled without the level's flags.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace {

// The first feature of the level that this processor lacks, or nothing.
const char* missing_feature(std::string_view level) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_cpu_init();
    if (level == "sse4.1" && !__builtin_cpu_supports("sse4.1")) return "sse4.1";
    if (level == "avx2" || level == "avxvnni" || level == "avx512") {
        if (!__builtin_cpu_supports("avx2")) return "avx2";
        if (!__builtin_cpu_supports("fma")) return "fma";
        if (!__builtin_cpu_supports("bmi2")) return "bmi2";
    }
    if (level == "avxvnni") {
        // clang 14 knows no name for it.
        unsigned a = 0, b = 0, c = 0, d = 0;
        if (!__get_cpuid_count(7, 1, &a, &b, &c, &d) || (a >> 4 & 1) == 0) return "avxvnni";
    }
    if (level == "avx512") {
        if (!__builtin_cpu_supports("avx512f")) return "avx512f";
        if (!__builtin_cpu_supports("avx512bw")) return "avx512bw";
        if (!__builtin_cpu_supports("avx512dq")) return "avx512dq";
        if (!__builtin_cpu_supports("avx512vl")) return "avx512vl";
        if (!__builtin_cpu_supports("avx512cd")) return "avx512cd";
        if (!__builtin_cpu_supports("avx512ifma")) return "avx512ifma";
        if (!__builtin_cpu_supports("avx512vnni")) return "avx512vnni";
        if (!__builtin_cpu_supports("avx512vbmi")) return "avx512vbmi";
        if (!__builtin_cpu_supports("gfni")) return "gfni";
    }
#elif defined(__aarch64__) && defined(__linux__)
    constexpr unsigned long asimd_dot_product = 1UL << 20;     // HWCAP_ASIMDDP
    constexpr unsigned long int8_matrix_multiply = 1UL << 13;  // HWCAP2_I8MM
    if (level == "dotprod" || level == "i8mm") {
        if (!(getauxval(AT_HWCAP) & asimd_dot_product)) return "dotprod";
    }
    if (level == "i8mm" && !(getauxval(AT_HWCAP2) & int8_matrix_multiply)) return "i8mm";
#endif
    (void)level;
    return nullptr;
}

// Runs before the constructors of the test files, which may already use the level's instructions.
__attribute__((constructor(101))) void skip_when_unsupported() {
    if (const char* feature = missing_feature(BPW_EXPECT_ARCH)) {
        std::printf("skipped: this processor has no %s, which level %s needs\n", feature,
                    BPW_EXPECT_ARCH);
        std::fflush(stdout);
        std::_Exit(77);
    }
}

}  // namespace

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
