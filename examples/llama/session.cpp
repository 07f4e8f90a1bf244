#include "llama/session.hpp"

#include "common/kernels.hpp"

#include <algorithm>
#include <cmath>

namespace llama {

namespace {

// The first n vectors of `width` floats of a buffer.
bpw::vectors<float> batch(std::vector<float>& buffer, std::size_t n, std::size_t width) {
    return {buffer.data(), n, width};
}

// Floats that are already in memory are a matrix like any other.
bpw::any_matrix matrix(const std::vector<float>& floats, std::size_t rows, std::size_t cols) {
    return {bpw::type_id::f32, std::as_bytes(std::span(floats).first(rows * cols)), rows, cols};
}

void add(std::vector<float>& to, const std::vector<float>& what, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) to[i] += what[i];
}

// RMSNorm: each vector divided by its root mean square, then multiplied by a weight per element.
void normalize(const float* x, const std::vector<float>& weight, float epsilon, float* out,
               std::size_t n) {
    const auto width = weight.size();
    for (; n != 0; --n, x += width, out += width) {
        double squares = 0;
        for (std::size_t i = 0; i < width; ++i) squares += double{x[i]} * double{x[i]};
        const auto mean = squares / static_cast<double>(width);
        const auto factor = static_cast<float>(1 / std::sqrt(mean + double{epsilon}));
        for (std::size_t i = 0; i < width; ++i) out[i] = x[i] * factor * weight[i];
    }
}

void softmax(std::span<float> x) {
    const float largest = *std::max_element(x.begin(), x.end());
    float sum = 0;
    for (float& v : x) {
        v = std::exp(v - largest);
        sum += v;
    }
    for (float& v : x) v /= sum;
}

}  // namespace

session::session(const model& m, bpw::threads& run, std::size_t capacity)
    : model_(m), run_(run), capacity_(capacity) {
    const auto& s = m.size();
    cache_.resize(s.layers);
    for (auto& heads : cache_) {
        heads.resize(s.kv_heads);
        for (auto& head : heads) {
            head.keys.resize(capacity * s.head_size);
            head.values.resize(capacity * s.head_size);
        }
    }
    const auto pairs = s.head_size / 2;
    for (std::size_t position = 0; position < capacity; ++position) {
        for (std::size_t i = 0; i < pairs; ++i) {
            const auto part = static_cast<double>(i) / static_cast<double>(pairs);
            const auto angle = static_cast<double>(position) * std::pow(double{s.rope_base}, -part);
            cosine_.push_back(static_cast<float>(std::cos(angle)));
            sine_.push_back(static_cast<float>(std::sin(angle)));
        }
    }
}

bpw::vectors<const float> session::append(std::span<const token> tokens) {
    run_layers(tokens);
    const auto& s = model_.size();
    const auto n = tokens.size();
    normalize(state_.data(), model_.output_norm(), s.norm_epsilon, normed_.data(), n);
    logits_.resize(n * s.vocabulary);
    examples::multiply(model_.output(), batch(normed_, n, s.width), batch(logits_, n, s.vocabulary),
                       run_);
    return batch(logits_, n, s.vocabulary);
}

std::span<const float> session::append_last(std::span<const token> tokens) {
    run_layers(tokens);
    const auto& s = model_.size();
    const auto* last = state_.data() + (tokens.size() - 1) * s.width;
    normalize(last, model_.output_norm(), s.norm_epsilon, normed_.data(), 1);
    logits_.resize(s.vocabulary);
    examples::multiply(model_.output(), batch(normed_, 1, s.width), batch(logits_, 1, s.vocabulary),
                       run_);
    return logits_;
}

void session::run_layers(std::span<const token> tokens) {
    const auto& s = model_.size();
    const auto n = tokens.size();
    if (n == 0 || n > capacity_ - length_) {
        throw bpw::error(bpw::fail(bpw::errc::bad_shape, n, " tokens were appended to ", length_,
                                   "; expected at least one and at most ", capacity_, " in all"));
    }
    for (auto* buffer : {&state_, &normed_, &query_, &mixed_, &added_}) buffer->resize(n * s.width);
    for (auto* buffer : {&key_, &value_}) buffer->resize(n * s.kv_width());
    for (auto* buffer : {&gate_, &up_}) buffer->resize(n * s.hidden);
    scores_.resize(n * capacity_);

    for (std::size_t t = 0; t < n; ++t) {
        examples::decode_row(model_.embedding(), tokens[t],
                             std::span(state_).subspan(t * s.width, s.width));
    }
    for (std::size_t i = 0; i < s.layers; ++i) {
        const auto& l = model_.layers()[i];
        normalize(state_.data(), l.attention_norm, s.norm_epsilon, normed_.data(), n);
        attention(l, cache_[i], n);
        add(state_, added_, n * s.width);
        normalize(state_.data(), l.feed_forward_norm, s.norm_epsilon, normed_.data(), n);
        feed_forward(l, n);
        add(state_, added_, n * s.width);
    }
    length_ += n;
}

