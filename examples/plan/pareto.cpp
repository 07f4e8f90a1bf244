// plan pareto: what can be had at which size and speed.
#include "plan/commands.hpp"

#include "common/program.hpp"
#include "common/text.hpp"
#include "plan/inputs.hpp"
#include "plan/plot.hpp"

#include <bpw/core/error.hpp>
#include <bpw/plan/pareto.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <iostream>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace examples {
namespace {

using namespace bpw::plan;
using json = nlohmann::ordered_json;

struct arguments {
    plan_arguments plan;
    pareto_options steps;
    std::vector<std::string> recipes;
    std::string picture;
    bool csv = false;
    bool as_json = false;
};

// A plan of the front, or a recipe beside it.
struct entry {
    std::string name;
    std::uint64_t bytes = 0;
    std::uint64_t time = 0;
    double bits = 0;
    double cost = 0;
    double gap = 0;
    double loss = 0;
    bool optimal = false;
    bool on_front = true;
};

std::string digits(double number) {
    std::array<char, 40> text{};
    const auto end =
        std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::general, 6)
            .ptr;
    return {text.data(), end};
}

entry entry_of(const plan_inputs& in, const pareto_point& p) {
    entry e;
    e.bytes = p.bytes;
    e.time = p.time;
    e.bits = average_bits(in.model, p.plan.tensors);
    e.cost = p.cost;
    e.gap = p.optimal || p.cost == 0 ? 0 : (p.cost - p.lower_bound) / p.cost;
    e.loss =
        predicted_loss(in.model, in.calibration, in.curve, p.plan.tensors, in.request.loss).value();
    e.optimal = p.optimal;
    e.name = examples::fixed(e.bits, 2) + " bpw";
    return e;
}

// The unit that sizes are told in: models of megabytes would all be 0.001 GiB.
struct size_unit {
    std::string name;
    double bytes;
};
size_unit unit_for(const std::vector<entry>& entries) {
    const bool large = std::any_of(entries.begin(), entries.end(), [](const entry& e) {
        return e.bytes >= std::uint64_t{1} << 28;
    });
    return large ? size_unit{"GiB", 0x1p30} : size_unit{"MiB", 0x1p20};
}

void print_table(const std::vector<entry>& entries, bool timed) {
    const auto unit = unit_for(entries);
    std::vector<table::column> columns{{unit.name, table::align::right},
                                       {"bits/weight", table::align::right},
                                       {"cost", table::align::right},
                                       {"predicted loss", table::align::right}};
    if (timed) columns.push_back({"ms/token", table::align::right});
    columns.push_back({"proof", table::align::left});
    table t(std::move(columns));
    for (const auto& e : entries) {
        std::vector<std::string> cells{
            examples::fixed(static_cast<double>(e.bytes) / unit.bytes, 3),
            examples::fixed(e.bits, 4), digits(e.cost), digits(e.loss)};
        if (timed) cells.push_back(examples::fixed(static_cast<double>(e.time) * 1e-9, 3));
        cells.push_back(e.optimal ? "optimal"
                                  : std::string("gap ").append(digits(100 * e.gap)) + "%");
        t.add(std::move(cells));
    }
    t.print(std::cout);
}

void print_csv(const std::vector<entry>& entries) {
    std::cout << "bytes,bits_per_weight,cost,gap,predicted_loss,seconds_per_token\n";
    for (const auto& e : entries) {
        std::cout << e.bytes << ',' << digits(e.bits) << ',' << digits(e.cost) << ','
                  << digits(e.gap) << ',' << digits(e.loss) << ','
                  << digits(static_cast<double>(e.time) * 1e-12) << '\n';
    }
}

json to_json(const std::vector<entry>& entries) {
    json j = json::array();
    for (const auto& e : entries) {
        j.push_back({{"bytes", e.bytes},
                     {"bits_per_weight", e.bits},
                     {"cost", e.cost},
                     {"gap", e.gap},
                     {"optimal", e.optimal},
                     {"predicted_loss", e.loss},
                     {"seconds_per_token", static_cast<double>(e.time) * 1e-12}});
    }
    return j;
}

