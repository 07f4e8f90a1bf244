// bpw's encoders for types known at run time, compiled once for all examples.
#pragma once

#include <bpw/core/error.hpp>
#include <bpw/core/type_id.hpp>
#include <bpw/kernels/encode/options.hpp>
#include <bpw/parallel.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace examples {

/// Encodes rows x cols floats into `out`, which has the tensor's bytes; groups of rows are handed
/// out to `run`. `importance` has a number for every column, or is empty. Throws bpw::error.
void encode(bpw::type_id type, std::span<const float> x, std::uint64_t rows, std::uint64_t cols,
            std::span<std::byte> out, std::span<const float> importance,
            const bpw::encode_options& options, bpw::threads& run);

/// Whether there is an encoder for a type.
bool can_encode(bpw::type_id type);

}  // namespace examples
