#include "plan/inputs.hpp"

#include "common/program.hpp"

#include <bpw/core/error.hpp>
#include <bpw/plan/gguf_source.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string_view>
#include <utility>

namespace examples {
namespace {

namespace fs = std::filesystem;
using namespace bpw::plan;
using bpw::errc;
using bpw::type_id;

// --- options -------------------------------------------------------------------------------------

// CLI11 indents the lines of a description but does not break them.
std::string wrapped(const std::string& text) {
    constexpr std::size_t columns = 66;
    std::string out;
    std::size_t used = 0;
    for (const auto word : split(text, ' ')) {
        if (used != 0 && used + 1 + word.size() > columns) {
            out += '\n';
            used = 0;
        } else if (used != 0) {
            out += ' ';
            used += 1;
        }
        out += word;
        used += word.size();
    }
    return out;
}

void add_class_options(CLI::App& app, class_arguments& c, const std::string& side,
                       const std::string& title) {
    const auto flag = [&](const std::string& name) {
        return std::string("--") + side + "-" + name;
    };
    const bool gpu = side == "gpu";
    const auto group = title + " tensors";
    app.add_option(flag("tensors"), c.tensors,
                   "regexes of the names that belong here (whole names)")
        ->type_name("REGEX")
        ->group(group);
    app.add_option(gpu ? flag("quants") + ",--pool" : flag("quants"), c.quants,
                   "types to choose from, between blanks or commas")
        ->type_name("TYPE")
        ->group(group);
    app.add_option(gpu ? flag("tensors-max-size") + ",--size" : flag("tensors-max-size"), c.size,
                   "budget: GiB (10, 10.5), 512MiB, or a share of the largest size (80%); without "
                   "it everything gets the largest type, with 0 the smallest")
        ->type_name("SIZE")
        ->group(group);
    app.add_option(gpu ? flag("assign-tensors") + ",--lock" : flag("assign-tensors"), c.locks,
                   "tensors whose type is decided (the first match counts)")
        ->type_name("REGEX=TYPE")
        ->group(group);
    app.add_option(flag("assign-qtype"), c.assign,
                   "type of tensors that were not measured (default: the largest)")
        ->type_name("TYPE")
        ->group(group);
    app.add_option(flag("speed"), c.speed,
                   "how fast weights are read: GB/s, a CSV of speeds per type, or the JSON that "
                   "`./run bench` writes")
        ->type_name("GB/S|CSV")
        ->group(group);
    app.add_option(flag("irq-k"), c.outlier_distance,
                   "with --lock-outliers: how many interquartile ranges make an outlier")
        ->type_name("K")
        ->group(group);
}

void add_ignored(CLI::App& app, plan_arguments& args, const std::string& name, bool has_value,
                 const std::string& why) {
    auto* list = &args.without_effect;
    const auto note = name + " has no effect: " + why;
    CLI::Option* option = nullptr;
    if (has_value) {
        option = app.add_option_function<std::vector<std::string>>(
            name, [list, note](const std::vector<std::string>&) { list->push_back(note); }, why);
        option->type_name("VALUE")->expected(1, -1);
    } else {
        option = app.add_flag_function(
            name, [list, note](std::int64_t) { list->push_back(note); }, why);
    }
    option->group("Accepted, without effect");
}

}  // namespace

void add_plan_options(CLI::App& app, plan_arguments& args) {
    args.gpu.name = "GPU";
    args.cpu.name = "CPU";
    app.add_option("csv_file", args.calibration,
                   "calibration results: the loss of each tensor (kld_results.csv). Without it the "
                   "file is looked for beside the model")
        ->type_name("");
    app.add_option(
           "-m,--model", args.model,
           "GGUF file (any part of a split one), map of the unquantized set, or folder with "
           "tensors.*.map; without it maps are looked for beside the CSV and here")
        ->type_name("PATH");
    app.add_option("--maps", args.maps, "folder with tensors.*.map of published sets")
        ->type_name("DIR");
    app.add_option("--qtype", args.reference, "row of the calibration results")->type_name("TYPE");
    app.add_option("--curve,--quant-degradation-csv", args.curve,
                   "loss of the whole model in each type (group0/kld_results.csv)")
        ->type_name("CSV");
    app.add_flag("--tensors-from-csv", args.tensors_from_csv,
                 "plan the tensors that the calibration results list");
    app.add_flag("--ignore-f32", args.ignore_f32, "leave f32 tensors out");

    add_class_options(app, args.gpu, "gpu", "GPU");
    add_class_options(app, args.cpu, "cpu", "CPU");
    app.add_option("--class", args.classes,
                   "one of any number of classes: NAME;size=10GiB;pool=q8_0 iq4_ks;tensors=REGEX;"
                   "lock=REGEX=TYPE;assign=TYPE;speed=GB/S; keys may be repeated; a class without "
                   "tensors= takes the rest")
        ->type_name("SPEC")
        ->group("Other classes");
    app.add_flag("--lock-outliers", args.lock_outliers,
                 "tensors of very low or high sensitivity get the smallest or largest type")
        ->group("Other classes");

    const std::string loss = "What is lost";
    app.add_option("--exponential-factor", args.tensor_exponent,
                   "p of s^p, the tensors' sensitivities, with --use-greedy-quant-assign or "
                   "--use-auto-quant-assign")
        ->type_name("P")
        ->group(loss);
    app.add_option("--auto-deg-exponent", args.type_exponent, "q of c^q, the types' losses")
        ->type_name("Q")
        ->group(loss);
    app.add_option("--per-tensor-degradation-scaling", args.tensor_scaling,
                   "e of (s / mean s)^e, which multiplies c")
        ->type_name("E")
        ->group(loss);
    app.add_flag("--better-cost", args.better_cost,
                 "take the measurement's floor off, split joint measurements, compress the curve")
        ->group(loss);
    app.add_option("--floor", args.floor, "with --better-cost: the baseline's own loss")
        ->type_name("X")
        ->group(loss);
    app.add_option("--joint-groups", args.joint_groups,
                   "with --better-cost: which tensors were measured at once "
                   "(bench_ppl_kld_group_mapping.*.txt)")
        ->type_name("FILE")
        ->group(loss);
    app.add_option(
           "--method", args.method,
           "optimal: the least loss, proven; spread: by the order of sensitivities alone, for "
           "comparison with old recipes")
        ->check(CLI::IsMember({"optimal", "spread"}).description(""))
        ->type_name("optimal|spread")
        ->group(loss);
    app.add_option("--tolerance", args.tolerance,
                   "with --method spread: the share of the budget that may stay unused")
        ->type_name("X")
        ->group(loss);
    app.add_flag("--use-greedy-quant-assign", args.greedy, "accepted; --method says what is used")
        ->group(loss);
    app.add_flag("--use-auto-quant-assign", args.automatic, "accepted; --method says what is used")
        ->group(loss);

    const std::string ties = "Tensors that belong together";
    app.add_option("--harmonize-tensors", args.ties,
                   "groups of regexes; what they match in a layer gets one type. \"\" for none")
        ->type_name("A,B")
        ->group(ties);
    app.add_option("--harmonization-technique", args.harmonization,
                   "0 switches groups off; other techniques are all the same here: losses add up")
        ->check(CLI::Range(0, 3).description(""))
        ->type_name("N")
        ->group(ties);
    app.add_option("--synergistic-tensors", args.synergy,
                   "groups whose sensitivities move towards their mean")
        ->type_name("A,B")
        ->group(ties);
    app.add_option("--synergy-strength", args.synergy_strength, "how far: 0 not at all, 1 fully")
        ->check(CLI::Range(0.0, 1.0).description(""))
        ->type_name("X")
        ->group(ties);

    const std::string storage = "How tensors are stored";
    app.add_option("--project", args.project, "whose llama-quantize will make the file")
        ->check(CLI::IsMember({"ik", "mainline"}).description(""))
        ->type_name("ik|mainline")
        ->group(storage);
    app.add_flag("--no-fallback", args.no_fallback,
                 "take every tensor to be what was asked for, whatever its rows")
        ->group(storage);
    app.add_flag("--compute-all-map", args.compute_all_maps,
                 "compute sizes even where there are maps")
        ->group(storage);
    app.add_flag("--without-imatrix", args.without_imatrix,
                 "warn of types that need an importance matrix")
        ->group(storage);

    const std::string speed = "Decode speed";
    app.add_option("--max-time", args.milliseconds, "longest time to read the weights of one token")
        ->type_name("MS")
        ->check(CLI::NonNegativeNumber.description(""))
        ->group(speed);
    app.add_option("--expert-share", args.expert_share,
                   "share of the experts that a token uses (read from a GGUF file; 8 of 256: "
                   "0.03125)")
        ->type_name("X")
        ->check(CLI::Range(0.0, 1.0).description(""))
        ->group(speed);
    app.add_option("--bandwidth", args.bandwidth,
                   "GB/s at which bf16 is read, for tables that are relative to it")
        ->type_name("GB/S")
        ->check(CLI::PositiveNumber.description(""))
        ->group(speed);

    add_ignored(app, args, "--auto-force-combo", true, "there are no heuristics to force");
    add_ignored(app, args, "--auto-no-pareto-filter", false,
                "types that another one beats are never of use");
    add_ignored(app, args, "--quant-degradation-equation", true, "the curve is read from a file");
    add_ignored(app, args, "--fallback-quants", true, "llama-quantize's own rules are used");
    add_ignored(app, args, "--fallback-quants-forbidden", true,
                "llama-quantize's own rules are used");
    // Nothing has to be done for these: they ask for what happens anyway.
    for (const auto* name : {"--compute-missing-map", "--ignore-imatrix-rules", "--with-imatrix",
                             "--skip-gpg", "--debug", "--info"}) {
        app.add_flag_function(
               name, [](std::int64_t) {}, "accepted; so it is anyway")
            ->group("Accepted, without effect");
    }
    for (auto* option : app.get_options()) option->description(wrapped(option->get_description()));
}

namespace {

// --- reading -------------------------------------------------------------------------------------

type_id type_named(const std::string& text, const std::string& flag) {
    const auto type = bpw::type_from_name(text);
    if (!type) {
        throw bpw::error(errc::unknown_type,
                         flag + ": " + quoted(text) + " is not the name of a quant type");
    }
    return *type;
}

std::vector<type_id> types_named(const std::vector<std::string>& texts, const std::string& flag) {
    std::vector<type_id> types;
    for (const auto& text : texts) {
        std::string words = text;
        std::replace(words.begin(), words.end(), ',', ' ');
        for (const auto word : split(words, ' ')) {
            if (!trimmed(word).empty()) types.push_back(type_named(std::string(word), flag));
        }
    }
    return types;
}

pattern regex_of(const std::string& text, const std::string& flag) {
    auto p = pattern::compile(text);
    if (!p) throw bpw::error(p.error().code, flag + ": " + p.error().message);
    return *std::move(p);
}

lock_rule lock_of(const std::string& text, const std::string& flag) {
    const auto equals = text.find('=');
    if (equals == std::string::npos) {
        throw bpw::error(errc::malformed,
                         flag + ": " + quoted(text) + " has no '='; expected REGEX=TYPE");
    }
    return {regex_of(text.substr(0, equals), flag), type_named(text.substr(equals + 1), flag)};
}

std::vector<group_patterns> groups_of(const std::vector<std::string>& texts,
                                      const std::string& flag) {
    std::vector<group_patterns> groups;
    for (const auto& text : texts) {
        auto group = read_group(text);
        if (!group) throw bpw::error(group.error().code, flag + ": " + group.error().message);
        if (!group->empty()) groups.push_back(*std::move(group));
    }
    return groups;
}

class_arguments class_of(const std::string& spec) {
    class_arguments c;
    const auto parts = split(spec, ';');
    c.name = std::string(trimmed(parts.front()));
    for (std::size_t i = 1; i < parts.size(); ++i) {
        if (trimmed(parts[i]).empty()) continue;
        const auto equals = parts[i].find('=');
        const auto key = trimmed(parts[i].substr(0, equals));
        const auto value = equals == std::string_view::npos
                               ? ""
                               : std::string(trimmed(parts[i].substr(equals + 1)));
        if (key == "size") {
            c.size = value;
        } else if (key == "pool" || key == "quants") {
            c.quants.push_back(value);
        } else if (key == "tensors") {
            c.tensors.push_back(value);
        } else if (key == "lock") {
            c.locks.push_back(value);
        } else if (key == "assign") {
            c.assign = value;
        } else if (key == "speed") {
            c.speed = value;
        } else {
            throw bpw::error(
                errc::malformed,
                std::string("--class: ").append(quoted(key)) + " of class " + c.name +
                    " is unknown; expected size, pool, tensors, lock, assign or speed");
        }
    }
    if (c.name.empty()) throw bpw::error(errc::malformed, "--class: a class has no name");
    return c;
}

class loader {
  public:
    explicit loader(const plan_arguments& args) : args_(args) {}

