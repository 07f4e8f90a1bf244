// Numbers and names of types, against what the two projects' enumerations say.
#include <bpw/core/type_id.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <string>

using bpw::dialect;
using bpw::errc;
using bpw::type_id;

namespace {

std::string upper(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return out;
}

std::string why(const bpw::result<type_id>& r) { return r.ok() ? "" : r.error().message; }

// The numbers of each project's enumeration that stand for tensors in files.
const std::set<std::uint32_t> in_mainline{0,  1,  2,  3,  6,  7,  8,  9,  10, 11, 12, 13,
                                          14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
                                          26, 27, 28, 29, 30, 34, 35, 39, 40, 41, 42};
const std::set<std::uint32_t> in_ik{
    0,   1,   2,   3,   6,   7,   8,   9,   10,  11,  12,  13,  14,  15,  16,  17,  18,
    19,  20,  21,  22,  23,  24,  25,  26,  27,  28,  29,  30,  36,  39,  41,  133, 134,
    135, 137, 138, 139, 140, 141, 144, 145, 146, 151, 152, 153, 154, 155, 156, 157, 158,
    202, 206, 208, 210, 211, 212, 213, 214, 216, 217, 218, 219, 220, 221, 222, 223, 229,
    230, 233, 335, 337, 338, 339, 340, 344, 352, 353, 397, 398, 399};

}  // namespace

TEST(type_id, names_lead_back) {
    std::set<std::string> seen;
    for (const auto id : bpw::all_types) {
        const auto name = bpw::name(id);
        SCOPED_TRACE(name);
        EXPECT_TRUE(bpw::is_known(id));
        EXPECT_FALSE(name.empty());
        EXPECT_TRUE(seen.insert(upper(name)).second) << "two types differ by case alone";
        EXPECT_EQ(bpw::type_from_name(name).value(), id);
        EXPECT_EQ(bpw::type_from_name(upper(name)).value(), id);
    }
}

TEST(type_id, spelling_of_recipe_files) {
    EXPECT_EQ(bpw::name(type_id::q4_K), "q4_K");
    EXPECT_EQ(bpw::name(type_id::q8_KV), "q8_KV");
    EXPECT_EQ(bpw::name(type_id::q8_KV_r8), "q8_KV_r8");
    EXPECT_EQ(bpw::name(type_id::q4_k_r4), "q4_k_r4");
    EXPECT_EQ(bpw::name(type_id::iq4_ks), "iq4_ks");
    for (const auto id : bpw::all_types) {
        const std::string name(bpw::name(id));
        std::string lower = name;
        for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        const bool plain_k = name.size() == 4 && name[0] == 'q' && lower.ends_with("_k");
        const bool kv = lower.starts_with("q8_kv");
        const bool k_of_ik = id == type_id::q8_K_ik;
        EXPECT_EQ(name == lower, !plain_k && !kv && !k_of_ik) << name;
    }
}

TEST(type_id, names_of_each_dialect) {
    EXPECT_EQ(bpw::name(type_id::q1_0, dialect::ik), "q1_0_g128");
    EXPECT_EQ(bpw::name(type_id::q1_0, dialect::mainline), "q1_0");
    EXPECT_EQ(bpw::name(type_id::q1_0, dialect::any), "q1_0");
    EXPECT_EQ(bpw::name(type_id::q8_K_ik, dialect::ik), "q8_K");
    EXPECT_EQ(bpw::name(type_id::q4_K, dialect::ik), "q4_K");
    EXPECT_EQ(bpw::type_from_name("q1_0_g128").value(), type_id::q1_0);
    EXPECT_EQ(bpw::type_from_name("Q1_0_G128").value(), type_id::q1_0);
}

TEST(type_id, unknown_names) {
    for (const char* text : {"", "q4", "q4_K_M", "q9_0", " q4_0", "q4_0 ", "iq4-ks"}) {
        const auto r = bpw::type_from_name(text);
        ASSERT_FALSE(r.ok()) << text;
        EXPECT_EQ(r.error().code, errc::unknown_type);
        EXPECT_NE(why(r).find("'" + std::string(text) + "'"), std::string::npos) << why(r);
    }
}

TEST(type_id, values_that_are_no_type) {
    for (const std::uint32_t number : {4u, 97u, 200u, 1000u, 0xffffffffu}) {
        EXPECT_FALSE(bpw::is_known(static_cast<type_id>(number)));
        EXPECT_TRUE(bpw::name(static_cast<type_id>(number)).empty());
    }
}

