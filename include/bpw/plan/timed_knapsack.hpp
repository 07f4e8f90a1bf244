// The multiple-choice knapsack with two kinds of limits: a capacity for each class of items, and
// one limit on the time of all items together.
//
// Multipliers of the time limit and of the capacities, found on the linear relaxation, give a bound
// and reduced costs (Lagrange). Choices that the exact knapsack makes at a price of time are good
// solutions; the rest is searched stage by stage over states of which none is heavier, slower and
// dearer than another, as in knapsack.hpp. A search that cut nothing is a proof; otherwise the
// bound stands beside the solution.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/plan/knapsack.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <utility>
#include <vector>

BPW_NAMESPACE_BEGIN
namespace plan {

struct timed_option {
    std::uint64_t weight;  ///< at most 2^53
    std::uint64_t time;    ///< at most 2^53
    double cost;           ///< finite
};

/// Exactly one of these is taken.
using timed_item = std::vector<timed_option>;

/// Items that share a capacity.
struct timed_class {
    std::vector<timed_item> items;
    std::uint64_t capacity = 0;
};

struct timed_limits {
    std::size_t states = 8'000;        ///< in a list of the last pass
    std::size_t history = 30'000'000;  ///< over all lists of one pass
    knapsack_limits inner;             ///< of the knapsacks at a price of time
};

struct timed_solution {
    bool fits = false;                             ///< within the capacities, whatever the time
    bool feasible = false;                         ///< within the time too: a choice was found
    std::uint64_t least_time = 0;                  ///< no choice within the capacities is faster
    std::vector<std::vector<std::size_t>> choice;  ///< of each class and item
    std::vector<std::uint64_t> weights;            ///< of each class
    std::uint64_t time = 0;
    double cost = 0;
    double lower_bound = 0;
    bool optimal = false;

    [[nodiscard]] double gap() const noexcept {
        if (cost == lower_bound) return 0;
        return (cost - lower_bound) / std::fabs(cost == 0 ? lower_bound : cost);
    }
};

namespace detail {

class timed_solver {
  public:
    timed_solver(std::span<const timed_class> classes, std::uint64_t limit,
                 const timed_limits& limits)
        : classes_(classes), limit_(limit), limits_(limits) {}

    result<timed_solution> solve() {
        timed_solution s;
        // The fastest choice tells whether there is one at all.
        const auto fastest = at_price(1, 0);
        if (!fastest) return fastest.error();
        s.fits = fastest->fits;
        if (!s.fits) return s;
        s.least_time = fastest->time;
        if (fastest->time > limit_) return s;
        take(*fastest);
        const auto free = at_price(0, 1);
        if (!free) return free.error();
        if (free->time <= limit_) {
            take(*free);
            bound_ = free->bound;
            proven_ = free->proven;
        } else if (auto done = price_time(); !done) {
            return done.error();
        }
        if (!proven_) search();
        finish(s);
        return s;
    }

  private:
    struct priced {
        bool fits = true;
        bool proven = true;
        std::vector<std::vector<std::size_t>> choice;
        std::uint64_t time = 0;
        double cost = 0;
        double bound = 0;  // of cost_weight * cost + time_weight * time
    };

    // The best choice of every class where a unit of time costs `time_weight` and one of cost
    // `cost_weight`, each class by itself.
    result<priced> at_price(double time_weight, double cost_weight) const {
        priced p;
        for (const auto& c : classes_) {
            std::vector<knapsack_item> items;
            for (const auto& item : c.items) {
                auto& plain = items.emplace_back();
                for (const auto& o : item) {
                    const auto time = static_cast<double>(o.time);
                    plain.push_back({o.weight, std::fma(time_weight, time, cost_weight * o.cost)});
                }
            }
            const auto s = solve_knapsack(items, c.capacity, limits_.inner);
            if (!s) return s.error();
            p.fits = p.fits && s->feasible;
            p.proven = p.proven && s->optimal;
            p.bound += s->lower_bound;
            p.choice.push_back(s->choice);
            for (std::size_t i = 0; s->feasible && i < c.items.size(); ++i) {
                p.time += c.items[i][s->choice[i]].time;
                p.cost += c.items[i][s->choice[i]].cost;
            }
        }
        return p;
    }

