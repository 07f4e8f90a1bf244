// Small models and the published ones, as the planner's tests need them.
#pragma once

#include "plan/shipped.hpp"

#include <bpw/plan/default_curve.hpp>
#include <bpw/plan/planner.hpp>

#include <gtest/gtest.h>

#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace plan_test {

namespace plan = bpw::plan;
using bpw::type_id;

/// A line of a map.
inline std::string map_line(const std::string& name, const std::string& shape, std::uint64_t n,
                            const std::string& type, std::uint64_t bytes) {
    return std::string("m-00001-of-00002.gguf:0123:") + name + ":shape=(" + shape +
           "):dtype=" + type + ":elements=" + std::to_string(n) +
           ":bytes=" + std::to_string(bytes) + "\n";
}

/// A line of the map of an unquantized model: a matrix of bf16, or with one dimension f32.
inline std::string bf16_line(const std::string& name, std::uint64_t cols, std::uint64_t rows) {
    if (rows == 1) return map_line(name, std::to_string(cols) + ",", cols, "f32", cols * 4);
    return map_line(name, std::to_string(cols) + ", " + std::to_string(rows), cols * rows, "bf16",
                    cols * rows * 2);
}

inline plan::model model_of(const std::string& lines) {
    return plan::model::from_map(plan::read_tensor_map(lines, "small.map").value());
}

inline std::vector<type_id> types(std::string_view names) {
    std::vector<type_id> out;
    for (const auto word : plan::split(names, ' ')) {
        if (!word.empty()) out.push_back(bpw::type_from_name(word).value());
    }
    return out;
}

inline plan::pattern regex(std::string_view text) { return plan::pattern::compile(text).value(); }

/// A published model with the maps of these types that are there.
inline plan::model shipped_model(const std::string& name, const std::vector<type_id>& pool) {
    const auto folder = shipped_folder() / name / "group0";
    auto m = plan::model::from_map(
        plan::read_tensor_map(read(folder / "tensors.bf16.map"), "tensors.bf16.map").value());
    for (const auto type : pool) {
        const auto file = std::string("tensors.").append(std::string(bpw::name(type))) + ".map";
        if (!std::filesystem::exists(folder / file)) continue;
        m.add_map(type, plan::read_tensor_map(read(folder / file), file).value()).value();
    }
    return m;
}

inline plan::calibration shipped_calibration(const std::string& model) {
    return plan::read_calibration(read(shipped_folder() / model / "kld_results.csv"),
                                  "kld_results.csv")
        .value();
}

inline plan::cost_curve shipped_curve(const std::string& model) {
    return plan::read_cost_curve(read(shipped_folder() / model / "group0" / "kld_results.csv"),
                                 "group0/kld_results.csv")
        .value();
}

}  // namespace plan_test
