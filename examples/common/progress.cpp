#include "common/progress.hpp"

#include "common/text.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string_view>
#include <utility>

namespace examples {
namespace {

// "1:02:03", "4:05".
std::string duration(double seconds) {
    const auto s = static_cast<std::uint64_t>(std::clamp(seconds, 0.0, 1e9));
    const auto two = [](std::uint64_t n) {
        auto digits = std::to_string(n);
        if (n < 10) digits.insert(0, 1, '0');
        return digits;
    };
    if (s < 3600) return std::to_string(s / 60).append(":").append(two(s % 60));
    return std::to_string(s / 3600)
        .append(":")
        .append(two(s / 60 % 60))
        .append(":")
        .append(two(s % 60));
}

bool draws_on_terminal() {
    const char* kind = std::getenv("TERM");
    return ::isatty(STDERR_FILENO) != 0 && kind != nullptr && std::string_view(kind) != "dumb";
}

}  // namespace

progress::progress(std::size_t steps, std::uint64_t work, unit rate)
    : terminal_(draws_on_terminal()), steps_(steps), work_(work), rate_(std::move(rate)) {}

progress::~progress() {
    if (terminal_) std::cerr << "\r\x1b[K" << std::flush;
}

void progress::begin(const std::string& what) {
    ++step_;
    what_ = what;
    if (!terminal_) {
        std::cerr << '[' << step_ << '/' << steps_ << "] " << what << '\n';
        return;
    }
    draw(false);
}

void progress::advance(std::uint64_t work) {
    done_ += work;
    if (terminal_) draw(done_ == work_);
}

void progress::draw(bool always) {
    using namespace std::chrono_literals;
    const auto now = clock::now();
    if (!always && now - drawn_ < 100ms) return;
    drawn_ = now;
    constexpr std::size_t width = 24;
    const double share = work_ == 0 ? 1 : static_cast<double>(done_) / static_cast<double>(work_);
    const auto full = static_cast<std::size_t>(share * width);
    const double seconds = std::chrono::duration<double>(now - start_).count();
    std::string line = "\r\x1b[K[";
    line.append(full, '#').append(width - full, '.').append("] ");
    line.append(fixed(100 * share, 1)).append("%");
    if (done_ != 0 && seconds > 0) {
        line.append("  ").append(fixed(static_cast<double>(done_) / seconds / rate_.size, 1));
        line.append(" ")
            .append(rate_.name)
            .append("/s  ")
            .append(duration(seconds * (1 - share) / share))
            .append(" left");
    }
    line.append("  ").append(printable(what_, 60));
    std::cerr << line << std::flush;
}

}  // namespace examples
