// codec decode TYPE COLS, codec encode TYPE COLS, codec repack FROM TO COLS, codec matvec TYPE ROWS
// COLS: raw rows on standard input; weights, converted rows or products on standard output. For
// checks of other programs, in any language, against bpw.
#include "common/encode.hpp"
#include "common/kernels.hpp"
#include "common/program.hpp"
#include "common/text.hpp"

#include <bpw/core/checked.hpp>
#include <bpw/formats/repack.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <limits>
#include <string>
#include <system_error>
#include <vector>

static_assert(std::endian::native == std::endian::little,
              "floats are read and written as they are");

namespace {

template <class... Parts>
[[noreturn]] void refuse(bpw::errc code, const Parts&... parts) {
    throw bpw::error(bpw::fail(code, parts...));
}

// --- bytes ---------------------------------------------------------------------------------------

// Reads `most` bytes, or less when the input ends first. The buffer grows with what is there, not
// with what was asked for: a wrong number of columns shall not fill the memory.
void read_input(std::vector<std::byte>& buffer, std::size_t most) {
    std::size_t size = 0;
    buffer.resize(std::min<std::size_t>(most, 1 << 20));
    while (const auto n = std::fread(buffer.data() + size, 1, buffer.size() - size, stdin)) {
        size += n;
        if (size == buffer.size()) buffer.resize(most - size > size ? 2 * size : most);
    }
    if (std::ferror(stdin) != 0) {
        refuse(bpw::errc::io,
               "standard input cannot be read: ", std::generic_category().message(errno));
    }
    buffer.resize(size);
}

void write_output(std::span<const std::byte> bytes) {
    if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size()) {
        refuse(bpw::errc::io,
               "standard output cannot be written: ", std::generic_category().message(errno));
    }
}

// A size in bytes as memory is counted here.
std::size_t in_memory(std::uint64_t bytes) {
    if (bytes > std::numeric_limits<std::ptrdiff_t>::max()) {
        refuse(bpw::errc::overflow, bytes, " bytes do not fit in memory");
    }
    return static_cast<std::size_t>(bytes);
}

// --- rows ----------------------------------------------------------------------------------------

// A row group is the least that stands for itself: one row, or the rows that a type interleaves.
// Calls convert(first row, rows, bytes) for one run of groups after another.
template <class Convert>
void for_row_groups(const bpw::type_info& type, std::uint64_t group, std::uint64_t cols,
                    Convert convert) {
    constexpr std::uint64_t usual_run = 1 << 20;
    const auto group_bytes = bpw::tensor_bytes(type.id, group, cols).value();
    const auto groups = std::max<std::uint64_t>(1, usual_run / group_bytes);
    const auto run = in_memory(groups * group_bytes);
    std::vector<std::byte> buffer;
    for (std::uint64_t row = 0;;) {
        read_input(buffer, run);
        const auto n = buffer.size();
        if (const auto rest = n % group_bytes; rest != 0) {
            const auto at = row + n / group_bytes * group;
            refuse(bpw::errc::size_mismatch, "the input ends ", rest, " bytes after row ", at,
                   "; expected a multiple of ", group_bytes, " bytes, ", group,
                   group == 1 ? " row of " : " rows of ", cols, " weights of ", type.name);
        }
        const auto rows = n / group_bytes * group;
        if (rows != 0) convert(rows, buffer);
        if (n < run) return;
        row += rows;
    }
}

// The whole of a tensor whose last bytes belong to all of its rows.
template <class Convert>
void for_whole_input(const bpw::type_info& type, std::uint64_t cols, Convert convert) {
    const auto row_bytes = bpw::row_bytes(type.id, cols).value();
    std::vector<std::byte> buffer;
    read_input(buffer, std::numeric_limits<std::ptrdiff_t>::max());
    const auto size = buffer.size();
    if (size < type.trailer_bytes || (size - type.trailer_bytes) % row_bytes != 0) {
        refuse(bpw::errc::size_mismatch, "the input has ", size, " bytes; expected a multiple of ",
               row_bytes, ", a row of ", cols, " weights of ", type.name, ", and ",
               type.trailer_bytes, " bytes behind the last row");
    }
    convert((size - type.trailer_bytes) / row_bytes, buffer);
}

const bpw::type_info& type_of(const std::string& name) {
    const auto id = bpw::type_from_name(name);
    if (!id) {
        refuse(bpw::errc::unknown_type, id.error().message, "; `codec list` prints them");
    }
    return bpw::info(*id);
}

// --- commands ------------------------------------------------------------------------------------

void decode(const bpw::type_info& type, std::uint64_t cols) {
    std::vector<float> floats;
    const auto convert = [&](std::uint64_t rows, std::span<const std::byte> bytes) {
        const auto count = bpw::checked_mul(rows, cols);
        if (!count) refuse(bpw::errc::overflow, rows, " x ", cols, " weights are too many");
        floats.resize(in_memory(*count));
        examples::decode({type.id, bytes, rows, cols}, floats);
        write_output(std::as_bytes(std::span(floats)));
    };
    if (type.trailer_bytes != 0) return for_whole_input(type, cols, convert);
    for_row_groups(type, type.rows_interleaved, cols, convert);
}

