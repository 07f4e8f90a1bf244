// A GGUF model: one file, or all parts of a split one.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/core/matrix.hpp>
#include <bpw/gguf/metadata.hpp>
#include <bpw/gguf/name_index.hpp>
#include <bpw/gguf/observations.hpp>
#include <bpw/gguf/options.hpp>
#include <bpw/gguf/parser.hpp>
#include <bpw/gguf/part.hpp>
#include <bpw/gguf/split.hpp>
#include <bpw/gguf/storage.hpp>
#include <bpw/gguf/tensor.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

BPW_NAMESPACE_BEGIN
namespace gguf {

/// A GGUF model, read-only. Move-only: it owns the mappings of its files; metadata and tensors are
/// views of them and end with it.
///
/// Opening checks the whole structure, and every tensor's place, before anything is handed out. The
/// tensors' own bytes are not looked at. Memory is taken for the lists of entries alone, in
/// proportion to the size of the file.
class file {
  public:
    file(file&&) = default;
    file& operator=(file&&) = default;
    file(const file&) = delete;
    file& operator=(const file&) = delete;
    ~file() = default;

    /// Opens a file, by default mapped; of a split model, whichever part is named, all parts in the
    /// same folder. Errors: `not_found`, `io`, and those of `try_parse`; the message begins with
    /// the path.
    [[nodiscard]] static result<file> try_open(const std::filesystem::path& path,
                                               const options& chosen = {}) {
        detail::observations seen(chosen.limits.observations);
        file out;
        if (auto opened = out.add_file(path, chosen, seen); !opened) return opened.error();
        const auto keys = detail::split_keys::read(out.metadata());
        if (!keys) return in(path, keys.error());
        const auto name = split_name::parse(detail::path_text(path.filename()));
        if (keys->count <= 1 || !chosen.all_parts) {
            out.mention_split(*keys, seen);
            if (keys->count <= 1 && name && name->count > 1) {
                seen.add("the file's name says part ", name->number, " of ", name->count,
                         ", but it has no ", detail::quoted(keys::split_count), " above 1");
            }
            return std::move(out).finish(seen);
        }
        if (!name || name->count != keys->count || name->number != keys->number + 1) {
            return in(path, fail(errc::malformed, "the file says that it is part ", keys->number,
                                 " (counted from 0) of ", keys->count,
                                 "; expected a name that ends in ", detail::quoted(numbers(*keys)),
                                 " (or open it alone: all_parts = false)"));
        }
        return open_parts(path, *name, chosen);
    }

    /// Reads a model from bytes in memory, which must outlive the result. Errors: `malformed`,
    /// `unsupported`, `overflow`, `bad_shape` and `size_mismatch` as the message says;
    /// `unknown_type` and `ambiguous_type` in strict mode.
    [[nodiscard]] static result<file> try_parse(std::span<const std::byte> bytes,
                                                const options& chosen = {}) {
        detail::observations seen(chosen.limits.observations);
        file out;
        if (auto parsed = out.add_bytes(bytes, chosen, seen); !parsed) return parsed.error();
        const auto keys = detail::split_keys::read(out.metadata());
        if (!keys) return keys.error();
        out.mention_split(*keys, seen);
        return std::move(out).finish(seen);
    }

    /// The same for a split model: all of its parts in order, one at least.
    [[nodiscard]] static result<file> try_parse_parts(
        std::span<const std::span<const std::byte>> parts, const options& chosen = {}) {
        if (parts.empty())
            return fail(errc::malformed, "no parts were given; expected one or more");
        detail::observations seen(chosen.limits.observations);
        file out;
        for (std::size_t i = 0; i < parts.size(); ++i) {
            if (auto parsed = out.add_bytes(parts[i], chosen, seen); !parsed) {
                return fail(parsed.error().code, "part ", i + 1, ": ", parsed.error().message);
            }
            if (auto right = out.check_keys(i, parts.size()); !right) {
                return fail(right.error().code, "part ", i + 1, ": ", right.error().message);
            }
        }
        if (auto total = out.check_total(chosen, seen); !total) return total.error();
        return std::move(out).finish(seen);
    }

#if BPW_EXCEPTIONS
    /// try_open, throwing bpw::error.
    [[nodiscard]] static file open(const std::filesystem::path& path, const options& chosen = {}) {
        return try_open(path, chosen).value();
    }
    /// try_parse, throwing bpw::error.
    [[nodiscard]] static file parse(std::span<const std::byte> bytes, const options& chosen = {}) {
        return try_parse(bytes, chosen).value();
    }
#endif

