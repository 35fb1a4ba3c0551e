// A network of texts and images: two towers that meet in their last vectors.
#include <cmath>

#include "network/build.h"
#include "network/parts.h"

namespace limpid {

namespace {

// A vector at length 1.
Stage unit(const Scope& in, Stage vector) {
  const Stage even = rms_norm(in / "embedding_norm", vector, {}, 0);
  const auto width = static_cast<double>(vector.shape()[1].size);
  return scale((in / "unit_embedding").saying({"", "y = x / |x|", "The vector at length 1."}), even,
               1 / std::sqrt(width));
}

}  // namespace

void build_pairs(Graph& graph, const Architecture& a, bool training) {
  const Architecture tower = tower_of(a, Tower::images);
  const Scope in = graph.scope("image"), root = graph.scope();
  BlockContext context{.width = tower.inputs.width, .dropout = a.dropout};
  context.out_init = tower.stack.blocks[0].attention.out_init;
  Stage x = dropped(patch_inputs(in, *tower.patches, tower.inputs.width), a.dropout);  // [B,T,C]
  x = stack(in, x, tower.stack, context);                                              // [B,T,C]
  graph.alias("image.last_hidden_state", x);
  head(in, {.x = x}, tower.head, tower, training);  // "image.embedding" [B,C]
  const auto vector = [&](const char* name) { return graph.handle(graph.require(name)); };
  const Stage texts = unit(root, vector("embedding")), images = unit(in, vector("image.embedding"));
  const Stage s = graph.parameter("pairs.log_scale", Shape{}, {Init::Kind::zeros, 0, false});
  Stage b;
  if (a.images->sigmoid) b = graph.parameter("pairs.bias", Shape{}, {Init::Kind::zeros, 0, false});
  const Stage logits = pair_scores(root / "logits", images, texts, s, b);  // [B,V]
  if (!a.images->sigmoid) softmax(root / "probs", logits, Axis::V);
  if (!training) return;
  if (a.images->sigmoid) fail_call(a.family, ": limpid has no loss of pairs that are alike or not each");
  const Stage targets = graph.input("targets", {{Axis::B, k_symbolic}}, DType::i64);
  const Stage to_images = pair_scores(root / "text_logits", texts, images, s);
  const Stage both = add(root / "loss_sum", cross_entropy(root / "image_loss", logits, targets),
                         cross_entropy(root / "text_loss", to_images, targets));
  scale(root / "loss", both, 0.5);
}

std::string_view name(Tower tower) { return tower == Tower::texts ? "texts" : "images"; }

Architecture tower_of(const Architecture& a, Tower which) {
  if (!a.images) fail_call(a.family, ": it is no network of texts and images, so it has no towers");
  Architecture out = a;
  out.images.reset();
  if (which == Tower::texts) return out;
  out.inputs = {.width = a.images->width};
  out.patches = a.images->patches;
  out.stack = a.images->stack;
  out.head = a.images->head;
  out.each = "patch";
  return out;
}

}  // namespace limpid
