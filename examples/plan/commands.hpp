// The commands of `plan`. Planning itself is the program; the functions that name others add a
// subcommand each, which runs when the arguments name it.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace examples {

/// `plan`: the best mix within budgets. `command` is the command line, for the recipe's notes.
void add_plan(CLI::App& app, const std::vector<std::string>& command);

/// `plan pareto`: what can be had at which size and speed, as a table, CSV, JSON and picture.
void add_pareto(CLI::App& app);

/// `plan score`: quant scores, their top layer, CSV and pictures.
void add_score(CLI::App& app);

/// `plan recipe`: merges, expands, measures, converts and makes recipes.
void add_recipe(CLI::App& app);

}  // namespace examples
