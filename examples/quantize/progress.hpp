// How far the work is: one line that is drawn anew on a terminal, one line a tensor elsewhere.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace examples {

class progress {
  public:
    /// For so many tensors with so many weights in all.
    progress(std::size_t tensors, std::uint64_t weights);
    /// Ends the line.
    ~progress();
    progress(const progress&) = delete;
    progress& operator=(const progress&) = delete;

    /// Begins a tensor; `what` describes it.
    void begin(const std::string& what);
    /// So many of its weights are done.
    void advance(std::uint64_t weights);

  private:
    using clock = std::chrono::steady_clock;
    void draw(bool always);

    bool terminal_;
    std::size_t tensors_;
    std::size_t tensor_ = 0;
    std::uint64_t weights_;
    std::uint64_t done_ = 0;
    std::string what_;
    clock::time_point start_ = clock::now();
    clock::time_point drawn_{};
};

}  // namespace examples
