// The edits that a call names: read from its words, from files, and from runs over a data set.
#include <algorithm>

#include "core/label.h"
#include "limpid/files.h"
#include "limpid/input.h"

namespace limpid::command {

namespace {

// Sums of a value's rows, position after position.
class Mean {
 public:
  // Adds a value [B,T,...]; throws Error{call} for one that has no rows a position.
  void add(const std::string& stage, const Tensor& value) {
    Shape features;
    for (const Dim& dim : value.shape())
      if (dim.axis != Axis::B && dim.axis != Axis::T) features.append(dim);
    const int t = value.shape().find(Axis::T);
    if (t < 0 || t > 1 || value.shape().find(Axis::S) >= 0)
      fail_call("--edit ", stage,
                "=mean:FILE: a mean over positions is of values with one row a position, this is ",
                value.shape().text());
    const int64_t width = std::max<int64_t>(features.count(), 1);
    if (sums_.empty()) {
      shape_ = features;
      sums_.assign(static_cast<size_t>(width), 0);
    }
    const Tensor numbers = value.to(DType::f64);
    for (int64_t i = 0; i < numbers.count(); ++i)
      sums_[static_cast<size_t>(i % width)] += numbers.data<double>()[i];
    rows_ += numbers.count() / width;
  }
  int64_t rows() const { return rows_; }

  // The mean, of the part that the edit names.
  Tensor result(const std::map<Axis, int64_t>& where) const {
    Tensor mean(DType::f64, shape_);
    for (size_t i = 0; i < sums_.size(); ++i) mean.data<double>()[i] = sums_[i] / static_cast<double>(rows_);
    ConstView part = std::as_const(mean).view();
    Shape rest;
    for (const Dim& dim : shape_) {
      const auto named = where.find(dim.axis);
      if (named == where.end())
        rest.append(dim);
      else if (named->second >= 0 && named->second < dim.size)
        part = part.window(part.shape().find(dim.axis), named->second, 1);
    }
    Tensor out = Tensor::copy_of(part);
    out.reshape(rest);
    return out;
  }

 private:
  Shape shape_;
  std::vector<double> sums_;
  int64_t rows_ = 0;
};

bool is_trace_name(const std::string& file) {
  return file.ends_with(".safetensors") || file.ends_with(".npz");
}

std::vector<std::string> stages_fitting(const Graph& graph, const std::string& pattern) {
  if (pattern.find('*') == pattern.npos) return {graph.value(graph.require(pattern)).name};
  std::vector<std::string> names;
  for (const Value& value : graph.values())
    if (value.kind == Value::Kind::temporary && matches(pattern, value.name)) names.push_back(value.name);
  if (names.empty()) fail_call("edit: no stage fits '", pattern, "'");
  return names;
}

// NAME=mean:positions and NAME=mean:FILE.  One edit a stage, each with its own mean.
void add_means(const Edit& edit, const std::string& source, Input& input, NamedEdits& out) {
  const std::vector<std::string> stages = stages_fitting(input.model.graph(), edit.pattern);
  std::map<std::string, Mean> means;
  std::string over;
  if (is_trace_name(source)) {
    const Trace stored = load_trace(source);
    for (const std::string& stage : stages) means[stage].add(stage, stored[stage]);
  } else {
    TraceOptions options;
    for (const std::string& stage : stages) options.observe.push_back({stage, Depth::full});
    const bool own = source == "positions";
    const std::vector<std::string> lines = own ? std::vector<std::string>(1) : lines_of(source);
    for (const std::string& line : lines) {
      if (!own && input.pixels.count() > 0)
        fail_call("=mean:", source,
                  ": means over lines are of texts; a model that reads images takes mean:positions, "
                  "or a stored trace");
      const Trace seen = own ? input.trace(options) : input.model.trace(line, options);
      for (const std::string& stage : stages) means[stage].add(stage, seen[stage]);
    }
    over =
        own ? " of this text, unedited" : join(" of ", lines.size(), lines.size() == 1 ? " line" : " lines");
  }
  for (const std::string& stage : stages) {
    Edit one = edit;
    one.pattern = stage;
    one.with = means[stage].result(edit.where);
    std::string where;
    for (const auto& [axis, index] : edit.where)
      where += join(where.empty() ? "" : ",", static_cast<char>(axis), "=", index);
    if (!where.empty()) where = "[" + where + "]";
    const int64_t rows = means[stage].rows();
    out.texts.push_back(join(stage, where, "=mean:", source, " (each feature's mean over ", rows,
                             rows == 1 ? " position" : " positions", over, ")"));
    out.edits.push_back(std::move(one));
  }
}

// NAME=replace:FILE
void read_replacement(Edit& edit, const std::string& file, const std::string& text) {
  if (file.ends_with(".npy")) {
    edit.with = read_npy(file);
    return;
  }
  if (edit.pattern.find('*') != edit.pattern.npos)
    fail_call("--edit ", text, ": replace takes one stage's value; write its whole name");
  edit.with = load_trace(file)[edit.pattern];
}

}  // namespace

std::vector<std::string> lines_of(const std::string& file, bool empty_ones) {
  const std::string text = read_file(file);
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    if (line.ends_with('\r')) line.pop_back();
    if (empty_ones || !line.empty()) lines.push_back(std::move(line));
    at = end + 1;
  }
  if (lines.empty()) fail_work(file, ": it holds no line of text");
  return lines;
}

NamedEdits read_edits(const std::vector<std::string>& texts, Input& input) {
  NamedEdits out;
  for (const std::string& text : texts) {
    std::string file;
    Edit edit = edit_of(text, &file);
    if (text.ends_with("=mean:" + file) && !file.empty()) {
      add_means(edit, file, input, out);
      continue;
    }
    if (!file.empty()) read_replacement(edit, file, text);
    out.texts.push_back(file.empty() ? "" : text);
    out.edits.push_back(std::move(edit));
  }
  return out;
}

}  // namespace limpid::command
