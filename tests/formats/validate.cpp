// What validate finds in blocks that no encoder writes, and that it finds nothing in others.
#include <bpw/formats/validate.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace {

using bpw::errc;
using bpw::type_id;

// Zeros are right for every type, once where scales are stored something stands that is finite.
std::vector<std::byte> zeros(type_id type, std::uint64_t rows, std::uint64_t cols) {
    return std::vector<std::byte>(
        static_cast<std::size_t>(bpw::tensor_bytes(type, rows, cols).value()));
}

constexpr std::uint64_t rows = 16;
constexpr std::uint64_t cols = 512;

void expect_fault(type_id type, const std::vector<std::byte>& bytes, const std::string& place,
                  const std::string& what) {
    const auto checked = bpw::validate({type, bytes, rows, cols});
    ASSERT_FALSE(checked.ok()) << bpw::name(type);
    EXPECT_EQ(checked.error().code, errc::malformed);
    EXPECT_NE(checked.error().message.find(what), std::string::npos) << checked.error().message;
    EXPECT_NE(checked.error().message.find(place), std::string::npos) << checked.error().message;
}

TEST(validate, accepts_zeros_of_every_type) {
    for (const auto& t : bpw::type_infos()) {
        const auto bytes = zeros(t.id, rows, cols);
        const auto checked = bpw::validate({t.id, bytes, rows, cols});
        EXPECT_TRUE(checked.ok()) << t.name << ": " << checked.error().message;
    }
}

// Each field of 16 or 32 bits that is a scale, set to infinity and to NaN: every type whose scale
// is a float must notice, wherever it is stored.
TEST(validate, finds_every_scale) {
    for (const auto& t : bpw::type_infos()) {
        bpw::visit(t.id, [&]<class T>(bpw::tag<T>) {
            auto bytes = zeros(t.id, rows, cols);
            const auto view = bpw::matrix_view<T>::make(bytes, rows, cols).value();
            constexpr std::size_t row = 5;
            constexpr std::size_t block = 0;
            const auto b = view.block(row, block);
            // Every byte of the block and of the header set: whatever it means, it is no scale that
            // is finite, except where a scale has no infinity and no NaN.
            auto* const data = reinterpret_cast<std::uint8_t*>(bytes.data());
            const auto* const base = reinterpret_cast<const std::uint8_t*>(bytes.data());
            std::memset(data + (b.bytes - base), 0xff, sizeof(typename T::block));
            if constexpr (bpw::traits<T>::header_bytes + bpw::traits<T>::trailer_bytes != 0) {
                std::memset(data + (b.header - base), 0xff, 2);
                if constexpr (bpw::traits<T>::header_bytes >= 4 ||
                              bpw::traits<T>::trailer_bytes != 0) {
                    std::memset(data + (b.header - base), 0xff, 4);
                }
            }
            const bool integer = t.name.starts_with("i8") || t.name.starts_with("i16") ||
                                 t.name.starts_with("i32") || t.name.starts_with("i64");
            const auto checked = bpw::validate({t.id, bytes, rows, cols});
            EXPECT_EQ(checked.ok(), integer) << t.name;
        });
    }
}

TEST(validate, names_the_place) {
    auto bytes = zeros(type_id::q4_K, rows, cols);
    // d of the second block of row 3 is infinite, dmin of the first of row 9 NaN.
    const auto at = [&](std::size_t row, std::size_t block) {
        return bytes.data() + (row * 2 + block) * 144;
    };
    const std::uint16_t infinity = 0x7c00;
    const std::uint16_t nan = 0x7e00;
    std::memcpy(at(9, 0) + 2, &nan, 2);
    expect_fault(type_id::q4_K, bytes, "block 0 of row 9", "an offset that is infinite or NaN");
    std::memcpy(at(3, 1), &infinity, 2);
    expect_fault(type_id::q4_K, bytes, "block 1 of row 3", "a scale that is infinite or NaN");
    expect_fault(type_id::q4_K, bytes, "16 x 512 matrix of q4_K", "(2 such faults in all)");
}

TEST(validate, row_headers) {
    auto bytes = zeros(type_id::iq4_ks, rows, cols);
    const auto row_bytes = static_cast<std::size_t>(*bpw::row_bytes(type_id::iq4_ks, cols));
    const float huge = 1e38F;
    std::memcpy(bytes.data() + 2 * row_bytes, &huge, 4);
    expect_fault(type_id::iq4_ks, bytes, "row 2", "so large that its weights overflow");
    bytes = zeros(type_id::q8_KV, rows, cols);
    bytes[8] = std::byte{1};
    expect_fault(type_id::q8_KV, bytes, "row 0", "a sum in its row's header");
    bytes[4] = std::byte{1};
    EXPECT_TRUE(bpw::validate({type_id::q8_KV, bytes, rows, cols}).ok());
}

TEST(validate, codes_out_of_range) {
    for (const auto type : {type_id::tq2_0, type_id::iq2_bn, type_id::iq2_bn_r4, type_id::i2_s}) {
        auto bytes = zeros(type, rows, cols);
        const bool first = type == type_id::tq2_0 || type == type_id::i2_s;
        const auto at = first ? std::size_t{0}
                              : bpw::info(type).row_header_bytes *
                                    std::size_t{bpw::info(type).rows_interleaved};
        bytes[at] = std::byte{2};
        EXPECT_TRUE(bpw::validate({type, bytes, rows, cols}).ok()) << bpw::name(type);
        bytes[at] = std::byte{3};
        expect_fault(type, bytes, "block 0 of row 0", "the code 3");
    }
    for (const auto type : {type_id::tq1_0, type_id::iq1_bn}) {
        auto bytes = zeros(type, rows, cols);
        const auto at = std::size_t{bpw::info(type).row_header_bytes};
        int packed = 0;
        for (unsigned byte = 0; byte < 256; ++byte) {
            bytes[at] = static_cast<std::byte>(byte);
            packed += bpw::validate({type, bytes, rows, cols}).ok() ? 1 : 0;
        }
        EXPECT_EQ(packed, 243) << bpw::name(type);
    }
}

TEST(validate, plain_numbers) {
    auto bytes = zeros(type_id::f32, rows, cols);
    const float infinity = -std::numeric_limits<float>::infinity();
    std::memcpy(bytes.data() + 4 * (cols + 7), &infinity, 4);
    expect_fault(type_id::f32, bytes, "block 7 of row 1", "a number that is infinite or NaN");
}

}  // namespace
