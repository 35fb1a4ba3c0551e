// What a network reads: tokens, and where they stand.
#include "network/build.h"
#include "network/parts.h"

namespace limpid {

namespace {

const Init k_small = {Init::Kind::normal, 0.02, true};

class TokenBuilder {
 public:
  TokenBuilder(const Scope& in, const std::string& name, const TokenInputs& o, Stage lengths, bool packed)
      : in_(in),
        name_(name),
        o_(o),
        lengths_(lengths),
        packed_(packed),
        projects_(o.embedding_width && o.embedding_width != o.width) {
    adds_types_ = o.token_types > 0;
    adds_positions_ = o.positions == Positions::learned || o.positions == Positions::sinusoidal;
    steps_ =
        int{adds_types_} + int{adds_positions_} + int{o.norm.has_value()} + int{projects_ && o.projects_sum};
  }

  Stage build(Stage table) {
    const Stage ids = graph().input(name_, rows(), DType::i64);
    Stage x = embedding(in_ / "embed", ids, table);                                  // [B,T,C]
    if (projects_ && !o_.projects_sum) x = project_to_model(in_ / "embed_proj", x);  // [B,T,C]
    if (o_.scale != 1) x = scale(in_ / "scaled_embed", x, o_.scale);
    if (const auto& d = o_.token_dropout)
      x = token_dropout(in_ / "token_dropout", x, ids, d->mask_token, d->trained_share, lengths_);
    if (adds_types_) x = add(next("typed_embed", k_typed), x, types());
    if (adds_positions_) x = add(next("embed_sum", k_placed), x, positions(x));
    if (o_.norm && !o_.norm_after_projection) x = normalize(next("ln_embed", k_normed), x, *o_.norm);
    if (projects_ && o_.projects_sum) x = project_to_model(next("embed_proj", {}), x);
    if (o_.norm && o_.norm_after_projection) x = normalize(next("ln_embed", k_normed), x, *o_.norm);
    if (const std::string first = full(k_first); x.name() != first) graph().alias(first, x);
    return x;
  }

 private:
  static constexpr const char* k_first = "blocks.0.resid_pre";
  inline static const Note k_typed = {"Add", "x + token type",
                                      "A token is what it is and which of the texts it belongs to."};
  inline static const Note k_placed = {"Add", "x + position", "A token is what it is and where it stands."};
  inline static const Note k_normed = {"", "", "Brings every token's numbers to the same size."};

  Graph& graph() const { return *in_.graph; }
  std::string full(const char* name) const { return (in_ / name).path; }
  static Shape rows() { return {{Axis::B, k_symbolic}, {Axis::T, k_symbolic}}; }
  int64_t width() const { return projects_ && o_.projects_sum ? o_.embedding_width : o_.width; }

  // The last sum is what the first block reads, and is called so; a norm has outputs of its own names.
  Scope next(const char* name, const Note& note) {
    --steps_;
    const bool sum = name == std::string_view("typed_embed") || name == std::string_view("embed_sum");
    return (in_ / (steps_ == 0 && sum ? k_first : name)).saying(note);
  }

  Stage project_to_model(const Scope& in, Stage x) const {
    return project(in, x, full("embed.W_proj"), {{Axis::C, o_.width}},
                   {.bias = o_.projection_bias, .bias_name = full("embed.b_proj")});
  }

  Stage types() const {
    const Stage table = graph().parameter(full("token_type_embed.W_type"),
                                          {{Axis::N, o_.token_types}, {Axis::C, width()}}, k_small);
    return embedding(in_ / "token_type_embed", graph().input(full("token_types"), rows(), DType::i64), table);
  }

  Stage positions(Stage x) const {
    const Stage places = packed_ ? graph().input(full("places"), rows(), DType::i64) : Stage{};
    if (o_.positions == Positions::sinusoidal)
      return sinusoidal_positions(in_ / "pos_embed", x, o_.sinusoidal, places);
    const Stage table =
        graph().parameter(full("pos_embed.W_pos"), {{Axis::P, o_.context}, {Axis::C, width()}}, k_small);
    return packed_ ? embedding(in_ / "pos_embed", places, table)
                   : learned_positions(in_ / "pos_embed", x, table);
  }

