// training: a run's reports, and a sentence that it watched as it was at one of them.
#include <cmath>
#include <limits>
#include <set>

#include "core/label.h"
#include "explore/attentions.h"
#include "explore/state.h"
#include "limpid/draw.h"

namespace limpid::explore {

namespace {

void tell_reports(Host& host, Answer& answer) {
  const TrainingProgress progress = host.training_progress();  // before the log, which may grow meanwhile
  const std::string log = host.training_log();
  if (log.empty())
    fail_call("training: no training run is open; begin with one: limpid explore --run FOLDER");
  const std::vector<TrainingReport> reports = training_reports(log);
  std::set<std::string> columns;
  for (const TrainingReport& report : reports)
    for (const auto& [name, value] : report.numbers) columns.insert(name);
  answer.fields["title"] = visible_line(host.training_title());
  answer.fields["steps"] = progress.steps;
  answer.fields["finished"] = progress.finished;
  if (progress.stopped)
    answer.fields["stopped"] = {{"step", progress.step}, {"command", visible_line(progress.command)}};
  answer.fields["columns"] = columns;
  Json &observations = answer.fields["observations"] = Json::array(), heads = Json::array();
  for (const TrainingReport& report : reports) {
    observations.push_back(visible_line(report.observation));
    Json of = Json::array();
    for (const TrainingReport::Head& head : report.heads)
      of.push_back({{"attention", head.attention},
                    {"layer", head.layer},
                    {"head", head.head},
                    {"kind", head.kind},
                    {"score", number(head.score)}});
    heads.push_back(std::move(of));
  }
  answer.fields["heads"] = std::move(heads);
  for (const std::string& column : columns) {
    std::vector<double> numbers;
    for (const TrainingReport& report : reports) {
      const auto found = report.numbers.find(column);
      numbers.push_back(found == report.numbers.end() ? std::numeric_limits<double>::quiet_NaN()
                                                      : found->second);
    }
    answer.add(column, numbers);
  }
}

void tell_watched(Host& host, const WatchedStep& asked, Answer& answer) {
  const std::vector<WatchedStep> all = host.watched();
  const bool there = std::any_of(all.begin(), all.end(), [&](const WatchedStep& each) {
    return each.step == asked.step && each.text == asked.text;
  });
  if (!there)
    fail_call("training: text ", asked.text, " was not watched at step ", asked.step,
              "; see the answer's watched");
  const Trace trace = host.watched_trace(asked);
  Json &labels = answer.fields["labels"] = Json::array(), attentions = Json::array();
  for (const Token& token : trace.tokens) labels.push_back(visible_line(token.label));
  for (const Attention& attention : attentions_of(*trace.graph)) {
    const auto found = trace.values.find(trace.graph->value(attention.pattern).name);
    if (found == trace.values.end()) continue;
    attentions.push_back({{"name", attention.name}, {"heads", attention.heads}});
    Tensor weights = found->second;  // [B,H,T,S]
    if (weights.shape().rank() == 4) weights.reshape(weights.shape().part(1, 3));
    answer.add(attention.name, std::move(weights));
  }
  answer.fields["text"] = trace.text;
  answer.fields["step"] = asked.step;
  answer.fields["attentions"] = std::move(attentions);
}

}  // namespace

void ask_training(State& state, Request& request, Answer& answer) {
  const bool one = request.has("step");
  const WatchedStep asked = {one ? request.integer("step", 0, INT64_MAX) : 0,
                             request.integer_or("text", 0, 0, INT64_MAX)};
  request.finish();
  if (one) return tell_watched(state.host, asked, answer);
  tell_reports(state.host, answer);
  Json& watched = answer.fields["watched"] = Json::array();
  for (const WatchedStep& each : state.host.watched())
    watched.push_back({{"step", each.step}, {"text", each.text}});
}

}  // namespace limpid::explore
