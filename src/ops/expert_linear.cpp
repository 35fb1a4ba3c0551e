// Expert linear: y = x W[m] + b[m], where m is the expert that was chosen for the row.  Of M matrices only
// those of chosen experts are read: a layer with a hundred experts costs what its few chosen ones cost.
#include "limpid/ops.h"
#include "ops/experts.h"

namespace limpid {

namespace {

void require_weights(const Shape& w) { require_rank(w, 3, "w", "[M,in,out]"); }

// y: chosen's places, each with a row of so many numbers.
Shape places(const Shape& chosen, const Dim& width) {
  Shape y = chosen;
  y.append(width);
  return y;
}

// Inputs x [...,K] or [...,J,K], w [M,K,O], chosen [...,J], b [M,O] or none -> [...,J,O].
class ExpertLinear final : public Operation {
 public:
  explicit ExpertLinear(const Options&) {}
  std::string label() const override { return "Experts' Linear Transform"; }
  std::string equation() const override { return "y[j] = x W[m] + b[m], m the token's chosen expert j"; }
  std::string caption() const override {
    return "Each token's numbers go through the matrices of its own experts, and of no others.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 3, 4);
    require_weights(in[1]);
    chosen_rows(in[0], in[2], "x");
    require_size(in[0], in[0].rank() - 1, in[1][1].size, "x", in[1]);
    if (in.size() == 4 && !fit(in[3], {in[1][0], in[1][2]}))
      fail_call("b is ", in[3].text(), ", expected [M,O] of ", in[1].text());
    return {{"", places(in[2], in[1][2])}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const ChosenRows rows = chosen_rows(in[0].shape(), in[2].shape(), "x");
      const int64_t experts = in[1].shape()[0].size, width = in[1].shape()[1].size,
                    outputs = in[1].shape()[2].size;
      const R *x = in[0].data<R>(), *w = in[1].data<R>(), *b = in.size() == 4 ? in[3].data<R>() : nullptr;
      R* y = out[0].data<R>();
      for (int64_t n = 0; n < in[2].shape().count(); ++n) {
        const int64_t m = expert_at(in[2], n, experts);
        for (int64_t o = 0; o < outputs; ++o) {
          double sum = 0;
          for (int64_t k = 0; k < width; ++k)
            sum += static_cast<double>(x[rows.row(n) * width + k]) * w[(m * width + k) * outputs + o];
          y[n * outputs + o] = static_cast<R>(b ? sum + b[m * outputs + o] : sum);
        }
      }
    });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(0))
      g.give(0, g.apply("expert_linear_input_gradient", {}, {g.grad(), g.in(1), g.in(2), g.in(0)}));
    if (g.wants(1))
      g.give(1, g.apply("expert_linear_weight_gradient", {}, {g.in(0), g.grad(), g.in(2), g.in(1)}));
    if (g.inputs() == 4 && g.wants(3))
      g.give(3, g.apply("expert_linear_bias_gradient", {}, {g.grad(), g.in(2), g.in(3)}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const Shape& chosen = in[2].shape();
    const bool apart = chosen_rows(in[0].shape(), chosen, "x").apart;
    const Index place = part(out.index, 0, chosen.rank());
    const int64_t m = expert_at(in[2], flatten(chosen, place), in[1].shape()[0].size), o = out.index.back();
    const Index row = apart ? place : part(place, 0, chosen.rank() - 1);
    std::vector<Expr> terms;
    for (int64_t k = 0; k < in[1].shape()[1].size; ++k)
      terms.push_back(cell(in, 0, joined(row, {k})) * cell(in, 1, {m, k, o}));
    if (in.size() == 4) terms.push_back(cell(in, 3, {m, o}));
    return Expr::sum(terms);
  }
};

// dx = sum over a row's experts of dy[j] W[m]^T.  Inputs dy, w, chosen, and x for its shape.
class ExpertLinearInputGradient final : public Operation {
 public:
  explicit ExpertLinearInputGradient(const Options&) {}
  std::string label() const override { return "Experts' Linear Gradient (x)"; }
  std::string equation() const override { return "dx = sum_j dy[j] W[m]^T, m the token's chosen expert j"; }
  std::string caption() const override { return "Sends each expert's gradient back along its own weights."; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 4, 4);
    require_weights(in[1]);
    chosen_rows(in[3], in[2], "x");
    const Shape expected = places(in[2], in[1][2]);
    if (!fit(in[0], expected)) fail_call("the gradient is ", in[0].text(), ", expected ", expected.text());
    require_size(in[3], in[3].rank() - 1, in[1][1].size, "x", in[1]);
    return {{"", in[3]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const ChosenRows rows = chosen_rows(in[3].shape(), in[2].shape(), "x");
      const int64_t experts = in[1].shape()[0].size, width = in[1].shape()[1].size,
                    outputs = in[1].shape()[2].size, each = rows.apart ? 1 : rows.slots,
                    count = in[2].shape().count() / std::max<int64_t>(each, 1);
      const R *dy = in[0].data<R>(), *w = in[1].data<R>();
      R* dx = out[0].data<R>();
      for (int64_t r = 0; r < count; ++r)
        for (int64_t k = 0; k < width; ++k) {
          double sum = 0;
          for (int64_t n = r * each; n < (r + 1) * each; ++n) {
            const int64_t m = expert_at(in[2], n, experts);
            for (int64_t o = 0; o < outputs; ++o)
              sum += static_cast<double>(dy[n * outputs + o]) * w[(m * width + k) * outputs + o];
          }
          dx[r * width + k] = static_cast<R>(sum);
        }
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const Shape& chosen = in[2].shape();
    const ChosenRows rows = chosen_rows(in[3].shape(), chosen, "x");
    const Index row = part(out.index, 0, in[3].shape().rank() - 1);
    std::vector<Expr> terms;
    for (int64_t j = 0; j < (rows.apart ? 1 : rows.slots); ++j) {
      const Index place = rows.apart ? row : joined(row, {j});
      const int64_t m = expert_at(in[2], flatten(chosen, place), in[1].shape()[0].size);
      for (int64_t o = 0; o < in[1].shape()[2].size; ++o)
        terms.push_back(cell(in, 0, joined(place, {o})) * cell(in, 1, {m, out.index.back(), o}));
    }
    return Expr::sum(terms);
  }
};

// dW[m] = sum of x^T dy over the rows that chose expert m.  Inputs x, dy, chosen, and w for its shape.
class ExpertLinearWeightGradient final : public Operation {
 public:
  explicit ExpertLinearWeightGradient(const Options&) {}
  std::string label() const override { return "Experts' Linear Gradient (W)"; }
  std::string equation() const override { return "dW[m] = sum over the rows that chose m of x^T dy"; }
  std::string caption() const override {
    return "An expert learns from the tokens that were sent to it, and from no others.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 4, 4);
    require_weights(in[3]);
    chosen_rows(in[0], in[2], "x");
    const Shape expected = places(in[2], in[3][2]);
    if (!fit(in[1], expected)) fail_call("the gradient is ", in[1].text(), ", expected ", expected.text());
    require_size(in[0], in[0].rank() - 1, in[3][1].size, "x", in[3]);
    return {{"", in[3]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const ChosenRows rows = chosen_rows(in[0].shape(), in[2].shape(), "x");
      const int64_t experts = in[3].shape()[0].size, width = in[3].shape()[1].size,
                    outputs = in[3].shape()[2].size;
      const R *x = in[0].data<R>(), *dy = in[1].data<R>();
      std::vector<double> sums(static_cast<size_t>(in[3].shape().count()));
      for (int64_t n = 0; n < in[2].shape().count(); ++n) {
        const int64_t m = expert_at(in[2], n, experts);
        for (int64_t k = 0; k < width; ++k)
          for (int64_t o = 0; o < outputs; ++o)
            sums[static_cast<size_t>((m * width + k) * outputs + o)] +=
                static_cast<double>(x[rows.row(n) * width + k]) * dy[n * outputs + o];
      }
      for (size_t i = 0; i < sums.size(); ++i) out[0].data<R>()[i] = static_cast<R>(sums[i]);
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const Shape& chosen = in[2].shape();
    const bool apart = chosen_rows(in[0].shape(), chosen, "x").apart;
    std::vector<Expr> terms;
    for (int64_t n = 0; n < chosen.count(); ++n) {
      if (expert_at(in[2], n, in[3].shape()[0].size) != out.index[0]) continue;
      const Index place = unflatten(chosen, n), row = apart ? place : part(place, 0, chosen.rank() - 1);
      terms.push_back(cell(in, 0, joined(row, {out.index[1]})) * cell(in, 1, joined(place, {out.index[2]})));
    }
    return Expr::sum(terms);
  }
};

// db[m] = the sum of dy over the rows that chose expert m.  Inputs dy, chosen, and b for its shape.
class ExpertLinearBiasGradient final : public Operation {
 public:
  explicit ExpertLinearBiasGradient(const Options&) {}
  std::string label() const override { return "Experts' Linear Gradient (b)"; }
  std::string equation() const override { return "db[m] = sum over the rows that chose m of dy"; }
  std::string caption() const override {
    return "An expert's bias adds to every row that was sent to it, so its gradient is the sum over these.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 3, 3);
    require_rank(in[2], 2, "b", "[M,out]");
    const Shape expected = places(in[1], in[2][1]);
    if (!fit(in[0], expected)) fail_call("the gradient is ", in[0].text(), ", expected ", expected.text());
    return {{"", in[2]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const int64_t experts = in[2].shape()[0].size, outputs = in[2].shape()[1].size;
      const R* dy = in[0].data<R>();
      std::vector<double> sums(static_cast<size_t>(experts * outputs));
      for (int64_t n = 0; n < in[1].shape().count(); ++n) {
        const int64_t m = expert_at(in[1], n, experts);
        for (int64_t o = 0; o < outputs; ++o)
          sums[static_cast<size_t>(m * outputs + o)] += dy[n * outputs + o];
      }
      for (size_t i = 0; i < sums.size(); ++i) out[0].data<R>()[i] = static_cast<R>(sums[i]);
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const Shape& chosen = in[1].shape();
    std::vector<Expr> terms;
    for (int64_t n = 0; n < chosen.count(); ++n)
      if (expert_at(in[1], n, in[2].shape()[0].size) == out.index[0])
        terms.push_back(cell(in, 0, joined(unflatten(chosen, n), {out.index[1]})));
    return Expr::sum(terms);
  }
};

}  // namespace

Stage expert_linear(const Scope& in, Stage x, Stage w, Stage chosen, Stage b) {
  return in.graph->add(in, "expert_linear", {},
                       b ? std::vector<Stage>{x, w, chosen, b} : std::vector<Stage>{x, w, chosen});
}

void register_expert_linear(Registry& all) {
  const Shape x = {{Axis::B, 2}, {Axis::T, 3}, {Axis::C, 4}},
              apart = {{Axis::B, 2}, {Axis::T, 3}, {Axis::J, 2}, {Axis::C, 4}},
              w = {{Axis::M, 3}, {Axis::C, 4}, {Axis::F, 5}}, b = {{Axis::M, 3}, {Axis::F, 5}},
              dy = {{Axis::B, 2}, {Axis::T, 3}, {Axis::J, 2}, {Axis::F, 5}};
  const Example::Input chosen = {{{Axis::B, 2}, {Axis::T, 3}, {Axis::J, 2}}, DType::i64, 0, 3, false};
  all.add<ExpertLinear>("expert_linear", {{{}, {{x}, {w}, chosen, {b}}}, {{}, {{apart}, {w}, chosen}}});
  all.add<ExpertLinearInputGradient>("expert_linear_input_gradient",
                                     {{{}, {{dy}, {w}, chosen, {x}}}, {{}, {{dy}, {w}, chosen, {apart}}}});
  all.add<ExpertLinearWeightGradient>("expert_linear_weight_gradient",
                                      {{{}, {{x}, {dy}, chosen, {w}}}, {{}, {{apart}, {dy}, chosen, {w}}}});
  all.add<ExpertLinearBiasGradient>("expert_linear_bias_gradient", {{{}, {{dy}, chosen, {b}}}});
}

}  // namespace limpid
