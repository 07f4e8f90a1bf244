// Lanes from a codebook of pairs: every index gives two neighbouring weights.
#pragma once

#include <bpw/formats/lattice.hpp>
#include <bpw/kernels/unpack/tile.hpp>
#include <bpw/simd/strided.hpp>

BPW_NAMESPACE_BEGIN

/// Two steps take the same 64 indices: one their first values, one their second.
template <>
struct unpack<iq2_kl> {
    struct order {
        [[nodiscard]] static constexpr int weight(int step, int lane) noexcept {
            const int index = 32 * (lane / 16) + 16 * (step / 2) + lane % 16;
            return 2 * index + step % 2;
        }
    };
    static constexpr int bias = -iq2_kl::lanes.min;
    static constexpr int max = iq2_kl::lanes.max + bias;

    template <int Value>
    static constexpr auto table = [] {
        std::array<std::uint8_t, 32> biased{};
        for (std::size_t i = 0; i < 32; ++i) {
            biased[i] = static_cast<std::uint8_t>(lattice::grid<lattice::iq2_kl>[i][Value] + bias);
        }
        return biased;
    }();

    template <int Step, class A>
    [[nodiscard]] BPW_INLINE static simd::bytes64<A> lanes(const tile_ref<iq2_kl>& tile) noexcept {
        const auto* const p = tile.block().bytes;
        constexpr int slot = Step / 2;
        const auto low = simd::bytes64<A>::load(p + iq2_kl::index.low.rule.byte);
        const auto high =
            simd::load_quarters<A>(p + iq2_kl::index.high.low.rule.byte, {0, 0, 0, 0});
        const auto bit = simd::fields_of_octets<1, 4, slot, slot, slot + 2, slot + 2, slot + 4,
                                                slot + 4, slot + 6, slot + 6>(high);
        const auto index = low.template field<4, 4 * slot>() | bit;
        return index.template lookup<32>(table<Step % 2>.data());
    }
};

BPW_NAMESPACE_END
