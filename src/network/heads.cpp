// The end of a network: what is predicted from the last hidden state.
#include "network/build.h"
#include "network/parts.h"

namespace limpid {

namespace {

void loss_of(const Scope& in, Stage logits, Shape targets, double smoothing) {
  cross_entropy(in / "loss", logits, in.graph->input("targets", targets, DType::i64), smoothing);
}

// A layer of its own before the last matrix: act(x W + b), then a norm.
Stage transformed(const Scope& in, Stage x, const HeadOptions& o, int64_t width) {
  x = project(in / "transform", x, "head.W", {{Axis::C, width}},
              {.bias = o.transform_bias, .bias_name = "head.b"});
  x = activate(in / "transformed", x, o.activation);
  return o.transform_norm ? normalize(in / "ln_head", x, *o.transform_norm) : x;
}

// Logits of words, after the scale and the cap that some networks have.
Stage words(const Scope& in, Stage x, const HeadOptions& o, Stage table, const Architecture& a) {
  const int64_t vocabulary = a.inputs.vocabulary;
  const std::string each = a.each;
  const Note note = {"Output Layer", o.tied ? "logits = x W_E^T" : "logits = x W_U",
                     o.kind == Head::masked_word ? join("One score per ", each, " that could stand here.")
                                                 : join("One score per ", each, " that could come next.")};
  const int changes = int{o.scale != 1} + int{o.softcap != 0};
  const auto at = [&](int left, const char* name) { return in / (left == 0 ? "logits" : name); };
  Stage b;
  if (o.bias) b = in.graph->parameter("unembed.b_U", {{Axis::V, vocabulary}}, {Init::Kind::zeros, 0, false});
  Stage w = table;
  if (!o.tied)
    w = in.graph->parameter("unembed.W_U", {{Axis::C, x.shape()[2].size}, {Axis::V, vocabulary}},
                            {Init::Kind::normal, 0.02, true});
  Stage logits = linear(at(changes, "raw_logits").saying(note), x, w, b, {.transposed = o.tied});
  if (o.scale != 1) logits = scale(at(changes - 1, "scaled_logits"), logits, o.scale);
  if (o.softcap != 0) logits = softcap(in / "logits", logits, o.softcap);
  return logits;
}

// The row that stands for all: picked, or gathered by a learned row.
Stage pooled(const Scope& in, const HeadInputs& from, const HeadOptions& o, const Architecture& a) {
  const Stage x = from.x;
  if (!o.pool_attention) {
    const Stage row = from.packed ? pool_documents(in / "pooled", x, o.pool, from.lengths)
                                  : pool(in / "pooled", x, o.pool, from.lengths);  // [B,C]
    return o.pool_norm ? normalize(in / "ln_pooled", row, *o.pool_norm) : row;
  }
  const Scope here = in / "head";
  const int64_t width = a.inputs.width;
  const Stage probe =
      learned_rows(here / "probe", x,
                   in.graph->parameter((here / "probe.w").path, {{Axis::N, 1}, {Axis::C, width}},
                                       {Init::Kind::normal, 0.02, true}));
  const Stage gathered = attention(here / "attn", probe, x, *o.pool_attention);  // [B,1,C]
  const Stage normed = o.pool_norm ? normalize(here / "ln", gathered, *o.pool_norm) : gathered;
  const Stage sum = add(here / "resid_post", gathered,
                        feed_forward(here / "mlp", normed, o.pool_feed_forward, width, 0.02));
  return pool(in / "pooled", sum, Pool::first);  // [B,C]
}

}  // namespace

void head(const Scope& in, const HeadInputs& from, const HeadOptions& o, const Architecture& a,
          bool training) {
  Stage x = from.x;
  const Shape places = {{Axis::B, k_symbolic}, {Axis::T, k_symbolic}};
  if (o.kind == Head::none) return;
  if (o.kind == Head::next_word || o.kind == Head::masked_word) {
    const int64_t width = a.inputs.embedding_width ? a.inputs.embedding_width : a.inputs.width;
    if (o.transform) x = transformed(in, x, o, width);
    const Stage logits = words(in, x, o, from.table, a);  // [B,T,V]
    const char* said = o.kind == Head::next_word
                           ? "The scores become the probabilities of the next "
                           : "The scores become the probabilities of what stands here, each a ";
    const Stage probs =
        softmax((in / "probs").saying({"", "p = softmax(logits)", join(said, a.each, ".")}), logits, Axis::V);
    if (o.kind == Head::masked_word) in.graph->alias(k_probs_of_token, probs);
    if (training) loss_of(in, logits, places, o.label_smoothing);
    return;
  }
  if (o.kind == Head::token_classes) {
    if (o.transform) x = transformed(in, x, o, a.inputs.width);
    const Stage logits =
        project((in / "logits").saying({"", "logits = x W_U", "One score a class, for every token."}), x,
                "unembed.W_U", {{Axis::V, o.outputs}}, {.bias = o.bias, .bias_name = "unembed.b_U"});
    if (o.outputs > 1) in.graph->alias(k_probs_of_token, softmax(in / "probs", logits, Axis::V));
    if (training) loss_of(in, logits, places, o.label_smoothing);
    return;
  }
  if (o.kind == Head::forecast) fail_call("a forecast is of a series");
  Stage row = pooled(in, from, o, a);  // [B,C]
  if (o.kind == Head::embedding) {
    const Note vector = {"", "y = x W", "The vector that stands for all of it."};
    if (o.outputs > 0)
      row = project((in / "embedding").saying(vector), row, (in / "embedding.W").path, {{Axis::C, o.outputs}},
                    {.bias = o.bias, .bias_name = (in / "embedding.b").path});
    else
      in.graph->alias((in / "embedding").path, row);
    return;
  }
  if (o.transform) row = transformed(in, row, o, a.inputs.width);
  const bool classes = o.kind == Head::classes;
  const Note note = {"", "y = x W_U", classes ? "One score a class." : "The numbers the network predicts."};
  const Stage y = project((in / (classes ? "logits" : "prediction")).saying(note), row, "unembed.W_U",
                          {{Axis::V, o.outputs}}, {.bias = o.bias, .bias_name = "unembed.b_U"});
  if (classes) softmax(in / "probs", y, Axis::V);
  if (!training) return;
  if (classes)
    loss_of(in, y, {{Axis::B, k_symbolic}}, o.label_smoothing);
  else
    mean_squared_error(in / "loss", y,
                       in.graph->input("targets", {{Axis::B, k_symbolic}, {Axis::V, o.outputs}}), o.delta);
}

namespace {

// All rows side by side, or the one that is picked of them, through one matrix.
Stage ahead_of_all(const Scope& in, Stage x, const HeadOptions& o, const SeriesInputs& inputs) {
  const Note note = {"Output Layer", "y = x W_U",
                     "The moments that come next, at the size that the network sees."};
  const Note side_by_side = {"Concatenate Rows", "x[t C + c] = x[t,c]",
                             "Lays the rows of all patches side by side in one."};
  const Dim width = x.shape()[2];
  const Stage from = o.flat ? merge_heads((in / "flat").saying(side_by_side), x)
                            : pool(in / "pooled", x, o.pool);  // [B K,T C] or [B K,C]
  const Shape read = o.flat ? Shape{{Axis::T, inputs.count()}, width} : Shape{width};
  return project((in / "ahead").saying(note), from, "unembed.W_U", {{Axis::V, o.outputs}},
                 {.bias = o.bias, .from = read, .bias_name = "unembed.b_U"});  // [B K,O]
}

Stage ahead_by_turns(const Scope& in, Stage x, const HeadOptions& o, const SeriesInputs& inputs) {
  const Note note = {"Output Layer", "y = x W_U", "How the moments of this row go on, at the size it sees."};
  const Stage rows =
      project((in / "ahead_rows").saying(note), x, "unembed.W_U", {{Axis::V, o.outputs / inputs.count()}},
              {.bias = o.bias, .bias_name = "unembed.b_U"});  // [B K,T,N]
  return interleave(in / "ahead", rows);                      // [B K,O]
}

}  // namespace

void forecast_head(const Scope& in, const SeriesRows& series, const HeadOptions& o,
                   const SeriesInputs& inputs, bool training) {
  const Stage ahead = o.by_turns ? ahead_by_turns(in, series.x, o, inputs)
                                 : ahead_of_all(in, series.x, o, inputs);        // [B K,O]
  const Stage y = forecast(in / "prediction", ahead, series.loc, series.scale);  // [B,O,K]
  if (training)
    mean_squared_error(
        in / "loss", y,
        in.graph->input("targets", {{Axis::B, k_symbolic}, {Axis::V, o.outputs}, {Axis::K, inputs.channels}}),
        o.delta);
}

}  // namespace limpid
