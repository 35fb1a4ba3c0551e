// How parameters come to be: drawn, or read.
#include <unistd.h>

#include <algorithm>

#include "limpid/random.h"
#include "model/eight_bits.h"
#include "model/impl.h"

namespace limpid {

namespace {

// The order of the walk's random numbers; what is not listed follows in the graph's order.
int walk_order(const std::string& name) {
  const std::vector<std::string> first = {"embed.W_E", "blocks.0.attn.W_Q", "blocks.0.attn.W_K",
                                          "blocks.0.attn.W_V", "unembed.W_U"};
  return static_cast<int>(std::find(first.begin(), first.end(), name) - first.begin());
}

// A number in a recipe may ask for more than there is; the system would give the memory and end the program
// when it is used.
void require_memory(const Graph& graph, DType dtype) {
  double numbers = 0;
  for (const Value& value : graph.values())
    if (value.kind == Value::Kind::parameter) numbers += static_cast<double>(value.shape.count());
  const double memory =
      static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  const double bytes = numbers * static_cast<double>(byte_size(dtype));
  if (memory > 0 && bytes > memory)
    fail_work("the network has ", numbers, " parameters, ", bytes, " bytes; this machine has ", memory,
              " bytes of memory");
}

}  // namespace

std::map<std::string, Tensor> fresh_parameters(const Graph& graph, uint64_t seed) {
  require_memory(graph, DType::f32);
  std::map<std::string, Tensor> parameters;
  for (const Value& value : graph.values()) {
    if (value.kind != Value::Kind::parameter) continue;
    Tensor t(DType::f32, value.shape);
    Random random(seed, stream_named(value.name));
    float* const numbers = t.data<float>();
    for (int64_t i = 0; i < t.count(); ++i) {
      float& x = numbers[i];
      if (value.init.kind == Init::Kind::ones) x = 1;
      if (value.init.kind == Init::Kind::normal)
        x = static_cast<float>(value.init.deviation * random.normal());
    }
    parameters[value.name] = std::move(t);
  }
  return parameters;
}

std::map<std::string, Tensor> numpy_parameters(const Graph& graph, uint32_t seed) {
  require_memory(graph, DType::f64);
  std::vector<const Value*> order;
  for (const Value& value : graph.values())
    if (value.kind == Value::Kind::parameter) order.push_back(&value);
  std::stable_sort(order.begin(), order.end(),
                   [](const Value* a, const Value* b) { return walk_order(a->name) < walk_order(b->name); });
  MersenneTwister random(seed);
  std::map<std::string, Tensor> parameters;
  for (const Value* value : order) {
    Tensor t(DType::f64, value->shape);
    for (int64_t i = 0; i < t.count(); ++i) {
      double& x = t.data<double>()[i];
      if (value->init.kind == Init::Kind::ones) x = 1;
      if (value->init.kind == Init::Kind::normal) x = random.uniform();
    }
    parameters[value->name] = std::move(t);
  }
  return parameters;
}

namespace {

// The parameter as a matrix of 16-bit numbers.
StoredMatrix in_sixteen_bits(const Tensor& tensor, DType dtype, const Value& value,
                             const StorableMatrix& own) {
  StoredMatrix out(dtype, BlockType::none, value.shape, own.rows, own.columns, false, own.matrices);
  if (out.count() > 0) copy(tensor.view(), View(dtype, tensor.shape(), out.row(0)));
  return out;
}

}  // namespace

void Model::Impl::set_parameters(Weights weights, std::map<std::string, Tensor> from,
                                 const std::string& path) {
  const auto storable = storable_parameters(*graph);
  for (const Value& value : graph->values()) {
    if (value.kind != Value::Kind::parameter) continue;
    const auto own = storable.find(value.name);
    if (const auto kept = stored.find(value.name); kept != stored.end()) {
      if (!kept->second.shape().same_sizes(value.shape))
        fail_work(path, ": parameter '", value.name, "' is ", kept->second.shape().text(), ", expected ",
                  value.shape.text());
      continue;
    }
    const auto found = from.find(value.name);
    if (found == from.end())
      fail_work(path, ": parameter '", value.name, "' ", value.shape.text(), " is missing");
    if (!found->second.shape().same_sizes(value.shape))
      fail_work(path, ": parameter '", value.name, "' is ", found->second.shape().text(), ", expected ",
                value.shape.text());
    if (own != storable.end() && found->second.dtype() == DType::i8) {
      const auto scales = from.find(scales_name(value.name));
      if (scales == from.end() || !fits_eight_bits(own->second))
        fail_work(path, ": parameter '", value.name, "' has 8-bit numbers",
                  scales == from.end()
                      ? join(", and no scales '", scales_name(value.name), "' stand beside it")
                      : std::string(", but is not divided into blocks of 32"));
      StoredMatrix matrix = stored_of({std::move(found->second), std::move(scales->second)}, value.shape,
                                      own->second, join(path, ": parameter '", value.name, "'"));
      if (weights == Weights::stored)
        stored.emplace(value.name, std::move(matrix));
      else if (weights == Weights::bf16)
        stored.emplace(value.name, in_sixteen_bits(matrix.to_tensor(), DType::bf16, value, own->second));
      else
        parameters[value.name] = matrix.to_tensor();
      from.erase(found);
      from.erase(scales_name(value.name));
      continue;
    }
    if (!is_floating(found->second.dtype()))
      fail_work(path, ": parameter '", value.name, "' holds ", name(found->second.dtype()),
                ", expected a floating type");
    const DType dtype = found->second.dtype();
    const bool small = dtype == DType::bf16 || dtype == DType::f16;
    if (own != storable.end() && (weights == Weights::bf16 || (weights == Weights::stored && small))) {
      stored.emplace(value.name,
                     in_sixteen_bits(found->second, small ? dtype : DType::bf16, value, own->second));
    } else {
      Tensor t = dtype == DType::f64 || dtype == DType::f32 ? std::move(found->second)
                                                            : found->second.to(DType::f32);
      t.reshape(value.shape);
      parameters[value.name] = std::move(t);
    }
    from.erase(found);
  }
  if (!from.empty()) fail_work(path, ": '", from.begin()->first, "' is not a parameter of this network");
}

std::string_view name(Weights weights) {
  constexpr std::string_view k_names[] = {"stored", "bf16", "f32"};
  return k_names[static_cast<size_t>(weights)];
}

Weights weights_named(std::string_view wanted) {
  for (Weights each : {Weights::stored, Weights::bf16, Weights::f32})
    if (name(each) == wanted) return each;
  fail_call("weights '", wanted, "' are not known; expected one of stored, bf16, f32");
}

}  // namespace limpid
