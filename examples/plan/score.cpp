// plan score: which quant types are worth having on a machine.
#include "plan/commands.hpp"

#include "common/program.hpp"
#include "common/text.hpp"
#include "plan/plot.hpp"

#include <bpw/core/error.hpp>
#include <bpw/plan/score.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace examples {
namespace {

using namespace bpw::plan;
using bpw::errc;
using bpw::type_id;

struct arguments {
    std::string metric;
    std::vector<std::string> pp;
    std::vector<std::string> tg;
    std::string map;
    std::string groups;
    std::vector<std::string> type_maps;
    std::string metric_name;
    score_options options;
    double tolerance = 0;
    bool skip_markers = false;
    bool csv = false;
    bool json = false;
    std::string base;
    std::string picture;
    std::string metric_picture;
};

relative_results load(const std::string& path) {
    return read_relative_results(read_file(path), path).value();
}

// One machine's table and what belongs to it.
struct machine {
    std::string label;  ///< empty: no speeds
    score_table table;
    std::vector<std::size_t> top;
};

struct scores {
    std::vector<machine> machines;
    score_table without_speeds;
};

scores score_all(const arguments& a) {
    const auto metric = load(a.metric);
    const auto map = read_tensor_map(read_file(a.map), a.map).value();
    score_sizes sizes;
    sizes.bf16 = &map;
    std::optional<tensor_groups> groups;
    if (!a.groups.empty()) {
        groups = read_tensor_groups(read_file(a.groups), a.groups).value();
        sizes.groups = &*groups;
    }
    std::vector<tensor_map> published;
    published.reserve(a.type_maps.size());
    for (const auto& path : a.type_maps) {
        // tensors.iq4_ks.map is the map of iq4_ks.
        const auto stem = path.substr(path.find_last_of('/') + 1);
        const auto pieces = split(stem, '.');
        const auto type = bpw::type_from_name(pieces.size() > 1 ? pieces[1] : stem);
        if (!type) {
            throw bpw::error(fail_at({path}, errc::unknown_type,
                                     "the file name holds no quant type; expected a name like "
                                     "tensors.iq4_ks.map"));
        }
        published.push_back(read_tensor_map(read_file(path), path).value());
        sizes.maps.emplace(*type, &published.back());
    }

    std::map<std::string, std::pair<std::string, std::string>> machines;
    for (const auto& [files, which] :
         {std::pair(&a.pp, &std::pair<std::string, std::string>::first),
          {&a.tg, &std::pair<std::string, std::string>::second}}) {
        for (const auto& path : *files) {
            auto& slot = machines[machine_of(path)].*which;
            if (!slot.empty()) {
                throw bpw::error(fail_at({path}, errc::malformed, "the machine ",
                                         quoted(machine_of(path)),
                                         " has these speeds already, from ", quoted(slot)));
            }
            slot = path;
        }
    }
    if (machines.empty()) machines[{}];

    auto options = a.options;
    options.marker_is_value = !a.skip_markers;
    scores out;
    out.without_speeds = quant_scores(metric, nullptr, nullptr, sizes, options).value();
    for (const auto& [label, files] : machines) {
        std::optional<relative_results> pp;
        std::optional<relative_results> tg;
        if (!files.first.empty()) pp = load(files.first);
        if (!files.second.empty()) tg = load(files.second);
        machine m{
            label,
            quant_scores(metric, pp ? &*pp : nullptr, tg ? &*tg : nullptr, sizes, options).value(),
            {}};
        m.top = top_layer(m.table.rows, a.tolerance);
        for (const auto& warning : m.table.warnings) {
            std::cerr << "plan score: " << (label.empty() ? "" : label + ": ") << warning << '\n';
        }
        out.machines.push_back(std::move(m));
    }
    return out;
}

// The path with the machine's name in front of its ending.
std::string labelled(const std::string& path, const std::string& label, bool wanted) {
    if (label.empty() || !wanted) return path;
    const auto dot = path.find_last_of('.');
    const auto slash = path.find_last_of('/');
    const bool ending = dot != path.npos && (slash == path.npos || dot > slash);
    return ending ? path.substr(0, dot) + "_" + label + path.substr(dot) : path + "_" + label;
}

void write_file(const std::string& path, const std::string& text) {
    std::ofstream out(path, std::ios::binary);
    out << text;
    out.close();
    if (!out) throw bpw::error(errc::io, "cannot write '" + path + "'");
}

bool is_top(const machine& m, std::size_t row) {
    return std::find(m.top.begin(), m.top.end(), row) != m.top.end();
}

void print_table(const machine& m, const std::string& metric) {
    using align = table::align;
    table t({{"type"},
             {"reduction %", align::right},
             {"score", align::right},
             {metric + " %", align::right},
             {"pp %", align::right},
             {"tg %", align::right},
             {"top layer"}});
    const auto percent = [](const std::optional<double>& v) {
        return v ? signed_fixed(*v, 2) : std::string();
    };
    for (std::size_t i = 0; i < m.table.rows.size(); ++i) {
        const auto& row = m.table.rows[i];
        t.add({std::string(bpw::name(row.type)), fixed(row.reduction, 2), fixed(row.score, 4),
               signed_fixed(row.metric, 2), percent(row.pp), percent(row.tg),
               row.marker     ? "not measured"
               : is_top(m, i) ? "*"
                              : ""});
    }
    if (!m.label.empty()) std::cout << m.label << "\n\n";
    t.print(std::cout);
    std::cout << "\ntop layer:";
    for (const auto i : m.top) {
        if (m.table.rows[i].type != type_id::bf16) {
            std::cout << ' ' << bpw::name(m.table.rows[i].type);
        }
    }
    std::cout << "\n\n";
}

nlohmann::json json_of(const machine& m, const std::string& metric) {
    nlohmann::json rows = nlohmann::json::array();
    const auto maybe = [](const std::optional<double>& v) {
        return v ? nlohmann::json(*v) : nlohmann::json();
    };
    for (std::size_t i = 0; i < m.table.rows.size(); ++i) {
        const auto& row = m.table.rows[i];
        rows.push_back({{"type", bpw::name(row.type)},
                        {"reduction_percent", row.reduction},
                        {"score", row.score},
                        {"metric_percent", row.metric},
                        {"pp_percent", maybe(row.pp)},
                        {"tg_percent", maybe(row.tg)},
                        {"measured", !row.marker},
                        {"top_layer", is_top(m, i)}});
    }
    return {{"machine", m.label}, {"metric", metric}, {"types", rows}};
}

std::string with_count(std::vector<std::string> names, const std::string& what) {
    if (names.empty()) return {};
    std::string out = what;
    const std::size_t most = 16;
    for (std::size_t i = 0; i < std::min(names.size(), most); ++i) {
        out += (i == 0 ? ": " : ", ") + names[i];
    }
    if (names.size() > most) out += " and " + std::to_string(names.size() - most) + " more";
    return out;
}

void draw_scores(const machine& m, const arguments& a, const std::string& path) {
    const auto& rows = m.table.rows;
    plot_picture p;
    p.title = "Quant types worth having" + (m.label.empty() ? "" : " on " + m.label);
    const auto factor = [](double f) { return trimmed_fixed(f, 3); };
    const auto times = [&](double f, const std::string& what) {
        return f == 1 ? what : factor(f) + " " + what;
    };
    std::string speeds;
    if (!a.pp.empty()) speeds = times(a.options.pp_factor, "pp");
    if (!a.tg.empty()) speeds += (speeds.empty() ? "" : ", ") + times(a.options.tg_factor, "tg");
    p.subtitle = "score = (" + factor(-a.options.metric_factor) + " " + a.metric_name +
                 (speeds.empty() ? "" : " + mean of " + speeds) + ") / 2, all in percent of bf16";
    p.x_title = "Size reduction against bf16 (%)";
    p.y_title = "Score (higher is better)";
    p.front_title =
        a.tolerance > 0 ? "top layer, within " + factor(a.tolerance) + " points" : "top layer";
    p.other_title = "other types";
    // Types far below the top layer would press all others together.
    double low = INFINITY;
    double high = -INFINITY;
    for (const auto i : m.top) {
        if (rows[i].type == type_id::bf16 || rows[i].score <= a.options.cutoff) continue;
        low = std::min(low, rows[i].score);
        high = std::max(high, rows[i].score);
    }
    std::vector<std::string> below;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto& row = rows[i];
        if (row.type == type_id::bf16 || row.marker) continue;
        const std::string name(bpw::name(row.type));
        if (row.score < low - 0.25 * (high - low)) {
            below.push_back(name + " " + fixed(row.score, 0));
        } else {
            p.points.push_back({name, row.reduction, row.score, is_top(m, i)});
        }
    }
    p.note = with_count(below, "Below the picture");
    draw(p, path);
}

