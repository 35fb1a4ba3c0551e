// Ranks over MPI: limpid_mpi.so, linked to MPI and to nothing of limpid.
//
// All of MPI is called on one thread of the module's own, which sums while the others compute: MPI itself
// goes on only inside its calls, so this thread asks again and again, and sleeps in between as long as nobody
// waits.  Sums run side by side in the order they were begun, which is the same on every rank.
#include <mpi.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "limpid/version.h"
#include "train/mpi_module.h"

namespace limpid {

namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// What the module's thread is asked to do.
struct Task {
  enum class Kind { sum_floats, sum_doubles, broadcast, fail, abandon } kind;
  void* at = nullptr;
  int64_t count = 0;
};

class MpiRanks final : public Ranks {
 public:
  MpiRanks() : thread_([this] { work(); }) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return joined_; });
  }
  ~MpiRanks() override { leave(); }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  const std::string& error() const { return error_; }

  void begin_sum(float* numbers, int64_t count) override { post({Task::Kind::sum_floats, numbers, count}); }
  void begin_sum(double* numbers, int64_t count) override { post({Task::Kind::sum_doubles, numbers, count}); }
  void broadcast(void* bytes, size_t count) override {
    post({Task::Kind::broadcast, bytes, static_cast<int64_t>(count)});
    wait();
  }

  void wait() override {
    const Clock::time_point start = Clock::now();
    std::unique_lock lock(mutex_);
    if (open_ == 0) return;
    waits_ = true;
    while (!changed_.wait_for(lock, Milliseconds(100), [&] { return open_ == 0; })) {
      lock.unlock();
      if (while_waiting) while_waiting(since(start));
      lock.lock();
    }
    waits_ = false;
    // Of the time of the sums alone: not until this thread was woken.
    const std::chrono::duration<double> waited = done_at_ - std::max(start, busy_since_);
    times_.waited += std::max(0.0, waited.count());
  }

  bool all_failed(double seconds) override {
    post({Task::Kind::fail});
    std::unique_lock lock(mutex_);
    waits_ = true;
    const bool all =
        changed_.wait_for(lock, std::chrono::duration<double>(seconds), [&] { return open_ == 0; });
    waits_ = false;
    return all;
  }

  void abandon(int status) override {
    post({Task::Kind::abandon, nullptr, status});
    thread_.join();
  }

  void leave() override {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    asked_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

  Times times() const override {
    const std::lock_guard lock(mutex_);
    return times_;
  }

 private:
  void post(const Task& task) {
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(task);
      ++open_;
    }
    asked_.notify_one();
  }

  // ---- on the module's thread

  void work() {
    if (join_others()) {
      while (take_tasks()) progress();
      MPI_Finalize();
    }
  }

  bool join_others() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals are the program's own threads' matter
    int provided = 0;
    std::string error;
    if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS)
      error = "MPI_Init_thread failed";
    else if (provided < MPI_THREAD_FUNNELED)
      error = "this MPI was built without threads";
    int rank = 0, size = 1;
    if (error.empty()) {
      MPI_Comm_rank(MPI_COMM_WORLD, &rank);
      MPI_Comm_size(MPI_COMM_WORLD, &size);
      MPI_Comm_dup(MPI_COMM_WORLD, &failures_);
    }
    const std::lock_guard lock(mutex_);
    rank_ = rank, size_ = size, error_ = error, joined_ = true;
    changed_.notify_all();
    return error.empty();
  }

  // Begins what was asked for; sleeps where there is nothing to do.  False: the end.
  bool take_tasks() {
    std::deque<Task> tasks;
    {
      std::unique_lock lock(mutex_);
      if (requests_.empty()) asked_.wait(lock, [&] { return ended_ || !tasks_.empty(); });
      if (ended_) return false;
      tasks.swap(tasks_);
      if (requests_.empty() && !tasks.empty()) busy_since_ = Clock::now();
    }
    for (const Task& task : tasks) begin(task);
    return true;
  }

  // Pieces of at most this many numbers: MPI counts in int.
  static constexpr int64_t k_most = int64_t{1} << 28;

  void begin(const Task& task) {
    switch (task.kind) {
      case Task::Kind::sum_floats:
        begin_sum_of<float>(task, MPI_FLOAT);
        break;
      case Task::Kind::sum_doubles:
        begin_sum_of<double>(task, MPI_DOUBLE);
        break;
      case Task::Kind::broadcast:
        begin_broadcast(task);
        break;
      case Task::Kind::fail:
        MPI_Ibarrier(failures_, &add_request());
        break;
      case Task::Kind::abandon:
        MPI_Abort(MPI_COMM_WORLD, static_cast<int>(task.count));
    }
  }

  void begin_broadcast(const Task& task) {
    int64_t pieces = 0;
    for (int64_t first = 0; first < task.count; first += k_most, ++pieces)
      MPI_Ibcast(static_cast<char*>(task.at) + first, static_cast<int>(std::min(k_most, task.count - first)),
                 MPI_BYTE, 0, MPI_COMM_WORLD, &add_request());
    const std::lock_guard lock(mutex_);
    open_ += pieces - 1;
    if (open_ == 0) changed_.notify_all();
  }

  // From a copy of the numbers: sums in place Open MPI 4 sends whole up and down a tree, others in pieces
  // round all ranks, which at 64 of them moves a sixth as much.
  template <class Real>
  void begin_sum_of(const Task& task, MPI_Datatype type) {
    auto* const numbers = static_cast<Real*>(task.at);
    int64_t pieces = 0;
    for (int64_t first = 0; first < task.count; first += k_most, ++pieces) {
      const int64_t count = std::min(k_most, task.count - first);
      MPI_Request& request = add_request();
      std::vector<char>& own = own_.back();
      own.resize(static_cast<size_t>(count) * sizeof(Real));
      std::memcpy(own.data(), numbers + first, own.size());
      MPI_Iallreduce(own.data(), numbers + first, static_cast<int>(count), type, MPI_SUM, MPI_COMM_WORLD,
                     &request);
    }
    const std::lock_guard lock(mutex_);
    open_ += pieces - 1;
    times_.bytes += task.count * static_cast<int64_t>(sizeof(Real));
    if (open_ == 0) changed_.notify_all();
  }

  MPI_Request& add_request() {
    own_.emplace_back();
    return requests_.emplace_back(MPI_REQUEST_NULL);
  }

  // Those that are done.
  void remove_requests() {
    size_t left = 0;
    for (size_t i = 0; i < requests_.size(); ++i) {
      if (requests_[i] == MPI_REQUEST_NULL) continue;
      requests_[left] = requests_[i];
      own_[left++].swap(own_[i]);
    }
    requests_.resize(left);
    own_.resize(left);
  }

  void progress() {
    if (requests_.empty()) return;
    int done = 0;
    std::vector<int> which(requests_.size());
    MPI_Testsome(static_cast<int>(requests_.size()), requests_.data(), &done, which.data(),
                 MPI_STATUSES_IGNORE);
    if (done > 0) remove_requests();
    bool waits;
    {
      const std::lock_guard lock(mutex_);
      waits = waits_;
      open_ -= done;
      if (done > 0 && requests_.empty()) {
        done_at_ = Clock::now();
        times_.summing += std::chrono::duration<double>(done_at_ - busy_since_).count();
      }
      if (open_ == 0) changed_.notify_all();
    }
    if (done > 0) {
      idle_ = 0;
      return;
    }
    // While the program computes, the core is its own; while it waits, every answer counts.
    constexpr int k_eager = 1000;
    if (waits && ++idle_ < k_eager)
      std::this_thread::yield();
    else
      std::this_thread::sleep_for(std::chrono::microseconds(50));
  }

  mutable std::mutex mutex_;
  std::condition_variable asked_, changed_;
  std::deque<Task> tasks_;
  int64_t open_ = 0;  // tasks that are not done
  bool waits_ = false, joined_ = false, ended_ = false;
  Times times_;
  Clock::time_point busy_since_, done_at_;  // of the sums that are, or were last, under way
  int rank_ = 0, size_ = 1;
  std::string error_;

  // The module's thread alone.
  std::vector<MPI_Request> requests_;
  std::vector<std::vector<char>> own_;  // what each of them sends
  MPI_Comm failures_ = MPI_COMM_NULL;
  int idle_ = 0;

  std::thread thread_;  // the last: it uses all of them
};

}  // namespace

extern "C" {

__attribute__((visibility("default"))) const char* limpid_mpi_version() { return k_version; }

__attribute__((visibility("default"))) const char* limpid_mpi_library() {
  static char text[MPI_MAX_LIBRARY_VERSION_STRING];
  int length = 0;
  MPI_Get_library_version(text, &length);
  // "Open MPI v4.1.4, package: ..."
  *std::find(text, text + length, ',') = 0;
  return text;
}

__attribute__((visibility("default"))) Ranks* limpid_mpi_join(std::string* error) {
  auto ranks = std::make_unique<MpiRanks>();
  if (ranks->error().empty()) return ranks.release();
  *error = ranks->error();
  ranks->leave();
  return nullptr;
}

}  // extern "C"

}  // namespace limpid
