// open: another model, another text, other edits.
#include "explore/open.h"

#include <algorithm>

#include "core/label.h"
#include "engine/edit.h"
#include "explore/given_input.h"

namespace limpid::explore {

namespace {

constexpr const char* k_first_text = "Life is short";  // after a model that read no text
constexpr size_t k_most_tokens = 1 << 20, k_most_edits = 256;

void require_network(const Opened& opened, const std::string& what) {
  if (opened.subject.stored)
    fail_call(opened.model_name, " is a stored run, which stays as it is; for ", what,
              " give the model that ran: limpid explore ", opened.model_name,
              " --model MODEL (or open a model on the page)");
}

// What is open may read this.
void require_reads_texts(const Opened& opened, const char* given) {
  require_network(opened, given);
  if (opened.subject.input.count() == 0) return;
  fail_call("this model reads ", kind_of_input(opened.model()) == "image" ? "images" : "series", ", no ",
            given, "; give it one, or open another model");
}

void set_text(Opened& opened, const std::string& text) {
  require_reads_texts(opened, "texts");
  if (text.size() > k_most_text_bytes)
    fail_call("the text has ", text.size(), " bytes, at most ", k_most_text_bytes, " are read");
  if (!opened.subject.made_for && !opened.model().tokenizer())
    fail_call("this model has no tokenizer; give tokens, a list of ids");
  opened.read_text(text);
}

void set_input(State& state, Opened& opened, Tensor input, const std::string& name) {
  constexpr size_t k_longest_name = 400;
  if (name.empty() || name.size() > k_longest_name)
    fail_call("open: name has ", name.size(), " bytes, expected 1 to ", k_longest_name);
  opened.subject.input = std::move(input);
  opened.subject.input_name = name;
  opened.input_number = ++state.inputs;
  opened.text = name;
}

// An image or a series in the place of the one that is open.
void set_given_input(State& state, Opened& opened, Request& request) {
  const auto image = request.value("image"), series = request.value("series");
  const std::string name = request.text_or("name", image ? "an image" : "a series");
  if (image && series) fail_call("open: image and series are given; give one of them");
  if (image) set_input(state, opened, image_of(opened.model(), *image), name);
  if (series) set_input(state, opened, series_of(opened.model(), *series), name);
  if (!image && !series && request.has("name"))
    fail_call("open: name is of an image or a series; give one, or leave it out");
}

int64_t most_id(const Opened& opened) {
  const NetworkConfig& config = opened.model().config();
  return (reads_source(config) ? source_vocabulary_of(config) : vocabulary_of(config)) - 1;
}

void set_tokens(Opened& opened, const std::vector<int64_t>& ids) {
  require_reads_texts(opened, "tokens");
  if (opened.subject.made_for)
    fail_call("this network is made for the words of its text; give a text in place of tokens");
  if (ids.empty()) fail_call("open: tokens is an empty list, expected at least one id");
  opened.tokens = ids;
  opened.text.clear();
  opened.as_text = false;
  opened.target.reset();
}

std::map<Axis, int64_t> places(const JsonValue& value) {
  std::map<Axis, int64_t> out;
  value.each_entry([&](const std::string& letter, const JsonValue& place) {
    if (letter.size() != 1) value.fail("has the axis ", in_quotes(letter), ", expected a letter such as T");
    out[static_cast<Axis>(letter[0])] = place.integer(0, INT32_MAX);
  });
  return out;
}

void add_patch(Opened& opened, const JsonValue& value) {
  value.each_entry([&](const std::string& key, const JsonValue&) {
    if (key != "patch" && key != "where" && key != "text" && key != "at")
      value.fail("has a field ", in_quotes(key), "; there are patch, where, text and at");
  });
  Patch patch;
  const Graph& graph = opened.model().graph();
  const Value& patched = graph.value(graph.require(value.at("patch").text()));
  if (patched.kind != Value::Kind::temporary)
    value.at("patch").fail("is ", in_quotes(patched.name), ", which no stage computes");
  patch.name = patched.name;
  patch.text = value.at("text").text();
  if (patch.text.size() > k_most_text_bytes)
    value.at("text").fail("has ", patch.text.size(), " bytes, at most ", k_most_text_bytes, " are read");
  if (value.has("where")) patch.where = places(value.at("where"));
  patch.at = value.has("at") ? places(value.at("at")) : patch.where;
  for (const auto& [axis, place] : patch.at)
    if (!patch.where.count(axis) || patch.where.size() != patch.at.size())
      value.at("at").fail("names other axes than where");
  opened.edit_texts.push_back(value.json().dump());
  opened.patches.push_back(std::move(patch));
}

void add_edit(Opened& opened, const JsonValue& value) {
  if (value.json().is_object()) return add_patch(opened, value);
  const std::string text = value.text();
  opened.edits.push_back(edit_of(text));
  values_named(opened.model().graph(), opened.edits.back().pattern);
  opened.edit_texts.push_back(text);
}

void set_changes(Opened& opened, Request& request) {
  if (const auto edits = request.value("edits")) {
    if (edits->size() > k_most_edits) edits->fail("has ", edits->size(), " items, at most ", k_most_edits);
    opened.edits.clear(), opened.patches.clear(), opened.edit_texts.clear();
    edits->each_item([&](const JsonValue& each) { add_edit(opened, each); });
  }
  const auto swaps = request.value("swaps");
  if (!swaps) return;
  if (swaps->size() > k_most_edits) swaps->fail("has ", swaps->size(), " items, at most ", k_most_edits);
  opened.swaps.clear();
  swaps->each_item([&](const JsonValue& each) {
    if (each.size() != 2) each.fail("has ", each.size(), " items, expected [place, token]");
    const auto last = static_cast<int64_t>(opened.tokens.size()) - 1;
    if (last < 0) each.fail("swaps tokens, and this model reads none");
    opened.swaps.emplace_back(each.at(size_t{0}).integer(0, last),
                              each.at(size_t{1}).integer(0, most_id(opened)));
  });
}

void set_target(Opened& opened, const JsonValue& given) {
  const Model& model = opened.model();
  if (!reads_source(model.config()))
    given.fail("is given, and this model writes beside no source; leave it out");
  std::vector<int64_t> ids;
  if (given.json().is_string()) {
    if (!model.tokenizer()) given.fail("is a text, and this model has no tokenizer; give ids");
    if (model.tasks().writing) ids.push_back(model.tasks().writing->start);
    for (const int64_t id : model.tokenizer()->encode(given.text())) ids.push_back(id);
  } else {
    given.each_item(
        [&](const JsonValue& each) { ids.push_back(each.integer(0, vocabulary_of(model.config()) - 1)); });
  }
  if (ids.empty()) given.fail("is empty, expected the token that texts begin with");
  opened.target = std::move(ids);
}

// Of a stored run: its tokens, and what was edited of it.
Opened stored_run(Opened opened) {
  const Trace& trace = *opened.subject.stored;
  opened.text = trace.source_text.empty() ? trace.text : trace.source_text;
  for (const Token& token : trace.source.empty() ? trace.tokens : trace.source)
    opened.tokens.push_back(token.id);
  opened.edit_texts = trace.edited;
  return opened;
}

// It is open as soon as it is there: nothing is to be given.
bool opens_alone(const Opened& opened) { return opened.subject.stored || opened.subject.input.count() > 0; }

Opened subject_of(Host& host, const std::string& name) {
  const std::vector<std::string> all = host.models();
  if (std::find(all.begin(), all.end(), name) == all.end()) {
    std::string list;
    for (const std::string& each : all) list += (list.empty() ? "" : ", ") + in_quotes(each);
    fail_call("open: there is no model ", in_quotes(name), "; there are ", list);
  }
  Opened opened;
  opened.model_name = name;
  opened.subject = host.subject(name);
  if (opened.subject.stored) return stored_run(std::move(opened));
  if (opened.subject.model && opened.subject.input.count() == 0) {
    opened.subject.input = blank_input(opened.model());
    opened.subject.input_name = blank_name(opened.model());
  }
  if (opened.subject.input.count() > 0) opened.text = opened.subject.input_name;
  return opened;
}

// Edits that would fail when the run comes to them are refused before anything changes.
void require_fits(Run& run) {
  const Graph& graph = run.graph();
  for (const Edit& edit : run.opened().edits)
    for (const int named : values_named(graph, edit.pattern)) {
      const Value& value = graph.value(edited_value(graph, edit, named));
      if (value.kind != Value::Kind::temporary)
        fail_call("edit of ", in_quotes(value.name), ": no stage computes it");
      const Shape shape = run.read({{value.name, Depth::shape}}).summaries.at(value.name).shape;
      const auto require = [&](Axis axis, int64_t place) {
        const int at = shape.find(axis);
        if (at < 0 || place < 0 || place >= shape[at].size)
          fail_call("edit of ", value.name, ": ", static_cast<char>(axis), "=", place, " is outside ",
                    shape.text());
      };
      for (const auto& [axis, place] : edit.where) require(axis, place);
      for (const auto& [query, key] : edit.edges) require(Axis::T, query), require(Axis::S, key);
    }
}

// What is open becomes this, once a run of it has begun.
void open_as(State& state, Opened opened) {
  Run& run = state.runs.of(opened);
  require_fits(run);
  opened.target = run.opened().target;
  opened.given = opened.target ? opened.target->size() : opened.tokens.size();
  const bool other = opened.subject.model != state.opened.subject.model ||
                     opened.subject.stored != state.opened.subject.stored;
  state.writing.reset();
  state.written.clear();
  if (other) {
    state.measured.reset();
    state.hash.clear();
  }
  state.opened = std::move(opened);
}

}  // namespace

void open_model(State& state, const std::string& name) {
  Opened opened = subject_of(state.host, name);
  if (opens_alone(opened)) return open_as(state, std::move(opened));
  state.writing.reset();
  state.measured.reset();
  state.opened = std::move(opened);
}

void open_text(State& state, const std::string& text) {
  Opened opened = state.opened;
  set_text(opened, text);
  open_as(state, std::move(opened));
}

void open_tokens(State& state, const std::vector<int64_t>& ids) {
  Opened opened = state.opened;
  for (const int64_t id : ids)
    if (id < 0 || id > most_id(opened))
      fail_call("token ", id, " is not there, expected 0 to ", most_id(opened));
  set_tokens(opened, ids);
  open_as(state, std::move(opened));
}

void ask_open(State& state, Request& request, Answer& answer) {
  Opened opened = state.opened;
  const bool model = request.has("model"), text = request.has("text"), tokens = request.has("tokens");
  if (text && tokens) fail_call("open: text and tokens are given; give one of them");
  if (model && (request.text("model") != opened.model_name || state.host.changed(request.text("model")))) {
    const Opened before = opened;
    opened = subject_of(state.host, request.text("model"));
    if (opened.model_name == before.model_name) state.runs.clear();  // they are of the model as it was
    if (!text && !tokens && !opens_alone(opened))
      set_text(opened, before.subject.input.count() > 0 || before.text.empty() ? k_first_text : before.text);
  }
  if (text || tokens) opened.swaps.clear();
  if (text) set_text(opened, request.text("text"));
  if (tokens) require_reads_texts(opened, "tokens");
  if (tokens)
    set_tokens(opened, request.integers("tokens", 0, opened.subject.model ? most_id(opened) : INT64_MAX,
                                        k_most_tokens));
  for (const char* field : {"target", "edits", "swaps", "image", "series"})
    if (request.has(field)) require_network(opened, field);
  set_given_input(state, opened, request);
  if (const auto target = request.value("target")) set_target(opened, *target);
  set_changes(opened, request);
  request.finish();
  open_as(state, std::move(opened));
  if (state.opened.changed()) answer.fields["edited"] = state.opened.edit_texts;
  tell_open(state, state.runs.of(state.opened), answer);
}

}  // namespace limpid::explore
