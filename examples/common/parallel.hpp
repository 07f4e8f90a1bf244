// Tasks that may throw, on threads.
#pragma once

#include <bpw/parallel.hpp>

#include <cstddef>
#include <exception>
#include <mutex>

namespace examples {

/// Runs f(i) for all i below n. Tasks of an executor must not throw; here the first exception of
/// any is thrown again on the calling thread, when all tasks have ended.
template <class F>
void parallel(bpw::threads& pool, std::size_t n, const F& f) {
    std::mutex mutex;
    std::exception_ptr thrown;
    pool(n, [&](std::size_t i) {
        try {
            f(i);
        } catch (...) {
            const std::lock_guard lock(mutex);
            if (!thrown) thrown = std::current_exception();
        }
    });
    if (thrown) std::rethrow_exception(thrown);
}

}  // namespace examples
