#include "files/tensor_list.h"

#include "core/label.h"

namespace limpid {

void TensorSource::copy_row(std::string_view name, int64_t, std::byte*) const {
  fail_call(this->name(), ": tensor ", in_quotes(std::string(name)), " has no rows to copy");
}

void TensorList::add(Entry entry) {
  const std::string key = entry.name;
  if (!entries_.emplace(key, std::move(entry)).second)
    fail_work(name_, ": two tensors are called ", in_quotes(key));
}

std::vector<std::string> TensorList::names() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) names.push_back(name);
  return names;
}

const TensorSource::Entry* TensorList::find(std::string_view name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : &found->second;
}

Tensor TensorList::read(std::string_view name) const {
  const Entry* entry = find(name);
  if (!entry) fail_call(name_, " holds no tensor ", in_quotes(name));
  return read_entry(*entry);
}

}  // namespace limpid
