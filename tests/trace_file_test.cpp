// The trace as a file: it comes back as it was, and survives anything.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "limpid/files.h"
#include "trace_helpers.h"

namespace limpid {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

class TraceFile : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("limpid_trace_test_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  // The error of loading a good trace's file after `change`.
  std::string error_after(const std::function<void(TensorFile&, Json&)>& change) const {
    const std::string file = path("changed.safetensors");
    save(textbook(), file);
    TensorFile stored = read_safetensors(file);
    Json json = Json::parse(stored.metadata.at("limpid"));
    change(stored, json);
    if (stored.metadata.count("limpid")) stored.metadata["limpid"] = json.dump();
    write_safetensors(file, stored);
    try {
      load_trace(file);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Error::Kind::work) << error.what();
      EXPECT_NE(std::string(error.what()).find("changed.safetensors"), std::string::npos) << error.what();
      return error.what();
    }
    return "";
  }

  fs::path folder_;
};

void expect_same(const Trace& a, const Trace& b) {
  EXPECT_EQ(a.engine_version, b.engine_version);
  EXPECT_EQ(a.title, b.title);
  EXPECT_EQ(a.model_hash, b.model_hash);
  EXPECT_EQ(a.text, b.text);
  EXPECT_EQ(a.token_word, b.token_word);
  EXPECT_EQ(a.vocabulary, b.vocabulary);
  EXPECT_EQ(a.observed, b.observed);
  EXPECT_EQ(a.edited, b.edited);
  EXPECT_EQ(a.notes, b.notes);
  EXPECT_EQ(a.numbers, b.numbers);
  EXPECT_EQ(a.summaries, b.summaries);
  EXPECT_EQ(to_json(*a.graph), to_json(*b.graph));
  ASSERT_EQ(a.tokens.size(), b.tokens.size());
  for (size_t i = 0; i < a.tokens.size(); ++i) {
    EXPECT_EQ(a.tokens[i].id, b.tokens[i].id);
    EXPECT_EQ(a.tokens[i].label, b.tokens[i].label);
    EXPECT_EQ(a.tokens[i].begin, b.tokens[i].begin);
    EXPECT_EQ(a.tokens[i].end, b.tokens[i].end);
  }
  for (const auto member : {&Trace::values, &Trace::parameters}) {
    ASSERT_EQ((a.*member).size(), (b.*member).size());
    for (const auto& [name, tensor] : a.*member) {
      ASSERT_TRUE((b.*member).count(name)) << name;
      const Tensor& other = (b.*member).at(name);
      EXPECT_EQ(tensor.shape(), other.shape()) << name;
      ASSERT_EQ(tensor.dtype(), other.dtype()) << name;
      EXPECT_EQ(0, std::memcmp(tensor.raw(), other.raw(), tensor.bytes())) << name;
    }
  }
}

TEST_F(TraceFile, comes_back_as_it_was) {
  Trace rich = gpt("Life is\xff short");
  rich.notes = {"a note", "zwei \"Zeilen\"\n\x07"};
  rich.edited = {"blocks.0.attn.z[H=2]=zero"};
  rich.observed = {"blocks.*.attn.pattern"};
  rich.metrics = {{"loss", 2.5}, {"worst", std::numeric_limits<double>::infinity()}};
  rich.summaries["blocks.0.attn.q"] = {
      {{Axis::B, 1}, {Axis::T, 9}}, 9, 1, std::nan("") == 0 ? 0 : -0.125, 1.5, -2, 3e-300};
  for (const Trace& trace : {textbook("a b a", everything(), true), rich, vectors(), training_step()})
    for (const char* name : {"trace.safetensors", "trace.npz", "TRACE.NPZ"}) {
      save(trace, path(name));
      const Trace again = load_trace(path(name));
      expect_same(trace, again);
      EXPECT_EQ(trace.metrics, again.metrics);
      EXPECT_EQ(page(trace, {}), page(again, {}));
      EXPECT_EQ(token_page(trace, 0, 0, {1}, {}), token_page(again, 0, 0, {1}, {}));
    }
}

