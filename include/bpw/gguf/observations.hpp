// What a reader noticed and let pass.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

BPW_NAMESPACE_BEGIN
namespace gguf::detail {

/// A list of sentences of bounded length, whatever the file holds.
class observations {
  public:
    explicit observations(std::size_t most) : most_(most) {}

    /// What the following sentences begin with.
    void set_prefix(std::string prefix) { prefix_ = std::move(prefix); }

    template <class... Parts>
    void add(const Parts&... parts) {
        if (list_.size() < most_) {
            list_.push_back(fail(errc::malformed, prefix_, parts...).message);
        } else {
            ++dropped_;
        }
    }

    [[nodiscard]] std::vector<std::string> take() && {
        if (dropped_ != 0) {
            list_.push_back(fail(errc::malformed, dropped_,
                                 " more observations are not listed (limits.observations is ",
                                 most_, ")")
                                .message);
        }
        return std::move(list_);
    }

  private:
    std::vector<std::string> list_;
    std::string prefix_;
    std::size_t most_;
    std::size_t dropped_ = 0;
};

}  // namespace gguf::detail
BPW_NAMESPACE_END
