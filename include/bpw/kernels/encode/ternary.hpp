// Encoders of the types that pack ternary weights as base-3 digits: tq1_0 and iq1_bn.
#pragma once

#include <bpw/kernels/encode/scaled.hpp>

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

    void operator()(const float* x, const float* importance, const row_sink<T>& out) {
        row_.assign(x, importance);
        constexpr bool shared_by_row = traits<T>::header_bytes != 0;
        const auto length = shared_by_row ? cols_ : block;
        for (std::size_t at = 0; at < cols_; at += length) {
            const auto run = row_.run(at, length);
            search_(run);
            levels_.resize(length);
            search_.groups().for_levels(run.x, search_.chosen()[0], search_.stored().value,
                                        [&](std::size_t i, int level) {
                                            levels_[i] = static_cast<std::uint8_t>(level + 1);
                                        });
            if constexpr (shared_by_row) write_bits(out.header(), 0, 16, search_.stored().bits);
            for (std::size_t b = 0; b < length / block; ++b) {
                if constexpr (!shared_by_row) out.set(at / block, T::d, 0, search_.stored().bits);
                write_digits(at / block + b, levels_.data() + b * block, out);
            }
        }
    }

  private:
    static constexpr auto block = std::size_t{traits<T>::block_size};

    static void write_digits(std::size_t b, const std::uint8_t* digits, const row_sink<T>& out) {
        constexpr std::array<std::uint32_t, 5> worth{81, 27, 9, 3, 1};
        std::array<std::uint32_t, std::size_t{T::digits.count}> number{};
        for (std::size_t i = 0; i < block; ++i) {
            const auto place = T::place(static_cast<int>(i));
            number[static_cast<std::size_t>(place.byte)] +=
                digits[i] * worth[static_cast<std::size_t>(place.power)];
        }
        for (std::size_t n = 0; n < number.size(); ++n) {
            out.set(b, T::digits, static_cast<int>(n), (256 * number[n] + 242) / 243);
        }
    }

    std::size_t cols_;
    weighted_row row_;
    two_stage<level_groups> search_;
    std::vector<std::uint8_t> levels_;
};

}  // namespace detail

BPW_NAMESPACE_END
