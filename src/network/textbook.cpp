// textbook: the network of the standard figure, each part there only when asked for.
#include "network/build.h"
#include "network/parts.h"

namespace limpid {

namespace {

std::string each(const TextbookConfig& c) { return c.vectors ? "vector" : "word"; }

Stage inputs(Graph& graph, const TextbookConfig& c) {
  const Dim batch = {Axis::B, k_symbolic}, time = {Axis::T, k_symbolic};
  if (c.vectors) return graph.input("vectors", {batch, time, {Axis::C, c.width}});
  const Stage tokens = graph.input("tokens", {batch, time}, DType::i64);
  const Stage table = graph.parameter("embed.W_E", {{Axis::V, c.vocabulary}, {Axis::C, c.width}},
                                      {Init::Kind::normal, 0.5, false});
  const Note note = {"", "X = W_E[rows]", "Each word reads its row of a table of numbers."};
  return embedding(graph.scope("embed").saying(note), tokens, table);  // [B,T,C]
}

Stage with_positions(const Scope& in, Stage x, const TextbookConfig& c) {
  const Note note = {"Add", "x + position", join("A ", each(c), " is what it is and where it stands.")};
  if (c.positions == Positions::sinusoidal)
    return add((in / "blocks.0.resid_pre").saying(note), x, sinusoidal_positions(in / "pos_embed", x));
  if (c.positions == Positions::learned) {
    const Stage table = in.graph->parameter("pos_embed.W_pos", {{Axis::P, c.context}, {Axis::C, c.width}},
                                            {Init::Kind::normal, 0.5, false});
    return add((in / "blocks.0.resid_pre").saying(note), x, learned_positions(in / "pos_embed", x, table));
  }
  in.graph->alias("blocks.0.resid_pre", x);
  return x;
}

AttentionOptions attention_options(const TextbookConfig& c) {
  AttentionOptions o;
  o.heads = c.heads;
  o.width = c.width / c.heads;
  o.out_width = c.join || c.heads > 1 ? c.width : 0;
  o.mask = c.mask;
  o.positions = c.positions;
  o.rotary.width = o.width;
  o.init = o.out_init = 0.5;
  o.each = each(c);
  return o;
}

void predict_words(const Scope& in, Stage x, const TextbookConfig& c, bool training) {
  const Note scores = {"Output Layer", "logits = x W_U",
                       join("One score per ", each(c), " that could come next.")};
  const Note shares = {"", "p = softmax(logits)",
                       join("The scores become the probabilities of the next ", each(c), ".")};
  const Stage logits = project((in / "logits").saying(scores), x, "unembed.W_U",
                               {{Axis::V, c.vectors ? c.outputs : c.vocabulary}}, {});  // [B,T,V]
  softmax((in / "probs").saying(shares), logits, Axis::V);
  if (training)
    cross_entropy(in / "loss", logits,
                  in.graph->input("targets", {{Axis::B, k_symbolic}, {Axis::T, k_symbolic}}, DType::i64));
}

Stage pooled(const Scope& in, Stage x, const TextbookConfig& c) {
  const Note note = {"", "", c.vectors ? "Sums up the whole sequence in one row." : ""};
  return pool((in / "pooled").saying(note), x, c.pool);  // [B,C]
}

void predict_class(const Scope& in, Stage x, const TextbookConfig& c, bool training) {
  const Stage row = pooled(in, x, c);  // [B,C]
  const Note note = {"", "logits = x W_U", "One score a class."};
  const Stage logits =
      project((in / "logits").saying(note), row, "unembed.W_U", {{Axis::V, c.outputs}}, {.init = 0.5});
  softmax((in / "probs").saying({"", "", "The scores of the classes become probabilities."}), logits,
          Axis::V);
  if (training)
    cross_entropy(in / "loss", logits, in.graph->input("targets", {{Axis::B, k_symbolic}}, DType::i64));
}

void predict_number(const Scope& in, Stage x, const TextbookConfig& c, bool training) {
  const Stage row = pooled(in, x, c);  // [B,C]
  const Note note = {"Regression", "y = x W_U", "The numbers the network predicts."};
  const Stage y =
      project((in / "prediction").saying(note), row, "unembed.W_U", {{Axis::V, c.outputs}}, {.init = 0.5});
  if (training)
    mean_squared_error(in / "loss", y,
                       in.graph->input("targets", {{Axis::B, k_symbolic}, {Axis::V, c.outputs}}));
}

}  // namespace

void build_textbook(Graph& graph, const TextbookConfig& c, Purpose purpose) {
  const bool training = purpose == Purpose::train;
  const Scope in = graph.scope(), block = in / "blocks.0";
  Stage x = with_positions(in, inputs(graph, c), c);                  // [B,T,C]
  Stage out = attention(block / "attn", x, x, attention_options(c));  // [B,T,C]
  if (c.add_norm) {
    const Note sum = {"Add", "x + attention",
                      join("Adds what attention gathered to what the ", each(c), " already was.")};
    const Note even = {"Norm", "(x - mean) / scale",
                       join("Brings every ", each(c), "'s numbers to the same size.")};
    out = add((block / "resid_mid").saying(sum), x, out);  // [B,T,C]
    out = normalize((block / "ln1").saying(even), out, {});
  }
  if (c.head == Head::next_word) predict_words(in, out, c, training);
  if (c.head == Head::classes) predict_class(in, out, c, training);
  if (c.head == Head::regression) predict_number(in, out, c, training);
}

}  // namespace limpid
