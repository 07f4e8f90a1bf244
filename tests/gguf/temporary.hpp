// A folder that goes away with the test.
#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace gguf_test {

class temporary_folder {
  public:
    temporary_folder() {
        std::random_device random;
        path_ = std::filesystem::temp_directory_path() /
                ("bpw-test-" + std::to_string(random()) + std::to_string(random()));
        std::filesystem::create_directory(path_);
    }
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;
    ~temporary_folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

    [[nodiscard]] std::filesystem::path write(std::string_view name,
                                              std::span<const std::byte> content) const {
        const auto to = path_ / name;
        std::ofstream out(to, std::ios::binary);
        out.write(reinterpret_cast<const char*>(content.data()),
                  static_cast<std::streamsize>(content.size()));
        if (!out.flush()) throw std::runtime_error("cannot write " + to.string());
        return to;
    }

  private:
    std::filesystem::path path_;
};

}  // namespace gguf_test
