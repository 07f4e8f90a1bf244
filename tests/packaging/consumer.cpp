// A program outside bpw: it includes the library and checks one result.
#include <bpw/bpw.hpp>

#include <array>
#include <cstdint>
#include <cstdio>

int main() {
    // A row of one block of q4_0: the scale 0.5 as a half, then the low nibbles 0 to 15 and high
    // nibbles 8. The weights are (nibble - 8) / 2.
    std::array<std::uint8_t, 18> row{0x00, 0x38};
    for (unsigned i = 0; i < 16; ++i) row[2 + i] = static_cast<std::uint8_t>(0x80 | i);
    const bpw::matrix_view<bpw::q4_0> weights(std::as_bytes(std::span(row)), 1, 32);

    std::array<float, 32> ones;
    ones.fill(1.0f);
    const float sum = bpw::dot(weights, 0, ones);
    if (sum != -4.0f) {
        std::printf("the sum of the weights is %g, expected -4\n", static_cast<double>(sum));
        return 1;
    }
    return 0;
}