    /// The metadata; of a split model that of the first part, which describes the whole.
    [[nodiscard]] const gguf::metadata& metadata() const noexcept {
        return parts_.front().metadata();
    }
    [[nodiscard]] std::uint32_t version() const noexcept { return parts_.front().version(); }
    [[nodiscard]] std::uint64_t alignment() const noexcept { return parts_.front().alignment(); }
    /// The files: one, or the parts of a split model in order.
    [[nodiscard]] std::span<const part> parts() const noexcept { return parts_; }

    /// All tensors in the order of the files.
    [[nodiscard]] std::span<const tensor> tensors() const noexcept { return tensors_; }
    /// The tensor of a name, in constant time; null when there is none.
    [[nodiscard]] const tensor* find(std::string_view name) const noexcept {
        const auto i = index_.find(name, name_of());
        return i == detail::name_index::none ? nullptr : &tensors_[i];
    }
    /// The same with an error, `not_found`, that names the tensor.
    [[nodiscard]] result<tensor> get(std::string_view name) const {
        if (const auto* found = find(name)) return *found;
        return fail(errc::not_found, "tensor ", detail::quoted(name), " is missing; the file has ",
                    tensors_.size(), " others");
    }
    /// The weights of a tensor of one or two dimensions. Errors: those of get and tensor::matrix.
    [[nodiscard]] result<any_matrix> matrix(std::string_view name) const {
        const auto found = get(name);
        if (!found) return found.error();
        return found->matrix();
    }

    /// What was noticed and let pass, a sentence each: gaps, trailing bytes, types without a known
    /// layout, and what strict mode refuses.
    [[nodiscard]] std::span<const std::string> observations() const noexcept {
        return observations_;
    }

  private:
    file() = default;

    [[nodiscard]] static failure in(const std::filesystem::path& path, failure f) {
        f.message.insert(0, detail::path_text(path) + ": ");
        return f;
    }
    [[nodiscard]] static std::string numbers(const detail::split_keys& keys) {
        return split_name{"", static_cast<std::uint32_t>(keys.number + 1),
                          static_cast<std::uint32_t>(keys.count)}
            .text();
    }

    [[nodiscard]] static result<file> open_parts(const std::filesystem::path& path, split_name name,
                                                 const options& chosen) {
        detail::observations seen(chosen.limits.observations);
        file out;
        const auto count = name.count;
        for (std::uint32_t i = 0; i < count; ++i) {
            name.number = i + 1;
            const auto text = name.text();
            const auto here =
                path.parent_path() / std::filesystem::path(std::u8string(text.begin(), text.end()));
            seen.set_prefix(text + ": ");
            if (auto opened = out.add_file(here, chosen, seen); !opened) return opened.error();
            if (auto right = out.check_keys(i, count); !right) return in(here, right.error());
        }
        seen.set_prefix("");
        if (auto total = out.check_total(chosen, seen); !total) return in(path, total.error());
        return std::move(out).finish(seen);
    }

    [[nodiscard]] result<void> add_file(const std::filesystem::path& path, const options& chosen,
                                        detail::observations& seen) {
        auto loaded = detail::load_file(path, chosen.copy);
        if (!loaded) {
            return fail(loaded.error().code, detail::path_text(path), " ", loaded.error().message);
        }
        part p;
        p.path_ = path;
        p.storage_ = std::move(*loaded);
        p.bytes_ = p.storage_.bytes();
        auto added = add(std::move(p), chosen, seen);
        if (!added) return in(path, added.error());
        return {};
    }

