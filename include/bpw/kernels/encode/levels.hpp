// What the codes of a type stand for, as tables that a search can use.
//
// The tables are taken from the types themselves: a block with every code in turn says what it
// means.
#pragma once

#include <bpw/formats/registry.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

BPW_NAMESPACE_BEGIN

namespace detail {

/// Integers in -128..127 that codes stand for, and the nearest of them to any number.
struct level_set {
    // Rounding and clamping finds the nearest level.
    bool uniform = true;
    bool symmetric = true;
    // Code 0 stands for the lowest level, and so on.
    bool in_order = true;
    int count = 0;
    float lo = 0;
    float hi = 0;
    float magnitude = 0;
    // The second table is the first one raised by this; 0 if there is none.
    float raised = 0;
    // [2 y + 256] rounded down: levels are integers, so half integers separate them.
    std::array<float, 512> nearest{};
    // The same in 32 bins of 2^bin_shift half units from bin_base on, if no bin has more than two
    // levels: `low` where 2 y - bin_base is less than `turn`, else `high`.
    bool binned = true;
    int bin_shift = 4;
    int bin_base = -256;
    std::array<float, 32> turn{};
    std::array<float, 32> low{};
    std::array<float, 32> high{};
    // The codes of these levels.
    std::array<float, 512> nearest_code{};
    std::array<float, 32> low_code{};
    std::array<float, 32> high_code{};
    // [level + 128]
    std::array<std::uint8_t, 256> code{};

    level_set() = default;

    /// The nearest level to y at [2 y - bin_base] rounded down.
    [[nodiscard]] const float* all_levels() const noexcept {
        return nearest.data() + (256 + bin_base);
    }
    /// Its code, likewise.
    [[nodiscard]] const float* all_codes() const noexcept {
        return nearest_code.data() + (256 + bin_base);
    }
    [[nodiscard]] std::uint8_t code_of(int level) const noexcept {
        return code[static_cast<std::size_t>(level + 128)];
    }

    template <std::size_t N>
    explicit level_set(const std::array<int, N>& level_of_code) {
        std::array<int, N> sorted = level_of_code;
        std::sort(sorted.begin(), sorted.end());
        const auto end = std::unique(sorted.begin(), sorted.end());
        count = static_cast<int>(end - sorted.begin());
        lo = static_cast<float>(sorted[0]);
        hi = static_cast<float>(end[-1]);
        uniform = end[-1] - sorted[0] == count - 1;
        magnitude = std::max(-lo, hi);
        symmetric = true;
        for (auto it = sorted.begin(); it != end; ++it) {
            symmetric = symmetric && std::find(sorted.begin(), end, -*it) != end;
        }
        auto level = sorted.begin();
        for (int twice = -256; twice < 256; ++twice) {
            // The half-open interval of width 1/2 from here on lies on one side of all midpoints.
            while (level + 1 != end && *level + level[1] <= twice) ++level;
            nearest[static_cast<std::size_t>(twice + 256)] = static_cast<float>(*level);
        }
        while (bin_shift > 1 && 2 * magnitude < static_cast<float>(-bin_base / 2)) {
            --bin_shift;
            bin_base /= 2;
        }
        const auto width = std::size_t{1} << bin_shift;
        for (std::size_t bin = 0; bin < 32; ++bin) {
            const float* const in = all_levels() + width * bin;
            low[bin] = in[0];
            high[bin] = in[width - 1];
            const auto at = static_cast<std::size_t>(std::find(in, in + width, high[bin]) - in);
            turn[bin] = static_cast<float>(width * bin + at);
            for (std::size_t i = 0; i < width; ++i) {
                binned = binned && in[i] == (i < at ? low[bin] : high[bin]);
            }
        }
        for (std::size_t u = N; u-- > 0;) {
            code[static_cast<std::size_t>(level_of_code[u] + 128)] = static_cast<std::uint8_t>(u);
        }
        const auto codes_of = [&](const auto& levels, auto& codes) {
            std::transform(levels.begin(), levels.end(), codes.begin(), [&](float l) {
                return static_cast<float>(code_of(static_cast<int>(l)));
            });
        };
        codes_of(nearest, nearest_code);
        codes_of(low, low_code);
        codes_of(high, high_code);
        for (int l = sorted[0]; l <= end[-1]; ++l) {
            in_order = in_order && uniform && code_of(l) == l - sorted[0];
        }
    }
};

// A block of zeros of T with one value of one field set.
template <class T>
struct probe_block {
    std::array<std::uint8_t, sizeof(typename T::block)> bytes{};

