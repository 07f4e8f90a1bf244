// Writes GGUF models, version 3: one file or several, in memory that does not grow with the model.
//
//   auto out = bpw::gguf::writer::create("out.gguf", plan);  // plan: metadata and tensors
//   for (...) out.append(bytes).value();                     // the tensors' data, piece by piece
//   out.finish().value();                                    // now there is a file out.gguf
#pragma once

#include <bpw/core/checked.hpp>
#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/core/type_id.hpp>
#include <bpw/formats/registry.hpp>
#include <bpw/gguf/constants.hpp>
#include <bpw/gguf/file.hpp>
#include <bpw/gguf/metadata_list.hpp>
#include <bpw/gguf/output.hpp>
#include <bpw/gguf/split.hpp>
#include <bpw/gguf/tensor.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

BPW_NAMESPACE_BEGIN
namespace gguf {

/// A tensor to be written.
struct new_tensor {
    std::string name;                  ///< 1 to 64 bytes
    std::vector<std::uint64_t> shape;  ///< up to four dimensions, the first is the row length
    type_id type = type_id::f32;

    /// Bytes of its data. Errors: `malformed` for a name or number of dimensions that GGUF cannot
    /// hold, `bad_shape` for rows that the type cannot hold, `overflow`.
    [[nodiscard]] result<std::uint64_t> bytes() const {
        if (name.empty() || name.size() > max_tensor_name_bytes) {
            return fail(errc::malformed, "tensor ", detail::quoted(name), " has a name of ",
                        name.size(), " bytes; expected 1 to ", max_tensor_name_bytes);
        }
        if (shape.size() > max_dimensions) {
            return fail(errc::malformed, "tensor ", detail::quoted(name), " has ", shape.size(),
                        " dimensions; expected ", max_dimensions, " at most");
        }
        constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
        std::uint64_t rows = 1;
        for (std::size_t d = 1; d < shape.size(); ++d) {
            const auto next = checked_mul(rows, shape[d]);
            if (!next || *next > most) return too_many();
            rows = *next;
        }
        const auto cols = shape.empty() ? 1 : shape[0];
        const auto elements = checked_mul(rows, cols);
        if (!elements || *elements > most) return too_many();
        if (*elements == 0) return 0;
        const auto size = tensor_bytes(type, rows, cols);
        if (!size) {
            return fail(size.error().code, "tensor ", detail::quoted(name), ": ",
                        size.error().message);
        }
        return *size;
    }

  private:
    [[nodiscard]] failure too_many() const {
        return fail(errc::overflow, "tensor ", detail::quoted(name),
                    " has more elements than GGUF can count; expected ",
                    std::numeric_limits<std::int64_t>::max(), " at most");
    }
};

/// What one file is to hold. general.alignment, if it is set, decides where tensors begin.
struct new_part {
    metadata_list metadata;
    std::vector<new_tensor> tensors;  ///< in the order of their data
};

/// The tensors of a model, of any number of files, in order, as they are. Errors: `unknown_type`
/// for a tensor of unknown type.
[[nodiscard]] inline result<std::vector<new_tensor>> tensors_of(const file& from) {
    std::vector<new_tensor> out;
    out.reserve(from.tensors().size());
    for (const auto& t : from.tensors()) {
        if (!t.type()) {
            return fail(errc::unknown_type, "tensor ", detail::quoted(t.name()),
                        " has the type number ", t.type_number(),
                        ", whose size is not known; expected a known type");
        }
        out.push_back({std::string(t.name()), {t.shape().begin(), t.shape().end()}, *t.type()});
    }
    return out;
}

/// How a model is spread over files. Whatever is 0 sets no limit.
struct split_rule {
    std::uint64_t tensors = 0;  ///< most tensors in a file
    /// Most bytes of tensor data in a file; a larger tensor has a file of its own.
    std::uint64_t bytes = 0;
    bool metadata_apart = false;  ///< the first file has no tensors
};

namespace detail {

[[nodiscard]] inline result<std::uint64_t> alignment_of(const metadata_list& list) {
    const auto found = list.find(keys::alignment);
    if (!found) return default_alignment;
    const auto bytes = found->as<std::uint64_t>("metadata key 'general.alignment'");
    if (!bytes) return bytes.error();
    if (found->type() != value_type::u32 || !std::has_single_bit(*bytes)) {
        return fail(errc::malformed, "metadata key ", detail::quoted(keys::alignment), " is ",
                    found->describe(), "; expected a u32, a power of two");
    }
    return *bytes;
}

/// Header and places of one file.
struct part_layout {
    std::vector<std::byte> header;     ///< up to the tensors' data, padded
    std::vector<std::uint64_t> sizes;  ///< of the tensors, not padded
    std::uint64_t alignment = default_alignment;
    std::uint64_t file_bytes = 0;

