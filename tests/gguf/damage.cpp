// Valid files, cut at every byte and with every bit flipped: each is refused or read, and whatever
// it offers can be read without leaving its memory.
#include "gguf/verdict.hpp"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace gguf_test {
namespace {

std::vector<image> small_files() {
    std::vector<image> out{sample()};
    image split;
    split.kv("split.no", value_type::u16, number(std::uint16_t{1}))
        .kv("split.count", value_type::u16, number(std::uint16_t{3}))
        .kv("split.tensors.count", value_type::i32, number(std::int32_t{9}))
        .add("a", {256, 4}, 211)
        .add("b", {512}, 157);
    out.push_back(split);
    image odd;
    odd.align(8)
        .kv("flags", value_type::array,
            array(value_type::boolean, {number(std::uint8_t{0}), number(std::uint8_t{1})}))
        .add("scalar", {}, 28)
        .add("experts", {32, 2, 2, 2}, 2)
        .add("none", {4, 0}, 0)
        .add("i2", {128}, 42);
    odd.pad_the_last = false;
    out.push_back(odd);
    image nested;
    nested.kv(
        "n", value_type::array,
        array(value_type::array,
              {array(value_type::array,
                     {array(value_type::array, {array(value_type::string, {string("deep")})})}),
               array(value_type::u8, {})}));
    out.push_back(nested);
    out.push_back(image{});
    return out;
}

/// The first length that holds all tensors.
std::size_t complete_at(std::span<const std::byte> file) {
    const auto f = gguf::file::try_parse(file);
    if (!f) return file.size();
    std::uint64_t end = 0;
    for (const auto& t : f->tensors()) {
        if (t.size().value_or(0) != 0) end = std::max(end, t.offset() + *t.size());
    }
    if (f->tensors().empty() || end == 0) return f->parts()[0].data_offset();
    return static_cast<std::size_t>(f->parts()[0].data_offset() + end);
}

TEST(damage, small_files_cut_at_every_byte) {
    for (const auto& m : small_files()) {
        const auto file = m.build();
        const auto complete = complete_at(file);
        ASSERT_TRUE(survives(file));
        for (std::size_t n = 0; n <= file.size(); ++n) {
            const tight_copy cut(std::span<const std::byte>(file).first(n));
            EXPECT_EQ(survives(cut.get()), n >= complete) << "first " << n << " bytes";
        }
    }
}

TEST(damage, small_files_with_every_bit_flipped) {
    for (const auto& m : small_files()) {
        auto file = m.build();
        for (std::size_t i = 0; i < file.size(); ++i) {
            for (int bit = 0; bit < 8; ++bit) {
                const tight_copy copy([&] {
                    file[i] ^= static_cast<std::byte>(1 << bit);
                    return std::span<const std::byte>(file);
                }());
                (void)survives(copy.get());
                file[i] ^= static_cast<std::byte>(1 << bit);
            }
        }
    }
}

TEST(damage, small_files_with_every_byte_replaced) {
    for (const auto& m : small_files()) {
        auto file = m.build();
        for (std::size_t i = 0; i < file.size(); ++i) {
            for (const auto to : {0x00, 0x01, 0x7F, 0x80, 0xFF}) {
                const auto old = std::exchange(file[i], static_cast<std::byte>(to));
                (void)survives(tight_copy(file).get());
                file[i] = old;
            }
        }
    }
}

TEST(damage, small_files_with_eight_bytes_replaced) {
    for (const auto& m : small_files()) {
        const auto file = m.build();
        for (std::size_t i = 0; i + 8 <= file.size(); ++i) {
            for (const auto to : {~std::uint64_t{0}, std::uint64_t{1} << 63, std::uint64_t{1} << 32,
                                  std::uint64_t{file.size() - i}, ~std::uint64_t{0} - i}) {
                tight_copy copy(file);
                auto* at = const_cast<std::byte*>(copy.get().data()) + i;
                std::memcpy(at, &to, sizeof to);
                (void)survives(copy.get());
            }
        }
    }
}

class damaged_model : public testing::TestWithParam<const char*> {
  protected:
    void SetUp() override {
        const auto path = std::string(BPW_TEST_DATA_DIR) + "/models/" + GetParam();
        std::ifstream in(path, std::ios::binary);
        ASSERT_TRUE(in) << path;
        const std::string text((std::istreambuf_iterator<char>(in)), {});
        put_text(file_, text);
        const auto f = gguf::file::try_parse(file_);
        ASSERT_TRUE(f.ok()) << f.error().message;
        data_ = static_cast<std::size_t>(f->parts()[0].data_offset());
        for (const auto& t : f->tensors()) {
            boundaries_.push_back(data_ + static_cast<std::size_t>(t.offset()));
            boundaries_.push_back(data_ + static_cast<std::size_t>(t.offset() + *t.size()));
        }
        boundaries_.push_back(file_.size());
    }

    byte_vector file_;
    std::size_t data_ = 0;
    std::vector<std::size_t> boundaries_;
};

TEST_P(damaged_model, cut_at_every_byte_of_the_metadata) {
    for (std::size_t n = 0; n <= data_; ++n) {
        const tight_copy cut(std::span<const std::byte>(file_).first(n));
        EXPECT_FALSE(gguf::file::try_parse(cut.get()).ok()) << "first " << n << " bytes";
        gguf::options o;
        o.metadata_only = true;
        const auto f = gguf::file::try_parse(cut.get(), o);
        if (f) (void)touch(*f);
    }
}

TEST_P(damaged_model, cut_in_the_data) {
    const auto complete = complete_at(file_);
    const auto cut_at = [&](std::size_t n) {
        const auto f = gguf::file::try_parse(std::span<const std::byte>(file_).first(n));
        ASSERT_EQ(f.ok(), n >= complete) << "first " << n << " bytes";
    };
    for (const auto b : boundaries_) {
        for (std::size_t n = b - 2; n <= std::min(b + 2, file_.size()); ++n) cut_at(n);
    }
    for (std::size_t n = data_; n < file_.size(); n += 251) cut_at(n);
}

TEST_P(damaged_model, every_bit_of_the_metadata_flipped) {
    // The data behind the metadata is not looked at, so one copy of it serves all.
    const tight_copy copy(file_);
    auto* at = const_cast<std::byte*>(copy.get().data());
    std::size_t refused = 0;
    for (std::size_t i = 0; i < data_; ++i) {
        for (int bit = 0; bit < 8; ++bit) {
            at[i] ^= static_cast<std::byte>(1 << bit);
            const auto f = gguf::file::try_parse(copy.get());
            refused += f.ok() ? 0 : 1;
            if (f) (void)touch(*f);
            at[i] ^= static_cast<std::byte>(1 << bit);
        }
    }
    // Most bits are text; those of the header, of lengths, types and places must be noticed.
    EXPECT_GT(refused, data_ / 2);
}

INSTANTIATE_TEST_SUITE_P(models, damaged_model,
                         testing::Values("tinylm-mix-2-rN.gguf", "tinylm-mix-3.gguf"),
                         [](const auto& model) {
                             std::string name(model.param);
                             for (auto& c : name) {
                                 if (c == '-' || c == '.') c = '_';
                             }
                             return name;
                         });

}  // namespace
}  // namespace gguf_test
