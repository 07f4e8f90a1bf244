// The planner on small models: classes, pools, budgets, locks, ties, what is not measured; and
// against the enumeration of every plan.
#include "plan/inputs.hpp"

#include <bpw/plan/spread.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <random>
#include <string>

namespace plan_test {
namespace {

// Four layers of attention and experts, norms, a head.
std::string small_map() {
    std::string lines = bf16_line("token_embd.weight", 256, 512);
    for (int i = 0; i < 4; ++i) {
        const auto blk = std::string("blk.").append(std::to_string(i)) + ".";
        lines += bf16_line(blk + "attn_norm.weight", 256, 1);
        lines += bf16_line(blk + "attn_q.weight", 256, 256);
        lines += bf16_line(blk + "ffn_up_exps.weight", 256, 1024);
        lines += bf16_line(blk + "ffn_gate_exps.weight", 256, 1024);
        lines += bf16_line(blk + "ffn_down_exps.weight", 1024, 256);
    }
    return lines;
}

std::string small_calibration() {
    std::string names = "QTYPE,token_embd.weight";
    std::string cells = "iq1_kt,0.5";
    for (int i = 0; i < 4; ++i) {
        const auto blk = std::string(",blk.").append(std::to_string(i)) + ".";
        names += blk + "attn_q.weight" + blk + "ffn_up_exps.weight" + blk + "ffn_gate_exps.weight" +
                 blk + "ffn_down_exps.weight";
        const auto n = std::to_string(i + 1);
        cells += std::string(",0.0") + n + ",0.1" + n + ",0.2" + n + ",0.3" + n;
    }
    return names + "\n" + cells + "\n";
}

const std::string small_curve =
    "QTYPE,group0\nq8_0,0.001\nq6_K,0.004\nq5_K,0.016\nq5_0,0.019\nq4_K,0.047\niq4_nl,0.052\n"
    "iq4_ks,0.048\nq3_K,0.226\nq2_K,0.895\niq4_k,0.034\nq6_0,0.005\n";

struct small {
    plan::model m = model_of(small_map());
    plan::calibration c = plan::read_calibration(small_calibration(), "kld.csv").value();
    plan::cost_curve curve = plan::read_cost_curve(small_curve, "curve.csv").value();
    plan::plan_request r;