    [[nodiscard]] static result<part_layout> of(const new_part& part) {
        part_layout out;
        const auto alignment = alignment_of(part.metadata);
        if (!alignment) return alignment.error();
        out.alignment = *alignment;
        auto& h = out.header;
        for (const char c : magic) h.push_back(static_cast<std::byte>(c));
        put(h, newest_version);
        put(h, std::uint64_t{part.tensors.size()});
        put(h, std::uint64_t{part.metadata.size()});
        for (std::size_t i = 0; i < part.metadata.size(); ++i) {
            const auto [key, value] = part.metadata[i];
            put_text(h, key);
            put(h, static_cast<std::uint32_t>(value.type()));
            h.insert(h.end(), value.bytes().begin(), value.bytes().end());
        }
        std::uint64_t offset = 0;
        out.sizes.reserve(part.tensors.size());
        for (const auto& t : part.tensors) {
            const auto size = t.bytes();
            if (!size) return size.error();
            put_text(h, t.name);
            put(h, static_cast<std::uint32_t>(t.shape.size()));
            for (const auto d : t.shape) put(h, d);
            put(h, gguf_number(t.type));
            put(h, offset);
            out.sizes.push_back(*size);
            const auto end = checked_add(offset, *size);
            const auto next = end ? checked_round_up(*end, out.alignment) : std::nullopt;
            if (!next || *next > std::uint64_t{1} << 62) {
                return fail(errc::overflow, "tensor ", detail::quoted(t.name),
                            " would end beyond byte ", std::uint64_t{1} << 62, " of its file");
            }
            offset = *next;
        }
        h.resize(static_cast<std::size_t>(*checked_round_up(h.size(), out.alignment)));
        out.file_bytes = h.size() + offset;
        return out;
    }
};

}  // namespace detail

/// Spreads a model over as many files as the rule asks for, in order. The first one has the whole
/// metadata and every one the keys `split.*`, as llama.cpp's tools write them; a model that fits
/// one file has none. Errors: those of new_tensor::bytes; `overflow` beyond 65535 files.
[[nodiscard]] inline result<std::vector<new_part>> split(metadata_list metadata,
                                                         std::vector<new_tensor> tensors,
                                                         const split_rule& rule) {
    for (const auto key : {keys::split_no, keys::split_count, keys::split_tensors_count}) {
        metadata.remove(key);
    }
    const auto alignment = detail::alignment_of(metadata);
    if (!alignment) return alignment.error();
    const auto total = tensors.size();
    std::vector<new_part> parts(1);
    if (rule.metadata_apart && total != 0) parts.emplace_back();
    std::uint64_t bytes = 0;
    for (auto& t : tensors) {
        const auto size = t.bytes();
        if (!size) return size.error();
        const auto padded = checked_round_up(*size, *alignment).value_or(*size);
        auto& now = parts.back().tensors;
        const bool full = rule.tensors != 0 && now.size() >= rule.tensors;
        const bool heavy = rule.bytes != 0 && (padded > rule.bytes || bytes > rule.bytes - padded);
        if (!now.empty() && (full || heavy)) {
            parts.emplace_back();
            bytes = 0;
        }
        bytes = checked_add(bytes, padded).value_or(std::numeric_limits<std::uint64_t>::max());
        parts.back().tensors.push_back(std::move(t));
    }
    constexpr std::size_t most = std::numeric_limits<std::uint16_t>::max();
    if (parts.size() > most || total > std::numeric_limits<std::int32_t>::max()) {
        return fail(errc::overflow, "the model would take ", parts.size(), " files for ", total,
                    " tensors; expected ", most, " files at most");
    }
    parts.front().metadata = std::move(metadata);
    if (parts.size() == 1) return parts;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        auto& list = parts[i].metadata;
        const auto set = [&](std::string_view key, auto number) { return list.set(key, number); };
        // These keys are well-formed; nothing can fail.
        (void)set(keys::split_no, static_cast<std::uint16_t>(i));
        (void)set(keys::split_count, static_cast<std::uint16_t>(parts.size()));
        (void)set(keys::split_tensors_count, static_cast<std::int32_t>(total));
        if (i != 0 && *alignment != default_alignment) {
            (void)set(keys::alignment, static_cast<std::uint32_t>(*alignment));
        }
    }
    return parts;
}

