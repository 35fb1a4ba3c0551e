#include "core/threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "limpid/error.h"

namespace limpid {
namespace {

struct ThreadsRestored {
  int before = threads();
  ~ThreadsRestored() { set_threads(before); }
};

TEST(Threads, each_index_runs_once_at_any_thread_count) {
  ThreadsRestored restored;
  for (int team : {1, 2, 3, 8}) {
    set_threads(team);
    for (int64_t count : {0, 1, 2, 3, 7, 64, 1000}) {
      std::vector<std::atomic<int>> runs(static_cast<size_t>(count));
      std::atomic<bool> thread_fits = true;
      parallel_for(count, [&](int64_t i, int thread) {
        ++runs[static_cast<size_t>(i)];
        if (thread < 0 || thread >= threads()) thread_fits = false;
      });
      for (int64_t i = 0; i < count; ++i)
        EXPECT_EQ(runs[static_cast<size_t>(i)], 1)
            << "index " << i << " of " << count << ", " << team << " threads";
      EXPECT_TRUE(thread_fits);
    }
  }
}

TEST(Threads, scratch_by_thread_is_never_shared) {
  ThreadsRestored restored;
  set_threads(4);
  std::vector<std::atomic<int>> inside(4);
  std::atomic<int> collisions = 0;
  parallel_for(2000, [&](int64_t, int thread) {
    if (++inside[static_cast<size_t>(thread)] != 1) ++collisions;
    --inside[static_cast<size_t>(thread)];
  });
  EXPECT_EQ(collisions, 0);
}

TEST(Threads, nested_calls_run_every_index) {
  ThreadsRestored restored;
  set_threads(3);
  std::vector<std::atomic<int>> runs(50);
  parallel_for(5, [&](int64_t outer, int) {
    parallel_for(10, [&](int64_t inner, int) { ++runs[static_cast<size_t>(outer * 10 + inner)]; });
  });
  for (auto& n : runs) EXPECT_EQ(n, 1);
}

TEST(Threads, set_threads_says_what_is_wrong) {
  ThreadsRestored restored;
  for (int count : {0, -1}) {
    try {
      set_threads(count);
      FAIL() << "accepted " << count;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), Error::Kind::call);
      EXPECT_NE(std::string(e.what()).find(std::to_string(count)), std::string::npos);
    }
  }
  EXPECT_EQ(threads(), restored.before);
}

}  // namespace
}  // namespace limpid
