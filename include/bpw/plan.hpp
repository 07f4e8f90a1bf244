// The tensor-mix planner: which quant type each tensor of a model gets. Optional; nothing else in
// bpw includes it. The GGUF reader is joined to it by <bpw/plan/gguf_source.hpp>.
#pragma once

#include <bpw/plan/budget.hpp>
#include <bpw/plan/calibration.hpp>
#include <bpw/plan/cost_curve.hpp>
#include <bpw/plan/custom_q.hpp>
#include <bpw/plan/default_curve.hpp>
#include <bpw/plan/groups.hpp>
#include <bpw/plan/knapsack.hpp>
#include <bpw/plan/layer_regex.hpp>
#include <bpw/plan/loss.hpp>
#include <bpw/plan/model.hpp>
#include <bpw/plan/number_text.hpp>
#include <bpw/plan/pareto.hpp>
#include <bpw/plan/pattern.hpp>
#include <bpw/plan/planner.hpp>
#include <bpw/plan/preset.hpp>
#include <bpw/plan/recipe.hpp>
#include <bpw/plan/recipe_merge.hpp>
#include <bpw/plan/report.hpp>
#include <bpw/plan/score.hpp>
#include <bpw/plan/sha256.hpp>
#include <bpw/plan/speed.hpp>
#include <bpw/plan/spread.hpp>
#include <bpw/plan/stored_type.hpp>
#include <bpw/plan/tensor_map.hpp>
#include <bpw/plan/text.hpp>
#include <bpw/plan/timed_knapsack.hpp>
