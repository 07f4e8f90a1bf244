// The thread pool.
#include <bpw/parallel.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace {

// Whether each of n tasks ran exactly once.
void check_round(bpw::threads& pool, std::size_t n) {
    std::vector<std::atomic<int>> ran(n);
    pool(n, [&](std::size_t i) { ran[i].fetch_add(1); });
    for (std::size_t i = 0; i < n; ++i) ASSERT_EQ(ran[i].load(), 1) << "task " << i << " of " << n;
}

}  // namespace

static_assert(bpw::executor<bpw::threads>);
static_assert(bpw::executor<bpw::serial>);
static_assert(bpw::executor<const bpw::serial>);
static_assert(!bpw::executor<int>);

TEST(threads, every_task_runs_once) {
    for (const unsigned count : {1u, 2u, 3u, 8u}) {
        bpw::threads pool(count);
        EXPECT_EQ(pool.count(), count);
        for (std::size_t n = 0; n < 40; ++n) check_round(pool, n);
        check_round(pool, 10000);
    }
    EXPECT_GE(bpw::threads().count(), 1u);
}

TEST(threads, many_short_rounds) {
    bpw::threads pool(4);
    std::atomic<std::size_t> sum = 0;
    for (std::size_t round = 0; round < 5000; ++round) {
        pool(5, [&](std::size_t i) { sum += i; });
    }
    EXPECT_EQ(sum.load(), 5000u * 10);
}

// What tasks wrote is visible to the caller, and what the caller wrote to the tasks.
TEST(threads, wake_from_their_sleep) {
    bpw::threads pool(3);
    for (int round = 0; round < 10; ++round) {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        check_round(pool, 5);
    }
}

TEST(threads, results_are_visible) {
    bpw::threads pool(4);
    std::vector<std::size_t> values(64, 1);
    for (int round = 0; round < 500; ++round) {
        pool(values.size(), [&](std::size_t i) { values[i] = values[i] * 3 % 1009; });
        for (auto& v : values) v += 1;
    }
    for (const auto v : values) EXPECT_EQ(v, values[0]);
}

TEST(threads, several_threads_take_part) {
    bpw::threads pool(2);
    std::atomic<int> arrived = 0;
    std::set<std::thread::id> ids;
    std::mutex mutex;
    pool(2, [&](std::size_t) {
        {
            const std::lock_guard lock(mutex);
            ids.insert(std::this_thread::get_id());
        }
        // Each task waits for the other, so that one thread cannot run both.
        ++arrived;
        while (arrived < 2) std::this_thread::yield();
    });
    EXPECT_EQ(ids.size(), 2u);
}

TEST(threads, a_call_from_inside_a_task) {
    bpw::threads pool(4);
    std::atomic<int> inner = 0;
    pool(8, [&](std::size_t) { pool(8, [&](std::size_t) { ++inner; }); });
    EXPECT_EQ(inner.load(), 64);
    check_round(pool, 100);
}

TEST(threads, calls_from_two_threads) {
    bpw::threads pool(3);
    std::atomic<std::size_t> sum = 0;
    const auto calls = [&] {
        for (int round = 0; round < 1000; ++round) {
            pool(7, [&](std::size_t i) { sum += i; });
        }
    };
    std::thread other(calls);
    calls();
    other.join();
    EXPECT_EQ(sum.load(), 2u * 1000 * 21);
}

TEST(threads, destroyed_right_after_creation_or_use) {
    for (int round = 0; round < 200; ++round) {
        { const bpw::threads pool(4); }
        bpw::threads pool(3);
        std::atomic<int> ran = 0;
        pool(4, [&](std::size_t) { ++ran; });
        ASSERT_EQ(ran.load(), 4);
    }
}
