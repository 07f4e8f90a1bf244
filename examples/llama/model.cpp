#include "llama/model.hpp"

#include "common/kernels.hpp"

#include <cmath>
#include <set>
#include <string>
#include <string_view>

namespace llama {

namespace {

template <class... Parts>
[[noreturn]] void refuse(bpw::errc code, const Parts&... parts) {
    throw bpw::error(bpw::fail(code, parts...));
}

// The hyperparameters of a file, checked against each other.
hyperparameters read_size(const bpw::gguf::file& file) {
    const auto& metadata = file.metadata();
    const auto architecture = metadata.get<std::string>("general.architecture").value();
    if (architecture != "llama") {
        refuse(bpw::errc::unsupported, "the model's architecture is '", architecture,
               "'; expected 'llama'");
    }
    // Counts above this have never been, and products of two stay within 64 bits.
    constexpr std::uint32_t most = 1u << 24;
    const auto checked = [&](std::string_view key, std::uint32_t n) -> std::size_t {
        if (n == 0 || n > most) {
            refuse(bpw::errc::malformed, "metadata key '", key, "' is ", n, "; expected 1 to ",
                   most);
        }
        return n;
    };
    const auto count = [&](std::string_view key) {
        return checked(key, metadata.get<std::uint32_t>(key).value());
    };
    const auto count_or = [&](std::string_view key, std::size_t otherwise) {
        const auto usual = static_cast<std::uint32_t>(otherwise);
        return checked(key, metadata.get_or<std::uint32_t>(key, usual).value());
    };

    hyperparameters s;
    s.context = count("llama.context_length");
    s.width = count("llama.embedding_length");
    s.layers = count("llama.block_count");
    s.hidden = count("llama.feed_forward_length");
    s.heads = count("llama.attention.head_count");
    s.kv_heads = count_or("llama.attention.head_count_kv", s.heads);
    s.norm_epsilon = metadata.get<float>("llama.attention.layer_norm_rms_epsilon").value();
    s.rope_base = metadata.get_or<float>("llama.rope.freq_base", 10000.0f).value();
    s.vocabulary = static_cast<std::size_t>(file.get("token_embd.weight").value().rows());

    if (s.width % s.heads != 0 || s.width / s.heads % 2 != 0) {
        refuse(bpw::errc::malformed, "a width of ", s.width, " does not divide into ", s.heads,
               " heads of an even size");
    }
    s.head_size = s.width / s.heads;
    if (s.heads % s.kv_heads != 0) {
        refuse(bpw::errc::malformed, s.heads, " query heads do not divide among ", s.kv_heads,
               " key and value heads");
    }
    if (!(s.norm_epsilon >= 0 && s.norm_epsilon < 1)) {
        refuse(bpw::errc::malformed,
               "metadata key 'llama.attention.layer_norm_rms_epsilon' is not between 0 and 1");
    }
    if (!(s.rope_base > 1) || !std::isfinite(s.rope_base)) {
        refuse(bpw::errc::malformed, "metadata key 'llama.rope.freq_base' is not above 1");
    }
    for (const std::string_view key : {"llama.rope.dimension_count", "llama.attention.key_length",
                                       "llama.attention.value_length"}) {
        if (const auto n = count_or(key, s.head_size); n != s.head_size) {
            refuse(bpw::errc::unsupported, "metadata key '", key, "' is ", n, "; expected ",
                   s.head_size, ", the size of a head");
        }
    }
    if (metadata.get_or<std::string>("llama.rope.scaling.type", "none").value() != "none") {
        refuse(bpw::errc::unsupported,
               "metadata key 'llama.rope.scaling.type' is not 'none'; this program has no scaling");
    }
    return s;
}

// Hands out tensors by name and remembers which are left.
class tensors {
  public:
    explicit tensors(const bpw::gguf::file& file) : file_(file) {
        for (const auto& t : file.tensors()) left_.insert(t.name());
    }

    [[nodiscard]] bool has(std::string_view name) const { return file_.find(name) != nullptr; }

