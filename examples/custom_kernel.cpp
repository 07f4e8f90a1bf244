// Kernels of one's own on the library's tiles.
//
// The first is the gate of a transformer's feed-forward layer in one pass over the rows,
//
//   y[r] = silu(gate[r] . x) * (up[r] . x)      silu(z) = z / (1 + exp(-z))
//
// where gate and up may be of different types. The second takes the lanes of the tiles into its own
// hands: the squared norm of every row. The program compares both with the library's kernels and
// exits with 1 when they differ.
#include <bpw/bpw.hpp>
#include <bpw/kernels/tiles.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

namespace mine {

float silu(float z) { return z / (1.0f + std::exp(-z)); }

/// y[r] = silu(gate[r] . x) * (up[r] . x). Both matrices have the rows of y and the columns of x,
/// which is packed for each.
template <class Gate, class Up, bpw::executor Executor>
void gated(const bpw::matrix_view<Gate>& gate, const bpw::matrix_view<Up>& up,
           const bpw::activations_for<Gate>& gate_x, const bpw::activations_for<Up>& up_x,
           std::span<float> y, Executor&& run) {
    // As many rows at a time as either type interleaves.
    constexpr std::size_t rows =
        std::max(bpw::row_products<Gate>::rows, bpw::row_products<Up>::rows);
    constexpr std::size_t rows_per_task = 32;
    static_assert(rows_per_task % rows == 0);
    const auto tiles = bpw::tiles_per_row(gate);
    const auto products = [&](const auto& w, auto& sums, std::size_t row, const auto& x) {
        for (auto& sum : sums) {
            for (std::size_t t = 0; t < tiles; ++t) sum.add(w, row, t, x.tiles()[t]);
            row += sum.rows;
        }
    };
    run((y.size() + rows_per_task - 1) / rows_per_task, [&](std::size_t task) {
        const auto end = std::min((task + 1) * rows_per_task, y.size());
        for (std::size_t row = task * rows_per_task; row < end; row += rows) {
            std::array<bpw::row_products<Gate>, rows / bpw::row_products<Gate>::rows> gates;
            std::array<bpw::row_products<Up>, rows / bpw::row_products<Up>::rows> ups;
            products(gate, gates, row, gate_x);
            products(up, ups, row, up_x);
            for (std::size_t k = 0; k < rows; ++k) {
                y[row + k] = silu(gates[k / gates[0].rows].totals()[k % gates[0].rows]) *
                             ups[k / ups[0].rows].totals()[k % ups[0].rows];
            }
        }
    });
}

/// The sum of the squares of each row's weights. Rows are a multiple of 256 long.
///
/// A weight is scale * n + offset with an integer n = lane - bias, so that four weights of a run
/// have the sum of squares scale^2 (n . n) + 2 scale offset (n . 1) + 4 offset^2. The dots are the
/// library's, exact for lanes up to 127.
template <class T, class A = bpw::native_arch>
    requires(bpw::unpack<T>::max <= 127)
void squared_norms(const bpw::matrix_view<T>& w, std::span<float> y) {
    using ints = bpw::simd::int16x<A>;
    using floats = bpw::simd::float16<A>;
    using unpack = bpw::unpack<T>;
    std::int8_t ones[64];
    std::fill(std::begin(ones), std::end(ones), std::int8_t{1});
    for (std::size_t row = 0; row < w.rows(); ++row) {
        auto sum = floats::zero();
        for (std::size_t t = 0; t < bpw::tiles_per_row(w); ++t) {
            const auto tile = bpw::row_tile(w, row, t);
            const auto scales = bpw::scales_of<A>(tile);
            const auto step = [&]<int Step>() {
                const auto lanes = unpack::template lanes<Step, A>(tile);
                std::int8_t same[64];
                lanes.store(reinterpret_cast<std::uint8_t*>(same));
                auto squares = ints::zero();
                auto lane_sums = ints::zero();
                bpw::simd::add_dot4<unpack::max>(squares, lanes, same);
                bpw::simd::add_dot4<unpack::max>(lane_sums, lanes, ones);
                // Of lane - bias.
                squares = squares - lane_sums * ints::all(2 * unpack::bias) +
                          4 * unpack::bias * unpack::bias;
                lane_sums = lane_sums + -4 * unpack::bias;
                const auto scale = bpw::of_quads<T, Step>(scales.scale);
                sum.add_product(squares.to_float(), scale * scale);
                if constexpr (bpw::has_offsets<T>) {
                    const auto offset = bpw::of_quads<T, Step>(scales.offset);
                    sum.add_product(lane_sums.to_float() * floats::all(2), scale * offset);
                    sum.add_product(offset * floats::all(4), offset);
                }
            };
            step.template operator()<0>();
            step.template operator()<1>();
            step.template operator()<2>();
            step.template operator()<3>();
        }
        y[row] = sum.sum();
    }
}

}  // namespace mine

