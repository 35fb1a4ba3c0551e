// Merge heads: the H rows of D numbers of a place are read as one row of C = H D numbers.  Nothing moves.
#include <algorithm>

#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

class MergeHeads final : public Operation {
 public:
  explicit MergeHeads(const Options&) {}

  std::string label() const override { return "Concatenate Heads"; }
  std::string equation() const override { return "x[t,h D + d] = z[t,h,d]"; }
  std::string caption() const override {
    return "Lays the results of all attention heads side by side in one row.";
  }
  bool is_view() const override { return true; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 1, 1);
    const Shape& z = in[0];
    if (z.rank() < 2) fail_call("z is ", z.text(), ", expected at least the axes [H,D]");
    const int64_t heads = z[z.rank() - 2].size, width = z[z.rank() - 1].size;
    Shape x = z.part(0, z.rank() - 2);
    x.append({Axis::C, heads == k_symbolic || width == k_symbolic ? k_symbolic : heads * width});
    return {{"", x}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0],
            [&]<class R>() { std::copy_n(in[0].data<R>(), in[0].shape().count(), out[0].data<R>()); });
  }

  void gradient(GradientContext& g) const override {
    const Shape& z = g.in(0).shape();
    const int64_t heads = z[z.rank() - 2].size;
    if (g.wants(0)) g.give(0, g.apply("split_heads", {{"heads", heads}}, {g.grad()}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const Shape& z = in[0].shape();
    const int64_t width = z[z.rank() - 1].size, column = out.index.back();
    return cell(in, 0, joined(part(out.index, 0, z.rank() - 2), {column / width, column % width}));
  }
};

}  // namespace

Stage merge_heads(const Scope& in, Stage z) { return in.graph->add(in, "merge_heads", {}, {z}); }

void register_merge_heads(Registry& all) {
  all.add<MergeHeads>("merge_heads", {{{}, {{{{Axis::B, 2}, {Axis::T, 3}, {Axis::H, 2}, {Axis::D, 3}}}}},
                                      {{}, {{{{Axis::T, 2}, {Axis::H, 1}, {Axis::D, 3}}}}},
                                      {{}, {{{{Axis::H, 3}, {Axis::D, 2}}}}}});
}

}  // namespace limpid
