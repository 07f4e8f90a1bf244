// A libFuzzer target for the planner's other parsers and for planning itself. The first byte picks
// a parser; whatever is refused has a message, and what is read is used.
//
//   clang++ -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -I include \
//       tests/fuzz/plan_fuzzer.cpp -o plan_fuzzer
//   ./plan_fuzzer -max_len=4096 CORPUS_FOLDER
#include <bpw/plan.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

namespace plan = bpw::plan;

template <class T>
bool checked(const bpw::result<T>& r) {
    if (!r && r.error().message.empty()) std::abort();
    return r.ok();
}

void use_pattern(std::string_view text, plan::regex_syntax syntax) {
    // The name is the part behind the first line end.
    const auto end = text.find('\n');
    const auto p = plan::pattern::compile(text.substr(0, end), syntax);
    if (!checked(p)) return;
    const auto name =
        end == std::string_view::npos ? "blk.12.ffn_up.weight" : text.substr(end + 1, 200);
    if (p->matches(name) && !p->search(name)) std::abort();
}

// A map, a NUL, calibration results, a NUL, a cost curve.
void use_plan(std::string_view text) {
    const auto parts = plan::split(text, '\0');
    if (parts.size() < 2) return;
    auto map = plan::read_tensor_map(parts[0], "map");
    const auto c = plan::read_calibration(parts[1], "csv");
    if (!checked(map) || !checked(c)) return;
    const auto curve = parts.size() > 2 ? plan::read_cost_curve(parts[2], "curve")
                                        : bpw::result(plan::default_cost_curve());
    if (!checked(curve)) return;
    const auto m = plan::model::from_map(*std::move(map));
    plan::plan_request r;
    plan::class_request k;
    k.name = "GPU";
    k.pool = {bpw::type_id::q8_0, bpw::type_id::iq4_ks, bpw::type_id::q2_K};
    k.size = plan::budget::of_percent(60);
    r.classes.push_back(std::move(k));
    r.loss = text.size() % 2 == 0 ? plan::loss_options::better() : plan::loss_options{};
    r.ties.push_back(*plan::read_group("ffn_up,ffn_gate"));
    r.limits.states = 1000;
    const auto p = plan::make_plan(m, *c, *curve, r);
    if (!checked(p)) return;
    if (!p->feasible()) {
        if (checked(p->check_feasible())) std::abort();
        return;
    }
    const auto& made = p->classes[0];
    if (made.budget_bytes && made.bytes() > *made.budget_bytes) std::abort();
    const auto recipe = plan::write_raw_recipe(m, *p, {});
    if (recipe.empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0] % 9) {
        case 0:
            checked(plan::read_csv(text, "file"));
            break;
        case 1:
            checked(plan::read_tensor_map(text, "file"));
            break;
        case 2:
            checked(plan::read_calibration(text, "file"));
            checked(plan::read_calibration(text, "file", "q2_K"));
            break;
        case 3:
            checked(plan::read_cost_curve(text, "file"));
            checked(plan::read_speeds(text, "file", 1e9));
            break;
        case 4:
            checked(plan::read_joint_groups(text, "file"));
            break;
        case 5:
            checked(plan::read_budget(text));
            break;
        case 6:
            use_pattern(text, plan::regex_syntax::ere);
            break;
        case 7:
            use_pattern(text, plan::regex_syntax::ecmascript);
            break;
        default:
            use_plan(text);
    }
    return 0;
}
