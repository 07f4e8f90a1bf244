// Reproducible numbers for tests: the same on every machine and in constant expressions.
#pragma once

#include <cstddef>
#include <cstdint>

namespace reference {

// SplitMix64 (Steele, Lea, Flood, 2014).
constexpr std::uint64_t mix(std::uint64_t z) {
    z += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

class random {
  public:
    constexpr explicit random(std::uint64_t seed) : state_(mix(seed)) {}

    constexpr std::uint64_t bits() { return mix(state_ += 0x9e3779b97f4a7c15u); }
    constexpr std::uint32_t below(std::uint32_t n) {
        return static_cast<std::uint32_t>((bits() >> 32) * n >> 32);
    }
    /// In -1 ... 1, a multiple of 2^-23.
    constexpr float uniform() {
        return static_cast<float>(static_cast<std::int64_t>(bits() >> 40) - (1 << 23)) * 0x1p-23f;
    }

  private:
    std::uint64_t state_;
};

}  // namespace reference
