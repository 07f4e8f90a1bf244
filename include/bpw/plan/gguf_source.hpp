// The tensors of a GGUF file as the planner's model. The only header of the planner that knows the
// GGUF reader.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/gguf.hpp>
#include <bpw/plan/model.hpp>
#include <bpw/plan/text.hpp>

#include <cstdint>
#include <string>
#include <utility>

BPW_NAMESPACE_BEGIN
namespace plan {

/// The model of a GGUF file, or of all parts of a split one: names and shapes count, the types that
/// the tensors have there do not. Tensors that llama-quantize never quantizes are kept as they are.
///
/// Errors: `unknown_type` for a tensor whose type, and so whose size, is not known.
[[nodiscard]] inline result<model> model_of(const gguf::file& file) {
    std::string name;
    if (const auto value = file.metadata().get<std::string>("general.name")) name = *value;
    model m(name);
    for (const auto& t : file.tensors()) {
        if (!t.type() || !t.size()) {
            return fail(errc::unknown_type, "tensor ", quoted(t.name()), " has the type number ",
                        t.type_number(), ", whose size is not known");
        }
        model_tensor tensor{std::string(t.name()), {}, t.elements(), *t.type(), *t.size(), false};
        for (const auto n : t.shape()) tensor.shape.push_back(n);
        if (tensor.shape.empty()) tensor.shape.push_back(1);
        tensor.kept = is_never_quantized(t.name(), t.shape().size());
        m.add(std::move(tensor));
    }
    return m;
}

/// The share of the experts that a token uses, of the GGUF file of a mixture of experts; 1 for
/// other models.
[[nodiscard]] inline double expert_share(const gguf::file& file) {
    const auto architecture = file.metadata().get<std::string>("general.architecture");
    if (!architecture) return 1;
    const auto all = file.metadata().get<std::uint64_t>(*architecture + ".expert_count");
    const auto used = file.metadata().get<std::uint64_t>(*architecture + ".expert_used_count");
    if (!all || !used || *all == 0 || *used > *all) return 1;
    return static_cast<double>(*used) / static_cast<double>(*all);
}

}  // namespace plan
BPW_NAMESPACE_END
