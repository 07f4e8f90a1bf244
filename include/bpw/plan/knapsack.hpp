// The multiple-choice knapsack, solved to proven optimality: one option per item, least total cost
// within a capacity.
//
// Options that another one beats in weight and cost go first. The linear relaxation over the lower
// convex hulls gives a bound and a price per unit of weight (Sinha and Zoltners 1979). Every option
// gets a reduced cost, by which the bound grows when it is taken; options whose reduced cost
// exceeds the distance from the bound to the best known solution cannot be part of a better one.
// What is left is searched stage by stage, item after item, over lists of states of which none is
// both heavier and dearer than another (Nemhauser and Ullmann 1969), pruned by the relaxation of
// the items still open. Lists that grow beyond a limit are cut, first on purpose to find good
// solutions fast; a pass that cuts nothing is the proof.
//
// Costs are rounded to whole multiples of a power of two, at most 2^-60 of their sum, and all
// decisions are taken in integers, so every machine takes the same ones.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <optional>
#include <span>
#include <utility>
#include <vector>

BPW_NAMESPACE_BEGIN
namespace plan {

/// One way to fill an item's place.
struct knapsack_option {
    std::uint64_t weight;  ///< at most 2^53
    double cost;           ///< finite; may be negative
};

/// Exactly one of these is taken.
using knapsack_item = std::vector<knapsack_option>;

struct knapsack_limits {
    /// States in a list at which the last pass gives up the proof.
    std::size_t states = 4'000'000;
    /// States over all lists of one pass, of 8 bytes each.
    std::size_t history = 100'000'000;
};

/// The best choice that was found and what is known of better ones.
struct knapsack_solution {
    bool feasible = false;
    std::uint64_t least_weight = 0;   ///< of any choice; also when it does not fit
    std::vector<std::size_t> choice;  ///< the option of each item
    std::uint64_t weight = 0;         ///< of the choice
    double cost = 0;                  ///< of the choice, summed up in the order of the items
    double lower_bound = 0;           ///< no choice within the capacity costs less
    bool optimal = false;             ///< proven: then lower_bound equals cost
    std::size_t most_states = 0;      ///< in a list of the last pass

    /// How far the cost may be from the best one, relative to it.
    [[nodiscard]] double gap() const noexcept {
        if (cost == lower_bound) return 0;
        return (cost - lower_bound) / std::fabs(cost == 0 ? lower_bound : cost);
    }
};

namespace detail {

class knapsack_solver {
  public:
    knapsack_solver(std::span<const knapsack_item> items, std::uint64_t capacity,
                    const knapsack_limits& limits)
        : items_(items), capacity_(capacity), limits_(limits) {}

    knapsack_solution solve() {
        prepare();
        knapsack_solution s;
        s.least_weight = base_weight_;
        if (base_weight_ > capacity_) return s;
        s.feasible = true;
        room_ = static_cast<std::int64_t>(
            std::min<std::uint64_t>(capacity_ - base_weight_, largest_weight));
        // What no sum of weights can fill makes the bounds looser.
        integer grain = 0;
        for (const auto& p : points_) grain = common_divisor(p, grain);
        if (grain > 1) room_ -= room_ % grain;
        relax();
        integer bound = relaxed_;
        bool proven = best_cost_ <= relaxed_;
        // A narrow pass or two make the last one short.
        for (const std::size_t width : {std::size_t{64}, std::size_t{1024}, limits_.states}) {
            if (proven) break;
            const auto pruned = search(std::min(width, limits_.states));
            proven = pruned >= best_cost_;
            bound = std::max(bound, std::min(pruned, best_cost_));
            s.most_states = most_states_;
        }
        finish(s, proven, bound);
        return s;
    }

  private:
    using integer = std::int64_t;
    __extension__ using wide = __int128;

    static constexpr std::uint64_t largest_weight = std::uint64_t{1} << 62;
    static constexpr integer infinite = std::numeric_limits<integer>::max();