TEST(type_id, every_number_in_every_dialect) {
    for (std::uint32_t number = 0; number < 70000; ++number) {
        SCOPED_TRACE(number);
        const auto mainline = bpw::type_from_gguf(number, dialect::mainline);
        const auto ik = bpw::type_from_gguf(number, dialect::ik);
        const auto any = bpw::type_from_gguf(number);
        ASSERT_EQ(mainline.ok(), in_mainline.contains(number)) << why(mainline);
        ASSERT_EQ(ik.ok(), in_ik.contains(number)) << why(ik);
        ASSERT_EQ(any.ok(), (mainline.ok() || ik.ok()) && number != 15 && number != 36);
        for (const auto* r : {&mainline, &ik, &any}) {
            if (r->ok()) {
                ASSERT_EQ(bpw::gguf_number(**r), number);
            } else {
                ASSERT_NE(why(*r).find("type number " + std::to_string(number)), std::string::npos);
            }
        }
        if (mainline.ok() && ik.ok() && number != 15) {
            ASSERT_EQ(*mainline, *ik);
        }
        if (any.ok()) {
            ASSERT_EQ(*any, mainline.ok() ? *mainline : *ik);
        }
    }
}

TEST(type_id, writers) {
    for (const auto id : bpw::all_types) {
        const auto number = bpw::gguf_number(id);
        const bool mainline = in_mainline.contains(number) && id != type_id::q8_K_ik;
        const bool ik = in_ik.contains(number) && id != type_id::q8_K;
        const auto want = mainline && ik ? dialect::any
                          : mainline     ? dialect::mainline
                                         : dialect::ik;
        EXPECT_EQ(bpw::writer(id), want) << bpw::name(id);
    }
    EXPECT_EQ(bpw::name(dialect::any), "any");
    EXPECT_EQ(bpw::name(dialect::mainline), "mainline");
    EXPECT_EQ(bpw::name(dialect::ik), "ik");
}

TEST(type_id, ambiguous_numbers) {
    for (std::uint32_t number = 0; number < 500; ++number) {
        EXPECT_EQ(bpw::is_ambiguous(number), number == 15 || number == 36 || number == 41);
    }
    for (const std::uint32_t number : {15u, 36u}) {
        const auto r = bpw::type_from_gguf(number);
        ASSERT_FALSE(r.ok());
        EXPECT_EQ(r.error().code, errc::ambiguous_type);
        EXPECT_NE(why(r).find("state the dialect"), std::string::npos) << why(r);
    }
    EXPECT_EQ(bpw::type_from_gguf(15, dialect::mainline).value(), type_id::q8_K);
    EXPECT_EQ(bpw::type_from_gguf(15, dialect::ik).value(), type_id::q8_K_ik);
    EXPECT_EQ(bpw::type_from_gguf(36, dialect::ik).value(), type_id::i2_s);
    // One layout under two names.
    EXPECT_EQ(bpw::type_from_gguf(41).value(), type_id::q1_0);
}

TEST(type_id, refused_numbers_say_why) {
    const auto says = [](std::uint32_t number, dialect d, std::string_view words) {
        const auto r = bpw::type_from_gguf(number, d);
        ASSERT_FALSE(r.ok()) << number;
        EXPECT_EQ(r.error().code, errc::unknown_type);
        EXPECT_NE(why(r).find(words), std::string::npos) << why(r);
    };
    for (const std::uint32_t number : {4u, 5u, 31u, 32u, 33u, 37u, 38u}) {
        says(number, dialect::any, "removed");
        says(number, dialect::mainline, "removed");
        says(number, dialect::ik, "removed");
    }
    says(36, dialect::mainline, "removed");
    for (const std::uint32_t number : {97u, 98u, 99u, 136u, 147u, 148u, 149u, 150u}) {
        says(number, dialect::any, "activations");
        says(number, dialect::ik, "activations");
    }
    says(144, dialect::mainline, "'ik', not to 'mainline'");
    says(144, dialect::mainline, "iq4_ks");
    says(40, dialect::ik, "'mainline', not to 'ik'");
    says(43, dialect::any, "not one of the known");
    says(0x10000 + 15, dialect::ik, "not one of the known");
    says(0xffffffff, dialect::any, "not one of the known");
}
