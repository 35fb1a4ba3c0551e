// Attention as the paper draws it: one call a box.
#include "limpid/random.h"
#include "network/build.h"
#include "network/parts.h"

namespace limpid {

namespace {

struct Heads {
  Stage q, k, v;
};

std::string equation(const char* name, bool bias) {
  return join(name, " = X W_", name, bias ? join(" + b_", name) : "");
}

Shape key_heads(const AttentionOptions& o) {
  return {{Axis::G, o.kv_heads ? o.kv_heads : o.heads}, {Axis::D, o.width}};
}

// Queries, keys or values, cut off where the network does so: everything after reads what is left.
Stage rows_of_heads(const Scope& in, Stage x, const std::string& weight, const Shape& heads,
                    const Projection& projection, double limit) {
  if (limit == 0) return project(in, x, weight, heads, projection);
  Scope whole = in;
  whole.path += "_unclipped";
  Scope cut = in;
  cut.note = {};
  return clip(cut, project(whole, x, weight, heads, projection), limit);
}

Stage queries(const Scope& in, Stage x, const AttentionOptions& o) {
  const Note note = {"Linear Transform (Q)", equation("Q", o.bias),
                     join("What each ", o.each, " is looking for.")};
  return rows_of_heads((in / "q").as(Role::query).saying(note), x, "Q",
                       {{Axis::H, o.heads}, {Axis::D, o.width}}, {.init = o.init, .bias = o.bias},
                       o.clip);  // [B,T,H,D]
}

// Keys or values that a run before has computed.
Stage given_rows(const Scope& in, const AttentionOptions& o) {
  Shape rows = {{Axis::B, k_symbolic}, {Axis::S, k_symbolic}};
  for (const Dim& dim : key_heads(o)) rows.append(dim);
  return in.graph->input(in.path, rows);
}

Heads projections(const Scope& in, Stage x, Stage memory, const AttentionOptions& o) {
  const Stage q = queries(in, x, o);
  if (o.given_keys) return {q, given_rows(in / "k", o), given_rows(in / "v", o)};
  const auto [k, v] = keys_and_values(in, memory, o);
  return {q, k, v};
}

// Each head's row of numbers by itself, or the rows of all heads as one.
Stage normed(const Scope& in, Stage x, const AttentionOptions& o) {
  if (!o.query_key_norm_joins_heads) return normalize(in, x, *o.query_key_norm);
  const Stage whole = normalize(
      in, merge_heads(in.beside(in.path.ends_with("q_norm") ? "q_row" : "k_row"), x), *o.query_key_norm);
  return split_heads(in / "heads", whole, x.shape()[2].size);
}

void turn(const Scope& in, Stage x, Heads& heads, const RotaryOptions& o, bool texts) {
  const Stage cos = rotary_angles(in / "rotary", x, o, texts), sin = cos.output("sin");  // [T,E]
  heads.q = rotary((in / "rot_q").as(Role::query), heads.q, cos, sin, o);                // [B,T,H,D]
  heads.k = rotary((in / "rot_k").as(Role::key), heads.k, cos, sin, o);                  // [B,S,G,D]
}

// Keys or values behind those of the runs before.
Stage appended(const Scope& in, const std::string& name, Role role, Stage rows) {
  Shape room = rows.shape();
  room[0].size = room[1].size = k_symbolic;
  const Stage kept = in.graph->input((in / (name + "_room")).path, room, DType::f32);
  return append((in / (name + "_all")).as(role), kept, rows);
}

RelativeBiasOptions bias_options(const AttentionOptions& o) {
  return {o.mask != Mask::causal, o.bias_distance, o.first_query};
}

// The table of a relative bias, which layers may share.
Stage bias_table(const Scope& in, const AttentionOptions& o) {
  const bool patches = o.positions == Positions::patch_bias;
  if (o.positions != Positions::relative_bias && !patches) return {};
  if (!o.bias_table.empty())
    if (const int shared = in.graph->find(o.bias_table); shared >= 0) return in.graph->handle(shared);
  return in.graph->parameter(
      o.bias_table.empty() ? (in / "rel_bias").path : o.bias_table,
      {{Axis::N, patches ? patch_bias_rows(o.patch_lines, o.patch_columns) : o.buckets}, {Axis::H, o.heads}},
      {Init::Kind::normal, o.init, false});
}

// What a position adds to the scores, where positions live there.
Stage with_positions(const Group& g, const Scope& in, Stage scores, Stage q, Stage table,
                     const AttentionOptions& o) {
  if (o.positions == Positions::alibi)
    return alibi((g / "biased_scores").as(Role::weights), scores, o.first_query);
  if (o.positions == Positions::relative_bias) {
    return relative_bias((g / "biased_scores").as(Role::weights), scores, table, bias_options(o));
  }
  if (o.positions == Positions::patch_bias)
    return patch_bias((g / "biased_scores").as(Role::weights), scores, table, o.patch_lines, o.patch_columns);
  if (o.positions == Positions::relative_keys) {
    const Stage rows =
        in.graph->parameter((in / "W_rel").path, {{Axis::N, 2 * o.max_distance + 1}, {Axis::D, o.width}},
                            {Init::Kind::normal, o.init, false});
    return relative_keys((g / "biased_scores").as(Role::weights), scores, q, rows, o.first_query);
  }
  return scores;
}

// What the fused kernels are told; inputs of the group after q, k and v: the lengths, the documents, the bias
// table, or a bias, the sinks.
Options kernel_options(const Scope& in, const AttentionOptions& o, const VisibleRows& seen) {
  Options options = {{"scale", score_scale(o)},
                     {"causal", o.mask == Mask::causal},
                     {"fused", o.positions != Positions::relative_keys}};  // no input for its table
  if (o.window) options.set("window", o.window);
  if (o.window_after) options.set("window_after", *o.window_after);
  if (o.first_query) options.set("first_query", o.first_query);
  if (o.softcap != 0) options.set("softcap", o.softcap);
  if (o.sinks) options.set("sinks", true);
  if (o.positions == Positions::alibi) options.set("alibi", true);
  if (seen.lengths) options.set("lengths", true);
  if (seen.documents) options.set("documents", true);
  if (o.positions == Positions::relative_bias) {
    options.set("relative_bias", true);
    options.set("bidirectional", bias_options(o).bidirectional);
    options.set("max_distance", o.bias_distance);
  }
  if (o.positions == Positions::patch_bias) {
    options.set("patch_bias", true);
    options.set("lines", o.patch_lines);
    options.set("columns", o.patch_columns);
  }
  if (o.positions == Positions::disentangled) options.set("bias", true);
  if (o.dropout > 0) {  // as the stage pattern_dropout draws
    options.set("dropout", o.dropout);
    options.set("stream", int64_t{stream_named((in / "pattern_dropout").path)});
  }
  return options;
}

}  // namespace

KeysAndValues keys_and_values(const Scope& in, Stage memory, const AttentionOptions& o) {
  const Projection keys = {.init = o.init, .bias = o.bias && o.key_bias, .keys = true},
                   values = {.init = o.init, .bias = o.bias, .keys = true};
  const Note key = {"Linear Transform (K)", equation("K", keys.bias),
                    join("What each ", o.each, " offers to be found by.")};
  const Note value = {"Linear Transform (V)", equation("V", o.bias),
                      join("What each ", o.each, " passes on when it is attended to.")};
  return {rows_of_heads((in / "k").as(Role::key).saying(key), memory, "K", key_heads(o), keys, o.clip),
          rows_of_heads((in / "v").as(Role::value).saying(value), memory, "V", key_heads(o), values, o.clip)};
}

Stage attention(const Scope& in, Stage x, Stage memory, const AttentionOptions& o, const VisibleRows& seen) {
  if (o.positions == Positions::rotary && o.first_query != 0)
    fail_call(in.path,
              ": rotary positions turn queries and keys from position 0 on, expected first_query 0, not ",
              o.first_query);
  Heads heads = projections(in, x, memory, o);
  if (o.query_key_norm) {
    heads.q = normed((in / "q_norm").as(Role::query), heads.q, o);  // [B,T,H,D]
    heads.k = normed((in / "k_norm").as(Role::key), heads.k, o);    // [B,S,G,D]
  }
  if (o.positions == Positions::rotary) turn(in, x, heads, o.rotary, o.appends);
  if (o.appends) {
    heads.k = appended(in, "k", Role::key, heads.k);    // [B,S,G,D], S as large as the room
    heads.v = appended(in, "v", Role::value, heads.v);  // [B,S,G,D]
  }
  const auto [q, k, v] = heads;
  const Stage table = bias_table(in, o);
  std::vector<Stage> inputs = {q, k, v};
  if (seen.lengths) inputs.push_back(seen.lengths);
  if (seen.documents) inputs.insert(inputs.end(), {seen.documents, seen.memory_documents});
  if (table) inputs.push_back(table);
  Stage distances;
  if (o.positions == Positions::disentangled) distances = distance_scores(in, x, q, k, o);  // [B,H,T,S]
  if (distances) inputs.push_back(distances);
  Stage sinks;
  if (o.sinks) {
    sinks =
        in.graph->parameter((in / "sinks").path, {{Axis::H, o.heads}}, {Init::Kind::normal, o.init, false});
    inputs.push_back(sinks);
  }

  Group g(in, "attention", kernel_options(in, o, seen), inputs);          // run fused; seen stage by stage
  Stage scores = raw_scores((g / "raw_scores").as(Role::weights), q, k);  // [B,H,T,S]   q . k
  if (o.positions == Positions::relative_keys) scores = with_positions(g, in, scores, q, table, o);
  const Note smaller = {"", "Z" + text_of_score_scale(o),
                        "Keeps the scores from growing with the width of a head."};
  const Note other = {"", "Z" + text_of_score_scale(o),
                      "Keeps the scores in the range that softmax separates well."};
  scores = scale((g / "scaled_scores").as(Role::weights).saying(o.scale != 0 ? other : smaller), scores,
                 score_scale(o));
  if (o.softcap != 0) scores = softcap((g / "capped_scores").as(Role::weights), scores, o.softcap);
  if (o.positions != Positions::relative_keys) scores = with_positions(g, in, scores, q, table, o);
  if (distances) {
    const Note note = {"Add", "Z + position scores",
                       "What the two tokens are, and how far apart they stand."};
    scores = add((g / "biased_scores").as(Role::weights).saying(note), scores, distances);
  }
  if (o.mask != Mask::none || o.window || o.window_after || seen.lengths || seen.documents)
    scores =
        mask((g / "scores").as(Role::weights), scores, {o.mask, o.first_query, o.window, o.window_after},
             {.lengths = seen.lengths, .documents = seen.documents, .key_documents = seen.memory_documents});
  else
    in.graph->alias((in / "scores").path, scores);
  const Scope weights = (g / "pattern").as(Role::weights);
  Stage pattern = o.sinks ? softmax_beside_sinks(weights, scores, sinks)
                          : softmax(weights, scores, Axis::S, true);           // [B,H,T,S]   rows sum to 1
  const Stage lse = pattern.output("lse"), rest = pattern.output("lse_rest");  // [B,H,T]
  if (o.dropout > 0) pattern = dropout((g / "pattern_dropout").as(Role::weights), pattern, o.dropout);
  const Stage z = weighted_sum((g / "z").as(Role::value), pattern, v);  // [B,T,H,D]
  g.gives({z, lse, rest});

  const Stage joined = merge_heads(in / "joined", z);  // [B,T,C]
  if (o.out_width == 0) return joined;
  const Note note = {"Linear Transform (O)", o.out_bias ? "O = z W_O + b_O" : "O = z W_O",
                     "Joins what the heads have gathered."};
  const std::string name = in.path.substr(in.path.rfind('.') + 1) + "_out";  // attn_out
  return project(in.beside(name).saying(note), joined, (in / "W_O").path, {{Axis::C, o.out_width}},
                 {.init = o.out_init,
                  .bias = o.out_bias,
                  .from = {{Axis::H, o.heads}, {Axis::D, o.width}},
                  .bias_name = (in / "b_O").path});  // [B,T,C]
}

}  // namespace limpid
