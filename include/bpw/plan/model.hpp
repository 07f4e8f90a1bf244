// The tensors of a model and what each becomes when a type is asked for.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/core/type_id.hpp>
#include <bpw/formats/registry.hpp>
#include <bpw/plan/stored_type.hpp>
#include <bpw/plan/tensor_map.hpp>
#include <bpw/plan/text.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

BPW_NAMESPACE_BEGIN
namespace plan {

/// A tensor to be planned.
struct model_tensor {
    std::string name;
    std::vector<std::uint64_t> shape;  ///< the first dimension is the row length; none is empty
    std::uint64_t elements;
    type_id type;         ///< in the unquantized set
    std::uint64_t bytes;  ///< in the unquantized set
    bool kept;            ///< never quantized: norms, biases, and whatever is stored as f32

    [[nodiscard]] std::uint64_t cols() const noexcept { return shape.front(); }
    [[nodiscard]] std::uint64_t rows() const noexcept { return elements / shape.front(); }
    [[nodiscard]] std::uint64_t slice_rows() const noexcept {
        return shape.size() < 2 ? 1 : shape[1];
    }
};

/// How asked types become stored types where no map says it.
struct storage_rules {
    dialect project = dialect::ik;  ///< whose llama-quantize will make the file
    bool fallback = true;           ///< false: every tensor is taken to be what was asked for
};

/// What a tensor becomes.
struct stored_tensor {
    type_id type;
    std::uint64_t bytes;  ///< exact, row headers included
    bool computed;        ///< from the rules; false: a map says so
};

/// Whether llama-quantize leaves a tensor of this name and number of dimensions as it is.
[[nodiscard]] inline bool is_never_quantized(std::string_view name, std::size_t dimensions) {
    const auto has = [&](std::string_view part) { return name.find(part) != name.npos; };
    return dimensions < 2 || !name.ends_with("weight") || has("_norm.weight") ||
           has("ffn_gate_inp.weight") || has("ssm_conv1d") || has("position_embd") ||
           has("token_types") || has("pos_embd");
}

/// A model: its tensors, and the maps of its published quantizations.
class model {
  public:
    explicit model(std::string name = {}) : name_(std::move(name)) {}

    /// The model of the map of the unquantized set, usually `tensors.bf16.map`. Tensors that are
    /// f32 there are kept.
    [[nodiscard]] static model from_map(tensor_map map) {
        model m(map.last_shard);
        for (const auto& t : map.tensors) {
            m.add({t.name, t.shape, t.elements, t.type, t.bytes, t.type == type_id::f32});
        }
        m.source_ = std::move(map);
        return m;
    }

    /// Adds a tensor behind the others. Its name must be new.
    void add(model_tensor t) {
        positions_.emplace(t.name, tensors_.size());
        tensors_.push_back(std::move(t));
    }

    /// Says what `asked` becomes, by the map of a published set. Errors: `size_mismatch` where a
    /// tensor of the map has another shape than the model's.
    [[nodiscard]] result<void> add_map(type_id asked, tensor_map map) {
        for (const auto& t : tensors_) {
            const auto* other = map.find(t.name);
            if (other != nullptr && other->elements != t.elements) {
                return fail_at({map.file}, errc::size_mismatch, "tensor ", quoted(t.name), " has ",
                               other->elements, " weights; expected ", t.elements,
                               " as in the unquantized set");
            }
        }
        maps_.insert_or_assign(asked, std::move(map));
        return {};
    }

    /// Keeps only these tensors, in this order. Errors: `not_found`.
    [[nodiscard]] result<void> select(const std::vector<std::string>& names) {
        std::vector<model_tensor> chosen;
        for (const auto& n : names) {
            const auto* t = find(n);
            if (t == nullptr) {
                return fail(errc::not_found, "the model has no tensor ", quoted(n));
            }
            chosen.push_back(*t);
        }
        tensors_.clear();
        positions_.clear();
        for (auto& t : chosen) add(std::move(t));
        return {};
    }

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] const std::vector<model_tensor>& tensors() const noexcept { return tensors_; }
    [[nodiscard]] const model_tensor* find(const std::string& name) const {
        const auto at = positions_.find(name);
        return at == positions_.end() ? nullptr : &tensors_[at->second];
    }
    /// The map of the unquantized set, where the model came from one.
    [[nodiscard]] const tensor_map& source() const noexcept { return source_; }
    /// The map of a published type; null where there is none.
    [[nodiscard]] const tensor_map* map_of(type_id asked) const {
        if (asked == type_id::bf16 && !source_.tensors.empty()) return &source_;
        const auto at = maps_.find(asked);
        return at == maps_.end() ? nullptr : &at->second;
    }

    /// What a tensor becomes when a type is asked for: what the type's map lists, otherwise what
    /// the rules say. f32 means the tensor as it is in the unquantized set.
    ///
    /// Errors: those of stored_type; `overflow`.
    [[nodiscard]] result<stored_tensor> stored(const model_tensor& t, type_id asked,
                                               const storage_rules& rules = {}) const {
        if (t.kept || asked == type_id::f32) return stored_tensor{t.type, t.bytes, false};
        const auto* map = map_of(asked);
        const auto* listed = map == nullptr ? nullptr : map->find(t.name);
        if (listed != nullptr && (rules.fallback || listed->type == asked)) {
            return stored_tensor{listed->type, listed->bytes, false};
        }
        auto type = asked;
        if (rules.fallback) {
            const auto found =
                stored_type(asked, {t.name, t.cols(), t.slice_rows()}, rules.project);
            if (!found) return found.error();
            type = *found;
        }
        const auto size = size_of(info(type), t.rows(), t.elements);
        if (!size) {
            return fail(errc::overflow, "tensor ", quoted(t.name), " takes more bytes as ",
                        bpw::name(type), " than 64 bits can count");
        }
        return stored_tensor{type, size->exact, true};
    }

  private:
    std::string name_;
    std::vector<model_tensor> tensors_;
    std::unordered_map<std::string, std::size_t> positions_;
    tensor_map source_;
    std::map<type_id, tensor_map> maps_;
};

}  // namespace plan
BPW_NAMESPACE_END