    // An option relative to the lightest one of its item.
    struct point {
        integer weight;
        integer cost;
        std::uint32_t option;  // position in the item
    };
    // From one corner of an item's lower hull to the next.
    struct step {
        std::uint32_t item;
        std::uint32_t from;  // positions in points_[item]
        std::uint32_t to;
        integer weight;  // > 0
        integer saving;  // > 0
    };
    struct state {
        integer weight;
        integer cost;
        integer excess;  // reduced costs so far
        std::uint32_t parent;
        std::uint32_t point;
    };
    struct node {
        std::uint32_t parent;
        std::uint32_t point;
    };

    // Whether a saves more per weight than b.
    static bool steeper(const step& a, const step& b) noexcept {
        return static_cast<wide>(a.saving) * b.weight > static_cast<wide>(b.saving) * a.weight;
    }

    // --- reading --------------------------------------------------------------------------------

    void prepare() {
        double largest = 0;
        for (const auto& item : items_) {
            double most = 0;
            for (const auto& o : item) most = std::max(most, std::fabs(o.cost));
            largest += most;
        }
        int exponent = 0;
        (void)std::frexp(largest, &exponent);
        shift_ = largest > 0 ? std::clamp(60 - exponent, -2000, 2000) : 0;

        points_.resize(items_.size());
        for (std::size_t i = 0; i < items_.size(); ++i) {
            auto& p = points_[i];
            for (std::size_t j = 0; j < items_[i].size(); ++j) {
                const auto& o = items_[i][j];
                p.push_back({static_cast<integer>(o.weight),
                             static_cast<integer>(std::llround(std::ldexp(o.cost, shift_))),
                             static_cast<std::uint32_t>(j)});
            }
            std::stable_sort(p.begin(), p.end(), [](const point& a, const point& b) {
                return a.weight != b.weight ? a.weight < b.weight : a.cost < b.cost;
            });
            std::size_t kept = 0;
            for (const auto& o : p) {
                if (kept == 0 || o.cost < p[kept - 1].cost) p[kept++] = o;
            }
            p.resize(kept);
            base_weight_ += static_cast<std::uint64_t>(p.front().weight);
            base_cost_ += p.front().cost;
            const auto first = p.front();
            for (auto& o : p) {
                o.weight -= first.weight;
                o.cost -= first.cost;
            }
        }
        choice_.assign(items_.size(), 0);
        best_choice_ = choice_;
        best_cost_ = 0;
    }

    // Corners of the lower convex hull of points, by falling slope.
    static void hull_steps(const std::vector<point>& p, std::uint32_t item,
                           std::vector<step>& out) {
        std::vector<step> hull;
        for (std::uint32_t to = 1; to < p.size(); ++to) {
            std::uint32_t from = to - 1;
            // Also drops corners in the middle of an edge.
            const auto edge = [&] {
                return step{item, from, to, p[to].weight - p[from].weight,
                            p[from].cost - p[to].cost};
            };
            from = hull.empty() ? 0 : hull.back().to;
            while (!hull.empty() && !steeper(hull.back(), edge())) {
                from = hull.back().from;
                hull.pop_back();
            }
            hull.push_back(edge());
        }
        out.insert(out.end(), hull.begin(), hull.end());
    }

    static void sort_steps(std::vector<step>& steps) {
        std::stable_sort(steps.begin(), steps.end(), steeper);
    }

    static integer common_divisor(const std::vector<point>& points, integer divisor) {
        for (const auto& p : points) divisor = std::gcd(divisor, p.weight);
        return divisor;
    }

    // --- relaxation -----------------------------------------------------------------------------

