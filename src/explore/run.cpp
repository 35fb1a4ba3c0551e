#include "explore/run.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/label.h"
#include "explore/attentions.h"
#include "explore/stored.h"

namespace limpid::explore {

namespace {

constexpr size_t k_most_runs = 6;
constexpr size_t k_most_bytes = size_t{1} << 30;  // of all runs together: what is over makes room
constexpr size_t k_most_rows = 1024;              // of a value, kept beside one another

int64_t from_zero(int64_t place, int64_t length) { return place < 0 ? place + length : place; }

// The part of a value that stands at the given places.
Tensor part_at(const Tensor& value, const std::map<Axis, int64_t>& at, const Patch& patch) {
  ConstView part = value.view();
  for (const auto& [axis, index] : at) {
    const int place = part.shape().find(axis);
    if (place < 0 || index >= value.shape()[place].size)
      fail_call("patch: ", static_cast<char>(axis), "=", index, " is outside ", patch.name, " of ",
                in_quotes(patch.text), ", which is ", value.shape().text());
    part = part.window(place, index, 1);
  }
  return Tensor::copy_of(part);
}

}  // namespace

std::vector<int> values_named(const Graph& graph, const std::string& pattern) {
  std::vector<int> out;
  if (pattern.find('*') == pattern.npos) return {graph.require(pattern)};
  for (int i = 0; i < static_cast<int>(graph.values().size()); ++i)
    if (matches(pattern, graph.value(i).name)) out.push_back(i);
  for (const auto& [alias, value] : graph.aliases())
    if (matches(pattern, alias)) out.push_back(value);
  if (out.empty()) fail_call("no stage fits ", in_quotes(pattern));
  return out;
}

Run::Run(Opened opened, Host& host, size_t room) : opened_(std::move(opened)), host_(host), room_(room) {
  trace_ = read_now({});
  short_ = !short_reads().empty();
  if (!stored() && reads_source(model().config()) && !opened_.target) {  // written once
    opened_.target.emplace();
    for (const Token& token : trace_.tokens) opened_.target->push_back(token.id);
  }
}

Trace Run::traced(const TraceOptions& given) const {
  TraceOptions options = given;
  options.edits = opened_.edits;
  options.target = opened_.target;
  options.seed = opened_.subject.seed;
  options.progress = [this](double, const std::string&) { host_.check(); };
  host_.check();
  if (opened_.subject.input.count() > 0)
    return model().trace(opened_.subject.input, options, opened_.subject.input_name);
  if (opened_.as_text && opened_.swaps.empty()) return model().trace(opened_.text, options);
  return model().trace(opened_.swapped(), options);
}

Trace Run::read_now(const std::vector<Observation>& observe) const {
  if (stored()) return read_stored(*stored(), observe);
  TraceOptions options;
  options.identify = false;
  options.reads = [&](const Trace&) { return observe; };
  return traced(options);
}

Trace Run::alone(const std::vector<Observation>& observe, bool parameters) const {
  if (stored()) return stored_alone(observe, parameters);
  TraceOptions options;
  options.observe = observe;
  options.parameters = parameters;
  return traced(options);
}

Trace Run::stored_alone(const std::vector<Observation>& observe, bool parameters) const {
  if (observe.empty()) return *stored();
  std::vector<Observation> named;
  for (const Observation& each : observe)
    for (const int value : values_named(graph(), each.pattern)) {
      named.push_back(each);
      named.back().pattern = graph().value(value).name;
    }
  Trace out = read_stored(*stored(), named);
  out.observed.clear();
  for (const Observation& each : observe) out.observed.push_back(to_text(each));
  if (parameters) out.parameters = stored()->parameters;
  return out;
}

Trace Run::alone(const std::function<std::vector<Observation>(const Trace&)>& reads, bool parameters) const {
  if (stored()) return *stored();
  TraceOptions options;
  options.reads = reads;
  options.parameters = parameters;
  return traced(options);
}

std::vector<Observation> Run::missing(const std::vector<Observation>& wanted) const {
  std::vector<Observation> out;
  for (const Observation& each : wanted)
    for (const int value : values_named(graph(), each.pattern)) {
      Observation one = each;
      one.pattern = graph().value(value).name;
      const bool whole = held_.count(one.pattern) > 0;
      if (one.depth == Depth::rows) {
        const auto held = rows_.find(one.pattern);
        const bool there =
            held != rows_.end() && std::all_of(one.places.begin(), one.places.end(), [&](int64_t p) {
              return held->second.count(from_zero(p, length())) > 0;
            });
        if (whole || there) continue;
        if (held != rows_.end() && held->second.size() + one.places.size() <= k_most_rows)
          one.places.insert(one.places.end(), held->second.begin(), held->second.end());
      } else if (held_.count(to_text(one)) > 0) {
        continue;
      }
      out.push_back(std::move(one));
    }
  return out;
}

std::vector<Observation> Run::short_reads() const {
  if (stored() || length() >= k_long_text) return {};
  const auto longest = static_cast<int64_t>(std::max(trace_.tokens.size(), trace_.source.size()));
  std::vector<Observation> out;
  int64_t numbers = 0;
  for (const Value& value : graph().values()) {
    const bool square = value.shape.find(Axis::T) >= 0 && value.shape.find(Axis::S) >= 0;
    if (value.kind != Value::Kind::temporary || square || value.shape.find(Axis::V) >= 0) continue;
    int64_t count = longest;
    for (int i = 0; i < value.shape.rank(); ++i)
      if (value.shape[i].axis != Axis::T && value.shape[i].axis != Axis::S) count *= value.shape[i].size;
    numbers += count;
    out.push_back({value.name});
  }
  return numbers <= k_short_run ? out : std::vector<Observation>();
}

const Trace& Run::read(const std::vector<Observation>& wanted) {
  std::vector<Observation> more = missing(wanted);
  if (more.empty()) return trace_;
  const bool computes =
      std::any_of(more.begin(), more.end(), [](const Observation& o) { return o.depth != Depth::shape; });
  if (computes && bytes_ > kept_bytes_ + room_) {
    make_room();
    more = missing(wanted);
  }
  const bool first = computes && !stored() && !computed_;
  const bool keeps = first && length() >= k_long_text;
  // What comes next is asked first, and is not to wait for the rest.
  const bool reads_all = computes && short_ && computed_ && !read_all_;
  if (keeps || reads_all) {
    const std::vector<Observation> beside = missing(keeps ? kept_reads(graph(), kept_map()) : short_reads());
    more.insert(more.end(), beside.begin(), beside.end());
  }
  computed_ = computed_ || computes;
  read_all_ = read_all_ || reads_all;
  hold(read_now(more), more);
  if (keeps) {
    kept_held_ = held_;
    kept_bytes_ = bytes_;
    for (const auto& [name, value] : trace_.values) kept_values_.insert(name);
  }
  return trace_;
}

void Run::hold(Trace seen, const std::vector<Observation>& asked) {
  for (const Observation& each : asked)
    if (each.depth == Depth::rows) rows_[each.pattern].clear();
  for (const Observation& each : asked) {
    if (each.depth == Depth::rows) {
      for (const int64_t place : each.places) rows_[each.pattern].insert(from_zero(place, length()));
      continue;
    }
    if (each.depth == Depth::map)  // another count takes its name
      std::erase_if(held_, [&](const std::string& text) { return text.starts_with(each.pattern + ":map"); });
    held_.insert(to_text(each));
  }
  for (auto& [name, value] : seen.values) trace_.values[name] = std::move(value);
  for (auto& [name, summary] : seen.summaries) trace_.summaries[name] = summary;
  for (std::string& note : seen.notes)
    if (std::find(trace_.notes.begin(), trace_.notes.end(), note) == trace_.notes.end())
      trace_.notes.push_back(std::move(note));
  if (seen.not_finite) trace_.not_finite = seen.not_finite;
  count_bytes();
}

const Tensor& Run::parameter(const std::string& name) {
  const auto found = trace_.parameters.find(name);
  if (found != trace_.parameters.end()) return found->second;
  const Tensor& kept = trace_.parameters[name] =
      stored() ? read_stored(*stored(), {{name}}).values.at(name) : model().parameter(name);
  count_bytes();
  return kept;
}

int64_t Run::kept_map() const {
  constexpr double k_numbers = 16 << 20;
  int64_t heads = 0;
  for (const Attention& attention : attentions_of(graph())) heads += attention.heads;
  int64_t side = 64;
  while (side < 512 && static_cast<double>(heads * side * side) * 4 <= k_numbers) side *= 2;
  return side;
}

void Run::make_room() {
  std::erase_if(trace_.values, [&](const auto& value) { return kept_values_.count(value.first) == 0; });
  std::erase_if(rows_, [&](const auto& rows) { return kept_values_.count(rows.first + "@rows") == 0; });
  trace_.parameters.clear();
  held_ = kept_held_;
  count_bytes();
}

void Run::count_bytes() {
  bytes_ = 0;
  for (const auto& [name, value] : trace_.values) bytes_ += value.bytes();
  for (const auto& [name, value] : trace_.parameters) bytes_ += value.bytes();
}

// ---- several runs --------------------------------------------------------------------------------

Opened Runs::resolved(Opened opened) {
  for (const Patch& patch : opened.patches) {
    Opened other = opened.unedited();
    other.read_text(patch.text);
    const Tensor& value = of(other).read(patch.name)[patch.name];
    Edit edit;
    edit.action = Edit::Action::replace;
    edit.pattern = patch.name;
    edit.where = patch.where;
    edit.with = part_at(value, patch.at, patch);
    opened.edits.push_back(std::move(edit));
  }
  opened.patches.clear();
  return opened;
}

Run& Runs::of(const Opened& opened) {
  const std::string key = opened.key();
  const auto found =
      std::find_if(runs_.begin(), runs_.end(), [&](const auto& run) { return run.first == key; });
  if (found != runs_.end()) {
    runs_.splice(runs_.begin(), runs_, found);
    return runs_.front().second;
  }
  Opened whole = opened.patches.empty() ? opened : resolved(opened);
  runs_.emplace_front(key, Run(std::move(whole), host_));
  size_t bytes = 0, kept = 0;
  for (const auto& [other, run] : runs_) {
    bytes += run.bytes();
    if (kept > 1 && (bytes > k_most_bytes || kept == k_most_runs)) break;
    ++kept;
  }
  runs_.erase(std::next(runs_.begin(), static_cast<std::ptrdiff_t>(kept)), runs_.end());
  return runs_.front().second;
}

}  // namespace limpid::explore
