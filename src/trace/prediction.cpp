#include "trace/prediction.h"

#include "core/label.h"

namespace limpid {

namespace {

std::string quoted_label(const Reading& reading, int64_t place) {
  return "\"" + reading.label(Axis::T, place) + "\"";
}

// The row that stands for all of them, as the network picks it.
PredictionRows pooled_rows(const Reading& reading, const StageInfo& stage, int64_t length) {
  if (reading.graph().find("head.attn.pattern") >= 0)
    fail_call("this network gathers its rows by a learned row of its own, which has no place among them");
  const std::string pick = stage.operation->options().word("pick", "mean");
  const auto one = [&](int64_t place) {
    return PredictionRows{
        place, place + 1,
        join("the query of ", quoted_label(reading, place), ", whose row stands for all in the prediction")};
  };
  if (pick == "first") return one(0);
  if (pick == "last") return one(length - 1);
  const std::string all = join("all ", length, " queries, their mean, ");
  if (pick == "rest" && length > 1)
    return {1, length,
            "all queries but the first, their mean, as the prediction reads the mean of these rows"};
  if (pick == "first_and_rest")
    return {0, length, all + "of whose rows the prediction reads the first and the mean of the others"};
  return {0, length, all + "as the prediction reads the mean of all rows"};
}

}  // namespace

PredictionRows prediction_rows(const Reading& reading, int token) {
  const int64_t length = reading.length();
  const Graph& graph = reading.graph();
  if (reading.predicts_each()) {
    const int64_t place = token < 0 ? length - 1 : token;
    if (place >= length)
      fail_call("token ", place, " does not exist: there are the tokens 0 to ", length - 1);
    return {
        place, place + 1,
        join("the query of ", quoted_label(reading, place), ", ",
             reading.predicts_next() ? "after which the next is predicted" : "where the prediction stands")};
  }
  const int pooled = graph.find("pooled");
  if (pooled >= 0 && graph.value(pooled).stage >= 0)
    return pooled_rows(reading, graph.stage(graph.value(pooled).stage), length);
  return {0, length, join("all ", length, " queries, their mean, as the prediction reads all rows")};
}

}  // namespace limpid
