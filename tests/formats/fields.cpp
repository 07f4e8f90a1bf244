// Layouts: every bit of every block belongs to exactly one value of one field.
#include <bpw/formats/registry.hpp>
#include <reference/random.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

namespace {

using bytes = std::vector<std::uint8_t>;

// One value of a field of some type.
struct value {
    int field;
    int row;
    int n;
    friend bool operator==(const value&, const value&) = default;
};

// A field of whatever type, so that the checks below are compiled once.
struct any_field {
    int count;
    int width;

    any_field(int n, int bits) : count(n), width(bits) {}
    virtual ~any_field() = default;
    virtual std::uint32_t get(const bytes& block, int k, int n) const = 0;
    virtual void set(bytes& block, int k, int n, std::uint32_t value) const = 0;
};

template <class Field>
struct field_of final : any_field {
    Field field;

    explicit field_of(const Field& f) : any_field(Field::count, Field::width), field(f) {}
    std::uint32_t get(const bytes& block, int k, int n) const override {
        return field.get(block.data(), k, n);
    }
    void set(bytes& block, int k, int n, std::uint32_t value) const override {
        field.set(block.data(), k, n, value);
    }
};

using any_fields = std::vector<std::unique_ptr<any_field>>;

template <class T>
any_fields fields_of() {
    any_fields out;
    T::with_fields([&](const auto&... field) {
        (out.push_back(std::make_unique<field_of<std::remove_cvref_t<decltype(field)>>>(field)),
         ...);
    });
    return out;
}

// Which value each bit of the block belongs to, found by setting the bits of every value alone.
void check_owners(const any_fields& fields, int rows, std::size_t size) {
    std::vector<value> owner(8 * size, value{-1, 0, 0});
    bytes block(size);
    const bytes zero(size);
    std::size_t width_of_all = 0;
    for (std::size_t f = 0; f < fields.size(); ++f) {
        const auto& field = *fields[f];
        for (int k = 0; k < rows; ++k) {
            for (int n = 0; n < field.count; ++n) {
                width_of_all += static_cast<std::size_t>(field.width);
                const value me{static_cast<int>(f), k, n};
                for (int b = 0; b < field.width; ++b) {
                    field.set(block, k, n, 1u << b);
                    ASSERT_EQ(field.get(block, k, n), 1u << b);
                    for (std::size_t i = 0; i < size; ++i) {
                        for (std::size_t j = 0; block[i] != 0 && j < 8; ++j) {
                            if ((block[i] >> j & 1) == 0) continue;
                            auto& o = owner[8 * i + j];
                            ASSERT_TRUE(o.field == -1 || o == me)
                                << "byte " << i << ", bit " << j << " belongs to fields " << o.field
                                << " and " << f;
                            o = me;
                        }
                    }
                    field.set(block, k, n, 0);
                    ASSERT_EQ(block, zero) << "field " << f;
                }
            }
        }
    }
    EXPECT_EQ(width_of_all, 8 * size);
    // The other way round: a bit that changes is seen in the value that owns it.
    reference::random numbers(size);
    for (auto& b : block) b = static_cast<std::uint8_t>(numbers.below(256));
    for (std::size_t i = 0; i < owner.size(); ++i) {
        const auto& o = owner[i];
        ASSERT_NE(o.field, -1) << "byte " << i / 8 << ", bit " << i % 8 << " has no owner";
        const auto& field = *fields[static_cast<std::size_t>(o.field)];
        const auto before = field.get(block, o.row, o.n);
        block[i / 8] = static_cast<std::uint8_t>(block[i / 8] ^ 1u << i % 8);
        ASSERT_NE(field.get(block, o.row, o.n), before) << "bit " << i;
    }
}

// All values of a block written, then read.
void check_values_keep(const any_fields& fields, int rows, std::size_t size) {
    bytes block(size);
    for (const bool write : {true, false}) {
        reference::random numbers(size);
        for (const auto& field : fields) {
            for (int k = 0; k < rows; ++k) {
                for (int n = 0; n < field->count; ++n) {
                    const auto v =
                        static_cast<std::uint32_t>(numbers.bits() >> 32) >> (32 - field->width);
                    if (write) field->set(block, k, n, v);
                    ASSERT_EQ(field->get(block, k, n), v);
                }
            }
        }
    }
}

// The least and the largest lane over a few blocks: zeros, ones, random bytes.
template <class T>
bpw::lane_range lanes_seen() {
    bpw::lane_range seen{0, 0};
    bytes block(sizeof(typename T::block));
    const std::uint8_t header[16] = {};
    reference::random numbers(static_cast<std::uint64_t>(T::id));
    for (int round = 0; round < 8; ++round) {
        for (auto& b : block) {
            b = static_cast<std::uint8_t>(round == 0   ? 0x00
                                          : round == 1 ? 0xff
                                                       : numbers.below(256));
        }
        for (int k = 0; k < bpw::traits<T>::rows; ++k) {
            for (int i = 0; i < T::block_size; ++i) {
                const int lane = T::lane(bpw::block_ref<T>{block.data(), header, k}, i);
                seen.min = std::min(seen.min, lane);
                seen.max = std::max(seen.max, lane);
            }
        }
    }
    return seen;
}

}  // namespace

TEST(fields, every_bit_has_one_owner) {
    int types = 0;
    for (const auto id : bpw::all_types) {
        SCOPED_TRACE(bpw::name(id));
        std::size_t size = 0;
        const auto fields = bpw::visit(id, [&]<class T>(bpw::tag<T>) {
            size = sizeof(typename T::block);
            if constexpr (requires { T::with_fields([](const auto&...) {}); })
                return fields_of<T>();
            else
                return any_fields();
        });
        if (fields.empty()) continue;
        ++types;
        const auto rows = static_cast<int>(bpw::info(id).rows_interleaved);
        check_owners(fields, rows, size);
        check_values_keep(fields, rows, size);
        if (HasFatalFailure()) return;
    }
    // All but the plain numbers.
    EXPECT_EQ(types, 77);
}

// Lanes never leave the range that the type states, whatever the bytes.
TEST(fields, lanes_stay_in_their_range) {
    for (const auto id : bpw::all_types) {
        if (!bpw::info(id).quantized) continue;
        SCOPED_TRACE(bpw::name(id));
        bpw::lane_range stated{0, 0};
        const auto seen = bpw::visit(id, [&]<class T>(bpw::tag<T>) {
            stated = bpw::traits<T>::lanes;
            if constexpr (requires { T::lanes; })
                return lanes_seen<T>();
            else
                return stated;
        });
        EXPECT_GE(seen.min, stated.min);
        EXPECT_LE(seen.max, stated.max);
        // The range is not wider than it needs to be; the trellis reaches its ends rarely.
        EXPECT_LE(seen.min, stated.min * 3 / 4);
        EXPECT_GE(seen.max, stated.max * 3 / 4);
    }
}
