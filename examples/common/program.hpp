// What the main functions of the examples share: files, and errors as one line on stderr.
#pragma once

#include <string>

namespace examples {

/// All bytes of a file. Throws bpw::error.
[[nodiscard]] std::string read_file(const std::string& path);

/// Runs a program. An exception becomes "NAME: reason" on stderr and the exit status 1, and so does
/// output that could not be written.
int guarded(const char* name, int (*program)(int, char**), int argc, char** argv);

}  // namespace examples
