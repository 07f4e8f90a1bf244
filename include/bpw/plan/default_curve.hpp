// The cost curve that stands in where a model has none of its own.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/plan/cost_curve.hpp>

#include <string_view>

BPW_NAMESPACE_BEGIN
namespace plan {

namespace detail {

struct curve_point {
    std::string_view type;
    double loss;
};

// Kullback-Leibler divergence of Qwen3-4B-Thinking-2507 with all tensors in one type, measured by
// Thireus, the GGUF Tool Suite and its contributors (https://gguf.thireus.com/).
inline constexpr curve_point default_curve_points[] = {
    {"bf16", 0},
    {"iq1_bn", 14.758228},
    {"iq1_kt", 2.692801},
    {"iq1_m", 4.684445},
    {"iq1_m_r4", 4.617296},
    {"iq2_bn", 15.467749},
    {"iq2_bn_r4", 15.445743},
    {"iq2_k", 0.883945},
    {"iq2_k_r4", 0.883945},
    {"iq2_kl", 0.584754},
    {"iq2_ks", 1.347207},
    {"iq2_kt", 1.214565},
    {"iq3_k", 0.164337},
    {"iq3_k_r4", 0.164337},
    {"iq3_ks", 0.211158},
    {"iq3_kt", 0.214378},
    {"iq3_s", 0.210123},
    {"iq3_s_r4", 0.213001},
    {"iq3_xxs", 0.348842},
    {"iq3_xxs_r4", 0.351102},
    {"iq4_k", 0.034494},
    {"iq4_k_r4", 0.034494},
    {"iq4_ks", 0.047722},
    {"iq4_ks_r4", 0.047722},
    {"iq4_kss", 0.073993},
    {"iq4_kt", 0.071823},
    {"iq4_nl", 0.052065},
    {"iq4_nl_r4", 0.051893},
    {"iq4_xs", 0.052575},
    {"iq4_xs_r8", 0.055797},
    {"iq5_k", 0.009814},
    {"iq5_k_r4", 0.009814},
    {"iq5_ks", 0.012268},
    {"iq5_ks_r4", 0.012268},
    {"iq6_k", 0.003411},
    {"q2_K", 0.895361},
    {"q2_k_r4", 0.896636},
    {"q3_K", 0.226457},
    {"q3_k_r4", 0.228156},
    {"q4_0", 0.070737},
    {"q4_0_r8", 0.070601},
    {"q4_1", 0.0502},
    {"q4_K", 0.046677},
    {"q4_k_r4", 0.046609},
    {"q5_0", 0.01881},
    {"q5_0_r4", 0.018876},
    {"q5_1", 0.014465},
    {"q5_K", 0.01559},
    {"q5_k_r4", 0.015766},
    {"q6_0", 0.005317},
    {"q6_0_r4", 0.005244},
    {"q6_K", 0.00404},
    {"q6_k_r4", 0.006687},
    {"q8_0", 0.001449},
    {"q8_0_r8", 0.001515},
    {"q8_k_r8", 0.004102},
    {"q8_KV", 0.038383},
    {"iq1_s", 4.56248},
    {"iq1_s_r4", 5.12485},
    {"iq2_s", 0.465971},
    {"iq2_xs", 0.633596},
    {"iq2_xs_r4", 0.636844},
    {"iq2_xxs", 1.202639},
    {"iq2_xxs_r4", 1.208328},
};

}  // namespace detail

/// The cost curve of Qwen3-4B-Thinking-2507, measured by Thireus, the GGUF Tool Suite and its
/// contributors. Other models' curves have a similar shape and another scale.
[[nodiscard]] inline cost_curve default_cost_curve() {
    cost_curve curve("the curve of Qwen3-4B-Thinking-2507");
    for (const auto& p : detail::default_curve_points) curve.set(p.type, p.loss);
    return curve;
}

}  // namespace plan
BPW_NAMESPACE_END
