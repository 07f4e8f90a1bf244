// perplexity MODEL... TEXT: how well models predict a text.
//
// The text is cut into windows of 256 bytes; a shorter rest is dropped. A window's input is the
// beginning-of-text token and its first 255 bytes, and all of its 256 bytes are predicted.
// Perplexity is exp of the mean negative log-likelihood, in nats.
#include "common/program.hpp"
#include "common/text.hpp"
#include "llama/model.hpp"
#include "llama/session.hpp"
#include "llama/tokenizer.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

namespace {

constexpr std::size_t window_size = 256;

struct measurement {
    std::string name;
    std::uint64_t bytes;
    double bits_per_weight;
    double perplexity;
    double tokens_per_second;
};

// -log of the probability that the logits give to a token.
double surprise(std::span<const float> logits, llama::token t) {
    const double largest = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (const float l : logits) sum += std::exp(double{l} - largest);
    return largest + std::log(sum) - double{logits[t]};
}

measurement measure(const std::filesystem::path& path, const std::string& text, bpw::threads& run) {
    const llama::model model(path);
    const auto& size = model.size();
    const llama::tokenizer tokenizer(model.file().metadata(), size.vocabulary);
    if (size.context < window_size) {
        throw bpw::error(bpw::fail(bpw::errc::unsupported, "the model's context is ", size.context,
                                   " tokens; expected at least ", window_size));
    }
    llama::session session(model, run, window_size);
    const auto windows = text.size() / window_size;
    double total = 0;
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < windows; ++i) {
        const auto expected =
            tokenizer.encode(std::string_view(text).substr(i * window_size, window_size));
        auto input = expected;
        std::rotate(input.begin(), input.end() - 1, input.end());
        input.front() = tokenizer.begin();
        session.clear();
        const auto logits = session.append(input);
        for (std::size_t t = 0; t < window_size; ++t) {
            total += surprise({logits[t], logits.length}, expected[t]);
        }
    }
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    const auto predictions = static_cast<double>(windows * window_size);
    return {path.filename().string(), model.bytes(), model.bits_per_weight(),
            std::exp(total / predictions), predictions / time.count()};
}

void print_json(const std::vector<measurement>& all, std::size_t windows, unsigned threads) {
    auto models = nlohmann::ordered_json::array();
    for (const auto& m : all) {
        models.push_back({{"model", m.name},
                          {"bytes", m.bytes},
                          {"bits_per_weight", m.bits_per_weight},
                          {"perplexity", m.perplexity},
                          {"tokens_per_second", m.tokens_per_second}});
    }
    const nlohmann::ordered_json out{
        {"windows", windows}, {"threads", threads}, {"models", models}};
    std::cout << out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
}

void print_table(const std::vector<measurement>& all) {
    using enum examples::table::align;
    std::vector<examples::table::column> columns{{"model"},
                                                 {"size", right},
                                                 {"bits/weight", right},
                                                 {"perplexity", right},
                                                 {"against first", right},
                                                 {"tokens/s", right}};
    if (all.size() == 1) columns.erase(columns.begin() + 4);
    examples::table table(columns);
    for (const auto& m : all) {
        const double change = 100 * (m.perplexity / all.front().perplexity - 1);
        std::vector<std::string> row{examples::printable(m.name, 60),
                                     examples::readable_size(m.bytes),
                                     examples::fixed(m.bits_per_weight, 3),
                                     examples::fixed(m.perplexity, 5),
                                     (change < 0 ? "" : "+") + examples::fixed(change, 2) + " %",
                                     examples::fixed(m.tokens_per_second, 0)};
        if (all.size() == 1) row.erase(row.begin() + 4);
        table.add(std::move(row));
    }
    table.print(std::cout);
}

int run(int argc, char** argv) {
    CLI::App app(
        "Measures how well Llama models with a byte-level vocabulary predict a text.\n"
        "The size and the bits per weight are those of all tensors of the file.",
        "perplexity");
    std::vector<std::string> models;
    unsigned threads = 0;
    bool json = false;
    app.add_option("MODEL", models, "GGUF files; then the text to predict")
        ->required()
        ->type_name("");
    app.add_option("--threads", threads, "threads to compute with (default: all processors)")
        ->type_name("N")
        ->check(CLI::Range(1u, 1024u).description(""));
    app.add_flag("--json", json, "print JSON");
    CLI11_PARSE(app, argc, argv);

    if (models.size() < 2) {
        throw bpw::error(bpw::fail(bpw::errc::not_found, "one file was named, ", models.front(),
                                   "; expected one model or more and a text"));
    }
    const auto text_file = models.back();
    models.pop_back();
    const auto text = examples::read_file(text_file);
    if (text.size() < window_size) {
        throw bpw::error(bpw::fail(bpw::errc::bad_shape, text_file, " has ", text.size(),
                                   " bytes; expected a window of ", window_size, " or more"));
    }
    bpw::threads pool(threads);
    std::vector<measurement> all;
    for (const auto& file : models) {
        try {
            all.push_back(measure(file, text, pool));
        } catch (const bpw::error& e) {
            // With several models it must be said which.
            if (std::string_view(e.what()).starts_with(file)) throw;
            throw bpw::error(e.code(), file + ": " + e.what());
        }
    }

    const auto windows = text.size() / window_size;
    if (json) {
        print_json(all, windows, pool.count());
    } else {
        print_table(all);
        std::cout << "\n"
                  << windows << (windows == 1 ? " window of " : " windows of ") << window_size
                  << " bytes, " << pool.count() << (pool.count() == 1 ? " thread\n" : " threads\n");
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) { return examples::guarded("perplexity", run, argc, argv); }
