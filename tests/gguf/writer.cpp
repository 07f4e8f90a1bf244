// Writing models: what comes back, and what stays behind when something fails.
#include <bpw/gguf/writer.hpp>

#include "gguf/image.hpp"
#include "gguf/temporary.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#if BPW_HAS_MMAP
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#endif

namespace gguf_test {
namespace {

namespace fs = std::filesystem;
using bpw::errc;
using bpw::type_id;

byte_vector content(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    const auto* from = reinterpret_cast<const std::byte*>(text.data());
    return {from, from + text.size()};
}

std::set<std::string> names_in(const fs::path& folder) {
    std::set<std::string> names;
    for (const auto& e : fs::directory_iterator(folder)) names.insert(e.path().filename());
    return names;
}

/// Writes all tensors of a file into parts, in pieces of at most so many bytes.
template <class Writer = gguf::writer>
bpw::result<void> copy(const gguf::file& from, const fs::path& to,
                       const std::vector<gguf::new_part>& parts, std::size_t piece) {
    auto out = Writer::try_create(to, parts);
    if (!out) return out.error();
    for (const auto& t : from.tensors()) {
        const auto bytes = t.bytes().value();
        for (std::size_t i = 0; i < bytes.size(); i += piece) {
            const auto n = std::min(piece, bytes.size() - i);
            if (auto done = out->try_append(bytes.subspan(i, n)); !done) return done;
        }
    }
    return out->try_finish();
}

class writing : public testing::Test {
  protected:
    void expect_words(const std::string& message, const std::vector<std::string>& words) {
        for (const auto& w : words) EXPECT_NE(message.find(w), message.npos) << message;
    }
    [[nodiscard]] fs::path at(const std::string& name) const { return folder_.path() / name; }
    [[nodiscard]] std::set<std::string> names() const { return names_in(folder_.path()); }