// One little-endian float for every column.
std::vector<float> read_importance(const std::string& path, std::uint64_t cols) {
    const auto cannot = [&](const std::error_code& why) {
        refuse(bpw::errc::io, "'", path, "' cannot be read: ", why.message());
    };
    std::error_code why;
    const auto size = std::filesystem::file_size(path, why);
    if (why) cannot(why);
    if (size / 4 != cols || size % 4 != 0) {
        refuse(bpw::errc::size_mismatch, "'", path, "' has ", size, " bytes; expected ", cols,
               " floats of 4 bytes, one for every column");
    }
    std::vector<float> importance(in_memory(cols));
    std::ifstream file(path, std::ios::binary);
    if (!file.read(reinterpret_cast<char*>(importance.data()),
                   static_cast<std::streamsize>(size))) {
        cannot(std::error_code(errno, std::generic_category()));
    }
    return importance;
}

void encode(const bpw::type_info& type, std::uint64_t cols, const std::string& importance_path) {
    if (!examples::can_encode(type.id)) {
        refuse(bpw::errc::unsupported, "there is no encoder for ", type.name);
    }
    std::vector<float> importance;
    if (!importance_path.empty()) importance = read_importance(importance_path, cols);
    bpw::threads pool;
    std::vector<float> floats;
    std::vector<std::byte> out;
    const auto convert = [&](std::uint64_t rows, std::span<const std::byte> bytes) {
        floats.resize(bytes.size() / 4);
        std::copy_n(bytes.data(), bytes.size(), std::as_writable_bytes(std::span(floats)).data());
        out.resize(in_memory(bpw::tensor_bytes(type.id, rows, cols).value()));
        examples::encode(type.id, floats, rows, cols, out, importance, {}, pool);
        write_output(out);
    };
    (void)bpw::row_bytes(type.id, cols).value();
    for_row_groups(bpw::info(bpw::type_id::f32), type.rows_interleaved, cols, convert);
}

void repack(const bpw::type_info& from, const bpw::type_info& to, std::uint64_t cols) {
    if (!bpw::can_repack(from.id, to.id)) {
        std::string message(from.name);
        message += " cannot be repacked as ";
        message += to.name;
        message += " without loss";
        if (const auto other = from.base ? from.base : bpw::interleaved_form(from.id)) {
            refuse(bpw::errc::unsupported, message, "; expected ", bpw::name(*other));
        }
        refuse(bpw::errc::unsupported, message, ", nor as any other type");
    }
    // Either side may be the one that interleaves.
    const auto group = std::max(from.rows_interleaved, to.rows_interleaved);
    std::vector<std::byte> out;
    for_row_groups(from, group, cols, [&](std::uint64_t rows, std::span<const std::byte> bytes) {
        out.resize(in_memory(bpw::tensor_bytes(to.id, rows, cols).value()));
        bpw::repack({from.id, bytes, rows, cols}, to.id, out).value();
        write_output(out);
    });
}

// A matrix, then any number of columns of floats; their products column after column.
void matvec(const bpw::type_info& type, std::uint64_t rows, std::uint64_t cols, unsigned count) {
    const auto size = in_memory(bpw::tensor_bytes(type.id, rows, cols).value());
    std::vector<std::byte> matrix;
    read_input(matrix, size);
    if (matrix.size() != size) {
        refuse(bpw::errc::size_mismatch, "the input ends after ", matrix.size(),
               " bytes; expected ", size, " bytes of ", rows, " rows of ", cols, " weights of ",
               type.name, ", then columns of ", cols, " floats");
    }
    std::vector<std::byte> bytes;
    read_input(bytes, std::numeric_limits<std::ptrdiff_t>::max());
    const auto column = in_memory(bpw::row_bytes(bpw::type_id::f32, cols).value());
    if (bytes.empty() || bytes.size() % column != 0) {
        refuse(bpw::errc::size_mismatch, bytes.size(), " bytes follow the matrix; expected ",
               column, " for each column, ", cols, " floats, and at least one column");
    }
    std::vector<float> x(bytes.size() / sizeof(float));
    std::memcpy(x.data(), bytes.data(), bytes.size());
    const auto columns = bytes.size() / column;
    const auto products = bpw::checked_mul(rows, columns);
    if (!products) refuse(bpw::errc::overflow, rows, " x ", columns, " products are too many");
    std::vector<float> y(in_memory(*products));
    bpw::threads pool(count);
    examples::multiply_in_8_bits({type.id, matrix, rows, cols},
                                 {x.data(), columns, in_memory(cols)},
                                 {y.data(), columns, in_memory(rows)}, pool);
    write_output(std::as_bytes(std::span(y)));
}

