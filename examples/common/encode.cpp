#include "common/encode.hpp"

#include <bpw/kernels/encode.hpp>

namespace examples {

void encode(bpw::type_id type, std::span<const float> x, std::uint64_t rows, std::uint64_t cols,
            std::span<std::byte> out, std::span<const float> importance,
            const bpw::encode_options& options, bpw::threads& run) {
    bpw::encode_rows(type, x, rows, cols, out, importance, options, run).value();
}

bool can_encode(bpw::type_id type) { return bpw::can_encode(type); }

}  // namespace examples
