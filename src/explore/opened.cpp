#include "explore/opened.h"

#include <numeric>

#include "core/label.h"

namespace limpid::explore {

namespace {

void append(std::string& key, const std::vector<int64_t>& ids) {
  for (const int64_t id : ids) key += std::to_string(id) + ",";
  key += ";";
}

}  // namespace

const Model& Opened::model() const {
  if (!subject.model)
    fail_call(model_name,
              " is a stored run, and this asks its network; give the model that ran: limpid explore ",
              model_name, " --model MODEL (or open the model on the page)");
  return *subject.model;
}

void Opened::read_text(const std::string& read) {
  if (subject.made_for) {  // each of the text's words is a row of its own, in their order
    subject.model = subject.made_for(read);
    tokens.resize(static_cast<size_t>(vocabulary_of(model().config())));
    std::iota(tokens.begin(), tokens.end(), 0);
  } else {
    tokens = model().encode(read);
  }
  text = read;
  as_text = true;
  target.reset();
}

std::vector<int64_t> Opened::swapped() const {
  std::vector<int64_t> out = tokens;
  for (const auto& [place, id] : swaps) out[static_cast<size_t>(place)] = id;
  return out;
}

Opened Opened::unedited() const {
  if (subject.stored && changed())
    fail_call(model_name,
              " is a stored run that was edited, and holds nothing of the run without its edits; give "
              "the model that ran: limpid explore ",
              model_name, " --model MODEL");
  Opened out = *this;
  out.edits.clear();
  out.edit_texts.clear();
  out.patches.clear();
  out.swaps.clear();
  return out;
}

std::string Opened::key() const {
  const bool own_text = subject.made_for || (as_text && swaps.empty());
  std::string key = model_name + "\n" + (own_text ? text : "") + "\n";
  key += std::to_string(input_number) + "\n";
  append(key, swapped());
  if (target) append(key, *target);
  for (const std::string& edit : edit_texts) key += edit + "\n";
  return key;
}

}  // namespace limpid::explore
