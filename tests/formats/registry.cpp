// What is known of every type at run time, and sizes of rows and tensors, against a table written
// down by hand.
#include <bpw/formats/registry.hpp>
#include <reference/sizes.hpp>

#include <gtest/gtest.h>

#include <optional>
#include <string>

using bpw::errc;
using bpw::type_id;

namespace {

__extension__ using wide = unsigned __int128;

std::string_view name_of(std::optional<type_id> id) { return id ? bpw::name(*id) : ""; }

type_id id_of(const reference::type_sizes& t) { return bpw::type_from_name(t.name).value(); }

bool is_plain_number(std::string_view name) {
    return name[0] == 'f' || name[0] == 'b' ||
           (name[0] == 'i' && name.size() <= 3 && name != "i2_s");
}

// Bytes by plain arithmetic that cannot wrap; nothing where the shape does not fit the type.
std::optional<wide> bytes_of(const reference::type_sizes& t, std::uint64_t rows,
                             std::uint64_t cols) {
    if (cols % t.block != 0 || rows % t.interleave != 0) return {};
    return rows * (wide{cols} / t.block * t.bytes + t.header) + reference::trailer(t);
}

}  // namespace

TEST(registry, every_type_is_in_the_table_and_the_other_way_round) {
    ASSERT_EQ(std::size(reference::all_sizes), bpw::all_types.size());
    ASSERT_EQ(bpw::type_infos().size(), bpw::all_types.size());
    for (std::size_t i = 0; i < bpw::all_types.size(); ++i) {
        EXPECT_EQ(bpw::type_infos()[i].id, bpw::all_types[i]);
    }
}

TEST(registry, traits) {
    for (const auto& want : reference::all_sizes) {
        SCOPED_TRACE(want.name);
        const auto id = id_of(want);
        const auto* info = bpw::find_info(id);
        ASSERT_NE(info, nullptr);
        EXPECT_EQ(info, &bpw::info(id));
        EXPECT_EQ(info->id, id);
        EXPECT_EQ(info->name, want.name);
        EXPECT_EQ(bpw::gguf_number(id), want.number);
        EXPECT_EQ(info->block_size, want.block);
        EXPECT_EQ(info->block_bytes, want.bytes);
        EXPECT_EQ(info->row_header_bytes, want.header);
        EXPECT_EQ(info->rows_interleaved, want.interleave);
        EXPECT_EQ(info->trailer_bytes, reference::trailer(want));
        EXPECT_EQ(info->bits_per_weight, want.bits_per_weight);
        EXPECT_EQ(info->bits_per_weight, 8.0 * want.bytes / want.block);
        EXPECT_EQ(info->quantized, !is_plain_number(want.name));
        EXPECT_EQ(info->needs_importance, want.needs_importance);
        EXPECT_EQ(name_of(info->base), want.base);
        EXPECT_EQ(name_of(info->fallback_ik), want.fallback_ik);
        EXPECT_EQ(name_of(info->fallback_mainline), want.fallback_mainline);
    }
}

// What takes the place of a type fits every row length that is a multiple of 32.
TEST(registry, fallbacks_have_blocks_of_32) {
    for (const auto& info : bpw::type_infos()) {
        for (const auto& fallback : {info.fallback_ik, info.fallback_mainline}) {
            if (!fallback) continue;
            EXPECT_EQ(bpw::info(*fallback).block_size, 32u) << info.name;
            EXPECT_EQ(bpw::info(*fallback).rows_interleaved, 1u) << info.name;
        }
        if (info.fallback_mainline && !info.base) {
            EXPECT_NE(bpw::writer(info.id), bpw::dialect::ik) << info.name;
        }
    }
}

