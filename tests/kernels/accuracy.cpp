// The error of products with activations in 8 bits, against double precision on the decoded
// weights: at most 0.6 % of Gaussian ones and 1.2 % of heavy-tailed ones.
#include <reference/golden.hpp>
#include <reference/random.hpp>
#include <reference/samples.hpp>

#include <bpw/formats/registry.hpp>
#include <bpw/kernels/dequantize.hpp>
#include <bpw/kernels/integer_product.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace {

constexpr std::size_t columns = 4096;
// So many that the error of a type is known to a few per cent of itself.
constexpr std::size_t vectors = 64;

// A sum of twelve uniform numbers is as good as Gaussian here, and the same everywhere.
float gaussian(reference::random& numbers) {
    float sum = 0.0f;
    for (int i = 0; i < 12; ++i) sum += numbers.uniform();
    return sum * 0.5f;
}

std::vector<float> gaussian_vectors(reference::random& numbers) {
    std::vector<float> x(vectors * columns);
    for (auto& v : x) v = gaussian(numbers);
    return x;
}

std::vector<float> heavy_tailed_vectors(reference::random& numbers) {
    std::vector<float> x(vectors * columns);
    for (auto& v : x) {
        const float magnitude = std::exp(gaussian(numbers));
        v = magnitude * gaussian(numbers);
    }
    return x;
}

// Rows of 4096 weights: those of an encoded golden file, whose blocks repeat, or random ones where
// there is no file.
template <class T>
std::vector<std::byte> long_rows(std::size_t& rows, reference::random& numbers) {
    using t = bpw::traits<T>;
    const auto path = reference::golden_path(std::string(T::name), "encoded");
    if (!std::filesystem::exists(path)) {
        rows = 16 * std::size_t{t::rows};
        return reference::random_tensor(T::id, rows, columns, numbers);
    }
    const auto golden = reference::load_golden(path);
    rows = golden.rows;
    std::vector<std::byte> tensor(bpw::tensor_bytes<T>(rows, columns).value());
    const bpw::matrix_view<T> from(golden.payload, rows, golden.cols);
    const bpw::matrix_view<T> to(tensor, rows, columns);
    const auto writable = [&](const std::uint8_t* p) {
        return tensor.data() + (p - reinterpret_cast<const std::uint8_t*>(tensor.data()));
    };
    for (std::size_t row = 0; row < rows; ++row) {
        const auto source = from.block(row, 0);
        const auto target = to.block(row, 0);
        std::memcpy(writable(target.header), source.header, t::header_bytes + t::trailer_bytes);
        for (std::size_t b = 0; b < to.blocks(); ++b) {
            std::memcpy(writable(to.block(row, b).bytes), from.block(row, b % from.blocks()).bytes,
                        sizeof(typename T::block));
        }
    }
    return tensor;
}

struct errors {
    double gemv;
    double gemm;
};

// Relative L2 errors over all products, of one vector at a time and of all at once.
template <class T>
errors errors_of(const bpw::matrix_view<T>& w, const std::vector<float>& x) {
    std::vector<float> weights(w.rows() * columns);
    bpw::try_dequantize(w, std::span<float>(weights)).value();
    std::vector<float> together(vectors * w.rows());
    const bpw::activation_batch_for<T> batch(bpw::vectors<const float>(x.data(), vectors, columns));
    bpw::try_gemm<T>(w, batch, bpw::vectors<float>(together.data(), vectors, w.rows())).value();
    double square = 0;
    double wrong[2] = {0, 0};
    std::vector<float> alone(w.rows());
    for (std::size_t c = 0; c < vectors; ++c) {
        const float* const vector = x.data() + c * columns;
        const bpw::activations_for<T> packed{std::span<const float>(vector, columns)};
        bpw::try_gemv<T>(w, packed, alone).value();
        for (std::size_t row = 0; row < w.rows(); ++row) {
            double sum = 0;
            for (std::size_t i = 0; i < columns; ++i) {
                sum += static_cast<double>(weights[row * columns + i]) *
                       static_cast<double>(vector[i]);
            }
            square += sum * sum;
            wrong[0] += std::pow(static_cast<double>(alone[row]) - sum, 2);
            wrong[1] += std::pow(static_cast<double>(together[c * w.rows() + row]) - sum, 2);
        }
    }
    return {std::sqrt(wrong[0] / square), std::sqrt(wrong[1] / square)};
}

void expect_errors_below(const std::vector<float>& x, double bound) {
    reference::random numbers(51);
    for (const auto id : bpw::all_types) {
        bpw::visit(id, [&]<class T>(bpw::tag<T>) {
            if constexpr (bpw::has_integer_lanes<T>) {
                SCOPED_TRACE(std::string(T::name));
                std::size_t rows = 0;
                const auto bytes = long_rows<T>(rows, numbers);
                const auto found = errors_of(bpw::matrix_view<T>(bytes, rows, columns), x);
                EXPECT_LE(found.gemv, bound);
                EXPECT_LE(found.gemm, bound);
                testing::Test::RecordProperty(std::string(T::name), std::to_string(found.gemv));
            }
        });
    }
}

TEST(accuracy, of_gaussian_activations_is_0_6_percent) {
    reference::random numbers(52);
    expect_errors_below(gaussian_vectors(numbers), 0.006);
}

TEST(accuracy, of_heavy_tailed_activations_is_1_2_percent) {
    reference::random numbers(53);
    expect_errors_below(heavy_tailed_vectors(numbers), 0.012);
}

}  // namespace
