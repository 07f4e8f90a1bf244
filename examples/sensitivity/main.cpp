// sensitivity MODEL TEXT: what is lost when tensors are encoded, one by one and all at once.
//
// Writes the files that `plan` reads: the loss when each tensor alone is dropped to a reference
// type, and the loss of the whole model in each type.
#include "common/imatrix.hpp"
#include "common/program.hpp"
#include "common/progress.hpp"
#include "common/text.hpp"
#include "llama/model.hpp"
#include "llama/prediction.hpp"
#include "sensitivity/journal.hpp"
#include "sensitivity/measure.hpp"

#include <bpw/gguf/output.hpp>
#include <bpw/plan/sha256.hpp>
#include <bpw/plan/text.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace fs = std::filesystem;
using bpw::errc;
using bpw::type_id;
using examples::measured;
using examples::tensor_group;

struct arguments {
    std::string model;
    std::string text;
    std::string out = ".";
    std::vector<std::string> references{"q2_K"};
    std::vector<std::string> types{"q8_0",   "q6_K",   "iq6_k", "iq5_k", "iq5_ks",
                                   "iq4_k",  "iq4_ks", "q4_K",  "iq3_k", "q3_K",
                                   "iq3_ks", "iq2_kl", "q2_K",  "iq2_k", "iq2_ks"};
    std::string tensors;
    std::vector<std::string> classes;
    examples::grouping groups;
    std::string loss = "kld";
    std::string imatrix;
    std::string project = "ik";
    bool without_imatrix = false;
    unsigned threads = 0;
};

struct measurement {
    measured what;
    const tensor_group* tensors;
    type_id type;
};

std::vector<type_id> types_of(const std::vector<std::string>& names) {
    std::vector<type_id> types;
    for (const auto& n : names) {
        const auto t = bpw::type_from_name(n).value();
        if (std::find(types.begin(), types.end(), t) == types.end()) types.push_back(t);
    }
    return types;
}

// Hashes of everything that decides a loss, but for the tensors and the type.
examples::settings settings_of(const arguments& args, const llama::model& m,
                               const std::string& text, const std::vector<tensor_group>& groups,
                               const std::vector<tensor_group>& classes) {
    const auto hash = [](std::string_view bytes) {
        return bpw::plan::sha256_hex(bytes).substr(0, 16);
    };
    std::string model;
    for (const auto& t : m.file().tensors()) {
        const auto bytes = t.bytes().value();
        model.append(t.name()).append(" ").append(bpw::name(*t.type())).append(" ");
        model.append(bpw::plan::sha256_hex(bpw::gguf::detail::as_text(bytes))).append("\n");
    }
    std::string tensors;
    for (const auto* list : {&groups, &classes}) {
        for (const auto& g : *list) {
            tensors.append(g.name).append("\n");
            for (const auto* t : g.tensors) tensors.append(" ").append(t->name()).append("\n");
        }
        tensors.append("\n");
    }
    return {{"model", hash(model)},
            {"text", hash(text)},
            {"imatrix", args.imatrix.empty() ? "none" : hash(examples::read_file(args.imatrix))},
            {"groups", hash(tensors)},
            {"project", args.project},
            {"bpw", std::to_string(BPW_VERSION_MAJOR) + "." + std::to_string(BPW_VERSION_MINOR)}};
}

std::vector<measurement> measurements_of(const arguments& args,
                                         const std::vector<tensor_group>& groups,
                                         const std::vector<tensor_group>& classes) {
    std::vector<measurement> all;
    for (const auto r : types_of(args.references)) {
        for (const auto& g : groups) {
            all.push_back({{measured::kind::alone, std::string(bpw::name(r)), g.name}, &g, r});
        }
    }
    for (const auto t : types_of(args.types)) {
        for (const auto& c : classes) {
            all.push_back({{measured::kind::all, std::string(bpw::name(t)), c.name}, &c, t});
        }
    }
    return all;
}

// --- files for the planner -----------------------------------------------------------------------

void write_file(const fs::path& path, const std::string& content) {
    auto file = bpw::gguf::detail::output_file<>::create(path, 0).value();
    file.write(std::as_bytes(std::span(content))).value();
    file.complete().value();
    file.publish().value();
}

// Types of a kind of measurement in the order in which they were first measured.
std::vector<std::string> types_in(const examples::journal& done, measured::kind kind) {
    std::vector<std::string> types;
    for (const auto& [what, found] : done.rows()) {
        if (what.what != kind) continue;
        if (std::find(types.begin(), types.end(), what.type) == types.end()) {
            types.push_back(what.type);
        }
    }
    return types;
}

double value_of(const examples::loss& l, const std::string& which) {
    return which == "ppl" ? l.ppl.mean : l.kld.mean;
}

