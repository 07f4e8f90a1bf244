// plan: the best mix of quant types within the budgets, as a recipe.
#include "plan/commands.hpp"

#include "common/text.hpp"
#include "plan/inputs.hpp"

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>

#include <nlohmann/json.hpp>

#include <array>
#include <charconv>
#include <cstdlib>
#include <ctime>
#include <iostream>
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
    std::vector<std::string> command;
    bool as_json = false;
};

const std::string tool = std::string("bpw plan ").append(std::to_string(BPW_VERSION_MAJOR)) + "." +
                         std::to_string(BPW_VERSION_MINOR) + "." +
                         std::to_string(BPW_VERSION_PATCH);

// The shortest digits that give the same number again.
std::string shortest(double number) {
    std::array<char, 40> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    return {digits.data(), end};
}

double gib(std::uint64_t bytes) { return static_cast<double>(bytes) / 0x1p30; }

// The local date, or that of SOURCE_DATE_EPOCH where output must be the same every time.
std::string date() {
    std::time_t now = std::time(nullptr);
    const char* fixed_time = std::getenv("SOURCE_DATE_EPOCH");
    const auto epoch = fixed_time == nullptr ? std::nullopt : parse_count(fixed_time);
    if (epoch) now = static_cast<std::time_t>(*epoch);
    std::tm parts{};
    if (epoch) {
        gmtime_r(&now, &parts);
    } else {
        localtime_r(&now, &parts);
    }
    std::array<char, 64> text{};
    const auto n = std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S %Z%z", &parts);
    return {text.data(), n};
}

std::string_view reason_text(reason why) {
    switch (why) {
        case reason::kept:
            return "kept";
        case reason::locked:
            return "locked";
        case reason::outlier:
            return "outlier";
        case reason::unmeasured:
            return "unmeasured";
        case reason::planned:
            return "planned";
    }
    return "";
}

json to_json(const plan_inputs& in, const plan_result& plan, double loss) {
    json j;
    j["producer"] = tool;
    j["bytes"] = plan.bytes();
    j["bits_per_weight"] = average_bits(in.model, plan.tensors);
    j["cost"] = plan.cost();
    j["optimal"] = plan.optimal();
    j["predicted_loss"] = loss;
    if (plan.time() != 0) j["seconds_per_token"] = static_cast<double>(plan.time()) * 1e-12;
    if (plan.timed) j["lower_bound"] = plan.timed->lower_bound;
    j["classes"] = json::array();
    for (const auto c : in.report.order) {
        const auto& k = plan.classes[c];
        if (!k.planned) continue;
        json one;
        one["name"] = k.name;
        for (const auto t : k.pool) one["pool"].push_back(name(t));
        one["bytes"] = k.bytes();
        one["budget_bytes"] = k.budget_bytes ? json(*k.budget_bytes) : json();
        one["kept_bytes"] = k.kept_bytes;
        one["locked_bytes"] = k.locked_bytes;
        one["outlier_bytes"] = k.outlier_bytes;
        one["unmeasured_bytes"] = k.unmeasured_bytes;
        one["least_bytes"] = k.least_bytes;
        one["largest_bytes"] = k.largest_bytes;
        one["cost"] = k.solution.cost;
        one["lower_bound"] = k.solution.lower_bound;
        one["gap"] = k.solution.gap();
        one["optimal"] = k.solution.optimal;
        j["classes"].push_back(std::move(one));
    }
    j["tensors"] = json::array();
    for (const auto& a : plan.tensors) {
        json one;
        one["name"] = in.model.tensors()[a.tensor].name;
        one["class"] = plan.classes[a.class_index].name;
        one["type"] = name(a.type);
        if (a.fell_back()) one["asked"] = name(a.asked);
        one["bytes"] = a.bytes;
        one["computed"] = a.computed;
        one["reason"] = reason_text(a.why);
        if (a.sensitivity) one["sensitivity"] = *a.sensitivity;
        if (a.why == reason::planned) one["cost"] = a.cost;
        j["tensors"].push_back(std::move(one));
    }
    j["warnings"] = plan.warnings;
    j["notes"] = in.notes;
    return j;
}

std::string proof(const knapsack_solution& s) {
    if (s.optimal) return "proven optimal";
    std::string text = "not the proven optimum";
    if (s.lower_bound > 0) {
        text += std::string(": ").append(examples::fixed(100 * (s.cost / s.lower_bound - 1), 4)) +
                "% above";
    }
    return text + " the bound " + shortest(s.lower_bound);
}

