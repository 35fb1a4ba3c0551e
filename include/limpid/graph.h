// A network, written once: a graph of named stages.
//
// Running it, training it, tracing it and drawing it are four readings of the same graph, and none of
// them knows one operation from another: they ask the Operation (shape, arithmetic, gradient, equation,
// caption, explanation).  To build networks see ops.h and network.h; to run them engine.h.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "limpid/api.h"
#include "limpid/tensor.h"

namespace LIMPID_API limpid {

class Graph;
class GradientContext;

// ---- options -------------------------------------------------------------------------------------

using OptionValue =
    std::variant<bool, int64_t, double, std::string, std::vector<int64_t>, std::vector<double>>;

/// What an operation was asked to do, in the form that is stored in a trace.  Code uses the typed
/// arguments of the builders in ops.h; an operation reads them back from here, once, when it is made.
class Options {
 public:
  Options() = default;
  Options(std::initializer_list<std::pair<const std::string, OptionValue>> values) : values_(values) {}
  void set(const std::string& name, OptionValue value) { values_[name] = std::move(value); }
  bool has(const std::string& name) const { return values_.count(name) > 0; }
  /// The option, or `otherwise` when it was not given; throws Error{call} if it is of another type
  /// (a whole number is accepted where a real one is asked for).
  bool flag(const std::string& name, bool otherwise = false) const;
  int64_t integer(const std::string& name, int64_t otherwise = 0) const;
  double real(const std::string& name, double otherwise = 0) const;
  std::string word(const std::string& name, const std::string& otherwise = "") const;
  const std::map<std::string, OptionValue>& all() const { return values_; }
  bool operator==(const Options&) const = default;

 private:
  std::map<std::string, OptionValue> values_;
};

// ---- the explanation of one number ---------------------------------------------------------------

/// How one output number comes from input cells, as arithmetic that can be evaluated again and shown:
/// 0.299 x 0.521 + 0.321 x 0.871 + ...
class Expr {
 public:
  enum class Kind { constant, cell, sum, product, quotient, function };
  enum class Function { exp, log, sqrt, tanh, erf, cos, sin, maximum };

  Expr(double constant = 0) : value_(constant) {}  // NOLINT: a number is an expression
  /// Element `index` of input `input`, whose value is `value`.
  static Expr cell(int input, Index index, double value);
  static Expr sum(std::vector<Expr> terms);
  static Expr product(std::vector<Expr> factors);
  static Expr quotient(Expr numerator, Expr denominator);
  static Expr call(Function, std::vector<Expr> arguments);

  Kind kind() const { return kind_; }
  Function function() const { return function_; }
  int input() const { return input_; }
  const Index& index() const { return index_; }
  const std::vector<Expr>& parts() const { return parts_; }

  /// Evaluates the arithmetic, from the cells up, in double.
  double value() const;
  /// Every cell that is read, left to right.
  std::vector<const Expr*> cells() const;
  /// The arithmetic with its numbers, `digits` after the point; a long sum shows its first and last
  /// `terms` / 2 and says how many it leaves out.
  std::string text(int digits = 3, int terms = 8) const;

 private:
  Kind kind_ = Kind::constant;
  Function function_ = Function::exp;
  double value_ = 0;
  int input_ = 0;
  Index index_;
  std::vector<Expr> parts_;
};

Expr operator+(Expr, Expr);
Expr operator-(Expr, Expr);
Expr operator*(Expr, Expr);
Expr operator/(Expr, Expr);
Expr exp(Expr);
Expr log(Expr);
Expr sqrt(Expr);
Expr tanh(Expr);
Expr erf(Expr);
Expr maximum(std::vector<Expr>);

// ---- operations ----------------------------------------------------------------------------------

using Inputs = std::span<const ConstView>;
using Outputs = std::span<const View>;

/// What a run tells its operations.  Random operations draw from (seed, step, their own stream, the
/// place of the element), so they give the same bits at any thread count and in any order.
struct RunContext {
  uint64_t seed = 0;
  uint64_t step = 0;
  /// The position of the run's first row (t = 0): more than 0 where runs before it have computed the rows
  /// before, and kept their keys and values (append).
  int64_t first_position = 0;
  /// Of each text of the batch its own [B], in place of first_position; empty: they are all the same.
  std::vector<int64_t> first_positions = {};
  /// Of a batch of which the run computes `rows` (b = 0 to rows - 1) the place of the first one in the whole:
  /// dropout draws for the places there.  rows 0: the run computes all.
  int64_t first_row = 0, rows = 0;

