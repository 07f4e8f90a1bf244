// The front of loss, size and time against the enumeration of all plans: the whole one, and what a
// cover states.
#include "plan/inputs.hpp"

#include <bpw/plan/pareto.hpp>
#include <bpw/plan/speed.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace plan_test {
namespace {

struct place {
    std::uint64_t bytes;
    std::uint64_t time;
    double cost;
};

// A random model of two classes. Few different sizes and sensitivities make ties; all costs are
// exact.
struct random_case {
    plan::model m;
    plan::calibration c;
    plan::cost_curve curve;
    plan::plan_request r;

    random_case(std::mt19937_64& random, bool timed, std::size_t tensors = 5) {
        const auto below = [&](std::uint64_t n) { return random() % n; };
        std::string lines;
        std::string names = "QTYPE";
        std::string cells = "q2_K";
        for (std::size_t i = 0; i < tensors; ++i) {
            const auto name = std::string("blk.").append(std::to_string(i)) +
                              (below(2) == 0 ? ".ffn_down.weight" : ".ffn_up_exps.weight");
            lines += bf16_line(name, std::uint64_t{256} << below(2), 2 + below(3));
            names += std::string(",") + name;
            cells += std::string(",").append(std::to_string(0.125 * static_cast<double>(below(5))));
        }
        lines += bf16_line("output_norm.weight", 256, 1);
        m = model_of(lines);
        c = plan::read_calibration(names + "\n" + cells + "\n", "kld").value();
        curve = plan::read_cost_curve(
                    "QTYPE,group0\nq8_0,0.015625\nq6_K,0.03125\niq4_ks,0.21875\nq3_K,0.8125\nq2_K,"
                    "0.6875\n",
                    "c")
                    .value();
        for (int k = 0; k < 2; ++k) {
            plan::class_request one;
            one.name = k == 0 ? "GPU" : "CPU";
            one.pool = types(k == 0 ? "q8_0 iq4_ks q2_K" : "q6_K iq4_ks q3_K q2_K");
            if (k == 1) one.tensors = {regex(R"(blk\.[0-9]\.ffn_up_exps\.weight)")};
            if (timed) {
                one.speed = plan::read_speeds(
                                "QTYPE,GB/s\nq8_0,10\nq6_K,8\niq4_ks,1\nq3_K,7\nq2_K,2\n", "s", 1)
                                .value();
            }
            r.classes.push_back(one);
        }
        r.expert_share = 0.25;
    }