    bpw::any_matrix matrix(const std::string& name, std::size_t rows, std::size_t cols) {
        const auto m = file_.matrix(name).value();
        if (m.rows != rows || m.cols != cols) {
            refuse(bpw::errc::bad_shape, "tensor '", name, "' has ", m.rows, " rows of ", m.cols,
                   "; expected ", rows, " of ", cols, " by the model's hyperparameters");
        }
        left_.erase(name);
        return m;
    }

    std::vector<float> vector(const std::string& name, std::size_t length) {
        const auto m = matrix(name, 1, length);
        std::vector<float> floats(length);
        examples::decode_row(m, 0, floats);
        return floats;
    }

    // A bias or a table of frequencies that is not used would silently give wrong results.
    void expect_none_left() const {
        if (left_.empty()) return;
        refuse(bpw::errc::unsupported, "tensor '", *left_.begin(),
               "' is no part of the forward pass of this program; expected a plain Llama model");
    }

  private:
    const bpw::gguf::file& file_;
    std::set<std::string_view> left_;
};

}  // namespace

model::model(const std::filesystem::path& path)
    : file_(bpw::gguf::file::open(path)), size_(read_size(file_)) {
    tensors from(file_);
    const auto& s = size_;
    embedding_ = from.matrix("token_embd.weight", s.vocabulary, s.width);
    for (std::size_t i = 0; i < s.layers; ++i) {
        const auto name = [&](const char* part) {
            return "blk." + std::to_string(i) + "." + part + ".weight";
        };
        layer l;
        l.attention_norm = from.vector(name("attn_norm"), s.width);
        l.query = from.matrix(name("attn_q"), s.width, s.width);
        l.key = from.matrix(name("attn_k"), s.kv_width(), s.width);
        l.value = from.matrix(name("attn_v"), s.kv_width(), s.width);
        l.attention_output = from.matrix(name("attn_output"), s.width, s.width);
        l.feed_forward_norm = from.vector(name("ffn_norm"), s.width);
        l.gate = from.matrix(name("ffn_gate"), s.hidden, s.width);
        l.up = from.matrix(name("ffn_up"), s.hidden, s.width);
        l.down = from.matrix(name("ffn_down"), s.width, s.hidden);
        layers_.push_back(std::move(l));
    }
    output_norm_ = from.vector("output_norm.weight", s.width);
    output_ = from.has("output.weight") ? from.matrix("output.weight", s.vocabulary, s.width)
                                        : embedding_;
    from.expect_none_left();
    for (const auto& t : file_.tensors()) {
        bytes_ += *t.size();
        weights_ += t.elements();
    }
}

bpw::any_matrix* model::find(std::string_view name) {
    if (name == "token_embd.weight") return &embedding_;
    if (name == "output.weight" && file_.find(name) != nullptr) return &output_;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
        const auto prefix = "blk." + std::to_string(i) + ".";
        if (!name.starts_with(prefix)) continue;
        const auto part = name.substr(prefix.size());
        auto& l = layers_[i];
        if (part == "attn_q.weight") return &l.query;
        if (part == "attn_k.weight") return &l.key;
        if (part == "attn_v.weight") return &l.value;
        if (part == "attn_output.weight") return &l.attention_output;
        if (part == "ffn_gate.weight") return &l.gate;
        if (part == "ffn_up.weight") return &l.up;
        if (part == "ffn_down.weight") return &l.down;
    }
    return nullptr;
}

void model::replace(std::string_view name, const bpw::any_matrix& m) {
    auto* const old = find(name);
    if (old == nullptr) {
        refuse(bpw::errc::not_found, "tensor '", name, "' is no matrix of this model");
    }
    if (m.rows != old->rows || m.cols != old->cols) {
        refuse(bpw::errc::bad_shape, "tensor '", name, "' was to be replaced by ", m.rows,
               " rows of ", m.cols, "; expected ", old->rows, " of ", old->cols);
    }
    *old = m;
    if (name == "token_embd.weight" && file_.find("output.weight") == nullptr) output_ = m;
}

}  // namespace llama
