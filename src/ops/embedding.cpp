// Embedding: each token id picks its row of a table.
#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

// The token at place n of ids [B,T], or Error{call} naming it, its place and the vocabulary.
int64_t token_at(const int64_t* ids, int64_t n, const Shape& shape, int64_t vocabulary) {
  const int64_t token = ids[n];
  if (token >= 0 && token < vocabulary) return token;
  const int64_t length = shape[1].size;
  fail_call("token ", token, " at place ", n % length, " of sequence ", n / length, ", expected 0 to ",
            vocabulary - 1, ": the vocabulary has ", vocabulary, " tokens");
}

class Embedding final : public Operation {
 public:
  explicit Embedding(const Options&) {}
  std::string label() const override { return "Embedding Layer"; }
  std::string equation() const override { return "y[t] = W_E[token t]"; }
  std::string caption() const override {
    return "Each token picks its own row of a learned table of vectors.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 2);
    require_rank(in[0], 2, "ids", "[B,T]");
    require_rank(in[1], 2, "the table", "[V,C]");
    return {{"", {in[0][0], in[0][1], in[1][1]}}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const int64_t vocabulary = in[1].shape()[0].size, width = in[1].shape()[1].size;
      const int64_t* ids = in[0].data<int64_t>();
      const R* table = in[1].data<R>();
      R* y = out[0].data<R>();
      for (int64_t n = 0; n < in[0].shape().count(); ++n) {
        const int64_t token = token_at(ids, n, in[0].shape(), vocabulary);
        for (int64_t c = 0; c < width; ++c) y[n * width + c] = table[token * width + c];
      }
    });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(1)) g.give(1, g.apply("embedding_gradient", {}, {g.in(0), g.grad(), g.in(1)}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t length = in[0].shape()[1].size;
    const int64_t token = token_at(in[0].data<int64_t>(), out.index[0] * length + out.index[1], in[0].shape(),
                                   in[1].shape()[0].size);
    return cell(in, 1, {token, out.index[2]});
  }
};

// dW_E[v] = the sum of dy over the places where token v stands, in the order of the text: always the same
// bits. Inputs ids, dy, and the table for its shape.
class EmbeddingGradient final : public Operation {
 public:
  explicit EmbeddingGradient(const Options&) {}
  std::string label() const override { return "Embedding Gradient"; }
  std::string equation() const override { return "dW_E[v] = sum of dy[t] over the places t of token v"; }
  std::string caption() const override {
    return "A token's row learns from every place where the token stands.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 3, 3);
    require_rank(in[0], 2, "ids", "[B,T]");
    require_rank(in[2], 2, "the table", "[V,C]");
    const Shape expected = {in[0][0], in[0][1], in[2][1]};
    if (!fit(in[1], expected)) fail_call("the gradient is ", in[1].text(), ", expected ", expected.text());
    return {{"", in[2]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const int64_t vocabulary = in[2].shape()[0].size, width = in[2].shape()[1].size;
      const int64_t* ids = in[0].data<int64_t>();
      const R* dy = in[1].data<R>();
      R* dtable = out[0].data<R>();
      std::vector<double> sums(static_cast<size_t>(vocabulary * width));
      for (int64_t n = 0; n < in[0].shape().count(); ++n) {
        const int64_t token = token_at(ids, n, in[0].shape(), vocabulary);
        for (int64_t c = 0; c < width; ++c) sums[static_cast<size_t>(token * width + c)] += dy[n * width + c];
      }
      for (int64_t i = 0; i < vocabulary * width; ++i)
        dtable[i] = static_cast<R>(sums[static_cast<size_t>(i)]);
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t* ids = in[0].data<int64_t>();
    std::vector<Expr> terms;
    for (int64_t n = 0; n < in[0].shape().count(); ++n)
      if (ids[n] == out.index[0])
        terms.push_back(cell(in, 1, inserted(unflatten(in[0].shape(), n), 2, out.index[1])));
    return Expr::sum(terms);
  }
};

}  // namespace

Stage embedding(const Scope& in, Stage ids, Stage table) {
  return in.graph->add(in, "embedding", {}, {ids, table});
}

void register_embedding(Registry& all) {
  const Shape ids = {{Axis::B, 2}, {Axis::T, 5}}, table = {{Axis::V, 6}, {Axis::C, 3}};
  const Shape y = {{Axis::B, 2}, {Axis::T, 5}, {Axis::C, 3}};
  const Shape one_id = {{Axis::B, 1}, {Axis::T, 1}}, one_row = {{Axis::V, 1}, {Axis::C, 4}};
  all.add<Embedding>("embedding", {{{}, {{ids, DType::i64, 0, 6}, {table}}},
                                   {{}, {{ids, DType::i64, 2, 4}, {table}}},  // repeated tokens
                                   {{}, {{one_id, DType::i64, 0, 1}, {one_row}}}});
  all.add<EmbeddingGradient>("embedding_gradient", {{{}, {{ids, DType::i64, 0, 6}, {y}, {table}}}});
}

}  // namespace limpid