void add_certificate(plan_inputs& in, const plan_result& plan, const plan_arguments& args,
                     double loss) {
    auto& hidden = in.report.hidden;
    const auto& o = in.request.loss;
    hidden.emplace_back("Method",
                        args.method == "spread" ? "spread" : "exact multiple-choice knapsack");
    if (o.tensor_exponent != 1)
        hidden.emplace_back("Loss exponent (p)", shortest(o.tensor_exponent));
    if (o.type_exponent != 1) {
        hidden.emplace_back("Degradation exponent (q)", shortest(o.type_exponent));
    }
    if (o.remove_floor) {
        hidden.emplace_back("Floor of the sensitivities",
                            shortest(o.floor ? *o.floor : floor_of(in.calibration)));
    }
    for (const auto c : in.report.order) {
        const auto& k = plan.classes[c];
        if (!k.planned) continue;
        hidden.emplace_back(std::string("Objective [") + k.name + "]", shortest(k.solution.cost));
        hidden.emplace_back(std::string("Lower bound [") + k.name + "]",
                            shortest(k.solution.lower_bound));
        hidden.emplace_back(std::string("Gap [") + k.name + "]", shortest(k.solution.gap()));
        hidden.emplace_back(std::string("Proof [") + k.name + "]",
                            k.solution.optimal ? "optimal" : "bound only");
    }
    hidden.emplace_back("Predicted loss of the model", shortest(loss));
}

void print_diagnostics(const plan_inputs& in, const plan_result& plan, double loss) {
    for (const auto& n : in.notes) std::cerr << "plan: " << n << '\n';
    for (const auto& w : plan.warnings) std::cerr << "plan: warning: " << w << '\n';
    for (const auto c : in.report.order) {
        const auto& k = plan.classes[c];
        if (!k.planned) continue;
        std::cerr << "plan: " << k.name << ": " << examples::fixed(gib(k.bytes()), 3) << " GiB";
        if (k.budget_bytes) std::cerr << " of " << examples::fixed(gib(*k.budget_bytes), 3);
        std::cerr << ", cost " << shortest(k.solution.cost) << ", " << proof(k.solution) << '\n';
    }
    std::cerr << "plan: " << examples::fixed(average_bits(in.model, plan.tensors), 4)
              << " bits per weight, predicted loss " << examples::fixed(loss, 5);
    if (plan.time() != 0) {
        std::cerr << ", weights read in "
                  << examples::fixed(static_cast<double>(plan.time()) * 1e-9, 3) << " ms per token";
    }
    std::cerr << '\n';
}

void warn_of_left_out(const plan_inputs& in, const plan_result& plan,
                      std::vector<std::string>& notes) {
    const auto kept = in.request.ignore_f32 ? std::size_t{1} : std::size_t{0};
    std::size_t left_out = in.model.tensors().size() - plan.tensors.size();
    if (kept != 0) {
        for (const auto& t : in.model.tensors()) {
            if (t.kept && left_out != 0) --left_out;
        }
    }
    if (left_out == 0) return;
    notes.push_back(std::to_string(left_out) +
                    " tensors belong to a class without types to choose from, and are left out");
}

// A share of the largest size means nothing to a class whose tensors have but one type to take.
bool lift_idle_shares(plan_inputs& in, const plan_result& plan) {
    bool lifted = false;
    for (std::size_t c = 0; c < plan.classes.size(); ++c) {
        const auto& k = plan.classes[c];
        auto& size = in.request.classes[c].size;
        if (k.feasible || size.kind != budget::unit::percent || k.least_bytes != k.largest_bytes) {
            continue;
        }
        in.notes.push_back(std::string("class ") + k.name + " has no choice of types, so its " +
                           shortest(size.percent) + "% are not a limit; it takes " +
                           std::to_string(k.least_bytes) + " bytes");
        size = {};
        lifted = true;
    }
    return lifted;
}

plan_result plan_by_method(const plan_inputs& in, const plan_arguments& args) {
    if (args.method != "spread") {
        return make_plan(in.model, in.calibration, in.curve, in.request).value();
    }
    spread_options options;
    if (args.tolerance) options.tolerance = *args.tolerance;
    return spread_plan(in.model, in.calibration, in.curve, in.request, options).value();
}

void run(const arguments& args) {
    auto in = load_plan_inputs(args.plan);
    auto plan = plan_by_method(in, args.plan);
    if (!plan.feasible() && lift_idle_shares(in, plan)) plan = plan_by_method(in, args.plan);
    plan.check_feasible().value();
    warn_of_left_out(in, plan, in.notes);
    if (args.plan.without_imatrix) {
        for (const auto& a : plan.tensors) {
            auto text = importance_objection(in.model.tensors()[a.tensor].name, a.type);
            if (!text.empty()) plan.warnings.push_back(std::move(text));
        }
    }
    const auto loss =
        predicted_loss(in.model, in.calibration, in.curve, plan.tensors, in.request.loss).value();
    print_diagnostics(in, plan, loss);
    if (args.as_json) {
        std::cout << to_json(in, plan, loss).dump(2) << '\n';
        return;
    }
    in.report.tool = tool;
    in.report.script_sha256 = sha256_hex(tool);
    in.report.date = date();
    in.report.command = args.command;
    add_certificate(in, plan, args.plan, loss);
    std::cout << write_raw_recipe(in.model, plan, in.report);
}

}  // namespace

void add_plan(CLI::App& app, const std::vector<std::string>& command) {
    const auto args = std::make_shared<arguments>();
    args->command = command;
    add_plan_options(app, args->plan);
    app.add_flag("--json", args->as_json, "print JSON instead of a recipe");
    app.final_callback([&app, args] {
        if (app.get_subcommands().empty()) run(*args);
    });
}

}  // namespace examples
