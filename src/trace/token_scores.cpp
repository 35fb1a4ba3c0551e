// A token's query against every key: dot products term by term, what becomes of them, and the weights.
#include <algorithm>
#include <cmath>

#include "core/label.h"
#include "core/width.h"
#include "trace/token_page.h"

namespace limpid {

namespace {

// "dot", "scaled", "masked": what happened to a score, from the stage's name.
std::string column_title(const Reading& reading, int value) {
  std::string name = reading.graph().value(value).name;
  name = name.substr(name.rfind('.') + 1);
  if (name == "raw_scores") return "dot";
  if (name == "scores") return "masked";
  constexpr std::string_view k_scores = "_scores";
  if (name.size() > k_scores.size() &&
      name.compare(name.size() - k_scores.size(), k_scores.size(), k_scores) == 0)
    name.resize(name.size() - k_scores.size());
  return clip_to_width(visible_line(name), 8);
}

std::string without_spaces(std::string product) {
  for (size_t at = product.find(" x "); at != std::string::npos; at = product.find(" x "))
    product.replace(at, 3, "x");
  return product;
}

}  // namespace

void TokenPage::add_column(int value) {
  const std::string title = value == head_.pattern ? "weight" : column_title(reading_, value);
  const Rows cells = *reading_.rows(value);
  const auto at = [this, numbers = cells.numbers, row = cells.find(token_)](int64_t key) {
    return numbers.at({head_.head, row, key});
  };
  std::vector<double> values;
  bool same = !columns_.empty();
  for (int64_t key : shown_) {
    if (!masked(key)) values.push_back(at(key));
    same = same && (masked(key) || at(key) == columns_.back().at(key));
  }
  if (same && value != head_.pattern) return;  // a mask that only masks: the dots say so
  const Figures figures(values, options_.decimals);
  columns_.push_back({title, at, figures, std::max(figures.width(), display_width(title))});
}

// The products of the dot product, as its operation explains them.
std::vector<Expr> TokenPage::products_of(int64_t key) const {
  const StageInfo& stage = maker(reading_, reading_.in_layer(head_.layer, "attn.raw_scores"));
  std::vector<ConstView> inputs;
  for (int id : stage.inputs) {
    const std::string& name = reading_.graph().value(id).name;
    const auto rows = reading_.trace().values.find(name + "@rows");
    const bool by_rows = id == head_.q && !reading_.rows(id)->places.empty();
    inputs.push_back(by_rows ? rows->second.view() : reading_.trace()[name].view());
  }
  const int64_t query = reading_.rows(head_.q)->find(token_);
  const Expr sum = stage.operation->explain(inputs, {0, {0, head_.head, query, key}}, {});
  return sum.kind() == Expr::Kind::sum ? sum.parts() : std::vector<Expr>{sum};
}

// "1.35x1.01 + 1.00x0.80 + 30 more: 2.504" for every key that is shown, aligned; empty if that needs more
// room, or if `all` terms are wanted and do not fit.
std::vector<std::string> TokenPage::term_texts(size_t room, int digits, bool all) const {
  std::vector<std::vector<Expr>> products;
  std::vector<size_t> widths;
  for (int64_t key : shown_) {
    products.push_back(products_of(key));
    widths.resize(std::max(widths.size(), products.back().size()));
    for (size_t i = 0; i < products.back().size(); ++i)
      widths[i] = std::max(widths[i], without_spaces(products.back()[i].text(digits)).size());
  }
  const size_t rest = columns_[0].width + display_width(join(" + ", widths.size(), " more: "));
  size_t used = 0, fitting = 0;
  while (fitting < widths.size() &&
         used + widths[fitting] + (fitting + 1 < widths.size() ? std::min(rest, room) : 0) <= room)
    used += widths[fitting++] + 3;
  size_t whole = 0;
  for (size_t width : widths) whole += width + 3;
  if (whole <= room + 3) fitting = widths.size();
  if (fitting == 0 || (all && fitting < widths.size())) return {};
  std::vector<std::string> out;
  for (const std::vector<Expr>& parts : products) {
    std::string text;
    double left_out = 0;
    for (size_t i = 0; i < parts.size(); ++i) {
      if (i >= fitting) {
        left_out += parts[i].value();
        continue;
      }
      const std::string term = without_spaces(parts[i].text(digits));
      text += (i ? " + " : "") + std::string(widths[i] - term.size(), ' ') + term;
    }
    if (parts.size() > fitting) {
      const std::string number = columns_[0].figures.text(left_out);
      text +=
          join(" + ", parts.size() - fitting, " more: ",
               std::string(columns_[0].width > number.size() ? columns_[0].width - number.size() : 0, ' '),
               number);
    }
    out.push_back(std::move(text));
  }
  return out;
}

// With every decimal if all terms fit so, else with two; as few terms as it takes.
std::vector<std::string> TokenPage::term_texts(size_t room) const {
  std::vector<std::string> out = term_texts(room, options_.decimals, true);
  if (out.empty()) out = term_texts(room, std::min(options_.decimals, 2), false);
  if (out.empty()) out.assign(shown_.size(), "");
  return out;
}

void TokenPage::print_scores() {
  size_t numbers = 0;
  for (const Column& column : columns_) numbers += column.width + 2;
  const size_t room = paper_.columns() - std::min(paper_.columns(), label_width_ + 2 + numbers);
  const bool beside = room >= 30;
  // A dot product that was edited is not the sum of its terms.
  const bool computed = edit_of(reading_.in_layer(head_.layer, "attn.raw_scores")).empty();
  const std::vector<std::string> texts =
      computed ? term_texts(beside ? room - 1 : paper_.columns() - label_width_ - 2)
               : std::vector<std::string>(shown_.size());
  const std::string terms = computed ? "q . k, term by term" : "edited: not q . k";
  size_t widest = 0;
  for (const std::string& text : texts) widest = std::max(widest, text.size());
  if (!beside) {
    paper_.line().add("key", Ink::key, true).to(label_width_ + 2).add(terms, Ink::faint);
    for (size_t i = 0; i < shown_.size(); ++i)
      paper_.line().add(labels_[i], Ink::key).to(label_width_ + 2).add(texts[i]);
    paper_.blank();
  }
  const size_t first = label_width_ + 2 + (beside ? std::max<size_t>(widest, 20) + 1 : 0);
  Line& titles = paper_.line().add("key", Ink::key, true);
  if (beside) titles.to(label_width_ + 2).add(terms, Ink::faint);
  size_t end = first;
  for (const Column& column : columns_)
    titles.right(column.title, end += column.width + (&column == &columns_[0] ? 1 : 2), Ink::faint);
  const size_t bars = std::min<size_t>(10, paper_.columns() > end + 2 ? paper_.columns() - end - 2 : 0);
  bool any_masked = false, any_cut = false;
  double left_weight = 0, all = 0;
  for (int64_t key = 0; key < keys_; ++key) all += columns_.back().at(key);
  left_weight = all;
  for (size_t i = 0; i < shown_.size(); ++i) {
    const int64_t key = shown_[i];
    Line& line = paper_.line().add(labels_[i], Ink::key);
    if (beside) line.to(label_width_ + 2).add(texts[i]);
    end = first;
    for (size_t c = 0; c < columns_.size(); ++c) {
      const Column& column = columns_[c];
      const bool last = c + 1 == columns_.size(),
                 hidden = masked(key) && (last || !std::isfinite(column.at(key)));
      line.right(hidden && is_cut(key) ? "×"
                 : hidden              ? "·"
                                       : column.figures.text(column.at(key)),
                 end += column.width + (c ? 2 : 1), last && !hidden ? Ink::weights : Ink::plain);
      any_masked |= hidden && !is_cut(key);
      any_cut |= hidden && is_cut(key);
    }
    left_weight -= columns_.back().at(key);
    if (bars >= 5 && !masked(key)) line.skip(1).add(bar(columns_.back().at(key), bars), Ink::weights);
  }
  const auto more = keys_ - static_cast<int64_t>(shown_.size());
  const Column& weights = columns_.back();
  if (more > 0)
    paper_.line()
        .add(join("⋮ ", more, " more keys, together"), Ink::faint)
        .right(weights.figures.text(left_weight), end, Ink::weights);
  paper_.line()
      .right("sum", end - weights.width - 2, Ink::faint)
      .right(weights.figures.text(all), end, Ink::weights);
  if (any_masked)
    paper_.line().add(join("· masked: \"", reading_.label(Axis::T, token_), "\" may not look there"),
                      Ink::faint);
  if (any_cut) paper_.line().add("× cut: an edit took this edge away", Ink::alarm);
  const std::optional<Rows>& lse =
      reading_.rows(reading_.graph().find(reading_.graph().value(head_.pattern).name + ".lse"));
  if (edit_of(head_.pattern).empty() && lse && lse->numbers.shape().rank() == 2 && lse->find(token_) >= 0 &&
      columns_.size() > 1) {
    const double value = lse->numbers.at({head_.head, lse->find(token_)});
    const std::string number = Figures({value}, options_.decimals).text(value);
    paper_.paragraph(join("weight = exp(", columns_[columns_.size() - 2].title, " - ", number, "); ", number,
                          " is the log of the sum of exp over the row",
                          reading_.has_sinks(head_.layer) ? " and the head's sink" : ""),
                     0, Ink::faint);
  }
}

}  // namespace limpid
