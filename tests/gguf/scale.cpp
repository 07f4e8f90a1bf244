// Large files: time linear in the size, memory in proportion to it, whatever the file states.
#include "gguf/touch.hpp"
#include "gguf/verdict.hpp"

#include <chrono>
#include <cstdlib>
#include <new>
#include <string>

// What the library has allocated and not freed, and the most there was of it.
namespace {

thread_local std::size_t in_use = 0;
thread_local std::size_t peak = 0;

// The size stands in front of each block. Inlined, that looks like an access before the block.
constexpr std::size_t head = alignof(std::max_align_t);

[[gnu::noinline]] void* counted(std::size_t size) {
    auto* block = static_cast<std::byte*>(std::malloc(size + head));
    if (block == nullptr) return nullptr;
    std::memcpy(block, &size, sizeof size);
    in_use += size;
    if (in_use > peak) peak = in_use;
    return block + head;
}

[[gnu::noinline]] void uncounted(void* p) noexcept {
    if (p == nullptr) return;
    auto* block = static_cast<std::byte*>(p) - head;
    std::size_t size = 0;
    std::memcpy(&size, block, sizeof size);
    in_use -= size;
    std::free(block);
}

}  // namespace

void* operator new(std::size_t size) {
    if (void* p = counted(size)) return p;
    throw std::bad_alloc();
}
void* operator new[](std::size_t size) { return ::operator new(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void operator delete(void* p) noexcept { uncounted(p); }
void operator delete[](void* p) noexcept { uncounted(p); }
void operator delete(void* p, std::size_t) noexcept { uncounted(p); }
void operator delete[](void* p, std::size_t) noexcept { uncounted(p); }

namespace gguf_test {
namespace {

/// Milliseconds of the fastest of three openings; the file must open.
double opening_time(std::span<const std::byte> file) {
    double best = 1e9;
    for (int i = 0; i < 3; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        const auto f = gguf::file::try_parse(file);
        const std::chrono::duration<double, std::milli> took =
            std::chrono::steady_clock::now() - begin;
        EXPECT_TRUE(f.ok()) << f.error().message;
        best = std::min(best, took.count());
    }
    return best;
}

/// The most that opening the file takes, beyond what was there; the errors included.
std::size_t memory_for(std::span<const std::byte> file) {
    std::size_t most = 0;
    for (const bool strict : {false, true}) {
        gguf::options o;
        o.strict = strict;
        const auto before = in_use;
        peak = before;
        const auto f = gguf::file::try_parse(file, o);
        most = std::max(most, peak - before);
    }
    return most;
}

constexpr std::size_t allowed(std::size_t file) { return 4 * file + (std::size_t{1} << 20); }

std::string numbered(const char* prefix, std::uint64_t i) {
    std::string out = prefix;
    out += std::to_string(i);
    return out;
}

byte_vector vocabulary(std::uint64_t words) {
    byte_vector list;
    put(list, value_type::string);
    put(list, words);
    for (std::uint64_t i = 0; i < words; ++i) put_string(list, numbered("token", i));
    return image{}.kv("tokenizer.ggml.tokens", value_type::array, list).build();
}

image many_tensors(std::uint32_t count) {
    image m;
    for (std::uint32_t i = 0; i < count; ++i) {
        m.add(numbered("blk.", i) + ".ffn_gate.weight", {32}, i % 3 == 0 ? 8 : 2);
    }
    return m;
}

TEST(scale, a_million_strings) {
    const auto file = vocabulary(1000000);
    const auto time = opening_time(file);
    RecordProperty("milliseconds", std::to_string(time));
    std::printf("1000000 strings: opened in %.1f ms\n", time);
    EXPECT_LT(time, 1000);
    EXPECT_LT(memory_for(file), 4096u) << "the strings are views";
    const auto f = gguf::file::try_parse(file);
    std::uint64_t count = 0;
    for (const auto word : f->metadata().get<gguf::array>("tokenizer.ggml.tokens").value()) {
        count += word.as<std::string_view>()->size() > 5 ? 1 : 0;
    }
    EXPECT_EQ(count, 1000000u);
}

TEST(scale, tensors) {
    const auto file = many_tensors(65536).build();
    const auto time = opening_time(file);
    RecordProperty("milliseconds", std::to_string(time));
    std::printf("65536 tensors: opened in %.1f ms\n", time);
    EXPECT_LT(time, 1000);
    EXPECT_LT(memory_for(file), allowed(file.size()));
    const auto f = gguf::file::try_parse(file);
    for (const auto& t : f->tensors()) ASSERT_EQ(f->find(t.name()), &t);
}

TEST(scale, tensors_in_reverse_order) {
    auto m = many_tensors(65536);
    std::uint64_t at = 0;
    for (auto t = m.tensors.rbegin(); t != m.tensors.rend(); ++t) {
        t->offset = at;
        at = m.padded(at + m.size_of(*t));
    }
    const auto file = m.build();
    const auto time = opening_time(file);
    std::printf("65536 tensors in reverse: opened in %.1f ms\n", time);
    EXPECT_LT(time, 1000);
}

TEST(scale, metadata_entries) {
    image m;
    for (std::uint32_t i = 0; i < 100000; ++i) {
        m.kv(numbered("k", i), value_type::u8, number(std::uint8_t{0}));
    }
    const auto file = m.build();
    const auto time = opening_time(file);
    std::printf("100000 metadata entries: opened in %.1f ms\n", time);
    EXPECT_LT(time, 1000);
    EXPECT_LT(memory_for(file), allowed(file.size()));
}

TEST(scale, memory_is_bounded_by_the_file) {
    // Zeros are the densest records: what fits a count is the most that is reserved for it.
    for (const std::size_t size : {std::size_t{24}, std::size_t{4096}, std::size_t{1} << 22}) {
        for (const bool tensors : {false, true}) {
            image m;
            const auto each = tensors ? gguf::least_tensor_bytes : gguf::least_metadata_bytes;
            (tensors ? m.tensor_count : m.entry_count) = (size - 24) / each;
            auto file = m.build();
            file.resize(size);
            EXPECT_LT(memory_for(file), allowed(file.size()));
        }
    }
    // One observation for every entry.
    image odd;
    for (std::uint64_t i = 0; i < 20000; ++i) {
        odd.kv(numbered("\xff", i), value_type::boolean, number(std::uint8_t{3}));
    }
    const auto noisy = odd.build();
    EXPECT_LT(memory_for(noisy), allowed(noisy.size()));
    const auto f = gguf::file::try_parse(noisy);
    ASSERT_TRUE(f.ok());
    EXPECT_EQ(f->observations().size(), 65u);
    expect_words(f->observations().back(), {"39936 more observations", "limits.observations"});
    // A message about a huge key is short.
    const auto large =
        image{}.kv(std::string(1u << 22, '\xff'), value_type::u8, byte_vector(1)).build();
    EXPECT_LT(memory_for(large), std::size_t{1} << 16);
}

TEST(scale, memory_for_damaged_headers) {
    const auto file = many_tensors(2000).build();
    for (std::size_t i = 0; i < 100; ++i) {
        for (const auto to : {std::uint64_t{1} << 63, std::uint64_t{1} << 40,
                              std::uint64_t{1} << 20, std::uint64_t{65535}, std::uint64_t{4096}}) {
            auto bad = file;
            std::memcpy(bad.data() + i, &to, sizeof to);
            ASSERT_LT(memory_for(bad), allowed(bad.size())) << to << " at byte " << i;
        }
    }
}

}  // namespace
}  // namespace gguf_test
