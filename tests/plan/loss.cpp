// Better costs: floor, joint measurements, compressed curve, predicted loss; and how they rank
// published recipes.
#include "plan/inputs.hpp"

#include <bpw/plan/recipe.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <string>

namespace plan_test {
namespace {

TEST(loss, quantiles_interpolate) {
    EXPECT_EQ(plan::quantile({}, 0.5), 0);
    EXPECT_EQ(plan::quantile({3}, 0.25), 3);
    EXPECT_EQ(plan::quantile({4, 1, 3, 2}, 0.25), 1.75);
    EXPECT_EQ(plan::quantile({4, 1, 3, 2}, 1), 4);
}

TEST(loss, the_floor_is_the_low_quantile_of_what_was_measured) {
    std::string names = "QTYPE,zero";
    std::string cells = "iq1_kt,0";
    for (int i = 1; i <= 101; ++i) {
        names += std::string(",t").append(std::to_string(i));
        cells += std::string(",").append(std::to_string(i));
    }
    const auto c = plan::read_calibration(names + "\n" + cells + "\n", "kld").value();
    EXPECT_EQ(plan::floor_of(c), 3) << "of 1 to 101; zero does not count";
    plan::loss_options o;
    o.remove_floor = true;
    const auto s = plan::sensitivities(c, o);
    EXPECT_EQ(*s[0], 0) << "zero stays zero";
    EXPECT_NEAR(*s[1], 0.6, 1e-15) << "a fifth of the floor stays";
    EXPECT_NEAR(*s[101], 101 - 2.4, 1e-12);
    o.floor = 10;
    EXPECT_NEAR(*plan::sensitivities(c, o)[101], 93, 1e-12);
}

std::string layers(int count, const std::string& a, const std::string& b) {
    std::string names = "QTYPE";
    std::string cells = "iq1_kt";
    for (int i = 0; i < count; ++i) {
        const auto blk = std::string(",blk.").append(std::to_string(i)) + ".";
        names += blk + a + blk + b + blk + "other.weight";
        const auto value = std::string(",").append(std::to_string(i + 1)) + ".5";
        cells += value + value + ",0.25";
    }
    return names + "\n" + cells + "\n";
}

TEST(loss, joint_measurements_are_shared_out) {
    plan::loss_options o;
    o.split_joint = true;
    const auto many = plan::read_calibration(layers(12, "k_b.weight", "v_b.weight"), "kld").value();
    auto s = plan::sensitivities(many, o);
    EXPECT_EQ(*s[0], 0.75);
    EXPECT_EQ(*s[1], 0.75);
    EXPECT_EQ(*s[2], 0.25) << "equal values in other layers are no joint measurement";
    const auto few = plan::read_calibration(layers(9, "k_b.weight", "v_b.weight"), "kld").value();
    EXPECT_EQ(*plan::sensitivities(few, o)[0], 1.5) << "nine layers may be chance";

    o.joint = plan::read_joint_groups(
                  "# comment\n\ngroup0:^blk\\.0\\.(k|v)_b\\.weight$\n"
                  "group1:^blk\\.1\\.k_b\\.weight$\n",
                  "groups.txt")
                  .value();
    s = plan::sensitivities(few, o);
    EXPECT_EQ(*s[0], 0.75);
    EXPECT_EQ(*s[3], 2.5);
    EXPECT_EQ(plan::read_joint_groups("a\n", "groups.txt").error().message,
              "groups.txt:1: 'a' has no colon; expected a group, a colon and patterns");
    EXPECT_NE(
        plan::read_joint_groups("g1:(\n", "groups.txt").error().message.find("groups.txt:1: g1"),
        std::string::npos);
}

TEST(loss, the_compressed_curve_is_linear_at_first_and_always_rises) {
    EXPECT_EQ(plan::compressed_loss(0, 0.05), 0);
    EXPECT_NEAR(plan::compressed_loss(1e-6, 0.05), 1e-5, 1e-9);
    EXPECT_NEAR(plan::compressed_loss(0.15, 0.05), 1, 1e-15);
    double last = 0;
    for (double c = 0.01; c < 20; c *= 1.1) {
        const auto u = plan::compressed_loss(c, 0.05);
        EXPECT_GT(u, last);
        last = u;
    }
}

TEST(loss, a_published_group_file) {
    PLAN_TEST_NEEDS_SHIPPED_DATA();
    const auto file = shipped_folder() / "GLM-4.5-Air" / "bench_ppl_kld_group_mapping.bf16.250.txt";
    const auto groups = plan::read_joint_groups(read(file), "groups.txt").value();
    EXPECT_GT(groups.size(), 40u);
    plan::loss_options by_file;
    by_file.split_joint = true;
    by_file.joint = groups;
    plan::loss_options by_value;
    by_value.split_joint = true;
    const auto c = shipped_calibration("GLM-4.5-Air");
    const auto a = plan::sensitivities(c, by_file);
    const auto b = plan::sensitivities(c, by_value);
    std::size_t split = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (!a[i]) continue;
        split += *a[i] != *c.losses[i] ? 1 : 0;
    }
    EXPECT_GT(split, 50u);
    std::size_t equal = 0;
    for (std::size_t i = 0; i < a.size(); ++i) equal += a[i] == b[i] ? 1 : 0;
    EXPECT_GT(static_cast<double>(equal), 0.9 * static_cast<double>(a.size()))
        << "equal values tell almost as much as the file";
}

// What a recipe loses by either cost, relative to the least that its size allows.
double recipe_cost(const std::string& file, const plan::loss_options& o, double* predicted) {
    const auto recipe = plan::parse_recipe(read(shipped_folder() / "recipes" / file), file).value();
    const auto m = shipped_model("Qwen3.5-35B-A3B", {});
    const auto c = shipped_calibration("Qwen3.5-35B-A3B");
    const auto curve = shipped_curve("Qwen3.5-35B-A3B");
    std::vector<std::string> names;
    for (const auto& t : m.tensors()) names.push_back(t.name);
    const auto types = plan::resolve(recipe, names).value();
    const auto s = plan::sensitivities(c, o);
    double cost = 0;
    std::vector<plan::assigned_tensor> tensors;
    for (std::size_t i = 0; i < names.size(); ++i) {
        const auto stored = m.stored(m.tensors()[i], types[i]).value();
        const auto at = c.positions.find(names[i]);
        if (at == c.positions.end() || !s[at->second]) continue;
        cost += plan::cost_of(*s[at->second], curve.at(stored.type).value(), 0, o);
        tensors.push_back({i,
                           0,
                           plan::reason::planned,
                           types[i],
                           stored.type,
                           stored.bytes,
                           stored.computed,
                           0,
                           {},
                           0});
    }
    *predicted = plan::predicted_loss(m, c, curve, tensors, o).value();
    return cost;
}

TEST(loss, ranks_published_recipes_by_their_perplexity) {
    PLAN_TEST_NEEDS_SHIPPED_DATA();
    // Perplexities stand in the names; the unquantized model has 6.5339.
    const std::vector<std::pair<std::string, double>> recipes{
        {"Qwen3.5-35B-A3B.WEB_USER-6.8015bpw-6.5379ppl-27GB-GGUF_27GB-GPU_0GB-CPU.e56c257_3a3e0eb."
         "recipe.txt",
         6.5379},
        {"Qwen3.5-35B-A3B.WEB_USER-5.1086bpw-6.5514ppl-20GB-GGUF_20GB-GPU_0GB-CPU.e56c257_f04399e."
         "recipe.txt",
         6.5514},
        {"Qwen3.5-35B-A3B.WEB_USER-4.2574bpw-6.5908ppl-17GB-GGUF_17GB-GPU_0GB-CPU.e56c257_7f164be."
         "recipe.txt",
         6.5908},
        {"Qwen3.5-35B-A3B.WEB_USER-3.4060bpw-6.6900ppl-13GB-GGUF_13GB-GPU_0GB-CPU.e56c257_e17bd28."
         "recipe.txt",
         6.6900},
        {"Qwen3.5-35B-A3B.WEB_USER-2.5545bpw-7.1241ppl-10GB-GGUF_10GB-GPU_0GB-CPU.e56c257_fcd3286."
         "recipe.txt",
         7.1241},
        {"Qwen3.5-35B-A3B.WEB_USER-2.1288bpw-7.7179ppl-8GB-GGUF_8GB-GPU_0GB-CPU.e56c257_8cf0bf9."
         "recipe.txt",
         7.7179},
        {"Qwen3.5-35B-A3B.WEB_USER-2.0010bpw-8.0188ppl-8GB-GGUF_8GB-GPU_0GB-CPU.e56c257_56427ff."
         "recipe.txt",
         8.0188},
        {"Qwen3.5-35B-A3B.WEB_USER-1.7030bpw-9.2580ppl-6GB-GGUF_6GB-GPU_0GB-CPU.e56c257_797c708."
         "recipe.txt",
         9.2580},
    };
    for (const bool better : {false, true}) {
        const auto o = better ? plan::loss_options::better() : plan::loss_options{};
        double last_cost = 0;
        for (const auto& [file, perplexity] : recipes) {
            SCOPED_TRACE(file);
            double predicted = 0;
            const auto cost = recipe_cost(file, o, &predicted);
            EXPECT_GT(cost, last_cost);
            last_cost = cost;
            const auto measured = std::log(perplexity / 6.5339);
            RecordProperty(std::to_string(perplexity), std::to_string(predicted / measured));
        }
    }
}

}  // namespace
}  // namespace plan_test
