// Reads everything that an open file offers, so that a sanitizer sees every access.
#pragma once

#include <bpw/gguf.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace gguf_test {

namespace gguf = bpw::gguf;

inline std::uint64_t touch(std::span<const std::byte> bytes) {
    if (bytes.empty()) return 0;
    return static_cast<std::uint64_t>(bytes.front()) + static_cast<std::uint64_t>(bytes.back());
}

inline std::uint64_t touch(const gguf::value& v) {
    std::uint64_t sum = touch(v.bytes());
    switch (v.type()) {
        case gguf::value_type::array: {
            const auto a = *v.as<gguf::array>();
            std::uint64_t left = a.size();
            for (const auto element : a) {
                sum += touch(element);
                --left;
            }
            return sum + left;
        }
        case gguf::value_type::string: {
            const auto s = *v.as<std::string_view>();
            return sum + touch(std::as_bytes(std::span(s.data(), s.size())));
        }
        case gguf::value_type::boolean:
            return sum + (*v.as<bool>() ? 1 : 0);
        case gguf::value_type::u32:
            return sum + *v.as<std::uint64_t>();
        default:
            break;
    }
    return sum;
}

inline std::uint64_t touch(const gguf::file& f) {
    std::uint64_t sum = f.version() + f.alignment();
    for (const auto entry : f.metadata()) {
        sum += entry.value.describe().size() + touch(entry.value) +
               (f.metadata().contains(entry.key) ? 0 : 1);
    }
    for (const auto& t : f.tensors()) {
        sum += t.elements() + t.name().size();
        if (const auto b = t.bytes()) sum += touch(*b);
        if (const auto m = t.matrix()) sum += touch(m->bytes);
        for (std::uint64_t i = 0; i < std::min<std::uint64_t>(t.slices(), 8); ++i) {
            if (const auto m = t.slice(i)) sum += touch(m->bytes);
        }
        if (t.slices() != 0) {
            if (const auto m = t.slice(t.slices() - 1)) sum += touch(m->bytes);
        }
        sum += f.find(t.name()) == &t ? 0 : 1;
    }
    for (const auto& o : f.observations()) sum += o.size();
    return sum;
}

/// A copy that ends where its memory ends.
class tight_copy {
  public:
    explicit tight_copy(std::span<const std::byte> from)
        : bytes_(new std::byte[from.size()]), size_(from.size()) {
        std::copy(from.begin(), from.end(), bytes_.get());
    }
    [[nodiscard]] std::span<const std::byte> get() const { return {bytes_.get(), size_}; }

  private:
    std::unique_ptr<std::byte[]> bytes_;
    std::size_t size_;
};

/// Opens the bytes in every mode, reads what opens, and tells whether the lenient mode did.
inline bool survives(std::span<const std::byte> bytes) {
    bool opened = false;
    for (const bool strict : {false, true}) {
        for (const bool metadata_only : {false, true}) {
            gguf::options o;
            o.strict = strict;
            o.metadata_only = metadata_only;
            const auto f = gguf::file::try_parse(bytes, o);
            volatile std::uint64_t sum = 0;
            if (f) sum = touch(*f);
            (void)sum;
            if (!strict && !metadata_only) opened = f.ok();
        }
    }
    return opened;
}

}  // namespace gguf_test
