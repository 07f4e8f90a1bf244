// Quant scores: which types are worth having on a machine, from measurements relative to bf16.
//
// A type is judged by how much it shrinks the model and by a score of what it costs in quality and
// gains in speed:
//
//   score = (-Fm metric + mean of the measured ones of Fpp pp, Ftg tg) / 2, not below a cutoff
//
// with all values in percent: a quality metric (higher is worse), the speeds of prompt processing
// (pp) and of token generation (tg). The method and the tables of Thireus' GGUF Tool Suite.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/core/type_id.hpp>
#include <bpw/formats/registry.hpp>
#include <bpw/plan/number_text.hpp>
#include <bpw/plan/pattern.hpp>
#include <bpw/plan/stored_type.hpp>
#include <bpw/plan/tensor_map.hpp>
#include <bpw/plan/text.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

BPW_NAMESPACE_BEGIN
namespace plan {

/// A measurement relative to bf16.
struct relative_cell {
    double percent;
    bool marker;  ///< it is `404%`, which elsewhere marks what was not measured
};

/// Measurements relative to bf16, in percent, per type and column.
struct relative_results {
    std::string file;
    std::vector<std::string> columns;  ///< tensor names, or groups as `group0`
    std::map<type_id, std::vector<std::optional<relative_cell>>> rows;  ///< nothing: empty
};

/// Reads a CSV of measurements relative to bf16: a header `QTYPE,column,...` and cells that are
/// percentages, `+78.60%`. Empty cells are not measured. Errors, each with file, line
/// and field: `malformed` for a cell without %, a type that stands there twice, no columns, or no
/// row of bf16; `unknown_type`.
[[nodiscard]] inline result<relative_results> read_relative_results(std::string_view text,
                                                                    std::string_view file) {
    auto table = read_csv(text, file);
    if (!table) return table.error();
    if (!bpw::detail::equal_without_case(table->header[0], "qtype") || table->header.size() < 2) {
        return fail_at({file, 1}, errc::malformed, "the header begins with ",
                       quoted(table->header[0]), " and has ", table->header.size(),
                       " columns; expected QTYPE and one column or more");
    }
    relative_results out{std::string(file), {table->header.begin() + 1, table->header.end()}, {}};
    for (const auto& row : table->rows) {
        const auto type = type_from_name(trimmed(row.cells[0]));
        if (!type) {
            return fail_at({file, row.line, table->header[0]}, errc::unknown_type,
                           quoted(row.cells[0]), " is not the name of a quant type");
        }
        std::vector<std::optional<relative_cell>> values;
        for (std::size_t i = 1; i < row.cells.size(); ++i) {
            auto cell = trimmed(row.cells[i]);
            if (cell.empty()) {
                values.emplace_back();
                continue;
            }
            const bool marker = is_not_measured_marker(cell);
            const bool percent = cell.back() == '%';
            if (percent) cell.remove_suffix(1);
            const auto number = parse_number(cell);
            if ((!percent && !marker) || !number) {
                return fail_at({file, row.line, table->header[i]}, errc::malformed,
                               quoted(row.cells[i]),
                               " is not a percentage relative to bf16; expected one like +12.5%");
            }
            values.push_back(relative_cell{*number, marker});
        }
        if (!out.rows.emplace(*type, std::move(values)).second) {
            return fail_at({file, row.line, table->header[0]}, errc::malformed,
                           quoted(row.cells[0]), " stands in an earlier row already");
        }
    }
    if (out.rows.count(type_id::bf16) == 0) {
        return fail_at({file}, errc::malformed,
                       "there is no row of bf16, to which all others must be relative");
    }
    return out;
}

/// Groups of tensors that were measured together.
using tensor_groups = std::vector<std::pair<std::string, std::vector<pattern>>>;

/// Reads a mapping of groups: lines `group0:regex,regex,...`; blank lines and those that begin
/// with # are skipped. Errors: `malformed`, with file, line and field.
[[nodiscard]] inline result<tensor_groups> read_tensor_groups(std::string_view text,
                                                              std::string_view file) {
    tensor_groups groups;
    line_reader lines(text);
    while (const auto whole = lines.next()) {
        const auto line = trimmed(*whole);
        if (line.empty() || line.front() == '#') continue;
        const auto colon = line.find(':');
        const auto name = trimmed(line.substr(0, colon));
        if (colon == line.npos || name.empty()) {
            return fail_at({file, lines.number()}, errc::malformed, quoted(line),
                           " names no group; expected group0:regex,regex");
        }
        std::vector<pattern> members;
        for (const auto piece : split(line.substr(colon + 1), ',')) {
            if (trimmed(piece).empty()) continue;
            auto compiled = pattern::compile(trimmed(piece), regex_syntax::ecmascript);
            if (!compiled) {
                return fail_at({file, lines.number(), name}, compiled.error().code,
                               compiled.error().message);
            }
            members.push_back(*std::move(compiled));
        }
        groups.emplace_back(std::string(name), std::move(members));
    }
    return groups;
}

/// What the sizes of types are computed from.
struct score_sizes {
    const tensor_map* bf16 = nullptr;       ///< the unquantized model
    const tensor_groups* groups = nullptr;  ///< without it a single `groupN` is all of the model
    /// Published maps of types, which go before computed sizes.
    std::map<type_id, const tensor_map*> maps;
};

struct score_options {
    double metric_factor = 2;
    double pp_factor = 1;
    double tg_factor = 1;
    double cutoff = -100;
    /// Take `404%` as a value, as the published tables do; otherwise its type is left out.
    bool marker_is_value = true;
};

/// One type on one machine.
struct quant_score {
    type_id type;
    double reduction;  ///< percent of the bytes of bf16 that are saved
    double score;
    double metric;  ///< percent, higher is worse
    std::optional<double> pp;
    std::optional<double> tg;
    bool marker = false;  ///< one of the values is `404%`, so the score means nothing
};

/// The scores of a machine, by falling reduction, then name.
struct score_table {
    std::vector<quant_score> rows;
    std::vector<std::string> warnings;  ///< types left out or not measured, one sentence each
};

namespace detail {

// The tensors of a column: positions in the bf16 map. Tensors of f32 stay as they are.
inline result<std::vector<std::size_t>> column_tensors(const std::string& column,
                                                       std::size_t columns,
                                                       const score_sizes& sizes) {
    std::vector<std::size_t> out;
    const auto& map = *sizes.bf16;
    const std::vector<pattern>* members = nullptr;
    if (sizes.groups != nullptr) {
        for (const auto& [name, patterns] : *sizes.groups) {
            if (name == column) members = &patterns;
        }
    }
    const bool group = column.substr(0, 5) == "group" && first_integer(column).has_value();
    if (group && members == nullptr && (columns > 1 || sizes.groups != nullptr)) {
        return fail(errc::not_found, "the column ", quoted(column),
                    " is a group of tensors that no mapping describes");
    }
    for (std::size_t i = 0; i < map.tensors.size(); ++i) {
        const auto& tensor = map.tensors[i];
        if (tensor.type == type_id::f32) continue;
        bool mine = group && members == nullptr;
        if (members != nullptr) {
            mine = std::any_of(members->begin(), members->end(),
                               [&](const pattern& p) { return p.search(tensor.name); });
        } else if (!group) {
            mine = tensor.name == column;
        }
        if (mine) out.push_back(i);
    }
    if (out.empty()) {
        return fail(errc::not_found, "no tensor of ", quoted(map.file), " belongs to the column ",
                    quoted(column));
    }
    return out;
}

// Listed bytes of a tensor in a type: blocks alone, of what is really stored.
inline result<std::uint64_t> listed_bytes(const mapped_tensor& tensor, type_id type,
                                          const score_sizes& sizes) {
    const auto known = sizes.maps.find(type);
    if (known != sizes.maps.end()) {
        if (const auto* listed = known->second->find(tensor.name)) return listed->listed_bytes;
    }
    const auto slice = tensor.shape.size() > 1 ? tensor.shape[1] : std::uint64_t{1};
    const auto stored = stored_type(type, {tensor.name, tensor.cols(), slice});
    if (!stored) return stored.error();
    const auto size = size_of(info(*stored), tensor.rows(), tensor.elements);
    if (!size) return fail(errc::overflow, "tensor ", quoted(tensor.name), " is too large");
    return size->blocks;
}

}  // namespace detail

/// How much smaller a model gets: mean over the columns of the percentage of bf16's bytes that the
/// column's tensors save in this type, row headers left out on both sides. Errors: `not_found` for
/// a column without tensors, those of stored_type.
[[nodiscard]] inline result<double> size_reduction(type_id type,
                                                   const std::vector<std::string>& columns,
                                                   const score_sizes& sizes) {
    double sum = 0;
    for (const auto& column : columns) {
        const auto tensors = detail::column_tensors(column, columns.size(), sizes);
        if (!tensors) return tensors.error();
        double before = 0;
        double after = 0;
        for (const auto i : *tensors) {
            const auto& tensor = sizes.bf16->tensors[i];
            const auto bytes = detail::listed_bytes(tensor, type, sizes);
            if (!bytes) return bytes.error();
            before += static_cast<double>(tensor.listed_bytes);
            after += static_cast<double>(*bytes);
        }
        sum += 100 * (before - after) / before;
    }
    return sum / static_cast<double>(columns.size());
}

/// Scores the types that all of these measurements hold. `pp` and `tg` may be null. Errors:
/// `malformed` when the files do not have the same columns; those of size_reduction.
[[nodiscard]] inline result<score_table> quant_scores(const relative_results& metric,
                                                      const relative_results* pp,
                                                      const relative_results* tg,
                                                      const score_sizes& sizes,
                                                      const score_options& options = {}) {
    score_table table;
    const relative_results* all[] = {&metric, pp, tg};
    std::map<type_id, std::string> missing;
    std::map<type_id, std::string> marked;
    for (const auto* file : all) {
        if (file == nullptr) continue;
        if (file->columns != metric.columns) {
            return fail_at({file->file, 1}, errc::malformed, "the columns are not the same as in ",
                           quoted(metric.file));
        }
        for (const auto* other : all) {
            if (other == nullptr) continue;
            for (const auto& [type, values] : other->rows) {
                const auto at = file->rows.find(type);
                if (at == file->rows.end() || !at->second.front()) {
                    missing.emplace(type, file->file);
                } else if (at->second.front()->marker) {
                    (options.marker_is_value ? marked : missing).emplace(type, file->file);
                }
            }
        }
    }
    for (const auto& [type, file] : missing) {
        table.warnings.push_back(fail(errc::not_found, name(type), " is left out: ", quoted(file),
                                      " has no measurement of it")
                                     .message);
    }
    for (const auto& [type, file] : marked) {
        if (missing.count(type) != 0) continue;
        table.warnings.push_back(
            fail(errc::not_found, name(type), " has 404% in ", quoted(file),
                 ", the mark of what was not measured: its score means nothing")
                .message);
    }
    for (const auto& [type, values] : metric.rows) {
        if (missing.count(type) != 0) continue;
        const auto reduction = size_reduction(type, metric.columns, sizes);
        if (!reduction) return reduction.error();
        quant_score row{
            type, *reduction, 0, values.front()->percent, {}, {}, marked.count(type) != 0};
        double speed = 0;
        int speeds = 0;
        if (pp != nullptr) {
            row.pp = pp->rows.at(type).front()->percent;
            speed += options.pp_factor * *row.pp;
            ++speeds;
        }
        if (tg != nullptr) {
            row.tg = tg->rows.at(type).front()->percent;
            speed += options.tg_factor * *row.tg;
            ++speeds;
        }
        if (speeds != 0) speed /= speeds;
        row.score = std::max((speed - options.metric_factor * row.metric) / 2, options.cutoff);
        table.rows.push_back(row);
    }
    std::sort(table.rows.begin(), table.rows.end(), [](const auto& a, const auto& b) {
        return a.reduction != b.reduction ? a.reduction > b.reduction : name(a.type) < name(b.type);
    });
    return table;
}

/// The top layer of a table: the types that no other beats or equals in both reduction and score,
/// and those whose score falls short of that by no more than `tolerance` points. Positions in
/// `rows`, by falling reduction. Rows with a marker are left out.
[[nodiscard]] inline std::vector<std::size_t> top_layer(const std::vector<quant_score>& rows,
                                                        double tolerance = 0) {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (!rows[i].marker) order.push_back(i);
    }
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        if (rows[a].reduction != rows[b].reduction) return rows[a].reduction > rows[b].reduction;
        return rows[a].score > rows[b].score;
    });
    std::vector<std::size_t> members;
    double best = -std::numeric_limits<double>::infinity();
    for (const auto i : order) {
        if (rows[i].score > best || (tolerance > 0 && rows[i].score >= best - tolerance)) {
            members.push_back(i);
        }
        best = std::max(best, rows[i].score);
    }
    return members;
}

