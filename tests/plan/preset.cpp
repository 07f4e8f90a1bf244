// Named mixes: sizes of published files, and single rules on models made up here.
#include "plan/shipped.hpp"

#include <bpw/plan/custom_q.hpp>
#include <bpw/plan/preset.hpp>
#include <bpw/plan/tensor_map.hpp>

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace plan_test {
namespace {

using namespace bpw::plan;
using bpw::dialect;
using bpw::type_id;

// A transformer with one row length for all tensors.
std::vector<preset_tensor> model(std::uint64_t layers, std::uint64_t heads_per_kv,
                                 std::uint64_t experts = 1, bool output = true,
                                 std::uint64_t cols = 1024) {
    std::vector<preset_tensor> out;
    const auto add = [&](const std::string& name, std::vector<std::uint64_t> shape) {
        out.push_back({name, std::move(shape),
                       name.find("norm") == std::string::npos ? type_id::bf16 : type_id::f32});
    };
    add("token_embd.weight", {cols, 5000});
    if (output) add("output.weight", {cols, 5000});
    add("output_norm.weight", {cols});
    for (std::uint64_t i = 0; i < layers; ++i) {
        const auto blk = "blk." + std::to_string(i) + ".";
        add(blk + "attn_norm.weight", {cols});
        add(blk + "attn_q.weight", {cols, cols});
        add(blk + "attn_k.weight", {cols, cols / heads_per_kv});
        add(blk + "attn_v.weight", {cols, cols / heads_per_kv});
        add(blk + "attn_output.weight", {cols, cols});
        for (const std::string part : {"gate", "up", "down"}) {
            if (experts > 1) {
                add(blk + "ffn_" + part + "_exps.weight", {cols, cols, experts});
            } else {
                add(blk + "ffn_" + part + ".weight", {cols, cols});
            }
        }
        if (experts > 1) add(blk + "ffn_gate_inp.weight", {cols, experts});
    }
    return out;
}

class applied {
  public:
    applied(const std::string& name, const std::vector<preset_tensor>& tensors,
            const preset_options& options = {}, const std::string& architecture = "llama") {
        auto about = describe(tensors);
        about.architecture = architecture;
        const auto types =
            preset_types(find_preset(name, options.project).value(), about, tensors, options);
        EXPECT_TRUE(types.ok()) << types.error().message;
        for (std::size_t i = 0; i < tensors.size(); ++i) types_[tensors[i].name] = (*types)[i];
    }
    std::string operator[](const std::string& tensor) const {
        return std::string(bpw::name(types_.at(tensor)));
    }
    // The layers whose tensor has the type.
    std::vector<int> layers(const std::string& tensor, type_id type) const {
        std::vector<int> out;
        for (int i = 0; i < 1000; ++i) {
            const auto at = types_.find("blk." + std::to_string(i) + "." + tensor);
            if (at != types_.end() && at->second == type) out.push_back(i);
        }
        return out;
    }

  private:
    std::map<std::string, type_id> types_;
};

using layers = std::vector<int>;

preset_options with(dialect project, bool imatrix = false) {
    preset_options o;
    o.project = project;
    o.imatrix = imatrix;
    return o;
}

TEST(preset, falcon_has_rules_of_its_own) {
    const auto tensors = model(32, 1);
    const auto down = [](int i) { return "blk." + std::to_string(i) + ".ffn_down.weight"; };
    for (const auto project : {dialect::mainline, dialect::ik}) {
        const auto o = with(project, true);
        const auto mix = [&](const char* name) { return applied(name, tensors, o, "falcon"); };
        // Layers 0 and 1 are the first sixteenth; 0 to 3, every third from 6 on and 28 to 31 get
        // more.
        const auto m4 = mix("q4_k_m");
        EXPECT_EQ(m4["output.weight"], "q8_0");
        EXPECT_EQ(m4[down(1)], "q6_K");
        EXPECT_EQ(m4[down(2)], "q5_K");
        EXPECT_EQ(m4[down(4)], "q4_K");
        EXPECT_EQ(m4[down(6)], "q5_K");
        EXPECT_EQ(m4[down(31)], "q5_K");
        EXPECT_EQ(m4["blk.0.attn_output.weight"], "q4_K");
        EXPECT_EQ(m4["blk.0.attn_v.weight"], "q6_K") << "like others";
        const auto m3 = mix("q3_k_m");
        EXPECT_EQ(m3[down(1)], "q5_K");
        EXPECT_EQ(m3[down(3)], "q4_K");
        EXPECT_EQ(m3[down(4)], "q3_K");
        EXPECT_EQ(m3["blk.5.attn_output.weight"], "q3_K");
        const auto l3 = mix("q3_k_l");
        EXPECT_EQ(l3[down(9)], "q4_K");
        EXPECT_EQ(l3["blk.9.attn_output.weight"], "q4_K");
        const auto s4 = mix("q4_k_s");
        EXPECT_EQ(s4[down(0)], "q4_K");
        EXPECT_EQ(applied("q4_k_s", tensors, o)[down(0)], "q5_K");
        EXPECT_EQ(mix("q5_k_m")[down(0)], "q6_K") << "like others";
        EXPECT_EQ(mix("q2_k")["blk.0.attn_output.weight"], "q2_K");
    }
}

TEST(preset, shapes_tell_about_the_model) {
    const auto dense = describe(model(16, 4));
    EXPECT_EQ(dense.layers, 16u);
    EXPECT_EQ(dense.experts, 1u);
    EXPECT_EQ(dense.heads_per_kv, 4u);
    EXPECT_EQ(dense.vocabulary, 5000u);
    EXPECT_FALSE(dense.tied_embedding);
    EXPECT_TRUE(describe(model(2, 1, 1, false)).tied_embedding);
    EXPECT_EQ(describe(model(2, 2, 8)).experts, 8u);
    const std::vector<preset_tensor> fused{{"blk.0.attn_qkv.weight", {512, 768}, type_id::bf16},
                                           {"blk.0.attn_output.weight", {512, 512}, type_id::bf16}};
    EXPECT_EQ(describe(fused).heads_per_kv, 4u);
}

TEST(preset, names) {
    EXPECT_EQ(find_preset("Q4_K")->mix, "q4_k_m");
    EXPECT_EQ(find_preset("Q4_K")->base, type_id::q4_K);
    EXPECT_TRUE(find_preset("q3_k_xl")->head_q8_0);
    EXPECT_EQ(find_preset("q3_k_xl")->mix, "q3_k_l");
    const auto none = find_preset("iq4_ks");
    ASSERT_FALSE(none.ok());
    EXPECT_EQ(none.error().message,
              "'iq4_ks' is not a mix that llama-quantize of llama.cpp knows by name");
    EXPECT_TRUE(find_preset("iq4_ks", dialect::ik).ok());
    for (const auto project : {dialect::mainline, dialect::ik}) {
        for (const auto mix : preset_names(project)) {
            const applied a(std::string(mix), model(8, 4), with(project, true));
            EXPECT_EQ(a["blk.3.attn_norm.weight"], "f32");
        }
    }
}

TEST(preset, q4_k_m) {
    const applied a("q4_k_m", model(16, 4));
    EXPECT_EQ(a["output.weight"], "q6_K");
    EXPECT_EQ(a["token_embd.weight"], "q4_K");
    EXPECT_EQ(a["blk.7.ffn_up.weight"], "q4_K");
    EXPECT_EQ(a.layers("ffn_down.weight", type_id::q6_K), (layers{0, 1, 4, 7, 10, 13, 14, 15}));
    EXPECT_EQ(a.layers("attn_v.weight", type_id::q6_K), (layers{0, 1, 4, 7, 10, 13, 14, 15}));
    EXPECT_EQ(applied("q4_k_m", model(16, 4, 1, false))["token_embd.weight"], "q6_K");
    EXPECT_EQ(applied("q4_k_m", model(16, 1), with(dialect::ik))["blk.2.attn_v.weight"], "q4_K");
    EXPECT_EQ(applied("q4_k_m", model(16, 4), with(dialect::ik))["blk.2.attn_v.weight"], "q5_K");
}

TEST(preset, iq2_m_and_importance) {
    const applied a("iq2_m", model(16, 2));
    EXPECT_EQ(a["output.weight"], "q5_K");
    EXPECT_EQ(a["token_embd.weight"], "iq3_s");
    EXPECT_EQ(a["blk.3.attn_v.weight"], "iq3_s");
    EXPECT_EQ(a["blk.3.attn_output.weight"], "iq3_s");
    EXPECT_EQ(a["blk.3.attn_q.weight"], "iq2_s");
    EXPECT_EQ(a.layers("ffn_down.weight", type_id::iq3_s), (layers{0, 1}));
    EXPECT_EQ(applied("iq2_m", model(16, 2), with(dialect::ik))["blk.3.attn_v.weight"], "iq3_k");
    EXPECT_EQ(applied("iq3_xxs", model(16, 2))["blk.3.ffn_down.weight"], "q3_K");
    EXPECT_EQ(
        applied("iq3_xxs", model(16, 2), with(dialect::mainline, true))["blk.3.ffn_down.weight"],
        "iq3_xxs");
    EXPECT_EQ(applied("q4_0", model(16, 2), with(dialect::mainline, true))["blk.1.ffn_down.weight"],
              "q4_1");
}

TEST(preset, experts) {
    const applied eight("q4_k_m", model(16, 4, 8));
    EXPECT_EQ(eight["blk.5.attn_v.weight"], "q8_0");
    EXPECT_EQ(eight["blk.5.attn_k.weight"], "q8_0");
    EXPECT_EQ(eight["blk.5.attn_output.weight"], "q5_K");
    EXPECT_EQ(eight["blk.5.ffn_gate_inp.weight"], "bf16");
    EXPECT_EQ(eight.layers("ffn_down_exps.weight", type_id::q6_K),
              (layers{0, 1, 4, 7, 10, 13, 14, 15}));
    const applied many("q4_k_m", model(16, 4, 128));
    EXPECT_EQ(many["blk.5.attn_k.weight"], "q4_K");
    const applied ik("iq2_kl", model(16, 4, 128), with(dialect::ik));
    EXPECT_EQ(ik["blk.5.attn_v.weight"], "q8_0");
    EXPECT_EQ(ik["blk.5.attn_k.weight"], "q8_0");
    EXPECT_EQ(ik["blk.5.attn_output.weight"], "iq4_ks");
    EXPECT_EQ(applied("mxfp4_moe", model(4, 4, 32))["blk.1.ffn_up_exps.weight"], "mxfp4");
    EXPECT_EQ(applied("mxfp4_moe", model(4, 4, 32))["blk.1.attn_q.weight"], "q8_0");
}

TEST(preset, mixes_of_ik) {
    const applied kl("iq3_kl", model(16, 4), with(dialect::ik));
    EXPECT_EQ(kl["blk.2.ffn_up.weight"], "iq3_k");
    EXPECT_EQ(kl["blk.4.ffn_up.weight"], "iq4_ks");
    EXPECT_EQ(kl["blk.0.ffn_down.weight"], "iq4_ks");
    EXPECT_EQ(kl["blk.2.attn_output.weight"], "iq4_ks");
    EXPECT_EQ(kl["blk.2.attn_v.weight"], "iq5_k");
    EXPECT_EQ(kl["output.weight"], "q6_K");
    const auto tied = model(16, 4, 1, false);
    EXPECT_EQ(applied("iq3_kl", tied, with(dialect::ik))["token_embd.weight"], "iq5_k");
    EXPECT_EQ(applied("iq2_ks", tied, with(dialect::ik))["token_embd.weight"], "iq4_k");
    EXPECT_EQ(applied("iq2_xs_r4", tied, with(dialect::ik))["token_embd.weight"], "iq4_k");
    EXPECT_EQ(applied("iq4_ks", model(16, 2), with(dialect::ik))["blk.9.attn_v.weight"], "iq5_k");
    EXPECT_EQ(applied("q5_k_m", model(16, 4), with(dialect::ik))["blk.3.attn_v.weight"], "q6_K");
    EXPECT_EQ(applied("q4_0", model(16, 4), with(dialect::ik))["blk.3.attn_v.weight"], "q4_0");
}

TEST(preset, pure_and_custom_and_fallback) {
    auto o = with(dialect::ik, true);
    o.pure = true;
    const auto tensors = model(16, 4, 8);
    const applied pure("iq2_m", tensors, o);
    for (const auto& tensor : tensors) {
        if (tensor.source == type_id::bf16 && tensor.name.find("gate_inp") == std::string::npos) {
            EXPECT_EQ(pure[tensor.name], "iq2_s") << tensor.name;
        }
    }
    o.pure = false;
    o.custom = parse_custom_q("attn=iq5_k,token_embd.weight=q4_k_r4,ffn_down_exps=iq4_ks").value();
    o.output = type_id::q8_0;
    const applied custom("iq2_m", tensors, o);
    EXPECT_EQ(custom["blk.1.attn_v.weight"], "iq5_k");
    EXPECT_EQ(custom["blk.1.attn_norm.weight"], "f32");
    EXPECT_EQ(custom["token_embd.weight"], "q4_K");
    EXPECT_EQ(custom["output.weight"], "q8_0");
    EXPECT_EQ(custom["blk.1.ffn_up_exps.weight"], "iq2_s");

    const auto odd = model(16, 4, 1, true, 1056);
    EXPECT_EQ(applied("q4_k_m", odd)["blk.3.ffn_up.weight"], "q5_0");
    EXPECT_EQ(applied("q4_k_m", odd)["output.weight"], "q8_0");
    EXPECT_EQ(applied("iq2_m", odd)["blk.3.ffn_up.weight"], "iq4_nl");
    EXPECT_EQ(applied("q5_k_s", odd)["blk.3.ffn_up.weight"], "q5_1");
    EXPECT_EQ(applied("q5_k_s", odd, with(dialect::ik))["blk.3.ffn_up.weight"], "q6_0");
}

TEST(preset, fused_attention_old_and_new) {
    std::vector<preset_tensor> tensors;
    for (int i = 0; i < 16; ++i) {
        const auto blk = "blk." + std::to_string(i) + ".";
        tensors.push_back({blk + "attn_qkv.weight", {1024, 3072}, type_id::bf16});
        tensors.push_back({blk + "attn_output.weight", {1024, 1024}, type_id::bf16});
    }
    preset_options o;
    EXPECT_EQ(applied("q4_k_m", tensors, o).layers("attn_qkv.weight", type_id::q6_K).size(), 8u);
    o.older_fused_attention = true;
    EXPECT_EQ(applied("q4_k_m", tensors, o).layers("attn_qkv.weight", type_id::q5_K).size(), 16u);
}

TEST(preset, published_sizes) {
    PLAN_TEST_NEEDS_SHIPPED_DATA();
    const auto map = read_tensor_map(
        read(shipped_folder() / "Qwen3-4B-Thinking-2507/group0/tensors.bf16.map"), "bf16.map");
    ASSERT_TRUE(map.ok()) << map.error().message;
    std::vector<preset_tensor> tensors;
    for (const auto& t : map->tensors) tensors.push_back({t.name, t.shape, t.type});
    const auto csv = read_csv(read(shipped_folder() / "presets_measured.csv"), "presets").value();
    ASSERT_EQ(csv.rows.size(), 23u);
    for (const auto& row : csv.rows) {
        const auto cell = [&](const char* column) { return row.cells[*csv.column(column)]; };
        preset_options o;
        o.imatrix = true;
        if (!cell("token_embd_override").empty()) {
            o.token_embd = bpw::type_from_name(cell("token_embd_override")).value();
        }
        const auto types =
            preset_types(find_preset(cell("preset")).value(), describe(tensors), tensors, o);
        ASSERT_TRUE(types.ok()) << types.error().message;
        double bits = 0;
        double weights = 0;
        for (std::size_t i = 0; i < tensors.size(); ++i) {
            const auto& t = map->tensors[i];
            bits += 8.0 *
                    static_cast<double>(bpw::tensor_bytes((*types)[i], t.rows(), t.cols()).value());
            weights += static_cast<double>(t.elements);
        }
        EXPECT_NEAR(bits / weights, parse_number(cell("bpw")).value(), 0.0005 + 1e-9)
            << cell("published_name");
        EXPECT_EQ(preset_types(find_preset(cell("published_name")).value(), describe(tensors),
                               tensors, with(dialect::mainline, true))
                      .value(),
                  *types)
            << cell("published_name");
    }
}

}  // namespace
}  // namespace plan_test
