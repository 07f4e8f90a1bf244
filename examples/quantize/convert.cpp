#include "quantize/convert.hpp"

#include "common/encode.hpp"
#include "common/kernels.hpp"
#include "common/parallel.hpp"

#include <bpw/core/matrix.hpp>
#include <bpw/formats/registry.hpp>
#include <bpw/formats/repack.hpp>
#include <bpw/formats/validate.hpp>

#include <algorithm>
#include <bit>
#include <string>
#include <vector>

namespace examples {
namespace {

namespace gguf = bpw::gguf;
using bpw::any_matrix;
using bpw::errc;

// Weights that are in memory as floats at a time, if a row is not longer.
constexpr std::uint64_t weights_at_once = std::uint64_t{1} << 22;

template <class... Parts>
[[noreturn]] void refuse(errc code, const gguf::tensor& t, const Parts&... parts) {
    throw bpw::error(bpw::fail(code, "tensor ", gguf::detail::quoted(t.name()), parts...));
}

void check(const gguf::tensor& t, const any_matrix& m, std::uint64_t first_row) {
    const auto checked = bpw::validate(m);
    if (checked) return;
    refuse(checked.error().code, t, ", from row ", first_row, " on: ", checked.error().message);
}

// The rows of a matrix from `first` on.
any_matrix rows_of(const any_matrix& m, std::uint64_t first, std::uint64_t count) {
    if (first == 0 && count == m.rows) return m;
    const auto each = static_cast<std::size_t>(bpw::row_bytes(m.type, m.cols).value());
    return {m.type,
            m.bytes.subspan(static_cast<std::size_t>(first) * each,
                            static_cast<std::size_t>(count) * each),
            count, m.cols};
}

class encoding {
  public:
    encoding(const job& j, const convert_options& options, bpw::threads& pool, type_result& result)
        : job_(j), options_(options), pool_(pool), result_(result) {}

    // Encodes rows that begin at `first_row` of the tensor.
    std::span<const std::byte> run(const any_matrix& m, std::uint64_t first_row,
                                   std::span<const float> importance) {
        const auto n = static_cast<std::size_t>(m.rows * m.cols);
        weights_.resize(n);
        decode_all(m, weights_);
        check_finite(m, first_row);
        const auto size = bpw::tensor_bytes(job_.to, m.rows, m.cols).value();
        bytes_.resize(static_cast<std::size_t>(size));
        encode(job_.to, weights_, m.rows, m.cols, bytes_, importance, {}, pool_);
        measure({job_.to, bytes_, m.rows, m.cols});
        if (options_.check) check(*job_.source, {job_.to, bytes_, m.rows, m.cols}, first_row);
        return bytes_;
    }

  private:
    // Rows that are decoded as one task.
    static std::uint64_t rows_together(const any_matrix& m) {
        constexpr std::uint64_t weights_per_task = 1 << 16;
        const auto group = std::uint64_t{bpw::info(m.type).rows_interleaved};
        return std::max<std::uint64_t>(1, weights_per_task / (m.cols * group)) * group;
    }
    template <class F>
    void for_rows(const any_matrix& m, const F& f) {
        const bool whole = bpw::info(m.type).trailer_bytes != 0;
        const auto each = whole ? m.rows : rows_together(m);
        const auto tasks = static_cast<std::size_t>((m.rows + each - 1) / each);
        parallel(pool_, tasks, [&](std::size_t i) {
            const auto first = i * each;
            f(i, first, rows_of(m, first, std::min(each, m.rows - first)));
        });
    }

    void decode_all(const any_matrix& m, std::vector<float>& to) {
        for_rows(m, [&](std::size_t, std::uint64_t first, const any_matrix& some) {
            decode(some, std::span(to).subspan(static_cast<std::size_t>(first * m.cols),
                                               static_cast<std::size_t>(some.rows * m.cols)));
        });
    }

    void check_finite(const any_matrix& m, std::uint64_t first_row) const {
        for (std::size_t i = 0; i < weights_.size(); ++i) {
            const auto bits = std::bit_cast<std::uint32_t>(weights_[i]);
            constexpr std::uint32_t exponent = 0x7f800000u;
            if ((bits & exponent) != exponent) continue;
            refuse(errc::malformed, *job_.source, ": weight ", i % m.cols, " of row ",
                   first_row + i / m.cols, " is ",
                   (bits & ~exponent) << 1 == 0 ? "infinite" : "NaN",
                   "; expected finite weights to encode as ", bpw::name(job_.to));
        }
    }

