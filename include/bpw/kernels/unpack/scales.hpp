// Group scales as vectors.
#pragma once

#include <bpw/formats/iqk.hpp>
#include <bpw/formats/k_quants.hpp>
#include <bpw/formats/lattice.hpp>
#include <bpw/formats/trellis.hpp>
#include <bpw/kernels/unpack/numbers.hpp>

BPW_NAMESPACE_BEGIN

namespace detail {

// The integer scales of a block's groups from its field `s`, for every rule that types have.
template <int Bias>
struct scale_rule {
    template <class V>
    static V apply(const V& s) noexcept {
        return s + -Bias;
    }
};
struct nonlinear_rule {
    template <class V>
    static V apply(const V& s) noexcept {
        return s.lookup16(tables::nonlinear4.data());
    }
};
struct signed_rule {
    template <class V>
    static V apply(const V& s) noexcept {
        return (s ^ 128) + -128;
    }
};
template <int Offset>
struct doubled_rule {
    template <class V>
    static V apply(const V& s) noexcept {
        return s.template shifted_left<1>() + Offset;
    }
};
struct odd_signed_rule {
    template <class V>
    static V apply(const V& s) noexcept {
        const V magnitude = (s & 15).template shifted_left<1>() + 1;
        return magnitude - (magnitude & (V::zero() - (s & 16).template shifted_right<4>()))
                               .template shifted_left<1>();
    }
};
odd_signed_rule rule_of_scales(const odd_signed_scales*);
template <int Bias>
scale_rule<Bias> rule_of_scales(const biased_scales<Bias>*);
scale_rule<0> rule_of_scales(const scale_and_min*);
signed_rule rule_of_scales(const signed_byte_scales*);
doubled_rule<-127> rule_of_scales(const seven_bit_scales*);
template <int Divisor>
doubled_rule<1> rule_of_scales(const odd_scales<Divisor>*);
nonlinear_rule rule_of_scales(const nonlinear_scales*);
void rule_of_scales(const void*);

template <class T>
using rule_of_scales_t = decltype(rule_of_scales(static_cast<const T*>(nullptr)));

template <class T>
concept vector_scales = traits<T>::block_size == 256 && traits<T>::rows == 1 &&
                        !std::is_void_v<rule_of_scales_t<T>> && requires {
    requires fits_plans(T::s, sizeof(typename T::block),
                        value_of_run<std::remove_cvref_t<decltype(T::s)>::count>);
};

template <class A, class T>
[[nodiscard]] BPW_INLINE simd::int16x<A> group_scales(const std::uint8_t* block) noexcept {
    return rule_of_scales_t<T>::apply(group_field<A, T, T::s>(block));
}

// Blocks of 32 with one f16 scale and maybe an f16 offset.
template <class T>
concept half_scale_per_32 = traits<T>::block_size == 32 && traits<T>::rows == 1 &&
                            !traits<T>::has_group_scale && std::is_base_of_v<half_block_scale, T> &&
                            (!traits<T>::has_offset || std::is_base_of_v<half_block_offset, T>);

}  // namespace detail

BPW_NAMESPACE_END
