#include "cases.hpp"

#include <bpw/kernels/runtime.hpp>

#include <xsimd/xsimd.hpp>

#include <vector>

namespace bench {

void dequantize(benchmark::State& state, bpw::type_id id, shape s, context* shared) {
    const auto w = shared->matrix(id, s);
    // Aligned, as an engine's buffers are: a store that crosses a cache line costs two.
    std::vector<float, xsimd::aligned_allocator<float, 64>> out(s.rows * s.cols);
    for (auto _ : state) {
        bpw::dequantize(w, out, shared->pool);
        benchmark::ClobberMemory();
    }
    count(state, s, w, static_cast<double>(4 * out.size()) / shared->most.write_bytes);
}

}  // namespace bench
