// quantize IN OUT: a model with its tensors in other types.
#include "common/imatrix.hpp"
#include "common/program.hpp"
#include "common/progress.hpp"
#include "common/text.hpp"
#include "quantize/choice.hpp"
#include "quantize/convert.hpp"

#include <bpw/core/error.hpp>
#include <bpw/formats/registry.hpp>
#include <bpw/gguf.hpp>
#include <bpw/parallel.hpp>
#include <bpw/plan/budget.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace gguf = bpw::gguf;
namespace fs = std::filesystem;
using bpw::errc;
using examples::job;
using examples::step;

template <class... Parts>
[[noreturn]] void refuse(errc code, const Parts&... parts) {
    throw bpw::error(bpw::fail(code, parts...));
}

std::atomic<bool> stop{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void ask_to_stop(int) { stop = true; }

struct arguments {
    std::string in;
    std::string out;
    std::string imatrix;
    examples::choice_arguments choice;
    unsigned threads = 0;
    bool dry_run = false;
    bool keep_split = false;
    bool check = false;
    std::uint64_t split_tensors = 0;
    std::string split_size;
    bool metadata_apart = false;

    [[nodiscard]] bool asks_for_types() const {
        return !choice.type.empty() || !choice.recipe.empty() || !choice.preset.empty() ||
               !choice.plan.empty() || !choice.repack.empty() || !choice.custom.empty();
    }
};

// The files that are to be written.
std::vector<gguf::new_part> parts_for(const gguf::file& model, const std::vector<job>& jobs,
                                      const arguments& args, const examples::imatrix* importance) {
    auto parts = gguf::parts_of(model).value();
    auto tensors = gguf::tensors_of(model).value();
    bool changed = false;
    bool encoded = false;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        tensors[i].type = jobs[i].to;
        changed |= jobs[i].from != jobs[i].to;
        encoded |= jobs[i].how == step::encode;
    }
    auto& metadata = parts.front().metadata;
    // The number names one of llama.cpp's mixes. Without it, readers look at the tensors.
    if (changed) metadata.remove("general.file_type");
    if (changed) metadata.set("general.quantization_version", std::uint32_t{2}).value();
    if (encoded && importance != nullptr) {
        const auto name = fs::path(importance->file).filename().string();
        metadata.set("quantize.imatrix.file", name).value();
        if (!importance->datasets.empty()) {
            metadata.set("quantize.imatrix.dataset", importance->datasets.front()).value();
        }
        metadata
            .set("quantize.imatrix.entries_count",
                 static_cast<std::uint32_t>(importance->entries.size()))
            .value();
        if (importance->chunks != 0) {
            metadata
                .set("quantize.imatrix.chunks_count",
                     static_cast<std::uint32_t>(importance->chunks))
                .value();
        }
    }
    if (args.keep_split) {
        std::size_t i = 0;
        for (auto& p : parts) {
            for (auto& t : p.tensors) t = std::move(tensors[i++]);
        }
        return parts;
    }
    gguf::split_rule rule;
    rule.tensors = args.split_tensors;
    rule.metadata_apart = args.metadata_apart;
    if (!args.split_size.empty()) {
        const auto size = bpw::plan::read_budget(args.split_size).value();
        if (size.kind != bpw::plan::budget::unit::bytes || size.bytes == 0) {
            refuse(errc::malformed, "--split-max-size is ", args.split_size,
                   "; expected a size such as 40GiB");
        }
        rule.bytes = size.bytes;
    }
    return gguf::split(std::move(metadata), std::move(tensors), rule).value();
}

std::string percent_or_none(const examples::type_result& r) {
    if (!r.encoded) return "-";
    return examples::fixed(r.power == 0 ? 0 : 100 * std::sqrt(r.error / r.power), 3);
}

double bits(std::uint64_t bytes, std::uint64_t weights) {
    return weights == 0 ? 0 : 8 * static_cast<double>(bytes) / static_cast<double>(weights);
}

