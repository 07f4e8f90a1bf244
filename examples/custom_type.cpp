// A quant type of one's own, defined outside the library, with every kernel.
//
// The program quantizes a matrix of random numbers to the type and compares each kernel with plain
// loops. It exits with 1 when one of them differs.
#include <bpw/core/format.hpp>
#include <bpw/core/half.hpp>
#include <bpw/formats/repack.hpp>
#include <bpw/kernels/dequantize.hpp>
#include <bpw/kernels/product.hpp>
#include <bpw/parallel.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

// ---- 1. The type --------------------------------------------------------------------------------

namespace mine {

/// Where the 3-bit codes of a row lie: a string of bits, rows one behind the other.
struct code_bits {
    std::size_t byte;
    [[nodiscard]] constexpr std::size_t bit(int row, int i) const {
        return 8 * byte + static_cast<std::size_t>(96 * row + 3 * i);
    }
};

/// 32 weights in 14 bytes, 3.5 bits per weight: w = 2^(e - 128) (q + o / 16).
///
///     0   e   8 bits: the step between two levels, a power of two
///     1   o   8 bits, two's complement: the lowest level, in sixteenths of a step
///     2   q   32 codes of 3 bits
struct q3_fine {
    static constexpr std::string_view name = "q3_fine";
    static constexpr int block_size = 32;
    struct block {
        std::uint8_t e[1];
        std::uint8_t o[1];
        std::uint8_t q[12];
    };

    // The fields: how many values, of how many bits, where.
    static constexpr auto e = bpw::values<1>(bpw::bits<8>(bpw::plane<8>{offsetof(block, e)}));
    static constexpr auto o = bpw::values<1>(bpw::bits<8>(bpw::plane<8>{offsetof(block, o)}));
    static constexpr auto q = bpw::values<32>(bpw::bits<3>(code_bits{offsetof(block, q)}));

    // What they mean: w = block_scale * lane + block_offset * group_offset. B is the block_ref of
    // this type or of one that derives from it, so that the layout below shares these functions.
    static constexpr bpw::lane_range lanes{0, 7};
    template <class B>
    static constexpr float block_scale(B b) {
        return bpw::e8m0_half_to_float(b.get(B::type::e));
    }
    template <class B>
    static constexpr int lane(B b, int i) {
        return static_cast<int>(b.get(B::type::q, i));
    }
    template <class B>
    static constexpr float block_offset(B b) {
        return block_scale(b) / 16;
    }
    template <class B>
    static constexpr int group_offset(B b, int) {
        return bpw::as_signed<8>(b.get(B::type::o));
    }

    // For repacking.
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(e, o, q);
    }
};

/// The same weights with the blocks of four rows side by side. Only the places differ.
struct q3_fine_r4 : q3_fine {
    using base = q3_fine;
    static constexpr std::string_view name = "q3_fine_r4";
    static constexpr int rows = 4;
    struct block {
        std::uint8_t e[4];
        std::uint8_t o[4];
        std::uint8_t q[48];
    };
    static constexpr auto e = bpw::values<1>(bpw::bits<8>(bpw::plane<8, 1, 4>{offsetof(block, e)}));
    static constexpr auto o = bpw::values<1>(bpw::bits<8>(bpw::plane<8, 1, 4>{offsetof(block, o)}));
    static constexpr auto q = bpw::values<32>(bpw::bits<3>(code_bits{offsetof(block, q)}));
    template <class F>
    static constexpr auto with_fields(F f) {
        return f(e, o, q);
    }
};

// Decoding is constexpr: a block can be checked while the program is compiled.
static_assert([] {
    std::uint8_t bytes[sizeof(q3_fine::block)]{};
    q3_fine::e.set(bytes, 0, 0, 127);                             // a step of 1/2
    q3_fine::o.set(bytes, 0, 0, static_cast<std::uint8_t>(-56));  // lowest level -3.5 steps
    q3_fine::q.set(bytes, 0, 31, 5);
    const bpw::block_ref<q3_fine> b{bytes, nullptr};
    return bpw::weight(b, 0) == -1.75f && bpw::weight(b, 31) == 0.75f;
}());

/// Quantizes 32 floats.
void encode(const float* w, std::uint8_t* bytes) {
    const auto [low, high] = std::minmax_element(w, w + 32);
    // The smallest power of two whose eight levels reach from the least weight to the largest, and
    // whose sixteenths o can count down to the least.
    const float reach = std::max({(*high - *low) / 7, -*low / 8, *low / 7.9f, 0x1p-100f});
    const int exponent = static_cast<int>(std::ceil(std::log2(reach)));
    const float step = std::ldexp(1.0f, exponent);
    const int lowest = std::clamp(static_cast<int>(std::lround(16 * *low / step)), -128, 127);
    q3_fine::e.set(bytes, 0, 0, static_cast<std::uint32_t>(exponent + 128));
    q3_fine::o.set(bytes, 0, 0, static_cast<std::uint8_t>(lowest));
    for (int i = 0; i < 32; ++i) {
        const auto level = std::lround(w[i] / step - static_cast<float>(lowest) / 16);
        q3_fine::q.set(bytes, 0, i, static_cast<std::uint32_t>(std::clamp(level, 0L, 7L)));
    }
}

}  // namespace mine