    void take(const priced& p) {
        if (!p.fits || p.time > limit_ || (known_ && p.cost >= best_cost_)) return;
        known_ = true;
        best_cost_ = p.cost;
        best_choice_ = p.choice;
    }

    // Looks for the price of time at which the best choice just keeps the limit. Every price gives
    // a bound, and every choice that keeps the limit is a solution.
    result<void> price_time() {
        // At the highest price no saving is worth a unit of time.
        double high = 1e-300;
        for (const auto& c : classes_) {
            for (const auto& item : c.items) {
                double largest = 0;
                for (const auto& o : item) largest = std::fmax(largest, std::fabs(o.cost));
                high += 2 * largest;
            }
        }
        double low = 0;
        bound_ = -std::numeric_limits<double>::infinity();
        for (int step = 0; step < 60 && high > low * (1 + 1e-9); ++step) {
            const auto price = low == 0 ? high / 64 : std::sqrt(low) * std::sqrt(high);
            const auto p = at_price(price, 1);
            if (!p) return p.error();
            const auto bound = std::fma(-price, static_cast<double>(limit_), p->bound);
            if (bound > bound_) {
                bound_ = bound;
                price_ = price;
            }
            take(*p);
            if (p->time == limit_ && p->proven) {
                proven_ = true;
                bound_ = best_cost_;
                return {};
            }
            (p->time > limit_ ? low : high) = price;
        }
        return {};
    }

    // --- search ---------------------------------------------------------------------------------

    struct choice_left {
        std::uint64_t weight;
        std::uint64_t time;
        double cost;
        double excess;
        std::uint32_t option;
    };
    struct stage {
        std::size_t class_index;
        std::size_t item;
        bool last_of_class;
        std::vector<choice_left> options;
        std::uint64_t rest_weight = 0;  // least, of the stages behind it in the class
        std::uint64_t rest_time = 0;    // least, of all stages behind it
    };
    struct state {
        std::uint64_t weight;
        std::uint64_t time;
        double cost;
        double excess;
        std::uint32_t parent;
        std::uint32_t option;
    };
    struct node {
        std::uint32_t parent;
        std::uint32_t option;
    };

    // Price of a unit of weight in a class at the price of time: that of the step of the linear
    // relaxation that does not fit.
    double weight_price(const timed_class& c) const {
        struct corner {
            double weight;
            double cost;
        };
        struct step {
            double weight;
            double saving;
        };
        std::vector<step> steps;
        double room = static_cast<double>(c.capacity);
        for (const auto& item : c.items) {
            std::vector<corner> points;
            for (const auto& o : item) {
                points.push_back({static_cast<double>(o.weight),
                                  std::fma(price_, static_cast<double>(o.time), o.cost)});
            }
            std::sort(points.begin(), points.end(), [](const corner& a, const corner& b) {
                return a.weight != b.weight ? a.weight < b.weight : a.cost < b.cost;
            });
            std::vector<corner> hull;
            for (const auto& p : points) {
                if (!hull.empty() && p.cost >= hull.back().cost) continue;
                while (hull.size() > 1) {
                    const auto& b = hull[hull.size() - 1];
                    const auto& a = hull[hull.size() - 2];
                    const auto first = (a.cost - b.cost) / (b.weight - a.weight);
                    const auto second = (b.cost - p.cost) / (p.weight - b.weight);
                    if (first > second) break;
                    hull.pop_back();
                }
                hull.push_back(p);
            }
            room -= hull.front().weight;
            for (std::size_t i = 1; i < hull.size(); ++i) {
                steps.push_back(
                    {hull[i].weight - hull[i - 1].weight, hull[i - 1].cost - hull[i].cost});
            }
        }
        std::stable_sort(steps.begin(), steps.end(), [](const step& a, const step& b) {
            return a.saving / a.weight > b.saving / b.weight;
        });
        for (const auto& s : steps) {
            room -= s.weight;
            if (room < 0) return s.saving / s.weight;
        }
        return 0;
    }

