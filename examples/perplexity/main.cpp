// perplexity MODEL... TEXT: how well models predict a text, and how far they are from a base.
//
// Perplexity is exp of the mean negative log-likelihood, in nats.
#include "common/program.hpp"
#include "common/statistics.hpp"
#include "common/text.hpp"
#include "llama/divergence.hpp"
#include "llama/model.hpp"
#include "llama/prediction.hpp"
#include "perplexity/base_file.hpp"
#include "perplexity/picture.hpp"

#include <bpw/plan/loss.hpp>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using bpw::errc;
using examples::estimate;

struct arguments {
    std::vector<std::string> models;
    std::string text;
    std::string base;
    std::string save_base;
    std::string picture;
    std::string divergence_picture;
    unsigned threads = 0;
    bool json = false;
};

// Against a base.
struct comparison {
    estimate log_ratio;  ///< ln(PPL / PPL_base)
    estimate divergence;
    double median = 0;
    double quantile_99 = 0;
    double largest = 0;
    estimate same_top;
    examples::interval same_top_interval{};
};

struct measurement {
    std::string name;
    std::uint64_t bytes;
    double bits_per_weight;
    double perplexity;
    double perplexity_error;
    double tokens_per_second;
    std::optional<comparison> against_base;
};

examples::base_subject subject_of(const std::string& path, const llama::model& m,
                                  const llama::windows& text) {
    return {std::filesystem::path(path).filename().string(),
            static_cast<std::uint32_t>(m.size().vocabulary),
            examples::vocabulary_hash(m.file().metadata()),
            static_cast<std::uint32_t>(llama::window_size), text.count()};
}

// A saved file, or a model that is run now.
struct base {
    std::string name;
    double perplexity = 0;
    std::unique_ptr<examples::base_file> saved;
    std::unique_ptr<llama::live_predictions> live;
    examples::base_subject subject;

    [[nodiscard]] const llama::base_predictions& predictions() const {
        if (saved) return *saved;
        return *live;
    }
    void expect(const examples::base_subject& other, const llama::windows& text) const {
        if (saved) return saved->expect(other, text);
        if (subject.vocabulary == other.vocabulary &&
            subject.vocabulary_hash == other.vocabulary_hash) {
            return;
        }
        throw bpw::error(bpw::fail(errc::unsupported, "the vocabulary of ", other.model,
                                   " is not that of the base ", subject.model,
                                   "; expected the same"));
    }
};

base open_base(const std::string& path, const std::string& text, const std::string& text_file,
               bpw::threads& run) {
    base b;
    b.name = std::filesystem::path(path).filename().string();
    if (examples::is_base_file(path)) {
        b.saved = std::make_unique<examples::base_file>(path);
        b.name = b.saved->subject().model;
    } else {
        const llama::model m(path);
        const llama::windows cut(m, text, text_file);
        b.subject = subject_of(path, m, cut);
        b.live = std::make_unique<llama::live_predictions>(m, cut, run);
    }
    b.perplexity = llama::perplexity(b.predictions());
    return b;
}

comparison compare(const llama::predictions& p) {
    comparison c;
    const auto n = p.surprise.size();
    std::vector<double> change(n);
    for (std::size_t i = 0; i < n; ++i) change[i] = p.surprise[i] - p.base_surprise[i];
    c.log_ratio = examples::mean_of(change, llama::window_size);
    c.divergence = examples::mean_of(p.divergence, llama::window_size);
    c.median = bpw::plan::quantile(p.divergence, 0.5);
    c.quantile_99 = bpw::plan::quantile(p.divergence, 0.99);
    c.largest = *std::max_element(p.divergence.begin(), p.divergence.end());
    c.same_top = examples::mean_of(p.same_top, llama::window_size);
    c.same_top_interval = examples::share_confidence(c.same_top, n);
    return c;
}

measurement measure(const std::string& path, const arguments& args, const std::string& text,
                    const base* against, bpw::threads& run) {
    const llama::model model(path);
    const llama::windows cut(model, text, args.text);
    if (against != nullptr) against->expect(subject_of(path, model, cut), cut);
    if (!args.save_base.empty()) {
        examples::base_writer out(args.save_base, subject_of(path, model, cut));
        llama::predict(model, cut, run, [&](std::size_t i, bpw::vectors<const float> logits) {
            out.add(i, cut.expected(i), logits);
        });
        out.finish();
    }
    const auto start = std::chrono::steady_clock::now();
    const auto p =
        llama::examine(model, cut, against == nullptr ? nullptr : &against->predictions(), run);
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    const auto loss = examples::mean_of(p.surprise, llama::window_size);
    measurement m{std::filesystem::path(path).filename().string(),
                  model.bytes(),
                  model.bits_per_weight(),
                  std::exp(loss.mean),
                  std::exp(loss.mean) * loss.error,
                  static_cast<double>(p.surprise.size()) / time.count(),
                  {}};
    if (against != nullptr) m.against_base = compare(p);
    return m;
}

