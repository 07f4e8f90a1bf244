// The planner: which type each tensor gets so that the least is lost within the budgets.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/core/type_id.hpp>
#include <bpw/formats/registry.hpp>
#include <bpw/plan/budget.hpp>
#include <bpw/plan/calibration.hpp>
#include <bpw/plan/cost_curve.hpp>
#include <bpw/plan/groups.hpp>
#include <bpw/plan/knapsack.hpp>
#include <bpw/plan/loss.hpp>
#include <bpw/plan/model.hpp>
#include <bpw/plan/pattern.hpp>
#include <bpw/plan/speed.hpp>
#include <bpw/plan/timed_knapsack.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

BPW_NAMESPACE_BEGIN
namespace plan {

/// Tensors whose type the user decides.
struct lock_rule {
    pattern tensors;  ///< matched against whole names
    type_id type;
};

/// A class of tensors that share memory: a GPU, the main memory, a NUMA node.
struct class_request {
    std::string name;               ///< such as GPU
    std::vector<pattern> tensors;   ///< matched against whole names
    std::vector<type_id> pool;      ///< types to choose from; a class without is not planned
    std::vector<lock_rule> locks;   ///< the first that matches decides
    std::optional<type_id> assign;  ///< of unmeasured tensors; otherwise the pool's largest
    budget size;                    ///< of all that the class holds; no limit: the largest types
    /// Lock tensors of unusual sensitivity to the smallest and largest type of the pool: below the
    /// first quartile, or above the third, by more than so many times their distance.
    std::optional<double> outlier_distance;
    std::optional<speed_table> speed;  ///< of the device that reads the class's weights
};

/// Moves sensitivities towards their group's mean.
struct synergy_options {
    std::vector<group_patterns> groups;
    double strength = 0;  ///< 0 leaves them alone, 1 makes them equal
};

struct plan_request {
    /// Tried in this order. A tensor belongs to the first class that one of its patterns, or of the
    /// patterns of its locks, matches.
    std::vector<class_request> classes;
    std::size_t rest = 0;              ///< the class of all other tensors
    std::vector<group_patterns> ties;  ///< tensors that must have one type
    synergy_options synergy;
    loss_options loss;
    storage_rules storage;
    bool ignore_f32 = false;  ///< leave out the tensors that are kept as they are
    /// Take the largest types throughout where a size budget does not bind, instead of those of
    /// least loss.
    bool prefer_largest = true;
    /// Longest time to read the weights that one token needs, over all classes, in seconds. Every
    /// class that is planned must then have a speed.
    std::optional<double> seconds;
    double expert_share = 1;  ///< of the experts that a token uses
    knapsack_limits limits;
    timed_limits timed;
};

/// Why a tensor has its type.
enum class reason : std::uint8_t {
    kept,        ///< f32 in every set
    locked,      ///< the user's rule
    outlier,     ///< locked for its unusual sensitivity
    unmeasured,  ///< nothing is known of it
    planned,     ///< chosen
};

struct assigned_tensor {
    std::size_t tensor;       ///< position in the model
    std::size_t class_index;  ///< position in the request
    reason why;
    type_id asked;
    type_id type;                       ///< stored
    std::uint64_t bytes;                ///< stored
    bool computed;                      ///< sized by the rules instead of a map
    std::uint64_t time = 0;             ///< picoseconds per token, where the speed is known
    std::optional<double> sensitivity;  ///< as measured
    double cost = 0;                    ///< in the objective; of planned tensors only

    [[nodiscard]] bool fell_back() const noexcept { return asked != type; }
};

/// What a class holds.
struct class_plan {
    std::string name;
    bool planned = false;       ///< it has a pool
    std::vector<type_id> pool;  ///< by falling size; types that no tensor can take are left out
    std::optional<std::uint64_t> budget_bytes;
    std::uint64_t kept_bytes = 0;
    std::uint64_t locked_bytes = 0;
    std::uint64_t outlier_bytes = 0;
    std::uint64_t unmeasured_bytes = 0;
    std::uint64_t planned_bytes = 0;
    std::uint64_t largest_bytes = 0;   ///< all planned tensors at the largest type, and the rest
    std::uint64_t smallest_bytes = 0;  ///< the same at the smallest type of the pool
    std::uint64_t least_bytes = 0;     ///< the smallest size that any choice from the pool has
    bool feasible = true;              ///< least_bytes fit the budget
    std::uint64_t fixed_time = 0;      ///< picoseconds per token that no choice changes
    std::uint64_t planned_time = 0;
    /// The certificate. Its weights are bytes without fixed_bytes().
    knapsack_solution solution;

