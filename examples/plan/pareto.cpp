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
#include <cmath>
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
    pareto_options front;
    double within_percent = 5;
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

// The losses of the points. They are sums over tensors, so those of single options suffice.
class losses {
  public:
    losses(const plan_inputs& in, const plan_front& front) {
        const auto s = sensitivities(in.calibration, in.request.loss);
        const auto weight_of = [&](const assigned_tensor& a) {
            const auto at = in.calibration.positions.find(in.model.tensors()[a.tensor].name);
            const bool known = at != in.calibration.positions.end() && s[at->second];
            return known ? *s[at->second] : 0;
        };
        for (const auto& a : front.problem.assigned) {
            const auto weight = weight_of(a);
            weight_ += weight;
            if (a.why != reason::planned && weight != 0) {
                fixed_ += weight * in.curve.at(a.type).value();
            }
        }
        for (const auto& items : front.problem.items) {
            for (const auto& item : items) {
                double weight = 0;
                for (const auto m : item.members) weight += weight_of(front.problem.assigned[m]);
                auto& each = of_option_.emplace_back();
                for (const auto& o : item.options) {
                    each.push_back(weight * in.curve.at(o.type).value());
                }
            }
        }
        for (const auto& a : front.problem.assigned)
            elements_ += in.model.tensors()[a.tensor].elements;
    }

    [[nodiscard]] entry entry_of(const pareto_point& p) const {
        entry e;
        double loss = fixed_;
        for (std::size_t i = 0; i < p.choice.size(); ++i) loss += of_option_[i][p.choice[i]];
        e.bytes = p.bytes;
        e.time = p.time;
        e.bits =
            elements_ == 0 ? 0 : 8 * static_cast<double>(p.bytes) / static_cast<double>(elements_);
        e.cost = p.cost;
        e.gap = p.optimal || p.cost == 0 ? 0 : (p.cost - p.lower_bound) / p.cost;
        e.loss = weight_ == 0 ? 0 : loss / weight_;
        e.optimal = p.optimal;
        e.name = examples::fixed(e.bits, 2) + " bpw";
        return e;
    }

  private:
    double fixed_ = 0;
    double weight_ = 0;
    std::uint64_t elements_ = 0;
    std::vector<std::vector<double>> of_option_;
};

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

json to_json(const plan_front& front, const std::vector<entry>& entries) {
    json points = json::array();
    for (const auto& e : entries) {
        points.push_back({{"bytes", e.bytes},
                          {"bits_per_weight", e.bits},
                          {"cost", e.cost},
                          {"gap", e.gap},
                          {"optimal", e.optimal},
                          {"predicted_loss", e.loss},
                          {"seconds_per_token", static_cast<double>(e.time) * 1e-12}});
    }
    return {{"whole", front.whole},
            {"size_factor", front.size_factor},
            {"time_factor", front.time_factor},
            {"cost_factor", front.cost_factor},
            {"points", points}};
}

// What the list stands for.
std::string statement(const plan_front& front, bool timed) {
    const auto count = std::to_string(front.points.size());
    if (front.whole) return std::string("all ").append(count) + " plans that no other beats";
    const auto share = [](double factor) { return digits(100 * (factor - 1)) + "%"; };
    std::string text(count);
    text += " plans; every plan has one of them that is proven to be ";
    if (!timed) return text + "no larger and at most " + share(front.cost_factor) + " worse";
    text += std::string("at most ").append(share(front.size_factor)) + " larger, ";
    text += share(front.time_factor) + " slower and ";
    return text + share(front.cost_factor) + " worse";
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

// Leaves names only to points of the front that lie well apart, and to its ends.
void name_apart(std::vector<plot_point>& points) {
    std::vector<plot_point*> front;
    for (auto& p : points) {
        if (p.on_front) front.push_back(&p);
    }
    if (front.size() < 3) return;
    const auto& first = *front.front();
    const auto& end = *front.back();
    const auto distance = [&](const plot_point& a, const plot_point& b) {
        const auto x = (a.x - b.x) / (first.x - end.x);
        const auto y = std::log(a.y / b.y) / std::log(first.y / end.y);
        return std::hypot(x, y);
    };
    const auto* named = &first;
    for (std::size_t i = 1; i + 1 < front.size(); ++i) {
        auto& p = *front[i];
        if (distance(p, *named) < 0.08 || distance(p, end) < 0.08) {
            p.name.clear();
        } else {
            named = &p;
        }
    }
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
    name_apart(picture.points);
    draw(picture, path);
}

void run(const arguments& args) {
    const auto in = load_plan_inputs(args.plan);
    for (const auto& n : in.notes) std::cerr << "plan: " << n << '\n';
    auto options = args.front;
    options.within = args.within_percent / 100;
    const auto front =
        pareto_front(in.model, in.calibration, in.curve, in.request, options).value();
    const losses of(in, front);
    std::vector<entry> entries;
    bool timed = false;
    for (const auto& p : front.points) {
        entries.push_back(of.entry_of(p));
        timed = timed || p.time != 0;
    }
    if (args.as_json) {
        std::cout << to_json(front, entries).dump(2) << '\n';
    } else if (args.csv) {
        print_csv(entries);
    } else {
        print_table(entries, timed);
    }
    std::cerr << "plan: " << statement(front, timed) << '\n';
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
    command
        ->add_option(
            "--within", args->within_percent,
            "where the front has too many plans: list so many that every plan has one "
            "which is at most so much worse, with speeds also larger or slower, in percent")
        ->capture_default_str()
        ->check(CLI::Range(0.1, 1000.0))
        ->type_name("PERCENT");
    command
        ->add_option("--labels", args->front.labels,
                     "partial plans up to which every plan of the front is listed; 0: never")
        ->capture_default_str()
        ->check(CLI::Range(0, 1'000'000'000))
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