    // Fills the room by the steps that save most per weight. The step that does not fit gives the
    // price of a unit of weight.
    void relax() {
        std::vector<step> steps;
        for (std::size_t i = 0; i < points_.size(); ++i) {
            hull_steps(points_[i], static_cast<std::uint32_t>(i), steps);
        }
        sort_steps(steps);
        integer room = room_;
        integer cost = 0;
        std::size_t broken = 0;
        for (; broken < steps.size() && steps[broken].weight <= room; ++broken) {
            room -= steps[broken].weight;
            cost -= steps[broken].saving;
            choice_[steps[broken].item] = steps[broken].to;
        }
        relaxed_ = cost;
        if (broken < steps.size()) {
            price_saving_ = steps[broken].saving;
            price_weight_ = steps[broken].weight;
            relaxed_ -=
                static_cast<integer>(static_cast<wide>(price_saving_) * room / price_weight_);
        }
        // The rest of the room goes to whatever still fits and saves.
        for (std::size_t s = broken; s < steps.size(); ++s) {
            auto& at = choice_[steps[s].item];
            if (at != steps[s].from || steps[s].weight > room) continue;
            room -= steps[s].weight;
            cost -= steps[s].saving;
            at = steps[s].to;
        }
        for (std::size_t i = 0; i < points_.size(); ++i) {
            const auto& p = points_[i];
            auto at = choice_[i];
            for (auto to = at + 1; to < p.size() && p[to].weight - p[choice_[i]].weight <= room;
                 ++to) {
                at = to;
            }
            room -= p[at].weight - p[choice_[i]].weight;
            cost -= p[choice_[i]].cost - p[at].cost;
            choice_[i] = at;
        }
        best_cost_ = cost;
        best_choice_ = choice_;
    }

    // --- search ---------------------------------------------------------------------------------

    // What one pass looks at: items with more than one option left.
    struct stage {
        std::uint32_t item;
        std::vector<point> points;      // options left, relative to the lightest of them
        std::vector<std::uint32_t> at;  // their positions in points_[item]
        std::vector<integer> excess;    // their reduced costs, rounded down
        integer span = 0;
        integer grain = 1;  // divides the weights of this stage and all behind it
    };

    // The relaxation of items, of which some are taken out, as a function of the room: sums over
    // the first of their steps (Fenwick 1994).
    class relaxation {
      public:
        relaxation(std::vector<step> steps, std::size_t items)
            : steps_(std::move(steps)), tree_(steps_.size() + 1), of_item_(items) {
            while (2 * top_ <= steps_.size()) top_ *= 2;
            for (std::size_t i = 0; i < steps_.size(); ++i) {
                of_item_[steps_[i].item].push_back(static_cast<std::uint32_t>(i));
                auto& here = tree_[i + 1];
                here.weight += steps_[i].weight;
                here.saving += steps_[i].saving;
                const auto above = (i + 1) + ((i + 1) & (~i));
                if (above >= tree_.size()) continue;
                tree_[above].weight += here.weight;
                tree_[above].saving += here.saving;
            }
        }

        void remove(std::size_t item) { change(item, -1); }
        void restore(std::size_t item) { change(item, 1); }

        // The first steps that fit a room, and the one that does not, if there is one.
        struct filled {
            std::size_t steps = 0;  // so many of the first, those taken out among them
            integer room = 0;       // that is left
            integer saving = 0;
            const step* broken = nullptr;

            // Whether some choice may save more than this.
            [[nodiscard]] bool may_save_more(integer than) const {
                const auto missing = than - saving;
                if (missing < 0) return true;
                return broken != nullptr && static_cast<wide>(broken->saving) * room >=
                                                static_cast<wide>(missing + 1) * broken->weight;
            }
        };
        [[nodiscard]] filled fill(integer room) const {
            filled f;
            for (auto width = top_; width != 0; width /= 2) {
                const auto next = f.steps + width;
                if (next >= tree_.size() || tree_[next].weight > room) continue;
                f.steps = next;
                room -= tree_[next].weight;
                f.saving += tree_[next].saving;
            }
            f.room = room;
            if (f.steps < steps_.size()) f.broken = &steps_[f.steps];
            return f;
        }

        // The same one step after the other, for rooms that only become smaller.
        class walk {
          public:
            walk(const relaxation& r, std::size_t first_item) {
                integer weight = 0;
                integer saving = 0;
                for (std::size_t i = 0; i < r.steps_.size(); ++i) {
                    const auto& s = r.steps_[i];
                    if (s.item < first_item) continue;
                    corners_.push_back({i, weight, saving, &s});
                    weight += s.weight;
                    saving += s.saving;
                }
                corners_.push_back({r.steps_.size(), weight, saving, nullptr});
                at_ = corners_.size() - 1;
            }
            [[nodiscard]] filled fill(integer room) {
                while (corners_[at_].room > room) --at_;
                auto f = corners_[at_];
                f.room = room - f.room;
                return f;
            }

