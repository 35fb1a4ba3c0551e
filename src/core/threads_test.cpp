#include "core/threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cfenv>
#include <chrono>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

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
        if (thread < 0 || thread >= team || (team > 1 && count > 1 && threads() != 1)) thread_fits = false;
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

TEST(Threads, several_callers_at_once) {
  ThreadsRestored restored;
  set_threads(3);
  std::vector<std::thread> callers;
  std::atomic<int> wrong = 0;
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([&] {
      for (int round = 0; round < 200; ++round) {
        std::vector<int> runs(17);  // no atomics: what tasks write is there when parallel_for returns
        parallel_for(17, [&](int64_t i, int) { ++runs[static_cast<size_t>(i)]; });
        for (int n : runs) wrong += n != 1;
      }
    });
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Threads, an_exception_of_a_task_reaches_the_caller) {
  ThreadsRestored restored;
  for (int team : {1, 2, 4}) {
    set_threads(team);
    for (int64_t thrower : {0, 5, 99}) {
      try {
        parallel_for(100, [&](int64_t i, int) {
          if (i == thrower) fail_work("task ", i, " failed");
        });
        FAIL() << "nothing thrown";
      } catch (const Error& e) {
        EXPECT_NE(std::string(e.what()).find(std::to_string(thrower)), std::string::npos);
      }
    }
    std::atomic<int> runs = 0;  // and the next call works
    parallel_for(10, [&](int64_t, int) { ++runs; });
    EXPECT_EQ(runs, 10);
  }
}

TEST(Threads, tasks_round_as_the_caller_does) {
  ThreadsRestored restored;
  set_threads(4);
  for (int mode : {FE_UPWARD, FE_TONEAREST}) {
    ASSERT_EQ(std::fesetround(mode), 0);
    std::atomic<int> others = 0;
    parallel_for(64, [&](int64_t, int) { others += std::fegetround() != mode; });
    EXPECT_EQ(others, 0);
  }
}

TEST(Threads, scoped_threads_are_of_this_thread_and_this_block) {
  ThreadsRestored restored;
  set_threads(2);
  if (threads() == 1) GTEST_SKIP() << "built without threads";
  {
    const ScopedThreads three(3);
    EXPECT_EQ(threads(), 3);
    {
      const ScopedThreads one(1);
      EXPECT_EQ(threads(), 1);
    }
    EXPECT_EQ(threads(), 3);
    std::thread([] { EXPECT_EQ(threads(), 2); }).join();
    set_threads(4);
    EXPECT_EQ(threads(), 3);
    EXPECT_THROW(ScopedThreads(0), Error);
    EXPECT_EQ(threads(), 3);
  }
  EXPECT_EQ(threads(), 4);
}

#if !defined(__SANITIZE_THREAD__)  // which does not follow a child of a program with threads
// A child of fork has none of its parent's threads: it must neither wait for them nor run alone for ever.
TEST(Threads, a_forked_child_computes) {
  ThreadsRestored restored;
  set_threads(3);
  const auto sum = [] {
    std::atomic<int64_t> total = 0;
    parallel_for(1000, [&](int64_t i, int) { total += i; });
    return total.load();
  };
  ASSERT_EQ(sum(), 499500);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(20);  // a child that waits for ever ends by SIGALRM
    bool right = true;
    for (int round = 0; round < 50; ++round) right &= sum() == 499500;
    _exit(right ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(sum(), 499500);
}
#endif

#if defined(__linux__)
// Idle threads sleep.  Between loops of next to no work, 2 ms apart, the process hardly takes any processor
// time; with threads that wait by spinning, as OpenMP's do, it takes a core for each (0.9 s).
TEST(Threads, idle_threads_sleep) {
  ThreadsRestored restored;
  set_threads(2);  // more than there are cores would not spin with OpenMP either
  const auto used = [] {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  };
  const double before = used();
  for (int round = 0; round < 100; ++round) {
    parallel_for(64, [](int64_t, int) {});
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  EXPECT_LT(used() - before, 0.1);
}
#endif

TEST(Threads, set_threads_says_what_is_wrong) {
  ThreadsRestored restored;
  for (int count : {0, -1, k_most_threads + 1}) {
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
