// Arithmetic as text: cells by short names, long sums as tables of their own.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "limpid/explain.h"

namespace limpid {

/// How the cells of one explanation are called: "q[T=3,H=2,D=0]".
class CellNames {
 public:
  explicit CellNames(const Explanation&);
  /// The shortest tail of the name that no other value here has.
  std::string input(int input) const { return inputs_[static_cast<size_t>(input)]; }
  std::string cell(const Expr& cell) const;
  /// The value that is explained.
  std::string whole() const;

 private:
  const Explanation& why_;
  std::vector<std::string> inputs_;
  std::string self_;
};

/// "[T=3,H=2,D=0]"; axes of one place are left out; "" where none is left.
std::string places(const Shape&, const Index&);

/// One expression in names and in numbers.  Sums and maxima of more than k_short parts are named "sum 1",
/// "sum 2", ... and kept: each wants a table.
class FormulaWriter {
 public:
  static constexpr size_t k_short = 3;
  FormulaWriter(const CellNames& names, int decimals) : names_(names), decimals_(decimals) {}

  std::string in_names(const Expr& e) { return write(e, true, 0); }
  std::string in_numbers(const Expr& e) { return write(e, false, 0); }
  std::string number(double value) const;

  struct Long {
    const Expr* expr;
    std::string name;
  };
  /// In the order in which they were met.
  const std::vector<Long>& found() const { return found_; }
  static bool is_long(const Expr& e);

 private:
  // `tight`: 0 anything stands alone, 1 a factor (a sum needs brackets), 2 below a line (a product too).
  std::string write(const Expr& e, bool names, int tight);
  std::string write_sum(const Expr& e, bool names, int tight);
  std::string name_of(const Expr& e);
  const CellNames& names_;
  int decimals_;
  std::vector<Long> found_;
  std::map<std::string, size_t> known_;
};

}  // namespace limpid
