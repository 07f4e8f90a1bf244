#include "table.hpp"

#include <bpw/formats/registry.hpp>
#include <bpw/simd/arch.hpp>

#include <algorithm>
#include <cstdio>

namespace bench {
namespace {

// "gemv", "q4_K", "16384x4096" of gemv/q4_K/16384x4096/real_time.
struct case_name {
    explicit case_name(const std::string& name) {
        std::string* const parts[] = {&op, &type, &shape};
        std::size_t from = 0;
        for (auto* part : parts) {
            const auto end = std::min(name.find('/', from), name.size());
            *part = name.substr(from, end - from);
            from = std::min(end + 1, name.size());
        }
    }
    std::string op, type, shape;
};

double counter(const benchmark::BenchmarkReporter::Run& run, const char* name) {
    const auto found = run.counters.find(name);
    return found == run.counters.end() ? 0.0 : found->second.value;
}

}  // namespace

bool table::ReportContext(const Context& context) {
    std::printf("%d processors of %.1f GHz, instruction set %s, %u %s\n", context.cpu_info.num_cpus,
                context.cpu_info.cycles_per_second / 1e9, std::string(bpw::active_arch()).c_str(),
                threads_, threads_ == 1 ? "thread" : "threads");
    std::printf(
        "limits: %.1f GB/s from memory, %.1f GB/s to the cache, %.0f Gop/s in integers, "
        "%.0f Gop/s in float\n",
        most_.read_bytes * 1e-9, most_.write_bytes * 1e-9, most_.integer_ops * 1e-9,
        most_.float_ops * 1e-9);
    return true;
}

// The runs are the repetitions of one case; aggregates of them have a call of their own.
void table::ReportRuns(const std::vector<Run>& runs) {
    if (runs.empty() || runs.front().run_type != Run::RT_Iteration) return;
    const auto& run = *std::min_element(runs.begin(), runs.end(), [](const Run& a, const Run& b) {
        return a.GetAdjustedRealTime() < b.GetAdjustedRealTime();
    });
    const case_name name(run.benchmark_name());
    const auto gops = counter(run, "Gop/s");
    if (auto heading = name.op + " " + name.shape; heading != heading_) {
        heading_ = std::move(heading);
        std::printf("\n%-24s%12s%12s%14s%10s%10s%10s\n", heading_.c_str(), "bits/weight", "us",
                    "Mweights/s", "GB/s", gops != 0.0 ? "Gop/s" : "", "of limit");
    }
    const auto id = bpw::type_from_name(name.type);
    std::printf("  %-22s%12.4f%12.1f%14.1f%10.2f", name.type.c_str(),
                id ? bpw::info(*id).bits_per_weight : 0.0, run.GetAdjustedRealTime(),
                counter(run, "weights/s") * 1e-6, counter(run, "GB/s"));
    if (gops != 0.0)
        std::printf("%10.1f", gops);
    else
        std::printf("%10s", "");
    std::printf("%8.0f %%\n", counter(run, "share") * 100);
    std::fflush(stdout);
}

}  // namespace bench