/// A model in the files of another one: part for part its metadata and its tensors. What changes
/// shall be changed in the result. Errors: those of tensors_of.
[[nodiscard]] inline result<std::vector<new_part>> parts_of(const file& from) {
    auto tensors = tensors_of(from);
    if (!tensors) return tensors.error();
    std::vector<new_part> parts;
    for (const auto& p : from.parts()) parts.push_back({metadata_list(p.metadata()), {}});
    for (std::size_t i = 0; i < tensors->size(); ++i) {
        parts[from.tensors()[i].part()].tensors.push_back(std::move((*tensors)[i]));
    }
    return parts;
}

/// Bytes that the files of a model take together. Errors: those of new_tensor::bytes; `malformed`
/// for a bad alignment; `overflow`.
[[nodiscard]] inline result<std::uint64_t> bytes_of(std::span<const new_part> parts) {
    std::uint64_t sum = 0;
    for (const auto& p : parts) {
        const auto layout = detail::part_layout::of(p);
        if (!layout) return layout.error();
        const auto next = checked_add(sum, layout->file_bytes);
        if (!next) return fail(errc::overflow, "the model takes more bytes than 64 bits can count");
        sum = *next;
    }
    return sum;
}

/// The names of the files of a model: the path itself for one; for several what stands before
/// `.gguf`, or before the numbers of a name that has some, with numbers of its own.
[[nodiscard]] inline std::vector<std::filesystem::path> part_paths(
    const std::filesystem::path& path, std::size_t count) {
    if (count == 1) return {path};
    auto name = detail::path_text(path.filename());
    if (const auto numbered = split_name::parse(name)) {
        name = numbered->model;
    } else if (name.ends_with(".gguf")) {
        name.resize(name.size() - std::string_view(".gguf").size());
    }
    std::vector<std::filesystem::path> out;
    for (std::size_t i = 0; i < count; ++i) {
        const auto text =
            split_name{name, static_cast<std::uint32_t>(i + 1), static_cast<std::uint32_t>(count)}
                .text();
        out.push_back(path.parent_path() /
                      std::filesystem::path(std::u8string(text.begin(), text.end())));
    }
    return out;
}

/// Writes a model whose tensors' data comes piece by piece, in order. Move-only.
///
/// No file appears under its name before all of them are complete and on the disk; what was written
/// goes away when the writer does without finish(). Takes the memory of the headers alone. A
/// process that may meet a limit on the size of files must ignore SIGXFSZ to see the error.
///
/// What is written equals what was read, byte for byte, if that was canonical: version 3, tensors
/// in the order of their list without gaps, zeros as padding, which also follows the last tensor.
template <class Output = detail::output_file<>>
class basic_writer {
  public:
    basic_writer(basic_writer&&) = default;
    basic_writer& operator=(basic_writer&&) = default;
    ~basic_writer() = default;

    /// Checks everything, then opens the first file. Nothing is created when this fails. Errors:
    /// those of new_tensor::bytes; `malformed` for tensors of one name or a bad alignment; `io`.
    [[nodiscard]] static result<basic_writer> try_create(const std::filesystem::path& path,
                                                         std::span<const new_part> parts) {
        if (parts.empty())
            return fail(errc::malformed, "no parts were given; expected one or more");
        basic_writer out;
        std::unordered_set<std::string_view> names;
        for (const auto& p : parts) {
            for (const auto& t : p.tensors) {
                if (!names.insert(t.name).second) {
                    return fail(errc::malformed, "tensor ", detail::quoted(t.name),
                                " appears twice; expected every name once");
                }
                out.names_.push_back(t.name);
            }
            auto layout = detail::part_layout::of(p);
            if (!layout) return layout.error();
            out.layouts_.push_back(*std::move(layout));
        }
        out.paths_ = part_paths(path, parts.size());
        if (auto opened = out.open(); !opened) return opened.error();
        return out;
    }

    /// The next bytes of the tensors' data: any part of a tensor, but of one alone. Errors:
    /// `size_mismatch` for more than the tensor takes or after the last; `io`. After an error
    /// nothing more can be written.
    [[nodiscard]] result<void> try_append(std::span<const std::byte> bytes) {
        if (broken_) return *broken_;
        if (bytes.empty()) return {};
        if (done()) {
            return broken(fail(errc::size_mismatch, bytes.size(),
                               " bytes follow the last tensor; expected no more"));
        }
        const auto left = now().sizes[tensor_] - filled_;
        if (bytes.size() > left) {
            return broken(fail(errc::size_mismatch, "tensor ", detail::quoted(names_[position_]),
                               " was given ", bytes.size(), " bytes; expected the ", left,
                               " that it still takes"));
        }
        if (auto written = outputs_.back().write(bytes); !written) return broken(written.error());
        filled_ += bytes.size();
        return settle();
    }

