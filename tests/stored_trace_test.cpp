// A stored trace is text from outside.  Traces are stored, their JSON header is changed in one to three
// places (the file stays a well-formed .safetensors), and everything that shows a trace is asked of them: it
// ends in a page or in an Error, never in a wild read, and in no time that a header could stretch.
//
//   LIMPID_MUTATIONS=4000 test_stored_trace     how many (300); each is made from its number alone
//   LIMPID_MUTATION=17 test_stored_trace        only this one, its header printed
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>

#include "core/utf8.h"
#include "limpid/draw.h"
#include "limpid/files.h"
#include "limpid/model.h"

namespace limpid {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// ---- traces to change ----------------------------------------------------------------------------

TensorFile stored(const Trace& trace, const std::string& path) {
  save(trace, path);
  return read_safetensors(path);
}

std::vector<TensorFile> originals(const std::string& path) {
  TextbookConfig textbook;
  textbook.heads = 2;
  textbook.mask = Mask::causal;
  textbook.positions = Positions::sinusoidal;
  textbook.add_norm = true;
  GptConfig gpt;
  gpt.vocabulary = 256;
  gpt.layers = 3;
  gpt.heads = 4;
  gpt.kv_heads = 2;
  gpt.width = 16;
  gpt.context = 32;
  gpt.positions = Positions::rotary;
  const auto fresh = [&] { return Model::fresh(gpt, std::shared_ptr<const Tokenizer>(byte_tokenizer()), 3); };
  TraceOptions with_parameters, with_gradients;
  with_parameters.parameters = true;
  with_gradients.gradients = true;
  TraceOptions streamed;
  streamed.observe = {{"blocks.*.attn.pattern", Depth::top, 2},
                      {"blocks.*.attn.pattern", Depth::entropy},
                      {"blocks.*.attn.pattern", Depth::map, 2},
                      {"*", Depth::summary},
                      {"logits", Depth::full}};
  return {stored(Model::textbook_walk("a b", textbook, 7).trace("a b", with_parameters), path),
          stored(Model::textbook_walk("Life is short", {}, 7).trace("Life is short"), path),
          stored(fresh().trace("abc"), path), stored(fresh().trace("abcd", with_gradients), path),
          stored(fresh().trace("abcd", streamed), path)};
}

// ---- changes -------------------------------------------------------------------------------------

class Mutator {
 public:
  explicit Mutator(uint64_t seed) : random_(seed) {}

  void change(TensorFile& file) {
    Json json = Json::parse(file.metadata.at("limpid"));
    for (size_t i = 1 + below(3); i > 0; --i) change_one(json, file);
    file.metadata["limpid"] = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  }

 private:
  size_t below(size_t count) { return count == 0 ? 0 : random_() % count; }
  template <class T>
  T& one_of(std::vector<T>& list) {
    return list[below(list.size())];
  }

  // Every value of a kind below `json`.
  static void collect(Json& json, std::vector<Json*>& out) {
    out.push_back(&json);
    if (json.is_structured())
      for (Json& child : json) collect(child, out);
  }
  Json* find(Json& json, const std::function<bool(const Json&)>& wanted) {
    std::vector<Json*> all, fitting;
    collect(json, all);
    for (Json* each : all)
      if (wanted(*each)) fitting.push_back(each);
    return fitting.empty() ? nullptr : one_of(fitting);
  }

  Json extreme() {
    static const std::vector<Json> k_all = {0,
                                            -1,
                                            1,
                                            2,
                                            3,
                                            5,
                                            64,
                                            1000,
                                            65536,
                                            INT32_MAX,
                                            INT64_MAX,
                                            INT64_MIN,
                                            int64_t{1} << 40,
                                            UINT64_MAX,
                                            1e300,
                                            -1e-300,
                                            0.5,
                                            1e18,
                                            -7,
                                            4096};
    return k_all[below(k_all.size())];
  }

  // Two names swapped wherever they stand, so that the graph stays one.
  void swap_everywhere(Json& json, const std::string& a, const std::string& b) {
    std::vector<Json*> all;
    collect(json, all);
    for (Json* each : all)
      if (*each == a)
        *each = b;
      else if (*each == b)
        *each = a;
  }

