// What a caller may choose when a GGUF file is opened.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/type_id.hpp>

#include <cstddef>
#include <cstdint>

BPW_NAMESPACE_BEGIN
namespace gguf {

/// Upper bounds that the size of the file does not give.
struct limits {
    /// Largest accepted `general.alignment`, in bytes.
    std::uint64_t alignment = std::uint64_t{1} << 20;
    /// Most metadata entries, and most tensors, in one file.
    std::uint64_t entries = std::uint64_t{1} << 31;
    /// Most sentences that file::observations() keeps.
    std::size_t observations = 64;
};

/// How to open a GGUF file.
///
/// | case                                    | lenient (default)         | strict  |
/// |-----------------------------------------|---------------------------|---------|
/// | key not UTF-8, with NUL, over 65535 B   | reported                  | refused |
/// | key not lower_snake.dotted              | accepted                  | refused |
/// | bool neither 0 nor 1                    | reported, reads as true   | refused |
/// | key twice with the same value           | reported, first one found | refused |
/// | key twice with different values         | refused                   | refused |
/// | alignment 1, 2, 4                       | reported                  | refused |
/// | tensor name of 64 bytes, or not UTF-8   | reported                  | refused |
/// | tensor without dimensions (a scalar)    | accepted                  | refused |
/// | type unknown, removed or ambiguous      | reported; listed, no bytes| refused |
/// | gaps between tensors, another order     | reported                  | refused |
/// | `split.tensors.count` missing           | reported                  | refused |
/// | trailing bytes; last padding missing    | reported; accepted        | same    |
///
/// Everything else that breaks the format is refused in both modes.
struct options {
    /// Whose type numbers the file uses, where the two projects differ.
    bpw::dialect dialect = bpw::dialect::any;
    bool strict = false;
    /// Lists metadata and tensors but gives no tensor's bytes: what is wrong with the place or the
    /// size of tensors is reported and not refused. For files with damaged or missing data.
    bool metadata_only = false;
    /// Reads the file into memory instead of mapping it, so that a later change of the file cannot
    /// be seen. A mapped file that is shortened while it is open ends the process with SIGBUS when
    /// the lost bytes are touched.
    bool copy = false;
    /// Opens the other parts of a split file too.
    bool all_parts = true;
    gguf::limits limits{};
};

}  // namespace gguf
BPW_NAMESPACE_END