    [[nodiscard]] result<void> add_bytes(std::span<const std::byte> bytes, const options& chosen,
                                         detail::observations& seen) {
        part p;
        p.bytes_ = bytes;
        return add(std::move(p), chosen, seen);
    }

    [[nodiscard]] result<void> add(part p, const options& chosen, detail::observations& seen) {
        const auto number = static_cast<std::uint32_t>(parts_.size());
        auto parsed = detail::parser(p, tensors_, number, chosen, seen).run();
        parts_.push_back(std::move(p));
        return parsed;
    }

    /// Whether the last part is number `i`, from 0, of `count`.
    [[nodiscard]] result<void> check_keys(std::uint64_t i, std::uint64_t count) const {
        const auto keys = detail::split_keys::read(parts_.back().metadata());
        if (!keys) return keys.error();
        if (keys->count != count) {
            return fail(errc::malformed, "metadata key ", detail::quoted(keys::split_count), " is ",
                        keys->count, "; expected ", count);
        }
        if (keys->number != i) {
            return fail(errc::malformed, "metadata key ", detail::quoted(keys::split_no), " is ",
                        keys->number, "; expected ", i, " (counted from 0)");
        }
        return {};
    }

    [[nodiscard]] result<void> check_total(const options& chosen,
                                           detail::observations& seen) const {
        if (parts_.size() == 1) return {};
        for (const auto& p : parts_) {
            const auto keys = detail::split_keys::read(p.metadata());
            if (!keys) return keys.error();
            if (keys->tensors && *keys->tensors != tensors_.size()) {
                return fail(errc::malformed, "metadata key ",
                            detail::quoted(keys::split_tensors_count), " is ", *keys->tensors,
                            ", but the ", parts_.size(), " parts hold ", tensors_.size(),
                            " tensors; expected the same number");
            }
        }
        if (!parts_.front().metadata().contains(keys::split_tensors_count)) {
            if (chosen.strict) {
                return fail(errc::not_found, "metadata key ",
                            detail::quoted(keys::split_tensors_count),
                            " is missing; expected the number of tensors in all parts");
            }
            seen.add("metadata key ", detail::quoted(keys::split_tensors_count),
                     " is missing, so lost tensors cannot be noticed");
        }
        return {};
    }

    void mention_split(const detail::split_keys& keys, detail::observations& seen) const {
        if (keys.count <= 1) return;
        seen.add("this is part ", keys.number, " (counted from 0) of ", keys.count,
                 ", opened without the others");
    }

    /// Fills the index. A name that appears twice is an error in every mode: nobody could say which
    /// of the two is meant.
    [[nodiscard]] result<file> finish(detail::observations& seen) && {
        const auto& bytes = parts_.front().bytes_;
        index_.reserve(tensors_.size(), reinterpret_cast<std::uintptr_t>(bytes.data()));
        for (std::uint32_t i = 0; i < tensors_.size(); ++i) {
            const auto twin = index_.insert(i, name_of());
            if (twin == detail::name_index::none) continue;
            auto f =
                fail(errc::malformed, "tensor ", detail::quoted(tensors_[i].name()),
                     " appears twice (in part ", tensors_[twin].part() + 1, " and in part ",
                     tensors_[i].part() + 1, " of ", parts_.size(), "); expected every name once");
            const auto& path = parts_[tensors_[i].part()].path();
            return path.empty() ? f : in(path, f);
        }
        observations_ = std::move(seen).take();
        return std::move(*this);
    }

    struct name_at {
        const std::vector<tensor>& list;
        std::string_view operator()(std::uint32_t i) const noexcept { return list[i].name(); }
    };
    [[nodiscard]] name_at name_of() const noexcept { return {tensors_}; }

    std::vector<part> parts_;
    std::vector<tensor> tensors_;
    detail::name_index index_;
    std::vector<std::string> observations_;
};

}  // namespace gguf
BPW_NAMESPACE_END
