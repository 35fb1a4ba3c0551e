// A trace as one JSON document.
#include <cmath>

#include "core/number_text.h"
#include "limpid/trace.h"
#include "trace/metadata.h"

namespace limpid {

namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;  // names are stage names: no control characters
  }
  return out + '"';
}

void write_number(std::string& out, const ConstView& values, int64_t i) {
  const auto finite = [&](auto value) {
    const std::string text = number_text(value);
    out += std::isfinite(value) ? text : quoted(text);  // JSON has no NaN and no infinity
  };
  switch (values.dtype()) {
    case DType::f64:
      return finite(values.data<double>()[i]);
    case DType::f32:
      return finite(values.data<float>()[i]);
    case DType::bf16:
      return finite(to_float(values.data<bf16>()[i]));
    case DType::f16:
      return finite(to_float(values.data<f16>()[i]));
    case DType::boolean:
      out += values.data<bool>()[i] ? "true" : "false";
      return;
    case DType::i64:
      out += std::to_string(values.data<int64_t>()[i]);
      return;
    default:
      break;
  }
  Index index(1, i);
  out += std::to_string(
      static_cast<int64_t>(values.reshaped(Shape::unnamed({values.shape().count()})).at(index)));
}

void write_nested(std::string& out, const ConstView& values, int axis, int64_t first, int64_t count) {
  if (axis == values.shape().rank()) return write_number(out, values, first);
  const int64_t size = values.shape()[axis].size, step = size ? count / size : 0;
  out += '[';
  for (int64_t i = 0; i < size; ++i) {
    if (i) out += ',';
    write_nested(out, values, axis + 1, first + i * step, step);
  }
  out += ']';
}

void write_tensors(std::string& out, const std::map<std::string, Tensor>& tensors) {
  bool later = false;
  out += '{';
  for (const auto& [name, tensor] : tensors) {
    out += (later ? ",\n" : "\n") + quoted(name) + ":{\"dtype\":" + quoted(limpid::name(tensor.dtype())) +
           ",\"axes\":\"";
    for (const Dim& dim : tensor.shape()) out += dim.axis == Axis::none ? '?' : static_cast<char>(dim.axis);
    out += "\",\"shape\":[";
    for (int i = 0; i < tensor.shape().rank(); ++i)
      out += (i ? "," : "") + std::to_string(tensor.shape()[i].size);
    out += "],\"data\":";
    write_nested(out, tensor.view(), 0, 0, tensor.count());
    out += '}';
    later = true;
  }
  out += '}';
}

}  // namespace

std::string to_json(const Trace& trace) {
  std::string out = metadata_json(trace);
  out.pop_back();  // its closing brace: the values come before it
  out += ",\n\"values\":";
  write_tensors(out, trace.values);
  if (!trace.parameters.empty()) {
    out += ",\n\"parameters\":";
    write_tensors(out, trace.parameters);
  }
  return out + "}\n";
}

}  // namespace limpid
