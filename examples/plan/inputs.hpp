// What `plan` and `plan pareto` are told on their command line, and what they read because of it.
#pragma once

#include <bpw/plan.hpp>

#include <CLI/CLI.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace examples {

/// The options of one class as they stand on the command line.
struct class_arguments {
    std::string name;
    std::vector<std::string> tensors;
    std::vector<std::string> quants;
    std::vector<std::string> locks;
    std::string assign;
    std::string size;
    std::string speed;
    std::optional<double> outlier_distance;
};

struct plan_arguments {
    std::string calibration;
    std::string model;
    std::string maps;
    std::string reference;
    class_arguments gpu;
    class_arguments cpu;
    std::vector<std::string> classes;
    bool lock_outliers = false;

    std::string curve;
    bool greedy = false;
    bool automatic = false;
    std::string method = "optimal";
    std::optional<double> tolerance;
    std::optional<double> tensor_exponent;
    std::optional<double> type_exponent;
    double tensor_scaling = 0;
    bool better_cost = false;
    std::optional<double> floor;
    std::string joint_groups;

    std::vector<std::string> ties{R"(blk\..*\.ffn_up_exps.*,blk\..*\.ffn_gate_exps.*)"};
    int harmonization = 3;
    std::vector<std::string> synergy{
        R"(blk\..*\.ffn_up_exps.*,blk\..*\.ffn_gate_exps.*,blk\..*\.ffn_down_exps.*)"};
    double synergy_strength = 0;

    bool ignore_f32 = false;
    bool tensors_from_csv = false;
    bool no_fallback = false;
    bool compute_all_maps = false;
    bool without_imatrix = false;
    std::string project = "ik";
    std::optional<double> milliseconds;
    std::optional<double> expert_share;
    double bandwidth = 100;

    std::vector<std::string> without_effect;  ///< flags that were given and change nothing
};

/// Adds the options to a command. `args` must live as long as it.
void add_plan_options(CLI::App& app, plan_arguments& args);

/// Everything that a plan is made from.
struct plan_inputs {
    bpw::plan::model model;
    bpw::plan::calibration calibration;
    bpw::plan::cost_curve curve;
    bpw::plan::plan_request request;
    bpw::plan::report_options report;
    std::vector<std::string> notes;  ///< sentences for people, such as what was not found
};

/// Reads what the arguments name. Throws bpw::error.
[[nodiscard]] plan_inputs load_plan_inputs(const plan_arguments& args);

}  // namespace examples
