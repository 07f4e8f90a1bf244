// Whole requests: several classes with budgets of their own, locks, ties, tensors that were not
// measured. Small ones against the enumeration of every plan, a large one against what must hold.
#include "plan/inputs.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <regex>
#include <string>
#include <vector>

namespace plan_test {
namespace {

struct class_text {
    std::string name;
    std::string tensors;  // a regex; empty: the rest
    std::string pool;
    std::string locked;  // a regex; empty: nothing
    std::string locked_type = "q6_K";
    std::string assign;  // empty: the largest type
    plan::budget size;
};

struct instance {
    plan::model m;
    plan::calibration c;
    plan::cost_curve curve = plan::default_cost_curve();
    std::vector<class_text> classes;
    bool tied = false;

    [[nodiscard]] plan::plan_request request() const {
        plan::plan_request r;
        r.prefer_largest = false;
        for (const auto& k : classes) {
            plan::class_request out;
            out.name = k.name;
            out.pool = types(k.pool);
            if (!k.tensors.empty()) out.tensors.push_back(regex(k.tensors));
            if (!k.locked.empty()) {
                out.locks.push_back({regex(k.locked), types(k.locked_type).front()});
            }
            if (!k.assign.empty()) out.assign = types(k.assign).front();
            out.size = k.size;
            r.classes.push_back(std::move(out));
        }
        r.rest = r.classes.size() - 1;
        if (tied) r.ties.push_back(plan::read_group("ffn_up_exps,ffn_gate_exps").value());
        return r;
    }
};

class generator {
  public:
    explicit generator(std::uint64_t seed) : random_(seed) {}

    std::uint64_t below(std::uint64_t n) { return random_() % n; }
    double unit() { return static_cast<double>(below(1'000'000)) * 1e-6; }

    // One of `unmeasured` layers was not measured; `scale` multiplies the rows.
    instance make(std::uint64_t layers, std::uint64_t unmeasured, std::uint64_t scale) {
        std::string lines;
        std::string names = "QTYPE";
        std::string cells = "iq1_kt";
        const auto add = [&](const std::string& name, std::uint64_t cols, std::uint64_t rows,
                             bool measured) {
            lines += bf16_line(name, cols, rows);
            if (rows == 1 || !measured) return;
            names.append(",").append(name);
            cells.append(",").append(
                std::to_string(below(20) == 0 ? 0 : 0.001 + 0.2 * unit() * unit()));
        };
        for (std::uint64_t i = 0; i < layers; ++i) {
            const auto blk = std::string("blk.").append(std::to_string(i)) + ".";
            const bool measured = below(unmeasured) != 0;
            const auto rows = scale * (1 + below(4));
            add(blk + "attn_norm.weight", 512, 1, false);
            add(blk + "attn_q.weight", 512, scale * (1 + below(3)), measured);
            add(blk + "ffn_up_exps.weight", 512, rows, measured);
            add(blk + "ffn_gate_exps.weight", 512, rows, measured);
        }
        instance out;
        out.m = model_of(lines);
        out.c = plan::read_calibration(names + "\n" + cells + "\n", "kld.csv").value();
        return out;
    }

