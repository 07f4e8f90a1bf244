// Whether the bytes of a tensor are ones that an encoder writes: for files of unknown origin, and
// as the last look at one's own.
#pragma once

#include <bpw/formats/registry.hpp>
#include <bpw/formats/repack.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

BPW_NAMESPACE_BEGIN

namespace detail {

// By bits, so that a compiler told to assume finite numbers cannot drop it.
[[nodiscard]] constexpr bool has_finite_bits(float x) noexcept {
    return (std::bit_cast<std::uint32_t>(x) & 0x7f800000u) != 0x7f800000u;
}

// The type that says what T's fields mean.
template <class T>
using meaning_of =
    std::conditional_t<std::is_void_v<typename base_of<T>::type>, T, typename base_of<T>::type>;

// Two bits a weight of which three values are used.
template <class T>
inline constexpr bool leaves_out_code_3 =
    std::is_same_v<meaning_of<T>, tq2_0> || std::is_same_v<meaning_of<T>, iq2_bn> ||
    std::is_same_v<meaning_of<T>, i2_s>;

// Five digits v < 243 are stored as ceil(256 v / 243), which leaves out some bytes.
inline constexpr auto is_packed_digits = [] {
    std::array<bool, 256> out{};
    for (std::size_t v = 0; v < 243; ++v) out[(256 * v + 242) / 243] = true;
    return out;
}();

// The header holds the sum of the row's lanes.
template <class T>
inline constexpr bool has_row_sum = traits<T>::header_bytes >= 8 && requires {
    T::complete_header(nullptr, 0);
};

// What is wrong with a block; empty for nothing.
template <class T>
[[nodiscard]] std::string_view fault_of(block_ref<T> b) noexcept {
    if (!has_finite_bits(T::block_scale(b))) return "a scale that is infinite or NaN";
    if constexpr (has_offset<T>) {
        if (!has_finite_bits(T::block_offset(b))) return "an offset that is infinite or NaN";
    }
    if constexpr (std::is_same_v<meaning_of<T>, mxfp4>) {
        if (b.get(T::e) == 0xff) return "a scale that is NaN";
    }
    if constexpr (std::is_same_v<meaning_of<T>, nvfp4>) {
        for (int g = 0; g < traits<T>::block_size / 16; ++g) {
            if (b.get(T::s, g) >= 0x7f) return "a scale that is NaN or negative";
        }
    }
    if constexpr (!requires { T::lanes; }) {
        for (int i = 0; i < traits<T>::block_size; ++i) {
            if (!has_finite_bits(T::value(b, i))) return "a number that is infinite or NaN";
        }
    } else if constexpr (requires { T::digits; }) {
        for (int i = 0; i < decltype(T::digits)::count; ++i) {
            if (!is_packed_digits[b.get(T::digits, i)]) return "a byte that holds no five digits";
        }
    } else if constexpr (leaves_out_code_3<T>) {
        for (int i = 0; i < traits<T>::block_size; ++i) {
            if (T::lane(b, i) > 1) return "the code 3, which stands for no weight";
        }
    }
    return {};
}

}  // namespace detail

/// Checks a matrix: every scale and offset is finite, plain numbers are, codes and packed digits
/// are ones that stand for a weight, the sums in the headers of q8_KV are right, and no row scale
/// is so large that weights would overflow. Errors: `malformed` with the first place and the number
/// of blocks that fail.
///
/// Codebook and trellis indices of all types have just the bits that their tables need: they cannot
/// be out of range.
template <class T>
[[nodiscard]] result<void> validate(const matrix_view<T>& w) {
    std::uint64_t faults = 0;
    failure first{errc::malformed, {}};
    const auto note = [&](std::size_t row, std::size_t block, std::string_view what) {
        if (faults++ != 0) return;
        first = fail(errc::malformed, "block ", block, " of row ", row, " of a ", w.rows(), " x ",
                     w.cols(), " matrix of ", traits<T>::name, " has ", what);
    };
    for (std::size_t row = 0; row < w.rows(); ++row) {
        [[maybe_unused]] std::int64_t sum = 0;
        for (std::size_t block = 0; block < w.blocks(); ++block) {
            const auto b = w.block(row, block);
            if (const auto what = detail::fault_of<T>(b); !what.empty()) note(row, block, what);
            if constexpr (detail::has_row_sum<T>) {
                for (int i = 0; i < traits<T>::block_size; ++i) sum += T::lane(b, i);
            }
        }
        if (w.blocks() == 0) continue;
        const auto b = w.block(row, 0);
        if constexpr (traits<T>::header_bytes >= 4 || traits<T>::trailer_bytes != 0) {
            // No lane times group scale is larger than this.
            constexpr float most = 0x1p15f;
            const float d = T::block_scale(b);
            if (detail::has_finite_bits(d) && !detail::has_finite_bits(d * most)) {
                note(row, 0, "a row scale so large that its weights overflow");
            }
        }
        if constexpr (detail::has_row_sum<T>) {
            if (read_bits(b.header, 32, 32) != static_cast<std::uint32_t>(sum)) {
                note(row, 0, "a sum in its row's header that is not that of its weights");
            }
        }
    }
    if (faults == 0) return {};
    first.message.append("; expected what an encoder writes (");
    first.message.append(std::to_string(faults)).append(" such faults in all)");
    return first;
}

/// The same for a type known at run time. Errors: also those of try_visit.
[[nodiscard]] inline result<void> validate(const any_matrix& w) {
    return try_visit(w, [](const auto& view) { return validate(view); });
}

BPW_NAMESPACE_END