  std::vector<std::string> names(const Json& graph) {
    std::vector<std::string> out;
    for (const char* list : {"stages", "inputs", "parameters"})
      if (graph.contains(list) && graph[list].is_array())
        for (const Json& each : graph[list])
          if (each.is_object() && each.contains("name") && each["name"].is_string())
            out.push_back(each["name"].get<std::string>());
    out.push_back("blocks.4000.attn.q");
    return out;
  }

  void change_stage(Json& graph) {
    if (!graph.contains("stages") || !graph["stages"].is_array() || graph["stages"].empty()) return;
    Json& stages = graph["stages"];
    Json &stage = stages[below(stages.size())], &other = stages[below(stages.size())];
    std::vector<std::string> all = names(graph);
    switch (below(7)) {
      case 0:  // reads something else
        if (stage.contains("inputs") && !stage["inputs"].empty())
          stage["inputs"][below(stage["inputs"].size())] = one_of(all);
        break;
      case 1:
        std::swap(stage, other);
        break;
      case 2:
        if (stage.contains("operation") && other.contains("operation"))
          std::swap(stage["operation"], other["operation"]);
        break;
      case 3:
        if (other.contains("options")) stage["options"] = other["options"];
        break;
      case 4:
        stage["options"][one_of(all)] = extreme();
        break;
      case 5:
        if (stage.contains("options") && stage["options"].is_object())
          for (auto& [name, value] : stage["options"].items())
            if (value.is_number()) value = extreme();
        break;
      default:
        stage["options"][below(2) ? "first_query" : "window"] = extreme();
    }
  }

  void change_tensor(TensorFile& file) {
    auto at = file.tensors.begin();
    std::advance(at, below(file.tensors.size()));
    std::vector<int64_t> sizes = at->second.shape().sizes();
    if (sizes.empty()) sizes = {1};
    std::shuffle(sizes.begin(), sizes.end(), random_);
    if (below(2)) {  // two axes become one
      const int64_t last = sizes.back();
      sizes.pop_back();
      if (sizes.empty())
        sizes = {last};
      else
        sizes.back() *= last;
    } else if (below(2)) {
      sizes.insert(sizes.begin() + static_cast<std::ptrdiff_t>(below(sizes.size())), 1);
    }
    at->second.reshape(Shape::unnamed(sizes));
  }

  void change_one(Json& json, TensorFile& file) {
    Json& graph = json["graph"];
    if (!graph.is_object()) return;
    switch (below(12)) {
      case 0: {  // a key or an item less
        Json* parent = find(json, [](const Json& j) { return j.is_structured() && !j.empty(); });
        if (parent->is_array()) {
          parent->erase(below(parent->size()));
        } else {
          auto key = parent->begin();
          std::advance(key, below(parent->size()));
          parent->erase(key);
        }
        return;
      }
      case 1:
        *find(json, [](const Json& j) { return j.is_number(); }) = extreme();
        return;
      case 2: {  // an axis of the graph
        Json* axis = find(graph, [](const Json& j) {
          return j.is_array() && j.size() == 2 && j[0].is_string() && j[1].is_number();
        });
        if (axis && below(2))
          (*axis)[1] = extreme();
        else if (axis)
          (*axis)[0] = std::string(1, "BTSHGDCFVLPNR"[below(13)]);
        return;
      }
      case 3: {
        std::vector<std::string> all = names(graph);
        const std::string a = one_of(all), b = one_of(all);
        swap_everywhere(graph, a, b);
        return;
      }
      case 4: {
        Json* list = find(json, [](const Json& j) { return j.is_array() && j.size() > 1; });
        list->erase(list->begin() + static_cast<std::ptrdiff_t>(below(list->size())), list->end());
        return;
      }
      case 5: {  // one word for another
        Json* to = find(json, [](const Json& j) { return j.is_string(); });
        const Json from = *find(json, [](const Json& j) { return j.is_string(); });
        *to = from;
        return;
      }
      case 6: {  // something of another kind
        Json* to = find(json, [](const Json&) { return true; });
        const Json from = *find(json, [](const Json&) { return true; });
        *to = from;
        return;
      }
      case 7: {
        Json* list = find(json, [](const Json& j) { return j.is_array() && !j.empty(); });
        const Json again = (*list)[below(list->size())];
        list->push_back(again);
        return;
      }
      case 8:
        return change_tensor(file);
      default:
        return change_stage(graph);
    }
  }