    plan_inputs load() {
        find_folders();
        read_model();
        read_measurements();
        read_classes();
        read_maps();
        read_costs();
        read_rest();
        return std::move(in_);
    }

  private:
    void note(std::string text) { in_.notes.push_back(std::move(text)); }

    // A file's bytes, noted for the report under the name by which the user knows it.
    static report_file remember(const std::string& path, const std::string& bytes) {
        return {path, sha256_hex(bytes)};
    }

    void find_folders() {
        const auto add = [&](const fs::path& folder) {
            for (const auto& f : {folder, folder / "group0"}) {
                if (std::find(folders_.begin(), folders_.end(), f) == folders_.end()) {
                    folders_.push_back(f);
                }
            }
        };
        if (!args_.maps.empty()) add(args_.maps);
        if (!args_.model.empty()) {
            const fs::path path = args_.model;
            add(fs::is_directory(path)   ? path
                : path.has_parent_path() ? path.parent_path()
                                         : fs::path("."));
        }
        if (!args_.calibration.empty()) {
            const auto parent = fs::path(args_.calibration).parent_path();
            add(parent.empty() ? fs::path(".") : parent);
        }
        add(".");
    }

    [[nodiscard]] std::string find_file(const std::string& name) const {
        std::error_code ignored;
        for (const auto& folder : folders_) {
            if (fs::is_regular_file(folder / name, ignored)) return (folder / name).string();
        }
        return {};
    }

