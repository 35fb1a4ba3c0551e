// Neighbours: each row with the rows beside it, which a linear layer then makes a convolution of.
#include <algorithm>

#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

// Inputs x [B,T,C] (of the gradient dy [B,T,C size]) and, where there are any, lengths [B].
class NeighboursBase : public Operation {
 public:
  explicit NeighboursBase(const Options& options) : size_(options.integer("size", 1)) {
    constexpr int64_t k_most = 1 << 12;
    if (size_ < 1 || size_ > k_most || size_ % 2 == 0)
      fail_call("size is ", size_, ", expected an odd number from 1 to ", k_most);
  }

 protected:
  static void require(const std::vector<Shape>& in, const char* what, const char* expected) {
    require_inputs(in, 1, 2);
    require_rank(in[0], 3, what, expected);
    if (in.size() == 2 && !fit(in[1], in[0].part(0, 1)))
      fail_call("lengths are ", in[1].text(), ", expected the B of ", what, " ", in[0].text());
  }

  int64_t length(Inputs in, int64_t b) const {
    const int64_t tokens = in[0].shape()[1].size;
    const int64_t length = in.size() == 2 ? in[1].data<int64_t>()[b] : tokens;
    if (length < 0 || length > tokens)
      fail_call("lengths[", b, "] is ", length, ", expected 0 to ", tokens, ", the number of rows");
    return length;
  }

  // How far the j-th of them stands behind the row.
  int64_t offset(int64_t j) const { return j - size_ / 2; }

  int64_t size_;
};

class Neighbours final : public NeighboursBase {
 public:
  using NeighboursBase::NeighboursBase;
  std::string label() const override { return "Neighbours"; }
  std::string equation() const override {
    return join("y[t] = x[t - ", size_ / 2, "], ..., x[t + ", size_ / 2, "], woven");
  }
  std::string caption() const override {
    return join("Each row is seen together with its neighbours, ", size_, " rows at once.");
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require(in, "x", "[B,T,C]");
    const int64_t width = in[0][2].size;
    return {{"", {in[0][0], in[0][1], {Axis::C, width < 0 ? width : width * size_}}}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Shape& s = in[0].shape();
      const auto x = in[0].as<R>();
      const auto y = out[0].as<R>();
      for (int64_t b = 0; b < s[0].size; ++b) {
        const int64_t end = length(in, b);
        for (int64_t t = 0; t < s[1].size; ++t)
          for (int64_t c = 0; c < s[2].size; ++c)
            for (int64_t j = 0; j < size_; ++j) {
              const int64_t from = t + offset(j);
              y(b, t, c * size_ + j) = from >= 0 && from < end ? x(b, from, c) : R(0);
            }
      }
    });
  }

  void gradient(GradientContext& g) const override {
    if (!g.wants(0)) return;
    std::vector<Stage> inputs = {g.grad()};
    if (g.inputs() == 2) inputs.push_back(g.in(1));
    g.give(0, g.apply("neighbours_gradient", options(), inputs));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t b = out.index[0], from = out.index[1] + offset(out.index[2] % size_);
    if (from < 0 || from >= length(in, b)) return Expr(0);
    return cell(in, 0, {b, from, out.index[2] / size_});
  }
};

// dx[t] = the sum of what each row that saw it sends back.
class NeighboursGradient final : public NeighboursBase {
 public:
  using NeighboursBase::NeighboursBase;
  std::string label() const override { return "Neighbours Gradient"; }
  std::string equation() const override { return "dx[t] = sum of dy at the places that saw x[t]"; }
  std::string caption() const override { return "A row learns from every neighbour that saw it."; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require(in, "the gradient", "[B,T,C]");
    const int64_t width = in[0][2].size;
    if (width >= 0 && width % size_ != 0)
      fail_call("the gradient is ", in[0].text(), ", expected a multiple of ", size_, " numbers a row");
    return {{"", {in[0][0], in[0][1], {Axis::C, width < 0 ? width : width / size_}}}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Shape& s = out[0].shape();
      const auto dy = in[0].as<R>();
      const auto dx = out[0].as<R>();
      for (int64_t b = 0; b < s[0].size; ++b) {
        const int64_t end = length(in, b);
        for (int64_t t = 0; t < s[1].size; ++t)
          for (int64_t c = 0; c < s[2].size; ++c) {
            R sum = 0;
            for (int64_t j = 0; j < size_ && t < end; ++j) {
              const int64_t by = t - offset(j);
              if (by >= 0 && by < s[1].size) sum += dy(b, by, c * size_ + j);
            }
            dx(b, t, c) = sum;
          }
      }
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t b = out.index[0], t = out.index[1];
    std::vector<Expr> terms;
    for (int64_t j = 0; j < size_ && t < length(in, b); ++j) {
      const int64_t by = t - offset(j);
      if (by >= 0 && by < in[0].shape()[1].size)
        terms.push_back(cell(in, 0, {b, by, out.index[2] * size_ + j}));
    }
    return Expr::sum(terms);
  }
};

}  // namespace

Stage neighbours(const Scope& in, Stage x, int64_t size, Stage lengths) {
  std::vector<Stage> inputs = {x};
  if (lengths) inputs.push_back(lengths);
  return in.graph->add(in, "neighbours", {{"size", size}}, inputs);
}

void register_neighbours(Registry& all) {
  const Shape x = {{Axis::B, 2}, {Axis::T, 5}, {Axis::C, 2}}, dy = {{Axis::B, 2}, {Axis::T, 5}, {Axis::C, 6}};
  const Example::Input lengths = {{{Axis::B, 2}}, DType::i64, 2, 6};
  const Options three = {{"size", int64_t{3}}}, wide = {{"size", int64_t{7}}};
  all.add<Neighbours>("neighbours", {{three, {{x}}}, {three, {{x}, lengths}}, {wide, {{x}}}});
  all.add<NeighboursGradient>("neighbours_gradient", {{three, {{dy}}}, {three, {{dy}, lengths}}});
}

}  // namespace limpid
