// diff: align, compare, and say what the first difference comes from.
#include "limpid/diff.h"

#include <cmath>
#include <set>

#include "core/label.h"
#include "core/number_text.h"
#include "trace/diff/compare.h"
#include "trace/diff/hypotheses.h"

namespace limpid {

namespace {

std::string listed(const std::vector<std::string>& names, size_t most = 6) {
  std::string out;
  for (size_t i = 0; i < names.size() && i < most; ++i) out += (i ? ", " : "") + visible_line(names[i]);
  return names.size() > most ? join(out, " and ", names.size() - most, " more") : out;
}

[[noreturn]] void fail_nothing_in_common(const Trace& a, const Activations& b, const Pairs& pairs) {
  std::vector<std::string> held;
  for (const auto& [name, tensor] : a.values) held.push_back(name);
  fail_call("diff: no array of ", b.source.empty() ? "B" : visible(b.source),
            " is a value that the trace holds; it has ",
            listed(pairs.unknown.empty() ? std::vector<std::string>{"none by its name"} : pairs.unknown),
            "; the trace has ", held.empty() ? "nothing in full" : listed(held),
            "; names may be limpid's, TransformerLens' (blocks.0.attn.hook_q) or Hugging Face's "
            "(hidden_states.0, attentions.0, logits)");
}

std::string cell_text(const Shape& shape, const Index& cell) {
  std::string out;
  for (int i = 0; i < shape.rank(); ++i) {
    const std::string place = std::to_string(cell[static_cast<size_t>(i)]);
    out += (i ? "," : "") +
           (shape[i].axis == Axis::none ? place : join(static_cast<char>(shape[i].axis), "=", place));
  }
  return out.empty() ? out : "[" + out + "]";
}

// The arithmetic of A's number in the worst cell.
void explain_worst(Diff& out, const Trace& a) {
  const StageDifference& first = out.stages[static_cast<size_t>(out.first)];
  if (!first.comparable || first.cell.empty() != (first.shape.rank() == 0)) return;
  CellName cell{first.name, {}};
  for (const int64_t place : first.cell) cell.places.push_back({Axis::none, place, ""});
  try {
    out.explanation = explain(a, cell);
  } catch (const Error& error) {
    out.notes.push_back(error.what());
  }
}

// What the two graphs say of the stage, where both are there: "epsilon is 1e-05 here and 1e-06 there".
void compare_graphs(Diff& out, const Trace& a, const Activations& b, const StageInfo& stage) {
  if (!b.graph) return;
  const int id = b.graph->find(stage.name);
  for (const StageInfo& theirs : b.graph->stages()) {
    if (theirs.name != stage.name) continue;
    if (theirs.operation->kind() != stage.operation->kind()) {
      out.notes.push_back(join("by the graphs: ", stage.name, " is ", stage.operation->kind(), " here and ",
                               theirs.operation->kind(), " there"));
      return;
    }
    if (theirs.operation->options() == stage.operation->options()) return;
    std::vector<std::string> names;
    const auto& mine = stage.operation->options().all();
    const auto& other = theirs.operation->options().all();
    for (const auto& [name, value] : mine)
      if (const auto found = other.find(name); found == other.end() || found->second != value)
        names.push_back(name);
    for (const auto& [name, value] : other)
      if (!mine.count(name)) names.push_back(name);
    out.notes.push_back(join("by the graphs: the options of ", stage.name, " differ in ", listed(names)));
    return;
  }
  if (id < 0 && a.graph->find(stage.name) >= 0)
    out.notes.push_back(join("by the graphs: B has no stage ", stage.name));
}

std::string verdict_of_inputs(const StageDifference& first) {
  if (!first.comparable)
    return join("The runs do not read the same: ", first.name, " is ", first.shape.text(), " here and ",
                first.other_shape.text(), " there.");
  return join("The runs do not read the same: ", first.name, cell_text(first.shape, first.cell), " is ",
              number_text(first.here), " here and ", number_text(first.there), " there.");
}

std::string verdict_of_numbers(const Diff& d, const Trace& a, bool own_stage) {
  const StageDifference& first = d.stages[static_cast<size_t>(d.first)];
  std::string out;
  if (!own_stage)
    out = join("B puts something between ", a.graph->value(a.graph->require(first.name)).name,
               ", which agrees, and ", first.name, ", which does not; here they are the same");
  else if (d.between.size() == 1)
    out = d.inputs.empty() ? join(first.name, " does not agree")
                           : join("The inputs of ", d.between[0], " agree, its output does not");
  else
    out = join("The difference arises between ", d.inputs.empty() ? "the beginning" : listed(d.inputs, 3),
               ", ", d.inputs.size() > 1 ? "which agree" : "which agrees", ", and ", first.name,
               ", which does not: in one of ", d.between.size(), " stages (", listed(d.between, 4), ")");
  out += ".";
  if (!first.comparable)
    return join(first.name, " is ", first.shape.text(), " here and ", first.other, " ",
                first.other_shape.text(), " there: the shapes do not fit. ", out);
  if (d.recomputed)
    return join(out, " A's own stages, run again in double, give B's numbers: A's were rounded or edited.");
  if (d.hypotheses.empty()) return out;
  const Hypothesis& best = d.hypotheses.front();
  if (best.reproduces)
    return join(out, " A gives B's numbers with this change: ", best.what, " (", best.where, ").");
  return join(out, " None of ", d.tried, " variants tried gives B's numbers.");
}

void blame(Diff& out, const Pairs& all, const Trace& a, const Activations& b, bool diagnose) {
  const Pair& pair = all.pairs[static_cast<size_t>(out.first)];
  const StageDifference& first = out.stages[static_cast<size_t>(out.first)];
  const Value& value = a.graph->value(pair.value);
  if (value.kind != Value::Kind::temporary) {
    out.verdict = verdict_of_inputs(first);
    return;
  }
  std::set<int> agreeing;
  bool own_stage = true;
  for (int i = 0; i < out.first; ++i) {
    agreeing.insert(all.pairs[static_cast<size_t>(i)].value);
    if (all.pairs[static_cast<size_t>(i)].value == pair.value && out.stages[static_cast<size_t>(i)].agrees)
      own_stage = false;
  }
  if (own_stage) agreeing.erase(pair.value);
  Region region(a, pair.value, agreeing, own_stage, first.name);
  out.inputs = region.inputs();
  if (own_stage) out.between = region.stage_names();
  if (own_stage && !region.stages().empty()) compare_graphs(out, a, b, region.stages().back());
  if (diagnose && first.comparable) find_hypotheses(out, region, pair, all, a, b);
  out.verdict = verdict_of_numbers(out, a, own_stage);
}

std::string verdict_of_agreement(const Diff& d) {
  double most = 0;
  std::string where;
  for (const StageDifference& stage : d.stages)
    if (stage.largest > most) most = stage.largest, where = stage.name;
  const std::string values = join(d.stages.size(), d.stages.size() == 1 ? " value" : " values");
  if (where.empty()) return join("All ", values, " are the same, number by number.");
  char text[32];
  std::snprintf(text, sizeof text, "%.2g", most);
  return join("All ", values, " agree; the largest difference is ", text, ", in ", where, ".");
}

}  // namespace

Diff diff(const Trace& a, const Activations& b, const DiffOptions& options) {
  if (!a.graph)
    fail_call("diff: the trace has no graph, so nothing says in which order its values come about");
  if (!(options.tolerance >= 0) || !std::isfinite(options.tolerance))
    fail_call("diff: tolerance is ", options.tolerance, ", expected 0 or more, such as 1e-4");
  if (a.words_of_pieces)
    fail_call("diff: the trace is by whole words, whose values are no stages; give the run's own");
  const Pairs all = pairs_of(a, b);
  if (all.pairs.empty()) fail_nothing_in_common(a, b, all);
  Diff out;
  out.tolerance = options.tolerance;
  out.source = b.source;
  out.missing = all.missing;
  out.unknown = all.unknown;
  out.notes = all.notes;
  if (!a.edited.empty()) out.notes.push_back("A was edited: " + listed(a.edited));
  if (!b.ignored.empty()) out.notes.push_back("no arrays, left out: " + listed(b.ignored));
  for (const Pair& pair : all.pairs) {
    out.stages.push_back(compare(pair, options.tolerance));
    if (out.first < 0 && !out.stages.back().agrees) out.first = static_cast<int>(out.stages.size()) - 1;
  }
  if (out.first < 0) {
    out.verdict = verdict_of_agreement(out);
    return out;
  }
  explain_worst(out, a);
  blame(out, all, a, b, options.diagnose);
  return out;
}

}  // namespace limpid
