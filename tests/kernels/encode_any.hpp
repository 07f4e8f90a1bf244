// The encoders of every type behind ordinary functions, so that one source file of the tests
// instantiates them.
#pragma once

#include <kernels/any_type.hpp>

#include <bpw/kernels/encode/options.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace encode_any {

bpw::result<void> encode(bpw::type_id type, std::span<const float> x, std::uint64_t rows,
                         std::uint64_t cols, std::span<std::byte> out,
                         std::span<const float> importance = {},
                         const bpw::encode_options& options = {},
                         const any_type::executor& run = any_type::in_turn);
bool can_encode(bpw::type_id type);
std::uint64_t bytes_of(bpw::type_id type, std::uint64_t rows, std::uint64_t cols);
void decode(const bpw::any_matrix& w, std::span<float> out);

// What is left of weights that are encoded and decoded. Fails the test on an error.
std::vector<float> through(bpw::type_id type, std::span<const float> x, std::uint64_t rows,
                           std::uint64_t cols, std::span<const float> importance = {},
                           const bpw::encode_options& options = {});

}  // namespace encode_any
