// inspect FILE: what a GGUF file holds.
#include "common/program.hpp"
#include "common/text.hpp"

#include <bpw/formats/registry.hpp>
#include <bpw/gguf.hpp>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>
#include <vector>

namespace {

namespace gguf = bpw::gguf;
using json = nlohmann::ordered_json;

std::uint64_t total_bytes(const gguf::file& file) {
    std::uint64_t bytes = 0;
    for (const auto& part : file.parts()) bytes += part.bytes().size();
    return bytes;
}

// --- tensors by type -----------------------------------------------------------------------------

struct type_total {
    std::string type;
    std::uint64_t tensors = 0;
    std::uint64_t weights = 0;
    std::uint64_t bytes = 0;
    std::uint64_t sized_weights = 0;  // of types whose layout is known

    [[nodiscard]] double bits_per_weight() const {
        if (sized_weights == 0) return 0;
        return 8.0 * static_cast<double>(bytes) / static_cast<double>(sized_weights);
    }
    void add(const gguf::tensor& t) {
        tensors += 1;
        weights += t.elements();
        if (!t.size()) return;
        bytes += *t.size();
        sized_weights += t.elements();
    }
};

std::string type_name(const gguf::tensor& t) {
    if (const auto type = t.type()) return std::string(bpw::name(*type));
    return "type " + std::to_string(t.type_number());
}

// Largest first.
std::vector<type_total> totals_by_type(const gguf::file& file) {
    std::map<std::string, type_total> by_name;
    for (const auto& t : file.tensors()) by_name[type_name(t)].add(t);
    std::vector<type_total> list;
    for (auto& [name, total] : by_name) {
        total.type = name;
        list.push_back(total);
    }
    std::stable_sort(list.begin(), list.end(),
                     [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
    return list;
}

type_total total_of_all(const gguf::file& file) {
    type_total all{"all"};
    for (const auto& t : file.tensors()) all.add(t);
    return all;
}

double share(const type_total& part, const type_total& all) {
    return all.bytes == 0 ? 0 : static_cast<double>(part.bytes) / static_cast<double>(all.bytes);
}

// --- metadata ------------------------------------------------------------------------------------

// The shortest digits that give the same number again.
template <class Float>
std::string shortest(Float number) {
    std::array<char, 40> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    return {digits.data(), end};
}

// A value on one line of about `room` characters.
std::string short_text(const gguf::value& v, std::size_t room) {
    using enum gguf::value_type;
    switch (v.type()) {
        case boolean:
            return v.as<bool>().value() ? "true" : "false";
        case f32:
            return shortest(v.as<float>().value());
        case f64:
            return shortest(v.as<double>().value());
        case u64:
            return std::to_string(v.as<std::uint64_t>().value());
        case string:
            return examples::printable(v.as<std::string_view>().value(), room);
        case array: {
            std::string out = "[";
            std::string_view comma;
            for (const auto element : v.as<gguf::array>().value()) {
                const bool text = element.type() == string;
                const auto next = short_text(element, 24);
                if (out.size() + next.size() + 8 > room) {
                    return out + std::string(comma) + "...]";
                }
                out += comma;
                out += text ? "\"" + next + "\"" : next;
                comma = ", ";
            }
            return out + "]";
        }
        default:
            return std::to_string(v.as<std::int64_t>().value());
    }
}

std::string type_text(const gguf::value& v) {
    if (v.type() != gguf::value_type::array) return std::string(gguf::name(v.type()));
    const auto a = v.as<gguf::array>().value();
    return std::string(gguf::name(a.element_type())) + "[" + std::to_string(a.size()) + "]";
}

json to_json(const gguf::value& v) {
    using enum gguf::value_type;
    switch (v.type()) {
        case boolean:
            return v.as<bool>().value();
        case f32: {
            const auto number = v.as<float>().value();
            if (!std::isfinite(number)) return shortest(number);
            return std::strtod(shortest(number).c_str(), nullptr);
        }
        case f64: {
            const auto number = v.as<double>().value();
            if (!std::isfinite(number)) return shortest(number);
            return number;
        }
        case u64:
            return v.as<std::uint64_t>().value();
        case string:
            return v.as<std::string>().value();
        case array: {
            auto out = json::array();
            for (const auto element : v.as<gguf::array>().value()) out.push_back(to_json(element));
            return out;
        }
        default:
            return v.as<std::int64_t>().value();
    }
}

// --- the two forms of output ---------------------------------------------------------------------

void print_json(const gguf::file& file) {
    json out;
    out["version"] = file.version();
    out["alignment"] = file.alignment();
    out["bytes"] = total_bytes(file);
    out["parts"] = json::array();
    for (const auto& part : file.parts()) {
        out["parts"].push_back({{"path", part.path().string()}, {"bytes", part.bytes().size()}});
    }
    out["metadata"] = json::object();
    for (const auto [key, value] : file.metadata()) {
        // A key that appears twice stands for its first value.
        if (!out["metadata"].contains(key)) out["metadata"][std::string(key)] = to_json(value);
    }
    out["tensors"] = json::array();
    for (const auto& t : file.tensors()) {
        json one{{"name", t.name()}, {"shape", t.shape()}};
        one["type"] = t.type() ? json(bpw::name(*t.type())) : json(nullptr);
        one["type_number"] = t.type_number();
        one["part"] = t.part();
        one["offset"] = t.offset();
        one["bytes"] = t.size() ? json(*t.size()) : json(nullptr);
        out["tensors"].push_back(std::move(one));
    }
    const auto all = total_of_all(file);
    const auto to_object = [&](const type_total& t) {
        return json{{"type", t.type},
                    {"tensors", t.tensors},
                    {"weights", t.weights},
                    {"bytes", t.bytes},
                    {"bits_per_weight", t.bits_per_weight()},
                    {"share", share(t, all)}};
    };
    out["types"] = json::array();
    for (const auto& t : totals_by_type(file)) out["types"].push_back(to_object(t));
    out["total"] = to_object(all);
    out["observations"] = file.observations();
    std::cout << out.dump(2, ' ', false, json::error_handler_t::replace) << '\n';
}

void print_metadata(const gguf::file& file) {
    constexpr std::size_t widest_key = 48;
    constexpr std::size_t room = 60;
    examples::table table({{"key"}, {"type"}, {"value"}});
    for (const auto [key, value] : file.metadata()) {
        table.add(
            {examples::printable(key, widest_key), type_text(value), short_text(value, room)});
    }
    table.print(std::cout);
}

void print_tensors(const gguf::file& file) {
    using enum examples::table::align;
    examples::table table(
        {{"tensor"}, {"shape", right}, {"type"}, {"size", right}, {"bits/weight", right}});
    for (const auto& t : file.tensors()) {
        std::string shape;
        for (const auto n : t.shape()) {
            if (!shape.empty()) shape += " x ";
            shape += std::to_string(n);
        }
        type_total one;
        one.add(t);
        table.add({examples::printable(t.name(), 64), shape.empty() ? "scalar" : shape,
                   type_name(t), t.size() ? examples::readable_size(one.bytes) : "?",
                   t.size() ? examples::fixed(one.bits_per_weight(), 3) : "?"});
    }
    table.print(std::cout);
}

void print_summary(const gguf::file& file) {
    using enum examples::table::align;
    examples::table table({{"type"},
                           {"tensors", right},
                           {"weights", right},
                           {"size", right},
                           {"bits/weight", right},
                           {"share of size", right}});
    const auto all = total_of_all(file);
    const auto add = [&](const type_total& t) {
        table.add({t.type, std::to_string(t.tensors), std::to_string(t.weights),
                   t.sized_weights == 0 ? "?" : examples::readable_size(t.bytes),
                   t.sized_weights == 0 ? "?" : examples::fixed(t.bits_per_weight(), 3),
                   examples::fixed(100 * share(t, all), 1) + " %"});
    };
    for (const auto& t : totals_by_type(file)) add(t);
    table.rule();
    add(all);
    table.print(std::cout);
}

void print_text(const gguf::file& file, const std::string& path, bool summary) {
    std::cout << examples::printable(path, 200) << ": GGUF version " << file.version() << ", "
              << examples::readable_size(total_bytes(file));
    if (file.parts().size() > 1) std::cout << " in " << file.parts().size() << " parts";
    std::cout << ", " << file.metadata().size() << " metadata entries, " << file.tensors().size()
              << " tensors\n\n";
    if (!summary) {
        print_metadata(file);
        std::cout << '\n';
        print_tensors(file);
        std::cout << '\n';
    }
    print_summary(file);
    if (!file.observations().empty()) std::cout << "\nobservations\n";
    for (const auto& o : file.observations()) std::cout << "  " << o << '\n';
}

int run(int argc, char** argv) {
    CLI::App app(
        "Shows what a GGUF file holds: metadata, tensors, and a summary of its quant types.\n"
        "Of a split model all parts are read, whichever of them is named.",
        "inspect");
    std::string path;
    gguf::options options;
    std::string dialect;
    bool as_json = false;
    bool summary = false;
    app.add_option("FILE", path, "GGUF file")->required()->type_name("");
    app.add_option("--dialect", dialect,
                   "whose type numbers the file uses, where the two projects differ")
        ->type_name("mainline|ik")
        ->check(CLI::IsMember({"mainline", "ik"}).description(""));
    app.add_flag("--summary", summary, "leave out metadata and tensors");
    app.add_flag("--strict", options.strict, "refuse what is against the format's rules");
    app.add_flag("--damaged", options.metadata_only,
                 "report tensors that do not fit the file, and go on");
    app.add_flag("--json", as_json, "print JSON, with nothing left out");
    CLI11_PARSE(app, argc, argv);

    if (dialect == "mainline") options.dialect = bpw::dialect::mainline;
    if (dialect == "ik") options.dialect = bpw::dialect::ik;
    const auto file = gguf::file::open(path, options);
    if (as_json) {
        print_json(file);
    } else {
        print_text(file, path, summary);
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) { return examples::guarded("inspect", run, argc, argv); }