    /// Bytes that no choice changes.
    [[nodiscard]] std::uint64_t fixed_bytes() const noexcept {
        return kept_bytes + locked_bytes + outlier_bytes + unmeasured_bytes;
    }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return fixed_bytes() + planned_bytes; }
};

struct plan_result {
    std::vector<assigned_tensor> tensors;     ///< in the order of the model
    std::vector<class_plan> classes;          ///< as in the request
    std::vector<std::string> warnings;        ///< sentences
    storage_rules storage;                    ///< as in the request
    std::optional<std::uint64_t> time_limit;  ///< picoseconds per token
    /// The certificate of all classes together where there is a limit on time; its times are
    /// without the fixed ones.
    std::optional<timed_solution> timed;

    [[nodiscard]] bool feasible() const {
        return (!timed || timed->feasible) &&
               std::all_of(classes.begin(), classes.end(),
                           [](const class_plan& c) { return c.feasible; });
    }
    /// Picoseconds to read the weights that a token needs; 0 where no speed is known.
    [[nodiscard]] std::uint64_t time() const {
        std::uint64_t sum = 0;
        for (const auto& c : classes) sum += c.fixed_time + c.planned_time;
        return sum;
    }
    /// What is lost in all: the objective of every class together.
    [[nodiscard]] double cost() const {
        double sum = 0;
        for (const auto& c : classes) sum += c.solution.cost;
        return sum;
    }
    /// Whether every class is proven to be the best.
    [[nodiscard]] bool optimal() const {
        return std::all_of(classes.begin(), classes.end(), [](const class_plan& c) {
            return !c.planned || (c.feasible && c.solution.optimal);
        });
    }
    [[nodiscard]] std::uint64_t bytes() const {
        return std::accumulate(classes.begin(), classes.end(), std::uint64_t{0},
                               [](std::uint64_t n, const class_plan& c) { return n + c.bytes(); });
    }
    /// Success, or which budget is too small and what would fit.
    [[nodiscard]] result<void> check_feasible() const {
        for (const auto& c : classes) {
            if (c.feasible) continue;
            return fail(errc::size_mismatch, "class ", c.name, " needs at least ", c.least_bytes,
                        " bytes with the smallest types of its pool, ", c.fixed_bytes(),
                        " of them fixed; its budget is ", c.budget_bytes.value_or(0), " bytes");
        }
        if (timed && !timed->feasible) {
            std::uint64_t least = timed->least_time;
            for (const auto& c : classes) least += c.fixed_time;
            return fail(errc::size_mismatch, "reading the weights of a token takes at least ",
                        least / 1'000'000, " microseconds within the size budgets; the limit is ",
                        *time_limit / 1'000'000);
        }
        return {};
    }
};

/// One of the types that an item, a tensor or several tied ones, may take.
struct item_option {
    type_id asked;
    type_id type;         ///< stored
    std::uint64_t bytes;  ///< of all members
    double cost;          ///< of all members
    std::uint64_t time;   ///< picoseconds per token, of all members
};

/// Tensors that get one type together.
struct plan_item {
    std::vector<std::size_t> members;  ///< positions in plan_problem::assigned
    std::vector<item_option> options;  ///< one per stored type, in the order of the pool
};

/// A request after everything has been looked up: what is fixed, and what is to be chosen. Made by
/// prepare_plan; the ways to solve it start from here.
struct plan_problem {
    std::vector<assigned_tensor> assigned;      ///< those to be chosen have no type yet
    std::vector<class_plan> classes;            ///< without a solution
    std::vector<std::vector<plan_item>> items;  ///< of each class
    std::vector<std::string> warnings;
    std::optional<std::uint64_t> time_limit;  ///< picoseconds
};

namespace detail {

class plan_builder {
  public:
    plan_builder(const model& m, const calibration& c, const cost_curve& curve,
                 const plan_request& request)
        : model_(m), calibration_(c), curve_(curve), request_(request) {}

