// Compiled twice, as `low` and as `high` (UNIT), for two instruction-set levels.
#include "unit.hpp"

#include <bpw/formats/registry.hpp>

#include <array>
#include <cstdint>

#define TWO_LEVELS_TEXT(x) #x
#define TWO_LEVELS_STRING(x) TWO_LEVELS_TEXT(x)

unit_report UNIT() {
    std::array<std::uint8_t, sizeof(bpw::q4_K::block)> block{};
    for (unsigned i = 0; i < block.size(); ++i) block[i] = static_cast<std::uint8_t>(37 * i & 0x3f);
    std::array<float, bpw::q4_K::block_size> weights{};

    // Through a pointer that the compiler cannot follow, so that the function is not inlined.
    void (*volatile decode)(bpw::block_ref<bpw::q4_K>, float*) = &bpw::decode_block<bpw::q4_K>;
    decode({block.data(), nullptr}, weights.data());

    unit_report report{};
    report.instruction_set = TWO_LEVELS_STRING(BPW_INSTRUCTION_SET);
    report.function = reinterpret_cast<const void*>(decode);
    for (const float w : weights) report.sum += w;
    return report;
}
