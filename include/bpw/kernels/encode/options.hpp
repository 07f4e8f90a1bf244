// What encoders can be told.
#pragma once

#include <bpw/core/config.hpp>

#include <cstdint>

BPW_NAMESPACE_BEGIN

/// The weight of a squared error in what an encoder minimises, sum over i of
/// weight_i (x_i - decoded_i)^2. u is the importance, 1 where none is given.
enum class error_weight : std::uint8_t {
    /// u sqrt(c m + x^2), m the mean of x^2 around the weight and c the type's own number: what the
    /// encoders of llama.cpp and ik_llama.cpp minimise when they have an importance matrix. Types
    /// whose encoders take none (8 bits, microscaling, ternary) and q6_K have u alone.
    usual,
    /// u alone.
    importance,
    /// x^2 if no importance is given: what most encoders of those projects minimise then. Otherwise
    /// as `usual`.
    squares,
};

struct encode_options {
    error_weight weight = error_weight::usual;
};

BPW_NAMESPACE_END
