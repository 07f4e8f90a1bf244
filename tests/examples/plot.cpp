// Pictures: labels overlap neither each other nor points, and what cannot be drawn is refused.
#include "plan/plot.hpp"
#include "plan/label_placement.hpp"
#include "reference/random.hpp"

#include <bpw/core/error.hpp>

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

namespace examples_test {
namespace {

using namespace examples;

TEST(label_placement, boxes) {
    const box a{0, 0, 10, 10};
    EXPECT_EQ(a.overlap({5, 5, 20, 20}), 25);
    EXPECT_EQ(a.overlap({10, 0, 20, 10}), 0);
    EXPECT_TRUE((box{1, 1, 9, 9}.inside(a)));
    EXPECT_FALSE((box{1, 1, 9, 11}.inside(a)));
}

TEST(label_placement, a_lone_label_stands_right_of_its_point) {
    const auto p =
        place_labels({{100, 100, 50, 12, false}}, {{100, 100}}, {}, {0, 0, 300, 200}, 10);
    ASSERT_TRUE(p[0].has_value());
    EXPECT_GT(p[0]->where.left, 105);
    EXPECT_LT(p[0]->where.left, 112);
    EXPECT_FALSE(p[0]->line);
    const auto corner =
        place_labels({{295, 100, 50, 12, false}}, {{295, 100}}, {}, {0, 0, 300, 200}, 10);
    EXPECT_LE(corner[0]->where.right, 300);
}

TEST(label_placement, labels_hide_nothing) {
    const box frame{0, 0, 1200, 700};
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        reference::random random(seed);
        std::vector<label> labels;
        std::vector<std::pair<double, double>> points;
        // Half of the points in a small crowd.
        for (int i = 0; i < 60; ++i) {
            const double x = i % 2 == 0 ? 20 + random.below(1160) : 500 + random.below(150);
            const double y = i % 2 == 0 ? 20 + random.below(660) : 300 + random.below(100);
            points.emplace_back(x, y);
            labels.push_back({x, y, 40.0 + random.below(40), 16, i % 5 == 0});
        }
        const auto placed = place_labels(labels, points, {{0, 0, 1200, 700}}, frame, 10);
        ASSERT_EQ(placed.size(), labels.size());
        std::size_t shown = 0;
        for (std::size_t i = 0; i < placed.size(); ++i) {
            if (!placed[i]) continue;
            ++shown;
            const auto& b = placed[i]->where;
            EXPECT_TRUE(b.inside(frame));
            EXPECT_NEAR(b.right - b.left, labels[i].width, 1e-9);
            for (std::size_t j = 0; j < i; ++j) {
                if (placed[j]) {
                    EXPECT_EQ(b.overlap(placed[j]->where), 0) << seed << ' ' << i << ' ' << j;
                }
            }
            for (const auto& [x, y] : points) {
                EXPECT_EQ(b.overlap({x - 5, y - 5, x + 5, y + 5}), 0) << seed << ' ' << i;
            }
        }
        EXPECT_GE(shown, 55u) << seed;
    }
}

TEST(label_placement, no_room_no_label) {
    const auto p = place_labels({{5, 5, 50, 12, false}}, {{5, 5}}, {}, {0, 0, 20, 20}, 10);
    EXPECT_FALSE(p[0].has_value());
}

plot_picture small() {
    plot_picture p;
    p.title = "It's a picture\nof two lines";
    p.x_title = "GiB";
    p.y_title = "loss";
    p.front_title = "front";
    p.other_title = "others";
    p.points = {
        {"a", 1, 0.5, true}, {"b", 2, 0.25, true}, {"c", 2, 0.75, false}, {"", 1.5, 0.6, false}};
    return p;
}

bpw::errc refused(const plot_picture& p, const std::string& path) {
    try {
        (void)plot_commands(p, path);
    } catch (const bpw::error& e) {
        return e.code();
    }
    ADD_FAILURE() << "not refused";
    return {};
}

TEST(plot, commands) {
    const auto c = plot_commands(small(), "it's.svg");
    EXPECT_NE(c.find("set output 'it''s.svg'"), std::string::npos);
    EXPECT_NE(c.find("'It''s a picture of two lines'"), std::string::npos);
    EXPECT_NE(c.find("$front << EOD\n1 0.5\n2 0.25\nEOD"), std::string::npos);
    EXPECT_NE(c.find("$other << EOD\n2 0.75\n1.5 0.6\nEOD"), std::string::npos);
    EXPECT_EQ(c, plot_commands(small(), "it's.svg"));
}

TEST(plot, refuses_what_it_cannot_show) {
    EXPECT_EQ(refused(small(), "a.gif"), bpw::errc::unsupported);
    auto p = small();
    p.log_y = true;
    p.points[0].y = 0;
    EXPECT_EQ(refused(p, "a.png"), bpw::errc::unsupported);
    p.points[0].y = 1.0 / 0.0;
    EXPECT_EQ(refused(p, "a.png"), bpw::errc::unsupported);
    p.points.clear();
    EXPECT_EQ(refused(p, "a.png"), bpw::errc::unsupported);
    p = small();
    p.points = {{"one", 3, 3, true}};
    EXPECT_NE(plot_commands(p, "a.png").find("one"), std::string::npos);
}

TEST(plot, draws_both_formats) {
    if (std::system("gnuplot --version > /dev/null 2>&1") != 0) {
        GTEST_SKIP() << "there is no gnuplot here";
    }
    const auto folder = std::filesystem::temp_directory_path() / "bpw_plot_test";
    std::filesystem::create_directories(folder);
    for (const auto& [name, begin] : {std::pair("p.svg", "<?xml"), {"p.png", "\x89PNG"}}) {
        const auto path = folder / name;
        draw(small(), path.string());
        std::ifstream in(path, std::ios::binary);
        const std::string bytes{std::istreambuf_iterator<char>(in), {}};
        EXPECT_EQ(bytes.rfind(begin, 0), 0u) << name;
        EXPECT_GT(bytes.size(), 2000u);
    }
    EXPECT_THROW(draw(small(), (folder / "no" / "folder.svg").string()), bpw::error);
    std::filesystem::remove_all(folder);
}

TEST(plot, says_when_there_is_no_gnuplot) {
    const auto file = std::filesystem::temp_directory_path() / "bpw_no_gnuplot.svg";
    const char* before = std::getenv("PATH");
    const std::string path = before == nullptr ? "" : before;
    setenv("PATH", "/nowhere", 1);
    try {
        draw(small(), file.string());
        ADD_FAILURE() << "drawn";
    } catch (const bpw::error& e) {
        EXPECT_EQ(e.code(), bpw::errc::not_found);
        EXPECT_NE(std::string(e.what()).find("gnuplot"), std::string::npos);
        EXPECT_NE(std::string(e.what()).find("not installed"), std::string::npos);
    }
    setenv("PATH", path.c_str(), 1);
    std::filesystem::remove(file);
}

}  // namespace
}  // namespace examples_test
