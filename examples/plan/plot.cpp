#include "plan/plot.hpp"

#include "plan/label_placement.hpp"

#include <bpw/core/error.hpp>
#include <bpw/plan/number_text.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <iterator>
#include <locale>
#include <map>
#include <sstream>
#include <string_view>
#include <utility>

extern char** environ;

namespace examples {
namespace {

// Everything is laid out in pixels of the picture, so that labels can be placed before gnuplot
// runs.
constexpr double width = 1400;
constexpr double height = 900;
constexpr box frame{110, 110, 1370, 800};
constexpr double font_pixels = 15;
constexpr double marker_pixels = 11;

std::string number(double v) {
    std::ostringstream out;
    out.imbue(std::locale::classic());
    out.precision(12);
    out << v;
    return out.str();
}

// Text in gnuplot's single quotes, within which only a quote is special. Control characters cannot
// stand in a line.
std::string text(std::string_view in) {
    std::string out = "'";
    for (const char c : in) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
            out += ' ';
        } else {
            out += c;
            if (c == '\'') out += c;
        }
    }
    return out + "'";
}

double text_width(std::string_view in) {
    // Average advance of DejaVu Sans; characters of more bytes count once.
    double sum = 0;
    for (const char c : in) {
        const auto byte = static_cast<unsigned char>(c);
        if ((byte & 0xC0) == 0x80) continue;
        const bool narrow = std::strchr("ijl.,:;'|!()[] tfr1", c) != nullptr;
        const bool wide = std::strchr("mwMWGQ%@", c) != nullptr;
        sum += narrow ? 0.45 : wide ? 0.9 : 0.66;
    }
    return sum * font_pixels;
}

// An axis: its range, wider than its values, and its marks at round numbers.
struct axis {
    double low;
    double high;
    bool logarithmic;
    std::vector<double> marks;

    [[nodiscard]] double place(double v) const {
        return logarithmic
                   ? (std::log10(v) - std::log10(low)) / (std::log10(high) - std::log10(low))
                   : (v - low) / (high - low);
    }
};

axis make_axis(double low, double high, bool logarithmic, double margin) {
    axis a{low, high, logarithmic, {}};
    if (logarithmic) {
        const double l = std::log10(low);
        const double h = std::log10(high);
        const double room = std::max(margin * (h - l), 0.02);
        a.low = std::pow(10, l - room);
        a.high = std::pow(10, h + room);
        const bool dense = h - l < 1.5;
        for (double e = std::floor(l) - 1; e <= h + 1; ++e) {
            for (const double m : {1.0, 1.5, 2.0, 3.0, 5.0, 7.0}) {
                const bool main = m == 1 || (dense || (h - l < 3 && (m == 2 || m == 5)));
                const double v = m * std::pow(10, e);
                if (main && v >= a.low && v <= a.high) a.marks.push_back(v);
            }
        }
        return a;
    }
    const double room = high > low ? margin * (high - low) : std::max(1.0, std::abs(low)) * 0.1;
    a.low = low - room;
    a.high = high + room;
    const double raw = (a.high - a.low) / 9;
    const double power = std::pow(10, std::floor(std::log10(raw)));
    double step = 10 * power;
    for (const double m : {5.0, 2.0, 1.0}) {
        if (m * power >= raw) step = m * power;
    }
    for (double n = std::ceil(a.low / step); n * step <= a.high; ++n) a.marks.push_back(n * step);
    return a;
}

// Round numbers: without the noise of 0.1 + 0.2.
std::string mark_text(double v) {
    std::ostringstream out;
    out.imbue(std::locale::classic());
    out.precision(6);
    out << (std::abs(v) < 1e-12 ? 0 : v);
    return out.str();
}

std::string pixels(double x, double y) {
    return "screen " + number(x / width) + "," + number(y / height);
}

