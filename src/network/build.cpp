#include "network/build.h"

#include "network/parts.h"

namespace limpid {

namespace {

// As many as the deepest that was published (DeepNet).  A graph has some 25 stages a layer, so a number in a
// file must not ask for billions of them.
constexpr int64_t k_most_layers = 1000;

void check(const TextbookConfig& c) {
  if (!c.vectors && c.vocabulary < 1)
    fail_call("textbook: vocabulary is ", c.vocabulary, ", expected at least 1");
  if (c.heads < 1 || c.width < 1 || c.width % c.heads != 0)
    fail_call("textbook: width ", c.width, " cannot be shared by ", c.heads, " heads; expected a multiple");
  if (c.positions == Positions::rotary && (c.width / c.heads) % 2 != 0)
    fail_call("textbook: rotary positions need an even head width, not ", c.width / c.heads);
  if ((c.head != Head::next_word || c.vectors) && c.outputs < 1)
    fail_call("textbook: outputs is ", c.outputs, ", expected how many classes or numbers the head gives");
  if (c.context < 1) fail_call("textbook: context is ", c.context, ", expected at least 1");
}

void check(const GptConfig& c) {
  if (c.vocabulary < 1) fail_call("gpt: vocabulary is ", c.vocabulary, ", expected at least 1");
  if (c.layers < 1 || c.layers > k_most_layers)
    fail_call("gpt: layers is ", c.layers, ", expected 1 to ", k_most_layers);
  if (c.context < 1) fail_call("gpt: context is ", c.context, ", expected at least 1");
  if (c.heads < 1 || c.width < 1 || c.width % c.heads != 0)
    fail_call("gpt: width ", c.width, " cannot be shared by ", c.heads, " heads; expected a multiple");
  if (c.kv_heads < 0 || (c.kv_heads > 0 && c.heads % c.kv_heads != 0))
    fail_call("gpt: ", c.heads, " heads cannot share ", c.kv_heads, " key/value heads; expected a divisor");
  if (c.positions == Positions::rotary && (c.width / c.heads) % 2 != 0)
    fail_call("gpt: rotary positions need an even head width, not ", c.width / c.heads);
  if (!(c.rotary_base > 0)) fail_call("gpt: rotary_base is ", c.rotary_base, ", expected more than 0");
  if (!(c.epsilon >= 0)) fail_call("gpt: epsilon is ", c.epsilon, ", expected at least 0");
  for (double rate : {c.dropout, c.attention_dropout})
    if (!(rate >= 0 && rate < 1))
      fail_call("gpt: dropout is ", rate, ", expected at least 0 and less than 1");
}

}  // namespace

void predict_words(const Scope& in, Stage x, Stage tied, int64_t vocabulary, bool training,
                   const std::string& each) {
  const Note note = {"Output Layer", tied ? "logits = x W_E^T" : "logits = x W_U",
                     join("One score per ", each, " that could come next.")};
  const Scope here = (in / "logits").saying(note);
  const Stage logits = tied ? linear(here, x, tied, {}, {.transposed = true})  // [B,T,V]
                            : project(here, x, "unembed.W_U", {{Axis::V, vocabulary}}, {});
  softmax((in / "probs")
              .saying({"", "p = softmax(logits)",
                       join("The scores become the probabilities of the next ", each, ".")}),
          logits, Axis::V);
  if (training)
    cross_entropy(in / "loss", logits,
                  in.graph->input("targets", {{Axis::B, k_symbolic}, {Axis::T, k_symbolic}}, DType::i64));
}

void build(Graph& graph, const NetworkConfig& config, Purpose purpose) {
  if (const auto* textbook = std::get_if<TextbookConfig>(&config)) {
    check(*textbook);
    build_textbook(graph, *textbook, purpose);
  } else {
    const auto& gpt = std::get<GptConfig>(config);
    check(gpt);
    build_gpt(graph, gpt, purpose);
  }
}

}  // namespace limpid
