// generate MODEL PROMPT: continues a text.
#include "common/program.hpp"
#include "common/text.hpp"
#include "llama/model.hpp"
#include "llama/session.hpp"
#include "llama/tokenizer.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <random>
#include <string>
#include <vector>

namespace {

using seconds = std::chrono::duration<double>;

// Draws tokens from the distribution that logits describe; always the likeliest one at
// temperature 0.
class sampler {
  public:
    sampler(double temperature, std::uint64_t seed) : temperature_(temperature), random_(seed) {}

    llama::token operator()(std::span<const float> logits) {
        const auto largest = std::max_element(logits.begin(), logits.end());
        if (temperature_ == 0) return static_cast<llama::token>(largest - logits.begin());
        weights_.clear();
        double sum = 0;
        for (const float l : logits) {
            weights_.push_back(std::exp((double{l} - double{*largest}) / temperature_));
            sum += weights_.back();
        }
        // The standard's distributions differ between libraries; this gives the same text on all.
        double rest = static_cast<double>(random_() >> 11) * 0x1p-53 * sum;
        llama::token t = 0;
        while (t + 1 < weights_.size() && rest >= weights_[t]) rest -= weights_[t++];
        return t;
    }

  private:
    double temperature_;
    std::mt19937_64 random_;
    std::vector<double> weights_;
};

int run(int argc, char** argv) {
    CLI::App app("Continues a text with a Llama model that has a byte-level vocabulary.",
                 "generate");
    std::string file;
    std::string prompt;
    std::size_t count = 200;
    double temperature = 0.7;
    std::uint64_t seed = 1;
    unsigned threads = 0;
    app.add_option("MODEL", file, "GGUF file")->required()->type_name("");
    app.add_option("PROMPT", prompt, "the text to continue; may be empty")
        ->required()
        ->type_name("");
    app.add_option("-n", count, "bytes to add")->capture_default_str()->type_name("N");
    app.add_option("--temperature", temperature,
                   "0: always the likeliest byte; 1: as the model says")
        ->capture_default_str()
        ->type_name("T")
        ->check(CLI::Range(0.0, 100.0).description(""));
    app.add_option("--seed", seed, "chooses one of the possible texts")
        ->capture_default_str()
        ->type_name("S");
    app.add_option("--threads", threads, "threads to compute with (default: all processors)")
        ->type_name("N")
        ->check(CLI::Range(1u, 1024u).description(""));
    CLI11_PARSE(app, argc, argv);

    const llama::model model(file);
    const llama::tokenizer tokenizer(model.file().metadata(), model.size().vocabulary);
    bpw::threads pool(threads);

    // The KV cache takes as many tokens as the text will have, or the model can look back on.
    const auto context = model.size().context;
    const auto wanted = std::min(count, context) + std::min(prompt.size(), context) + 1;
    llama::session session(model, pool, std::min(context, wanted));
    sampler sample(temperature, seed);

    auto text = tokenizer.encode(prompt);
    // What of the text the model is told when it starts anew: the last half of what fits.
    const auto restart = [&] {
        session.clear();
        const auto keep = text.size() < session.capacity() ? text.size() : session.capacity() / 2;
        std::vector<llama::token> input{tokenizer.begin()};
        input.insert(input.end(), text.end() - static_cast<std::ptrdiff_t>(keep), text.end());
        return session.append_last(input);
    };

    std::fwrite(prompt.data(), 1, prompt.size(), stdout);
    std::fflush(stdout);
    const auto start = std::chrono::steady_clock::now();
    auto logits = restart();
    const auto told = session.length();
    const seconds reading = std::chrono::steady_clock::now() - start;

    const auto begun = std::chrono::steady_clock::now();
    std::size_t made = 0;
    while (made < count) {
        const auto next = sample(logits);
        const auto byte = tokenizer.decode(next);
        if (!byte) break;  // the model began another text
        std::fputc(*byte, stdout);
        if (std::fflush(stdout) != 0) break;
        text.push_back(next);
        if (++made == count) break;
        logits =
            session.length() < session.capacity() ? session.append_last({&next, 1}) : restart();
    }
    const seconds writing = std::chrono::steady_clock::now() - begun;
    std::fputc('\n', stdout);
    std::fflush(stdout);

    std::cerr << "prompt: " << told << " tokens, "
              << examples::fixed(static_cast<double>(told) / reading.count(), 0)
              << " tokens/s; text: " << made << " tokens, "
              << examples::fixed(static_cast<double>(made) / writing.count(), 0) << " tokens/s; "
              << pool.count() << (pool.count() == 1 ? " thread\n" : " threads\n");
    return 0;
}

}  // namespace

int main(int argc, char** argv) { return examples::guarded("generate", run, argc, argv); }