  int64_t first_of(int64_t b) const {
    return first_positions.empty() ? first_position : first_positions[static_cast<size_t>(b)];
  }
  /// The same of texts one behind another in one row, of which the run computes `own` tokens, from place
  /// `first` of `whole` on.  Those of a source have a part of their own, told apart by `own`.
  struct Part {
    int64_t own = 0, first = 0, whole = 0;
  };
  std::vector<Part> parts = {};

  /// Of a row of this many tokens; null: it is whole.
  const Part* part_of(int64_t tokens) const {
    for (const Part& part : parts)
      if (part.own == tokens) return &part;
    return nullptr;
  }
  /// Of `count` numbers of the run's rows, how many stand before them in the whole batch.
  int64_t before(int64_t count) const { return rows > 0 ? first_row * (count / rows) : 0; }
  /// The same, of a value: 0 where it has no rows.
  int64_t numbers_before(const Shape& shape) const {
    if (shape.rank() == 3 && shape[0].size == 1)
      if (const Part* part = part_of(shape[1].size)) return part->first * shape[2].size;
    return shape.rank() > 0 && shape[0].axis == Axis::B ? before(shape.count()) : 0;
  }
};

/// What a stage is in the textbook figure; colours follow it, the same on every surface.
enum class Role { plain, query, key, value, weights };
std::string_view name(Role);
Role role_named(std::string_view);

/// One output of an operation.  dtype f32 stands for the run's real type (f64 in a run in double);
/// i64 for token ids; boolean for masks.  `name` is empty for the only or main output.
struct Output {
  std::string name;
  Shape shape;
  DType dtype = DType::f32;
};

/// One element of one output.
struct Cell {
  int output = 0;
  Index index;
};

/// One kind of step with its options: everything limpid knows about it, in one file of src/ops/.
/// Stateless and immutable.  Inputs and outputs are contiguous; outputs never overlap inputs.
class Operation {
 public:
  virtual ~Operation() = default;
  const std::string& kind() const { return kind_; }
  const Options& options() const { return options_; }

  /// Words for a figure's box: "Softmax".
  virtual std::string label() const = 0;
  /// "A[t,s] = exp(Z[t,s]) / sum_s' exp(Z[t,s'])"
  virtual std::string equation() const = 0;
  /// One sentence for a newcomer: "Turns each row of scores into weights that add up to 1."
  virtual std::string caption() const = 0;
  virtual Role role() const { return Role::plain; }

  /// The outputs for inputs of these shapes; throws Error{call} naming what does not fit.  Works with
  /// symbolic sizes too.
  virtual std::vector<Output> shape(const std::vector<Shape>& in) const = 0;
  /// The meaning: plain loops, all reals float or all double.
  virtual void run(Inputs in, Outputs out, const RunContext&) const = 0;
  /// Adds the stages of the gradient.  The default throws Error{call}: no gradient.
  virtual void gradient(GradientContext&) const;
  /// Which input cells one output number reads, and how they combine: equals what run() writes there.
  virtual Expr explain(Inputs in, const Cell& out, const RunContext&) const = 0;
  /// True if output 0 is input 0 under another shape: no number moves.
  virtual bool is_view() const { return false; }
  /// A view that writes: run() changes numbers of input 0, which is state that outlives the run.
  virtual bool writes_in_place() const { return false; }

