// Quantized tensors of any type with random bytes and plausible scales.
#pragma once

#include <reference/random.hpp>

#include <bpw/core/type_id.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace reference {

// A tensor of every bit pattern but for the float scales, which are set to distinct ordinary
// numbers of either sign.
std::vector<std::byte> random_tensor(bpw::type_id type, std::uint64_t rows, std::uint64_t cols,
                                     random& numbers);

// Sets the scale of one row of a tensor, in all its blocks, to a half or float with these bits.
// False for types that have no scale of a row's own that could be NaN or infinite.
bool set_row_scale(bpw::type_id type, std::vector<std::byte>& tensor, std::uint64_t rows,
                   std::uint64_t cols, std::uint64_t row, std::uint32_t half, std::uint32_t single);

}  // namespace reference
