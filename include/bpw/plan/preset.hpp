// The named mixes of llama-quantize (q4_k_m, iq2_m, ...) as rules: which type each tensor gets.
//
// The rules are facts about llama.cpp (007dbbf3) and ik_llama.cpp (8337e4cd), whose mixes bear the
// same names and differ. They stand in tables below: a mix has a base type, and rows say for which
// role of a tensor, and under which conditions, another type takes its place. The first row that
// fits decides.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/core/type_id.hpp>
#include <bpw/formats/registry.hpp>
#include <bpw/plan/recipe.hpp>
#include <bpw/plan/stored_type.hpp>
#include <bpw/plan/text.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

BPW_NAMESPACE_BEGIN
namespace plan {

/// A tensor of the model that is quantized.
struct preset_tensor {
    std::string name;
    std::vector<std::uint64_t> shape;  ///< the first dimension is the row length
    type_id source;                    ///< its type before, which it keeps if it is not quantized
};

/// What the rules ask about a model.
struct preset_model {
    std::uint64_t layers = 0;
    std::uint64_t experts = 1;       ///< of a layer; 1 for dense models
    std::uint64_t heads_per_kv = 1;  ///< query heads that share a key and value head
    std::uint64_t vocabulary = 0;
    std::uint64_t weights = 0;   ///< of all tensors together
    bool tied_embedding = true;  ///< there is no output.weight
    /// As in a file's general.architecture; Falcon (`falcon`) has rules of its own.
    std::string architecture;
};

/// How a mix is applied.
struct preset_options {
    dialect project = dialect::mainline;  ///< whose rules; `any` means mainline
    bool imatrix = false;                 ///< there is an importance matrix
    bool pure = false;                    ///< the base type for every tensor
    /// Fused attn_qkv and attn_kv_b by rules of their own, as llama.cpp before 2026 did, and not
    /// as attn_v.
    bool older_fused_attention = false;
    std::optional<type_id> token_embd;  ///< --token-embedding-type
    std::optional<type_id> output;      ///< --output-tensor-type
    std::vector<recipe_rule> custom;    ///< --custom-q or --tensor-type: decide before the mix
};

namespace detail {

using role_set = std::uint32_t;
namespace role {
inline constexpr role_set output = 1, token_embd = 2, attn_v = 4, attn_k = 8, attn_q = 16, qkv = 32,
                          attn_output = 64, ffn_down = 128, ffn_gate = 256, ffn_up = 512,
                          other = 1024, ffn = ffn_down | ffn_gate | ffn_up, any = 2047;
}

using condition = std::uint32_t;
namespace when {
inline constexpr condition always = 0,
                           early = 1 << 0,  // i < n/8
    sixteenth = 1 << 1,                     // i < n/16
    more = 1 << 2,                          // first and last eighth, every third between
    middle = 1 << 3,                        // n/8 <= i < 7n/8
    first_ones = 1 << 4,                    // running number below n/8, of experts too
    first2 = 1 << 5,                        // the first two of the role
    first4 = 1 << 6,                        // the first four of the role
    gqa4 = 1 << 7,                          // heads_per_kv >= 4
    gqa2 = 1 << 8,                          // heads_per_kv >= 2
    experts_are_8 = 1 << 9,                 //
    experts2 = 1 << 10,                     // two or more
    experts4 = 1 << 11,                     //
    experts8 = 1 << 12,                     //
    imatrix = 1 << 13,                      //
    no_imatrix = 1 << 14,                   //
    tied = 1 << 15,                         // the embedding is the output too
    misfit = 1 << 16,                       // the row is not whole blocks of the base type
    misfit256 = 1 << 17,                    // the row is not whole blocks of 256
    shared_expert = 1 << 18,                // _shexp
    first_block = 1 << 19,                  // blk.0
    stacked = 1 << 20,                      // a third dimension above 1
    seventy = 1 << 21,                      // a 70B model: 80 layers, 8 heads per kv
    large_vocabulary = 1 << 22,             // of an 8B or 70B model
    falcon = 1 << 23;                       //
}

enum class change : std::uint8_t { set, keep, lift, lift_70b };

// Mixes are listed as words; "*" stands for all.
struct preset_row {
    std::string_view mixes;
    role_set roles;
    condition conditions;
    type_id type;
    change how = change::set;
};

struct preset_mix {
    std::string_view name;
    type_id base;
    dialect project;  // any: both
};

namespace tables {

using t = type_id;

// clang-format off
inline constexpr preset_mix preset_mixes[] = {
    {"f32", t::f32, dialect::any}, {"f16", t::f16, dialect::any}, {"bf16", t::bf16, dialect::any},
    {"q4_0", t::q4_0, dialect::any}, {"q4_1", t::q4_1, dialect::any},
    {"q5_0", t::q5_0, dialect::any}, {"q5_1", t::q5_1, dialect::any},
    {"q8_0", t::q8_0, dialect::any}, {"q1_0", t::q1_0, dialect::any},
    {"q2_k", t::q2_K, dialect::any}, {"q2_k_s", t::q2_K, dialect::any},
    {"q3_k_s", t::q3_K, dialect::any}, {"q3_k_m", t::q3_K, dialect::any},
    {"q3_k_l", t::q3_K, dialect::any},
    {"q4_k_s", t::q4_K, dialect::any}, {"q4_k_m", t::q4_K, dialect::any},
    {"q5_k_s", t::q5_K, dialect::any}, {"q5_k_m", t::q5_K, dialect::any},
    {"q6_k", t::q6_K, dialect::any},
    {"iq1_s", t::iq1_s, dialect::any}, {"iq1_m", t::iq1_m, dialect::any},
    {"iq2_xxs", t::iq2_xxs, dialect::any}, {"iq2_xs", t::iq2_xs, dialect::any},
    {"iq2_s", t::iq2_xs, dialect::any}, {"iq2_m", t::iq2_s, dialect::any},
    {"iq3_xxs", t::iq3_xxs, dialect::any}, {"iq3_xs", t::iq3_s, dialect::any},
    {"iq3_s", t::iq3_s, dialect::any}, {"iq3_m", t::iq3_s, dialect::any},
    {"iq4_nl", t::iq4_nl, dialect::any}, {"iq4_xs", t::iq4_xs, dialect::any},
    {"tq1_0", t::tq1_0, dialect::mainline}, {"tq2_0", t::tq2_0, dialect::mainline},
    {"q2_0", t::q2_0, dialect::mainline}, {"mxfp4_moe", t::mxfp4, dialect::mainline},
    {"nvfp4", t::nvfp4, dialect::mainline},
    {"q6_0", t::q6_0, dialect::ik}, {"q8_kv", t::q8_KV, dialect::ik},
    {"mxfp4", t::mxfp4, dialect::ik}, {"bf16_r16", t::bf16_r16, dialect::ik},
    {"iq1_bn", t::iq1_bn, dialect::ik}, {"iq2_bn", t::iq2_bn, dialect::ik},
    {"iq1_kt", t::iq1_kt, dialect::ik}, {"iq2_kt", t::iq2_kt, dialect::ik},
    {"iq3_kt", t::iq3_kt, dialect::ik}, {"iq4_kt", t::iq4_kt, dialect::ik},
    {"iq2_k", t::iq2_k, dialect::ik}, {"iq2_ks", t::iq2_ks, dialect::ik},
    {"iq2_kl", t::iq2_kl, dialect::ik}, {"iq3_k", t::iq3_k, dialect::ik},
    {"iq3_ks", t::iq3_ks, dialect::ik}, {"iq3_kl", t::iq3_k, dialect::ik},
    {"iq4_k", t::iq4_k, dialect::ik}, {"iq4_ks", t::iq4_ks, dialect::ik},
    {"iq4_kss", t::iq4_kss, dialect::ik}, {"iq5_k", t::iq5_k, dialect::ik},
    {"iq5_ks", t::iq5_ks, dialect::ik}, {"iq6_k", t::iq6_k, dialect::ik},
    {"q4_0_r8", t::q4_0_r8, dialect::ik}, {"q5_0_r4", t::q5_0_r4, dialect::ik},
    {"q6_0_r4", t::q6_0_r4, dialect::ik}, {"q8_0_r8", t::q8_0_r8, dialect::ik},
    {"q8_kv_r8", t::q8_KV_r8, dialect::ik}, {"q8_k_r8", t::q8_k_r8, dialect::ik},
    {"mxfp4_r8", t::mxfp4_r8, dialect::ik}, {"iq4_nl_r4", t::iq4_nl_r4, dialect::ik},
    {"iq4_xs_r8", t::iq4_xs_r8, dialect::ik}, {"q2_k_r4", t::q2_k_r4, dialect::ik},
    {"q3_k_r4", t::q3_k_r4, dialect::ik}, {"q4_k_r4", t::q4_k_r4, dialect::ik},
    {"q5_k_r4", t::q5_k_r4, dialect::ik}, {"q6_k_r4", t::q6_k_r4, dialect::ik},
    {"iq1_s_r4", t::iq1_s_r4, dialect::ik}, {"iq1_m_r4", t::iq1_m_r4, dialect::ik},
    {"iq2_bn_r4", t::iq2_bn_r4, dialect::ik}, {"iq2_xxs_r4", t::iq2_xxs_r4, dialect::ik},
    {"iq2_xs_r4", t::iq2_xs_r4, dialect::ik}, {"iq2_m_r4", t::iq2_s_r4, dialect::ik},
    {"iq3_xxs_r4", t::iq3_xxs_r4, dialect::ik}, {"iq3_s_r4", t::iq3_s_r4, dialect::ik},
    {"iq2_k_r4", t::iq2_k_r4, dialect::ik}, {"iq3_k_r4", t::iq3_k_r4, dialect::ik},
    {"iq4_k_r4", t::iq4_k_r4, dialect::ik}, {"iq5_k_r4", t::iq5_k_r4, dialect::ik},
    {"iq4_ks_r4", t::iq4_ks_r4, dialect::ik}, {"iq5_ks_r4", t::iq5_ks_r4, dialect::ik},
};

// Other names of mixes. Publishers' large ones have q8_0 in the head.
struct preset_alias {
    std::string_view name;
    std::string_view mix;
    bool head_q8_0;
};
inline constexpr preset_alias preset_aliases[] = {
    {"q3_k", "q3_k_m", false}, {"q4_k", "q4_k_m", false}, {"q5_k", "q5_k_m", false},
    {"q1_0_g128", "q1_0", false},
    {"q2_k_l", "q2_k", true}, {"q3_k_xl", "q3_k_l", true}, {"q4_k_l", "q4_k_m", true},
    {"q5_k_l", "q5_k_m", true}, {"q6_k_l", "q6_k", true},
};

inline constexpr std::string_view low_bit_mainline = "iq1_s iq1_m iq2_xxs iq2_xs iq2_s iq2_m";
inline constexpr std::string_view two_bit_s = "iq2_s iq2_m iq2_m_r4";

inline constexpr preset_row mainline_rows[] = {
    // head
    {"mxfp4_moe", role::any, when::stacked, t::mxfp4},
    {"mxfp4_moe", role::any, when::always, t::q8_0},
    {"*", role::output, when::misfit, t::q8_0},
    {"*", role::output, when::falcon, t::q8_0},
    {"iq1_s iq1_m iq2_xxs iq2_xs iq2_s iq2_m iq3_xxs", role::output, when::always, t::q5_K},
    {"q8_0", role::output, when::always, t::q8_0},
    {"*", role::output, when::always, t::q6_K},
    {"iq1_s iq1_m iq2_xxs iq2_xs", role::token_embd, when::always, t::q2_K},
    {"iq2_s iq2_m iq3_xxs", role::token_embd, when::always, t::iq3_s},
    {"tq1_0 tq2_0 q2_0", role::token_embd, when::always, t::q4_K},
    // one and two bits
    {low_bit_mainline, role::attn_v, when::gqa4, t::q4_K},
    {low_bit_mainline, role::attn_v, when::experts4, t::q4_K},
    {"iq2_s iq2_m", role::attn_v, when::always, t::iq3_s},
    {low_bit_mainline, role::attn_v, when::always, t::q2_K},
    {low_bit_mainline, role::attn_k, when::experts_are_8, t::q4_K},
    {"iq2_s iq2_m", role::ffn_down, when::first_ones, t::iq3_s},
    {low_bit_mainline, role::ffn_down, when::first_ones, t::q2_K},
    {low_bit_mainline, role::attn_output, when::experts_are_8, t::q5_K},
    {"iq1_s iq1_m", role::attn_output, when::always, t::iq2_xxs},
    {"iq2_s iq2_m", role::attn_output, when::always, t::iq3_s},
    {low_bit_mainline, role::any, when::always, t::f32, change::keep},
    // attn_v
    {"*", role::attn_v, when::experts_are_8, t::q8_0},
    {"q2_k", role::attn_v, when::gqa4, t::q4_K},
    {"q2_k", role::attn_v, when::always, t::q3_K},
    {"q2_k_s", role::attn_v, when::gqa4, t::q4_K},
    {"iq3_xxs", role::attn_v, when::gqa4, t::q4_K},
    {"iq3_xxs", role::attn_v, when::no_imatrix, t::iq3_s},
    {"iq3_xs iq3_s", role::attn_v, when::gqa4, t::q4_K},
    {"iq3_m", role::attn_v, when::always, t::q4_K},
    {"q3_k_m", role::attn_v, when::first2, t::q5_K},
    {"q3_k_m", role::attn_v, when::always, t::q4_K},
    {"q3_k_l", role::attn_v, when::always, t::q5_K},
    {"iq4_nl iq4_xs", role::attn_v, when::gqa4, t::q5_K},
    {"q4_k_m q5_k_m", role::attn_v, when::more, t::q6_K},
    {"q4_k_s", role::attn_v, when::first4, t::q5_K},
    // attn_k, attn_q
    {"*", role::attn_k, when::experts_are_8, t::q8_0},
    {"iq3_xs", role::attn_k | role::attn_q, when::always, t::iq3_xxs},
    {"iq3_xxs", role::attn_k | role::attn_q, when::always, t::iq2_s},
    // ffn_down
    {"q2_k", role::ffn_down, when::always, t::q3_K},
    {"q2_k_s", role::ffn_down, when::early, t::q4_K},
    {"iq3_xxs", role::ffn_down, when::early | when::no_imatrix, t::q4_K},
    {"iq3_xxs", role::ffn_down, when::no_imatrix, t::q3_K},
    {"q3_k_m", role::ffn_down, when::sixteenth, t::q5_K},
    {"q3_k_m", role::ffn_down, when::falcon | when::more, t::q4_K},
    {"q3_k_m", role::ffn_down, when::falcon, t::q3_K},
    {"q3_k_m", role::ffn_down, when::always, t::q4_K},
    {"iq3_m", role::ffn_down, when::early, t::q4_K},
    {"iq3_m", role::ffn_down, when::experts_are_8 | when::more, t::q4_K},
    {"q3_k_l", role::ffn_down, when::falcon, t::q4_K},
    {"q3_k_l", role::ffn_down, when::always, t::q5_K},
    {"q4_k_m", role::ffn_down, when::falcon | when::sixteenth, t::q6_K},
    {"q4_k_m", role::ffn_down, when::falcon | when::more, t::q5_K},
    {"q4_k_m", role::ffn_down, when::falcon, t::q4_K},
    {"q4_k_m q5_k_m", role::ffn_down, when::more, t::q6_K},
    {"iq4_nl iq4_xs", role::ffn_down, when::early | when::no_imatrix, t::q5_K},
    {"q4_k_s", role::ffn_down, when::falcon, t::f32, change::keep},
    {"q4_k_s", role::ffn_down, when::early, t::q5_K},
    {"q4_0", role::ffn_down, when::early | when::imatrix, t::q4_1},
    {"q5_0", role::ffn_down, when::early | when::imatrix, t::q5_1},
    // attn_output
    {"q3_k_l", role::attn_output, when::falcon, t::q4_K},
    {"*", role::attn_output, when::falcon, t::f32, change::keep},
    {"q2_k q3_k_s q3_k_m q4_k_s q4_k_m iq3_xxs iq3_xs iq3_s iq3_m iq4_nl iq4_xs", role::attn_output,
     when::experts_are_8, t::q5_K},
    {"*", role::attn_output, when::experts_are_8, t::f32, change::keep},
    {"q2_k", role::attn_output, when::always, t::q3_K},
    {"iq3_xxs", role::attn_output, when::always, t::iq3_s},
    {"q3_k_m iq3_m", role::attn_output, when::always, t::q4_K},
    {"q3_k_l", role::attn_output, when::always, t::q5_K},
    // fused attention, where it is no attn_v
    {"q3_k_m q3_k_l iq3_m", role::qkv, when::always, t::q4_K},
    {"q4_k_m", role::qkv, when::always, t::q5_K},
    {"q5_k_m", role::qkv, when::always, t::q6_K},
    // ffn_gate, ffn_up
    {"iq3_xs", role::ffn_gate | role::ffn_up, when::middle, t::iq3_xxs},
};

inline constexpr std::string_view one_bit_r4 = "iq1_s_r4 iq1_m_r4";
inline constexpr std::string_view low_bit_ik =
    "iq1_s iq1_m iq2_xxs iq2_xs iq2_s iq2_m iq2_ks iq2_xxs_r4 iq2_xs_r4 iq2_m_r4";

inline constexpr preset_row ik_rows[] = {
    // head
    {"*", role::output, when::misfit256, t::q8_0},
    {"*", role::output, when::falcon, t::q8_0},
    {"iq1_s iq1_m iq2_xxs iq2_xs iq2_s iq2_m iq2_ks iq2_k iq2_kl iq3_xxs iq3_k iq3_ks iq1_kt iq2_kt "
     "iq3_kt iq1_s_r4 iq1_m_r4 iq2_m_r4 iq2_k_r4 iq3_k_r4 iq3_xxs_r4",
     role::output, when::tied, t::iq4_k},
    {"iq1_s iq1_m iq2_xxs iq2_xs iq2_s iq2_m iq2_ks iq2_k iq2_kl iq3_xxs iq3_k iq3_ks iq1_kt iq2_kt "
     "iq3_kt iq1_s_r4 iq1_m_r4 iq2_m_r4 iq2_k_r4 iq3_k_r4 iq3_xxs_r4",
     role::output, when::always, t::q5_K},
    {"iq2_xxs_r4 iq2_xs_r4", role::output, when::tied, t::iq4_k_r4},
    {"iq2_xxs_r4 iq2_xs_r4", role::output, when::always, t::q5_k_r4},
    {"iq3_s iq3_m iq3_kl iq4_xs iq4_ks iq4_kss iq3_s_r4 iq4_ks_r4", role::output, when::tied,
     t::iq5_k},
    {"q8_0 q8_0_r8 iq6_k q6_k_r4 q8_k_r8 q8_kv q8_kv_r8", role::output, when::always, t::f32,
     change::keep},
    {"*", role::output, when::always, t::q6_K},
    {"iq1_s iq1_m iq2_xxs iq2_xs iq1_s_r4 iq1_m_r4 iq2_xxs_r4 iq2_xs_r4", role::token_embd,
     when::always, t::q2_K},
    {"iq2_s iq2_m iq2_m_r4 iq3_xxs iq3_kt", role::token_embd, when::always, t::iq3_s},
    {"iq3_xxs_r4", role::token_embd, when::always, t::iq3_k},
    {"iq1_bn iq2_bn iq2_bn_r4", role::token_embd, when::always, t::iq4_nl},
    {"*", role::token_embd, when::always, t::f32, change::keep},
    // one bit, rows interleaved
    {one_bit_r4, role::attn_v, when::experts4, t::iq4_k_r4},
    {one_bit_r4, role::attn_v, when::gqa4, t::iq4_k_r4},
    {one_bit_r4, role::attn_v, when::gqa2, t::iq3_k_r4},
    {one_bit_r4, role::attn_v, when::always, t::q2_k_r4},
    {one_bit_r4, role::attn_k, when::experts8, t::q4_k_r4},
    {one_bit_r4, role::ffn, when::experts8 | when::first_block, t::iq3_k_r4},
    {one_bit_r4, role::attn_q | role::qkv, when::experts8, t::q4_k_r4},
    {one_bit_r4, role::qkv, when::always, t::iq2_k_r4},
    {one_bit_r4, role::any, when::shared_expert, t::iq4_k_r4},
    {one_bit_r4, role::ffn_down, when::early, t::q2_k_r4},
    {one_bit_r4, role::attn_output, when::experts4, t::q5_k_r4},
    {one_bit_r4, role::attn_output, when::always, t::iq2_k_r4},
    {one_bit_r4, role::any, when::always, t::f32, change::keep},
    // iq2_kt
    {"iq2_kt", role::attn_v, when::experts4, t::iq4_k},
    {"iq2_kt", role::attn_v, when::gqa4, t::iq4_k},
    {"iq2_kt", role::attn_v, when::gqa2, t::iq3_k},
    {"iq2_kt", role::attn_v, when::always, t::q2_K},
    {"iq2_kt", role::attn_k, when::experts8, t::q4_K},
    {"iq2_kt", role::ffn, when::experts8 | when::first_block, t::iq3_k},
    {"iq2_kt", role::attn_q | role::qkv, when::experts8, t::q4_K},
    {"iq2_kt", role::qkv, when::always, t::iq3_k},
    {"iq2_kt", role::any, when::shared_expert, t::iq4_k},
    {"iq2_kt", role::ffn_down, when::early, t::iq3_k},
    {"iq2_kt", role::attn_output, when::experts4, t::q5_K},
    {"iq2_kt", role::attn_output, when::always, t::iq3_k},
    {"iq2_kt", role::any, when::always, t::f32, change::keep},
    // one and two bits
    {low_bit_ik, role::attn_v, when::gqa4, t::iq4_k},
    {low_bit_ik, role::attn_v, when::experts4, t::iq4_k},
    {low_bit_ik, role::attn_v, when::gqa2, t::iq3_k},
    {low_bit_ik, role::attn_v, when::experts2, t::iq3_k},
    {two_bit_s, role::attn_v, when::always, t::iq3_s},
    {low_bit_ik, role::attn_v, when::always, t::q2_K},
    {low_bit_ik, role::attn_k | role::attn_q | role::qkv, when::experts8, t::q4_K},
    {two_bit_s, role::qkv, when::always, t::iq3_xxs},
    {low_bit_ik, role::qkv, when::always, t::iq2_k},
    {two_bit_s, role::ffn_down, when::first_ones, t::iq3_s},
    {low_bit_ik, role::ffn_down, when::first_ones, t::q2_K},
    {low_bit_ik, role::attn_output, when::experts4, t::q5_K},
    {"iq1_s iq1_m", role::attn_output, when::always, t::iq2_k},
    {two_bit_s, role::attn_output, when::always, t::iq3_s},
    {low_bit_ik, role::any, when::always, t::f32, change::keep},
    // attn_v
    {"*", role::attn_v, when::experts4, t::q8_0},
    {"*", role::attn_v, when::seventy, t::f32, change::lift_70b},
    {"q2_k", role::attn_v, when::gqa4, t::q4_K},
    {"q2_k", role::attn_v, when::always, t::q3_K},
    {"iq2_k", role::attn_v, when::gqa2, t::iq4_k},
    {"iq2_k", role::attn_v, when::always, t::iq3_k},
    {"iq2_k_r4", role::attn_v, when::gqa2, t::iq4_k_r4},
    {"iq2_k_r4", role::attn_v, when::always, t::iq3_k_r4},
    {"q2_k_s", role::attn_v, when::gqa4, t::q4_K},
    {"q2_k_r4", role::attn_v, when::gqa4, t::q4_k_r4},
    {"iq3_xxs", role::attn_v, when::gqa4, t::q4_K},
    {"iq3_xxs", role::attn_v, when::gqa2, t::iq3_k},
    {"iq3_xxs", role::attn_v, when::no_imatrix, t::iq3_s},
    {"iq3_xxs_r4", role::attn_v, when::gqa4, t::q4_k_r4},
    {"iq3_xxs_r4", role::attn_v, when::gqa2, t::iq3_k_r4},
    {"iq3_xxs_r4", role::attn_v, when::no_imatrix, t::iq3_k_r4},
    {"iq3_xxs iq3_xxs_r4", role::attn_v, when::always, t::f32, change::keep},
    {"iq3_kt", role::attn_v, when::gqa4, t::iq4_k},
    {"iq3_kt", role::attn_v, when::always, t::iq3_k},
    {"iq4_kt", role::attn_v, when::gqa4, t::iq5_k},
    {"iq4_kt", role::attn_v, when::always, t::iq4_k},
    {"iq3_xs iq3_s iq3_k", role::attn_v, when::gqa2, t::iq4_k},
    {"iq3_s_r4 iq3_k_r4", role::attn_v, when::gqa2, t::iq4_k_r4},
    {"iq3_ks iq2_kl", role::attn_v, when::gqa2, t::iq4_ks},
    {"iq3_kl iq3_m", role::attn_v, when::gqa2, t::iq5_k},
    {"iq3_kl iq3_m", role::attn_v, when::always, t::iq4_k},
    {"q3_k_m", role::attn_v, when::first2, t::q5_K},
    {"q3_k_m", role::attn_v, when::always, t::q4_K},
    {"q3_k_l", role::attn_v, when::always, t::q5_K},
    {"iq4_nl iq4_xs iq4_ks iq4_kss iq4_k iq4_nl_r4 iq4_xs_r8 iq4_k_r4", role::attn_v, when::gqa2,
     t::iq5_k},
    {"iq4_ks_r4", role::attn_v, when::gqa2, t::iq5_k_r4},
    {"q4_k_m q5_k_m", role::attn_v, when::more, t::q6_K},
    {"q4_k_s q4_k_r4", role::attn_v, when::first4, t::q5_K},
    {"q5_k_s", role::attn_v, when::large_vocabulary, t::q6_K},
    {"iq5_k iq5_ks", role::attn_v, when::large_vocabulary, t::iq6_k},
    {"q5_k_s iq5_k iq5_ks", role::attn_v, when::always, t::f32, change::keep},
    {"*", role::attn_v, when::gqa4, t::f32, change::lift},
    // attn_k, attn_q
    {"*", role::attn_k, when::experts4, t::q8_0},
    {"iq3_xs", role::attn_k | role::attn_q | role::qkv, when::always, t::iq3_xxs},
    {"iq3_xxs iq3_xxs_r4", role::attn_k | role::attn_q | role::qkv, when::always, t::iq2_s},
    {"q5_k_s", role::attn_q | role::qkv, when::large_vocabulary, t::q4_K},
    {"iq5_k", role::attn_q | role::qkv, when::large_vocabulary, t::iq4_k},
    {"iq5_ks", role::attn_q | role::qkv, when::large_vocabulary, t::iq4_ks},
    // ffn_down
    {"q2_k", role::ffn_down, when::always, t::q3_K},
    {"q2_k_s", role::ffn_down, when::early, t::q4_K},
    {"q2_k_r4", role::ffn_down, when::early, t::q4_k_r4},
    {"iq3_xxs", role::ffn_down, when::early | when::no_imatrix, t::q4_K},
    {"iq3_xxs", role::ffn_down, when::no_imatrix, t::q3_K},
    {"iq3_kt", role::ffn_down, when::early | when::no_imatrix, t::iq4_k},
    {"iq3_kt", role::ffn_down, when::no_imatrix, t::iq3_k},
    {"iq3_xxs_r4", role::ffn_down, when::early | when::no_imatrix, t::q4_k_r4},
    {"iq3_xxs_r4", role::ffn_down, when::no_imatrix, t::iq3_k_r4},
    {"q3_k_m", role::ffn_down, when::sixteenth, t::q5_K},
    {"q3_k_m", role::ffn_down, when::falcon | when::more, t::q4_K},
    {"q3_k_m", role::ffn_down, when::falcon, t::q3_K},
    {"q3_k_m", role::ffn_down, when::always, t::q4_K},
    {"iq3_m", role::ffn_down, when::early, t::iq4_k},
    {"iq3_m", role::ffn_down, when::experts4 | when::more, t::iq4_k},
    {"q3_k_l", role::ffn_down, when::falcon, t::q4_K},
    {"q3_k_l", role::ffn_down, when::always, t::q5_K},
    {"iq3_kl", role::ffn_down, when::more, t::iq4_ks},
    {"q4_k_m", role::ffn_down, when::falcon | when::sixteenth, t::q6_K},
    {"q4_k_m", role::ffn_down, when::falcon | when::more, t::q5_K},
    {"q4_k_m", role::ffn_down, when::falcon, t::q4_K},
    {"q4_k_m q5_k_m", role::ffn_down, when::more, t::q6_K},
    {"iq4_nl iq4_xs iq4_ks iq4_kss iq4_nl_r4 iq4_xs_r8", role::ffn_down,
     when::early | when::no_imatrix, t::q5_K},
    {"iq4_ks_r4", role::ffn_down, when::early | when::no_imatrix, t::q5_k_r4},
    {"q4_k_s q4_k_r4", role::ffn_down, when::falcon, t::f32, change::keep},
    {"q4_k_s q4_k_r4", role::ffn_down, when::early, t::q5_K},
    {"q4_0", role::ffn_down, when::early | when::imatrix, t::q4_1},
    {"q5_0", role::ffn_down, when::early | when::imatrix, t::q5_1},
    {"q4_0_r8", role::ffn_down, when::early | when::imatrix, t::iq4_nl_r4},
    // attn_output
    {"q3_k_l", role::attn_output, when::falcon, t::q4_K},
    {"*", role::attn_output, when::falcon, t::f32, change::keep},
    {"q2_k q3_k_s q3_k_m q4_k_s q4_k_m iq3_xxs iq3_xs iq3_s iq3_m iq4_nl iq4_xs iq4_k iq4_kss iq4_ks "
     "iq5_ks iq2_k iq3_k iq3_kl iq3_kt iq3_ks iq4_ks_r4 iq5_ks_r4 q4_k_r4 iq4_nl_r4 iq4_xs_r8 q3_k_r4 "
     "q2_k_r4 iq4_k_r4 iq3_k_r4 iq2_k_r4 iq3_xxs_r4 iq3_s_r4",
     role::attn_output, when::experts4, t::q5_K},
    {"iq2_kl", role::attn_output, when::experts4, t::iq4_ks},
    {"*", role::attn_output, when::experts4, t::f32, change::keep},
    {"q2_k", role::attn_output, when::always, t::q3_K},
    {"iq3_xxs", role::attn_output, when::always, t::iq3_s},
    {"iq3_kt", role::attn_output, when::gqa4, t::iq3_k},
    {"iq3_xxs_r4 iq2_k_r4", role::attn_output, when::always, t::iq3_k_r4},
    {"q3_k_m", role::attn_output, when::always, t::q4_K},
    {"q3_k_l", role::attn_output, when::always, t::q5_K},
    {"iq3_m", role::attn_output, when::always, t::iq4_k},
    {"iq2_k", role::attn_output, when::always, t::iq3_k},
    {"iq3_kl", role::attn_output, when::always, t::iq4_ks},
    // ffn_gate, ffn_up
    {"iq3_xs", role::ffn_gate | role::ffn_up, when::middle, t::iq3_xxs},
    {"iq3_kl", role::ffn_gate | role::ffn_up, when::more, t::iq4_ks},
};

// ik_llama.cpp, attn_v shared by four heads or more: one step up.
inline constexpr std::pair<type_id, type_id> lifts[] = {
    {t::q2_K, t::iq3_s}, {t::iq3_xxs, t::iq3_s}, {t::q2_k_r4, t::iq3_k_r4},
    {t::iq3_xxs_r4, t::iq3_k_r4}, {t::q3_K, t::q4_K}, {t::iq3_s, t::q4_K}, {t::iq3_k, t::iq4_k},
    {t::iq3_ks, t::iq4_ks}, {t::iq2_kl, t::iq4_ks}, {t::iq3_s_r4, t::q4_k_r4},
    {t::q3_k_r4, t::q4_k_r4}, {t::q4_K, t::q5_K}, {t::iq4_xs, t::q5_K}, {t::iq4_nl, t::q5_K},
    {t::iq4_k, t::iq5_k}, {t::iq4_ks, t::iq5_k}, {t::iq4_nl_r4, t::q5_K}, {t::iq4_xs_r8, t::q5_K},
    {t::q5_K, t::q6_K}, {t::iq5_k, t::iq6_k}, {t::iq5_ks, t::iq6_k},
};
// The same for 70B models, whatever the mix.
inline constexpr std::pair<type_id, type_id> lifts_70b[] = {
    {t::q3_K, t::q5_K}, {t::q4_K, t::q5_K}, {t::iq3_k, t::iq5_k},
};

// Parts of names that are not quantized.
inline constexpr std::string_view unquantized_parts[] = {
    "_norm.weight", "ffn_gate_inp.weight", "ssm_conv1d", "attn_rel_b.weight",
};
inline constexpr std::string_view unquantized_parts_ik[] = {"ssm_x.weight", "ssm_dt.weight"};
inline constexpr std::string_view unquantized_parts_mainline[] = {
    "ffn_gate_tid2eid.weight", "altup", "laurel", "per_layer_model_proj", "shortconv.conv.weight",
    "indexer.k_proj.weight", "indexer.q_proj.weight", "time_mix_first.weight",
    "time_mix_w0.weight", "time_mix_w1.weight", "time_mix_w2.weight", "time_mix_v0.weight",
    "time_mix_v1.weight", "time_mix_v2.weight", "time_mix_a0.weight", "time_mix_a1.weight",
    "time_mix_a2.weight", "time_mix_g1.weight", "time_mix_g2.weight", "time_mix_decay_w1.weight",
    "time_mix_decay_w2.weight", "time_mix_lerp_fused.weight", ".position_embd", "sam.pos_embd",
    "sam.neck.", "sam.net_", ".rel_pos", ".patch_embd", ".patch_merger", "a.rvq.codebook",
    "mm.a.code_embd",
};
// clang-format on

}  // namespace tables

[[nodiscard]] constexpr bool has_word(std::string_view words, std::string_view word) noexcept {
    if (words == "*") return true;
    for (std::size_t at = 0; (at = words.find(word, at)) != words.npos; ++at) {
        const auto end = at + word.size();
        if ((at == 0 || words[at - 1] == ' ') && (end == words.size() || words[end] == ' ')) {
            return true;
        }
    }
    return false;
}

template <std::size_t N>
[[nodiscard]] constexpr type_id stepped(type_id type,
                                        const std::pair<type_id, type_id> (&steps)[N]) noexcept {
    for (const auto& [from, to] : steps) {
        if (from == type) return to;
    }
    return type;
}

[[nodiscard]] inline std::optional<std::uint64_t> block_number(std::string_view name) {
    const auto split = split_layer(name);
    return split && split->before == "blk." ? std::optional<std::uint64_t>(split->layer)
                                            : std::nullopt;
}

[[nodiscard]] inline bool is_quantized(const preset_tensor& tensor, bool ik) {
    const std::string_view name = tensor.name;
    const auto has = [&](std::string_view part) { return name.find(part) != name.npos; };
    std::size_t dimensions = 0;
    for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
        if (tensor.shape[i] > 1) dimensions = i + 1;
    }
    const bool special = ik ? std::any_of(std::begin(tables::unquantized_parts_ik),
                                          std::end(tables::unquantized_parts_ik), has)
                            : std::any_of(std::begin(tables::unquantized_parts_mainline),
                                          std::end(tables::unquantized_parts_mainline), has);
    return dimensions >= 2 && name.ends_with("weight") && !special &&
           std::none_of(std::begin(tables::unquantized_parts), std::end(tables::unquantized_parts),
                        has) &&
           name != "position_embd.weight" && name != "token_types.weight";
}

[[nodiscard]] inline role_set role_of(std::string_view name, bool tied, bool ik, bool older) {
    const auto has = [&](std::string_view part) { return name.find(part) != name.npos; };
    const bool embedding = name == "token_embd.weight";
    const bool layered = name == "per_layer_token_embd.weight";
    if (name == "output.weight" || (tied && (embedding || (layered && !ik)))) return role::output;
    if (embedding || layered) return role::token_embd;
    const bool fused = has("attn_qkv.weight");
    if (!ik && (fused || has("attn_kv_b.weight"))) {
        return !older ? role::attn_v : fused ? role::qkv : role::other;
    }
    if (has("attn_v.weight")) return role::attn_v;
    if (has(ik ? "attn_k" : "attn_k.weight")) return role::attn_k;
    if (fused) return role::qkv;
    if (has(ik ? "attn_q" : "attn_q.weight")) return role::attn_q;
    if (has("attn_output.weight")) return role::attn_output;
    if (has("ffn_down")) return role::ffn_down;
    if (has("ffn_gate")) return role::ffn_gate;
    if (has("ffn_up")) return role::ffn_up;
    return role::other;
}

}  // namespace detail

