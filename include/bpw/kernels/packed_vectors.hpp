// A batch of vectors for matrices of any types: packed once for every layout that is asked for.
#pragma once

#include <bpw/formats/registry.hpp>
#include <bpw/kernels/integer_product.hpp>

#include <memory>
#include <utility>
#include <vector>

BPW_NAMESPACE_BEGIN

namespace detail {

// An address for every type.
template <class T>
inline constexpr char address_of_type = 0;

}  // namespace detail

/// A batch of vectors that is multiplied with several matrices, such as those of q, k and v: packed
/// when a matrix first needs it, and not again for matrices that agree. Not to be shared between
/// threads while it may still be packed anew.
class packed_vectors {
  public:
    /// A view: `x` must stay what it is.
    explicit packed_vectors(vectors<const float> x) : x_(x) {}

    [[nodiscard]] vectors<const float> floats() const noexcept { return x_; }

    /// The batch as matrices of type T want it; for one vector as gemv wants it.
    template <class T, executor Executor = const serial>
    [[nodiscard]] const activation_batch_for<T>& batch(Executor&& run = serial{}) {
        return find<activation_batch_for<T>>([&] { return activation_batch_for<T>(x_, run); });
    }
    template <class T>
    [[nodiscard]] const activations_for<T>& vector() {
        return find<activations_for<T>>(
            [&] { return activations_for<T>(std::span<const float>(x_.data, x_.length)); });
    }

  private:
    template <class Packed, class Make>
    const Packed& find(Make make) {
        const void* const key = &detail::address_of_type<Packed>;
        for (const auto& [known, packed] : packed_) {
            if (known == key) return *static_cast<const Packed*>(packed.get());
        }
        packed_.emplace_back(key, std::make_shared<Packed>(make()));
        return *static_cast<const Packed*>(packed_.back().second.get());
    }

    vectors<const float> x_;
    std::vector<std::pair<const void*, std::shared_ptr<void>>> packed_;
};

/// Multiplies a matrix of any type with a batch: y[c][r] = sum over i of w[r][i] x[c][i], with
/// activations in 8 bits where the type's weights are integers times scales, in float otherwise.
/// Errors: those of matrix_view::make, try_gemv and try_gemm.
template <executor Executor = const serial>
[[nodiscard]] result<void> try_multiply(const any_matrix& w, packed_vectors& x, vectors<float> y,
                                        Executor&& run = serial{}) {
    return try_visit(w, [&]<class T>(const matrix_view<T>& view) -> result<void> {
        const auto floats = x.floats();
        const bool one = floats.count == 1 && y.count == 1;
        const std::span<float> first(y.data, one ? y.length : 0);
        if constexpr (has_integer_lanes<T>) {
            if (one) return try_gemv<T>(view, x.vector<T>(), first, run);
            return try_gemm<T>(view, x.batch<T>(run), y, run);
        } else {
            if (one) return try_gemv<T>(view, {floats.data, floats.length}, first, run);
            return try_gemm<T>(view, floats, y, run);
        }
    });
}

#if BPW_EXCEPTIONS
/// The same, or throws bpw::error.
template <executor Executor = const serial>
void multiply(const any_matrix& w, packed_vectors& x, vectors<float> y, Executor&& run = serial{}) {
    try_multiply(w, x, y, run).value();
}
#endif

BPW_NAMESPACE_END
