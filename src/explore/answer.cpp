#include "explore/answer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "core/number_text.h"

namespace limpid::explore {

namespace {

static_assert(std::endian::native == std::endian::little, "arrays are written as they lie in memory");

constexpr size_t k_alignment = 8;

size_t padded(size_t bytes) { return (bytes + k_alignment - 1) / k_alignment * k_alignment; }

// What readers of any language have: no 16-bit floats, no type of truth.
Tensor readable(Tensor array) {
  switch (array.dtype()) {
    case DType::bf16:
    case DType::f16:
      return array.to(DType::f32);
    case DType::boolean:
    case DType::i8:
      return array.to(DType::i32);
    default:
      return array;
  }
}

[[noreturn]] void fail_too_large(const std::string& what, double bytes) {
  fail_call("the answer would hold ", std::ceil(bytes / (1 << 20)), " MiB of arrays with ", what,
            ", at most ", k_most_answer_bytes >> 20, "; ask for less");
}

}  // namespace

void Answer::add(const std::string& name, Tensor array) {
  array = readable(std::move(array));
  held_ += padded(array.bytes());
  if (held_ > k_most_answer_bytes) fail_too_large(name, static_cast<double>(held_));
  arrays_.emplace_back(name, std::move(array));
}

void Answer::add(const std::string& name, const std::vector<int64_t>& numbers, Axis axis) {
  add(name, Tensor::of<int64_t>(Shape{{axis, static_cast<int64_t>(numbers.size())}}, numbers));
}

void Answer::add(const std::string& name, const std::vector<double>& numbers, Axis axis) {
  add(name, Tensor::of<double>(Shape{{axis, static_cast<int64_t>(numbers.size())}}, numbers));
}

void Answer::add_file(const std::string& bytes) {
  Tensor file(DType::u8, Shape::unnamed({static_cast<int64_t>(bytes.size())}));
  std::memcpy(file.raw(), bytes.data(), bytes.size());
  add("file", std::move(file));
}

std::string Answer::bytes() const {
  Json all = fields;
  Json& arrays = all["arrays"] = Json::object();
  size_t offset = 0;
  for (const auto& [name, array] : arrays_) {
    arrays[name] = {{"dtype", limpid::name(array.dtype())},
                    {"axes", letters_of(array.shape())},
                    {"shape", sizes_of(array.shape())},
                    {"offset", offset}};
    offset += padded(array.bytes());
  }
  std::string json = all.dump(-1, ' ', false, Json::error_handler_t::replace);
  json.resize(padded(json.size()), ' ');
  const uint64_t length = json.size();
  std::string out(sizeof length + json.size() + offset, '\0');
  std::memcpy(out.data(), &length, sizeof length);
  std::memcpy(out.data() + sizeof length, json.data(), json.size());
  char* to = out.data() + sizeof length + json.size();
  for (const auto& [name, array] : arrays_) {
    if (array.bytes() > 0) std::memcpy(to, array.raw(), array.bytes());
    to += padded(array.bytes());
  }
  return out;
}

void require_room(const std::string& what, int64_t numbers, DType dtype) {
  const double bytes = static_cast<double>(numbers) * static_cast<double>(byte_size(dtype));
  if (bytes > static_cast<double>(k_most_answer_bytes)) fail_too_large(what, bytes);
}

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(number_text(value)); }

std::string letters_of(const Shape& shape) {
  std::string out;
  for (const Dim& dim : shape) out += dim.axis == Axis::none ? '.' : static_cast<char>(dim.axis);
  return out;
}

Json sizes_of(const Shape& shape) {
  Json out = Json::array();
  for (const Dim& dim : shape) out.push_back(dim.size);
  return out;
}

}  // namespace limpid::explore
