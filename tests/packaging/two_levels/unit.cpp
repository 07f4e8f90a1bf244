// Compiled twice, as `low` and as `high` (UNIT), for two instruction-set levels.
#include "unit.hpp"

#include <bpw/bpw.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

unit_report UNIT() {
    using type = bpw::q4_K;
    constexpr std::size_t cols = 4 * type::block_size;
    std::vector<std::uint8_t> bytes(4 * sizeof(type::block));
    for (unsigned i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(37 * i & 0x3f);
    std::vector<float> x(cols);
    for (unsigned i = 0; i < cols; ++i) x[i] = 0.25f * static_cast<float>(i % 13) - 1.5f;

    unit_report report{};
    report.level = bpw::active_arch();
    // Called through pointers that the compiler cannot follow: what is called is what was linked.
    float (*volatile dot)(const bpw::matrix_view<type>&, std::size_t, std::span<const float>) =
        &bpw::dot<type>;
    void (*volatile decode)(bpw::block_ref<type>, float*) = &bpw::decode_block<type>;
    report.functions = {reinterpret_cast<const void*>(dot), reinterpret_cast<const void*>(decode)};
    report.dot = dot({std::as_bytes(std::span(bytes)), 1, cols}, 0, x);
    return report;
}
