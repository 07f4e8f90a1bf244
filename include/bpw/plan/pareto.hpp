// What can be had: the plans of which none is larger, slower and worse than another.
//
// Where they are not too many, all of them are listed: partial plans are extended tensor by tensor,
// and of those with the same tensors only the ones that no other beats are kept (labels of
// multi-objective shortest paths; Martins 1984). Otherwise a cover is listed: few plans, each the
// best of its size or of its size and time, such that every plan whatever has a listed one that is
// at most a stated factor larger, slower and worse. The factors are what was proven on the way.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/plan/knapsack.hpp>
#include <bpw/plan/planner.hpp>
#include <bpw/plan/timed_knapsack.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

BPW_NAMESPACE_BEGIN
namespace plan {

/// How much of the front is listed.
struct pareto_options {
    /// Partial plans in all, of about 10 bytes each, up to which the whole front is sought; 0 does
    /// not seek it.
    std::size_t labels = 1'000'000;
    /// Otherwise: how much larger, slower or worse than another plan a listed one may be, as a
    /// share; at least 0.001.
    double within = 0.05;
};

/// A plan on the front.
struct pareto_point {
    std::uint64_t bytes = 0;  ///< of all classes
    std::uint64_t time = 0;   ///< picoseconds per token; 0 where no speed is known
    double cost = 0;
    double lower_bound = 0;             ///< of the cost of any plan no larger and no slower
    bool optimal = false;               ///< proven: none costs less
    std::vector<std::uint32_t> choice;  ///< the option of each item, class after class
};

/// The front of loss, size and, where every class has a speed, time.
struct plan_front {
    plan_problem problem;              ///< without budgets
    std::vector<pareto_point> points;  ///< by rising size and time; none beats another
    /// Every plan that no other beats is listed, one of each size, time and cost.
    bool whole = false;
    /// For every plan there is a listed one of at most so many times its size, time and cost.
    double size_factor = 1;
    double time_factor = 1;
    double cost_factor = 1;
};

namespace detail {

class front_builder {
  public:
    front_builder(plan_problem problem, const plan_request& request, const pareto_options& options)
        : request_(request), options_(options) {
        for (std::size_t k = 0; k < problem.items.size(); ++k) {
            fixed_bytes_ += problem.classes[k].fixed_bytes();
            fixed_time_ += problem.classes[k].fixed_time;
            for (const auto& item : problem.items[k]) {
                auto& plain = items_.emplace_back();
                for (const auto& o : item.options) plain.push_back({o.bytes, o.time, o.cost});
            }
        }
        front_.problem = std::move(problem);
    }

    result<plan_front> build(bool timed) {
        if (!timed) {
            for (auto& item : items_) {
                for (auto& o : item) o.time = 0;
            }
            fixed_time_ = 0;
        }
        if (list_all()) {
            front_.whole = true;
        } else if (auto done = timed ? cover_sizes_and_times() : cover_sizes(); !done) {
            return done.error();
        }
        keep_front();
        return std::move(front_);
    }

  private:
    using integer = std::int64_t;

    // --- the whole front ------------------------------------------------------------------------

    struct label {
        integer weight;
        integer time;
        integer cost;
        std::uint32_t parent;
        std::uint32_t option;
    };

    // Lists every plan that no other beats; nothing if there are too many labels.
    bool list_all() {
        double largest = 0;
        for (const auto& item : items_) {
            double most = 0;
            for (const auto& o : item) most = std::fmax(most, std::fabs(o.cost));
            largest += most;
        }
        int exponent = 0;
        (void)std::frexp(largest, &exponent);
        const auto shift = largest > 0 ? std::clamp(60 - exponent, -2000, 2000) : 0;
        std::vector<label> list{{0, 0, 0, 0, 0}};
        std::vector<std::pair<std::uint32_t, std::uint32_t>> nodes{{0, 0}};
        for (const auto& item : items_) {
            std::vector<label> all;
            std::vector<label> merged;
            for (std::size_t j = 0; j < item.size(); ++j) {
                const auto cost =
                    static_cast<integer>(std::llround(std::ldexp(item[j].cost, shift)));
                auto one = list;
                for (auto& l : one) {
                    l.weight += static_cast<integer>(item[j].weight);
                    l.time += static_cast<integer>(item[j].time);
                    l.cost += cost;
                    l.option = static_cast<std::uint32_t>(j);
                }
                merged.resize(all.size() + one.size());
                std::merge(all.begin(), all.end(), one.begin(), one.end(), merged.begin(),
                           lighter<label>);
                drop_beaten(merged);
                std::swap(all, merged);
                if (nodes.size() + all.size() > options_.labels) return false;
            }
            for (auto& l : all) {
                nodes.emplace_back(l.parent, l.option);
                l.parent = static_cast<std::uint32_t>(nodes.size() - 1);
            }
            list = std::move(all);
        }
        for (const auto& l : list) {
            std::vector<std::size_t> choice(items_.size());
            auto n = l.parent;
            for (auto i = items_.size(); i-- > 0; n = nodes[n].first) choice[i] = nodes[n].second;
            add_point(choice);
            front_.points.back().lower_bound = front_.points.back().cost;
            front_.points.back().optimal = true;
        }
        return true;
    }

