#include "cases.hpp"

#include "random_matrix.hpp"

#include <algorithm>
#include <random>

namespace bench {

bpw::any_matrix context::matrix(bpw::type_id id, shape s) {
    if (bytes_.empty() || last_.type != id || last_.rows != s.rows || last_.cols != s.cols) {
        bytes_ =
            bpw::visit(id, [&]<class T>(bpw::tag<T>) { return random_matrix<T>(s.rows, s.cols); });
        last_ = {id, bytes_, s.rows, s.cols};
    }
    return last_;
}

std::vector<float> random_floats(std::size_t count) {
    std::mt19937 random(2);
    std::normal_distribution<float> gauss;
    std::vector<float> out(count);
    for (auto& x : out) x = gauss(random);
    return out;
}

void count(benchmark::State& state, shape s, const bpw::any_matrix& w, double least_seconds) {
    using benchmark::Counter;
    const auto weights = static_cast<double>(s.rows * s.cols);
    const auto rate = Counter::kIsIterationInvariantRate;
    state.counters["weights/s"] = Counter(weights, rate);
    state.counters["GB/s"] = Counter(1e-9 * static_cast<double>(w.bytes.size()), rate);
    state.counters["share"] = Counter(least_seconds, rate);
    if (s.vectors != 0) {
        const auto ops = 2e-9 * weights * static_cast<double>(s.vectors);
        state.counters["Gop/s"] = Counter(ops, rate);
    }
}

double least_product_seconds(shape s, const bpw::any_matrix& w, const limits& most, bool integer) {
    const auto ops = 2.0 * static_cast<double>(s.rows * s.cols * s.vectors);
    return std::max(static_cast<double>(w.bytes.size()) / most.read_bytes,
                    ops / (integer ? most.integer_ops : most.float_ops));
}

}  // namespace bench
