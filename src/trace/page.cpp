// The page: every stage from word to next-word probability.
#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>

#include "core/label.h"
#include "core/width.h"
#include "trace/edits.h"
#include "trace/figures.h"
#include "trace/grid.h"
#include "trace/looks.h"
#include "trace/stage_page.h"
#include "trace/table.h"

namespace limpid {

namespace {

// ---- the top of the page -------------------------------------------------------------------------

std::string facts(const Reading& reading) {
  const Trace& trace = reading.trace();
  std::string out = visible_line(trace.title);
  const auto fact = [&](const std::string& text) { out += (out.empty() ? "" : ", ") + text; };
  if (!out.empty()) out += "; ";
  out += counted(reading.layers(), "layer");
  if (reading.layers() > 0) {
    const int64_t heads = reading.heads(0), key_heads = reading.key_heads(0);
    fact(counted(heads, "head") +
         (key_heads != heads ? join(" (", counted(key_heads, "key head"), ")") : ""));
  }
  if (const auto found = trace.numbers.find("parameters"); found != trace.numbers.end() && found->second > 0)
    fact(counted(found->second, "parameter"));
  return out;
}

// The end of a path, which names the file, from a folder's beginning; its last part alone may still be too
// wide.
std::string end_of_path(const std::string& path, size_t columns) {
  if (display_width(path) <= columns) return path;
  for (size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
    std::string end = "…" + path.substr(at);
    if (display_width(end) <= columns || path.find('/', at + 1) == std::string::npos) return end;
  }
  return path;
}

void print_top(Paper& paper, const Reading& reading) {
  const Trace& trace = reading.trace();
  std::string size = counted(1, trace.token_word == "vector" ? "sequence" : reading.thing(Axis::B)) + " x " +
                     counted(reading.length(), reading.thing(Axis::T));
  if (const auto width = reading.size(Axis::C)) size += " x " + counted(*width, "feature");
  const std::string sentence = reading.sentence();
  const size_t room =
      paper.columns() > display_width(size) + 3 ? paper.columns() - display_width(size) - 3 : 0;
  if (room >= 20) {
    const std::string name = of_image(trace) ? end_of_path(sentence, room) : sentence;
    paper.line().add(clip_to_width(name, room), Ink::heading).right(size, paper.columns(), Ink::faint);
  } else {
    paper.line().add(sentence, Ink::heading);
    paper.line().add(size, Ink::faint);
  }
  paper.paragraph(facts(reading), 0);
  if (!trace.source.empty()) {
    std::string source = visible_line(trace.source_text);
    if (source.empty())
      for (const Token& token : trace.source)
        source += (source.empty() ? "" : " ") + visible_line(token.label);
    paper.paragraph("beside: " + source, 0, Ink::faint);
  }
  if (const auto batch = reading.size(Axis::B); batch && *batch > 1)
    paper.paragraph(join("shown: the first of ", counted(*batch, reading.thing(Axis::B))), 0, Ink::faint);
  const Edits edits(trace);
  for (size_t i = 0; i < trace.edited.size(); ++i)
    paper.paragraph(join("edited: ", visible_line(trace.edited[i]), "  (", edits.said()[i], ")"), 0,
                    Ink::heading);
  for (const std::string& note : trace.notes) paper.paragraph("note: " + note, 0, Ink::faint);
}

// What the letters of the shapes stand for.
void print_letters(Paper& paper, const Reading& reading) {
  static const std::pair<Axis, const char*> k_meanings[] = {
      {Axis::T, "asking"},
      {Axis::S, "asked"},
      {Axis::H, "heads"},
      {Axis::G, "key heads"},
      {Axis::D, "width of a head"},
      {static_cast<Axis>('E'), "pairs that a position turns"},
      {Axis::C, "width of the model"},
      {Axis::F, "width of the feed-forward layer"},
      {Axis::M, "experts"},
      {Axis::J, "experts that a token is sent to"},
      {Axis::V, "candidates"}};
  std::string out;
  for (const auto& [axis, meaning] : k_meanings) {
    const auto size = reading.size(axis);
    if (!size || ((axis == Axis::H || axis == Axis::G) && *size == 1)) continue;
    const bool words = axis == Axis::T || axis == Axis::S;
    out += join(out.empty() ? "" : ", ", static_cast<char>(axis), " ",
                words ? plural(reading.thing(axis)) + " " : "", meaning);
  }
  if (!out.empty()) paper.paragraph("Letters: " + out + ".", 0, Ink::faint);
}

void print_rule(Paper& paper, const std::string& title, const std::string& right = "") {
  paper.blank();
  const std::string begin = "── " + title + " ", end = right.empty() ? "" : " " + right + " ──";
  std::string middle;
  const size_t used = display_width(begin) + display_width(end);
  for (size_t i = used; i < paper.columns(); ++i) middle += "─";
  Line& line = paper.line();
  line.add("── ", Ink::faint).add(title, Ink::heading).add(" " + middle, Ink::faint);
  if (line.fits(end)) line.add(end, Ink::faint);
}

// ---- parts: which stages stand under which heading ------------------------------------------------

struct Part {
  std::string title;
  int layer = -1;
  bool gradient = false;
  std::vector<int> stages;
};

bool begins(const std::string& text, std::string_view with) {
  return text.compare(0, with.size(), with) == 0;
}

// What the stage that computes `name` is part of.
Part part_of(const std::string& name, bool before_blocks) {
  const int layer = Reading::layer_of(name);
  if (name.find(".grad") != std::string::npos)
    return {layer < 0 ? "Gradient" : join("Gradient: layer ", layer), layer, true, {}};
  const std::string rest = short_name(name);
  if (before_blocks && (layer < 0 || rest == "resid_pre")) return {"Embedding", -1, false, {}};
  if (layer < 0) return {"Output", -1, false, {}};
  const bool feed_forward = begins(rest, "mlp") || begins(rest, "ln2") || rest == "resid_post";
  return {join("Layer ", layer, feed_forward ? ": feed-forward" : ": attention"), layer, false, {}};
}

std::vector<Part> parts_of(const Reading& reading) {
  std::vector<Part> parts;
  bool before_blocks = true;
  const std::vector<StageInfo>& stages = reading.graph().stages();
  for (size_t i = 0; i < stages.size(); ++i) {
    Part part = part_of(reading.graph().value(stages[i].outputs[0]).name, before_blocks);
    before_blocks = before_blocks && part.layer < 0;
    if (parts.empty() || parts.back().title != part.title) parts.push_back(std::move(part));
    parts.back().stages.push_back(static_cast<int>(i));
  }
  return parts;
}

// ---- a layer in a few lines ----------------------------------------------------------------------

// How long what was added to the last word's row is, beside the row: "0.06".
std::string growth(const Reading& reading, int64_t layer, const char* added, const char* to) {
  const int64_t last = reading.length() - 1;
  const auto part = row_length(reading, reading.in_layer(layer, added), last),
             whole = row_length(reading, reading.in_layer(layer, to), last);
  if (!part || !whole || !(*whole > 0)) return "";
  return Figures({1}, 2).text(*part / *whole);
}

// "s" looks most at "·" 0.15 (head 1), ...
std::string where_the_last_looks(const Reading& reading, const Grid& grid) {
  const int64_t last = grid.cells.length - 1;
  std::string out;
  for (int64_t head : grid.heads)
    if (const auto at = look(reading, grid.layer, head, last))
      out += join(out.empty() ? "" : ", ", "\"", reading.label(Axis::S, at->most), "\" ",
                  Figures({1}, 2).text(at->most_weight), " (head ", head, ")");
  return out.empty() ? "" : "\"" + reading.label(Axis::T, last) + "\" looks most at " + out + ".";
}

// What was edited in a layer that is not shown stage by stage.
void print_layer_edits(Paper& paper, const Reading& reading, int64_t layer) {
  if (reading.trace().edited.empty()) return;
  const Edits edits(reading.trace());
  const std::vector<Value>& values = reading.graph().values();
  for (size_t i = 0; i < values.size(); ++i)
    if (Reading::layer_of(values[i].name) == layer)
      if (const std::string words = edits.of(static_cast<int>(i)); !words.empty())
        paper.paragraph(join("✎ edited: ", visible_line(short_name(values[i].name)), " ", words), k_indent,
                        Ink::alarm);
}

// A layer that is not shown in detail: its attention small, and how much it adds.  `first` of these explains
// itself.
void print_small_layer(Paper& paper, const Reading& reading, int64_t layer, bool first,
                       const PageOptions& options) {
  const std::optional<Rows>& weights = reading.rows(reading.in_layer(layer, "attn.pattern"));
  const std::string attention = growth(reading, layer, "attn_out", "resid_pre"),
                    wide = growth(reading, layer, "mlp_out", "resid_mid");
  const bool seen = weights && weights->numbers.shape().rank() == 3;
  if (!seen && (attention.empty() || wide.empty())) return;
  print_rule(paper, join("Layer ", layer), join("--layer ", layer));
  print_layer_edits(paper, reading, layer);
  if (first)
    paper.paragraph(join("The same stages again, with other weights; shown small: the darker, the more "
                         "attention. All of it: --layer ",
                         layer),
                    k_indent, Ink::faint);
  if (seen) {
    Grid grid{*weights, layer, {}, true};
    for (int64_t h = 0; h < weights->numbers.shape()[0].size; ++h)
      if (options.head < 0 || options.head == h) grid.heads.push_back(h);
    if (!grid.heads.empty()) print_small_grid(paper, reading, grid, options);
    if (const std::string text = where_the_last_looks(reading, grid); !text.empty())
      paper.paragraph(text, k_indent, Ink::faint);
  }
  if (!attention.empty() && !wide.empty())
    paper.paragraph(
        join("Attention adds ", attention, " of the length of its row, the feed-forward layer ", wide, "."),
        k_indent, Ink::faint);
}

// ---- what is predicted -------------------------------------------------------------------------------

void print_next(Paper& paper, const Reading& reading, const PageOptions& options) {
  const std::optional<Rows>& probs = reading.rows(reading.graph().find("probs"));
  const int rank = probs ? probs->numbers.shape().rank() : 0;
  if (rank < 1 || rank > 2 || probs->numbers.shape()[rank - 1].axis != Axis::V) return;
  const int64_t last = rank == 2 ? probs->length - 1 : 0, at = rank == 2 ? probs->find(last) : 0;
  if (at < 0) return;
  paper.blank();
  const ConstView row =
      rank == 2 ? probs->numbers.window(0, at, 1).reshaped({probs->numbers.shape()[1]}) : probs->numbers;
  if (rank == 2)
    paper.line(k_indent).add((reading.predicts_next() ? "The next " + reading.thing(Axis::T) + " after"
                                                      : std::string("The likeliest at")) +
                                 " \"" + reading.label(Axis::T, last) + "\":",
                             Ink::heading);
  else
    paper.line(k_indent).add("The likeliest first:", Ink::heading);
  print_bars(paper, reading, row, options);
}

void print_stages(Paper& paper, const Reading& reading, const Part& part, const PageOptions& options,
                  int64_t& unseen) {
  bool heading = true;
  for (int stage : part.stages) {
    if (!was_seen(reading, reading.graph().stage(stage))) {
      ++unseen;
      continue;
    }
    if (heading) print_rule(paper, part.title, part.layer >= 0 ? join("blocks.", part.layer) : "");
    heading = false;
    print_stage(paper, reading, stage, options);
    const std::vector<int>& outputs = reading.graph().stage(stage).outputs;
    if (reading.graph().value(outputs[0]).name == "probs") print_next(paper, reading, options);
  }
}

// What a person types to mean the last token: its word, where plain letters say it and it stands once; else
// its index, which always does.
std::string way_to_name_last(const Reading& reading) {
  const Trace& trace = reading.trace();
  const int64_t last = reading.length() - 1;
  if (trace.tokens.size() != static_cast<size_t>(reading.length())) return std::to_string(last);
  const Token& token = trace.tokens.back();
  std::string word = token.label;
  bool once = std::count_if(trace.tokens.begin(), trace.tokens.end(),
                            [&](const Token& t) { return t.label == token.label; }) == 1;
  if (!trace.text.empty()) {  // without the space before it, which the label shows as a dot
    const std::string_view text = trace.text;
    const size_t end = std::min(token.end, text.size());
    const size_t begin = std::min(text.find_first_not_of(' ', token.begin), end);
    word = text.substr(begin, end - begin);
    once = end == text.size() && (begin == 0 || text[begin - 1] == ' ') && text.find(word) == begin;
  }
  const auto is_letter = [](unsigned char c) { return std::isalpha(c) || c >= 0x80; };
  const bool plain = !word.empty() && is_letter(static_cast<unsigned char>(word[0])) &&
                     std::all_of(word.begin(), word.end(),
                                 [&](unsigned char c) { return is_letter(c) || std::isdigit(c); }) &&
                     visible(word) == word && word.find("·") == word.npos && display_width(word) <= 20;
  return once && plain ? word : std::to_string(last);
}

void print_hints(Paper& paper, const Reading& reading, int layer) {
  const int64_t length = reading.length();
  if (length == 0) return;
  if (reading.layers() > 1)
    paper.paragraph(join("Another layer in detail: --layer ", layer + 1 < reading.layers() ? layer + 1 : 0),
                    0, Ink::faint);
  paper.paragraph(join("One ", reading.thing(Axis::T), " term by term: --token ", way_to_name_last(reading)),
                  0, Ink::faint);
}

}  // namespace

std::string page(const Trace& trace, const PageOptions& options) {
  const Reading reading(trace);
  if (options.layer >= 0) reading.require_layer(options.layer);
  const int layer = std::max(options.layer, 0);
  if (options.head >= 0) reading.require_head(layer, options.head);
  Paper paper(options);
  print_top(paper, reading);
  print_letters(paper, reading);
  const std::vector<Value>& values = reading.graph().values();
  for (size_t i = 0; i < values.size(); ++i)
    if (values[i].kind == Value::Kind::input) print_input(paper, reading, static_cast<int>(i), options);
  int64_t unseen = 0;
  std::set<int> small;
  for (const Part& part : parts_of(reading)) {
    if (part.layer < 0 || part.layer == layer) {
      print_stages(paper, reading, part, options, unseen);
    } else if (!part.gradient && small.insert(part.layer).second) {
      print_small_layer(paper, reading, part.layer, small.size() == 1, options);
    }
  }
  paper.blank();
  if (unseen > 0) paper.paragraph(counted(unseen, "stage") + " not observed.", 0, Ink::faint);
  paper.blank();
  if (const std::string insight = key_insight(trace); !insight.empty())
    paper.paragraph("Key insight: " + insight, 0, Ink::heading);
  print_hints(paper, reading, layer);
  return paper.text();
}

}  // namespace limpid
