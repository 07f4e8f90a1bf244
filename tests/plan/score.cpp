// Quant scores: formulas on small tables, and the published tables to the last digit.
#include "plan/shipped.hpp"

#include <bpw/plan/score.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace plan_test {
namespace {

using namespace bpw::plan;
using bpw::type_id;

const std::string map_text =
    "a.gguf:0:x.weight:shape=(256, 4):dtype=bf16:elements=1024:bytes=2048\n"
    "a.gguf:0:y.weight:shape=(256, 12):dtype=bf16:elements=3072:bytes=6144\n"
    "a.gguf:0:norm.weight:shape=(256,):dtype=f32:elements=256:bytes=1024\n";

relative_results results(const std::string& text) {
    return read_relative_results(text, "file.csv").value();
}

std::string error_of(const std::string& text) {
    const auto r = read_relative_results(text, "m.csv");
    EXPECT_FALSE(r.ok());
    return r.ok() ? "" : r.error().message;
}

TEST(score, formula_and_order) {
    const auto map = read_tensor_map(map_text, "bf16").value();
    score_sizes sizes;
    sizes.bf16 = &map;
    const auto metric = results(
        "QTYPE,group0\nbf16,0%\nq4_K,+10%\nq8_0,+1%\niq4_k,8%\nq6_K,\nq3_K,404%\n"
        "q2_K,+150%\n");
    const auto pp = results(
        "QTYPE,group0\nbf16,+0%\nq4_K,+40%\nq8_0,20%\niq4_k,+4%\nq2_K,0%\nq3_K,-1%\n"
        "q5_K,+1%\n");
    const auto table = quant_scores(metric, &pp, nullptr, sizes).value();
    EXPECT_EQ(write_scores(table.rows, "ppl"),
              "QTYPE,avg_reduction%,score,ppl%,pp%,tg%\r\n"
              "q2_K,83.59,-100.0000,+150.00%,+0.00%,\r\n"
              "q3_K,78.52,-100.0000,+404.00%,-1.00%,\r\n"
              "iq4_k,71.88,-6.0000,+8.00%,+4.00%,\r\n"
              "q4_K,71.88,10.0000,+10.00%,+40.00%,\r\n"
              "q8_0,46.88,9.0000,+1.00%,+20.00%,\r\n"
              "bf16,0.00,0.0000,+0.00%,+0.00%,\r\n");
    ASSERT_EQ(table.warnings.size(), 3u);
    EXPECT_EQ(table.warnings[0].substr(0, 4), "q5_K");
    EXPECT_EQ(table.warnings[1].substr(0, 4), "q6_K");

    EXPECT_TRUE(table.rows[1].marker);
    EXPECT_EQ(table.warnings[2],
              "q3_K has 404% in 'file.csv', the mark of what was not measured: its score means "
              "nothing");

    score_options o;
    o.marker_is_value = false;
    EXPECT_EQ(quant_scores(metric, &pp, nullptr, sizes, o)->rows.size(), 5u);
    o.metric_factor = 1;
    o.pp_factor = 3;
    o.tg_factor = 2;
    o.cutoff = -30;
    const auto both = quant_scores(metric, &pp, &pp, sizes, o).value().rows;
    EXPECT_DOUBLE_EQ(both[0].score, -30);
    EXPECT_DOUBLE_EQ(both[2].score, (-10 + (3 * 40 + 2 * 40) / 2.0) / 2);
    EXPECT_DOUBLE_EQ(quant_scores(metric, nullptr, nullptr, sizes).value().rows[3].score, -10);
}

TEST(score, columns_of_tensors_and_groups) {
    const auto map = read_tensor_map(map_text, "bf16").value();
    score_sizes sizes;
    sizes.bf16 = &map;
    EXPECT_DOUBLE_EQ(*size_reduction(type_id::q8_0, {"x.weight"}, sizes), 46.875);
    EXPECT_FALSE(size_reduction(type_id::q8_0, {"z.weight"}, sizes).ok());
    EXPECT_FALSE(size_reduction(type_id::q8_0, {"group0", "group1"}, sizes).ok());
    const auto groups = read_tensor_groups("# c\ngroup0:^x,^z\ngroup1:y\n", "g").value();
    sizes.groups = &groups;
    EXPECT_DOUBLE_EQ(*size_reduction(type_id::q8_0, {"group0", "group1"}, sizes), 46.875);
    EXPECT_FALSE(size_reduction(type_id::q8_0, {"group2"}, sizes).ok());
    // A published map goes before the computed size.
    const auto other =
        read_tensor_map("a.gguf:0:x.weight:shape=(256, 4):dtype=f16:elements=1024:bytes=2048\n",
                        "q8")
            .value();
    sizes.maps[type_id::q8_0] = &other;
    EXPECT_DOUBLE_EQ(*size_reduction(type_id::q8_0, {"x.weight"}, sizes), 0);
    EXPECT_FALSE(read_tensor_groups("no colon", "g").ok());
    EXPECT_FALSE(read_tensor_groups("group0:(", "g").ok());
}

TEST(score, errors_name_file_line_and_field) {
    EXPECT_EQ(
        error_of("QTYPE,group0\nbf16,0%\nq4_K,1.5\n"),
        "m.csv:3: group0: '1.5' is not a percentage relative to bf16; expected one like +12.5%");
    EXPECT_EQ(error_of("QTYPE,group0\nq9,1%\n"),
              "m.csv:2: QTYPE: 'q9' is not the name of a quant type");
    EXPECT_EQ(error_of("QTYPE,group0\nq4_K,1%\n"),
              "m.csv: there is no row of bf16, to which all others must be relative");
    EXPECT_EQ(error_of("QTYPE,group0\nq4_K,1%\nQ4_k,2%"),
              "m.csv:3: QTYPE: 'Q4_k' stands in an earlier row already");
    EXPECT_EQ(error_of("a,b\n").substr(0, 26), "m.csv:1: the header begins");
    const auto map = read_tensor_map(map_text, "bf16").value();
    score_sizes sizes;
    sizes.bf16 = &map;
    const auto one = results("QTYPE,group0\nbf16,0%\n");
    const auto two = results("QTYPE,x.weight\nbf16,0%\n");
    EXPECT_FALSE(quant_scores(one, &two, nullptr, sizes).ok());
}

TEST(score, names_of_files) {
    EXPECT_EQ(machine_of("a/b_c/pp_results_cuda-RTX-6000-Pro.csv"), "cuda-RTX-6000-Pro");
    EXPECT_EQ(machine_of("tg_results_cpu-sv.csv"), "cpu-sv");
    EXPECT_EQ(metric_of("x/topp_results.csv"), "comp_topp");
    EXPECT_EQ(metric_of("ppl_results_old.csv"), "ppl");
}

TEST(score, top_layer_of_points) {
    const auto at = [](type_id t, double reduction, double score) {
        return quant_score{t, reduction, score, 0, {}, {}, false};
    };
    const std::vector<quant_score> rows{at(type_id::q2_K, 90, -10), at(type_id::q3_K, 80, 5),
                                        at(type_id::iq3_k, 80, 7),  at(type_id::q4_K, 70, 6.5),
                                        at(type_id::iq4_xs, 60, 7), at(type_id::q8_0, 40, 8)};
    EXPECT_EQ(top_layer(rows), (std::vector<std::size_t>{0, 2, 5}));
    EXPECT_EQ(top_layer(rows, 0.5), (std::vector<std::size_t>{0, 2, 3, 4, 5}));
    EXPECT_EQ(top_layer(rows, 100).size(), rows.size());
    EXPECT_TRUE(top_layer({}).empty());
    auto marked = rows;
    marked[2].marker = true;
    EXPECT_EQ(top_layer(marked), (std::vector<std::size_t>{0, 1, 3, 4, 5}));
}

TEST(score, published_tables_to_the_last_digit) {
    PLAN_TEST_NEEDS_SHIPPED_DATA();
    const auto folder = shipped_folder() / "quants_graphs";
    const auto load = [&](const std::string& file) {
        return read_relative_results(read(folder / file), file).value();
    };
    const auto map = read_tensor_map(read(folder / "tensors.bf16.map"), "bf16").value();
    score_sizes sizes;
    sizes.bf16 = &map;
    for (const std::string machine : {"cuda-RTX-6000-Pro", "cpu-AMD-5950X", "cpu-Intel-7980XE"}) {
        for (const std::string metric : {"topp_results.csv", "ppl_results_old.csv"}) {
            const auto pp = load("pp_results_" + machine + ".csv");
            const auto tg = load("tg_results_" + machine + ".csv");
            const auto table = quant_scores(load(metric), &pp, &tg, sizes);
            ASSERT_TRUE(table.ok()) << table.error().message;
            const std::string base = metric == "topp_results.csv" ? "TOPP_BASED" : "PPL_BASED";
            EXPECT_EQ(write_scores(table->rows, metric_of(metric)),
                      read(folder / base / ("quant_score_" + machine + ".csv")))
                << base << " " << machine;
            if (base == "TOPP_BASED" && machine == "cuda-RTX-6000-Pro") {
                std::string members;
                for (const auto i : top_layer(table->rows)) {
                    members.append(bpw::name(table->rows[i].type)).append(" ");
                }
                EXPECT_EQ(members,
                          "iq1_kt iq2_kt iq2_kl iq3_xxs iq3_kt iq3_ks iq4_kss iq4_ks iq5_ks q5_0 "
                          "q6_0 ");
            }
        }
    }
}

}  // namespace
}  // namespace plan_test
