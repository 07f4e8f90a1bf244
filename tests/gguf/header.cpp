// Headers and metadata: what is refused, what is accepted, and what the message says.
#include "gguf/verdict.hpp"

namespace gguf_test {
namespace {

constexpr std::uint64_t minus_one = ~std::uint64_t{0};

TEST(header, magic) {
    image m;
    m.magic = "GGUG";
    expect_verdict_of_both("wrong magic", m.build(),
                           refused(errc::malformed, {"begins with 'GGUG'", "expected 'GGUF'"}));
    m.magic = "lmgg";
    expect_verdict_of_both("older format", m.build(),
                           refused(errc::malformed, {"older than GGUF"}));
    byte_vector pointer;
    put_text(pointer, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
    expect_verdict_of_both("pointer", pointer, refused(errc::malformed, {"Git LFS"}));
    expect_verdict_of_both("nothing", {}, refused(errc::malformed, {"begins with ''"}));
    byte_vector binary;
    put(binary, std::uint32_t{0x0A00FF7F});
    expect_verdict_of_both("binary", binary, refused(errc::malformed, {"'\\x7f\\xff\\x00\\x0a'"}));
}

TEST(header, version) {
    image m;
    m.version = 0;
    expect_verdict_of_both("0", m.build(),
                           refused(errc::unsupported, {"version 0", "expected version 2 or 3"}));
    m.version = 1;
    expect_verdict_of_both("1", m.build(),
                           refused(errc::unsupported, {"version 1", "another layout"}));
    m.version = 4;
    expect_verdict_of_both("4", m.build(),
                           refused(errc::unsupported, {"version 4", "expected version 2 or 3"}));
    m.version = 0x03000000;
    expect_verdict_of_both("big-endian", m.build(),
                           refused(errc::unsupported, {"50331648", "which is 3", "big-endian"}));
    m.version = 0x02000000;
    expect_verdict_of_both("big-endian 2", m.build(),
                           refused(errc::unsupported, {"which is 2", "big-endian"}));
    m.version = 2;
    expect_verdict_of_both("2", m.build(), accepted());
    m.version = 3;
    expect_verdict_of_both("empty model", m.build(), accepted());
    image old = sample();
    old.version = 2;
    expect_verdict_of_both("2 with content", old.build(), accepted());
}

TEST(header, counts) {
    for (const auto n : {minus_one, std::uint64_t{1} << 63, std::uint64_t{1} << 62,
                         std::uint64_t{1} << 32, std::uint64_t{1} << 31, std::uint64_t{1}}) {
        const auto text = "states " + std::to_string(n);
        image m;
        m.tensor_count = n;
        expect_verdict_of_both("tensors", m.build(),
                               refused(errc::malformed, {text + " tensors", "expected 0 at most"}));
        m.tensor_count = 0;
        m.entry_count = n;
        expect_verdict_of_both(
            "entries", m.build(),
            refused(errc::malformed, {text + " metadata entries", "expected 0 at most"}));
    }
    // One more than fits: each record has at least 25 (14) bytes.
    image m = sample();
    const auto size = m.header().size() - gguf::header_bytes;
    m.entry_count = size / gguf::least_metadata_bytes + 1000;
    expect_verdict_of_both("entries times record", m.build(), refused(errc::malformed, {"states"}));
    m = sample();
    m.tensor_count = m.build().size() / gguf::least_tensor_bytes + 1;
    expect_verdict_of_both("tensors times record", m.build(), refused(errc::malformed, {"states"}));
    m = sample();
    m.tensor_count = m.tensors.size() + 1;
    m.tensors.back().size = 0;
    m.pad_the_last = false;
    expect_verdict_of_both("one tensor too many", m.header(),
                           refused(errc::malformed, {"the file ends in tensor record 7 of 8"}));
    m = sample();
    gguf::options few;
    few.limits.entries = 3;
    expect_verdict_of_both("limit", m.build(),
                           refused(errc::unsupported, {"metadata entries", "limits.entries"}), few);
}

TEST(metadata, keys) {
    const auto with_key = [](std::string key) {
        image m;
        m.kv(std::move(key), value_type::u64, number(std::uint64_t{1}));
        return m.build();
    };
    expect_verdict_of_both("empty", with_key(""),
                           refused(errc::malformed, {"entry 0", "byte 24", "empty key"}));
    expect_verdicts("NUL", with_key(std::string("a\0b", 3)),
                    refused(errc::malformed, {"'a\\x00b'", "NUL"}), accepted({"'a\\x00b'"}));
    for (const char* bad : {"a\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82",
                            "\xf8\x88\x80\x80\x80", "\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80"}) {
        expect_verdicts("not UTF-8", with_key(bad), refused(errc::malformed, {"not UTF-8"}),
                        accepted({"not UTF-8"}));
    }
    for (const char* odd : {"Upper.case", "a-b.c", "a..b", ".a", "a.", "a b", "\xc3\xa9"}) {
        expect_verdicts("not snake case", with_key(odd),
                        refused(errc::malformed, {"lower_snake_case"}), accepted());
    }
    expect_verdict_of_both("longest", with_key(std::string(65535, 'k')), accepted());
    expect_verdicts("too long", with_key(std::string(65536, 'k')),
                    refused(errc::malformed, {"65536 bytes", "expected 65535"}),
                    accepted({"65536 bytes"}));
    image m;
    m.kv("some.key", value_type::u8, number(std::uint8_t{1}));
    const auto left = m.build().size() - gguf::header_bytes - 8;
    for (const auto length :
         {std::uint64_t{left + 1}, std::uint64_t{1} << 31, std::uint64_t{1} << 32,
          std::uint64_t{1} << 60, std::uint64_t{1} << 63, minus_one - 7, minus_one}) {
        m.entries[0].key_length = length;
        expect_verdict_of_both("length", m.build(),
                               refused(errc::malformed, {"entry 0", "byte 24",
                                                         std::to_string(length), "expected no"}));
    }
    // All that is left is the key: its value is missing.
    m.entries[0].key_length = left;
    expect_verdicts("length is all", m.build(), refused(errc::malformed, {"'some.key\\x00"}),
                    refused(errc::malformed, {"the file ends in metadata entry 0 of 1"}));
}

TEST(metadata, value_types) {
    for (const std::uint32_t type : {13u, 14u, 255u, 0x80000000u, 0xFFFFFFFFu}) {
        image m;
        m.entries.push_back({"the.key", type, byte_vector(16)});
        expect_verdict_of_both(
            "unknown", m.build(),
            refused(errc::malformed, {"'the.key'", "value type", std::to_string(type), "0 to 12"}));
        image n;
        byte_vector payload;
        put(payload, type);
        put(payload, std::uint64_t{0});
        n.kv("the.key", value_type::array, payload);
        expect_verdict_of_both("unknown element", n.build(),
                               refused(errc::malformed, {"'the.key'", "array of the value type",
                                                         std::to_string(type)}));
    }
}

TEST(metadata, lengths) {
    // Strings.
    for (const auto extra : {std::uint64_t{1}, std::uint64_t{1} << 31, std::uint64_t{1} << 32,
                             std::uint64_t{1} << 63, minus_one - 3}) {
        image m;
        byte_vector payload;
        put(payload, std::uint64_t{3} + extra);
        put_text(payload, "abc");
        m.kv("text", value_type::string, payload);
        expect_verdict_of_both(
            "string", m.build(),
            refused(errc::malformed,
                    {"'text'", "string", std::to_string(3 + extra), "the 3 bytes"}));
    }
    // Arrays of every element type, one element too many and much more.
    for (std::uint32_t type = 0; type < gguf::value_type_count; ++type) {
        // Of strings and arrays the smallest: an empty one.
        const auto fixed = gguf::fixed_bytes(static_cast<value_type>(type));
        const auto each = fixed != 0                                               ? fixed
                          : type == static_cast<std::uint32_t>(value_type::string) ? 8u
                                                                                   : 12u;
        for (const auto count : {std::uint64_t{3}, std::uint64_t{1} << 31, std::uint64_t{1} << 32,
                                 std::uint64_t{1} << 60, std::uint64_t{1} << 61,
                                 std::uint64_t{1} << 62, std::uint64_t{1} << 63, minus_one}) {
            image m;
            byte_vector payload;
            put(payload, type);
            put(payload, count);
            payload.resize(payload.size() + 2 * each);
            m.kv("list", value_type::array, payload);
            const auto file = m.build();
            expect_verdict_of_both("array", file, refused(errc::malformed, {"'list'", "array"}));
        }
    }
    // Exactly what is left is fine.
    image m;
    m.kv("list", value_type::array,
         array(value_type::u8, std::vector<byte_vector>(9, byte_vector(1))));
    expect_verdict_of_both("exact", m.build(), accepted());
    for (const auto type : {value_type::u8, value_type::u16, value_type::f32, value_type::u64,
                            value_type::string, value_type::array, value_type::boolean}) {
        image n;
        n.kv("list", type, {});
        byte_vector file = n.build();
        file.resize(gguf::header_bytes + gguf::least_metadata_bytes + 3);
        file.resize(n.build().size());
        n.kv("zz", value_type::u8, number(std::uint8_t{0}));
        expect_verdict_of_both("no payload", file, refused(errc::malformed, {}));
    }
}

TEST(metadata, nesting) {
    const auto nested = [](int depth) {
        byte_vector payload = array(value_type::u8, {number(std::uint8_t{1})});
        for (int d = 1; d < depth; ++d) payload = array(value_type::array, {payload});
        image m;
        m.kv("deep", value_type::array, payload);
        return m.build();
    };
    for (int depth = 1; depth <= 4; ++depth) {
        expect_verdict_of_both("fits", nested(depth), accepted());
    }
    expect_verdict_of_both("5", nested(5),
                           refused(errc::unsupported, {"'deep'", "5 deep", "expected 4"}));
    expect_verdict_of_both("2000", nested(2000), refused(errc::unsupported, {"'deep'"}));
    byte_vector empties =
        array(value_type::array, std::vector<byte_vector>(1000, array(value_type::array, {})));
    image m;
    m.kv("empties", value_type::array, empties);
    expect_verdict_of_both("empty arrays", m.build(), accepted());
}

TEST(metadata, bools) {
    image m;
    m.kv("flag", value_type::boolean, number(std::uint8_t{2}));
    expect_verdicts("2", m.build(), refused(errc::malformed, {"'flag'", "neither 0 nor 1"}),
                    accepted({"'flag'", "neither 0 nor 1"}));
    image n;
    n.kv("flags", value_type::array,
         array(value_type::boolean, {number(std::uint8_t{1}), number(std::uint8_t{255})}));
    expect_verdicts("in an array", n.build(), refused(errc::malformed, {"'flags'"}),
                    accepted({"'flags'"}));
}

TEST(metadata, key_twice) {
    image m;
    m.kv("k", value_type::u8, number(std::uint8_t{1}))
        .kv("other", value_type::u8, number(std::uint8_t{3}))
        .kv("k", value_type::u8, number(std::uint8_t{1}));
    expect_verdicts("same value", m.build(), refused(errc::malformed, {"'k'", "appears twice"}),
                    accepted({"'k'", "appears twice with one value"}));
    m.entries[2].payload = number(std::uint8_t{2});
    expect_verdict_of_both("another value", m.build(),
                           refused(errc::malformed, {"'k'", "twice", "u8 1", "u8 2"}));
    m.entries[2].type = static_cast<std::uint32_t>(value_type::i8);
    m.entries[2].payload = number(std::int8_t{1});
    expect_verdict_of_both("another type", m.build(),
                           refused(errc::malformed, {"'k'", "twice", "u8 1", "i8 1"}));
    image a;
    a.align(32).kv("general.alignment", value_type::u32, number(std::uint32_t{64}));
    expect_verdict_of_both("alignment", a.build(),
                           refused(errc::malformed, {"'general.alignment'", "twice", "32", "64"}));
}

TEST(metadata, alignment) {
    const auto aligned = [](std::uint32_t to) {
        image m;
        m.align(to).add("a", {3}, 24).add("b", {3}, 24);
        if (to == 0 || to > (1u << 22)) m.alignment = 32;
        return m.build();
    };
    for (const auto to : {0u, 3u, 13u, 24u, 33u, 0xFFFFFFFFu}) {
        expect_verdict_of_both("no power of two", aligned(to),
                               refused(errc::malformed, {"'general.alignment'", std::to_string(to),
                                                         "expected a power of two"}));
    }
    for (const auto to : {1u, 2u, 4u}) {
        expect_verdicts("small", aligned(to),
                        refused(errc::malformed, {"'general.alignment'", "multiple of 8"}),
                        accepted({"'general.alignment'"}));
    }
    for (const auto to : {8u, 16u, 32u, 64u, 256u, 4096u, 1u << 20}) {
        expect_verdict_of_both("fine", aligned(to), accepted());
    }
    for (const auto to : {1u << 21, 1u << 30, 1u << 31}) {
        image m;
        m.kv("general.alignment", value_type::u32, number(std::uint32_t{to}));
        expect_verdict_of_both("huge", m.build(),
                               refused(errc::unsupported, {std::to_string(to), "1048576"}));
    }
    gguf::options wide;
    wide.limits.alignment = 1u << 21;
    expect_verdict_of_both("allowed", aligned(1u << 21), accepted(), wide);
    const std::vector<std::pair<value_type, byte_vector>> others{
        {value_type::u64, number(std::uint64_t{32})},
        {value_type::i32, number(std::int32_t{32})},
        {value_type::string, string("32")}};
    for (const auto& [type, payload] : others) {
        image m;
        m.kv("general.alignment", type, payload);
        expect_verdict_of_both(
            "type", m.build(),
            refused(errc::malformed,
                    {"'general.alignment'", "32", std::string(name(type)), "expected a u32"}));
    }
}

}  // namespace
}  // namespace gguf_test
