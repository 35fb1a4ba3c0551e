#include "explore/stored.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "core/label.h"
#include "engine/fast.h"
#include "engine/observe.h"
#include "engine/watch.h"
#include "trace/check.h"

namespace limpid::explore {

namespace {

const Tensor* found_in(const std::map<std::string, Tensor>& all, const std::string& name) {
  const auto found = all.find(name);
  return found == all.end() ? nullptr : &found->second;
}

const Tensor* whole(const Trace& stored, const std::string& name) {
  const Tensor* const value = found_in(stored.values, name);
  return value ? value : found_in(stored.parameters, name);
}

bool is_streamed(const Trace& stored, const std::string& name, std::string_view depth) {
  const auto next = stored.values.lower_bound(name + "@" + std::string(depth));
  return next != stored.values.end() && next->first.starts_with(name + "@" + std::string(depth));
}

[[noreturn]] void fail_not_held(const Trace& stored, const std::string& name) {
  if (stored.graph->value(stored.graph->require(name)).kind == Value::Kind::parameter)
    fail_call(name, " is not stored: the trace has no parameters; keep them: limpid trace ... --params -o ",
              "FILE.safetensors");
  const Held as = held(stored, name);
  const char* const seen = as == Held::rows       ? "some of its rows"
                           : as == Held::streamed ? "what was gathered of its rows"
                           : as == Held::summary  ? "its summary"
                                                  : "nothing of it";
  fail_call(name, " is not stored: the trace holds ", seen, "; keep it: limpid trace ... --observe ", name,
            " -o FILE.safetensors");
}

// What was gathered of weights has the sizes that the run's weights have.
void require_sizes(const std::string& name, const Tensor& numbers, const Shape& weights) {
  bool right = numbers.dtype() == DType::f32 && weights.rank() == 4;
  const bool map = name.ends_with("@map");
  for (int i = 0; right && i < numbers.shape().rank(); ++i) {
    const int64_t size = numbers.shape()[i].size, whole_size = weights[i].size;
    if (map && i >= 2) {  // blocks of one size but the last
      const int64_t block = size > 0 ? (whole_size + size - 1) / size : 0;
      right = block > 0 && (whole_size + block - 1) / block == size;
    } else {
      right = size == whole_size;
    }
  }
  if (!right)
    fail_work("'", visible(name), "' of the trace is ", numbers.shape().text(),
              ", which does not fit weights ", weights.text());
}

// What is asked of a stored run, into a trace of no more than that.
class Reader {
 public:
  Reader(const Trace& stored, Trace& to) : stored_(stored), to_(to) {}

  void take(const Observation& asked) {
    switch (asked.depth) {
      case Depth::shape:
        to_.summaries[asked.pattern].shape = shape_of(asked.pattern);
        return;
      case Depth::entropy:
      case Depth::map:
        return gather(asked);
      default:
        break;
    }
    const auto summary = stored_.summaries.find(asked.pattern);
    if (const Tensor* value = whole(stored_, asked.pattern))
      asked.depth == Depth::rows ? cut_rows(asked, *value) : void(to_.values[asked.pattern] = *value);
    else if (asked.depth == Depth::rows)
      take_rows(asked);
    else if (asked.depth == Depth::summary && summary != stored_.summaries.end())
      to_.summaries.insert(*summary);
    else
      fail_not_held(stored_, asked.pattern);
  }

 private:
  const Shape& shape_of(const std::string& name) {
    if (shapes_.empty()) shapes_ = shapes_in_run(stored_, "that is shown");
    return shapes_[static_cast<size_t>(stored_.graph->require(name))];
  }

  void gather(const Observation& asked) {
    const std::string name = asked.pattern + (asked.depth == Depth::map ? "@map" : "@entropy");
    if (const Tensor* weights = whole(stored_, asked.pattern)) {
      Streamed wanted;
      add(wanted, asked, asked.pattern);
      GroupWatch watch = watch_room(wanted, weights->shape());
      watch_stored(watch, weights->view());
      return hand_over(std::move(watch), asked.pattern, weights->shape(), to_.values);
    }
    const Tensor* const kept = found_in(stored_.values, name);
    if (!kept) fail_not_held(stored_, asked.pattern);
    require_sizes(name, *kept, shape_of(asked.pattern));
    to_.values[name] = *kept;
  }

  // As a run has them: each once, rising.
  void cut_rows(const Observation& asked, const Tensor& value) {
    const int axis = rows_axis(value.shape());
    if (axis < 0 || value.count() == 0) return void(to_.values[asked.pattern] = value);
    const int64_t length = value.shape()[axis].size;
    std::set<int64_t> places;
    for (const int64_t place : asked.places)
      if (const int64_t at = place < 0 ? place + length : place; at >= 0 && at < length) places.insert(at);
    const std::vector<int64_t> rising(places.begin(), places.end());
    Shape shape = value.shape();
    shape[axis].size = static_cast<int64_t>(rising.size());
    Tensor rows(value.dtype(), shape);
    size_t each = byte_size(value.dtype());  // bytes of a row
    for (int i = axis + 1; i < shape.rank(); ++i) each *= static_cast<size_t>(shape[i].size);
    const size_t blocks = value.bytes() / (each * static_cast<size_t>(length));
    const auto* from = static_cast<const char*>(value.raw());
    auto* to = static_cast<char*>(rows.raw());
    for (size_t block = 0; block < blocks; ++block, from += each * static_cast<size_t>(length))
      for (const int64_t at : rising) {
        std::memcpy(to, from + each * static_cast<size_t>(at), each);
        to += each;
      }
    to_.values[asked.pattern + "@rows"] = std::move(rows);
    to_.values[asked.pattern + "@rows.index"] = Tensor::of<int64_t>({{Axis::N, shape[axis].size}}, rising);
  }

