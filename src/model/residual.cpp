#include "model/residual.h"

#include <algorithm>

#include "limpid/network.h"

namespace limpid {

Architecture residual_decoder(const Model& model, const std::string& what) {
  if (const auto* gpt = std::get_if<GptConfig>(&model.config())) return architecture_of(*gpt);
  const auto* parts = std::get_if<Architecture>(&model.config());
  if (!parts)
    fail_call(what,
              ": the textbook's network has one layer and no residual stream; give a decoder as --model");
  const std::string of = what + ": " + (parts->family.empty() ? std::string("this network") : parts->family);
  if (reads_source(model.config()))
    fail_call(of, " writes beside a source, which ", what, " has no reading of; expected a decoder");
  if (!predicts_next_token(model.config()))
    fail_call(of, " does not predict the next token; expected a decoder");
  for (const BlockOptions& block : parts->stack.blocks)
    if (block.norms == NormPlace::after && !block.parallel)
      fail_call(of,
                " has its norms after each sum (norm(x + f(x))), so its residual stream is no sum of parts; "
                "expected norms before");
  if (parts->head.transform)
    fail_call(of, " has a layer before the last matrix (transform), which is no sum of parts");
  if (parts->stack.shared) fail_call(of, " shares its layers' parameters; expected a decoder with its own");
  if (parts->inputs.embedding_width && parts->inputs.embedding_width != parts->inputs.width &&
      !parts->inputs.projects_sum && parts->head.tied)
    fail_call(of, " projects between the embedding and the model's width; expected one width");
  return *parts;
}

PositionRows::PositionRows(const Model& model, const std::vector<int64_t>& tokens,
                           const std::vector<int64_t>& positions, const std::vector<std::string>& names,
                           const std::vector<Edit>& edits)
    : graph_(model.graph()), positions_(positions) {
  RunOptions options;
  options.edits = edits;
  for (const std::string& name : names)
    options.observe.push_back({own(name), Depth::rows, 0, {positions.begin(), positions.end()}});
  const Tensor ids =
      Tensor::of<int64_t>({{Axis::B, 1}, {Axis::T, static_cast<int64_t>(tokens.size())}}, tokens);
  result_ = model.run(ids, options);
}

const std::string& PositionRows::own(const std::string& name) const {
  return graph_.value(graph_.require(name)).name;
}

Row PositionRows::row(const std::string& name, int64_t position) const {
  const Tensor& all = result_[own(name) + "@rows"];
  const Tensor& places = result_[own(name) + "@rows.index"];
  const int64_t* const begin = places.data<int64_t>();
  const int64_t at = std::find(begin, begin + places.count(), position) - begin;
  const int axis = all.shape().find(Axis::T) >= 0 ? all.shape().find(Axis::T) : all.shape().find(Axis::S);
  const Tensor one = Tensor::copy_of(all.view().window(axis, at, 1)).to(DType::f64);
  return {one.data<double>(), one.data<double>() + one.count()};
}

}  // namespace limpid
