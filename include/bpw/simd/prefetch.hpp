// Reading ahead of the kernels.
#pragma once

#include <bpw/core/config.hpp>

#include <cstddef>
#include <cstdint>

BPW_NAMESPACE_BEGIN

namespace simd {

/// How far ahead of a kernel that streams through weights memory is read: about a page, where the
/// processor's own reading ahead stops.
inline constexpr std::size_t prefetch_distance = 4096;

/// Asks for the `Bytes` bytes at p. They need not exist.
template <std::size_t Bytes>
BPW_INLINE void prefetch([[maybe_unused]] std::uintptr_t p) noexcept {
#if defined(__GNUC__) || defined(__clang__)
    for (std::size_t at = 0; at < Bytes; at += 64) {
        __builtin_prefetch(reinterpret_cast<const void*>(p + at));
    }
#endif
}
/// Asks for the line at p, which will be written to. It need not exist.
BPW_INLINE void prefetch_for_writing([[maybe_unused]] const void* p) noexcept {
#if defined(__GNUC__) || defined(__clang__)
    __builtin_prefetch(p, 1);
#endif
}
/// Asks for those that lie prefetch_distance behind p.
template <std::size_t Bytes>
BPW_INLINE void prefetch_ahead(const void* p) noexcept {
    prefetch<Bytes>(reinterpret_cast<std::uintptr_t>(p) + prefetch_distance);
}

}  // namespace simd

BPW_NAMESPACE_END