using json = nlohmann::ordered_json;

json to_json(const estimate& e, const examples::interval& i) {
    return {{"mean", e.mean},
            {"standard_error", e.error},
            {"confidence_95", json::array({i.low, i.high})}};
}
json to_json(const estimate& e) { return to_json(e, examples::confidence(e)); }

void print_json(const std::vector<measurement>& all, const base* against, std::size_t windows,
                unsigned threads) {
    auto models = json::array();
    for (const auto& m : all) {
        json one{{"model", m.name},
                 {"bytes", m.bytes},
                 {"bits_per_weight", m.bits_per_weight},
                 {"perplexity", m.perplexity},
                 {"perplexity_standard_error", m.perplexity_error},
                 {"tokens_per_second", m.tokens_per_second}};
        if (m.against_base) {
            const auto& c = *m.against_base;
            one["log_perplexity_ratio"] = to_json(c.log_ratio);
            auto d = to_json(c.divergence);
            d["median"] = c.median;
            d["quantile_99"] = c.quantile_99;
            d["max"] = c.largest;
            one["kl_divergence"] = std::move(d);
            one["same_top_token"] = to_json(c.same_top, c.same_top_interval);
        }
        models.push_back(std::move(one));
    }
    json out{{"windows", windows}, {"threads", threads}};
    if (against != nullptr) {
        out["base"] = against->name;
        out["base_perplexity"] = against->perplexity;
    }
    out["models"] = std::move(models);
    std::cout << out.dump(2, ' ', false, json::error_handler_t::replace) << '\n';
}

std::string with_error(const estimate& e, int digits, double scale = 1) {
    // U+00B1 is plus-minus.
    return examples::fixed(scale * e.mean, digits) + " \xC2\xB1 " +
           examples::fixed(scale * e.error, digits);
}

// The models with one of the things that can be lost.
enum class lost { perplexity, divergence };
std::vector<examples::sized_loss> losses(const std::vector<measurement>& all, lost which) {
    std::vector<examples::sized_loss> out;
    for (const auto& m : all) {
        out.push_back({m.name, m.bytes,
                       which == lost::perplexity ? m.perplexity : m.against_base->divergence.mean});
    }
    return out;
}

// With several models, a column that marks those that are worth having.
examples::table with_front(std::vector<examples::table::column> columns, bool several) {
    if (several) columns.push_back({"front"});
    return examples::table(std::move(columns));
}
void add_with_front(examples::table& table, std::vector<std::string> row,
                    const std::vector<bool>& front, std::size_t i) {
    if (front.size() > 1) row.emplace_back(front[i] ? "*" : "");
    table.add(std::move(row));
}

void print_table(const std::vector<measurement>& all) {
    using enum examples::table::align;
    const bool with_base = all.front().against_base.has_value();
    const bool several = all.size() > 1 && !with_base;
    std::vector<examples::table::column> columns{
        {"model"}, {"size", right}, {"bits/weight", right}, {"perplexity", right}};
    if (several) columns.push_back({"against first", right});
    if (with_base) columns.push_back({"ln(PPL/PPL base)", right});
    columns.push_back({"tokens/s", right});
    auto table = with_front(std::move(columns), all.size() > 1);
    const auto front = examples::front_of(losses(all, lost::perplexity));
    for (std::size_t i = 0; i < all.size(); ++i) {
        const auto& m = all[i];
        std::vector<std::string> row{examples::printable(m.name, 60),
                                     examples::readable_size(m.bytes),
                                     examples::fixed(m.bits_per_weight, 3),
                                     with_error({m.perplexity, m.perplexity_error}, 5)};
        if (several) {
            const double change = 100 * (m.perplexity / all.front().perplexity - 1);
            row.push_back((change < 0 ? "" : "+") + examples::fixed(change, 2) + " %");
        }
        if (with_base) row.push_back(with_error(m.against_base->log_ratio, 5));
        row.push_back(examples::fixed(m.tokens_per_second, 0));
        add_with_front(table, std::move(row), front, i);
    }
    table.print(std::cout);
}

void print_divergences(const std::vector<measurement>& all) {
    using enum examples::table::align;
    auto table = with_front({{"model"},
                             {"KL divergence", right},
                             {"median", right},
                             {"99 %", right},
                             {"max", right},
                             {"same top token", right}},
                            all.size() > 1);
    const auto front = examples::front_of(losses(all, lost::divergence));
    for (std::size_t i = 0; i < all.size(); ++i) {
        const auto& m = all[i];
        const auto& c = *m.against_base;
        add_with_front(table,
                       {examples::printable(m.name, 60), with_error(c.divergence, 6),
                        examples::fixed(c.median, 6), examples::fixed(c.quantile_99, 5),
                        examples::fixed(c.largest, 4), with_error(c.same_top, 2, 100) + " %"},
                       front, i);
    }
    table.print(std::cout);
}