          private:
            std::vector<filled> corners_;  // with the room that they take
            std::size_t at_ = 0;
        };

        [[nodiscard]] const std::vector<step>& steps() const { return steps_; }

      private:
        struct sums {
            integer weight = 0;
            integer saving = 0;
        };

        void change(std::size_t item, integer sign) {
            for (const auto s : of_item_[item]) {
                for (std::size_t i = s + std::size_t{1}; i < tree_.size(); i += i & (~i + 1)) {
                    tree_[i].weight += sign * steps_[s].weight;
                    tree_[i].saving += sign * steps_[s].saving;
                }
            }
        }

        std::vector<step> steps_;  // by falling slope
        std::vector<sums> tree_;
        std::vector<std::vector<std::uint32_t>> of_item_;
        std::size_t top_ = 1;
    };

    // The reduced cost of an option: by how much taking it raises the relaxed cost.
    std::vector<wide> reduced_costs(std::size_t item) const {
        std::vector<wide> r;
        for (const auto& p : points_[item]) {
            r.push_back(static_cast<wide>(p.cost) * price_weight_ +
                        static_cast<wide>(p.weight) * price_saving_);
        }
        const auto least = *std::min_element(r.begin(), r.end());
        for (auto& x : r) x = (x - least) / price_weight_;
        return r;
    }

    // Nothing if no choice is better than the best known one.
    std::optional<std::vector<stage>> build_stages(integer allowed, integer& fixed_weight,
                                                   integer& fixed_cost,
                                                   std::vector<std::uint32_t>& fixed) const {
        std::vector<stage> stages;
        std::vector<step> steps;
        for (std::size_t i = 0; i < points_.size(); ++i) {
            hull_steps(points_[i], static_cast<std::uint32_t>(i), steps);
        }
        sort_steps(steps);
        relaxation rest(std::move(steps), points_.size());
        for (std::size_t i = 0; i < points_.size(); ++i) {
            stage s{static_cast<std::uint32_t>(i), {}, {}, {}, 0, 1};
            const auto reduced = reduced_costs(i);
            const auto candidates =
                std::count_if(reduced.begin(), reduced.end(), [&](wide r) { return r <= allowed; });
            if (candidates > 1) rest.remove(i);
            for (std::size_t j = 0; j < points_[i].size(); ++j) {
                if (reduced[j] > allowed) continue;
                const auto& p = points_[i][j];
                // The relaxation of all other items knows more than the reduced cost.
                if (candidates > 1 &&
                    (p.weight > room_ ||
                     !rest.fill(room_ - p.weight).may_save_more(p.cost - best_cost_))) {
                    continue;
                }
                s.points.push_back(p);
                s.at.push_back(static_cast<std::uint32_t>(j));
                s.excess.push_back(static_cast<integer>(reduced[j]));
            }
            if (candidates > 1) rest.restore(i);
            if (s.points.empty()) return std::nullopt;
            const auto first = s.points.front();
            fixed[i] = s.at.front();
            fixed_weight += first.weight;
            fixed_cost += first.cost;
            if (s.points.size() == 1) continue;
            for (auto& p : s.points) {
                p.weight -= first.weight;
                p.cost -= first.cost;
            }
            s.span = s.points.back().weight;
            stages.push_back(std::move(s));
        }
        std::stable_sort(stages.begin(), stages.end(),
                         [](const stage& a, const stage& b) { return a.span > b.span; });
        integer grain = 0;
        for (auto s = stages.rbegin(); s != stages.rend(); ++s) {
            s->grain = grain = common_divisor(s->points, grain);
        }
        return stages;
    }

    // A state from which filling the room by the relaxation's whole steps gives the best cost.
    struct found {
        bool known = false;
        std::size_t level = 0;
        std::uint32_t node = 0;
        std::size_t steps = 0;
    };