 private:
  friend class Registry;
  std::string kind_;
  Options options_;
};

/// An example of an operation for its tests (and for a reader): options, and what to feed it.
struct Example {
  struct Input {
    Shape shape;
    DType dtype = DType::f32;
    double low = -1, high = 1;  // drawn evenly between
    bool differentiable = true;
  };
  Options options;
  std::vector<Input> inputs;
};

/// The operations there are, by kind.
class Registry {
 public:
  using Maker = std::function<std::unique_ptr<Operation>(const Options&)>;
  struct Entry {
    std::string kind;
    Maker make;
    std::vector<Example> examples;
  };
  void add(Entry entry);
  template <class Op>
  void add(const std::string& kind, std::vector<Example> examples) {
    add({kind, [](const Options& options) { return std::make_unique<Op>(options); }, std::move(examples)});
  }
  /// Throws Error{call} for an unknown kind.
  std::shared_ptr<const Operation> make(const std::string& kind, const Options&) const;
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
};

// ---- stages --------------------------------------------------------------------------------------

/// How a parameter starts.
struct Init {
  enum class Kind { zeros, ones, normal } kind = Kind::zeros;
  double deviation = 0;
  bool decays = false;  // weight decay applies
};

/// One array of the network: an input, a parameter, or an output of a stage.
struct Value {
  enum class Kind { input, parameter, temporary };
  std::string name;
  Shape shape;
  DType dtype = DType::f32;
  Kind kind = Kind::temporary;
  int stage = -1;  // who computes it
  int output = 0;
  Init init;
};

/// What a network says about one stage where that is clearer than the operation's own words.
struct Note {
  std::string label, equation, caption;
};

/// One operation applied once.
struct StageInfo {
  std::string name;
  std::shared_ptr<const Operation> operation;
  std::vector<int> inputs;   // values
  std::vector<int> outputs;  // values
  int group = -1;
  Role role = Role::plain;
  Note note;

  std::string label() const { return note.label.empty() ? operation->label() : note.label; }
  std::string equation() const { return note.equation.empty() ? operation->equation() : note.equation; }
  std::string caption() const { return note.caption.empty() ? operation->caption() : note.caption; }
};

/// Stages that together are one thing with a fused kernel: run fused, seen stage by stage.
struct GroupInfo {
  std::string name;
  std::string kind;  // which kernel: "attention", "attention_gradient"
  Options options;
  std::vector<int> inputs, outputs;  // values, in the kernel's order
};

/// One value of a graph: what builders take and give.  As cheap as a pointer.
struct Stage {
  Graph* graph = nullptr;
  int value = -1;

  explicit operator bool() const { return graph != nullptr; }
  const std::string& name() const;
  const Shape& shape() const;
  /// Another output of the same stage; throws Error{call} if it has none of that name.
  Stage output(std::string_view name) const;
};

/// Where in the tree of names new stages go: `in / "attn" / "q"`.
struct Scope {
  Graph* graph = nullptr;
  std::string path;
  int group = -1;
  std::optional<Role> role;
  Note note;

  Scope operator/(std::string_view name) const;
  /// The same place one level up: blocks.0.attn.beside("attn_out") is blocks.0.attn_out.
  Scope beside(std::string_view name) const;
  Scope as(Role) const;
  Scope saying(Note) const;
};

class Graph {
 public:
  explicit Graph(const Registry& registry) : registry_(&registry) {}

  Scope scope(std::string_view path = "") { return {this, std::string(path), -1, std::nullopt, {}}; }
  Stage input(const std::string& name, Shape, DType = DType::f32);
  Stage parameter(const std::string& name, Shape, Init);
  /// From now on a parameter whose name starts with `prefix` is the one that starts with `other` instead,
  /// which is there already: layers that share their weights.
  void share_parameters(const std::string& prefix, const std::string& other);
  /// Applies an operation.  The stage's name is the scope's path; throws Error{call} naming the stage if
  /// the name is taken or the shapes do not fit.
  Stage add(const Scope&, const std::string& kind, const Options&, const std::vector<Stage>& inputs);
  int add_group(GroupInfo);
  void set_group_inputs(int group, const std::vector<int>& values);
  void set_group_outputs(int group, const std::vector<Stage>& outputs);
  /// Gives a value another name; throws Error{call} if it is taken.
  void rename(int value, const std::string& name);

