// The nearest vector of a lattice codebook.
//
// The cost of a vector is the sum, over its places, of a number that depends on the place and its
// level alone. So the places are taken in parts, whose sums are tabulated once: an entry then costs
// one look-up a part. Entries that agree in the last part form a class, and a class whose part
// costs too much already is passed over. The result is the minimum, or very nearly so.
#pragma once

#include <bpw/formats/lattice_codebooks.hpp>
#include <bpw/simd/float_lanes.hpp>

#include <array>
#include <cstdint>
#include <limits>

BPW_NAMESPACE_BEGIN

namespace detail {

template <class Codebook>
class codebook_search {
  public:
    static constexpr auto length = std::size_t{Codebook::length};
    static constexpr auto levels = Codebook::levels.size();

    struct found {
        float cost;
        std::uint16_t index;
    };

    /// The entry of the least cost, or nearly so; cost[level * length + place] must not be negative
    /// and has 32 numbers. Where it cannot be below `limit` the search may end with a larger cost
    /// than it has.
    [[nodiscard]] static found nearest(
        const float* cost, float limit = std::numeric_limits<float>::infinity()) noexcept {
        // Each place at its cheapest, if there is such an entry.
        std::size_t code = 0;
        std::size_t home = 0;
        float sum = 0;
        for (std::size_t k = length; k-- > 0;) {
            std::size_t best = 0;
            for (std::size_t l = 1; l < levels; ++l) {
                if (cost[l * length + k] < cost[best * length + k]) best = l;
            }
            code = code * levels + best;
            if (k == first_of_class) home = code;
            sum += cost[best * length + k];
        }
        if (const auto index = rank[code]; index != none) return {sum, index};
        if (sum > limit) return {std::numeric_limits<float>::max(), 0};

        const lanes::table32<native_arch> by_place(cost);
        std::array<std::array<float, 32>, inner_parts + 1> tables{};
        float least_of_parts = 0;
        tabulate<0>(by_place, tables[0], least_of_parts);
        tabulate<1>(by_place, tables[1], least_of_parts);
        if constexpr (inner_parts > 2) tabulate<2>(by_place, tables[2], least_of_parts);
        float least_class = 0;
        auto& of_class = tables[inner_parts];
        tabulate<inner_parts>(by_place, of_class, least_class);
        const lanes::table32<native_arch> first(tables[0].data());
        const lanes::table32<native_arch> second(tables[1].data());
        const lanes::table32<native_arch> third(tables[2].data());
        found best{std::numeric_limits<float>::infinity(), 0};
        const auto search_class = [&](std::size_t c) {
            auto least = floats::all(std::numeric_limits<float>::infinity());
            auto at = floats::zero();
            const auto from = std::size_t{book.first[c]};
            const auto to = std::size_t{book.first[c + 1]};
            for (std::size_t v = from; v < to; ++v) {
                const auto* const packed = book.packed.data() + v * lane_count;
                auto total =
                    lanes::add(first.template at<0>(packed), second.template at<8>(packed));
                if constexpr (inner_parts > 2) {
                    total = lanes::add(total, third.template at<16>(packed));
                }
                at = lanes::where_less(total, least, floats::all(static_cast<float>(v)), at);
                least = lanes::min(total, least);
            }
            const float most = best.cost - of_class[c];
            if (!lanes::any_less(least, floats::all(most))) return;
            const auto totals = lanes::to_array(least);
            const auto lane = smallest_lane(totals);
            const auto vector = static_cast<std::size_t>(lanes::to_array(at)[lane]);
            best = {totals[lane] + of_class[c], book.entry[vector * lane_count + lane]};
        };
        search_class(home);
        for (std::size_t c = 0; c < classes; ++c) {
            if (c != home && of_class[c] + least_of_parts < prospect * best.cost) search_class(c);
        }
        return best;
    }

  private:
    static constexpr std::uint16_t none = 0xffff;

    // Classes whose bound is not far below what was found hardly ever hold anything better.
    static constexpr float prospect = 0.75f;

    // Places of each part; the last one is the class.
    static constexpr auto part_begin = [] {
        if constexpr (length == 8)
            return std::array<std::size_t, 4>{0, 3, 5, 8};
        else
            return std::array<std::size_t, 5>{0, 1, 2, 3, 4};
    }();
    static constexpr std::size_t inner_parts = part_begin.size() - 2;
    static constexpr std::size_t first_of_class = part_begin[inner_parts];

    [[nodiscard]] static constexpr std::size_t power(std::size_t n) noexcept {
        std::size_t p = 1;
        while (n-- > 0) p *= levels;
        return p;
    }
    static constexpr std::size_t classes = power(length - first_of_class);

