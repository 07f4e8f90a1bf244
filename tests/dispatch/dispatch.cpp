// The choice of a level, and the kernels of each level that this processor has.
#include "sample.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <type_traits>

namespace dispatch_test {
namespace {

using bpw::arch;

constexpr auto every_level = [] {
    std::array<arch, bpw::detail::arch_names.size()> all{};
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<arch>(i);
    return all;
}();

template <arch... Levels>
std::vector<arch> as_vector(bpw::arch_list<Levels...>) {
    return {Levels...};
}

const std::vector<arch> compiled = as_vector(bpw::compiled_archs{});

TEST(levels, have_names) {
    std::set<std::string_view> names;
    for (const auto level : every_level) {
        names.insert(bpw::name(level));
        ASSERT_TRUE(bpw::arch_from_name(bpw::name(level)).ok());
        EXPECT_EQ(*bpw::arch_from_name(bpw::name(level)), level);
    }
    EXPECT_EQ(names.size(), every_level.size());
    EXPECT_EQ(bpw::name(arch::sse4_1), "sse4.1");
    EXPECT_EQ(bpw::name(arch::i8mm), "i8mm");
    const auto unknown = bpw::arch_from_name("avx3");
    ASSERT_FALSE(unknown.ok());
    EXPECT_EQ(unknown.error().code, bpw::errc::not_found);
    EXPECT_EQ(
        unknown.error().message,
        "'avx3' is no instruction-set level; expected one of scalar, sse2, sse4.1, avx, avx2, "
        "avxvnni, avx512bw, avx512, neon, dotprod, i8mm");
}

TEST(cpu, has_what_the_compiler_says_that_it_has) {
    EXPECT_TRUE(bpw::cpu_has(arch::scalar));
    EXPECT_TRUE(bpw::cpu_has(bpw::this_arch));
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                      __builtin_cpu_supports("bmi2");
    const bool bw = avx2 && __builtin_cpu_supports("avx512f") &&
                    __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                    __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd");
    EXPECT_EQ(bpw::cpu_has(arch::sse2), __builtin_cpu_supports("sse2") != 0);
    EXPECT_EQ(bpw::cpu_has(arch::sse4_1), __builtin_cpu_supports("sse4.1") != 0);
    EXPECT_EQ(bpw::cpu_has(arch::avx), __builtin_cpu_supports("avx") != 0);
    EXPECT_EQ(bpw::cpu_has(arch::avx2), avx2);
    EXPECT_EQ(bpw::cpu_has(arch::avx512bw), bw);
    EXPECT_EQ(bpw::cpu_has(arch::avx512),
              bw && __builtin_cpu_supports("avx512ifma") && __builtin_cpu_supports("avx512vbmi") &&
                  __builtin_cpu_supports("gfni") && __builtin_cpu_supports("avx512vnni"));
#if !defined(__clang__)
    EXPECT_EQ(bpw::cpu_has(arch::avxvnni), avx2 && __builtin_cpu_supports("avxvnni"));
#endif
    for (const auto other : {arch::neon, arch::dotprod, arch::i8mm}) {
        EXPECT_FALSE(bpw::cpu_has(other));
    }
#else
    for (const auto other : {arch::sse2, arch::sse4_1, arch::avx, arch::avx2, arch::avxvnni,
                             arch::avx512bw, arch::avx512}) {
        EXPECT_FALSE(bpw::cpu_has(other));
    }
#endif
}

TEST(dispatch, picks_the_highest_that_the_processor_has) {
    arch highest = arch::scalar;
    for (const auto level : compiled) {
        if (bpw::cpu_has(level)) highest = std::max(highest, level);
    }
    const bpw::dispatch best;
    EXPECT_EQ(best.level(), highest);
    EXPECT_EQ(best.active_arch(), bpw::name(highest));
    EXPECT_EQ(best([](auto level) { return kernels<level>::active_arch(); }), bpw::name(highest));
    EXPECT_TRUE(bpw::dispatch::make().ok());
    RecordProperty("active_arch", std::string(best.active_arch()));
}

// The order in which the levels are listed means nothing.
TEST(dispatch, picks_by_level_and_not_by_order) {
    const auto ran = [](auto level) { return level(); };
#if defined(__x86_64__)
    EXPECT_EQ((bpw::basic_dispatch<bpw::arch_list<arch::sse2, arch::scalar>>()(ran)), arch::sse2);
    EXPECT_EQ((bpw::basic_dispatch<bpw::arch_list<arch::scalar, arch::neon, arch::sse2>>()(ran)),
              arch::sse2);
#else
    EXPECT_EQ((bpw::basic_dispatch<bpw::arch_list<arch::neon, arch::scalar>>()(ran)), arch::neon);
    EXPECT_EQ((bpw::basic_dispatch<bpw::arch_list<arch::scalar, arch::avx2, arch::neon>>()(ran)),
              arch::neon);
#endif
}

TEST(dispatch, runs_every_level_when_told_so) {
    const auto sample = make_sample();
    std::optional<std::vector<float>> first;
    std::set<const void*> functions;
    std::size_t ran = 0;
    for (const auto level : compiled) {
        if (!bpw::cpu_has(level)) continue;
        SCOPED_TRACE(bpw::name(level));
        const bpw::dispatch choice(level);
        EXPECT_EQ(choice.level(), level);
        EXPECT_EQ(bpw::dispatch(bpw::name(level)).level(), level);
        EXPECT_EQ(choice([](auto l) { return l(); }), level);
        EXPECT_EQ(choice([](auto l) { return kernels<l>::active_arch(); }), bpw::name(level));
        functions.insert(
            choice([](auto l) { return reinterpret_cast<const void*>(&kernels<l>::multiply); }));
        const auto y = products(choice, sample);
        EXPECT_TRUE(right(choice, sample, y));
        if (!first) first = y;
        EXPECT_EQ(y, *first) << "other bits than the lowest level";
        ++ran;
    }
    EXPECT_GE(ran, 2u);
    EXPECT_EQ(functions.size(), ran) << "levels share functions";
}

TEST(dispatch, refuses_a_level_that_is_not_compiled_in) {
    const auto other = std::find_if(every_level.begin(), every_level.end(), [](arch level) {
        return std::find(compiled.begin(), compiled.end(), level) == compiled.end();
    });
    ASSERT_NE(other, every_level.end());
    const auto refused = bpw::dispatch::make(*other);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, bpw::errc::unsupported);
    std::string all;
    for (const auto level : compiled) all.append(all.empty() ? "" : ", ").append(bpw::name(level));
    EXPECT_EQ(refused.error().message, std::string("kernels for level ")
                                           .append(bpw::name(*other))
                                           .append(" were asked for; this program has them for ")
                                           .append(all));
    EXPECT_THROW(bpw::dispatch{*other}, bpw::error);
    EXPECT_THROW(bpw::dispatch{"avx3"}, bpw::error);
}

TEST(dispatch, refuses_a_processor_without_any_level) {
#if defined(__x86_64__)
    constexpr arch foreign = arch::neon;
#else
    constexpr arch foreign = arch::avx2;
#endif
    using none = bpw::basic_dispatch<bpw::arch_list<foreign>>;
    const auto refused = none::make();
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, bpw::errc::unsupported);
    const std::string end =
        std::string(", and this program has kernels for ").append(bpw::name(foreign)) + " only";
    EXPECT_EQ(refused.error().message.find("the CPU can run "), 0u);
    EXPECT_NE(refused.error().message.find(end), std::string::npos) << refused.error().message;
    EXPECT_THROW(none{}, bpw::error);

    const auto forced = none::make(foreign);
    ASSERT_FALSE(forced.ok());
    EXPECT_NE(forced.error().message.find(" were asked for; the CPU can run "), std::string::npos)
        << forced.error().message;
}

TEST(dispatch, holds_nothing_with_one_level) {
    using one = bpw::basic_dispatch<bpw::arch_list<bpw::this_arch>>;
    static_assert(std::is_empty_v<one>);
    static_assert(sizeof(bpw::dispatch) == sizeof(arch));
    EXPECT_EQ(one().level(), bpw::this_arch);
    EXPECT_EQ(one(bpw::this_arch)([](auto level) { return level(); }), bpw::this_arch);
}

TEST(dispatch, returns_what_the_function_returns) {
    const bpw::dispatch best;
    int number = 3;
    static_assert(std::is_same_v<decltype(best([&](auto) -> int& { return number; })), int&>);
    static_assert(std::is_void_v<decltype(best([](auto) {}))>);
    best([&](auto) -> int& { return number; }) = 4;
    EXPECT_EQ(number, 4);
}

}  // namespace
}  // namespace dispatch_test
