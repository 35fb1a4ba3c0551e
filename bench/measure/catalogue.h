// What `limpid bench` can time: a list of cases, each a kernel at one shape, with what one call of it is
// worth.  A new kernel is a new case in the file of its kind (attention.cpp, decode.cpp, products.cpp,
// token.cpp, rows.cpp, training.cpp); nothing else changes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "bench/measure/limits.h"

namespace limpid::bench {

/// One call does so much of what a limit counts.
struct Bound {
  LimitKey limit;
  double amount = 0;
};

struct Case {
  std::string what;             // "attention_forward"
  std::string shape;            // "c (12,1024,64)"
  std::string type = "f32";     // of what is stored; sums are f32
  std::string mask = "none";    // or "causal"
  std::string layout = "rows";  // how what it reads lies in memory; each kind says what its words mean
  std::map<std::string, int64_t> sizes;  // by letter, for a peer: the design's axes; a product has M, K, N
  std::vector<Bound> bounds;             // the slowest of them is the limit
  bool quick = false;                    // part of --quick
  /// Takes the memory that the case needs and returns what is timed.  Called once, with the instruction set
  /// in use that it will run on.
  std::function<std::function<void()>()> prepare;
};

/// Every case there is, in the order of the table.
std::vector<Case> catalogue();

void add_attention(std::vector<Case>& all);
void add_decode(std::vector<Case>& all);
void add_products(std::vector<Case>& all);
void add_token(std::vector<Case>& all);
void add_rows(std::vector<Case>& all);
void add_training(std::vector<Case>& all);

/// The cases that match one of `only` (all where it is empty).  A pattern is words with spaces between them,
/// and a case matches if every word is its `what`, type, mask or layout, a part of `what` between
/// underscores, or a word of its shape: "attention_forward c causal", "backward (12,512,64)".  Throws
/// Error{call} naming the words there are where a pattern matches nothing.
std::vector<Case> select(std::vector<Case> all, const std::vector<std::string>& only);

}  // namespace limpid::bench
