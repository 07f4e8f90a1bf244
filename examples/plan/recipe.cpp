// plan recipe: merges, expands, measures, converts and makes recipes.
#include "plan/commands.hpp"

#include "common/program.hpp"
#include "common/remarks.hpp"
#include "common/text.hpp"
#include "plan/plot.hpp"

#include <bpw/core/error.hpp>
#include <bpw/gguf.hpp>
#include <bpw/plan/custom_q.hpp>
#include <bpw/plan/gguf_source.hpp>
#include <bpw/plan/preset.hpp>
#include <bpw/plan/recipe_merge.hpp>
#include <bpw/plan/recipe_size.hpp>
#include <bpw/plan/sha256.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace examples {
namespace {

using namespace bpw::plan;
using bpw::dialect;
using bpw::errc;
using bpw::type_id;

// A file, or standard input for "-".
std::string read_text(const std::string& path) {
    if (path != "-") return read_file(path);
    return {std::istreambuf_iterator<char>(std::cin), {}};
}

recipe load_recipe(const std::string& path) { return parse_recipe(read_text(path), path).value(); }

// A model, and what its metadata says where it comes from a GGUF file.
struct source {
    model tensors;
    preset_model about;
    std::vector<preset_tensor> preset;
};

bool is_gguf(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    char magic[4] = {};
    in.read(magic, 4);
    return in.gcount() == 4 && std::string_view(magic, 4) == "GGUF";
}

source load_model(const std::string& path) {
    source s;
    std::optional<bpw::gguf::file> file;
    if (is_gguf(path)) {
        file = bpw::gguf::file::try_open(path).value();
        s.tensors = model_of(*file).value();
    } else {
        s.tensors = model::from_map(read_tensor_map(read_file(path), path).value());
    }
    for (const auto& t : s.tensors.tensors()) s.preset.push_back({t.name, t.shape, t.type});
    s.about = describe(s.preset);
    if (file) {
        const auto& meta = file->metadata();
        const auto architecture = meta.get<std::string>("general.architecture");
        if (architecture) s.about.architecture = *architecture;
        const auto number = [&](const char* key) -> std::optional<std::uint64_t> {
            if (!architecture) return std::nullopt;
            const auto v = meta.get<std::uint64_t>(*architecture + key);
            return v ? std::optional(*v) : std::nullopt;
        };
        if (const auto n = number(".block_count")) s.about.layers = *n;
        if (const auto n = number(".expert_count"); n && *n != 0) s.about.experts = *n;
        const auto heads = number(".attention.head_count");
        const auto shared = number(".attention.head_count_kv");
        if (heads && shared && *shared != 0) s.about.heads_per_kv = *heads / *shared;
    }
    return s;
}

// The model's own name in that of a published shard:
// MODEL-MAKER-BF16-SPECIAL_TENSOR-00399-of-00399.
std::string base_name(std::string name) {
    const auto shard = name.find("-SPECIAL_TENSOR-");
    if (shard == name.npos) return name;
    name.resize(shard);
    for (int part = 0; part < 2; ++part) {
        if (const auto dash = name.find_last_of('-'); dash != name.npos) name.resize(dash);
    }
    return name;
}

void print(const remarks& all) {
    for (const auto& sentence : all.sentences()) std::cerr << "plan recipe: " << sentence << '\n';
}

dialect project_of(const std::string& name) {
    return name == "mainline" ? dialect::mainline : dialect::ik;
}

struct arguments {
    std::string file;
    std::vector<std::string> files;
    std::string producer = "bpw";
    std::string model_name;
    std::string link;
    std::string user = "USER";
    std::optional<double> perplexity;
    std::string source;
    std::vector<std::string> maps;
    std::string project = "ik";
    bool no_fallback = false;
    bool json = false;
    bool no_f32 = false;
    std::vector<std::string> lists;
    std::string preset;
    std::string architecture;
    bool imatrix = false;
    bool pure = false;
    bool older = false;
    std::string token_embd;
    std::string output;
    std::string picture;
};

void merge(const arguments& a) {
    std::cout << write_merged(load_recipe(a.file), {a.producer, a.model_name, a.link}).value();
}

void expand(const arguments& a) {
    std::cout << write_rules(expand_rules(load_recipe(a.file).rules).value());
}

void print_name(const arguments& a) {
    const auto r = load_recipe(a.file);
    const auto totals = totals_of(r.summary);
    const auto hash = totals.command.empty() ? std::string() : sha256_hex(totals.command);
    const auto& name = a.model_name.empty() ? r.model : a.model_name;
    std::cout << recipe_file_name({name.empty() ? "model" : name, a.user, a.perplexity, hash},
                                  totals)
              << '\n';
}

void to_custom_q(const arguments& a) {
    auto rules = load_recipe(a.file).rules;
    if (a.no_f32) {
        rules.erase(std::remove_if(rules.begin(), rules.end(),
                                   [](const auto& rule) { return rule.type == type_id::f32; }),
                    rules.end());
    }
    std::cout << write_custom_q(rules, a.file).value() << '\n';
}

void from_custom_q(const arguments& a) {
    std::vector<recipe_rule> rules;
    for (const auto& list : a.lists) rules = parse_custom_q(list, std::move(rules)).value();
    std::cout << write_rules(recipe_rules_of(std::move(rules)).value());
}

void print_size(const recipe_size& size, std::ostream& out) {
    using align = table::align;
    table t({{"type"},
             {"tensors", align::right},
             {"weights", align::right},
             {"size", align::right},
             {"share", align::right},
             {"bits per weight", align::right}});
    const auto all = static_cast<double>(size.bytes);
    const auto bits = [](std::uint64_t bytes, std::uint64_t weights) {
        return bpw::plan::fixed(8 * static_cast<double>(bytes) / static_cast<double>(weights), 4);
    };
    for (const auto& type : size.types) {
        t.add({std::string(bpw::name(type.type)), std::to_string(type.tensors),
               std::to_string(type.elements), readable_size(type.bytes),
               bpw::plan::fixed(100 * static_cast<double>(type.bytes) / all, 2) + " %",
               bits(type.bytes, type.elements)});
    }
    t.rule();
    t.add({"all", std::to_string(size.tensors.size()), std::to_string(size.elements),
           readable_size(size.bytes), "100.00 %", bits(size.bytes, size.elements)});
    t.print(out);
}

void measure(const arguments& a) {
    const auto r = load_recipe(a.file);
    auto s = load_model(a.source);
    for (const auto& path : a.maps) {
        const auto pieces = split(path.substr(path.find_last_of('/') + 1), '.');
        const auto type = bpw::type_from_name(pieces.size() > 1 ? pieces[1] : pieces[0]);
        if (!type) {
            throw bpw::error(fail_at({path}, errc::unknown_type,
                                     "the file name holds no quant type; expected a name like "
                                     "tensors.iq4_ks.map"));
        }
        s.tensors.add_map(*type, read_tensor_map(read_file(path), path).value()).value();
    }
    const auto size = size_of_recipe(r, s.tensors, {project_of(a.project), !a.no_fallback}).value();
    if (a.json) {
        nlohmann::json tensors = nlohmann::json::array();
        for (const auto& t : size.tensors) {
            tensors.push_back({{"name", t.name},
                               {"asked", bpw::name(t.asked)},
                               {"type", bpw::name(t.stored)},
                               {"bytes", t.bytes},
                               {"weights", t.elements}});
        }
        const nlohmann::json all{{"bytes", size.bytes},
                                 {"weights", size.elements},
                                 {"bits_per_weight", size.bits_per_weight()},
                                 {"tensors", tensors}};
        std::cout << all.dump(2) << '\n';
        return;
    }
    print_size(size, std::cout);
    remarks replaced;
    for (const auto& t : size.tensors) {
        if (t.asked == t.stored || t.asked == type_id::f32) continue;
        replaced.add(t.name, "cannot be " + std::string(bpw::name(t.asked)) + " and becomes " +
                                 std::string(bpw::name(t.stored)));
    }
    print(replaced);
    const auto stated = totals_of(r.summary).bits_per_weight;
    const auto found = bpw::plan::fixed(size.bits_per_weight(), 4);
    if (!stated.empty() && stated != found) {
        std::cerr << "plan recipe: the recipe says " << stated << " bits per weight, found are "
                  << found << '\n';
    }
}

std::optional<type_id> type_or_nothing(const std::string& name) {
    return name.empty() ? std::nullopt : std::optional(bpw::type_from_name(name).value());
}

void make_preset(const arguments& a) {
    auto s = load_model(a.source);
    preset_options o;
    o.project = project_of(a.project);
    o.imatrix = a.imatrix;
    o.pure = a.pure;
    o.older_fused_attention = a.older;
    o.token_embd = type_or_nothing(a.token_embd);
    o.output = type_or_nothing(a.output);
    for (const auto& list : a.lists) o.custom = parse_custom_q(list, std::move(o.custom)).value();
    const auto mix = find_preset(a.preset, o.project).value();
    auto about = s.about;
    if (!a.architecture.empty()) about.architecture = bpw::plan::lower(a.architecture);
    const auto types = preset_types(mix, about, s.preset, o).value();

    recipe r;
    r.model = a.model_name.empty() ? base_name(s.tensors.name()) : a.model_name;
    remarks unwise;
    for (std::size_t i = 0; i < types.size(); ++i) {
        const bool kept = !bpw::plan::detail::is_quantized(s.preset[i], o.project == dialect::ik);
        r.rules.push_back({escaped_name(s.preset[i].name), kept ? type_id::f32 : types[i]});
        if (!a.imatrix && !kept && !importance_objection(s.preset[i].name, types[i]).empty()) {
            unwise.add(s.preset[i].name, "should not be " + std::string(bpw::name(types[i])) +
                                             " without an importance matrix");
        }
    }
    print(unwise);
    std::cout << write_merged(r, {a.producer, {}, a.link}).value();
    print_size(size_of_recipe(r, s.tensors, {o.project, true}).value(), std::cerr);
}

// The number in front of a word of a file name: 2.8819 in "-2.8819bpw-".
std::optional<double> number_before(std::string_view name, std::string_view word) {
    const auto end = name.find(word);
    if (end == name.npos) return std::nullopt;
    auto begin = end;
    while (begin > 0 && (is_digit(name[begin - 1]) || name[begin - 1] == '.')) --begin;
    return parse_number(name.substr(begin, end - begin));
}

// Perplexities are in the names of recipes, sizes in their summaries.
void compare(const arguments& a) {
    plot_picture p;
    p.x_title = "Bits per weight";
    p.y_title = "Perplexity";
    p.front_title = "no smaller recipe is better";
    p.other_title = "other recipes";
    std::vector<std::string> models;
    for (const auto& path : a.files) {
        const auto name = path.substr(path.find_last_of('/') + 1);
        const auto r = load_recipe(path);
        const auto stated = parse_number(totals_of(r.summary).bits_per_weight);
        const auto bits = stated ? stated : number_before(name, "bpw");
        const auto perplexity = number_before(name, "ppl");
        if (!bits || !perplexity) {
            throw bpw::error(fail_at({path}, errc::malformed,
                                     "neither the file name nor the summary tells bits per weight "
                                     "and perplexity; expected a name like "
                                     "MODEL.USER-3.8487bpw-8.2505ppl..."));
        }
        p.points.push_back(
            {bpw::plan::fixed(*bits, 2) + " bpw, " + bpw::plan::fixed(*perplexity, 3), *bits,
             *perplexity, false});
        if (std::find(models.begin(), models.end(), r.model) == models.end()) {
            models.push_back(r.model);
        }
    }
    std::stable_sort(p.points.begin(), p.points.end(), [](const auto& x, const auto& y) {
        return x.x != y.x ? x.x < y.x : x.y < y.y;
    });
    double best = std::numeric_limits<double>::infinity();
    for (auto& point : p.points) {
        point.on_front = point.y < best;
        best = std::min(best, point.y);
    }
    if (models.size() == 1) {
        p.title = "Recipes of " + models.front();
    } else {
        p.title = "Recipes of " + std::to_string(models.size()) + " models";
    }
    const auto [low, high] = std::minmax_element(
        p.points.begin(), p.points.end(), [](const auto& x, const auto& y) { return x.y < y.y; });
    p.log_y = low->y > 0 && high->y / low->y > 4;
    for (const auto& point : p.points) {
        std::cout << bpw::plan::fixed(point.x, 4) << " bpw, perplexity "
                  << bpw::plan::fixed(point.y, 4) << (point.on_front ? " *" : "") << '\n';
    }
    if (!a.picture.empty()) draw(p, a.picture);
}

}  // namespace

