// No kernel reads or writes a byte beyond its buffers: each ends where the memory of the process
// does.
#include <kernels/any_type.hpp>
#include <reference/samples.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <new>
#include <span>
#include <vector>

#if defined(__unix__)
#include <sys/mman.h>
#include <unistd.h>

namespace {

// `size` bytes of which neither the next nor, when they fill whole pages, the previous may be
// touched.
class guarded {
  public:
    explicit guarded(std::size_t size) : size_(size) {
        const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
        inside_ = (size + page - 1) / page * page;
        length_ = inside_ + 2 * page;
        void* const all = mmap(nullptr, length_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (all == MAP_FAILED) throw std::bad_alloc();
        all_ = static_cast<std::byte*>(all);
        if (inside_ != 0) mprotect(all_ + page, inside_, PROT_READ | PROT_WRITE);
        data_ = all_ + page + inside_ - size;
        first_ = all_ + page;
    }
    guarded(const guarded&) = delete;
    guarded& operator=(const guarded&) = delete;
    ~guarded() { munmap(all_, length_); }

    [[nodiscard]] std::byte* data() const { return data_; }
    [[nodiscard]] std::span<float> floats() const {
        return {reinterpret_cast<float*>(data_), size_ / sizeof(float)};
    }
    void make_read_only() const {
        if (inside_ != 0) mprotect(first_, inside_, PROT_READ);
    }

  private:
    std::size_t size_;
    std::size_t inside_;
    std::size_t length_;
    std::byte* all_;
    std::byte* first_;
    std::byte* data_;
};

}  // namespace

TEST(memory, nothing_beyond_the_buffers_is_touched) {
    for (const auto type : bpw::all_types) {
        SCOPED_TRACE(bpw::name(type));
        const auto& info = bpw::info(type);
        for (const std::size_t blocks : {1u, 3u}) {
            const std::size_t rows = info.rows_interleaved;
            const std::size_t cols = blocks * info.block_size;
            reference::random numbers(blocks);
            const auto bytes = reference::random_tensor(type, rows, cols, numbers);
            const guarded weights(bytes.size());
            std::memcpy(weights.data(), bytes.data(), bytes.size());
            weights.make_read_only();
            const bpw::any_matrix w{type, {weights.data(), bytes.size()}, rows, cols};

            const guarded out(4 * rows * cols);
            ASSERT_TRUE(any_type::dequantize(w, out.floats()).ok());

            for (const std::size_t count : {1u, 5u}) {
                const guarded x(4 * count * cols);
                for (float& v : x.floats()) v = numbers.uniform();
                x.make_read_only();
                const guarded y(4 * count * rows);
                ASSERT_TRUE(any_type::gemm(w, {x.floats().data(), count, cols},
                                           {y.floats().data(), count, rows})
                                .ok());
                ASSERT_TRUE(any_type::gemv(w, {x.floats().data(), count, cols},
                                           {y.floats().data(), count, rows})
                                .ok());
                ASSERT_TRUE(any_type::dot(w, rows - 1, x.floats().first(cols)).ok());
            }
        }
    }
}
#endif