    void read_model() {
        if (fs::path(args_.model).extension() == ".gguf") {
            bpw::gguf::options options;
            options.metadata_only = true;
            options.dialect = bpw::dialect::any;
            const auto file = bpw::gguf::file::open(args_.model, options);
            in_.model = bpw::plan::model_of(file).value();
            gguf_share_ = expert_share(file);
            return;
        }
        std::string path = args_.model;
        if (path.empty() || fs::is_directory(path)) path = find_file("tensors.bf16.map");
        if (path.empty()) {
            throw bpw::error(
                errc::not_found,
                "there is no tensors.bf16.map beside the calibration results or here; name a GGUF "
                "file, a map or a folder with --model");
        }
        const auto bytes = read_file(path);
        auto map = read_tensor_map(bytes, path).value();
        in_.report.maps.push_back({type_id::bf16, sha256_hex(bytes), map.last_shard, false});
        in_.model = model::from_map(std::move(map));
    }

    void read_measurements() {
        auto path = args_.calibration;
        if (path.empty()) path = find_file("kld_results.csv");
        if (path.empty()) path = find_file("ppl_results.csv");
        if (path.empty()) {
            throw bpw::error(errc::not_found,
                             "there are no calibration results; name a CSV such as "
                             "kld_results.csv");
        }
        const auto bytes = read_file(path);
        in_.calibration = read_calibration(bytes, path, args_.reference).value();
        in_.report.calibrations.push_back(remember(path, bytes));
        if (args_.calibration.empty()) note(std::string("calibration results: ") + path);
        if (args_.tensors_from_csv) in_.model.select(in_.calibration.names).value();
    }

