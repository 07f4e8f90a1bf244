// One file of a model: the only one, or one part of a split.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/gguf/constants.hpp>
#include <bpw/gguf/metadata.hpp>
#include <bpw/gguf/storage.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

BPW_NAMESPACE_BEGIN
namespace gguf {

class file;

/// A file that was opened: what its header says. Owns its mapping.
class part {
  public:
    /// Where it was opened; empty for bytes in memory.
    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
    [[nodiscard]] std::uint32_t version() const noexcept { return version_; }
    [[nodiscard]] std::uint64_t alignment() const noexcept { return alignment_; }
    [[nodiscard]] const gguf::metadata& metadata() const noexcept { return metadata_; }
    /// Where the tensors' data begins, in bytes after the beginning of the file.
    [[nodiscard]] std::uint64_t data_offset() const noexcept { return data_offset_; }
    /// The whole file.
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }

  private:
    friend class file;
    friend class detail::parser;

    std::filesystem::path path_;
    detail::storage storage_;
    std::span<const std::byte> bytes_;
    std::uint32_t version_ = newest_version;
    std::uint64_t alignment_ = default_alignment;
    gguf::metadata metadata_;
    std::uint64_t data_offset_ = 0;
};

}  // namespace gguf
BPW_NAMESPACE_END
