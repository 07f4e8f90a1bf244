// Kernels of a program that runs on several instruction-set levels.
#pragma once

#include <bpw/core/arch.hpp>

#include <cstddef>
#include <string_view>

/// Of matrices in q4_K.
template <bpw::arch Level>
struct kernels {
    /// What bpw::active_arch() is where these functions are compiled.
    static std::string_view active_arch();
    /// y = w x, in integers.
    static void multiply(const std::byte* w, std::size_t rows, std::size_t cols, const float* x,
                         float* y);
    /// All weights.
    static void decode(const std::byte* w, std::size_t rows, std::size_t cols, float* out);
};
