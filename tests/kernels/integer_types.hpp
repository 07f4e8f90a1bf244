// What tests of products in integers share.
#pragma once

#include <reference/random.hpp>

#include <bpw/formats/registry.hpp>
#include <bpw/kernels/integer_tile.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace integer_types {

// Calls f(tag<T>) for every type that is multiplied in integers.
template <class F>
void for_every_integer_type(F f) {
    for (const auto id : bpw::all_types) {
        bpw::visit(id, [&]<class T>(bpw::tag<T> type) {
            if constexpr (bpw::has_integer_lanes<T>) {
                SCOPED_TRACE(std::string(T::name));
                f(type);
            }
        });
    }
}

// Calls f(tag<T>) for each of the types.
template <class... T, class F>
void for_types(F f) {
    const auto call = [&]<class Each>(bpw::tag<Each> type) {
        SCOPED_TRACE(std::string(Each::name));
        f(type);
    };
    (call(bpw::tag<T>{}), ...);
}

inline std::vector<float> random_floats(std::size_t n, reference::random& numbers) {
    std::vector<float> x(n);
    for (auto& v : x) v = numbers.uniform();
    return x;
}

}  // namespace integer_types