TEST(registry, interleaved_forms) {
    for (const auto& info : bpw::type_infos()) {
        if (info.base) {
            EXPECT_EQ(bpw::interleaved_form(*info.base), info.id) << info.name;
            EXPECT_EQ(bpw::info(*info.base).block_size, info.block_size) << info.name;
            EXPECT_EQ(bpw::info(*info.base).block_bytes, info.block_bytes) << info.name;
            EXPECT_FALSE(bpw::interleaved_form(info.id).has_value()) << info.name;
        }
    }
    EXPECT_FALSE(bpw::interleaved_form(type_id::q8_K).has_value());
    EXPECT_FALSE(bpw::interleaved_form(type_id::iq1_s).has_value());
}

TEST(registry, visit_finds_the_struct) {
    for (const auto id : bpw::all_types) {
        const auto found = bpw::visit(id, [](auto tag) {
            using T = typename decltype(tag)::type;
            static_assert(bpw::is_quant_format<T>);
            return T::id;
        });
        EXPECT_EQ(found, id);
        int calls = 0;
        EXPECT_TRUE(bpw::try_visit(id, [&](auto) { ++calls; }).ok());
        EXPECT_EQ(calls, 1);
    }
}

TEST(registry, values_that_are_no_type) {
    const auto nothing = static_cast<type_id>(4);
    EXPECT_EQ(bpw::find_info(nothing), nullptr);
    EXPECT_FALSE(bpw::interleaved_form(nothing).has_value());
    EXPECT_THROW(bpw::visit(nothing, [](auto) {}), bpw::error);
    const auto visited = bpw::try_visit(nothing, [](auto) {});
    ASSERT_FALSE(visited.ok());
    EXPECT_EQ(visited.error().code, errc::unknown_type);
    EXPECT_NE(visited.error().message.find("type id 4"), std::string::npos);
    EXPECT_EQ(bpw::row_bytes(nothing, 32).error().code, errc::unknown_type);
    EXPECT_EQ(bpw::tensor_bytes(nothing, 1, 32).error().code, errc::unknown_type);
}

TEST(sizes, rows_and_tensors) {
    for (const auto& t : reference::all_sizes) {
        SCOPED_TRACE(t.name);
        const auto id = id_of(t);
        const std::uint64_t b = t.block;
        const std::uint64_t widths[] = {0,    1,    b,    2 * b, 7 * b, b - 1,  b + 1,    256,
                                        1408, 2880, 4096, 5632,  7168,  151669, 3 * b / 2};
        for (const auto cols : widths) {
            SCOPED_TRACE(cols);
            const auto row = bpw::row_bytes(id, cols);
            ASSERT_EQ(row.ok(), cols % b == 0);
            if (row.ok()) {
                ASSERT_EQ(*row, cols / b * t.bytes + t.header);
            } else {
                ASSERT_EQ(row.error().code, errc::bad_shape);
                const auto& why = row.error().message;
                ASSERT_NE(why.find("row length " + std::to_string(cols)), std::string::npos) << why;
                ASSERT_NE(why.find("multiple of " + std::to_string(b)), std::string::npos) << why;
                ASSERT_NE(why.find(t.name), std::string::npos) << why;
            }
            for (const std::uint64_t rows : {0u, 1u, 4u, 5u, 8u, 16u, 48u, 151669u}) {
                SCOPED_TRACE(rows);
                const auto got = bpw::tensor_bytes(id, rows, cols);
                const auto want = bytes_of(t, rows, cols);
                ASSERT_EQ(got.ok(), want.has_value());
                if (got.ok()) {
                    ASSERT_TRUE(*got == *want);
                } else {
                    ASSERT_EQ(got.error().code, errc::bad_shape);
                }
                if (cols % b == 0 && rows % t.interleave != 0) {
                    const auto& why = got.error().message;
                    ASSERT_NE(why.find("row count " + std::to_string(rows)), std::string::npos);
                    ASSERT_NE(why.find("multiple of " + std::to_string(t.interleave)),
                              std::string::npos);
                }
            }
        }
    }
}