void list() {
    using enum examples::table::align;
    examples::table table({{"type"},
                           {"number", right},
                           {"weights", right},
                           {"bytes", right},
                           {"row header", right},
                           {"rows", right},
                           {"bits/weight", right},
                           {"repacks to"},
                           {"fallback"},
                           {"in ik_llama.cpp"},
                           {"written by"}});
    const auto name_or_none = [](std::optional<bpw::type_id> id) {
        return std::string(id ? bpw::name(*id) : "-");
    };
    for (const auto& t : bpw::type_infos()) {
        std::string header = "-";
        if (t.row_header_bytes != 0) header = std::to_string(t.row_header_bytes);
        if (t.trailer_bytes != 0) header = std::to_string(t.trailer_bytes).append(" at end");
        const auto writer = bpw::writer(t.id);
        table.add({std::string(t.name), std::to_string(bpw::gguf_number(t.id)),
                   std::to_string(t.block_size), std::to_string(t.block_bytes), header,
                   std::to_string(t.rows_interleaved), examples::fixed(t.bits_per_weight, 4),
                   name_or_none(t.base ? t.base : bpw::interleaved_form(t.id)),
                   name_or_none(t.fallback_mainline), name_or_none(t.fallback_ik),
                   writer == bpw::dialect::any        ? "both"
                   : writer == bpw::dialect::mainline ? "llama.cpp"
                                                      : "ik_llama.cpp"});
    }
    table.print(std::cout);
    std::cout << "\n"
                 "number       the type's number in GGUF files\n"
                 "weights      in a block of one row; bytes: what they take\n"
                 "row header   bytes in front of each row\n"
                 "rows         that are interleaved\n"
                 "fallback     what llama-quantize of llama.cpp, and of ik_llama.cpp, stores\n"
                 "             instead when the row length is no multiple of the block\n";
}

int run(int argc, char** argv) {
    CLI::App app(
        "Converts rows of quantized weights, and multiplies with them.\n\n"
        "Rows are read from standard input, as they lie in a file, and written to standard\n"
        "output: groups of rows one after another, so that the input may be of any length.\n"
        "A type that stores something behind the last row (i2_s) is read as a whole first.\n"
        "So is what matvec multiplies.",
        "codec");
    app.require_subcommand(1);
    std::string from;
    std::string to;
    std::uint64_t rows = 0;
    std::uint64_t cols = 0;
    unsigned threads = 1;
    const auto add_type = [](CLI::App& command, const char* name, std::string& type,
                             const char* what) {
        command.add_option(name, type, what)->required()->type_name("");
    };
    const auto add_size = [](CLI::App& command, const char* name, std::uint64_t& size,
                             const char* what) {
        command.add_option(name, size, what)
            ->required()
            ->type_name("")
            ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 48).description(""));
    };
    const auto add_cols = [&](CLI::App& command) {
        add_size(command, "COLS", cols, "weights in a row");
    };

    auto& decode_command = *app.add_subcommand("decode", "rows of a type to little-endian f32");
    add_type(decode_command, "TYPE", from, "the type of the rows, such as q4_K");
    add_cols(decode_command);
    std::string importance;
    auto& encode_command = *app.add_subcommand("encode", "rows of little-endian f32 to a type");
    add_type(encode_command, "TYPE", to, "the type to write, such as q4_K");
    add_cols(encode_command);
    encode_command
        .add_option("--importance", importance,
                    "a file of little-endian f32, the importance of each column")
        ->type_name("FILE");
    auto& repack_command = *app.add_subcommand(
        "repack", "rows of a type to its layout with interleaved rows, or back, without loss");
    add_type(repack_command, "FROM", from, "the type of the rows, such as q4_K");
    add_type(repack_command, "TO", to, "the type to write, such as q4_k_r4");
    add_cols(repack_command);
    auto& matvec_command = *app.add_subcommand(
        "matvec",
        "products of a matrix with vectors: the rows of a type, then one or more columns of COLS\n"
        "f32, to ROWS f32 for each column. Where the weights are scaled integers, the columns are\n"
        "rounded to 8 bits with a scale for every 32");
    add_type(matvec_command, "TYPE", from, "the type of the rows, such as q4_K");
    add_size(matvec_command, "ROWS", rows, "rows of the matrix");
    add_cols(matvec_command);
    matvec_command.add_option("--threads", threads, "threads to compute with; 0: all processors")
        ->capture_default_str()
        ->type_name("N")
        ->check(CLI::Range(0u, 4096u).description(""));
    auto& list_command = *app.add_subcommand("list", "prints a table of all types");
    CLI11_PARSE(app, argc, argv);

    if (list_command.parsed()) list();
    if (decode_command.parsed()) decode(type_of(from), cols);
    if (encode_command.parsed()) encode(type_of(to), cols, importance);
    if (repack_command.parsed()) repack(type_of(from), type_of(to), cols);
    if (matvec_command.parsed()) matvec(type_of(from), rows, cols, threads);
    return 0;
}

}  // namespace

int main(int argc, char** argv) { return examples::guarded("codec", run, argc, argv); }
