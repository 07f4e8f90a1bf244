#include "llama/prediction.hpp"

#include "common/parallel.hpp"
#include "llama/session.hpp"

#include <algorithm>
#include <atomic>

namespace llama {

windows::windows(const model& m, std::string_view text, const std::string& file) {
    if (text.size() < window_size) {
        throw bpw::error(bpw::fail(bpw::errc::bad_shape, file, " has ", text.size(),
                                   " bytes; expected a window of ", window_size, " or more"));
    }
    const auto& size = m.size();
    const tokenizer vocabulary(m.file().metadata(), size.vocabulary);
    if (size.context < window_size) {
        throw bpw::error(bpw::fail(bpw::errc::unsupported, "the model's context is ", size.context,
                                   " tokens; expected at least ", window_size));
    }
    tokens_ = vocabulary.encode(text.substr(0, text.size() / window_size * window_size));
    begin_ = vocabulary.begin();
}

std::vector<token> windows::input(std::size_t i) const {
    const auto all = expected(i);
    std::vector<token> in{begin_};
    in.insert(in.end(), all.begin(), all.end() - 1);
    return in;
}

void predict(const model& m, const windows& text, bpw::threads& run,
             const std::function<void(std::size_t, bpw::vectors<const float>)>& f) {
    std::atomic<std::size_t> next = 0;
    // A session has room for one text at a time, so there is one for each thread.
    const auto sessions = std::min<std::size_t>(run.count(), text.count());
    examples::parallel(run, sessions, [&](std::size_t) {
        session s(m, run, window_size);
        for (std::size_t i; (i = next.fetch_add(1)) < text.count();) {
            s.clear();
            f(i, s.append(text.input(i)));
        }
    });
}

}  // namespace llama
