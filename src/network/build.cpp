#include "network/build.h"

#include <algorithm>

#include "network/parts.h"

namespace limpid {

namespace {

const Init k_embedding = {Init::Kind::normal, 0.02, true};

int64_t table_width(const TokenInputs& o) { return o.embedding_width ? o.embedding_width : o.width; }

Stage embedding_table(Graph& graph, const TokenInputs& o) {
  return graph.parameter("embed.W_E", {{Axis::V, o.vocabulary}, {Axis::C, table_width(o)}}, k_embedding);
}

// "encoder.last_hidden_state" of "source" [B,T], of which rows from source_lengths[b] on are padding; or,
// packed, which text each row belongs to.
struct Encoded {
  Stage rows, lengths, documents;
};

Stage documents_input(Graph& graph, const char* name) {
  return graph.input(name, {{Axis::B, k_symbolic}, {Axis::T, k_symbolic}}, DType::i64);
}

Encoded encode(Graph& graph, const Architecture& a, Stage table, bool packed = false) {
  const Scope in = graph.scope("encoder");
  TokenInputs inputs = a.encoder->inputs;
  if (inputs.vocabulary > 0)
    table = graph.parameter("encoder.embed.W_E",
                            {{Axis::V, inputs.vocabulary}, {Axis::C, table_width(inputs)}}, k_embedding);
  BlockContext context{.width = inputs.width, .dropout = a.dropout};
  if (packed)
    context.documents = documents_input(graph, "source_documents");
  else
    context.lengths = graph.input("source_lengths", {{Axis::B, k_symbolic}}, DType::i64);
  context.out_init = a.encoder->stack.blocks[0].attention.out_init;
  Stage x =
      dropped(token_inputs(in, "source", inputs, table, context.lengths, packed), a.dropout);  // [B,T,C]
  x = stack(in, x, a.encoder->stack, context);                                                 // [B,T,C]
  graph.alias("encoder.last_hidden_state", x);
  return {x, context.lengths, context.documents};
}

// What every layer of the decoder reads of the source.
void build_encode(Graph& graph, const Architecture& a) {
  if (!a.encoder) fail_call(a.family, ": only an encoder-decoder can be encoded");
  const Stage table = a.encoder->inputs.vocabulary > 0 ? Stage{} : embedding_table(graph, a.inputs);
  const Encoded source = encode(graph, a, table);
  for (int64_t layer = 0; layer < a.stack.layers; ++layer)
    keys_and_values(graph.scope(join("blocks.", layer, ".cross_attn")), source.rows,
                    *a.stack.block(layer).cross);
}

}  // namespace

Architecture without_dropout(Architecture a) {
  a.dropout = 0;
  const auto still = [](Stack& stack) {
    for (BlockOptions& block : stack.blocks) {
      block.attention.dropout = 0;
      if (block.cross) block.cross->dropout = 0;
    }
  };
  a.head.label_smoothing = 0;
  still(a.stack);
  if (a.encoder) still(a.encoder->stack);
  if (a.images) still(a.images->stack);
  return a;
}

void build_parts(Graph& graph, const Architecture& given, Purpose purpose) {
  const bool packed = purpose == Purpose::train_packed, training = purpose == Purpose::train || packed;
  if (packed && !packs(NetworkConfig(given)))
    fail_call(given.family, ": its texts cannot stand one behind another, expected Purpose::train");
  Architecture a = training ? given : without_dropout(given);
  if (purpose == Purpose::encode) return build_encode(graph, a);
  const bool extends = purpose == Purpose::extend;
  if (extends) {
    if (!causal(a.stack) || a.patches || a.series || a.images)
      fail_call(a.family, ": only a causal network of tokens can be extended");
    for (BlockOptions& block : a.stack.blocks) {
      block.attention.appends = true;
      if (block.cross) block.cross->given_keys = true;
    }
  }
  const Scope in = graph.scope();
  Stage table;
  const bool tokens = !a.patches && !a.series;
  if (tokens) table = embedding_table(graph, a.inputs);
  BlockContext context{.width = a.inputs.width, .dropout = a.dropout};
  context.out_init = a.stack.blocks[0].attention.out_init;
  if (a.encoder && extends)
    context.memory_lengths = graph.input("source_lengths", {{Axis::B, k_symbolic}}, DType::i64);
  if (a.encoder && !extends) {
    const Encoded source = encode(graph, a, table, packed);
    context.memory = source.rows;
    context.memory_lengths = source.lengths;
    context.memory_documents = source.documents;
  }
  if (packed) context.documents = documents_input(graph, "documents");
  SeriesRows series;
  if (a.series) series = series_inputs(in, *a.series, a.inputs.width);
  // What is made of the last row must know which that is.
  const bool pools =
      a.head.kind == Head::embedding || a.head.kind == Head::classes || a.head.kind == Head::regression;
  const bool asks_lengths = packed ? pools : !causal(a.stack) || (pools && purpose != Purpose::extend);
  Stage lengths;
  const auto ask_lengths = [&](bool now) {
    if (!asks_lengths || !tokens || !now || lengths) return;
    lengths = graph.input("lengths", {{Axis::B, k_symbolic}}, DType::i64);
    if (!packed) context.lengths = lengths;
  };
  ask_lengths(a.inputs.token_dropout.has_value());
  Stage x = a.series    ? series.x
            : a.patches ? patch_inputs(in, *a.patches, a.inputs.width)
                        : token_inputs(in, "tokens", a.inputs, table, lengths, packed);  // [B,T,C]
  x = dropped(x, a.dropout);
  ask_lengths(true);
  x = stack(in, x, a.stack, context);  // [B,T,C]
  graph.alias("last_hidden_state", x);
  series.x = x;
  if (a.series && a.head.kind == Head::forecast)
    return forecast_head(in, series, a.head, *a.series, training);  // "prediction" [B,O,K]
  head(in, {x, table, lengths, packed}, a.head, a, training);       // "logits" [B,T,V], ...
  if (a.images) build_pairs(graph, a, training);
}

void build(Graph& graph, const NetworkConfig& config, Purpose purpose) {
  if (const auto* textbook = std::get_if<TextbookConfig>(&config)) {
    check(*textbook);
    if (purpose == Purpose::train_packed)
      fail_call("textbook: its texts cannot stand one behind another, expected Purpose::train");
    build_textbook(graph, *textbook, purpose);
    return;
  }
  if (const auto* gpt = std::get_if<GptConfig>(&config)) {
    check(*gpt);
    build_parts(graph, architecture_of(*gpt), purpose);
    return;
  }
  check(std::get<Architecture>(config));
  build_parts(graph, std::get<Architecture>(config), purpose);
}

}  // namespace limpid
