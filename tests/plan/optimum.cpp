// Published models: every instance whose optimum is known is solved to it, and proven.
#include "plan/inputs.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <ctime>
#include <map>
#include <string>

namespace plan_test {
namespace {

struct instance {
    std::string model, name, class_name, tensors, pool, state;
    plan::budget budget;
    double damage = 0;
    std::uint64_t bytes = 0;
    std::uint64_t fixed = 0;
};

std::vector<instance> instances() {
    const auto table =
        plan::read_csv(read(shipped_folder() / "optimum.csv"), "optimum.csv").value();
    std::vector<instance> out;
    for (const auto& row : table.rows) {
        const auto cell = [&](std::string_view column) -> const std::string& {
            return row.cells.at(table.column(column).value());
        };
        instance i{cell("model"),
                   cell("instance"),
                   cell("class"),
                   cell("class_regex"),
                   cell("pool"),
                   cell("state"),
                   {}};
        i.budget = plan::read_budget(cell("budget_gib")).value();
        i.damage = plan::parse_number(cell("optimum_damage")).value_or(0);
        i.bytes = plan::parse_count(cell("bytes_used")).value();
        i.fixed = plan::parse_count(cell("fixed_bytes")).value_or(0);
        out.push_back(i);
    }
    return out;
}

plan::plan_request request_of(const instance& i, const std::vector<instance>& all) {
    plan::plan_request r;
    plan::class_request mine;
    mine.name = i.class_name;
    mine.pool = types(i.pool);
    mine.size = i.budget;
    plan::class_request others;
    others.name = "others";
    if (i.tensors == "rest") {
        for (const auto& o : all) {
            if (o.model == i.model && o.name == i.name && o.tensors != "rest") {
                others.tensors.push_back(regex(o.tensors));
            }
        }
        r.classes = {others, mine};
        r.rest = 1;
    } else {
        if (!i.tensors.empty()) mine.tensors.push_back(regex(i.tensors));
        r.classes = {mine, others};
        r.rest = i.tensors.empty() ? 0 : 1;
    }
    r.ties.push_back(
        plan::read_group(R"(blk\..*\.ffn_up_exps.*,blk\..*\.ffn_gate_exps.*)").value());
    return r;
}

TEST(optimum, every_known_instance_is_solved_and_proven) {
    PLAN_TEST_NEEDS_SHIPPED_DATA();
    const auto all = instances();
    ASSERT_GE(all.size(), 21u);
    double slowest = 0;
    for (const auto& i : all) {
        SCOPED_TRACE(i.model + " " + i.name + " " + i.class_name);
        const auto m = shipped_model(i.model, types(i.pool));
        const auto c = shipped_calibration(i.model);
        const auto curve = shipped_curve(i.model);
        // Processor time, which other programs do not lengthen.
        const auto begin = std::clock();
        const auto plan = plan::make_plan(m, c, curve, request_of(i, all)).value();
        const auto seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
        slowest = std::max(slowest, seconds);

        EXPECT_TRUE(plan.warnings.empty()) << plan.warnings.front();
        const auto& k = plan.classes[plan.classes[0].planned ? 0 : 1];
        ASSERT_TRUE(k.planned);
        if (i.state == "infeasible") {
            EXPECT_FALSE(k.feasible);
            EXPECT_EQ(k.least_bytes, i.bytes);
            const auto reason = plan.check_feasible();
            ASSERT_FALSE(reason.ok());
            EXPECT_NE(reason.error().message.find(std::to_string(i.bytes)), std::string::npos);
            continue;
        }
        ASSERT_TRUE(k.feasible);
        EXPECT_TRUE(k.solution.optimal);
        EXPECT_EQ(k.solution.gap(), 0);
        EXPECT_NEAR(k.solution.cost / i.damage, 1, 1e-9);
        EXPECT_LE(k.solution.lower_bound, k.solution.cost);
        EXPECT_EQ(k.fixed_bytes(), i.fixed);
        EXPECT_LE(k.bytes(), k.budget_bytes.value());

        // What the tensors got adds up to what the class says.
        std::uint64_t bytes = 0;
        double cost = 0;
        for (const auto& t : plan.tensors) {
            bytes += t.bytes;
            if (t.why != plan::reason::planned) continue;
            cost += *t.sensitivity * curve.at(t.type).value();
            const auto stored = m.stored(m.tensors()[t.tensor], t.asked).value();
            EXPECT_EQ(stored.bytes, t.bytes);
            EXPECT_EQ(stored.type, t.type);
        }
        EXPECT_EQ(bytes, k.bytes());
        EXPECT_NEAR(cost / i.damage, 1, 1e-9);
    }
#ifdef NDEBUG
    EXPECT_LT(slowest, 0.1) << "seconds";
#endif
}

}  // namespace
}  // namespace plan_test
