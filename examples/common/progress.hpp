// How far the work is: one line that is drawn anew on a terminal, one line a step elsewhere.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace examples {

class progress {
  public:
    /// In what the rate is given: `size` of what advance() counts is one `name`.
    struct unit {
        double size;
        std::string name;
    };

    /// For so many steps with so much work in all.
    progress(std::size_t steps, std::uint64_t work, unit rate);
    /// Ends the line.
    ~progress();
    progress(const progress&) = delete;
    progress& operator=(const progress&) = delete;

    /// Begins a step; `what` describes it.
    void begin(const std::string& what);
    /// So much more of the work is done.
    void advance(std::uint64_t work);

  private:
    using clock = std::chrono::steady_clock;
    void draw(bool always);

    bool terminal_;
    std::size_t steps_;
    std::size_t step_ = 0;
    std::uint64_t work_;
    unit rate_;
    std::uint64_t done_ = 0;
    std::string what_;
    clock::time_point start_ = clock::now();
    clock::time_point drawn_{};
};

}  // namespace examples
