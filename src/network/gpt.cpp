// gpt: a decoder of pre-norm blocks.
#include "network/build.h"
#include "network/parts.h"

namespace limpid {

namespace {

AttentionOptions attention_options(const GptConfig& c, bool training) {
  AttentionOptions o;
  o.heads = c.heads;
  o.kv_heads = c.kv_heads;
  o.width = c.width / c.heads;
  o.out_width = c.width;
  o.mask = Mask::causal;
  o.bias = c.bias;
  o.positions = c.positions;
  o.rotary = {o.width, c.rotary_base, c.pairing};
  o.out_init =
      0.02 / std::sqrt(2.0 * static_cast<double>(c.layers));  // GPT-2: the residual stream keeps its size
  o.dropout = training ? c.attention_dropout : 0;
  o.each = "token";
  return o;
}

// What a layer adds, dropped out when training.
Stage dropped(Stage x, double rate, bool training) {
  return training && rate > 0 ? dropout(x.graph->scope(x.name() + "_dropout"), x, rate) : x;
}

Stage bend(const Scope& in, Stage x, Activation activation) {
  switch (activation) {
    case Activation::gelu:
      return gelu(in, x, Gelu::exact);
    case Activation::gelu_tanh:
      return gelu(in, x, Gelu::tanh);
    case Activation::relu:
      return relu(in, x);
    case Activation::silu:
    case Activation::swiglu:
      return silu(in, x);
  }
  fail_call("gpt: activation ", static_cast<int>(activation), " does not exist");
}

Stage feed_forward(const Scope& block, Stage x, const GptConfig& c) {
  const Scope in = block / "mlp";
  const Shape wide = {{Axis::F, c.feed_forward ? c.feed_forward : 4 * c.width}};
  const Note widen = {"Feed-Forward (in)", c.bias ? "pre = x W_in + b_in" : "pre = x W_in",
                      "Looks at each token alone, through many small detectors."};
  const Note bent = {"", "", "Keeps the detectors that found something and silences the others."};
  const Note narrow = {"Feed-Forward (out)", c.bias ? "y = post W_out + b_out" : "y = post W_out",
                       "Writes what was detected back in the width of the model."};
  Stage h = project((in / "pre").saying(widen), x, "in", wide, {.bias = c.bias});  // [B,T,F]
  if (c.activation == Activation::swiglu) {
    const Stage open = bend(in / "gate", h, c.activation);                             // [B,T,F]
    h = gate(in / "post", open, project(in / "up", x, "up", wide, {.bias = c.bias}));  // [B,T,F]
  } else {
    h = bend((in / "post").saying(bent), h, c.activation);  // [B,T,F]
  }
  return project((block / "mlp_out").saying(narrow), h, (in / "W_out").path, {{Axis::C, c.width}},  // [B,T,C]
                 {.init = 0.02 / std::sqrt(2.0 * static_cast<double>(c.layers)),
                  .bias = c.bias,
                  .bias_name = (in / "b_out").path});
}

Stage block(const Scope& in, Stage x, const GptConfig& c, bool training) {
  const Note first = {"", "", "Brings every token's numbers to the same size before attention."};
  const Note second = {"", "",
                       "Brings every token's numbers to the same size before the feed-forward layer."};
  const Note mid = {"Add", "x + attention", "Adds what attention gathered to what the token already was."};
  const Note post = {"Add", "x + feed-forward",
                     "Adds what the feed-forward layer found to what the token already was."};
  Stage a = normalize((in / "ln1").saying(first), x, c.norm, c.epsilon, c.bias);                   // [B,T,C]
  a = dropped(attention(in / "attn", a, a, attention_options(c, training)), c.dropout, training);  // [B,T,C]
  x = add((in / "resid_mid").saying(mid), x, a);                                                   // [B,T,C]
  Stage f = normalize((in / "ln2").saying(second), x, c.norm, c.epsilon, c.bias);                  // [B,T,C]
  f = dropped(feed_forward(in, f, c), c.dropout, training);                                        // [B,T,C]
  return add((in / "resid_post").saying(post), x, f);                                              // [B,T,C]
}

Stage embed(const Scope& in, Stage tokens, Stage table, const GptConfig& c, bool training) {
  Stage x = embedding(in / "embed", tokens, table);  // [B,T,C]
  if (c.positions == Positions::learned) {
    const Stage rows = in.graph->parameter("pos_embed.W_pos", {{Axis::P, c.context}, {Axis::C, c.width}},
                                           {Init::Kind::normal, 0.02, true});
    const Stage where = learned_positions(in / "pos_embed", x, rows);
    x = add((in / "blocks.0.resid_pre")
                .saying({"Add", "x + position", "A token is what it is and where it stands."}),
            x, where);
  } else if (c.positions == Positions::sinusoidal) {
    x = add(in / "blocks.0.resid_pre", x, sinusoidal_positions(in / "pos_embed", x));
  } else {
    in.graph->alias("blocks.0.resid_pre", x);
  }
  return dropped(x, c.dropout, training);
}

}  // namespace

void build_gpt(Graph& graph, const GptConfig& c, Purpose purpose) {
  const bool training = purpose == Purpose::train;
  const Scope in = graph.scope();
  const Stage tokens = graph.input("tokens", {{Axis::B, k_symbolic}, {Axis::T, k_symbolic}}, DType::i64);
  const Stage table = graph.parameter("embed.W_E", {{Axis::V, c.vocabulary}, {Axis::C, c.width}},
                                      {Init::Kind::normal, 0.02, true});
  Stage x = embed(in, tokens, table, c, training);
  for (int64_t layer = 0; layer < c.layers; ++layer) {
    const Scope here = in / join("blocks.", layer);
    if (layer > 0) graph.alias((here / "resid_pre").path, x);
    x = block(here, x, c, training);
  }
  x = normalize((in / "ln_final")
                    .saying({"", "", "Brings every token's numbers to the same size before the prediction."}),
                x, c.norm, c.epsilon, c.bias);
  predict_words(in, x, c.tied ? table : Stage{}, c.vocabulary, training, "token");
}

}  // namespace limpid
