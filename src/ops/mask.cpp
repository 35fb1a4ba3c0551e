// Mask: a score that its query may not see becomes -inf, so that softmax gives it a weight of exactly zero.
//
// A cell is visible when all that was asked for allow it: causal (no key after the query), a sliding window
// (no key too long before it), the lengths of the sequences (no padding), documents that stand one behind
// another (none but its own), and any pattern of the caller's.
#include "limpid/ops.h"
#include "ops/scores.h"

namespace limpid {

namespace {

// Who may see whom, in one run.
struct Sight {
  const RunContext& context;
  bool causal = false;
  int64_t first_query = 0, window = 0;
  std::optional<int64_t> window_after = {};
  const int64_t* lengths = nullptr;
  const int64_t *documents = nullptr, *key_documents = nullptr;
  const bool* allowed = nullptr;
  int allowed_rank = 0;
  int64_t heads = 1, queries = 1, keys = 1;

  bool operator()(int64_t b, int64_t h, int64_t t, int64_t s) const {
    const int64_t place = t + first_query + context.first_of(b);
    if (causal && s > place) return false;
    if (window > 0 && s <= place - window) return false;
    if (window_after && s > place + *window_after) return false;
    if (lengths && s >= lengths[b]) return false;
    if (documents && documents[b * queries + t] != key_documents[b * keys + s]) return false;
    if (!allowed) return true;
    int64_t row = t;
    if (allowed_rank == 3) row = b * queries + t;
    if (allowed_rank == 4) row = (b * heads + h) * queries + t;
    return allowed[row * keys + s];
  }
};

// Input 0 is what is masked; then, where the options say so, the lengths, the documents of the queries and of
// the keys, and the allowed cells.
class MaskBase : public Operation {
 public:
  explicit MaskBase(const Options& options)
      : causal_(options.word("kind", "causal") == "causal"),
        lengths_(options.flag("lengths")),
        documents_(options.flag("documents")),
        allowed_(options.flag("allowed")),
        first_query_(options.integer("first_query")),
        window_(options.integer("window")) {
    const std::string word = options.word("kind", "causal");
    if (word != "causal" && word != "none") fail_call("mask kind is '", word, "', expected causal or none");
    if (window_ < 0) fail_call("window is ", window_, ", expected at least 1, or 0 for none");
    if (options.has("window_after")) window_after_ = options.integer("window_after");
    if (window_after_ && *window_after_ < 0)
      fail_call("window_after is ", *window_after_, ", expected at least 0");
  }
  Role role() const override { return Role::weights; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    const size_t expected = documents_at() + 2 * size_t{documents_} + size_t{allowed_};
    require_inputs(in, expected, expected);
    const Shape& scores = in[0];
    require_scores(scores);
    if (lengths_ && !(in[1].rank() == 1 && fits(in[1][0].size, scores[0].size)))
      fail_call("lengths is ", in[1].text(), ", expected [B] of the scores ", scores.text());
    if (documents_) require_documents(in[documents_at()], in[documents_at() + 1], scores);
    if (allowed_) require_allowed(in.back(), scores);
    return {{"", scores}};
  }

 protected:
  size_t documents_at() const { return 1 + size_t{lengths_}; }
  static void require_documents(const Shape& queries, const Shape& keys, const Shape& scores) {
    if (!fit(queries, {scores[0], scores[2]}) || !fit(keys, {scores[0], scores[3]}))
      fail_call("the documents are ", queries.text(), " and ", keys.text(),
                ", expected [B,T] and [B,S] of the scores ", scores.text());
  }
  static void require_allowed(const Shape& allowed, const Shape& scores) {
    bool right = allowed.rank() >= 2 && allowed.rank() <= 4;
    for (int i = 1; right && i <= allowed.rank(); ++i) {
      int axis = 4 - i;                             // S, T, and before them
      if (allowed.rank() == 3 && i == 3) axis = 0;  // [B,T,S]: the heads are left out
      right = fits(allowed[allowed.rank() - i].size, scores[axis].size);
    }
    if (!right)
      fail_call("allowed is ", allowed.text(), ", expected [T,S], [B,T,S] or [B,H,T,S] of the scores ",
                scores.text());
  }

