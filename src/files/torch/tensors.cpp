// Storages and tensors as a pickle gives them: what of them is checked before the file's numbers are looked
// at.
#include "core/label.h"
#include "files/torch/objects.h"

namespace limpid::torch {

namespace {

// More numbers than any memory holds, so few that their bytes fit 64 bits.
constexpr int64_t k_most_numbers = int64_t{1} << 56;

}  // namespace

int64_t Objects::whole_number(Ref ref, const char* what) const {
  expect(ref, Kind::integer, what);
  const int64_t number = (*this)[ref].number;
  if (number < 0) fail(what, " is ", number, ", expected 0 or more");
  if (number > k_most_numbers) fail(what, " is ", number, ", more than any memory holds");
  return number;
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

Ref Objects::persistent(Ref id) {
  const std::vector<Ref> parts = few(id, "the parts of a reference out of the pickle");
  if (parts.empty()) fail("a reference out of the pickle is empty, expected ('storage', ...)");
  expect(parts[0], Kind::text, "the kind of a reference out of the pickle");
  if ((*this)[parts[0]].text != "storage")
    refuse("a saved ", in_quotes(cut((*this)[parts[0]].text)), " of another program");
  if (parts.size() != 5 && parts.size() != 6)
    fail("a storage is given by ", parts.size(), " values, expected 5 or 6");
  expect(parts[1], Kind::function, "a storage's type");
  expect(parts[2], Kind::text, "a storage's key");
  const ElementType* type = element_in((*this)[parts[1]].text);
  if (static_cast<Function>((*this)[parts[1]].number) != Function::storage_type || !type)
    fail("a storage's type is ", (*this)[parts[1]].text, ", expected one such as torch.FloatStorage");
  Storage storage{(*this)[parts[2]].text, type,
                  static_cast<uint64_t>(whole_number(parts[4], "a storage's length")), 0};
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
  if (over || most > k_most_numbers)
    fail("a tensor of shape ", Shape::unnamed(tensor.sizes).text(), " is more than any memory holds");
  if (count > 0) {
    for (size_t i = 0; i < tensor.sizes.size(); ++i)
      over |= __builtin_mul_overflow(tensor.sizes[i] - 1, tensor.strides[i], &step) ||
              __builtin_add_overflow(last, step, &last);
    const uint64_t held = storage.count * storage.type->bytes / tensor.type->bytes;
    if (over || tensor.offset >= held || static_cast<uint64_t>(last) >= held - tensor.offset)
      fail("a tensor of shape ", Shape::unnamed(tensor.sizes).text(), " from number ", tensor.offset,
           " on reaches beyond its storage '", visible_line(cut(storage.key)), "' of ", held, " numbers");
  }
  if (given.size() == 7 && (*this)[given[6]].kind == Kind::dict && !(*this)[given[6]].items.empty())
    tensor.unreadable = "its numbers are marked as negated or conjugated";
  pickled_.tensors.push_back(std::move(tensor));
  return add(Kind::tensor, static_cast<int64_t>(pickled_.tensors.size() - 1));
}

}  // namespace limpid::torch
