// Calibration results and cost curves: rows, cells, inheritance, look-up.
#include "plan/inputs.hpp"

#include <gtest/gtest.h>

#include <string>

namespace plan_test {
namespace {

plan::calibration calibrate(std::string_view text, std::string_view row = {}) {
    return plan::read_calibration(text, "kld.csv", row).value();
}

TEST(calibration, names_without_their_layer) {
    EXPECT_EQ(plan::without_layer("blk.12.attn_q.weight"), "attn_q.weight");
    EXPECT_EQ(plan::without_layer("blk.x.attn_q.weight"), "blk.x.attn_q.weight");
    EXPECT_EQ(plan::without_layer("output.weight"), "output.weight");
    EXPECT_EQ(plan::layer_of("blk.12.attn_q.weight"), 12u);
    EXPECT_FALSE(plan::layer_of("output.weight"));
    EXPECT_FALSE(plan::layer_of("blk.99999999999999999999.a"));
}

TEST(calibration, chooses_the_row_of_fewest_bits) {
    EXPECT_EQ(calibrate("QTYPE,a\nq8_0,1\niq2_k,2\niq2_ks,3\n").reference, "iq2_k");
    EXPECT_EQ(calibrate("QTYPE,a\niq1_bn,1\niq3_k,2\n").reference, "iq3_k");
    EXPECT_EQ(calibrate("QTYPE,a\niq2_bn,1\niq1_bn,2\n").reference, "iq1_bn");
    EXPECT_EQ(calibrate("QTYPE,a\niq1_kt,1\nQ3_k,2\n", "q3_K").reference, "Q3_k");
    EXPECT_EQ(plan::read_calibration("QTYPE,a\nq8_0,1\n", "kld.csv", "q2_K").error().message,
              "kld.csv: QTYPE: there is no row 'q2_K'");
}

TEST(calibration, reads_cells) {
    const auto c = calibrate("QTYPE,a,b,c,d,e\niq1_kt,0.5,+12.5%,,x,0.0\n");
    EXPECT_EQ(c.find("a"), 0.5);
    EXPECT_EQ(c.find("b"), 0.125);
    EXPECT_FALSE(c.find("c"));
    EXPECT_FALSE(c.find("d"));
    EXPECT_EQ(c.find("e"), 0.0);
    EXPECT_FALSE(c.find("f"));
}

TEST(calibration, what_was_not_measured_inherits_a_mean) {
    const auto c = calibrate(
        "QTYPE,blk.0.a.weight,blk.1.a.weight,blk.2.a.weight,blk.0.indexer.k.weight,"
        "blk.0.indexer.q.weight,lonely.weight\n"
        "iq1_kt,1,3,404,404%,5,404.0\n");
    EXPECT_EQ(c.find("blk.2.a.weight"), 2.0) << "the mean of the other layers";
    EXPECT_EQ(c.find("blk.0.indexer.k.weight"), 5.0) << "the mean of the same component";
    EXPECT_FALSE(c.find("lonely.weight")) << "404 itself is never a value";
    EXPECT_TRUE(c.inherited[2]);
    EXPECT_FALSE(c.inherited[0]);
}

TEST(calibration, refuses_with_file_line_and_field) {
    const auto message = [](std::string_view text) {
        const auto c = plan::read_calibration(text, "kld.csv");
        return c ? std::string("read") : c.error().message;
    };
    EXPECT_EQ(message("tensor,a\n"),
              "kld.csv:1: column 1: 'tensor' heads the names of the types; expected 'QTYPE'");
    EXPECT_EQ(message("QTYPE,a\n"), "kld.csv: the file has no row of measurements");
    EXPECT_EQ(message("QTYPE,a,a\nq8_0,1,2\n"), "kld.csv:1: a: the column stands there twice");
}

TEST(calibration, a_published_file_with_an_unmeasured_cell) {
    PLAN_TEST_NEEDS_SHIPPED_DATA();
    const auto text = read(shipped_folder() / "Qwen3-4B-Instruct-2507" / "kld_results.csv");
    const auto c = calibrate(text, "iq2_ks");
    std::size_t inherited = 0;
    for (std::size_t i = 0; i < c.names.size(); ++i) {
        ASSERT_TRUE(c.losses[i]) << c.names[i];
        EXPECT_LT(*c.losses[i], 100);
        inherited += c.inherited[i] ? 1 : 0;
    }
    EXPECT_EQ(inherited, 1u);
}

TEST(cost_curve, looks_types_up) {
    const auto curve =
        plan::read_cost_curve("QTYPE,group0\nIQ4_K,0.03\nq4_0_r8,7%\niq1_s,5\nq8_0,404\nq6_K,\n",
                              "curve.csv")
            .value();
    EXPECT_EQ(curve.find(type_id::iq4_k), 0.03);
    EXPECT_EQ(curve.find(type_id::iq4_k_r4), 0.03) << "from the base type";
    EXPECT_EQ(curve.find(type_id::q4_0), 0.07) << "from the interleaved type";
    EXPECT_EQ(curve.find(type_id::iq1_s), 5.0);
    EXPECT_FALSE(curve.find(type_id::iq1_s_r4)) << "another type, in spite of its name";
    EXPECT_FALSE(curve.find(type_id::q8_0));
    EXPECT_FALSE(curve.find(type_id::q6_K));
    EXPECT_EQ(curve.find(type_id::bf16), 0.0);
    EXPECT_EQ(curve.at(type_id::q8_0).error().message,
              "curve.csv: the cost curve has no loss for the type q8_0");
}

TEST(cost_curve, refuses_contradictions) {
    EXPECT_TRUE(plan::read_cost_curve("QTYPE,g\nq8_0,1\nQ8_0,1\n", "c").ok());
    EXPECT_EQ(plan::read_cost_curve("QTYPE,g\nq8_0,1\nQ8_0,2\n", "c").error().message,
              "c:3: Q8_0: the type stands there twice with different losses");
    EXPECT_FALSE(plan::read_cost_curve("QTYPE\nq8_0\n", "c").ok());
    EXPECT_FALSE(plan::read_cost_curve("type,g\nq8_0,1\n", "c").ok());
}

TEST(cost_curve, the_one_that_stands_in) {
    const auto curve = plan::default_cost_curve();
    EXPECT_GT(curve.size(), 50u);
    EXPECT_EQ(curve.find(type_id::iq4_k), 0.034494);
    if (shipped_folder().empty()) return;
    const auto published = shipped_curve("Qwen3-4B-Thinking-2507");
    for (const auto type : bpw::all_types) {
        EXPECT_EQ(curve.find(type), published.find(type)) << bpw::name(type);
    }
}

}  // namespace
}  // namespace plan_test
