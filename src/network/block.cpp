// A block: attention, then feed-forward, each added to what it read.
#include "network/build.h"
#include "network/parts.h"

namespace limpid {

namespace {

// x + f, f scaled where the network asks for it.
Stage add_to(const Scope& in, const Note& note, Stage x, Stage f, double factor) {
  if (factor != 1) f = scale(in.graph->scope(f.name() + "_scaled"), f, factor);
  return add(in.saying(note), x, f);
}

const Note k_before_attention = {"", "", "Brings every token's numbers to the same size before attention."};
const Note k_before_feed_forward = {
    "", "", "Brings every token's numbers to the same size before the feed-forward layer."};
const Note k_after_attention = {"", "", "Brings every token's numbers to the same size after attention."};
const Note k_after_feed_forward = {
    "", "", "Brings every token's numbers to the same size after the feed-forward layer."};
const Note k_mid = {"Add", "x + attention", "Adds what attention gathered to what the token already was."};
const Note k_before_cross = {"", "",
                             "Brings every token's numbers to the same size before it looks at the source."};
const Note k_after_cross = {"", "",
                            "Brings every token's numbers to the same size after it looked at the source."};
const Note k_cross = {"Add", "x + cross-attention",
                      "Adds what attention gathered from the source to what the token already was."};
const Note k_post = {"Add", "x + feed-forward",
                     "Adds what the feed-forward layer found to what the token already was."};

}  // namespace

Stage block(const Scope& in, Stage x, const BlockOptions& o, const BlockContext& c) {
  const auto attend = [&](Stage a) {
    return dropped(attention(in / "attn", a, a, o.attention, {c.lengths, c.documents, c.documents}),
                   c.dropout);
  };
  const auto forward = [&](Stage a) {
    return dropped(feed_forward(in / "mlp", a, o.feed_forward, c.width, c.out_init), c.dropout);
  };
  const auto norm = [&](const char* name, const Note& note, Stage a) {
    return normalize((in / name).saying(note), a, o.norm);
  };
  const double factor = o.residual_scale;
  const auto scaled = [&](const char* name, Stage f) {
    if (!o.layer_scale) return f;
    const Stage w =
        in.graph->parameter((in / name).path + ".w", {{Axis::C, c.width}}, {Init::Kind::ones, 0, false});
    return gain(in / name, f, w);
  };
  if (o.parallel) {
    const Stage a = norm("ln1", k_before_attention, x);                         // [B,T,C]
    const Stage f = o.shared_norm ? a : norm("ln2", k_before_feed_forward, x);  // [B,T,C]
    const Stage mid = add_to(in / "resid_mid", k_mid, x, attend(a), factor);    // [B,T,C]
    return add_to(in / "resid_post", k_post, mid, forward(f), factor);          // [B,T,C]
  }
  const bool before = o.norms == NormPlace::before || o.norms == NormPlace::both;
  const bool inside = o.norms == NormPlace::both || o.norms == NormPlace::output;
  Stage a = attend(before && o.first_norm ? norm("ln1", k_before_attention, x) : x);
  if (inside) a = norm(before ? "ln1_post" : "ln1", k_after_attention, a);
  if (o.feed_forward.width == 0) {
    x = add_to(in / "resid_post", k_mid, x, scaled("ls1", a), factor);
    in.graph->alias((in / "resid_mid").path, x);
    return x;
  }
  x = add_to(in / "resid_mid", k_mid, x, scaled("ls1", a), factor);
  if (o.norms == NormPlace::after) x = norm("ln1", k_after_attention, x);
  if (o.cross) {
    const Stage asks = before ? norm("ln_cross", k_before_cross, x) : x;
    const VisibleRows seen = {c.memory_lengths, c.memory_documents ? c.documents : Stage{},
                              c.memory_documents};
    const Stage found = dropped(attention(in / "cross_attn", asks, c.memory, *o.cross, seen), c.dropout);
    x = add_to(in / "resid_cross", k_cross, x, found, factor);
    if (o.norms == NormPlace::after) x = norm("ln_cross", k_after_cross, x);
  }
  Stage f = forward(before ? norm("ln2", k_before_feed_forward, x) : x);
  if (inside) f = norm(before ? "ln2_post" : "ln2", k_after_feed_forward, f);
  x = add_to(in / "resid_post", k_post, x, scaled("ls2", f), factor);
  if (o.norms == NormPlace::after) x = norm("ln2", k_after_feed_forward, x);
  return x;
}

}  // namespace limpid
