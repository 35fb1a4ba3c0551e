#include "bench/profile.h"

#include <algorithm>
#include <chrono>

#include "train/evaluate.h"

namespace limpid::bench {

namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double count(const Shape& shape) { return static_cast<double>(shape.count()); }

// Of one product: two a cell of the weights and row.  in[0], or the gradient in its place, is [rows..,
// width].
double product_operations(const std::string& kind, const std::vector<Shape>& in,
                          const std::vector<Shape>& out) {
  const auto last = [](const Shape& s) { return static_cast<double>(s[s.rank() - 1].size); };
  if (kind == "linear") return 2 * count(in[0]) / last(in[0]) * count(in[1]);
  if (kind == "linear_input_gradient") return 2 * count(out[0]) / last(out[0]) * count(in[1]);
  if (kind == "linear_weight_gradient") return 2 * count(in[0]) / last(in[0]) * count(out[0]);
  return 0;
}

// Cells of texts one behind another, each with itself (or with its source).
double cells_of_documents(const ConstView& queries, const ConstView& keys) {
  std::map<int64_t, double> rows;
  for (int64_t i = 0; i < queries.shape().count(); ++i) ++rows[queries.data<int64_t>()[i]];
  double cells = 0;
  for (int64_t i = 0; i < keys.shape().count(); ++i) cells += rows[keys.data<int64_t>()[i]];
  return cells;
}

// q is [B,T,H,D], k [B,S,G,D], v [B,S,G,Dv].
double attention_operations(const GroupInfo& group, const std::vector<Shape>& in,
                            const std::vector<ConstView>& inputs) {
  const int64_t t = in[0][1].size, s = in[1][1].size, window = group.options.integer("window");
  double seen = 0;
  for (int64_t row = 0; row < t; ++row) {
    const int64_t at = group.options.integer("first_query") + row;
    const int64_t end = group.options.flag("causal") ? std::min(s, at + 1) : s;
    seen += static_cast<double>(end - (window > 0 ? std::clamp<int64_t>(at - window + 1, 0, end) : 0));
  }
  if (group.options.flag("documents")) {
    const size_t at = 3 + size_t{group.options.flag("lengths")};
    seen = cells_of_documents(inputs[at], inputs[at + 1]) / (group.options.flag("causal") ? 2 : 1);
  }
  const double products = group.kind == "attention" ? 1 : 2;  // of each of the two
  return products * 2 * seen *
         static_cast<double>(in[0][0].size * in[0][2].size * (in[0][3].size + in[2][3].size));
}

}  // namespace

StepProfile::StepProfile(const Recipe& recipe, std::map<std::string, Tensor> parameters, const Batch& batch,
                         bool packed)
    : recipe_(recipe),
      parameters_(std::move(parameters)),
      batch_(batch),
      graph_(std::make_unique<Graph>(limpid::operations())) {
  build_training(*graph_, recipe_.network, packed, recipe_.activations);
  std::map<int, Shape> shapes;
  for (const auto& [name, tensor] : batch_.inputs)
    if (const int value = graph_->find(name); value >= 0) shapes[value] = tensor.shape();
  PlanRequest request;
  request.wanted.insert(graph_->require("loss"));
  for (const auto& [name, tensor] : parameters_) {
    shapes[graph_->require(name)] = tensor.shape();
    const int gradient = graph_->require(name + ".grad");
    request.wanted.insert(gradient);
    request.into.insert(gradient);
    Tensor& memory = gradients_[name] = Tensor(DType::f32, tensor.shape());
    into_[gradient] = memory.view();
  }
  plan_ = make_plan(*graph_, bind_shapes(*graph_, shapes), request);
  arena_ = Tensor(DType::u8, Shape::unnamed({static_cast<int64_t>(plan_.arena_bytes)}));
  adam_ = std::make_unique<AdamW>(*graph_, parameters_, adamw_of(recipe_));
}

View StepProfile::place(int value) const {
  const auto i = static_cast<size_t>(value);
  const Plan::Place& at = plan_.places[i];
  if (at.same_as >= 0) {
    const ConstView same = read(at.same_as);
    return {same.dtype(), plan_.shapes[i], const_cast<void*>(same.raw())};
  }
  if (at.callers) return into_.at(value);
  auto* bytes = static_cast<std::byte*>(const_cast<void*>(arena_.raw()));
  return placed(plan_, *graph_, value, DType::f32, bytes);
}

ConstView StepProfile::read(int value) const {
  if (plan_.places[static_cast<size_t>(value)].used) return place(value);
  const Value& v = graph_->value(value);
  if (v.kind == Value::Kind::parameter) return parameters_.at(v.name).view();
  return batch_.inputs.at(v.name).view();
}

void StepProfile::run(const Plan::Step& step) {
  const bool fused = step.group >= 0;
  const GroupInfo* group = fused ? &graph_->groups()[static_cast<size_t>(step.group)] : nullptr;
  const StageInfo* stage = fused ? nullptr : &graph_->stage(step.stage);
  std::vector<ConstView> in;
  std::vector<View> out;
  std::vector<Shape> in_shapes, out_shapes;
  for (int value : fused ? group->inputs : stage->inputs) {
    in.push_back(read(value));
    in_shapes.push_back(in.back().shape());
  }
  std::vector<int> outputs = fused ? group->outputs : stage->outputs;
  if (!fused) outputs[0] = last_value(*graph_, step);
  for (int value : outputs) {
    out.push_back(place(value));
    out_shapes.push_back(out.back().shape());
  }
  const bool moves_nothing =
      stage && !step.kernel && plan_.places[static_cast<size_t>(stage->outputs[0])].same_as >= 0;
  if (!moves_nothing) {
    const RunContext context{recipe_.seed, static_cast<uint64_t>(done_)};
    const Clock::time_point start = Clock::now();
    if (fused)
      step.group_kernel(*group, in, out, context, nullptr);
    else if (!step.finish.empty())
      step.finishing(*stage->operation, in, out,
                     finish_of(
                         *graph_, step, [this](int value) { return read(value); },
                         [this](int value) { return place(value); }));
    else if (step.kernel)
      step.kernel(*stage->operation, in, out, context);
    else
      run_stage(*stage, in, out, context);
    std::string kind = fused ? group->kind : stage->operation->kind();
    const double operations =
        fused ? attention_operations(*group, in_shapes, in) : product_operations(kind, in_shapes, out_shapes);
    for (int next : step.finish) kind += " + " + graph_->stage(next).operation->kind();
    Part& part = parts_[kind];
    part.seconds += seconds_since(start);
    ++part.calls;
    part.plain = !fused && !step.kernel;
    part.operations += operations;
  }
  if (!fused && graph_->value(stage->outputs[0]).name == "loss") loss_ = out[0].at({});
}

double StepProfile::step() {
  parts_.clear();
  for (const Plan::Step& step : plan_.steps) run(step);
  const Clock::time_point start = Clock::now();
  adam_->step(parameters_, gradients_, learning_rate(schedule_of(recipe_), done_));
  parts_["AdamW"] = {seconds_since(start), 0, 1};
  ++done_;
  return loss_;
}

double StepProfile::operations() const {
  double sum = 0;
  for (const auto& [kind, part] : parts_) sum += part.operations;
  return sum;
}

}  // namespace limpid::bench
