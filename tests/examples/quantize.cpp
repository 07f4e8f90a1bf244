// The program quantize, run as a user runs it: what it writes, what it says, and what it leaves
// behind when it is stopped.
#include "examples/program.hpp"
#include "gguf/image.hpp"
#include "gguf/temporary.hpp"

#include <bpw/formats/validate.hpp>
#include <bpw/gguf.hpp>

#include <gtest/gtest.h>

#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace {

namespace fs = std::filesystem;
namespace gguf = bpw::gguf;
using bpw::type_id;
using examples_test::model;
using gguf_test::byte_vector;
using gguf_test::temporary_folder;

std::string bytes_of(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

void expect_words(const std::string& text, const std::vector<std::string>& words) {
    for (const auto& w : words)
        EXPECT_NE(text.find(w), text.npos) << "no '" << w << "' in " << text;
}

class quantize : public testing::Test {
  protected:
    [[nodiscard]] std::string at(const std::string& name) const {
        return (folder_.path() / name).string();
    }
    [[nodiscard]] std::string write(const std::string& name, const std::string& text) const {
        std::ofstream(at(name), std::ios::binary) << text;
        return at(name);
    }
    [[nodiscard]] std::set<std::string> names() const {
        std::set<std::string> out;
        for (const auto& e : fs::directory_iterator(folder_.path())) {
            out.insert(e.path().filename().string());
        }
        return out;
    }
    static void succeed(const std::vector<std::string>& arguments) {
        const auto o = examples_test::run("quantize", arguments);
        EXPECT_EQ(o.status, 0) << o.err;
    }
    // One line on standard error that says it, and nothing new in the folder.
    void refused(const std::vector<std::string>& arguments, const std::vector<std::string>& words) {
        const auto before = names();
        const auto o = examples_test::run("quantize", arguments);
        EXPECT_EQ(o.status, 1) << o.out;
        EXPECT_TRUE(o.err.find("quantize: ") != o.err.npos) << o.err;
        expect_words(o.err, words);
        EXPECT_EQ(names(), before);
    }

    // An importance of `value` for the columns of every matrix of the small model, in the older
    // format.
    static std::string importance(float value, const std::string& only = {}) {
        const auto f = gguf::file::open(model("tinylm-f16.gguf"));
        std::string entries;
        std::int32_t count = 0;
        const auto put = [&](std::string& to, const auto& number) {
            to.append(reinterpret_cast<const char*>(&number), sizeof number);
        };
        for (const auto& t : f.tensors()) {
            if (t.shape().size() != 2 || (!only.empty() && t.name() != only)) continue;
            ++count;
            put(entries, static_cast<std::int32_t>(t.name().size()));
            entries += t.name();
            put(entries, std::int32_t{2});
            put(entries, static_cast<std::int32_t>(t.cols()));
            for (std::uint64_t i = 0; i < t.cols(); ++i) {
                put(entries, 2 * value * static_cast<float>(1 + i % 7));
            }
        }
        std::string out;
        put(out, count);
        out += entries;
        put(out, std::int32_t{12});
        put(out, std::int32_t{8});
        return out + "text.txt";
    }

    temporary_folder folder_;
};

TEST_F(quantize, copies_what_is_not_asked_for) {
    for (const char* name : {"tinylm-f16.gguf", "tinylm-mix-3.gguf", "tinylm-mix-2-rN.gguf"}) {
        succeed({model(name), at("out.gguf"), "--check"});
        EXPECT_TRUE(bytes_of(at("out.gguf")) == bytes_of(model(name))) << name;
    }
    EXPECT_EQ(names(), std::set<std::string>{"out.gguf"});
}

TEST_F(quantize, encodes_one_type) {
    const auto o = examples_test::run(
        "quantize", {model("tinylm-f16.gguf"), at("out.gguf"), "--type", "q8_0", "--check"});
    ASSERT_EQ(o.status, 0) << o.err;
    expect_words(o.out, {"q8_0", "bits/weight", "error %", "out.gguf"});
    expect_words(o.err, {"f16 to q8_0"});
    const auto from = gguf::file::open(model("tinylm-f16.gguf"));
    const auto to = gguf::file::open(at("out.gguf"), {.strict = true});
    ASSERT_EQ(from.tensors().size(), to.tensors().size());
    for (std::size_t i = 0; i < from.tensors().size(); ++i) {
        const auto& a = from.tensors()[i];
        const auto& b = to.tensors()[i];
        EXPECT_EQ(a.name(), b.name());
        const bool matrix = a.shape().size() == 2;
        EXPECT_EQ(b.type(), matrix ? type_id::q8_0 : *a.type()) << a.name();
    }
    EXPECT_FALSE(to.metadata().contains("general.file_type"));
    EXPECT_EQ(to.metadata().get<std::uint32_t>("general.quantization_version").value(), 2u);
    EXPECT_EQ(to.metadata().get<std::string>("general.architecture").value(), "llama");

    const auto dry =
        examples_test::run("quantize", {model("tinylm-f16.gguf"), "--type", "q8_0", "--dry-run"});
    expect_words(dry.out, {std::to_string(fs::file_size(at("out.gguf")))});
}

TEST_F(quantize, gives_the_same_bytes_for_any_number_of_threads) {
    succeed({model("tinylm-f16.gguf"), at("one.gguf"), "--type", "q4_0", "--threads", "1"});
    succeed({model("tinylm-f16.gguf"), at("five.gguf"), "--type", "q4_0", "--threads", "5"});
    EXPECT_TRUE(bytes_of(at("one.gguf")) == bytes_of(at("five.gguf")));
}

TEST_F(quantize, repacks_and_back_without_loss) {
    succeed({model("tinylm-mix-2-rN.gguf"), at("base.gguf"), "--repack", "base", "--check"});
    succeed({at("base.gguf"), at("again.gguf"), "--repack", "interleaved", "--check"});
    const auto original = gguf::file::open(model("tinylm-mix-2-rN.gguf"));
    const auto base = gguf::file::open(at("base.gguf"));
    const auto again = gguf::file::open(at("again.gguf"));
    for (std::size_t i = 0; i < original.tensors().size(); ++i) {
        EXPECT_FALSE(bpw::info(*base.tensors()[i].type()).base.has_value());
        if (original.tensors()[i].type() != again.tensors()[i].type()) continue;
        EXPECT_TRUE(
            std::ranges::equal(*original.tensors()[i].bytes(), *again.tensors()[i].bytes()));
    }
    refused({model("tinylm-f16.gguf"), at("x.gguf"), "--repack", "interleaved"},
            {"no tensor", "can be repacked", "interleaved"});
}

TEST_F(quantize, splits_and_keeps_splits) {
    succeed({model("tinylm-f16.gguf"), at("s.gguf"), "--split-max-tensors", "20"});
    EXPECT_EQ(names(), (std::set<std::string>{"s-00001-of-00002.gguf", "s-00002-of-00002.gguf"}));
    succeed({at("s-00001-of-00002.gguf"), at("k.gguf"), "--keep-split"});
    for (const char* n : {"-00001-of-00002.gguf", "-00002-of-00002.gguf"}) {
        EXPECT_TRUE(bytes_of(at(std::string("s") + n)) == bytes_of(at(std::string("k") + n)));
    }
    succeed({at("s-00002-of-00002.gguf"), at("one.gguf")});
    EXPECT_TRUE(bytes_of(at("one.gguf")) == bytes_of(model("tinylm-f16.gguf")));
}

TEST_F(quantize, follows_recipes) {
    const auto all = write("all.recipe",
                           "# a comment\n"
                           "^blk\\..*\\.ffn_down\\.weight$=q6_K\n"
                           "^output\\.weight$=q8_0\n"
                           "^nothing$=q4_0\n"
                           "norm=q4_0\n"
                           ".*=f32\n");
    const auto o =
        examples_test::run("quantize", {model("tinylm-f16.gguf"), at("out.gguf"), "--recipe", all});
    ASSERT_EQ(o.status, 0) << o.err;
    expect_words(o.err, {"'^nothing$'", "matches no tensor", "never quantized"});
    const auto to = gguf::file::open(at("out.gguf"));
    EXPECT_EQ(to.find("blk.0.ffn_down.weight")->type(), type_id::q6_K);
    EXPECT_EQ(to.find("blk.0.attn_q.weight")->type(), type_id::f16);

    refused({model("tinylm-f16.gguf"), at("x.gguf"), "--recipe", write("none", "^x$=q8_0\n")},
            {"no line of the recipe matches", "none"});
    refused({model("tinylm-f16.gguf"), at("x.gguf"), "--recipe", write("bad", "^x$=q99\n")},
            {"bad:1", "q99"});
    refused({model("tinylm-f16.gguf"), at("x.gguf"), "--recipe", at("missing")}, {"missing"});
    refused({model("tinylm-f16.gguf"), at("x.gguf"), "--custom-q", "nothing=q8_0"},
            {"--custom-q matches none"});
    refused({model("tinylm-f16.gguf"), at("x.gguf"), "--type", "q99"}, {"q99"});
    refused({model("tinylm-f16.gguf"), at("x.gguf"), "--preset", "q99"}, {"q99"});
}

TEST_F(quantize, presets_and_lists) {
    const auto o = examples_test::run(
        "quantize", {model("tinylm-f16.gguf"), at("out.gguf"), "--preset", "q4_K_M", "--project",
                     "mainline", "--custom-q", "attn_k=q8_0"});
    ASSERT_EQ(o.status, 0) << o.err;
    const auto to = gguf::file::open(at("out.gguf"));
    EXPECT_EQ(to.find("blk.1.attn_k.weight")->type(), type_id::q8_0);
    EXPECT_EQ(to.find("blk.1.ffn_gate.weight")->type(), type_id::q4_K);
}

TEST_F(quantize, says_what_it_stores_instead) {
    gguf_test::image m;
    m.kv("general.architecture", gguf::value_type::string, gguf_test::string("llama"))
        .add("blk.0.ffn_down.weight", {96, 8}, 0)
        .add("token_embd.weight", {256, 8}, 0);
    // The image's bytes are small whole numbers, which are tiny floats.
    const auto path = folder_.write("in.gguf", m.build());
    const auto o = examples_test::run(
        "quantize", {path.string(), at("out.gguf"), "--type", "q4_k_r4", "--check"});
    ASSERT_EQ(o.status, 0) << o.err;
    expect_words(o.err,
                 {"blk.0.ffn_down.weight becomes q5_0 instead of q4_k_r4", "rows of 96 weights",
                  "token_embd.weight becomes q4_K instead of q4_k_r4"});
    const auto mix = examples_test::run(
        "quantize", {path.string(), at("mix.gguf"), "--preset", "q4_k_r4", "--dry-run"});
    ASSERT_EQ(mix.status, 0) << mix.err;
    expect_words(mix.err, {"blk.0.ffn_down.weight becomes q5_0 instead of q4_k_r4"});
}

TEST_F(quantize, plans_and_encodes) {
    const auto f = gguf::file::open(model("tinylm-f16.gguf"));
    std::string header = "QTYPE";
    std::string row = "iq1_kt";
    int k = 0;
    for (const auto& t : f.tensors()) {
        if (t.shape().size() != 2) continue;
        header.append(",").append(t.name());
        row.append(",0.0").append(std::to_string(10 + k++ % 7 * 11));
    }
    const auto csv = write("kld.csv", header + "\n" + row + "\n");
    const auto o = examples_test::run(
        "quantize", {model("tinylm-f16.gguf"), at("out.gguf"), "--plan", "2.5MiB", "--calibration",
                     csv, "--quants", "q8_0,iq6_k,iq4_k,q2_K", "--check"});
    ASSERT_EQ(o.status, 0) << o.err;
    const auto size = fs::file_size(at("out.gguf"));
    EXPECT_LE(size, 5u << 19);
    EXPECT_GE(size, 9u << 18);
    refused({model("tinylm-f16.gguf"), at("x.gguf"), "--plan", "100KiB", "--calibration", csv,
             "--quants", "q8_0,q2_K"},
            {"class GPU needs at least", "budget"});
}

TEST_F(quantize, importance_matrices) {
    const auto path = write("imatrix.dat", importance(3));
    succeed({model("tinylm-f16.gguf"), at("with.gguf"), "--custom-q", "attn_k=iq2_xxs", "--imatrix",
             path, "--check"});
    const auto to = gguf::file::open(at("with.gguf"));
    EXPECT_EQ(to.metadata().get<std::string>("quantize.imatrix.file").value(), "imatrix.dat");
    EXPECT_EQ(to.metadata().get<std::uint32_t>("quantize.imatrix.chunks_count").value(), 12u);
    EXPECT_EQ(to.metadata().get<std::string>("quantize.imatrix.dataset").value(), "text.txt");

    // The same numbers as a GGUF file give the same tensors.
    const auto f = gguf::file::open(model("tinylm-f16.gguf"));
    gguf::new_part part;
    byte_vector data;
    part.metadata.set("general.type", "imatrix").value();
    for (const auto& t : f.tensors()) {
        if (t.shape().size() != 2) continue;
        const std::string name(t.name());
        part.tensors.push_back({name + ".in_sum2", {t.cols(), 1}});
        part.tensors.push_back({name + ".counts", {1, 1}});
    }
    auto out = gguf::writer::create(at("imatrix.gguf"), std::vector{part});
    for (const auto& t : f.tensors()) {
        if (t.shape().size() != 2) continue;
        for (std::uint64_t i = 0; i < t.cols(); ++i) {
            const float sum = 8 * 3 * static_cast<float>(1 + i % 7);
            out.append(std::as_bytes(std::span(&sum, 1)));
        }
        const float count = 8;
        out.append(std::as_bytes(std::span(&count, 1)));
    }
    out.finish();
    succeed({model("tinylm-f16.gguf"), at("other.gguf"), "--custom-q", "attn_k=iq2_xxs",
             "--imatrix", at("imatrix.gguf")});
    const auto other = gguf::file::open(at("other.gguf"));
    for (std::size_t i = 0; i < to.tensors().size(); ++i) {
        EXPECT_TRUE(std::ranges::equal(*to.tensors()[i].bytes(), *other.tensors()[i].bytes()));
    }

    refused({model("tinylm-f16.gguf"), at("x.gguf"), "--custom-q", "attn_k=iq2_xxs"},
            {"attn_k", "iq2_xxs", "without an importance matrix"});
    refused({model("tinylm-f16.gguf"), at("x.gguf"), "--custom-q", "attn_k=iq2_xxs", "--imatrix",
             write("part", importance(1, "blk.0.attn_k.weight"))},
            {"blk.1.attn_k.weight", "no entry"});
    refused({model("tinylm-f16.gguf"), at("x.gguf"), "--custom-q", "attn_k=q8_0", "--imatrix",
             write("part", importance(1, "output.weight"))},
            {"none for any"});
    refused({model("tinylm-f16.gguf"), at("x.gguf"), "--type", "q8_0", "--imatrix",
             write("nan", importance(std::numeric_limits<float>::quiet_NaN()))},
            {"column 0", "NaN"});
}

TEST_F(quantize, truncated_importance_matrices) {
    const auto whole = importance(1);
    // Every place in the first entry, then now and then.
    std::set<std::size_t> cuts;
    for (std::size_t i = 0; i < 40; i += 3) cuts.insert(i);
    for (std::size_t i = 40; i < whole.size() - 20; i += whole.size() / 7) cuts.insert(i);
    cuts.insert({whole.size() - 17, whole.size() - 15, whole.size() - 3});
    for (const auto cut : cuts) {
        if (cut == whole.size() - 16) continue;
        refused({model("tinylm-f16.gguf"), at("x.gguf"), "--type", "q8_0", "--imatrix",
                 write("cut", whole.substr(0, cut))},
                {"cut"});
    }
}

TEST_F(quantize, refuses_weights_that_are_not_finite) {
    for (const float bad :
         {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
        gguf_test::image m;
        m.add("blk.0.ffn_up.weight", {256, 4}, 0);
        auto bytes = m.build();
        std::memcpy(bytes.data() + bytes.size() - 4 * 256 + 4 * 5, &bad, 4);
        const auto path = folder_.write("in.gguf", bytes);
        for (const char* type : {"q4_K", "iq4_ks", "q8_0"}) {
            refused(
                {path.string(), at("x.gguf"), "--type", type},
                {"blk.0.ffn_up.weight", "weight 5 of row 3", std::isinf(bad) ? "infinite" : "NaN"});
        }
        refused({path.string(), at("x.gguf"), "--check"},
                {"blk.0.ffn_up.weight", "block 5 of row 3"});
    }
}

TEST_F(quantize, checks_files) {
    const auto good = examples_test::run("quantize", {model("tinylm-mix-3.gguf"), "--check"});
    EXPECT_EQ(good.status, 0) << good.err;
    expect_words(good.out, {"39 tensors checked, 0 with faults"});
    auto bytes = bytes_of(model("tinylm-mix-3.gguf"));
    const auto f = gguf::file::open(model("tinylm-mix-3.gguf"));
    for (const auto& t : f.tensors()) {
        if (!bpw::info(*t.type()).quantized) continue;
        const auto at_byte = f.parts()[0].data_offset() + t.offset();
        bytes.replace(at_byte, 16, std::string(16, '\xff'));
        break;
    }
    const auto bad = examples_test::run("quantize", {write("bad.gguf", bytes), "--check"});
    EXPECT_EQ(bad.status, 1);
    expect_words(bad.out, {"1 with faults"});
    expect_words(bad.err, {"block 0 of row 0"});
}

TEST_F(quantize, refuses_what_would_lose_or_overwrite) {
    refused({model("tinylm-mix-3.gguf"), at("x.gguf"), "--type", "q4_0"}, {"--requantize"});
    succeed(
        {model("tinylm-mix-3.gguf"), at("out.gguf"), "--custom-q", "attn_k=q4_0", "--requantize"});
    const auto before = bytes_of(at("out.gguf"));
    refused({at("out.gguf"), at("out.gguf"), "--type", "f16"}, {"is the model that is read"});
    EXPECT_TRUE(bytes_of(at("out.gguf")) == before);
    refused({model("tinylm-f16.gguf"), at("x.gguf"), "--type", "q4_0", "--preset", "q4_K_M"},
            {"more than one"});
    refused({model("tinylm-f16.gguf"), "--type", "q4_0"}, {"no file to write"});
    refused({model("tinylm-f16.gguf"), at("no/x.gguf"), "--type", "q4_0"}, {"No such file"});
    refused({model("tinylm-f16.gguf"), folder_.path().string(), "--type", "q4_0"}, {"a directory"});
    refused({at("missing.gguf"), at("x.gguf"), "--type", "q4_0"}, {"missing.gguf"});
    refused({model("prose.txt"), at("x.gguf"), "--type", "q4_0"}, {"prose.txt"});
    refused({model("tinylm-f16.gguf"), at("x.gguf"), "--plan", "2MiB"}, {"--calibration"});
}

TEST_F(quantize, says_that_a_file_may_not_grow) {
    ::rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    ::rlimit small = before;
    small.rlim_cur = 1 << 20;
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    refused({model("tinylm-f16.gguf"), at("x.gguf"), "--type", "q8_0"},
            {"x.gguf", "File too large"});
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
}

TEST_F(quantize, says_that_the_disk_is_full) {
    const auto disk = at("disk");
    fs::create_directory(disk);
    if (::mount("none", disk.c_str(), "tmpfs", 0, "size=1m") != 0) {
        ASSERT_EQ(errno, EPERM) << std::strerror(errno);
        GTEST_SKIP() << "only root may mount a small disk";
    }
    const auto o = examples_test::run(
        "quantize", {model("tinylm-f16.gguf"), disk + "/x.gguf", "--type", "q8_0"});
    const bool empty = fs::is_empty(disk);
    ::umount(disk.c_str());
    EXPECT_EQ(o.status, 1);
    expect_words(o.err, {"x.gguf", "No space left"});
    EXPECT_TRUE(empty);
}

TEST_F(quantize, leaves_no_half_file_when_it_is_killed) {
    const auto program = std::string(BPW_EXAMPLES_DIR) + "/quantize";
    if (!std::string(BPW_EXAMPLES_EMULATOR).empty())
        GTEST_SKIP() << "a signal would end the emulator, not the program";
    for (const int signal : {SIGKILL, SIGTERM}) {
        for (int round = 0; round < 6; ++round) {
            const auto out = at("killed.gguf");
            const auto child = ::fork();
            ASSERT_GE(child, 0);
            if (child == 0) {
                if (std::freopen("/dev/null", "w", stdout) == nullptr ||
                    std::freopen("/dev/null", "w", stderr) == nullptr) {
                    ::_exit(126);
                }
                ::execl(program.c_str(), "quantize", model("tinylm-f16.gguf").c_str(), out.c_str(),
                        "--type", "iq4_k", "--threads", "1", static_cast<char*>(nullptr));
                ::_exit(127);
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(20 + 60 * round));
            ::kill(child, signal);
            int status = 0;
            ASSERT_EQ(::waitpid(child, &status, 0), child);
            if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
                EXPECT_TRUE(gguf::file::try_open(out).ok());
                fs::remove(out);
            } else {
                EXPECT_FALSE(fs::exists(out));
                EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 1);
            }
            // What a killed process was writing has no name, or one that no reader looks for.
            for (const auto& n : names()) {
                EXPECT_NE(n.find(".incomplete-"), n.npos) << n;
                EXPECT_EQ(signal, SIGKILL);
                fs::remove(at(n));
            }
        }
    }
}

}  // namespace
