// Runs an example program as a user would, and catches what it writes.
#pragma once

#include <sys/wait.h>

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

namespace examples_test {

struct outcome {
    int status;
    std::string out;
    std::string err;
};

inline std::string quoted(const std::string& word) {
    std::string out = "'";
    for (const char c : word) {
        if (c == '\'')
            out += "'\\''";
        else
            out += c;
    }
    out += '\'';
    return out;
}

/// Runs the program `name` of the build with these arguments and this standard input.
inline outcome run(const std::string& name, const std::vector<std::string>& arguments,
                   std::span<const std::byte> input = {}) {
    namespace fs = std::filesystem;
    std::random_device random;
    const auto folder = fs::temp_directory_path() /
                        ("bpw-run-" + std::to_string(random()) + std::to_string(random()));
    fs::create_directory(folder);
    std::ofstream(folder / "in", std::ios::binary)
        .write(reinterpret_cast<const char*>(input.data()),
               static_cast<std::streamsize>(input.size()));

    std::string command = BPW_EXAMPLES_EMULATOR;
    command.append(" ").append(quoted(std::string(BPW_EXAMPLES_DIR) + "/" + name));
    for (const auto& a : arguments) command.append(" ").append(quoted(a));
    command.append(" <").append(quoted((folder / "in").string()));
    command.append(" >").append(quoted((folder / "out").string()));
    command.append(" 2>").append(quoted((folder / "err").string()));
    const int status = std::system(command.c_str());

    const auto content = [&](const char* file) {
        std::ifstream in(folder / file, std::ios::binary);
        return std::string((std::istreambuf_iterator<char>(in)), {});
    };
    outcome o{WIFEXITED(status) ? WEXITSTATUS(status) : -1, content("out"), content("err")};
    std::error_code ignored;
    fs::remove_all(folder, ignored);
    return o;
}

inline std::string model(const std::string& name) {
    return std::string(BPW_TEST_DATA_DIR) + "/models/" + name;
}

}  // namespace examples_test
