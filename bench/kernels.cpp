// Speed of dequantize, gemv and gemm for every quant type.
//
// Cases are named <op>/<type>/<shape>: gemv/q4_K/16384x4096 (rows x columns),
// gemm/q4_K/512x4096x512 (rows x columns x vectors), dequantize/q4_K/32x4096. BPW_THREADS sets the
// number of threads (1).
#include "random_matrix.hpp"

#include <bpw/kernels/integer_product.hpp>

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>

namespace {

using bpw::any_matrix;
using bpw::type_id;

struct shape {
    std::size_t rows, cols, vectors;
};

std::vector<float> random_floats(std::size_t n) {
    std::mt19937 random(2);
    std::normal_distribution<float> gauss;
    std::vector<float> out(n);
    for (auto& x : out) x = gauss(random);
    return out;
}

// The matrix of one case at a time, made when the case starts.
any_matrix matrix_of(type_id id, shape s, std::vector<std::byte>& bytes) {
    bytes = bpw::visit(
        id, [&]<class T>(bpw::tag<T>) { return bench::random_matrix<T>(s.rows, s.cols); });
    return {id, bytes, s.rows, s.cols};
}

void count(benchmark::State& state, shape s, std::size_t bytes) {
    using benchmark::Counter;
    const auto weights = static_cast<double>(s.rows * s.cols);
    const auto rate = Counter::kIsIterationInvariantRate;
    state.counters["weights/s"] = Counter(weights, rate);
    state.counters["bytes/s"] = Counter(static_cast<double>(bytes), rate);
    if (s.vectors > 1) {
        state.counters["op/s"] = Counter(2.0 * weights * static_cast<double>(s.vectors), rate);
    }
}

void run_dequantize(benchmark::State& state, type_id id, shape s, bpw::threads* pool) {
    std::vector<std::byte> bytes;
    const auto w = matrix_of(id, s, bytes);
    std::vector<float> out(s.rows * s.cols);
    for (auto _ : state) {
        bpw::dequantize(w, out, *pool);
        benchmark::DoNotOptimize(out.data());
        benchmark::ClobberMemory();
    }
    count(state, s, bytes.size());
}

// Types with integer lanes are multiplied with activations in 8 bits, packed anew every time; the
// others in float.
template <class T>
void multiply(const bpw::matrix_view<T>& w, const std::vector<float>& x, std::vector<float>& y,
              shape s, bpw::threads& pool) {
    const bpw::vectors<float> out(y.data(), s.vectors, s.rows);
    if constexpr (bpw::has_integer_lanes<T>) {
        std::vector<bpw::activations_for<T>> packed(s.vectors);
        for (std::size_t c = 0; c < s.vectors; ++c) {
            packed[c].assign(std::span(x).subspan(c * s.cols, s.cols));
        }
        bpw::try_gemm<T>(w, packed, out, pool).value();
    } else {
        bpw::gemm(w, bpw::vectors<const float>(x.data(), s.vectors, s.cols), out, pool);
    }
}

void run_product(benchmark::State& state, type_id id, shape s, bpw::threads* pool) {
    std::vector<std::byte> bytes;
    const auto w = matrix_of(id, s, bytes);
    const auto x = random_floats(s.cols * s.vectors);
    std::vector<float> y(s.rows * s.vectors);
    bpw::try_visit(w, [&](const auto& view) {
        for (auto _ : state) {
            multiply(view, x, y, s, *pool);
            benchmark::DoNotOptimize(y.data());
            benchmark::ClobberMemory();
        }
    }).value();
    count(state, s, bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
    const char* const wanted = std::getenv("BPW_THREADS");
    bpw::threads pool(wanted != nullptr ? static_cast<unsigned>(std::atoi(wanted)) : 1);
    benchmark::AddCustomContext("arch", std::string(bpw::active_arch()));
    benchmark::AddCustomContext("threads", std::to_string(pool.count()));
    const auto add = [&](const std::string& op, const std::string& dims, shape s, auto* run) {
        for (const auto& t : bpw::type_infos()) {
            if (t.id >= type_id::i8 && t.id <= type_id::f64) continue;  // not weights
            benchmark::RegisterBenchmark((op + "/" + std::string(t.name) + "/" + dims).c_str(), run,
                                         t.id, s, &pool)
                ->Unit(benchmark::kMicrosecond)
                ->UseRealTime();
        }
    };
    add("dequantize", "32x4096", {32, 4096, 0}, run_dequantize);
    add("gemv", "16384x4096", {16384, 4096, 1}, run_product);
    add("gemm", "512x4096x512", {512, 4096, 512}, run_product);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
}
