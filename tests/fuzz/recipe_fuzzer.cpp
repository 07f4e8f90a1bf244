// A libFuzzer target for the planner's text formats: recipes, --custom-q lists, layer regexes,
// relative results and groups. Whatever parses is merged, and the merged recipe must give every
// tensor of the input the same type.
//
//   clang++ -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -I include \
//       tests/fuzz/recipe_fuzzer.cpp -o recipe_fuzzer
//   ./recipe_fuzzer -max_len=2048 CORPUS_FOLDER
#include <bpw/plan/custom_q.hpp>
#include <bpw/plan/recipe_merge.hpp>
#include <bpw/plan/score.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace bpw::plan;

template <class T>
bool parsed(const bpw::result<T>& r) {
    if (!r && r.error().message.empty()) std::abort();
    return r.ok();
}

void check_recipe(std::string_view text) {
    const auto r = parse_recipe(text, "fuzz");
    if (!parsed(r)) return;
    const expansion_limits limits{200, std::size_t{1} << 16, 20};
    const auto merged = merge_rules(r->rules, limits);
    if (!parsed(merged)) return;
    recipe again;
    again.rules = merged->tensors;
    again.rules.insert(again.rules.end(), merged->general.begin(), merged->general.end());
    const auto reread = parse_recipe(write_rules(again.rules), "merged");
    if (!reread || reread->rules != again.rules) std::abort();
    const auto before = rule_index::make(r->rules);
    const auto after = rule_index::make(again.rules);
    if (!parsed(before) || !parsed(after)) std::abort();
    const auto same = [&](const std::string& name) {
        const auto a = before->find(name);
        const auto b = after->find(name);
        if (a.has_value() != b.has_value()) std::abort();
        if (a && r->rules[*a].type != again.rules[*b].type) std::abort();
    };
    const auto expanded = expand_rules(r->rules, limits);
    if (!expanded) return;
    for (const auto& rule : *expanded) {
        same(literal_name(rule.regex).value_or(rule.regex));
    }
    same("blk.0.attn_q.weight");
    (void)write_merged(*r);
    (void)recipe_file_name({"m", "u", 1.0, {}}, totals_of(r->summary));
    const auto list = write_custom_q(r->rules);
    if (parsed(list)) (void)parsed(parse_custom_q(*list));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    check_recipe(text);
    if (const auto list = parse_custom_q(text); parsed(list)) {
        if (const auto rules = recipe_rules_of(*list); parsed(rules)) {
            for (const auto& rule : *rules) {
                (void)parsed(pattern::compile(rule.regex, regex_syntax::ere));
            }
        }
    }
    (void)parsed(expand_regex(text, {2000, std::size_t{1} << 18, 20}));
    if (const auto split = split_layer(text)) {
        if (split->before + std::to_string(split->layer) + split->after != text) std::abort();
    }
    (void)parsed(read_relative_results(text, "fuzz"));
    (void)parsed(read_tensor_groups(text, "fuzz"));
    return 0;
}
