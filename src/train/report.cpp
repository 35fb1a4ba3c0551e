// What a training run says about itself.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "limpid/train.h"
#include "train/head_kinds.h"

namespace limpid {

namespace {

double judged(const Epoch& e) { return e.validation.value_or(e.loss); }

std::string fixed(double value, int digits) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*f", digits, value);
  return buffer;
}

// The place of the best report.
size_t best_of(const std::vector<Epoch>& history) {
  const auto best = std::min_element(history.begin(), history.end(),
                                     [](const Epoch& a, const Epoch& b) { return judged(a) < judged(b); });
  return static_cast<size_t>(best - history.begin());
}

// How much of the loss went with every 100 steps, up to report i.
double pace(const std::vector<Epoch>& history, size_t i) {
  const auto steps = static_cast<double>(std::max<int64_t>(1, history[i].step - history[i - 1].step));
  return 100 * (judged(history[i - 1]) - judged(history[i])) / steps;
}

// Since which report the held-out loss rises while the training loss falls; the last one if it does not.
size_t parting(const std::vector<Epoch>& history) {
  size_t i = history.size() - 1;
  for (; i > 0; --i) {
    const Epoch &now = history[i], &before = history[i - 1];
    if (!now.validation || !before.validation) break;
    if (*now.validation <= *before.validation || now.loss >= before.loss) break;
  }
  return i;
}

// Since which report the loss stays where it is, within a share of it.
size_t flat_since(const std::vector<Epoch>& history) {
  constexpr double k_still = 0.002;
  const double now = judged(history.back());
  size_t i = history.size() - 1;
  while (i > 0 && std::abs(judged(history[i - 1]) - now) < k_still * std::max(1e-12, std::abs(now))) --i;
  return i;
}

std::string since(const Epoch& e) { return join("since epoch ", e.number); }

// "3.151 every 100 steps, 0.4 times as fast as before"
std::string how_fast(const std::vector<Epoch>& history) {
  const size_t last = history.size() - 1;
  const double now = pace(history, last), before = last > 1 ? pace(history, last - 1) : 0;
  const std::string out = fixed(now, now < 0.1 ? 4 : 3) + " every 100 steps";
  double fastest = 0;
  for (size_t i = 1; i < last; ++i) fastest = std::max(fastest, pace(history, i));
  if (last == 1) return out;
  if (now > fastest) return out + ", the fastest so far";
  if (!(before > 0)) return out;
  const double ratio = now / before;
  if (ratio > 0.9 && ratio < 1.1) return out + ", as fast as before";
  return out + ", " + fixed(ratio, ratio < 0.1 ? 2 : 1) + " times as fast as before";
}

// Since which report as many are right, within half a percent.
size_t as_right_since(const std::vector<Epoch>& history) {
  size_t i = history.size() - 1;
  while (i > 0 && std::abs(history[i - 1].accuracy - history.back().accuracy) < 0.005) --i;
  return i;
}

// Whether this report is the first below half of where the run began.
bool halved(const std::vector<Epoch>& history) {
  const double half = judged(history.front()) / 2;
  return judged(history.back()) < half && judged(history[history.size() - 2]) >= half;
}

// A report that is the best so far: is more right, or the network only surer of the same?
std::string improving(const std::vector<Epoch>& history, const std::string& what, double fell) {
  const Epoch &now = history.back(), &before = history[history.size() - 2];
  const std::string fall = join("the ", what, " fell by ", fixed(fell, 3), " (", how_fast(history), ")"),
                    half = halved(history) ? ", to less than half of where it began" : "";
  if (const size_t from = as_right_since(history); from + 1 < history.size())
    return join("surer, not righter: ", fall, half, ", ", fixed(100 * now.accuracy, 1), "% right ",
                since(history[from]));
  const double points = 100 * (now.accuracy - before.accuracy);
  return join("improving: ", fall, half, ", right ", fixed(std::abs(points), 1), " points ",
              points > 0 ? "more" : "less", " often");
}

}  // namespace

std::string observe(const std::vector<Epoch>& history) {
  if (history.empty()) return "";
  const Epoch& now = history.back();
  const bool numbers = now.metrics.count("mse") > 0;  // are predicted, not classes
  const std::string what =
      numbers ? (now.validation ? "held-out error" : "error") : (now.validation ? "validation loss" : "loss");
  if (!std::isfinite(judged(now)) || !std::isfinite(now.loss))
    return "the loss is not a number any more: lower the learning rate";
  if (history.size() == 1 && now.step == 0 && numbers)
    return join("before learning: a mean squared error of ", fixed(judged(now), 3));
  if (history.size() == 1 && now.step == 0)
    return join("before learning: a ", what, " of ", fixed(judged(now), 3), ", as unsure as among ",
                fixed(std::exp(std::min(judged(now), 50.0)), 1), " alike");
  if (history.size() == 1) return join("the first report: ", what, " ", fixed(judged(now), 3));
  const Epoch& before = history[history.size() - 2];
  const Epoch& best = history[best_of(history)];
  const double change = judged(now) - judged(before);
  if (const size_t from = parting(history); from + 2 < history.size())
    return join("overfitting ", since(history[from]), ": the validation loss rose by ",
                fixed(*now.validation - *history[from].validation, 3), ", the training loss fell by ",
                fixed(history[from].loss - now.loss, 3), "; best was epoch ", best.number);
  if (const size_t from = flat_since(history); from + 1 < history.size())
    return join("flat ", since(history[from]), ": in ", now.step - history[from].step, " steps the ", what,
                " moved by ", fixed(std::abs(judged(now) - judged(history[from])), 4),
                now.best ? "; still the best so far" : join("; best was epoch ", best.number));
  if (now.best && numbers)
    return join("improving: the ", what, " fell by ", fixed(-change, 4), " (", how_fast(history), ")");
  if (now.best) return improving(history, what, -change);
  if (change < 0)
    return join("improving again by ", fixed(-change, 3), ", but epoch ", best.number, " was better (",
                fixed(judged(best), 3), ")");
  return join("worse by ", fixed(judged(now) - judged(best), 3), " ", since(best), ", the best (",
              fixed(judged(best), 3), ")");
}

std::string to_json(const Epoch& e) {
  nlohmann::ordered_json json = {
      {"epoch", e.number}, {"step", e.step}, {"loss", e.loss}, {"accuracy", e.accuracy}};
  if (e.validation) json["validation"] = *e.validation;
  if (!e.metrics.empty()) json["metrics"] = e.metrics;
  json["tokens_per_second"] = e.tokens_per_second;
  json["seconds"] = e.seconds;
  json["learning_rate"] = e.learning_rate;
  json["best"] = e.best;
  json["observation"] = e.observation;
  if (!e.heads.empty()) json["heads"] = json_of(e.heads);
  return json.dump();
}

}  // namespace limpid
