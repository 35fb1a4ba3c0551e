// One token of token_page(): its query, its scores against every key, and what their weights mix.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "trace/edits.h"
#include "trace/figures.h"
#include "trace/head.h"
#include "trace/paper.h"

namespace limpid {

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
  void add_column(int value);
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

}  // namespace limpid