    speed_table speed_of(const std::string& text) const {
        if (const auto rate = parse_number(text)) {
            if (*rate <= 0) {
                throw bpw::error(errc::malformed,
                                 std::string("speed ").append(quoted(text)) + " is not above zero");
            }
            return speed_table::of_bandwidth(*rate * 1e9);
        }
        const auto bytes = read_file(text);
        if (bytes.starts_with('{')) return measured_speeds(bytes, text);
        return read_speeds(bytes, text, args_.bandwidth * 1e9).value();
    }

    // What the benchmark of this project wrote: cases gemv/TYPE/SHAPE with the rate at which the
    // weights were read.
    static speed_table measured_speeds(const std::string& bytes, const std::string& file) {
        const auto fail = [&](const std::string& why) {
            return bpw::error(errc::malformed, std::string("in ").append(quoted(file)).append(why));
        };
        const auto all = nlohmann::json::parse(bytes, nullptr, false);
        if (all.is_discarded()) throw fail(": this is not JSON");
        const auto cases = all.find("benchmarks");
        if (cases == all.end() || !cases->is_array()) {
            throw fail(": there is no list `benchmarks`, as Google Benchmark writes it");
        }
        std::map<std::string, double> rates;
        for (const auto& c : *cases) {
            if (!c.is_object() || c.value("run_type", "iteration") != "iteration") continue;
            const std::string name = c.value("name", "");
            if (!name.starts_with("gemv/")) continue;
            const auto type = name.substr(5, name.find('/', 5) - 5);
            const auto rate = c.value("GB/s", 0.0);
            if (!(rate > 0)) throw fail(": the case " + name + " has no rate `GB/s` above zero");
            auto& best = rates[type];
            best = std::max(best, rate);
        }
        if (rates.empty()) throw fail(": there is no case gemv/TYPE/SHAPE");
        speed_table speeds(file);
        for (const auto& [type, rate] : rates) speeds.set(type, 1e-9 / rate);
        return speeds;
    }

