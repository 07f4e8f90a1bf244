// The cases of the benchmark, one source for each operation: every source instantiates its kernels
// for all types, which takes the compiler a while.
#pragma once

#include "limits.hpp"

#include <bpw/core/matrix.hpp>
#include <bpw/parallel.hpp>

#include <benchmark/benchmark.h>

#include <cstddef>
#include <vector>

namespace bench {

struct shape {
    std::size_t rows, cols;
    std::size_t vectors = 0;  // 0: no product

    bool operator==(const shape&) const = default;
};

/// What the cases share.
struct context {
    explicit context(unsigned threads) : pool(threads), most(measure_limits(pool)) {}

    bpw::threads pool;
    limits most;

    /// The bytes of a matrix of random codes. The last one is kept, because a case is started
    /// several times.
    bpw::any_matrix matrix(bpw::type_id id, shape s);

  private:
    std::vector<std::byte> bytes_;
    bpw::any_matrix last_{};
};

void dequantize(benchmark::State& state, bpw::type_id id, shape s, context* shared);
void gemv(benchmark::State& state, bpw::type_id id, shape s, context* shared);
void gemm(benchmark::State& state, bpw::type_id id, shape s, context* shared);

/// Columns of ordinary activations.
std::vector<float> random_floats(std::size_t count);

/// What the counters are made of: bytes read from the matrix, and the shortest time that the
/// machine's limits allow for the case.
void count(benchmark::State& state, shape s, const bpw::any_matrix& w, double least_seconds);

/// The shortest time for reading a matrix and for its products.
double least_product_seconds(shape s, const bpw::any_matrix& w, const limits& most, bool integer);

}  // namespace bench