    result<plan_problem> build() {
        if (request_.rest >= request_.classes.size()) {
            return fail(errc::not_found, "the class of the rest is number ", request_.rest, " of ",
                        request_.classes.size());
        }
        // Sums of sizes then fit 64 bits with room to spare.
        std::uint64_t weights = 0;
        for (const auto& t : model_.tensors()) {
            weights = std::min(weights, most_weights) + std::min(t.elements, most_weights);
            if (weights >= most_weights || t.bytes >= most_weights) {
                return fail(errc::overflow, "tensor ", quoted(t.name),
                            " is too large to be planned; expected less than 2^53 weights and "
                            "bytes in all");
            }
        }
        for (const auto& c : request_.classes) {
            class_plan p;
            p.name = c.name;
            p.planned = !c.pool.empty();
            p.pool = c.pool;
            std::sort(p.pool.begin(), p.pool.end(), larger_type);
            p.pool.erase(std::unique(p.pool.begin(), p.pool.end()), p.pool.end());
            out_.classes.push_back(std::move(p));
        }
        out_.items.resize(request_.classes.size());
        if (request_.seconds) out_.time_limit = picoseconds(1, *request_.seconds, 1);
        read_sensitivities();
        for (std::size_t i = 0; i < model_.tensors().size(); ++i) place(i);
        for (std::size_t c = 0; c < out_.classes.size(); ++c) {
            if (!out_.classes[c].planned) continue;
            if (auto done = build_class(c); !done) return done.error();
        }
        return std::move(out_);
    }

  private:
    static constexpr std::uint64_t most_weights = std::uint64_t{1} << 53;

    // --- who belongs where ----------------------------------------------------------------------

    [[nodiscard]] std::size_t class_of(const std::string& name) const {
        for (std::size_t c = 0; c < request_.classes.size(); ++c) {
            const auto& k = request_.classes[c];
            const auto matches = [&](const pattern& p) { return p.matches(name); };
            if (std::any_of(k.tensors.begin(), k.tensors.end(), matches)) return c;
            const auto locks = [&](const lock_rule& l) { return l.tensors.matches(name); };
            if (std::any_of(k.locks.begin(), k.locks.end(), locks)) return c;
        }
        return request_.rest;
    }

    void place(std::size_t i) {
        const auto& t = model_.tensors()[i];
        const auto c = class_of(t.name);
        if (!out_.classes[c].planned) return;
        const auto& request = request_.classes[c];
        assigned_tensor a{i, c, reason::planned, t.type, t.type, 0, false, 0, {}, 0};
        a.sensitivity = calibration_.find(t.name);
        if (t.kept) {
            const auto& pool = out_.classes[c].pool;
            const bool asked = std::find(pool.begin(), pool.end(), t.type) != pool.end();
            if (request_.ignore_f32 && !asked) return;
            a.why = asked ? reason::unmeasured : reason::kept;
            a.bytes = t.bytes;
            out_.assigned.push_back(a);
            return;
        }
        const auto lock =
            std::find_if(request.locks.begin(), request.locks.end(),
                         [&](const lock_rule& l) { return l.tensors.matches(t.name); });
        if (lock != request.locks.end()) {
            a.why = reason::locked;
            a.asked = lock->type;
        } else if (!a.sensitivity) {
            a.why = reason::unmeasured;
        }
        out_.assigned.push_back(a);
    }

    [[nodiscard]] const model_tensor& tensor_of(const assigned_tensor& a) const {
        return model_.tensors()[a.tensor];
    }

    // --- sensitivities --------------------------------------------------------------------------

    void read_sensitivities() {
        const auto s = sensitivities(calibration_, request_.loss);
        sensitivity_.resize(model_.tensors().size());
        for (std::size_t i = 0; i < model_.tensors().size(); ++i) {
            const auto at = calibration_.positions.find(model_.tensors()[i].name);
            if (at != calibration_.positions.end()) sensitivity_[i] = s[at->second];
        }
        if (request_.synergy.strength == 0) return;
        std::vector<std::string_view> names;
        for (const auto& t : model_.tensors()) names.push_back(t.name);
        const auto original = sensitivity_;
        for (const auto& patterns : request_.synergy.groups) {
            const auto groups = form_groups(patterns, names);
            if (!groups.objection.empty()) warn("synergy: ", groups.objection);
            for (const auto& set : groups.sets) pull_together(set, original);
        }
    }

