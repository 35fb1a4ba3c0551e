// From the tensors of a file, under their names and layouts, to parameters under ours.
#include "model/families/tensors.h"

#include <algorithm>
#include <cstring>

#include "core/label.h"
#include "limpid/engine.h"
#include "limpid/network.h"
#include "model/families/expert_tensors.h"

namespace limpid {

void TensorTable::norm(const std::string& ours, const std::string& theirs, double offset) {
  add({ours + ".w", theirs + ".weight", TensorRule::Layout::vector, {}, offset});
  vector(ours + ".b", theirs + ".bias");
}

void TensorTable::projection(const std::string& here, const std::string& name, const std::string& theirs,
                             Part part) {
  linear("blocks.*." + here + ".W_" + name, theirs + ".weight", part);
  vector("blocks.*." + here + ".b_" + name, theirs + ".bias", part);
}

void TensorTable::experts_apart(const std::string& router, const std::string& experts,
                                const std::string& gate, const std::string& up, const std::string& down) {
  linear("blocks.*.mlp.W_router", router + ".weight");
  for (const auto& [ours, theirs] : {std::pair{"in", gate}, {"up", up}, {"out", down}})
    add({std::string("blocks.*.mlp.experts.W_") + ours, experts + ".#." + theirs + ".weight",
         TensorRule::Layout::experts_apart});
}

std::optional<std::string> star_of(const std::string& pattern, const std::string& name) {
  const size_t star = pattern.find('*');
  if (star == std::string::npos) return pattern == name ? std::optional(std::string()) : std::nullopt;
  const std::string_view head = std::string_view(pattern).substr(0, star),
                         tail = std::string_view(pattern).substr(star + 1);
  if (name.size() < head.size() + tail.size() || !name.starts_with(head) || !name.ends_with(tail))
    return std::nullopt;
  const std::string stands = name.substr(head.size(), name.size() - head.size() - tail.size());
  if (stands.empty() ||
      !std::all_of(stands.begin(), stands.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return std::nullopt;
  return stands;
}

std::string with_star(std::string pattern, const std::string& star) {
  if (const size_t at = pattern.find('*'); at != std::string::npos) pattern.replace(at, 1, star);
  return pattern;
}

namespace {

std::string with_expert(std::string pattern, int64_t expert) {
  if (const size_t at = pattern.find('#'); at != std::string::npos)
    pattern.replace(at, 1, std::to_string(expert));
  return pattern;
}

class Mapper {
 public:
  Mapper(const TensorTable& table, const TensorSource& file, Head head)
      : table_(table), file_(file), words_(head == Head::masked_word || head == Head::next_word) {
    const auto names = file.names();
    for (const std::string& name : names) left_.insert(name);
    for (const std::string& prefix : table.prefixes) {
      prefix_ = prefix;
      for (const TensorRule& rule : table.rules)
        if (file.find(prefix + with_expert(with_star(rule.theirs, "0"), 0))) return;
    }
    prefix_ = table.prefixes.front();
  }

  Tensor parameter(const Value& value) {
    const auto [rule, name] = source_of(value);
    used_.insert(name);
    if (rule->layout == TensorRule::Layout::experts_apart) return experts_apart(*rule, value);
    if (rule->layout == TensorRule::Layout::mxfp4_experts) used_.insert(scales_of(name));
    Tensor read_whole = read(*rule, name, value);
    file_.forget(name);
    return read_whole;
  }

  // The parameter as the file has it; nothing where it cannot be kept so, and then parameter() says what is
  // wrong with it, if anything is.
  std::optional<StoredMatrix> stored(const Value& value, const StorableMatrix& own) {
    const auto [rule, name] = source_of(value);
    if (own.matrices > 1 || is_of_experts(rule->layout)) return stored_experts_of(*rule, name, value);
    const std::optional<StoredRows> from = StoredRows::of(file_, name);
    if (!from || rule->offset != 0) return {};
    std::optional<StoredMatrix> out;
    if (rule->layout == TensorRule::Layout::as_is)
      out = stored_table(*rule, *from, value, own);
    else if (rule->layout == TensorRule::Layout::linear && own.turned)
      out = table_.linear_in_first ? stored_in_first(*rule, *from, value, own)
                                   : stored_out_first(*rule, *from, value, own);
    if (!out) return {};
    used_.insert(name);
    file_.forget(name);
    return out;
  }

 private:
  static bool is_of_experts(TensorRule::Layout layout) {
    using Layout = TensorRule::Layout;
    return layout == Layout::experts || layout == Layout::turned_experts || layout == Layout::mxfp4_experts ||
           layout == Layout::experts_apart;
  }

  std::optional<StoredMatrix> stored_experts_of(const TensorRule& rule, const std::string& name,
                                                const Value& value) {
    using Layout = TensorRule::Layout;
    const Shape& own = value.shape;
    std::vector<std::string> names = {name};
    std::optional<StoredMatrix> out;
    if (rule.layout == Layout::experts) out = stored_experts(file_, name, rule.part, own);
    if (rule.layout == Layout::turned_experts) out = stored_turned_experts(file_, name, rule.part, own);
    if (rule.layout == Layout::mxfp4_experts) {
      out = stored_mxfp4_experts(file_, name, rule.part, own);
      names.push_back(scales_of(name));
    }
    if (rule.layout == Layout::experts_apart) {
      names = names_of_experts(rule, value);
      out = stored_experts_apart(file_, names, own);
    }
    if (!out) return {};
    used_.insert(names.begin(), names.end());
    file_.forget(name);
    return out;
  }

  std::vector<std::string> names_of_experts(const TensorRule& rule, const Value& value) const {
    std::vector<std::string> names;
    for (int64_t m = 0; m < value.shape[0].size; ++m) {
      const std::string theirs = with_expert(with_star(rule.theirs, *star_of(rule.ours, value.name)), m);
      const std::string name = found(theirs);
      names.push_back(name.empty() ? prefix_ + theirs : name);
    }
    return names;
  }

  struct Source {
    const TensorRule* rule;
    std::string name;
  };
  Source source_of(const Value& value) {
    missing_.clear();
    for (const TensorRule& rule : table_.rules) {
      const auto star = star_of(rule.ours, value.name);
      if (!star || (rule.of_words && !words_)) continue;
      const std::string theirs = with_expert(with_star(rule.theirs, *star), 0);
      const std::string name = found(theirs);
      if (!name.empty()) return {&rule, name};
      missing_ = prefix_ + theirs;  // another rule may name it otherwise
    }
    if (!missing_.empty())
      fail_work(file_.name(), ": tensor '", missing_, "' is missing, which holds ", value.name, " ",
                value.shape.text());
    fail_work(file_.name(), ": its config.json describes a network with ", value.name, " ",
              value.shape.text(),
              ", for which the family's table of tensors (docs/adding-a-family.md) has no name");
  }

  // Rows of a matrix, copied from the file, or from a tensor that was read.
  struct StoredRows {
    const TensorSource* file;
    std::string name;
    TensorSource::Rows rows;
    Tensor whole;

    static std::optional<StoredRows> of(const TensorSource& file, const std::string& name) {
      if (const auto rows = file.rows_of(name)) return StoredRows{&file, name, *rows, {}};
      const TensorSource::Entry& entry = *file.find(name);
      if ((entry.dtype != DType::bf16 && entry.dtype != DType::f16) || entry.shape.rank() < 2 ||
          entry.shape.count() == 0 || !entry.unreadable.empty())
        return {};
      StoredRows out{&file, name, {}, file.read(name)};
      const int64_t count = entry.shape[0].size, each = entry.shape.count() / count;
      out.rows = {entry.dtype, BlockType::none, count, each, static_cast<size_t>(each) * 2};
      return out;
    }
    void copy(int64_t r, std::byte* to) const {
      const size_t bytes = rows.bytes;
      if (whole.count() == 0) return file->copy_row(name, r, to);
      std::memcpy(to, static_cast<const std::byte*>(whole.raw()) + static_cast<size_t>(r) * bytes, bytes);
    }
    StoredMatrix room(const Shape& shape, int64_t count, bool turned) const {
      return StoredMatrix(rows.dtype, rows.blocks, shape, count, rows.columns, turned);
    }
  };

  static std::optional<StoredMatrix> stored_table(const TensorRule& rule, const StoredRows& from,
                                                  const Value& value, const StorableMatrix& own) {
    if (from.rows.rows != own.rows + rule.skip_rows || from.rows.columns != own.columns) return {};
    StoredMatrix out = from.room(value.shape, own.rows, false);
    for (int64_t r = 0; r < own.rows; ++r) from.copy(rule.skip_rows + r, out.row(r));
    return out;
  }
  // [out,in] of a parameter [in,out]
  static std::optional<StoredMatrix> stored_out_first(const TensorRule& rule, const StoredRows& from,
                                                      const Value& value, const StorableMatrix& own) {
    const Part& part = rule.part;
    if (part.inner && part.outer * (part.end - part.begin) * part.width != own.columns) return {};
    if (from.rows.rows != stored_outputs(part, own.columns) || from.rows.columns != own.rows) return {};
    StoredMatrix out = from.room(value.shape, own.columns, true);
    each_output(part, own.columns, [&](int64_t to, int64_t at) { from.copy(at, out.row(to)); });
    return out;
  }
  // [in,out], as the parameter is
  static std::optional<StoredMatrix> stored_in_first(const TensorRule& rule, const StoredRows& from,
                                                     const Value& value, const StorableMatrix& own) {
    if (rule.part.inner || from.rows.blocks != BlockType::none || from.rows.rows != own.rows ||
        from.rows.columns != own.columns)
      return {};
    StoredMatrix out = from.room(value.shape, own.rows, false);
    for (int64_t r = 0; r < own.rows; ++r) from.copy(r, out.row(r));
    return out;
  }

 public:
  // Every tensor must have been read, or be known as none that is needed.
  void require_all_used(std::vector<std::string>* of_other_heads) const {
    for (const std::string& name : left_) {
      if (used_.count(name)) continue;
      const auto known = [&](const std::string& pattern) { return matches(pattern, name); };
      if (std::any_of(table_.ignored.begin(), table_.ignored.end(), known)) continue;
      if (of_other_heads && !prefix_.empty() && !name.starts_with(prefix_)) {
        of_other_heads->push_back(name);
        continue;
      }
      fail_work(file_.name(), ": tensor '", visible_line(name), "' ", shape_text(name),
                " belongs to nothing that its config.json describes");
    }
  }

 private:
  std::string shape_text(const std::string& name) const { return file_.find(name)->shape.text(); }

  // The name under which the tensor stands in the file: with the prefix or without, a norm's also as gamma
  // and beta (TensorFlow's, in old files).
  std::string found(const std::string& theirs) const {
    for (const std::string& prefix : {prefix_, std::string()}) {
      const std::string name = prefix + theirs;
      if (file_.find(name)) return name;
      for (const auto& [now, before] : {std::pair{".weight", ".gamma"}, {".bias", ".beta"}})
        if (name.ends_with(now))
          if (const std::string old = name.substr(0, name.size() - std::string_view(now).size()) + before;
              file_.find(old))
            return old;
    }
    return "";
  }

  [[noreturn]] void wrong_shape(const std::string& name, const Shape& is, const std::string& expected) const {
    fail_work(file_.name(), ": tensor '", visible_line(name), "' is ", is.text(), ", expected ", expected);
  }

  Tensor experts_apart(const TensorRule& rule, const Value& value) {
    const std::vector<std::string> names = names_of_experts(rule, value);
    used_.insert(names.begin(), names.end());
    return read_experts_apart(file_, names, value.shape);
  }

  Tensor read(const TensorRule& rule, const std::string& name, const Value& value) const {
    const Shape& own = value.shape;
    const bool packed = rule.layout == TensorRule::Layout::mxfp4_experts;
    if (rule.layout == TensorRule::Layout::turned_experts) {
      require_part(rule.part, name, own[own.rank() - 1].size);
      return read_turned_experts(file_, name, rule.part, own);
    }
    if (packed || rule.layout == TensorRule::Layout::experts) {
      require_part(rule.part, name, own[own.rank() - 1].size);
      return packed ? read_mxfp4_experts(file_, name, rule.part, own)
                    : read_experts(file_, name, rule.part, own);
    }
    Tensor stored = file_.read(name);
    if (!is_floating(stored.dtype()))
      fail_work(file_.name(), ": tensor '", visible_line(name), "' holds ", limpid::name(stored.dtype()),
                " numbers, expected floating ones");
    const Tensor from = stored.dtype() == DType::f32 ? std::move(stored) : stored.to(DType::f32);
    Tensor out(DType::f32, own);
    switch (rule.layout) {
      case TensorRule::Layout::as_is:
        rows(rule, name, from, out);
        break;
      case TensorRule::Layout::linear:
        matrix(rule, name, from, out);
        break;
      case TensorRule::Layout::vector:
        numbers(rule, name, from, out);
        break;
      case TensorRule::Layout::experts:
      case TensorRule::Layout::turned_experts:
      case TensorRule::Layout::mxfp4_experts:
      case TensorRule::Layout::experts_apart:
        break;  // above
    }
    if (rule.offset != 0)
      for (int64_t i = 0; i < out.count(); ++i) out.data<float>()[i] += static_cast<float>(rule.offset);
    return out;
  }

  // [1,1,C] is [C].
  static Shape without_ones(const Shape& shape) {
    std::vector<int64_t> sizes;
    for (const Dim& dim : shape)
      if (dim.size != 1) sizes.push_back(dim.size);
    return Shape::unnamed(sizes);
  }

  void rows(const TensorRule& rule, const std::string& name, const Tensor& from, Tensor& out) const {
    const int64_t each = out.shape().rank() ? out.count() / std::max<int64_t>(1, out.shape()[0].size) : 1;
    const int64_t skipped = rule.skip_rows * each;
    Shape expected = Shape::unnamed(out.shape().sizes());
    if (expected.rank() > 0) expected[0].size += rule.skip_rows;
    if (!without_ones(from.shape()).same_sizes(without_ones(expected)))
      wrong_shape(name, from.shape(), expected.text());
    std::copy_n(from.data<float>() + skipped, out.count(), out.data<float>());
  }

  void require_part(const Part& part, const std::string& name, int64_t outputs) const {
    if (part.inner && part.outer * (part.end - part.begin) * part.width != outputs)
      fail_work(file_.name(), ": tensor '", visible_line(name),
                "' does not divide into the parts that its config.json describes");
  }

  // w of ours is [in..., out...]: W_O and what reads all rows at once have two axes in, all others one.
  void matrix(const TensorRule& rule, const std::string& name, const Tensor& from, Tensor& out) const {
    const Shape& own = out.shape();
    const bool joins = own.rank() == 3 && (own[0].axis == Axis::H || own[0].axis == Axis::T);
    const int64_t in = joins ? own[0].size * own[1].size : own[0].size,
                  outputs = out.count() / std::max<int64_t>(in, 1);
    require_part(rule.part, name, outputs);
    const int64_t stored = stored_outputs(rule.part, outputs);
    const Shape expected =
        table_.linear_in_first ? Shape::unnamed({in, stored}) : Shape::unnamed({stored, in});
    // A convolution's [out,channels,height,width] is a matrix too.
    const bool fits = from.shape().rank() >= 2 && from.shape()[0].size == expected[0].size &&
                      from.count() == expected.count() &&
                      (from.shape().rank() == 2 || !table_.linear_in_first);
    if (!fits) wrong_shape(name, from.shape(), expected.text());
    const float* x = from.data<float>();
    float* y = out.data<float>();
    each_output(rule.part, outputs, [&](int64_t to, int64_t at) {
      if (table_.linear_in_first)
        for (int64_t k = 0; k < in; ++k) y[k * outputs + to] = x[k * stored + at];
      else
        for (int64_t k = 0; k < in; ++k) y[k * outputs + to] = x[at * in + k];
    });
  }

  void numbers(const TensorRule& rule, const std::string& name, const Tensor& from, Tensor& out) const {
    require_part(rule.part, name, out.count());
    const int64_t stored = stored_outputs(rule.part, out.count());
    if (from.shape().rank() != 1 || from.count() != stored)
      wrong_shape(name, from.shape(), Shape::unnamed({stored}).text());
    each_output(rule.part, out.count(),
                [&](int64_t to, int64_t at) { out.data<float>()[to] = from.data<float>()[at]; });
  }

  const TensorTable& table_;
  const TensorSource& file_;
  bool words_;
  std::string prefix_, missing_;
  std::set<std::string> left_, used_;
};

}  // namespace

std::map<std::string, Tensor> parameters_of(const Architecture& network, const TensorTable& table,
                                            const TensorSource& file, const std::string& described_by,
                                            std::vector<std::string>* of_other_heads,
                                            std::map<std::string, StoredMatrix>* stored) {
  // Before anything of its size is made: as many layers as the file can hold.
  const auto tensors = static_cast<int64_t>(file.names().size());
  const auto require_layers = [&](const Stack& stack) {
    if (stack.layers > tensors && !stack.shared)
      fail_work(described_by, ": the network has ", stack.layers, " layers, but ", file.name(),
                " holds only ", tensors, " tensors");
  };
  require_layers(network.stack);
  if (network.encoder) require_layers(network.encoder->stack);
  if (network.images) require_layers(network.images->stack);
  Graph graph(operations());
  try {
    build(graph, network);
  } catch (const Error& error) {
    fail_work(described_by, ": ", error.what());
  }
  Mapper mapper(table, file, network.head.kind);
  std::map<std::string, Tensor> out;
  const auto storable = stored ? storable_parameters(graph) : std::map<std::string, StorableMatrix>();
  for (const Value& value : graph.values()) {
    if (value.kind != Value::Kind::parameter) continue;
    const auto own = storable.find(value.name);
    std::optional<StoredMatrix> kept;
    if (own != storable.end()) kept = mapper.stored(value, own->second);
    if (kept)
      stored->emplace(value.name, std::move(*kept));
    else
      out[value.name] = mapper.parameter(value);
  }
  mapper.require_all_used(of_other_heads);
  return out;
}

}  // namespace limpid