  Sight sight(Inputs in, const RunContext& context) const {
    const Shape& scores = in[0].shape();
    Sight see{context, causal_, first_query_, window_, window_after_};
    see.heads = scores[1].size, see.queries = scores[2].size, see.keys = scores[3].size;
    if (lengths_) {
      see.lengths = in[1].data<int64_t>();
      for (int64_t b = 0; b < scores[0].size; ++b)
        if (see.lengths[b] < 0 || see.lengths[b] > see.keys)
          fail_call("lengths[", b, "] is ", see.lengths[b], ", expected 0 to ", see.keys,
                    ", the number of keys");
    }
    if (documents_) {
      see.documents = in[documents_at()].data<int64_t>();
      see.key_documents = in[documents_at() + 1].data<int64_t>();
    }
    if (allowed_) {
      see.allowed = in.back().data<bool>();
      see.allowed_rank = in.back().shape().rank();
    }
    return see;
  }

  // Copies what is visible, puts `otherwise` elsewhere.
  void run_with(Inputs in, Outputs out, double otherwise, const RunContext& context) const {
    on_real(out[0], [&]<class R>() {
      const Sight see = sight(in, context);
      const auto x = in[0].as<R>();
      const auto y = out[0].as<R>();
      each_cell(in[0].shape(), [&](int64_t b, int64_t h, int64_t t, int64_t s) {
        y(b, h, t, s) = see(b, h, t, s) ? x(b, h, t, s) : static_cast<R>(otherwise);
      });
    });
  }

  Expr explain_with(Inputs in, const Index& at, double otherwise, const RunContext& context) const {
    return sight(in, context)(at[0], at[1], at[2], at[3]) ? cell(in, 0, at) : Expr(otherwise);
  }

  // "s <= t and t - s < 4 and s < length": what a visible key fulfils.
  std::string condition() const {
    std::string text;
    const auto also = [&](const std::string& what) { text += (text.empty() ? "" : " and ") + what; };
    const std::string place = text_of_query("t", first_query_);
    if (causal_) also("s <= " + place);
    if (window_ > 0) also(join("s > ", place, " - ", window_));
    if (window_after_) also(join("s <= ", place, " + ", *window_after_));
    if (lengths_) also("s < length");
    if (documents_) also("document[s] = document[t]");
    if (allowed_) also("allowed[t,s]");
    return text;
  }

  bool causal_, lengths_, documents_, allowed_;
  int64_t first_query_, window_;
  std::optional<int64_t> window_after_;
};

class MaskScores final : public MaskBase {
 public:
  using MaskBase::MaskBase;
  std::string label() const override { return "Mask"; }
  std::string equation() const override {
    return condition().empty() ? "Z[t,s] = X[t,s]" : "Z[t,s] = X[t,s] if " + condition() + ", else -inf";
  }
  std::string caption() const override {
    if (condition().empty()) return "Hides nothing: every token may look at every token.";
    if (causal_ && window_ > 0)
      return "A token may look at itself and a few before it; all other scores become -inf.";
    if (causal_)
      return "A token may look at itself and those before it; the scores of later ones become -inf.";
    if (window_ > 0 && window_after_)
      return "A token may look at itself and a few on both sides; all other scores become -inf.";
    return "Scores of tokens that must not be looked at become -inf, which softmax turns into a weight of 0.";
  }

  void run(Inputs in, Outputs out, const RunContext& context) const override {
    run_with(in, out, -k_infinity, context);
  }

