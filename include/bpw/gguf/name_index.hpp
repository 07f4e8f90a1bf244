// A hash table from names to positions in a list that the caller holds.
#pragma once

#include <bpw/core/config.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

BPW_NAMESPACE_BEGIN
namespace gguf::detail {

/// Finds the position of a name. Four to eight bytes of memory times two for each name.
class name_index {
  public:
    static constexpr std::uint32_t none = 0xFFFFFFFF;

    /// Makes room for `count` names. `secret` is any number that the author of the names does not
    /// know; it changes the speed alone.
    void reserve(std::size_t count, std::uint64_t secret) {
        slots_.assign(std::bit_ceil(count * 2 + 1), none);
        // The finaliser of splitmix64 spreads an address over all bits.
        secret = (secret ^ (secret >> 30)) * 0xBF58476D1CE4E5B9u;
        secret = (secret ^ (secret >> 27)) * 0x94D049BB133111EBu;
        point_ = ((secret ^ (secret >> 31)) % (prime - 256)) + 256;
    }

    /// Adds the name at a position, unless an equal one is there: then returns that one's position.
    template <class NameOf>
    std::uint32_t insert(std::uint32_t position, const NameOf& name_of) {
        const std::string_view name = name_of(position);
        for (auto slot = first_slot(name);; slot = (slot + 1) & (slots_.size() - 1)) {
            if (slots_[slot] == none) {
                slots_[slot] = position;
                return none;
            }
            if (name_of(slots_[slot]) == name) return slots_[slot];
        }
    }

    /// The position of a name, or none.
    template <class NameOf>
    [[nodiscard]] std::uint32_t find(std::string_view name, const NameOf& name_of) const {
        if (slots_.empty()) return none;
        for (auto slot = first_slot(name);; slot = (slot + 1) & (slots_.size() - 1)) {
            if (slots_[slot] == none || name_of(slots_[slot]) == name) return slots_[slot];
        }
    }

  private:
    static constexpr std::uint64_t prime = 0x7FFFFFFF;

    // A polynomial over a prime field, evaluated at a secret point (Carter and Wegman 1979): names
    // chosen to collide would make the table quadratic, and without the point they cannot be
    // chosen.
    [[nodiscard]] std::size_t first_slot(std::string_view name) const noexcept {
        std::uint64_t hash = name.size() % prime;
        std::size_t i = 0;
        const auto byte = [&](std::size_t k) {
            return std::uint64_t{static_cast<unsigned char>(name[k])};
        };
        for (; i + 3 <= name.size(); i += 3) {
            hash = (hash * point_ + (byte(i) | byte(i + 1) << 8 | byte(i + 2) << 16)) % prime;
        }
        for (; i < name.size(); ++i) hash = (hash * point_ + byte(i)) % prime;
        return static_cast<std::size_t>(hash * point_ % prime) & (slots_.size() - 1);
    }

    std::vector<std::uint32_t> slots_;
    std::uint64_t point_ = 256;
};

}  // namespace gguf::detail
BPW_NAMESPACE_END
