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

std::vector<Equation> equations_of(const Reading& reading, int layer, int head) {
  const Trace& trace = reading.trace();
  const int64_t heads = reading.heads(layer);
  const std::vector<std::string> tokens = token_labels(reading);
  const std::string block = join("blocks.", layer, ".");
  const auto value = [&](const std::string& name, Axis rows, Axis columns) {
    return matrix_of(trace, name, rows, columns, head, heads);
  };
  const auto labels = [&](int64_t count) {
    return static_cast<int64_t>(tokens.size()) == count ? Labels{tokens} : Labels{};
  };
  const auto part = [&](const std::string& symbol, Role role, std::optional<Matrix> m, bool by_rows,
                        bool by_columns = false) {
    Part out;
    out.symbol = symbol;
    out.role = role;
    out.matrix = std::move(m);
    if (out.matrix && by_rows) out.rows = labels(out.matrix->rows);
    if (out.matrix && by_columns) out.columns = labels(out.matrix->columns);
    return out;
  };

  std::vector<Equation> out;
  // What the projections read: the first input of the query's stage.
  std::string input = block + "resid_pre";
  const Graph& graph = reading.graph();
  std::string turned[2] = {"attn.q", "attn.k"};
  if (const int q = reading.in_layer(layer, "attn.q"); q >= 0 && graph.value(q).stage >= 0)
    input = graph.value(graph.stage(graph.value(q).stage).inputs[0]).name;
  const auto x = value(input, Axis::T, Axis::C);
  const struct {
    const char *name, *symbol, *meaning[2];  // around what a row stands for
    Role role;
  } k_three[] = {{"q", "Q", {"Queries: what each ", " is looking for"}, Role::query},
                 {"k", "K", {"Keys: what each ", " offers to be found by"}, Role::key},
                 {"v", "V", {"Values: what each ", " passes on"}, Role::value}};
  for (const auto& each : k_three) {
    const Axis rows = each.role == Role::query ? Axis::T : Axis::S;
    auto result = value(block + "attn." + each.name, rows, Axis::D);
    if (!result) result = value(block + "attn." + each.name, Axis::T, Axis::D);
    if (!result) continue;
    Equation e;
    e.words = join(each.meaning[0], reading.thing(Axis::T), each.meaning[1]);
    const std::string weight = std::string("W_") + each.symbol;
    auto w = value(block + "attn." + weight, Axis::C, Axis::D);
    e.parts = {part("X", Role::plain, x, true), part(weight, each.role, w, false),
               part(each.symbol, each.role, result, true)};
    if (w)
      e.signs = {"\xc3\x97", "="};
    else
      e.parts.erase(e.parts.begin() + 1), e.signs = {"\xe2\x86\x92"};
    e.said = join(each.symbol, " = X ", weight, ": each row of X, ", x ? join(x->columns, " numbers, ") : "",
                  "becomes ", result->columns, " numbers");
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
  const bool turns = reading.in_layer(layer, "attn.rot_q") >= 0;
  if (q && k && (scores || pattern)) {
    Equation e;
    e.words = "Scores: how well each query matches each key; softmax makes weights of them";
    e.parts = {
        part(turns ? "Q, turned by its position" : "Q", Role::query, q, true),
        part(turns ? "K\xe1\xb5\x80, turned" : "K\xe1\xb5\x80", Role::key, k->transposed(), false, true)};
    e.line = Equation::Line::scores;
    e.signs = {"\xc3\x97"};
    if (scores) {
      e.parts.push_back(part("scores", Role::weights, scores, true, true));
      e.signs.push_back("\xe2\x86\x92");
      e.under = {"", "\xc3\xb7 \xe2\x88\x9a" + std::string("D")};
    }
    if (pattern) {
      e.parts.push_back(part("weights", Role::weights, pattern, true, true));
      e.parts.back().shares = true;
      e.signs.push_back("\xe2\x86\x92");
      e.under.resize(e.signs.size() - 1);
      e.under.push_back("softmax");
    }
    for (size_t i = 2; i < e.parts.size(); ++i) e.parts[i].mask = scores;
    e.said =
        join("Scores = Q K\xe1\xb5\x80 / sqrt(D), D = ", q->columns,
             ": each query's dot product with each key. Softmax turns each row of scores into weights that "
             "add up to 1; cells that the mask takes away are empty.");
    out.push_back(std::move(e));
  }
  if (pattern && v && z) {
    Equation e;
    e.line = Equation::Line::output;
    e.words = "Output: the values, weighted and summed";
    e.parts = {part("weights", Role::weights, pattern, true, true), part("V", Role::value, v, true),
               part("output", Role::value, z, true)};
    e.parts[0].shares = true;
    e.parts[0].mask = scores;
    e.signs = {"\xc3\x97", "="};
    e.said = "Output = weights V: each token's row is the sum of the values, each times its weight.";
    out.push_back(std::move(e));
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

GridForm form_of(const Equation& e, size_t i, const EquationForm& form, const std::string& name) {
  const Part& part = e.parts[i];
  GridForm out;
  out.name = join(name, ", ", part.symbol);
  out.role = part.role;
  out.most_width = form.most_width;
  out.most_height = form.most_height;
  out.shares = part.shares;
  out.rows = i == 0 ? part.rows : Labels{};
  out.columns = part.columns;
  return out;
}

}  // namespace

Point size_of(const Equation& e, const EquationForm& form) {
  double width = 0, above = 0, height = 0;
  bool scales = false;
  for (size_t i = 0; i < e.parts.size(); ++i) {
    if (!e.parts[i].matrix) continue;
    const GridForm g = form_of(e, i, form, "");
    const GridSize size = draw::size_of(*e.parts[i].matrix, g);
    const Point room = label_room(*e.parts[i].matrix, g);
    width += std::max({size.width, text_width(e.parts[i].symbol, k_title_size),
                       size.numbers ? 0.0 : k_scale_width}) +
             room.x;
    above = std::max(above, room.y);
    height = std::max(height, size.height);
    scales = scales || !size.numbers;
    if (i > 0) width += sign_width(e, i - 1);
  }
  return {width, 22 + above + height + (scales ? 24 : 0)};
}

EquationForm fitting(const std::vector<Equation>& equations, Point room, double between) {
  EquationForm form;
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
  // Lower matrices lose their numbers and gain keys of colours, which may be wider: both are asked again.
  for (bool fits = false; !fits;) {
    fits = true;
    for (; form.most_width > k_scale_width && widest() > room.x; fits = false) form.most_width -= 4;
    for (; form.most_height > 40 && height() > room.y; fits = false) form.most_height -= 6;
  }
  return form;
}

void add_equation(Scene& scene, const Equation& e, const EquationForm& form, const std::string& name,
                  Point at) {
  double above = 0, height = 0, x = at.x;
  for (size_t i = 0; i < e.parts.size(); ++i) {
    if (!e.parts[i].matrix) continue;
    const GridForm g = form_of(e, i, form, name);
    above = std::max(above, label_room(*e.parts[i].matrix, g).y);
    height = std::max(height, draw::size_of(*e.parts[i].matrix, g).height);
  }
  const double top = at.y + 22 + above;
  for (size_t i = 0; i < e.parts.size(); ++i) {
    const Part& part = e.parts[i];
    if (!part.matrix) continue;
    if (i > 0) {
      const double w = sign_width(e, i - 1), middle = top + height / 2;
      scene.texts.push_back(
          text_at(TextKind::label, e.signs[i - 1], {x + w / 2, middle + 6}, Anchor::middle, Role::plain, 18));
      if (i - 1 < e.under.size() && !e.under[i - 1].empty())
        scene.texts.push_back(
            text_at(TextKind::name, e.under[i - 1], {x + w / 2, middle + 24}, Anchor::middle));
      x += w;
    }
    const GridForm g = form_of(e, i, form, name);
    const GridSize size = draw::size_of(*part.matrix, g);
    x += label_room(*part.matrix, g).x;
    const double y = top + (height - size.height) / 2;
    const SceneGrid grid = add_grid(scene, *part.matrix, part.mask ? &*part.mask : nullptr, g, {x, y});
    scene.texts.push_back(text_at(TextKind::title, part.symbol, {x, y - label_room(*part.matrix, g).y - 6},
                                  Anchor::start, part.role, k_title_size));
    if (!size.numbers) add_scale(scene, grid, {x, y + size.height + 4});
    x += std::max({size.width, text_width(part.symbol, k_title_size), size.numbers ? 0.0 : k_scale_width});
  }
}

}  // namespace draw

Scene matrices_scene(const Trace& trace, const FigureOptions& o) {
  const Reading reading(trace);
  reading.require_layer(o.layer);
  reading.require_head(o.layer, o.head);
  const std::vector<Equation> equations = equations_of(reading, o.layer, o.head);
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
  const EquationForm form = fitting(
      equations, {std::min(o.width, 922.0) - 2 * k_margin - 16, (o.height > 0 ? o.height : 1345) - 102},
      20 + 20);
  bool pooled = false;
  for (size_t i = 0; i < equations.size(); ++i) {
    const Equation& e = equations[i];
    scene.texts.push_back(
        text_at(TextKind::note, e.words, {k_margin, y + 12}, Anchor::start, Role::plain, k_small_size));
    y += 20;
    add_equation(scene, e, form, join("line ", i + 1), {k_margin, y});
    y += size_of(e, form).y + 20;
    scene.steps.push_back({e.said, 0, false, true});
  }
  for (const SceneGrid& grid : scene.grids) pooled = pooled || grid.pooled();
  if (pooled) {
    const std::string words =
        "A matrix that is too large is pooled: each of its cells shows the mean of several neighbours.";
    scene.texts.push_back(text_at(TextKind::note, words, {k_margin, y + 10}));
    scene.steps.push_back({words, 0, false, false});
  }
  fit_page(scene);
  scene.description = told(scene.steps);
  return scene;
}

}  // namespace limpid
