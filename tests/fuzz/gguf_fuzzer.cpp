// A libFuzzer target for the GGUF reader. Whatever opens is read to its last byte; whatever the
// strict mode opens, the lenient one must open too.
//
//   clang++ -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -I include -I tests \
//       tests/fuzz/gguf_fuzzer.cpp -o gguf_fuzzer
//   ./gguf_fuzzer -max_len=4096 CORPUS_FOLDER
#include "gguf/touch.hpp"

#include <bpw/gguf.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = std::as_bytes(std::span(data, size));
    for (const auto dialect : {bpw::dialect::any, bpw::dialect::mainline, bpw::dialect::ik}) {
        std::array<bool, 2> opened{};
        for (const bool strict : {false, true}) {
            for (const bool metadata_only : {false, true}) {
                bpw::gguf::options o;
                o.dialect = dialect;
                o.strict = strict;
                o.metadata_only = metadata_only;
                const auto f = bpw::gguf::file::try_parse(bytes, o);
                if (f) {
                    volatile std::uint64_t sum = gguf_test::touch(*f);
                    (void)sum;
                } else if (f.error().message.empty()) {
                    std::abort();
                }
                if (!metadata_only) opened[strict ? 1 : 0] = f.ok();
            }
        }
        if (opened[1] && !opened[0]) std::abort();
    }
    return 0;
}