    temporary_folder folder_;
};

TEST_F(writing, gives_back_what_was_read) {
    auto images = std::vector{sample()};
    images.push_back(sample());
    images.back().entries.back().payload = number(std::uint32_t{4096});
    images.back().alignment = 4096;
    images.emplace_back().add("scalar", {}, 0).add("a", {2, 3, 4, 5}, 0);
    for (std::size_t k = 0; k < images.size(); ++k) {
        const auto bytes = images[k].build();
        const auto f = gguf::file::try_parse(bytes);
        ASSERT_TRUE(f.ok()) << f.error().message;
        const auto parts = gguf::parts_of(*f).value();
        for (const auto piece : {std::size_t{1}, std::size_t{7}, std::size_t{1} << 20}) {
            copy(*f, at("out.gguf"), parts, piece).value();
            EXPECT_EQ(content(at("out.gguf")), bytes) << "image " << k << ", pieces of " << piece;
            EXPECT_EQ(names(), std::set<std::string>{"out.gguf"});
        }
    }
}

TEST_F(writing, gives_back_real_models) {
    std::size_t models = 0;
    for (const auto& e : fs::directory_iterator(fs::path(BPW_TEST_DATA_DIR) / "models")) {
        if (e.path().extension() != ".gguf") continue;
        const auto f = gguf::file::try_open(e.path());
        ASSERT_TRUE(f.ok()) << f.error().message;
        copy(*f, at("out.gguf"), gguf::parts_of(*f).value(), 100000).value();
        EXPECT_TRUE(content(at("out.gguf")) == content(e.path())) << e.path();
        ++models;
    }
    EXPECT_EQ(models, 3u);
}

TEST_F(writing, splits_and_joins) {
    const auto bytes = sample().build();
    const auto f = gguf::file::try_parse(bytes);
    ASSERT_TRUE(f.ok());
    const gguf::metadata_list metadata(f->metadata());
    struct rule {
        gguf::split_rule rule;
        std::vector<std::size_t> tensors;
    };
    // Padded, the tensors have 384, 32, 576, 224, 576, 0 and 32 bytes.
    const std::vector<rule> rules{
        {{.tensors = 3}, {3, 3, 1}},
        {{.tensors = 1}, {1, 1, 1, 1, 1, 1, 1}},
        {{.bytes = 700}, {2, 1, 1, 3}},
        {{.bytes = 1}, {1, 1, 1, 1, 1, 1, 1}},
        {{.bytes = 1000, .metadata_apart = true}, {0, 3, 4}},
        {{.tensors = 2, .bytes = 700}, {2, 1, 1, 2, 1}},
    };
    for (const auto& [rule, expected] : rules) {
        temporary_folder here;
        const auto parts = gguf::split(metadata, gguf::tensors_of(*f).value(), rule).value();
        copy(*f, here.path() / "model.gguf", parts, 100).value();
        const auto first =
            here.path() /
            gguf::split_name{"model", 1, static_cast<std::uint32_t>(expected.size())}.text();
        const auto g = gguf::file::try_open(first, {.strict = true});
        ASSERT_TRUE(g.ok()) << g.error().message;
        ASSERT_EQ(g->parts().size(), expected.size());
        std::vector<std::size_t> found(expected.size());
        ASSERT_EQ(g->tensors().size(), f->tensors().size());
        for (std::size_t i = 0; i < f->tensors().size(); ++i) {
            const auto& t = g->tensors()[i];
            ++found[t.part()];
            EXPECT_EQ(t.name(), f->tensors()[i].name());
            EXPECT_TRUE(std::ranges::equal(*t.bytes(), *f->tensors()[i].bytes()));
        }
        EXPECT_EQ(found, expected);
        EXPECT_EQ(names_in(here.path()).size(), expected.size());

        // Part by part as it was, and as one file again.
        copy(*g, here.path() / "again.gguf", gguf::parts_of(*g).value(), 64).value();
        for (const auto& name : names_in(here.path())) {
            if (name.starts_with("model")) {
                EXPECT_EQ(content(here.path() / name),
                          content(here.path() / ("again" + name.substr(5))));
            }
        }
        const auto one =
            gguf::split(gguf::metadata_list(g->metadata()), gguf::tensors_of(*g).value(), {});
        copy(*g, here.path() / "one.gguf", one.value(), 64).value();
        EXPECT_EQ(content(here.path() / "one.gguf"), bytes);
    }
}

TEST_F(writing, split_files_keep_their_alignment) {
    image m;
    m.align(128).add("a", {3}, 0).add("b", {3}, 0);
    const auto bytes = m.build();
    const auto f = gguf::file::try_parse(bytes).value();
    const auto parts =
        gguf::split(gguf::metadata_list(f.metadata()), gguf::tensors_of(f).value(), {.tensors = 1});
    copy(f, at("m.gguf"), parts.value(), 64).value();
    const auto g = gguf::file::open(at("m-00001-of-00002.gguf"));
    for (const auto& p : g.parts()) EXPECT_EQ(p.alignment(), 128u);
}

TEST_F(writing, metadata_changes_where_it_stands) {
    const auto bytes = sample().build();
    const auto f = gguf::file::try_parse(bytes).value();
    auto parts = gguf::parts_of(f).value();
    auto& list = parts[0].metadata;
    list.set("a.u8", std::uint64_t{7}).value();
    list.set("a.words", std::vector<std::string>{"x", "yz"}).value();
    list.set("new.flag", true).value();
    list.set("new.text", "hello").value();
    list.set("new.nested", std::vector<std::vector<float>>{{1.5F}, {}}).value();
    EXPECT_TRUE(list.remove("a.nested"));
    EXPECT_FALSE(list.remove("a.nested"));
    copy(f, at("out.gguf"), parts, 64).value();
    const auto g = gguf::file::open(at("out.gguf"), {.strict = true});
    EXPECT_EQ(g.metadata().size(), f.metadata().size() + 2);
    EXPECT_EQ(g.metadata()[1].key, "a.u8");
    EXPECT_EQ(g.metadata()[1].value.describe(), "u64 7");
    EXPECT_EQ(g.metadata().get<std::vector<std::string>>("a.words").value(),
              (std::vector<std::string>{"x", "yz"}));
    EXPECT_TRUE(g.metadata().get<bool>("new.flag").value());
    EXPECT_EQ(g.metadata().get<std::string>("new.text").value(), "hello");
    const auto nested = g.metadata().get<std::vector<std::vector<float>>>("new.nested").value();
    EXPECT_EQ(nested, (std::vector<std::vector<float>>{{1.5F}, {}}));
    EXPECT_EQ(g.metadata().get<std::int32_t>("a.i32").value(), -2000000000);

    EXPECT_EQ(list.set("", 1).error().code, errc::malformed);
    EXPECT_EQ(list.set("\xff", 1).error().code, errc::malformed);
    EXPECT_EQ(list.set_stored("x", value_type::string, number(std::uint64_t{9})).error().code,
              errc::malformed);
    list.set_stored("x", value_type::string, string("ok")).value();
    EXPECT_EQ(list.find("x")->describe(), "string 'ok'");
}

TEST_F(writing, refuses_what_no_file_can_hold) {
    const auto refused = [&](const gguf::new_part& part, errc code,
                             const std::vector<std::string>& words) {
        const auto out = gguf::writer::try_create(at("out.gguf"), std::vector{part});
        ASSERT_FALSE(out.ok());
        EXPECT_EQ(static_cast<int>(out.error().code), static_cast<int>(code));
        expect_words(out.error().message, words);
        EXPECT_TRUE(names().empty());
    };
    const auto big = std::uint64_t{1} << 40;
    refused({{}, {{"", {1}}}}, errc::malformed, {"name of 0 bytes", "1 to 64"});
    refused({{}, {{std::string(65, 'x'), {1}}}}, errc::malformed, {"name of 65 bytes"});
    refused({{}, {{"a", {1}}, {"a", {2}}}}, errc::malformed, {"'a'", "twice"});
    refused({{}, {{"a", {1, 1, 1, 1, 1}}}}, errc::malformed, {"5 dimensions", "4"});
    refused({{}, {{"a", {big, big}}}}, errc::overflow, {"'a'"});
    refused({{}, {{"a", {100}, type_id::q4_K}}}, errc::bad_shape, {"'a'", "100", "256"});
    for (const std::uint32_t bad : {0u, 3u, 48u}) {
        gguf::metadata_list list;
        list.set("general.alignment", bad).value();
        refused({list, {}}, errc::malformed, {"general.alignment", std::to_string(bad)});
    }
    EXPECT_FALSE(gguf::writer::try_create(at("out.gguf"), {}).ok());
}

TEST_F(writing, counts_the_bytes_of_every_tensor) {
    const std::vector<gguf::new_part> parts{{{}, {{"a", {8}}, {"empty", {0, 2}}, {"b", {2}}}}};
    const byte_vector bytes(64);
    const auto some = [&](std::size_t n) { return std::span(bytes).first(n); };
    {
        auto out = gguf::writer::create(at("out.gguf"), parts);
        expect_words(out.try_append(some(33)).error().message, {"'a'", "33", "32"});
        expect_words(out.try_append(some(1)).error().message, {"'a'", "33", "32"});
        expect_words(out.try_finish().error().message, {"'a'", "33", "32"});
    }
    EXPECT_TRUE(names().empty());
    {
        auto out = gguf::writer::create(at("out.gguf"), parts);
        out.append(some(32));
        out.append(some(4));
        expect_words(out.try_finish().error().message, {"'b'", "has 4 bytes", "8"});
    }
    EXPECT_TRUE(names().empty());
    {
        auto out = gguf::writer::create(at("out.gguf"), parts);
        out.append(some(32));
        out.append(some(8));
        EXPECT_TRUE(out.try_append({}).ok());
        expect_words(out.try_append(some(1)).error().message, {"1 bytes follow the last tensor"});
    }
    EXPECT_TRUE(names().empty());
    {
        auto out = gguf::writer::create(at("out.gguf"), parts);
        out.append(some(32));
        out.append(some(8));
        EXPECT_FALSE(fs::exists(at("out.gguf")));
        const auto size = out.file_bytes();
        out.finish();
        EXPECT_EQ(fs::file_size(at("out.gguf")), size);
    }
    EXPECT_EQ(names(), std::set<std::string>{"out.gguf"});
}

TEST_F(writing, leaves_an_older_file_alone_until_it_is_complete) {
    const auto old = folder_.write("out.gguf", byte_vector(3));
    const std::vector<gguf::new_part> parts{{{}, {{"a", {8}}}}};
    { auto abandoned = gguf::writer::create(old, parts); }
    EXPECT_EQ(fs::file_size(old), 3u);
    fs::create_symlink("out.gguf", at("link.gguf"));
    auto out = gguf::writer::create(at("link.gguf"), parts);
    out.append(byte_vector(32));
    EXPECT_EQ(fs::file_size(old), 3u);
    out.finish();
    EXPECT_TRUE(fs::is_symlink(at("link.gguf")));
    EXPECT_TRUE(gguf::file::try_open(old).ok());
}

TEST_F(writing, names_what_cannot_be_written) {
    const std::vector<gguf::new_part> parts{{{}, {{"a", {8}}}}};
    const auto refused = [&](const fs::path& path, const std::vector<std::string>& words) {
        const auto out = gguf::writer::try_create(path, parts);
        ASSERT_FALSE(out.ok()) << path;
        EXPECT_EQ(out.error().code, errc::io);
        expect_words(out.error().message, words);
    };
    refused(at("missing") / "out.gguf", {"missing/out.gguf", "No such file"});
    refused(folder_.path(), {folder_.path().string(), "a directory"});
    refused("/dev/null", {"/dev/null", "device"});
    refused("", {"names no file"});
    refused(at(std::string(300, 'x')), {"too long"});
    EXPECT_TRUE(names().empty());
}

#if BPW_HAS_MMAP

/// The system's calls, of which one fails.
struct faulty {
    enum call { none, nameless, reserve_, write_, sync_, close_, link_, rename_ };
    static inline call fails = none;
    static inline int reason = EIO;
    static inline int after = 0;  ///< so many calls of the kind succeed before
    static inline bool no_nameless = false;
    static bool hit(call c) {
        if (fails != c || after-- > 0) return false;
        errno = reason;
        return true;
    }
    using real = gguf::detail::posix_output;
    static int open_nameless(const char* f) {
        return no_nameless ? (errno = ENOTSUP, -1) : real::open_nameless(f);
    }
    static int open_new(const char* p) { return hit(nameless) ? -1 : real::open_new(p); }
    static int reserve(int fd, std::uint64_t n) {
        return hit(reserve_) ? -1 : real::reserve(fd, n);
    }
    static ::ssize_t write(int fd, const void* from, std::size_t n) {
        if (hit(write_)) return reason == 0 ? 0 : -1;
        // Partial writes are the rule here.
        return real::write(fd, from, std::min<std::size_t>(n, 301));
    }
    static int sync(int fd) { return hit(sync_) ? -1 : real::sync(fd); }
    static int close(int fd) { return real::close(fd) != 0 || hit(close_) ? -1 : 0; }
    static int link(int fd, const char* p) { return hit(link_) ? -1 : real::link(fd, p); }
    static int rename(const char* a, const char* b) {
        return hit(rename_) ? -1 : real::rename(a, b);
    }
    static int unlink(const char* p) { return real::unlink(p); }
    static int open_folder(const char* p) { return real::open_folder(p); }
};
using faulty_writer = gguf::basic_writer<gguf::detail::output_file<faulty>>;

TEST_F(writing, leaves_nothing_when_a_call_fails) {
    const auto bytes = sample().build();
    const auto f = gguf::file::try_parse(bytes).value();
    const auto parts =
        gguf::split(gguf::metadata_list(f.metadata()), gguf::tensors_of(f).value(), {.tensors = 3});
    struct fault {
        faulty::call call;
        int reason;
        std::string word;
    };
    const std::vector<fault> faults{
        {faulty::nameless, EACCES, "Permission denied"},
        {faulty::reserve_, ENOSPC, "No space left"},
        {faulty::write_, ENOSPC, "No space left"},
        {faulty::write_, 0, "No space left"},
        {faulty::write_, EIO, "Input/output error"},
        {faulty::sync_, EIO, "Input/output error"},
        {faulty::close_, EIO, "Input/output error"},
        {faulty::link_, EPERM, "not permitted"},
        {faulty::rename_, EACCES, "Permission denied"},
    };
    for (const bool no_nameless : {false, true}) {
        faulty::no_nameless = no_nameless;
        for (const auto& [call, reason, word] : faults) {
            if (no_nameless ? call == faulty::link_ : call == faulty::nameless) continue;
            // A fault at the first call of its kind, at the second, and so on.
            for (int after = 0;; ++after) {
                faulty::fails = call;
                faulty::reason = reason;
                faulty::after = after;
                const auto done = copy<faulty_writer>(f, at("out.gguf"), *parts, 500);
                const bool reached = faulty::after < 0;
                faulty::fails = faulty::none;
                if (done.ok()) {
                    // What comes after the last rename cannot take the model back.
                    EXPECT_TRUE(!reached || call == faulty::sync_ || call == faulty::close_);
                    EXPECT_EQ(names().size(), 3u);
                    for (const auto& n : names()) fs::remove(at(n));
                    if (!reached) break;
                    continue;
                }
                EXPECT_EQ(done.error().code, errc::io);
                expect_words(done.error().message, {word, "out-0000"});
                EXPECT_TRUE(names().empty()) << done.error().message;
            }
        }
    }
    faulty::fails = faulty::write_;
    faulty::reason = EINTR;
    faulty::after = 3;
    // An interrupted call is repeated; this one is interrupted once.
    struct once : faulty {
        static ::ssize_t write(int fd, const void* from, std::size_t n) {
            const auto got = faulty::write(fd, from, n);
            if (got < 0) faulty::fails = faulty::none;
            return got;
        }
    };
    copy<gguf::basic_writer<gguf::detail::output_file<once>>>(f, at("out.gguf"), *parts, 500)
        .value();
    faulty::no_nameless = false;
}

TEST_F(writing, says_that_a_file_may_not_grow) {
    const std::vector<gguf::new_part> parts{{{}, {{"a", {1 << 20}}}}};
    ::rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    ::rlimit small = before;
    small.rlim_cur = 100000;
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    auto out = gguf::writer::try_create(at("out.gguf"), parts);
    bpw::result<void> done;
    if (out) done = out->try_append(byte_vector(4 << 20));
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    std::signal(SIGXFSZ, handler);
    const auto message = out ? done.error().message : out.error().message;
    expect_words(message, {"out.gguf", "File too large"});
    EXPECT_TRUE(names().empty());
}

TEST_F(writing, says_that_the_disk_is_full) {
    const auto disk = at("disk");
    fs::create_directory(disk);
    if (::mount("none", disk.c_str(), "tmpfs", 0, "size=256k") != 0) {
        ASSERT_EQ(errno, EPERM) << std::strerror(errno);
        GTEST_SKIP() << "only root may mount a small disk";
    }
    const std::vector<gguf::new_part> parts{{{}, {{"a", {1 << 20}}}}};
    auto out = gguf::writer::try_create(disk / "out.gguf", parts);
    bpw::result<void> done;
    if (out) done = out->try_append(byte_vector(4 << 20));
    const auto message = out ? done.error().message : out.error().message;
    const auto left = names_in(disk);
    ::umount(disk.c_str());
    expect_words(message, {"out.gguf", "No space left"});
    EXPECT_TRUE(left.empty());
}

TEST_F(writing, a_killed_process_leaves_nothing) {
    const std::vector<gguf::new_part> parts{{{}, {{"a", {1 << 16}}}}};
    for (int round = 0; round < 8; ++round) {
        const auto child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            auto out = gguf::writer::try_create(at("out.gguf"), parts);
            const byte_vector some(1 << 14);
            for (int i = 0; out && i < 4; ++i) {
                if (i == round % 4) ::raise(SIGKILL);
                (void)out->try_append(some);
            }
            ::_exit(1);
        }
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_TRUE(WIFSIGNALED(status));
        EXPECT_FALSE(fs::exists(at("out.gguf")));
    }
    for (const auto& n : names()) EXPECT_NE(n.find(".incomplete-"), n.npos);
}

#endif

}  // namespace
}  // namespace gguf_test
