#include <algorithm>
#include <cmath>
#include <cstdio>

#include "limpid/graph.h"

namespace limpid {

Expr Expr::cell(int input, Index index, double value) {
  Expr e(value);
  e.kind_ = Kind::cell;
  e.input_ = input;
  e.index_ = std::move(index);
  return e;
}

Expr Expr::sum(std::vector<Expr> terms) {
  Expr e;
  e.kind_ = Kind::sum;
  e.parts_ = std::move(terms);
  return e;
}

Expr Expr::product(std::vector<Expr> factors) {
  Expr e;
  e.kind_ = Kind::product;
  e.parts_ = std::move(factors);
  return e;
}

Expr Expr::quotient(Expr numerator, Expr denominator) {
  Expr e;
  e.kind_ = Kind::quotient;
  e.parts_ = {std::move(numerator), std::move(denominator)};
  return e;
}

Expr Expr::call(Function function, std::vector<Expr> arguments) {
  Expr e;
  e.kind_ = Kind::function;
  e.function_ = function;
  e.parts_ = std::move(arguments);
  return e;
}

namespace {

double apply(Expr::Function function, const std::vector<Expr>& arguments) {
  const double x = arguments.at(0).value();
  switch (function) {
    case Expr::Function::exp:
      return std::exp(x);
    case Expr::Function::log:
      return std::log(x);
    case Expr::Function::sqrt:
      return std::sqrt(x);
    case Expr::Function::tanh:
      return std::tanh(x);
    case Expr::Function::erf:
      return std::erf(x);
    case Expr::Function::cos:
      return std::cos(x);
    case Expr::Function::sin:
      return std::sin(x);
    case Expr::Function::maximum:
      break;
  }
  double best = x;
  for (const Expr& argument : arguments) {
    const double value = argument.value();
    if (std::isnan(value)) return value;
    best = std::max(best, value);
  }
  return best;
}

const char* written(Expr::Function function) {
  switch (function) {
    case Expr::Function::exp:
      return "exp";
    case Expr::Function::log:
      return "log";
    case Expr::Function::sqrt:
      return "sqrt";
    case Expr::Function::tanh:
      return "tanh";
    case Expr::Function::erf:
      return "erf";
    case Expr::Function::cos:
      return "cos";
    case Expr::Function::sin:
      return "sin";
    case Expr::Function::maximum:
      return "max";
  }
  return "?";
}

void collect(const Expr& e, std::vector<const Expr*>& cells) {
  if (e.kind() == Expr::Kind::cell) cells.push_back(&e);
  for (const Expr& part : e.parts()) collect(part, cells);
}

// Parts joined by a sign; a long list keeps its two ends and says how many it leaves out.
std::string list(const std::vector<Expr>& parts, const char* sign, int digits, int terms, bool bracket_sums) {
  const size_t n = parts.size(), half = static_cast<size_t>(std::max(terms / 2, 1));
  std::string out;
  for (size_t i = 0; i < n; ++i) {
    if (n > 2 * half && i == half) {
      out += join(sign, "... ", n - 2 * half, " more ...");
      i = n - half;
    }
    if (!out.empty()) out += sign;
    const std::string text = parts[i].text(digits, terms);
    const bool bracket =
        bracket_sums && (parts[i].kind() == Expr::Kind::sum || parts[i].kind() == Expr::Kind::quotient);
    out += bracket ? "(" + text + ")" : text;
  }
  return out;
}

}  // namespace

double Expr::value() const {
  double result = 0;
  switch (kind_) {
    case Kind::constant:
    case Kind::cell:
      return value_;
    case Kind::sum:
      for (const Expr& part : parts_) result += part.value();
      return result;
    case Kind::product:
      result = 1;
      for (const Expr& part : parts_) result *= part.value();
      return result;
    case Kind::quotient:
      return parts_[0].value() / parts_[1].value();
    case Kind::function:
      return apply(function_, parts_);
  }
  return result;
}

std::vector<const Expr*> Expr::cells() const {
  std::vector<const Expr*> out;
  collect(*this, out);
  return out;
}

std::string Expr::text(int digits, int terms) const {
  switch (kind_) {
    case Kind::constant:
    case Kind::cell: {
      char buffer[64];
      std::snprintf(buffer, sizeof buffer, "%.*f", digits, value_);
      return buffer;
    }
    case Kind::sum:
      return parts_.empty() ? "0" : list(parts_, " + ", digits, terms, false);
    case Kind::product:
      return list(parts_, " x ", digits, terms, true);
    case Kind::quotient:
      return list({parts_[0]}, "", digits, terms, true) + " / " + list({parts_[1]}, "", digits, terms, true);
    case Kind::function:
      return join(written(function_), "(", list(parts_, ", ", digits, terms, false), ")");
  }
  return "";
}

Expr operator+(Expr a, Expr b) { return Expr::sum({std::move(a), std::move(b)}); }
Expr operator-(Expr a, Expr b) { return Expr::sum({std::move(a), Expr::product({Expr(-1), std::move(b)})}); }
Expr operator*(Expr a, Expr b) { return Expr::product({std::move(a), std::move(b)}); }
Expr operator/(Expr a, Expr b) { return Expr::quotient(std::move(a), std::move(b)); }
Expr exp(Expr x) { return Expr::call(Expr::Function::exp, {std::move(x)}); }
Expr log(Expr x) { return Expr::call(Expr::Function::log, {std::move(x)}); }
Expr sqrt(Expr x) { return Expr::call(Expr::Function::sqrt, {std::move(x)}); }
Expr tanh(Expr x) { return Expr::call(Expr::Function::tanh, {std::move(x)}); }
Expr erf(Expr x) { return Expr::call(Expr::Function::erf, {std::move(x)}); }
Expr maximum(std::vector<Expr> all) { return Expr::call(Expr::Function::maximum, std::move(all)); }

}  // namespace limpid
