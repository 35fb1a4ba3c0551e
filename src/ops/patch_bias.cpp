// Patch bias: how far two patches of an image lie apart, in lines and in columns, has a learned number that
// is added to their score (BEiT: Bao 2021, 3.2; Liu 2021, "Swin transformer").  The class token, which stands
// before the patches and has no place among them, has three numbers of its own.
#include "limpid/ops.h"
#include "ops/scores.h"

namespace limpid {

namespace {

class PatchBiasBase : public Operation {
 public:
  explicit PatchBiasBase(const Options& options)
      : lines_(options.integer("lines", 1)), columns_(options.integer("columns", 1)) {
    if (lines_ < 1 || columns_ < 1)
      fail_call(lines_, " lines and ", columns_, " columns, expected at least 1");
  }

 protected:
  void require_table(const Shape& table, const Shape& scores) const {
    require_scores(scores);
    require_rank(table, 2, "the table", "[N,H]");
    const int64_t rows = patch_bias_rows(lines_, columns_), places = lines_ * columns_ + 1;
    if (!fits(table[0].size, rows) || !fits(table[1].size, scores[1].size))
      fail_call("the table is ", table.text(), ", expected [N=", rows, ",H] with the H of the scores ",
                scores.text());
    if (!fits(scores[2].size, places) || !fits(scores[3].size, places))
      fail_call("the scores are ", scores.text(), ", expected ", places,
                " queries and keys: a class token and ", lines_, " lines of ", columns_, " patches");
  }

  int64_t row(int64_t t, int64_t s) const { return patch_bias_row(t, s, lines_, columns_); }

  int64_t lines_, columns_;
};

class PatchBias final : public PatchBiasBase {
 public:
  using PatchBiasBase::PatchBiasBase;
  std::string label() const override { return "Patch Position Bias"; }
  std::string equation() const override {
    return "Z[h,t,s] = X[h,t,s] + table[lines and columns from s to t, h]";
  }
  std::string caption() const override {
    return "Adds a learned number for how far apart two patches lie, in lines and in columns.";
  }
  Role role() const override { return Role::weights; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 2);
    require_table(in[1], in[0]);
    return {{"", in[0]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const auto x = in[0].as<R>(), table = in[1].as<R>();
      const auto z = out[0].as<R>();
      each_cell(in[0].shape(), [&](int64_t b, int64_t h, int64_t t, int64_t s) {
        z(b, h, t, s) = x(b, h, t, s) + table(row(t, s), h);
      });
    });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(0)) g.give(0, g.apply("pass", {}, {g.grad()}));
    if (g.wants(1)) g.give(1, g.apply("patch_bias_table_gradient", options(), {g.grad(), g.in(1)}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    return cell(in, 0, out.index) + cell(in, 1, {row(out.index[2], out.index[3]), out.index[1]});
  }
};

// dtable[n,h] = the sum of dZ over the cells of row n.  Inputs dZ, and the table for its shape.
class PatchBiasTableGradient final : public PatchBiasBase {
 public:
  using PatchBiasBase::PatchBiasBase;
  std::string label() const override { return "Patch Bias Gradient"; }
  std::string equation() const override {
    return "dtable[n,h] = sum of dZ[h,t,s] over the pairs that lie so far apart";
  }
  std::string caption() const override {
    return "A distance's number learns from every pair of patches so far apart.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 2);
    require_table(in[1], in[0]);
    return {{"", in[1]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const auto dz = in[0].as<R>();
      const auto dtable = out[0].as<R>();
      for (int64_t n = 0; n < in[1].shape()[0].size; ++n)
        for (int64_t h = 0; h < in[1].shape()[1].size; ++h) dtable(n, h) = 0;
      each_cell(in[0].shape(),
                [&](int64_t b, int64_t h, int64_t t, int64_t s) { dtable(row(t, s), h) += dz(b, h, t, s); });
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    std::vector<Expr> terms;
    each_cell(in[0].shape(), [&](int64_t b, int64_t h, int64_t t, int64_t s) {
      if (h == out.index[1] && row(t, s) == out.index[0]) terms.push_back(cell(in, 0, {b, h, t, s}));
    });
    return Expr::sum(terms);
  }
};

}  // namespace

int64_t patch_bias_rows(int64_t lines, int64_t columns) { return (2 * lines - 1) * (2 * columns - 1) + 3; }

int64_t patch_bias_row(int64_t t, int64_t s, int64_t lines, int64_t columns) {
  const int64_t rows = patch_bias_rows(lines, columns);
  if (t == 0) return s == 0 ? rows - 1 : rows - 3;
  if (s == 0) return rows - 2;
  const int64_t down = (t - 1) / columns - (s - 1) / columns, right = (t - 1) % columns - (s - 1) % columns;
  return (down + lines - 1) * (2 * columns - 1) + right + columns - 1;
}

Stage patch_bias(const Scope& in, Stage scores, Stage table, int64_t lines, int64_t columns) {
  return in.graph->add(in, "patch_bias", {{"lines", lines}, {"columns", columns}}, {scores, table});
}

void register_patch_bias(Registry& all) {
  const Shape scores = scores_shape(2, 2, 7, 7), table = {{Axis::N, patch_bias_rows(2, 3)}, {Axis::H, 2}};
  const Options wide = {{"lines", int64_t{2}}, {"columns", int64_t{3}}};
  all.add<PatchBias>("patch_bias", {{wide, {{scores}, {table}}}});
  all.add<PatchBiasTableGradient>("patch_bias_table_gradient", {{wide, {{scores}, {table}}}});
}

}  // namespace limpid
