#include "model/families/writing.h"

#include <set>

#include "core/label.h"
#include "limpid/network.h"
#include "model/families/tensors.h"

namespace limpid {

namespace {

// ---- which family --------------------------------------------------------------------------------

// Without what changes no number of a run: names for people, what training alone reads, words for the same.
Architecture canonical(Architecture a) {
  a.family.clear();
  a.each = "token";
  a = without_dropout(std::move(a));
  // Rotary positions are the attention's, learned ones the inputs'.
  if (a.inputs.positions == Positions::rotary) a.inputs.positions = Positions::none;
  const auto norm = [](NormOptions& o) { o.bias = o.bias && o.kind != Norm::rms; };
  for (BlockOptions& block : a.stack.blocks) {
    const AttentionOptions defaults;
    AttentionOptions& o = block.attention;
    o.init = defaults.init;
    o.out_init = defaults.out_init;
    o.each = "token";
    if (o.positions == Positions::learned) o.positions = Positions::none;
    if (o.positions != Positions::rotary) o.rotary = {};
    o.rotary.pairing = Pairing::halves;  // weights are put into that order
    if (o.kv_heads == 0) o.kv_heads = o.heads;
    norm(block.norm);
    if (block.feed_forward.activation == Activation::swiglu)
      block.feed_forward.activation = Activation::silu, block.feed_forward.gated = true;
  }
  if (a.stack.final_norm) norm(*a.stack.final_norm);
  a.inputs.context = 0;  // every family has one
  return a;
}

bool is_bias(const std::string& key) { return key == "bias" || key == "out_bias" || key == "key_bias"; }

// Where the two part: "stack.blocks.0.norm.kind is layer, not rms"; empty where they do not, but for biases
// that ours lacks.
std::string first_difference(const Json& ours, const Json& theirs, const std::string& path,
                             const std::string& key) {
  if (ours == theirs) return "";
  if (ours.is_object() && theirs.is_object()) {
    std::set<std::string> keys;
    for (const auto& [name, value] : ours.items()) keys.insert(name);
    for (const auto& [name, value] : theirs.items()) keys.insert(name);
    for (const std::string& name : keys) {
      const Json none;
      const std::string at = path.empty() ? name : path + "." + name;
      const std::string found = first_difference(ours.contains(name) ? ours[name] : none,
                                                 theirs.contains(name) ? theirs[name] : none, at, name);
      if (!found.empty()) return found;
    }
    return "";
  }
  if (ours.is_array() && theirs.is_array() && ours.size() == theirs.size()) {
    for (size_t i = 0; i < ours.size(); ++i)
      if (const std::string found = first_difference(ours[i], theirs[i], join(path, ".", i), "");
          !found.empty())
        return found;
    return "";
  }
  if (is_bias(key) && ours == false && theirs == true) return "";
  const auto shown = [](const Json& value) { return value.is_null() ? std::string("none") : value.dump(); };
  return join("its ", path, " is ", shown(ours), ", not ", shown(theirs));
}

// ---- tensors -------------------------------------------------------------------------------------

// Heads stand behind the model itself, whose prefix they do not have.
bool is_of_head(const std::string& name) {
  return name.starts_with("lm_head.") || name.starts_with("embed_out.") || name.starts_with("cls.") ||
         name.starts_with("classifier.");
}

// A parameter's numbers into their tensor, which several parameters may fill.
class TensorWriter {
 public:
  TensorWriter(const TensorTable& table, const Architecture& a)
      : table_(table), words_(a.head.kind == Head::masked_word || a.head.kind == Head::next_word) {}

  void write(const Value& value, const Tensor& from) {
    for (const TensorRule& rule : table_.rules) {
      const auto star = star_of(rule.ours, value.name);
      if (!star || (rule.of_words && !words_)) continue;
      const std::string name = with_star(rule.theirs, *star);
      put(rule, is_of_head(name) ? name : table_.prefixes.front() + name, value.shape, from);
      return;
    }
    fail_call("parameter '", value.name, "' has no name there");
  }

  std::map<std::string, Tensor> done() { return std::move(tensors_); }

 private:
  Tensor& room(const std::string& name, const Shape& shape) {
    const auto found = tensors_.find(name);
    return found != tensors_.end() ? found->second
                                   : tensors_.emplace(name, Tensor(DType::f32, shape)).first->second;
  }

