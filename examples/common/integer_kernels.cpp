// Apart from kernels.cpp, so that the two are compiled side by side.
#include "common/kernels.hpp"

#include <bpw/kernels/packed_vectors.hpp>

namespace examples {

void multiply_in_8_bits(const bpw::any_matrix& w, bpw::vectors<const float> x,
                        bpw::vectors<float> y, bpw::threads& run) {
    bpw::packed_vectors packed(x);
    bpw::multiply(w, packed, y, run);
}

}  // namespace examples
