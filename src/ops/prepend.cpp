// Prepend: learned rows that stand before those of the input, the same in every sequence: the class token of
// a vision transformer (Dosovitskiy 2020), which gathers what the whole image says.
#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

void require_rows(const Shape& x, const Shape& rows) {
  require_rank(x, 3, "x", "[B,T,C]");
  if (rows.rank() != 2 || !fits(rows[1].size, x[2].size))
    fail_call("the rows are ", rows.text(), ", expected [N,C] with the C of x ", x.text());
}

class Prepend final : public Operation {
 public:
  explicit Prepend(const Options&) {}
  std::string label() const override { return "Class Token"; }
  std::string equation() const override { return "y = rows, then x"; }
  std::string caption() const override {
    return "Puts learned rows before the others, to gather what the whole says.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 2);
    require_rows(in[0], in[1]);
    Shape y = in[0];
    if (y[1].size != k_symbolic) y[1].size += in[1][0].size;
    return {{"", y}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const auto x = in[0].as<R>(), rows = in[1].as<R>();
      const auto y = out[0].as<R>();
      const Shape& shape = out[0].shape();
      const int64_t first = in[1].shape()[0].size;
      for (int64_t b = 0; b < shape[0].size; ++b)
        for (int64_t t = 0; t < shape[1].size; ++t)
          for (int64_t c = 0; c < shape[2].size; ++c)
            y(b, t, c) = t < first ? rows(t, c) : x(b, t - first, c);
    });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(0)) g.give(0, g.apply("prepend_input_gradient", {}, {g.grad(), g.in(0)}));
    if (g.wants(1)) g.give(1, g.apply("prepend_rows_gradient", {}, {g.grad(), g.in(1)}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t first = in[1].shape()[0].size, t = out.index[1];
    return t < first ? cell(in, 1, {t, out.index[2]}) : cell(in, 0, {out.index[0], t - first, out.index[2]});
  }
};

// Inputs dY, and what the gradient is of, for its shape.
class PrependGradient : public Operation {
 public:
  explicit PrependGradient(const Options&) {}
  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 2);
    return {{"", in[1]}};
  }
};

// dx: what comes back to the rows of x.
class PrependInputGradient final : public PrependGradient {
 public:
  using PrependGradient::PrependGradient;
  std::string label() const override { return "Class Token Gradient (x)"; }
  std::string equation() const override { return "dx = dy without the rows put before it"; }
  std::string caption() const override {
    return "The rows behind the learned ones get their own gradient back.";
  }
  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const auto dy = in[0].as<R>();
      const auto dx = out[0].as<R>();
      const Shape& shape = out[0].shape();
      const int64_t first = in[0].shape()[1].size - shape[1].size;
      for (int64_t b = 0; b < shape[0].size; ++b)
        for (int64_t t = 0; t < shape[1].size; ++t)
          for (int64_t c = 0; c < shape[2].size; ++c) dx(b, t, c) = dy(b, t + first, c);
    });
  }
  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t first = in[0].shape()[1].size - in[1].shape()[1].size;
    return cell(in, 0, {out.index[0], out.index[1] + first, out.index[2]});
  }
};

// drows: the sum over the sequences, which share them.
class PrependRowsGradient final : public PrependGradient {
 public:
  using PrependGradient::PrependGradient;
  std::string label() const override { return "Class Token Gradient"; }
  std::string equation() const override { return "drows[n] = sum_b dy[b,n]"; }
  std::string caption() const override {
    return "A learned row learns from every sequence that it stands before.";
  }
  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const auto dy = in[0].as<R>();
      const auto drows = out[0].as<R>();
      const Shape& shape = out[0].shape();
      for (int64_t n = 0; n < shape[0].size; ++n)
        for (int64_t c = 0; c < shape[1].size; ++c) {
          double sum = 0;
          for (int64_t b = 0; b < in[0].shape()[0].size; ++b) sum += dy(b, n, c);
          drows(n, c) = static_cast<R>(sum);
        }
    });
  }
  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    std::vector<Expr> terms;
    for (int64_t b = 0; b < in[0].shape()[0].size; ++b)
      terms.push_back(cell(in, 0, {b, out.index[0], out.index[1]}));
    return Expr::sum(terms);
  }
};

}  // namespace

Stage prepend(const Scope& in, Stage x, Stage rows) { return in.graph->add(in, "prepend", {}, {x, rows}); }

void register_prepend(Registry& all) {
  const Shape x = {{Axis::B, 2}, {Axis::T, 3}, {Axis::C, 4}}, y = {{Axis::B, 2}, {Axis::T, 5}, {Axis::C, 4}};
  const Shape rows = {{Axis::N, 2}, {Axis::C, 4}};
  all.add<Prepend>("prepend", {{{}, {{x}, {rows}}}});
  all.add<PrependInputGradient>("prepend_input_gradient", {{{}, {{y}, {x}}}});
  all.add<PrependRowsGradient>("prepend_rows_gradient", {{{}, {{y}, {rows}}}});
}

}  // namespace limpid
