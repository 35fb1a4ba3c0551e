// What bench_kernels times: this machine's ceilings, and kernels at the shapes of a GPT.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace limpid::bench {

/// One line of the table: what to run, and what one run of it is worth.
struct Work {
  std::string group, name;
  double amount = 0;  // floating-point operations, or bytes; of a loop on registers: those of one thread
  bool bytes = false;
  std::function<void()> run;
  std::string isa = "";  // the instruction set it runs on
  int ceiling = -1;      // the work that this one is a share of; -1: it is a ceiling itself
};

/// The ceilings, and the kernels that have `only` in their name, to be run on this instruction set.
std::vector<Work> works(const std::string& isa, const std::string& only);

}  // namespace limpid::bench
