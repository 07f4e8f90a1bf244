// The kernels of dispatching.cpp.
#pragma once

#include <bpw/core/arch.hpp>

#include <cstddef>
#include <string_view>

template <bpw::arch Level>
struct sums {
    static std::string_view level();
    /// The sum of a row of 32 weights in q4_0.
    static float of_row(const std::byte* row);
};
