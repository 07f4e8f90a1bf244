// bpw: kernels for block-quantized tensors. Everything but the optional headers (gguf.hpp).
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/core/executor.hpp>
#include <bpw/core/format.hpp>
#include <bpw/core/half.hpp>
#include <bpw/core/matrix.hpp>
#include <bpw/core/type_id.hpp>
#include <bpw/formats/registry.hpp>
#include <bpw/formats/repack.hpp>
#include <bpw/kernels/dequantize.hpp>
#include <bpw/kernels/integer_product.hpp>
#include <bpw/kernels/packed_vectors.hpp>
#include <bpw/kernels/product.hpp>
#include <bpw/kernels/runtime.hpp>
#include <bpw/kernels/tiles.hpp>
#include <bpw/parallel.hpp>
#include <bpw/simd/arch.hpp>
