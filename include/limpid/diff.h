// Where two runs part: the first stage whose numbers differ, and what is different about it.
//
//   const Trace a = model.trace(tokens, {.parameters = true});
//   const Diff d = diff(a, load_activations("reference.safetensors"));
//   if (d.parts()) print(d.verdict);   // "the inputs of blocks.0.attn.rot_q agree, its output does not"
//
// A is a trace, with its graph; B is another trace, or numbers of another program under its names.  Stages
// are compared in the order of A's graph.  What is wrong with the first that parts is found by computing:
// with A's inputs and parameters every stage in question is run in the ways in which it is usually got wrong,
// and a way is named only where it gives B's numbers.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "limpid/api.h"
#include "limpid/explain.h"
#include "limpid/trace.h"

namespace LIMPID_API limpid {

/// Numbers of a run by name: limpid's names, TransformerLens' (blocks.0.attn.hook_q, blocks.0.hook_resid_pre,
/// blocks.0.attn.q.hook_out), Hugging Face's (hidden_states.0, attentions.0, logits, last_hidden_state,
/// input_ids), each also behind "out." or "in.".
struct Activations {
  std::string source;  // for messages: the file
  std::map<std::string, Tensor> arrays;
  std::shared_ptr<const Graph> graph;        // of a trace: its second names count too; or null
  std::map<std::string, Tensor> parameters;  // of a trace that kept them
  std::vector<std::string> ignored;          // what was there and is no array
};

/// A trace, a .safetensors or .npz file, or a folder of .npy, .npz and .safetensors files (an array NAME.npy
/// is called NAME).  Throws Error{work} for what is none of these or holds no array.
Activations load_activations(const std::string& path);
Activations activations_of(const Trace&, std::string source = "");

struct DiffOptions {
  /// Numbers agree within tolerance x max(|number|, scale), where scale is the stage's largest magnitude, but
  /// at most 1 and at least 0.001.
  double tolerance = 1e-4;
  bool diagnose = true;  // tries variants
};

/// One value of A beside B's of that name.
struct StageDifference {
  std::string name;   // A's: the stage's, or its second name (blocks.1.resid_pre)
  std::string other;  // as B calls it
  Shape shape, other_shape;
  bool comparable = true;  // false: the shapes do not fit each other
  bool agrees = true;
  double largest = 0;          // |a - b|; infinite where one of them is NaN or infinite alone
  int64_t beyond = 0;          // cells that differ by more than the tolerance
  Index cell;                  // of A: where they differ most, by the tolerance
  double here = 0, there = 0;  // the two numbers of that cell
};

/// A way of computing that gives B's numbers (or comes nearest to them).
struct Hypothesis {
  std::string what;    // "epsilon 1e-06 in place of 1e-05"
  std::string where;   // the stage, or "blocks.0.attn.rot_q and 1 more"
  double largest = 0;  // what is left of the difference
  bool reproduces = false;
};

struct Diff {
  double tolerance = 0;
  std::string source;
  std::vector<StageDifference> stages;  // in the order of A's graph
  std::vector<std::string> missing;     // values of A that B lacks
  std::vector<std::string> unknown;     // arrays of B that name no value of A
  int first = -1;                       // of `stages`: the first that parts; -1: none
  std::vector<std::string> inputs;      // values, known to agree, that the difference arises from
  std::vector<std::string> between;     // A's stages from those to the one that parts, that one included
  bool recomputed = false;  // A's stages, run again in double, give B's numbers: A's are rounded or edited
  std::vector<Hypothesis> hypotheses;    // best first: all that give B's numbers, else the nearest one
  int64_t tried = 0;                     // variants computed
  std::vector<Explanation> explanation;  // of A's number in the worst cell; empty where A cannot say
  std::vector<std::string> notes;        // what could not be done, and what to keep so that it can
  std::string verdict;                   // one or two sentences

  bool parts() const { return first >= 0; }
};

/// Throws Error{call} where A has no graph or no value that B has, and for a tolerance that is none.
Diff diff(const Trace& a, const Activations& b, const DiffOptions& = {});

/// The table, the first stage that parts, its worst cell and that cell's arithmetic, and the verdict.
std::string page(const Trace& a, const Diff&, const PageOptions&);
std::string to_json(const Trace& a, const Diff&);

}  // namespace LIMPID_API limpid
