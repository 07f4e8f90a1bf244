// The spread method of older recipes: types by a tensor's place between the least and the most
// sensitive one, without regard to what each type costs.
//
// It is here so that recipes can be compared with those that were made by it. It knows only the
// order of the types. The bound that stands beside its cost is that of the exact method.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/core/type_id.hpp>
#include <bpw/formats/registry.hpp>
#include <bpw/plan/planner.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

BPW_NAMESPACE_BEGIN
namespace plan {

struct spread_options {
    double tolerance = 0.05;  ///< of the budget that may be left unused before the search goes on
    double longest_stretch = 10;
    double step = 0.01;
};

namespace detail {

class spreader {
  public:
    spreader(const plan_problem& problem, std::size_t k)
        : pool_(problem.classes[k].pool), items_(problem.items[k]) {
        for (const auto& item : items_) {
            double sum = 0;
            for (const auto member : item.members) {
                sum += problem.assigned[member].sensitivity.value_or(0);
            }
            values_.push_back(sum / static_cast<double>(item.members.size()));
        }
        if (!values_.empty()) {
            low_ = *std::min_element(values_.begin(), values_.end());
            high_ = *std::max_element(values_.begin(), values_.end());
        }
        double most = 0;
        for (const auto type : pool_) most = std::max(most, error_of(type));
        for (const auto type : pool_) errors_.push_back(most == 0 ? 0 : error_of(type) / most);
    }

    // The option of each item for a midpoint and a stretch.
    [[nodiscard]] std::vector<std::size_t> choose(double middle, double stretch) const {
        // Borders of the types' intervals on [-1, 1], the largest type on top.
        std::vector<double> borders;
        double total = 0;
        for (const auto e : errors_) total += 1 - (1 - e) / stretch;
        double at = 1;
        for (const auto e : errors_) {
            const auto width = 1 - (1 - e) / stretch;
            at -= total > 0 ? 2 * width / total : 2 / static_cast<double>(errors_.size());
            borders.push_back(at);
        }
        std::vector<std::size_t> choice;
        for (std::size_t i = 0; i < items_.size(); ++i) {
            const auto s = place(values_[i], middle);
            std::size_t t = 0;
            while (t + 1 < borders.size() && s < borders[t]) ++t;
            choice.push_back(option_of(items_[i], t));
        }
        return choice;
    }

    [[nodiscard]] std::uint64_t bytes_of(const std::vector<std::size_t>& choice) const {
        std::uint64_t bytes = 0;
        for (std::size_t i = 0; i < items_.size(); ++i) bytes += items_[i].options[choice[i]].bytes;
        return bytes;
    }

    [[nodiscard]] double low() const noexcept { return low_; }
    [[nodiscard]] double high() const noexcept { return high_; }

  private:
    static double error_of(type_id type) { return std::exp2(-2 * info(type).bits_per_weight); }

    // Where a sensitivity lies: -1 at the least, 0 at the midpoint, 1 at the most.
    [[nodiscard]] double place(double s, double middle) const {
        if (s >= middle) return high_ > middle ? (s - middle) / (high_ - middle) : s > low_ ? 1 : 0;
        return middle > low_ ? (s - middle) / (middle - low_) : -1;
    }

    // The option that the pool's type t stands for in an item, or the next smaller one.
    [[nodiscard]] std::size_t option_of(const plan_item& item, std::size_t t) const {
        for (std::size_t j = 0; j < item.options.size(); ++j) {
            if (!larger_type(item.options[j].asked, pool_[t])) return j;
        }
        return item.options.size() - 1;
    }

    const std::vector<type_id>& pool_;
    const std::vector<plan_item>& items_;
    std::vector<double> values_;
    std::vector<double> errors_;  // of the types, the worst one 1
    double low_ = 0;
    double high_ = 0;
};

}  // namespace detail

/// Plans by the spread method. The place of a tensor is where its sensitivity lies between the
/// least, a midpoint and the most, from -1 to 1; each type of the pool owns an interval of width 1
/// - f / stretch, with f = 1 - 2^(-2 bits) relative to the worst type. For stretches from 1 on the
/// midpoint is found by bisection; the first stretch that comes within the tolerance below the
/// budget is taken, otherwise the one that comes nearest without exceeding it. A class without a
/// budget spreads over its whole pool.
///
/// Where nothing fits, the class is marked as not feasible. A limit on time does not count. Errors:
/// those of make_plan.
[[nodiscard]] inline result<plan_result> spread_plan(const model& m, const calibration& c,
                                                     const cost_curve& curve,
                                                     const plan_request& request,
                                                     const spread_options& options = {}) {
    const auto problem = prepare_plan(m, c, curve, request);
    if (!problem) return problem.error();
    auto free = request;
    free.prefer_largest = false;
    free.seconds.reset();
    const auto exact = solve_plan(m, *problem, free);
    if (!exact) return exact.error();
    plan_result out{problem->assigned, problem->classes, problem->warnings,
                    request.storage,   std::nullopt,     std::nullopt};
    for (std::size_t k = 0; k < problem->classes.size(); ++k) {
        auto& plan = out.classes[k];
        if (!plan.planned) continue;
        const detail::spreader spread(*problem, k);
        plan.least_bytes = exact->classes[k].least_bytes;
        std::optional<std::vector<std::size_t>> best;
        if (!plan.budget_bytes) {
            best = spread.choose(spread.low() + (spread.high() - spread.low()) / 2, 1);
        } else if (*plan.budget_bytes >= plan.fixed_bytes()) {
            const auto room = *plan.budget_bytes - plan.fixed_bytes();
            const auto enough = static_cast<double>(room) * (1 - options.tolerance);
            std::uint64_t most = 0;
            const auto steps =
                static_cast<int>(std::floor((options.longest_stretch - 1) / options.step));
            for (int step = 0; step <= steps; ++step) {
                const auto stretch = std::fma(options.step, step, 1.0);
                double low = spread.low();
                double high = spread.high();
                for (int bisection = 0; bisection < 40; ++bisection) {
                    const auto middle = low + (high - low) / 2;
                    auto choice = spread.choose(middle, stretch);
                    const auto bytes = spread.bytes_of(choice);
                    if (bytes > room) {
                        low = middle;  // a higher midpoint leaves fewer tensors above it
                        continue;
                    }
                    high = middle;
                    if (best && bytes <= most) continue;
                    most = bytes;
                    best = std::move(choice);
                }
                if (best && static_cast<double>(most) >= enough) break;
            }
        }
        plan.feasible = best.has_value();
        if (!best) continue;
        plan.solution.feasible = true;
        plan.solution.choice = *best;
        for (std::size_t i = 0; i < best->size(); ++i) {
            const auto& o = problem->items[k][i].options[(*best)[i]];
            plan.solution.cost += o.cost;
            plan.solution.weight += o.bytes;
        }
        plan.solution.least_weight = exact->classes[k].solution.least_weight;
        plan.solution.lower_bound =
            std::min(exact->classes[k].solution.lower_bound, plan.solution.cost);
        plan.solution.optimal = plan.solution.lower_bound == plan.solution.cost;
        detail::apply_choice(m, problem->items[k], *best, out, plan);
    }
    return out;
}

}  // namespace plan
BPW_NAMESPACE_END
