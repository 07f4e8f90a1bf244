// Which models are worth having, of those that were measured, and a picture of all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace examples {

/// A model: how large it is, and what is lost with it.
struct sized_loss {
    std::string name;
    std::uint64_t bytes;
    double loss;
};

/// For every model whether none is smaller without losing more, or loses less without being
/// larger.
[[nodiscard]] std::vector<bool> front_of(const std::vector<sized_loss>& models);

/// Draws loss against size with the front marked. `y_title` says what is lost; with `logarithmic`
/// models that lose nothing are left out. Throws bpw::error, as draw() does.
void draw_front(const std::vector<sized_loss>& models, const std::string& title,
                const std::string& subtitle, const std::string& y_title, bool logarithmic,
                const std::string& path);

}  // namespace examples