// Quality against size, whatever the speed.
void draw_metric(std::vector<quant_score> rows, const arguments& a, const std::string& path) {
    plot_picture p;
    p.title = a.metric_name + " against size";
    p.subtitle = "change relative to bf16; lower and farther left is better";
    p.x_title = "Bits per weight";
    p.y_title = a.metric_name + " (% above bf16)";
    p.front_title = "no smaller type is better";
    p.other_title = "other types";
    p.log_y = true;
    std::stable_sort(rows.begin(), rows.end(), [](const auto& x, const auto& y) {
        return x.reduction != y.reduction ? x.reduction > y.reduction : x.metric < y.metric;
    });
    std::vector<std::string> beside;
    double best = INFINITY;
    for (const auto& row : rows) {
        if (row.type == type_id::bf16 || row.marker) continue;
        const std::string name(bpw::name(row.type));
        if (row.metric <= 0 || row.metric > 1000) {
            beside.push_back(name + " " + signed_fixed(row.metric, 2) + "%");
            continue;
        }
        p.points.push_back({name, 16 * (1 - row.reduction / 100), row.metric, row.metric < best});
        best = std::min(best, row.metric);
    }
    p.note = with_count(beside, "Outside the picture");
    draw(p, path);
}

void run(arguments a) {
    if (a.metric_name.empty()) a.metric_name = metric_of(a.metric);
    const auto [machines, without_speeds] = score_all(a);
    nlohmann::json all = nlohmann::json::array();
    for (const auto& m : machines) {
        const auto csv = write_scores(m.table.rows, a.metric_name);
        if (a.json) {
            all.push_back(json_of(m, a.metric_name));
        } else if (a.csv) {
            std::cout << csv;
        } else {
            print_table(m, a.metric_name);
        }
        if (!a.base.empty()) {
            write_file(a.base + (m.label.empty() ? "" : "_" + m.label) + ".csv", csv);
        }
        const bool several = machines.size() > 1;
        if (!a.picture.empty()) draw_scores(m, a, labelled(a.picture, m.label, several));
    }
    if (!a.metric_picture.empty()) draw_metric(without_speeds.rows, a, a.metric_picture);
    if (a.json) std::cout << all.dump(2) << '\n';
}

}  // namespace

