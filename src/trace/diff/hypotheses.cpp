#include "trace/diff/hypotheses.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <tuple>

#include "trace/diff/compare.h"
#include "trace/diff/variants.h"

namespace limpid {

namespace {

constexpr double k_most_work = 4e9;   // multiply-adds of all trials together: some seconds
constexpr size_t k_few_stages = 12;   // in so few stages other inputs are tried too
constexpr double k_share_left = 0.1;  // of the difference, that a variant which explains it may leave
constexpr size_t k_most_named = 4;

// One or several stages of a region, each computed otherwise in the same way.
struct Trial {
  std::string what;
  int rank = 0;
  std::map<int, Variant> changes;  // by the stage's place in the region
};

// "blocks.3.attn.q" without its layer: "attn.q".
std::string tail_of(const std::string& name) {
  if (!name.starts_with("blocks.")) return name;
  const size_t dot = name.find('.', 7);
  return dot == name.npos ? name : name.substr(dot + 1);
}

std::string block_of(const std::string& name) { return name.substr(0, name.size() - tail_of(name).size()); }

class Trials {
 public:
  Trials(const Region& region, const Tensor* wanted) : region_(region) {
    for (size_t i = 0; i < region.stages().size(); ++i) add_stage(static_cast<int>(i), wanted);
  }

  /// The same mistake at every stage of an operation, at those of one name in all layers, at single stages.
  std::vector<Trial> take() {
    std::vector<Trial> out;
    std::set<std::pair<std::string, std::vector<int>>> seen;
    for (const auto* groups : {&by_kind_, &by_name_, &single_})
      for (const std::string& key : order_.at(groups)) {
        const Trial& trial = groups->at(key);
        std::vector<int> stages;
        for (const auto& [stage, variant] : trial.changes) stages.push_back(stage);
        if (seen.emplace(trial.what, stages).second) out.push_back(trial);
      }
    return out;
  }

  void add(int stage, Variant variant) {
    const StageInfo& info = region_.stages()[static_cast<size_t>(stage)];
    const std::string what = "\n" + variant.what;
    put(by_kind_, info.operation->kind() + what, stage, variant);
    put(by_name_, tail_of(info.name) + what, stage, variant);
    put(single_, info.name + what, stage, variant);
  }

  void add_single(int stage, Variant variant) {
    const std::string key = region_.stages()[static_cast<size_t>(stage)].name + "\n" + variant.what;
    put(single_, key, stage, std::move(variant));
  }

 private:
  using Groups = std::map<std::string, Trial>;

  void add_stage(int stage, const Tensor* wanted) {
    StageCall c = region_.call(stage);
    const bool last =
        std::find(c.stage.outputs.begin(), c.stage.outputs.end(), region_.target()) != c.stage.outputs.end();
    if (last) c.wanted = wanted, c.wanted_output = region_.target_output();
    for (Variant& variant : variants_of(c)) add(stage, std::move(variant));
  }

  void put(Groups& groups, const std::string& key, int stage, Variant variant) {
    const auto [at, fresh] = groups.emplace(key, Trial{variant.what, variant.rank, {}});
    if (fresh) order_[&groups].push_back(key);
    at->second.changes.emplace(stage, std::move(variant));
  }