void print_summary(const std::map<bpw::type_id, examples::type_result>& results,
                   std::uint64_t file_bytes) {
    using enum examples::table::align;
    examples::table table({{"type"},
                           {"tensors", right},
                           {"weights", right},
                           {"size", right},
                           {"bits/weight", right},
                           {"error %", right}});
    examples::type_result all;
    std::vector<std::pair<bpw::type_id, examples::type_result>> sorted(results.begin(),
                                                                       results.end());
    std::sort(sorted.begin(), sorted.end(),
              [](const auto& a, const auto& b) { return a.second.bytes > b.second.bytes; });
    for (const auto& [type, r] : sorted) {
        table.add({std::string(bpw::name(type)), std::to_string(r.tensors),
                   std::to_string(r.weights), examples::readable_size(r.bytes),
                   examples::fixed(bits(r.bytes, r.weights), 4), percent_or_none(r)});
        all.tensors += r.tensors;
        all.weights += r.weights;
        all.bytes += r.bytes;
        all.error += r.error;
        all.power += r.power;
        all.encoded |= r.encoded;
    }
    table.rule();
    table.add({"all", std::to_string(all.tensors), std::to_string(all.weights),
               examples::readable_size(all.bytes), examples::fixed(bits(all.bytes, all.weights), 4),
               percent_or_none(all)});
    table.print(std::cout);
    std::cout << "file: " << file_bytes << " bytes (" << examples::readable_size(file_bytes)
              << ")\n";
    if (all.encoded) {
        std::cout << "error: root of the squared errors over the squared weights, of what was "
                     "encoded\n";
    }
}

int check_only(const gguf::file& model) {
    std::size_t bad = 0;
    for (const auto& t : model.tensors()) {
        try {
            if (!t.type()) (void)t.bytes().value();
            if (t.elements() != 0) examples::check_tensor(t);
        } catch (const bpw::error& e) {
            std::cerr << "quantize: " << e.what() << '\n';
            ++bad;
        }
    }
    std::cout << model.tensors().size() << " tensors checked, " << bad << " with faults\n";
    return bad == 0 ? 0 : 1;
}

std::string words_for(const job& j) {
    const auto& t = *j.source;
    std::string out = examples::printable(t.name(), 100);
    out += ' ';
    for (const auto d : t.shape()) out.append(" ").append(std::to_string(d));
    out.append(", ").append(bpw::name(j.from));
    if (j.to != j.from) out.append(" to ").append(bpw::name(j.to));
    if (j.how == step::repack) out += ", without loss";
    return out;
}

void refuse_same_file(const gguf::file& model, const std::vector<fs::path>& paths) {
    for (const auto& p : model.parts()) {
        for (const auto& to : paths) {
            std::error_code none;
            if (fs::equivalent(p.path(), to, none)) {
                refuse(errc::io, to.string(),
                       " is the model that is read; expected another file to write to");
            }
        }
    }
}

void check_arguments(const arguments& a) {
    const auto& c = a.choice;
    const int ways = !c.type.empty() + !c.recipe.empty() + !c.preset.empty() + !c.plan.empty() +
                     !c.repack.empty();
    if (ways > 1) {
        refuse(errc::unsupported,
               "more than one of --type, --recipe, --preset, --plan and --repack was given; "
               "expected one");
    }
    if (a.keep_split && (a.split_tensors != 0 || !a.split_size.empty() || a.metadata_apart)) {
        refuse(errc::unsupported, "--keep-split cannot go with another way to split");
    }
    if (!c.plan.empty() && c.calibration.empty()) {
        refuse(errc::not_found,
               "--plan needs measured sensitivities; expected --calibration FILE, a CSV such as "
               "kld_results.csv");
    }
    if (a.out.empty() && !a.dry_run && !(a.check && !a.asks_for_types())) {
        refuse(errc::not_found,
               "no file to write was named; expected OUT, or --dry-run, or --check "
               "alone");
    }
}

int run_all(const arguments& args) {
    check_arguments(args);
    const auto model = gguf::file::open(args.in);
    for (const auto& o : model.observations()) std::cerr << "quantize: " << o << '\n';
    if (args.out.empty() && args.check && !args.asks_for_types()) return check_only(model);

    std::optional<examples::imatrix> importance;
    if (!args.imatrix.empty()) importance = examples::read_imatrix(args.imatrix);
    const auto* const known = importance ? &*importance : nullptr;
    const auto chosen = examples::choose(args.in, model, args.choice, known);
    const auto parts = parts_for(model, chosen.jobs, args, known);
    for (const auto& s : chosen.changed.sentences()) std::cerr << "quantize: " << s << '\n';
    const auto file_bytes = gguf::bytes_of(parts).value();

    std::map<bpw::type_id, examples::type_result> results;
    if (args.dry_run) {
        std::size_t i = 0;
        for (const auto& p : parts) {
            for (const auto& t : p.tensors) {
                auto& r = results[t.type];
                r.tensors += 1;
                r.weights += chosen.jobs[i++].source->elements();
                r.bytes += t.bytes().value();
            }
        }
        print_summary(results, file_bytes);
        return 0;
    }

    refuse_same_file(model, gguf::part_paths(args.out, parts.size()));
    auto writer = gguf::writer::create(args.out, parts);
    bpw::threads pool(args.threads);
    std::uint64_t weights = 0;
    for (const auto& t : model.tensors()) weights += t.elements();
    {
        examples::progress shown(chosen.jobs.size(), weights, {1e6, "Mw"});
        for (const auto& j : chosen.jobs) {
            shown.begin(words_for(j));
            examples::convert(
                j, known, {args.check, &stop}, pool, [&](std::uint64_t n) { shown.advance(n); },
                results[j.to], [&](std::span<const std::byte> bytes) { writer.append(bytes); });
        }
    }
    writer.finish();
    for (const auto& p : writer.paths()) std::cout << p.string() << '\n';
    print_summary(results, file_bytes);
    return 0;
}

