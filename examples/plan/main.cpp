// plan: which quant type each tensor of a model gets, and what goes with that.
#include "common/program.hpp"
#include "plan/commands.hpp"

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace {

int run(int argc, char** argv) {
    std::vector<std::string> command(argv, argv + argc);
    if (const auto slash = command[0].rfind('/'); slash != std::string::npos) {
        command[0].erase(0, slash + 1);
    }
    CLI::App app(
        "Plans which quant type each tensor of a model gets, so that the least is lost within a\n"
        "size, and proves that there is no better plan. Writes a recipe to standard output.\n\n"
        "  plan kld_results.csv --curve group0/kld_results.csv --size 10GiB\n"
        "       --pool q8_0,iq5_k,iq4_ks,iq3_k,iq2_k > raw.recipe\n"
        "  plan kld_results.csv --model model-00001-of-00005.gguf --size 60%\n\n"
        "Commands written for quant_assign.py run as they are.",
        "plan");
    app.require_subcommand(0, 1);
    app.get_formatter()->column_width(33);
    examples::add_plan(app, command);
    examples::add_pareto(app);
    examples::add_score(app);
    examples::add_recipe(app);
    // A regex that is one bracket expression would be taken for a list.
    std::vector<std::string> words(command.rbegin(), command.rend() - 1);
    for (auto& w : words) {
        if (w.size() > 2 && w.front() == '[' && w.back() == ']') w = std::string("(?:") + w + ")";
    }
    try {
        app.parse(words);
    } catch (const CLI::ParseError& e) {
        return app.exit(e);
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) { return examples::guarded("plan", run, argc, argv); }
