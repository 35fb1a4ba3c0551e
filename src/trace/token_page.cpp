// One token's way through one head: its query against every key, scores, weights, weight times value, their
// sum.
#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "core/label.h"
#include "core/width.h"
#include "trace/edits.h"
#include "trace/figures.h"
#include "trace/paper.h"
#include "trace/stage_page.h"
#include "trace/table.h"

namespace limpid {

namespace {

// ---- what a head is made of ----------------------------------------------------------------------

// The values of one head, found in the graph: rot_q where there are rotary positions, q where there are none.
struct Head {
  int64_t layer = 0, head = 0, key_head = 0;
  int q = -1, k = -1, v = -1;  // what is multiplied
  std::vector<int> scores;  // raw_scores first, each computed from the one before; what the softmax sees last
  int pattern = -1, mixed = -1;  // the weights; those that the values are multiplied by (after dropout)
  int z = -1;
};

const StageInfo& maker(const Reading& reading, int value) {
  return reading.graph().stage(reading.graph().value(value).stage);
}

int require_value(const Reading& reading, int64_t layer, const std::string& name) {
  const int id = reading.in_layer(layer, name);
  if (id < 0 || reading.graph().value(id).stage < 0)
    fail_call("token: layer ", layer, " of this network has no ", name,
              ", so there is no attention to follow");
  return id;
}

void require_numbers(const Reading& reading, int value) {
  if (reading.rows(value)) return;
  const std::string name = visible_line(reading.graph().value(value).name);
  fail_call("token: the trace does not hold '", name,
            "', which this page needs; observe it in full (--observe ", name, ")");
}

// The page reads cells of several values by one head, query and key: their sizes must agree.
void require_heads(const Reading& reading, const Head& head, int raw) {
  // Of the whole value, where only some rows were kept.
  const auto shape_of = [&](int value) {
    const Rows& rows = *reading.rows(value);
    Shape shape = rows.numbers.shape();
    if (const int t = shape.find(Axis::T); t >= 0) shape[t].size = rows.length;
    return shape;
  };
  const auto require = [&](int value, std::optional<int64_t> a, std::optional<int64_t> b,
                           std::optional<int64_t> c) {
    const Shape shape = shape_of(value);
    const auto is = [](int64_t size, std::optional<int64_t> expected) {
      return !expected || size == *expected;
    };
    if (shape.rank() != 3 || !is(shape[0].size, a) || !is(shape[1].size, b) || !is(shape[2].size, c))
      fail_call("token: layer ", head.layer, " is not made of heads: '",
                visible_line(reading.graph().value(value).name), "' is ", visible_line(shape.text()));
  };
  require(head.q, {}, {}, {});
  require(head.k, {}, {}, {});
  require(head.v, {}, {}, {});
  const Shape q = shape_of(head.q), k = shape_of(head.k), v = shape_of(head.v);
  const int64_t queries = q[0].size, heads = q[1].size, keys = k[0].size, groups = k[1].size;
  require(head.k, {}, {}, q[2].size);
  require(head.v, keys, groups, {});
  require(head.z, queries, heads, v[2].size);
  for (int value : {raw, head.pattern, head.mixed}) require(value, heads, queries, keys);
  for (int value : head.scores) require(value, heads, queries, keys);
}

Head head_of(const Reading& reading, int layer, int head) {
  Head out;
  out.layer = layer;
  out.head = head;
  const int raw = require_value(reading, layer, "attn.raw_scores");
  out.pattern = require_value(reading, layer, "attn.pattern");
  out.z = require_value(reading, layer, "attn.z");
  const std::vector<int>&qk = maker(reading, raw).inputs, &pv = maker(reading, out.z).inputs;
  if (qk.size() < 2 || pv.size() < 2)
    fail_call("token: layer ", layer, " is not made of queries, keys and values");
  out.q = qk[0];
  out.k = qk[1];
  out.mixed = reading.rows(pv[0]) ? pv[0] : out.pattern;
  out.v = pv[1];
  for (int at = out.pattern; at != raw && reading.graph().value(at).stage >= 0;) {
    const std::vector<int>& inputs = maker(reading, at).inputs;
    if (inputs.empty()) break;
    at = inputs[0];
    if (reading.rows(at)) out.scores.insert(out.scores.begin(), at);
  }
  for (int value : {out.q, out.k, raw, out.pattern, out.v, out.z}) require_numbers(reading, value);
  require_heads(reading, out, raw);
  out.key_head =
      head / std::max<int64_t>(1, reading.heads(layer) / reading.rows(out.k)->numbers.shape()[1].size);
  return out;
}

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

// ---- one token of the page -----------------------------------------------------------------------

class TokenPage {
 public:
  TokenPage(Paper& paper, const Reading& reading, const Head& head, int64_t token,
            const PageOptions& options);
  void print();

