#include "trace/stage_page.h"

#include <algorithm>
#include <cmath>

#include "core/label.h"
#include "core/width.h"
#include "trace/edits.h"
#include "trace/figures.h"
#include "trace/grid.h"
#include "trace/streamed.h"
#include "trace/table.h"

namespace limpid {

namespace {

constexpr size_t k_name_columns = 20;

int head_of(const PageOptions& options) { return std::max(options.head, 0); }

bool is_pattern(const std::string& name) {
  constexpr std::string_view k_pattern = "attn.pattern";
  return name.size() >= k_pattern.size() &&
         name.compare(name.size() - k_pattern.size(), k_pattern.size(), k_pattern) == 0;
}

// ---- what was left out, and what is wrong --------------------------------------------------------

// NaN and infinity are never overlooked: a line says how many there are.  Masked scores are meant to be -inf.
void print_alarm(Paper& paper, const ConstView& numbers, bool scores) {
  if (!is_floating(numbers.dtype())) return;
  const int64_t count = numbers.shape().count();
  int64_t nans = 0, infinities = 0;
  const auto scan = [&](const auto* values) {
    for (int64_t i = 0; i < count; ++i) {
      nans += std::isnan(values[i]);
      infinities += std::isinf(values[i]) && !(scores && values[i] < 0);
    }
  };
  if (numbers.dtype() == DType::f64)
    scan(numbers.data<double>());
  else
    scan(Tensor::copy_of(numbers).to(DType::f32).data<float>());
  if (nans + infinities == 0) return;
  std::string what;
  if (nans) what += join(grouped(nans), " NaN");
  if (infinities) what += join(nans ? " and " : "", grouped(infinities), " infinite");
  paper.line(k_indent).add(join("! ", what, " of ", counted(count, "number"), " here"), Ink::alarm);
}

// ---- the numbers, by their axes ------------------------------------------------------------------

// Of a network that is small enough to be read whole, the walk, every head is shown.
bool shows_every_head(const Reading& reading, const std::string& name, const PageOptions& options) {
  const int64_t layer = std::max(0, Reading::layer_of(name));
  const int q = reading.in_layer(layer, "attn.q");
  const int width = q < 0 ? -1 : reading.graph().value(q).shape.find(Axis::D);
  const auto parameters = reading.trace().numbers.find("parameters");
  return options.head < 0 && parameters != reading.trace().numbers.end() && parameters->second < 5000 &&
         width >= 0 && reading.graph().value(q).shape[width].size <= 8 && reading.heads(layer) <= 8;
}

void print_squares(Paper& paper, const Reading& reading, const Value& value, const Rows& cells,
                   const PageOptions& options) {
  const int layer = std::max(0, Reading::layer_of(value.name));
  Grid grid{cells, layer, {}, is_pattern(value.name)};
  const int64_t heads = cells.numbers.shape()[0].size;
  for (int64_t h = 0; h < heads; ++h)
    if (options.head < 0 || options.head == h) grid.heads.push_back(h);
  // Weights: every head, the first bands with numbers.  Scores: what fits side by side.
  const size_t bands = shows_every_head(reading, value.name, options) ? grid.heads.size()
                       : grid.weights                                 ? 3
                                                                      : 1;
  const size_t drawn = print_grid(paper, reading, grid, options, bands);
  if (drawn < grid.heads.size() && !grid.weights)
    paper.line(k_indent).add(
        join("… ", drawn, " of ", counted(heads, "head"), " (--head ", grid.heads[drawn], " shows another)"),
        Ink::faint);
  if (drawn < grid.heads.size() && grid.weights) {
    paper.blank();
    grid.heads.erase(grid.heads.begin(), grid.heads.begin() + static_cast<std::ptrdiff_t>(drawn));
    print_small_grid(paper, reading, grid, options);
  }
}

// One place of an axis of three, with its name above it where there are several.
void print_head(Paper& paper, const Reading& reading, const Shape& shape, const Rows& rows, int axis,
                int64_t place, Ink ink, const PageOptions& options) {
  Tensor one = Tensor::copy_of(rows.numbers.window(axis, place, 1));
  Shape rest;
  for (int i = 0; i < 3; ++i)
    if (i != axis) rest.append(shape[i]);
  one.reshape(rest);
  if (shape[axis].size > 1) {
    const std::string label = reading.label(shape[axis].axis, place);
    paper.line(k_indent)
        .add(label.empty() ? "the first" : label, Ink::plain, true)
        .add(join(" of ", shape[axis].size), Ink::faint);
  }
  print_table(paper, reading, one, ink, options, rows.places);
}

// Three axes, of which one counts heads: the rows of the head that is asked for (of keys and values: the one
// that it reads).  Without heads: the first of the tables.
void print_one_of(Paper& paper, const Reading& reading, const Value& value, const Rows& rows, Ink ink,
                  const PageOptions& options) {
  const Shape& shape = rows.numbers.shape();
  const int heads = shape.find(Axis::H) >= 0 ? shape.find(Axis::H) : shape.find(Axis::G);
  const int axis = std::max(heads, 0);
  if (heads >= 0 && shape[heads].size > 1 && shows_every_head(reading, value.name, options)) {
    PageOptions one = options;
    for (one.head = 0; one.head < shape[heads].size; ++one.head)
      print_head(paper, reading, shape, rows, heads, one.head, ink, one);
    return;
  }
  int64_t place = heads >= 0 ? head_of(options) : 0;
  const int64_t asking = reading.heads(std::max(0, Reading::layer_of(value.name)));
  if (shape[axis].axis == Axis::G && asking > shape[axis].size && asking % shape[axis].size == 0)
    place /= asking / shape[axis].size;
  place = std::min(place, shape[axis].size - 1);
  print_head(paper, reading, shape, rows, axis, place, ink, options);
}

void print_numbers(Paper& paper, const Reading& reading, const Value& value, const Rows& rows, Ink ink,
                   const PageOptions& options) {
  const ConstView& numbers = rows.numbers;
  const Shape& shape = numbers.shape();
  const int rank = shape.rank();
  if (rank == 3 && shape[1].axis == Axis::T && shape[2].axis == Axis::S && (shape[0].axis == Axis::H))
    return print_squares(paper, reading, value, rows, options);
  const bool candidates = rank > 0 && shape[rank - 1].axis == Axis::V && is_floating(numbers.dtype());
  constexpr int64_t k_whole_vocabulary = 12;
  if (candidates && rank <= 2 && (shape[rank - 1].size > k_whole_vocabulary))
    return print_largest(paper, reading, numbers, options, rows.places);
  if (rank <= 2) return print_table(paper, reading, numbers, ink, options, rows.places);
  if (rank == 3) return print_one_of(paper, reading, value, rows, ink, options);
  const Shape last = shape.part(rank - 2, 2);
  print_table(paper, reading, ConstView(numbers.dtype(), last, numbers.raw()), ink, options);
  paper.line(k_indent).add(
      join("… the first of ", grouped(shape.count() / std::max<int64_t>(1, last.count())), " such tables"),
      Ink::faint);
}

void print_summary(Paper& paper, const Summary& s, int decimals) {
  const Figures figures({s.mean, s.spread, s.least, s.most}, decimals);
  Line& line = paper.line(k_indent);
  line.add("mean ", Ink::faint)
      .add(figures.text(s.mean))
      .add("  spread ", Ink::faint)
      .add(figures.text(s.spread));
  line.add("  least ", Ink::faint)
      .add(figures.text(s.least))
      .add("  most ", Ink::faint)
      .add(figures.text(s.most));
  line.add(join("  of ", counted(s.count, "number")), Ink::faint);
  if (s.non_finite)
    paper.line(k_indent).add(join("! ", grouped(s.non_finite), " of them NaN or infinite"), Ink::alarm);
}

void print_non_finite(Paper& paper, const Summary& s) {
  if (s.non_finite)
    paper.line(k_indent).add(
        join("! ", grouped(s.non_finite), " NaN or infinite of ", counted(s.count, "number"), " here"),
        Ink::alarm);
}

// One value of a stage, after its heading.
void print_value(Paper& paper, const Reading& reading, int id, Ink ink, const PageOptions& options) {
  const Value& value = reading.graph().value(id);
  const auto summary = reading.trace().summaries.find(value.name);
  const bool summed = summary != reading.trace().summaries.end() && summary->second.count > 0;
  if (const std::optional<Rows>& rows = reading.rows(id)) {
    print_numbers(paper, reading, value, *rows, ink, options);
    const bool scores = rows->numbers.shape().find(Axis::S) >= 0 && rows->numbers.shape().find(Axis::T) >= 0;
    if (summed && !rows->places.empty())  // of all rows, not only of those that were kept
      print_non_finite(paper, summary->second);
    else
      print_alarm(paper, rows->numbers, scores);
    if (!rows->places.empty() && has_streamed(reading.trace(), value.name))
      print_streamed(paper, reading, value.name, options);
  } else if (summed) {
    print_summary(paper, summary->second, options.decimals);
  } else if (has_streamed(reading.trace(), value.name)) {
    print_streamed(paper, reading, value.name, options);
  } else if (const auto kept_value = reading.trace().values.find(value.name);
             kept_value != reading.trace().values.end()) {
    paper.line(k_indent).add("(empty)", Ink::faint);
  }
}

// A further output in one line where it is one number a row: scale, lse.
void print_further(Paper& paper, const Reading& reading, int id, const PageOptions& options) {
  const Value& value = reading.graph().value(id);
  const std::optional<Rows>& rows = reading.rows(id);
  if (!rows) return;
  std::optional<ConstView> numbers = rows->numbers;
  const std::string name = value.name.substr(value.name.rfind('.') + 1);
  std::string of = " " + reading.letters(id);
  if (numbers->shape().rank() == 2 &&
      numbers->shape()[0].axis == Axis::H) {  // [H,T]: of the head that is shown
    const int64_t count = numbers->shape()[0].size;
    if (count > 1 && shows_every_head(reading, value.name, options)) {
      PageOptions one = options;
      for (one.head = 0; one.head < count; ++one.head) print_further(paper, reading, id, one);
      return;
    }
    const int64_t head = std::min<int64_t>(head_of(options), count - 1);
    if (numbers->shape()[0].size > 1) of = join(", ", reading.label(Axis::H, head));
    numbers = numbers->window(0, head, 1).reshaped({numbers->shape()[1]});
  }
  if (numbers->shape().rank() != 1) {
    paper.line(k_indent)
        .add(visible_line(name), Ink::plain, true)
        .add("  " + reading.letters(id), Ink::faint);
    return print_value(paper, reading, id, Ink::plain, options);
  }
  std::vector<double> values;
  const int64_t count = std::min<int64_t>(rows->places.empty() ? numbers->shape()[0].size : rows->length, 64);
  for (int64_t i = 0; i < count && (rows->places.empty() || rows->find(i) == i); ++i)
    values.push_back(numbers->at({i}));
  const auto vanishes = [&](double x) { return std::abs(x) < 0.5 * std::pow(10, -options.decimals); };
  if (name == "lse_rest" && std::all_of(values.begin(), values.end(), vanishes)) return;  // nothing to see
  const Figures figures(values, options.decimals);
  Line& line = paper.line(k_indent).add(visible_line(name), Ink::plain, true).add(of + " ", Ink::faint);
  bool cut = static_cast<int64_t>(values.size()) < count;  // rows that were not kept
  for (double number : values) {
    if (!line.fits(figures.text(number), 4)) {
      cut = true;
      break;
    }
    line.add("  " + figures.text(number));
  }
  if (cut) line.add(" …", Ink::faint);
  print_alarm(paper, *numbers, false);
}

// ---- the heading ---------------------------------------------------------------------------------

std::string shapes_text(const Reading& reading, const StageInfo& stage) {
  std::string in;
  for (int id : stage.inputs) {
    if (reading.graph().value(id).kind == Value::Kind::parameter) continue;
    const std::string text = reading.letters(id);
    if (in.empty())
      in = text;
    else if (in.size() < text.size() || in.compare(in.size() - text.size(), text.size(), text) != 0)
      in += " " + text;
  }
  const std::string out = reading.letters(stage.outputs[0]);
  return in.empty() ? out : in + " → " + out;
}

struct Heading {
  std::string number, name, equation, shapes, words;
  Ink ink = Ink::plain;
};

// One line says name, equation and shape; where it does not fit, the equation comes below.
void print_heading(Paper& paper, const Heading& h, const std::string& caption) {
  Line& line = paper.line();
  line.right(h.number, 2, Ink::faint)
      .to(k_indent)
      .add(h.name, h.ink == Ink::plain ? Ink::heading : h.ink, true);
  const size_t name_end = line.width();
  const size_t column = std::max(name_end + 2, k_indent + k_name_columns);
  const bool one_line = column + display_width(h.equation) + 2 + display_width(h.shapes) <= paper.columns();
  if (one_line) line.to(column).add(h.equation);
  if (display_width(h.shapes) + line.width() + 2 <= paper.columns() || one_line) {
    line.right(h.shapes, paper.columns(), Ink::faint);
  } else {
    paper.line().right(h.shapes, paper.columns(), Ink::faint);
  }
  if (!one_line && !h.equation.empty()) paper.paragraph(h.equation, k_indent);
  const bool together = k_indent + display_width(caption) + 3 + display_width(h.words) <= paper.columns();
  if (together)
    paper.line(k_indent).add(caption).right(h.words, paper.columns(), Ink::faint);
  else
    paper.paragraph(caption, k_indent);
}

// The weights of a stage, where the trace keeps them; says whether there were any.
bool print_parameters(Paper& paper, const Reading& reading, const StageInfo& stage,
                      const PageOptions& options) {
  bool any = false;
  for (int id : stage.inputs) {
    const Value& value = reading.graph().value(id);
    if (value.kind != Value::Kind::parameter || !reading.trace().parameters.count(value.name)) continue;
    const auto numbers = reading.numbers(id);
    if (!numbers) continue;
    any = true;
    paper.line(k_indent)
        .add(visible_line(short_name(value.name)), Ink::plain, true)
        .add("  " + reading.letters(id), Ink::faint);
    // A weight's axes in and out, as a matrix: [C, H D] of W_Q, [H D, C] of W_O.
    const bool joins = numbers->shape().rank() == 3 && numbers->shape()[0].axis == Axis::H;
    int64_t rows = numbers->shape().rank() > 1 ? numbers->shape()[0].size : 1;
    if (joins) rows *= numbers->shape()[1].size;
    const Axis first = numbers->shape().rank() > 1 && !joins ? numbers->shape()[0].axis : Axis::none;
    const Axis last =
        numbers->shape().rank() > 0 ? numbers->shape()[numbers->shape().rank() - 1].axis : Axis::none;
    print_table(
        paper, reading,
        numbers->reshaped({{first, rows}, {last, numbers->shape().count() / std::max<int64_t>(rows, 1)}}),
        Ink::faint, options);
  }
  return any;
}

// Below the heading: what an edit made of what the stage gives, which is then not what its equation says.
void print_edits(Paper& paper, const Reading& reading, const StageInfo& stage) {
  if (reading.trace().edited.empty()) return;
  const Edits edits(reading.trace());
  for (int id : stage.outputs)
    if (const std::string words = edits.of(id); !words.empty())
      paper.paragraph(
          join("✎ edited: ",
               stage.outputs.size() > 1 ? visible_line(short_name(reading.graph().value(id).name)) + " " : "",
               words, "; these are the edited numbers, not what the equation gives."),
          k_indent, Ink::alarm);
}

}  // namespace

std::string short_name(const std::string& name) {
  if (Reading::layer_of(name) < 0) return name;
  return name.substr(name.find('.', std::string_view("blocks.").size()) + 1);
}

bool was_seen(const Reading& reading, const StageInfo& stage) {
  return std::any_of(stage.outputs.begin(), stage.outputs.end(), [&](int id) {
    const std::string& name = reading.graph().value(id).name;
    return reading.trace().values.count(name) || reading.trace().summaries.count(name) ||
           has_streamed(reading.trace(), name);
  });
}

namespace {

// In the walk the table holds one row for each word of the sentence, in its order.
bool own_rows(const Reading& reading) {
  const Trace& trace = reading.trace();
  for (size_t i = 0; i < trace.tokens.size(); ++i)
    if (trace.tokens[i].id != static_cast<int64_t>(i)) return false;
  return trace.tokens.size() == trace.vocabulary.size();
}

std::string meaning_of_input(const Reading& reading, const std::string& name) {
  const std::string thing = reading.thing(Axis::T);
  if (name == "tokens" || name == "source") {
    const std::string text = name == "source" ? "The source" : "The sentence";
    return own_rows(reading) ? join(text, ", and the row of the table that each ", thing, " reads.")
                             : join(text, ", and the number of each ", thing, " in the vocabulary.");
  }
  if (name == "targets") return join("What should come after each ", thing, ", and its number.");
  if (name == "token_types") return join("Which of the texts, from 0 on, each ", thing, " belongs to.");
  if (name == "lengths" || name == "source_lengths")
    return join("How many of the places hold a ", thing, "; what follows is padding.");
  return "What the network is given.";
}

// The words that an input's numbers stand for, where they do; else none.
std::vector<Token> tokens_of_input(const Reading& reading, const std::string& name, const Rows& rows) {
  const Trace& trace = reading.trace();
  if (name == "tokens") return trace.tokens;
  if (name == "source") return trace.source;
  if (name != "targets" || rows.numbers.shape().rank() != 1 || !rows.places.empty()) return {};
  std::vector<Token> targets;
  for (int64_t t = 0; t < rows.length; ++t) {
    const auto id = static_cast<int64_t>(rows.numbers.at({t}));
    Token target;
    target.id = id;
    target.label = id < 0 ? "none" : reading.label(Axis::V, id);
    targets.push_back(std::move(target));
  }
  return targets;
}

}  // namespace

void print_input(Paper& paper, const Reading& reading, int value, const PageOptions& options) {
  const Value& v = reading.graph().value(value);
  const std::optional<Rows>& rows = reading.rows(value);
  if (!rows) return;
  paper.blank();
  print_heading(paper,
                {"", visible_line(v.name), "", reading.letters(value), reading.in_words(value), Ink::plain},
                meaning_of_input(reading, v.name));
  const std::vector<Token> tokens = tokens_of_input(reading, v.name, *rows);
  if (rows->numbers.shape().rank() != 1 || static_cast<int64_t>(tokens.size()) != rows->length)
    return print_value(paper, reading, value, Ink::plain, options);
  const std::vector<int64_t> places =
      kept(rows->length, 3 * static_cast<int64_t>(std::min(options.most_rows, 1 << 20)));
  Line* line = &paper.line(k_indent);
  for (int64_t place : places) {
    if (place == k_gap) {
      line->add(join("…", rows->length - static_cast<int64_t>(places.size()) + 1, " more…   "), Ink::faint);
      continue;
    }
    const Token& token = tokens[static_cast<size_t>(place)];
    const std::string label = visible(token.label), id = token.id < 0 ? "" : " " + std::to_string(token.id);
    if (!line->fits(label + id) && line->width() > k_indent) line = &paper.line(k_indent);
    line->add(clip_to_width(label, 40)).add(id, Ink::faint).skip(3);
  }
}

void print_stage(Paper& paper, const Reading& reading, int number, const PageOptions& options) {
  const StageInfo& stage = reading.graph().stage(number);
  const Ink ink = ink_of(stage.role);
  const bool view = stage.operation->is_view();
  paper.blank();
  print_heading(
      paper,
      {std::to_string(number + 1), visible_line(short_name(reading.graph().value(stage.outputs[0]).name)),
       visible_line(stage.equation()), shapes_text(reading, stage),
       view ? "no number changes" : reading.in_words(stage.outputs[0]), ink},
      visible_line(stage.caption()));
  print_edits(paper, reading, stage);
  if (view) return;
  if (print_parameters(paper, reading, stage, options))
    paper.line(k_indent)
        .add(visible_line(short_name(reading.graph().value(stage.outputs[0]).name)), ink, true)
        .add("  " + reading.letters(stage.outputs[0]), Ink::faint);
  print_value(paper, reading, stage.outputs[0], ink, options);
  for (size_t i = 1; i < stage.outputs.size(); ++i) print_further(paper, reading, stage.outputs[i], options);
}

}  // namespace limpid