    void pull_together(const std::vector<std::size_t>& set,
                       const std::vector<std::optional<double>>& original) {
        double sum = 0;
        double size = 0;
        for (const auto i : set) {
            if (!original[i]) continue;
            const auto elements = static_cast<double>(model_.tensors()[i].elements);
            sum = std::fma(*original[i], elements, sum);
            size += elements;
        }
        if (size == 0) return;
        for (const auto i : set) {
            if (!original[i]) continue;
            sensitivity_[i] =
                std::fma(request_.synergy.strength, sum / size - *original[i], *original[i]);
        }
    }

    // --- one class ------------------------------------------------------------------------------

    result<void> build_class(std::size_t c) {
        auto& plan = out_.classes[c];
        std::vector<std::size_t> mine;
        for (std::size_t i = 0; i < out_.assigned.size(); ++i) {
            if (out_.assigned[i].class_index == c) mine.push_back(i);
        }
        if (auto done = drop_phantoms(plan, mine); !done) return done.error();
        if (request_.classes[c].outlier_distance) {
            lock_outliers(plan, mine, *request_.classes[c].outlier_distance);
        }
        for (const auto i : mine) {
            if (auto done = fix(plan, request_.classes[c], out_.assigned[i]); !done) {
                return done.error();
            }
        }
        std::vector<std::size_t> open;
        for (const auto i : mine) {
            if (out_.assigned[i].why == reason::planned) open.push_back(i);
        }
        if (auto done = build_items(c, open); !done) return done.error();

        plan.largest_bytes = plan.fixed_bytes();
        plan.smallest_bytes = plan.fixed_bytes();
        for (const auto i : open) {
            const auto& t = tensor_of(out_.assigned[i]);
            const auto largest = model_.stored(t, plan.pool.front(), request_.storage);
            const auto smallest = model_.stored(t, plan.pool.back(), request_.storage);
            plan.largest_bytes += largest->bytes;
            plan.smallest_bytes += smallest->bytes;
        }
        plan.budget_bytes = request_.classes[c].size.limit(plan.largest_bytes);
        return {};
    }

    result<void> drop_phantoms(class_plan& plan, const std::vector<std::size_t>& mine) {
        std::vector<bool> real(plan.pool.size(), false);
        bool any = false;
        for (const auto i : mine) {
            const auto& t = tensor_of(out_.assigned[i]);
            if (t.kept) continue;
            any = true;
            for (std::size_t p = 0; p < plan.pool.size(); ++p) {
                if (real[p]) continue;
                const auto s = model_.stored(t, plan.pool[p], request_.storage);
                if (!s) return s.error();
                real[p] = s->type == plan.pool[p];
            }
        }
        // A pool of which nothing is left stands for what its types fall back to.
        if (!any || std::none_of(real.begin(), real.end(), [](bool r) { return r; })) return {};
        std::vector<type_id> pool;
        for (std::size_t p = 0; p < plan.pool.size(); ++p) {
            if (real[p]) {
                pool.push_back(plan.pool[p]);
            } else {
                warn("class ", plan.name, ": no tensor can be stored as ", name(plan.pool[p]),
                     ", which is left out of the pool");
            }
        }
        plan.pool = std::move(pool);
        return {};
    }

    void lock_outliers(const class_plan& plan, const std::vector<std::size_t>& mine,
                       double distance) {
        std::vector<double> values;
        for (const auto i : mine) {
            const auto& a = out_.assigned[i];
            if (a.why == reason::planned) values.push_back(*sensitivity_[a.tensor]);
        }
        const auto low = quantile(values, 0.25);
        const auto high = quantile(values, 0.75);
        const auto margin = distance * (high - low);
        for (const auto i : mine) {
            auto& a = out_.assigned[i];
            if (a.why != reason::planned) continue;
            const auto s = *sensitivity_[a.tensor];
            if (s < low - margin) {
                a.asked = plan.pool.back();
            } else if (s > high + margin) {
                a.asked = plan.pool.front();
            } else {
                continue;
            }
            a.why = reason::outlier;
        }
    }