// Recipes of others, to see how far they lie from the front.
entry entry_of_recipe(const plan_inputs& in, const std::string& path) {
    const auto r = parse_recipe(read_file(path), path).value();
    std::vector<std::string> names;
    for (const auto& t : in.model.tensors()) names.push_back(t.name);
    const auto types = resolve(r, names).value();
    entry e;
    std::vector<assigned_tensor> tensors;
    double cost = 0;
    for (std::size_t i = 0; i < names.size(); ++i) {
        const auto& t = in.model.tensors()[i];
        const auto s = in.model.stored(t, types[i], in.request.storage).value();
        assigned_tensor a{i, 0, reason::planned, types[i], s.type, s.bytes, s.computed, 0, {}, 0};
        a.sensitivity = in.calibration.find(t.name);
        if (a.sensitivity) {
            cost += cost_of(*a.sensitivity, in.curve.at(s.type).value(), 0, in.request.loss);
        }
        e.bytes += s.bytes;
        tensors.push_back(a);
    }
    e.bits = average_bits(in.model, tensors);
    e.cost = cost;
    e.loss = predicted_loss(in.model, in.calibration, in.curve, tensors, in.request.loss).value();
    e.on_front = false;
    e.name = std::string("recipe, ").append(examples::fixed(e.bits, 2)) + " bpw";
    return e;
}

void draw_front(const std::vector<entry>& entries, const std::string& model,
                const std::string& path) {
    plot_picture picture;
    picture.title = "The least loss that can be had at each size";
    // Without what the names of published shards add.
    picture.subtitle = model.substr(0, model.find("-BF16-SPECIAL_TENSOR"));
    const auto unit = unit_for(entries);
    picture.x_title = std::string("size (").append(unit.name).append(")");
    picture.y_title = "predicted loss";
    picture.front_title = "best plan of its size";
    picture.other_title = "other recipe or slower plan";
    picture.log_y = true;
    // Of plans of one size only the best lies on the front of the picture's two axes.
    double least = std::numeric_limits<double>::infinity();
    for (const auto& e : entries) {
        if (!(e.loss > 0)) continue;
        plot_point p;
        p.x = static_cast<double>(e.bytes) / unit.bytes;
        p.y = e.loss;
        p.on_front = e.on_front && e.loss < least;
        if (p.on_front) least = e.loss;
        p.name = p.on_front || !e.on_front ? e.name : "";
        picture.points.push_back(std::move(p));
    }
    draw(picture, path);
}

void run(const arguments& args) {
    const auto in = load_plan_inputs(args.plan);
    for (const auto& n : in.notes) std::cerr << "plan: " << n << '\n';
    const auto front =
        pareto_front(in.model, in.calibration, in.curve, in.request, args.steps).value();
    std::vector<entry> entries;
    bool timed = false;
    for (const auto& p : front) {
        entries.push_back(entry_of(in, p));
        timed = timed || p.time != 0;
    }
    if (args.as_json) {
        std::cout << to_json(entries).dump(2) << '\n';
    } else if (args.csv) {
        print_csv(entries);
    } else {
        print_table(entries, timed);
    }
    for (const auto& path : args.recipes) {
        const auto e = entry_of_recipe(in, path);
        std::cerr << "plan: " << path << ": "
                  << examples::fixed(static_cast<double>(e.bytes) / 0x1p30, 3) << " GiB, cost "
                  << digits(e.cost) << ", predicted loss " << digits(e.loss) << '\n';
        entries.push_back(e);
    }
    if (!args.picture.empty()) draw_front(entries, in.model.name(), args.picture);
}

}  // namespace

void add_pareto(CLI::App& app) {
    const auto args = std::make_shared<arguments>();
    auto* command = app.add_subcommand(
        "pareto", "the plans that can be had: loss against size, and against decode time");
    add_plan_options(*command, args->plan);
    command->add_option("--sizes", args->steps.sizes, "how many sizes are tried")
        ->check(CLI::Range(2, 1000))
        ->type_name("N");
    command
        ->add_option("--times", args->steps.times,
                     "how many times are tried for each size, where speeds are given")
        ->check(CLI::Range(0, 1000))
        ->type_name("N");
    command->add_option("--recipe", args->recipes, "recipes to be compared with the front")
        ->type_name("FILE...");
    command->add_option("--plot", args->picture, "draw a picture: FILE.svg or FILE.png")
        ->type_name("FILE");
    command->add_flag("--csv", args->csv, "print CSV");
    command->add_flag("--json", args->as_json, "print JSON");
    command->callback([args] { run(*args); });
}

}  // namespace examples