  const Region& region_;
  Groups by_kind_, by_name_, single_;
  std::map<const Groups*, std::vector<std::string>> order_ = {
      {&by_kind_, {}}, {&by_name_, {}}, {&single_, {}}};
};

// A stage with one of its inputs another tensor, which `kept` keeps.
Variant with_input(const std::string& what, int rank, size_t input, std::shared_ptr<const Tensor> kept) {
  return {what, rank, [input, kept](const StageCall& c) {
            Tensors in = c.in;
            Tensor shaped = *kept;
            shaped.reshape(in.at(input)->shape());
            in[input] = &shaped;
            return c.run(c.stage.operation->kind(), c.options(), in);
          }};
}

// ---- parameters ----------------------------------------------------------------------------------

// Other matrices of A's, of the same sizes, that could have been taken for this one.
void add_other_parameters(Trials& trials, int stage, const Region& region, const Trace& a) {
  const StageCall c = region.call(stage);
  for (size_t k = 0; k < c.in.size(); ++k) {
    const int id = c.stage.inputs[k];
    if (id < 0 || c.graph.value(id).kind != Value::Kind::parameter) continue;
    const std::string& own = c.graph.value(id).name;
    for (const auto& [name, tensor] : a.parameters) {
      const bool near = block_of(name) == block_of(own) || tail_of(name) == tail_of(own);
      if (name == own || !near || !tensor.shape().same_sizes(c.in[k]->shape())) continue;
      trials.add_single(stage, with_input(join("reads ", name, " in place of ", own), 0, k,
                                          std::make_shared<Tensor>(tensor.to(DType::f64))));
    }
  }
}

// The last matrix is the embedding's, where A has one of its own.
void add_tied_table(Trials& trials, int stage, const Region& region, const Trace& a) {
  const StageCall c = region.call(stage);
  const auto table = a.parameters.find("embed.W_E");
  if (table == a.parameters.end() || c.in.size() < 2) return;
  const Shape &own = c.in[1]->shape(), &other = table->second.shape();
  if (own.rank() != 2 || other.rank() != 2 || c.options().flag("transposed") ||
      own[0].size != other[1].size || own[1].size != other[0].size)
    return;
  const auto kept = std::make_shared<Tensor>(table->second.to(DType::f64));
  trials.add_single(
      stage, {"the head is tied: reads embed.W_E in place of " + c.graph.value(c.stage.inputs[1]).name, 0,
              [kept](const StageCall& call) {
                Tensors in = call.in;
                in[1] = kept.get();
                Options options = call.options();
                options.set("transposed", true);
                return call.run(call.stage.operation->kind(), options, in);
              }});
}

// B's own parameters, where it is a trace that kept them.
void add_their_parameters(Trials& trials, int stage, const Region& region, const Activations& b) {
  const StageCall c = region.call(stage);
  for (size_t k = 0; k < c.in.size(); ++k) {
    const int id = c.stage.inputs[k];
    if (id < 0 || c.graph.value(id).kind != Value::Kind::parameter) continue;
    const auto theirs = b.parameters.find(c.graph.value(id).name);
    if (theirs == b.parameters.end() || !theirs->second.shape().same_sizes(c.in[k]->shape())) continue;
    trials.add_single(stage, with_input(join("B's own ", theirs->first, ", which holds other numbers"), 1, k,
                                        std::make_shared<Tensor>(theirs->second.to(DType::f64))));
  }
}

// ---- other inputs --------------------------------------------------------------------------------

// B's values of the shape of an input, read in its place: a norm that stands elsewhere, a branch taken off at
// another point.  Values of A by its pairs, and arrays that A does not know.
void add_rewired(Trials& trials, int stage, const Region& region, const Pair& parts, const Pairs& all,
                 const Activations& b) {
  const StageCall c = region.call(stage);
  const std::string block = block_of(c.stage.name);
  for (size_t k = 0; k < c.in.size(); ++k) {
    const int id = c.stage.inputs[k];
    if (c.in[k]->dtype() != DType::f64 || (id >= 0 && c.graph.value(id).kind == Value::Kind::parameter))
      continue;
    const std::string own = id >= 0 ? c.graph.value(id).name : parts.name;
    const auto add = [&](const std::string& name, const std::string& shown, const ConstView& numbers) {
      if (block_of(name) != block || !is_floating(numbers.dtype())) return;
      const std::optional<AlignedNumbers> both = aligned(*c.in[k], numbers);
      if (!both || both->repeats != 1) return;
      trials.add_single(stage, with_input(join("reads ", shown, " in place of ", own), 3, k,
                                          std::make_shared<Tensor>(both->there)));
    };
    for (const Pair& pair : all.pairs)
      if (pair.value != parts.value && pair.value != id) add(pair.name, pair.name, pair.other_numbers());
    for (const std::string& name : all.unknown)
      if (const auto found = b.arrays.find(name); found != b.arrays.end())
        add(canonical_name(name), name + ", which only B has,", found->second);
  }
}

// ---- trying --------------------------------------------------------------------------------------

std::string where_of(const Region& region, const Trial& trial) {
  const std::string first = region.stages()[static_cast<size_t>(trial.changes.begin()->first)].name;
  return trial.changes.size() == 1 ? first : join(first, " and ", trial.changes.size() - 1, " more");
}

struct Scored {
  Hypothesis hypothesis;
  int rank = 0;
};

void name_best(Diff& out, std::vector<Scored>& scored) {
  std::stable_sort(scored.begin(), scored.end(), [](const Scored& a, const Scored& b) {
    const auto key = [](const Scored& s) {
      return std::tuple(!s.hypothesis.reproduces, s.hypothesis.reproduces ? s.rank : 0, s.hypothesis.largest);
    };
    return key(a) < key(b);
  });
  for (const Scored& each : scored) {
    const bool more = each.hypothesis.reproduces && out.hypotheses.size() < k_most_named;
    if (more || out.hypotheses.empty()) out.hypotheses.push_back(each.hypothesis);
  }
}

}  // namespace

void find_hypotheses(Diff& out, Region& region, const Pair& pair, const Pairs& all, const Trace& a,
                     const Activations& b) {
  if (region.stages().empty()) return;
  if (!region.lacking().empty()) {
    std::string names;
    for (size_t i = 0; i < region.lacking().size() && i < 4; ++i)
      names += (i ? ", " : "") + region.lacking()[i];
    out.notes.push_back(
        join("no variant was tried: the trace lacks ", names, region.lacking().size() > 4 ? ", ..." : "",
             "; keep everything: limpid trace ... --observe \"*\" --params -o FILE.safetensors"));
    return;
  }
  if (region.cost() > k_most_work / 4) {
    out.notes.push_back(join("no variant was tried: ", region.stages().size(),
                             " stages are too much to run again; give B's numbers of more stages"));
    return;
  }
  region.run();
  const std::optional<AlignedNumbers> both = aligned(*pair.here, pair.other_numbers());
  if (!both) return;
  const std::optional<AlignedNumbers> again = aligned(region.result(), pair.other_numbers());
  if (again && compare(again->here, again->there, out.tolerance).agrees()) {
    out.recomputed = true;
    return;
  }
  const std::optional<AlignedNumbers> own = aligned(region.result(), *pair.here);
  if (own && !compare(own->here, own->there, out.tolerance).agrees())
    out.notes.push_back(join("what A's graph gives for ", pair.name,
                             " is not what A holds: the run was edited, or not by this graph"));
  const bool plain = both->repeats == 1;
  Trials trials(region, plain ? &both->there : nullptr);
  const bool few = region.stages().size() <= k_few_stages;
  for (int stage = 0; stage < static_cast<int>(region.stages().size()); ++stage) {
    if (few) add_other_parameters(trials, stage, region, a);
    add_tied_table(trials, stage, region, a);
    add_their_parameters(trials, stage, region, b);
    if (few) add_rewired(trials, stage, region, pair, all, b);
  }
  const Comparison before = compare(both->here, both->there, out.tolerance);
  std::vector<Scored> scored;
  double work = 0;
  int64_t left_out = 0;
  for (const Trial& trial : trials.take()) {
    const double cost = region.cost_of(trial.changes);
    if (work + cost > k_most_work) {
      ++left_out;
      continue;
    }
    work += cost;
    std::optional<Tensor> result;
    try {
      result = region.run(trial.changes);
    } catch (const Error&) {  // a variant that these shapes do not allow
      continue;
    }
    if (!result) continue;
    ++out.tried;
    const std::optional<AlignedNumbers> now = aligned(*result, pair.other_numbers());
    if (!now) continue;
    const Comparison found = compare(now->here, now->there, out.tolerance);
    const bool explains = found.agrees() && !(found.largest > k_share_left * before.largest);
    const bool better = found.largest < before.largest || found.beyond < before.beyond;
    if (explains || better)
      scored.push_back({{trial.what, where_of(region, trial), found.largest, explains}, trial.rank});
  }
  if (left_out > 0)
    out.notes.push_back(
        join(left_out, " variants were not tried: too much to compute; give B's numbers of more stages"));
  name_best(out, scored);
}

}  // namespace limpid