namespace {

constexpr std::size_t rows = 64;
constexpr std::size_t cols = 1024;

bool all_right = true;

void report(const char* kernel, std::string_view types, bool right) {
    std::printf("%-14s %-24s %s\n", kernel, std::string(types).c_str(), right ? "right" : "WRONG");
    all_right = all_right && right;
}

/// A matrix of random codes with scales of about 0.01.
template <class T>
std::vector<std::byte> random_matrix() {
    std::mt19937 random(1);
    std::vector<std::byte> bytes(*bpw::tensor_bytes<T>(rows, cols));
    for (auto& b : bytes) b = static_cast<std::byte>(random());
    const bpw::matrix_view<T> w(bytes, rows, cols);
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t b = 0; b < w.blocks(); ++b) {
            const auto ref = w.block(row, b);
            auto* const block = const_cast<std::uint8_t*>(ref.bytes);
            if constexpr (requires { T::d; }) T::d.set(block, ref.row, 0, 0x2100 + random() % 256);
            if constexpr (requires { T::dmin; }) T::dmin.set(block, ref.row, 0, 0x2100);
        }
        const float scale = 0.01f;
        if constexpr (bpw::traits<T>::header_bytes == 4) {
            std::memcpy(const_cast<std::uint8_t*>(w.block(row, 0).header), &scale, 4);
        }
    }
    return bytes;
}

template <class Gate, class Up>
void check_gated(bpw::threads& pool) {
    const auto gate_bytes = random_matrix<Gate>();
    const auto up_bytes = random_matrix<Up>();
    const bpw::matrix_view<Gate> gate(gate_bytes, rows, cols);
    const bpw::matrix_view<Up> up(up_bytes, rows, cols);
    std::mt19937 random(2);
    std::normal_distribution<float> normal;
    std::vector<float> x(cols);
    for (auto& v : x) v = normal(random);

    // Types of the same lane order could share one.
    const bpw::activations_for<Gate> gate_x(x);
    const bpw::activations_for<Up> up_x(x);
    std::vector<float> y(rows);
    mine::gated(gate, up, gate_x, up_x, y, pool);

    std::vector<float> z(rows);
    std::vector<float> expected(rows);
    bpw::try_gemv<Gate>(gate, gate_x, z).value();
    bpw::try_gemv<Up>(up, up_x, expected).value();
    for (std::size_t r = 0; r < rows; ++r) expected[r] *= mine::silu(z[r]);
    const bool finite = std::all_of(y.begin(), y.end(), [](float v) { return std::isfinite(v); });
    std::string types(Gate::name);
    report("gate and up", types.append(", ").append(Up::name), finite && y == expected);
}

template <class T>
void check_norms() {
    const auto bytes = random_matrix<T>();
    const bpw::matrix_view<T> w(bytes, rows, cols);
    std::vector<float> norms(rows);
    mine::squared_norms(w, norms);
    std::vector<float> decoded(rows * cols);
    bpw::dequantize(w, decoded);
    bool close = true;
    for (std::size_t r = 0; r < rows; ++r) {
        double sum = 0;
        for (std::size_t i = 0; i < cols; ++i) {
            const double v = decoded[r * cols + i];
            sum += v * v;
        }
        close = close && sum > 0 && std::abs(double{norms[r]} / sum - 1) < 1e-5;
    }
    report("squared norms", T::name, close);
}

}  // namespace

int main() {
    std::printf("instruction set %s\n", std::string(bpw::active_arch()).c_str());
    bpw::threads pool(2);
    check_gated<bpw::q4_K, bpw::q4_K>(pool);
    check_gated<bpw::q4_K, bpw::q6_K>(pool);
    check_gated<bpw::iq2_xxs, bpw::q3_K>(pool);
    check_gated<bpw::iq4_ks, bpw::iq5_k>(pool);
    check_gated<bpw::q4_k_r4, bpw::q8_0>(pool);
    check_norms<bpw::q4_0>();
    check_norms<bpw::q4_K>();
    check_norms<bpw::q6_K>();
    check_norms<bpw::iq2_xxs>();
    return all_right ? 0 : 1;
}