    // Stages of all classes, options that cannot be part of a better choice left out, and the bound
    // that the prices give.
    std::vector<stage> build_stages(double& bound) const {
        std::vector<stage> all;
        double sum = -price_ * static_cast<double>(limit_);
        double scale = std::fabs(sum);
        std::vector<double> prices;
        for (const auto& c : classes_) {
            prices.push_back(weight_price(c));
            const auto whole = prices.back() * static_cast<double>(c.capacity);
            sum -= whole;
            scale += whole;
        }
        for (std::size_t k = 0; k < classes_.size(); ++k) {
            const auto first = all.size();
            for (std::size_t i = 0; i < classes_[k].items.size(); ++i) {
                stage s{k, i, false, {}, 0, 0};
                double least = std::numeric_limits<double>::infinity();
                for (std::size_t j = 0; j < classes_[k].items[i].size(); ++j) {
                    const auto& o = classes_[k].items[i][j];
                    const auto timed = std::fma(price_, static_cast<double>(o.time), o.cost);
                    const auto reduced = std::fma(prices[k], static_cast<double>(o.weight), timed);
                    least = std::fmin(least, reduced);
                    s.options.push_back(
                        {o.weight, o.time, o.cost, reduced, static_cast<std::uint32_t>(j)});
                }
                for (auto& o : s.options) o.excess -= least;
                sum += least;
                scale += std::fabs(least);
                all.push_back(std::move(s));
            }
            std::stable_sort(all.begin() + static_cast<std::ptrdiff_t>(first), all.end(),
                             [](const stage& a, const stage& b) { return span(a) > span(b); });
            if (all.size() != first) all.back().last_of_class = true;
        }
        // What rounding may have added to the bound is taken off again.
        bound = sum - 1e-13 * scale;
        const auto allowed = best_cost_ - bound;
        for (auto& s : all) {
            std::erase_if(s.options, [&](const choice_left& o) { return o.excess > allowed; });
        }
        std::uint64_t time = 0;
        std::uint64_t weight = 0;
        for (std::size_t i = all.size(); i-- > 0;) {
            if (all[i].last_of_class) weight = 0;
            all[i].rest_time = time;
            all[i].rest_weight = weight;
            std::uint64_t least_time = std::numeric_limits<std::uint64_t>::max();
            std::uint64_t least_weight = least_time;
            for (const auto& o : all[i].options) {
                least_time = std::min(least_time, o.time);
                least_weight = std::min(least_weight, o.weight);
            }
            if (all[i].options.empty()) continue;
            time += least_time;
            weight += least_weight;
        }
        return all;
    }

    static std::uint64_t span(const stage& s) {
        std::uint64_t low = std::numeric_limits<std::uint64_t>::max();
        std::uint64_t high = 0;
        for (const auto& o : s.options) {
            low = std::min(low, o.weight);
            high = std::max(high, o.weight);
        }
        return high - low;
    }

    void search() {
        for (const std::size_t width : {std::size_t{200}, std::size_t{3000}, limits_.states}) {
            double bound = 0;
            const auto stages = build_stages(bound);
            bound_ = std::fmax(bound_, bound);
            const auto cut = pass(stages, bound, std::min(width, limits_.states));
            if (cut >= best_cost_) {
                proven_ = true;
                bound_ = best_cost_;
                return;
            }
            bound_ = std::fmax(bound_, cut);
        }
    }

