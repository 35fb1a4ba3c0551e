// Split heads: a row of C numbers is read as H rows of D numbers, one a head.  Nothing moves: the row is
// stored head after head already.
#include <algorithm>

#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

class SplitHeads final : public Operation {
 public:
  explicit SplitHeads(const Options& options) : heads_(options.integer("heads", 1)) {
    if (heads_ < 1) fail_call("heads is ", heads_, ", expected at least 1");
  }

  std::string label() const override { return "Split Heads"; }
  std::string equation() const override { return "z[t,h,d] = x[t,h D + d]"; }
  std::string caption() const override {
    return "Reads each row as one shorter row for every attention head.";
  }
  bool is_view() const override { return true; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 1, 1);
    const Shape& x = in[0];
    if (x.rank() < 1) fail_call("x is ", x.text(), ", expected at least one axis");
    const int64_t width = x[x.rank() - 1].size;
    if (width != k_symbolic && width % heads_ != 0)
      fail_call("x is ", x.text(), ": ", width, " numbers cannot be split evenly into ", heads_, " heads");
    Shape z = x.part(0, x.rank() - 1);
    z.append({Axis::H, heads_});
    z.append({Axis::D, width == k_symbolic ? k_symbolic : width / heads_});
    return {{"", z}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0],
            [&]<class R>() { std::copy_n(in[0].data<R>(), in[0].shape().count(), out[0].data<R>()); });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(0)) g.give(0, g.apply("merge_heads", {}, {g.grad()}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const Shape& x = in[0].shape();
    const int last = x.rank() - 1;
    const int64_t width = x[last].size / heads_;
    const int64_t h = out.index[static_cast<size_t>(last)], d = out.index[static_cast<size_t>(last) + 1];
    return cell(in, 0, inserted(part(out.index, 0, last), last, h * width + d));
  }

 private:
  int64_t heads_;
};

}  // namespace

Stage split_heads(const Scope& in, Stage x, int64_t heads) {
  return in.graph->add(in, "split_heads", {{"heads", heads}}, {x});
}

void register_split_heads(Registry& all) {
  all.add<SplitHeads>("split_heads",
                      {{{{"heads", int64_t{2}}}, {{{{Axis::B, 2}, {Axis::T, 3}, {Axis::C, 6}}}}},
                       {{}, {{{{Axis::T, 2}, {Axis::C, 3}}}}},
                       {{{"heads", int64_t{4}}}, {{{{Axis::C, 4}}}}}});
}

}  // namespace limpid