    // Adds up in the order of the rows, so that the figures do not depend on the threads.
    void measure(const any_matrix& m) {
        struct sums {
            double error = 0;
            double power = 0;
        };
        std::vector<sums> parts(static_cast<std::size_t>(m.rows));
        for_rows(m, [&](std::size_t task, std::uint64_t first, const any_matrix& some) {
            std::vector<float> decoded(static_cast<std::size_t>(some.rows * m.cols));
            decode(some, decoded);
            const float* const x = weights_.data() + first * m.cols;
            auto& s = parts[task];
            for (std::size_t i = 0; i < decoded.size(); ++i) {
                const double w = double{x[i]};
                const double e = w - double{decoded[i]};
                s.error += e * e;
                s.power += w * w;
            }
        });
        for (const auto& s : parts) {
            result_.error += s.error;
            result_.power += s.power;
        }
        result_.encoded = true;
    }

    const job& job_;
    const convert_options& options_;
    bpw::threads& pool_;
    type_result& result_;
    std::vector<float> weights_;
    std::vector<std::byte> bytes_;
};

}  // namespace

void check_tensor(const gguf::tensor& t) {
    check(t, {*t.type(), t.bytes().value(), t.rows(), t.cols()}, 0);
}

void convert(const job& j, const imatrix* importance, const convert_options& options,
             bpw::threads& pool, const std::function<void(std::uint64_t)>& advance,
             type_result& result, const std::function<void(std::span<const std::byte>)>& sink) {
    const auto& t = *j.source;
    const auto bytes = t.bytes().value();
    const auto stop_if_asked = [&] {
        if (options.stop != nullptr && options.stop->load()) {
            throw bpw::error(errc::io, "stopped; nothing was written");
        }
    };
    result.tensors += 1;
    result.weights += t.elements();
    if (t.elements() == 0) return;
    const any_matrix whole{j.from, bytes, t.rows(), t.cols()};
    if (j.how == step::copy) {
        if (options.check) check_tensor(t);
        result.bytes += bytes.size();
        constexpr std::size_t piece = std::size_t{1} << 24;
        for (std::size_t i = 0; i < bytes.size(); i += piece) {
            stop_if_asked();
            sink(bytes.subspan(i, std::min(piece, bytes.size() - i)));
        }
        advance(t.elements());
        return;
    }

    // Pieces hold whole groups of interleaved rows on either side, and rows of one slice.
    const auto& from = bpw::info(j.from);
    const auto& to = bpw::info(j.to);
    const auto group = std::uint64_t{std::max(from.rows_interleaved, to.rows_interleaved)};
    const auto slice_rows = t.rows() / t.slices();
    auto each = std::max<std::uint64_t>(1, weights_at_once / (t.cols() * group)) * group;
    if (from.trailer_bytes != 0) each = t.rows();
    encoding work(j, options, pool, result);
    std::vector<std::byte> repacked;
    for (std::uint64_t row = 0; row < t.rows();) {
        stop_if_asked();
        const auto slice = row / slice_rows;
        const auto left = (slice + 1) * slice_rows - row;
        const auto count = from.trailer_bytes != 0 ? t.rows() : std::min(each, left);
        const auto some = rows_of(whole, row, count);
        std::span<const std::byte> made;
        if (j.how == step::repack) {
            repacked.resize(
                static_cast<std::size_t>(bpw::tensor_bytes(j.to, some.rows, some.cols).value()));
            bpw::repack(some, j.to, repacked, pool).value();
            made = repacked;
            if (options.check) check(t, {j.to, made, some.rows, some.cols}, row);
        } else {
            std::span<const float> columns;
            if (importance != nullptr) {
                columns = importance->columns(std::string(t.name()), t.cols(), slice, t.slices());
            }
            made = work.run(some, row, columns);
        }
        result.bytes += made.size();
        sink(made);
        advance(count * t.cols());
        row += count;
    }
}

}  // namespace examples
