// Kernels compiled for several instruction-set levels in one program, and the choice among them.
//
// A program names its kernels in a class template of the level, in a header of its own,
//
//   template <bpw::arch Level>
//   struct engine {
//       static void multiply(const std::byte* w, std::size_t rows, std::size_t cols,
//                            const float* x, float* y);
//   };
//
// defines them in a source that is compiled once for every level and instantiates the class for the
// level at hand,
//
//   template <bpw::arch Level>
//   void engine<Level>::multiply(...) { ... bpw::gemv(...) ... }
//   template struct engine<bpw::this_arch>;
//
// has CMake compile that source (bpw_add_kernels(program ARCHS sse4.1 avx2 avx512 SOURCES
// engine.cpp)), and calls them through a bpw::dispatch:
//
//   const bpw::dispatch best;
//   best([&](auto level) { engine<level>::multiply(w, rows, cols, x, y); });
//
// Every level's kernels are different functions, because the level is a part of their name. What
// they take and return must be the same for all levels: plain numbers, pointers and types of the
// program's own, since the types of bpw are different ones for every level.
#pragma once

#include <bpw/core/arch.hpp>
#include <bpw/simd/cpu.hpp>

#include <string>
#include <type_traits>

BPW_NAMESPACE_BEGIN

/// Some levels.
template <arch... Levels>
struct arch_list {};

/// The levels that the kernels of this program are compiled for: those given to bpw_add_kernels,
/// otherwise the one of this translation unit.
#if defined(BPW_KERNEL_ARCHS)
using compiled_archs = arch_list<BPW_KERNEL_ARCHS>;
#else
using compiled_archs = arch_list<this_arch>;
#endif

/// A level as a type, which converts to a constant: what a dispatch calls a function with.
template <arch Level>
using arch_constant = std::integral_constant<arch, Level>;

template <class Levels>
class basic_dispatch;

/// The choice of a level. With one level it holds nothing and calls directly.
template <arch First, arch... Rest>
class basic_dispatch<arch_list<First, Rest...>> {
    static constexpr bool single = sizeof...(Rest) == 0;

  public:
    /// The highest compiled level that the CPU has. Errors: `unsupported` when it has none.
    [[nodiscard]] static result<basic_dispatch> make() {
        const arch* best = nullptr;
        static constexpr arch levels[] = {First, Rest...};
        for (const auto& level : levels) {
            if (cpu_has(level) && (best == nullptr || level > *best)) best = &level;
        }
        if (best == nullptr) {
            return fail(errc::unsupported, "the CPU can run ", highest_of_cpu(),
                        ", and this program has kernels for ", names(), " only");
        }
        return basic_dispatch(chosen{}, *best);
    }

    /// A level of your choice. Errors: `unsupported` when it is not compiled in or the CPU lacks
    /// it.
    [[nodiscard]] static result<basic_dispatch> make(arch level) {
        if (!((level == First) || ... || (level == Rest))) {
            return fail(errc::unsupported, "kernels for level ", name(level),
                        " were asked for; this program has them for ", names());
        }
        if (!cpu_has(level)) {
            return fail(errc::unsupported, "kernels for level ", name(level),
                        " were asked for; the CPU can run ", highest_of_cpu(), " at most");
        }
        return basic_dispatch(chosen{}, level);
    }

    /// A level by its name, such as "avx2". Errors: `not_found`, `unsupported`.
    [[nodiscard]] static result<basic_dispatch> make(std::string_view level) {
        const auto found = arch_from_name(level);
        if (!found) return found.error();
        return make(*found);
    }

#if BPW_EXCEPTIONS
    /// The same, or throws bpw::error.
    basic_dispatch() : basic_dispatch(make().value()) {}
    /// The same, or throws bpw::error.
    explicit basic_dispatch(arch level) : basic_dispatch(make(level).value()) {}
    /// The same, or throws bpw::error.
    explicit basic_dispatch(std::string_view level) : basic_dispatch(make(level).value()) {}
#endif

    /// The chosen level.
    [[nodiscard]] arch level() const noexcept { return level_; }
    /// Its name; what bpw::active_arch() is in the kernels that are called.
    [[nodiscard]] std::string_view active_arch() const noexcept { return name(level()); }

    /// Calls f with the arch_constant of the chosen level and returns what it returns, which must
    /// be of the same type for all levels.
    template <class F>
    decltype(auto) operator()(F&& f) const {
        return call<F, First, Rest...>(f);
    }

  private:
    struct chosen {};
    using state = std::conditional_t<single, arch_constant<First>, arch>;

    basic_dispatch(chosen, arch level) noexcept : level_(as_state(level)) {}

    [[nodiscard]] static state as_state(arch level) noexcept {
        if constexpr (single)
            return {};
        else
            return level;
    }

    template <class F, arch Now, arch... Later>
    decltype(auto) call(F& f) const {
        if constexpr (sizeof...(Later) == 0) {
            return f(arch_constant<Now>{});
        } else {
            if (level_ == Now) return f(arch_constant<Now>{});
            return call<F, Later...>(f);
        }
    }

    [[nodiscard]] static std::string names() {
        std::string all(name(First));
        ((all.append(", ").append(name(Rest))), ...);
        return all;
    }

    [[nodiscard]] static std::string_view highest_of_cpu() {
        auto i = detail::arch_names.size();
        while (!cpu_has(static_cast<arch>(--i))) {
        }
        return detail::arch_names[i];
    }

    [[no_unique_address]] state level_;
};

/// The choice among the levels that the kernels of this program are compiled for.
using dispatch = basic_dispatch<compiled_archs>;

BPW_NAMESPACE_END
