// A small thread pool for callers who bring none.
#pragma once

#include <bpw/core/executor.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

BPW_NAMESPACE_BEGIN

/// An executor that runs tasks on `count` threads, the calling one among them. The threads live as
/// long as the object. Between calls they give way to others for a while, then they sleep: waking
/// up takes longer than many a task.
///
/// A call made while another one is running - from inside a task, or from a second thread - runs
/// its tasks on the thread that makes it.
class threads {
  public:
    /// `count` threads; 0 stands for as many as the machine runs at once.
    explicit threads(unsigned count = 0)
        : count_(count != 0 ? count : std::max(1u, std::thread::hardware_concurrency())) {
        workers_.reserve(count_ - 1);
        for (unsigned i = 1; i < count_; ++i) {
            workers_.emplace_back([this] { work(); });
        }
    }

    threads(const threads&) = delete;
    threads& operator=(const threads&) = delete;

    ~threads() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        wake_.notify_all();
        for (auto& worker : workers_) worker.join();
    }

    [[nodiscard]] unsigned count() const noexcept { return count_; }

    template <std::invocable<std::size_t> F>
    void operator()(std::size_t n, F&& f) {
        if (n <= 1 || workers_.empty() || running_.exchange(true)) return serial{}(n, f);
        {
            const std::lock_guard lock(mutex_);
            using task = std::remove_reference_t<F>;
            context_ = &f;
            call_ = [](const void* context, std::size_t i) {
                (*static_cast<task*>(const_cast<void*>(context)))(i);
            };
            tasks_ = n;
            next_ = 0;
            awake_ = workers_.size();
            ++round_;
        }
        wake_.notify_all();
        take_tasks();
        wait(done_, [this] { return awake_ == 0; });
        running_ = false;
    }

  private:
    void take_tasks() {
        for (std::size_t i; (i = next_.fetch_add(1)) < tasks_;) call_(context_, i);
    }

    void work() {
        for (std::size_t seen = 0;; ++seen) {
            wait(wake_, [&] { return stopping_ || round_ != seen; });
            if (stopping_) return;
            take_tasks();
            if (--awake_ == 0) {
                const std::lock_guard lock(mutex_);
                done_.notify_one();
            }
        }
    }

    template <class Ready>
    void wait(std::condition_variable& changed, Ready ready) {
        using clock = std::chrono::steady_clock;
        for (const auto end = clock::now() + patience; clock::now() < end;) {
            if (ready()) return;
            std::this_thread::yield();
        }
        std::unique_lock lock(mutex_);
        changed.wait(lock, ready);
    }

    // Longer than what an engine does between two products.
    static constexpr std::chrono::microseconds patience{200};

    unsigned count_;
    std::vector<std::thread> workers_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable done_;
    std::atomic<bool> running_ = false;
    std::atomic<std::size_t> next_ = 0;
    std::size_t tasks_ = 0;
    std::atomic<std::size_t> round_ = 0;
    std::atomic<std::size_t> awake_ = 0;
    std::atomic<bool> stopping_ = false;
    const void* context_ = nullptr;
    void (*call_)(const void*, std::size_t) = nullptr;
};

BPW_NAMESPACE_END
