// What the encoder of each type minimises: the c and the window of error_weight::usual.
//
// Source: the encoders of llama.cpp and ik_llama.cpp, whose files are tuned for these weights.
#pragma once

#include <bpw/formats/registry.hpp>
#include <bpw/kernels/encode/weighted_row.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

// 8-bit, microscaling and ternary types: the importance alone.
template <class T>
inline constexpr error_rule rule_of_errors{};

template <>
inline constexpr error_rule rule_of_errors<q4_0>{1.0f, 0};
template <>
inline constexpr error_rule rule_of_errors<q5_0>{1.0f, 0};
template <>
inline constexpr error_rule rule_of_errors<q6_0>{1.0f, 0};
template <>
inline constexpr error_rule rule_of_errors<iq4_nl>{2.0f, 32};
template <>
inline constexpr error_rule rule_of_errors<iq4_xs>{2.0f, 256};
template <>
inline constexpr error_rule rule_of_errors<q3_K>{2.0f, 256};
template <>
inline constexpr error_rule rule_of_errors<iq2_k>{1.5f, 256};
template <>
inline constexpr error_rule rule_of_errors<iq2_ks>{1.5f, 256};
template <>
inline constexpr error_rule rule_of_errors<iq3_k>{1.5f, 256};
template <>
inline constexpr error_rule rule_of_errors<iq3_ks>{2.0f, 256};
template <>
inline constexpr error_rule rule_of_errors<iq4_k>{2.0f, 256};
template <>
inline constexpr error_rule rule_of_errors<iq4_ks>{2.0f, 256};
template <>
inline constexpr error_rule rule_of_errors<iq4_kss>{2.0f, 256};
template <>
inline constexpr error_rule rule_of_errors<iq5_k>{2.0f, 256};
template <>
inline constexpr error_rule rule_of_errors<iq5_ks>{2.0f, 256};
template <>
inline constexpr error_rule rule_of_errors<iq6_k>{2.0f, 256};
template <>
inline constexpr error_rule rule_of_errors<q4_1>{1.0f, 0};
template <>
inline constexpr error_rule rule_of_errors<q5_1>{1.0f, 0};
template <>
inline constexpr error_rule rule_of_errors<q2_K>{0.75f, 256};
template <>
inline constexpr error_rule rule_of_errors<q4_K>{2.0f, 256};
template <>
inline constexpr error_rule rule_of_errors<q5_K>{2.0f, 256};
template <>
inline constexpr error_rule rule_of_errors<iq2_xxs>{1.0f, 256};
template <>
inline constexpr error_rule rule_of_errors<iq2_xs>{1.0f, 256};
template <>
inline constexpr error_rule rule_of_errors<iq2_s>{2.0f, 256};
template <>
inline constexpr error_rule rule_of_errors<iq3_xxs>{2.0f, 256};
template <>
inline constexpr error_rule rule_of_errors<iq3_s>{2.0f, 256};
template <>
inline constexpr error_rule rule_of_errors<iq1_s>{2.0f, 256};
template <>
inline constexpr error_rule rule_of_errors<iq1_m>{1.5f, 32};
template <>
inline constexpr error_rule rule_of_errors<iq1_s_r4>{2.0f, 256};
template <>
inline constexpr error_rule rule_of_errors<iq1_m_r4>{1.5f, 32};
template <>
inline constexpr error_rule rule_of_errors<iq2_kl>{2.25f, 256};
template <>
inline constexpr error_rule rule_of_errors<iq1_kt>{2.0f, 256};
template <>
inline constexpr error_rule rule_of_errors<iq2_kt>{2.0f, 256};
template <>
inline constexpr error_rule rule_of_errors<iq3_kt>{2.0f, 256};
template <>
inline constexpr error_rule rule_of_errors<iq4_kt>{2.0f, 256};

}  // namespace detail

BPW_NAMESPACE_END