    result<void> fix(class_plan& plan, const class_request& request, assigned_tensor& a) {
        if (a.why == reason::planned) return {};
        const auto& t = tensor_of(a);
        const auto time = [&] {
            const auto spent = time_of(request, t, a.type, a.bytes);
            if (!spent) return result<void>(spent.error());
            a.time = *spent;
            plan.fixed_time += a.time;
            return result<void>();
        };
        if (t.kept) {
            (a.why == reason::kept ? plan.kept_bytes : plan.unmeasured_bytes) += a.bytes;
            return time();
        }
        if (a.why == reason::unmeasured) {
            const auto type = assigned_type(plan, request, t);
            if (!type) return type.error();
            a.asked = *type;
        }
        const auto s = model_.stored(t, a.asked, request_.storage);
        if (!s) return s.error();
        a.type = s->type;
        a.bytes = s->bytes;
        a.computed = s->computed;
        (a.why == reason::locked    ? plan.locked_bytes
         : a.why == reason::outlier ? plan.outlier_bytes
                                    : plan.unmeasured_bytes) += a.bytes;
        return time();
    }

    // Picoseconds per token; 0 where the class has no speed.
    result<std::uint64_t> time_of(const class_request& request, const model_tensor& t, type_id type,
                                  std::uint64_t bytes) const {
        if (!request.speed) {
            if (!request_.seconds) return std::uint64_t{0};
            return fail(errc::not_found, "class ", request.name,
                        " has no speed, which the limit on time needs");
        }
        const auto share = active_share(model_, t.name, request_.expert_share);
        // Kept tensors are small; where their type was not measured they count as nothing.
        const auto each = request.speed->at(type);
        if (!each && t.kept) return std::uint64_t{0};
        if (!each) return each.error();
        return picoseconds(bytes, *each, share);
    }

    result<type_id> assigned_type(const class_plan& plan, const class_request& request,
                                  const model_tensor& t) const {
        if (request.assign) return *request.assign;
        auto best = plan.pool.front();
        std::uint64_t most = 0;
        for (const auto type : plan.pool) {
            const auto s = model_.stored(t, type, request_.storage);
            if (!s) return s.error();
            if (s->bytes <= most) continue;
            most = s->bytes;
            best = type;
        }
        return best;
    }

    // --- items ----------------------------------------------------------------------------------

    result<void> build_items(std::size_t c, const std::vector<std::size_t>& open) {
        double sum = 0;
        for (const auto i : open) sum += *sensitivity_[out_.assigned[i].tensor];
        mean_ = open.empty() ? 0 : sum / static_cast<double>(open.size());
        for (auto& members : tie(c, open)) {
            plan_item item;
            item.members = members;
            if (auto done = add_options(c, item); !done) return done.error();
            if (item.options.empty()) {
                warn("tensors tied to ", quoted(tensor_of(out_.assigned[members.front()]).name),
                     " have no type in common and are planned one by one");
                for (const auto member : members) {
                    plan_item single;
                    single.members = {member};
                    if (auto done = add_options(c, single); !done) return done.error();
                    out_.items[c].push_back(std::move(single));
                }
                continue;
            }
            out_.items[c].push_back(std::move(item));
        }
        return {};
    }

    // Positions that belong together; single tensors are sets of one.
    std::vector<std::vector<std::size_t>> tie(std::size_t c, const std::vector<std::size_t>& open) {
        std::vector<std::string_view> names;
        for (const auto i : open) names.push_back(tensor_of(out_.assigned[i]).name);
        std::vector<std::size_t> leader(open.size());
        std::iota(leader.begin(), leader.end(), std::size_t{0});
        const auto find = [&](std::size_t i) {
            while (leader[i] != i) i = leader[i] = leader[leader[i]];
            return i;
        };
        for (const auto& patterns : request_.ties) {
            const auto groups = form_groups(patterns, names);
            if (!groups.objection.empty()) {
                warn("class ", out_.classes[c].name, ": ", groups.objection);
            }
            for (const auto& set : groups.sets) {
                for (const auto i : set) {
                    const auto a = find(set.front());
                    const auto b = find(i);
                    leader[std::max(a, b)] = std::min(a, b);
                }
            }
        }
        std::vector<std::vector<std::size_t>> sets(open.size());
        for (std::size_t i = 0; i < open.size(); ++i) sets[find(i)].push_back(open[i]);
        std::erase_if(sets, [](const auto& s) { return s.empty(); });
        return sets;
    }

