// How large a model becomes by a recipe.
#pragma once

#include <bpw/core/checked.hpp>
#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/core/type_id.hpp>
#include <bpw/plan/model.hpp>
#include <bpw/plan/recipe.hpp>
#include <bpw/plan/stored_type.hpp>
#include <bpw/plan/text.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

BPW_NAMESPACE_BEGIN
namespace plan {

/// What a recipe makes of one tensor.
struct recipe_tensor {
    std::string name;
    type_id asked;   ///< f32: as it is in the unquantized model
    type_id stored;  ///< what llama-quantize makes of it
    std::uint64_t elements;
    std::uint64_t bytes;  ///< exact, row headers included
};

/// All tensors of one stored type together.
struct recipe_type_total {
    type_id type;
    std::size_t tensors = 0;
    std::uint64_t elements = 0;
    std::uint64_t bytes = 0;
};

/// The size of a model made by a recipe.
struct recipe_size {
    std::vector<recipe_tensor> tensors;    ///< in the model's order
    std::vector<recipe_type_total> types;  ///< by falling bits per weight
    std::uint64_t elements = 0;
    std::uint64_t bytes = 0;

    [[nodiscard]] double bits_per_weight() const {
        return 8 * static_cast<double>(bytes) / static_cast<double>(elements);
    }
};

/// Adds up what a recipe makes of a model. Errors: `not_found` for a tensor that no line matches;
/// those of model::stored; `overflow`.
[[nodiscard]] inline result<recipe_size> size_of_recipe(const recipe& r, const model& m,
                                                        const storage_rules& rules = {}) {
    std::vector<std::string> names;
    for (const auto& tensor : m.tensors()) names.push_back(tensor.name);
    const auto types = resolve(r, names);
    if (!types) return types.error();
    recipe_size out;
    for (std::size_t i = 0; i < names.size(); ++i) {
        const auto& tensor = m.tensors()[i];
        const auto stored = m.stored(tensor, (*types)[i], rules);
        if (!stored) return stored.error();
        out.tensors.push_back(
            {tensor.name, (*types)[i], stored->type, tensor.elements, stored->bytes});
        const auto bytes = checked_add(out.bytes, stored->bytes);
        const auto elements = checked_add(out.elements, tensor.elements);
        if (!bytes || !elements) {
            return fail(errc::overflow, "the tensors up to ", quoted(tensor.name),
                        " together take more bytes than 64 bits can count");
        }
        out.bytes = *bytes;
        out.elements = *elements;
        auto at = std::find_if(out.types.begin(), out.types.end(),
                               [&](const auto& total) { return total.type == stored->type; });
        if (at == out.types.end()) at = out.types.insert(at, {stored->type, 0, 0, 0});
        at->tensors += 1;
        at->elements += tensor.elements;
        at->bytes += stored->bytes;
    }
    std::sort(out.types.begin(), out.types.end(),
              [](const auto& a, const auto& b) { return larger_type(a.type, b.type); });
    return out;
}

}  // namespace plan
BPW_NAMESPACE_END
