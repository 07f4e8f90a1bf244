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

    /// The vectors as matrices of type T want them: as a batch, for gemm, and one by one, for gemv.
    template <class T, executor Executor = const serial>
    [[nodiscard]] const activation_batch_for<T>& batch(Executor&& run = serial{}) {
        return find<activation_batch_for<T>>([&] { return activation_batch_for<T>(x_, run); });
    }
    template <class T>
    [[nodiscard]] std::span<const activations_for<T>> each() {
        return find<std::vector<activations_for<T>>>([&] {
            std::vector<activations_for<T>> all(x_.count);
            for (std::size_t c = 0; c < x_.count; ++c) all[c].assign(std::span(x_[c], x_.length));
            return all;
        });
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

/// Up to this many vectors are multiplied by try_gemv rather than try_gemm: it unpacks weights in
/// registers, for four vectors at a time.
inline constexpr std::size_t few_vectors = 8;

/// Multiplies a matrix with some vectors: y[c][r] = sum over i of w[r][i] x[c][i], with activations
/// in 8 bits where the type's weights are integers times scales, in float otherwise; as try_gemv
/// does with up to few_vectors vectors, as try_gemm with more. Errors: those of the two.
template <class T, executor Executor = const serial>
[[nodiscard]] result<void> try_multiply(const matrix_view<T>& w, packed_vectors& x,
                                        vectors<float> y, Executor&& run = serial{}) {
    const auto floats = x.floats();
    const bool few = floats.count <= few_vectors;
    if constexpr (has_integer_lanes<T>) {
        if (few) return try_gemv<T>(w, x.each<T>(), y, run);
        return try_gemm<T>(w, x.batch<T>(run), y, run);
    } else {
        if (few) return try_gemv<T>(w, floats, y, run);
        return try_gemm<T>(w, floats, y, run);
    }
}

/// The same for a matrix of any type. Errors: those of matrix_view::make too.
template <executor Executor = const serial>
[[nodiscard]] result<void> try_multiply(const any_matrix& w, packed_vectors& x, vectors<float> y,
                                        Executor&& run = serial{}) {
    return try_visit(w, [&](const auto& view) { return try_multiply(view, x, y, run); });
}

#if BPW_EXCEPTIONS
/// The same, or throws bpw::error.
template <class T, executor Executor = const serial>
void multiply(const matrix_view<T>& w, packed_vectors& x, vectors<float> y,
              Executor&& run = serial{}) {
    try_multiply(w, x, y, run).value();
}

/// The same, or throws bpw::error.
template <executor Executor = const serial>
void multiply(const any_matrix& w, packed_vectors& x, vectors<float> y, Executor&& run = serial{}) {
    try_multiply(w, x, y, run).value();
}
#endif

BPW_NAMESPACE_END