  const std::vector<Value>& values() const { return values_; }
  const Value& value(int id) const { return values_[static_cast<size_t>(id)]; }
  const std::vector<StageInfo>& stages() const { return stages_; }
  const StageInfo& stage(int id) const { return stages_[static_cast<size_t>(id)]; }
  const std::vector<GroupInfo>& groups() const { return groups_; }
  const Registry& registry() const { return *registry_; }
  Stage handle(int value) { return {this, value}; }

  /// A second name for a value: blocks.1.resid_pre is blocks.0.resid_post.
  void alias(const std::string& name, Stage value);
  const std::map<std::string, int>& aliases() const { return aliases_; }

  /// The value of that name (aliases accepted, see canonical_name), or -1.
  int find(std::string_view name) const;
  /// As find; throws Error{call} listing near names.
  int require(std::string_view name) const;

 private:
  const Registry* registry_;
  std::vector<Value> values_;
  std::vector<StageInfo> stages_;
  std::vector<GroupInfo> groups_;
  std::map<std::string, int, std::less<>> by_name_;
  std::map<std::string, int> aliases_;
  std::vector<std::pair<std::string, std::string>> shared_;  // prefixes of parameters: this is that
};

/// A group being built: `Group g(in, "attention", options, {q, k, v}); softmax(g / "pattern", ...)`.
class Group {
 public:
  Group(const Scope& in, const std::string& kind, const Options&, const std::vector<Stage>& inputs);
  Scope operator/(std::string_view name) const;
  void gives(const std::vector<Stage>& outputs);

 private:
  Scope in_;
  int group_;
};

/// What an operation sees when it writes its gradient: its stage, the gradients of its outputs, and
/// where to put those of its inputs.
class GradientContext {
 public:
  virtual ~GradientContext() = default;
  virtual int inputs() const = 0;
  virtual Stage in(int input) const = 0;
  virtual Stage out(int output = 0) const = 0;
  /// The gradient of an output; an empty Stage if the loss does not depend on it.
  virtual Stage grad(int output = 0) const = 0;
  /// Whether anybody asks for the gradient of this input.
  virtual bool wants(int input) const = 0;
  /// Adds a stage of the gradient; the engine names it.
  virtual Stage apply(const std::string& kind, const Options&, const std::vector<Stage>& inputs) = 0;
  /// Hands over (a summand of) the gradient of an input; its shape must be the input's.
  virtual void give(int input, Stage gradient) = 0;
};

// ---- names ---------------------------------------------------------------------------------------

/// A second name of "probs" where each place's are of the token that stands there, or of its class, and not
/// of the next token: pages and figures say so.
inline constexpr const char* k_probs_of_token = "probs_of_token";

/// The name limpid uses for what may be a TransformerLens name: blocks.0.attn.hook_q, hook_embed,
/// ("q", 6) and q6 become blocks.0.attn.q, embed, blocks.6.attn.q.  Other names come back unchanged.
std::string canonical_name(std::string_view name);
/// Whether `name` fits `pattern`, in which * stands for any characters (aliases accepted).
bool matches(std::string_view pattern, std::string_view name);

// ---- the graph as text ---------------------------------------------------------------------------

/// The whole graph as JSON (what a trace file keeps), and back.  Reading throws Error{work} naming what
/// is wrong with the text.
std::string to_json(const Graph&);
Graph graph_from_json(std::string_view json, const Registry&);

}  // namespace LIMPID_API limpid