    // --- covers ---------------------------------------------------------------------------------

    [[nodiscard]] double within() const { return std::fmax(options_.within, 0.001); }

    // From the best plan on down: each point is the smallest plan that costs at most the factor
    // more than the best of all plans smaller than the point before it. So it stands for them all.
    result<void> cover_sizes() {
        std::vector<knapsack_item> by_size;
        std::vector<double> least;
        double sum = 0;
        double largest = 0;
        std::vector<std::size_t> best;
        for (const auto& item : items_) {
            auto& plain = by_size.emplace_back();
            std::size_t at = 0;
            double most = item.front().cost;
            for (std::size_t j = 0; j < item.size(); ++j) {
                plain.push_back({item[j].weight, item[j].cost});
                const auto& b = item[at];
                most = std::fmax(most, item[j].cost);
                if (item[j].cost < b.cost ||
                    (item[j].cost == b.cost && item[j].weight < b.weight)) {
                    at = j;
                }
            }
            best.push_back(at);
            least.push_back(item[at].cost);
            sum += most - least.back();
            largest = std::fmax(largest, most - least.back());
        }
        // The same with the roles exchanged: costs in whole units, rounded up, are the weights.
        int all_exponent = 0;
        int one_exponent = 0;
        (void)std::frexp(sum, &all_exponent);
        (void)std::frexp(largest, &one_exponent);
        const auto shift = std::clamp(std::min(60 - all_exponent, 52 - one_exponent), -2000, 2000);
        std::vector<knapsack_item> by_cost;
        double least_sum = 0;
        for (std::size_t i = 0; i < items_.size(); ++i) {
            auto& plain = by_cost.emplace_back();
            for (const auto& o : items_[i]) {
                const auto units = std::ceil(std::ldexp(o.cost - least[i], shift));
                plain.push_back({static_cast<std::uint64_t>(units), static_cast<double>(o.weight)});
            }
            least_sum += least[i];
        }

        add_point(best);
        front_.points.back().lower_bound = front_.points.back().cost;
        front_.points.back().optimal = true;
        for (;;) {
            const auto before = front_.points.back().bytes - fixed_bytes_;
            if (before == 0) return {};
            auto next = solve_knapsack(by_size, before - 1, request_.limits);
            if (!next) return next.error();
            if (!next->feasible) return {};
            const auto bound = next->lower_bound;
            const auto units = std::ldexp(bound + std::fabs(bound) * within() - least_sum, shift);
            if (units >= 0 && units < 0x1p61) {
                const auto smallest = solve_knapsack(
                    by_cost, static_cast<std::uint64_t>(std::floor(units)), request_.limits);
                if (!smallest) return smallest.error();
                std::uint64_t bytes = before;
                if (smallest->feasible) {
                    bytes = 0;
                    for (std::size_t i = 0; i < items_.size(); ++i) {
                        bytes += items_[i][smallest->choice[i]].weight;
                    }
                }
                if (bytes < before) {
                    next = solve_knapsack(by_size, bytes, request_.limits);
                    if (!next) return next.error();
                }
            }
            add_point(next->choice);
            front_.points.back().lower_bound = next->lower_bound;
            front_.points.back().optimal = next->optimal;
            note_factor(front_.cost_factor, next->cost, bound);
        }
    }

    // For sizes and times that rise by the factor the best plan within both: it stands for all
    // plans below it and above the next smaller size and time.
    result<void> cover_sizes_and_times() {
        std::vector<timed_class> all(1);
        all[0].items = items_;
        std::uint64_t smallest = fixed_bytes_;
        std::uint64_t largest = fixed_bytes_;
        std::uint64_t fastest = fixed_time_;
        std::uint64_t slowest = fixed_time_;
        for (const auto& item : items_) {
            auto low = item.front();
            auto high = item.front();
            for (const auto& o : item) {
                low.weight = std::min(low.weight, o.weight);
                low.time = std::min(low.time, o.time);
                high.weight = std::max(high.weight, o.weight);
                high.time = std::max(high.time, o.time);
            }
            smallest += low.weight;
            largest += high.weight;
            fastest += low.time;
            slowest += high.time;
        }
        const auto sizes = rising(smallest, largest, front_.size_factor);
        const auto times = rising(fastest, slowest, front_.time_factor);
        for (const auto size : sizes) {
            all[0].capacity = size - fixed_bytes_;
            auto limit = slowest;
            for (std::size_t t = times.size(); t-- > 0;) {
                // A slower limit than the last plan needed has been answered by it.
                if (times[t] >= limit && t + 1 != times.size()) continue;
                const auto s = solve_timed_knapsack(all, times[t] - fixed_time_, request_.timed);
                if (!s) return s.error();
                if (!s->feasible) break;
                add_point(s->choice[0]);
                front_.points.back().lower_bound = s->lower_bound;
                front_.points.back().optimal = s->optimal;
                note_factor(front_.cost_factor, s->cost, s->lower_bound);
                limit = front_.points.back().time;
            }
        }
        return {};
    }

