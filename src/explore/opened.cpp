#include "explore/opened.h"

namespace limpid::explore {

namespace {

void append(std::string& key, const std::vector<int64_t>& ids) {
  for (const int64_t id : ids) key += std::to_string(id) + ",";
  key += ";";
}

}  // namespace

std::vector<int64_t> Opened::swapped() const {
  std::vector<int64_t> out = tokens;
  for (const auto& [place, id] : swaps) out[static_cast<size_t>(place)] = id;
  return out;
}

Opened Opened::unedited() const {
  Opened out = *this;
  out.edits.clear();
  out.edit_texts.clear();
  out.patches.clear();
  out.swaps.clear();
  return out;
}

std::string Opened::key() const {
  std::string key = model_name + "\n" + (as_text && swaps.empty() ? text : "") + "\n";
  key += std::to_string(input_number) + "\n";
  append(key, swapped());
  if (target) append(key, *target);
  for (const std::string& edit : edit_texts) key += edit + "\n";
  return key;
}

}  // namespace limpid::explore
