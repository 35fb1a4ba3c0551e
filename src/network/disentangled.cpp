// Disentangled positions (DeBERTa, He 2020): scores by how far apart two tokens stand, made of queries and
// keys.
#include "network/build.h"
#include "network/parts.h"

namespace limpid {

namespace {

DisentangledOptions disentangled_options(const AttentionOptions& o) {
  return o.disentangled.value_or(DisentangledOptions{});
}

// The rows [N,C] of the table of distances, which all layers share.
Stage distance_rows(const Scope& in, Stage x, const AttentionOptions& o) {
  const DisentangledOptions d = disentangled_options(o);
  const size_t block = in.path.find("blocks.");
  const Scope here =
      in.graph->scope(block == std::string::npos || block == 0 ? "" : in.path.substr(0, block - 1));
  const Scope rows = here / "rel_embed", norm = here / "ln_rel";
  const std::string made = d.norm ? norm.path + ".normalized" : rows.path;
  if (const int shared = in.graph->find(made); shared >= 0) return in.graph->handle(shared);
  const Dim width = x.shape()[x.shape().rank() - 1];
  const Stage table = in.graph->parameter(rows.path + ".W_rel", {{Axis::N, 2 * d.buckets.span}, width},
                                          {Init::Kind::normal, o.init, false});
  const Stage found = position_rows(rows, x, table, d.buckets);
  const Note note = {"", "", "Brings every distance's numbers to the same size."};
  return d.norm ? normalize(norm.saying(note), found, *d.norm) : found;
}

// Of the rows of distances what `like` is of the tokens, by the same weights or by weights of its own.
Stage of_distances(const Scope& in, Stage rows, Stage like, const char* weights, const AttentionOptions& o) {
  if (!disentangled_options(o).shared)
    return project(in, rows, weights, {{Axis::H, o.heads}, {Axis::D, o.width}},
                   {.init = o.init, .bias = o.bias});
  const std::vector<int> made = in.graph->stage(in.graph->value(like.value).stage).inputs;  // x, w, b
  return linear(in, rows, in.graph->handle(made[1]), made.size() > 2 ? in.graph->handle(made[2]) : Stage{});
}

std::string transform(const char* of, const char* by, const AttentionOptions& o) {
  const std::string own = disentangled_options(o).shared ? by : of;
  return join(of, " = R W_", own, o.bias ? " + b_" + own : "");
}

}  // namespace

int score_terms(const AttentionOptions& o) {
  if (o.positions != Positions::disentangled) return 1;
  const DisentangledOptions d = disentangled_options(o);
  return 1 + int{d.content_to_position} + int{d.position_to_content};
}

double score_scale(const AttentionOptions& o) {
  return o.scale != 0 ? o.scale : 1 / std::sqrt(static_cast<double>(score_terms(o) * o.width));
}

std::string text_of_score_scale(const AttentionOptions& o) {
  if (o.scale != 0) return join(" ", o.scale);
  return join(" / sqrt(", score_terms(o) > 1 ? join(score_terms(o), " ") : "", "D), D=", o.width);
}

Stage distance_scores(const Scope& in, Stage x, Stage q, Stage k, const AttentionOptions& o) {
  if (o.appends || o.given_keys)
    fail_call(in.path, ": disentangled positions compare a text with itself, whole; keys of a run before do ",
              "not go with them");
  const DisentangledOptions d = disentangled_options(o);
  const Stage rows = distance_rows(in, x, o);
  Stage c2p, p2c;
  if (d.content_to_position) {
    const Note made = {"Keys of Distances", transform("K_pos", "K", o),
                       "What each distance offers to be found by."};
    const Stage keys = of_distances((in / "k_pos").as(Role::key).saying(made), rows, k, "K_pos", o);
    const Note note = {"Content to Position", "C[t,s] = q[t] . k_pos[t - s]" + text_of_score_scale(o),
                       "Each query is compared with the key of how far away the other token stands."};
    c2p = position_scores((in / "c2p").saying(note), q, keys, {d.buckets, false, score_scale(o)});
  }
  if (d.position_to_content) {
    const Note made = {"Queries of Distances", transform("Q_pos", "Q", o),
                       "What each distance is looking for."};
    const Stage queries = of_distances((in / "q_pos").as(Role::query).saying(made), rows, q, "Q_pos", o);
    const Note note = {"Position to Content", "P[t,s] = k[s] . q_pos[t - s]" + text_of_score_scale(o),
                       "Each key is compared with the query of the distance from which it is looked at."};
    p2c = position_scores((in / "p2c").saying(note), k, queries, {d.buckets, true, score_scale(o)});
  }
  if (!c2p || !p2c) return c2p ? c2p : p2c;
  const Note note = {"Add", "C + P", "What distances say of each pair of tokens, from both sides."};
  return add((in / "position_scores").as(Role::weights).saying(note), c2p, p2c);
}

}  // namespace limpid