/// A named mix.
struct preset {
    std::string name;        ///< in lower case, as given
    std::string mix;         ///< whose rules apply
    type_id base;            ///< of every tensor that no rule names
    bool head_q8_0 = false;  ///< token_embd and output in q8_0: publishers' `_L` and `_XL`
};

/// The mix of a name, compared without case: `Q4_K_M`, `iq2_m`, `q3_k_xl`. Errors: `not_found`.
[[nodiscard]] inline result<preset> find_preset(std::string_view name,
                                                dialect project = dialect::mainline) {
    preset p{lower(name), lower(name), type_id::f32, false};
    for (const auto& alias : detail::tables::preset_aliases) {
        if (alias.name == p.name) {
            p.mix = std::string(alias.mix);
            p.head_q8_0 = alias.head_q8_0;
        }
    }
    for (const auto& mix : detail::tables::preset_mixes) {
        const bool mine =
            mix.project == dialect::any || (mix.project == dialect::ik) == (project == dialect::ik);
        if (mix.name == p.mix && mine) {
            p.base = mix.base;
            return p;
        }
    }
    return fail(errc::not_found, quoted(name), " is not a mix that llama-quantize of ",
                project == dialect::ik ? "ik_llama.cpp" : "llama.cpp", " knows by name");
}

/// The names of all mixes of a project, without their other names.
[[nodiscard]] inline std::vector<std::string_view> preset_names(dialect project) {
    std::vector<std::string_view> names;
    for (const auto& mix : detail::tables::preset_mixes) {
        if (mix.project == dialect::any ||
            (mix.project == dialect::ik) == (project == dialect::ik)) {
            names.push_back(mix.name);
        }
    }
    return names;
}

