// A file that appears under its name when it is complete, and not before.
#pragma once

#include <bpw/core/config.hpp>
#include <bpw/core/error.hpp>
#include <bpw/gguf/storage.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <random>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#if BPW_HAS_MMAP
#include <cstdio>
#else
#include <fstream>
#endif

BPW_NAMESPACE_BEGIN
namespace gguf::detail {

/// A name in the same folder that nothing else has.
[[nodiscard]] inline std::filesystem::path temporary_name(const std::filesystem::path& path) {
    // Names are limited to 255 bytes almost everywhere.
    constexpr std::size_t most = 200;
    std::random_device random;
    auto name = path_text(path.filename()).substr(0, most);
    name.append(".incomplete-").append(std::to_string(random()));
    return path.parent_path() / std::filesystem::path(std::u8string(name.begin(), name.end()));
}

/// The file that is meant: what a symbolic link points to. Errors: `io` for what is no regular
/// file.
[[nodiscard]] inline result<std::filesystem::path> output_target(
    const std::filesystem::path& path) {
    std::error_code reason;
    if (path.filename().empty()) {
        return fail(errc::io, "'", path_text(path), "' names no file; expected one to write to");
    }
    const auto status = std::filesystem::status(path, reason);
    if (status.type() == std::filesystem::file_type::none) {
        return fail(errc::io, path_text(path), " cannot be written: ", reason.message());
    }
    if (!std::filesystem::exists(status)) return path;
    if (!std::filesystem::is_regular_file(status)) {
        return fail(errc::io, path_text(path), " cannot be written: it is ",
                    std::filesystem::is_directory(status) ? "a directory" : "a device or the like",
                    "; expected a regular file or none");
    }
    auto real = std::filesystem::canonical(path, reason);
    return reason ? path : real;
}

#if BPW_HAS_MMAP

/// The calls of the operating system, replaceable so that tests can make each of them fail.
struct posix_output {
    /// A file without a name, which goes away with the process however that ends; -1 where the file
    /// system has none.
    static int open_nameless([[maybe_unused]] const char* folder) noexcept {
#ifdef O_TMPFILE
        return ::open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
#else
        return -1;
#endif
    }
    static int open_new(const char* path) noexcept {
        return ::open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    }
    static int reserve([[maybe_unused]] int fd, [[maybe_unused]] std::uint64_t size) noexcept {
#ifdef __linux__
        return ::fallocate(fd, 0, 0, static_cast<::off_t>(size));
#else
        return 0;
#endif
    }
    static ::ssize_t write(int fd, const void* from, std::size_t count) noexcept {
        return ::write(fd, from, count);
    }
    static int sync(int fd) noexcept { return ::fsync(fd); }
    static int close(int fd) noexcept { return ::close(fd); }
    /// Gives a nameless file a name.
    static int link([[maybe_unused]] int fd, [[maybe_unused]] const char* path) noexcept {
#ifdef O_TMPFILE
        char source[40];
        std::snprintf(source, sizeof source, "/proc/self/fd/%d", fd);
        return ::linkat(AT_FDCWD, source, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
#else
        errno = ENOTSUP;
        return -1;
#endif
    }
    static int rename(const char* from, const char* to) noexcept { return std::rename(from, to); }
    static int unlink(const char* path) noexcept { return ::unlink(path); }
    static int open_folder(const char* path) noexcept {
        return ::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
};

/// A file being written. Nothing stays behind unless publish() succeeds.
///
/// Written, then complete() (safe on the disk, under a temporary name), then publish(). The two are
/// apart so that the parts of a split model can all be complete before the first one appears.
template <class System = posix_output>
class output_file {
  public:
    /// Opens; takes the space for `size` bytes where the file system can, so that a full disk is
    /// noticed at once. Errors: `io`, with the path.
    [[nodiscard]] static result<output_file> create(const std::filesystem::path& path,
                                                    std::uint64_t size) {
        auto target = output_target(path);
        if (!target) return target.error();
        output_file out;
        out.shown_ = path_text(path);
        out.final_ = *std::move(target);
        out.temporary_ = temporary_name(out.final_);
        const auto folder = out.folder();
        out.fd_ = System::open_nameless(folder.c_str());
        if (out.fd_ < 0) {
            out.fd_ = System::open_new(out.temporary_.c_str());
            if (out.fd_ < 0) return out.refuse(errno);
            out.named_ = true;
        }
        if (size != 0 && System::reserve(out.fd_, size) != 0) {
            const int reason = errno;
            if (reason == ENOSPC || reason == EFBIG || reason == EDQUOT) {
                return fail(errc::io, out.shown_, " cannot be written: there is no room for its ",
                            size, " bytes: ", std::generic_category().message(reason));
            }
        }
        return out;
    }

    output_file(output_file&& other) noexcept { swap(other); }
    output_file& operator=(output_file&& other) noexcept {
        output_file gone(std::move(other));
        swap(gone);
        return *this;
    }
    output_file(const output_file&) = delete;
    output_file& operator=(const output_file&) = delete;
    ~output_file() {
        if (fd_ >= 0) System::close(fd_);
        if (named_) System::unlink(temporary_.c_str());
    }

    [[nodiscard]] result<void> write(std::span<const std::byte> bytes) {
        // Some systems refuse more than 2 GiB in one call.
        constexpr std::size_t most = std::size_t{1} << 30;
        while (!bytes.empty()) {
            const auto done = System::write(fd_, bytes.data(), std::min(bytes.size(), most));
            if (done < 0 && errno == EINTR) continue;
            if (done <= 0) {
                const int reason = done < 0 ? errno : ENOSPC;
                return fail(errc::io, shown_, " cannot be written after byte ", written_, ": ",
                            std::generic_category().message(reason));
            }
            written_ += static_cast<std::uint64_t>(done);
            bytes = bytes.subspan(static_cast<std::size_t>(done));
        }
        return {};
    }

    /// Ends writing: what was written is on the disk, under the temporary name.
    [[nodiscard]] result<void> complete() {
        if (System::sync(fd_) != 0) return refuse(errno);
        if (!named_) {
            if (System::link(fd_, temporary_.c_str()) != 0) return refuse(errno);
            named_ = true;
        }
        const int closed = System::close(std::exchange(fd_, -1));
        // EINTR leaves the descriptor closed on Linux, and the data was synced.
        if (closed != 0 && errno != EINTR) return refuse(errno);
        return {};
    }

    /// Gives the file its name, in place of an older file of that name.
    [[nodiscard]] result<void> publish() {
        if (System::rename(temporary_.c_str(), final_.c_str()) != 0) return refuse(errno);
        named_ = false;
        // The file is there and whole; that its name outlasts a power cut is all that can fail.
        const auto here = folder();
        if (const int fd = System::open_folder(here.c_str()); fd >= 0) {
            (void)System::sync(fd);
            System::close(fd);
        }
        return {};
    }

    /// Takes a published file away again.
    void withdraw() { System::unlink(final_.c_str()); }

  private:
    output_file() = default;
    void swap(output_file& other) noexcept {
        std::swap(shown_, other.shown_);
        std::swap(final_, other.final_);
        std::swap(temporary_, other.temporary_);
        std::swap(written_, other.written_);
        std::swap(fd_, other.fd_);
        std::swap(named_, other.named_);
    }
    [[nodiscard]] std::filesystem::path folder() const {
        const auto parent = final_.parent_path();
        return parent.empty() ? std::filesystem::path(".") : parent;
    }
    [[nodiscard]] failure refuse(int reason) const {
        return fail(errc::io, shown_,
                    " cannot be written: ", std::generic_category().message(reason));
    }

    std::string shown_;
    std::filesystem::path final_;
    std::filesystem::path temporary_;
    std::uint64_t written_ = 0;
    int fd_ = -1;
    bool named_ = false;  ///< the temporary name is on the disk
};

#else

template <class = void>
class output_file {
  public:
    /// The portable way: what the streams of C++ can notice.
    [[nodiscard]] static result<output_file> create(const std::filesystem::path& path,
                                                    std::uint64_t) {
        auto target = output_target(path);
        if (!target) return target.error();
        output_file out;
        out.final_ = *std::move(target);
        out.temporary_ = temporary_name(out.final_);
        out.stream_.open(out.temporary_, std::ios::binary | std::ios::trunc);
        if (!out.stream_) return out.refuse();
        return out;
    }

    output_file(output_file&& other) noexcept
        : final_(std::move(other.final_)),
          temporary_(std::exchange(other.temporary_, {})),
          stream_(std::move(other.stream_)) {}
    output_file& operator=(output_file&&) = delete;
    ~output_file() {
        if (temporary_.empty()) return;
        stream_.close();
        std::error_code ignored;
        std::filesystem::remove(temporary_, ignored);
    }

    [[nodiscard]] result<void> write(std::span<const std::byte> bytes) {
        stream_.write(reinterpret_cast<const char*>(bytes.data()),
                      static_cast<std::streamsize>(bytes.size()));
        if (!stream_) return refuse();
        return {};
    }
    [[nodiscard]] result<void> complete() {
        stream_.close();
        if (!stream_) return refuse();
        return {};
    }
    [[nodiscard]] result<void> publish() {
        std::error_code reason;
        std::filesystem::rename(temporary_, final_, reason);
        if (reason) return refuse();
        temporary_.clear();
        return {};
    }
    void withdraw() {
        std::error_code ignored;
        std::filesystem::remove(final_, ignored);
    }

  private:
    output_file() = default;
    [[nodiscard]] failure refuse() const {
        return fail(errc::io, path_text(final_), " cannot be written");
    }
    std::filesystem::path final_;
    std::filesystem::path temporary_;
    std::ofstream stream_;
};

#endif

}  // namespace gguf::detail
BPW_NAMESPACE_END
