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
  std::optional<int64_t> top;
  std::vector<std::string> labels;  // to choose among, of a model of texts and images
  std::string label_text = "{}";    // the text that a label becomes
};

constexpr int64_t k_shown = 10;  // classes, for people

std::vector<ClassScore> first_of(std::vector<ClassScore> classes, int64_t most) {
  if (static_cast<int64_t>(classes.size()) > most) classes.resize(static_cast<size_t>(most));
  return classes;
}

void put(Json& json, const ClassScore& score) {
  json["class"] = score.name;
  json["probability"] = score.probability;
  json["logit"] = score.logit;
}

Json text_json(const Classified& text, const ClassifyCall& call, bool image) {
  Json json = {{image ? "image" : "text", text.text}};
  if (!text.classes.empty()) {
    json["classes"] = Json::array();
    for (const ClassScore& score : first_of(text.classes, call.top.value_or(INT64_MAX)))
      put(json["classes"].emplace_back(Json::object()), score);
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

void print_for_people(const Classified& text, const ClassifyCall& call, bool image, size_t room) {
  print(image ? visible_line(text.text) + "\n" : "\"" + visible_line(text.text) + "\"\n");
  const std::vector<ClassScore> classes = first_of(text.classes, call.top.value_or(k_shown));
  const auto line = [](const std::string& first, size_t width, const std::string& rest) {
    print("  " + pad_to_width(first, width) + "  " + rest + "\n");
  };
  size_t widest = 0, named = 0;
  for (const ClassScore& score : classes) widest = std::max(widest, display_width(score.name));
  for (const LabelledWord& word : text.words) {
    widest = std::max(widest, display_width(visible_line(word.text)));
    named = std::max(named, display_width(word.best.name));
  }
  widest = std::min(widest, room / 2);
  for (const ClassScore& score : classes) line(score.name, widest, probability_text(score.probability));
  if (const size_t more = text.classes.size() - classes.size(); more > 0)
    print(join("  and ", more, " less likely", more == 1 ? " one" : " ones", " (--top N shows more)\n"));
  for (const LabelledWord& word : text.words)
    line(visible_line(word.text), widest,
         pad_to_width(word.best.name, std::min(named, room / 3)) + "  " +
             probability_text(word.best.probability));
}

Classes classes_of_texts(const ClassifyCall& call, const Model& model, const Terminal& terminal) {
  const std::vector<std::string> texts = texts_of(call);
  BatchOptions options = call.options;
  std::optional<RunBar> bar(std::in_place, terminal);
  options.progress = [&](double done, const std::string& next) { bar->show(done, next); };
  Classes classes = classify(model, texts, options);
  bar.reset();  // gone before the result stands there
  TraceOptions traced;
  traced.longest = longest_text(model);
  save_trace(call, model, texts[0], traced, terminal);
  return classes;
}

constexpr std::string_view k_place = "{}";  // where a label stands in --label-text

void check(const ClassifyCall& call, const Model& model) {
  const bool towers = has_towers(model.config());
  if (towers && call.labels.empty())
    fail_call(
        "this model has no classes of its own: it says which text an image is most like; give some: --labels "
        "cat,dog");
  if (!towers && !call.labels.empty())
    fail_call("--labels is for a model of texts and images, such as CLIP; this one has classes of its own");
  if (call.label_text.find(k_place) == std::string::npos)
    fail_call("--label-text ", in_quotes(call.label_text), " has no {}, where the label goes, such as in ",
              "\"a photo of a {}\"");
}

// The text each label becomes; the label is what is shown.
Classes classes_by_labels(const ClassifyCall& call, const Model& model,
                          const std::vector<ImageSource>& images, const BatchOptions& options) {
  std::vector<std::string> texts;
  for (const std::string& label : call.labels) {
    std::string text = call.label_text;
    texts.push_back(text.replace(text.find(k_place), k_place.size(), label));
  }
  Classes classes = match_texts(model, images, texts, options);
  for (Classified& image : classes.texts)
    for (ClassScore& score : image.classes)
      score.name = visible_line(call.labels[static_cast<size_t>(score.id)]);
  return classes;
}

Classes classes_of_images(const ClassifyCall& call, const Model& model, const Terminal& terminal) {
  const std::vector<ImageSource> images = images_of(call);
  BatchOptions options = call.options;
  std::optional<RunBar> bar(std::in_place, terminal);
  options.progress = [&](double done, const std::string& next) { bar->show(done, next); };
  Classes classes = has_towers(model.config()) ? classes_by_labels(call, model, images, options)
                                               : classify_images(model, images, options);
  bar.reset();
  save_trace(call, model, images[0], terminal);
  return classes;
}

// Whether each class is true or not by itself.
bool independent(const Model& model) {
  const auto* parts = std::get_if<Architecture>(&model.config());
  return parts && parts->images ? parts->images->sigmoid : model.tasks().independent_classes;
}

void run(const ClassifyCall& call, const Terminal& terminal) {
  check_task(call);
  const Model model = open_model(call.model);
  check(call, model);
  const bool image = reads_images(model.config()) || has_towers(model.config());
  const Classes classes =
      image ? classes_of_images(call, model, terminal) : classes_of_texts(call, model, terminal);
  print_notes(classes.notes);
  if (call.json) {
    Json all = Json::array();
    for (const Classified& text : classes.texts) all.push_back(text_json(text, call, image));
    return print(json_text({{"model", visible_line(model.title())},
                            {"independent", independent(model)},
                            {image ? "images" : "texts", std::move(all)}}));
  }
  for (size_t i = 0; i < classes.texts.size(); ++i) {
    if (i > 0) print("\n");
    print_for_people(classes.texts[i], call, image, static_cast<size_t>(std::max(terminal.columns, 40)));
  }
}

}  // namespace

Work add_classify(CLI::App& app) {
  auto call = std::make_shared<ClassifyCall>();
  CLI::App* sub = app.add_subcommand(
      "classify", "The classes of a text, of each of its words, or of an image, with their probabilities.");
  add_task_options(*sub, *call);
  sub->add_option("--batch", call->options.batch,
                  "At most so many texts are run at once; changes no number (32).")
      ->check(CLI::Range(1, 4096).description(""))
      ->type_name("N");
  sub->add_option("--top", call->top,
                  "So many of the likeliest classes are shown (10; --json has all of them).")
      ->check(CLI::Range(1, 1 << 20).description(""))
      ->type_name("N");
  sub->add_option(
         "--labels", call->labels,
         "Of a model of texts and images (CLIP): the texts to choose among, with commas between them.")
      ->delimiter(',')
      ->type_name("TEXT,...");
  sub->add_option("--label-text", call->label_text,
                  "With --labels: the text that each label becomes, {} in its place ({}).")
      ->type_name("TEXT");
  sub->footer(
      "A word is shown with the class of its first token; --json has every token's.\n\n"
      "Examples:\n"
      "  limpid classify \"What a day!\" --model FOLDER\n"
      "  limpid classify --lines texts.txt --model bert-base-NER --json\n"
      "  limpid classify cat.jpg photos/ --model vit-base-patch16-224 --top 3\n"
      "  limpid classify cat.jpg --model clip-vit-base-patch32 --labels cat,dog\n");
  return [call](const Terminal& terminal) { run(*call, terminal); };
}

}  // namespace limpid::command
