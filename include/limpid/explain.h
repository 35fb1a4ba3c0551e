// The arithmetic behind one number of a run: which cells it was computed from, and how they combine.
//
//   const Trace trace = model.trace("Life is short", {.parameters = true});
//   const Explanation why = explain(trace, "blocks.0.attn.q[0,3,2,5]").front();
//   why.arithmetic.value();   // what the terms give, in double; why.value is what the run holds
//
// The arithmetic is the operation's own (Operation::explain), which tests hold to what the operation
// computes.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "limpid/api.h"
#include "limpid/trace.h"

namespace LIMPID_API limpid {

/// A cell as a caller writes it.
struct CellName {
  struct Place {
    Axis axis = Axis::none;  // none: by its order
    int64_t index = 0;       // below zero: from the end
    std::string word;        // not empty: the place of T, S or V that has this label
  };
  std::string name;  // of a value; TransformerLens names are accepted
  std::vector<Place> places;
};
/// "blocks.0.attn.pattern[0,2,2,1]", "blocks.0.attn.pattern[H=2,T=2,S=1]", "logits[T=short,V=·of]",
/// "loss". Words are labels of tokens as pages show them, or without the mark of their space; WORD#2 is the
/// second of several.  In quotes is a word, whatever it looks like: V="3", V=",".  Throws Error{call} for
/// brackets that do not close; what a word or number stands for is looked up by explain().
CellName cell_named(const std::string& text);

/// The values that explaining a cell of this value reads: the value itself, what its stage reads and, with a
/// depth above 1, what those stages read.  `streamed` asks for what scores and weights [.., T, S] of fused
/// attention are rebuilt from instead of them.  Throws Error{call} listing near names.
std::vector<std::string> values_explaining(const Graph&, const std::string& name, int depth = 1,
                                           bool streamed = false);

/// One number and where it comes from.
struct Explanation {
  std::string name;  // the value's, as the trace has it
  Shape shape;
  Index index;
  double value = 0;       // as the run holds it
  bool computed = false;  // false: an input or a parameter, which nothing computes; all below is then empty

  std::string label, equation, caption;  // the stage's
  struct Input {
    std::string name;
    Shape shape;
    Value::Kind kind = Value::Kind::temporary;
  };
  std::vector<Input> inputs;  // what Expr::input() counts
  Expr arithmetic;
  std::string
      edited;  // the edit that changed this number after it was computed, as it was asked for; or empty
  std::vector<std::string> edited_inputs;  // "NAME=ACTION" of edits that changed inputs
  bool rebuilt =
      false;  // scores or weights were rebuilt from q, k and what the fused kernel kept of each row
};

/// The cell, then, for a depth above 1, the largest of the computed cells that it reads, and so on.  Throws
/// Error{call} when the trace lacks the value, the cell or something it reads: naming it, and what there is.
std::vector<Explanation> explain(const Trace&, const CellName&, int depth = 1);
std::vector<Explanation> explain(const Trace&, const std::string& cell, int depth = 1);

/// For a terminal: equation, formula in names and in numbers, every long sum term by term.  Of a long sum
/// options.most_rows terms are shown, the largest by magnitude, and the rest counted and added up.
std::string page(const Trace&, const std::vector<Explanation>&, const PageOptions&);

/// The same as JSON, with every term.
std::string to_json(const Trace&, const std::vector<Explanation>&);

}  // namespace LIMPID_API limpid
