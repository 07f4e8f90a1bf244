#include "limits.hpp"

#include <bpw/simd/vector64.hpp>

#include <benchmark/benchmark.h>

#include <array>
#include <chrono>
#include <utility>
#include <vector>

namespace bench {
namespace {

using arch = bpw::native_arch;
using integers = xsimd::batch<std::int32_t, arch>;

double seconds(bpw::threads& pool, auto&& task) {
    const auto start = std::chrono::steady_clock::now();
    pool(pool.count(), task);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Calls a second of the best of `runs` runs, for a task that takes the number of its calls.
double best_rate(bpw::threads& pool, int runs, auto&& task) {
    std::size_t calls = 1;
    const auto timed = [&] { return seconds(pool, [&](std::size_t i) { task(i, calls); }); };
    while (timed() < 2e-3) calls *= 2;
    double best = timed();
    for (int run = 1; run < runs; ++run) best = std::min(best, timed());
    return static_cast<double>(calls * pool.count()) / best;
}

// Calls f(0), ..., f(Count - 1) without a loop, so that arrays of vectors stay in registers.
template <std::size_t Count>
void unrolled(auto&& f) {
    [&]<std::size_t... K>(std::index_sequence<K...>) { (f(K), ...); }
    (std::make_index_sequence<Count>{});
}

// Sums up the integers from `from` on; several sums, so that additions do not wait for each other.
void read(const std::int32_t* from, std::size_t count) {
    std::array<integers, 8> sums{};
    for (std::size_t i = 0; i + 8 * integers::size <= count; i += 8 * integers::size) {
        unrolled<8>([&](std::size_t k) {
            sums[k] += integers::load_unaligned(from + i + k * integers::size);
        });
    }
    auto result = sums;
    benchmark::DoNotOptimize(result);
}

void write(std::int32_t* to, std::size_t count, int value) {
    const integers all(value);
    for (std::size_t i = 0; i + integers::size <= count; i += integers::size) {
        all.store_unaligned(to + i);
    }
    benchmark::ClobberMemory();
}

// Rounds of ten products: two weights with five activations each, as in a matrix product, all read
// anew from the cache, so that the compiler can neither leave a product out nor move it away.
constexpr std::size_t weights_at_once = 2;
constexpr std::size_t activations_at_once = 5;
constexpr std::size_t sums_at_once = weights_at_once * activations_at_once;

template <class Sum, class W, class X>
void products(std::size_t rounds, W some_w, X some_x, auto multiply_add) {
    std::array<W, weights_at_once> w;
    std::array<X, activations_at_once> x;
    std::array<Sum, sums_at_once> sums;
    w.fill(some_w);
    x.fill(some_x);
    unrolled<sums_at_once>([&](std::size_t k) { sums[k] = Sum(0); });
    for (std::size_t i = 0; i < rounds; ++i) {
        benchmark::DoNotOptimize(w);
        benchmark::DoNotOptimize(x);
        unrolled<sums_at_once>([&](std::size_t k) {
            sums[k] = multiply_add(w[k % weights_at_once], x[k / weights_at_once], sums[k]);
        });
    }
    // A copy: what is handed over lies in memory, and the sums shall not.
    auto result = sums;
    benchmark::DoNotOptimize(result);
}

void integer_products(std::size_t rounds) {
    using namespace bpw::simd;
    products<i32_batch<arch>>(
        rounds, u8_batch<arch>(std::uint8_t{1}), s8_batch<arch>(std::int8_t{1}),
        [](const auto& w, const auto& x, const auto& sum) { return dot4<15, arch>(sum, w, x); });
}

void float_products(std::size_t rounds) {
    using floats = xsimd::batch<float, arch>;
    products<floats>(rounds, floats(1.0f), floats(1.0f),
                     [](const auto& w, const auto& x, const auto& sum) {
                         return bpw::simd::fused_multiply_add<arch>(w, x, sum);
                     });
}

}  // namespace

limits measure_limits(bpw::threads& pool) {
    limits most{};
    const auto threads = static_cast<std::size_t>(pool.count());
    {
        constexpr std::size_t bytes = std::size_t{64} << 20;
        const std::vector<std::int32_t> buffer(bytes / 4, 1);
        const auto part = buffer.size() / threads;
        const auto passes = best_rate(pool, 16, [&](std::size_t i, std::size_t calls) {
            for (; calls != 0; --calls) read(buffer.data() + i * part, part);
        });
        most.read_bytes = passes * 4 * static_cast<double>(part);
    }
    {
        constexpr std::size_t bytes = std::size_t{512} << 10;
        std::vector<std::int32_t> buffer(bytes / 4);
        const auto part = buffer.size() / threads;
        const auto passes = best_rate(pool, 4, [&](std::size_t i, std::size_t calls) {
            for (; calls != 0; --calls) write(buffer.data() + i * part, part, 1);
        });
        most.write_bytes = passes * 4 * static_cast<double>(part);
    }
    const auto lanes = static_cast<double>(sums_at_once * bpw::simd::u8_batch<arch>::size);
    most.integer_ops = 2 * lanes * best_rate(pool, 8, [](std::size_t, std::size_t rounds) {
                           integer_products(rounds);
                       });
    most.float_ops = 2 * lanes / 4 * best_rate(pool, 8, [](std::size_t, std::size_t rounds) {
                         float_products(rounds);
                     });
    return most;
}

}  // namespace bench
