#include "files/torch/objects.h"

#include "core/label.h"
#include "core/utf8.h"
#include "files/recognize.h"

namespace limpid::torch {

namespace {

struct Known {
  std::string_view module, name;
  Function function;
};
constexpr Known k_known[] = {
    {"collections", "OrderedDict", Function::ordered_dict},
    {"torch._utils", "_rebuild_tensor", Function::rebuild_tensor},
    {"torch._utils", "_rebuild_tensor_v2", Function::rebuild_tensor_v2},
    {"torch._utils", "_rebuild_tensor_v3", Function::rebuild_tensor_v3},
    {"torch._utils", "_rebuild_parameter", Function::rebuild_parameter},
    {"torch._utils", "_rebuild_parameter_with_state", Function::rebuild_parameter_with_state},
    {"torch._tensor", "_rebuild_from_type_v2", Function::rebuild_from_type},
    {"torch", "Tensor", Function::tensor_type},
    {"torch.nn.parameter", "Parameter", Function::tensor_type},
    {"torch.nn.parameter", "Buffer", Function::tensor_type},
    {"torch", "Size", Function::size},
    {"torch", "device", Function::device},
    {"_codecs", "encode", Function::encode},
    {"builtins", "set", Function::set},
    {"__builtin__", "set", Function::set},
    {"builtins", "frozenset", Function::set},
    {"__builtin__", "frozenset", Function::set},
    {"builtins", "bytes", Function::bytes},
    {"__builtin__", "bytes", Function::bytes},
    {"builtins", "bytearray", Function::bytes},
    {"__builtin__", "bytearray", Function::bytes},
};

// One value may be given to a call again and again: what calls copy is bounded in all.
constexpr size_t k_most_arguments = 8;
constexpr uint64_t k_most_items = 4 * k_most_values, k_most_made = uint64_t{256} << 20;
}  // namespace

std::string_view name(Kind kind) {
  constexpr std::string_view k_names[] = {"None",   "a bool",     "an integer", "a float", "a text",
                                          "bytes",  "a word",     "a list",     "a tuple", "a set",
                                          "a dict", "a function", "a storage",  "a tensor"};
  return k_names[static_cast<size_t>(kind)];
}

// ---- values --------------------------------------------------------------------------------------

Ref Objects::add(Value value) {
  items_ += value.items.size();
  if (items_ > k_most_items) fail("lists that are made of lists hold more than ", k_most_items, " values");
  if (pickled_.values.size() >= k_most_values)
    fail("more than ", k_most_values, " values, the most that limpid reads of a pickle");
  pickled_.values.push_back(std::move(value));
  return static_cast<Ref>(pickled_.values.size() - 1);
}

Ref Objects::add_made(Kind kind, std::string text) {
  made_ += text.size();
  if (made_ > k_most_made) fail("texts that are made of texts take more than ", k_most_made, " bytes");
  pickled_.made.push_back(std::move(text));
  return add_text(kind, pickled_.made.back());
}

Ref Objects::add_integer(std::string_view little_endian) {
  if (little_endian.empty()) return add(Kind::integer, 0);
  const bool negative = (little_endian.back() & 0x80) != 0;
  if (little_endian.size() <= 8) {
    uint64_t number = negative ? ~uint64_t{0} : 0;
    for (size_t i = little_endian.size(); i-- > 0;)
      number = number << 8 | static_cast<unsigned char>(little_endian[i]);
    return add(Kind::integer, static_cast<int64_t>(number));
  }
  std::string digits;  // of the magnitude, the least first
  int carry = negative;
  for (const char c : little_endian) {
    const int byte = static_cast<unsigned char>(c);
    const int magnitude = negative ? (byte ^ 0xff) + carry : byte;
    carry = negative ? magnitude >> 8 : 0;
    for (const int half : {magnitude & 15, magnitude >> 4 & 15}) digits += "0123456789abcdef"[half];
  }
  while (digits.size() > 1 && digits.back() == '0') digits.pop_back();
  return add_made(Kind::word, (negative ? "-0x" : "0x") + std::string(digits.rbegin(), digits.rend()));
}

void Objects::expect(Ref ref, Kind kind, const char* what) const {
  if ((*this)[ref].kind != kind)
    fail(what, " is ", torch::name((*this)[ref].kind), ", expected ", torch::name(kind));
}

std::vector<Ref> Objects::few(Ref tuple, const char* what) const {
  expect(tuple, Kind::tuple, what);
  const std::vector<Ref>& items = (*this)[tuple].items;
  if (items.size() > k_most_arguments)
    fail(what, " are ", items.size(), " values, expected at most ", k_most_arguments);
  return items;
}

Pickled Objects::take(Ref root, size_t size) {
  pickled_.root = root;
  pickled_.size = size;
  return std::move(pickled_);
}

// ---- what a pickle asks of Python ----------------------------------------------------------------

std::string Objects::refusal(const std::string& asked) const {
  return join(name_, ": the pickle asks for ", asked, "; ", k_no_functions);
}

Ref Objects::global(std::string_view module, std::string_view function) {
  for (const Known& known : k_known)
    if (known.module == module && known.name == function)
      return add(Value{Kind::function, static_cast<int64_t>(known.function), 0, known.name, {}});
  if (module == "torch" && element_named(function))
    return add_made(Kind::word, "torch." + std::string(function));
  if ((module == "torch" || module == "torch.storage" || module == "torch.cuda") && element_in(function))
    return add(Value{Kind::function, static_cast<int64_t>(Function::storage_type), 0, function, {}});
  refuse(visible_line(cut(module)), ".", visible_line(cut(function)));
}

Ref Objects::call(Ref function, Ref arguments) {
  expect(function, Kind::function, "what is called");
  const Value called = (*this)[function];  // a copy: values move when one is added
  return call_with(called, few(arguments, "the arguments of a call"), 0);
}

Ref Objects::call_with(const Value& called, const std::vector<Ref>& given, int depth) {
  const auto expect_arguments = [&](size_t least, size_t most) {
    if (given.size() < least || given.size() > most)
      fail(called.text, " is called with ", given.size(), " arguments, expected ",
           least == most ? join(least) : join(least, " to ", most));
  };
  switch (static_cast<Function>(called.number)) {
    case Function::ordered_dict:
      expect_arguments(0, 1);
      return ordered_dict(given);
    case Function::rebuild_tensor:
      expect_arguments(4, 4);
      return rebuild_tensor(given, nullptr);
    case Function::rebuild_tensor_v2:
      expect_arguments(4, 7);
      return rebuild_tensor(given, nullptr);
    case Function::rebuild_tensor_v3: {
      expect_arguments(7, 8);
      expect(given[6], Kind::word, "a tensor's type");
      const std::string_view type = (*this)[given[6]].text;
      const ElementType* element = element_named(type.substr(std::min<size_t>(type.size(), 6)));  // "torch."
      if (!element)
        fail("a tensor's type is ", visible_line(cut(type)), ", expected one such as torch.uint16");
      std::vector<Ref> as_v2(given.begin(), given.begin() + 6);
      if (given.size() == 8) as_v2.push_back(given[7]);
      return rebuild_tensor(as_v2, element);
    }
    case Function::rebuild_parameter:
      expect_arguments(1, 3);
      expect(given[0], Kind::tensor, "a parameter's numbers");
      return given[0];
    case Function::rebuild_parameter_with_state:
      expect_arguments(4, 4);
      expect(given[0], Kind::tensor, "a parameter's numbers");
      return given[0];
    case Function::rebuild_from_type: {
      expect_arguments(3, 4);
      expect(given[0], Kind::function, "what rebuilds a tensor");
      expect(given[1], Kind::function, "a tensor's class");
      if (static_cast<Function>((*this)[given[1]].number) != Function::tensor_type || depth > 0)
        refuse("a tensor of the class ", (*this)[given[1]].text);
      const Value inner = (*this)[given[0]];
      return call_with(inner, few(given[2], "the arguments of a call"), depth + 1);
    }
    case Function::size:
      expect_arguments(0, 1);
      if (given.empty()) return add_items(Kind::tuple, {});
      expect(given[0], Kind::tuple, "a shape");
      return given[0];
    case Function::device:
      expect_arguments(1, 2);
      return device(given);
    case Function::encode:
      expect_arguments(2, 2);
      return encoded(given);
    case Function::set:
      expect_arguments(0, 1);
      if (given.empty()) return add_items(Kind::set, {});
      if ((*this)[given[0]].kind != Kind::tuple) expect(given[0], Kind::list, "a set's content");
      return add_items(Kind::set, (*this)[given[0]].items);
    case Function::bytes:
      expect_arguments(0, 2);
      if (given.empty()) return add_text(Kind::bytes, "");
      if (given.size() == 2) return encoded(given);
      expect(given[0], Kind::bytes, "what is made bytes of");
      return given[0];
    case Function::tensor_type:
    case Function::storage_type:
      break;
  }
  refuse("a new ", called.text, " that it fills itself");
}

Ref Objects::ordered_dict(const std::vector<Ref>& given) {
  std::vector<Ref> items;
  if (!given.empty()) {
    expect(given[0], Kind::list, "an OrderedDict's content");
    for (const Ref pair : (*this)[given[0]].items) {
      const Value& value = (*this)[pair];
      if ((value.kind != Kind::list && value.kind != Kind::tuple) || value.items.size() != 2)
        fail("an OrderedDict's content holds ", torch::name(value.kind), ", expected pairs");
      items.insert(items.end(), value.items.begin(), value.items.end());
    }
  }
  return add_items(Kind::dict, std::move(items));
}

Ref Objects::device(const std::vector<Ref>& given) {
  expect(given[0], Kind::text, "a device's name");
  std::string text((*this)[given[0]].text.substr(0, 64));
  if (given.size() == 2) text += ":" + std::to_string(whole_number(given[1], "a device's number"));
  return add_made(Kind::word, std::move(text));
}

// Characters up to U+00FF, a byte each.
Ref Objects::encoded(const std::vector<Ref>& given) {
  expect(given[0], Kind::text, "what is encoded");
  expect(given[1], Kind::text, "an encoding");
  const std::string_view text = (*this)[given[0]].text, encoding = (*this)[given[1]].text;
  if (encoding != "latin1" && encoding != "latin-1") refuse("the encoding ", in_quotes(cut(encoding)));
  std::string bytes;
  for (size_t i = 0; i < text.size();) {
    const Character character = character_at(text, i);
    if (!character.valid || character.point > 0xff)
      fail("a text that is to be bytes holds more than latin-1");
    bytes += static_cast<char>(character.point);
    i += character.size;
  }
  return add_made(Kind::bytes, std::move(bytes));
}

void Objects::build(Ref object, Ref state) const {
  const Kind kind = (*this)[object].kind;
  if (kind != Kind::dict || (*this)[state].kind != Kind::dict)
    refuse("attributes of ", torch::name(kind), " to be set");
}

}  // namespace limpid::torch