    // Numbers from `low` to at least `high`, each at most the factor above the one before; notes
    // the largest factor.
    [[nodiscard]] std::vector<std::uint64_t> rising(std::uint64_t low, std::uint64_t high,
                                                    double& factor) const {
        std::vector<std::uint64_t> all{low};
        while (all.back() < high) {
            const auto last = static_cast<double>(all.back());
            const auto next = static_cast<std::uint64_t>(std::floor(last * (1 + within())));
            all.push_back(std::min(high, std::max(next, all.back() + 1)));
            // A plan above the last number is at least one unit above it.
            note_factor(factor, static_cast<double>(all.back()), last + 1);
        }
        return all;
    }

    static void note_factor(double& factor, double of, double over) {
        if (of <= over) return;
        factor = over > 0 ? std::fmax(factor, of / over) : std::numeric_limits<double>::infinity();
    }

    // --- points ---------------------------------------------------------------------------------

    void add_point(const std::vector<std::size_t>& choice) {
        pareto_point p;
        p.bytes = fixed_bytes_;
        p.time = fixed_time_;
        for (std::size_t i = 0; i < items_.size(); ++i) {
            const auto& o = items_[i][choice[i]];
            p.bytes += o.weight;
            p.time += o.time;
            p.cost += o.cost;
            p.choice.push_back(static_cast<std::uint32_t>(choice[i]));
        }
        front_.points.push_back(std::move(p));
    }

    void keep_front() {
        struct place {
            integer weight;
            integer time;
            double cost;
            std::size_t point;
        };
        std::vector<place> places;
        for (std::size_t i = 0; i < front_.points.size(); ++i) {
            const auto& p = front_.points[i];
            places.push_back(
                {static_cast<integer>(p.bytes), static_cast<integer>(p.time), p.cost, i});
        }
        std::stable_sort(places.begin(), places.end(), lighter<place>);
        drop_beaten(places);
        std::vector<pareto_point> kept;
        for (const auto& p : places) kept.push_back(std::move(front_.points[p.point]));
        front_.points = std::move(kept);
    }

    const plan_request& request_;
    pareto_options options_;
    std::vector<timed_item> items_;
    std::uint64_t fixed_bytes_ = 0;
    std::uint64_t fixed_time_ = 0;
    plan_front front_;
};

}  // namespace detail

/// The plans of which none is larger, slower and worse than another: all of them, or a cover. Time
/// counts where every class has a speed. Budgets and the limit on time in the request do not count,
/// and the sizes are those of all classes together. Errors: those of make_plan.
[[nodiscard]] inline result<plan_front> pareto_front(const model& m, const calibration& c,
                                                     const cost_curve& curve,
                                                     const plan_request& request,
                                                     const pareto_options& options = {}) {
    auto free = request;
    free.seconds.reset();
    auto problem = prepare_plan(m, c, curve, free);
    if (!problem) return problem.error();
    bool timed = false;
    bool silent = false;
    for (auto& k : problem->classes) k.budget_bytes.reset();
    for (const auto& k : request.classes) {
        if (k.pool.empty()) continue;
        (k.speed ? timed : silent) = true;
    }
    return detail::front_builder(*std::move(problem), request, options).build(timed && !silent);
}

/// The plan of a point.
[[nodiscard]] inline plan_result plan_of(const model& m, const plan_front& front,
                                         const pareto_point& point, const plan_request& request) {
    const auto& problem = front.problem;
    plan_result out{problem.assigned, problem.classes, problem.warnings,
                    request.storage,  std::nullopt,    std::nullopt};
    std::size_t next = 0;
    for (std::size_t k = 0; k < problem.classes.size(); ++k) {
        auto& plan = out.classes[k];
        if (!plan.planned) continue;
        auto& s = plan.solution;
        s.feasible = true;
        for (const auto& item : problem.items[k]) {
            s.choice.push_back(point.choice[next++]);
            const auto& o = item.options[s.choice.back()];
            s.weight += o.bytes;
            s.cost += o.cost;
        }
        detail::apply_choice(m, problem.items[k], s.choice, out, plan);
        s.optimal = point.optimal;
        // Of what a class alone can gain, only the bound of all together is known.
        s.lower_bound = s.cost - (point.cost - point.lower_bound);
    }
    return out;
}

}  // namespace plan
BPW_NAMESPACE_END