  void put(const TensorRule& rule, const std::string& name, const Shape& own, const Tensor& from) {
    const float* x = from.data<float>();
    const auto offset = static_cast<float>(rule.offset);
    if (rule.layout == TensorRule::Layout::as_is) {
      Tensor& to = room(name, Shape::unnamed(own.sizes()));
      for (int64_t i = 0; i < to.count(); ++i) to.data<float>()[i] = x[i] - offset;
      return;
    }
    const bool matrix = rule.layout == TensorRule::Layout::linear;
    const bool joins = own.rank() == 3 && own[0].axis == Axis::H;  // W_O
    const int64_t in = !matrix ? 1 : joins ? own[0].size * own[1].size : own[0].size;
    const int64_t outputs = from.count() / std::max<int64_t>(in, 1);
    const Part part = rule.part.inner ? rule.part : Part{1, outputs, 0, outputs, 1};
    const int64_t stored = part.outer * part.inner * part.width;
    Tensor& to = room(name, !matrix                  ? Shape::unnamed({stored})
                            : table_.linear_in_first ? Shape::unnamed({in, stored})
                                                     : Shape::unnamed({stored, in}));
    float* y = to.data<float>();
    int64_t output = 0;
    for (int64_t o = 0; o < part.outer; ++o)
      for (int64_t i = part.begin; i < part.end; ++i)
        for (int64_t d = 0; d < part.width; ++d, ++output) {
          const int64_t at = (o * part.inner + i) * part.width + d;
          for (int64_t k = 0; k < in; ++k)
            y[table_.linear_in_first && matrix ? k * stored + at : at * in + k] =
                x[k * outputs + output] - offset;
        }
  }

  const TensorTable& table_;
  bool words_;
  std::map<std::string, Tensor> tensors_;
};

// Whose rotary positions turn neighbours, as llama.cpp's do: the numbers of a head in the order in which
// their halves turn.
bool turns_neighbours(const Architecture& a) {
  const AttentionOptions& o = a.stack.blocks[0].attention;
  return o.positions == Positions::rotary && o.rotary.pairing == Pairing::interleaved;
}

Tensor in_halves(const Tensor& from, int64_t turned) {
  Tensor out = from;
  const int64_t width = from.shape()[from.shape().rank() - 1].size, rows = from.count() / width;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t i = 0; i < turned; ++i)
      out.data<float>()[r * width + i / 2 + (i % 2) * (turned / 2)] = from.data<float>()[r * width + i];
  return out;
}

// W_Q [C,H,D], b_Q [H,D] and the keys' alike.
bool is_turned(const std::string& name) {
  for (const char* end : {".attn.W_Q", ".attn.W_K", ".attn.b_Q", ".attn.b_K"})
    if (name.ends_with(end)) return true;
  return false;
}

}  // namespace

WrittenAs written_as(const Architecture& network) {
  std::string reasons;
  for (const Family& family : families()) {
    if (!family.config) continue;
    WrittenAs out;
    out.family = &family;
    const Architecture ours = canonical(network);
    if (ours.stack.blocks.size() != 1 || ours.patches || ours.series || ours.images || ours.encoder) continue;
    Architecture said = ours;
    said.inputs.context = network.inputs.context;
    out.config = family.config(said);
    const JsonSource source{join(family.name, "'s configuration"), Error::Kind::call};
    std::string why;
    try {
      out.architecture = family.architecture(HubConfig(JsonValue(out.config, source), family.name));
      why = first_difference(Json::parse(to_json(NetworkConfig(ours))),
                             Json::parse(to_json(NetworkConfig(canonical(out.architecture)))), "", "");
    } catch (const Error& error) {
      why = error.what();
    }
    out.from_neighbours = turns_neighbours(network);
    if (why.empty()) return out;
    reasons += join(reasons.empty() ? "" : "; ", family.name, ": ", why);
  }
  fail_call("this network is of no family that limpid writes", reasons.empty() ? "" : " (", reasons,
            reasons.empty() ? "" : ")");
}

std::map<std::string, Tensor> hub_tensors(
    const WrittenAs& as, const std::function<std::optional<Tensor>(const std::string&)>& take) {
  Graph graph(operations());
  build(graph, as.architecture);
  const JsonSource source{as.family->name};
  const HubConfig config(JsonValue(as.config, source), as.family->name);
  const TensorTable table = as.family->tensors(config, as.architecture);
  TensorWriter writer(table, as.architecture);
  for (const Value& value : graph.values()) {
    if (value.kind != Value::Kind::parameter) continue;
    const std::optional<Tensor> own = take(value.name);
    const Tensor zeros = own ? Tensor() : Tensor(DType::f32, value.shape);
    if (own && !own->shape().same_sizes(value.shape))
      fail_call("parameter '", value.name, "' is ", own->shape().text(), ", expected ", value.shape.text());
    if (own && as.from_neighbours && is_turned(value.name))
      writer.write(value, in_halves(*own, as.architecture.stack.blocks[0].attention.rotary.width));
    else
      writer.write(value, own ? *own : zeros);
  }
  return writer.done();
}

}  // namespace limpid