/// What the shapes of a model's tensors say about it: layers from `blk.N`, experts from the
/// routing or the stacked tensors, shared heads from attn_output and attn_v, or from a fused
/// attn_qkv. Where the model's own metadata is at hand, set the fields from it instead; shapes do
/// not tell the architecture.
[[nodiscard]] inline preset_model describe(std::span<const preset_tensor> tensors) {
    preset_model m;
    struct attention {
        std::uint64_t layer = 0, output_cols = 0, value_rows = 0, fused_rows = 0;
    };
    std::vector<attention> layers;
    const auto at = [&](std::uint64_t layer) -> attention& {
        for (auto& a : layers) {
            if (a.layer == layer) return a;
        }
        layers.push_back({layer, 0, 0, 0});
        return layers.back();
    };
    for (const auto& tensor : tensors) {
        const std::string_view name = tensor.name;
        const auto dim = [&](std::size_t i) {
            return i < tensor.shape.size() ? tensor.shape[i] : std::uint64_t{1};
        };
        std::uint64_t weights = 1;
        for (const auto d : tensor.shape) weights *= d;
        m.weights += weights;
        if (name == "output.weight") m.tied_embedding = false;
        if (name == "token_embd.weight") m.vocabulary = dim(1);
        const auto layer = detail::block_number(name);
        if (!layer) continue;
        m.layers = std::max(m.layers, *layer + 1);
        if (name.ends_with(".ffn_gate_inp.weight")) m.experts = std::max(m.experts, dim(1));
        if (name.ends_with("_exps.weight")) m.experts = std::max(m.experts, dim(2));
        if (name.ends_with(".attn_output.weight")) at(*layer).output_cols = dim(0);
        if (name.ends_with(".attn_v.weight")) at(*layer).value_rows = dim(1);
        if (name.ends_with(".attn_qkv.weight")) at(*layer).fused_rows = dim(1);
    }
    for (const bool fused : {false, true}) {
        for (const auto& a : layers) {
            auto values = a.value_rows;
            if (fused && a.fused_rows > a.output_cols) values = (a.fused_rows - a.output_cols) / 2;
            if (a.output_cols != 0 && values != 0 && m.heads_per_kv == 1) {
                m.heads_per_kv = std::max<std::uint64_t>(1, a.output_cols / values);
            }
        }
    }
    return m;
}

