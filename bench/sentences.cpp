// Sentences through a model that makes vectors of them, for bench/sentences: how long it takes.
//   bench_sentences MODEL THREADS
// Each line of standard input is one sentence of the next batch; "run N" makes vectors of the batch N times
// and prints the seconds, and the next sentence begins another batch.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

#include "limpid/tasks.h"
#include "limpid/threads.h"

namespace limpid {
namespace {

int serve(const std::string& path, int threads) {
  set_threads(threads);
  const Model model = Model::load(path, {.weights = Weights::f32});
  std::vector<std::string> batch;
  bool ran = false;
  for (std::string line; std::getline(std::cin, line);) {
    if (!line.starts_with("run ")) {
      if (ran) batch.clear();
      ran = false;
      batch.push_back(line);
      continue;
    }
    ran = true;
    const auto start = std::chrono::steady_clock::now();
    for (int i = std::atoi(line.c_str() + 4); i > 0; --i) (void)embed(model, batch);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    std::printf("%.9f\n", took.count());
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace limpid

int main(int count, char** words) {
  if (count != 3) return std::fputs("bench_sentences MODEL THREADS\n", stderr), 2;
  try {
    return limpid::serve(words[1], std::atoi(words[2]));
  } catch (const std::exception& error) {
    return std::fprintf(stderr, "bench_sentences: %s\n", error.what()), 1;
  }
}