int run(int argc, char** argv) {
    arguments args;
    auto& c = args.choice;
    CLI::App app(
        "Writes a GGUF model with its tensors in other types.\n\n"
        "The file appears under its name when it is complete. Metadata is kept, but for what "
        "names\n"
        "the types. Of a split model any part is named; all are read.",
        "quantize");
    app.add_option("IN", args.in, "the model")->required()->type_name("");
    app.add_option("OUT", args.out, "the file to write")->type_name("");
    app.add_option("--type", c.type, "one type for all tensors that are quantized")->type_name("T");
    app.add_option("--recipe", c.recipe, "a recipe, lines of regex=type")->type_name("FILE");
    app.add_option("--preset", c.preset, "a named mix, such as q4_K_M")->type_name("NAME");
    app.add_option("--plan", c.plan,
                   "plan the best mix of this size and encode it: 1.5GiB, 700MiB, 60%; needs "
                   "--calibration")
        ->type_name("SIZE");
    app.add_option("--repack", c.repack,
                   "lay rows out anew without loss: `interleaved`, `base`, or types to change to")
        ->type_name("TYPES");
    app.add_option("--custom-q", c.custom,
                   "regex=type,...: decides before the others; alone, for what it matches")
        ->allow_extra_args(false)
        ->type_name("LIST");
    app.add_option("--imatrix", args.imatrix, "an importance matrix, of either format")
        ->type_name("FILE");
    app.add_flag("--without-imatrix", c.without_importance,
                 "encode types that are poor without an importance matrix all the same");
    app.add_option("--calibration", c.calibration, "for --plan: measured sensitivities, CSV")
        ->type_name("FILE");
    app.add_option("--curve", c.curve, "for --plan: the loss of every type, CSV")
        ->type_name("FILE");
    app.add_option("--quants", c.pool, "for --plan: the types to choose from")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->type_name("TYPES");
    app.add_option("--project", c.project,
                   "whose rules decide what replaces a type that does not fit, and make the mixes")
        ->check(CLI::IsMember({"ik", "mainline"}));
    app.add_option("--token-embedding-type", c.token_embd, "the type of token_embd.weight")
        ->type_name("T");
    app.add_option("--output-tensor-type", c.output, "the type of output.weight")->type_name("T");
    app.add_flag("--pure", c.pure, "with --preset: its base type for every tensor");
    app.add_flag("--requantize", c.requantize, "encode tensors that are quantized already");
    app.add_option("--threads", args.threads, "threads to compute with; 0: all processors")
        ->check(CLI::Range(0u, 1024u).description(""));
    app.add_flag("--dry-run", args.dry_run, "print the sizes and write nothing");
    app.add_flag("--keep-split", args.keep_split, "write the same parts as the model has");
    app.add_option("--split-max-tensors", args.split_tensors, "most tensors in a file");
    app.add_option("--split-max-size", args.split_size, "most tensor data in a file")
        ->type_name("SIZE");
    app.add_flag("--no-tensor-first-split", args.metadata_apart,
                 "metadata alone in the first file");
    app.add_flag("--check", args.check,
                 "look at every block that is written; without OUT, at those of IN");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app.exit(e);
    }
    // A limit on the size of files is an error like a full disk, and a stopped run cleans up.
    std::signal(SIGXFSZ, SIG_IGN);
    std::signal(SIGINT, ask_to_stop);
    std::signal(SIGTERM, ask_to_stop);
    return run_all(args);
}

}  // namespace

int main(int argc, char** argv) { return examples::guarded("quantize", run, argc, argv); }