// A text in lines of at most so many pixels, broken at blanks.
std::vector<std::string> wrapped(std::string_view in, double pixels_wide, double scale) {
    std::vector<std::string> lines;
    while (!in.empty()) {
        const auto blank = in.find(' ');
        const auto word = in.substr(0, blank);
        in.remove_prefix(blank == in.npos ? in.size() : blank + 1);
        const std::string longer = lines.empty() ? "" : lines.back() + " " + std::string(word);
        if (!lines.empty() && scale * text_width(longer) <= pixels_wide) {
            lines.back() = longer;
        } else {
            lines.emplace_back(word);
        }
    }
    return lines;
}

bool ends_with(std::string_view path, std::string_view with) {
    return path.size() >= with.size() && path.substr(path.size() - with.size()) == with;
}

}  // namespace

std::string plot_commands(const plot_picture& picture, const std::string& path) {
    using bpw::errc;
    using bpw::fail;
    const bool svg = ends_with(path, ".svg");
    if (!svg && !ends_with(path, ".png")) {
        throw bpw::error(fail(errc::unsupported, "the picture '", path,
                              "' has a name of no known format; expected one that ends in .svg or "
                              ".png"));
    }
    if (picture.points.empty()) {
        throw bpw::error(fail(errc::unsupported, "the picture '", path, "' has no points to show"));
    }
    for (const auto& p : picture.points) {
        if (!std::isfinite(p.x) || !std::isfinite(p.y) || (picture.log_y && p.y <= 0)) {
            throw bpw::error(fail(errc::unsupported, "the point '", p.name, "' at ", number(p.x),
                                  ", ", number(p.y), " cannot be shown in the picture '", path,
                                  "'"));
        }
    }

    const auto by_x = std::minmax_element(picture.points.begin(), picture.points.end(),
                                          [](const auto& a, const auto& b) { return a.x < b.x; });
    const auto by_y = std::minmax_element(picture.points.begin(), picture.points.end(),
                                          [](const auto& a, const auto& b) { return a.y < b.y; });
    const auto x = make_axis(by_x.first->x, by_x.second->x, false, 0.06);
    const auto y = make_axis(by_y.first->y, by_y.second->y, picture.log_y, 0.08);
    const auto place = [&](double px, double py) {
        return std::pair(frame.left + x.place(px) * (frame.right - frame.left),
                         frame.bottom + y.place(py) * (frame.top - frame.bottom));
    };

    // Points that fall on one another share a label.
    struct shared {
        std::pair<double, double> at;
        std::vector<std::string> names;
        bool on_front;
    };
    std::vector<shared> groups;
    std::vector<std::pair<double, double>> markers;
    for (const auto& p : picture.points) {
        const auto at = place(p.x, p.y);
        markers.push_back(at);
        if (p.name.empty()) continue;
        const auto near = std::find_if(groups.begin(), groups.end(), [&](const shared& g) {
            const double far = g.on_front == p.on_front ? marker_pixels / 3 : 1;
            return std::hypot(g.at.first - at.first, g.at.second - at.second) < far;
        });
        if (near == groups.end()) {
            groups.push_back({at, {p.name}, p.on_front});
        } else {
            near->names.push_back(p.name);
            near->on_front = near->on_front || p.on_front;
        }
    }
    std::vector<label> labels;
    std::vector<std::string> names;
    for (const auto& g : groups) {
        std::string joined;
        for (const auto& n : g.names) joined += (joined.empty() ? "" : ", ") + n;
        labels.push_back(
            {g.at.first, g.at.second, text_width(joined), font_pixels * 1.15, g.on_front});
        names.push_back(std::move(joined));
    }
    std::vector<plot_point> front;
    std::copy_if(picture.points.begin(), picture.points.end(), std::back_inserter(front),
                 [](const plot_point& p) { return p.on_front; });
    std::stable_sort(front.begin(), front.end(), [](const plot_point& a, const plot_point& b) {
        return a.x != b.x ? a.x < b.x : a.y < b.y;
    });
    std::vector<segment> lines;
    for (std::size_t i = 1; i < front.size(); ++i) {
        const auto a = place(front[i - 1].x, front[i - 1].y);
        const auto b = place(front[i].x, front[i].y);
        lines.push_back({a.first, a.second, b.first, b.second});
    }
    const box inner{frame.left + 3, frame.bottom + 3, frame.right - 3, frame.top - 3};
    const auto places = place_labels(labels, markers, lines, inner, marker_pixels);

    std::ostringstream out;
    out.imbue(std::locale::classic());
    const std::string font = "font 'DejaVu Sans,";
    out << "set encoding utf8\n";
    // The svg terminal counts in points of 1/72 inch at 96 pixels per inch, pngcairo in pixels
    // at 72.
    out << "set terminal " << (svg ? "svg" : "pngcairo") << " noenhanced size " << width << ','
        << height << ' ' << font << (svg ? 15 : 11.25) << "' background rgb '#ffffff'\n";
    out << "set output " << text(path) << '\n';
    out << "set lmargin at screen " << number(frame.left / width) << '\n'
        << "set rmargin at screen " << number(frame.right / width) << '\n'
        << "set bmargin at screen " << number(frame.bottom / height) << '\n'
        << "set tmargin at screen " << number(frame.top / height) << '\n';
    out << "unset key\nset border 3 lc rgb '#555555'\nset tics nomirror out scale 0.6\n";
    out << "set grid xtics ytics lc rgb '#e4e4e4' lt 1 lw 1\n";
    if (y.logarithmic) out << "set logscale y\n";
    out << "set xrange [" << number(x.low) << ':' << number(x.high) << "]\n"
        << "set yrange [" << number(y.low) << ':' << number(y.high) << "]\n";
    for (const auto& [which, a] : {std::pair<const char*, const axis*>("x", &x), {"y", &y}}) {
        out << "set " << which << "tics (";
        for (std::size_t i = 0; i < a->marks.size(); ++i) {
            out << (i == 0 ? "" : ", ") << text(mark_text(a->marks[i])) << ' '
                << number(a->marks[i]);
        }
        out << ") textcolor rgb '#333333'\n";
    }
    const auto write = [&](double px, double py, std::string_view what, std::string_view how) {
        out << "set label " << text(what) << " at " << pixels(px, py) << ' ' << how << '\n';
    };
    const std::string dark = "front textcolor rgb '#222222' ";
    const auto size = [&](double points) {
        return font + number(svg ? points * 4 / 3 : points) + "'";
    };
    write(frame.left, 862, picture.title, "left " + dark + size(17));
    if (!picture.subtitle.empty()) {
        write(frame.left, 832, picture.subtitle,
              "left front textcolor rgb '#666666' " + size(11.25));
    }
    write((frame.left + frame.right) / 2, 60, picture.x_title, "center " + dark + size(13));
    const auto notes = wrapped(picture.note, frame.right - frame.left, 13 / font_pixels);
    for (std::size_t i = 0; i < std::min<std::size_t>(notes.size(), 2); ++i) {
        write(frame.left, 26 - 17 * static_cast<double>(i), notes[i],
              "left front textcolor rgb '#666666' " + size(9.75));
    }
    write(34, (frame.bottom + frame.top) / 2, picture.y_title,
          "center rotate by 90 " + dark + size(13));

    // The legend stands above the frame, where no point can be.
    const std::string front_colour = "#c0392b";
    const std::string other_colour = "#7f8c9b";
    const bool others = front.size() != picture.points.size();
    double right = frame.right;
    int object = 0;
    for (const bool on_front : {false, true}) {
        if (on_front ? front.empty() : !others) continue;
        const auto& what = on_front ? picture.front_title : picture.other_title;
        if (what.empty()) continue;
        right -= text_width(what);
        write(right, 862, what, "left " + dark + size(11.25));
        out << "set object " << ++object << " circle at " << pixels(right - 14, 862)
            << " size screen " << number(marker_pixels / 2 / width) << " front fillcolor rgb '"
            << (on_front ? front_colour : other_colour) << "' fillstyle solid noborder\n";
        right -= 50;
    }

    for (std::size_t i = 0; i < labels.size(); ++i) {
        if (!places[i]) continue;
        const auto& b = places[i]->where;
        const auto& l = labels[i];
        if (places[i]->line) {
            const double ex = std::clamp(l.x, b.left, b.right);
            const double ey = std::clamp(l.y, b.bottom, b.top);
            out << "set arrow from " << pixels(l.x, l.y) << " to " << pixels(ex, ey)
                << " nohead back lw 1 lc rgb '#b0b0b0'\n";
        }
        // Beside its point a text begins or ends there, whatever the width of the font.
        const bool right_of = b.left >= l.x;
        const bool left_of = b.right <= l.x;
        const double room = places[i]->line ? 3 : 0;  // between a line and its name
        const double anchor = right_of  ? b.left + room
                              : left_of ? b.right - room
                                        : (b.left + b.right) / 2;
        write(anchor, (b.bottom + b.top) / 2, names[i],
              std::string(right_of  ? "left"
                          : left_of ? "right"
                                    : "center") +
                  " front textcolor rgb '" + (l.important ? "#922b21" : "#4a5560") + "' " +
                  size(11.25));
    }

    const auto block = [&](std::string_view name, const std::vector<plot_point>& points) {
        out << '$' << name << " << EOD\n";
        for (const auto& p : points) out << number(p.x) << ' ' << number(p.y) << '\n';
        out << "EOD\n";
    };
    std::vector<plot_point> rest;
    std::copy_if(picture.points.begin(), picture.points.end(), std::back_inserter(rest),
                 [](const plot_point& p) { return !p.on_front; });
    std::string plots;
    const std::string marker = " with points pt 7 ps " + number(svg ? 0.68 : 1.1) + " lc rgb '";
    if (!rest.empty()) {
        block("other", rest);
        plots += "$other" + marker + other_colour + "'";
    }
    if (!front.empty()) {
        block("front", front);
        if (!plots.empty()) plots += ", ";
        plots += "$front with lines lw 1.5 lc rgb '#e6b0aa', $front" + marker + front_colour + "'";
    }
    out << "plot " << plots << "\nunset output\n";
    return out.str();
}