/// Writes a table as published: `QTYPE,avg_reduction%,score,METRIC%,pp%,tg%`, lines ended by
/// CR LF as in RFC 4180.
[[nodiscard]] inline std::string write_scores(const std::vector<quant_score>& rows,
                                              std::string_view metric_name) {
    std::string out = "QTYPE,avg_reduction%,score,";
    out.append(metric_name).append("%,pp%,tg%\r\n");
    const auto percent = [](std::optional<double> value) {
        return value ? signed_fixed(*value, 2) + "%" : std::string();
    };
    for (const auto& row : rows) {
        out.append(name(row.type)).append(",").append(fixed(row.reduction, 2)).append(",");
        out.append(fixed(row.score, 4)).append(",").append(percent(row.metric)).append(",");
        out.append(percent(row.pp)).append(",").append(percent(row.tg)).append("\r\n");
    }
    return out;
}

namespace detail {

// The file name of a path without its folder and a last `.csv`.
[[nodiscard]] inline std::string_view csv_stem(std::string_view path) {
    if (const auto slash = path.find_last_of("/\\"); slash != path.npos) {
        path.remove_prefix(slash + 1);
    }
    if (lower(path).ends_with(".csv")) path.remove_suffix(4);
    return path;
}

}  // namespace detail

/// The machine of a file of speeds: what stands behind the last _ of its name.
/// `pp_results_cuda-RTX-6000-Pro.csv` is of `cuda-RTX-6000-Pro`.
[[nodiscard]] inline std::string machine_of(std::string_view path) {
    const auto stem = detail::csv_stem(path);
    return std::string(stem.substr(stem.find_last_of('_') + 1));
}

/// The metric of a file of results: `ppl` of `ppl_results.csv`. Agreement of the top token is
/// written as its complement, so `topp` is `comp_topp`.
[[nodiscard]] inline std::string metric_of(std::string_view path) {
    const auto stem = detail::csv_stem(path);
    const auto first = stem.substr(0, stem.find('_'));
    return first == "topp" ? "comp_topp" : std::string(first);
}

}  // namespace plan
BPW_NAMESPACE_END