/// What a mix makes of a tensor.
struct preset_choice {
    type_id asked;   ///< by the mix's rules
    type_id stored;  ///< in its place, where the tensor's shape does not fit
};

/// The types that llama-quantize gives to the tensors of a model with a named mix, in their order.
/// Tensors that are not quantized keep their source type. Errors: those of rule_index for custom
/// rules and of stored_type.
[[nodiscard]] inline result<std::vector<preset_choice>> preset_choices(
    const preset& p, const preset_model& model, std::span<const preset_tensor> tensors,
    const preset_options& options = {}) {
    namespace when = detail::when;
    namespace role = detail::role;
    const bool ik = options.project == dialect::ik;
    const auto custom = rule_index::make(options.custom, regex_syntax::ecmascript, "--custom-q");
    if (!custom) return custom.error();
    auto token_embd = options.token_embd;
    auto output = options.output;
    if (p.head_q8_0) {
        if (!token_embd) token_embd = type_id::q8_0;
        if (!output) output = type_id::q8_0;
    }

    // llama.cpp walks through the layers in their order, ik_llama.cpp through the file.
    std::vector<std::size_t> order(tensors.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    if (!ik) {
        std::vector<std::uint64_t> layer(tensors.size());
        for (std::size_t i = 0; i < tensors.size(); ++i) {
            const auto number = detail::block_number(tensors[i].name);
            layer[i] = number ? *number + 1 : 0;
        }
        std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
            return layer[a] != layer[b] ? layer[a] < layer[b] : tensors[a].name < tensors[b].name;
        });
    }
    const auto role_of = [&](const preset_tensor& tensor) {
        return detail::role_of(tensor.name, model.tied_embedding, ik,
                               options.older_fused_attention);
    };
    const auto values = static_cast<std::uint64_t>(std::count_if(
        tensors.begin(), tensors.end(),
        [&](const preset_tensor& tensor) { return role_of(tensor) == role::attn_v; }));
    const bool seventy = model.layers == 80 && model.heads_per_kv == 8;
    const bool eight = model.weights > 7'500'000'000 && model.weights < 8'500'000'000;

    std::vector<preset_choice> choices(tensors.size());
    // For each role, a bit of a role_set, and for tensors of none.
    std::array<std::uint64_t, std::numeric_limits<detail::role_set>::digits + 1> running{};
    for (const auto index : order) {
        const auto& tensor = tensors[index];
        choices[index] = {tensor.source, tensor.source};
        if (!detail::is_quantized(tensor, ik)) continue;
        const auto dim = [&](std::size_t i) {
            return i < tensor.shape.size() ? tensor.shape[i] : std::uint64_t{1};
        };
        const auto r = role_of(tensor);
        const auto number = running[static_cast<std::size_t>(std::countr_zero(r))]++;

        detail::condition holds = 0;
        const auto hold = [&](detail::condition c, bool yes) { holds |= yes ? c : 0u; };
        const auto n = r == role::attn_v ? values : model.layers;
        auto i = number;
        if (model.experts > 1 && r != role::attn_v) {
            i = detail::block_number(tensor.name).value_or(number);
        }
        const bool ends = i < n / 8 || i >= 7 * n / 8;
        hold(when::early, i < n / 8);
        hold(when::sixteenth, i < n / 16);
        hold(when::more, ends || (i - n / 8) % 3 == 2);
        hold(when::middle, !ends);
        hold(when::first_ones, number < model.layers / 8);
        hold(when::first2, number < 2);
        hold(when::first4, number < 4);
        hold(when::gqa4, model.heads_per_kv >= 4);
        hold(when::gqa2, model.heads_per_kv >= 2);
        hold(when::experts_are_8, model.experts == 8);
        hold(when::experts2, model.experts >= 2);
        hold(when::experts4, model.experts >= 4);
        hold(when::experts8, model.experts >= 8);
        hold(when::imatrix, options.imatrix);
        hold(when::no_imatrix, !options.imatrix);
        hold(when::tied, model.tied_embedding);
        hold(when::misfit, dim(0) % info(p.base).block_size != 0);
        hold(when::misfit256, dim(0) % 256 != 0);
        hold(when::shared_expert, tensor.name.find("_shexp.weight") != std::string::npos);
        hold(when::first_block, tensor.name.starts_with("blk.0."));
        hold(when::stacked, dim(2) > 1);
        hold(when::seventy, seventy);
        hold(when::falcon, model.architecture == "falcon");
        hold(when::large_vocabulary, model.vocabulary >= 127999 && (seventy || eight));

        auto type = p.base;
        const bool plain = !info(p.base).quantized;
        const std::span<const detail::preset_row> rows =
            ik ? std::span<const detail::preset_row>(detail::tables::ik_rows)
               : std::span<const detail::preset_row>(detail::tables::mainline_rows);
        for (const auto& row : rows) {
            if (options.pure || plain || (row.roles & r) == 0 ||
                (row.conditions & holds) != row.conditions || !detail::has_word(row.mixes, p.mix)) {
                continue;
            }
            if (row.how == detail::change::set) type = row.type;
            if (row.how == detail::change::lift)
                type = detail::stepped(type, detail::tables::lifts);
            if (row.how == detail::change::lift_70b) {
                type = detail::stepped(type, detail::tables::lifts_70b);
            }
            break;
        }
        if (!ik && seventy && r == role::attn_v && !options.pure &&
            (type == type_id::q3_K || type == type_id::q4_K) &&
            !detail::has_word(detail::tables::low_bit_mainline, p.mix)) {
            type = type_id::q5_K;
        }
        if (!plain) {
            if (const auto rule = custom->find(tensor.name)) type = options.custom[*rule].type;
        }
        if (tensor.name == "output.weight" && output) type = *output;
        if (tensor.name == "token_embd.weight") {
            if (token_embd) {
                type = *token_embd;
            } else if (model.tied_embedding && output) {
                type = *output;
            }
        }
        const auto stored =
            stored_type(type, {tensor.name, dim(0), dim(1)}, ik ? dialect::ik : dialect::mainline);
        if (!stored) return stored.error();
        choices[index] = {type, *stored};
    }
    return choices;
}

/// The same, what is stored alone.
[[nodiscard]] inline result<std::vector<type_id>> preset_types(
    const preset& p, const preset_model& model, std::span<const preset_tensor> tensors,
    const preset_options& options = {}) {
    const auto choices = preset_choices(p, model, tensors, options);
    if (!choices) return choices.error();
    std::vector<type_id> types;
    for (const auto& choice : *choices) types.push_back(choice.stored);
    return types;
}

}  // namespace plan
BPW_NAMESPACE_END
