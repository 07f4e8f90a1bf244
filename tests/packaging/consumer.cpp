// A program outside bpw: it includes the library and checks one result.
#include <bpw/formats/registry.hpp>
#include <xsimd/xsimd.hpp>

#include <array>
#include <cstdint>
#include <cstdio>

int main() {
    // One block of q4_0: the scale 0.5 as a half, then weights 0 to 15 as low nibbles.
    std::array<std::uint8_t, 18> block{0x00, 0x38};
    for (unsigned i = 0; i < 16; ++i) block[2 + i] = static_cast<std::uint8_t>(0x80 | i);

    std::array<float, 32> weights{};
    bpw::decode_block(bpw::block_ref<bpw::q4_0>{block.data(), nullptr}, weights.data());
    for (unsigned i = 0; i < 32; ++i) {
        const float expected = i < 16 ? 0.5f * (static_cast<float>(i) - 8.0f) : 0.0f;
        if (weights[i] != expected) {
            std::printf("weight %u is %g, expected %g\n", i, static_cast<double>(weights[i]),
                        static_cast<double>(expected));
            return 1;
        }
    }
    return 0;
}
