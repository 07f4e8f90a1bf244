// A quant type outside the library that lacks the member named by LACKS. Not meant to compile: each
// lack must give one error, a sentence that names the member.
#include <bpw/core/format.hpp>

#include <array>

#define LACKS_NAME 1
#define LACKS_BLOCK_SIZE 2
#define LACKS_BLOCK 3
#define LACKS_LANES 4
#define LACKS_BLOCK_SCALE 5
#define LACKS_LANE 6
#define LACKS_NOTHING 7

struct signs {
#if LACKS != LACKS_NAME
    static constexpr std::string_view name = "signs";
#endif
#if LACKS != LACKS_BLOCK_SIZE
    static constexpr int block_size = 8;
#endif
#if LACKS != LACKS_BLOCK
    struct block {
        std::uint8_t bits[1];
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

void decode(const std::uint8_t* bytes, std::array<float, 8>& weights) {
    bpw::decode_block(bpw::block_ref<signs>{bytes, nullptr}, weights.data());
}