  private:
    std::mt19937_64 random_;
};

bool matches(const std::string& text, const std::string& name) {
    static std::map<std::string, std::regex> compiled;
    if (text.empty()) return false;
    const auto at = compiled.try_emplace(text, text, std::regex::extended).first;
    return std::regex_match(name, at->second);
}

// What a class must hold, found without the planner.
struct expectation {
    std::uint64_t fixed = 0;
    std::uint64_t largest = 0;
    std::uint64_t least = 0;
    std::optional<double> cost;
};

std::size_t class_of(const instance& in, const std::string& name) {
    for (std::size_t k = 0; k < in.classes.size(); ++k) {
        if (matches(in.classes[k].tensors, name) || matches(in.classes[k].locked, name)) return k;
    }
    return in.classes.size() - 1;
}

expectation enumerated(const instance& in, std::size_t k) {
    const auto& request = in.classes[k];
    const auto pool = types(request.pool);  // by falling size
    expectation out;
    std::map<std::string, std::vector<const plan::model_tensor*>> units;
    for (const auto& t : in.m.tensors()) {
        if (class_of(in, t.name) != k) continue;
        const auto bytes = [&](type_id type) { return in.m.stored(t, type).value().bytes; };
        if (t.kept) {
            out.fixed += t.bytes;
        } else if (matches(request.locked, t.name)) {
            out.fixed += bytes(types(request.locked_type).front());
        } else if (!in.c.find(t.name)) {
            out.fixed += bytes(request.assign.empty() ? pool.front() : types(request.assign)[0]);
        } else {
            const bool pair = in.tied && t.name.find("_exps") != std::string::npos;
            units[pair ? t.name.substr(0, t.name.find("ffn_")) : t.name].push_back(&t);
        }
    }
    out.largest = out.least = out.fixed;
    for (const auto& [name, members] : units) {
        for (const auto* t : members) {
            out.largest += in.m.stored(*t, pool.front()).value().bytes;
            out.least += in.m.stored(*t, pool.back()).value().bytes;
        }
    }
    const auto limit = request.size.limit(out.largest);
    std::vector<std::vector<const plan::model_tensor*>> sets;
    for (const auto& [name, members] : units) sets.push_back(members);
    std::vector<std::size_t> at(sets.size(), 0);
    for (;;) {
        std::uint64_t bytes = out.fixed;
        double cost = 0;
        for (std::size_t u = 0; u < sets.size(); ++u) {
            for (const auto* t : sets[u]) {
                const auto stored = in.m.stored(*t, pool[at[u]]).value();
                bytes += stored.bytes;
                cost += *in.c.find(t->name) * in.curve.at(stored.type).value();
            }
        }
        if ((!limit || bytes <= *limit) && (!out.cost || cost < *out.cost)) out.cost = cost;
        std::size_t u = 0;
        while (u < sets.size() && ++at[u] == pool.size()) at[u++] = 0;
        if (u == sets.size()) return out;
    }
}

// Sums that do not depend on what is best.
void expect_sound(const instance& in, const plan::plan_result& p) {
    std::vector<std::uint64_t> bytes(in.classes.size(), 0);
    std::vector<double> costs(in.classes.size(), 0);
    std::map<std::string, type_id> chosen;
    ASSERT_EQ(p.tensors.size(), in.m.tensors().size());
    for (const auto& a : p.tensors) {
        const auto& t = in.m.tensors()[a.tensor];
        ASSERT_EQ(a.class_index, class_of(in, t.name)) << t.name;
        bytes[a.class_index] += a.bytes;
        if (!t.kept) {
            const auto stored = in.m.stored(t, a.asked).value();
            EXPECT_EQ(stored.bytes, a.bytes) << t.name;
            EXPECT_EQ(stored.type, a.type) << t.name;
        }
        if (a.why == plan::reason::locked) {
            EXPECT_TRUE(matches(in.classes[a.class_index].locked, t.name)) << t.name;
        }
        if (a.why != plan::reason::planned) continue;
        costs[a.class_index] += *in.c.find(t.name) * in.curve.at(a.type).value();
        chosen[t.name] = a.type;
    }
    for (std::size_t k = 0; k < in.classes.size(); ++k) {
        const auto& c = p.classes[k];
        EXPECT_EQ(c.bytes(), bytes[k]) << c.name;
        EXPECT_LE(c.bytes(), c.budget_bytes.value_or(c.bytes())) << c.name;
        EXPECT_NEAR(c.solution.cost, costs[k], 1e-9 * costs[k]) << c.name;
        EXPECT_LE(c.solution.lower_bound, c.solution.cost) << c.name;
    }
    if (!in.tied) return;
    for (const auto& [name, type] : chosen) {
        const auto up = name.find("ffn_up_exps");
        if (up == std::string::npos) continue;
        EXPECT_EQ(type, chosen.at(std::string(name).replace(up, 6, "ffn_gate"))) << name;
    }
}

TEST(mixed_requests, equal_enumeration) {
    generator g(11);
    int infeasible = 0;
    int planned = 0;
    for (int n = 0; n < 120; ++n) {
        SCOPED_TRACE(n);
        auto in = g.make(1 + g.below(4), 5, 8);
        in.tied = g.below(2) == 0;
        const auto size = [&] {
            return g.below(6) == 0
                       ? plan::budget()
                       : plan::budget::of_percent(20 + static_cast<double>(g.below(80)) + g.unit());
        };
        in.classes.push_back({"CPU", R"(blk\.[02]\.ffn_.*_exps\.weight)", "q4_K q3_K q2_K", "",
                              "q6_K", g.below(2) == 0 ? "q4_K" : "", size()});
        in.classes.push_back({"NUMA 1", R"(blk\.3\..*)", "q8_0 iq4_ks q2_K",
                              g.below(2) == 0 ? R"(blk\.1\.attn_q\.weight)" : "", "q5_K", "",
                              size()});
        in.classes.push_back({"GPU", "", "q8_0 q5_K iq4_ks", g.below(3) == 0 ? R"(blk\.0\..*)" : "",
                              "q6_K", "", size()});
        const auto p = plan::make_plan(in.m, in.c, in.curve, in.request()).value();
        ASSERT_TRUE(p.warnings.empty()) << p.warnings.front();
        bool feasible = true;
        for (std::size_t k = 0; k < in.classes.size(); ++k) {
            SCOPED_TRACE(in.classes[k].name);
            const auto best = enumerated(in, k);
            const auto& c = p.classes[k];
            EXPECT_EQ(c.fixed_bytes(), best.fixed);
            EXPECT_EQ(c.largest_bytes, best.largest);
            EXPECT_EQ(c.least_bytes, best.least);
            EXPECT_EQ(c.budget_bytes, in.classes[k].size.limit(best.largest));
            ASSERT_EQ(c.feasible, best.cost.has_value());
            (c.feasible ? planned : infeasible) += 1;
            feasible = feasible && c.feasible;
            if (!c.feasible) continue;
            EXPECT_TRUE(c.solution.optimal);
            EXPECT_NEAR(c.solution.cost, *best.cost, 1e-12);
        }
        EXPECT_EQ(p.feasible(), feasible);
        if (feasible) expect_sound(in, p);
    }
    EXPECT_GT(infeasible, 20);
    EXPECT_GT(planned, 150);
}

TEST(mixed_requests, of_two_thousand_tensors_are_proven) {
    generator g(12);
    auto in = g.make(500, 40, 1 << 16);
    in.tied = true;
    const std::string types = "q8_0 iq6_k q6_K iq5_k q5_K iq5_ks iq4_k iq4_ks q4_K iq3_k q3_K q2_K";
    for (const double percent : {45.0, 81.25}) {
        SCOPED_TRACE(percent);
        in.classes = {{"CPU", R"(blk\.[0-9]*[02468]\.ffn_.*_exps\.weight)", types,
                       R"(blk\.4\.ffn_.*)", "q6_K", "iq4_k", plan::budget::of_percent(percent)},
                      {"NUMA 1", R"(blk\.[0-9]*[13579]\.ffn_.*_exps\.weight)", types, "", "q6_K",
                       "", plan::budget::of_percent(percent + 3)},
                      {"GPU", "", types, R"(blk\.0\.attn_q\.weight)", "q8_0", "",
                       plan::budget::of_percent(percent + 10)}};
        const auto p = plan::make_plan(in.m, in.c, in.curve, in.request()).value();
        ASSERT_TRUE(p.feasible());
        EXPECT_TRUE(p.optimal());
        expect_sound(in, p);
        // Little is left: some step up is always small.
        for (const auto& c : p.classes) {
            EXPECT_GT(static_cast<double>(c.bytes()), 0.998 * static_cast<double>(*c.budget_bytes))
                << c.name;
        }
    }
}

}  // namespace
}  // namespace plan_test
