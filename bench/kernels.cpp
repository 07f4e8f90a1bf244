// Speed of dequantize, gemv and gemm for every quant type.
//
// Cases are named <op>/<type>/<shape>: gemv/q4_K/16384x4096 (rows x columns),
// gemm/q4_K/512x4096x512 (rows x columns x vectors), dequantize/q4_K/32x4096; gemv_2, gemv_4 and
// gemv_8 multiply that many vectors. BPW_THREADS sets the number of threads (1).
//
// Every case is repeated, and the table shows its fastest repetition: what else a machine does
// makes a case slower, never faster.
//
// Counters: weights/s of the matrix, whatever the number of vectors; GB/s of its bytes; Gop/s, two
// for a weight and a vector; share, the part of the speed that the machine's limits allow (memory
// and arithmetic for products, writing to the cache for dequantize). A share a little above 1 is
// possible: the limits are measured too, at the start.
#include "cases.hpp"
#include "table.hpp"

#include <bpw/formats/registry.hpp>
#include <bpw/simd/arch.hpp>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

namespace {

// BPW_THREADS, or nothing when it is no number from 1 to 1024.
std::optional<unsigned> wanted_threads() {
    const char* const text = std::getenv("BPW_THREADS");
    if (text == nullptr) return 1;
    const std::string_view digits(text);
    unsigned count = 0;
    const auto [end, error] = std::from_chars(digits.begin(), digits.end(), count);
    if (error != std::errc() || end != digits.end() || count < 1 || count > 1024) return {};
    return count;
}

}  // namespace

int main(int argc, char** argv) {
    const auto count = wanted_threads();
    if (!count) {
        std::fprintf(stderr, "BPW_THREADS is '%s'; expected a number from 1 to 1024\n",
                     std::getenv("BPW_THREADS"));
        return 1;
    }
    // Google Benchmark's own formats are used when one is asked for.
    bool own_format = false;
    for (int i = 1; i < argc; ++i) {
        own_format = own_format || std::string_view(argv[i]).starts_with("--benchmark_format");
    }
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;

    bench::context shared(*count);
    const auto giga = [](double n) { return std::to_string(n * 1e-9); };
    benchmark::AddCustomContext("arch", std::string(bpw::active_arch()));
    benchmark::AddCustomContext("threads", std::to_string(shared.pool.count()));
    benchmark::AddCustomContext("memory GB/s", giga(shared.most.read_bytes));
    benchmark::AddCustomContext("cache write GB/s", giga(shared.most.write_bytes));
    benchmark::AddCustomContext("integer Gop/s", giga(shared.most.integer_ops));
    benchmark::AddCustomContext("float Gop/s", giga(shared.most.float_ops));

    const auto add = [&](const std::string& op, const std::string& dims, bench::shape s,
                         auto* run) {
        for (const auto& t : bpw::type_infos()) {
            // Numbers that are not weights.
            if (t.id >= bpw::type_id::i8 && t.id <= bpw::type_id::f64) continue;
            const auto name = op + "/" + std::string(t.name) + "/" + dims;
            benchmark::RegisterBenchmark(name.c_str(), run, t.id, s, &shared)
                ->Unit(benchmark::kMicrosecond)
                ->UseRealTime()
                ->MinTime(0.03)
                ->Repetitions(10);
        }
    };
    add("dequantize", "32x4096", {32, 4096}, bench::dequantize);
    add("gemv", "16384x4096", {16384, 4096, 1}, bench::gemv);
    for (const std::size_t vectors : {2, 4, 8}) {
        add("gemv_" + std::to_string(vectors), "16384x4096", {16384, 4096, vectors}, bench::gemv);
    }
    add("gemm", "512x4096x512", {512, 4096, 512}, bench::gemm);
    bench::table table(shared.most, shared.pool.count());
    benchmark::RunSpecifiedBenchmarks(own_format ? nullptr : &table);
}
