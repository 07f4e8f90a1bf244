// What is said of several tensors at once.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace examples {

/// Sentences that differ in the tensor alone, told once for all of them.
class remarks {
  public:
    void add(const std::string& tensor, const std::string& what) {
        for (auto& r : all_) {
            if (r.what != what) continue;
            r.tensors += 1;
            return;
        }
        all_.push_back({what, tensor, 1});
    }
    [[nodiscard]] std::vector<std::string> sentences() const {
        std::vector<std::string> out;
        for (const auto& r : all_) {
            auto s = r.first;
            if (r.tensors > 1) s += " and " + std::to_string(r.tensors - 1) + " more";
            out.push_back(s + " " + r.what);
        }
        return out;
    }

  private:
    struct remark {
        std::string what;
        std::string first;
        std::size_t tensors;
    };
    std::vector<remark> all_;
};

}  // namespace examples