  std::mt19937_64 random_;
};

// ---- readings ------------------------------------------------------------------------------------

struct Counts {
  int loaded = 0, pages = 0, figures = 0, errors = 0;
};

template <class F>
void attempt(int& done, Counts& counts, F&& f) {
  try {
    f();
    ++done;
  } catch (const Error& error) {
    EXPECT_TRUE(is_utf8(error.what())) << error.what();
    EXPECT_LT(std::string(error.what()).size(), 4000u);
    ++counts.errors;
  }
}

void read_in_every_way(const std::string& path, Counts& counts) {
  std::optional<Trace> trace;
  attempt(counts.loaded, counts, [&] { trace = load_trace(path); });
  if (!trace) return;
  const PageOptions wide{.columns = 100};
  attempt(counts.pages, counts, [&] { page(*trace, wide); });
  for (int layer : {0, 1}) {
    attempt(counts.pages, counts, [&] { page(*trace, {.layer = layer, .head = 1}); });
    for (int head : {0, 1})
      attempt(counts.pages, counts, [&] { token_page(*trace, layer, head, {0, 1}, wide); });
  }
  attempt(counts.pages, counts, [&] { key_insight(*trace); });
  attempt(counts.pages, counts, [&] { to_json(*trace); });
  const auto svg = [&](const Scene& scene) { to_svg(scene); };
  attempt(counts.figures, counts, [&] { svg(network_scene(*trace)); });
  attempt(counts.figures, counts,
          [&] { svg(network_scene(*trace, {.parameters = true, .open = {"blocks.1"}})); });
  attempt(counts.figures, counts, [&] { svg(attention_scene(*trace)); });
  attempt(counts.figures, counts, [&] { svg(token_scene(*trace)); });
  attempt(counts.figures, counts, [&] { svg(matrices_scene(*trace)); });
  attempt(counts.figures, counts, [&] { svg(head_scene(*trace, {.layer = 1, .head = 1})); });
  attempt(counts.figures, counts, [&] { heads_pages(*trace); });
  attempt(counts.figures, counts, [&] { lecture(*trace); });
}

int64_t asked_for(const char* variable, int64_t otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::atoll(text) : otherwise;
}

TEST(StoredTrace, any_header_ends_in_a_page_or_an_error) {
  const std::string path =
      (fs::temp_directory_path() / join("limpid_stored_", ::getpid(), ".safetensors")).string();
  const std::vector<TensorFile> all = originals(path);
  for (const TensorFile& one : all) {  // as they are, nothing is wrong with them
    Counts counts;
    write_safetensors(path, one);
    read_in_every_way(path, counts);
    EXPECT_EQ(counts.loaded, 1);
  }
  const int64_t only = asked_for("LIMPID_MUTATION", -1), count = asked_for("LIMPID_MUTATIONS", 300);
  Counts counts;
  for (int64_t i = only < 0 ? 0 : only; i < (only < 0 ? count : only + 1); ++i) {
    TensorFile changed = all[static_cast<size_t>(i) % all.size()];
    Mutator(static_cast<uint64_t>(i)).change(changed);
    if (only >= 0) std::fprintf(stderr, "%s\n", changed.metadata.at("limpid").c_str());
    if (std::getenv("LIMPID_MUTATIONS")) std::fprintf(stderr, "mutation %lld\n", static_cast<long long>(i));
    write_safetensors(path, changed);
    read_in_every_way(path, counts);
  }
  fs::remove(path);
  if (only >= 0) return;
  EXPECT_GT(counts.loaded, count / 20);  // or the readings would not be tried
  EXPECT_GT(counts.pages, count / 20);
  EXPECT_GT(counts.figures, count / 20);
  EXPECT_GT(counts.errors, count / 20);
  std::printf("%d loaded, %d pages, %d figures, %d errors\n", counts.loaded, counts.pages, counts.figures,
              counts.errors);
}

}  // namespace
}  // namespace limpid
