// Every type decoded by the compiler.
//
// A block of random bytes and its header (the numbers of reference::random with the seed, chosen
// so that the weights are finite) must give these weights: the bits of the float of a row and
// column of the block. They were calculated by decoders in Python that know the formats only from
// their descriptions and share no code with this library.
#include <bpw/formats/registry.hpp>
#include <reference/random.hpp>

#include <array>
#include <bit>
#include <cstdint>
#include <initializer_list>

namespace {

struct sample {
    int row;
    int column;
    std::uint32_t bits;
};

template <class T>
constexpr bool decodes(std::uint64_t seed, std::initializer_list<sample> samples) {
    using t = bpw::traits<T>;
    constexpr auto header_bytes = t::header_bytes * t::rows + t::trailer_bytes;
    std::array<std::uint8_t, sizeof(typename T::block)> block{};
    std::array<std::uint8_t, header_bytes + 1> header{};
    reference::random numbers(seed);
    for (auto& b : block) b = static_cast<std::uint8_t>(numbers.below(256));
    for (std::size_t i = 0; i < header_bytes; ++i) {
        header[i] = static_cast<std::uint8_t>(numbers.below(256));
    }
    for (const auto& s : samples) {
        const auto row = static_cast<std::size_t>(s.row);
        const bpw::block_ref<T> b{block.data(), header.data() + row * t::header_bytes, s.row};
        if (std::bit_cast<std::uint32_t>(bpw::weight(b, s.column)) != s.bits) return false;
    }
    return true;
}

// clang-format off
static_assert(decodes<bpw::f32>(1, {{0, 0, 0x38c70bf1}}));
static_assert(decodes<bpw::f16>(1, {{0, 0, 0x397e2000}}));
static_assert(decodes<bpw::bf16>(2, {{0, 0, 0xd7150000}}));
static_assert(decodes<bpw::bf16_r16>(5461, {{0, 0, 0xc5a70000}, {15, 1, 0x56220000}, {13, 1, 0x62470000}, {7, 0, 0x71270000}, {10, 0, 0x62280000}, {12, 1, 0x42f50000}}));
static_assert(decodes<bpw::f64>(23, {{0, 0, 0xca461142}}));
static_assert(decodes<bpw::i8>(1, {{0, 0, 0xc1700000}}));
static_assert(decodes<bpw::i16>(1, {{0, 0, 0x453f1000}}));
static_assert(decodes<bpw::i32>(1, {{0, 0, 0x4e631c30}}));
static_assert(decodes<bpw::i64>(1, {{0, 0, 0x5e34fe83}}));
static_assert(decodes<bpw::q4_0>(1, {{0, 0, 0xb97e2000}, {0, 31, 0xb97e2000}, {0, 9, 0xba3e9800}, {0, 12, 0x3a3e9800}, {0, 5, 0x3a9ed400}, {0, 17, 0xba9ed400}}));
static_assert(decodes<bpw::q4_1>(1, {{0, 0, 0x3f193f4c}, {0, 31, 0x3f196ef2}, {0, 9, 0x3f199e98}, {0, 12, 0x3f199e98}, {0, 5, 0x3f19ae7a}, {0, 17, 0x3f197ed4}}));
static_assert(decodes<bpw::q5_0>(1, {{0, 0, 0x3b6e3e00}, {0, 31, 0x3b2eb600}, {0, 9, 0xba9ed400}, {0, 12, 0x3abe9800}, {0, 5, 0xbb2eb600}, {0, 17, 0x39fe2000}}));
static_assert(decodes<bpw::q5_1>(1, {{0, 0, 0x3f19be5c}, {0, 31, 0x3f190fa6}, {0, 9, 0x3f198eb6}, {0, 12, 0x3f195f10}, {0, 5, 0x3f199e98}, {0, 17, 0x3f1a6d12}}));
static_assert(decodes<bpw::q6_0>(1, {{0, 0, 0x3be64d00}, {0, 31, 0x3afe2000}, {0, 9, 0x3bde5c00}, {0, 12, 0x3bee3e00}, {0, 5, 0xba9ed400}, {0, 17, 0x39fe2000}}));
static_assert(decodes<bpw::q8_0>(1, {{0, 0, 0xbc625480}, {0, 31, 0x3cf82b40}, {0, 9, 0x3c12ea80}, {0, 12, 0x3cb4aac0}, {0, 5, 0x3c32ae80}, {0, 17, 0xbcc68900}}));
static_assert(decodes<bpw::q8_1>(1, {{0, 0, 0xbc664d00}, {0, 31, 0x3ce05840}, {0, 9, 0xbc870100}, {0, 12, 0xbc4e7a00}, {0, 5, 0xbcc48cc0}, {0, 17, 0xbc98df40}}));
static_assert(decodes<bpw::q8_K>(1, {{0, 0, 0xbbb462d2}, {0, 255, 0xbb537cb0}, {0, 79, 0x3ac70bf1}, {0, 103, 0x3a1548f5}, {0, 42, 0xbc0d827d}, {0, 142, 0x3be625cf}}));
static_assert(decodes<bpw::q8_K_ik>(1, {{0, 0, 0x3bc0d391}, {0, 255, 0xbb8f1095}, {0, 79, 0x3ba1b9b4}, {0, 103, 0x3c3f457a}, {0, 42, 0xbb78ceed}, {0, 142, 0x3b9b8154}}));
static_assert(decodes<bpw::q8_KV>(2, {{0, 0, 0x26a928ca}, {0, 31, 0xa7af3364}, {0, 22, 0x26e999da}, {0, 12, 0x27150575}, {0, 20, 0x27496152}}));
static_assert(decodes<bpw::iq4_nl>(1, {{0, 0, 0xbb1ed400}, {0, 31, 0xbb1ed400}, {0, 9, 0xbc0af980}, {0, 12, 0x3c16e300}, {0, 5, 0x3c88fd40}, {0, 17, 0xbc810c40}}));
static_assert(decodes<bpw::iq4_xs>(1, {{0, 0, 0x3ef2f518}, {0, 255, 0xbbee3e00}, {0, 79, 0x3d9ed400}, {0, 103, 0x3f0f90d4}, {0, 42, 0x3dfc23c0}, {0, 142, 0x3edb61a0}}));
static_assert(decodes<bpw::mxfp4>(3, {{0, 0, 0x4b800000}, {0, 31, 0x00000000}, {0, 11, 0xcb800000}, {0, 7, 0x00000000}, {0, 5, 0xcc800000}, {0, 26, 0xcc000000}}));
static_assert(decodes<bpw::nvfp4>(1, {{0, 0, 0x44100000}, {0, 63, 0x40c00000}, {0, 19, 0xbd040000}, {0, 25, 0xbd040000}, {0, 10, 0x43580000}, {0, 35, 0x41b40000}}));
static_assert(decodes<bpw::q2_K>(1, {{0, 0, 0xbc14b600}, {0, 255, 0xbf2542d8}, {0, 79, 0xbeb577c0}, {0, 103, 0xbaedf000}, {0, 42, 0xbbedf000}, {0, 142, 0xbf4fd6f8}}));
static_assert(decodes<bpw::q3_K>(2, {{0, 0, 0x00000000}, {0, 255, 0x00000000}, {0, 180, 0xc89e2600}, {0, 103, 0xc6f4e000}, {0, 251, 0x00000000}, {0, 164, 0xc7b7a800}}));
static_assert(decodes<bpw::q4_K>(1, {{0, 0, 0xc2140722}, {0, 255, 0xc10f4715}, {0, 79, 0xc1d5453b}, {0, 103, 0xc1b0c300}, {0, 42, 0xc189fc0e}, {0, 142, 0xc0e40276}}));
static_assert(decodes<bpw::q5_K>(1, {{0, 0, 0xc2140e94}, {0, 255, 0xc10f107c}, {0, 79, 0xc1d65ea7}, {0, 103, 0xc1b07fff}, {0, 42, 0xc1894d58}, {0, 142, 0xc0de5d20}}));
static_assert(decodes<bpw::q6_K>(1, {{0, 0, 0xc9abb600}, {0, 255, 0x4adfa3c0}, {0, 79, 0x49e31a00}, {0, 103, 0x4b02dc40}, {0, 42, 0xcc13ff30}, {0, 142, 0xcbc55440}}));
static_assert(decodes<bpw::q1_0>(1, {{0, 0, 0x397e2000}, {0, 127, 0xb97e2000}, {0, 39, 0xb97e2000}, {0, 51, 0x397e2000}, {0, 21, 0xb97e2000}, {0, 71, 0x397e2000}}));
static_assert(decodes<bpw::q2_0>(1, {{0, 0, 0x39fe2000}, {0, 63, 0x00000000}, {0, 19, 0xb97e2000}, {0, 25, 0x39fe2000}, {0, 10, 0xb97e2000}, {0, 35, 0x39fe2000}}));
static_assert(decodes<bpw::tq1_0>(2, {{0, 0, 0xb96dc000}, {0, 255, 0x00000000}, {0, 180, 0x00000000}, {0, 103, 0xb96dc000}, {0, 251, 0x396dc000}, {0, 164, 0x396dc000}}));
static_assert(decodes<bpw::tq2_0>(1, {{0, 0, 0x00000000}, {0, 255, 0x3c9fa000}, {0, 79, 0x3c9fa000}, {0, 103, 0xbc1fa000}, {0, 42, 0x3c9fa000}, {0, 142, 0x00000000}}));
static_assert(decodes<bpw::iq1_bn>(1, {{0, 0, 0xc3778000}, {0, 63, 0x00000000}, {0, 19, 0x00000000}, {0, 25, 0x43778000}, {0, 10, 0x43778000}, {0, 35, 0x43778000}}));
static_assert(decodes<bpw::iq2_bn>(1, {{0, 0, 0x80000000}, {0, 63, 0x9c967bcc}, {0, 19, 0x9c167bcc}, {0, 25, 0x9c967bcc}, {0, 10, 0x80000000}, {0, 35, 0x9c967bcc}}));
static_assert(decodes<bpw::i2_s>(2, {{0, 0, 0xa480e220}, {0, 127, 0x00000000}, {0, 90, 0x2480e220}, {0, 51, 0xa480e220}, {0, 125, 0x00000000}, {0, 82, 0x00000000}}));
static_assert(decodes<bpw::iq1_s>(1, {{0, 0, 0x39ee3e00}, {0, 255, 0x3b34aac0}, {0, 79, 0xba566b00}, {0, 103, 0x39ee3e00}, {0, 42, 0x38be9800}, {0, 142, 0x391ed400}}));
static_assert(decodes<bpw::iq1_m>(1, {{0, 0, 0xb9576400}, {0, 255, 0x3a622900}, {0, 79, 0x3765c000}, {0, 103, 0x39576400}, {0, 42, 0xb9576400}, {0, 142, 0xb9013c00}}));
static_assert(decodes<bpw::iq2_xxs>(1, {{0, 0, 0xbb96e300}, {0, 255, 0xba9ed400}, {0, 79, 0x3c52f190}, {0, 103, 0xbc3a2070}, {0, 42, 0xbb6e3e00}, {0, 142, 0x3ca011a8}}));
static_assert(decodes<bpw::iq2_xs>(1, {{0, 0, 0x3bd56ce0}, {0, 255, 0xbbb6a700}, {0, 79, 0x3bdf5a20}, {0, 103, 0x3cb56958}, {0, 42, 0xbbc68900}, {0, 142, 0x3ba6c500}}));
static_assert(decodes<bpw::iq2_s>(1, {{0, 0, 0x3b96e300}, {0, 255, 0x3c8249e8}, {0, 79, 0x3be64d00}, {0, 103, 0xbb0ef200}, {0, 42, 0x3cb56958}, {0, 142, 0x3b782b40}}));
static_assert(decodes<bpw::iq3_xxs>(1, {{0, 0, 0x3b6e3e00}, {0, 255, 0x3bc68900}, {0, 79, 0xbd818b50}, {0, 103, 0xbc7a2780}, {0, 42, 0xbbb6a700}, {0, 142, 0x3ce450c0}}));
static_assert(decodes<bpw::iq3_s>(1, {{0, 0, 0xbc98df40}, {0, 255, 0x3d576920}, {0, 79, 0x3c1adb80}, {0, 103, 0x397e2000}, {0, 42, 0xbd19dd60}, {0, 142, 0xbade5c00}}));
static_assert(decodes<bpw::iq2_kl>(1, {{0, 0, 0xc014a400}, {0, 255, 0xc2939bc0}, {0, 79, 0xc2631700}, {0, 103, 0x4256b400}, {0, 42, 0x4377bc00}, {0, 142, 0xc3263040}}));
static_assert(decodes<bpw::iq1_kt>(2, {{0, 0, 0x6a072361}, {0, 255, 0x66d1ab42}, {0, 180, 0xe980b3fb}, {0, 103, 0x69981a86}, {0, 251, 0x6615c378}, {0, 164, 0x683b3456}}));
static_assert(decodes<bpw::iq2_kt>(3, {{0, 0, 0x2b51a933}, {0, 255, 0xad90b019}, {0, 88, 0xab04c906}, {0, 63, 0x2d5075b2}, {0, 47, 0x2c1103f6}, {0, 212, 0x2d3efcee}}));
static_assert(decodes<bpw::iq3_kt>(1, {{0, 0, 0x1d77b8a5}, {0, 255, 0x9eadcdf0}, {0, 79, 0x1e35cba3}, {0, 103, 0x9e5fbf8d}, {0, 42, 0x9f095870}, {0, 142, 0x9f60bf43}}));
static_assert(decodes<bpw::iq4_kt>(3, {{0, 0, 0x2049f8bd}, {0, 255, 0x1fcb40ad}, {0, 88, 0x9e8f78f2}, {0, 63, 0x1f7b13a8}, {0, 47, 0x9ebf4bee}, {0, 212, 0x9e8c0e73}}));
static_assert(decodes<bpw::iq2_k>(1, {{0, 0, 0x3c4e7a00}, {0, 255, 0x3c9adb80}, {0, 79, 0xbcb4aac0}, {0, 103, 0x3bee3e00}, {0, 42, 0xbd2eb600}, {0, 142, 0x3cca8180}}));
static_assert(decodes<bpw::iq3_k>(1, {{0, 0, 0xbd38a340}, {0, 255, 0xbe8622a4}, {0, 79, 0xbe8ff020}, {0, 103, 0x3dfe9f10}, {0, 42, 0xbeaadd44}, {0, 142, 0xbed31154}}));
static_assert(decodes<bpw::iq4_k>(1, {{0, 0, 0x3e4609f0}, {0, 255, 0x3edb61a0}, {0, 79, 0xbed1d3ac}, {0, 103, 0xbd976210}, {0, 42, 0xbedb41dc}, {0, 142, 0xbec19260}}));
static_assert(decodes<bpw::iq5_k>(1, {{0, 0, 0x3e9a9bf8}, {0, 255, 0x3ef079c8}, {0, 79, 0x3d625480}, {0, 103, 0xbe19dd60}, {0, 42, 0xbe8fd05c}, {0, 142, 0x3dca8180}}));
static_assert(decodes<bpw::iq6_k>(1, {{0, 0, 0xbe9a0c58}, {0, 255, 0xbfeebffa}, {0, 79, 0xbe4f601e}, {0, 103, 0xbdad93dc}, {0, 42, 0x3f4b988f}, {0, 142, 0x3ed6b336}}));
static_assert(decodes<bpw::iq2_ks>(1, {{0, 0, 0x3c084100}, {0, 255, 0x3c0a0600}, {0, 79, 0xbbf0a800}, {0, 103, 0x3929e000}, {0, 42, 0x3c347e00}, {0, 142, 0x3c660a00}}));
static_assert(decodes<bpw::iq3_ks>(1, {{0, 0, 0xbe12eb00}, {0, 255, 0x3d0bec00}, {0, 79, 0x3eaee700}, {0, 103, 0x3f84ed00}, {0, 42, 0x3e27e800}, {0, 142, 0x3d27e800}}));
static_assert(decodes<bpw::iq4_ks>(1, {{0, 0, 0x96ccd921}, {0, 255, 0x14816e5f}, {0, 79, 0x1484dca2}, {0, 103, 0x16765917}, {0, 42, 0x970c4261}, {0, 142, 0x168fef05}}));
static_assert(decodes<bpw::iq4_kss>(3, {{0, 0, 0x1fda329b}, {0, 255, 0xa0af640c}, {0, 88, 0xa178d5c6}, {0, 63, 0xa0257689}, {0, 47, 0x20d71a19}, {0, 212, 0x2225c51a}}));
static_assert(decodes<bpw::iq5_ks>(3, {{0, 0, 0x9fd724b1}, {0, 255, 0x1f5b33df}, {0, 88, 0xa094ea32}, {0, 63, 0x9e77169b}, {0, 47, 0x2048c25e}, {0, 212, 0xa096e67e}}));
static_assert(decodes<bpw::q4_0_r8>(1, {{0, 0, 0x3a7e2000}, {7, 31, 0x48cdf400}, {5, 9, 0xbd3da000}, {0, 12, 0x3ade5c00}, {0, 5, 0x3a9ed400}, {7, 17, 0xc8308800}}));
static_assert(decodes<bpw::q5_0_r4>(1, {{0, 0, 0xba3e9800}, {3, 31, 0xbf886600}, {2, 9, 0xbd85a800}, {0, 12, 0xbb5e5c00}, {0, 5, 0x3a3e9800}, {3, 17, 0x3f9d6200}}));
static_assert(decodes<bpw::q6_0_r4>(1, {{0, 0, 0x3a7e2000}, {3, 31, 0x3da7e000}, {2, 9, 0xbe8f3400}, {0, 12, 0xbbbe9800}, {0, 5, 0x3bbe9800}, {3, 17, 0x3ffbd000}}));
static_assert(decodes<bpw::q8_0_r8>(1, {{0, 0, 0xbc4e7a00}, {7, 31, 0xcad8fc80}, {5, 9, 0xbfdb4100}, {0, 12, 0xbc429080}, {0, 5, 0xbb96e300}, {7, 17, 0x493f3e00}}));
static_assert(decodes<bpw::iq4_nl_r4>(1, {{0, 0, 0x3cb0b240}, {3, 31, 0xc1269040}, {2, 9, 0x3dbef000}, {0, 12, 0x3c16e300}, {0, 5, 0x3c527280}, {3, 17, 0x40475a00}}));
static_assert(decodes<bpw::mxfp4_r8>(14, {{0, 0, 0x9ac00000}, {7, 31, 0x41800000}, {2, 15, 0xec400000}, {7, 20, 0xc2800000}, {1, 20, 0x9d000000}, {6, 20, 0x4d000000}}));
static_assert(decodes<bpw::iq4_xs_r8>(1, {{0, 0, 0xbe9a1ce8}, {7, 255, 0xcbd1a180}, {5, 79, 0x4247e70c}, {0, 103, 0xbd94e6c0}, {0, 42, 0xbde25480}, {7, 142, 0x4c8cc9cc}}));
static_assert(decodes<bpw::q2_k_r4>(1, {{0, 0, 0x3d7ba000}, {3, 255, 0x49308810}, {2, 79, 0x41658000}, {0, 103, 0x3d66a800}, {0, 42, 0x3ba7c000}, {3, 142, 0x47eb603f}}));
static_assert(decodes<bpw::q3_k_r4>(1, {{0, 0, 0xbc1adb80}, {3, 255, 0x80000000}, {2, 79, 0x3e8f3400}, {0, 103, 0x00000000}, {0, 42, 0x3b8ef200}, {3, 142, 0x3ed1d800}}));
static_assert(decodes<bpw::q4_k_r4>(1, {{0, 0, 0x3ea95d58}, {3, 255, 0x4a21d200}, {2, 79, 0x3f645a00}, {0, 103, 0x3e460f70}, {0, 42, 0x3e41aea0}, {3, 142, 0x49fa1632}}));
static_assert(decodes<bpw::q5_k_r4>(1, {{0, 0, 0x3ec6e590}, {3, 255, 0x4a21d27a}, {2, 79, 0x3f645a00}, {0, 103, 0x3e1963d0}, {0, 42, 0x3e42acc0}, {3, 142, 0x49fa1670}}));
static_assert(decodes<bpw::q6_k_r4>(1, {{0, 0, 0x3eee7d88}, {3, 255, 0xc02d1f00}, {2, 79, 0xc1431d40}, {0, 103, 0xbefe9f10}, {0, 42, 0x3e7530e0}, {3, 142, 0xc2177b20}}));
static_assert(decodes<bpw::q8_k_r8>(1, {{0, 0, 0xbc4e7a00}, {7, 255, 0x48cdf400}, {5, 79, 0xbf0e3800}, {0, 103, 0xbcee3e00}, {0, 42, 0xbc664d00}, {7, 142, 0x4ae5dbc0}}));
static_assert(decodes<bpw::q8_k_r16>(1, {{0, 0, 0x3b5e5c00}, {15, 255, 0x42355400}, {10, 79, 0x410b8c00}, {0, 103, 0xbce64d00}, {1, 42, 0x3fe55000}, {15, 142, 0x425e8a00}}));
static_assert(decodes<bpw::q8_KV_r8>(2, {{0, 0, 0xc29746e9}, {7, 31, 0xef0e06c4}, {3, 22, 0x3eec8ea5}, {7, 12, 0xef094acf}, {5, 31, 0xc7067871}, {5, 20, 0x478a9640}}));
static_assert(decodes<bpw::iq2_bn_r4>(3, {{0, 0, 0xe96b2747}, {3, 63, 0xea60d4a6}, {3, 22, 0x6a60d4a6}, {1, 15, 0x00000000}, {2, 11, 0x8e368172}, {3, 53, 0x80000000}}));
static_assert(decodes<bpw::iq1_s_r4>(1, {{0, 0, 0xb7f4b000}, {3, 31, 0xbee6c800}, {2, 9, 0x3c477580}, {0, 12, 0x37be5000}, {0, 5, 0x37be5000}, {3, 17, 0x4049ef00}}));
static_assert(decodes<bpw::iq1_m_r4>(2, {{0, 0, 0xbc0cc400}, {3, 31, 0xbe97e000}, {1, 22, 0xbeae3c00}, {3, 12, 0xbe5ec000}, {2, 31, 0x45c0f000}, {2, 20, 0x445c8000}}));
static_assert(decodes<bpw::iq2_xxs_r4>(1, {{0, 0, 0xbd1abbbc}, {3, 255, 0xc0d37bb0}, {2, 79, 0x3e5b9400}, {0, 103, 0x3d1abbbc}, {0, 42, 0x3ca78398}, {3, 142, 0xc0138be0}}));
static_assert(decodes<bpw::iq2_xs_r4>(1, {{0, 0, 0x3c9b1b08}, {3, 255, 0xbf12e400}, {2, 79, 0xbe6eac00}, {0, 103, 0x3b4e7a00}, {0, 42, 0x3c3a2070}, {3, 142, 0xbe832700}}));
static_assert(decodes<bpw::iq2_s_r4>(1, {{0, 0, 0xbb2eb600}, {3, 255, 0x3f66d400}, {2, 79, 0x3f0db620}, {0, 103, 0xbbadb7e0}, {0, 42, 0xbb4e7a00}, {3, 142, 0xc1303c68}}));
static_assert(decodes<bpw::iq3_xxs_r4>(1, {{0, 0, 0xbcacb9c0}, {3, 255, 0xbf9d6200}, {2, 79, 0x3f24af00}, {0, 103, 0x3cacb9c0}, {0, 42, 0x3d713860}, {3, 142, 0xc101d740}}));
static_assert(decodes<bpw::iq3_s_r4>(1, {{0, 0, 0xba3e9800}, {3, 255, 0x40379d00}, {2, 79, 0xbdabd800}, {0, 103, 0xbc1adb80}, {0, 42, 0xbc625480}, {3, 142, 0xc19f59a0}}));
static_assert(decodes<bpw::iq2_k_r4>(1, {{0, 0, 0x3c870100}, {3, 255, 0xbf7bd000}, {2, 79, 0xbf18c000}, {0, 103, 0xbcaeb600}, {0, 42, 0x3cda6380}, {3, 142, 0xc022a100}}));
static_assert(decodes<bpw::iq3_k_r4>(1, {{0, 0, 0x3e3b9da0}, {3, 255, 0xc09ac280}, {2, 79, 0xbfcfa500}, {0, 103, 0xbd7d21e0}, {0, 42, 0xbed44efc}, {3, 142, 0xc22983b0}}));
static_assert(decodes<bpw::iq4_k_r4>(1, {{0, 0, 0xbe9a1ce8}, {3, 255, 0xc2f1f9e0}, {2, 79, 0x410b9f80}, {0, 103, 0x3f59c4ac}, {0, 42, 0xbdacb9c0}, {3, 142, 0x42109870}}));
static_assert(decodes<bpw::iq5_k_r4>(1, {{0, 0, 0xbed8a6c8}, {3, 255, 0xc2f3f180}, {2, 79, 0xbe98c000}, {0, 103, 0x3f64ef94}, {0, 42, 0x3dca8180}, {3, 142, 0x4274ed50}}));
static_assert(decodes<bpw::iq4_ks_r4>(1, {{0, 0, 0xc1095749}, {3, 255, 0x3d9bef91}, {2, 79, 0xd8949e90}, {0, 103, 0xc0a9d130}, {0, 42, 0x3f14766c}, {3, 142, 0xbcd28b7f}}));
static_assert(decodes<bpw::iq5_ks_r4>(4, {{0, 0, 0x6966b362}, {3, 255, 0xa797ef52}, {3, 79, 0xa4f91ad8}, {3, 17, 0xa86303ba}, {0, 249, 0xe91c4d22}, {0, 226, 0xe64810d0}}));
// clang-format on

}  // namespace
