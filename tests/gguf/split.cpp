// Models split over several files.
#include "gguf/temporary.hpp"
#include "gguf/verdict.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#if BPW_HAS_MMAP
#include <sys/resource.h>
#endif

namespace gguf_test {
namespace {

/// Part `no`, from 0, of `count`, as the writer of split files does it: the first part has the
/// model's metadata, every part has the keys of the split and two tensors.
image split_part(std::uint16_t no, std::uint16_t count) {
    image m;
    if (no == 0) m.kv("general.architecture", value_type::string, string("llama"));
    m.kv("split.no", value_type::u16, number(no))
        .kv("split.count", value_type::u16, number(count))
        .kv("split.tensors.count", value_type::i32, number(std::int32_t{2 * count}));
    const auto name = "blk." + std::to_string(no);
    m.add(name + ".a", {32, 2}, 8).add(name + ".b", {3}, 0);
    return m;
}

std::string part_name(int number, int count) {
    return gguf::split_name{"model", static_cast<std::uint32_t>(number),
                            static_cast<std::uint32_t>(count)}
        .text();
}

class split : public testing::Test {
  protected:
    void write(std::uint16_t no, std::uint16_t count, const image& m) {
        paths_.push_back(folder_.write(part_name(no + 1, count), m.build()));
    }
    void write_all(std::uint16_t count) {
        for (std::uint16_t i = 0; i < count; ++i) write(i, count, split_part(i, count));
    }
    void expect_failure(errc code, const std::vector<std::string>& words, std::size_t from = 0) {
        const auto f = gguf::file::try_open(paths_[from]);
        ASSERT_FALSE(f.ok());
        EXPECT_EQ(static_cast<int>(f.error().code), static_cast<int>(code)) << f.error().message;
        expect_words(f.error().message, words);
    }