TEST_F(TraceFile, same_trace_same_bytes) {
  for (const char* ending : {".safetensors", ".npz"}) {
    save(textbook(), path(std::string("a") + ending));
    save(textbook(), path(std::string("b") + ending));
    EXPECT_EQ(read_file(path(std::string("a") + ending)), read_file(path(std::string("b") + ending)));
  }
}

TEST_F(TraceFile, half_precision_is_written_as_f32) {
  Trace trace = gpt("Life");
  for (auto& [name, tensor] : trace.values)
    if (tensor.dtype() == DType::f32) tensor = tensor.to(DType::bf16);
  save(trace, path("half.safetensors"));
  const Trace again = load_trace(path("half.safetensors"));
  EXPECT_EQ(again["logits"].dtype(), DType::f32);
  EXPECT_EQ(again["logits"].at({0, 2, 5}), trace["logits"].at({0, 2, 5}));
}

TEST_F(TraceFile, names_are_the_tensors_and_aliases_work) {
  save(textbook("Life is short", {}, true), path("t.safetensors"));
  const SafetensorsInfo info = inspect_safetensors(path("t.safetensors"));
  EXPECT_NE(info.find("blocks.0.attn.pattern"), nullptr);
  EXPECT_NE(info.find("embed.W_E"), nullptr);
  const Trace trace = load_trace(path("t.safetensors"));
  EXPECT_EQ(&trace["blocks.0.attn.hook_pattern"], &trace.values.at("blocks.0.attn.pattern"));
  EXPECT_TRUE(trace.has("blocks.0.hook_resid_pre"));
  EXPECT_TRUE(trace.has("embed.W_E"));
  EXPECT_FALSE(trace.has("blocks.1.attn.q"));
  EXPECT_THROW(trace["blocks.1.attn.q"], Error);
}

TEST_F(TraceFile, every_wrong_file_has_its_error) {
  const auto has = [](const std::string& text, const std::string& piece) {
    EXPECT_NE(text.find(piece), std::string::npos) << "'" << piece << "' in: " << text;
  };
  EXPECT_EQ(error_after([](TensorFile&, Json&) {}), "");
  has(error_after([](TensorFile& f, Json&) { f.metadata.clear(); }), "limpid info");
  for (const char* key : {"schema", "engine", "title", "text", "tokens", "vocabulary", "graph", "observed",
                          "edited", "notes", "numbers", "metrics", "summaries", "token_word", "model_hash"}) {
    has(error_after([&](TensorFile&, Json& j) { j.erase(key); }), key);
    has(error_after([&](TensorFile&, Json& j) { j[key] = Json::parse("{\"a\":[null]}"); }),
        std::string(key) == "graph" ? "graph" : key);
    error_after([&](TensorFile&, Json& j) { j[key] = nullptr; });
    error_after([&](TensorFile&, Json& j) { j[key] = 17; });
  }
  has(error_after([](TensorFile&, Json& j) { j["schema"] = 99; }), "99");
  has(error_after([](TensorFile&, Json& j) { j["graph"]["stages"][1]["operation"] = "teleport"; }),
      "teleport");
  has(error_after([](TensorFile&, Json& j) { j["graph"]["stages"][1]["inputs"][0] = "nowhere"; }), "nowhere");
  has(error_after([](TensorFile&, Json& j) { j["graph"]["stages"][6]["options"]["axis"] = ""; }), "changed");
  has(error_after([](TensorFile&, Json& j) { j["tokens"][1]["end"] = 99; }), "99");
  has(error_after([](TensorFile&, Json& j) { j["tokens"][1]["begin"] = -1; }), "-1");
  has(error_after([](TensorFile&, Json& j) { j["tokens"].erase(0); }), "2 tokens");
  has(error_after(
          [](TensorFile& f, Json&) { f.tensors["logits"] = Tensor(DType::f64, Shape::unnamed({1, 3, 4})); }),
      "logits");
  has(error_after(
          [](TensorFile& f, Json&) { f.tensors["logits"] = Tensor(DType::f64, Shape::unnamed({1, 4, 3})); }),
      "logits");
  has(error_after(
          [](TensorFile& f, Json&) { f.tensors["logits"] = Tensor(DType::f64, Shape::unnamed({9})); }),
      "logits");
  has(error_after(
          [](TensorFile& f, Json&) { f.tensors["logits"] = Tensor(DType::i64, Shape::unnamed({1, 3, 3})); }),
      "i64");
  has(error_after(
          [](TensorFile& f, Json&) { f.tensors["unheard_of"] = Tensor(DType::f64, Shape::unnamed({1})); }),
      "unheard_of");
  EXPECT_THROW(save(textbook(), path("trace.txt")), Error);
  EXPECT_THROW(load_trace(path("absent.safetensors")), Error);
  std::map<std::string, Tensor> arrays = {{"a", Tensor(DType::f32, Shape::unnamed({2}))}};
  write_npz(path("plain.npz"), arrays);
  EXPECT_THROW(load_trace(path("plain.npz")), Error);
}