  void take_rows(const Observation& asked) {
    const std::string name = asked.pattern + "@rows";
    const Tensor *rows = found_in(stored_.values, name), *index = found_in(stored_.values, name + ".index");
    if (!rows || !index) fail_not_held(stored_, asked.pattern);
    const int64_t *begin = index->data<int64_t>(), *end = begin + index->count();
    const int axis = rows_axis(shape_of(asked.pattern));
    for (const int64_t place : asked.places) {
      const int64_t at = place < 0 && axis >= 0 ? place + shape_of(asked.pattern)[axis].size : place;
      if (std::find(begin, end, at) == end)
        fail_call(asked.pattern, " is stored at some positions, and ", at,
                  " is none of them; keep it whole: limpid trace ... --observe ", asked.pattern,
                  " -o FILE.safetensors");
    }
    to_.values[name] = *rows;
    to_.values[name + ".index"] = *index;
  }

  const Trace& stored_;
  Trace& to_;
  std::vector<Shape> shapes_;
};

}  // namespace

std::string_view name(Held held) {
  constexpr std::string_view k_names[] = {"whole", "rows", "streamed", "summary", "none"};
  return k_names[static_cast<int>(held)];
}

Held held(const Trace& stored, const std::string& name) {
  if (whole(stored, name)) return Held::whole;
  const Value& value = stored.graph->value(stored.graph->require(name));
  const int group = value.stage < 0 ? -1 : stored.graph->stage(value.stage).group;
  if (group >= 0) {
    const GroupInfo& info = stored.graph->groups()[static_cast<size_t>(group)];
    if (value.name.starts_with(info.name + ".") &&
        can_rebuild(stored, info, std::string_view(value.name).substr(info.name.size() + 1)))
      return Held::whole;
  }
  if (is_streamed(stored, name, "rows")) return Held::rows;
  if (is_streamed(stored, name, "")) return Held::streamed;
  const auto summary = stored.summaries.find(name);
  return summary != stored.summaries.end() && summary->second.count > 0 ? Held::summary : Held::none;
}

bool can_rebuild(const Trace& stored, const GroupInfo& group, std::string_view stage) {
  const auto plain = stored.numbers.find("plain");
  if (!limpid::rebuilds(group, stage) || !stored.edited.empty() ||
      (plain != stored.numbers.end() && plain->second != 0))
    return false;
  const auto there = [&](int id) {
    const Tensor* const value = whole(stored, stored.graph->value(id).name);
    return value && value->dtype() == DType::f32;
  };
  return std::all_of(group.inputs.begin(), group.inputs.end(), there) &&
         std::all_of(group.outputs.begin(), group.outputs.end(), there);
}

Trace without_values(const Trace& all) {
  Trace out;
  out.engine_version = all.engine_version;
  out.title = all.title;
  out.model_hash = all.model_hash;
  out.text = all.text;
  out.tokens = all.tokens;
  out.source_text = all.source_text;
  out.source = all.source;
  out.keys = all.keys;
  out.vocabulary = all.vocabulary;
  out.token_word = all.token_word;
  out.graph = all.graph;
  out.observed = all.observed;
  out.edited = all.edited;
  out.notes = all.notes;
  out.numbers = all.numbers;
  out.metrics = all.metrics;
  out.not_finite = all.not_finite;
  out.words_of_pieces = all.words_of_pieces;
  return out;
}

Trace read_stored(const Trace& stored, const std::vector<Observation>& asked) {
  Trace out = without_values(stored);
  Reader reader(stored, out);
  for (const Observation& each : asked) reader.take(each);
  return out;
}

Subject stored_subject(Trace trace) {
  Subject out;
  out.stored = std::make_shared<const Trace>(std::move(trace));
  return out;
}

// ---- the same run again
// ------------------------------------------------------------------------------------

namespace {

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

std::vector<int64_t> ids_of(const std::vector<Token>& tokens) {
  std::vector<int64_t> out;
  for (const Token& token : tokens) out.push_back(token.id);
  return out;
}

std::string first_difference(const Trace& stored, const Trace& again) {
  for (const auto& [name, value] : stored.values) {
    const Tensor* const other = found_in(again.values, name);
    if (!other) return join("it holds ", name, ", which a run of the text alone does not have");
    const bool narrow = other->dtype() == DType::bf16 || other->dtype() == DType::f16;  // stored as f32
    if (!same_bits(value, narrow ? other->to(DType::f32) : *other))
      return join("this machine computes other numbers of ", name);
  }
  return "";
}

}  // namespace

std::string why_another_run(const Model& model, const Trace& stored) {
  if (stored.model_hash.empty() || stored.model_hash != model.hash()) return "it is a run of another model";
  const NetworkConfig& config = model.config();
  if (reads_images(config) || reads_series(config) || reads_source(config) || stored.tokens.empty())
    return "it is a run of an image, a series or an encoder-decoder, which is not run again";
  const auto plain = stored.numbers.find("plain");
  if (plain != stored.numbers.end() && plain->second != 0) return "it was run by the reference arithmetic";
  const std::vector<int64_t> ids = ids_of(stored.tokens);
  TraceOptions options;
  options.identify = false;
  try {
    for (const std::string& text : stored.observed) options.observe.push_back(observation_of(text));
    for (const std::string& text : stored.edited) options.edits.push_back(edit_of(text));
    const bool as_text = !stored.text.empty() && model.tokenizer() && model.encode(stored.text) == ids;
    return first_difference(stored, as_text ? model.trace(stored.text, options) : model.trace(ids, options));
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace limpid::explore