// ---- 2. Its use ---------------------------------------------------------------------------------

namespace {

constexpr std::size_t rows = 64;
constexpr std::size_t cols = 96;
constexpr std::size_t batch = 5;

bool all_right = true;

void report(const char* what, bool right) {
    std::printf("%-44s %s\n", what, right ? "right" : "WRONG");
    all_right = all_right && right;
}

std::vector<float> random_floats(std::size_t count, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::vector<float> out(count);
    for (float& x : out) x = normal(random);
    return out;
}

}  // namespace

int main() {
    using mine::q3_fine;
    using mine::q3_fine_r4;
    using t = bpw::traits<q3_fine>;

    // Sizes follow from the definition.
    const auto weights = random_floats(rows * cols, 1);
    std::vector<std::byte> bytes(*bpw::tensor_bytes<q3_fine>(rows, cols));
    std::printf(
        "%s: %d weights in %zu bytes, %g bits per weight; %zu x %zu weights take %zu bytes\n\n",
        t::name.data(), t::block_size, t::block_bytes, t::bits_per_weight, rows, cols,
        bytes.size());
    for (std::size_t i = 0; i < weights.size() / 32; ++i) {
        mine::encode(&weights[32 * i],
                     reinterpret_cast<std::uint8_t*>(bytes.data()) + i * t::block_bytes);
    }

    // A view checks its size once; all kernels take views.
    const bpw::matrix_view<q3_fine> w(bytes, rows, cols);

    // dequantize: every weight lies within half a step of what was encoded. The step is at most
    // 2/7 of the block's range, so half a step is less than 1 for these numbers.
    std::vector<float> decoded(rows * cols);
    bpw::dequantize(w, decoded);
    double squares = 0;
    float largest = 0;
    for (std::size_t i = 0; i < decoded.size(); ++i) {
        const float error = std::abs(decoded[i] - weights[i]);
        largest = std::max(largest, error);
        squares += double{error} * double{error};
    }
    std::printf("root mean square error %.3f, largest %.3f (the weights' deviation is 1)\n\n",
                std::sqrt(squares / static_cast<double>(decoded.size())), double{largest});
    report("dequantize: errors below 0.55", largest < 0.55f);

    // gemm: y = w x for a batch of vectors, on two threads, against a plain loop in double.
    const auto x = random_floats(batch * cols, 2);
    std::vector<float> y(batch * rows);
    bpw::threads pool(2);
    bpw::gemm(w, {x.data(), batch, cols}, {y.data(), batch, rows}, pool);
    bool close = true;
    for (std::size_t c = 0; c < batch; ++c) {
        for (std::size_t r = 0; r < rows; ++r) {
            double sum = 0;
            double size = 0;
            for (std::size_t i = 0; i < cols; ++i) {
                const double term = double{decoded[r * cols + i]} * double{x[c * cols + i]};
                sum += term;
                size += std::abs(term);
            }
            close = close && std::abs(sum - double{y[c * rows + r]}) <= 1e-5 * size;
        }
    }
    report("gemm: as a plain loop", close);

    // gemv gives the bits of dot, with any way to run tasks. gemm adds in another order.
    std::vector<float> column(rows);
    const auto backwards = [](std::size_t n, auto&& task) {
        while (n != 0) task(--n);
    };
    bpw::gemv(w, std::span(x).first(cols), std::span(column), backwards);
    bool near = true;
    for (std::size_t r = 0; r < rows; ++r) {
        near = near && std::abs(column[r] - y[r]) <= 1e-4f * (1.0f + std::abs(y[r]));
    }
    report("gemv: as gemm, but for rounding", near);
    bool same = true;
    for (std::size_t r = 0; r < rows; ++r) {
        same = same && bpw::dot(w, r, std::span(x).first(cols)) == column[r];
    }
    report("dot: the bits of gemv", same);

    // The layout with interleaved rows: converted without loss, multiplied with the same result.
    std::vector<std::byte> bytes_r4(*bpw::tensor_bytes<q3_fine_r4>(rows, cols));
    bpw::repack<q3_fine_r4>(w, bytes_r4).value();
    const bpw::matrix_view<q3_fine_r4> w_r4(bytes_r4, rows, cols);
    std::vector<float> y_r4(batch * rows);
    bpw::gemm(w_r4, {x.data(), batch, cols}, {y_r4.data(), batch, rows}, pool);
    report("gemm with interleaved rows: the same bits", y_r4 == y);
    std::vector<std::byte> bytes_back(bytes.size());
    bpw::repack<q3_fine>(w_r4, bytes_back).value();
    report("repacked and back: the same bytes", bytes_back == bytes);

    // A wrong size is an error with a sentence, not a crash.
    const auto wrong = bpw::matrix_view<q3_fine>::make(bytes, rows, cols + 1);
    report("a wrong size: refused", !wrong);
    if (!wrong) std::printf("  (%s)\n", wrong.error().message.c_str());

    return all_right ? 0 : 1;
}
