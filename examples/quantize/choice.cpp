#include "quantize/choice.hpp"

#include "common/encode.hpp"
#include "common/program.hpp"
#include "plan/inputs.hpp"

#include <bpw/formats/repack.hpp>
#include <bpw/plan/budget.hpp>
#include <bpw/plan/custom_q.hpp>
#include <bpw/plan/gguf_source.hpp>
#include <bpw/plan/planner.hpp>
#include <bpw/plan/preset.hpp>
#include <bpw/plan/recipe.hpp>
#include <bpw/plan/stored_type.hpp>

#include <algorithm>
#include <utility>

namespace examples {
namespace {

namespace gguf = bpw::gguf;
namespace plan = bpw::plan;
using bpw::dialect;
using bpw::errc;
using bpw::type_id;

template <class... Parts>
[[noreturn]] void refuse(errc code, const Parts&... parts) {
    throw bpw::error(bpw::fail(code, parts...));
}

std::string text(type_id type) { return std::string(bpw::name(type)); }

// What was asked for one tensor.
struct wish {
    std::optional<type_id> type;  // nothing: as it is
    bool by_name = false;         // a rule that names tensors, not one for all
};

class chooser {
  public:
    chooser(const std::string& path, const gguf::file& model, const choice_arguments& args,
            const imatrix* importance)
        : path_(path),
          model_(model),
          args_(args),
          importance_(importance),
          project_(args.project == "mainline" ? dialect::mainline : dialect::ik) {
        for (const auto& t : model_.tensors()) {
            if (!t.type()) {
                refuse(errc::unknown_type, "tensor ", in_quotes(t), " has the type number ",
                       t.type_number(), ", whose size is not known; expected a known type");
            }
            preset_.push_back(
                {std::string(t.name()), {t.shape().begin(), t.shape().end()}, *t.type()});
            if (preset_.back().shape.empty()) preset_.back().shape.push_back(1);
        }
    }

    choice run() {
        for (const auto& list : args_.custom) {
            custom_ = plan::parse_custom_q(list, std::move(custom_)).value();
        }
        std::vector<wish> wishes(preset_.size());
        if (!args_.type.empty()) wish_type(wishes);
        if (!args_.recipe.empty()) wish_recipe(wishes);
        if (!args_.preset.empty()) wish_preset(wishes);
        if (!args_.plan.empty()) wish_plan(wishes);
        if (!args_.repack.empty()) wish_repack(wishes);
        wish_custom(wishes);
        wish_heads(wishes);
        choice out;
        std::size_t with_importance = 0;
        std::size_t encoded = 0;
        for (std::size_t i = 0; i < wishes.size(); ++i) {
            out.jobs.push_back(job_of(model_.tensors()[i], wishes[i]));
            if (out.jobs.back().how != step::encode || importance_ == nullptr) continue;
            ++encoded;
            if (importance_->entries.contains(preset_[i].name)) ++with_importance;
        }
        if (encoded != 0 && importance_ != nullptr && with_importance == 0) {
            refuse(errc::not_found, importance_->file, " has ", importance_->entries.size(),
                   " entries, but none for any of the ", encoded,
                   " tensors to be encoded; expected one of this model");
        }
        out.changed = std::move(changed_);
        return out;
    }

  private:
    static std::string in_quotes(const gguf::tensor& t) { return gguf::detail::quoted(t.name()); }

    void wish_type(std::vector<wish>& wishes) const {
        const auto type = bpw::type_from_name(args_.type).value();
        for (auto& w : wishes) w.type = type;
    }

    void wish_recipe(std::vector<wish>& wishes) {
        const auto recipe = plan::parse_recipe(read_file(args_.recipe), args_.recipe).value();
        std::vector<std::string> names;
        for (const auto& t : preset_) names.push_back(t.name);
        const auto types = plan::resolve(recipe, names).value();
        for (std::size_t i = 0; i < types.size(); ++i) {
            wishes[i].by_name = true;
            if (types[i] != type_id::f32) wishes[i].type = types[i];
        }
        name_idle(recipe.rules, plan::regex_syntax::ere, args_.recipe);
    }

    // Rules that no tensor's name matches are mostly misspelt.
    void name_idle(const std::vector<plan::recipe_rule>& rules, plan::regex_syntax syntax,
                   const std::string& source) {
        for (const auto& rule : rules) {
            const auto alone = plan::rule_index::make({rule}, syntax, source).value();
            const bool idle = std::none_of(preset_.begin(), preset_.end(), [&](const auto& t) {
                return alone.find(t.name).has_value();
            });
            if (idle) {
                changed_.add(gguf::detail::quoted(rule.regex),
                             "of " + source + " matches no tensor of this model");
            }
        }
    }