    // Looks for choices cheaper than the best known one and keeps the best. Returns the least bound
    // of anything that was cut from the lists, or infinity.
    integer search(std::size_t width) {
        integer fixed_weight = 0;
        integer fixed_cost = 0;
        std::vector<std::uint32_t> fixed(points_.size());
        const auto built = build_stages(best_cost_ - 1 - relaxed_, fixed_weight, fixed_cost, fixed);
        const integer room = room_ - fixed_weight;
        most_states_ = 0;
        if (!built || room < 0) return infinite;
        const auto& stages = *built;

        nodes_.assign(1, {0, 0});
        std::vector<state> list{{0, fixed_cost, 0, 0, 0}};
        relaxation open(steps_of(stages), stages.size());
        integer cut = infinite;
        found best;
        for (std::size_t level = 0;; ++level) {
            prune(list, open, level < stages.size() ? stages[level].grain : 1, room, level, best);
            if (list.size() > width) cut = std::min(cut, shorten(list, width));
            most_states_ = std::max(most_states_, list.size());
            if (level == stages.size() || list.empty()) break;
            if (nodes_.size() + list.size() > limits_.history) {
                for (const auto& s : list) cut = std::min(cut, relaxed_ + s.excess);
                break;
            }
            for (auto& s : list) {
                if (level != 0) s.parent = add_node(s);
            }
            list = extend(list, stages[level], room);
            open.remove(level);
        }
        if (best.known) accept(best, stages, open.steps(), fixed);
        return cut;
    }

    std::uint32_t add_node(const state& s) {
        nodes_.push_back({s.parent, s.point});
        return static_cast<std::uint32_t>(nodes_.size() - 1);
    }

    // The hull steps of all stages; their items are numbers of stages.
    static std::vector<step> steps_of(const std::vector<stage>& stages) {
        std::vector<step> steps;
        for (std::size_t k = 0; k < stages.size(); ++k) {
            hull_steps(stages[k].points, static_cast<std::uint32_t>(k), steps);
        }
        sort_steps(steps);
        return steps;
    }

    // Drops states that cannot lead to a better cost, and notes the best one that some do lead to.
    void prune(std::vector<state>& list, const relaxation& open, integer grain, integer room,
               std::size_t level, found& best) {
        const auto prune_by = [&](auto&& fill) {
            std::size_t kept = 0;
            for (const auto& s : list) {
                auto left = room - s.weight;
                if (grain > 1) left -= left % grain;
                const auto rest = fill(left);
                if (s.cost - rest.saving < best_cost_) {
                    best_cost_ = s.cost - rest.saving;
                    best = {true, level, level == 0 ? 0 : add_node(s), rest.steps};
                }
                if (rest.may_save_more(s.cost - best_cost_)) list[kept++] = s;
            }
            list.resize(kept);
        };
        if (16 * list.size() < open.steps().size()) {
            prune_by([&](integer left) { return open.fill(left); });
        } else {
            // The states are sorted by rising weight.
            relaxation::walk rest(open, level);
            prune_by([&](integer left) { return rest.fill(left); });
        }
    }

    // Keeps the states of least excess. Returns the least bound of the others.
    integer shorten(std::vector<state>& list, std::size_t width) const {
        const auto better = [](const state& a, const state& b) {
            return a.excess != b.excess ? a.excess < b.excess : a.weight < b.weight;
        };
        const auto end = list.begin() + static_cast<std::ptrdiff_t>(width);
        std::nth_element(list.begin(), end, list.end(), better);
        const integer cut = relaxed_ + end->excess;
        list.resize(width);
        std::sort(list.begin(), list.end(),
                  [](const state& a, const state& b) { return a.weight < b.weight; });
        return cut;
    }

    // Every state with every option of a stage, without those that another one beats.
    std::vector<state> extend(const std::vector<state>& list, const stage& s, integer room) const {
        const auto allowed = best_cost_ - 1 - relaxed_;
        std::vector<state> all;
        std::vector<state> one;
        std::vector<state> merged;
        for (std::size_t j = 0; j < s.points.size(); ++j) {
            one.clear();
            for (const auto& from : list) {
                const auto weight = from.weight + s.points[j].weight;
                if (weight > room) break;
                if (from.excess > allowed - s.excess[j]) continue;
                one.push_back({weight, from.cost + s.points[j].cost, from.excess + s.excess[j],
                               from.parent, static_cast<std::uint32_t>(j)});
            }
            merged.clear();
            merge(all, one, merged);
            std::swap(all, merged);
        }
        return all;
    }