    temporary_folder folder_;
    std::vector<std::filesystem::path> paths_;
};

TEST(split_names, taken_apart) {
    const auto n = gguf::split_name::parse("DeepSeek-R1-00003-of-01148.gguf");
    ASSERT_TRUE(n.has_value());
    EXPECT_EQ(n->model, "DeepSeek-R1");
    EXPECT_EQ(n->number, 3u);
    EXPECT_EQ(n->count, 1148u);
    EXPECT_EQ(n->text(), "DeepSeek-R1-00003-of-01148.gguf");
    EXPECT_EQ((gguf::split_name{"m", 7, 65535}.text()), "m-00007-of-65535.gguf");
    for (const char* other :
         {"", ".gguf", "model.gguf", "model-00001-of-00002", "00001-of-00002.gguf",
          "model-0001-of-00002.gguf", "model-00001-of-0002.gguf", "model-00001of-00002.gguf",
          "model-0000x-of-00002.gguf", "-of-00002.gguf"}) {
        EXPECT_FALSE(gguf::split_name::parse(other).has_value()) << other;
    }
}

TEST_F(split, any_part_opens_all) {
    write_all(3);
    for (const auto& path : paths_) {
        const auto f = gguf::file::try_open(path);
        ASSERT_TRUE(f.ok()) << f.error().message;
        EXPECT_TRUE(f->observations().empty());
        ASSERT_EQ(f->parts().size(), 3u);
        EXPECT_EQ(f->metadata().get<std::string>("general.architecture").value(), "llama");
        ASSERT_EQ(f->tensors().size(), 6u);
        for (std::uint32_t i = 0; i < 6; ++i) EXPECT_EQ(f->tensors()[i].part(), i / 2);
        EXPECT_EQ(f->parts()[2].path(), paths_[2]);
        EXPECT_EQ(f->matrix("blk.2.a")->rows, 2u);
        const auto bytes = *f->get("blk.2.a")->bytes();
        EXPECT_GE(bytes.data(), f->parts()[2].bytes().data());
        (void)touch(*f);
    }
}

TEST_F(split, one_part_alone) {
    write_all(3);
    gguf::options o;
    o.all_parts = false;
    const auto f = gguf::file::try_open(paths_[1], o);
    ASSERT_TRUE(f.ok()) << f.error().message;
    EXPECT_EQ(f->tensors().size(), 2u);
    ASSERT_EQ(f->observations().size(), 1u);
    expect_words(f->observations()[0], {"part 1", "of 3", "without the others"});
}

TEST_F(split, missing_part) {
    write_all(3);
    std::filesystem::remove(paths_[1]);
    expect_failure(errc::not_found, {"model-00002-of-00003.gguf", "cannot be opened"});
}

TEST_F(split, damaged_part) {
    write_all(2);
    std::filesystem::resize_file(paths_[1], std::filesystem::file_size(paths_[1]) - 40);
    expect_failure(errc::size_mismatch, {"model-00002-of-00002.gguf", "'blk.1.b'"});
}

TEST_F(split, renamed_part) {
    write_all(2);
    const auto other = folder_.path() / "other.gguf";
    std::filesystem::rename(paths_[1], other);
    paths_[1] = other;
    expect_failure(errc::malformed, {"other.gguf", "part 1", "-00002-of-00002.gguf"}, 1);
    gguf::options o;
    o.all_parts = false;
    EXPECT_TRUE(gguf::file::try_open(other, o).ok());
    // The name and the keys disagree.
    paths_[1] = folder_.path() / "model-00001-of-00003.gguf";
    std::filesystem::rename(other, paths_[1]);
    expect_failure(errc::malformed, {"part 1", "-00002-of-00002.gguf"}, 1);
}

TEST_F(split, numbers_disagree) {
    write(0, 3, split_part(0, 3));
    write(1, 3, split_part(2, 3));
    write(2, 3, split_part(2, 3));
    expect_failure(errc::malformed, {"model-00002-of-00003.gguf", "'split.no' is 2", "expected 1"});
}

TEST_F(split, counts_disagree) {
    write(0, 2, split_part(0, 2));
    write(1, 2, split_part(1, 4));
    expect_failure(errc::malformed,
                   {"model-00002-of-00002.gguf", "'split.count' is 4", "expected 2"});
}

TEST_F(split, part_that_is_no_part) {
    write(0, 2, split_part(0, 2));
    write(1, 2, image{}.add("alone", {4}));
    expect_failure(errc::malformed, {"model-00002-of-00002.gguf", "'split.count' is 1"});
}

TEST_F(split, keys_of_other_types) {
    auto m = split_part(0, 2);
    m.entries[1].type = static_cast<std::uint32_t>(value_type::i16);
    m.entries[2].type = static_cast<std::uint32_t>(value_type::i16);
    write(0, 2, m);
    write(1, 2, split_part(1, 2));
    EXPECT_TRUE(gguf::file::try_open(paths_[0]).ok());
    m.entries[1] = {"split.no", static_cast<std::uint32_t>(value_type::i16),
                    number(std::int16_t{-1})};
    write(0, 2, m);
    expect_failure(errc::malformed, {"'split.no'", "i16 -1"});
    m.entries.erase(m.entries.begin() + 1);
    write(0, 2, m);
    expect_failure(errc::not_found, {"'split.no'", "missing"});
    m.entries[1] = {"split.count", static_cast<std::uint32_t>(value_type::string), string("2")};
    write(0, 2, m);
    expect_failure(errc::malformed, {"'split.count'", "string '2'"});
}

TEST_F(split, tensor_in_two_parts) {
    write(0, 2, split_part(0, 2));
    auto m = split_part(1, 2);
    m.tensors[1].name = "blk.0.a";
    write(1, 2, m);
    expect_failure(errc::malformed, {"model-00002-of-00002.gguf", "tensor 'blk.0.a'",
                                     "appears twice", "part 1", "part 2"});
}

TEST_F(split, wrong_total) {
    write(0, 2, split_part(0, 2));
    auto m = split_part(1, 2);
    m.tensors.pop_back();
    write(1, 2, m);
    expect_failure(errc::malformed, {"'split.tensors.count' is 4", "hold 3 tensors"});
}

TEST_F(split, missing_total) {
    for (std::uint16_t i = 0; i < 2; ++i) {
        auto m = split_part(i, 2);
        std::erase_if(m.entries, [](const entry& e) { return e.key == "split.tensors.count"; });
        write(i, 2, m);
    }
    const auto f = gguf::file::try_open(paths_[0]);
    ASSERT_TRUE(f.ok()) << f.error().message;
    ASSERT_EQ(f->observations().size(), 1u);
    expect_words(f->observations()[0], {"'split.tensors.count' is missing"});
    gguf::options strict;
    strict.strict = true;
    const auto g = gguf::file::try_open(paths_[0], strict);
    ASSERT_FALSE(g.ok());
    expect_words(g.error().message, {"'split.tensors.count' is missing"});
}

TEST_F(split, each_part_has_its_own_alignment) {
    write(0, 2, split_part(0, 2));
    image m;
    m.align(128);
    auto second = split_part(1, 2);
    m.entries.insert(m.entries.end(), second.entries.begin(), second.entries.end());
    m.tensors = second.tensors;
    write(1, 2, m);
    const auto f = gguf::file::try_open(paths_[0]);
    ASSERT_TRUE(f.ok()) << f.error().message;
    EXPECT_EQ(f->parts()[0].alignment(), 32u);
    EXPECT_EQ(f->parts()[1].alignment(), 128u);
}

TEST_F(split, observations_name_the_part) {
    write(0, 2, split_part(0, 2));
    auto m = split_part(1, 2);
    m.trailing = 64;
    write(1, 2, m);
    const auto f = gguf::file::try_open(paths_[0]);
    ASSERT_TRUE(f.ok());
    ASSERT_EQ(f->observations().size(), 1u);
    expect_words(f->observations()[0], {"model-00002-of-00002.gguf: ", "64 bytes follow"});
}

TEST_F(split, name_without_keys) {
    write(0, 2, image{}.add("alone", {4}));
    const auto f = gguf::file::try_open(paths_[0]);
    ASSERT_TRUE(f.ok());
    ASSERT_EQ(f->observations().size(), 1u);
    expect_words(f->observations()[0], {"part 1 of 2", "'split.count'"});
}

TEST(split_in_memory, all_parts_and_some) {
    std::vector<byte_vector> files;
    for (std::uint16_t i = 0; i < 3; ++i) files.push_back(split_part(i, 3).build());
    const std::vector<std::span<const std::byte>> parts(files.begin(), files.end());
    const auto f = gguf::file::try_parse_parts(parts);
    ASSERT_TRUE(f.ok()) << f.error().message;
    EXPECT_EQ(f->tensors().size(), 6u);
    const auto some = gguf::file::try_parse_parts(std::span(parts).first(2));
    ASSERT_FALSE(some.ok());
    expect_words(some.error().message, {"part 1", "'split.count' is 3", "expected 2"});
    auto swapped = parts;
    std::swap(swapped[0], swapped[1]);
    const auto other = gguf::file::try_parse_parts(swapped);
    ASSERT_FALSE(other.ok());
    expect_words(other.error().message, {"part 1", "'split.no' is 1", "expected 0"});
    const auto none = gguf::file::try_parse_parts({});
    ASSERT_FALSE(none.ok());
    const auto alone = gguf::file::try_parse(files[1]);
    ASSERT_TRUE(alone.ok());
    expect_words(alone->observations()[0], {"part 1", "of 3"});
}

#if BPW_HAS_MMAP

TEST_F(split, more_parts_than_open_files) {
    constexpr std::uint16_t count = 1500;
    write_all(count);
    struct ::rlimit old {};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
    struct ::rlimit few = old;
    few.rlim_cur = std::min<rlim_t>(old.rlim_cur, 32);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    {
        const auto f = gguf::file::try_open(paths_[700]);
        EXPECT_TRUE(f.ok()) << f.error().message;
        if (f) {
            EXPECT_EQ(f->parts().size(), count);
            EXPECT_EQ(f->tensors().size(), 2u * count);
            EXPECT_EQ(f->get("blk.1499.a")->part(), 1499u);
            (void)touch(*f);
        }
    }
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
}

#endif

}  // namespace
}  // namespace gguf_test
