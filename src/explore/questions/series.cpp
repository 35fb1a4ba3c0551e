// series: what the network read and what it foretells, at the size that the table has, and how patches lie.
#include "explore/given_input.h"
#include "explore/state.h"

namespace limpid::explore {

namespace {

// [1,moments,columns] at the size of the table: f64 [moments,columns].
Tensor outside_of(const Model& model, const Tensor& inside) {
  const int64_t moments = inside.shape()[1].size, columns = inside.shape()[2].size;
  Tensor out(DType::f64, {{Axis::X, moments}, {Axis::K, columns}});
  const Tensor numbers = inside.to(DType::f64);
  for (int64_t i = 0; i < moments * columns; ++i)
    out.data<double>()[i] = outside(model, i % columns, numbers.data<double>()[i]);
  return out;
}

std::vector<int64_t> first_moments(const SeriesInputs& o) {
  std::vector<int64_t> out;
  for (int64_t at = (o.length - o.extent()) % o.stride; at + o.extent() <= o.length; at += o.stride)
    out.push_back(at);
  return out;
}

}  // namespace

void ask_series(State& state, Request& request, Answer& answer) {
  Run& run = asked_run(state, request, answer);
  const Model& model = run.model();
  if (!reads_series(model.config()))
    fail_call("series: this model reads ", reads_images(model.config()) ? "images" : "texts", ", not series");
  const SeriesInputs& o = *std::get<Architecture>(model.config()).series;
  answer.fields["name"] = run.opened().subject.input_name;
  Json& columns = answer.fields["columns"] = Json::array();
  for (int64_t k = 0; k < o.channels; ++k)
    columns.push_back(model.tasks().series ? model.tasks().series->columns[static_cast<size_t>(k)]
                                           : std::to_string(k));
  answer.fields["patch"] = o.size;
  answer.fields["apart"] = o.apart;
  answer.fields["first"] = o.tokens.size();
  answer.add("moments", first_moments(o), Axis::T);
  answer.add("read", outside_of(model, run.opened().subject.input));
  if (run.graph().find("prediction") >= 0)
    answer.add("foretold", outside_of(model, run.read("prediction")["prediction"]));
}

}  // namespace limpid::explore