// Whatever happens to a file, loading it and showing it ends in a page or an error.
TEST_F(TraceFile, survives_any_change_of_its_metadata) {
  const std::string file = path("base.safetensors");
  save(textbook("a b", everything()), file);
  const TensorFile stored = read_safetensors(file);
  const std::string good = stored.metadata.at("limpid");
  int pages = 0, errors = 0;
  EXPECT_TRUE(rc::check("one piece of the metadata is something else", [&] {
    TensorFile changed = stored;
    std::string text = good;
    const auto at = *rc::gen::inRange<size_t>(0, text.size());
    const auto length = *rc::gen::inRange<size_t>(0, 12);
    const auto piece =
        *rc::gen::element<std::string>("", "0", "-1", "9", "[]", "{}", "null", "\"\"", "\\u0000",
                                       "99999999999", "blocks.0.attn.q", "T", "S", "1e999", ",", "true");
    text.replace(at, std::min(length, text.size() - at), piece);
    changed.metadata["limpid"] = text;
    if (!is_utf8(text)) return;
    const std::string place = path("changed.safetensors");
    write_safetensors(place, changed);
    try {
      const Trace trace = load_trace(place);
      PageOptions options;
      expect_fits(page(trace, options), options, "changed metadata");
      token_page(trace, 0, 1, {0}, options);
      ++pages;
    } catch (const Error&) {
      ++errors;
    }
  }));
  EXPECT_GT(pages, 0);
  EXPECT_GT(errors, 0);
}

TEST_F(TraceFile, as_json_holds_every_number) {
  Trace trace = textbook("Life is short", {}, true);
  trace.values["logits"].set({0, 0, 0}, std::nan(""));
  const Json json = Json::parse(to_json(trace));
  EXPECT_EQ(json["schema"], 1);
  EXPECT_EQ(json["tokens"][2]["label"], "short");
  EXPECT_EQ(json["values"].size(), trace.values.size());
  const Json& pattern = json["values"]["blocks.0.attn.pattern"];
  EXPECT_EQ(pattern["axes"], "BHTS");
  EXPECT_EQ(pattern["shape"], Json::parse("[1,1,3,3]"));
  EXPECT_EQ(pattern["data"][0][0][2][1].get<double>(), trace["blocks.0.attn.pattern"].at({0, 0, 2, 1}));
  EXPECT_EQ(json["values"]["logits"]["data"][0][0][0], "nan");
  EXPECT_EQ(json["parameters"]["embed.W_E"]["data"][0][0].get<double>(), trace["embed.W_E"].at({0, 0}));
}

}  // namespace
}  // namespace limpid
