// A run as far as questions have read it: what is missing is computed when it is asked for, and kept.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "explore/opened.h"

namespace limpid::explore {

/// From so many tokens on a run costs more than the memory of what is cheap to keep: the first question that
/// reads attention then keeps, of every layer, what cells are rebuilt from, and the pooled map of every head.
inline constexpr int64_t k_long_text = 4096;
/// A run whose rows hold no more numbers than this is read once: the first question that computes keeps all
/// that has a row a token, but for what has a number a token of the vocabulary.
inline constexpr int64_t k_short_run = int64_t{1} << 22;

class Run {
 public:
  /// `opened` has its patches resolved into edits.  What is read is kept; what goes beyond `room` bytes makes
  /// room, beside what a long text keeps.
  Run(Opened opened, Host& host, size_t room = size_t{1} << 30);

  const Opened& opened() const { return opened_; }
  const Model& model() const { return opened_.model(); }
  /// Where the run was stored, the trace that holds it; else null.
  const Trace* stored() const { return opened_.subject.stored.get(); }
  const Graph& graph() const { return *trace_.graph; }
  /// Places on axis T.
  int64_t length() const { return static_cast<int64_t>(trace_.tokens.size()); }
  /// With its tokens and its graph, and the values that were read so far.
  const Trace& trace() const { return trace_; }

  /// The trace, with at least these in it.  Names may have *.
  const Trace& read(const std::vector<Observation>&);
  const Trace& read(const std::string& name) { return read({{name, Depth::full}}); }
  /// A parameter, kept in the trace's parameters from then on.
  const Tensor& parameter(const std::string& name);

  /// A trace by itself, of what is asked and no more (of a stored run: with all that it holds); of an empty
  /// list everything, as Model::trace has it.
  Trace alone(const std::vector<Observation>& observe, bool parameters) const;
  Trace alone(const std::function<std::vector<Observation>(const Trace&)>& reads, bool parameters) const;

  /// Blocks a side of the maps that a long text keeps.
  int64_t kept_map() const;
  /// Whether the second question that computes reads all that has a row a token.
  bool is_short() const { return short_; }
  size_t bytes() const { return bytes_; }

 private:
  Trace traced(const TraceOptions&) const;
  Trace read_now(const std::vector<Observation>&) const;
  Trace stored_alone(const std::vector<Observation>& observe, bool parameters) const;
  std::vector<Observation> missing(const std::vector<Observation>&) const;
  // What has a row a token and none of the vocabulary's or of keys, where it is short.
  std::vector<Observation> short_reads() const;
  void hold(Trace seen, const std::vector<Observation>& asked);
  void count_bytes();
  // Of a long text all but what it keeps.
  void make_room();

  Opened opened_;
  Host& host_;
  size_t room_;
  Trace trace_;
  std::set<std::string> held_;                     // observations, one value each
  std::map<std::string, std::set<int64_t>> rows_;  // of NAME@rows, the places from 0
  bool short_ = false, read_all_ = false;
  bool computed_ = false;  // something was; of a long text it keeps these
  std::set<std::string> kept_values_, kept_held_;
  size_t bytes_ = 0, kept_bytes_ = 0;
};

/// The runs that were asked about last.
class Runs {
 public:
  explicit Runs(Host& host) : host_(host) {}
  /// The run of what is open; patches are read from the runs of their texts.
  Run& of(const Opened&);
  void clear() { runs_.clear(); }

 private:
  Opened resolved(Opened);
  Host& host_;
  std::list<std::pair<std::string, Run>> runs_;  // the latest first
};

/// The values that a pattern names.
std::vector<int> values_named(const Graph&, const std::string& pattern);

}  // namespace limpid::explore
