// Tensor records and places: what is refused, what is accepted, and what the message says.
#include "gguf/verdict.hpp"

namespace gguf_test {
namespace {

constexpr std::uint64_t minus_one = ~std::uint64_t{0};

byte_vector one(tensor t) { return image{}.add(std::move(t)).build(); }

TEST(tensor_records, names) {
    const auto named = [](std::string name) { return one({std::move(name), {4}, 0}); };
    expect_verdict_of_both("empty", named(""),
                           refused(errc::malformed, {"tensor 0", "0 bytes", "expected 1 to 64"}));
    expect_verdict_of_both("63", named(std::string(63, 'n')), accepted());
    expect_verdicts("64", named(std::string(64, 'n')),
                    refused(errc::malformed, {"64 bytes", "expected 63"}), accepted({"64 bytes"}));
    expect_verdict_of_both("65", named(std::string(65, 'n')),
                           refused(errc::malformed, {"65 bytes", "expected 1 to 64"}));
    expect_verdicts("not UTF-8", named("a\xff"), refused(errc::malformed, {"'a\\xff'"}),
                    accepted({"'a\\xff'"}));
    expect_verdicts("NUL", named(std::string("a\0", 2)), refused(errc::malformed, {"'a\\x00'"}),
                    accepted({"'a\\x00'"}));
    for (const auto length :
         {std::uint64_t{1} << 31, std::uint64_t{1} << 32, std::uint64_t{1} << 63, minus_one}) {
        tensor t{"name", {4}, 0};
        t.name_length = length;
        expect_verdict_of_both("length", one(t),
                               refused(errc::malformed, {"tensor 0", std::to_string(length)}));
    }
    tensor t{"name", {4}, 0};
    t.name_length = 60;
    expect_verdict_of_both("past the end", image{}.add(t).header(),
                           refused(errc::malformed, {"the file ends in tensor record 0 of 1"}));
    expect_verdict_of_both("twice", image{}.add("x", {4}).add("y", {4}).add("x", {4}).build(),
                           refused(errc::malformed, {"tensor 'x' appears twice"}));
}

TEST(tensor_records, dimensions) {
    expect_verdicts("none", one({"s", {}, 0}), refused(errc::malformed, {"'s'", "no dimensions"}),
                    accepted());
    expect_verdict_of_both("5", one({"five", {1, 1, 1, 1, 1}, 0}),
                           refused(errc::malformed, {"'five'", "5 dimensions", "expected 1 to 4"}));
    for (const auto n : {9u, 0x7FFFFFFFu, 0xFFFFFFFFu}) {
        tensor t{"many", {1}, 0};
        t.dimensions = n;
        expect_verdict_of_both("stated", one(t),
                               refused(errc::malformed, {"'many'", std::to_string(n)}));
    }
    expect_verdict_of_both("zero", one({"z", {0}, 0}), accepted());
    expect_verdict_of_both("zero rows", one({"z", {256, 0}, 12}), accepted());
    expect_verdict_of_both("zero of a type with row headers", one({"z", {0, 5}, 144}), accepted());
    expect_verdict_of_both("zero in front",
                           image{}.add("z", {0}).add("a", {4}).add("b", {4}).build(), accepted());
    const std::uint64_t big = 4ull * 0x7FFFFFFF;
    const std::vector<std::vector<std::uint64_t>> wrapping{
        {minus_one},
        {std::uint64_t{1} << 63},
        {(std::uint64_t{1} << 63) - 1, 2},
        {std::uint64_t{1} << 32, std::uint64_t{1} << 32},          // to 0
        {std::uint64_t{1} << 32, (std::uint64_t{1} << 32) + 1},    // to a small number
        {(std::uint64_t{1} << 32) - 1, (std::uint64_t{1} << 31)},  // near the sign
        {std::uint64_t{1} << 31, std::uint64_t{1} << 32},          // to the sign
        {big, big, big, big},
        {std::uint64_t{1} << 32, std::uint64_t{1} << 32, 0},  // hidden behind a zero
        {0, minus_one},
    };
    for (const auto& shape : wrapping) {
        for (const std::uint32_t type : {24u, 0u, 12u}) {
            const auto file = one({"wraps", shape, type});
            const auto text = std::to_string(shape[0]);
            if (shape == wrapping[5]) {
                // Fits 63 bits, but no file.
                expect_verdict_of_both("fits", file,
                                       refused(type == 12  ? errc::bad_shape
                                               : type == 0 ? errc::overflow
                                                           : errc::size_mismatch,
                                               {"'wraps'"}));
                continue;
            }
            expect_verdict_of_both("wraps", file,
                                   refused(errc::overflow, {"'wraps'", text, "elements"}));
        }
    }
}

TEST(tensor_records, sizes_that_wrap) {
    expect_verdict_of_both("bytes", one({"t", {std::uint64_t{1} << 61}, 28}),
                           refused(errc::overflow, {"'t'"}));
    // 2^64 - 4 bytes: the size fits, its padding wraps.
    image m;
    m.add(tensor{"pad", {(std::uint64_t{1} << 62) - 1}, 0, {}, 16}).add("next", {4});
    expect_verdict_of_both("padding", m.build(), refused(errc::malformed, {"'pad'", "'next'"}));
    image sum;
    sum.add(tensor{"first", {0x7FFFFFFFFFFFFFC0}, 24, 0, 0})
        .add(tensor{"second", {0x7FFFFFFFFFFFFFC0}, 24, 0x7FFFFFFFFFFFFFC0, 0})
        .add(tensor{"third", {32}, 24, 0xFFFFFFFFFFFFFF80, 0});
    expect_verdict_of_both("sum", sum.build(),
                           refused(errc::size_mismatch, {"'first'", "9223372036854775744"}));
    expect_verdict_of_both("row headers", one({"h", {256, std::uint64_t{1} << 55}, 144}),
                           refused(errc::overflow, {"'h'"}));
}

TEST(tensor_records, types) {
    // Never used, one past the last, removed, for activations only, of no project.
    for (const std::uint32_t type : {4u, 5u, 31u, 32u, 33u, 37u, 38u, 43u, 97u, 136u, 147u, 400u,
                                     0x1000Fu, 0x10024u, 0xFFFFFFFFu}) {
        image m;
        m.add("known", {8}, 0).add(tensor{"odd", {8}, type, {}, 32}).add("after", {8}, 0);
        const auto number = std::to_string(type);
        expect_verdicts("unknown", m.build(), refused(errc::unknown_type, {"'odd'", number}),
                        accepted({"'odd'", number}));
        const auto file = m.build();
        const auto f = gguf::file::try_parse(file);
        ASSERT_TRUE(f.ok());
        const auto* odd = f->find("odd");
        ASSERT_NE(odd, nullptr);
        EXPECT_EQ(odd->type_number(), type);
        EXPECT_FALSE(odd->type().has_value());
        EXPECT_FALSE(odd->size().has_value());
        const auto no_bytes = odd->bytes();
        ASSERT_FALSE(no_bytes.ok());
        EXPECT_EQ(no_bytes.error().code, errc::unknown_type);
        expect_words(no_bytes.error().message, {"'odd'", number});
        EXPECT_TRUE(f->get("after")->bytes().ok());
    }
    gguf::options mainline;
    mainline.dialect = bpw::dialect::mainline;
    image ik;
    ik.add("ik", {256, 2}, 144);
    expect_verdicts("of the other dialect", ik.build(),
                    refused(errc::unknown_type, {"'ik'", "144", "iq4_ks", "'mainline'"}),
                    accepted({"'ik'", "belongs to the dialect 'ik'"}), mainline);
    expect_verdict_of_both("of any dialect", ik.build(), accepted());
    gguf::options of_ik;
    of_ik.dialect = bpw::dialect::ik;
    expect_verdict_of_both("of its dialect", ik.build(), accepted(), of_ik);
}

TEST(tensor_records, two_meanings) {
    for (const std::uint32_t type : {15u, 36u}) {
        const auto file = one({"two", {256}, type, {}, 512});
        expect_verdicts("ambiguous", file,
                        refused(errc::ambiguous_type, {"'two'", std::to_string(type), "dialect"}),
                        accepted({"'two'", "state the dialect"}));
        const auto f = gguf::file::try_parse(file);
        ASSERT_TRUE(f.ok());
        const auto b = f->tensors()[0].bytes();
        ASSERT_FALSE(b.ok());
        EXPECT_EQ(b.error().code, errc::ambiguous_type);
    }
    expect_verdict_of_both("41 has one layout", one({"q", {128, 2}, 41}), accepted());
    // q8_K: 292 bytes in mainline, 296 in ik_llama.cpp.
    image mainline;
    mainline.dialect = bpw::dialect::mainline;
    mainline.add("a", {256, 16}, 15).add("b", {4});
    image ik;
    ik.dialect = bpw::dialect::ik;
    ik.add("a", {256, 16}, 15).add("b", {4});
    gguf::options as_mainline;
    as_mainline.dialect = bpw::dialect::mainline;
    gguf::options as_ik;
    as_ik.dialect = bpw::dialect::ik;
    expect_verdict_of_both("q8_K", mainline.build(), accepted(), as_mainline);
    expect_verdict_of_both("q8_K", ik.build(), accepted(), as_ik);
    expect_verdict_of_both("q8_K", mainline.build(),
                           refused(errc::size_mismatch, {"'a'", "4672", "4736", "'mainline'"}),
                           as_ik);
    expect_verdict_of_both("q8_K", ik.build(),
                           refused(errc::size_mismatch, {"'a'", "4672", "4736", "'ik'"}),
                           as_mainline);
}

TEST(tensor_records, numbers_of_early_forks) {
    gguf::options ik;
    ik.dialect = bpw::dialect::ik;
    image bitnet;
    bitnet.dialect = bpw::dialect::ik;
    bitnet.add("w", {256, 8}, 36).add("n", {4});
    expect_verdict_of_both("i2_s", bitnet.build(), accepted(), ik);
    const auto file = bitnet.build();
    EXPECT_EQ(gguf::file::try_parse(file, ik)->tensors()[0].size(), 256 * 8 / 4 + 32);
    bitnet.tensors[0].size = 256 * 8 / 32 * 18;
    expect_verdict_of_both("removed iq4_nl", bitnet.build(),
                           refused(errc::size_mismatch, {"'w'", "1152", "544", "removed"}), ik);
    bitnet.tensors[0].size = 256 * 8;
    expect_verdict_of_both("a byte each", bitnet.build(),
                           refused(errc::size_mismatch, {"'w'", "2048", "544"}), ik);
    bitnet.tensors[0].size = 256 * 8 / 4;
    expect_verdict_of_both("no scale", bitnet.build(), refused(errc::malformed, {"'w'", "'n'"}),
                           ik);
    for (const bool alone : {false, true}) {
        image prism;
        prism.add(tensor{"w", {128, 64}, 42, {}, 128 * 64 / 128 * 34});
        if (!alone) prism.add("n", {4});
        expect_verdict_of_both("42", prism.build(),
                               refused(errc::size_mismatch, {"'w'", "2304", "early Prism", "42"}));
        image bits;
        bits.add(tensor{"w", {128, 64}, 40, {}, 128 * 64 / 32 * 6});
        if (!alone) bits.add("n", {4});
        expect_verdict_of_both("40", bits.build(),
                               refused(errc::size_mismatch, {"'w'", "4608", "early Prism", "40"}));
    }
    expect_verdict_of_both("q2_0", one({"w", {128, 8}, 42}), accepted());
    expect_verdict_of_both("nvfp4", one({"w", {128, 8}, 40}), accepted());
}

TEST(tensor_records, row_length) {
    for (const std::uint64_t cols : {1u, 255u, 257u, 300u}) {
        expect_verdict_of_both("block", one({"w", {cols, 2}, 12}),
                               refused(errc::bad_shape, {"'w'", std::to_string(cols), "256"}));
    }
    expect_verdict_of_both("interleaved rows", one({"w", {256, 6}, 212}),
                           refused(errc::bad_shape, {"'w'", "6", "4"}));
    expect_verdict_of_both("interleaved", one({"w", {256, 8}, 212}), accepted());
}

TEST(row_headers, are_counted_per_row) {
    const auto file = one({"w", {256, 8}, 144});
    EXPECT_EQ(gguf::file::try_parse(file)->tensors()[0].size(), 8 * (4 + 136));
    for (const auto& info : bpw::type_infos()) {
        if (info.row_header_bytes == 0) continue;
        const std::uint64_t rows = 64;
        const std::uint64_t cols = info.block_size * 3;
        const auto body = rows * 3 * info.block_bytes;
        const auto full = rows * info.row_header_bytes + body;
        const auto number = gguf_number(info.id);
        for (const bool last : {false, true}) {
            for (const bool pad : {false, true}) {
                for (const auto size : {body, body + info.row_header_bytes}) {
                    // The writer of old counts the headers not at all, or once.
                    image m;
                    m.pad_the_last = pad;
                    m.add(tensor{"w", {cols, rows}, number, {}, size});
                    if (!last) m.add("next", {4});
                    if (m.padded(full) == m.padded(size)) continue;
                    expect_verdict_of_both(
                        std::string(info.name).c_str(), m.build(),
                        refused(errc::size_mismatch,
                                {"'w'", std::to_string(full), "64 rows", std::string(info.name),
                                 "does not count the", "header of every row", "metadata_only"}));
                }
            }
        }
        expect_verdict_of_both(std::string(info.name).c_str(), one({"w", {cols, rows}, number}),
                               accepted());
    }
}

TEST(row_headers, file_without_them_opens_for_its_metadata) {
    image m;
    m.kv("general.architecture", value_type::string, string("llama"));
    m.add(tensor{"w", {256, 64}, 144, {}, 64 * 136}).add("next", {4});
    const auto file = m.build();
    gguf::options o;
    o.metadata_only = true;
    const auto f = gguf::file::try_parse(file, o);
    ASSERT_TRUE(f.ok()) << f.error().message;
    EXPECT_EQ(f->metadata().get<std::string>("general.architecture").value(), "llama");
    ASSERT_EQ(f->tensors().size(), 2u);
    EXPECT_EQ(f->tensors()[0].size(), 64 * 140);
    ASSERT_EQ(f->observations().size(), 1u);
    expect_words(f->observations()[0], {"does not count the 4-byte header"});
    for (const auto& t : f->tensors()) {
        ASSERT_FALSE(t.bytes().ok());
        EXPECT_EQ(t.bytes().error().code, errc::unsupported);
        expect_words(t.bytes().error().message, {std::string(t.name()), "metadata only"});
    }
}

TEST(places, offsets) {
    const auto placed = [](std::uint64_t second) {
        image m;
        m.add(tensor{"a", {8}, 0, 0}).add(tensor{"b", {8}, 0, second, 32});
        return m.build();
    };
    expect_verdict_of_both("fine", placed(32), accepted());
    for (const auto offset : {1u, 31u, 33u, 40u}) {
        expect_verdict_of_both("not aligned", placed(offset),
                               refused(errc::malformed, {"'b'", std::to_string(offset),
                                                         "multiple of the alignment 32"}));
    }
    expect_verdict_of_both("equal", placed(0),
                           refused(errc::malformed, {"'a'", "overlaps", "'b'"}));
    expect_verdicts("gap", placed(96), refused(errc::malformed, {"'b'", "96", "expected 32"}),
                    accepted({"64 unused bytes", "'a'", "'b'"}));
    expect_verdict_of_both("-1", placed(minus_one), refused(errc::malformed, {"'b'"}));
    for (const auto offset : {std::uint64_t{1} << 40, std::uint64_t{1} << 63, minus_one - 31}) {
        expect_verdict_of_both("outside", placed(offset),
                               refused(errc::size_mismatch, {"'b'", std::to_string(offset)}));
    }
    image reverse;
    reverse.add(tensor{"a", {8}, 0, 32}).add(tensor{"b", {8}, 0, 0});
    expect_verdicts("reverse", reverse.build(),
                    refused(errc::malformed, {"'a'", "32", "expected 0"}),
                    accepted({"another order"}));
    image late;
    late.add(tensor{"a", {8}, 0, 64});
    expect_verdicts("gap in front", late.build(), refused(errc::malformed, {"'a'", "expected 0"}),
                    accepted({"64 unused bytes lie before the first tensor"}));
    image narrow;
    narrow.align(8).add(tensor{"a", {9}, 24, 0}).add(tensor{"b", {8}, 24, 8});
    expect_verdict_of_both("overlap by one byte", narrow.build(),
                           refused(errc::malformed, {"'a'", "9 bytes", "overlaps tensor 'b'"}));
    image other;
    other.align(64).add("a", {8}).add("b", {8});
    other.entries.clear();
    expect_verdicts("laid out for 64, read with 32", other.build(),
                    refused(errc::malformed, {"'b'", "64", "expected 32"}),
                    accepted({"unused bytes"}));
    image smaller;
    smaller.add("a", {8}).add("b", {8});
    smaller.kv("general.alignment", value_type::u32, number(std::uint32_t{64}));
    expect_verdict_of_both("laid out for 32, read with 64", smaller.build(),
                           refused(errc::malformed, {"'b'", "32", "alignment 64"}));
    image unknown;
    unknown.add(tensor{"a", {8}, 0, 0}).add(tensor{"odd", {8}, 99, 0, 0});
    expect_verdicts("unknown on top", unknown.build(), refused(errc::unknown_type, {"'odd'"}),
                    refused(errc::malformed, {"'a'", "'odd'"}));
}

TEST(places, ends) {
    image m;
    m.add("a", {9}, 24).add("last", {9}, 24);
    expect_verdict_of_both("padded", m.build(), accepted());
    m.pad_the_last = false;
    const auto file = m.build();
    expect_verdict_of_both("no padding at the end", file, accepted());
    byte_vector shorter(file.begin(), file.end() - 1);
    expect_verdict_of_both(
        "one byte short", shorter,
        refused(errc::size_mismatch, {"'last'", "9 bytes", "offset 32", "truncated"}));
    m.trailing = 100;
    expect_verdict_of_both("trailing", m.build(), accepted({"77 bytes follow", "'last'"}));
    image none;
    none.trailing = 64;
    expect_verdict_of_both("trailing without tensors", none.build(),
                           accepted({"bytes follow a header without tensors"}));
    expect_verdict_of_both("no data at all", image{}.add("a", {9}, 24).header(),
                           refused(errc::size_mismatch, {"'a'", "data has 0"}));
    // The padding in front of the data is missing, and so is the data.
    expect_verdict_of_both("empty tensors only", image{}.add("a", {0}, 24).header(), accepted());
    image behind;
    behind.pad_the_last = false;
    behind.add("a", {9}, 24).add("z", {0}, 24);
    expect_verdict_of_both("empty tensor behind the end", behind.build(), accepted());
    image far;
    far.add("a", {9}, 24).add(tensor{"z", {0}, 24, 1u << 27});
    expect_verdict_of_both("empty tensor far behind the end", far.build(),
                           refused(errc::size_mismatch, {"'z'"}));
}

TEST(views, shapes_and_bytes) {
    const auto bytes = sample().build();
    const tight_copy copy(bytes);
    const auto f = gguf::file::try_parse(copy.get());
    ASSERT_TRUE(f.ok()) << f.error().message;
    EXPECT_TRUE(f->observations().empty());
    ASSERT_EQ(f->tensors().size(), 7u);
    const auto q = f->get("blk.0.q");
    ASSERT_TRUE(q.ok());
    EXPECT_EQ(q->type(), bpw::type_id::q4_K);
    EXPECT_EQ(q->cols(), 256u);
    EXPECT_EQ(q->rows(), 4u);
    EXPECT_EQ(q->shape().size(), 2u);
    EXPECT_EQ(q->size(), 4u * 144);
    const auto data = f->parts()[0].data_offset();
    EXPECT_EQ(data % 32, 0u);
    EXPECT_EQ(q->bytes()->data(), copy.get().data() + data + q->offset());
    // The builder's pattern: byte i of a tensor.
    for (std::size_t i = 0; i < q->bytes()->size(); ++i) {
        ASSERT_EQ((*q->bytes())[i], static_cast<std::byte>((i * 37 + 7) & 0xFF));
    }
    const auto m = f->matrix("blk.0.q");
    ASSERT_TRUE(m.ok());
    EXPECT_EQ(m->rows, 4u);
    EXPECT_EQ(m->cols, 256u);
    EXPECT_EQ(m->type, bpw::type_id::q4_K);
    EXPECT_EQ(m->bytes.size(), 576u);
    const auto norm = f->matrix("norm");
    ASSERT_TRUE(norm.ok());
    EXPECT_EQ(norm->rows, 1u);
    EXPECT_EQ(norm->cols, 5u);
    const auto missing = f->matrix("nothing");
    ASSERT_FALSE(missing.ok());
    EXPECT_EQ(missing.error().code, errc::not_found);
    expect_words(missing.error().message, {"'nothing'", "missing"});
    EXPECT_EQ(f->find("nothing"), nullptr);
    EXPECT_EQ(f->get("empty")->bytes()->size(), 0u);
}

TEST(views, experts) {
    const auto bytes = sample().build();
    const auto f = gguf::file::try_parse(bytes);
    const auto t = f->get("blk.0.experts");
    ASSERT_TRUE(t.ok());
    EXPECT_EQ(t->slices(), 3u);
    const auto whole = t->matrix();
    ASSERT_FALSE(whole.ok());
    EXPECT_EQ(whole.error().code, errc::bad_shape);
    expect_words(whole.error().message, {"'blk.0.experts'", "3 matrices"});
    for (std::uint64_t i = 0; i < 3; ++i) {
        const auto m = t->slice(i);
        ASSERT_TRUE(m.ok());
        EXPECT_EQ(m->rows, 2u);
        EXPECT_EQ(m->cols, 32u);
        EXPECT_EQ(m->bytes.size(), 68u);
        EXPECT_EQ(m->bytes.data(), t->bytes()->data() + i * 68);
    }
    const auto beyond = t->slice(3);
    ASSERT_FALSE(beyond.ok());
    EXPECT_EQ(beyond.error().code, errc::not_found);
    expect_words(beyond.error().message, {"slice 3", "less than 3"});
    // Rows of 4 interleaved: 3 slices of 4 rows stand alone, 2 slices of 6 rows do not.
    const auto other = image{}.add("good", {256, 4, 3}, 212).add("bad", {256, 6, 2}, 212).build();
    const auto g = gguf::file::try_parse(other);
    ASSERT_TRUE(g.ok()) << g.error().message;
    EXPECT_EQ(g->get("good")->slice(2)->bytes.size(), 4u * 144);
    const auto bad = g->get("bad")->slice(1);
    ASSERT_FALSE(bad.ok());
    EXPECT_EQ(bad.error().code, errc::bad_shape);
    expect_words(bad.error().message, {"'bad'", "6 rows", "4"});
    gguf::options ik;
    ik.dialect = bpw::dialect::ik;
    image scaled;
    scaled.dialect = bpw::dialect::ik;
    const auto i2 = scaled.add("w", {128, 2, 2}, 36).build();
    const auto h = gguf::file::try_parse(i2, ik);
    ASSERT_TRUE(h.ok()) << h.error().message;
    const auto slice = h->get("w")->slice(0);
    ASSERT_FALSE(slice.ok());
    expect_words(slice.error().message, {"'w'", "one scale", "i2_s"});
}

}  // namespace
}  // namespace gguf_test
