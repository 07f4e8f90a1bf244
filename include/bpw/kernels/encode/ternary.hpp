// Encoders of the types that pack ternary weights as base-3 digits: tq1_0 and iq1_bn.
#pragma once

#include <bpw/kernels/encode/scaled.hpp>

#include <cstring>

BPW_NAMESPACE_BEGIN

namespace detail {

template <class T>
concept base3_type = quant_format<T> && std::is_base_of_v<base3_digits, T>;

template <class T>
    requires base3_type<T>
struct row_encoder<T> {
    row_encoder(std::size_t cols, const encode_options& options)
        : cols_(cols),
          row_(cols, rule_of_errors<T>, options),
          search_(stage_rule_of<T>(cols), levels_of<T>()) {}

    template <class Target>
    void operator()(const float* x, const float* importance, const row_sink<Target>& out) {
        row_.assign(x, importance);
        constexpr bool shared_by_row = traits<T>::header_bytes != 0;
        const auto length = shared_by_row ? cols_ : block;
        for (std::size_t at = 0; at < cols_; at += length) {
            const auto run = row_.run(at, length);
            search_(run);
            levels_.resize(length);
            search_.groups().codes(run.x, search_.chosen()[0], search_.stored().value,
                                   levels_.data());
            if constexpr (shared_by_row) write_bits(out.header(), 0, 16, search_.stored().bits);
            for (std::size_t b = 0; b < length / block; ++b) {
                if constexpr (!shared_by_row) out.set(at / block, T::d, 0, search_.stored().bits);
                write_digits(at / block + b, levels_.data() + b * block, out);
            }
        }
    }

  private:
    static constexpr auto block = std::size_t{traits<T>::block_size};

    static constexpr auto bytes = std::size_t{T::digits.count};
    static constexpr std::array<std::uint32_t, 5> worth{81, 27, 9, 3, 1};

    // Which weight every digit of a byte is; `block` where there is none.
    static constexpr auto weight_of = [] {
        std::array<std::array<std::size_t, 5>, bytes> out{};
        for (auto& byte : out) byte.fill(block);
        for (std::size_t i = 0; i < block; ++i) {
            const auto place = T::place(static_cast<int>(i));
            out[static_cast<std::size_t>(place.byte)][static_cast<std::size_t>(place.power)] = i;
        }
        return out;
    }();
    // Whether the digits of eight bytes are weights that follow each other, digit by digit.
    [[nodiscard]] static constexpr bool is_run(std::size_t first) noexcept {
        if (first + 8 > bytes) return false;
        for (std::size_t p = 0; p < 5; ++p) {
            for (std::size_t n = 0; n < 8; ++n) {
                if (weight_of[first + n][p] == block ||
                    weight_of[first + n][p] != weight_of[first][p] + n)
                    return false;
            }
        }
        return true;
    }
    // So many bytes from the first on are such runs.
    static constexpr std::size_t in_runs = [] {
        std::size_t n = 0;
        while (is_run(n)) n += 8;
        return n;
    }();
    // Whether the digits of a byte follow each other, the least significant first.
    [[nodiscard]] static constexpr bool is_digit_string(std::size_t n) noexcept {
        for (std::size_t p = 0; p < 5; ++p) {
            if (weight_of[n][p] != weight_of[n][4] + 4 - p) return false;
        }
        return weight_of[n][4] != block;
    }
    // So many bytes from the first on are such strings.
    static constexpr std::size_t in_strings = [] {
        std::size_t n = 0;
        while (n < bytes && is_digit_string(n)) ++n;
        return n;
    }();
    // The byte of a number of five digits.
    static constexpr auto byte_of = [] {
        std::array<std::uint8_t, 243> out{};
        for (std::size_t n = 0; n < out.size(); ++n) {
            out[n] = static_cast<std::uint8_t>((256 * n + 242) / 243);
        }
        return out;
    }();

    template <class Target>
    static void write_digits(std::size_t b, const std::uint8_t* digits,
                             const row_sink<Target>& out) {
        std::array<std::uint8_t, bytes> number{};
        for (std::size_t n = 0; n < in_runs; n += 8) {
            // No byte carries into the next: five digits are at most 242.
            std::uint64_t eight = 0;
            for (std::size_t p = 0; p < 5; ++p) {
                std::uint64_t digit;
                std::memcpy(&digit, digits + weight_of[n][p], 8);
                eight += digit * worth[p];
            }
            std::memcpy(number.data() + n, &eight, 8);
        }
        for (std::size_t n = 0; n < in_strings; ++n) {
            std::uint32_t four;
            std::memcpy(&four, digits + weight_of[n][4], 4);
            const auto string = std::uint64_t{digits[weight_of[n][0]]} << 32 | four;
            // Byte 4 of the product is the sum; the sums below do not reach it.
            number[n] = static_cast<std::uint8_t>(string * 0x0103091b51u >> 32);
        }
        for (std::size_t n = std::max(in_runs, in_strings); n < bytes; ++n) {
            std::uint32_t sum = 0;
            for (std::size_t p = 0; p < 5; ++p) {
                if (weight_of[n][p] != block) sum += digits[weight_of[n][p]] * worth[p];
            }
            number[n] = static_cast<std::uint8_t>(sum);
        }
        for (auto& v : number) v = byte_of[v];
        static_assert(std::is_same_v<Target, T>);
        constexpr auto first = T::digits.low.rule.bit(0, 0) / 8;
        std::memcpy(out.block(b) + first, number.data(), bytes);
    }

    std::size_t cols_;
    weighted_row row_;
    two_stage<level_groups> search_;
    std::vector<std::uint8_t> levels_;
};

}  // namespace detail

BPW_NAMESPACE_END