void draw(const plot_picture& picture, const std::string& path) {
    using bpw::errc;
    using bpw::fail;
    const auto commands = plot_commands(picture, path);
    // gnuplot would go on without its file and draw to standard output.
    if (!std::ofstream(path)) throw bpw::error(fail(errc::io, "cannot write '", path, "'"));

    int ends[2];
    if (pipe(ends) != 0) throw bpw::error(fail(errc::io, "no pipe: ", std::strerror(errno)));
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    char program[] = "gnuplot";
    char dash[] = "-";
    char* arguments[] = {program, dash, nullptr};
    pid_t child = 0;
    const int refused = posix_spawnp(&child, program, &actions, nullptr, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[0]);
    const auto missing = [&] {
        return bpw::error(fail(errc::not_found, "the picture '", path,
                               "' needs the program gnuplot, which is not installed (in Debian: "
                               "the package gnuplot-nox)"));
    };
    if (refused != 0) {
        close(ends[1]);
        if (refused == ENOENT) throw missing();
        throw bpw::error(
            fail(errc::io, "the picture '", path,
                 "' needs the program gnuplot, which did not start: ", std::strerror(refused)));
    }
    // A child that ends early is seen by its exit status, not by a signal.
    const auto before = std::signal(SIGPIPE, SIG_IGN);
    std::string_view rest = commands;
    while (!rest.empty()) {
        const auto sent = write(ends[1], rest.data(), rest.size());
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) break;
        rest.remove_prefix(static_cast<std::size_t>(sent));
    }
    close(ends[1]);
    std::signal(SIGPIPE, before);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    // Where it cannot tell at once, posix_spawnp lets the child end with 127.
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) throw missing();
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        throw bpw::error(fail(errc::io, "gnuplot could not draw the picture '", path, "'"));
    }
}

}  // namespace examples