    result<void> add_options(std::size_t c, plan_item& item) {
        for (const auto asked : out_.classes[c].pool) {
            item_option option{asked, asked, 0, 0, 0};
            bool common = true;
            for (const auto member : item.members) {
                const auto& t = tensor_of(out_.assigned[member]);
                const auto s = model_.stored(t, asked, request_.storage);
                if (!s) return s.error();
                if (member == item.members.front()) option.type = s->type;
                common = common && s->type == option.type;
                option.bytes += s->bytes;
            }
            if (!common) continue;
            const auto same =
                std::find_if(item.options.begin(), item.options.end(),
                             [&](const item_option& o) { return o.type == option.type; });
            if (same != item.options.end()) {
                if (asked == option.type) same->asked = asked;
                continue;
            }
            const auto loss = curve_.at(option.type);
            if (!loss) return loss.error();
            for (const auto member : item.members) {
                const auto s = *sensitivity_[out_.assigned[member].tensor];
                option.cost += cost_of(s, *loss, mean_, request_.loss);
                const auto& t = tensor_of(out_.assigned[member]);
                const auto bytes = model_.stored(t, asked, request_.storage)->bytes;
                const auto time = time_of(request_.classes[c], t, option.type, bytes);
                if (!time) return time.error();
                option.time += *time;
            }
            item.options.push_back(option);
        }
        return {};
    }

    template <class... Parts>
    void warn(const Parts&... parts) {
        out_.warnings.push_back(fail(errc::unsupported, parts...).message);
    }

    const model& model_;
    const calibration& calibration_;
    const cost_curve& curve_;
    const plan_request& request_;
    std::vector<std::optional<double>> sensitivity_;  // of the model's tensors
    double mean_ = 0;                                 // of the class at hand
    plan_problem out_;
};

}  // namespace detail

/// Looks up everything that a plan needs: the class, size and options of every tensor.
///
/// Errors: `not_found` for a type whose loss the curve lacks; those of model::stored.
[[nodiscard]] inline result<plan_problem> prepare_plan(const model& m, const calibration& c,
                                                       const cost_curve& curve,
                                                       const plan_request& request) {
    return detail::plan_builder(m, c, curve, request).build();
}

namespace detail {

// Gives the members of a class's items the types of the chosen options.
inline void apply_choice(const model& m, const std::vector<plan_item>& items,
                         const std::vector<std::size_t>& choice, plan_result& out,
                         class_plan& plan) {
    for (std::size_t i = 0; i < items.size(); ++i) {
        const auto& option = items[i].options[choice[i]];
        const auto members = static_cast<double>(items[i].members.size());
        plan.planned_bytes += option.bytes;
        plan.planned_time += option.time;
        for (const auto member : items[i].members) {
            auto& a = out.tensors[member];
            const auto s = m.stored(m.tensors()[a.tensor], option.asked, out.storage);
            a.asked = option.asked;
            a.type = option.type;
            a.bytes = s->bytes;
            a.computed = s->computed;
            a.time = option.time / items[i].members.size();
            a.cost = option.cost / members;
        }
    }
}

inline result<void> solve_sizes(const model& m, const plan_problem& problem,
                                const plan_request& request, plan_result& out) {
    for (std::size_t k = 0; k < problem.classes.size(); ++k) {
        auto& plan = out.classes[k];
        if (!plan.planned) continue;
        const auto fixed_bytes = plan.fixed_bytes();
        const auto budget = plan.budget_bytes.value_or(plan.largest_bytes);
        const bool largest = request.prefer_largest && budget >= plan.largest_bytes;
        std::vector<knapsack_item> items;
        for (const auto& item : problem.items[k]) {
            auto& weighed = items.emplace_back();
            // Where the budget does not bind only the option of the largest type is left.
            for (const auto& o : item.options) {
                if (largest && !weighed.empty()) break;
                weighed.push_back({o.bytes, o.cost});
            }
        }
        auto s =
            solve_knapsack(items, budget < fixed_bytes ? 0 : budget - fixed_bytes, request.limits);
        if (!s) return s.error();
        plan.solution = *std::move(s);
        plan.least_bytes = fixed_bytes + plan.solution.least_weight;
        plan.feasible = plan.solution.feasible && budget >= fixed_bytes;
        if (plan.feasible) {
            apply_choice(m, problem.items[k], plan.solution.choice, out, plan);
        }
    }
    return {};
}

inline result<void> solve_sizes_and_time(const model& m, const plan_problem& problem,
                                         const plan_request& request, plan_result& out) {
    std::vector<timed_class> classes(problem.classes.size());
    std::uint64_t fixed_time = 0;
    for (std::size_t k = 0; k < problem.classes.size(); ++k) {
        auto& plan = out.classes[k];
        fixed_time += plan.fixed_time;
        if (!plan.planned) continue;
        const auto fixed_bytes = plan.fixed_bytes();
        const auto budget = plan.budget_bytes.value_or(plan.largest_bytes);
        classes[k].capacity = budget < fixed_bytes ? 0 : budget - fixed_bytes;
        std::uint64_t least = fixed_bytes;
        for (const auto& item : problem.items[k]) {
            auto& weighed = classes[k].items.emplace_back();
            auto lightest = item.options.front().bytes;
            for (const auto& o : item.options) {
                weighed.push_back({o.bytes, o.time, o.cost});
                lightest = std::min(lightest, o.bytes);
            }
            least += lightest;
        }
        plan.least_bytes = least;
        plan.feasible = least <= budget;
    }
    if (!out.feasible()) return {};
    auto s = solve_timed_knapsack(
        classes, *out.time_limit < fixed_time ? 0 : *out.time_limit - fixed_time, request.timed);
    if (!s) return s.error();
    if (*out.time_limit < fixed_time) s->feasible = false;
    out.timed = *std::move(s);
    if (!out.timed->feasible) return {};
    for (std::size_t k = 0; k < problem.classes.size(); ++k) {
        auto& plan = out.classes[k];
        if (!plan.planned) continue;
        apply_choice(m, problem.items[k], out.timed->choice[k], out, plan);
        auto& mine = plan.solution;
        mine.feasible = true;
        mine.choice = out.timed->choice[k];
        mine.weight = out.timed->weights[k];
        for (std::size_t i = 0; i < mine.choice.size(); ++i) {
            mine.cost += problem.items[k][i].options[mine.choice[i]].cost;
        }
        mine.optimal = out.timed->optimal;
        // Of what a class alone can gain, only the bound of all together is known.
        mine.lower_bound = mine.cost - (out.timed->cost - out.timed->lower_bound);
    }
    return {};
}

}  // namespace detail