// Reads normed_, writes added_. Both products of attention are matrix products too: with the keys,
// whose rows are positions, and with the values, whose columns are.
void session::attention(const layer& l, std::vector<head_cache>& cache, std::size_t n) {
    const auto& s = model_.size();
    const auto x = batch(normed_, n, s.width);
    examples::multiply(l.query, x, batch(query_, n, s.width), run_);
    examples::multiply(l.key, x, batch(key_, n, s.kv_width()), run_);
    examples::multiply(l.value, x, batch(value_, n, s.kv_width()), run_);
    for (std::size_t t = 0; t < n; ++t) {
        for (std::size_t h = 0; h < s.heads; ++h) {
            rotate(query_.data() + t * s.width + h * s.head_size, length_ + t);
        }
        for (std::size_t h = 0; h < s.kv_heads; ++h) {
            rotate(key_.data() + t * s.kv_width() + h * s.head_size, length_ + t);
        }
    }
    store(cache, n);

    const float scale = 1 / std::sqrt(static_cast<float>(s.head_size));
    const auto positions = length_ + n;
    for (std::size_t h = 0; h < s.heads; ++h) {
        const auto& head = cache[h / (s.heads / s.kv_heads)];
        const bpw::vectors<const float> queries{query_.data() + h * s.head_size, n, s.head_size,
                                                s.width};
        const bpw::vectors<float> scores{scores_.data(), n, positions, capacity_};
        examples::multiply(matrix(head.keys, positions, s.head_size), queries, scores, run_);
        run_(n, [&](std::size_t t) {
            const auto seen = std::span(scores[t], length_ + t + 1);
            for (float& score : seen) score *= scale;
            softmax(seen);
            std::fill(scores[t] + seen.size(), scores[t] + capacity_, 0.0f);
        });
        const bpw::vectors<float> mixed{mixed_.data() + h * s.head_size, n, s.head_size, s.width};
        examples::multiply(matrix(head.values, s.head_size, capacity_),
                           batch(scores_, n, capacity_), mixed, run_);
    }
    examples::multiply(l.attention_output, batch(mixed_, n, s.width), batch(added_, n, s.width),
                       run_);
}

// Reads normed_, writes added_. SwiGLU: down(silu(gate x) * up x).
void session::feed_forward(const layer& l, std::size_t n) {
    const auto& s = model_.size();
    const auto x = batch(normed_, n, s.width);
    examples::multiply(l.gate, x, batch(gate_, n, s.hidden), run_);
    examples::multiply(l.up, x, batch(up_, n, s.hidden), run_);
    for (std::size_t i = 0; i < n * s.hidden; ++i) {
        gate_[i] = gate_[i] / (1 + std::exp(-gate_[i])) * up_[i];
    }
    examples::multiply(l.down, batch(gate_, n, s.hidden), batch(added_, n, s.width), run_);
}

void session::store(std::vector<head_cache>& cache, std::size_t n) {
    const auto& s = model_.size();
    for (std::size_t t = 0; t < n; ++t) {
        const auto position = length_ + t;
        for (std::size_t h = 0; h < s.kv_heads; ++h) {
            const auto at = t * s.kv_width() + h * s.head_size;
            std::copy_n(key_.data() + at, s.head_size,
                        cache[h].keys.data() + position * s.head_size);
            for (std::size_t i = 0; i < s.head_size; ++i) {
                cache[h].values[i * capacity_ + position] = value_[at + i];
            }
        }
    }
}

// RoPE: the pair (2 i, 2 i + 1) of a head turns by position * base^(-2 i / head_size).
void session::rotate(float* head, std::size_t position) const {
    const auto pairs = model_.size().head_size / 2;
    const float* cosine = cosine_.data() + position * pairs;
    const float* sine = sine_.data() + position * pairs;
    for (std::size_t i = 0; i < pairs; ++i) {
        const float x = head[2 * i];
        const float y = head[2 * i + 1];
        head[2 * i] = x * cosine[i] - y * sine[i];
        head[2 * i + 1] = x * sine[i] + y * cosine[i];
    }
}

}  // namespace llama
