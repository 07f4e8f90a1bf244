// A program outside bpw that holds kernels for several levels and runs those that the CPU has.
#include "dispatching.hpp"

#include <bpw/dispatch.hpp>

#include <array>
#include <cstdint>
#include <cstdio>
#include <span>

template <bpw::arch... Levels>
int check(bpw::arch_list<Levels...>) {
    // As in consumer.cpp.
    std::array<std::uint8_t, 18> row{0x00, 0x38};
    for (unsigned i = 0; i < 16; ++i) row[2 + i] = static_cast<std::uint8_t>(0x80 | i);
    int ran = 0;
    for (const auto level : {Levels...}) {
        const auto choice = bpw::dispatch::make(level);
        if (!choice) continue;
        const auto name = (*choice)([](auto l) { return sums<l>::level(); });
        const float sum = (*choice)(
            [&](auto l) { return sums<l>::of_row(std::as_bytes(std::span(row)).data()); });
        if (name != bpw::name(level) || sum != -4.0f) {
            std::printf("level %s ran as %s, and the sum of the weights is %g, expected -4\n",
                        std::string(bpw::name(level)).c_str(), std::string(name).c_str(),
                        static_cast<double>(sum));
            return 1;
        }
        ++ran;
    }
    if (ran == 0 || sizeof...(Levels) < 2) {
        std::printf("%d of %zu levels ran\n", ran, sizeof...(Levels));
        return 1;
    }
    return 0;
}

int main() { return check(bpw::compiled_archs{}); }
