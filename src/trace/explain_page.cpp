// An explanation for a terminal: the formula in names and in numbers, and every long sum term by term.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/label.h"
#include "core/number_text.h"
#include "core/width.h"
#include "limpid/explain.h"
#include "trace/explain_text.h"
#include "trace/figures.h"
#include "trace/paper.h"
#include "trace/reading.h"
#include "trace/table.h"

namespace limpid {

namespace {

// As many digits as the run holds.
std::string exact(const Trace& trace, const Explanation& why) {
  const auto stored = trace.values.find(why.name);
  const bool in_double = stored != trace.values.end() && stored->second.dtype() == DType::f64;
  return in_double || why.value != static_cast<double>(static_cast<float>(why.value))
             ? number_text(why.value)
             : number_text(static_cast<float>(why.value));
}

// "T=3 is "·short", S=1 is "ife""
std::string words_of(const Reading& reading, const Explanation& why) {
  std::string out;
  for (int i = 0; i < why.shape.rank(); ++i) {
    const Axis axis = why.shape[i].axis;
    if (axis != Axis::T && axis != Axis::S && axis != Axis::V) continue;
    const int64_t place = why.index[static_cast<size_t>(i)];
    const std::string label = reading.label_in(why.name, axis, place, why.shape[i].size);
    if (label.empty() || label == join("#", place)) continue;
    out += join(out.empty() ? "" : ", ", static_cast<char>(axis), "=", place, " is \"",
                clip_to_width(label, 30), "\"");
  }
  return out;
}

class Explainer {
 public:
  Explainer(Paper& paper, const Trace& trace, const Explanation& why, const PageOptions& options)
      : paper_(paper),
        reading_(trace),
        trace_(trace),
        why_(why),
        options_(options),
        names_(why),
        writer_(names_, options.decimals) {}

  void print() {
    print_heading();
    if (!why_.computed) return print_given();
    paper_.blank();
    print_inputs();
    print_formula();
    for (size_t i = 0; i < writer_.found().size(); ++i) print_long(writer_.found()[i]);
    print_truth();
  }

 private:
  void print_heading() {
    paper_.paragraph(join(why_.name, places(why_.shape, why_.index), " = ", exact(trace_, why_)), 0,
                     Ink::heading);
    if (const std::string words = words_of(reading_, why_); !words.empty()) paper_.paragraph(words, k_indent);
    if (!why_.computed) return;
    paper_.paragraph(join(why_.label, ": ", why_.equation), k_indent);
    paper_.paragraph(why_.caption, k_indent, Ink::faint);
  }

  void print_given() {
    const int id = reading_.graph().find(why_.name);
    const bool learned = id >= 0 && reading_.graph().value(id).kind == Value::Kind::parameter;
    paper_.paragraph(learned ? "A parameter: learned, or drawn at random, and not computed from anything."
                             : "An input of the network: given, and not computed from anything.",
                     k_indent);
  }

  void print_inputs() {
    for (size_t i = 0; i < why_.inputs.size(); ++i) {
      const Explanation::Input& input = why_.inputs[i];
      Line& line = paper_.line(k_indent).add("reads ", Ink::faint);
      const std::string name = names_.input(static_cast<int>(i));
      if (name != input.name) line.add(name + " = ");
      line.add(input.name + " ").add(input.shape.text(), Ink::faint);
      if (input.kind == Value::Kind::parameter) line.add("  a parameter", Ink::faint);
      if (input.kind == Value::Kind::input) line.add("  an input", Ink::faint);
    }
  }

  // name = formula
  //      = the same in numbers
  //      = result
  void print_formula() {
    const Expr& e = why_.arithmetic;
    paper_.blank();
    const std::string names = writer_.in_names(e), numbers = writer_.in_numbers(e);
    // No equals sign stands between an edited number and arithmetic that it does not fulfil.
    paper_.paragraph(join(why_.edited.empty() ? names_.whole() : "before the edit", " = ", names), k_indent);
    if (numbers != names) paper_.paragraph("= " + numbers, k_indent + 2);
    const std::string result = Figures({e.value()}, options_.decimals).text(e.value());
    if (result != numbers) paper_.paragraph("= " + result, k_indent + 2);
  }

