// How kernels hand out work: a callable that runs numbered tasks.
#pragma once

#include <bpw/core/config.hpp>

#include <concepts>
#include <cstddef>

BPW_NAMESPACE_BEGIN

/// Something that runs tasks: `run(n, f)` calls f(0), ..., f(n - 1), each once, in any order and
/// possibly at the same time on several threads, and returns when all have returned. A lambda over
/// an engine's own thread pool suffices. Tasks do not throw.
template <class E>
concept executor = requires(E& run, std::size_t n, void (*f)(std::size_t)) {
    run(n, f);
};

/// Runs all tasks on the calling thread.
struct serial {
    [[nodiscard]] static constexpr unsigned count() noexcept { return 1; }
    template <std::invocable<std::size_t> F>
    void operator()(std::size_t n, F&& f) const {
        for (std::size_t i = 0; i < n; ++i) f(i);
    }
};

/// The threads of an executor that tells how many it has, by a member count(); else `unknown`.
template <class E>
[[nodiscard]] constexpr std::size_t threads_of(const E& run, std::size_t unknown) noexcept {
    if constexpr (requires { run.count(); })
        return run.count();
    else
        return unknown;
}

BPW_NAMESPACE_END
