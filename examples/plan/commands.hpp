// The commands of `plan` that stand beside planning itself. Each function adds a subcommand, which
// runs when the arguments name it.
#pragma once

#include <CLI/CLI.hpp>

namespace examples {

/// `plan score`: quant scores, their top layer, CSV and pictures.
void add_score(CLI::App& app);

/// `plan recipe`: merges, expands, measures, converts and makes recipes.
void add_recipe(CLI::App& app);

}  // namespace examples