    class_request request_of(const class_arguments& c) const {
        const auto flag = [&](const std::string& what) {
            return std::string("class ") + c.name + ", " + what;
        };
        class_request r;
        r.name = c.name;
        for (const auto& t : c.tensors) r.tensors.push_back(regex_of(t, flag("tensors")));
        r.pool = types_named(c.quants, flag("types"));
        for (const auto& l : c.locks) r.locks.push_back(lock_of(l, flag("assigned tensors")));
        if (!c.assign.empty()) r.assign = type_named(c.assign, flag("assigned type"));
        if (!c.size.empty()) {
            const auto size = read_budget(c.size);
            if (!size) throw bpw::error(size.error().code, flag("size: ") + size.error().message);
            r.size = *size;
        }
        if (args_.lock_outliers) r.outlier_distance = c.outlier_distance.value_or(1.5);
        if (!c.speed.empty()) r.speed = speed_of(c.speed);
        return r;
    }

    void read_classes() {
        auto& r = in_.request;
        for (const auto& spec : args_.classes) r.classes.push_back(request_of(class_of(spec)));
        if (args_.classes.empty() || !args_.cpu.quants.empty() || !args_.cpu.tensors.empty()) {
            r.classes.push_back(request_of(args_.cpu));
        }
        if (args_.classes.empty() || !args_.gpu.quants.empty() || !args_.gpu.tensors.empty()) {
            r.classes.push_back(request_of(args_.gpu));
        }
        const auto has_pool = [](const class_request& c) { return !c.pool.empty(); };
        if (std::none_of(r.classes.begin(), r.classes.end(), has_pool)) {
            auto& last = r.classes.back();
            last.pool =
                args_.project == "ik"
                    ? std::vector{type_id::q8_0,   type_id::iq6_k, type_id::iq5_k, type_id::iq4_k,
                                  type_id::iq4_ks, type_id::iq3_k, type_id::iq2_k}
                    : std::vector{type_id::q8_0, type_id::q6_K, type_id::q5_K,
                                  type_id::q4_K, type_id::q3_K, type_id::q2_K};
            std::string names;
            for (const auto t : last.pool) names.append(" ").append(name(t));
            note(std::string("no types were given to choose from; these are used:") + names);
        }
        // GPU is the last of the usual two and the first in reports.
        r.rest = r.classes.size() - 1;
        for (std::size_t c = r.classes.size(); c-- > 0;) {
            if (!args_.classes.empty() && r.classes[c].tensors.empty()) r.rest = c;
            in_.report.order.push_back(args_.classes.empty() ? c : r.classes.size() - 1 - c);
        }
        r.storage.project = args_.project == "ik" ? bpw::dialect::ik : bpw::dialect::mainline;
        r.storage.fallback = !args_.no_fallback;
    }

