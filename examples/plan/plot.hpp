// Pictures of points with names, drawn by gnuplot.
#pragma once

#include <string>
#include <vector>

namespace examples {

/// A point of a picture.
struct plot_point {
    std::string name;  ///< written beside it; empty: no label
    double x = 0;
    double y = 0;
    bool on_front = false;  ///< marked, and joined with its neighbours on the front by a line
};

/// What a picture shows.
struct plot_picture {
    std::string title;
    std::string subtitle;  ///< a second, smaller line; may be empty
    std::string x_title;   ///< with its unit
    std::string y_title;
    std::string front_title;  ///< what the marked points are, for the legend
    std::string other_title;  ///< what the others are
    std::string note;         ///< a line below everything; may be empty
    std::vector<plot_point> points;
    bool log_y = false;  ///< for values above zero that span orders of magnitude
};

/// Draws a picture; the ending of the path, .svg or .png, tells the format. Points that share a
/// place share a label. Throws bpw::error: `unsupported` for another ending, no points, values
/// that are not finite or not above zero on a logarithmic axis; `not_found` when there is no
/// gnuplot, `io` when it failed.
void draw(const plot_picture& picture, const std::string& path);

/// The commands for gnuplot that draw() runs, for tests.
[[nodiscard]] std::string plot_commands(const plot_picture& picture, const std::string& path);

}  // namespace examples
