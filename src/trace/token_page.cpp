// One token's way through one head: its query against every key, scores, weights, weight times value, their
// sum.
#include "trace/token_page.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/label.h"
#include "core/width.h"
#include "trace/stage_page.h"
#include "trace/table.h"

namespace limpid {

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
  for (int value : head.scores) add_column(value);
  add_column(head.pattern);
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

namespace {

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
