#include <kernels/encode_any.hpp>

#include <bpw/kernels/dequantize.hpp>
#include <bpw/kernels/encode.hpp>

#include <gtest/gtest.h>

namespace encode_any {

bpw::result<void> encode(bpw::type_id type, std::span<const float> x, std::uint64_t rows,
                         std::uint64_t cols, std::span<std::byte> out,
                         std::span<const float> importance, const bpw::encode_options& options,
                         const any_type::executor& run) {
    return bpw::encode_rows(type, x, rows, cols, out, importance, options, run);
}

bool can_encode(bpw::type_id type) { return bpw::can_encode(type); }

std::uint64_t bytes_of(bpw::type_id type, std::uint64_t rows, std::uint64_t cols) {
    return bpw::tensor_bytes(type, rows, cols).value();
}

void decode(const bpw::any_matrix& w, std::span<float> out) {
    bpw::try_visit(w, [&](const auto& view) { return bpw::try_dequantize(view, out); }).value();
}

std::vector<float> through(bpw::type_id type, std::span<const float> x, std::uint64_t rows,
                           std::uint64_t cols, std::span<const float> importance,
                           const bpw::encode_options& options) {
    std::vector<std::byte> bytes(bytes_of(type, rows, cols));
    const auto done = encode(type, x, rows, cols, bytes, importance, options);
    std::vector<float> out(x.size());
    if (done)
        decode({type, bytes, rows, cols}, out);
    else
        ADD_FAILURE() << bpw::name(type) << ": " << done.error().message;
    return out;
}

}  // namespace encode_any
