// What the machine can do at most, measured by plain loops.
#pragma once

#include <bpw/parallel.hpp>

namespace bench {

/// Of all threads of a pool together.
struct limits {
    double read_bytes;   ///< a second, one stream through 64 MiB, the size of the gemv matrices
    double write_bytes;  ///< a second, over and over to 512 KiB, what dequantize writes
    double integer_ops;  ///< a second, dot4 of short lanes; a product and its sum are two
    double float_ops;    ///< a second, fused multiply-adds, two each
};

/// Takes about a quarter of a second.
limits measure_limits(bpw::threads& pool);

}  // namespace bench
