// Where the names of points go in a picture, so that they hide neither points nor each other.
#pragma once

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace examples {

/// A rectangle in pixels, y upwards.
struct box {
    double left = 0;
    double bottom = 0;
    double right = 0;
    double top = 0;

    [[nodiscard]] double overlap(const box& other) const;  ///< area that both cover
    [[nodiscard]] bool inside(const box& other) const;
};

/// A label to be placed at a point.
struct label {
    double x = 0;  ///< of the point
    double y = 0;
    double width = 0;
    double height = 0;
    bool important = false;  ///< placed first
};

/// Where a label went.
struct placed_label {
    box where;
    bool line = false;  ///< far enough from its point to need a line to it
};

/// A straight piece of line that labels should not cover.
struct segment {
    double x1 = 0, y1 = 0, x2 = 0, y2 = 0;
};

/// Places labels inside `frame`, none on another and none on one of the markers, which are squares
/// of `marker` pixels around `points`; lines are avoided where there is room. The same input gives
/// the same places. A label for which nowhere is room is left out: nothing at its position.
[[nodiscard]] std::vector<std::optional<placed_label>> place_labels(
    const std::vector<label>& labels, const std::vector<std::pair<double, double>>& points,
    const std::vector<segment>& lines, const box& frame, double marker);

}  // namespace examples
