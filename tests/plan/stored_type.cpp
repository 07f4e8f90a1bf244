// What tensors become: the table of fallbacks, interleaved rows, importance matrices.
#include "plan/inputs.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace plan_test {
namespace {

std::string stored(const std::string& asked, std::uint64_t cols,
                   bpw::dialect project = bpw::dialect::ik, std::uint64_t rows = 64,
                   std::string_view name = "blk.0.ffn_down.weight") {
    const auto type =
        plan::stored_type(bpw::type_from_name(asked).value(), {name, cols, rows}, project);
    return type ? std::string(bpw::name(*type)) : "refused";
}

TEST(stored_type, falls_back_where_rows_are_not_whole_blocks) {
    const std::map<std::string, std::string> table[] = {
        {{"iq4_nl",
          "iq1_s iq1_m iq2_xxs iq2_xs iq2_s iq3_xxs iq3_s iq4_xs q2_K q3_K iq2_k iq2_ks "
          "iq2_kl iq3_k iq3_ks iq4_ks iq4_kss iq1_kt iq2_kt iq3_kt iq4_kt iq4_ks_r4 "
          "iq3_k_r4 q3_k_r4 iq4_xs_r8"},
         {"q5_0", "q4_K iq4_k iq5_ks iq4_k_r4"},
         {"q6_0", "q5_K iq5_k iq5_k_r4"},
         {"q8_0", "q6_K iq6_k q8_k_r8 q6_k_r4"}},
        {{"iq4_nl", "iq1_s iq1_m iq2_xxs iq2_xs iq2_s iq3_xxs iq3_s iq4_xs"},
         {"q4_0", "q2_K q3_K"},
         {"q5_0", "q4_K"},
         {"q5_1", "q5_K"},
         {"q8_0", "q6_K"}},
    };
    for (const bool mainline : {false, true}) {
        const auto project = mainline ? bpw::dialect::mainline : bpw::dialect::ik;
        for (const auto& [becomes, asked] : table[mainline ? 1 : 0]) {
            for (const auto word : plan::split(asked, ' ')) {
                EXPECT_EQ(stored(std::string(word), 1408, project), becomes) << word;
                EXPECT_EQ(stored(std::string(word), 2048, project), word);
            }
        }
    }
    EXPECT_EQ(stored("q8_0", 1408), "q8_0");
    EXPECT_EQ(stored("q4_K", 40, bpw::dialect::mainline), "f16");
    EXPECT_EQ(stored("q4_K", 40), "refused");
    EXPECT_EQ(stored("iq2_bn", 64), "iq2_bn");
}

TEST(stored_type, rows_that_cannot_be_interleaved_stay_apart) {
    EXPECT_EQ(stored("iq4_ks_r4", 2048, bpw::dialect::ik, 64), "iq4_ks_r4");
    EXPECT_EQ(stored("iq4_ks_r4", 2048, bpw::dialect::ik, 66), "iq4_ks");
    EXPECT_EQ(stored("q8_0_r8", 2048, bpw::dialect::ik, 4), "q8_0");
    EXPECT_EQ(stored("q8_0_r8", 2048, bpw::dialect::ik, 64, "token_embd.weight"), "q8_0");
}

TEST(stored_type, published_fallbacks) {
    PLAN_TEST_NEEDS_SHIPPED_DATA();
    const auto table =
        plan::read_csv(read(shipped_folder() / "fallback_excerpt.csv"), "fallback_excerpt.csv")
            .value();
    const auto cell = [&](const plan::csv_row& row, std::string_view column) {
        return row.cells.at(table.column(column).value());
    };
    int compared = 0;
    for (const auto& row : table.rows) {
        const auto asked = bpw::type_from_name(cell(row, "requested")).value();
        const auto shape = cell(row, "shape");
        const auto dims = plan::split(shape, 'x');
        const auto cols = plan::parse_count(dims[0]).value();
        const auto rows = dims.size() > 1 ? plan::parse_count(dims[1]).value() : 1;
        const auto name = cell(row, "tensor");
        SCOPED_TRACE(cell(row, "model") + " " + name + " " + cell(row, "requested"));
        const auto type = plan::stored_type(asked, {name, cols, rows}).value();
        EXPECT_EQ(type, bpw::type_from_name(cell(row, "stored")).value());
        const auto elements = plan::parse_count(cell(row, "elements")).value();
        const auto size = plan::size_of(bpw::info(type), elements / cols, elements).value();
        EXPECT_EQ(size.blocks, plan::parse_count(cell(row, "bytes")).value());
        ++compared;
    }
    EXPECT_GT(compared, 300);
}

TEST(stored_type, importance_matrices) {
    const auto objects = [](const std::string& tensor, std::string_view type) {
        return !plan::importance_objection(tensor, bpw::type_from_name(type).value()).empty();
    };
    for (const auto* type : {"iq1_s", "iq1_m", "iq1_kt", "iq2_xxs", "iq2_xs", "iq2_s", "iq2_kt"}) {
        EXPECT_TRUE(objects("blk.0.ffn_up.weight", type)) << type;
        EXPECT_TRUE(objects("output.weight", type)) << type;
    }
    for (const auto* type : {"iq2_k", "iq2_ks"}) {
        EXPECT_FALSE(objects("blk.0.ffn_up.weight", type)) << type;
        EXPECT_TRUE(objects("token_embd.weight", type)) << type;
    }
    EXPECT_TRUE(objects("blk.0.ffn_up.weight", "iq2_xxs_r4"));
    EXPECT_FALSE(objects("blk.0.ffn_up.weight", "q4_K"));
    EXPECT_FALSE(objects("output.weight", "iq3_k"));
}

TEST(model, maps_win_over_the_rules) {
    auto m = model_of(bf16_line("blk.0.a.weight", 1408, 64) + bf16_line("blk.0.n.weight", 64, 1));
    const auto& a = m.tensors()[0];
    EXPECT_FALSE(a.kept);
    EXPECT_TRUE(m.tensors()[1].kept);
    auto s = m.stored(a, type_id::iq4_k).value();
    EXPECT_EQ(s.type, type_id::q5_0);
    EXPECT_EQ(s.bytes, 1408u * 64 / 32 * 22);
    EXPECT_TRUE(s.computed);
    EXPECT_EQ(m.stored(a, type_id::iq4_k, {bpw::dialect::ik, false}).value().type, type_id::iq4_k);
    // A set that keeps this tensor at a higher type.
    const auto higher =
        map_line("blk.0.a.weight", "1408, 64", 1408 * 64, "q8_0", 1408 * 64 / 32 * 34);
    m.add_map(type_id::iq4_k, plan::read_tensor_map(higher, "q.map").value()).value();
    s = m.stored(m.tensors()[0], type_id::iq4_k).value();
    EXPECT_EQ(s.type, type_id::q8_0);
    EXPECT_FALSE(s.computed);
    EXPECT_EQ(m.stored(m.tensors()[0], type_id::iq4_k, {bpw::dialect::ik, false}).value().type,
              type_id::iq4_k)
        << "without fallback the map does not count";
    const auto other = map_line("blk.0.a.weight", "1408, 32", 1408 * 32, "q8_0", 1408 * 34);
    EXPECT_EQ(m.add_map(type_id::q8_0, plan::read_tensor_map(other, "q.map").value()).error().code,
              bpw::errc::size_mismatch);
}

}  // namespace
}  // namespace plan_test