void add_recipe(CLI::App& app) {
    auto a = std::make_shared<arguments>();
    auto* c = app.add_subcommand("recipe", "Merge, expand, measure, convert and make recipes");
    c->require_subcommand(1);
    const auto command = [&](const char* name, const char* what, void (*run)(const arguments&)) {
        auto* sub = c->add_subcommand(name, what);
        sub->callback([a, run] { run(*a); });
        return sub;
    };
    const auto with_file = [&](CLI::App* sub) {
        sub->add_option("recipe", a->file, "A recipe, - for standard input")->required();
    };
    const auto with_header = [&](CLI::App* sub) {
        sub->add_option("--model-name", a->model_name, "Name of the model, for the header");
        sub->add_option("--link", a->link, "Link to the original model, for the header");
    };
    const auto with_model = [&](CLI::App* sub) {
        sub->add_option("--model,--map", a->source,
                        "A GGUF file (the first part of a split one) or the tensor map of the "
                        "unquantized model")
            ->required();
        sub->add_option("--project", a->project, "Whose llama-quantize makes the file")
            ->check(CLI::IsMember({"ik", "mainline"}))
            ->capture_default_str();
    };

    auto* merging =
        command("merge", "One line for all layers that share a type, in sections", merge);
    with_file(merging);
    with_header(merging);

    with_file(command("expand", "One line for each tensor", expand));

    auto* naming = command("name", "The file name that a recipe is published under", print_name);
    with_file(naming);
    naming->add_option("--model-name", a->model_name, "Name of the model, if not the recipe's");
    naming->add_option("--user", a->user, "Who publishes it")->capture_default_str();
    naming->add_option("--ppl", a->perplexity, "Measured perplexity");

    auto* sizing = command("size", "What a model takes by a recipe, to the byte", measure);
    with_file(sizing);
    with_model(sizing);
    sizing->add_option("--type-maps", a->maps, "Published tensor maps of types, tensors.TYPE.map");
    sizing->add_flag("--no-fallback", a->no_fallback, "Take every tensor to be what was asked for");
    sizing->add_flag("--json", a->json, "Print every tensor as JSON");

    auto* packing = command("to-custom-q", "The list for llama-quantize --custom-q", to_custom_q);
    with_file(packing);
    packing->add_flag("--no-f32", a->no_f32,
                      "Leave out lines of f32: llama-quantize keeps those tensors anyway");

    auto* unpacking = command("from-custom-q", "The lines of --custom-q lists", from_custom_q);
    unpacking->add_option("lists", a->lists, "Lists regex=type,regex=type,...")->required();

    auto* preset =
        command("preset", "The recipe of a named mix, such as q4_k_m or iq2_m", make_preset);
    preset->add_option("mix", a->preset, "Name of the mix")->required();
    with_model(preset);
    with_header(preset);
    preset->add_flag("--imatrix", a->imatrix, "There is an importance matrix");
    preset
        ->add_option(
            "--architecture", a->architecture,
            "The model's architecture, where a map does not tell: falcon has its own rules")
        ->type_name("NAME");
    preset->add_flag("--pure", a->pure, "The base type for every tensor");
    preset->add_flag("--older-fused-attention", a->older,
                     "attn_qkv by rules of its own, as llama.cpp before 2026");
    preset->add_option("--token-embedding-type", a->token_embd, "Type of token_embd.weight");
    preset->add_option("--output-tensor-type", a->output, "Type of output.weight");
    preset->add_option("--custom-q,--tensor-type", a->lists, "Lists that decide before the mix");

    auto* comparing = command("compare", "Perplexity against size of published recipes", compare);
    comparing->add_option("recipes", a->files, "Recipes with the perplexity in their names")
        ->required();
    comparing->add_option("--picture", a->picture, "Draw it, .svg or .png");
}

}  // namespace examples
