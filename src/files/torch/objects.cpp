#include "files/torch/objects.h"

#include "core/label.h"
#include "core/utf8.h"
#include "files/recognize.h"

namespace limpid::torch {

namespace {

enum class Function : int64_t {
  ordered_dict,
  rebuild_tensor,
  rebuild_tensor_v2,
  rebuild_tensor_v3,
  rebuild_parameter,
  rebuild_parameter_with_state,
  rebuild_from_type,
  tensor_type,   // torch.Tensor, torch.nn.Parameter: what rebuild_from_type makes
  storage_type,  // torch.FloatStorage, ...
  size,
  device,
  encode,  // how bytes are pickled for Python 2
  set,
  bytes,
};

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

std::string_view text_of(std::string_view name) { return name.substr(0, 200); }

// One value may be given to a call again and again: what calls copy is bounded in all.
constexpr size_t k_most_arguments = 8;
constexpr uint64_t k_most_items = 4 * k_most_values, k_most_made = uint64_t{256} << 20;
// More numbers than any memory holds, so few that their bytes fit 64 bits.
constexpr int64_t k_most_numbers = int64_t{1} << 56;

}  // namespace

std::string_view name(Kind kind) {
  constexpr std::string_view k_names[] = {"None",   "a bool", "an integer", "a float", "a text",     "bytes",     "a word",
                                          "a list", "a tuple", "a set",     "a dict",  "a function", "a storage", "a tensor"};
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

int64_t Objects::whole_number(Ref ref, const char* what) const {
  expect(ref, Kind::integer, what);
  const int64_t number = (*this)[ref].number;
  if (number < 0) fail(what, " is ", number, ", expected 0 or more");
  if (number > k_most_numbers) fail(what, " is ", number, ", more than any memory holds");
  return number;
}

std::vector<Ref> Objects::few(Ref tuple, const char* what) const {
  expect(tuple, Kind::tuple, what);
  const std::vector<Ref>& items = (*this)[tuple].items;
  if (items.size() > k_most_arguments)
    fail(what, " are ", items.size(), " values, expected at most ", k_most_arguments);
  return items;
}

std::vector<int64_t> Objects::whole_numbers(Ref ref, const char* what) const {
  const Value& value = (*this)[ref];
  if (value.kind != Kind::tuple && value.kind != Kind::list)
    fail(what, " is ", torch::name(value.kind), ", expected a tuple");
  if (value.items.size() > k_max_rank)
    fail(what, " has ", value.items.size(), " axes, limpid has at most ", k_max_rank);
  std::vector<int64_t> numbers;
  for (const Ref item : value.items) numbers.push_back(whole_number(item, what));
  return numbers;
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
  if (module == "torch" && element_named(function)) return add_made(Kind::word, "torch." + std::string(function));
  if ((module == "torch" || module == "torch.storage" || module == "torch.cuda") && element_in(function))
    return add(Value{Kind::function, static_cast<int64_t>(Function::storage_type), 0, function, {}});
  refuse(visible_line(text_of(module)), ".", visible_line(text_of(function)));
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
      if (!element) fail("a tensor's type is ", visible_line(text_of(type)), ", expected one such as torch.uint16");
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
  if (encoding != "latin1" && encoding != "latin-1")
    refuse("the encoding ", in_quotes(text_of(encoding)));
  std::string bytes;
  for (size_t i = 0; i < text.size();) {
    const Character character = character_at(text, i);
    if (!character.valid || character.point > 0xff) fail("a text that is to be bytes holds more than latin-1");
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

// ---- tensors -------------------------------------------------------------------------------------

Ref Objects::persistent(Ref id) {
  const std::vector<Ref> parts = few(id, "the parts of a reference out of the pickle");
  if (parts.empty()) fail("a reference out of the pickle is empty, expected ('storage', ...)");
  expect(parts[0], Kind::text, "the kind of a reference out of the pickle");
  if ((*this)[parts[0]].text != "storage")
    refuse("a saved ", in_quotes(text_of((*this)[parts[0]].text)), " of another program");
  if (parts.size() != 5 && parts.size() != 6)
    fail("a storage is given by ", parts.size(), " values, expected 5 or 6");
  expect(parts[1], Kind::function, "a storage's type");
  expect(parts[2], Kind::text, "a storage's key");
  const ElementType* type = element_in((*this)[parts[1]].text);
  if (static_cast<Function>((*this)[parts[1]].number) != Function::storage_type || !type)
    fail("a storage's type is ", (*this)[parts[1]].text, ", expected one such as torch.FloatStorage");
  Storage storage{(*this)[parts[2]].text, type, static_cast<uint64_t>(whole_number(parts[4], "a storage's length")), 0};
  if (parts.size() == 6 && (*this)[parts[5]].kind != Kind::none) {  // (its key, offset, length)
    const std::vector<Ref> view = few(parts[5], "the parts of a storage within another");
    if (view.size() != 3) fail("a storage within another is given by ", view.size(), " values, expected 3");
    const auto skipped = static_cast<uint64_t>(whole_number(view[1], "the place of a storage in another"));
    const auto count = static_cast<uint64_t>(whole_number(view[2], "a storage's length"));
    if (skipped > storage.count || count > storage.count - skipped)
      fail("a storage of ", count, " numbers from ", skipped, " on, within one of ", storage.count);
    storage.skipped = skipped;
    storage.count = count;
  }
  pickled_.storages.push_back(storage);
  return add(Kind::storage, static_cast<int64_t>(pickled_.storages.size() - 1));
}

// (storage, offset, sizes, strides, ...); [6]: {'neg': True}, {'conj': True}.
Ref Objects::rebuild_tensor(const std::vector<Ref>& given, const ElementType* type) {
  expect(given[0], Kind::storage, "a tensor's storage");
  TensorValue tensor;
  tensor.storage = static_cast<size_t>((*this)[given[0]].number);
  const Storage& storage = pickled_.storages[tensor.storage];
  tensor.type = type ? type : storage.type;
  tensor.offset = static_cast<uint64_t>(whole_number(given[1], "a tensor's offset"));
  tensor.sizes = whole_numbers(given[2], "a tensor's shape");
  tensor.strides = whole_numbers(given[3], "a tensor's strides");
  if (tensor.sizes.size() != tensor.strides.size())
    fail("a tensor of ", tensor.sizes.size(), " axes has ", tensor.strides.size(), " strides");
  int64_t count = 1, most = 1, last = 0, step = 0;
  bool over = false;
  for (const int64_t size : tensor.sizes) {
    over |= __builtin_mul_overflow(most, std::max<int64_t>(size, 1), &most);
    count = over ? 1 : count * size;
  }
  if (over || most > k_most_numbers) fail("a tensor of shape ", Shape::unnamed(tensor.sizes).text(), " is more than any memory holds");
  if (count > 0) {
    for (size_t i = 0; i < tensor.sizes.size(); ++i)
      over |= __builtin_mul_overflow(tensor.sizes[i] - 1, tensor.strides[i], &step) ||
              __builtin_add_overflow(last, step, &last);
    const uint64_t held = storage.count * storage.type->bytes / tensor.type->bytes;
    if (over || tensor.offset >= held || static_cast<uint64_t>(last) >= held - tensor.offset)
      fail("a tensor of shape ", Shape::unnamed(tensor.sizes).text(), " from number ", tensor.offset,
           " on reaches beyond its storage '", visible_line(text_of(storage.key)), "' of ", held, " numbers");
  }
  if (given.size() == 7 && (*this)[given[6]].kind == Kind::dict && !(*this)[given[6]].items.empty())
    tensor.unreadable = "its numbers are marked as negated or conjugated";
  pickled_.tensors.push_back(std::move(tensor));
  return add(Kind::tensor, static_cast<int64_t>(pickled_.tensors.size() - 1));
}

}  // namespace limpid::torch
