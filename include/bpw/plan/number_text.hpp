// Numbers as the planner's files and reports write them, whatever the locale.
#pragma once

#include <bpw/core/config.hpp>

#include <charconv>
#include <cmath>
#include <cstddef>
#include <string>

BPW_NAMESPACE_BEGIN
namespace plan {

/// A finite number with so many digits behind the point, rounded to nearest: fixed(2.5, 4) is
/// "2.5000".
[[nodiscard]] inline std::string fixed(double number, int digits) {
    char buffer[400];
    const auto [end, error] =
        std::to_chars(buffer, buffer + sizeof buffer, number, std::chars_format::fixed, digits);
    return error == std::errc{} ? std::string(buffer, end) : std::string("?");
}

/// The same with a sign in front of positive numbers too: "+2.50".
[[nodiscard]] inline std::string signed_fixed(double number, int digits) {
    auto text = fixed(number, digits);
    return std::signbit(number) ? text : text.insert(0, 1, '+');
}

/// The same without the zeros at its end: trimmed_fixed(2.5, 4) is "2.5", trimmed_fixed(32, 4)
/// "32".
[[nodiscard]] inline std::string trimmed_fixed(double number, int digits) {
    auto text = fixed(number, digits);
    if (text.find('.') == std::string::npos) return text;
    while (text.back() == '0') text.pop_back();
    if (text.back() == '.') text.pop_back();
    return text;
}

}  // namespace plan
BPW_NAMESPACE_END
