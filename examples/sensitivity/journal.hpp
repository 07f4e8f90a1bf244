// The measurements that were made so far, in a file that grows by a row with each of them, so that
// a run that was stopped goes on where it ended.
#pragma once

#include "common/statistics.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace examples {

/// What a change of types costs.
struct loss {
    estimate kld;  ///< mean Kullback-Leibler divergence from the base, in nats
    estimate ppl;  ///< perplexity / the base's - 1
};

/// What was measured.
struct measured {
    enum class kind {
        alone,  ///< tensors that were dropped to a type while all others stayed
        all,    ///< all tensors of a class at a type
    };
    kind what;
    std::string type;
    std::string tensors;  ///< the name of the group or class

    friend auto operator<=>(const measured&, const measured&) = default;
};

/// What has to be the same for measurements to go together: names and values, such as the model's
/// hash.
using settings = std::vector<std::pair<std::string, std::string>>;

/// The file. It is CSV: a row that names the settings, then one for each measurement, each with a
/// checksum. One process at a time may have it open.
class journal {
  public:
    /// Opens the file, or begins it. Throws bpw::error where it cannot be written, another process
    /// has it, it is damaged, or it was begun with other settings. A last row without its end, as
    /// a run leaves it that was killed while writing, is cut off.
    journal(const std::string& path, const settings& of);
    ~journal();
    journal(const journal&) = delete;
    journal& operator=(const journal&) = delete;

    [[nodiscard]] std::optional<loss> find(const measured& what) const;
    /// Adds a row, which is in the file when this returns. Throws bpw::error.
    void add(const measured& what, const loss& found);

    /// All measurements in the order in which they were made.
    [[nodiscard]] const std::vector<std::pair<measured, loss>>& rows() const { return rows_; }
    /// Whether a row without its end was cut off.
    [[nodiscard]] bool was_cut() const { return was_cut_; }

  private:
    class file;

    void read(const std::string& content);
    void append(const std::vector<std::string>& cells);
    [[nodiscard]] std::string check_of(const std::string& row) const;
    void remember(const measured& what, const loss& found);

    std::string path_;
    std::string settings_;
    std::unique_ptr<file> file_;
    std::vector<std::pair<measured, loss>> rows_;
    std::map<measured, std::size_t> positions_;
    bool was_cut_ = false;
};

/// A number in as few digits as give it again.
[[nodiscard]] std::string shortest(double number);

/// One line of CSV, without its end: cells with commas or quotation marks are enclosed.
[[nodiscard]] std::string csv_row(const std::vector<std::string>& cells);

}  // namespace examples
