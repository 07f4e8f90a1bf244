#include "plan/label_placement.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace examples {

double box::overlap(const box& other) const {
    const double w = std::min(right, other.right) - std::max(left, other.left);
    const double h = std::min(top, other.top) - std::max(bottom, other.bottom);
    return w > 0 && h > 0 ? w * h : 0;
}

bool box::inside(const box& other) const {
    return left >= other.left && right <= other.right && bottom >= other.bottom && top <= other.top;
}

namespace {

constexpr double pi = 3.14159265358979323846;

// Whether a segment passes through a box: clipped by its four sides (Liang and Barsky).
bool crosses(const segment& s, const box& b) {
    double from = 0;
    double to = 1;
    const auto clip = [&](double delta, double room) {
        if (delta == 0) return room >= 0;
        const double at = room / delta;
        if (delta < 0) {
            from = std::max(from, at);
        } else {
            to = std::min(to, at);
        }
        return from <= to;
    };
    const double dx = s.x2 - s.x1;
    const double dy = s.y2 - s.y1;
    return clip(-dx, s.x1 - b.left) && clip(dx, b.right - s.x1) && clip(-dy, s.y1 - b.bottom) &&
           clip(dy, b.top - s.y1);
}

// The box of a label whose nearest side or corner lies `away` pixels from the point, in direction
// (dx, dy).
box at_direction(const label& l, double dx, double dy, double away) {
    const double cx = l.x + dx * (away + l.width / 2);
    const double cy = l.y + dy * (away + l.height / 2);
    return {cx - l.width / 2, cy - l.height / 2, cx + l.width / 2, cy + l.height / 2};
}

// Whether two segments cross: each has its ends on both sides of the other.
bool cross(const segment& a, const segment& b) {
    const auto side = [](const segment& s, double x, double y) {
        return (s.x2 - s.x1) * (y - s.y1) - (s.y2 - s.y1) * (x - s.x1);
    };
    return side(a, b.x1, b.y1) * side(a, b.x2, b.y2) < 0 &&
           side(b, a.x1, a.y1) * side(b, a.x2, a.y2) < 0;
}

// Where the line from a point to its label ends: the nearest point of the box.
segment leader(const label& l, const box& b) {
    return {l.x, l.y, std::clamp(l.x, b.left, b.right), std::clamp(l.y, b.bottom, b.top)};
}

// From a point to the nearest point of a box.
double distance(const box& b, double x, double y) {
    return std::hypot(x - std::clamp(x, b.left, b.right), y - std::clamp(y, b.bottom, b.top));
}

}  // namespace

std::vector<std::optional<placed_label>> place_labels(
    const std::vector<label>& labels, const std::vector<std::pair<double, double>>& points,
    const std::vector<segment>& lines, const box& frame, double marker) {
    std::vector<box> markers;
    for (const auto& [x, y] : points) {
        markers.push_back({x - marker / 2, y - marker / 2, x + marker / 2, y + marker / 2});
    }
    // Labels with many neighbours have the least choice, so they choose first.
    std::vector<double> crowd(labels.size());
    for (std::size_t i = 0; i < labels.size(); ++i) {
        for (const auto& [x, y] : points) {
            const double d = std::hypot((x - labels[i].x) / labels[i].width,
                                        (y - labels[i].y) / (3 * labels[i].height));
            crowd[i] += std::exp(-d * d);
        }
    }
    std::vector<std::size_t> order(labels.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        if (labels[a].important != labels[b].important) return labels[a].important;
        return crowd[a] > crowd[b];
    });

    std::vector<std::optional<placed_label>> out(labels.size());
    std::vector<box> taken;
    std::vector<segment> leaders;
    const double gap = marker / 2 + 2;
    for (const auto i : order) {
        const auto& l = labels[i];
        double best = INFINITY;
        for (double away = gap; away < gap + 260; away += away < gap + 20 ? 4 : 10) {
            // Farther out no place can be better than this.
            if (away - gap > best) break;
            for (int step = 0; step < 24; ++step) {
                const double angle = step * 2 * pi / 24;
                const double c = std::cos(angle);
                const double s = std::sin(angle);
                const double stretch = 1 / std::max(std::abs(c), std::abs(s));
                const auto where = at_direction(l, c * stretch, s * stretch, away);
                const auto padded =
                    box{where.left - 2, where.bottom - 1, where.right + 2, where.top + 1};
                if (!where.inside(frame)) continue;
                const auto hits = [&](const box& b) { return padded.overlap(b) > 0; };
                if (std::any_of(taken.begin(), taken.end(), hits) ||
                    std::any_of(markers.begin(), markers.end(), hits)) {
                    continue;
                }
                double cost = away - gap;
                for (const auto& other : lines) cost += crosses(other, padded) ? 40 : 0;
                for (const auto& other : leaders) cost += crosses(other, padded) ? 500 : 0;
                const bool far = away > gap + 6;
                if (!far) {
                    // Without a line a name belongs to the point that is nearest.
                    const double own = distance(where, l.x, l.y);
                    for (const auto& [x, y] : points) {
                        const bool other = x != l.x || y != l.y;
                        if (other && distance(where, x, y) < own + 6) cost += 45;
                    }
                } else {
                    // A line through a marker or a name would point at the wrong thing.
                    const auto line = leader(l, where);
                    cost += 25;
                    for (const auto& b : taken) cost += crosses(line, b) ? 500 : 0;
                    for (const auto& other : leaders) cost += cross(line, other) ? 120 : 0;
                    for (const auto& other : lines) cost += cross(line, other) ? 20 : 0;
                    for (const auto& b : markers) {
                        const bool own =
                            l.x >= b.left && l.x <= b.right && l.y >= b.bottom && l.y <= b.top;
                        cost += !own && crosses(line, b) ? 60 : 0;
                    }
                }
                // Right and above reads best.
                cost += 2 * (1 - c) + (s < 0 ? 2 : 0);
                if (cost < best) {
                    best = cost;
                    out[i] = placed_label{where, far};
                }
            }
        }
        if (out[i]) {
            taken.push_back(out[i]->where);
            if (out[i]->line) leaders.push_back(leader(l, out[i]->where));
        }
    }
    return out;
}

}  // namespace examples
