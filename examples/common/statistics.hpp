// Means of what was measured token by token, and how sure they are.
#pragma once

#include <cstddef>
#include <span>

namespace examples {

/// A mean and its standard error.
struct estimate {
    double mean = 0;
    double error = 0;
};

/// Ends of an interval.
struct interval {
    double low;
    double high;
};

/// The mean of values that come in clusters of `cluster` neighbours: the tokens of a window, whose
/// values are not independent of each other. The standard error is that of a mean over clusters,
/// which are independent; with fewer than eight of them it is taken from the values as if these
/// were independent. No values: zeros. One value: an error of zero.
[[nodiscard]] estimate mean_of(std::span<const double> values, std::size_t cluster);

/// The 95 % confidence interval of a mean, from its standard error.
[[nodiscard]] interval confidence(const estimate& e);

/// The 95 % confidence interval of a mean of zeros and ones, of which there are n, by Wilson's
/// formula: also right where the mean is 0 or 1. Where they are not independent, the standard error
/// tells as how many independent ones they count.
[[nodiscard]] interval share_confidence(const estimate& share, std::size_t n);

}  // namespace examples
