// heads: what kind each head is of, on drawn texts; and in this run how evenly it looks, and how much at the
// first token.
#include <cmath>
#include <limits>

#include "explore/attentions.h"
#include "explore/state.h"
#include "explore/stored.h"

namespace limpid::explore {

namespace {

constexpr double k_none = std::numeric_limits<double>::quiet_NaN();

void tell_kinds(State& state, Answer& answer) {
  if (!state.measured) {
    MeasureHeadsOptions options;
    options.progress = [&](double, const std::string&) { state.host.check(); };
    state.measured = measure_heads(state.opened.model(), options);
  }
  const HeadReport& report = *state.measured;
  answer.fields["threshold"] = k_head_threshold;
  answer.fields["columns"] = {"previous", "first", "self", "duplicate", "induction", "positional", "entropy"};
  Json& kinds = answer.fields["kinds"] = Json::array();
  std::vector<double> scores;
  for (const HeadScores& head : report.heads) {
    kinds.push_back({{"attention", head.attention},
                     {"layer", head.layer},
                     {"head", head.head},
                     {"kind", name(head.kind)},
                     {"explanation", explanation(head.kind)},
                     {"score", number(head.score)}});
    for (const double score :
         {head.previous.value_or(k_none), head.first.value_or(k_none), head.self,
          head.duplicate.value_or(k_none), head.induction.value_or(k_none), head.positional, head.entropy})
      scores.push_back(score);
  }
  answer.add("scores",
             Tensor::of<double>(Shape::unnamed({static_cast<int64_t>(report.heads.size()), 7}), scores));
}

const Tensor& entropy_of(Run& run, const Attention& attention) {
  const std::string& pattern = run.graph().value(attention.pattern).name;
  return run.read({{pattern, Depth::entropy}}).values.at(pattern + "@entropy");
}

// Every row's weight on key 0; nothing where a stored run has no cells, but what was gathered of them.
std::optional<Tensor> first_column(Run& run, const Attention& attention, int64_t length, int64_t batch) {
  if (run.stored() && held(*run.stored(), run.graph().value(attention.pattern).name) != Held::whole)
    return std::nullopt;
  return SquareCells(run, attention, "pattern").window({0, attention.heads}, {0, length}, {0, 1}, batch);
}

double mean_of(const float* numbers, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(numbers[i]);
  return sum / static_cast<double>(count);
}

}  // namespace

void ask_heads(State& state, Request& request, Answer& answer) {
  const bool measured =
      request.has("measured") ? request.flag("measured") : state.opened.subject.stored == nullptr;
  const std::string chosen = request.text_or("attention", "");
  const int64_t batch = batch_of(request, state);
  Run& run = asked_run(state, request, answer);
  const std::vector<Attention> all = attentions_of(run, Depth::entropy);
  if (measured) tell_kinds(state, answer);
  std::vector<Observation> reads;
  for (const Attention& each : all) reads.push_back({run.graph().value(each.pattern).name, Depth::entropy});
  run.read(reads);
  Json& names = answer.fields["attentions"] = Json::array();
  std::vector<double> entropy, first_token;
  for (const Attention& attention : all) {
    names.push_back({{"name", attention.name}, {"heads", attention.heads}});
    const Tensor& rows = entropy_of(run, attention);  // [B,H,T]
    const int64_t length = rows.shape()[2].size;
    const std::optional<Tensor> first = first_column(run, attention, length, batch);
    for (int64_t h = 0; h < attention.heads; ++h) {
      entropy.push_back(
          mean_of(entropy_of(run, attention).data<float>() + (batch * attention.heads + h) * length, length));
      first_token.push_back(first ? mean_of(first->data<float>() + h * length, length) : k_none);
    }
  }
  answer.add("entropy", entropy, Axis::H);
  answer.add("first_token", first_token, Axis::H);
  if (chosen.empty()) return;
  Tensor rows =
      Tensor::copy_of(entropy_of(run, attention_named(run.graph(), chosen)).view().window(0, batch, 1));
  rows.reshape(rows.shape().part(1, 2));
  answer.add("row_entropy", std::move(rows));
}

}  // namespace limpid::explore
