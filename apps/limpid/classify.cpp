// limpid classify: the classes of texts, or of their words.
#include <algorithm>

#include "core/label.h"
#include "core/width.h"
#include "limpid/commands.h"
#include "limpid/run_bar.h"
#include "limpid/tasks.h"
#include "limpid/texts.h"

namespace limpid::command {

namespace {

struct ClassifyCall : TaskCall {
  BatchOptions options;
};

void put(Json& json, const ClassScore& score) {
  json["class"] = score.name;
  json["probability"] = score.probability;
  json["logit"] = score.logit;
}

Json text_json(const Classified& text) {
  Json json = {{"text", text.text}};
  if (!text.classes.empty()) {
    json["classes"] = Json::array();
    for (const ClassScore& score : text.classes) put(json["classes"].emplace_back(Json::object()), score);
    return json;
  }
  json["words"] = Json::array();
  for (const LabelledWord& word : text.words) {
    Json& each = json["words"].emplace_back(
        Json{{"text", word.text}, {"begin", word.place.begin}, {"end", word.place.end}});
    put(each, word.best);
  }
  json["tokens"] = Json::array();
  for (const LabelledToken& token : text.tokens) {
    Json& each = json["tokens"].emplace_back(Json{
        {"id", token.id}, {"piece", token.label}, {"begin", token.place.begin}, {"end", token.place.end}});
    put(each, token.best);
  }
  return json;
}

void print_for_people(const Classified& text, size_t room) {
  print("\"" + visible_line(text.text) + "\"\n");
  const auto line = [](const std::string& first, size_t width, const std::string& rest) {
    print("  " + pad_to_width(first, width) + "  " + rest + "\n");
  };
  size_t widest = 0, named = 0;
  for (const ClassScore& score : text.classes) widest = std::max(widest, display_width(score.name));
  for (const LabelledWord& word : text.words) {
    widest = std::max(widest, display_width(visible_line(word.text)));
    named = std::max(named, display_width(word.best.name));
  }
  widest = std::min(widest, room / 2);
  for (const ClassScore& score : text.classes) line(score.name, widest, probability_text(score.probability));
  for (const LabelledWord& word : text.words)
    line(visible_line(word.text), widest,
         pad_to_width(word.best.name, std::min(named, room / 3)) + "  " +
             probability_text(word.best.probability));
}

void run(const ClassifyCall& call, const Terminal& terminal) {
  const std::vector<std::string> texts = texts_of(call);
  const Model model = open_model(call.model);
  BatchOptions options = call.options;
  std::optional<RunBar> bar(std::in_place, terminal);
  options.progress = [&](double done, const std::string& next) { bar->show(done, next); };
  const Classes classes = classify(model, texts, options);
  bar.reset();  // gone before the result stands there
  TraceOptions traced;
  traced.longest = longest_text(model);
  save_trace(call, model, texts[0], traced, terminal);
  print_notes(classes.notes);
  if (call.json) {
    Json all = Json::array();
    for (const Classified& text : classes.texts) all.push_back(text_json(text));
    return print(json_text({{"model", visible_line(model.title())},
                            {"independent", model.tasks().independent_classes},
                            {"texts", std::move(all)}}));
  }
  for (size_t i = 0; i < classes.texts.size(); ++i) {
    if (i > 0) print("\n");
    print_for_people(classes.texts[i], static_cast<size_t>(std::max(terminal.columns, 40)));
  }
}

}  // namespace

Work add_classify(CLI::App& app) {
  auto call = std::make_shared<ClassifyCall>();
  CLI::App* sub = app.add_subcommand(
      "classify", "The classes of a text, or of each of its words, with their probabilities.");
  add_task_options(*sub, *call);
  sub->add_option("--batch", call->options.batch,
                  "At most so many texts are run at once; changes no number (32).")
      ->check(CLI::Range(1, 4096).description(""))
      ->type_name("N");
  sub->footer(
      "A word is shown with the class of its first token; --json has every token's.\n\n"
      "Examples:\n"
      "  limpid classify \"What a day!\" --model FOLDER\n"
      "  limpid classify --lines texts.txt --model bert-base-NER --json\n");
  return [call](const Terminal& terminal) { run(*call, terminal); };
}

}  // namespace limpid::command
