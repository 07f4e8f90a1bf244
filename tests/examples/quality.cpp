// Divergences, their errors, and the files that keep them: against figures computed by hand, and
// with files that are damaged or of something else.
#include "common/statistics.hpp"
#include "examples/files.hpp"
#include "llama/divergence.hpp"
#include "perplexity/base_file.hpp"
#include "perplexity/picture.hpp"
#include "sensitivity/journal.hpp"

#include <bpw/core/error.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace examples_test {
namespace {

namespace fs = std::filesystem;
using namespace examples;

template <class F>
std::string refusal(const F& f) {
    try {
        f();
    } catch (const bpw::error& e) {
        return e.what();
    }
    return "nothing was refused";
}

void expect_says(const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text << "\nexpected: " << part;
}

// ---- statistics ---------------------------------------------------------------------------------

TEST(statistics, means_of_independent_values) {
    // The sample deviation of 1, 2, 3, 4 is sqrt(5 / 3).
    const std::vector<double> values{1, 2, 3, 4};
    const auto e = mean_of(values, 256);
    EXPECT_DOUBLE_EQ(e.mean, 2.5);
    EXPECT_DOUBLE_EQ(e.error, std::sqrt(5.0 / 3) / 2);
    EXPECT_EQ(mean_of(std::vector<double>{7}, 1).error, 0);
    EXPECT_EQ(mean_of({}, 1).mean, 0);
}

TEST(statistics, values_of_a_cluster_are_not_independent) {
    // Eight clusters whose values all agree say no more than eight values.
    std::vector<double> few;
    std::vector<double> many;
    for (int i = 0; i < 8; ++i) {
        few.push_back(i * i);
        many.insert(many.end(), 16, i * i);
    }
    EXPECT_DOUBLE_EQ(mean_of(many, 16).mean, mean_of(few, 1).mean);
    EXPECT_NEAR(mean_of(many, 16).error, mean_of(few, 1).error, 1e-12);
    EXPECT_LT(mean_of(many, 1).error, mean_of(few, 1).error / 3);
}

TEST(statistics, standard_errors_are_as_wide_as_means_scatter) {
    // Means of clustered noise over many samples scatter as the standard errors say.
    std::mt19937 random(1);
    std::normal_distribution<double> noise;
    std::vector<double> means;
    double squares = 0;
    constexpr int samples = 400;
    for (int s = 0; s < samples; ++s) {
        std::vector<double> values;
        for (int c = 0; c < 30; ++c) {
            const double shared = noise(random);
            for (int i = 0; i < 20; ++i) values.push_back(shared + noise(random));
        }
        const auto e = mean_of(values, 20);
        means.push_back(e.mean);
        squares += e.error * e.error;
    }
    const double scatter = mean_of(means, 1).error * std::sqrt(double{samples});
    EXPECT_NEAR(std::sqrt(squares / samples), scatter, 0.1 * scatter);
}

TEST(statistics, intervals) {
    const auto i = confidence({1, 0.5});
    EXPECT_NEAR(i.low, 1 - 0.5 * 1.959964, 1e-6);
    EXPECT_NEAR(i.high, 1 + 0.5 * 1.959964, 1e-6);
    // Wilson's interval of 8 of 10 is 0.4902 to 0.9433, of 10 of 10 it is 0.7225 to 1.
    const auto some = share_confidence({0.8, std::sqrt(0.8 * 0.2 / 10)}, 10);
    EXPECT_NEAR(some.low, 0.4902, 5e-5);
    EXPECT_NEAR(some.high, 0.9433, 5e-5);
    const auto all = share_confidence({1, 0}, 10);
    EXPECT_NEAR(all.low, 0.7225, 5e-5);
    EXPECT_DOUBLE_EQ(all.high, 1);
}

// ---- divergence ---------------------------------------------------------------------------------

llama::prediction of(const std::vector<float>& logits) {
    return {logits, llama::log_sum_exp(logits)};
}

TEST(divergence, computed_by_hand) {
    // Probabilities 1/2, 1/4, 1/4 and 1/4, 1/2, 1/4: 1/2 ln 2 - 1/4 ln 2. Logits have a constant.
    const auto ln2 = std::log(2.0F);
    const std::vector<float> p{5 + ln2, 5, 5};
    const std::vector<float> q{-3, -3 + ln2, -3};
    EXPECT_NEAR(llama::divergence(of(p), of(q)), 0.25 * std::log(2.0), 1e-6);
    EXPECT_EQ(llama::divergence(of(p), of(p)), 0);
    EXPECT_NEAR(of(p).surprise(0), std::log(2.0), 1e-6);
    EXPECT_NEAR(of(p).surprise(2), std::log(4.0), 1e-6);
    EXPECT_EQ(llama::most_likely(p), 0U);
    EXPECT_EQ(llama::most_likely(q), 1U);
    EXPECT_EQ(llama::most_likely(std::vector<float>{1, 3, 3}), 1U);
    // It is not symmetric, and far apart it stays finite.
    const std::vector<float> sure{0, -1000, -1000};
    EXPECT_NEAR(llama::divergence(of(sure), of(q)), std::log(4.0), 1e-6);
    EXPECT_NEAR(llama::divergence(of(q), of(sure)),
                750 + 0.25 * std::log(0.25) + 0.5 * std::log(0.5) + 0.25 * std::log(0.25), 1e-3);
}

// ---- the front ----------------------------------------------------------------------------------

TEST(front, is_what_nothing_else_beats) {
    const std::vector<sized_loss> models{{"large", 10, 1},        {"larger and no better", 11, 1},
                                         {"small", 5, 3},         {"as large and worse", 5, 4},
                                         {"twin of small", 5, 3}, {"between", 7, 3.5}};
    EXPECT_EQ(front_of(models), (std::vector<bool>{true, false, true, false, true, false}));
    EXPECT_EQ(front_of({{"alone", 1, 1}}), std::vector<bool>{true});
    EXPECT_TRUE(front_of({}).empty());
}

// ---- base files ---------------------------------------------------------------------------------

constexpr std::uint32_t vocabulary = 300;
constexpr std::uint32_t window = 16;

base_subject subject() { return {"a model", vocabulary, 0x1234, window, 3}; }

struct predicted {
    std::vector<llama::token> came;
    std::vector<float> logits;
};

predicted predicted_window(unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> noise(0, 6);
    predicted p;
    for (std::uint32_t t = 0; t < window; ++t) {
        p.came.push_back(static_cast<llama::token>(random() % vocabulary));
        for (std::uint32_t v = 0; v < vocabulary; ++v) p.logits.push_back(noise(random));
    }
    return p;
}

void save(const std::string& path) {
    base_writer out(path, subject());
    // Windows may come in any order.
    for (const std::size_t i : {2U, 0U, 1U}) {
        const auto p = predicted_window(static_cast<unsigned>(i));
        out.add(i, p.came, {p.logits.data(), window, vocabulary});
        EXPECT_FALSE(fs::exists(path));
    }
    out.finish();
}

TEST(base_file, keeps_predictions) {
    const scratch folder;
    save(folder.path("base"));
    const base_file file(folder.path("base"));
    EXPECT_EQ(file.subject().model, "a model");
    EXPECT_EQ(file.windows(), 3U);
    // Two bytes for each token of the vocabulary, and a few more.
    EXPECT_EQ(fs::file_size(folder.path("base")),
              48 + 7 + 3 * (window * (4 + 4 + 8 + 4 + 2 * vocabulary) + 8));
    for (unsigned i = 0; i < 3; ++i) {
        const auto p = predicted_window(i);
        llama::base_predictions::room room;
        const auto w = file.window(i, room);
        for (std::size_t t = 0; t < window; ++t) {
            const std::span row(p.logits.data() + t * vocabulary, vocabulary);
            const llama::prediction exact{row, llama::log_sum_exp(row)};
            EXPECT_EQ(w.surprise[t], exact.surprise(p.came[t]));
            EXPECT_EQ(w.top[t], llama::most_likely(row));
            const llama::prediction kept{{w.logits[t], vocabulary}, w.sum[t]};
            EXPECT_LT(llama::divergence(kept, exact), 1e-7);
            EXPECT_LT(llama::divergence(exact, kept), 1e-7);
        }
    }
}

TEST(base_file, equal_logits) {
    const scratch folder;
    const std::vector<float> logits(window * vocabulary, 4.5F);
    const std::vector<llama::token> came(window, 7);
    auto one = subject();
    one.windows = 1;
    base_writer out(folder.path("base"), one);
    out.add(0, came, {logits.data(), window, vocabulary});
    out.finish();
    const base_file file(folder.path("base"));
    llama::base_predictions::room room;
    EXPECT_NEAR(file.window(0, room).sum[3], std::log(double{vocabulary}), 1e-9);
}

TEST(base_file, refuses_what_is_not_finite_and_leaves_no_file) {
    const scratch folder;
    {
        auto p = predicted_window(0);
        p.logits[5 * vocabulary + 17] = std::numeric_limits<float>::quiet_NaN();
        base_writer out(folder.path("base"), subject());
        expect_says(refusal([&] {
                        out.add(0, p.came, {p.logits.data(), window, vocabulary});
                    }),
                    "prediction 5 of window 0 has logits that are infinite or NaN");
        expect_says(refusal([&] { out.finish(); }), "0 windows were written; expected 3");
    }
    EXPECT_FALSE(fs::exists(folder.path("base")));
    expect_says(refusal([&] { base_writer(folder.path("no/base"), subject()); }),
                "cannot be written");
}

TEST(base_file, every_damaged_byte_is_noticed) {
    const scratch folder;
    save(folder.path("whole"));
    const auto whole = content_of(folder.path("whole"));
    const auto path = folder.path("damaged");
    const auto opened = [&] {
        const base_file file(path);
        for (std::size_t i = 0; i < file.windows(); ++i) {
            llama::base_predictions::room room;
            (void)file.window(i, room);
        }
    };
    // Every byte of the header, and a selection of the others.
    for (std::size_t i = 0; i < whole.size(); i += i < 64 ? 1 : 997) {
        auto bytes = whole;
        bytes[i] = static_cast<char>(bytes[i] ^ 0x10);
        write(path, bytes);
        EXPECT_NE(refusal(opened), "nothing was refused") << "byte " << i;
    }
    for (const std::size_t n : {0U, 7U, 8U, 47U, 48U, 54U, 55U, 1000U, 20000U}) {
        write(path, whole.substr(0, n));
        EXPECT_NE(refusal(opened), "nothing was refused") << n << " bytes";
    }
    write(path, whole.substr(0, whole.size() - 1));
    expect_says(refusal(opened), "was it cut off?");
    write(path, whole + "x");
    expect_says(refusal(opened), "expected 3 windows of");
    auto bytes = whole;
    bytes[8] = 2;
    write(path, bytes);
    expect_says(refusal(opened), "is of version 2 of its format; expected 1");
    write(path, "GGUF and so on");
    expect_says(refusal(opened), "does not begin with 'bpw-base'");
    EXPECT_FALSE(is_base_file(path));
    EXPECT_TRUE(is_base_file(folder.path("whole")));
    expect_says(refusal([&] { base_file(folder.path("none")); }), "cannot be read");
}

// ---- journal ------------------------------------------------------------------------------------

using kind = measured::kind;
const settings of_model{{"model", "abc"}, {"text", "def"}};
const measured first{kind::alone, "q2_K", "blk.0.attn_q.weight"};
const measured second{kind::all, "q8_0", R"(a "group", of two)"};
const loss found{{0.1, 0.01}, {-1.0 / 3, 1e-9}};

TEST(journal, remembers) {
    const scratch folder;
    const auto path = folder.path("measurements.csv");
    {
        journal j(path, of_model);
        EXPECT_FALSE(j.find(first));
        j.add(first, found);
        j.add(second, {{1, 2}, {3, 4}});
    }
    const journal j(path, of_model);
    ASSERT_EQ(j.rows().size(), 2U);
    EXPECT_EQ(j.rows()[1].first, second);
    ASSERT_TRUE(j.find(first));
    EXPECT_EQ(j.find(first)->ppl.mean, found.ppl.mean);
    EXPECT_EQ(j.find(first)->kld.error, found.kld.error);
    EXPECT_FALSE(j.find({kind::all, "q2_K", "blk.0.attn_q.weight"}));
}

TEST(journal, goes_on_after_any_interruption) {
    const scratch folder;
    const auto path = folder.path("measurements.csv");
    {
        journal j(path, of_model);
        j.add(first, found);
        j.add(second, found);
    }
    const auto whole = content_of(path);
    for (std::size_t n = 0; n <= whole.size(); ++n) {
        write(path, whole.substr(0, n));
        {
            journal j(path, of_model);
            EXPECT_EQ(j.was_cut(), n != 0 && whole[n - 1] != '\n');
            for (const auto& m : {first, second}) {
                if (!j.find(m)) j.add(m, found);
            }
        }
        EXPECT_EQ(content_of(path), whole) << n;
    }
}

TEST(journal, refuses_damaged_and_foreign_files) {
    const scratch folder;
    const auto path = folder.path("measurements.csv");
    {
        journal j(path, of_model);
        j.add(first, found);
        j.add(second, found);
    }
    const auto whole = content_of(path);
    const auto opened = [&] { journal(path, of_model); };
    for (std::size_t i = 0; i + 1 < whole.size(); ++i) {
        auto bytes = whole;
        bytes[i] = static_cast<char>(bytes[i] ^ 1);
        write(path, bytes);
        EXPECT_NE(refusal(opened), "nothing was refused") << "byte " << i;
        EXPECT_EQ(content_of(path), bytes) << "a refused file was changed";
    }
    write(path, whole);
    expect_says(refusal([&] {
                    journal(path, {{"model", "abc"}, {"text", "xyz"}});
                }),
                "was begun with text=def; expected text=xyz");
    // A row twice, and a row of another file.
    const auto last = whole.rfind('\n', whole.size() - 2) + 1;
    write(path, whole + whole.substr(last));
    expect_says(refusal(opened), "stands there twice");
    const auto other = folder.path("other.csv");
    { journal(other, {{"model", "other"}, {"text", "def"}}).add(first, found); }
    const auto theirs = content_of(other);
    write(path, whole.substr(0, last) + theirs.substr(theirs.rfind('\n', theirs.size() - 2) + 1));
    expect_says(refusal(opened), "does not have its checksum");
    write(path, "QTYPE,group0\nq8_0,0.1\n");
    expect_says(refusal(opened), "is this a file of another program?");
    write(path, std::string(100, '\0') + "\n");
    expect_says(refusal(opened), "expected 'measured,type,");
}

TEST(journal, has_one_writer) {
    const scratch folder;
    const auto path = folder.path("measurements.csv");
    const journal j(path, of_model);
    expect_says(refusal([&] { journal(path, of_model); }), "is being written by another run");
    expect_says(refusal([&] { journal(folder.path("no/m.csv"), of_model); }), "cannot be written");
}

TEST(journal, writes_csv) {
    EXPECT_EQ(csv_row({"a", "b,c", "say \"d\"", ""}), R"(a,"b,c","say ""d""",)");
    EXPECT_EQ(shortest(0.1), "0.1");
    EXPECT_EQ(shortest(1.0 / 3), "0.3333333333333333");
}

}  // namespace
}  // namespace examples_test
