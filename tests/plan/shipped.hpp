// Published planning data, in the folder that the environment variable BPW_TEST_DATA names.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace plan_test {

/// The folder of planning data; empty when there is none.
inline std::filesystem::path shipped_folder() {
    const char* folder = std::getenv("BPW_TEST_DATA");
    return folder == nullptr ? std::filesystem::path()
                             : std::filesystem::path(folder) / "planner" / "data";
}

/// Skips the test when there is no published data.
#define PLAN_TEST_NEEDS_SHIPPED_DATA()       \
    if (plan_test::shipped_folder().empty()) \
    GTEST_SKIP() << "BPW_TEST_DATA names no folder with published planning data"

inline std::string read(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    EXPECT_TRUE(in.good()) << "cannot read " << path;
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

/// Every recipe, the failed one too.
inline std::vector<std::filesystem::path> shipped_recipes() {
    std::vector<std::filesystem::path> out;
    for (const auto& f :
         std::filesystem::recursive_directory_iterator(shipped_folder() / "recipes")) {
        if (f.is_regular_file()) out.push_back(f.path());
    }
    std::sort(out.begin(), out.end());
    return out;
}

}  // namespace plan_test
