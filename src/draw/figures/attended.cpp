#include "draw/figures/attended.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "draw/layout/layout.h"
#include "limpid/rollout.h"

namespace limpid {

using namespace draw;

namespace draw {

Attended::Attended(const Trace& trace, const LookOptions& o, int64_t batch)
    : trace_(trace), reading_(trace), layer_(o.layer), head_(o.head), batch_(batch) {
  if (layer_ < 0 && head_ >= 0)
    fail_call("head ", head_, " of which layer?  A rollout is of the mean of all heads; give the layer too");
  if (layer_ >= 0) reading_.require_layer(static_cast<int>(layer_));
  if (head_ >= 0) reading_.require_head(static_cast<int>(layer_), static_cast<int>(head_));
  stage_ = rolled_out() ? "rollout" : join("blocks.", layer_, ".attn.pattern");
  const auto kept = trace.values.find(stage_);
  if (kept == trace.values.end())
    fail_call("the trace does not hold ", stage_,
              rolled_out() ? ", which with_rollout() adds" : "; trace with --observe " + stage_);
  const Shape& shape = kept->second.shape();
  if (shape.rank() != (rolled_out() ? 3 : 4) || batch < 0 || batch >= shape[0].size)
    fail_call(stage_, " is ", shape.text(), ", which holds no row ", batch);
  if (!rolled_out()) heads_ = shape[1].size;
  places_ = shape[shape.rank() - 1].size;
  rows_ = prediction_rows(reading_, o.token);
  if (rows_.end > shape[shape.rank() - 2].size)
    fail_call(stage_, " is ", shape.text(), ", which holds no row ", rows_.end - 1);
}

Source Attended::source(int64_t first, int64_t end) const {
  Source out;
  out.stage = stage_;
  out.format = format_;
  out.index = {batch_, rows_.first, first};
  out.extent = {1, rows_.end - rows_.first, end - first};
  if (!rolled_out()) {
    out.index.insert(out.index.begin() + 1, std::max<int64_t>(head_, 0));
    out.extent.insert(out.extent.begin() + 1, head_ < 0 ? heads_ : 1);
  }
  out.of = Source::Of::mass;
  if (std::all_of(out.extent.begin(), out.extent.end(), [](int64_t size) { return size == 1; })) {
    out.of = Source::Of::cell;
    out.extent.clear();
  }
  return out;
}

void Attended::set_range(double least, double most) {
  format_ = format_of(most);
  const Source one = {.format = format_},
               finer[] = {{.format = "%.4f"}, {.format = "%.5f"}, {.format = "%.6f"}};
  if (!(least < most) || format_.ends_with("e") || written(one, least) != written(one, most)) return;
  for (const Source& each : finer) {
    format_ = each.format;
    if (written(each, least) != written(each, most)) return;
  }
}

double Attended::number(int64_t first, int64_t end) const { return number_of(source(first, end), trace_); }

std::string Attended::which() const {
  if (rolled_out())
    return reading_.layers() == 1 ? "rolled out over its one layer"
                                  : join("rolled out over all ", reading_.layers(), " layers");
  if (head_ >= 0 || heads_ == 1) return join("layer ", layer_, ", head ", std::max<int64_t>(head_, 0));
  return join("layer ", layer_, ", mean of its ", heads_, " heads");
}

std::string Attended::mark() const {
  const Edits edits(trace_);
  return rolled_out() || edits.of(stage_, head_).empty() ? "" : k_pencil;
}

std::string Attended::said() const {
  std::string out = join("The weights are those of ", rows_.words, "; ", which(), ".");
  if (rolled_out())
    out +=
        " Rolled out: from layer to layer a row is half what the mean of the heads gathers and half itself "
        "(Abnar and Zuidema 2020).";
  return out;
}

// ---- what is predicted ---------------------------------------------------------------------------

namespace {

constexpr size_t k_most_outcomes = 5;
constexpr double k_outcome_pitch = 20, k_outcome_bar = 150, k_most_outcome = 180;

struct Outcomes {
  std::vector<int64_t> order;  // the likeliest first
  ConstView numbers;
  Index at;  // of the first, in the value
  std::string stage;
};

std::optional<Outcomes> outcomes_of(const Reading& reading, const PredictionRows& rows) {
  const int probs = reading.graph().find("probs");
  if (probs < 0) return std::nullopt;
  const std::optional<Rows>& kept = reading.rows(probs);
  if (!kept) return std::nullopt;
  Outcomes out;
  out.stage = reading.graph().value(probs).name;
  out.numbers = kept->numbers;
  out.at = {0};
  if (reading.predicts_each()) {
    const int64_t row = kept->find(rows.first);
    if (row < 0 || out.numbers.shape().rank() != 2) return std::nullopt;
    out.numbers = out.numbers.window(0, row, 1).reshaped(Shape{out.numbers.shape()[1]});
    out.at.push_back(rows.first);
  }
  if (out.numbers.shape().rank() != 1) return std::nullopt;
  out.order.resize(static_cast<size_t>(out.numbers.shape()[0].size));
  std::iota(out.order.begin(), out.order.end(), int64_t{0});
  const size_t most = std::min(out.order.size(), k_most_outcomes);
  const auto likelier = [&](int64_t a, int64_t b) {
    const double x = out.numbers.at({a}), y = out.numbers.at({b});
    return x != y ? x > y : a < b;
  };
  std::partial_sort(out.order.begin(), out.order.begin() + static_cast<std::ptrdiff_t>(most), out.order.end(),
                    likelier);
  out.order.resize(most);
  return out;
}

}  // namespace

double add_outcomes(Scene& scene, const Trace& trace, const PredictionRows& rows, Point at, double width) {
  const Reading reading(trace);
  const auto outcomes = outcomes_of(reading, rows);
  if (!outcomes || outcomes->order.empty()) return 0;
  const std::string title = !reading.predicts_each()  ? "Classes, the likeliest first"
                            : reading.predicts_next() ? "What comes next, the likeliest first"
                                                      : "What stands here, the likeliest first";
  scene.texts.push_back(
      text_at(TextKind::title, title, {at.x, at.y + 12}, Anchor::start, Role::plain, k_title_size));
  double labels = 40;
  std::vector<std::string> names;
  const double most = std::max(60.0, std::min(k_most_outcome, width - k_outcome_bar - 70));
  for (int64_t place : outcomes->order) {
    const std::string name = elided(clean(reading.label(Axis::V, place)), k_small_size, most);
    names.push_back(name.empty() ? "\xe2\x90\xa3" : name);
    labels = std::max(labels, text_width(names.back(), k_small_size));
  }
  std::string said = title + ": ";
  for (size_t i = 0; i < names.size(); ++i) {
    Index index = outcomes->at;
    index.push_back(outcomes->order[i]);
    const double p = outcomes->numbers.at({outcomes->order[i]});
    const Source source = {.stage = outcomes->stage, .index = index, .format = "%.3f"};
    const double y = at.y + 24 + k_outcome_pitch * static_cast<double>(i), baseline = y + 13;
    scene.texts.push_back(text_at(TextKind::token, names[i], {at.x, baseline}));
    const double bar = at.x + labels + 10, length = k_outcome_bar * std::clamp(p, 0.0, 1.0);
    if (length > 0.3)
      scene.bars.push_back({join("probability of ", names[i], ", place ", outcomes->order[i]),
                            {bar, y + 2, length, 14},
                            Role::plain,
                            0.5,
                            source});
    scene.texts.push_back(number_at(source, p, {bar + length + 6, baseline}));
    said += join(i ? ", " : "", "\"", names[i], "\" (", written(source, p), ")");
  }
  scene.steps.push_back({said + ".", 0, false, true});
  return 24 + k_outcome_pitch * static_cast<double>(names.size());
}

void add_outline(Scene& scene, const Rect& r, Role role, const std::string& name) {
  SceneLine line;
  line.name = name;
  line.points = {{r.x + 1, r.y + 1},
                 {r.right() - 1, r.y + 1},
                 {r.right() - 1, r.bottom() - 1},
                 {r.x + 1, r.bottom() - 1},
                 {r.x + 1, r.y + 1}};
  line.role = role;
  line.width = 2;
  scene.lines.push_back(std::move(line));
}

}  // namespace draw

std::vector<Observation> attended_reads(const Graph& graph, int64_t length, const LookOptions& o) {
  std::vector<Observation> out;
  if (o.layer < 0) {
    out = rollout_reads(graph, length);
  } else {
    const std::string pattern = join("blocks.", o.layer, ".attn.pattern");
    if (graph.find(pattern) < 0) fail_call("layer ", o.layer, " does not exist in this network");
    out.push_back({graph.value(graph.find(pattern)).name, Depth::full});
  }
  if (const int probs = graph.find("probs"); probs >= 0) {
    const bool each = graph.value(probs).shape.find(Axis::T) >= 0;
    if (each)
      out.push_back({graph.value(probs).name, Depth::rows, 0, {o.token}});
    else
      out.push_back({graph.value(probs).name, Depth::full});
  }
  for (const char* input : {"pixels", "values", "prediction"})
    if (const int value = graph.find(input); value >= 0)
      out.push_back({graph.value(value).name, Depth::full});
  return out;
}

}  // namespace limpid
