// What a tensor really becomes when a type is asked for.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/core/type_id.hpp>
#include <bpw/formats/registry.hpp>
#include <bpw/plan/text.hpp>

#include <cstdint>
#include <string>
#include <string_view>

BPW_NAMESPACE_BEGIN
namespace plan {

/// The shape that matters for storage.
struct stored_shape {
    std::string_view name;     ///< of the tensor
    std::uint64_t cols;        ///< row length
    std::uint64_t slice_rows;  ///< rows of one matrix of the tensor, its second dimension
};

/// The order in which reports list types: falling bits per weight, then row headers, then names.
[[nodiscard]] inline bool larger_type(type_id a, type_id b) {
    const auto& x = info(a);
    const auto& y = info(b);
    if (x.bits_per_weight != y.bits_per_weight) return x.bits_per_weight > y.bits_per_weight;
    if (x.row_header_bytes != y.row_header_bytes) return x.row_header_bytes > y.row_header_bytes;
    return x.name > y.name;
}

/// The type that llama-quantize of a project stores when `asked` is asked for: where rows are not
/// whole blocks the type that the project falls back to; the base type where rows cannot be
/// interleaved, because a matrix has not a multiple of so many or because it is
/// `token_embd.weight`. `any` means ik_llama.cpp's rules.
///
/// Errors: `bad_shape` where the project refuses the row length. (llama.cpp stores f16 instead.)
[[nodiscard]] inline result<type_id> stored_type(type_id asked, const stored_shape& shape,
                                                 dialect project = dialect::ik) {
    const auto* type = find_info(asked);
    if (type == nullptr) return bpw::detail::not_a_type(asked);
    if (type->base &&
        (shape.slice_rows % type->rows_interleaved != 0 || shape.name == "token_embd.weight")) {
        type = &info(*type->base);
    }
    // A fallback is never followed by more than one other.
    for (int step = 0; step < 4; ++step) {
        if (shape.cols % type->block_size == 0) return type->id;
        const auto& home = type->base ? info(*type->base) : *type;
        const auto next = project == dialect::mainline ? home.fallback_mainline : home.fallback_ik;
        if (!next) break;
        type = &info(*next);
    }
    if (project == dialect::mainline) return type_id::f16;
    return fail(errc::bad_shape, "tensor ", quoted(shape.name), " has rows of ", shape.cols,
                " weights, which ", name(asked), " cannot hold and nothing replaces");
}

/// What llama-quantize or a map converter would refuse without an importance matrix; empty where
/// neither does.
[[nodiscard]] inline std::string importance_objection(std::string_view tensor, type_id type) {
    const auto& i = info(type);
    const bool head = tensor == "token_embd.weight" || tensor == "output.weight";
    const auto& base = i.base ? info(*i.base) : i;
    const bool wanted = i.needs_importance || base.needs_importance;
    if (wanted && !head) {
        return fail(errc::unsupported, "tensor ", quoted(tensor), " cannot be made ", i.name,
                    " without an importance matrix: llama-quantize refuses it")
            .message;
    }
    if (head && (wanted || base.id == type_id::iq2_ks || base.id == type_id::iq2_k)) {
        return fail(errc::unsupported, "tensor ", quoted(tensor), " as ", i.name,
                    " is poor without an importance matrix: map converters refuse it")
            .message;
    }
    return {};
}

}  // namespace plan
BPW_NAMESPACE_END