// A column for each tensor. What was measured for a group is divided among its tensors by their
// weights, so that the group's loss is the sum of its columns.
std::string calibration_csv(const examples::journal& done, const std::vector<tensor_group>& groups,
                            const std::string& which) {
    std::vector<std::string> header{"QTYPE"};
    for (const auto& g : groups) {
        for (const auto* t : g.tensors) header.emplace_back(t->name());
    }
    std::string csv = examples::csv_row(header) + "\n";
    for (const auto& type : types_in(done, measured::kind::alone)) {
        std::vector<std::string> cells{type};
        bool whole = true;
        for (const auto& g : groups) {
            const auto found = done.find({measured::kind::alone, type, g.name});
            whole = whole && found;
            if (!whole) break;
            for (const auto* t : g.tensors) {
                const double share =
                    static_cast<double>(t->elements()) / static_cast<double>(g.weights());
                cells.push_back(examples::shortest(value_of(*found, which) * share));
            }
        }
        if (whole) csv.append(examples::csv_row(cells)).append("\n");
    }
    return csv;
}

std::string curve_csv(const examples::journal& done, const tensor_group& of,
                      const std::string& column, const std::string& which) {
    std::string csv = examples::csv_row({"QTYPE", column}) + "\n";
    for (const auto& type : types_in(done, measured::kind::all)) {
        const auto found = done.find({measured::kind::all, type, of.name});
        if (!found) continue;
        csv += examples::csv_row({type, examples::shortest(value_of(*found, which))}) + "\n";
    }
    return csv;
}

// --- what people see -----------------------------------------------------------------------------

std::string words_for(const measurement& m) {
    return examples::printable(m.what.tensors, 100) + " as " + m.what.type;
}

std::vector<std::string> figures(const examples::loss& l) {
    const auto with_error = [](const examples::estimate& e) {
        return examples::fixed(e.mean, 6) + " \xC2\xB1 " + examples::fixed(e.error, 6);
    };
    return {with_error(l.kld), with_error(l.ppl)};
}

void print_tables(const examples::journal& done, const std::vector<measurement>& all) {
    using enum examples::table::align;
    constexpr std::size_t most_rows = 10;
    std::vector<const measurement*> alone;
    examples::table curve({{"all tensors"},
                           {"type"},
                           {"bits/weight", right},
                           {"KL divergence", right},
                           {"PPL/PPL base - 1", right}});
    for (const auto& m : all) {
        if (m.what.what == measured::kind::alone) {
            alone.push_back(&m);
            continue;
        }
        auto cells = figures(*done.find(m.what));
        cells.insert(cells.begin(), {examples::printable(m.what.tensors, 40), m.what.type,
                                     examples::fixed(bpw::info(m.type).bits_per_weight, 4)});
        curve.add(std::move(cells));
    }
    std::stable_sort(alone.begin(), alone.end(), [&](const auto* a, const auto* b) {
        return done.find(a->what)->kld.mean > done.find(b->what)->kld.mean;
    });
    examples::table most({{"alone"},
                          {"type"},
                          {"weights", right},
                          {"KL divergence", right},
                          {"PPL/PPL base - 1", right}});
    for (std::size_t i = 0; i < std::min(most_rows, alone.size()); ++i) {
        auto cells = figures(*done.find(alone[i]->what));
        cells.insert(cells.begin(),
                     {examples::printable(alone[i]->what.tensors, 40), alone[i]->what.type,
                      std::to_string(alone[i]->tensors->weights())});
        most.add(std::move(cells));
    }
    most.print(std::cout);
    if (alone.size() > most_rows) {
        std::cout << "the " << most_rows << " that lose most, of " << alone.size() << '\n';
    }
    std::cout << '\n';
    curve.print(std::cout);
    std::cout << '\n';
}

// -------------------------------------------------------------------------------------------------

