// Losses of a model whose tensors are encoded in memory.
#pragma once

#include "common/imatrix.hpp"
#include "llama/divergence.hpp"
#include "llama/model.hpp"
#include "llama/prediction.hpp"
#include "sensitivity/journal.hpp"

#include <bpw/core/type_id.hpp>
#include <bpw/parallel.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace examples {

/// Tensors that change together.
struct tensor_group {
    std::string name;
    std::vector<const bpw::gguf::tensor*> tensors;

    [[nodiscard]] std::uint64_t weights() const;
};

/// How tensors are grouped.
struct grouping {
    std::vector<std::string> patterns;  ///< what one of these finds is a group; the first counts
    std::string rest = "tensor";        ///< the others: by `tensor`, `layer` or `role`
};

/// The tensors of a model that llama-quantize would encode, and in whose names a regex is found.
/// Throws bpw::error when there is none.
[[nodiscard]] std::vector<const bpw::gguf::tensor*> quantized_tensors(const bpw::gguf::file& file,
                                                                      const std::string& regex);

/// Throws bpw::error for a pattern that is none, or that finds no tensor which is still free.
[[nodiscard]] std::vector<tensor_group> group_tensors(
    std::span<const bpw::gguf::tensor* const> tensors, const grouping& how);

/// Where losses are measured: a model, a text, and what the model expects of it as it is.
class laboratory {
  public:
    /// All must outlive the laboratory. `importance` may be null. The model is the same again after
    /// each measurement.
    laboratory(llama::model& m, const llama::windows& text, const imatrix* importance,
               bpw::dialect project, bpw::threads& run);

    /// Throws bpw::error where one of the tensors cannot be encoded as this type: no encoder, rows
    /// that do not fit; and, unless `poor_too`, a type that is poor without importance.
    void expect_encodable(const tensor_group& group, bpw::type_id type, bool poor_too) const;

    /// The loss with the tensors of a group at a type, or at what is stored in its place.
    [[nodiscard]] loss measure(const tensor_group& group, bpw::type_id type);

    /// Predictions in one measurement.
    [[nodiscard]] std::uint64_t tokens() const { return text_.count() * llama::window_size; }
    /// The perplexity of the model as it is.
    [[nodiscard]] double base_perplexity() const { return llama::perplexity(base_); }

  private:
    [[nodiscard]] bpw::type_id stored(const bpw::gguf::tensor& t, bpw::type_id type) const;
    [[nodiscard]] std::vector<std::byte> encoded(const bpw::gguf::tensor& t, bpw::type_id type);

    llama::model& model_;
    const llama::windows& text_;
    const imatrix* importance_;
    bpw::dialect project_;
    bpw::threads& run_;
    llama::live_predictions base_;
};

}  // namespace examples
