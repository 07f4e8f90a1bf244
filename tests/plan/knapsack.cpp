// The exact knapsack against the enumeration of all choices, and its certificate.
#include <bpw/plan/knapsack.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <optional>
#include <random>
#include <vector>

namespace plan_test {
namespace {

namespace plan = bpw::plan;
using items = std::vector<plan::knapsack_item>;

struct best_choice {
    std::optional<double> cost;
    std::uint64_t least_weight = std::numeric_limits<std::uint64_t>::max();
};

best_choice enumerate(const items& all, std::uint64_t capacity) {
    best_choice best;
    std::vector<std::size_t> at(all.size(), 0);
    for (;;) {
        std::uint64_t weight = 0;
        double cost = 0;
        for (std::size_t i = 0; i < all.size(); ++i) {
            weight += all[i][at[i]].weight;
            cost += all[i][at[i]].cost;
        }
        best.least_weight = std::min(best.least_weight, weight);
        if (weight <= capacity && (!best.cost || cost < *best.cost)) best.cost = cost;
        std::size_t i = 0;
        while (i < all.size() && ++at[i] == all[i].size()) at[i++] = 0;
        if (i == all.size()) return best;
    }
}

void expect_consistent(const plan::knapsack_solution& s, const items& all, std::uint64_t capacity) {
    ASSERT_EQ(s.choice.size(), all.size());
    std::uint64_t weight = 0;
    double cost = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
        ASSERT_LT(s.choice[i], all[i].size());
        weight += all[i][s.choice[i]].weight;
        cost += all[i][s.choice[i]].cost;
    }
    EXPECT_EQ(weight, s.weight);
    EXPECT_EQ(cost, s.cost);
    EXPECT_LE(weight, capacity);
    EXPECT_LE(s.lower_bound, s.cost);
}

void expect_like_enumeration(const items& all, std::uint64_t capacity) {
    const auto best = enumerate(all, capacity);
    const auto s = plan::solve_knapsack(all, capacity).value();
    EXPECT_EQ(s.least_weight, best.least_weight);
    ASSERT_EQ(s.feasible, best.cost.has_value());
    if (!s.feasible) return;
    expect_consistent(s, all, capacity);
    EXPECT_TRUE(s.optimal);
    EXPECT_EQ(s.gap(), 0);
    EXPECT_NEAR(s.cost, *best.cost, 1e-12 * (1 + std::fabs(*best.cost)));
}

// Coarse numbers have many equal weights and costs, fine ones have none.
items random_items(std::mt19937_64& random, bool coarse, bool negative) {
    const auto below = [&](std::uint64_t n) { return random() % n; };
    items all(1 + below(7));
    for (auto& item : all) {
        item.resize(1 + below(5));
        for (auto& o : item) {
            o.weight = coarse ? below(8) : below(1'000'000'007);
            o.cost =
                coarse ? static_cast<double>(below(6)) : static_cast<double>(below(1999)) / 977;
            if (negative) o.cost -= 1;
        }
    }
    return all;
}

TEST(knapsack, equals_enumeration) {
    std::mt19937_64 random(1);
    for (int n = 0; n < 2000; ++n) {
        SCOPED_TRACE(n);
        const auto all = random_items(random, n % 2 == 0, n % 3 == 0);
        std::uint64_t most = 0;
        for (const auto& item : all) {
            std::uint64_t heaviest = 0;
            for (const auto& o : item) heaviest = std::max(heaviest, o.weight);
            most += heaviest;
        }
        expect_like_enumeration(all, random() % (most + 2));
    }
}

TEST(knapsack, equals_enumeration_at_every_capacity) {
    std::mt19937_64 random(2);
    for (int n = 0; n < 40; ++n) {
        SCOPED_TRACE(n);
        const auto all = random_items(random, true, false);
        for (std::uint64_t capacity = 0; capacity < 30; ++capacity) {
            expect_like_enumeration(all, capacity);
        }
    }
}

TEST(knapsack, keeps_a_capacity_to_the_unit) {
    const items all{{{10, 1.0}, {20, 0.5}}, {{5, 2.0}, {1'000'000'005, 0.25}}};
    EXPECT_EQ(plan::solve_knapsack(all, 25).value().weight, 25u);
    EXPECT_EQ(plan::solve_knapsack(all, 24).value().weight, 15u);
    EXPECT_EQ(plan::solve_knapsack(all, 1'000'000'015).value().cost, 1.25);
    EXPECT_EQ(plan::solve_knapsack(all, 1'000'000'014).value().cost, 2.5);
    const auto none = plan::solve_knapsack(all, 14).value();
    EXPECT_FALSE(none.feasible);
    EXPECT_EQ(none.least_weight, 15u);
    EXPECT_TRUE(none.choice.empty());
}

TEST(knapsack, costs_of_any_magnitude) {
    for (const double unit : {1e-300, 1e-30, 1.0, 1e30, 1e300}) {
        SCOPED_TRACE(unit);
        const items all{{{1, 3 * unit}, {2, 2 * unit}, {4, unit}}, {{1, 5 * unit}, {3, unit}}};
        const auto s = plan::solve_knapsack(all, 5).value();
        EXPECT_TRUE(s.optimal);
        EXPECT_EQ(s.cost, 3 * unit);
    }
    const items free{{{3, 0.0}, {1, 0.0}, {2, 0.0}}};
    const auto s = plan::solve_knapsack(free, 9).value();
    EXPECT_EQ(s.weight, 1u) << "nothing is paid for what costs nothing";
}

TEST(knapsack, without_items_everything_is_proven) {
    const auto s = plan::solve_knapsack({}, 0).value();
    EXPECT_TRUE(s.feasible);
    EXPECT_TRUE(s.optimal);
    EXPECT_EQ(s.cost, 0);
}

TEST(knapsack, refuses_what_it_cannot_compute) {
    const items empty{{{1, 1.0}}, {}};
    EXPECT_EQ(plan::solve_knapsack(empty, 9).error().code, bpw::errc::malformed);
    EXPECT_NE(plan::solve_knapsack(empty, 9).error().message.find("item 1"), std::string::npos);
    for (const double bad :
         {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
        const items wrong{{{1, bad}}};
        EXPECT_EQ(plan::solve_knapsack(wrong, 9).error().code, bpw::errc::malformed);
    }
    const items heavy{{{(std::uint64_t{1} << 53) + 1, 1.0}}};
    EXPECT_EQ(plan::solve_knapsack(heavy, 9).error().code, bpw::errc::overflow);
}

// A hard instance: weights and costs are strongly related, so bounds prune little.
items related_items(std::size_t n, std::mt19937_64& random) {
    items all(n);
    for (auto& item : all) {
        for (int j = 0; j < 6; ++j) {
            const auto weight = 1000 + random() % 100000;
            item.push_back({weight, 200000.0 - static_cast<double>(weight)});
        }
    }
    return all;
}

TEST(knapsack, a_cut_search_states_an_honest_gap) {
    std::mt19937_64 random(3);
    int unproven = 0;
    for (int n = 0; n < 40; ++n) {
        SCOPED_TRACE(n);
        const auto all = related_items(6, random);
        const std::uint64_t capacity = 250'000 + random() % 50'000;
        const auto best = enumerate(all, capacity);
        plan::knapsack_limits tight;
        tight.states = 1;
        const auto s = plan::solve_knapsack(all, capacity, tight).value();
        if (!s.feasible) continue;
        expect_consistent(s, all, capacity);
        EXPECT_LE(s.lower_bound, *best.cost * (1 + 1e-12));
        EXPECT_GE(s.cost, *best.cost * (1 - 1e-12));
        if (s.optimal) {
            EXPECT_EQ(s.cost, *best.cost);
        } else {
            ++unproven;
            EXPECT_GT(s.gap(), 0);
        }
    }
    EXPECT_GT(unproven, 0) << "the limit never mattered, so nothing was tested";
}

TEST(knapsack, the_same_every_time) {
    std::mt19937_64 random(4);
    const auto all = related_items(60, random);
    const auto first = plan::solve_knapsack(all, 1'500'000).value();
    expect_consistent(first, all, 1'500'000);
    for (int n = 0; n < 3; ++n) {
        const auto again = plan::solve_knapsack(all, 1'500'000).value();
        EXPECT_EQ(again.choice, first.choice);
        EXPECT_EQ(again.cost, first.cost);
    }
}

}  // namespace
}  // namespace plan_test