void add_score(CLI::App& app) {
    auto a = std::make_shared<arguments>();
    auto* c = app.add_subcommand("score", "Which quant types are worth having on a machine");
    c->footer(
        "Example:\n"
        "  plan score topp_results.csv --pp pp_results_cuda-A.csv --tg tg_results_cuda-A.csv \\\n"
        "      --map tensors.bf16.map --picture score.svg --export quant_score\n\n"
        "Every CSV has a column QTYPE, a row bf16, and cells relative to bf16 such as +12.5%.\n"
        "A machine's name is what stands behind the last _ of the names of its pp and tg files.");
    c->add_option("metric", a->metric, "CSV of a quality metric, higher is worse")->required();
    c->add_option("--pp", a->pp, "CSVs of prompt processing speed, one per machine");
    c->add_option("--tg", a->tg, "CSVs of token generation speed, one per machine");
    c->add_option("--map", a->map, "Tensor map of the unquantized model, for sizes")->required();
    c->add_option("--type-maps", a->type_maps,
                  "Tensor maps of types, tensors.TYPE.map; other types' sizes are computed");
    c->add_option("--groups", a->groups, "What the columns groupN stand for, lines groupN:regex");
    c->add_option("--metric-name", a->metric_name, "Name of the metric in tables and pictures");
    c->add_option("--metric-factor", a->options.metric_factor, "Weight of the metric")
        ->capture_default_str();
    c->add_option("--pp-factor", a->options.pp_factor, "Weight of pp")->capture_default_str();
    c->add_option("--tg-factor", a->options.tg_factor, "Weight of tg")->capture_default_str();
    c->add_option("--score-cutoff", a->options.cutoff, "The lowest score that is written")
        ->capture_default_str();
    c->add_option("--tolerance", a->tolerance,
                  "Take types into the top layer that fall short by so many points")
        ->check(CLI::NonNegativeNumber);
    c->add_flag("--skip-404", a->skip_markers,
                "Leave out types with 404%, which published tables take as a value");
    auto* csv = c->add_flag("--csv", a->csv, "Print the table as CSV");
    c->add_flag("--json", a->json, "Print everything as JSON")->excludes(csv);
    c->add_option("--export", a->base, "Write each table to BASE_MACHINE.csv")->type_name("BASE");
    c->add_option("--picture", a->picture,
                  "Draw score against reduction, .svg or .png; one picture per machine");
    c->add_option("--metric-picture", a->metric_picture,
                  "Draw the metric against size, .svg or .png");
    c->callback([a] { run(*a); });
}

}  // namespace examples