    /// Ends the model: now its files have their names. Errors: `size_mismatch` when data is
    /// missing; `io`. There are no files then.
    [[nodiscard]] result<void> try_finish() {
        if (broken_) return *broken_;
        if (!done()) {
            return broken(fail(errc::size_mismatch, "tensor ", detail::quoted(names_[position_]),
                               " has ", filled_, " bytes; expected ", now().sizes[tensor_],
                               " before the model ends"));
        }
        // The first file last: whoever finds it finds all.
        for (auto i = outputs_.size(); i-- != 0;) {
            auto published = outputs_[i].publish();
            if (published) continue;
            for (auto k = i + 1; k < outputs_.size(); ++k) outputs_[k].withdraw();
            return broken(published.error());
        }
        return {};
    }

    /// Bytes that all files take.
    [[nodiscard]] std::uint64_t file_bytes() const noexcept {
        std::uint64_t sum = 0;
        for (const auto& l : layouts_) sum += l.file_bytes;
        return sum;
    }
    /// The names that the files will have.
    [[nodiscard]] std::span<const std::filesystem::path> paths() const noexcept { return paths_; }

#if BPW_EXCEPTIONS
    /// try_create, throwing bpw::error.
    [[nodiscard]] static basic_writer create(const std::filesystem::path& path,
                                             std::span<const new_part> parts) {
        return try_create(path, parts).value();
    }
    /// try_append, throwing bpw::error.
    void append(std::span<const std::byte> bytes) { try_append(bytes).value(); }
    /// try_finish, throwing bpw::error.
    void finish() { try_finish().value(); }
#endif

  private:
    basic_writer() = default;

    [[nodiscard]] const detail::part_layout& now() const { return layouts_[outputs_.size() - 1]; }
    [[nodiscard]] bool done() const noexcept { return position_ == names_.size() && last_closed_; }

    [[nodiscard]] result<void> broken(failure reason) {
        outputs_.clear();
        broken_ = reason;
        return reason;
    }

    [[nodiscard]] result<void> open() {
        const auto i = outputs_.size();
        auto opened = Output::create(paths_[i], layouts_[i].file_bytes);
        if (!opened) return broken(opened.error());
        outputs_.push_back(*std::move(opened));
        tensor_ = 0;
        filled_ = 0;
        if (auto written = outputs_.back().write(layouts_[i].header); !written) {
            return broken(written.error());
        }
        // Headers of large vocabularies need not stay.
        layouts_[i].header = {};
        return settle();
    }

    /// Pads what is full, passes over what is empty, goes on to the next file.
    [[nodiscard]] result<void> settle() {
        constexpr std::size_t most = 4096;
        static constexpr std::array<std::byte, most> zeros{};
        while (!last_closed_) {
            const auto& part = now();
            while (tensor_ < part.sizes.size() && filled_ == part.sizes[tensor_]) {
                auto padding = *checked_round_up(filled_, part.alignment) - filled_;
                for (; padding != 0; padding -= std::min<std::uint64_t>(padding, most)) {
                    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(padding, most));
                    if (auto w = outputs_.back().write(std::span(zeros).first(n)); !w) {
                        return broken(w.error());
                    }
                }
                ++tensor_;
                ++position_;
                filled_ = 0;
            }
            if (tensor_ < part.sizes.size()) return {};
            if (auto closed = outputs_.back().complete(); !closed) return broken(closed.error());
            if (outputs_.size() < layouts_.size()) return open();
            last_closed_ = true;
        }
        return {};
    }

    std::vector<detail::part_layout> layouts_;
    std::vector<std::string> names_;
    std::vector<std::filesystem::path> paths_;
    std::vector<Output> outputs_;
    std::size_t tensor_ = 0;    ///< in the file that is being written
    std::size_t position_ = 0;  ///< in the model
    std::uint64_t filled_ = 0;  ///< bytes of that tensor
    bool last_closed_ = false;
    std::optional<failure> broken_;
};

using writer = basic_writer<>;

}  // namespace gguf
BPW_NAMESPACE_END
