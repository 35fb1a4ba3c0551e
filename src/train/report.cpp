// What a training run says about itself.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "limpid/train.h"

namespace limpid {

namespace {

double judged(const Epoch& e) { return e.validation.value_or(e.loss); }

std::string fixed(double value, int digits) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*f", digits, value);
  return buffer;
}

// How many of the last epochs had a higher validation and a lower training loss than the one before each.
int parting(const std::vector<Epoch>& history) {
  int count = 0;
  for (size_t i = history.size(); i-- > 1;) {
    const Epoch &now = history[i], &before = history[i - 1];
    if (!now.validation || !before.validation) break;
    if (*now.validation <= *before.validation || now.loss >= before.loss) break;
    ++count;
  }
  return count;
}

}  // namespace

std::string observe(const std::vector<Epoch>& history) {
  if (history.empty()) return "";
  const Epoch& now = history.back();
  const char* what = now.validation ? "validation loss" : "loss";
  if (!std::isfinite(now.loss)) return "the loss is not a number any more: lower the learning rate";
  if (history.size() == 1) return join("the first report: ", what, " ", fixed(judged(now), 3));
  const Epoch& before = history[history.size() - 2];
  const auto best = std::min_element(history.begin(), history.end(),
                                     [](const Epoch& a, const Epoch& b) { return judged(a) < judged(b); });
  const double change = judged(now) - judged(before),
               relative = change / std::max(1e-12, std::abs(judged(before)));
  if (const int epochs = parting(history); epochs >= 2)
    return join("overfitting: for ", epochs,
                " epochs the training loss falls while the validation loss rises; best was epoch ",
                best->number);
  if (std::abs(relative) < 0.002)
    return join("flat: the ", what, " moved by ", fixed(std::abs(change), 4),
                now.best ? "; still the best so far" : "");
  if (now.best) return join("improving: the ", what, " fell by ", fixed(-change, 3), ", the best so far");
  if (change < 0)
    return join("improving again, but epoch ", best->number, " was better (", fixed(judged(*best), 3), ")");
  return join("worse: the ", what, " rose by ", fixed(change, 3), "; best was epoch ", best->number);
}

std::string to_json(const Epoch& e) {
  nlohmann::ordered_json json = {
      {"epoch", e.number}, {"step", e.step}, {"loss", e.loss}, {"accuracy", e.accuracy}};
  if (e.validation) json["validation"] = *e.validation;
  json["tokens_per_second"] = e.tokens_per_second;
  json["seconds"] = e.seconds;
  json["learning_rate"] = e.learning_rate;
  json["best"] = e.best;
  json["observation"] = e.observation;
  return json.dump();
}

}  // namespace limpid
