// A quant type outside the library that lacks the member named by LACKS, used in the way that USES
// names. Not meant to compile: each lack must give one error, a sentence that names the member.
#include <bpw/kernels/product.hpp>

#include <array>
#include <cstddef>
#include <span>

#define LACKS_NAME 1
#define LACKS_BLOCK_SIZE 2
#define LACKS_BLOCK 3
#define LACKS_LANES 4
#define LACKS_BLOCK_SCALE 5
#define LACKS_LANE 6
#define LACKS_BYTES 7
#define LACKS_NOTHING 8

#define USES_DECODING 1
#define USES_MATRIX 2
#define USES_DOT 3
#define USES_GEMM 4

struct signs {
#if LACKS != LACKS_NAME
    static constexpr std::string_view name = "signs";
#endif
#if LACKS != LACKS_BLOCK_SIZE
    static constexpr int block_size = 8;
#endif
#if LACKS != LACKS_BLOCK
    struct block {
#if LACKS != LACKS_BYTES
        std::uint8_t bits[1];
#else
        std::uint16_t bits[1];
#endif
    };
#endif
#if LACKS != LACKS_LANES
    static constexpr bpw::lane_range lanes{-1, 1};
#endif
#if LACKS != LACKS_BLOCK_SCALE
    static constexpr float block_scale(bpw::block_ref<signs>) { return 0.5f; }
#endif
#if LACKS != LACKS_LANE
    static constexpr int lane(bpw::block_ref<signs> b, int i) {
        return b.bytes[0] >> i & 1 ? -1 : 1;
    }
#endif
};

#if USES == USES_DECODING
void decode(const std::uint8_t* bytes, std::array<float, 8>& weights) {
    bpw::decode_block(bpw::block_ref<signs>{bytes, nullptr}, weights.data());
}
#elif USES == USES_MATRIX
std::size_t rows(std::span<const std::byte> bytes) {
    return bpw::matrix_view<signs>(bytes, 1, 8).rows();
}
#elif USES == USES_DOT
float dot(const bpw::matrix_view<signs>& w, std::span<const float> x) { return bpw::dot(w, 0, x); }
#elif USES == USES_GEMM
void gemm(const bpw::matrix_view<signs>& w, std::span<const float> x, std::span<float> y) {
    bpw::gemm(w, {x.data(), 1, 8}, {y.data(), 1, 1});
}
#endif
