// The multiple-choice knapsack with two kinds of limits: a capacity for each class of items, and
// one limit on the time of all items together.
//
// A price for a unit of time, and for a unit of weight in each class, turns the limits into costs,
// and the least priced cost bounds all choices from below (Everett 1963). The prices of the linear
// relaxation bound best. Choices that the exact knapsack makes at a price of time are good
// solutions. The rest is searched stage by stage over states of which none is heavier, slower and
// dearer than another, as in knapsack.hpp. What a state leaves of the limits differs from the
// average, so each state is bounded by the best of many prices: those of the root, their
// surroundings, and those of states after the largest items. The items that are open at a price
// also complete states to solutions. A search that cut nothing is a proof; otherwise the bound
// stands beside the solution.
//
// As in knapsack.hpp all decisions are taken in integers.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/plan/knapsack.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
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
    std::size_t states = 60'000;       ///< in a list of the last pass
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

// By weight, time and cost.
template <class State>
bool lighter(const State& a, const State& b) {
    if (a.weight != b.weight) return a.weight < b.weight;
    return a.time != b.time ? a.time < b.time : a.cost < b.cost;
}

// Removes states that another one is no heavier, slower and dearer than, from a sorted list.
template <class State>
void drop_beaten(std::vector<State>& list) {
    struct corner {
        std::int64_t time;
        decltype(State::cost) cost;
    };
    std::vector<corner> front;  // of all lighter states: rising time, falling cost
    std::size_t kept = 0;
    for (const auto& s : list) {
        auto at = std::upper_bound(front.begin(), front.end(), s.time,
                                   [](std::int64_t t, const corner& c) { return t < c.time; });
        if (at != front.begin() && std::prev(at)->cost <= s.cost) continue;
        auto first = at;
        if (first != front.begin() && std::prev(first)->time == s.time) --first;
        auto last = at;
        while (last != front.end() && last->cost >= s.cost) ++last;
        if (first == last) {
            front.insert(first, {s.time, s.cost});
        } else {
            *first = {s.time, s.cost};
            front.erase(first + 1, last);
        }
        list[kept++] = s;
    }
    list.resize(kept);
}

class timed_solver {
  public:
    timed_solver(std::span<const timed_class> classes, std::uint64_t limit,
                 const timed_limits& limits)
        : classes_(classes), limits_(limits), limit_(limit) {}

    result<timed_solution> solve() {
        timed_solution s;
        // The fastest choice tells whether there is one at all.
        const auto fastest = at_price(1, 0);
        if (!fastest) return fastest.error();
        s.fits = fastest->fits;
        if (!s.fits) return s;
        s.least_time = fastest->time;
        if (fastest->time > limit_) return s;
        read();
        take(*fastest);
        const auto free = at_price(0, 1);
        if (!free) return free.error();
        take(*free);
        if (free->time <= limit_ && free->proven) {
            proven_ = true;
        } else {
            for (const auto& item : items_) {
                stages_.push_back({item.class_index, item.item, item.points});
            }
            const auto root = relax(stages_, capacities_, time_, 1e-12);
            // Near the price at which the relaxation keeps the limit, the best choices are good.
            for (const double part : {1.0, 1.001, 1.01, 1.1}) {
                const auto near = at_price(std::ldexp(root.time * part, -shift_), 1);
                if (!near) return near.error();
                take(*near);
            }
            search(root);
        }
        finish(s);
        return s;
    }

  private:
    using integer = std::int64_t;
    __extension__ using wide = __int128;
    static constexpr integer infinite = std::numeric_limits<integer>::max();

