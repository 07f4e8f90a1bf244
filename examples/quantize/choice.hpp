// What becomes of every tensor: the type that is asked for, and what is stored in its place.
#pragma once

#include "common/imatrix.hpp"
#include "common/remarks.hpp"

#include <bpw/core/type_id.hpp>
#include <bpw/gguf.hpp>
#include <bpw/plan/text.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace examples {

/// What the command line asks for.
struct choice_arguments {
    std::string type;
    std::string recipe;
    std::string preset;
    std::string plan;
    std::string repack;
    std::vector<std::string> custom;
    std::string calibration;
    std::string curve;
    std::vector<std::string> pool;
    std::string project = "ik";
    std::string token_embd;
    std::string output;
    bool pure = false;
    bool requantize = false;
    bool without_importance = false;
};

enum class step { copy, repack, encode };

/// A tensor and what is to be done with it.
struct job {
    const bpw::gguf::tensor* source;
    bpw::type_id from;
    bpw::type_id to;
    step how = step::copy;
};

struct choice {
    std::vector<job> jobs;  ///< in the order of the file
    remarks changed;        ///< what is not as it was asked for
};

/// Decides for all tensors of a model. Throws bpw::error for what cannot be done.
[[nodiscard]] choice choose(const std::string& path, const bpw::gguf::file& model,
                            const choice_arguments& args, const imatrix* importance);

}  // namespace examples