  const Scope& in_;
  const std::string& name_;
  const TokenInputs& o_;
  Stage lengths_;  // [B], or none
  bool packed_, projects_, adds_types_ = false, adds_positions_ = false;
  int steps_ = 0;  // that are still to come
};

}  // namespace

Stage token_inputs(const Scope& in, const std::string& name, const TokenInputs& o, Stage table, Stage lengths,
                   bool packed) {
  return TokenBuilder(in, name, o, lengths, packed).build(table);
}

namespace {

// Learned rows before the patches.
Stage with_tokens(const Scope& in, Stage x, const std::vector<std::string>& tokens) {
  for (auto name = tokens.rbegin(); name != tokens.rend(); ++name)
    x = prepend(
        in / *name, x,
        in.graph->parameter((in / *name / "w").path, {{Axis::N, 1}, x.shape()[2]}, k_small));  // [B,1+T,C]
  return x;
}

}  // namespace

Stage patch_inputs(const Scope& in, const PatchInputs& o, int64_t width) {
  Graph& graph = *in.graph;
  const Stage pixels = graph.input(
      "pixels", {{Axis::B, k_symbolic}, {Axis::K, o.channels}, {Axis::Y, o.height}, {Axis::X, o.width}});
  const Note note = {"Linear Transform", o.bias ? "y = x W + b" : "y = x W",
                     "Turns the numbers of a square into a row of the model's width."};
  Stage x = patches(in / "patches", pixels, o.size);  // [B,T,K P P]
  x = project((in / "patch_embed").saying(note), x, (in / "patch_embed.W").path, {{Axis::C, width}},
              {.bias = o.bias, .bias_name = (in / "patch_embed.b").path});  // [B,T,C]
  x = with_tokens(in, x, o.tokens);                                         // [B,1+T,C]
  constexpr const char* k_first = "blocks.0.resid_pre";
  if (o.positions) {
    const Stage rows =
        graph.parameter((in / "pos_embed.W_pos").path, {{Axis::P, o.count()}, {Axis::C, width}}, k_small);
    x = add((in / (o.norm ? "embed_sum" : k_first))
                .saying({"Add", "x + position", "A patch is what it shows and where it stands."}),
            x, learned_positions(in / "pos_embed", x, rows));
  }
  if (o.norm) x = normalize(in / "ln_embed", x, *o.norm);
  if (const std::string first = (in / k_first).path; x.name() != first) graph.alias(first, x);
  return x;
}

SeriesRows series_inputs(const Scope& in, const SeriesInputs& o, int64_t width) {
  const Shape values = {{Axis::B, k_symbolic}, {Axis::X, o.length}, {Axis::K, o.channels}};
  const Standardized series = standardize(in / "scaled", in.graph->input("values", values),
                                          in.graph->input("observed", values, DType::i64), o.standardize);
  const Note note = {"Linear Transform", o.bias ? "y = x W + b" : "y = x W",
                     "Turns the numbers of a patch into a row of the model's width."};
  Stage x = series_patches(in / "patches", series.y, o.size, o.stride, o.apart);  // [B K,T,P]
  x = project((in / "patch_embed").saying(note), x, "patch_embed.W", {{Axis::C, width}},
              {.bias = o.bias, .bias_name = "patch_embed.b"});  // [B K,T,C]
  x = with_tokens(in, x, o.tokens);
  const Stage rows =
      in.graph->parameter("pos_embed.W_pos", {{Axis::P, o.count()}, {Axis::C, width}}, k_small);
  x = add((in / "blocks.0.resid_pre").saying({"Add", "x + position", "A patch is what happened and when."}),
          x, learned_positions(in / "pos_embed", x, rows));
  return {x, series.loc, series.scale};
}

}  // namespace limpid
