// A base model's predictions of a text in a file, so that other models can be compared with it
// without running it again. docs/quality.md describes the format.
#pragma once

#include "llama/divergence.hpp"

#include <bpw/gguf.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace examples {

/// What the predictions are of.
struct base_subject {
    std::string model;                  ///< a name, for people
    std::uint32_t vocabulary = 0;       ///< tokens that exist
    std::uint64_t vocabulary_hash = 0;  ///< of their texts; see vocabulary_hash
    std::uint32_t window = 0;           ///< predictions in a window
    std::uint64_t windows = 0;
};

/// FNV-1a, 64 bits, going on from `hash`.
[[nodiscard]] std::uint64_t fnv1a(std::string_view bytes, std::uint64_t hash = 0xcbf29ce484222325u);

/// The FNV-1a of the texts of all tokens, each followed by a zero byte. Throws bpw::error when the
/// metadata has no vocabulary.
[[nodiscard]] std::uint64_t vocabulary_hash(const bpw::gguf::metadata& metadata);

/// Writes a base file, which appears under its name when it is complete.
class base_writer {
  public:
    /// Throws bpw::error where the file cannot be written.
    base_writer(const std::string& path, const base_subject& subject);
    ~base_writer();
    base_writer(const base_writer&) = delete;
    base_writer& operator=(const base_writer&) = delete;

    /// Adds window i, in any order and from any thread: the tokens that came, and logits for each.
    /// Throws bpw::error for logits that are not finite.
    void add(std::size_t i, std::span<const llama::token> came, bpw::vectors<const float> logits);

    /// Gives the file its name when all windows were added. Throws bpw::error.
    void finish();

  private:
    struct output;

    base_subject subject_;
    std::unique_ptr<output> out_;
    std::mutex mutex_;
    std::size_t written_ = 0;
    std::map<std::size_t, std::string> waiting_;  // windows that came before earlier ones
};

/// An opened base file. It is read window by window, so it may be larger than memory.
class base_file final : public llama::base_predictions {
  public:
    /// Throws bpw::error for a file that is none, is of another version, or has another length
    /// than its header says.
    explicit base_file(std::string path);

    [[nodiscard]] const base_subject& subject() const { return subject_; }
    [[nodiscard]] std::size_t windows() const override {
        return static_cast<std::size_t>(subject_.windows);
    }
    /// Throws bpw::error for a window whose bytes are damaged.
    [[nodiscard]] llama::base_window window(std::size_t i, room& r) const override;

    /// Throws bpw::error, which names both sides, unless the file is of this text and vocabulary.
    void expect(const base_subject& other, const llama::windows& text) const;

  private:
    [[nodiscard]] std::string block(std::size_t i) const;

    std::string path_;
    base_subject subject_;
    std::uint64_t header_bytes_ = 0;
};

/// Whether a file begins as a base file does.
[[nodiscard]] bool is_base_file(const std::string& path);

}  // namespace examples
