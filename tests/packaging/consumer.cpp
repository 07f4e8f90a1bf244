// A program outside bpw: it includes the library and checks one result.
#include <bpw/core/half.hpp>
#include <xsimd/xsimd.hpp>

#include <cstdio>

int main() {
    const float one_and_a_half = bpw::half_to_float(0x3e00);
    if (one_and_a_half != 1.5f) {
        std::printf("half 0x3e00 is %g, expected 1.5\n", static_cast<double>(one_and_a_half));
        return 1;
    }
    return 0;
}