    struct priced {
        bool fits = true;
        bool proven = true;
        std::vector<std::vector<std::size_t>> choice;
        std::uint64_t time = 0;
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
            p.choice.push_back(s->choice);
            for (std::size_t i = 0; s->feasible && i < c.items.size(); ++i) {
                p.time += c.items[i][s->choice[i]].time;
            }
        }
        return p;
    }

    // --- reading --------------------------------------------------------------------------------

    struct point {
        integer weight;
        integer time;
        integer cost;
        std::uint32_t option;
    };
    struct item_points {
        std::size_t class_index;
        std::size_t item;
        std::vector<point> points;  // of which none is beaten by another
    };

    void read() {
        double largest = 0;
        std::uint64_t slowest = 0;
        for (const auto& c : classes_) {
            std::uint64_t heaviest = 0;
            for (const auto& item : c.items) {
                double most = 0;
                std::uint64_t weight = 0;
                std::uint64_t time = 0;
                for (const auto& o : item) {
                    most = std::fmax(most, std::fabs(o.cost));
                    weight = std::max(weight, o.weight);
                    time = std::max(time, o.time);
                }
                largest += most;
                heaviest += weight;
                slowest += time;
            }
            capacities_.push_back(static_cast<integer>(std::min(c.capacity, heaviest)));
        }
        time_ = static_cast<integer>(std::min(limit_, slowest));
        int exponent = 0;
        (void)std::frexp(largest, &exponent);
        shift_ = largest > 0 ? std::clamp(60 - exponent, -2000, 2000) : 0;
        for (std::size_t k = 0; k < classes_.size(); ++k) {
            for (std::size_t i = 0; i < classes_[k].items.size(); ++i) {
                items_.push_back({k, i, points_of(classes_[k].items[i])});
            }
        }
    }

    [[nodiscard]] integer scaled(double cost) const {
        return static_cast<integer>(std::llround(std::ldexp(cost, shift_)));
    }

    [[nodiscard]] std::vector<point> points_of(const timed_item& item) const {
        std::vector<point> all;
        for (std::size_t j = 0; j < item.size(); ++j) {
            all.push_back({static_cast<integer>(item[j].weight), static_cast<integer>(item[j].time),
                           scaled(item[j].cost), static_cast<std::uint32_t>(j)});
        }
        std::stable_sort(all.begin(), all.end(), lighter<point>);
        std::vector<point> kept;
        for (const auto& p : all) {
            const auto beats = [&](const point& q) { return q.time <= p.time && q.cost <= p.cost; };
            if (std::none_of(kept.begin(), kept.end(), beats)) kept.push_back(p);
        }
        return kept;
    }

    void take(const priced& p) {
        if (!p.fits || p.time > limit_) return;
        integer cost = 0;
        for (std::size_t k = 0; k < classes_.size(); ++k) {
            for (std::size_t i = 0; i < classes_[k].items.size(); ++i) {
                cost += scaled(classes_[k].items[i][p.choice[k][i]].cost);
            }
        }
        if (known_ && cost >= best_cost_) return;
        known_ = true;
        best_cost_ = cost;
        best_choice_ = p.choice;
    }

    // --- relaxation -----------------------------------------------------------------------------

    struct stage {
        std::size_t class_index;
        std::size_t item;
        std::vector<point> points;
        bool last_of_class = false;
        integer least_weight = 0;  // of the stages behind it in the class
        integer least_time = 0;    // of all stages behind it
    };
    using stages_view = std::span<const stage>;

    // Prices in whole costs.
    struct relaxed {
        double time = 0;
        std::vector<double> weight;  // of each class
    };

    // The price of time at which the linear relaxation of stages just keeps a limit, and with it
    // the prices of weight.
    [[nodiscard]] static relaxed relax(stages_view stages, const std::vector<integer>& rooms,
                                       integer limit, double precision) {
        double high = 1;
        for (const auto& s : stages) {
            double largest = 0;
            for (const auto& p : s.points) {
                largest = std::fmax(largest, std::fabs(static_cast<double>(p.cost)));
            }
            high += 2 * largest;
        }
        double low = 0;
        relaxed r{0, std::vector<double>(rooms.size(), 0)};
        const auto time_at = [&](double price) {
            double time = 0;
            for (std::size_t k = 0; k < rooms.size(); ++k) {
                time += relax_class(stages, k, rooms[k], price, r.weight[k]);
            }
            return time;
        };
        for (int step = 0; step < 80 && high > low * (1 + precision); ++step) {
            const auto middle = low == 0 ? high / 1024 : std::sqrt(low) * std::sqrt(high);
            if (middle < 1e-12) break;
            (time_at(middle) > static_cast<double>(limit) ? low : high) = middle;
        }
        r.time = high;
        (void)time_at(high);
        return r;
    }

    // The time of a class in the relaxation where a unit of it costs `price`; sets the price of
    // weight.
    [[nodiscard]] static double relax_class(stages_view stages, std::size_t k, integer capacity,
                                            double price, double& weight_price) {
        struct corner {
            double weight, cost, time;
        };
        struct step {
            double weight, saving, time, slope;
        };
        std::vector<step> steps;
        std::vector<corner> points;
        std::vector<corner> hull;
        double time = 0;
        auto room = static_cast<double>(capacity);
        weight_price = 0;
        for (const auto& item : stages) {
            if (item.class_index != k) continue;
            points.clear();
            for (const auto& p : item.points) {
                const auto t = static_cast<double>(p.time);
                points.push_back({static_cast<double>(p.weight),
                                  std::fma(price, t, static_cast<double>(p.cost)), t});
            }
            std::stable_sort(points.begin(), points.end(), [](const corner& a, const corner& b) {
                return a.weight != b.weight ? a.weight < b.weight : a.cost < b.cost;
            });
            hull.clear();
            const auto slope = [](const corner& a, const corner& b) {
                return (a.cost - b.cost) / (b.weight - a.weight);
            };
            for (const auto& p : points) {
                if (!hull.empty() && p.cost >= hull.back().cost) continue;
                while (hull.size() > 1 &&
                       slope(hull[hull.size() - 2], hull.back()) <= slope(hull.back(), p)) {
                    hull.pop_back();
                }
                hull.push_back(p);
            }
            room -= hull.front().weight;
            time += hull.front().time;
            for (std::size_t i = 1; i < hull.size(); ++i) {
                const auto& a = hull[i - 1];
                const auto& b = hull[i];
                steps.push_back(
                    {b.weight - a.weight, a.cost - b.cost, b.time - a.time, slope(a, b)});
            }
        }
        std::stable_sort(steps.begin(), steps.end(),
                         [](const step& a, const step& b) { return a.slope > b.slope; });
        for (const auto& s : steps) {
            if (s.weight > room) {
                weight_price = s.slope;
                return std::fma(s.time, room / s.weight, time);
            }
            room -= s.weight;
            time += s.time;
        }
        return time;
    }

    // --- bounds ---------------------------------------------------------------------------------

    // What weight and time cost, in 2^-scale_ of a unit of cost. Every such set of prices bounds
    // the cost of all choices from below, and the choice that is best at them may be a good one.
    struct prices {
        std::vector<integer> weight;  // of each class
        integer time = 0;
    };

    void set_scale(const relaxed& r) {
        double largest = r.time;
        for (const auto w : r.weight) largest = std::fmax(largest, w);
        int exponent = 0;
        (void)std::frexp(std::fmax(largest, 1e-9), &exponent);
        scale_ = std::clamp(56 - exponent, 0, 40);
    }

    void add_prices(const relaxed& r, double weight, double time) {
        const auto whole = [&](double price) {
            return static_cast<integer>(std::llround(std::fmin(std::ldexp(price, scale_), 0x1p59)));
        };
        prices p;
        for (const auto w : r.weight) p.weight.push_back(whole(w * weight));
        p.time = whole(r.time * time);
        prices_.push_back(std::move(p));
    }

    // Rooms differ from state to state, the more the fewer items are left, and with them the
    // prices that bound best.
    void add_prices_around(const relaxed& r, std::initializer_list<double> distances) {
        add_prices(r, 1, 1);
        for (const double far : distances) {
            for (const double weight : {1 / far, 1.0, far}) {
                for (const double time : {1 / far, 1.0, far}) {
                    if (weight != 1 || time != 1) add_prices(r, weight, time);
                }
            }
        }
    }

    // What one set of prices says of all stages from one on.
    struct completion {
        wide bound = 0;  // to be added to the priced state
        integer weight = 0;
        integer time = 0;
        integer cost = 0;
        bool fits = true;  // in the classes behind this one
    };

    [[nodiscard]] wide priced_point(const point& p, const prices& at, std::size_t k) const {
        return (static_cast<wide>(p.cost) << scale_) + static_cast<wide>(p.weight) * at.weight[k] +
               static_cast<wide>(p.time) * at.time;
    }
    [[nodiscard]] wide no_better() const { return static_cast<wide>(best_cost_ - 1) << scale_; }
    // A bound in whole costs, rounded up. Prices far off give bounds beyond all costs.
    [[nodiscard]] integer whole_cost(wide bound) const {
        constexpr wide most = wide{1} << 62;
        return static_cast<integer>(
            std::clamp((bound + ((wide{1} << scale_) - 1)) >> scale_, -most, most));
    }

    // The bound of all choices at a set of prices.
    [[nodiscard]] wide root_bound(const std::vector<stage>& stages, const prices& at) const {
        wide sum = -static_cast<wide>(time_) * at.time;
        for (std::size_t k = 0; k < classes_.size(); ++k) {
            sum -= static_cast<wide>(capacities_[k]) * at.weight[k];
        }
        for (const auto& s : stages) sum += least_priced(s, at);
        return sum;
    }
    [[nodiscard]] wide least_priced(const stage& s, const prices& at) const {
        auto least = priced_point(s.points.front(), at, s.class_index);
        for (const auto& p : s.points) least = std::min(least, priced_point(p, at, s.class_index));
        return least;
    }

    // Drops the options that no better choice can have. Returns false if nothing is left.
    bool reduce(std::vector<stage>& stages) {
        for (const auto& at : prices_) {
            const auto root = root_bound(stages, at);
            bound_ = std::max(bound_, whole_cost(root));
            if (root > no_better()) return false;
            for (auto& s : stages) {
                const auto least = least_priced(s, at);
                std::erase_if(s.points, [&](const point& p) {
                    return root + priced_point(p, at, s.class_index) - least > no_better();
                });
            }
        }
        return true;
    }

    void order(std::vector<stage>& stages) const {
        std::vector<std::pair<wide, stage>> keyed;
        for (auto& s : stages) {
            integer low_weight = infinite, high_weight = 0, low_time = infinite, high_time = 0;
            for (const auto& p : s.points) {
                low_weight = std::min(low_weight, p.weight);
                high_weight = std::max(high_weight, p.weight);
                low_time = std::min(low_time, p.time);
                high_time = std::max(high_time, p.time);
            }
            const auto& at = prices_.front();
            const auto span =
                static_cast<wide>(high_weight - low_weight) * at.weight[s.class_index] +
                static_cast<wide>(high_time - low_time) * at.time;
            keyed.emplace_back(span, std::move(s));
        }
        std::stable_sort(keyed.begin(), keyed.end(), [](const auto& a, const auto& b) {
            if (a.second.class_index != b.second.class_index) {
                return a.second.class_index < b.second.class_index;
            }
            return a.first > b.first;
        });
        stages.clear();
        for (auto& [span, s] : keyed) stages.push_back(std::move(s));
        integer weight = 0;
        integer time = 0;
        for (std::size_t i = stages.size(); i-- > 0;) {
            auto& s = stages[i];
            s.last_of_class = i + 1 == stages.size() || stages[i + 1].class_index != s.class_index;
            if (s.last_of_class) weight = 0;
            s.least_weight = weight;
            s.least_time = time;
            integer least_weight = infinite;
            integer least_time = infinite;
            for (const auto& p : s.points) {
                least_weight = std::min(least_weight, p.weight);
                least_time = std::min(least_time, p.time);
            }
            weight += least_weight;
            time += least_time;
        }
    }

    [[nodiscard]] const point& best_point(const stage& s, const prices& at) const {
        const auto* best = &s.points.front();
        for (const auto& p : s.points) {
            if (priced_point(p, at, s.class_index) < priced_point(*best, at, s.class_index)) {
                best = &p;
            }
        }
        return *best;
    }

    // For every set of prices, what it says before each stage; the last entry stands behind all.
    [[nodiscard]] std::vector<std::vector<completion>> completions(
        const std::vector<stage>& stages) const {
        std::vector<std::vector<completion>> all(stages.size() + 1,
                                                 std::vector<completion>(prices_.size()));
        for (std::size_t m = 0; m < prices_.size(); ++m) {
            const auto& at = prices_[m];
            completion c;
            c.bound = -static_cast<wide>(time_) * at.time;
            all.back()[m] = c;
            for (std::size_t i = stages.size(); i-- > 0;) {
                const auto& s = stages[i];
                const auto room = static_cast<wide>(capacities_[s.class_index]);
                if (s.last_of_class) {
                    if (i + 1 != stages.size()) {
                        c.fits = c.fits && c.weight <= capacities_[stages[i + 1].class_index];
                    }
                    c.weight = 0;
                    c.bound -= room * at.weight[s.class_index];
                }
                const auto& p = best_point(s, at);
                c.bound += priced_point(p, at, s.class_index);
                c.weight += p.weight;
                c.time += p.time;
                c.cost += p.cost;
                all[i][m] = c;
            }
        }
        return all;
    }

    // --- search ---------------------------------------------------------------------------------

    struct state {
        integer weight;
        integer time;
        integer cost;
        integer bound;
        std::uint32_t parent;
        std::uint32_t point;
    };
    struct node {
        std::uint32_t parent;
        std::uint32_t point;
    };
    // A state that the choice of a set of prices completes to the best known choice.
    struct found {
        bool known = false;
        std::size_t level = 0;
        std::uint32_t node = 0;
        std::size_t prices = 0;
    };

    void search(const relaxed& root) {
        set_scale(root);
        add_prices_around(root, {1.002, 1.01, 1.04, 1.15, 1.6, 4.0});
        bound_ = std::numeric_limits<integer>::min();
        for (const std::size_t width : {std::size_t{100}, std::size_t{1'000}, limits_.states}) {
            if (!reduce(stages_)) {
                proven_ = true;
                return;
            }
            order(stages_);
            const auto cut = pass(stages_, std::min(width, limits_.states));
            if (cut >= best_cost_) {
                proven_ = true;
                return;
            }
            bound_ = std::max(bound_, cut);
        }
    }

    // One search over lists of at most `width` states. Returns the least bound of what was cut.
    integer pass(const std::vector<stage>& stages, std::size_t width) {
        auto rest = completions(stages);
        integer cut = infinite;
        nodes_.assign(1, {0, 0});
        used_.assign(1, 0);
        found best;
        std::vector<state> list{{0, 0, 0, bound_, 0, 0}};
        for (std::size_t level = 0; level < stages.size() && !list.empty(); ++level) {
            const auto& s = stages[level];
            auto next = extend(list, s, rest[level + 1], level + 1 < stages.size());
            if (s.last_of_class) {
                // What a class leaves over is of no use to the others.
                for (auto& n : next) n.weight = 0;
                std::stable_sort(next.begin(), next.end(), lighter<state>);
            }
            drop_beaten(next);
            prune(next, stages, rest[level + 1], level + 1, best);
            if (next.size() > width) cut = std::min(cut, shorten(next, width));
            if (nodes_.size() + next.size() > limits_.history) {
                for (const auto& n : next) cut = std::min(cut, n.bound);
                break;
            }
            for (auto& n : next) n.parent = add_node(n);
            list = std::move(next);
            // A large item shifts the prices.
            if (level < 3 && prices_.size() < 400 && level + 1 < stages.size()) {
                add_prices_of(list, stages, level + 1);
                rest = completions(stages);
            }
        }
        if (best.known) accept(best, stages);
        return cut;
    }

    void add_prices_of(const std::vector<state>& list, const std::vector<stage>& stages,
                       std::size_t level) {
        const auto distance = std::max<std::size_t>(1, list.size() / 8);
        for (std::size_t i = 0; i < list.size(); i += distance) {
            auto rooms = capacities_;
            rooms[stages[level].class_index] -= list[i].weight;
            add_prices_around(
                relax(stages_view(stages).subspan(level), rooms, time_ - list[i].time, 1e-6),
                {1.01});
        }
    }

    std::uint32_t add_node(const state& s) {
        nodes_.push_back({s.parent, s.point});
        return static_cast<std::uint32_t>(nodes_.size() - 1);
    }

    // Every state with every option, sorted by weight, time and cost.
    [[nodiscard]] std::vector<state> extend(const std::vector<state>& list, const stage& s,
                                            const std::vector<completion>& rest,
                                            bool behind) const {
        const auto room = capacities_[s.class_index] - s.least_weight;
        const auto left = time_ - s.least_time;
        std::vector<state> all;
        std::vector<state> one;
        std::vector<state> merged;
        const auto k = s.class_index;
        const bool weighed = behind && !s.last_of_class;
        const auto first = used_.begin();
        const auto last =
            first + static_cast<std::ptrdiff_t>(std::min<std::size_t>(4, used_.size()));
        for (std::size_t j = 0; j < s.points.size(); ++j) {
            const auto& p = s.points[j];
            one.clear();
            for (const auto& from : list) {
                const auto weight = from.weight + p.weight;
                if (weight > room) break;
                const auto time = from.time + p.time;
                if (time > left || from.bound >= best_cost_) continue;
                const state next{weight,     time,        from.cost + p.cost,
                                 from.bound, from.parent, static_cast<std::uint32_t>(j)};
                const auto loses = [&](std::size_t m) {
                    return priced_state(next, m, weighed, k) + rest[m].bound > no_better();
                };
                if (std::none_of(first, last, loses)) one.push_back(next);
            }
            merged.resize(all.size() + one.size());
            std::merge(all.begin(), all.end(), one.begin(), one.end(), merged.begin(),
                       lighter<state>);
            std::swap(all, merged);
        }
        return all;
    }

    [[nodiscard]] wide priced_state(const state& s, std::size_t m, bool weighed,
                                    std::size_t k) const {
        const auto& at = prices_[m];
        return (static_cast<wide>(s.cost) << scale_) +
               (weighed ? static_cast<wide>(s.weight) * at.weight[k] : wide{0}) +
               static_cast<wide>(s.time) * at.time;
    }

    // Drops states that cannot lead to a better cost, and notes the best one that some do lead to.
    void prune(std::vector<state>& list, const std::vector<stage>& stages,
               const std::vector<completion>& rest, std::size_t level, found& best) {
        // The class whose items are next; behind the last one weight is of no use.
        const bool open = level < stages.size();
        const auto k = open ? stages[level].class_index : std::size_t{0};
        const auto bound_at = [&](const state& s, std::size_t m) {
            return priced_state(s, m, open, k) + rest[m].bound;
        };
        // The prices that bound some of the states best, those that bound most of them first.
        std::vector<std::size_t> useful(prices_.size(), 0);
        useful.front() = 1;
        const auto distance = std::max<std::size_t>(1, list.size() / 24);
        for (std::size_t i = 0; i < list.size(); i += distance) {
            std::size_t tightest = 0;
            for (std::size_t m = 1; m < prices_.size(); ++m) {
                if (bound_at(list[i], m) > bound_at(list[i], tightest)) tightest = m;
            }
            ++useful[tightest];
        }
        used_.clear();
        for (std::size_t m = 0; m < prices_.size(); ++m) {
            if (useful[m] != 0) used_.push_back(m);
        }
        std::stable_sort(used_.begin(), used_.end(),
                         [&](std::size_t a, std::size_t b) { return useful[a] > useful[b]; });
        const auto capacity = open ? capacities_[k] : 0;
        std::size_t kept = 0;
        for (auto s : list) {
            if (s.bound >= best_cost_) continue;
            bool dropped = false;
            for (const auto m : used_) {
                const auto bound = whole_cost(bound_at(s, m));
                s.bound = std::max(s.bound, bound);
                dropped = s.bound >= best_cost_;
                if (dropped) break;
                const auto& c = rest[m];
                if (s.cost + c.cost < best_cost_ && c.fits && s.weight + c.weight <= capacity &&
                    s.time + c.time <= time_) {
                    best_cost_ = s.cost + c.cost;
                    best = {true, level, add_node(s), m};
                    dropped = s.bound >= best_cost_;
                    if (dropped) break;
                }
            }
            if (!dropped) list[kept++] = s;
        }
        list.resize(kept);
    }

    // Keeps the states of least bound. Returns the least bound of the others.
    static integer shorten(std::vector<state>& list, std::size_t width) {
        const auto end = list.begin() + static_cast<std::ptrdiff_t>(width);
        std::nth_element(list.begin(), end, list.end(), [&](const state& a, const state& b) {
            return a.bound != b.bound ? a.bound < b.bound : lighter(a, b);
        });
        const auto cut = end->bound;
        list.resize(width);
        std::sort(list.begin(), list.end(), lighter<state>);
        return cut;
    }

    void accept(const found& best, const std::vector<stage>& stages) {
        for (auto level = best.level; level < stages.size(); ++level) {
            const auto& s = stages[level];
            best_choice_[s.class_index][s.item] = best_point(s, prices_[best.prices]).option;
        }
        auto n = best.node;
        for (auto level = best.level; level-- > 0; n = nodes_[n].parent) {
            const auto& s = stages[level];
            best_choice_[s.class_index][s.item] = s.points[nodes_[n].point].option;
        }
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
        s.lower_bound = s.cost;
        if (!proven_) {
            // Half a unit of rounding per item.
            const auto units = static_cast<double>(bound_ - static_cast<integer>(items_.size()));
            s.lower_bound = std::fmin(s.cost, std::ldexp(units, -shift_));
        }
    }

    std::span<const timed_class> classes_;
    timed_limits limits_;
    std::uint64_t limit_;
    std::vector<integer> capacities_;  // no larger than of use, like time_
    integer time_ = 0;
    int shift_ = 0;                   // of costs to whole numbers
    std::vector<item_points> items_;  // of all classes, in their order
    std::vector<stage> stages_;
    int scale_ = 0;
    std::vector<prices> prices_;
    std::vector<std::size_t> used_;  // those that bound the states of the last level
    bool known_ = false;
    bool proven_ = false;
    integer best_cost_ = 0;
    integer bound_ = 0;
    std::vector<std::vector<std::size_t>> best_choice_;
    std::vector<node> nodes_;
};

}  // namespace detail

