#include "trace/explain_text.h"

#include <algorithm>
#include <cmath>

#include "core/number_text.h"
#include "trace/figures.h"

namespace limpid {

namespace {

// The last `parts` of a dotted name.
std::string tail(const std::string& name, int parts) {
  size_t at = name.size();
  while (parts-- > 0 && at != std::string::npos && at > 0) at = name.rfind('.', at - 1);
  return at == std::string::npos || at == 0 ? name : name.substr(at + 1);
}

const char* written(Expr::Function function) {
  static const char* const k_names[] = {"exp", "log", "sqrt", "tanh", "erf", "cos", "sin", "max"};
  return k_names[static_cast<int>(function)];
}

// -1 times something, as a difference is kept.
const Expr* negated(const Expr& e) {
  if (e.kind() != Expr::Kind::product || e.parts().size() != 2) return nullptr;
  const Expr& sign = e.parts()[0];
  return sign.kind() == Expr::Kind::constant && sign.value() == -1 ? &e.parts()[1] : nullptr;
}

// Two expressions of the same key are the same arithmetic of the same cells.
void add_key(std::string& key, const Expr& e) {
  key += static_cast<char>('a' + static_cast<int>(e.kind()));
  if (e.kind() == Expr::Kind::constant) key += number_text(e.value());
  if (e.kind() == Expr::Kind::function) key += written(e.function());
  if (e.kind() == Expr::Kind::cell) {
    key += std::to_string(e.input());
    for (int64_t i : e.index()) key += ',' + std::to_string(i);
  }
  for (const Expr& part : e.parts()) add_key(key, part);
  key += ';';
}

}  // namespace

std::string places(const Shape& shape, const Index& index) {
  std::string out;
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i].size == 1) continue;
    out += out.empty() ? "" : ",";
    if (shape[i].axis != Axis::none) out += join(static_cast<char>(shape[i].axis), "=");
    out += std::to_string(index[static_cast<size_t>(i)]);
  }
  return out.empty() ? out : "[" + out + "]";
}

CellNames::CellNames(const Explanation& why) : why_(why) {
  std::vector<std::string> all = {why.name};
  for (const Explanation::Input& input : why.inputs) all.push_back(input.name);
  const auto short_name = [&](const std::string& name) {
    const bool grad = name.ends_with(".grad"),
               part = name.ends_with(".scale") || name.ends_with(".normalized");
    for (int parts = 1 + grad + part;; ++parts) {
      const std::string out = tail(name, parts);
      const auto clash = [&](const std::string& other) { return other != name && tail(other, parts) == out; };
      if (out == name || std::none_of(all.begin(), all.end(), clash)) return out;
    }
  };
  self_ = short_name(why.name);
  for (const Explanation::Input& input : why.inputs) inputs_.push_back(short_name(input.name));
}

std::string CellNames::cell(const Expr& cell) const {
  return input(cell.input()) + places(why_.inputs[static_cast<size_t>(cell.input())].shape, cell.index());
}

std::string CellNames::whole() const { return self_ + places(why_.shape, why_.index); }

bool FormulaWriter::is_long(const Expr& e) {
  const bool list = e.kind() == Expr::Kind::sum ||
                    (e.kind() == Expr::Kind::function && e.function() == Expr::Function::maximum);
  return list && e.parts().size() > k_short;
}

std::string FormulaWriter::number(double value) const {
  if (value == std::floor(value) && std::fabs(value) < 1e6)
    return std::to_string(static_cast<int64_t>(value));
  return Figures({value}, decimals_).text(value);
}

std::string FormulaWriter::name_of(const Expr& e) {
  std::string key;
  add_key(key, e);
  const auto [at, first] = known_.emplace(key, found_.size());
  if (first) {
    const bool sum = e.kind() == Expr::Kind::sum;
    size_t number = 1;
    for (const Long& other : found_) number += (other.expr->kind() == Expr::Kind::sum) == sum;
    found_.push_back({&e, join(sum ? "sum " : "max ", number)});
  }
  return found_[at->second].name;
}

std::string FormulaWriter::write_sum(const Expr& e, bool names, int tight) {
  if (e.parts().empty()) return "0";
  std::string out;
  for (const Expr& part : e.parts()) {
    const Expr* less = negated(part);
    std::string text = write(less ? *less : part, names, less ? 1 : 0);
    bool minus = less != nullptr;
    if (!minus && (part.kind() == Expr::Kind::constant || (!names && part.kind() == Expr::Kind::cell)) &&
        text.starts_with('-') && !out.empty())
      minus = true, text.erase(0, 1);
    if (minus && !out.empty() && text.starts_with('-')) text = "(" + text + ")";
    out += out.empty() ? (minus ? "-" : "") : (minus ? " - " : " + ");
    out += text;
  }
  return tight > 0 && e.parts().size() > 1 ? "(" + out + ")" : out;
}

std::string FormulaWriter::write(const Expr& e, bool names, int tight) {
  if (is_long(e)) {
    const std::string name = name_of(e);
    return !names ? number(e.value()) : tight > 0 ? "(" + name + ")" : name;
  }
  switch (e.kind()) {
    case Expr::Kind::constant:
      return number(e.value());
    case Expr::Kind::cell:
      return names ? names_.cell(e) : number(e.value());
    case Expr::Kind::sum:
      return write_sum(e, names, tight);
    case Expr::Kind::product: {
      std::string out;
      if (const Expr* less = negated(e)) {
        out = "-" + write(*less, names, 1);
      } else {
        for (const Expr& part : e.parts()) out += (out.empty() ? "" : " x ") + write(part, names, 1);
      }
      return tight > 1 ? "(" + out + ")" : out;
    }
    case Expr::Kind::quotient: {
      const std::string over =
          write(e.parts()[0], names, 1);  // first: long sums are counted as they are read
      const std::string out = over + " / " + write(e.parts()[1], names, 2);
      return tight > 0 ? "(" + out + ")" : out;
    }
    case Expr::Kind::function: {
      std::string out;
      for (const Expr& part : e.parts()) out += (out.empty() ? "" : ", ") + write(part, names, 0);
      return join(written(e.function()), "(", out, ")");
    }
  }
  return "";
}

}  // namespace limpid
