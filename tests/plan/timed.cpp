// Two kinds of limits, size and time, against enumeration; speeds.
#include "plan/inputs.hpp"

#include <bpw/plan/speed.hpp>
#include <bpw/plan/timed_knapsack.hpp>

#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <string>
#include <vector>

namespace plan_test {
namespace {

struct best_choice {
    std::optional<double> cost;
    std::optional<std::uint64_t> least_time;
};

best_choice enumerate(const std::vector<plan::timed_class>& classes, std::uint64_t limit) {
    std::vector<const plan::timed_item*> items;
    std::vector<std::size_t> owner;
    for (std::size_t k = 0; k < classes.size(); ++k) {
        for (const auto& item : classes[k].items) {
            items.push_back(&item);
            owner.push_back(k);
        }
    }
    best_choice best;
    std::vector<std::size_t> at(items.size(), 0);
    for (;;) {
        std::vector<std::uint64_t> weight(classes.size(), 0);
        std::uint64_t time = 0;
        double cost = 0;
        for (std::size_t i = 0; i < items.size(); ++i) {
            const auto& o = (*items[i])[at[i]];
            weight[owner[i]] += o.weight;
            time += o.time;
            cost += o.cost;
        }
        bool fits = true;
        for (std::size_t k = 0; k < classes.size(); ++k) {
            fits = fits && weight[k] <= classes[k].capacity;
        }
        if (fits && (!best.least_time || time < *best.least_time)) best.least_time = time;
        if (fits && time <= limit && (!best.cost || cost < *best.cost)) best.cost = cost;
        std::size_t i = 0;
        while (i < items.size() && ++at[i] == items[i]->size()) at[i++] = 0;
        if (i == items.size()) return best;
    }
}

TEST(timed_knapsack, equals_enumeration) {
    std::mt19937_64 random(6);
    const auto below = [&](std::uint64_t n) { return random() % n; };
    int tight = 0;
    for (int n = 0; n < 1500; ++n) {
        SCOPED_TRACE(n);
        const std::uint64_t range = n % 2 == 0 ? 9 : 1'000'003;
        std::vector<plan::timed_class> classes(1 + below(2));
        std::uint64_t slowest = 0;
        for (auto& c : classes) {
            std::uint64_t heaviest = 0;
            c.items.resize(1 + below(3));
            for (auto& item : c.items) {
                item.resize(1 + below(4));
                std::uint64_t weight = 0;
                std::uint64_t time = 0;
                for (auto& o : item) {
                    o = {below(range), below(range), static_cast<double>(below(range)) / 7};
                    weight = std::max(weight, o.weight);
                    time = std::max(time, o.time);
                }
                heaviest += weight;
                slowest += time;
            }
            c.capacity = heaviest / 3 + below(heaviest + 1);
        }
        const auto limit = below(slowest + 1);
        const auto best = enumerate(classes, limit);
        const auto s = plan::solve_timed_knapsack(classes, limit).value();
        ASSERT_EQ(s.fits, best.least_time.has_value());
        if (!s.fits) continue;
        EXPECT_EQ(s.least_time, *best.least_time);
        ASSERT_EQ(s.feasible, best.cost.has_value());
        if (!s.feasible) continue;
        ++tight;
        EXPECT_TRUE(s.optimal);
        EXPECT_NEAR(s.cost, *best.cost, 1e-9 * (1 + *best.cost));
        EXPECT_LE(s.time, limit);
        for (std::size_t k = 0; k < classes.size(); ++k) {
            EXPECT_LE(s.weights[k], classes[k].capacity);
        }
    }
    EXPECT_GT(tight, 300);
}

TEST(timed_knapsack, a_cut_search_states_an_honest_gap) {
    std::mt19937_64 random(7);
    std::vector<plan::timed_class> classes(1);
    auto& c = classes[0];
    std::uint64_t least = 0;
    for (int i = 0; i < 8; ++i) {
        auto& item = c.items.emplace_back();
        for (int j = 0; j < 4; ++j) {
            const auto weight = 1000 + random() % 9000;
            const auto time = 1000 + random() % 9000;
            item.push_back({weight, time, static_cast<double>(30000 - weight - time)});
        }
        least += 5000;
    }
    c.capacity = least;
    const auto best = enumerate(classes, least);
    ASSERT_TRUE(best.cost);
    plan::timed_limits tight;
    tight.states = 2;
    const auto s = plan::solve_timed_knapsack(classes, least, tight).value();
    ASSERT_TRUE(s.feasible);
    EXPECT_LE(s.lower_bound, *best.cost);
    EXPECT_GE(s.cost, *best.cost);
    const auto full = plan::solve_timed_knapsack(classes, least).value();
    EXPECT_TRUE(full.optimal);
    EXPECT_EQ(full.cost, *best.cost);
}

// Times and weights that hardly matter have prices far off.
TEST(timed_knapsack, limits_of_any_magnitude) {
    std::mt19937_64 random(8);
    const auto below = [&](std::uint64_t n) { return random() % n; };
    for (int n = 0; n < 300; ++n) {
        SCOPED_TRACE(n);
        const std::uint64_t unit = std::uint64_t{1} << below(48);
        std::vector<plan::timed_class> classes(1);
        std::uint64_t weight = 0;
        std::uint64_t time = 0;
        for (int i = 0; i < 5; ++i) {
            auto& item = classes[0].items.emplace_back();
            for (int j = 0; j < 4; ++j) {
                item.push_back(
                    {1 + below(9), unit * (1 + below(9)), 0.0625 * static_cast<double>(below(9))});
            }
            weight += item[below(4)].weight;
            time += item[below(4)].time;
        }
        classes[0].capacity = weight + below(3);
        const auto best = enumerate(classes, time);
        const auto s = plan::solve_timed_knapsack(classes, time).value();
        ASSERT_EQ(s.feasible, best.cost.has_value());
        if (!s.feasible) continue;
        EXPECT_TRUE(s.optimal);
        EXPECT_EQ(s.cost, *best.cost);
    }
}

TEST(timed_knapsack, refuses_what_it_cannot_compute) {
    std::vector<plan::timed_class> slow(1);
    slow[0].items = {{{1, (std::uint64_t{1} << 53) + 1, 1.0}}};
    EXPECT_EQ(plan::solve_timed_knapsack(slow, 9).error().code, bpw::errc::overflow);
    slow[0].items = {{}};
    EXPECT_EQ(plan::solve_timed_knapsack(slow, 9).error().code, bpw::errc::malformed);
}

// Costs as small and as large as doubles go.
TEST(timed_knapsack, costs_of_any_magnitude) {
    for (const double unit : {1e-300, 1e-30, 1.0, 1e30, 1e300}) {
        SCOPED_TRACE(unit);
        std::vector<plan::timed_class> classes(2);
        classes[0] = {{{{1, 9, 3 * unit}, {2, 5, 2 * unit}, {4, 1, unit}}}, 3};
        classes[1] = {{{{1, 2, 5 * unit}, {3, 7, -unit}}}, 9};
        const auto s = plan::solve_timed_knapsack(classes, 12).value();
        EXPECT_TRUE(s.optimal);
        EXPECT_EQ(s.cost, 2 * unit - unit);
        EXPECT_EQ(s.time, 12u);
    }
}

// --- speeds --------------------------------------------------------------------------------------

TEST(speed, reads_rates_and_published_tables) {
    const auto t =
        plan::read_speeds("QTYPE,GB/s\nq8_0,10\nq4_K,5\niq4_ks,404\n", "s.csv", 1).value();
    EXPECT_DOUBLE_EQ(t.at(type_id::q8_0).value(), 1e-10);
    EXPECT_DOUBLE_EQ(t.at(type_id::q8_0_r8).value(), 1e-10) << "as its base";
    EXPECT_EQ(t.at(type_id::iq4_ks).error().message, "s.csv: there is no speed of the type iq4_ks");
    // Twice the tokens per second with half the bytes is the same rate.
    const auto tg =
        plan::read_speeds("QTYPE,group0\nbf16,0%\nq8_0,+100%\nq4_K,+100.00%\n", "tg.csv", 20e9)
            .value();
    EXPECT_DOUBLE_EQ(tg.at(type_id::bf16).value(), 1 / 20e9);
    EXPECT_DOUBLE_EQ(tg.at(type_id::q8_0).value(), 1 / 20e9 * 16 / 8.5 / 2);
    EXPECT_DOUBLE_EQ(tg.at(type_id::q4_K).value(), 1 / 20e9 * 16 / 4.5 / 2);
    EXPECT_EQ(plan::read_speeds("QTYPE,GB/s\nq8_0,0\n", "s.csv", 1).error().message,
              "s.csv:2: q8_0: '0' is no speed; expected one above zero");
    EXPECT_FALSE(plan::read_speeds("QTYPE,x\n", "s.csv", 1).ok());
    EXPECT_DOUBLE_EQ(plan::speed_table::of_bandwidth(5e9).at(type_id::q2_K).value(), 1 / 5e9);
}

TEST(speed, published_tables_read) {
    PLAN_TEST_NEEDS_SHIPPED_DATA();
    for (const auto* file : {"tg_results_cpu-AMD-5950X.csv", "tg_results_cpu-Intel-7980XE.csv",
                             "tg_results_cuda-RTX-6000-Pro.csv"}) {
        const auto t =
            plan::read_speeds(read(shipped_folder() / "quants_graphs" / file), file, 50e9).value();
        const auto seconds = t.at(type_id::q8_0).value();
        EXPECT_GT(seconds, 1e-12) << file;
        EXPECT_LT(seconds, 1e-9) << file;
    }
}

std::string dense_map() {
    std::string lines =
        bf16_line("token_embd.weight", 256, 512) + bf16_line("output.weight", 256, 512);
    for (int i = 0; i < 3; ++i) {
        const auto blk = std::string("blk.").append(std::to_string(i)) + ".";
        lines += bf16_line(blk + "attn_q.weight", 256, 256);
        lines += map_line(blk + "ffn_up_exps.weight", "256, 64, 8", 256 * 64 * 8, "bf16",
                          256 * 64 * 8 * 2);
    }
    return lines;
}

TEST(speed, only_what_a_token_reads_counts) {
    const auto m = model_of(dense_map());
    EXPECT_EQ(plan::active_share(m, "token_embd.weight", 0.25), 0);
    EXPECT_EQ(plan::active_share(m, "output.weight", 0.25), 1);
    EXPECT_EQ(plan::active_share(m, "blk.0.ffn_up_exps.weight", 0.25), 0.25);
    const auto tied = model_of(bf16_line("token_embd.weight", 256, 512));
    EXPECT_EQ(plan::active_share(tied, "token_embd.weight", 0.25), 1);
    EXPECT_EQ(plan::picoseconds(1000, 1e-9, 0.5), 500'000u);
}

struct timed_small {
    plan::model m = model_of(dense_map());
    plan::calibration c = [] {
        std::string names = "QTYPE,token_embd.weight,output.weight";
        std::string cells = "iq1_kt,0.4,0.6";
        for (int i = 0; i < 3; ++i) {
            const auto blk = std::string(",blk.").append(std::to_string(i)) + ".";
            names += blk + "attn_q.weight" + blk + "ffn_up_exps.weight";
            cells +=
                std::string(",0.0").append(std::to_string(i + 3)) + ",0.1" + std::to_string(i + 1);
        }
        return plan::read_calibration(names + "\n" + cells + "\n", "kld").value();
    }();
    plan::cost_curve curve = plan::default_cost_curve();
    plan::plan_request r;

    timed_small() {
        plan::class_request gpu;
        gpu.name = "GPU";
        gpu.pool = types("q8_0 q6_K q5_K q4_K iq4_kt q3_K");
        gpu.speed = plan::read_speeds(
                        "QTYPE,GB/s\nq8_0,10\nq6_K,8\nq5_K,8\nq4_K,9\niq4_kt,1\n"
                        "q3_K,7\nf32,10\n",
                        "s.csv", 1)
                        .value();
        r.classes = {gpu};
        r.expert_share = 0.25;
    }
};

TEST(timed_plan, keeps_both_limits) {
    timed_small s;
    s.r.classes[0].size = plan::budget::of_percent(70);
    const auto free = plan::make_plan(s.m, s.c, s.curve, s.r).value();
    ASSERT_TRUE(free.feasible());
    ASSERT_GT(free.time(), 0u);
    for (const double part : {0.95, 0.9, 0.8, 0.75}) {
        s.r.seconds = static_cast<double>(free.time()) * 1e-12 * part;
        const auto p = plan::make_plan(s.m, s.c, s.curve, s.r).value();
        ASSERT_TRUE(p.feasible()) << part;
        EXPECT_TRUE(p.optimal());
        EXPECT_LE(p.time(), *p.time_limit);
        EXPECT_LE(p.bytes(), *p.classes[0].budget_bytes);
        EXPECT_GE(p.cost(), free.cost());
        std::uint64_t bytes = 0;
        for (const auto& a : p.tensors) bytes += a.bytes;
        EXPECT_EQ(bytes, p.bytes());
    }
    s.r.seconds = 1e-9;
    const auto p = plan::make_plan(s.m, s.c, s.curve, s.r).value();
    EXPECT_FALSE(p.feasible());
    EXPECT_NE(p.check_feasible().error().message.find("microseconds"), std::string::npos);
    s.r.classes[0].speed.reset();
    EXPECT_EQ(plan::make_plan(s.m, s.c, s.curve, s.r).error().message,
              "class GPU has no speed, which the limit on time needs");
}

// Published models at published speeds, on one device and on two.
TEST(timed_plan, published_models_are_solved_and_proven) {
    PLAN_TEST_NEEDS_SHIPPED_DATA();
    const auto speed = [](const char* machine, double bandwidth) {
        const auto file = std::string("tg_results_").append(machine) + ".csv";
        return plan::read_speeds(read(shipped_folder() / "quants_graphs" / file), file, bandwidth)
            .value();
    };
    for (const std::string name : {"Qwen3-4B-Thinking-2507", "Qwen3.5-35B-A3B", "GLM-4.5-Air"}) {
        const auto pool = types(
            "q8_0 iq6_k q6_K iq5_k q5_K iq5_ks iq4_k q4_K iq4_ks iq3_k q3_K iq3_ks iq2_kl q2_K "
            "iq2_k iq2_ks iq1_kt");
        const auto m = shipped_model(name, pool);
        const auto c = shipped_calibration(name);
        const auto curve = shipped_curve(name);
        for (const bool split : {false, true}) {
            plan::plan_request r;
            r.expert_share = 0.0625;
            plan::class_request gpu;
            gpu.name = "GPU";
            gpu.pool = pool;
            gpu.size = plan::budget::of_percent(split ? 95 : 60);
            gpu.speed = speed("cuda-RTX-6000-Pro", 1000e9);
            r.classes.push_back(gpu);
            if (split) {
                plan::class_request cpu;
                cpu.name = "CPU";
                cpu.pool = types("iq4_ks iq3_k iq3_ks iq2_kl iq2_k iq2_ks iq1_kt");
                cpu.tensors = {regex(R"(blk\..*\.ffn_(up|gate|down)(_exps)?\.weight)")};
                cpu.size = plan::budget::of_percent(80);
                cpu.speed = speed("cpu-AMD-5950X", 50e9);
                r.classes.insert(r.classes.begin(), cpu);
                r.rest = 1;
            }
            const auto free = plan::make_plan(m, c, curve, r).value();
            ASSERT_TRUE(free.feasible());
            for (const double part : {0.95, 0.8}) {
                SCOPED_TRACE(std::string(name).append(split ? ", split " : " ") +
                             std::to_string(part));
                r.seconds = static_cast<double>(free.time()) * 1e-12 * part;
                const auto p = plan::make_plan(m, c, curve, r).value();
                if (!p.feasible()) continue;
                EXPECT_TRUE(p.optimal());
                EXPECT_EQ(p.timed->gap(), 0);
                EXPECT_LE(p.time(), *p.time_limit);
                EXPECT_GE(p.cost(), free.cost());
                for (const auto& k : p.classes) EXPECT_LE(k.bytes(), *k.budget_bytes);
            }
        }
    }
}

}  // namespace
}  // namespace plan_test