    void read_maps() {
        std::set<type_id> wanted;
        for (const auto& c : in_.request.classes) {
            wanted.insert(c.pool.begin(), c.pool.end());
            if (c.assign) wanted.insert(*c.assign);
            for (const auto& l : c.locks) wanted.insert(l.type);
        }
        std::string missing;
        for (const auto type : wanted) {
            if (type == type_id::bf16 || type == type_id::f32) continue;
            const auto file = std::string("tensors.").append(std::string(name(type))) + ".map";
            const auto path = args_.compute_all_maps ? std::string() : find_file(file);
            if (path.empty()) {
                in_.report.maps.push_back({type, {}, {}, true});
                missing.append(missing.empty() ? "" : " ").append(name(type));
                continue;
            }
            const auto bytes = read_file(path);
            auto map = read_tensor_map(bytes, path).value();
            in_.report.maps.push_back({type, sha256_hex(bytes), map.last_shard, false});
            in_.model.add_map(type, std::move(map)).value();
        }
        if (!missing.empty()) note(std::string("no maps, sizes are computed: ") + missing);
    }

    void read_costs() {
        if (args_.curve.empty()) {
            in_.curve = default_cost_curve();
            const auto near = find_file("group0/kld_results.csv");
            note("no cost curve was given; that of Qwen3-4B-Thinking-2507 stands in" +
                 (near.empty()
                      ? ""
                      : std::string(" (there is one in ") + near + ": name it with --curve)"));
        } else {
            const auto bytes = read_file(args_.curve);
            in_.curve = read_cost_curve(bytes, args_.curve).value();
            in_.report.degradations.push_back(remember(args_.curve, bytes));
        }
        auto& loss = in_.request.loss;
        if (args_.better_cost) loss = loss_options::better();
        loss.floor = args_.floor;
        if (!args_.joint_groups.empty()) {
            loss.joint =
                read_joint_groups(read_file(args_.joint_groups), args_.joint_groups).value();
        }
        if (args_.tensor_exponent) {
            if (args_.greedy || args_.automatic) {
                loss.tensor_exponent = *args_.tensor_exponent;
            } else {
                note(
                    "--exponential-factor has no effect: without --use-greedy-quant-assign or "
                    "--use-auto-quant-assign it tunes a method that is not used here");
            }
        }
        if (args_.type_exponent) loss.type_exponent = *args_.type_exponent;
        loss.tensor_scaling = args_.tensor_scaling;
    }

    void read_rest() {
        auto& r = in_.request;
        if (args_.harmonization != 0) r.ties = groups_of(args_.ties, "--harmonize-tensors");
        r.synergy.groups = groups_of(args_.synergy, "--synergistic-tensors");
        r.synergy.strength = args_.synergy_strength;
        r.ignore_f32 = args_.ignore_f32;
        if (args_.milliseconds) r.seconds = *args_.milliseconds / 1000;
        r.expert_share = args_.expert_share.value_or(gguf_share_);
        if (args_.tolerance && args_.method != "spread") {
            note("--tolerance has no effect: budgets are kept to the byte");
        }
        if ((args_.gpu.outlier_distance || args_.cpu.outlier_distance) && !args_.lock_outliers) {
            note("--gpu-irq-k and --cpu-irq-k have no effect without --lock-outliers");
        }
        for (const auto& f : args_.without_effect) note(f);
    }

    const plan_arguments& args_;
    std::vector<fs::path> folders_;
    double gguf_share_ = 1;
    plan_inputs in_{model{}, {}, cost_curve{}, {}, {}, {}};
};

}  // namespace

plan_inputs load_plan_inputs(const plan_arguments& args) { return loader(args).load(); }

}  // namespace examples
