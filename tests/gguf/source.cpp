// Where the bytes come from: files of every kind, and every call of the system failing.
#include "gguf/temporary.hpp"
#include "gguf/verdict.hpp"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

namespace gguf_test {
namespace {

namespace fs = std::filesystem;

void expect_failure(const fs::path& path, errc code, const std::vector<std::string>& words) {
    for (const bool copy : {false, true}) {
        gguf::options o;
        o.copy = copy;
        const auto f = gguf::file::try_open(path, o);
        ASSERT_FALSE(f.ok());
        EXPECT_EQ(static_cast<int>(f.error().code), static_cast<int>(code)) << f.error().message;
        expect_words(f.error().message, {gguf::detail::path_text(path)});
        expect_words(f.error().message, words);
    }
}

TEST(source, mapped_and_copied) {
    const temporary_folder folder;
    const auto path = folder.write("m.gguf", sample().build());
    for (const bool copy : {false, true}) {
        gguf::options o;
        o.copy = copy;
        auto f = gguf::file::try_open(path, o);
        ASSERT_TRUE(f.ok()) << f.error().message;
        EXPECT_EQ(f->parts()[0].path(), path);
        gguf::file moved = std::move(*f);
        EXPECT_EQ(moved.tensors().size(), 7u);
        EXPECT_TRUE(moved.matrix("blk.0.q").ok());
        (void)touch(moved);
    }
}

TEST(source, a_copy_does_not_see_later_changes) {
    const temporary_folder folder;
    const auto path = folder.write("m.gguf", sample().build());
    gguf::options o;
    o.copy = true;
    const auto f = gguf::file::try_open(path, o);
    ASSERT_TRUE(f.ok());
    fs::resize_file(path, 5);
    EXPECT_EQ(f->metadata().get<std::string>("general.architecture").value(), "llama");
    (void)touch(*f);
}

TEST(source, is_no_file) {
    const temporary_folder folder;
    expect_failure(folder.path() / "missing.gguf", errc::not_found, {"cannot be opened"});
    expect_failure(folder.path(), errc::io, {"a directory", "expected a regular file"});
    expect_failure(folder.write("empty.gguf", {}), errc::malformed, {"is empty"});
    expect_failure(folder.write("short.gguf", byte_vector(3)), errc::malformed,
                   {"expected 'GGUF'"});
    const auto below = folder.write("file", byte_vector(3)) / "x.gguf";
    expect_failure(below, errc::not_found, {"cannot be opened"});
}

#if BPW_HAS_MMAP

TEST(source, is_no_regular_file) {
    const temporary_folder folder;
    const auto fifo = folder.path() / "fifo.gguf";
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    expect_failure(fifo, errc::io, {"a FIFO", "expected a regular file"});
    expect_failure("/dev/null", errc::io, {"a device"});
}

TEST(source, may_not_be_read) {
    const temporary_folder folder;
    const auto path = folder.write("m.gguf", sample().build());
    fs::permissions(path, fs::perms::none);
    // The superuser may read everything, and so becomes somebody else for a while.
    constexpr uid_t nobody = 65534;
    const uid_t self = ::geteuid();
    ASSERT_EQ(self == 0 ? ::seteuid(nobody) : 0, 0);
    expect_failure(path, errc::io, {"cannot be opened"});
    ASSERT_EQ(self == 0 ? ::seteuid(self) : 0, 0);
}

// A system whose n-th call of one kind fails.
struct broken {
    inline static int fail_open = 0;
    inline static int fail_stat = 0;
    inline static int fail_map = 0;
    inline static int fail_read = 0;
    inline static int interrupted = 0;
    inline static bool short_reads = false;
    inline static bool ends_early = false;
    inline static int is_open = 0;

    static void mend() {
        fail_open = fail_stat = fail_map = fail_read = interrupted = 0;
        short_reads = ends_early = false;
    }
    static bool fails(int& countdown, int reason) {
        if (countdown == 0 || --countdown != 0) return false;
        errno = reason;
        return true;
    }
    static int open(const char* path, int flags) {
        if (fails(fail_open, EMFILE)) return -1;
        const int fd = ::open(path, flags);
        is_open += fd >= 0 ? 1 : 0;
        return fd;
    }
    static int fstat(int fd, struct ::stat* out) {
        return fails(fail_stat, EIO) ? -1 : ::fstat(fd, out);
    }
    static void* mmap(std::size_t size, int fd) {
        return fails(fail_map, ENOMEM) ? MAP_FAILED : gguf::detail::posix::mmap(size, fd);
    }
    static ::ssize_t read(int fd, void* to, std::size_t count) {
        if (fails(fail_read, EIO)) return -1;
        if (fails(interrupted, EINTR)) return -1;
        if (ends_early) return 0;
        return ::read(fd, to, short_reads ? std::min<std::size_t>(count, 7) : count);
    }
    static void close(int fd) {
        --is_open;
        ::close(fd);
    }
};

using broken_loader = gguf::detail::file_loader<broken>;

void expect_broken(const fs::path& path, bool copy, const std::vector<std::string>& words) {
    const auto loaded = broken_loader::load(path, copy);
    ASSERT_FALSE(loaded.ok());
    EXPECT_EQ(static_cast<int>(loaded.error().code), static_cast<int>(errc::io));
    expect_words(loaded.error().message, words);
    EXPECT_EQ(broken::is_open, 0) << "a descriptor leaked";
    broken::mend();
}

TEST(source, every_call_fails) {
    const temporary_folder folder;
    const auto file = sample().build();
    const auto path = folder.write("m.gguf", file);
    for (const bool copy : {false, true}) {
        broken::fail_open = 1;
        expect_broken(path, copy, {"cannot be opened", "Too many open files"});
        broken::fail_stat = 1;
        expect_broken(path, copy, {"cannot be examined"});
    }
    broken::fail_map = 1;
    expect_broken(path, false, {"cannot be mapped", std::to_string(file.size())});
    for (int n = 1; n <= 5; ++n) {
        broken::short_reads = true;
        broken::fail_read = n;
        expect_broken(path, true, {"cannot be read at byte " + std::to_string(7 * (n - 1))});
    }
    broken::ends_early = true;
    expect_broken(path, true, {"ended at byte 0", std::to_string(file.size())});

    broken::short_reads = true;
    broken::interrupted = 3;
    const auto loaded = broken_loader::load(path, true);
    ASSERT_TRUE(loaded.ok());
    EXPECT_TRUE(
        std::equal(file.begin(), file.end(), loaded->bytes().begin(), loaded->bytes().end()));
    EXPECT_EQ(broken::is_open, 0);
    broken::mend();
}

#endif

}  // namespace
}  // namespace gguf_test