    plan::preset_model about() const {
        auto m = plan::describe(preset_);
        const auto& meta = model_.metadata();
        const auto architecture = meta.get<std::string>("general.architecture");
        if (!architecture) return m;
        m.architecture = *architecture;
        const auto number = [&](const char* key) -> std::uint64_t {
            const auto v = meta.get<std::uint64_t>(*architecture + key);
            return v ? *v : 0;
        };
        if (const auto n = number(".block_count")) m.layers = n;
        if (const auto n = number(".expert_count")) m.experts = n;
        const auto heads = number(".attention.head_count");
        const auto shared = number(".attention.head_count_kv");
        if (heads != 0 && shared != 0) m.heads_per_kv = heads / shared;
        return m;
    }

    void wish_preset(std::vector<wish>& wishes) {
        plan::preset_options o;
        o.project = project_;
        o.imatrix = importance_ != nullptr;
        o.pure = args_.pure;
        o.custom = custom_;
        if (!args_.token_embd.empty()) {
            o.token_embd = bpw::type_from_name(args_.token_embd).value();
        }
        if (!args_.output.empty()) o.output = bpw::type_from_name(args_.output).value();
        const auto mix = plan::find_preset(args_.preset, project_).value();
        const auto choices = plan::preset_choices(mix, about(), preset_, o).value();
        for (std::size_t i = 0; i < choices.size(); ++i) {
            if (!plan::detail::is_quantized(preset_[i], project_ == dialect::ik)) continue;
            wishes[i].type = choices[i].asked;
        }
    }

    void wish_plan(std::vector<wish>& wishes) {
        if (!custom_.empty()) {
            refuse(errc::unsupported,
                   "--custom-q cannot go with --plan, whose size it would change; expected one of "
                   "the two");
        }
        plan_arguments a;
        a.model = path_;
        a.calibration = args_.calibration;
        a.curve = args_.curve;
        a.project = args_.project;
        a.gpu.name = "GPU";
        a.cpu.name = "CPU";
        a.gpu.quants = args_.pool;
        auto size = plan::read_budget(args_.plan).value();
        // What a plan counts is tensors; a file has a header and padding too.
        if (size.kind == plan::budget::unit::bytes) {
            std::uint64_t other = 0;
            for (const auto& p : model_.parts()) other += p.data_offset();
            other += model_.alignment() * model_.tensors().size();
            size.bytes = size.bytes > other ? size.bytes - other : 0;
            a.gpu.size = std::to_string(size.bytes) + "B";
        } else {
            a.gpu.size = args_.plan;
        }
        const auto in = load_plan_inputs(a);
        for (const auto& n : in.notes) changed_.add("plan:", n);
        const auto made = plan::make_plan(in.model, in.calibration, in.curve, in.request).value();
        made.check_feasible().value();
        for (const auto& w : made.warnings) changed_.add("plan:", w);
        for (const auto& t : made.tensors) {
            const auto& name = in.model.tensors()[t.tensor].name;
            const auto at = std::find_if(preset_.begin(), preset_.end(),
                                         [&](const auto& p) { return p.name == name; });
            if (at == preset_.end() || t.why == plan::reason::kept) continue;
            wishes[static_cast<std::size_t>(at - preset_.begin())].type = t.type;
        }
    }

    void wish_repack(std::vector<wish>& wishes) {
        std::vector<type_id> listed;
        const bool interleave = args_.repack == "interleaved";
        if (!interleave && args_.repack != "base") {
            for (const auto piece : plan::split(args_.repack, ',')) {
                listed.push_back(bpw::type_from_name(plan::trimmed(piece)).value());
            }
        }
        bool any = false;
        for (std::size_t i = 0; i < wishes.size(); ++i) {
            const auto& t = preset_[i];
            const auto& from = bpw::info(t.source);
            std::optional<type_id> to;
            if (interleave) {
                if (from.quantized) to = bpw::interleaved_form(t.source);
            } else if (listed.empty()) {
                if (from.base) to = from.base;
            } else {
                for (const auto l : listed) {
                    if (bpw::can_repack(t.source, l)) to = l;
                }
            }
            if (!to) continue;
            any = true;
            wishes[i] = {to, false};
        }
        if (!any) {
            refuse(errc::not_found, "no tensor of ", path_, " can be repacked as ", args_.repack,
                   " without loss; expected a type and its form with interleaved rows");
        }
    }

