#pragma once

#include <cstring>
#include <map>
#include <string>

#include "limpid/random.h"
#include "limpid/tensor.h"
#include "train/task_data.h"

namespace limpid {

inline bool same_bits(const std::map<std::string, Tensor>& a, const std::map<std::string, Tensor>& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [name, tensor] : a)
    if (std::memcmp(tensor.raw(), b.at(name).raw(), tensor.bytes()) != 0) return false;
  return true;
}

/// Forty drawn texts of up to `longest` words, in batches of `batch`.
struct MadeTexts {
  int64_t batch = 8;
  uint64_t longest = 20;

  PreparedTask classes(const Architecture& network) const {
    Parts<LabelledTexts> parts;
    parts.training.classes = {"one", "two", "three"};
    Random random(5);
    for (int i = 0; i < 40; ++i) {
      parts.training.texts.push_back(text(random));
      parts.training.labels.push_back(i % 3);
    }
    return prepare(recipe(Task::classes, network, "words"), parts);
  }

  PreparedTask translation(const Architecture& network) const {
    Parts<TextPairs> parts;
    Random random(6);
    for (int i = 0; i < 40; ++i) {
      parts.training.source.push_back(text(random));
      parts.training.target.push_back(text(random));
    }
    return prepare(recipe(Task::translation, network, "bpe"), parts);
  }

 private:
  std::string text(Random& random) const {
    std::string out = "a";
    for (uint64_t n = random.below(longest); n > 0; --n)
      out += std::string(" ") + "abcdefgh"[random.below(8)];
    return out;
  }
  Recipe recipe(Task task, const Architecture& network, const std::string& tokenizer) const {
    Recipe r;
    r.task = task;
    r.network = network;
    r.batch = batch;
    r.context = 32;
    r.tokenizer = tokenizer;
    r.vocabulary = 260;
    return r;
  }
};

}  // namespace limpid