 private:
  struct Column {
    std::string title;
    std::function<double(int64_t)> at;  // by key
    Figures figures;
    size_t width;
  };

  std::string row_label(int64_t key) const { return reading_.label(Axis::S, key); }
  bool masked(int64_t key) const { return reading_.masked(head_.layer, head_.head, token_, key); }
  double weight(int64_t key) const { return mixed_.numbers.at({head_.head, mixed_.find(token_), key}); }
  std::vector<Expr> products_of(int64_t key) const;
  std::vector<std::string> term_texts(size_t room, int digits, bool all) const;
  std::vector<std::string> term_texts(size_t room) const;
  std::string edit_of(int value, bool by_query = true) const;
  bool is_cut(int64_t key) const { return edits_.is_cut(head_.layer, head_.head, token_, key); }
  void print_edits();
  void choose_keys();
  void add_column(const std::string& title, int value);
  void print_row(const std::string& label, const std::string& what, const ConstView& numbers, Ink ink);
  void print_scores();
  void print_mix();

  Paper& paper_;
  const Reading& reading_;
  const Head& head_;
  Edits edits_;
  const int64_t token_;
  const Rows mixed_;  // the weights that the values are multiplied by
  const int64_t keys_;
  PageOptions options_;
  std::vector<int64_t> shown_;  // keys, in order
  std::vector<std::string> labels_;
  size_t label_width_ = 0;
  std::vector<Column> columns_;
};

TokenPage::TokenPage(Paper& paper, const Reading& reading, const Head& head, int64_t token,
                     const PageOptions& options)
    : paper_(paper),
      reading_(reading),
      head_(head),
      edits_(reading.trace()),
      token_(token),
      mixed_(*reading.rows(head.mixed)),
      keys_(mixed_.numbers.shape()[2].size),
      options_(options) {
  choose_keys();
  labels_ = row_labels(reading, Axis::S, shown_, std::min<size_t>(16, paper.columns() / 5));
  for (std::string& label : labels_) label_width_ = std::max<size_t>({label_width_, display_width(label), 5});
  for (int value : head.scores) add_column(column_title(reading, value), value);
  add_column("weight", head.pattern);
}

// What an edit made of this head of a value, in the token's own row where it counts queries.
std::string TokenPage::edit_of(int value, bool by_query) const {
  return edits_.of(value, {head_.head, by_query ? token_ : -1, true});
}

void TokenPage::print_edits() {
  if (edits_.empty()) return;
  std::vector<int> values = {head_.q, head_.k, head_.v};
  values.insert(values.end(), head_.scores.begin(), head_.scores.end());
  values.insert(values.end(), {head_.pattern, head_.z});
  for (int value : values)
    if (const std::string words = edit_of(value, value != head_.k && value != head_.v); !words.empty())
      paper_.paragraph(
          join("✎ edited: ", visible_line(short_name(reading_.graph().value(value).name)), " ", words), 0,
          Ink::alarm);
}

// Every key; of many the ones with the largest weights, in the order of the sentence.
void TokenPage::choose_keys() {
  const auto most = static_cast<size_t>(2 * std::min<int64_t>(std::max(options_.most_rows, 2), INT32_MAX));
  shown_.resize(static_cast<size_t>(keys_));
  std::iota(shown_.begin(), shown_.end(), 0);
  if (shown_.size() <= most) return;
  std::stable_sort(shown_.begin(), shown_.end(), [&](int64_t a, int64_t b) {
    const double x = weight(a), y = weight(b);
    return std::isnan(x) != std::isnan(y) ? std::isnan(x) : x > y;
  });
  shown_.resize(most);
  std::sort(shown_.begin(), shown_.end());
}

void TokenPage::add_column(const std::string& title, int value) {
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

// The query, and on its right the name of the value; below it where the line is full.
void TokenPage::print_row(const std::string& label, const std::string& name, const ConstView& numbers,
                          Ink ink) {
  const int64_t count = numbers.shape()[0].size;
  std::vector<double> values;
  for (int64_t i = 0; i < std::min<int64_t>(count, 64); ++i) values.push_back(numbers.at({i}));
  const Figures figures(values, options_.decimals);
  Line* line = &paper_.line().add(label, ink, true);
  const size_t each = figures.width() + 2, whole = static_cast<size_t>(count) * each;
  if (line->left() < whole + 2 + name.size() + 2) {
    line->right(name, paper_.columns(), Ink::faint);
    line = &paper_.line();
  } else {
    line->skip(2);
  }
  const size_t end = line->width() + whole;
  size_t shown = 0;
  constexpr size_t k_rest_room = 13;  // " … 12 of 4096"
  for (double value : values) {
    if (line->left() < each + (whole > paper_.columns() ? k_rest_room : 0)) break;
    line->right(figures.text(value), line->width() + each - 1, ink).skip(1);
    ++shown;
  }
  if (static_cast<int64_t>(shown) < count)
    line->add(join("… ", shown, " of ", count), Ink::faint);
  else if (end <= paper_.columns() && end > whole)
    line->right(name, paper_.columns(), Ink::faint);
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

std::string without_spaces(std::string product) {
  for (size_t at = product.find(" x "); at != std::string::npos; at = product.find(" x "))
    product.replace(at, 3, "x");
  return product;
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
                          " is the log of the sum of exp over the row"),
                     0, Ink::faint);
  }
}

void TokenPage::print_mix() {
  const ConstView v = reading_.rows(head_.v)->numbers;
  const Rows z_rows = *reading_.rows(head_.z);
  const auto z = [&](int64_t d) { return z_rows.numbers.at({z_rows.find(token_), head_.head, d}); };
  const int64_t width = v.shape()[2].size;
  const auto value = [&](int64_t key, int64_t d) { return v.at({key, head_.key_head, d}); };
  const auto product = [&](int64_t key, int64_t d) {
    return weight(key) == 0 ? 0.0 : weight(key) * value(key, d);
  };
  std::vector<double> all_values, all_products, all_weights;
  for (int64_t key : shown_) {
    all_weights.push_back(weight(key));
    for (int64_t d = 0; d < std::min<int64_t>(width, 32); ++d)
      all_values.push_back(value(key, d)), all_products.push_back(product(key, d));
  }
  for (int64_t d = 0; d < std::min<int64_t>(width, 32); ++d) all_products.push_back(z(d));
  const Figures weights(all_weights, options_.decimals), values(all_values, options_.decimals),
      products(all_products, options_.decimals);
  const size_t before = label_width_ + 2 + weights.width() + 2, each = values.width() + products.width() + 4;
  const size_t room = paper_.columns() - std::min(paper_.columns(), before + 4);
  const int64_t n = std::clamp<int64_t>(static_cast<int64_t>(room / each), 1, width);
  const size_t middle = before + static_cast<size_t>(n) * (values.width() + 2);

  paper_.line()
      .add("value", Ink::value, true)
      .to(label_width_ + 2)
      .add("weight x value = what this key brings", Ink::faint);
  std::vector<double> left(static_cast<size_t>(n), 0.0);
  for (int64_t key = 0; key < keys_; ++key)
    for (int64_t d = 0; d < n && !std::binary_search(shown_.begin(), shown_.end(), key); ++d)
      left[static_cast<size_t>(d)] += product(key, d);
  const auto print_products = [&](Line& line, Ink ink, const auto& number) {
    size_t at = middle + 3;
    for (int64_t d = 0; d < n; ++d)
      line.right(products.text(number(d)), at += products.width() + (d ? 2 : 1), ink);
  };
  for (size_t i = 0; i < shown_.size(); ++i) {
    const int64_t key = shown_[i];
    Line& line = paper_.line().add(labels_[i], Ink::value).to(label_width_ + 2);
    if (masked(key)) {
      line.right("·", label_width_ + 2 + weights.width(), Ink::faint);
      continue;
    }
    line.right(weights.text(weight(key)), label_width_ + 2 + weights.width(), Ink::weights)
        .add(" x", Ink::faint);
    size_t at = before;
    for (int64_t d = 0; d < n; ++d)
      line.right(values.text(value(key, d)), at += values.width() + 2, Ink::value);
    line.add("  = ", Ink::faint);
    print_products(line, Ink::plain, [&](int64_t d) { return product(key, d); });
  }
  if (static_cast<int64_t>(shown_.size()) < keys_) {
    Line& line = paper_.line()
                     .add(join("⋮ ", keys_ - static_cast<int64_t>(shown_.size()), " more"), Ink::faint)
                     .to(middle)
                     .add("  = ", Ink::faint);
    print_products(line, Ink::plain, [&](int64_t d) { return left[static_cast<size_t>(d)]; });
  }
  const bool summed = edit_of(head_.z).empty();
  Line& sum = paper_.line()
                  .right(summed ? "sum z" : "z, edited", middle, Ink::value)
                  .add(summed ? "  = " : "    ", Ink::faint);
  print_products(sum, Ink::value, [&](int64_t d) { return z(d); });
  if (n < width) paper_.line().add(join("… ", n, " of the head's ", counted(width, "number")), Ink::faint);
}

void TokenPage::print() {
  const Rows q = *reading_.rows(head_.q);
  const Tensor row = [&] {
    Tensor t = Tensor::copy_of(q.numbers.window(0, q.find(token_), 1).window(1, head_.head, 1));
    t.reshape({q.numbers.shape()[2]});
    return t;
  }();
  print_row("query of " + clip_to_width(reading_.label(Axis::T, token_), 24),
            visible_line(short_name(reading_.graph().value(head_.q).name)), row, Ink::query);
  print_edits();
  paper_.blank();
  print_scores();
  paper_.blank();
  print_mix();
}

// "short" became 2 tokens: ...
void print_title(Paper& paper, const Reading& reading, const Head& head, const std::vector<int>& positions) {
  const Trace& trace = reading.trace();
  std::string out = reading.sentence() + ", ";
  const std::string thing = reading.thing(Axis::T);
  const std::string where =
      join(", layer ", head.layer, ", head ", head.head,
           head.key_head != head.head ? join(" (reads key head ", head.key_head, ")") : "");
  const auto named = [&](int position) {
    return join(position, " \"", reading.label(Axis::T, position), "\"");
  };
  if (positions.size() == 1) {
    out += thing + " " + named(positions[0]) + where;
  } else {
    const auto last = static_cast<size_t>(positions.back()), first = static_cast<size_t>(positions.front());
    std::string word;
    if (last < trace.tokens.size() && trace.tokens[first].begin <= trace.tokens[last].end &&
        trace.tokens[last].end <= trace.text.size())
      word = visible_line(
          trace.text.substr(trace.tokens[first].begin, trace.tokens[last].end - trace.tokens[first].begin));
    out += (word.empty() ? "" : "\"" + word + "\" became ") +
           counted(static_cast<int64_t>(positions.size()), thing) + ": ";
    for (size_t i = 0; i < positions.size(); ++i) out += (i ? ", " : "") + named(positions[i]);
    out += where;
  }
  paper.paragraph(out, 0, Ink::heading);
  const Edits edits(trace);
  for (size_t i = 0; i < trace.edited.size(); ++i)
    paper.paragraph(join("edited: ", visible_line(trace.edited[i]), "  (", edits.said()[i], ")"), 0,
                    Ink::heading);
}

}  // namespace

std::string token_page(const Trace& trace, int layer, int head, const std::vector<int>& token_positions,
                       const PageOptions& options) {
  const Reading reading(trace);
  reading.require_layer(layer);
  reading.require_head(layer, head);
  if (token_positions.empty()) fail_call("token: no token was given");
  const Head found = head_of(reading, layer, head);
  const int64_t length = reading.rows(found.pattern)->length;
  for (int token : token_positions) {
    if (token < 0 || token >= length)
      fail_call("token ", token, " does not exist: the sentence has ",
                length == 1 ? "one, 0" : join("the tokens 0 to ", length - 1));
    for (int value : {found.q, found.pattern, found.z})
      if (reading.rows(value)->find(token) < 0)
        fail_call("token: the trace does not hold the row of token ", token, " of '",
                  visible_line(reading.graph().value(value).name), "'; observe it (--observe ",
                  visible_line(reading.graph().value(value).name), ":rows:", token, ")");
  }
  Paper paper(options);
  print_title(paper, reading, found, token_positions);
  for (int token : token_positions) {
    paper.blank();
    TokenPage(paper, reading, found, token, options).print();
  }
  return paper.text();
}

}  // namespace limpid