  void print_long(const FormulaWriter::Long long_one) {
    const std::vector<Expr>& parts = long_one.expr->parts();
    const bool sum = long_one.expr->kind() == Expr::Kind::sum;
    std::vector<double> values;
    for (const Expr& part : parts) values.push_back(part.value());
    const size_t most = std::max<size_t>(1, static_cast<size_t>(std::max(options_.most_rows, 1)));
    std::vector<size_t> order(parts.size());
    std::iota(order.begin(), order.end(), size_t{0});
    const bool cut = parts.size() > most;
    if (cut) {
      // By magnitude, what is no number before all else; of a maximum the largest.
      const auto weight = [&](size_t i) {
        return std::isnan(values[i]) ? INFINITY : sum ? std::fabs(values[i]) : values[i];
      };
      std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return weight(a) > weight(b); });
      order.resize(most);
    }
    paper_.blank();
    paper_.line(k_indent)
        .add(long_one.name, Ink::plain, true)
        .add(join(": ", counted(static_cast<int64_t>(parts.size()), sum ? "term" : "number"),
                  cut ? join(", the ", most, " largest", sum ? " by magnitude" : "") : ""),
             Ink::faint);
    print_rows(parts, order, values, cut, sum, long_one.expr->value());
  }

  void print_rows(const std::vector<Expr>& parts, const std::vector<size_t>& order,
                  const std::vector<double>& values, bool cut, bool sum, double total) {
    std::vector<double> shown = {total};
    for (size_t i : order) shown.push_back(values[i]);
    double rest = 0;
    if (cut && sum) {
      std::vector<bool> left(parts.size(), true);
      for (size_t i : order) left[i] = false;
      for (size_t i = 0; i < parts.size(); ++i)
        if (left[i]) rest += values[i];
      shown.push_back(rest);
    }
    const Figures figures(shown, options_.decimals);
    struct Row {
      std::string names, numbers, value;
    };
    std::vector<Row> rows;
    size_t first = 0, second = 0;
    for (size_t i : order) {
      Row row{writer_.in_names(parts[i]), writer_.in_numbers(parts[i]), figures.text(values[i])};
      if (parts[i].kind() == Expr::Kind::cell || parts[i].kind() == Expr::Kind::constant) row.numbers.clear();
      first = std::max(first, display_width(row.names));
      second = std::max(second, display_width(row.numbers));
      rows.push_back(std::move(row));
    }
    const std::string more =
        join(parts.size() - order.size(), " more ", sum ? "terms, added up" : "numbers, none larger");
    const std::string last = sum ? "sum" : "largest";
    if (cut) first = std::max(first, display_width(more));
    const size_t indent = k_indent + 2, width = figures.width();
    const size_t whole = indent + first + (second ? 2 + second : 0) + 2 + width;
    const bool fits = whole <= paper_.columns();
    const size_t end = std::min(whole, paper_.columns());
    const auto add = [&](const std::string& names, const std::string& numbers, const std::string& value,
                         Ink ink) {
      Line* line = &paper_.line(indent).add(names, ink);
      if (!fits && !numbers.empty()) line = &paper_.line(indent + 2);
      if (!numbers.empty()) line->to(fits ? indent + first + 2 : indent + 2).add(numbers, Ink::faint);
      if (!value.empty()) line->right(value, end);
    };
    for (const Row& row : rows) add(row.names, row.numbers, row.value, Ink::plain);
    if (cut) add(more, "", sum ? figures.text(rest) : "", Ink::faint);
    add(last, "", figures.text(total), Ink::plain);
  }

  // What else is true of this number.
  void print_truth() {
    const double given = why_.arithmetic.value();
    std::vector<std::string> lines;
    if (!why_.edited.empty())
      lines.push_back(join("Edited: ", why_.edited, ". The arithmetic gives ", number_text(given),
                           "; the edit made it ", exact(trace_, why_), "."));
    else if (std::fabs(given - why_.value) > 1e-12 * std::max(1.0, std::fabs(given)))
      lines.push_back(join("The run holds ", exact(trace_, why_), ", ",
                           rounded(std::fabs(given - why_.value)),
                           " from what these terms give in double: it was computed in 32 bits."));
    for (const std::string& edit : why_.edited_inputs) lines.push_back("Edited among what is read: " + edit);
    if (why_.rebuilt)
      lines.push_back(
          "Scores and weights were not kept: this row was rebuilt from q, k and what the fused "
          "kernel kept of it.");
    if (lines.empty()) return;
    paper_.blank();
    for (const std::string& line : lines)
      paper_.paragraph(visible_line(line), k_indent, why_.edited.empty() ? Ink::faint : Ink::alarm);
  }

  static std::string rounded(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1e", value);
    return text;
  }

  Paper& paper_;
  const Reading reading_;
  const Trace& trace_;
  const Explanation& why_;
  const PageOptions& options_;
  const CellNames names_;
  FormulaWriter writer_;
};

}  // namespace

std::string page(const Trace& trace, const std::vector<Explanation>& chain, const PageOptions& options) {
  Paper paper(options);
  for (size_t i = 0; i < chain.size(); ++i) {
    if (i > 0) paper.blank();
    if (i > 0) paper.line().add("The largest number that it reads:", Ink::faint);
    Explainer(paper, trace, chain[i], options).print();
  }
  return paper.text();
}

}  // namespace limpid