    std::vector<place> enumerate(const plan::plan_problem& problem, bool timed) const {
        place fixed{0, 0, 0};
        std::vector<const plan::plan_item*> items;
        for (std::size_t k = 0; k < problem.classes.size(); ++k) {
            fixed.bytes += problem.classes[k].fixed_bytes();
            if (timed) fixed.time += problem.classes[k].fixed_time;
            for (const auto& item : problem.items[k]) items.push_back(&item);
        }
        std::vector<place> all{fixed};
        for (const auto* item : items) {
            std::vector<place> next;
            for (const auto& from : all) {
                for (const auto& o : item->options) {
                    next.push_back({from.bytes + o.bytes, from.time + (timed ? o.time : 0),
                                    from.cost + o.cost});
                }
            }
            all = std::move(next);
        }
        return all;
    }
};

bool near(double a, double b) { return std::fabs(a - b) <= 1e-12 * (1 + std::fabs(b)); }

bool beats(const place& a, const place& b) {
    const bool no_worse =
        a.bytes <= b.bytes && a.time <= b.time && (a.cost <= b.cost || near(a.cost, b.cost));
    return no_worse &&
           (a.bytes < b.bytes || a.time < b.time || (a.cost < b.cost && !near(a.cost, b.cost)));
}

void expect_consistent(const random_case& s, const plan::plan_front& front) {
    for (const auto& p : front.points) {
        const auto plan = plan::plan_of(s.m, front, p, s.r);
        EXPECT_EQ(plan.bytes(), p.bytes);
        EXPECT_TRUE(near(plan.cost(), p.cost));
        if (p.time != 0) {
            EXPECT_EQ(plan.time(), p.time);
        }
        EXPECT_LE(p.lower_bound, p.cost);
        std::uint64_t bytes = 0;
        for (const auto& a : plan.tensors) bytes += a.bytes;
        EXPECT_EQ(bytes, p.bytes);
    }
}

TEST(pareto, the_whole_front_equals_enumeration) {
    std::mt19937_64 random(11);
    std::size_t points = 0;
    for (int n = 0; n < 120; ++n) {
        SCOPED_TRACE(n);
        const bool timed = n % 2 == 0;
        const random_case s(random, timed);
        const auto front = plan::pareto_front(s.m, s.c, s.curve, s.r).value();
        ASSERT_TRUE(front.whole);
        EXPECT_EQ(front.cost_factor, 1);
        expect_consistent(s, front);
        auto all = s.enumerate(front.problem, timed);
        std::vector<place> best;
        for (const auto& p : all) {
            const auto same = [&](const place& q) {
                return q.bytes == p.bytes && q.time == p.time && near(q.cost, p.cost);
            };
            if (std::any_of(all.begin(), all.end(), [&](const place& q) { return beats(q, p); }) ||
                std::any_of(best.begin(), best.end(), same)) {
                continue;
            }
            best.push_back(p);
        }
        std::sort(best.begin(), best.end(), [](const place& a, const place& b) {
            return a.bytes != b.bytes ? a.bytes < b.bytes : a.time < b.time;
        });
        ASSERT_EQ(front.points.size(), best.size());
        for (std::size_t i = 0; i < best.size(); ++i) {
            EXPECT_EQ(front.points[i].bytes, best[i].bytes);
            EXPECT_EQ(front.points[i].time, best[i].time);
            EXPECT_TRUE(near(front.points[i].cost, best[i].cost));
        }
        points += best.size();
    }
    EXPECT_GT(points, 2000u);
}

TEST(pareto, a_cover_stands_for_every_plan) {
    std::mt19937_64 random(12);
    for (int n = 0; n < 60; ++n) {
        SCOPED_TRACE(n);
        const bool timed = n % 2 == 0;
        const random_case s(random, timed);
        plan::pareto_options o;
        o.labels = 0;
        o.within = n % 3 == 0 ? 0.3 : 0.06;
        const auto front = plan::pareto_front(s.m, s.c, s.curve, s.r, o).value();
        EXPECT_FALSE(front.whole);
        if (!timed) {
            EXPECT_EQ(front.size_factor, 1);
            EXPECT_LE(front.cost_factor, 1 + o.within + 1e-9);
        } else {
            EXPECT_EQ(front.cost_factor, 1);
            EXPECT_LE(front.size_factor, 1 + o.within);
            EXPECT_LE(front.time_factor, 1 + o.within);
        }
        expect_consistent(s, front);
        for (const auto& a : front.points) {
            EXPECT_TRUE(a.optimal);
            for (const auto& b : front.points) {
                if (&a == &b) continue;
                EXPECT_FALSE(a.bytes <= b.bytes && a.time <= b.time && a.cost <= b.cost);
            }
        }
        for (const auto& p : s.enumerate(front.problem, timed)) {
            const auto covers = [&](const plan::pareto_point& q) {
                return static_cast<double>(q.bytes) <=
                           front.size_factor * static_cast<double>(p.bytes) + 1e-6 &&
                       static_cast<double>(q.time) <=
                           front.time_factor * static_cast<double>(p.time) + 1e-6 &&
                       q.cost <= front.cost_factor * p.cost + 1e-12;
            };
            ASSERT_TRUE(std::any_of(front.points.begin(), front.points.end(), covers))
                << p.bytes << ' ' << p.time << ' ' << p.cost;
        }
    }
}

TEST(pareto, too_many_labels_give_a_cover) {
    std::mt19937_64 random(13);
    const random_case s(random, false, 9);
    plan::pareto_options few;
    few.labels = 50;
    const auto cover = plan::pareto_front(s.m, s.c, s.curve, s.r, few).value();
    const auto whole = plan::pareto_front(s.m, s.c, s.curve, s.r).value();
    EXPECT_FALSE(cover.whole);
    EXPECT_TRUE(whole.whole);
    EXPECT_LT(cover.points.size(), whole.points.size());
    // The points of a cover lie on the front.
    for (const auto& p : cover.points) {
        const auto same = [&](const plan::pareto_point& q) {
            return q.bytes == p.bytes && near(q.cost, p.cost);
        };
        EXPECT_TRUE(std::any_of(whole.points.begin(), whole.points.end(), same));
    }
}

TEST(pareto, published_models_are_covered) {
    PLAN_TEST_NEEDS_SHIPPED_DATA();
    const auto pool = types("q8_0 iq6_k iq5_k iq4_k iq4_ks iq3_k iq2_kl iq2_k iq1_kt");
    for (const std::string name : {"Qwen3-4B-Thinking-2507", "GLM-4.5-Air"}) {
        SCOPED_TRACE(name);
        const auto m = shipped_model(name, pool);
        plan::plan_request r;
        plan::class_request gpu;
        gpu.name = "GPU";
        gpu.pool = pool;
        r.classes = {gpu};
        plan::pareto_options o;
        o.within = 0.3;
        const auto front =
            plan::pareto_front(m, shipped_calibration(name), shipped_curve(name), r, o).value();
        EXPECT_LE(front.cost_factor, 1.3 + 1e-9);
        EXPECT_GT(front.points.size(), 10u);
        for (const auto& p : front.points) EXPECT_TRUE(p.optimal);
    }
}

}  // namespace
}  // namespace plan_test