int run_all(const arguments& args) {
    std::optional<examples::imatrix> importance;
    if (!args.imatrix.empty()) importance = examples::read_imatrix(args.imatrix);
    const auto* const known = importance ? &*importance : nullptr;
    const auto project = args.project == "ik" ? bpw::dialect::ik : bpw::dialect::mainline;

    llama::model model(args.model);
    const auto text = examples::read_file(args.text);
    const llama::windows cut(model, text, args.text);
    const auto tensors = examples::quantized_tensors(model.file(), args.tensors);
    const auto groups = examples::group_tensors(tensors, args.groups);
    std::vector<tensor_group> classes{{"model", tensors}};
    if (!args.classes.empty()) {
        classes = examples::group_tensors(tensors, {args.classes, "role"});
        classes.resize(args.classes.size());
    }
    const auto all = measurements_of(args, groups, classes);

    bpw::threads pool(args.threads);
    examples::laboratory lab(model, cut, known, project, pool);
    for (const auto& m : all) lab.expect_encodable(*m.tensors, m.type, args.without_imatrix);

    const fs::path out = args.out;
    std::error_code reason;
    fs::create_directories(out, reason);
    if (reason) {
        throw bpw::error(bpw::fail(errc::io, "the folder ", out.string(),
                                   " cannot be made: ", reason.message()));
    }
    examples::journal done((out / "measurements.csv").string(),
                           settings_of(args, model, text, groups, classes));
    if (done.was_cut()) {
        std::cerr << "sensitivity: a row without its end was cut off; it is measured again\n";
    }
    std::vector<const measurement*> open;
    for (const auto& m : all) {
        if (!done.find(m.what)) open.push_back(&m);
    }
    if (open.size() < all.size()) {
        std::cerr << "sensitivity: " << all.size() - open.size() << " of " << all.size()
                  << " measurements were made before\n";
    }
    {
        examples::progress shown(open.size(), open.size() * lab.tokens(), {1e3, "k tokens"});
        for (const auto* m : open) {
            shown.begin(words_for(*m));
            done.add(m->what, lab.measure(*m->tensors, m->type));
            shown.advance(lab.tokens());
        }
    }

    print_tables(done, all);
    std::cout << "base: perplexity " << examples::fixed(lab.base_perplexity(), 5) << ", "
              << cut.count() << (cut.count() == 1 ? " window of " : " windows of ")
              << llama::window_size << " bytes\n";
    const auto name = args.loss + "_results.csv";
    const auto say = [](const fs::path& path, const std::string& what) {
        std::cout << path.string() << ": " << what << '\n';
    };
    write_file(out / name, calibration_csv(done, groups, args.loss));
    say(out / name, "sensitivities");
    for (std::size_t i = 0; i < classes.size(); ++i) {
        const auto column = "group" + std::to_string(i);
        fs::create_directories(out / column);
        write_file(out / column / name, curve_csv(done, classes[i], column, args.loss));
        say(out / column / name, "losses per type");
    }
    return 0;
}

int run(int argc, char** argv) {
    arguments args;
    CLI::App app(
        "Measures what is lost when tensors are encoded: each tensor alone in a reference type, "
        "and\n"
        "all of them in each type. Tensors are encoded in memory. Writes the files that plan "
        "reads:\n\n"
        "  sensitivity model.gguf text.txt --out losses\n"
        "  plan losses/kld_results.csv --curve losses/group0/kld_results.csv --model model.gguf "
        "...\n\n"
        "Every measurement is kept in measurements.csv; a run that was stopped goes on from there.",
        "sensitivity");
    app.add_option("MODEL", args.model, "the model, as a rule in f16 or bf16")
        ->required()
        ->type_name("");
    app.add_option("TEXT", args.text, "the text to predict")->required()->type_name("");
    app.add_option("--out", args.out, "the folder to write to (default: this one)")
        ->type_name("DIR");
    app.add_option("--reference", args.references,
                   "types that tensors are dropped to alone; a row of the results each")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->capture_default_str()
        ->type_name("TYPES");
    app.add_option("--types", args.types, "types that all tensors are encoded as")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->capture_default_str()
        ->type_name("TYPES");
    app.add_option(
           "--group", args.groups.patterns,
           "regex: the tensors in whose names it is found are dropped together (repeatable)")
        ->allow_extra_args(false)
        ->type_name("REGEX");
    app.add_option("--group-by", args.groups.rest, "how the other tensors are dropped together")
        ->check(CLI::IsMember({"tensor", "layer", "role"}).description(""))
        ->capture_default_str()
        ->type_name("tensor|layer|role");
    app.add_option("--tensors", args.tensors,
                   "regex: only tensors in whose names it is found are measured at all")
        ->type_name("REGEX");
    app.add_option("--class", args.classes,
                   "regex: the tensors that --types are for (default: all that are measured; "
                   "repeatable, each gets a curve)")
        ->allow_extra_args(false)
        ->type_name("REGEX");
    app.add_option("--loss", args.loss,
                   "what the files hold: kld, the KL divergence from the model as it is, or ppl, "
                   "perplexity / its perplexity - 1")
        ->check(CLI::IsMember({"kld", "ppl"}).description(""))
        ->capture_default_str()
        ->type_name("kld|ppl");
    app.add_option("--imatrix", args.imatrix, "an importance matrix, of either format")
        ->type_name("FILE");
    app.add_flag("--without-imatrix", args.without_imatrix,
                 "encode types that are poor without an importance matrix all the same");
    app.add_option("--project", args.project,
                   "whose rules decide what replaces a type that does not fit")
        ->check(CLI::IsMember({"ik", "mainline"}).description(""))
        ->type_name("ik|mainline");
    app.add_option("--threads", args.threads, "threads to compute with (default: all processors)")
        ->type_name("N")
        ->check(CLI::Range(1u, 1024u).description(""));
    CLI11_PARSE(app, argc, argv);
    return run_all(args);
}

}  // namespace

int main(int argc, char** argv) { return examples::guarded("sensitivity", run, argc, argv); }