    // Which level a value is. Tables keep the evaluation of the others within compilers' limits.
    static constexpr auto place_of_level = [] {
        std::array<std::uint8_t, 256> place{};
        for (std::size_t i = 0; i < Codebook::levels.size(); ++i) {
            place[static_cast<std::size_t>(Codebook::levels[i] + 128)] =
                static_cast<std::uint8_t>(i);
        }
        return place;
    }();
    static constexpr auto digit_table = [] {
        std::array<std::array<std::size_t, length>, std::size_t{Codebook::entries}> out{};
        for (std::size_t e = 0; e < out.size(); ++e) {
            auto& to = out[e];
            const auto& from = lattice::grid<Codebook>[e];
            for (std::size_t k = 0; k < length; ++k) {
                to[k] = place_of_level[static_cast<std::size_t>(from[k] + 128)];
            }
        }
        return out;
    }();
    [[nodiscard]] static constexpr const std::array<std::size_t, length>& digits(
        std::size_t entry) noexcept {
        return digit_table[entry];
    }
    // The number of a part's levels, the first place least significant.
    [[nodiscard]] static constexpr std::size_t part(const std::array<std::size_t, length>& digit,
                                                    std::size_t p) {
        std::size_t out = 0;
        for (std::size_t k = part_begin[p + 1]; k-- > part_begin[p];) out = out * levels + digit[k];
        return out;
    }

    // Which entry has these levels.
    static constexpr auto rank = [] {
        std::array<std::uint16_t, power(length)> out{};
        for (auto& r : out) r = none;
        for (std::size_t e = 0; e < std::size_t{Codebook::entries}; ++e) {
            const auto& digit = digits(e);
            std::size_t code = 0;
            for (std::size_t k = length; k-- > 0;) code = code * levels + digit[k];
            out[code] = static_cast<std::uint16_t>(e);
        }
        return out;
    }();

    static constexpr auto class_sizes = [] {
        std::array<std::size_t, classes> n{};
        for (std::size_t e = 0; e < std::size_t{Codebook::entries}; ++e)
            ++n[part(digits(e), inner_parts)];
        return n;
    }();
    static constexpr std::size_t vectors = [] {
        std::size_t n = 0;
        for (const auto size : class_sizes) n += (size + lane_count - 1) / lane_count;
        return n;
    }();

    // Entries by class, each class filled up to whole vectors with its last entry.
    struct sorted_entries {
        std::array<std::uint16_t, classes + 1> first{};  // vector of a class
        std::array<std::uint32_t, vectors * lane_count> packed{};
        std::array<std::uint16_t, vectors * lane_count> entry{};
    };
    static constexpr auto book = [] {
        sorted_entries s;
        for (std::size_t c = 0; c < classes; ++c) {
            s.first[c + 1] = static_cast<std::uint16_t>(
                s.first[c] + (class_sizes[c] + lane_count - 1) / lane_count);
        }
        std::array<std::size_t, classes> filled{};
        const auto put = [&](std::size_t c, std::size_t e) {
            const auto at = s.first[c] * lane_count + filled[c]++;
            const auto& digit = digits(e);
            for (std::size_t p = 0; p < inner_parts; ++p) {
                s.packed[at] |= static_cast<std::uint32_t>(part(digit, p) << 8 * p);
            }
            s.entry[at] = static_cast<std::uint16_t>(e);
        };
        std::array<std::size_t, classes> last{};
        for (std::size_t e = 0; e < std::size_t{Codebook::entries}; ++e) {
            const auto c = part(digits(e), inner_parts);
            last[c] = e;
            put(c, e);
        }
        for (std::size_t c = 0; c < classes; ++c) {
            while (filled[c] % lane_count != 0) put(c, last[c]);
        }
        return s;
    }();

    // For every number of a part's levels where their costs lie: 5 bits a place.
    template <std::size_t P>
    static constexpr auto cost_places = [] {
        std::array<std::uint32_t, 32> out{};
        constexpr auto begin = part_begin[P];
        for (std::size_t number = 0; number < out.size(); ++number) {
            auto rest = number;
            for (std::size_t k = begin; k < part_begin[P + 1]; ++k, rest /= levels) {
                out[number] |= static_cast<std::uint32_t>(rest % levels * length + k)
                               << 8 * (k - begin);
            }
        }
        return out;
    }();

    template <std::size_t P>
    static void tabulate(const lanes::table32<native_arch>& cost, std::array<float, 32>& out,
                         float& least) noexcept {
        constexpr auto count = part_begin[P + 1] - part_begin[P];
        constexpr auto numbers = power(count);
        auto smallest = floats::all(std::numeric_limits<float>::infinity());
        for (std::size_t v = 0; v < (numbers + lane_count - 1) / lane_count; ++v) {
            const auto* const places = cost_places<P>.data() + v * lane_count;
            auto sum = cost.template at<0>(places);
            if constexpr (count > 1) sum = lanes::add(sum, cost.template at<8>(places));
            if constexpr (count > 2) sum = lanes::add(sum, cost.template at<16>(places));
            sum.store(out.data() + v * lane_count);
            smallest = lanes::min(smallest, sum);
        }
        least += lanes::smallest(smallest);
    }
};

}  // namespace detail

BPW_NAMESPACE_END
