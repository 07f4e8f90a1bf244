// Maps: their fields, the bytes that they leave out, and damage.
#include "plan/inputs.hpp"

#include <gtest/gtest.h>

#include <string>

namespace plan_test {
namespace {

TEST(tensor_map, reads_a_line) {
    const auto map = plan::read_tensor_map(
                         "m-00002-of-00003.gguf:ab12:blk.3.ffn_up.weight:shape=(512, 256, 4):"
                         "dtype=Q4_k:elements=524288:bytes=294912:imatrix=cd\n",
                         "tensors.q4_K.map")
                         .value();
    ASSERT_EQ(map.tensors.size(), 1u);
    const auto& t = map.tensors[0];
    EXPECT_EQ(t.name, "blk.3.ffn_up.weight");
    EXPECT_EQ(t.shape, (std::vector<std::uint64_t>{512, 256, 4}));
    EXPECT_EQ(t.type, type_id::q4_K);
    EXPECT_EQ(t.rows(), 1024u);
    EXPECT_EQ(t.bytes, 294912u);
    EXPECT_EQ(map.last_shard, "m-00002-of-00003");
    EXPECT_EQ(map.find("blk.3.ffn_up.weight"), &t);
    EXPECT_EQ(map.find("other"), nullptr);
}

TEST(tensor_map, adds_the_row_headers_that_maps_leave_out) {
    // 512 x 10 of iq4_ks: 20 blocks of 136 bytes and 10 headers of 4.
    for (const auto listed : {2720u, 2760u, 2720u + 12u}) {
        const auto map =
            plan::read_tensor_map(map_line("t.weight", "512, 10", 5120, "iq4_ks", listed), "t.map")
                .value();
        EXPECT_EQ(map.tensors[0].listed_bytes, listed);
        EXPECT_EQ(map.tensors[0].bytes, listed == 2720 ? 2760 : listed);
    }
    const auto plain =
        plan::read_tensor_map(map_line("t.weight", "512, 10", 5120, "q4_K", 2880), "t.map").value();
    EXPECT_EQ(plain.tensors[0].bytes, 2880u);
}

TEST(tensor_map, skips_lines_that_describe_no_tensor) {
    const std::string text = "\n# comment\na:b:c:shape=(1)\n" +
                             map_line("norm.weight", "64,", 64, "f32", 256) + "trailing";
    const auto map = plan::read_tensor_map(text, "t.map").value();
    ASSERT_EQ(map.tensors.size(), 1u);
    EXPECT_EQ(map.tensors[0].shape, (std::vector<std::uint64_t>{64}));
    EXPECT_EQ(map.tensors[0].rows(), 1u);
}

TEST(tensor_map, refuses_with_file_line_and_field) {
    const auto message = [](const std::string& text) {
        const auto map = plan::read_tensor_map(text, "t.map");
        return map ? std::string("read") : map.error().message;
    };
    const std::string good = map_line("a", "32, 2", 64, "q8_0", 68);
    EXPECT_EQ(message(good + map_line("b", "32, 2", 64, "q9_0", 68)),
              "t.map:2: dtype: 'q9_0' is not one of the known quant types");
    EXPECT_EQ(message(map_line("b", "32, 3", 64, "q8_0", 68)),
              "t.map:1: shape: the dimensions hold 96 weights; expected elements=64");
    EXPECT_EQ(message(good + good), "t.map:2: tensor name: 'a' stands in an earlier line already");
    EXPECT_EQ(message("s:h:b:shape=(32):dtype=q8_0:elements=x:bytes=1"),
              "t.map:1: elements: 'x' is not a count of weights");
    EXPECT_EQ(message("s:h:b:shape=32:dtype=q8_0:elements=32:bytes=34"),
              "t.map:1: shape: '32' is no list of dimensions; expected (a, b, ...)");
    EXPECT_EQ(message("s:h:b:shape=(4294967296, 4294967296):dtype=q8_0:elements=1:bytes=1"),
              "t.map:1: shape: ' 4294967296' is no dimension of a tensor");
    EXPECT_EQ(message("s:h:b:shape=(18446744073709551615):dtype=f32:elements="
                      "18446744073709551615:bytes=1"),
              "t.map:1: elements: a tensor of 18446744073709551615 weights takes more bytes than "
              "64 bits can count");
    EXPECT_NE(message("").find("describes no tensor"), std::string::npos);
}

TEST(tensor_map, published_maps_read) {
    PLAN_TEST_NEEDS_SHIPPED_DATA();
    int maps = 0;
    for (const auto& f : std::filesystem::recursive_directory_iterator(shipped_folder())) {
        if (f.path().extension() != ".map") continue;
        SCOPED_TRACE(f.path().string());
        const auto map = plan::read_tensor_map(read(f.path()), f.path().filename().string());
        ASSERT_TRUE(map.ok()) << map.error().message;
        for (const auto& t : map->tensors) {
            // Some list the blocks alone, some the row headers too.
            const auto size = plan::size_of(bpw::info(t.type), t.rows(), t.elements).value();
            ASSERT_TRUE(t.listed_bytes == size.blocks || t.listed_bytes == size.exact) << t.name;
            ASSERT_EQ(t.bytes, bpw::tensor_bytes(t.type, t.rows(), t.cols()).value()) << t.name;
        }
        ++maps;
    }
    EXPECT_GE(maps, 38);
}

}  // namespace
}  // namespace plan_test
