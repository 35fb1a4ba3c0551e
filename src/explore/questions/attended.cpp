// attended: how much a query, or what the prediction is read from, looks at each place.
#include <algorithm>

#include "explore/attentions.h"
#include "explore/state.h"
#include "limpid/rollout.h"
#include "trace/prediction.h"

namespace limpid::explore {

namespace {

// Over rows [first,end) and heads [from,to) of weights f32 or f64 [B,H,T,S], or [B,T,S] of a rollout.
std::vector<double> mean_rows(const Tensor& weights, int64_t batch, Span heads, Span rows) {
  const Shape& shape = weights.shape();
  const int64_t all = shape.rank() == 4 ? shape[1].size : 1, length = shape[shape.rank() - 2].size,
                keys = shape[shape.rank() - 1].size;
  const Tensor numbers = weights.to(DType::f64);
  std::vector<double> out(static_cast<size_t>(keys), 0.0);
  for (int64_t h = heads.first; h < heads.end; ++h)
    for (int64_t t = rows.first; t < rows.end; ++t) {
      const double* row = numbers.data<double>() + ((batch * all + h) * length + t) * keys;
      for (int64_t s = 0; s < keys; ++s) out[static_cast<size_t>(s)] += row[s];
    }
  for (double& each : out) each /= static_cast<double>(heads.size() * rows.size());
  return out;
}

void require(const char* what, int64_t given, int64_t size) {
  if (given >= size) fail_call("attended: ", what, " is ", given, ", expected 0 to ", size - 1);
}

// The query itself, or those whose rows the prediction is read from.
Span rows_of(const Run& run, int64_t query, int64_t length) {
  if (query >= 0) {
    require("query", query, length);
    return {query, query + 1};
  }
  const PredictionRows read = prediction_rows(Reading(run.trace()), -1);
  require("a row that the prediction reads", read.end - 1, length);
  return {read.first, read.end};
}

}  // namespace

void ask_attended(State& state, Request& request, Answer& answer) {
  constexpr int64_t k_all = -1;
  const std::string name = request.text_or("attention", "");
  const int64_t head = request.integer_or("head", k_all, 0, INT32_MAX),
                query = request.integer_or("query", k_all, 0, INT32_MAX), batch = batch_of(request, state);
  const bool each = request.flag("each");
  Run& run = asked_run(state, request, answer);
  if (name.empty() && head != k_all)
    fail_call(
        "attended: a head of which attention?  Over all layers it is the mean of all heads; give attention");
  Trace rolled;
  const Tensor* weights = nullptr;
  if (name.empty()) {
    rolled = with_rollout(
        run.alone([&](const Trace& begun) { return rollout_reads(*begun.graph, run.length()); }, false));
    weights = &rolled["rollout"];
  } else {
    const std::string& pattern = run.graph().value(attention_named(run.graph(), name).pattern).name;
    weights = &run.read(pattern)[pattern];
  }
  const Shape& shape = weights->shape();
  const int64_t heads = shape.rank() == 4 ? shape[1].size : 1;
  require("head", head, heads);
  if (each && name.empty()) fail_call("attended: each head of which attention?  Give attention");
  const Span rows = rows_of(run, query, shape[shape.rank() - 2].size);
  answer.fields["rows"] = {rows.first, rows.end};
  answer.add("weights",
             mean_rows(*weights, batch, head == k_all ? Span{0, heads} : Span{head, head + 1}, rows),
             Axis::S);
  if (!each) return;
  Tensor all(DType::f64, {{Axis::H, heads}, shape[shape.rank() - 1]});
  for (int64_t h = 0; h < heads; ++h) {
    const std::vector<double> one = mean_rows(*weights, batch, {h, h + 1}, rows);
    std::copy(one.begin(), one.end(), all.data<double>() + h * all.shape()[1].size);
  }
  answer.add("heads", std::move(all));
}

}  // namespace limpid::explore
