#include "network/parts.h"

namespace limpid {

Stage project(const Scope& in, Stage x, const std::string& weight, Shape to, const Projection& o) {
  Shape from = o.from;
  if (from.rank() == 0) from = x.shape().part(x.shape().rank() - 1, 1);
  const bool full_name = weight.find('.') != std::string::npos;
  Shape shape = from;
  for (const Dim& dim : to) shape.append(dim);
  const Stage w = in.graph->parameter(full_name ? weight : in.beside("W_" + weight).path, shape,
                                      {Init::Kind::normal, o.init, true});
  Stage b;
  if (o.bias)
    b = in.graph->parameter(o.bias_name.empty() ? in.beside("b_" + weight).path : o.bias_name, to,
                            {Init::Kind::zeros, 0, false});
  return linear(in, x, w, b, {.in_axes = from.rank(), .transposed = false, .keys = o.keys});
}

Stage normalize(const Scope& in, Stage x, const NormOptions& o) {
  const Shape width = x.shape().part(x.shape().rank() - 1, 1);
  Stage w;
  if (o.gain || o.kind == Norm::batch)
    w = in.graph->parameter((in / "w").path, width, {Init::Kind::ones, 0, false});
  if (o.kind == Norm::rms) return rms_norm(in, x, w, o.epsilon);
  if (o.kind == Norm::batch) {
    const auto statistic = [&](const char* name, Init::Kind start) {
      return in.graph->parameter((in / name).path, width, {start, 0, false});
    };
    return batch_norm(in, x, w, statistic("b", Init::Kind::zeros), statistic("mean", Init::Kind::zeros),
                      statistic("variance", Init::Kind::ones), o.epsilon);
  }
  Stage b;
  if (o.bias) b = in.graph->parameter((in / "b").path, width, {Init::Kind::zeros, 0, false});
  return layer_norm(in, x, w, b, o.epsilon);
}

Stage dropped(Stage x, double rate) {
  return rate > 0 ? dropout(x.graph->scope(x.name() + "_dropout"), x, rate) : x;
}

}  // namespace limpid
