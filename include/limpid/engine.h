// The engine: differentiates a graph, plans it, runs it, and shows what happened inside.
//
//   Graph graph(operations());
//   ... build it (ops.h, network.h) ...
//   differentiate(graph, loss);              // the gradient is stages too, named X.grad
//   Engine engine(graph);
//   RunResult result = engine.run(values, {.observe = {{"blocks.*.attn.pattern"}}, .keep = {"logits"}});
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "limpid/api.h"
#include "limpid/graph.h"
#include "limpid/stored.h"

namespace LIMPID_API limpid {

// ---- gradient ------------------------------------------------------------------------------------

/// Where a gradient starts: d(loss)/d(value) is given.
struct Seed {
  Stage value;
  Stage gradient;
};

/// Adds the stages of the gradient: for each value on the way, a value of the same shape named NAME.grad.
/// The gradient of a group is a group.  Throws Error{call} if a wanted value does not influence a seed.
void differentiate(Graph&, const std::vector<Seed>& seeds, const std::vector<Stage>& wanted);
/// The gradient of a scalar loss with respect to every parameter it depends on.
void differentiate(Graph&, Stage loss);

// ---- observing -----------------------------------------------------------------------------------

/// The last three are of attention weights [B,H,T,S] alone (blocks.0.attn.pattern).  They are gathered while
/// the fused kernel runs, so that nothing of the size T x S is ever stored.
enum class Depth {
  shape,    // the sizes alone: nothing is computed for it
  summary,  // shape, mean, spread, extremes
  rows,     // some positions of T (of S, where a value has no T): NAME@rows, as the value with that axis cut
         // down, and NAME@rows.index [N], i64: the positions, rising.  Of scores and weights inside a fused
         // group only these rows are rebuilt.  A value with neither axis is kept whole, under its own name
  full,
  top,      // the `count` largest weights of each row (8): NAME@topN.weight [B,H,T,N], largest first, and
            // NAME@topN.index, their keys (-1, and weight 0, where a row sees fewer)
  entropy,  // -sum w log w of each row, in nats: NAME@entropy [B,H,T]
  map,      // mean weights of blocks, at most `count` a side (64): NAME@map [B,H,T',S']
};

/// What to look at, and how closely.  `pattern` is a stage name in which * stands for anything.
struct Observation {
  std::string pattern;
  Depth depth = Depth::full;
  int64_t count = 0;  // top, map; 0: the default
  // rows: positions from 0, or from the end (-1 is the last).  Those that the run does not have are left out.
  std::vector<int64_t> places = {};
};
/// "NAME", "NAME:shape", "NAME:summary", "NAME:rows:0..7,-1", "NAME:top:8", "NAME:entropy", "NAME:map:64";
/// throws Error{call} listing the depths.
Observation observation_of(const std::string& text);
/// The other way round.
std::string to_text(const Observation&);

/// A value in one line.  Mean, spread (standard deviation) and extremes are over the finite elements; for
/// scores and weights [.., T, S] over the cells that the mask leaves.
struct Summary {
  Shape shape;
  int64_t count = 0;       // elements looked at
  int64_t non_finite = 0;  // of these, how many are NaN or infinite
  double mean = 0, spread = 0, least = 0, most = 0;
  bool operator==(const Summary&) const = default;
};
Summary summarize(const ConstView&);

// ---- editing -------------------------------------------------------------------------------------

/// A change to a value, made right after it is computed, before anything reads it.
struct Edit {
  enum class Action { zero, mean, scale, replace, cut } action = Action::zero;
  std::string pattern;                             // stage name, * stands for anything
  std::map<Axis, int64_t> where;                   // only this part: {{Axis::H, 2}}
  double factor = 1;                               // scale
  Tensor with;                                     // replace: of the value's shape
  std::vector<std::pair<int64_t, int64_t>> edges;  // cut: query t may not look at key s
};
/// "blocks.0.attn.z[H=2]=zero", "...=mean", "...=scale:0.5", "blocks.1.attn.pattern=cut:3>0,3>1" (query>key).
/// replace needs a tensor: the caller reads the file that "=replace:FILE" names (returned in `file`).
Edit edit_of(const std::string& text, std::string* file = nullptr);

// ---- parameters as they are stored ---------------------------------------------------------------

/// A parameter that every stage which reads it multiplies by, or looks rows up in: as a matrix, its outermost
/// axes the rows; experts' [M,in,out] as so many matrices one above the other.
struct StorableMatrix {
  int64_t rows = 0, columns = 0, matrices = 1;
  bool turned = true;  // it may be stored turned, too: no stage looks rows up in it
};
/// The parameters that RunOptions::stored may hold without any being expanded in a run of this graph.
std::map<std::string, StorableMatrix> storable_parameters(const Graph&);

// ---- running -------------------------------------------------------------------------------------

/// A room of append() that is kept in fewer bits than f32.
struct Room {
  // [B,S,G,D] without gaps: bf16, f16 or i8 (or f32); what is appended is rounded to nearest, ties to even.
  View rows;
  View scales;  // with i8, f32 [B,S,G] without gaps: a number is its integer times its row's and head's scale
};
/// f32, bf16, f16 or i8: what rooms may be of.  Throws Error{call} for any other type, naming `what`.
void require_room_type(const char* what, DType);

struct RunOptions {
  bool plain = false;                // every stage by its operation's reference
  DType real = DType::f32;           // f64: everything in double (then always plain)
  RunContext context;                // seed and step for dropout
  std::vector<Observation> observe;  // copies or summaries of what fits the patterns
  std::vector<Edit> edits;
  std::vector<std::string> keep;  // values to return whole; what nothing needs is not computed
  // Values for the caller's own memory: of the value's shape, contiguous, in the type of the run, sharing no
  // byte with what is bound or with other such memory.  Computed straight into it where a stage of its own
  // computes the value; else (inputs, parameters, views, the inside of a fused group) copied there.  After an
  // exception while the stages run the memory may be partly written.
  std::map<std::string, View> into;
  // Called on the calling thread, once for each name in `into`, as soon as its numbers are all in that
  // memory: the run does not touch it again, and what is left of the run goes on when the call returns.
  std::function<void(const std::string& name)> ready;
  // Parameters as they are stored, by name, beside those in run's `values`; they outlive the run, and names
  // that the graph does not have are passed over.  linear and
  // embedding read them as they are, with the bits of their f32 numbers; for anything else that reads one it
  // is expanded for this run.
  const std::map<std::string, StoredMatrix>* stored = nullptr;
  // Rooms that are kept in fewer bits, by the input's name, in place of those in run's `values`; they outlive
  // the run.  Attention reads them as they are, by the kernel of fused::decode where that has all its terms:
  // a row's bits do not depend on how a text was cut into runs.  Not plain, and not in double.
  std::map<std::string, Room> rooms;
  // Called on the calling thread before each step of the run, with the share of the work that is done (0 to
  // 1) and the stage or group that comes next; empty: not.
  std::function<void(double done, const std::string& next)> progress;
};

struct RunResult {
  std::map<std::string, Tensor> values;  // kept, or observed: in full, NAME@top8.weight, ...
  std::map<std::string, Summary>
      summaries;                   // observed as summary, or as shape (then of no element: count is 0)
  std::vector<std::string> notes;  // what the caller should know: "blocks.0.attn runs stage by stage: ..."
  /// The value of that name (aliases accepted); throws Error{call} if it was not kept.
  const Tensor& operator[](const std::string& name) const;
};

/// Runs one graph, many times.  Plans are made once for the sizes they have seen.  run may be called from
/// several threads at once (threads.h): each run has an arena of its own.
class Engine {
 public:
  /// The graph must outlive the engine and not change.
  explicit Engine(const Graph&);
  ~Engine();
  Engine(Engine&&) noexcept;

  /// Runs what `keep` and `observe` need.  `values` binds inputs and parameters by name; real ones of any
  /// floating type. Throws Error{call} naming what is missing or does not fit.  Outputs have the same bits
  /// whatever is observed, at any number of threads.
  RunResult run(const std::map<std::string, ConstView>& values, const RunOptions&) const;

  /// Bytes of the arena of the last run that began: temporaries only.
  size_t arena_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace LIMPID_API limpid
