// A model of the Llama architecture in a GGUF file: its hyperparameters and where its weights lie.
#pragma once

#include <bpw/core/matrix.hpp>
#include <bpw/gguf.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

namespace llama {

struct hyperparameters {
    std::size_t context = 0;     ///< tokens that the model was trained to look back on
    std::size_t vocabulary = 0;  ///< tokens that exist
    std::size_t width = 0;       ///< floats of a token's state
    std::size_t layers = 0;
    std::size_t heads = 0;      ///< query heads
    std::size_t kv_heads = 0;   ///< key and value heads; each serves heads / kv_heads query heads
    std::size_t head_size = 0;  ///< width / heads
    std::size_t hidden = 0;     ///< width of the feed-forward part
    float norm_epsilon = 0;
    float rope_base = 0;

    /// Floats of the keys, and of the values, of one token in one layer.
    [[nodiscard]] std::size_t kv_width() const { return kv_heads * head_size; }
};

/// The weights of one layer. Matrices stay quantized, in the file; norms are small and decoded.
struct layer {
    std::vector<float> attention_norm;
    bpw::any_matrix query;
    bpw::any_matrix key;
    bpw::any_matrix value;
    bpw::any_matrix attention_output;
    std::vector<float> feed_forward_norm;
    bpw::any_matrix gate;
    bpw::any_matrix up;
    bpw::any_matrix down;
};

/// An opened model. Every tensor may have another quant type.
class model {
  public:
    /// Opens a GGUF file. Throws bpw::error when it is no Llama model that the forward pass in
    /// session.hpp computes rightly: another architecture, a missing hyperparameter or tensor, a
    /// shape that contradicts the hyperparameters, a tensor that would be left out.
    explicit model(const std::filesystem::path& path);

    [[nodiscard]] const bpw::gguf::file& file() const { return file_; }
    [[nodiscard]] const hyperparameters& size() const { return size_; }
    [[nodiscard]] const bpw::any_matrix& embedding() const { return embedding_; }
    [[nodiscard]] const std::vector<layer>& layers() const { return layers_; }
    [[nodiscard]] const std::vector<float>& output_norm() const { return output_norm_; }
    /// The embedding, where the file has no matrix of its own for the output.
    [[nodiscard]] const bpw::any_matrix& output() const { return output_; }

    /// Puts another matrix of the same shape in the place of a tensor; its bytes must live as long
    /// as the model, or until the tensor is replaced again. Throws bpw::error: `not_found` for a
    /// tensor that is no matrix of the forward pass, `bad_shape`.
    void replace(std::string_view name, const bpw::any_matrix& m);

    /// Bytes of all tensors of the file.
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    /// Weights of all tensors.
    [[nodiscard]] std::uint64_t weights() const { return weights_; }
    [[nodiscard]] double bits_per_weight() const {
        return 8.0 * static_cast<double>(bytes_) / static_cast<double>(weights_);
    }

  private:
    [[nodiscard]] bpw::any_matrix* find(std::string_view name);

    bpw::gguf::file file_;
    hyperparameters size_;
    bpw::any_matrix embedding_{};
    std::vector<layer> layers_;
    std::vector<float> output_norm_;
    bpw::any_matrix output_{};
    std::uint64_t bytes_ = 0;
    std::uint64_t weights_ = 0;
};

}  // namespace llama
