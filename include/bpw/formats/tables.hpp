// The small non-uniform tables of 4-bit and iqk types, as the formats define them.
#pragma once

#include <bpw/core/config.hpp>

#include <array>
#include <cstdint>

BPW_NAMESPACE_BEGIN

namespace tables {

/// Twice the values of the OCP E2M1 float; index 8 is 0, not -0.
inline constexpr std::array<std::int8_t, 16> fp4{0, 1,  2,  3,  4,  6,  8,  12,
                                                 0, -1, -2, -3, -4, -6, -8, -12};

/// Four levels of iq2_k and iq2_ks.
inline constexpr std::array<std::int8_t, 4> nonlinear2{-31, -13, 1, 17};

/// Eight levels of iq3_k, iq3_ks and, in pairs, of iq2_kl.
inline constexpr std::array<std::int8_t, 8> nonlinear3{-63, -40, -23, -10, 1, 13, 28, 47};

/// Sixteen levels of iq4_nl, iq4_xs, iq4_k, iq4_ks and iq4_kss; also the scales of iq1_kt,
/// iq2_kt.
inline constexpr std::array<std::int8_t, 16> nonlinear4{-127, -104, -83, -65, -49, -35, -22, -10,
                                                        1,    13,   25,  38,  53,  69,  89,  113};

/// Thirty-two levels of iq5_k and iq5_ks.
inline constexpr std::array<std::int8_t, 32> nonlinear5{
    -126, -114, -103, -92, -83, -74, -65, -57, -50, -43, -36, -30, -24, -18, -12, -6,
    -1,   5,    11,   17,  23,  29,  36,  43,  51,  59,  68,  77,  87,  97,  109, 121};

/// Sixty-four levels of iq6_k.
inline constexpr std::array<std::int8_t, 64> nonlinear6{
    -127, -121, -115, -109, -104, -98, -93, -88, -84, -79, -74, -70, -66, -62, -58, -54,
    -51,  -47,  -44,  -40,  -37,  -34, -31, -28, -25, -22, -19, -16, -13, -11, -8,  -5,
    -2,   0,    3,    6,    9,    12,  14,  17,  20,  23,  27,  30,  33,  36,  40,  44,
    47,   51,   55,   59,   63,   68,  72,  77,  82,  87,  92,  98,  103, 109, 115, 121};

}  // namespace tables

BPW_NAMESPACE_END