TEST(sizes, that_do_not_fit_64_bits) {
    constexpr wide limit = wide{1} << 64;
    int overflows = 0;
    for (const auto& t : reference::all_sizes) {
        SCOPED_TRACE(t.name);
        const auto id = id_of(t);
        const std::uint64_t top[] = {std::uint64_t{1} << 63, std::uint64_t{1} << 62,
                                     ~std::uint64_t{0} / t.block * t.block,
                                     ~std::uint64_t{0} / t.bytes / t.block * t.block,
                                     ~std::uint64_t{0} / t.bytes * (t.block == 1 ? 1u : t.block)};
        for (auto cols : top) {
            cols = cols / t.block * t.block;
            const wide row = wide{cols} / t.block * t.bytes + t.header;
            const auto got = bpw::row_bytes(id, cols);
            ASSERT_EQ(got.ok(), row < limit) << cols;
            if (got.ok()) {
                ASSERT_TRUE(*got == row);
            } else {
                ASSERT_EQ(got.error().code, errc::overflow);
                ASSERT_NE(got.error().message.find(std::to_string(cols)), std::string::npos);
                ++overflows;
            }
            const std::uint64_t r = t.interleave;
            for (const std::uint64_t rows : {r, 2 * r, ~std::uint64_t{0} / r * r}) {
                const auto all = bpw::tensor_bytes(id, rows, cols);
                const bool fits = row < limit && row * rows + reference::trailer(t) < limit;
                ASSERT_EQ(all.ok(), fits) << rows << " x " << cols;
                if (!all.ok()) {
                    ASSERT_EQ(all.error().code, errc::overflow);
                }
            }
        }
    }
    EXPECT_GT(overflows, 0);
}

TEST(sizes, known_at_compile_time) {
    EXPECT_EQ(bpw::row_bytes<bpw::iq4_ks>(512).value(), 4u + 2 * 136);
    EXPECT_EQ(bpw::tensor_bytes<bpw::iq4_ks_r4>(8, 512).value(), 8u * (4 + 2 * 136));
    EXPECT_FALSE(bpw::tensor_bytes<bpw::iq4_ks_r4>(6, 512).ok());
}

TEST(matrix_view, checks_its_bytes) {
    std::vector<std::byte> bytes(3 * 2 * 18 + 1);
    using view = bpw::matrix_view<bpw::q4_0>;
    const std::span<const std::byte> all(bytes);
    const auto good = view::make(all.first(108), 3, 64);
    ASSERT_TRUE(good.ok());
    EXPECT_EQ(good->rows(), 3u);
    EXPECT_EQ(good->cols(), 64u);
    EXPECT_EQ(good->blocks(), 2u);
    EXPECT_EQ(good->row_bytes(), 36u);
    for (const std::size_t n : {0u, 107u, 109u}) {
        const auto bad = view::make(all.first(n), 3, 64);
        ASSERT_FALSE(bad.ok());
        EXPECT_EQ(bad.error().code, errc::size_mismatch);
        EXPECT_EQ(bad.error().message, "a 3 x 64 matrix of q4_0 takes 108 bytes, but " +
                                           std::to_string(n) + " were given");
        EXPECT_THROW(view(all.first(n), 3, 64), bpw::error);
    }
    EXPECT_EQ(view::make(all, 3, 65).error().code, errc::bad_shape);
    EXPECT_EQ(view::make(all, std::uint64_t{1} << 62, 64).error().code, errc::overflow);
    EXPECT_TRUE(view::make({}, 0, 64).ok());
    EXPECT_TRUE(view::make({}, 3, 0).ok());
}

TEST(matrix_view, slices_of_rows) {
    std::vector<std::byte> bytes(16 * 2 * 18);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 31 % 251);
    const bpw::matrix_view<bpw::q4_0_r8> all(bytes, 16, 64);
    const auto second = all.row_slice(8, 8);
    EXPECT_EQ(second.rows(), 8u);
    EXPECT_EQ(second.cols(), 64u);
    for (std::size_t r = 0; r < 8; ++r) {
        for (std::size_t b = 0; b < 2; ++b) {
            EXPECT_EQ(second.block(r, b).bytes, all.block(8 + r, b).bytes);
            EXPECT_EQ(second.block(r, b).row, static_cast<int>(r));
        }
    }
}
