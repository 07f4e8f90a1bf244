// Importance matrices: for every tensor the mean square of what its columns were multiplied with.
//
// Two file formats are in use: the older binary one of llama.cpp, which ik_llama.cpp writes, and
// GGUF files with the tensors `NAME.in_sum2` and `NAME.counts`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace examples {

struct imatrix {
    std::string file;                   ///< its name, for messages
    std::vector<std::string> datasets;  ///< of the texts that were measured; may be empty
    std::uint64_t chunks = 0;  ///< of text that were measured; 0 when the file does not say
    /// By name of the tensor: a number from 0 on for every column, those of all experts in turn.
    std::unordered_map<std::string, std::vector<float>> entries;

    /// The importance of the columns of slice `i` of `slices` of a tensor; empty when there is no
    /// entry. Throws bpw::error where the entry's length fits neither one slice nor all of them.
    [[nodiscard]] std::span<const float> columns(const std::string& tensor, std::uint64_t cols,
                                                 std::uint64_t i, std::uint64_t slices) const;
};

/// Reads either format. Throws bpw::error for a file that is neither, is truncated, or holds a
/// number that is negative, infinite or NaN.
[[nodiscard]] imatrix read_imatrix(const std::string& path);

/// The same from the bytes of a file; `name` stands in messages.
[[nodiscard]] imatrix parse_imatrix(std::span<const std::byte> bytes, const std::string& name);

}  // namespace examples
