// Multiplies at the best level of the CPU, or at the one named in BPW_TEST_ARCH, and says which it
// is. For emulated CPUs.
#include "sample.hpp"

#include <cstdio>
#include <cstdlib>

int main() {
    const char* const wanted = std::getenv("BPW_TEST_ARCH");
    const auto choice = wanted != nullptr ? bpw::dispatch::make(wanted) : bpw::dispatch::make();
    if (!choice) {
        std::printf("%s\n", choice.error().message.c_str());
        return 2;
    }
    const auto sample = dispatch_test::make_sample();
    const auto y = dispatch_test::products(*choice, sample);
    const bool right = dispatch_test::right(*choice, sample, y);
    const auto inside = (*choice)([](auto level) { return kernels<level>::active_arch(); });
    std::printf("level %s, the kernels run %s: %s\n", std::string(choice->active_arch()).c_str(),
                std::string(inside).c_str(), right ? "right" : "WRONG");
    return right ? 0 : 1;
}
