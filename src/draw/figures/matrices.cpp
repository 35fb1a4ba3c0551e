// The matrix figure: one attention head as the equations it computes, a line each, with the numbers of the
// run.
//
//   X W_Q = Q     X W_K = K     X W_V = V     Q K^T / sqrt(D) = scores -> softmax -> weights     weights V =
//   output
#include <algorithm>
#include <cmath>

#include "draw/figures/canvas.h"
#include "draw/figures/equations.h"
#include "draw/figures/legend.h"
#include "draw/layout/layout.h"

namespace limpid {

using namespace draw;

namespace draw {

namespace {

// An equation is not drawn over a value that was edited: its sign becomes a bar, below which stands what the
// edit was, and its words say so.
void mark_edits(Equation& e, const Edits& edits, const std::string& block) {
  const auto edit_of = [&](const Part& part) {
    if (!part.matrix) return std::string();
    std::string stage = part.matrix->source.stage;
    if (stage.ends_with("@map")) stage.resize(stage.size() - 4);
    return edits.of(stage, e.head);
  };
  std::vector<std::string> said;
  for (size_t i = 0; i < e.parts.size(); ++i) {
    Part& part = e.parts[i];
    part.edit = edit_of(part);
    std::string into = part.edit;  // what was edited between the part before it and this one
    if (e.line == Equation::Line::scores && i >= 2)
      for (const char* name : {"raw_scores", "scaled_scores", "scores"}) {
        if (i > 2 && e.parts.size() > 3) break;  // the weights, after scores that are drawn
        const std::string more = edits.of(join(block, "attn.", name), e.head);
        if (!more.empty() && into.find(more) == into.npos) into += (into.empty() ? "" : "; ") + more;
      }
    if (!part.edit.empty()) said.push_back(join(part.symbol, ": ", part.edit));
    if (!part.edit.empty()) part.symbol = k_pencil + part.symbol;
    const bool result = i > 0 && e.signs[i - 1] != "\xc3\x97";
    if (!result || into.empty()) continue;
    if (part.edit.empty()) said.push_back(join("on the way to ", part.symbol, ": ", into));
    e.signs[i - 1] = k_severed;
    e.under.resize(std::max(e.under.size(), i));
    e.under[i - 1] = elided(into, k_small_size, 120);
    e.severed = true;
  }
  if (said.empty()) return;
  std::string words;
  for (const std::string& each : said) words += (words.empty() ? "" : "; ") + each;
  e.said = e.severed
               ? join("Edited (", words, "), so in this run the matrices do not give what follows the bar. ",
                      "Without the edit: ", e.said)
               : join("Edited (", words, "). ", e.said);
}

}  // namespace

std::vector<Equation> equations_of(const Reading& reading, int layer, int head) {
  const Trace& trace = reading.trace();
  const int64_t heads = reading.heads(layer);
  const std::vector<std::string> queries = token_labels(reading), keys = token_labels(reading, Axis::S);
  const std::string block = join("blocks.", layer, ".");
  const auto value = [&](const std::string& name, Axis rows, Axis columns) {
    return matrix_of(trace, name, rows, columns, head, heads);
  };
  const auto labels = [&](const std::vector<std::string>& tokens, int64_t count) {
    return static_cast<int64_t>(tokens.size()) == count ? Labels{tokens} : Labels{};
  };
  enum class Of { none, queries, keys };  // what rows or columns stand for
  const auto part = [&](const std::string& symbol, Role role, std::optional<Matrix> m, Of rows,
                        Of columns = Of::none) {
    Part out;
    out.symbol = symbol;
    out.role = role;
    out.matrix = std::move(m);
    if (out.matrix && rows != Of::none)
      out.rows = labels(rows == Of::keys ? keys : queries, out.matrix->rows);
    if (out.matrix && columns != Of::none)
      out.columns = labels(columns == Of::keys ? keys : queries, out.matrix->columns);
    return out;
  };

  std::vector<Equation> out;
  // What a projection reads: the first input of its stage.
  const Graph& graph = reading.graph();
  const auto input_of = [&](const std::string& name) {
    const int id = reading.in_layer(layer, "attn." + name);
    if (id < 0 || graph.value(id).stage < 0) return block + "resid_pre";
    return graph.value(graph.stage(graph.value(id).stage).inputs[0]).name;
  };
  const struct {
    const char *name, *symbol, *meaning[2];  // around what a row stands for
    Role role;
  } k_three[] = {{"q", "Q", {"Queries: what each ", " is looking for"}, Role::query},
                 {"k", "K", {"Keys: what each ", " offers to be found by"}, Role::key},
                 {"v", "V", {"Values: what each ", " passes on"}, Role::value}};
  for (const auto& each : k_three) {
    const Axis rows = each.role == Role::query ? Axis::T : Axis::S;
    const Of of = each.role == Role::query ? Of::queries : Of::keys;
    const std::string input = input_of(each.name);
    const std::string read =
        input == input_of("q") ? "X" : "Y";  // cross-attention's keys are of another text
    const auto x = value(input, Axis::T, Axis::C);
    auto result = value(block + "attn." + each.name, rows, Axis::D);
    if (!result) result = value(block + "attn." + each.name, Axis::T, Axis::D);
    if (!result) continue;
    Equation e;
    e.words = join(each.meaning[0], reading.thing(Axis::T), each.meaning[1]);
    const std::string weight = std::string("W_") + each.symbol;
    auto w = value(block + "attn." + weight, Axis::C, Axis::D);
    e.parts = {part(read, Role::plain, x, of), part(weight, each.role, w, Of::none),
               part(each.symbol, each.role, result, of)};
    if (w)
      e.signs = {"\xc3\x97", "="};
    else
      e.parts.erase(e.parts.begin() + 1), e.signs = {"\xe2\x86\x92"};
    e.said = join(each.symbol, " = ", read, " ", weight, ": each row of ", read, ", ",
                  x ? join(x->columns, " numbers, ") : "", "becomes ", result->columns, " numbers");
    if (trace.graph) {
      const int bias = graph.find(block + "attn.b_" + each.symbol);
      if (bias >= 0) {
        e.said += ", and a bias is added";
        if (w) e.under = {"", join("+ b_", each.symbol)};
      }
    }
    e.said += ".";
    out.push_back(std::move(e));
  }

  const auto rotated = [&](const char* plain, const char* turned_name, Axis axis) {
    auto m = value(block + "attn." + turned_name, axis, Axis::D);
    if (!m) m = value(block + "attn." + turned_name, Axis::T, Axis::D);
    if (!m) m = value(block + "attn." + plain, axis, Axis::D);
    return m ? m : value(block + "attn." + plain, Axis::T, Axis::D);
  };
  const auto q = rotated("q", "rot_q", Axis::T), k = rotated("k", "rot_k", Axis::S);
  const auto scores = value(block + "attn.scores", Axis::T, Axis::S),
             pattern = value(block + "attn.pattern", Axis::T, Axis::S),
             v =
                 [&] {
                   auto m = value(block + "attn.v", Axis::S, Axis::D);
                   return m ? m : value(block + "attn.v", Axis::T, Axis::D);
                 }(),
             z = value(block + "attn.z", Axis::T, Axis::D);
  // What takes cells away: scores of -inf; where there are none, weights of 0 that nobody edited.
  const bool told = pattern && Edits(trace).of(block + "attn.pattern", head).empty();
  const std::optional<Matrix> hidden =
      scores && pattern && scores->rows == pattern->rows && scores->columns == pattern->columns ? scores
      : told                                                                                    ? pattern
                                                                                                : scores;
  const bool turns = reading.in_layer(layer, "attn.rot_q") >= 0;
  if (q && k && (scores || pattern)) {
    Equation e;
    e.words = "Scores: how well each query matches each key; softmax makes weights of them";
    e.parts = {part(turns ? "Q, turned by its position" : "Q", Role::query, q, Of::queries),
               part(turns ? "K\xe1\xb5\x80, turned" : "K\xe1\xb5\x80", Role::key, k->transposed(), Of::none,
                    Of::keys)};
    e.line = Equation::Line::scores;
    e.signs = {"\xc3\x97"};
    if (scores) {
      e.parts.push_back(part("scores", Role::weights, scores, Of::queries, Of::keys));
      e.signs.push_back("\xe2\x86\x92");
      e.under = {"", "\xc3\xb7 \xe2\x88\x9a" + std::string("D")};
    }
    if (pattern) {
      e.parts.push_back(part("weights", Role::weights, pattern, Of::queries, Of::keys));
      e.parts.back().shares = true;
      e.signs.push_back("\xe2\x86\x92");
      e.under.resize(e.signs.size() - 1);
      e.under.push_back("softmax");
    }
    for (size_t i = 2; i < e.parts.size(); ++i) e.parts[i].mask = hidden, e.parts[i].square = true;
    e.said = join("Scores = Q K\xe1\xb5\x80 / sqrt(D), D = ", q->columns,
                  ": each query's dot product with each key. Softmax turns each row of scores into ",
                  reading.weights_said(layer), "; cells that the mask takes away are empty.");
    out.push_back(std::move(e));
  }
  if (pattern && v && z) {
    Equation e;
    e.line = Equation::Line::output;
    e.words = "Output: the values, weighted and summed";
    e.parts = {part("weights", Role::weights, pattern, Of::queries, Of::keys),
               part("V", Role::value, v, Of::keys), part("output", Role::value, z, Of::queries)};
    e.parts[0].shares = e.parts[0].square = true;
    e.parts[0].mask = hidden;
    e.signs = {"\xc3\x97", "="};
    e.said = "Output = weights V: each token's row is the sum of the values, each times its weight.";
    out.push_back(std::move(e));
  }
  const Edits edits(trace);
  for (Equation& e : out) {
    e.layer = layer;
    e.head = head;
    if (!edits.empty()) mark_edits(e, edits, block);
  }
  return out;
}

// ---- where the parts of a line stand -------------------------------------------------------------

namespace {

constexpr double k_sign = 30;  // the room of a sign between two parts

double sign_width(const Equation& e, size_t i) {
  const double under = i < e.under.size() ? text_width(e.under[i], k_small_size) : 0;
  return std::max(k_sign, under + 12);
}

GridForm form_of(const Equation& e, size_t i, bool first, const EquationForm& form, const std::string& name) {
  const Part& part = e.parts[i];
  GridForm out;
  out.name = join(name, ", ", part.symbol);
  out.role = part.role;
  out.most_width = part.square ? form.square_width : form.most_width;
  out.most_height = part.square ? form.square_height : form.most_height;
  out.shares = part.shares;
  out.rows = first ? part.rows : Labels{};
  out.columns = part.columns;
  return out;
}

// A part where it stands: whether it begins a row, and what it takes with the sign before it.
struct Placed {
  size_t part = 0;
  bool first = false;
  double sign = 0, label = 0, width = 0, above = 0, height = 0;
  bool scale = false;  // a key of colours below it
};
using Rows = std::vector<std::vector<Placed>>;

Placed placed(const Equation& e, size_t i, bool first, const EquationForm& form) {
  const GridForm g = form_of(e, i, first, form, "");
  const GridSize size = draw::size_of(*e.parts[i].matrix, g);
  const Point room = label_room(*e.parts[i].matrix, g);
  Placed out;
  out.part = i;
  out.first = first;
  out.sign = i > 0 ? sign_width(e, i - 1) : 0;
  out.label = room.x;
  out.width =
      std::max({size.width, text_width(e.parts[i].symbol, k_title_size), size.numbers ? 0.0 : k_scale_width});
  out.above = room.y;
  out.height = size.height;
  out.scale = !size.numbers;
  return out;
}

Rows rows_of(const Equation& e, const EquationForm& form) {
  Rows rows(1);
  double x = 0;
  for (size_t i = 0; i < e.parts.size(); ++i) {
    if (!e.parts[i].matrix) continue;
    Placed next = placed(e, i, rows.back().empty() && rows.size() == 1, form);
    if (!rows.back().empty() && form.room > 0 && x + next.sign + next.label + next.width > form.room) {
      rows.emplace_back();
      next = placed(e, i, true, form);
      x = 0;
    }
    x += next.sign + next.label + next.width;
    rows.back().push_back(next);
  }
  return rows;
}

Point size_of(const std::vector<Placed>& row) {
  double width = 0, above = 0, height = 0;
  bool scales = false;
  for (const Placed& p : row) {
    width += p.sign + p.label + p.width;
    above = std::max(above, p.above);
    height = std::max(height, p.height);
    scales = scales || p.scale;
  }
  return {width, 22 + above + height + (scales ? 24 : 0)};
}

constexpr double k_between_rows = 10;

// Makes matrices smaller until all lines fit; squares stay as they are.  Lower matrices lose their numbers
// and gain keys of colours, which may be wider: both are asked again.
bool shrink(const std::vector<Equation>& equations, Point room, double between, EquationForm& form) {
  const auto widest = [&] {
    double width = 0;
    for (const Equation& e : equations) width = std::max(width, size_of(e, form).x);
    return width;
  };
  const auto height = [&] {
    double sum = 0;
    for (const Equation& e : equations) sum += size_of(e, form).y + between;
    return sum;
  };
  for (bool fits = false; !fits;) {
    fits = true;
    for (; form.most_width > k_scale_width && widest() > room.x; fits = false) form.most_width -= 4;
    for (; form.most_height > 40 && height() > room.y; fits = false) form.most_height -= 6;
  }
  return widest() <= room.x && height() <= room.y;
}

// Of the squares that are small enough to have numbers: how many places, and whether all have them.
int64_t places_of_squares(const std::vector<Equation>& equations) {
  int64_t most = 0;
  for (const Equation& e : equations)
    for (const Part& part : e.parts)
      if (part.square && part.matrix) most = std::max({most, part.matrix->rows, part.matrix->columns});
  return most <= k_most_in_words ? most : 0;
}

}  // namespace

bool squares_have_numbers(const std::vector<Equation>& equations, const EquationForm& form) {
  for (const Equation& e : equations)
    for (size_t i = 0; i < e.parts.size(); ++i)
      if (e.parts[i].square && e.parts[i].matrix &&
          !draw::size_of(*e.parts[i].matrix, form_of(e, i, false, form, "")).numbers)
        return false;
  return true;
}

Point size_of(const Equation& e, const EquationForm& form) {
  Point all;
  for (const std::vector<Placed>& row : rows_of(e, form)) {
    const Point size = size_of(row);
    all = {std::max(all.x, size.x), all.y + size.y + (all.y > 0 ? k_between_rows : 0)};
  }
  return all;
}

EquationForm fitting(const std::vector<Equation>& equations, Point room, double between, double wrap) {
  // With the numbers of scores and weights, where they fit.
  if (const auto places = static_cast<double>(places_of_squares(equations)); places > 0)
    for (double row : {k_cell_height, 22.0, 19.0, k_least_row})
      for (double cell : {46.0, 42.0, 38.0, 35.0, 32.0}) {
        EquationForm form;
        form.room = wrap;
        form.square_width = cell * places;
        form.square_height = row * places;
        EquationForm least = form;  // if that is too large, no more need be tried
        least.most_width = k_scale_width;
        least.most_height = 40;
        if (squares_have_numbers(equations, form) && shrink(equations, room, between, least) &&
            shrink(equations, room, between, form))
          return form;
      }
  EquationForm form;
  form.room = wrap;
  for (; !shrink(equations, room, between, form) && form.square_height > 40;) {
    form.square_width = std::max(form.square_width - 8, k_scale_width);
    form.square_height = std::max(form.square_height - 12, 40.0);
  }
  return form;
}

void add_equation(Scene& scene, const Equation& e, const EquationForm& form, const std::string& name,
                  Point at, const Edits& edits) {
  for (const std::vector<Placed>& row : rows_of(e, form)) {
    double above = 0, height = 0, x = at.x;
    for (const Placed& p : row) above = std::max(above, p.above), height = std::max(height, p.height);
    const double top = at.y + 22 + above;
    for (const Placed& p : row) {
      const Part& part = e.parts[p.part];
      if (p.part > 0) {
        const double w = p.sign, middle = top + height / 2;
        scene.texts.push_back(text_at(TextKind::label, e.signs[p.part - 1], {x + w / 2, middle + 6},
                                      Anchor::middle, Role::plain, 18));
        if (p.part - 1 < e.under.size() && !e.under[p.part - 1].empty())
          scene.texts.push_back(
              text_at(TextKind::name, e.under[p.part - 1], {x + w / 2, middle + 24}, Anchor::middle));
        x += w;
      }
      const GridForm g = form_of(e, p.part, p.first, form, name);
      x += p.label;
      const double y = top + (height - p.height) / 2;
      const SceneGrid grid = add_grid(scene, *part.matrix, part.mask ? &*part.mask : nullptr, g, {x, y});
      scene.texts.push_back(text_at(TextKind::title, part.symbol, {x, y - p.above - 6}, Anchor::start,
                                    part.role, k_title_size));
      if (part.square) mark_cut(scene, grid, edits, e.layer, e.head);
      if (p.scale) add_scale(scene, grid, {x, y + p.height + 4});
      x += p.width;
    }
    at.y += size_of(row).y + k_between_rows;
  }
}

}  // namespace draw

namespace {

constexpr double k_narrow = 780;  // a column of a paper: lines go on below

// The scores' line without the weights, where they also begin the output's line; empty where they do not.
std::vector<Equation> with_weights_once(std::vector<Equation> equations) {
  const auto of = [&](Equation::Line line) {
    return std::find_if(equations.begin(), equations.end(),
                        [&](const Equation& e) { return e.line == line; });
  };
  const auto scores = of(Equation::Line::scores), output = of(Equation::Line::output);
  if (scores == equations.end() || output == equations.end() || scores->parts.size() < 4) return {};
  const bool severed = scores->signs.back() == k_severed;
  scores->parts.pop_back();
  scores->signs.pop_back();
  scores->under.resize(std::min(scores->under.size(), scores->signs.size()));
  scores->words = "Scores: how well each query matches each key";
  output->words = severed
                      ? "Output: the values, weighted by the edited weights and summed"
                      : "Output: the softmax of the scores makes weights; the values, weighted and summed";
  return equations;
}

}  // namespace

Scene matrices_scene(const Trace& trace, const FigureOptions& o) {
  const Reading reading(trace);
  reading.require_layer(o.layer);
  reading.require_head(o.layer, o.head);
  std::vector<Equation> equations = equations_of(reading, o.layer, o.head);
  if (equations.empty())
    fail_call("matrices: the trace holds no query, key or value of layer ", o.layer,
              "; trace with --observe blocks.", o.layer, ".*");
  Scene scene;
  scene.title = join("The matrices of layer ", o.layer, ", head ", o.head, ": ", reading.sentence());
  scene.steps.push_back({join("One attention head as matrices: layer ", o.layer, ", head ", o.head, ", ",
                              reading.sentence(), ". A row stands for a ", reading.thing(Axis::T),
                              ", the more a cell stands out the larger its number. From top to bottom:"),
                         0, false, false});
  double y = k_margin;
  scene.texts.push_back(text_at(TextKind::title, join("Layer ", o.layer, ", head ", o.head),
                                {k_margin, y + 12}, Anchor::start, Role::plain, k_title_size));
  y += 30;
  // An A4 sheet in portrait, on which 12 is 7 pt: 922 by 1345.
  const bool narrow = o.width < k_narrow;
  const Point room = {std::min(o.width, 922.0) - 2 * k_margin - (narrow ? 0 : 16), (o.height > 0 ? o.height
                                                                                    : narrow     ? 4000
                                                                                                 : 1345) -
                                                                                       102};
  const double wrap = narrow ? room.x : 0;
  EquationForm form = fitting(equations, room, 20 + 20, wrap);
  // The weights stand in the line of the output too: where once is enough for their numbers, there alone.
  if (places_of_squares(equations) > 0 && !squares_have_numbers(equations, form))
    if (std::vector<Equation> once = with_weights_once(equations); !once.empty())
      if (const EquationForm other = fitting(once, room, 20 + 20, wrap); squares_have_numbers(once, other))
        equations = std::move(once), form = other;
  const Edits edits(trace);
  bool pooled = false;
  for (size_t i = 0; i < equations.size(); ++i) {
    const Equation& e = equations[i];
    y += add_paragraph(scene, TextKind::note, e.words, {k_margin, y + 12 - k_ascent * k_small_size},
                       std::max(room.x, 240.0)) +
         2.6;
    add_equation(scene, e, form, join("line ", i + 1), {k_margin, y}, edits);
    y += size_of(e, form).y + 20;
    scene.steps.push_back({e.said, 0, false, true});
  }
  for (const SceneGrid& grid : scene.grids) pooled = pooled || grid.pooled();
  if (pooled) {
    const std::string words =
        "A matrix that is too large is pooled: each of its cells shows the mean of several neighbours.";
    add_paragraph(scene, TextKind::note, words, {k_margin, y}, std::max(room.x, 240.0));
    scene.steps.push_back({words, 0, false, false});
  }
  fit_page(scene);
  scene.description = told(scene.steps);
  add_edits(scene, edits);
  return scene;
}

}  // namespace limpid
