// Real models: those that come with the tests, and every other in the folder BPW_TEST_DATA.
#include "gguf/touch.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace gguf_test {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> models_in(const fs::path& folder) {
    std::vector<fs::path> out;
    for (const auto& f : fs::recursive_directory_iterator(folder)) {
        if (f.path().extension() == ".gguf") out.push_back(f.path());
    }
    return out;
}

void expect_reads(const fs::path& path) {
    SCOPED_TRACE(path.string());
    for (const bool strict : {false, true}) {
        for (const bool copy : {false, true}) {
            gguf::options o;
            o.strict = strict;
            o.copy = copy;
            const auto f = gguf::file::try_open(path, o);
            ASSERT_TRUE(f.ok()) << f.error().message;
            EXPECT_TRUE(f->observations().empty()) << f->observations()[0];
            EXPECT_TRUE(f->metadata().get<std::string>("general.architecture").ok());
            for (const auto& t : f->tensors()) EXPECT_TRUE(t.matrix().ok()) << t.name();
            (void)touch(*f);
        }
    }
}

TEST(models, of_the_tests) {
    const auto found = models_in(fs::path(BPW_TEST_DATA_DIR) / "models");
    EXPECT_EQ(found.size(), 3u);
    for (const auto& path : found) expect_reads(path);
}

TEST(models, metadata_and_tensors_of_one) {
    const auto f =
        gguf::file::try_open(fs::path(BPW_TEST_DATA_DIR) / "models/tinylm-mix-2-rN.gguf");
    ASSERT_TRUE(f.ok()) << f.error().message;
    EXPECT_EQ(f->version(), 3u);
    EXPECT_EQ(f->alignment(), 32u);
    EXPECT_EQ(f->metadata().size(), 27u);
    EXPECT_EQ(f->metadata().get<std::uint32_t>("llama.block_count").value(), 4u);
    EXPECT_EQ(f->metadata().get<float>("llama.rope.freq_base").value(), 10000.0F);
    EXPECT_EQ(f->metadata().get<gguf::array>("tokenizer.ggml.tokens")->size(), 257u);
    EXPECT_EQ(f->metadata().get<gguf::array>("tokenizer.ggml.merges")->size(), 0u);
    EXPECT_EQ(f->parts()[0].data_offset(), 6976u);
    ASSERT_EQ(f->tensors().size(), 39u);
    const auto up = f->get("blk.2.ffn_up.weight");
    ASSERT_TRUE(up.ok());
    EXPECT_EQ(up->type(), bpw::type_id::iq2_kt);
    EXPECT_EQ(up->cols(), 256u);
    EXPECT_EQ(up->rows(), 768u);
    EXPECT_EQ(up->offset(), 769216u);
    EXPECT_EQ(up->size(), 768u * (4 + 68));
}

TEST(models, of_the_shared_folder) {
    const char* folder = std::getenv("BPW_TEST_DATA");
    if (folder == nullptr) GTEST_SKIP() << "BPW_TEST_DATA names no folder with more models";
    const auto found = models_in(folder);
    ASSERT_FALSE(found.empty()) << "no .gguf file in " << folder;
    for (const auto& path : found) expect_reads(path);
}

}  // namespace
}  // namespace gguf_test
