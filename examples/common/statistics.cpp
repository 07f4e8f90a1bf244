#include "common/statistics.hpp"

#include <algorithm>
#include <cmath>

namespace examples {
namespace {

double mean(std::span<const double> values) {
    double sum = 0;
    for (const double v : values) sum += v;
    return sum / static_cast<double>(values.size());
}

// Of the mean of `groups` sums of about as many values each, of which there are n in all.
double error_of_groups(std::span<const double> values, std::size_t size, double around) {
    double squares = 0;
    double groups = 0;
    for (std::size_t i = 0; i < values.size(); i += size) {
        double off = 0;
        for (const double v : values.subspan(i, std::min(size, values.size() - i))) {
            off += v - around;
        }
        squares += off * off;
        groups += 1;
    }
    if (groups < 2) return 0;
    return std::sqrt(squares * groups / (groups - 1)) / static_cast<double>(values.size());
}

constexpr double normal_95 = 1.959963984540054;

}  // namespace

estimate mean_of(std::span<const double> values, std::size_t cluster) {
    if (values.empty()) return {};
    constexpr std::size_t fewest = 8;
    const auto size = values.size() / cluster < fewest ? 1 : cluster;
    const double m = mean(values);
    return {m, error_of_groups(values, size, m)};
}

interval confidence(const estimate& e) {
    return {e.mean - normal_95 * e.error, e.mean + normal_95 * e.error};
}

interval share_confidence(const estimate& share, std::size_t n) {
    const double p = share.mean;
    const double independent =
        share.error > 0 ? p * (1 - p) / (share.error * share.error) : static_cast<double>(n);
    const double z = normal_95 * normal_95 / independent;
    const double middle = (p + z / 2) / (1 + z);
    const double half = std::sqrt(p * (1 - p) * z + z * z / 4) / (1 + z);
    return {std::max(0.0, middle - half), std::min(1.0, middle + half)};
}

}  // namespace examples
