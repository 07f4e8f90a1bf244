// Golden vectors: quantized rows and what the formats' reference implementations decode them to.
// tests/data/golden/README.md describes the files.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace reference {

struct golden {
    std::string type;
    std::uint32_t number;  // in GGUF
    std::uint32_t rows;
    std::uint32_t cols;
    std::uint32_t interleave;  // rows that stand together, 1 for ordinary types
    std::uint32_t kind;        // 0 encoded, 1 random bytes
    std::vector<std::byte> payload;
    std::vector<float> weights;
    std::vector<float> source;  // what was encoded; empty for random bytes
};

inline std::filesystem::path golden_path(const std::string& type, const std::string& kind) {
    return std::filesystem::path(BPW_TEST_DATA_DIR) / "golden" / (type + "." + kind + ".gold");
}

inline golden load_golden(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    const std::vector<char> bytes((std::istreambuf_iterator<char>(in)), {});
    if (bytes.size() < 72 || std::memcmp(bytes.data(), "BPWGOLD1", 8) != 0) {
        throw std::runtime_error(path.string() + " is not a golden file");
    }
    golden g{};
    g.type = std::string(bytes.data() + 8, strnlen(bytes.data() + 8, 32));
    std::uint32_t* const fields[] = {&g.number, &g.rows, &g.cols, &g.interleave, &g.kind};
    for (std::size_t i = 0; i < std::size(fields); ++i) {
        std::memcpy(fields[i], bytes.data() + 40 + 4 * i, 4);
    }
    std::uint64_t payload = 0;
    std::memcpy(&payload, bytes.data() + 64, 8);
    const std::size_t weights = std::size_t{g.rows} * g.cols;
    const std::size_t size = 72 + payload + 4 * weights * (g.kind == 0 ? 2 : 1);
    if (bytes.size() != size) throw std::runtime_error(path.string() + " has a wrong size");
    g.payload.resize(payload);
    std::memcpy(g.payload.data(), bytes.data() + 72, payload);
    g.weights.resize(weights);
    std::memcpy(g.weights.data(), bytes.data() + 72 + payload, 4 * weights);
    if (g.kind == 0) {
        g.source.resize(weights);
        std::memcpy(g.source.data(), bytes.data() + 72 + payload + 4 * weights, 4 * weights);
    }
    return g;
}

}  // namespace reference
