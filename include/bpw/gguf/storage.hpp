// The bytes of a file: mapped read-only, or read into memory.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#if __has_include(<sys/mman.h>)
#define BPW_HAS_MMAP 1
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>
#include <cerrno>
#else
#define BPW_HAS_MMAP 0
#include <fstream>
#endif

BPW_NAMESPACE_BEGIN
namespace gguf::detail {

[[nodiscard]] inline std::string path_text(const std::filesystem::path& path) {
    const auto utf8 = path.u8string();
    return {utf8.begin(), utf8.end()};
}

/// Unmaps or frees.
struct release_bytes {
    std::size_t size = 0;
    bool mapped = false;
    void operator()(const std::byte* bytes) const noexcept {
#if BPW_HAS_MMAP
        if (mapped) {
            ::munmap(const_cast<std::byte*>(bytes), size);
            return;
        }
#endif
        delete[] bytes;
    }
};

/// Bytes that stay where they are when the owner moves.
class storage {
  public:
    storage() = default;
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
        return {bytes_.get(), bytes_.get_deleter().size};
    }

  private:
    template <class>
    friend class file_loader;

    storage(const std::byte* bytes, release_bytes how) noexcept : bytes_(bytes, how) {}

    std::unique_ptr<const std::byte[], release_bytes> bytes_;
};

#if BPW_HAS_MMAP

/// The calls of the operating system, replaceable so that tests can make each of them fail.
struct posix {
    static int open(const char* path, int flags) noexcept { return ::open(path, flags); }
    static int fstat(int fd, struct ::stat* out) noexcept { return ::fstat(fd, out); }
    static void* mmap(std::size_t size, int fd) noexcept {
        return ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    }
    static ::ssize_t read(int fd, void* to, std::size_t count) noexcept {
        return ::read(fd, to, count);
    }
    static void close(int fd) noexcept { ::close(fd); }
};

template <class System = posix>
class file_loader {
  public:
    /// The bytes of a regular file. The descriptor is closed before this returns: a mapping does
    /// not need it, and split files have more parts than a process may have open files.
    [[nodiscard]] static result<storage> load(const std::filesystem::path& path, bool copy) {
        // A FIFO without a writer would block an open that waits.
        const int fd = System::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0) {
            const int reason = errno;
            return fail(reason == ENOENT || reason == ENOTDIR ? errc::not_found : errc::io,
                        "cannot be opened: ", message(reason));
        }
        auto loaded = from_descriptor(fd, copy);
        System::close(fd);
        return loaded;
    }

  private:
    [[nodiscard]] static std::string message(int reason) {
        return std::generic_category().message(reason);
    }

    [[nodiscard]] static result<storage> from_descriptor(int fd, bool copy) {
        struct ::stat status {};
        if (System::fstat(fd, &status) != 0) {
            return fail(errc::io, "cannot be examined: ", message(errno));
        }
        if (!S_ISREG(status.st_mode)) {
            return fail(errc::io, "is ",
                        S_ISDIR(status.st_mode)    ? "a directory"
                        : S_ISFIFO(status.st_mode) ? "a FIFO"
                                                   : "a device or socket",
                        "; expected a regular file");
        }
        if (status.st_size <= 0) {
            return fail(errc::malformed, "is empty; expected a GGUF file");
        }
        const auto size = static_cast<std::uint64_t>(status.st_size);
        if (size > std::numeric_limits<std::size_t>::max()) {
            return fail(errc::unsupported, "has ", size,
                        " bytes; expected no more than this process can address");
        }
        const auto count = static_cast<std::size_t>(size);
        return copy ? read_all(fd, count) : map(fd, count);
    }

    [[nodiscard]] static result<storage> map(int fd, std::size_t size) {
        void* const mapped = System::mmap(size, fd);
        if (mapped == MAP_FAILED) {
            return fail(errc::io, "cannot be mapped (", size, " bytes): ", message(errno));
        }
        return storage(static_cast<const std::byte*>(mapped), {size, true});
    }

    [[nodiscard]] static result<storage> read_all(int fd, std::size_t size) {
        std::unique_ptr<std::byte[]> bytes(new (std::nothrow) std::byte[size]);
        if (bytes == nullptr) {
            return fail(errc::io, "cannot be read: no memory for its ", size, " bytes");
        }
        for (std::size_t done = 0; done < size;) {
            const auto got = System::read(fd, bytes.get() + done, size - done);
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) {
                return fail(errc::io, "cannot be read at byte ", done, ": ", message(errno));
            }
            if (got == 0) {
                return fail(errc::io, "ended at byte ", done, " while it was read; expected ", size,
                            " bytes");
            }
            done += static_cast<std::size_t>(got);
        }
        return storage(bytes.release(), {size, false});
    }
};

[[nodiscard]] inline result<storage> load_file(const std::filesystem::path& path, bool copy) {
    return file_loader<>::load(path, copy);
}

#else

template <class = void>
class file_loader {
  public:
    /// The bytes of a file, read into memory: the portable way, where there is no mmap.
    [[nodiscard]] static result<storage> load(const std::filesystem::path& path) {
        std::error_code reason;
        if (!std::filesystem::exists(path, reason)) {
            return fail(errc::not_found, "cannot be opened: no such file");
        }
        if (!std::filesystem::is_regular_file(path, reason)) {
            return fail(errc::io, "is no regular file");
        }
        const std::uint64_t size = std::filesystem::file_size(path, reason);
        if (reason) return fail(errc::io, "cannot be examined: ", reason.message());
        if (size == 0) return fail(errc::malformed, "is empty; expected a GGUF file");
        std::ifstream in(path, std::ios::binary);
        if (!in) return fail(errc::io, "cannot be opened for reading");
        const auto count = static_cast<std::size_t>(size);
        std::unique_ptr<std::byte[]> bytes(new (std::nothrow) std::byte[count]);
        if (bytes == nullptr) {
            return fail(errc::io, "cannot be read: no memory for its ", size, " bytes");
        }
        if (!in.read(reinterpret_cast<char*>(bytes.get()), static_cast<std::streamsize>(count))) {
            return fail(errc::io, "ended while it was read; expected ", size, " bytes");
        }
        return storage(bytes.release(), {count, false});
    }
};

[[nodiscard]] inline result<storage> load_file(const std::filesystem::path& path, bool) {
    return file_loader<>::load(path);
}

#endif

}  // namespace gguf::detail
BPW_NAMESPACE_END