    // One search over lists of at most `width` states. Returns the least bound of what was cut.
    double pass(const std::vector<stage>& stages, double bound, std::size_t width) {
        double cut = std::numeric_limits<double>::infinity();
        std::vector<node> nodes{{0, 0}};
        std::vector<state> list{{0, 0, 0, 0, 0, 0}};
        std::vector<state> next;
        for (std::size_t k = 0; k < stages.size(); ++k) {
            const auto& s = stages[k];
            next.clear();
            const auto capacity = classes_[s.class_index].capacity;
            for (const auto& from : list) {
                for (std::uint32_t j = 0; j < s.options.size(); ++j) {
                    const auto& o = s.options[j];
                    const auto weight = from.weight + o.weight;
                    const auto time = from.time + o.time;
                    const auto excess = from.excess + o.excess;
                    if (weight + s.rest_weight > capacity || time + s.rest_time > limit_) continue;
                    if (bound + excess >= best_cost_) continue;
                    next.push_back({s.last_of_class ? 0 : weight, time, from.cost + o.cost, excess,
                                    from.parent, j});
                }
            }
            drop_beaten(next);
            if (next.size() > width) cut = std::fmin(cut, bound + shorten(next, width));
            if (nodes.size() + next.size() > limits_.history) return bound;
            for (auto& n : next) {
                nodes.push_back({n.parent, n.option});
                n.parent = static_cast<std::uint32_t>(nodes.size() - 1);
            }
            std::swap(list, next);
        }
        for (const auto& s : list) {
            if (s.cost >= best_cost_) continue;
            best_cost_ = s.cost;
            auto n = s.parent;
            for (std::size_t k = stages.size(); k-- > 0; n = nodes[n].parent) {
                best_choice_[stages[k].class_index][stages[k].item] =
                    stages[k].options[nodes[n].option].option;
            }
        }
        return cut;
    }

    // Removes states that another one is no heavier, slower and dearer than.
    static void drop_beaten(std::vector<state>& list) {
        std::stable_sort(list.begin(), list.end(), [](const state& a, const state& b) {
            if (a.weight != b.weight) return a.weight < b.weight;
            if (a.time != b.time) return a.time < b.time;
            return a.cost < b.cost;
        });
        std::map<std::uint64_t, double> front;  // cost by time, falling, of all lighter ones
        std::size_t kept = 0;
        for (const auto& s : list) {
            auto at = front.upper_bound(s.time);
            if (at != front.begin() && std::prev(at)->second <= s.cost) continue;
            while (at != front.end() && at->second >= s.cost) at = front.erase(at);
            front.insert_or_assign(s.time, s.cost);
            list[kept++] = s;
        }
        list.resize(kept);
    }

    static double shorten(std::vector<state>& list, std::size_t width) {
        std::stable_sort(list.begin(), list.end(),
                         [](const state& a, const state& b) { return a.excess < b.excess; });
        const auto cut = list[width].excess;
        list.resize(width);
        return cut;
    }

    void finish(timed_solution& s) const {
        s.feasible = known_;
        s.choice = best_choice_;
        for (std::size_t k = 0; k < classes_.size(); ++k) {
            std::uint64_t weight = 0;
            for (std::size_t i = 0; i < classes_[k].items.size(); ++i) {
                const auto& o = classes_[k].items[i][best_choice_[k][i]];
                weight += o.weight;
                s.time += o.time;
                s.cost += o.cost;
            }
            s.weights.push_back(weight);
        }
        s.optimal = proven_;
        s.lower_bound = proven_ ? s.cost : std::fmin(s.cost, bound_);
    }

    std::span<const timed_class> classes_;
    std::uint64_t limit_;
    timed_limits limits_;
    bool known_ = false;
    bool proven_ = false;
    double best_cost_ = 0;
    double bound_ = 0;
    double price_ = 0;
    std::vector<std::vector<std::size_t>> best_choice_;
};

}  // namespace detail

/// Chooses one option of every item so that the costs add up to the least, the weights of each
/// class to at most its capacity, and the times of all to at most `limit`. Where the capacities or
/// the time do not suffice, the solution says which and, for time, what would.
///
/// Costs are compared as they are, so solutions whose costs differ by rounding alone are equal.
/// Errors: those of solve_knapsack.
[[nodiscard]] inline result<timed_solution> solve_timed_knapsack(
    std::span<const timed_class> classes, std::uint64_t limit, const timed_limits& limits = {}) {
    return detail::timed_solver(classes, limit, limits).solve();
}

}  // namespace plan
BPW_NAMESPACE_END
