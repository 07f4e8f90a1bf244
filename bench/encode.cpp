// Speed of the encoders of every quant type.
//
// Cases are named encode/<type>/16x4096 (rows x columns): Gaussian weights, the importance of every
// column 1. BPW_THREADS sets the number of threads (1).
#include <bpw/kernels/encode.hpp>
#include <bpw/parallel.hpp>
#include <bpw/simd/arch.hpp>

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr std::size_t rows = 16;
constexpr std::size_t cols = 4096;

void encode(benchmark::State& state, bpw::type_id id, bpw::threads* pool) {
    std::mt19937 random(1);
    std::normal_distribution<float> gauss(0.0f, 0.02f);
    std::vector<float> x(rows * cols);
    for (auto& v : x) v = gauss(random);
    const std::vector<float> importance(cols, 1.0f);
    std::vector<std::byte> out(bpw::tensor_bytes(id, rows, cols).value());
    for (auto _ : state) {
        bpw::encode_rows(id, x, rows, cols, out, importance, {}, *pool).value();
        benchmark::ClobberMemory();
    }
    state.counters["weights/s"] = benchmark::Counter(static_cast<double>(x.size()),
                                                     benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    const char* const text = std::getenv("BPW_THREADS");
    const int count = text == nullptr ? 1 : std::atoi(text);
    if (count < 1 || count > 1024) {
        std::fprintf(stderr, "BPW_THREADS is '%s'; expected a number from 1 to 1024\n", text);
        return 1;
    }
    bpw::threads pool(static_cast<unsigned>(count));
    benchmark::AddCustomContext("arch", std::string(bpw::active_arch()));
    benchmark::AddCustomContext("threads", std::to_string(pool.count()));
    for (const auto& t : bpw::type_infos()) {
        if (!bpw::can_encode(t.id)) continue;
        std::string name("encode/");
        name.append(bpw::name(t.id, bpw::dialect::ik)).append("/16x4096");
        benchmark::RegisterBenchmark(name.c_str(), encode, t.id, &pool)
            ->Unit(benchmark::kMicrosecond)
            ->UseRealTime();
    }
    benchmark::RunSpecifiedBenchmarks();
}
