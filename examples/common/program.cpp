#include "common/program.hpp"

#include <bpw/core/error.hpp>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <memory>
#include <new>
#include <stdexcept>
#include <system_error>

namespace examples {

std::string read_file(const std::string& path) {
    const auto refuse = [&] {
        throw bpw::error(bpw::fail(bpw::errc::io, path,
                                   " cannot be read: ", std::generic_category().message(errno)));
    };
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                               std::fclose);
    if (!file) refuse();
    std::string bytes;
    char buffer[1 << 14];
    while (const auto n = std::fread(buffer, 1, sizeof buffer, file.get())) bytes.append(buffer, n);
    if (std::ferror(file.get()) != 0) refuse();
    return bytes;
}

int guarded(const char* name, int (*program)(int, char**), int argc, char** argv) {
    try {
        const int status = program(argc, argv);
        std::cout.flush();
        if (!std::cout || std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
            throw bpw::error(bpw::fail(bpw::errc::io, "the output could not be written"));
        }
        return status;
    } catch (const std::bad_alloc&) {
        std::cerr << name << ": there is not enough memory\n";
    } catch (const std::length_error&) {
        std::cerr << name << ": there is not enough memory\n";
    } catch (const std::exception& e) {
        std::cerr << name << ": " << e.what() << '\n';
    }
    return 1;
}

}  // namespace examples
