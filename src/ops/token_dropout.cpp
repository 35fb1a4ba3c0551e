// Token dropout: ESM-2's way with masked tokens (Lin 2022).  A masked token's row is 0, as if it were dropped
// out, and the others grow or shrink so that a sequence's rows sum up to about what they did in training,
// where a fixed share was masked.
#include <algorithm>

#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

// Inputs x [B,T,C], ids [B,T] and, where there are any, lengths [B].
class TokenDropoutOperation final : public Operation {
 public:
  explicit TokenDropoutOperation(const Options& options)
      : mask_(options.integer("mask")), trained_share_(options.real("trained_share", 0.12)) {
    if (!(trained_share_ >= 0 && trained_share_ < 1))
      fail_call("trained_share is ", trained_share_, ", expected at least 0 and less than 1");
  }

  std::string label() const override { return "Token Dropout"; }
  std::string equation() const override {
    return join("y[t] = 0 where token t is ", mask_, ", else x[t] (1 - ", trained_share_,
                ") / (1 - share of masked tokens)");
  }
  std::string caption() const override {
    return "A masked token's numbers are zero; the others make up for it.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 3);
    require_rank(in[0], 3, "x", "[B,T,C]");
    require_rank(in[1], 2, "ids", "[B,T]");
    if (!fit(in[1], in[0].part(0, 2)))
      fail_call("ids are ", in[1].text(), ", expected the B and T of x ", in[0].text());
    if (in.size() == 3 && !fit(in[2], in[0].part(0, 1)))
      fail_call("lengths are ", in[2].text(), ", expected the B of x ", in[0].text());
    return {{"", in[0]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Shape& s = in[0].shape();
      const int64_t tokens = s[1].size, width = s[2].size;
      const int64_t* ids = in[1].data<int64_t>();
      const R* x = in[0].data<R>();
      R* y = out[0].data<R>();
      for (int64_t b = 0; b < s[0].size; ++b) {
        const Row row = masked(in, b);
        const R factor =
            row.masked == row.length ? R(0) : static_cast<R>((1 - trained_share_) / (1 - share(row)));
        for (int64_t n = b * tokens; n < (b + 1) * tokens; ++n)
          for (int64_t c = n * width; c < (n + 1) * width; ++c) y[c] = ids[n] == mask_ ? R(0) : x[c] * factor;
      }
    });
  }

  // It is linear in x: the gradient goes the same way.
  void gradient(GradientContext& g) const override {
    if (!g.wants(0)) return;
    std::vector<Stage> inputs = {g.grad(), g.in(1)};
    if (g.inputs() == 3) inputs.push_back(g.in(2));
    g.give(0, g.apply("token_dropout", options(), inputs));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t tokens = in[0].shape()[1].size, b = out.index[0];
    const Row row = masked(in, b);
    if (in[1].data<int64_t>()[b * tokens + out.index[1]] == mask_ || row.masked == row.length) return Expr(0);
    const Expr masked_share = Expr(static_cast<double>(row.masked)) / Expr(static_cast<double>(row.length));
    return cell(in, 0, out.index) * (Expr(1) - Expr(trained_share_)) / (Expr(1) - masked_share);
  }

 private:
  struct Row {
    int64_t masked = 0, length = 0;
  };
  static double share(const Row& row) {
    return static_cast<double>(row.masked) / static_cast<double>(row.length);
  }

  Row masked(Inputs in, int64_t b) const {
    const int64_t tokens = in[0].shape()[1].size;
    Row row = {0, tokens};
    if (in.size() == 3) row.length = in[2].data<int64_t>()[b];
    if (row.length < 0 || row.length > tokens)
      fail_call("lengths[", b, "] is ", row.length, ", expected 0 to ", tokens, ", the number of tokens");
    const int64_t* ids = in[1].data<int64_t>() + b * tokens;
    row.masked = std::count(ids, ids + row.length, mask_);
    return row;
  }

  int64_t mask_;
  double trained_share_;
};

}  // namespace

Stage token_dropout(const Scope& in, Stage x, Stage ids, int64_t mask, double trained_share, Stage lengths) {
  std::vector<Stage> inputs = {x, ids};
  if (lengths) inputs.push_back(lengths);
  return in.graph->add(in, "token_dropout", {{"mask", mask}, {"trained_share", trained_share}}, inputs);
}

void register_token_dropout(Registry& all) {
  const Shape x = {{Axis::B, 2}, {Axis::T, 6}, {Axis::C, 3}}, ids = {{Axis::B, 2}, {Axis::T, 6}};
  const Options options = {{"mask", int64_t{1}}, {"trained_share", 0.25}};
  all.add<TokenDropoutOperation>(
      "token_dropout", {{options, {{x}, {ids, DType::i64, 0, 4}}},
                        {options, {{x}, {ids, DType::i64, 0, 3}, {{{Axis::B, 2}}, DType::i64, 2, 6}}}});
}

}  // namespace limpid
