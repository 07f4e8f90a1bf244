// Reading ahead of the kernels.
#pragma once

#include <bpw/core/config.hpp>

#include <cstddef>
#include <cstdint>

BPW_NAMESPACE_BEGIN

namespace simd {

/// How far ahead of a kernel that streams through weights memory is read: beyond the page, where
/// the processor's own reading ahead stops, and the next one.
inline constexpr std::size_t prefetch_distance = 8192;

/// Asks for the `Bytes` bytes at p, which need not exist, to the second-level cache: few lines at a
/// time can be on their way to the first.
template <std::size_t Bytes>
BPW_INLINE void prefetch([[maybe_unused]] std::uintptr_t p) noexcept {
#if defined(__GNUC__) || defined(__clang__)
    for (std::size_t at = 0; at < Bytes; at += 64) {
        __builtin_prefetch(reinterpret_cast<const void*>(p + at), 0, 2);
    }
#endif
}
/// Asks for the line at p, which will be written to. It need not exist.
BPW_INLINE void prefetch_for_writing([[maybe_unused]] const void* p) noexcept {
#if defined(__GNUC__) || defined(__clang__)
    __builtin_prefetch(p, 1);
#endif
}
/// For kernels that are faster than the processor's own reading ahead: asks for the `Bytes` bytes
/// that lie `distance` behind p. Each line twice, first when it is farther away: asked for once,
/// as many come too late as if requests were dropped.
template <std::size_t Bytes>
BPW_INLINE void prefetch_ahead(const void* p, std::size_t distance = prefetch_distance) noexcept {
    constexpr std::size_t while_before = 2048;
    prefetch<Bytes>(reinterpret_cast<std::uintptr_t>(p) + distance);
    prefetch<Bytes>(reinterpret_cast<std::uintptr_t>(p) + distance + while_before);
}
/// For kernels that leave reading ahead to the processor, which stops at the end of a page. A call
/// stands for the `Bytes` bytes from p on, in turn: once a page this asks for the first lines of
/// the next one.
template <std::size_t Bytes>
BPW_INLINE void prefetch_next_page(const void* p) noexcept {
    constexpr std::uintptr_t page = 4096;
    // One page more made some types slower than asking for nothing.
    constexpr std::uintptr_t distance = 3072;
    constexpr std::size_t first_lines = 256;
    const auto ahead = reinterpret_cast<std::uintptr_t>(p) + distance;
    if (ahead % page < Bytes) prefetch<first_lines>(ahead / page * page);
}

}  // namespace simd

BPW_NAMESPACE_END