    // Merges two lists sorted by rising weight and falling cost into one.
    static void merge(const std::vector<state>& a, const std::vector<state>& b,
                      std::vector<state>& out) {
        std::size_t i = 0;
        std::size_t j = 0;
        while (i < a.size() || j < b.size()) {
            const bool first =
                j == b.size() ||
                (i < a.size() &&
                 (a[i].weight != b[j].weight ? a[i].weight < b[j].weight : a[i].cost <= b[j].cost));
            const auto& next = first ? a[i++] : b[j++];
            if (out.empty() || next.cost < out.back().cost) out.push_back(next);
        }
    }

    void accept(const found& best, const std::vector<stage>& stages, const std::vector<step>& steps,
                const std::vector<std::uint32_t>& fixed) {
        best_choice_ = fixed;
        std::vector<std::uint32_t> at(stages.size(), 0);
        for (std::size_t i = 0; i < best.steps; ++i) {
            if (steps[i].item >= best.level) at[steps[i].item] = steps[i].to;
        }
        auto n = best.node;
        for (auto level = best.level; level != 0; --level) {
            at[level - 1] = nodes_[n].point;
            n = nodes_[n].parent;
        }
        for (std::size_t k = 0; k < stages.size(); ++k) {
            best_choice_[stages[k].item] = stages[k].at[at[k]];
        }
    }

    void finish(knapsack_solution& s, bool proven, integer bound) const {
        for (std::size_t i = 0; i < items_.size(); ++i) {
            const auto option = points_[i][best_choice_[i]].option;
            s.choice.push_back(option);
            s.weight += items_[i][option].weight;
            s.cost += items_[i][option].cost;
        }
        s.optimal = proven;
        s.lower_bound = s.cost;
        if (!proven) {
            // Half a unit of rounding per item.
            const auto units =
                static_cast<double>(base_cost_ + bound - static_cast<integer>(items_.size()));
            s.lower_bound = std::min(s.cost, std::ldexp(units, -shift_));
        }
    }

    std::span<const knapsack_item> items_;
    std::uint64_t capacity_;
    knapsack_limits limits_;
    int shift_ = 0;
    std::vector<std::vector<point>> points_;  // by rising weight and falling cost
    std::uint64_t base_weight_ = 0;           // of the lightest options
    integer base_cost_ = 0;
    integer room_ = 0;
    integer relaxed_ = 0;  // like all costs below, relative to base_cost_
    integer price_saving_ = 0;
    integer price_weight_ = 1;
    std::vector<std::uint32_t> choice_;
    std::vector<std::uint32_t> best_choice_;
    integer best_cost_ = 0;
    std::vector<node> nodes_;
    std::size_t most_states_ = 0;
};

}  // namespace detail

/// Chooses one option of every item so that the costs add up to the least and the weights to at
/// most `capacity`. Where even the lightest options do not fit, the solution is not feasible and
/// says what they weigh.
///
/// Errors: `malformed` for an item without options or a cost that is not finite; `overflow` for
/// weights above 2^53, or that add up to 2^62 and more.
[[nodiscard]] inline result<knapsack_solution> solve_knapsack(std::span<const knapsack_item> items,
                                                              std::uint64_t capacity,
                                                              const knapsack_limits& limits = {}) {
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (items[i].empty()) return fail(errc::malformed, "item ", i, " has no option");
        std::uint64_t most = 0;
        for (const auto& o : items[i]) {
            most = std::max(most, o.weight);
            if (!std::isfinite(o.cost)) {
                return fail(errc::malformed, "item ", i, " has an option without a finite cost");
            }
        }
        total += most;
        if (most > std::uint64_t{1} << 53 || total >= std::uint64_t{1} << 62) {
            return fail(errc::overflow, "the weights up to item ", i,
                        " are too large; expected at most 2^53 each and 2^62 in all");
        }
    }
    return detail::knapsack_solver(items, capacity, limits).solve();
}

}  // namespace plan
BPW_NAMESPACE_END