  void gradient(GradientContext& g) const override {
    if (!g.wants(0)) return;
    std::vector<Stage> inputs = {g.grad()};
    for (int i = 1; i < g.inputs(); ++i) inputs.push_back(g.in(i));
    g.give(0, g.apply("mask_gradient", options(), inputs));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext& context) const override {
    return explain_with(in, out.index, -k_infinity, context);
  }
};

// dX = dZ where visible, 0 where masked: a hidden score changes nothing.
class MaskGradient final : public MaskBase {
 public:
  using MaskBase::MaskBase;
  std::string label() const override { return "Mask Gradient"; }
  std::string equation() const override {
    return condition().empty() ? "dX[t,s] = dZ[t,s]" : "dX[t,s] = dZ[t,s] if " + condition() + ", else 0";
  }
  std::string caption() const override { return "A hidden score changes nothing, so its gradient is 0."; }

  void run(Inputs in, Outputs out, const RunContext& context) const override {
    run_with(in, out, 0, context);
  }
  Expr explain(Inputs in, const Cell& out, const RunContext& context) const override {
    return explain_with(in, out.index, 0, context);
  }
};

}  // namespace

Stage mask(const Scope& in, Stage scores, const MaskOptions& o, const MaskInputs& given) {
  Options options = {{"kind", std::string(o.kind == Mask::causal ? "causal" : "none")}};
  if (o.first_query != 0) options.set("first_query", o.first_query);
  if (o.window != 0) options.set("window", o.window);
  if (o.window_after) options.set("window_after", *o.window_after);
  std::vector<Stage> inputs = {scores};
  if (given.lengths) {
    options.set("lengths", true);
    inputs.push_back(given.lengths);
  }
  if (given.documents) {
    options.set("documents", true);
    inputs.push_back(given.documents);
    inputs.push_back(given.key_documents);
  }
  if (given.allowed) {
    options.set("allowed", true);
    inputs.push_back(given.allowed);
  }
  return in.graph->add(in, "mask", options, inputs);
}

void register_mask(Registry& all) {
  const Shape scores = scores_shape(2, 2, 3, 5), square = scores_shape(1, 2, 6, 6);
  const Shape pairs = scores.part(2, 2), of_batch = {scores[0], scores[2], scores[3]};
  const Example::Input lengths = {scores.part(0, 1), DType::i64, 0, 6};
  const Example::Input queries = {{scores[0], scores[2]}, DType::i64, 0, 2},
                       keys = {{scores[0], scores[3]}, DType::i64, 0, 2};
  const std::string none = "none";
  const Options everything = {
      {"first_query", int64_t{2}}, {"window", int64_t{2}}, {"lengths", true}, {"allowed", true}};
  all.add<MaskScores>(
      "mask", {{{}, {{square}}},
               {{{"first_query", int64_t{2}}}, {{scores}}},
               {{{"first_query", int64_t{-1}}}, {{scores}}},
               {{{"window", int64_t{2}}}, {{square}}},
               {{{"kind", none}}, {{scores}}},
               {{{"kind", none}, {"window", int64_t{1}}}, {{scores}}},
               {{{"kind", none}, {"window", int64_t{2}}, {"window_after", int64_t{1}}}, {{square}}},
               {{{"kind", none}, {"lengths", true}}, {{scores}, lengths}},
               {{{"documents", true}}, {{scores}, queries, keys}},
               {{{"kind", none}, {"allowed", true}}, {{scores}, {pairs, DType::boolean}}},
               {{{"allowed", true}}, {{scores}, {of_batch, DType::boolean}}},
               {everything, {{scores}, {scores.part(0, 1), DType::i64, 3, 6}, {scores, DType::boolean}}}});
  all.add<MaskGradient>("mask_gradient", {{{}, {{square}}},
                                          {{{"kind", none}, {"documents", true}}, {{scores}, queries, keys}},
                                          {everything, {{scores}, lengths, {scores, DType::boolean}}}});
}

}  // namespace limpid
