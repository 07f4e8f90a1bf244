#include "perplexity/picture.hpp"

#include "plan/plot.hpp"

#include <algorithm>

namespace examples {

std::vector<bool> front_of(const std::vector<sized_loss>& models) {
    std::vector<bool> front;
    for (const auto& m : models) {
        front.push_back(std::none_of(models.begin(), models.end(), [&](const sized_loss& other) {
            return other.bytes <= m.bytes && other.loss <= m.loss &&
                   (other.bytes < m.bytes || other.loss < m.loss);
        }));
    }
    return front;
}

void draw_front(const std::vector<sized_loss>& models, const std::string& title,
                const std::string& subtitle, const std::string& y_title, bool logarithmic,
                const std::string& path) {
    plot_picture picture;
    picture.title = title;
    picture.subtitle = subtitle;
    picture.x_title = "size of all tensors (MiB)";
    picture.y_title = y_title;
    picture.front_title = "no smaller model is as good";
    picture.other_title = "another is smaller and better";
    picture.log_y = logarithmic;
    const auto front = front_of(models);
    for (std::size_t i = 0; i < models.size(); ++i) {
        const auto& m = models[i];
        if (logarithmic && !(m.loss > 0)) continue;
        // The title of the picture says what kind of files they are.
        const auto stem = m.name.ends_with(".gguf") ? m.name.size() - 5 : m.name.size();
        picture.points.push_back(
            {m.name.substr(0, stem), static_cast<double>(m.bytes) / 0x1p20, m.loss, front[i]});
    }
    draw(picture, path);
}

}  // namespace examples