/// Chooses one option of every item so that the costs add up to the least, the weights of each
/// class to at most its capacity, and the times of all to at most `limit`. Where the capacities or
/// the time do not suffice, the solution says which and, for time, what would.
///
/// Errors: those of solve_knapsack; `overflow` for weights or times that add up to 2^62 and more.
[[nodiscard]] inline result<timed_solution> solve_timed_knapsack(
    std::span<const timed_class> classes, std::uint64_t limit, const timed_limits& limits = {}) {
    std::uint64_t weight = 0;
    std::uint64_t time = 0;
    for (const auto& c : classes) {
        for (const auto& item : c.items) {
            std::uint64_t heaviest = 0;
            std::uint64_t slowest = 0;
            for (const auto& o : item) {
                heaviest = std::max(heaviest, o.weight);
                slowest = std::max(slowest, o.time);
            }
            constexpr auto most = std::uint64_t{1} << 53;
            weight += std::min(heaviest, most);
            time += std::min(slowest, most);
            if (slowest > most || weight >= std::uint64_t{1} << 62 ||
                time >= std::uint64_t{1} << 62) {
                return fail(errc::overflow,
                            "weights or times of the items are too large; expected at most 2^53 "
                            "each and less than 2^62 in all");
            }
        }
    }
    return detail::timed_solver(classes, limit, limits).solve();
}

}  // namespace plan
BPW_NAMESPACE_END