    void wish_custom(std::vector<wish>& wishes) {
        if (custom_.empty()) return;
        const auto index =
            plan::rule_index::make(custom_, plan::regex_syntax::ecmascript, "--custom-q").value();
        bool any = false;
        for (std::size_t i = 0; i < wishes.size(); ++i) {
            const auto rule = index.find(preset_[i].name);
            if (!rule) continue;
            any = true;
            // The preset has looked at the list itself, and knows what the heads may be.
            if (args_.preset.empty()) wishes[i] = {custom_[*rule].type, true};
        }
        if (!any) {
            refuse(errc::not_found, "--custom-q matches none of the ", preset_.size(),
                   " tensors; expected a regex that is found in a tensor's name");
        }
        name_idle(custom_, plan::regex_syntax::ecmascript, "--custom-q");
    }

    void wish_heads(std::vector<wish>& wishes) const {
        if (!args_.preset.empty()) return;
        for (std::size_t i = 0; i < wishes.size(); ++i) {
            const auto& name = preset_[i].name;
            if (name == "token_embd.weight" && !args_.token_embd.empty()) {
                wishes[i] = {bpw::type_from_name(args_.token_embd).value(), true};
            }
            if (name == "output.weight" && !args_.output.empty()) {
                wishes[i] = {bpw::type_from_name(args_.output).value(), true};
            }
        }
    }

    job job_of(const gguf::tensor& t, const wish& w) {
        const std::string name(t.name());
        const auto from = *t.type();
        job j{&t, from, from, step::copy};
        if (!w.type || *w.type == from) return j;
        if (plan::is_never_quantized(name, t.shape().size())) {
            if (w.by_name) {
                changed_.add(name, "stays " + text(from) + " instead of " + text(*w.type) +
                                       ": tensors of this kind are never quantized");
            }
            return j;
        }
        const auto slice_rows = t.shape().size() < 2 ? 1 : t.shape()[1];
        j.to = plan::stored_type(*w.type, {name, t.cols(), slice_rows}, project_).value();
        if (j.to != *w.type) {
            const auto& asked = bpw::info(*w.type);
            std::string why = "its rows of " + std::to_string(t.cols()) +
                              " weights are no whole blocks of " + std::to_string(asked.block_size);
            if (t.cols() % asked.block_size == 0) {
                why = name == "token_embd.weight"
                          ? "rows of embeddings are not interleaved"
                          : "it has " + std::to_string(slice_rows) + " rows, no multiple of " +
                                std::to_string(asked.rows_interleaved);
            }
            changed_.add(name,
                         "becomes " + text(j.to) + " instead of " + text(*w.type) + ": " + why);
        }
        if (j.to == from) return j;
        if (bpw::can_repack(from, j.to)) {
            j.how = step::repack;
            return j;
        }
        if (!args_.repack.empty()) {
            // What a fallback would make of it is not the same weights any more.
            changed_.add(name, "stays " + text(from) + ": it cannot be repacked without loss");
            j.to = from;
            return j;
        }
        j.how = step::encode;
        check_encoding(t, j);
        return j;
    }

    void check_encoding(const gguf::tensor& t, const job& j) const {
        if (!can_encode(j.to)) {
            refuse(errc::unsupported, "tensor ", in_quotes(t), " cannot become ", bpw::name(j.to),
                   ": there is no encoder for that type");
        }
        if (bpw::info(j.from).quantized && bpw::info(j.to).quantized && !args_.requantize) {
            refuse(errc::unsupported, "tensor ", in_quotes(t), " is ", bpw::name(j.from),
                   " already; expected f32, f16 or bf16, for encoding it again as ",
                   bpw::name(j.to), " loses more than either (--requantize allows it)");
        }
        const bool known =
            importance_ != nullptr && importance_->entries.contains(std::string(t.name()));
        if (known || args_.without_importance) return;
        const auto& to = bpw::info(j.to);
        const bool head = t.name() == "token_embd.weight" || t.name() == "output.weight";
        const bool wanted =
            to.needs_importance || (to.base && bpw::info(*to.base).needs_importance);
        if (!wanted || head) return;
        refuse(errc::unsupported, "tensor ", in_quotes(t), " cannot become ", to.name,
               importance_ == nullptr ? " without an importance matrix"
                                      : ": the importance matrix has no entry for it",
               "; expected --imatrix FILE with one (--without-imatrix encodes it all the same)");
    }

    const std::string& path_;
    const gguf::file& model_;
    const choice_arguments& args_;
    const imatrix* importance_;
    dialect project_;
    std::vector<plan::preset_tensor> preset_;
    std::vector<plan::recipe_rule> custom_;
    remarks changed_;
};

}  // namespace

choice choose(const std::string& path, const gguf::file& model, const choice_arguments& args,
              const imatrix* importance) {
    return chooser(path, model, args, importance).run();
}

}  // namespace examples