void check_arguments(const arguments& a) {
    if (a.text.empty()) {
        throw bpw::error(bpw::fail(errc::not_found, "one file was named, ", a.models.front(),
                                   "; expected one model or more and a text"));
    }
    if (!a.divergence_picture.empty() && a.base.empty()) {
        throw bpw::error(bpw::fail(errc::not_found,
                                   "--plot-divergence needs something to diverge from; expected "
                                   "--base FILE"));
    }
    if (a.save_base.empty()) return;
    if (a.models.size() > 1 || !a.base.empty()) {
        throw bpw::error(bpw::fail(errc::unsupported, "--save-base goes with ",
                                   a.models.size() > 1 ? "several models" : "--base",
                                   "; expected one model, whose predictions are saved"));
    }
}

void draw_pictures(const arguments& args, const std::vector<measurement>& all) {
    const auto text = std::filesystem::path(args.text).filename().string();
    if (!args.picture.empty()) {
        examples::draw_front(losses(all, lost::perplexity), "Perplexity and size", text,
                             "perplexity", false, args.picture);
    }
    if (!args.divergence_picture.empty()) {
        const auto from = std::filesystem::path(args.base).filename().string();
        examples::draw_front(losses(all, lost::divergence), "Divergence and size",
                             text + ", against " + from, "mean KL divergence (nats)", true,
                             args.divergence_picture);
    }
}

int run(int argc, char** argv) {
    arguments args;
    CLI::App app(
        "Measures how well Llama models with a byte-level vocabulary predict a text, and how far\n"
        "their predictions are from those of a base, such as the model before it was quantized.\n"
        "The size and the bits per weight are those of all tensors of the file. Behind \xC2\xB1 "
        "stands the\nstandard error.",
        "perplexity");
    app.add_option("MODEL", args.models, "GGUF files; then the text to predict")
        ->required()
        ->type_name("");
    app.add_option("--base", args.base,
                   "compare with this base: KL divergence, the same top token, ln(PPL/PPL base); "
                   "a file of --save-base, or a GGUF model")
        ->type_name("FILE");
    app.add_option("--save-base", args.save_base, "save the model's predictions as a base")
        ->type_name("FILE");
    app.add_option("--plot", args.picture,
                   "draw perplexity against size, and which models are best: FILE.svg or FILE.png")
        ->type_name("FILE");
    app.add_option("--plot-divergence", args.divergence_picture,
                   "with --base: the same for the KL divergence")
        ->type_name("FILE");
    app.add_option("--threads", args.threads, "threads to compute with (default: all processors)")
        ->type_name("N")
        ->check(CLI::Range(1u, 1024u).description(""));
    app.add_flag("--json", args.json, "print JSON");
    CLI11_PARSE(app, argc, argv);

    if (args.models.size() > 1) {
        args.text = args.models.back();
        args.models.pop_back();
    }
    check_arguments(args);
    const auto text = examples::read_file(args.text);

    bpw::threads pool(args.threads);
    std::vector<measurement> all;
    // With several models it must be said which.
    const auto naming = [](const std::string& file, const auto& f) {
        try {
            return f();
        } catch (const bpw::error& e) {
            if (std::string_view(e.what()).starts_with(file)) throw;
            throw bpw::error(e.code(), file + ": " + e.what());
        }
    };
    std::optional<base> against;
    if (!args.base.empty()) {
        against = naming(args.base, [&] { return open_base(args.base, text, args.text, pool); });
    }
    const auto* const known = against ? &*against : nullptr;
    for (const auto& file : args.models) {
        all.push_back(naming(file, [&] { return measure(file, args, text, known, pool); }));
    }

    draw_pictures(args, all);
    const auto windows = text.size() / llama::window_size;
    if (args.json) {
        print_json(all, known, windows, pool.count());
        return 0;
    }
    print_table(all);
    if (known != nullptr) {
        std::cout << '\n';
        print_divergences(all);
    }
    std::cout << "\n"
              << windows << (windows == 1 ? " window of " : " windows of ") << llama::window_size
              << " bytes, " << pool.count() << (pool.count() == 1 ? " thread" : " threads");
    if (known != nullptr) {
        std::cout << "; the base is " << examples::printable(known->name, 60) << ", perplexity "
                  << examples::fixed(known->perplexity, 5);
    }
    std::cout << '\n';
    if (all.size() > 1) {
        std::cout << "front: * no other is as small and as good, or better in one of the two\n";
    }
    if (!args.save_base.empty()) {
        std::cout << "saved as a base: " << args.save_base << '\n';
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) { return examples::guarded("perplexity", run, argc, argv); }
