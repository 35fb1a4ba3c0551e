// A pool of threads.  One for the process; whoever has tasks posts a job and works on it too, as thread 0.
//
// Invariants.
//   A job lives on its caller's stack.  It is in the list while more threads may join it; a thread joins and
//   leaves under the mutex, and the caller returns only when the job is out of the list and nobody is in it.
//   So a caller never waits for a thread that has not begun: where other programs keep the cores busy, it
//   runs all tasks itself, which the barrier of an OpenMP team would not let it do.
//   Threads take task numbers from one counter.  Its order is relaxed: what tasks write reaches the caller by
//   the mutex, when their thread leaves.
//   A thread without work spins for k_spin and sleeps then.  The caller likewise for the last tasks of
//   others.
#include "core/pool.h"

#ifdef LIMPID_THREADS

#include <algorithm>
#include <atomic>
#include <cfenv>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

#if __has_include(<pthread.h>)
#include <pthread.h>
#include <signal.h>
#define LIMPID_POSIX 1
#else
#define LIMPID_POSIX 0
#endif

namespace limpid {

namespace {

// How long to look for work before sleeping.  A chain of kernels has gaps of a few microseconds, and waking a
// thread takes more (docs/decisions/0011).
constexpr std::chrono::microseconds k_spin{20};

// Under ThreadSanitizer tasks are dealt out in turn, so that every thread has some however short they are: a
// race is seen by what is not ordered, not by what happened to coincide.
#if defined(__SANITIZE_THREAD__)
constexpr bool k_dealt = true;
#else
constexpr bool k_dealt = false;
#endif

thread_local bool inside = false;

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

template <class Condition>
bool spin_until(const Condition& holds) {
  const auto end = std::chrono::steady_clock::now() + k_spin;
  do {
    for (int i = 0; i < 16; ++i) {
      if (holds()) return true;
      pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return holds();
}

struct Job {
  const int64_t count;
  const int team;
  const TaskCall& task;
  std::fenv_t environment{};     // the caller's: how numbers are rounded
  std::atomic<int64_t> next{0};  // the first task that nobody has taken
  std::atomic<int> working{0};   // threads of the pool inside; changes under the mutex
  int joined = 1;                // threads that have begun, the caller first; under the mutex
  std::exception_ptr error{};    // the first; under the mutex
  Job* following = nullptr;      // in the list of open jobs

  bool wants_threads() const {
    return joined < team && (k_dealt || next.load(std::memory_order_relaxed) < count);
  }
};

class Pool {
 public:
  explicit Pool(Pool* before) : before_(before) {}

  void run(Job& job) {
    std::fegetenv(&job.environment);
    std::unique_lock lock(mutex_);
    hire(job.team - 1);
    if (hired_ == 0) job.joined = job.team;  // the system gives no threads: the caller has all tasks
    open(job);
    const int wanted = std::min(job.team - job.joined, sleeping_);
    const bool all = wanted == sleeping_;
    lock.unlock();
    if (all && wanted > 0) work_.notify_all();
    for (int i = 0; i < wanted && !all; ++i) work_.notify_one();

    work(job, 0, k_dealt && hired_ > 0 ? job.team : 1);

    lock.lock();
    if constexpr (k_dealt) done_.wait(lock, [&] { return job.joined == job.team; });
    close(job);
    if (job.working > 0) {
      lock.unlock();
      spin_until([&] { return job.working.load(std::memory_order_relaxed) == 0; });
      lock.lock();
      done_.wait(lock, [&] { return job.working == 0; });
    }
    lock.unlock();
    if (job.error) std::rethrow_exception(job.error);
  }

 private:
  // Tasks until there are no more; `dealt`: every so manieth, from `thread` on.
  void work(Job& job, int thread, int dealt) {
    inside = true;
    try {
      if (dealt > 1)
        for (int64_t i = thread; i < job.count; i += dealt) job.task.call(job.task.task, i, thread);
      else
        for (int64_t i; (i = job.next.fetch_add(1, std::memory_order_relaxed)) < job.count;)
          job.task.call(job.task.task, i, thread);
    } catch (...) {
      job.next.store(job.count, std::memory_order_relaxed);
      const std::lock_guard lock(mutex_);
      if (!job.error) job.error = std::current_exception();
    }
    inside = false;
  }

  // The life of one thread of the pool.
  void serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
      if (Job* job = find_job()) {
        const int thread = job->joined++;
        ++job->working;
        lock.unlock();
        std::fesetenv(&job->environment);
        work(*job, thread, k_dealt ? job->team : 1);
        lock.lock();
        if (--job->working == 0) done_.notify_all();
        continue;
      }
      const uint32_t seen = opened_.load(std::memory_order_relaxed);
      const auto more = [&] { return opened_.load(std::memory_order_relaxed) != seen; };
      lock.unlock();
      spin_until(more);
      lock.lock();
      ++sleeping_;
      work_.wait(lock, more);
      --sleeping_;
    }
  }

  Job* find_job() {
    Job* job = first_;
    while (job && !job->wants_threads()) job = job->following;
    return job;
  }

  void open(Job& job) {
    Job** at = &first_;
    while (*at) at = &(*at)->following;  // the oldest first
    *at = &job;
    opened_.fetch_add(1, std::memory_order_relaxed);
  }

  void close(Job& job) {
    Job** at = &first_;
    while (*at != &job) at = &(*at)->following;
    *at = job.following;
  }

  // Makes the pool that large, or as large as the system lets it be.
  void hire(int wanted) {
    if (hired_ >= wanted) return;
#if LIMPID_POSIX
    sigset_t all, before;  // signals are for the threads of the program
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
#endif
    try {
      for (; hired_ < wanted; ++hired_) std::thread([this] { serve(); }).detach();
    } catch (const std::system_error&) {  // with fewer, then; the next call tries again
    }
#if LIMPID_POSIX
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
#endif
  }

  std::mutex mutex_;
  std::condition_variable work_, done_;
  Job* first_ = nullptr;             // open jobs
  std::atomic<uint32_t> opened_{0};  // how many have been; changes under the mutex
  int hired_ = 0, sleeping_ = 0;     // threads
  Pool* const before_;               // of the process that this one was forked from: never used, never lost
};

// Never destroyed: its threads sleep in it while the program ends.
std::atomic<Pool*> pool{nullptr};
Pool* of_the_parent = nullptr;

Pool& the_pool() {
  if (Pool* made = pool.load(std::memory_order_acquire)) return *made;
#if LIMPID_POSIX
  static const int registered = pthread_atfork(nullptr, nullptr, [] {
    // The child has none of the pool's threads, and its mutex as it stood.
    if (Pool* parents = pool.exchange(nullptr)) of_the_parent = parents;
  });
  (void)registered;
#endif
  Pool* expected = nullptr;
  auto* made = new Pool(of_the_parent);
  if (pool.compare_exchange_strong(expected, made)) return *made;
  delete made;  // another thread was first
  return *expected;
}

}  // namespace

bool inside_task() { return inside; }

void run_on_pool(int64_t count, int team, const TaskCall& task) {
  Job job{.count = count, .team = team, .task = task};
  the_pool().run(job);
}

}  // namespace limpid

#endif