    explicit small(std::string_view pool = "q8_0 q4_K q2_K") {
        plan::class_request gpu;
        gpu.name = "GPU";
        gpu.pool = types(pool);
        r.classes = {gpu};
    }
    [[nodiscard]] plan::plan_result plan() const { return plan::make_plan(m, c, curve, r).value(); }
    [[nodiscard]] std::map<std::string, std::string> assignment() const {
        std::map<std::string, std::string> out;
        for (const auto& a : plan().tensors) {
            out[m.tensors()[a.tensor].name] = std::string(bpw::name(a.type));
        }
        return out;
    }
};

std::uint64_t bytes_of(const plan::plan_result& p, plan::reason why) {
    std::uint64_t n = 0;
    for (const auto& a : p.tensors) n += a.why == why ? a.bytes : 0;
    return n;
}

TEST(planner, without_a_limit_everything_is_largest_and_with_none_smallest) {
    small s;
    auto p = s.plan();
    EXPECT_EQ(p.classes[0].bytes(), p.classes[0].largest_bytes);
    for (const auto& a : p.tensors) {
        EXPECT_EQ(a.type, a.why == plan::reason::kept ? type_id::f32 : type_id::q8_0);
    }
    s.r.classes[0].size = plan::budget::of_bytes(p.classes[0].largest_bytes);
    EXPECT_EQ(s.plan().bytes(), p.bytes());
    s.r.classes[0].size = plan::budget::of_percent(99.99);
    EXPECT_EQ(s.plan().bytes(), p.bytes());
    s.r.classes[0].size = plan::budget::of_bytes(p.classes[0].largest_bytes - 1);
    EXPECT_LT(s.plan().bytes(), p.bytes());

    // 0 asks for the smallest, which does not fit into nothing.
    s.r.classes[0].size = plan::budget::of_bytes(0);
    p = s.plan();
    EXPECT_FALSE(p.feasible());
    EXPECT_EQ(p.classes[0].least_bytes, p.classes[0].smallest_bytes);
    EXPECT_NE(p.check_feasible().error().message.find(std::to_string(p.classes[0].smallest_bytes)),
              std::string::npos);
    s.r.classes[0].size = plan::budget::of_bytes(p.classes[0].smallest_bytes);
    p = s.plan();
    ASSERT_TRUE(p.feasible());
    EXPECT_EQ(p.bytes(), p.classes[0].smallest_bytes);
    for (const auto& a : p.tensors) {
        EXPECT_EQ(a.type, a.why == plan::reason::kept ? type_id::f32 : type_id::q2_K);
    }
}

TEST(planner, kept_tensors_count_once_and_can_be_left_out) {
    small s;
    EXPECT_EQ(s.plan().classes[0].kept_bytes, 4u * 256 * 4);
    s.r.ignore_f32 = true;
    auto p = s.plan();
    EXPECT_EQ(p.classes[0].kept_bytes, 0u);
    EXPECT_EQ(p.tensors.size(), 17u);
    s.r.classes[0].pool = types("f32 q8_0 q4_K");
    p = s.plan();
    EXPECT_EQ(p.tensors.size(), 21u) << "f32 is in the pool, so these are asked for";
    EXPECT_EQ(p.classes[0].kept_bytes, 0u);
    EXPECT_EQ(p.classes[0].unmeasured_bytes, 4u * 256 * 4);
}

TEST(planner, classes_share_nothing_and_take_what_matches_first) {
    small s;
    plan::class_request cpu;
    cpu.name = "CPU";
    cpu.pool = types("q4_K q2_K");
    cpu.tensors.push_back(regex(R"(blk\..*_exps\.weight)"));
    cpu.locks.push_back({regex(R"(blk\.0\.attn_q\.weight)"), type_id::q3_K});
    plan::class_request second = cpu;
    second.name = "NUMA 1";
    second.tensors = {regex(R"(blk\.[23]\..*)")};
    second.locks.clear();
    s.r.classes.insert(s.r.classes.begin(), {cpu, second});
    s.r.rest = 2;
    const auto p = s.plan();
    std::map<std::string, std::string> where;
    for (const auto& a : p.tensors) {
        where[s.m.tensors()[a.tensor].name] = p.classes[a.class_index].name;
    }
    EXPECT_EQ(where.size(), 21u);
    EXPECT_EQ(where["blk.3.ffn_up_exps.weight"], "CPU");
    EXPECT_EQ(where["blk.0.attn_q.weight"], "CPU") << "the patterns of locks are its patterns too";
    EXPECT_EQ(where["blk.1.attn_q.weight"], "GPU");
    EXPECT_EQ(where["blk.2.attn_q.weight"], "NUMA 1");
    EXPECT_EQ(where["blk.2.attn_norm.weight"], "NUMA 1");
    EXPECT_EQ(where["blk.1.attn_norm.weight"], "GPU");
    EXPECT_EQ(where["token_embd.weight"], "GPU");
    EXPECT_EQ(p.classes[0].kept_bytes + p.classes[1].kept_bytes + p.classes[2].kept_bytes,
              4u * 256 * 4);
    std::uint64_t bytes = 0;
    for (const auto& a : p.tensors) bytes += a.bytes;
    EXPECT_EQ(p.bytes(), bytes);

    s.r.classes[1].pool.clear();
    EXPECT_EQ(s.plan().tensors.size(), 21u - 4u) << "a class without types is not planned";
}

TEST(planner, locks_are_outside_the_choice_and_inside_the_budget) {
    small s;
    s.r.classes[0].locks.push_back({regex(R"(token_embd\.weight)"), type_id::q6_K});
    s.r.classes[0].locks.push_back({regex(R"(token_.*)"), type_id::q2_K});
    s.r.classes[0].size = plan::budget::of_percent(60);
    const auto p = s.plan();
    ASSERT_TRUE(p.feasible());
    const auto& k = p.classes[0];
    EXPECT_EQ(k.locked_bytes, 256u * 512 / 256 * 210) << "the first rule decides";
    EXPECT_EQ(k.locked_bytes, bytes_of(p, plan::reason::locked));
    EXPECT_LE(k.bytes(), *k.budget_bytes);
    EXPECT_EQ(*k.budget_bytes, k.largest_bytes * 6 / 10);
    EXPECT_TRUE(k.solution.optimal);
}

TEST(planner, tied_tensors_get_one_type) {
    small s("q8_0 q6_K q5_K q4_K q3_K q2_K");
    s.r.ties.push_back(plan::read_group("ffn_up_exps,ffn_gate_exps").value());
    for (const int percent : {35, 45, 55, 65, 75, 85, 95}) {
        s.r.classes[0].size = plan::budget::of_percent(percent);
        const auto p = s.plan();
        EXPECT_TRUE(p.warnings.empty());
        auto types = s.assignment();
        for (int i = 0; i < 4; ++i) {
            const auto blk = std::string("blk.").append(std::to_string(i)) + ".";
            EXPECT_EQ(types[blk + "ffn_up_exps.weight"], types[blk + "ffn_gate_exps.weight"]);
        }
    }
}

TEST(planner, groups_that_do_not_pair_are_left_out_with_a_warning) {
    small s;
    s.r.ties.push_back(plan::read_group("ffn_up_exps,token_embd").value());
    auto p = s.plan();
    ASSERT_EQ(p.warnings.size(), 1u);
    EXPECT_NE(p.warnings[0].find("matches 4 tensors and 'token_embd' 1"), std::string::npos)
        << p.warnings[0];
    s.r.ties = {plan::read_group(R"(blk\.[01]\.attn_q,blk\.[12]\.ffn_up_exps)").value()};
    p = s.plan();
    ASSERT_EQ(p.warnings.size(), 1u);
    EXPECT_NE(p.warnings[0].find("no counterpart"), std::string::npos) << p.warnings[0];
    s.r.ties = {plan::read_group("no_such,nor_this").value()};
    EXPECT_TRUE(s.plan().warnings.empty());
}

TEST(planner, what_is_not_measured_gets_the_assigned_type) {
    small s;
    s.c =
        plan::read_calibration(
            "QTYPE,blk.0.attn_q.weight,blk.1.attn_q.weight,blk.2.attn_q.weight,token_embd.weight\n"
            "iq1_kt,50%,404,,404%\n",
            "kld.csv")
            .value();
    auto p = s.plan();
    std::map<std::string, const plan::assigned_tensor*> by_name;
    for (const auto& a : p.tensors) by_name[s.m.tensors()[a.tensor].name] = &a;
    EXPECT_EQ(by_name["blk.0.attn_q.weight"]->sensitivity, 0.5);
    EXPECT_EQ(by_name["blk.1.attn_q.weight"]->sensitivity, 0.5) << "inherited";
    EXPECT_EQ(by_name["blk.1.attn_q.weight"]->why, plan::reason::planned);
    for (const auto* name : {"blk.2.attn_q.weight", "blk.3.attn_q.weight", "token_embd.weight"}) {
        EXPECT_EQ(by_name[name]->why, plan::reason::unmeasured) << name;
        EXPECT_EQ(by_name[name]->type, type_id::q8_0) << "the largest of the pool";
    }
    s.r.classes[0].assign = type_id::q3_K;
    p = s.plan();
    for (const auto& a : p.tensors) {
        if (a.why != plan::reason::unmeasured) continue;
        EXPECT_EQ(a.type, type_id::q3_K);
    }
}

TEST(planner, no_effect_means_the_smallest_size) {
    small s;
    s.c = plan::read_calibration("QTYPE,blk.0.attn_q.weight,blk.1.attn_q.weight\niq1_kt,0.0,0.5\n",
                                 "kld.csv")
              .value();
    const auto all = s.plan();
    s.r.classes[0].size = plan::budget::of_bytes(all.bytes() - 1);
    const auto types = s.assignment();
    EXPECT_EQ(types.at("blk.0.attn_q.weight"), "q2_K");
    EXPECT_EQ(types.at("blk.1.attn_q.weight"), "q8_0");
}

TEST(planner, fallbacks_collapse_and_phantoms_leave_the_pool) {
    small s("q8_0 iq4_k q5_0 q4_K");
    s.m =
        model_of(bf16_line("blk.0.odd.weight", 1408, 64) + bf16_line("blk.1.odd.weight", 1408, 64));
    s.c = plan::read_calibration("QTYPE,blk.0.odd.weight,blk.1.odd.weight\niq1_kt,1,2\n", "kld")
              .value();
    auto p = s.plan();
    // iq4_k and q4_K both become q5_0, which is in the pool itself.
    EXPECT_EQ(p.classes[0].pool, types("q8_0 q5_0"));
    EXPECT_EQ(p.warnings.size(), 2u);
    s.r.classes[0].size = plan::budget::of_bytes(p.bytes() - 1);
    p = s.plan();
    EXPECT_EQ(p.tensors[0].type, type_id::q5_0);
    EXPECT_FALSE(p.tensors[0].fell_back()) << "asked for as it is";
    EXPECT_NEAR(p.cost(), 1 * 0.019 + 2 * 0.001, 1e-15) << "costs are those of stored types";

    // A pool of nothing else stands for what its types become.
    s.r.classes[0].pool = types("q6_K iq4_k q4_K");
    p = s.plan();
    EXPECT_EQ(p.tensors[0].type, type_id::q5_0);
    EXPECT_TRUE(p.tensors[0].fell_back());
    s.r.storage.fallback = false;
    p = s.plan();
    EXPECT_EQ(p.tensors[0].type, type_id::q6_K);
    EXPECT_FALSE(p.tensors[0].fell_back());
}

TEST(planner, a_type_without_a_loss_is_an_error_that_names_it) {
    small s("q8_0 iq2_xxs");
    const auto p = plan::make_plan(s.m, s.c, s.curve, s.r);
    ASSERT_FALSE(p.ok());
    EXPECT_EQ(p.error().message, "curve.csv: the cost curve has no loss for the type iq2_xxs");
}

TEST(planner, outliers_are_locked_on_request) {
    small s;
    s.r.classes[0].outlier_distance = 0.5;
    s.r.classes[0].size = plan::budget::of_percent(70);
    const auto p = s.plan();
    std::vector<std::string> locked;
    for (const auto& a : p.tensors) {
        if (a.why != plan::reason::outlier) continue;
        locked.push_back(s.m.tensors()[a.tensor].name);
        EXPECT_EQ(a.type, type_id::q8_0);
    }
    EXPECT_EQ(locked, (std::vector<std::string>{"token_embd.weight"}));
    EXPECT_EQ(p.classes[0].outlier_bytes, bytes_of(p, plan::reason::outlier));
    EXPECT_LE(p.bytes(), *p.classes[0].budget_bytes);
}

TEST(planner, synergy_moves_sensitivities_together) {
    small s;
    s.r.synergy.groups.push_back(plan::read_group("ffn_up_exps,ffn_gate_exps").value());
    s.r.classes[0].size = plan::budget::of_percent(60);
    const auto cost_of_up = [&] {
        const auto p = s.plan();
        for (const auto& a : p.tensors) {
            if (s.m.tensors()[a.tensor].name != "blk.0.ffn_up_exps.weight") continue;
            return a.cost / s.curve.at(a.type).value();
        }
        return 0.0;
    };
    EXPECT_NEAR(cost_of_up(), 0.11, 1e-12);
    s.r.synergy.strength = 1;
    EXPECT_NEAR(cost_of_up(), 0.16, 1e-12) << "the mean of 0.11 and 0.21";
    s.r.synergy.strength = 0.5;
    EXPECT_NEAR(cost_of_up(), 0.135, 1e-12);
}

TEST(planner, exponents_and_scaling_change_costs) {
    plan::loss_options o;
    EXPECT_EQ(plan::cost_of(0.25, 0.04, 1, o), 0.01);
    o.tensor_exponent = 0.5;
    o.type_exponent = 2;
    EXPECT_NEAR(plan::cost_of(0.25, 0.04, 1, o), 0.5 * 0.0016, 1e-15);
    o = {};
    o.tensor_scaling = 0.5;
    EXPECT_NEAR(plan::cost_of(0.25, 0.04, 1, o), 0.25 * 0.04 * 0.5, 1e-15);
    o = {};
    o.tensor_exponent = 0.5;
    EXPECT_NEAR(plan::cost_of(-0.25, 0.04, 1, o), -0.5 * 0.04, 1e-15) << "the sign stays";
}

TEST(spread, goes_by_the_order_of_sensitivities_within_the_budget) {
    small s("q8_0 q6_K q5_K q4_K q3_K q2_K");
    const auto whole = plan::spread_plan(s.m, s.c, s.curve, s.r).value();
    double least_of_largest = 1;
    double most_of_smallest = 0;
    for (const auto& a : whole.tensors) {
        if (a.type == type_id::q8_0) least_of_largest = std::min(least_of_largest, *a.sensitivity);
        if (a.type == type_id::q2_K) most_of_smallest = std::max(most_of_smallest, *a.sensitivity);
    }
    EXPECT_LT(most_of_smallest, least_of_largest) << "the whole pool is used, in order";
    for (const int percent : {40, 50, 60, 70, 80}) {
        SCOPED_TRACE(percent);
        s.r.classes[0].size = plan::budget::of_percent(percent);
        const auto p = plan::spread_plan(s.m, s.c, s.curve, s.r).value();
        ASSERT_TRUE(p.feasible());
        EXPECT_LE(p.bytes(), *p.classes[0].budget_bytes);
        EXPECT_GE(p.cost(), s.plan().cost() * (1 - 1e-12));
        EXPECT_LE(p.classes[0].solution.lower_bound, p.cost());
    }
    s.r.classes[0].size = plan::budget::of_bytes(1000);
    EXPECT_FALSE(plan::spread_plan(s.m, s.c, s.curve, s.r).value().feasible());
}

// --- against enumeration -------------------------------------------------------------------------

struct enumerated {
    std::optional<double> cost;
    std::uint64_t least = ~std::uint64_t{0};
};

// Every plan of a one-class problem: `unit[i]` says which tensors choose together.
enumerated enumerate(const small& s, const std::vector<std::size_t>& unit, std::size_t units,
                     std::uint64_t budget) {
    const auto& pool = s.r.classes[0].pool;
    enumerated best;
    std::vector<std::size_t> at(units, 0);
    for (;;) {
        std::uint64_t bytes = 0;
        double cost = 0;
        for (std::size_t i = 0; i < s.m.tensors().size(); ++i) {
            const auto& t = s.m.tensors()[i];
            const auto stored = s.m.stored(t, pool[at[unit[i]]]).value();
            bytes += stored.bytes;
            cost += s.c.find(t.name).value() * s.curve.at(stored.type).value();
        }
        best.least = std::min(best.least, bytes);
        if (bytes <= budget && (!best.cost || cost < *best.cost)) best.cost = cost;
        std::size_t u = 0;
        while (u < units && ++at[u] == pool.size()) at[u++] = 0;
        if (u == units) return best;
    }
}

TEST(planner, equals_enumeration_on_random_models) {
    std::mt19937_64 random(5);
    const auto below = [&](std::uint64_t n) { return random() % n; };
    const std::string all_types = "q8_0 q6_K q5_K q4_K iq4_ks iq4_nl q3_K q2_K iq4_k q6_0";
    int infeasible = 0;
    int tied_runs = 0;
    for (int n = 0; n < 400; ++n) {
        SCOPED_TRACE(n);
        small s;
        const auto layers = 1 + below(3);
        const bool tied = below(2) == 0;
        tied_runs += tied ? 1 : 0;
        std::string lines;
        std::string names = "QTYPE";
        std::string cells = "iq1_kt";
        std::vector<std::size_t> unit;
        std::size_t units = 0;
        for (std::uint64_t i = 0; i < layers; ++i) {
            // Some rows are not whole blocks of 256.
            const std::uint64_t cols = below(3) == 0 ? 352 : 512;
            for (const auto* kind : {"up", "gate"}) {
                const auto name =
                    std::string("blk.").append(std::to_string(i)) + "." + kind + ".weight";
                lines += bf16_line(name, cols, 8 * (1 + (tied ? i : below(4))));
                names += std::string(",") + name;
                cells += std::string(",").append(
                    std::to_string(below(5) == 0 ? 0 : 0.001 * static_cast<double>(below(1000))));
                if (!tied || kind[0] == 'u') units += 1;
                unit.push_back(units - 1);
            }
        }
        s.m = model_of(lines);
        s.c = plan::read_calibration(names + "\n" + cells + "\n", "kld.csv").value();
        std::vector<type_id> pool = types(all_types);
        std::shuffle(pool.begin(), pool.end(), random);
        pool.resize(1 + below(4));
        // Where no tensor can take a type it leaves the pool; see the test of phantoms.
        s.r.classes[0].pool = pool;
        const auto unlimited = s.plan();
        s.r.classes[0].pool = unlimited.classes[0].pool;
        if (tied) s.r.ties.push_back(plan::read_group("up,gate").value());
        const auto low = unlimited.classes[0].smallest_bytes;
        const auto high = unlimited.classes[0].largest_bytes;
        const auto budget = low * 9 / 10 + below(high > low ? high - low * 9 / 10 : low / 5 + 1);
        s.r.classes[0].size = plan::budget::of_bytes(budget);
        s.r.prefer_largest = false;

        const auto best = enumerate(s, unit, units, budget);
        const auto p = s.plan();
        EXPECT_EQ(p.classes[0].least_bytes, best.least);
        ASSERT_EQ(p.feasible(), best.cost.has_value());
        if (!best.cost) {
            ++infeasible;
            continue;
        }
        EXPECT_TRUE(p.optimal());
        EXPECT_LE(p.bytes(), budget);
        EXPECT_NEAR(p.cost(), *best.cost, 1e-12);
    }
    EXPECT_GT(infeasible, 5);
    EXPECT_GT(tied_runs, 100);
}

// --- budgets -------------------------------------------------------------------------------------

TEST(budget, reads_sizes) {
    const auto bytes = [](std::string_view text) { return plan::read_budget(text).value().bytes; };
    EXPECT_EQ(bytes("10"), std::uint64_t{10} << 30);
    EXPECT_EQ(bytes("0.9366"), 1005666592u);
    EXPECT_EQ(bytes("1.5 GiB"), 3u << 29);
    EXPECT_EQ(bytes("512MiB"), 512u << 20);
    EXPECT_EQ(bytes("512m"), 512u << 20);
    EXPECT_EQ(bytes("1000B"), 1000u);
    EXPECT_EQ(bytes("0"), 0u);
    EXPECT_EQ(plan::read_budget("80%").value().limit(1000), 800u);
    EXPECT_EQ(plan::read_budget("99.995%").value().limit(1001), 1001u);
    EXPECT_FALSE(plan::budget{}.limit(5));
    for (const auto* bad : {"", "GiB", "-1", "10 apples", "nan", "1e30", "%"}) {
        EXPECT_FALSE(plan::read_budget(bad).ok()) << bad;
    }
}

}  // namespace
}  // namespace plan_test