    template <class Field>
    constexpr probe_block(const Field& field, std::uint32_t value) {
        field.set(bytes.data(), 0, 0, value);
    }
    [[nodiscard]] constexpr block_ref<T> ref() const noexcept { return {bytes.data(), nullptr}; }
};

// Types for ternary models whose two bits have a fourth code.
template <class T>
inline constexpr bool is_ternary = std::is_same_v<T, tq2_0> || std::is_same_v<T, iq2_bn>;

/// The lanes that the codes 0, 1, ... of field T::q stand for.
template <class T>
[[nodiscard]] constexpr auto level_of_code() noexcept {
    if constexpr (requires { T::q; }) {
        constexpr auto codes = std::size_t{1} << T::q.width;
        std::array<int, codes> out{};
        for (std::size_t u = 0; u < codes; ++u) {
            const probe_block<T> probe(T::q, static_cast<std::uint32_t>(u));
            out[u] = T::lane(probe.ref(), 0);
            // Kernels of the reference negate lanes in 8 bits, and take these types to be ternary.
            if (out[u] == -128) out[u] = -127;
            if (out[u] == 2 && is_ternary<T>) out[u] = 1;
        }
        return out;
    } else {
        return std::array<int, 3>{-1, 0, 1};
    }
}

/// By how much the shift bit of a group raises its table.
template <class T>
[[nodiscard]] constexpr float raised_by() noexcept {
    if constexpr (requires { T::shift; }) {
        const probe_block<T> low(T::shift, 0);
        const probe_block<T> high(T::shift, 1);
        return static_cast<float>(T::lane(high.ref(), 0) - T::lane(low.ref(), 0));
    } else {
        return 0.0f;
    }
}

/// The levels of a type and its second table.
template <class T>
[[nodiscard]] level_set levels_of() {
    level_set levels(level_of_code<T>());
    levels.raised = raised_by<T>();
    return levels;
}

/// The scales that a group can have, smallest first.
struct scale_set {
    struct entry {
        float value;
        std::uint8_t code;
    };
    std::array<entry, 256> entries{};
    int count = 0;
    // Each twice the one before, but for the ends.
    bool octaves = true;

    template <std::size_t N>
    explicit scale_set(const std::array<float, N>& scale_of_code) {
        for (std::size_t u = 0; u < N; ++u) {
            entries[u] = {scale_of_code[u], static_cast<std::uint8_t>(u)};
        }
        const auto end = entries.begin() + N;
        std::stable_sort(entries.begin(), end,
                         [](const entry& a, const entry& b) { return a.value < b.value; });
        count = static_cast<int>(
            std::unique(entries.begin(), end,
                        [](const entry& a, const entry& b) { return a.value == b.value; }) -
            entries.begin());
        for (int k = 2; k + 2 < count; ++k) {
            const auto* const at = entries.data() + k;
            octaves = octaves && at[1].value == 2 * at[0].value;
        }
    }

    /// The entry next to `value`.
    [[nodiscard]] const entry& nearest(float value) const noexcept {
        const auto* const first = entries.data();
        const auto* const at = std::lower_bound(
            first, first + count, value, [](const entry& e, float v) { return e.value < v; });
        if (at == first) return *at;
        if (at == first + count) return at[-1];
        return value - at[-1].value < at->value - value ? at[-1] : *at;
    }

    /// The first of `n` consecutive entries around `value`; fewer if there are not as many.
    [[nodiscard]] int window(float value, int n) const noexcept {
        return std::clamp(first_from(value) - n / 2, 0, std::max(0, count - n));
    }

  private:
    // The first entry that is not less than `value`.
    [[nodiscard]] int first_from(float value) const noexcept {
        if (!octaves || count < 4) {
            const auto* const first = entries.data();
            return static_cast<int>(
                std::lower_bound(first, first + count, value,
                                 [](const entry& e, float v) { return e.value < v; }) -
                first);
        }
        // The exponent says which it is, but for one or two.
        const auto exponent = [](float x) {
            return static_cast<int>(std::bit_cast<std::uint32_t>(x) >> 23 & 255u);
        };
        const auto at_value = [&](int k) { return entries[static_cast<std::size_t>(k)].value; };
        int k = std::clamp(2 + exponent(value) - exponent(at_value(2)), 0, count);
        while (k < count && at_value(k) < value) ++k;
        while (k > 0 && !(at_value(k - 1) < value)) --k;
        return k;
    }
};

/// The field of a group's scale, for those types whose groups have one.
template <class T>
[[nodiscard]] constexpr const auto& scale_field() noexcept {
    if constexpr (requires { T::s; })
        return T::s;
    else
        return T::e;
}
template <class T>
inline constexpr bool has_scale_field = requires {
    requires T::s.width <= 8;
}
|| requires { T::e; };

/// What the codes 0, 1, ... of a group's scale stand for.
template <class T>
[[nodiscard]] constexpr auto scale_of_code() noexcept {
    constexpr auto codes = std::size_t{1} << scale_field<T>().width;
    std::array<float, codes> out{};
    for (std::size_t u = 0; u < codes; ++u) {
        const probe_block<T> probe(scale_field<T>(), static_cast<std::uint32_t>(u));
        if constexpr (traits<T>::has_group_scale)
            out[u] = static_cast<float>(T::group_scale(probe.ref(), 0));
        else
            out[u] = T::block_scale(probe.ref());
    }
    return out;
}

}  // namespace detail

BPW_NAMESPACE_END
