// How the examples write sizes, names from files, and tables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace examples {

/// "512 B", "12.5 KiB", "3.27 MiB", "1.18 GiB".
[[nodiscard]] std::string readable_size(std::uint64_t bytes);

/// A number with so many digits behind the point.
[[nodiscard]] std::string fixed(double number, int digits);

/// Text of a file as it can be shown on a terminal: control characters, and bytes that are not
/// UTF-8, become \xNN. Text longer than `most` bytes is cut and ends in "...".
[[nodiscard]] std::string printable(std::string_view text, std::size_t most);

/// The characters of a UTF-8 text.
[[nodiscard]] std::size_t width(std::string_view text);

/// A table with columns as wide as their widest cell.
class table {
  public:
    enum class align { left, right };
    struct column {
        std::string title;
        align side = align::left;
    };

    explicit table(std::vector<column> columns) : columns_(std::move(columns)) {}
    /// One cell for each column.
    void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
    /// A line before the next row.
    void rule() { rows_.emplace_back(); }
    /// Writes titles and rows, two spaces between columns.
    void print(std::ostream& out, std::string_view indent = "") const;

  private:
    std::vector<column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace examples
