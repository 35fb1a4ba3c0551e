#include "limpid/first_view.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <vector>

#include "explore/answer.h"
#include "limpid/page_files.h"

namespace limpid::command {

namespace {

// What the page says of itself (web/src/first_view.json).
const Json& shown() {
  static const Json k_shown = [] {
    const auto files = page_files();
    const auto file = files.find("first_view.json");
    return file == files.end() ? Json() : parse_json(file->second.bytes, {"the page's first_view.json"});
  }();
  return k_shown;
}

bool has_column(const Json& stage) {
  const std::string operation = stage["operation"];
  const auto any = [&](const char* list, auto&& fits) {
    return std::any_of(shown()[list].begin(), shown()[list].end(),
                       [&](const Json& each) { return fits(each.get<std::string>()); });
  };
  const auto part = [&](const std::string& word) { return operation.find(word) != operation.npos; };
  return any("operations", [&](const std::string& word) { return word == operation; }) ||
         any("operations_with", part) ||
         (!stage.contains("block") && any("operations_with_outside_blocks", part));
}

// The windows of the columns of what stands outside the blocks, and of the first block: the first head of its
// attentions, all numbers of its vectors.
class Windows {
 public:
  explicit Windows(const Json& network) : network_(network) {
    for (const Json& value : network["values"]) values_[value["name"]] = &value;
    for (const Json& stage : network["stages"])
      for (const Json& output : stage["outputs"]) stage_of_[output] = &stage;
  }

  std::vector<Json> questions() {
    std::string open;
    for (const Json& stage : network_["stages"]) {
      const std::string block = stage.value("block", "");
      if (open.empty()) open = block;
      if (!block.empty() && block != open) continue;
      if (stage.contains("group"))
        add_attention(stage["group"]);
      else if (stage["role"] == "plain" && has_column(stage))
        add_vectors(*values_.at(stage["outputs"][0]));
    }
    return std::move(out_);
  }

 private:
  static int64_t rows(int64_t places) { return std::min(places, shown()["tokens"].get<int64_t>()); }

  void add(const Json& value, std::vector<int64_t> size) {
    out_.push_back({{"ask", "window"},
                    {"name", value["name"]},
                    {"from", std::vector<int64_t>(size.size(), 0)},
                    {"size", std::move(size)}});
  }

  void add_vectors(const Json& value) {
    const std::string axes = value["axes"];
    std::vector<int64_t> size = value["sizes"];
    if (axes.size() < 3 || axes[0] != 'B' || axes[1] != 'T' || axes.find('V') != axes.npos) return;
    size[1] = rows(size[1]);
    add(value, std::move(size));
  }

  void add_attention(const std::string& group) {
    if (!done_.insert(group).second) return;
    for (const Json& each : network_["groups"]) {
      if (each["name"] != group) continue;
      for (const char* role : {"key", "query", "value"}) add_rows(each["inputs"], role);
    }
    const Json* pattern = nullptr;
    for (const Json& stage : network_["stages"])
      if (stage.value("group", "") == group)
        for (const Json& output : stage["outputs"])
          if ((*values_.at(output))["axes"] == "BHTS") pattern = values_.at(output);
    if (!pattern) return;
    const std::vector<int64_t> sizes = (*pattern)["sizes"];
    add(*pattern, {1, 1, rows(sizes[2]), rows(sizes[3])});
  }

  // Of the first head, those of a group's inputs that have this role.
  void add_rows(const Json& inputs, const std::string& role) {
    for (const Json& name : inputs) {
      const Json& value = *values_.at(name);
      const auto stage = stage_of_.find(name);
      if (stage == stage_of_.end() || (*stage->second)["role"] != role ||
          !value["axes"].get<std::string>().ends_with('D'))
        continue;
      const std::vector<int64_t> sizes = value["sizes"];
      return add(value, {1, rows(sizes[1]), 1, sizes[3]});
    }
  }

  const Json& network_;
  std::map<std::string, const Json*> values_, stage_of_;
  std::set<std::string> done_;
  std::vector<Json> out_;
};

// Of longer texts the page waits for its engine: the file is to be small before it is quick.
constexpr int64_t k_most_numbers = 10 << 10;

int64_t numbers_of(const std::vector<Json>& windows) {
  int64_t all = 0;
  for (const Json& window : windows) {
    int64_t count = 1;
    for (const int64_t size : window["size"].get<std::vector<int64_t>>()) count *= size;
    all += count;
  }
  return all;
}

Json comes_next(bool edited) {
  Json out = {{"ask", edited ? "compare" : "next"},
              {"count", shown()["next"]},
              {"temperature", 1},
              {"top_k", 0},
              {"top_p", 1}};
  if (edited) out["values"] = {"probs"};
  return out;
}

}  // namespace

Json answer_fields(const std::string& answer) {
  uint64_t length = 0;  // of the JSON
  std::memcpy(&length, answer.data(), sizeof length);
  return parse_json(std::string_view(answer).substr(sizeof length, length), {"the explorer"});
}

std::string first_view(explore::Explorer& explorer) {
  explore::Answer out;
  Json& asked = out.fields["questions"] = Json::array();
  // Nothing where the question is refused: the page asks it again, and says why.
  const auto ask = [&](const Json& question) {
    const std::string answer = explorer.answer(question.dump());
    Json fields = answer_fields(answer);
    if (fields.contains("error")) return fields;
    Tensor bytes(DType::u8, Shape::unnamed({static_cast<int64_t>(answer.size())}));
    std::memcpy(bytes.raw(), answer.data(), answer.size());
    out.add(std::to_string(asked.size()), std::move(bytes));
    asked.push_back(question.dump());
    return fields;
  };
  const Json open = answer_fields(explorer.answer(Json{{"ask", "tokens"}}.dump()));
  if (shown().is_null() || open.contains("source_labels") || open["reads"] != "text") return "";
  ask({{"ask", "tokens"}});
  const Json network = ask({{"ask", "stages"}});
  ask(comes_next(open.contains("edited")));
  ask({{"ask", "maps"}, {"size", shown()["map"]}});
  const std::vector<Json> windows = Windows(network).questions();
  if (numbers_of(windows) <= k_most_numbers)
    for (const Json& window : windows) ask(window);
  return out.bytes();
}

}  // namespace limpid::command
