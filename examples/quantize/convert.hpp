// The work itself: tensor by tensor, a piece at a time, from one file into another.
#pragma once

#include "common/imatrix.hpp"
#include "quantize/choice.hpp"

#include <bpw/core/type_id.hpp>
#include <bpw/parallel.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace examples {

/// What was made of the tensors of one type.
struct type_result {
    std::uint64_t tensors = 0;
    std::uint64_t weights = 0;
    std::uint64_t bytes = 0;
    /// Of those that were encoded: squares of the errors and of the weights.
    double error = 0;
    double power = 0;
    bool encoded = false;
};

struct convert_options {
    bool check = false;  ///< look at every block that is written
    const std::atomic<bool>* stop = nullptr;
};

/// Carries out a job and hands the bytes to `sink`, in order; `advance` is told how many weights
/// were done since it was told last. Takes about 16 bytes of memory for
/// each of some millions of weights, whatever the tensor's size. Throws bpw::error, which names the
/// tensor, for weights that are infinite or NaN, for a block that fails the check, and for what the
/// sink throws.
void convert(const job& j, const imatrix* importance, const convert_options& options,
             bpw::threads& pool, const std::function<void(std::uint64_t)>& advance,
             type_result& result, const std::function<void(std::span<const std::byte>)>& sink);

/// Looks at every block of a tensor. Throws bpw::error with the first fault.
void check_tensor(const bpw::gguf::tensor& t);

}  // namespace examples
