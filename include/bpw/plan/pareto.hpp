// What can be had: plans of which none is larger, slower and worse than another.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/plan/planner.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

BPW_NAMESPACE_BEGIN
namespace plan {

/// How finely the front is walked.
struct pareto_options {
    std::size_t sizes = 24;  ///< budgets from the least size to the largest; at least 2
    std::size_t times = 6;   ///< limits on time for each of them, where speeds are known
};

/// A plan on the front.
struct pareto_point {
    std::vector<std::uint64_t> budgets;  ///< of the classes, bytes
    std::uint64_t bytes = 0;             ///< of all classes
    std::uint64_t time = 0;              ///< picoseconds per token; 0 where no speed is known
    double cost = 0;
    double lower_bound = 0;  ///< of the cost within these budgets
    bool optimal = false;
    plan_result plan;
};

namespace detail {

inline bool no_worse(const pareto_point& a, const pareto_point& b) {
    return a.bytes <= b.bytes && a.time <= b.time && a.cost <= b.cost;
}

inline void keep_front(std::vector<pareto_point>& points) {
    std::stable_sort(points.begin(), points.end(), [](const auto& a, const auto& b) {
        if (a.bytes != b.bytes) return a.bytes < b.bytes;
        if (a.time != b.time) return a.time < b.time;
        return a.cost < b.cost;
    });
    std::vector<pareto_point> front;
    for (auto& p : points) {
        const auto beats = [&](const pareto_point& q) { return no_worse(q, p); };
        if (std::none_of(front.begin(), front.end(), beats)) front.push_back(std::move(p));
    }
    points = std::move(front);
}

inline pareto_point point_of(const plan_problem& problem, plan_result plan) {
    pareto_point p;
    for (const auto& c : problem.classes) p.budgets.push_back(c.budget_bytes.value_or(0));
    p.bytes = plan.bytes();
    p.time = plan.time();
    p.cost = plan.cost();
    p.optimal = plan.optimal();
    for (const auto& c : plan.classes) {
        if (c.planned) p.lower_bound += c.solution.lower_bound;
    }
    if (plan.timed) p.lower_bound = plan.timed->lower_bound;
    p.plan = std::move(plan);
    return p;
}

}  // namespace detail

/// Plans for size budgets of all classes from the least that is possible to the largest of use, at
/// equal steps, and where every class has a speed, for limits on time from the fastest plan of a
/// size to the one of least loss. Each plan is the best one within its budgets. Points that others
/// beat are left out; the rest is sorted by rising size.
///
/// Budgets and the limit on time in the request do not count. Errors: those of make_plan.
[[nodiscard]] inline result<std::vector<pareto_point>> pareto_front(
    const model& m, const calibration& c, const cost_curve& curve, const plan_request& request,
    const pareto_options& options = {}) {
    auto untimed = request;
    untimed.seconds.reset();
    untimed.prefer_largest = false;
    auto problem = prepare_plan(m, c, curve, untimed);
    if (!problem) return problem.error();
    bool timed = true;
    for (const auto& k : request.classes) timed = timed && (k.pool.empty() || k.speed);

    // The sizes at which a class begins and ceases to have a choice.
    std::vector<std::pair<std::uint64_t, std::uint64_t>> range;
    for (std::size_t k = 0; k < problem->classes.size(); ++k) {
        auto least = problem->classes[k].fixed_bytes();
        auto most = least;
        for (const auto& item : problem->items[k]) {
            auto low = item.options.front().bytes;
            auto best = item.options.front();
            for (const auto& o : item.options) {
                low = std::min(low, o.bytes);
                if (o.cost < best.cost || (o.cost == best.cost && o.bytes < best.bytes)) best = o;
            }
            least += low;
            most += best.bytes;
        }
        range.emplace_back(least, most);
    }
    std::vector<pareto_point> points;
    const auto sizes = std::max<std::size_t>(options.sizes, 2);
    for (std::size_t i = 0; i < sizes; ++i) {
        for (std::size_t k = 0; k < range.size(); ++k) {
            const auto [least, most] = range[k];
            auto& plan = problem->classes[k];
            plan.budget_bytes = least + (most - least) / (sizes - 1) * i;
            if (i + 1 == sizes) plan.budget_bytes = most;
        }
        problem->time_limit.reset();
        auto best = solve_plan(m, *problem, untimed);
        if (!best) return best.error();
        const auto slowest = best->time();
        points.push_back(detail::point_of(*problem, *std::move(best)));
        if (!timed || slowest == 0 || options.times == 0) continue;
        problem->time_limit = 0;
        const auto fastest = solve_plan(m, *problem, untimed);
        if (!fastest) return fastest.error();
        std::uint64_t low = fastest->timed->least_time;
        for (const auto& k : fastest->classes) low += k.fixed_time;
        for (std::size_t t = 0; t < options.times; ++t) {
            problem->time_limit = low + (slowest - std::min(low, slowest)) / options.times * t;
            auto plan = solve_plan(m, *problem, untimed);
            if (!plan) return plan.error();
            if (!plan->feasible()) continue;
            points.push_back(detail::point_of(*problem, *std::move(plan)));
        }
    }
    detail::keep_front(points);
    return points;
}

}  // namespace plan
BPW_NAMESPACE_END