/// Solves a prepared problem; see make_plan. Its budgets may have been changed since.
[[nodiscard]] inline result<plan_result> solve_plan(const model& m, const plan_problem& problem,
                                                    const plan_request& request) {
    plan_result out{problem.assigned, problem.classes,    problem.warnings,
                    request.storage,  problem.time_limit, std::nullopt};
    const auto done = problem.time_limit ? detail::solve_sizes_and_time(m, problem, request, out)
                                         : detail::solve_sizes(m, problem, request, out);
    if (!done) return done.error();
    return out;
}

/// Plans: the least cost of every class within its budget, with a certificate. A class without a
/// limit on its size, or with one that does not bind, gets the largest type of its pool throughout.
/// With a limit on time, all classes are planned together for the least cost within it; a class
/// without a limit on its size then chooses freely.
///
/// A budget that is too small is no error here: the class is marked as not feasible, its tensors
/// have no type, and check_feasible() says what would fit. Errors: those of prepare_plan and of
/// solve_knapsack.
[[nodiscard]] inline result<plan_result> make_plan(const model& m, const calibration& c,
                                                   const cost_curve& curve,
                                                   const plan_request& request) {
    const auto problem = prepare_plan(m, c, curve, request);
    if (!problem) return problem.error();
    return solve_plan(m, *problem, request);
}

/// An estimate of the loss of the whole model: the mean of the types' losses, weighted by the
/// tensors' sensitivities as the options see them. Tensors without a sensitivity do not count.
/// Errors: `not_found` for a type whose loss the curve lacks.
[[nodiscard]] inline result<double> predicted_loss(const model& m, const calibration& c,
                                                   const cost_curve& curve,
                                                   const std::vector<assigned_tensor>& tensors,
                                                   const loss_options& options = {}) {
    const auto s = sensitivities(c, options);
    double loss = 0;
    double weight = 0;
    for (const auto& a : tensors) {
        const auto at = c.positions.find(m.tensors()[a.tensor].name);
        if (at == c.positions.end() || !s[at->second]) continue;
        const auto each = curve.at(a.type);
        if (!each) return each.error();
        loss = std::fma(*s[at->second], *each, loss);
        weight += *s[at->second];
    }
    return weight == 0 ? 0 : loss / weight;
}

}  // namespace plan
BPW_NAMESPACE_END
