#include <reference/samples.hpp>

#include <bpw/formats/registry.hpp>

#include <bit>

namespace reference {

namespace {

// Between 2^-9 and 2^-4, which keeps the weights of every type far from overflow.
std::uint32_t half(random& numbers) {
    return numbers.below(2) << 15 | (6 + numbers.below(5)) << 10 | numbers.below(1024);
}
std::uint32_t single(random& numbers) {
    return numbers.below(2) << 31 | (118 + numbers.below(5)) << 23 | numbers.below(1u << 23);
}

// Calls f(bytes, bit, width) for every float of the tensor: scales and offsets of blocks, headers
// of rows, the trailer; plain numbers.
template <class T, class F>
void for_scales_of_row(std::uint8_t* bytes, const bpw::matrix_view<T>& view, std::size_t row, F f) {
    const auto writable = [&](const std::uint8_t* p) {
        return bytes + (p - reinterpret_cast<const std::uint8_t*>(bytes));
    };
    for (std::size_t b = 0; b < view.blocks(); ++b) {
        const auto block = view.block(row, b);
        const auto field = [&](const auto& scale) {
            for (int n = 0; n < scale.count; ++n) {
                f(scale.width,
                  [&](std::uint32_t v) { scale.set(writable(block.bytes), block.row, n, v); });
            }
        };
        if constexpr (requires { T::d; }) field(T::d);
        if constexpr (requires { T::dmin; }) field(T::dmin);
        // In q4_1 and q5_1 the offset; elsewhere an integer.
        if constexpr (requires { requires T::m.width == 16; }) field(T::m);
        if constexpr (requires { requires T::x.width >= 16; }) field(T::x);
    }
    if (view.blocks() == 0) return;
    auto* const header = writable(view.block(row, 0).header);
    if constexpr (bpw::traits<T>::header_bytes == 2)
        f(16, [&](std::uint32_t v) { bpw::write_bits(header, 0, 16, v); });
    else if constexpr (bpw::traits<T>::header_bytes >= 4 || bpw::traits<T>::trailer_bytes >= 4)
        f(32, [&](std::uint32_t v) { bpw::write_bits(header, 0, 32, v); });
}

}  // namespace

std::vector<std::byte> random_tensor(bpw::type_id type, std::uint64_t rows, std::uint64_t cols,
                                     random& numbers) {
    return bpw::visit(type, [&]<class T>(bpw::tag<T>) {
        std::vector<std::byte> tensor(bpw::tensor_bytes<T>(rows, cols).value());
        for (auto& byte : tensor) byte = static_cast<std::byte>(numbers.below(256));
        const bpw::matrix_view<T> view(tensor, rows, cols);
        auto* const bytes = reinterpret_cast<std::uint8_t*>(tensor.data());
        for (std::size_t row = 0; row < rows; ++row) {
            for_scales_of_row(bytes, view, row, [&](int width, auto set) {
                set(width == 32 ? single(numbers) : half(numbers));
            });
            if constexpr (requires { T::e; }) {
                for (std::size_t b = 0; b < view.blocks(); ++b) {
                    const auto block = view.block(row, b);
                    T::e.set(bytes + (block.bytes - bytes), block.row, 0, 120 + numbers.below(8));
                }
            }
            if constexpr (T::id == bpw::type_id::bf16 || T::id == bpw::type_id::bf16_r16 ||
                          T::id == bpw::type_id::f64) {
                for (std::size_t c = 0; c < cols; ++c) {
                    const auto value = numbers.uniform();
                    const auto block = view.block(row, c / std::size_t{bpw::traits<T>::block_size});
                    auto* const at = bytes + (block.bytes - bytes);
                    if constexpr (T::id == bpw::type_id::f64) {
                        const auto v = std::bit_cast<std::uint64_t>(static_cast<double>(value));
                        bpw::write_bits(at, 0, 32, static_cast<std::uint32_t>(v));
                        bpw::write_bits(at, 32, 32, static_cast<std::uint32_t>(v >> 32));
                    } else {
                        T::x.set(at, block.row, static_cast<int>(c % T::block_size),
                                 std::bit_cast<std::uint32_t>(value) >> 16);
                    }
                }
            }
        }
        return tensor;
    });
}

bool set_row_scale(bpw::type_id type, std::vector<std::byte>& tensor, std::uint64_t rows,
                   std::uint64_t cols, std::uint64_t row, std::uint32_t half_bits,
                   std::uint32_t single_bits) {
    return bpw::visit(type, [&]<class T>(bpw::tag<T>) {
        const bpw::matrix_view<T> view(tensor, rows, cols);
        bool any = false;
        if constexpr (bpw::traits<T>::trailer_bytes == 0 && !requires { T::x; }) {
            auto* const bytes = reinterpret_cast<std::uint8_t*>(tensor.data());
            for_scales_of_row(bytes, view, row, [&](int width, auto set) {
                set(width == 32 ? single_bits : half_bits);
                any = true;
            });
        }
        return any;
    });
}

}  // namespace reference
