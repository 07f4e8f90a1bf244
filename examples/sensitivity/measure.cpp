#include "sensitivity/measure.hpp"

#include "common/encode.hpp"
#include "quantize/convert.hpp"

#include <bpw/plan/calibration.hpp>
#include <bpw/plan/model.hpp>
#include <bpw/plan/pattern.hpp>
#include <bpw/plan/stored_type.hpp>

#include <algorithm>
#include <cmath>

namespace examples {
namespace {

namespace gguf = bpw::gguf;
namespace plan = bpw::plan;
using bpw::errc;

template <class... Parts>
[[noreturn]] void refuse(errc code, const Parts&... parts) {
    throw bpw::error(bpw::fail(code, parts...));
}

std::string group_name(const gguf::tensor& t, const std::string& by) {
    if (by == "role") return std::string(plan::without_layer(t.name()));
    const auto layer = plan::layer_of(t.name());
    if (by == "layer" && layer) return "blk." + std::to_string(*layer);
    return std::string(t.name());
}

// Puts the matrices of a file back where others stood in their place.
class restored {
  public:
    explicit restored(llama::model& m) : model_(m) {}
    ~restored() {
        for (const auto* t : tensors_) {
            model_.replace(t->name(), model_.file().matrix(std::string(t->name())).value());
        }
    }
    restored(const restored&) = delete;
    restored& operator=(const restored&) = delete;

    void replace(const gguf::tensor& t, const bpw::any_matrix& m) {
        model_.replace(t.name(), m);
        tensors_.push_back(&t);
    }

  private:
    llama::model& model_;
    std::vector<const gguf::tensor*> tensors_;
};

}  // namespace

std::uint64_t tensor_group::weights() const {
    std::uint64_t n = 0;
    for (const auto* t : tensors) n += t->elements();
    return n;
}

std::vector<const gguf::tensor*> quantized_tensors(const gguf::file& file,
                                                   const std::string& regex) {
    const auto wanted = plan::pattern::compile(regex).value();
    std::vector<const gguf::tensor*> out;
    for (const auto& t : file.tensors()) {
        if (plan::is_never_quantized(t.name(), t.shape().size())) continue;
        if (wanted.search(t.name())) out.push_back(&t);
    }
    if (out.empty()) {
        refuse(errc::not_found, plan::quoted(regex),
               " finds none of the tensors that are quantized; expected a regex that is found in "
               "the name of one or more");
    }
    return out;
}

std::vector<tensor_group> group_tensors(std::span<const gguf::tensor* const> tensors,
                                        const grouping& how) {
    std::vector<tensor_group> groups;
    std::vector<plan::pattern> patterns;
    for (const auto& text : how.patterns) {
        patterns.push_back(plan::pattern::compile(text).value());
        groups.push_back({text, {}});
    }
    for (const auto* t : tensors) {
        const auto found = std::find_if(patterns.begin(), patterns.end(),
                                        [&](const auto& p) { return p.search(t->name()); });
        if (found != patterns.end()) {
            groups[static_cast<std::size_t>(found - patterns.begin())].tensors.push_back(t);
            continue;
        }
        const auto name = group_name(*t, how.rest);
        auto at = std::find_if(groups.begin() + static_cast<std::ptrdiff_t>(patterns.size()),
                               groups.end(), [&](const auto& g) { return g.name == name; });
        if (at == groups.end()) at = groups.insert(groups.end(), {name, {}});
        at->tensors.push_back(t);
    }
    for (const auto& g : groups) {
        if (!g.tensors.empty()) continue;
        refuse(errc::not_found, plan::quoted(g.name),
               " finds no tensor that no earlier pattern has found; expected a regex that is found "
               "in the name of one or more");
    }
    return groups;
}

laboratory::laboratory(llama::model& m, const llama::windows& text, const imatrix* importance,
                       bpw::dialect project, bpw::threads& run)
    : model_(m),
      text_(text),
      importance_(importance),
      project_(project),
      run_(run),
      base_(m, text, run) {}

bpw::type_id laboratory::stored(const gguf::tensor& t, bpw::type_id type) const {
    const auto slice_rows = t.shape().size() < 2 ? 1 : t.shape()[1];
    return plan::stored_type(type, {t.name(), t.cols(), slice_rows}, project_).value();
}

void laboratory::expect_encodable(const tensor_group& group, bpw::type_id type,
                                  bool poor_too) const {
    for (const auto* t : group.tensors) {
        const auto to = stored(*t, type);
        if (to != *t->type() && !can_encode(to)) {
            refuse(errc::unsupported, "there is no encoder for ", bpw::name(to),
                   "; expected another type");
        }
        const bool known =
            importance_ != nullptr && importance_->entries.contains(std::string(t->name()));
        if (known || poor_too) continue;
        if (t->name() == "token_embd.weight" || t->name() == "output.weight") continue;
        const auto objection = plan::importance_objection(t->name(), to);
        if (objection.empty()) continue;
        refuse(errc::unsupported, objection,
               "; expected --imatrix FILE with an entry for it (--without-imatrix encodes it all "
               "the same)");
    }
}

std::vector<std::byte> laboratory::encoded(const gguf::tensor& t, bpw::type_id type) {
    std::vector<std::byte> bytes;
    bytes.reserve(static_cast<std::size_t>(bpw::tensor_bytes(type, t.rows(), t.cols()).value()));
    type_result ignored;
    convert(
        {&t, *t.type(), type, step::encode}, importance_, {}, run_, [](std::uint64_t) {}, ignored,
        [&](std::span<const std::byte> some) {
            bytes.insert(bytes.end(), some.begin(), some.end());
        });
    return bytes;
}

loss laboratory::measure(const tensor_group& group, bpw::type_id type) {
    std::vector<std::vector<std::byte>> memory;
    restored changed(model_);
    for (const auto* t : group.tensors) {
        const auto to = stored(*t, type);
        if (to == *t->type()) continue;
        memory.push_back(encoded(*t, to));
        changed.replace(*t, {to, memory.back(), t->rows(), t->cols()});
    }
    const auto p = llama::examine(model_, text_, &base_, run_);
    std::vector<double> worse(p.surprise.size());
    for (std::size_t i = 0; i < worse.size(); ++i) worse[i] = p.surprise[i] - p.base_surprise[i];
    const auto log_ratio = mean_of(worse, llama::window_size);
    return {mean_of(p.divergence, llama::window_size),
            {std::expm1(log_ratio.mean), std::exp(log_ratio.mean) * log_ratio.error}};
}

}  // namespace examples
