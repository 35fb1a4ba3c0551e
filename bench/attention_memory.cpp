// How much memory attention takes besides what it reads and writes: the law is that it grows with T, not with
// T^2.  Each line is a process of its own, so that its peak (ru_maxrss) is that line's alone.
//
//   bench_attention_memory > bench/results/attention-memory.txt
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <vector>

#include "bench/measure/memory.h"
#include "bench/measure/program.h"
#include "core/threads.h"
#include "kernels/attention.h"
#include "kernels/kernel.h"
#include "limpid/error.h"

namespace limpid::bench {
namespace {

constexpr int64_t k_width = 64;  // D, of one head
enum class Way { forward, backward, observed };
constexpr const char* k_names[] = {"forward", "backward", "observed"};

int64_t peak_bytes() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return used.ru_maxrss * 1024;
}

// One call, on memory of its own.
class Call {
 public:
  Call(Way way, int64_t rows) : way_(way) {
    const kernels::HeadStrides at{rows * k_width, k_width, k_width};
    args_.shape = {1, rows, rows, 1, 1, k_width, k_width};
    args_.q = take("q", rows * k_width), args_.k = take("k", rows * k_width);
    args_.v = take("v", rows * k_width), args_.z = take("z", rows * k_width), args_.lse = take("lse", rows);
    args_.q_at = args_.k_at = args_.v_at = args_.z_at = at;
    args_.scale = 1 / std::sqrt(static_cast<float>(k_width));
    if (way == Way::backward) {
      gradients_.dz = take("dz", rows * k_width), gradients_.dq = take("dq", rows * k_width);
      gradients_.dk = take("dk", rows * k_width), gradients_.dv = take("dv", rows * k_width);
      gradients_.dz_at = gradients_.dq_at = gradients_.dk_at = gradients_.dv_at = at;
    }
    if (way == Way::observed) {
      seen_.top = 8;
      seen_.entropy = take("entropy", rows), seen_.top_weights = take("top", rows * seen_.top);
      seen_.top_keys = reinterpret_cast<int32_t*>(take("top keys", rows * seen_.top));
      // 64 x 64 blocks; of very long texts 64 x more, as a block has at most 256 queries.
      seen_.map_queries = std::min<int64_t>(256, rows / 64), seen_.map_keys = rows / 64;
      seen_.map = take("map", rows / seen_.map_queries * 64);
    }
  }

  void run() {
    if (way_ == Way::backward)
      launch(kernels::AttentionBackward(args_, gradients_));
    else
      launch(kernels::AttentionForward(args_, seen_));
  }
  int64_t operand_bytes() const { return bytes_; }

 private:
  float* take(const std::string& name, int64_t count) {
    kept_.push_back(shared_numbers(name, count));  // touched
    bytes_ += count * 4;
    return kept_.back().get();
  }

  Way way_;
  kernels::AttentionArgs args_;
  kernels::AttentionGradients gradients_;
  kernels::AttentionObservation seen_;
  std::vector<std::shared_ptr<float>> kept_;
  int64_t bytes_ = 0;
};

struct Line {
  int64_t operands = 0, more = 0;  // bytes: read and written; what the process grew by besides
};

// A short call first: the program itself and the numbers to copy from are no part of it.  It stays, lest the
// second find its memory free.
Line measured(Way way, int64_t rows) {
  Call first(way, 64);
  first.run();
  const int64_t before = peak_bytes();
  Call call(way, rows);
  call.run();
  return {call.operand_bytes(), peak_bytes() - before - call.operand_bytes()};
}

Line measured_alone(Way way, int64_t rows) {
  int pipe_ends[2];
  if (pipe(pipe_ends) != 0) fail_work("no pipe");
  const pid_t child = fork();
  if (child < 0) fail_work("no process for ", k_names[static_cast<int>(way)]);
  if (child == 0) {
    const Line line = measured(way, rows);
    _exit(write(pipe_ends[1], &line, sizeof line) == sizeof line ? 0 : 1);
  }
  close(pipe_ends[1]);
  Line line;
  const bool whole = read(pipe_ends[0], &line, sizeof line) == sizeof line;
  close(pipe_ends[0]);
  waitpid(child, nullptr, 0);
  if (!whole) fail_work(k_names[static_cast<int>(way)], " of ", rows, " rows did not finish");
  return line;
}

std::string mebibytes(int64_t bytes) { return fixed(static_cast<double>(bytes) / (1 << 20), 2); }

std::string today() {
  const std::time_t seconds = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[16];
  std::strftime(text, sizeof text, "%Y-%m-%d", &parts);
  return text;
}

void print_table() {
  set_threads(1);
  Table table;
  table.add({"", "T", "operands", "besides", "all T x T weights"});
  for (const Way way : {Way::forward, Way::backward, Way::observed}) {
    for (const int64_t rows : {1024, 4096, 16384, 65536}) {
      if (way == Way::backward && rows > 16384) continue;  // half a minute
      const Line line = measured_alone(way, rows);
      table.add({k_names[static_cast<int>(way)], grouped(rows), mebibytes(line.operands),
                 mebibytes(line.more), mebibytes(rows * rows * 4)});
    }
  }
  std::printf(
      "Peak memory of attention, MiB: one head, D = %d, f32, no mask, one thread\n\n%s\n"
      "operands: what is read and written (backward: gradients too; observed: entropies, the 8 largest "
      "weights\n"
      "of each row, a map).  besides: how much the process's peak (ru_maxrss) grew by, less the operands; "
      "the\n"
      "system counts to about 0.2 MiB.\n\n%s, %s, bench_attention_memory\n",
      static_cast<int>(k_width), table.text().c_str(), today().c_str(), machine_text().c_str());
}

}  // namespace
}  // namespace limpid::bench

int main() { return limpid::bench::guarded("bench_attention_memory", limpid::bench::print_table); }
