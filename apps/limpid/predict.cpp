// limpid predict: what a model was made for, of a text, a table, an image, a folder or a series.
#include "limpid/predict.h"

#include <algorithm>
#include <filesystem>

#include "core/label.h"
#include "limpid/commands.h"
#include "limpid/run_bar.h"
#include "limpid/texts.h"

namespace limpid::command {

Made made_for(const Model& model) {
  const NetworkConfig& network = model.config();
  if (has_towers(network))
    fail_call(
        "this model says how alike texts and images are; limpid classify IMAGE --labels cat,dog asks it");
  if (reads_images(network)) return Made::image_classes;
  if (reads_series(network)) return Made::forecast;
  if (reads_source(network)) return Made::translation;
  if (predicts_next_token(network)) return Made::continuation;
  const auto* parts = std::get_if<Architecture>(&network);
  const Head head = parts ? parts->head.kind : Head::none;
  if (head == Head::classes) return Made::classes;
  if (head == Head::token_classes) return Made::word_classes;
  if (head == Head::masked_word) return Made::hidden_words;
  fail_call(
      "this model names no class and foretells nothing; limpid embed gives its vectors, limpid trace its "
      "numbers");
}

namespace {

Prediction of_text(const TextInputs& in, size_t i) {
  Prediction p;
  p.input = in.texts[i];
  if (i < in.files.size()) p.file = in.files[i];
  return p;
}

void take_best(Prediction& p, const std::vector<ClassScore>& classes) {
  p.classes = classes;
  p.said = classes.front().name;
  p.probability = classes.front().probability;
}

std::vector<Prediction> classes_of(const Model& model, TextInputs& in, RunBar& bar) {
  BatchOptions options;
  options.progress = [&](double done, const std::string& next) { bar.show(done, next); };
  const Classes classes = classify(model, in.texts, options);
  in.notes.insert(in.notes.end(), classes.notes.begin(), classes.notes.end());
  std::vector<Prediction> out;
  for (size_t i = 0; i < in.texts.size(); ++i) {
    out.push_back(of_text(in, i));
    const Classified& text = classes.texts[i];
    if (!text.classes.empty()) {
      take_best(out.back(), text.classes);
      continue;
    }
    out.back().more["words"] = Json::array();
    for (const LabelledWord& word : text.words) {
      out.back().said += (out.back().said.empty() ? "" : " ") + word.text + "/" + word.best.name;
      out.back().more["words"].push_back(
          {{"text", word.text}, {"class", word.best.name}, {"probability", word.best.probability}});
    }
  }
  return out;
}

std::vector<Prediction> hidden_words(const Model& model, const TextInputs& in, RunBar& bar) {
  FillOptions options;
  options.progress = [&](double done, const std::string& next) { bar.show(done, next); };
  const std::vector<FilledText> filled = fill(model, in.texts, options);
  std::vector<Prediction> out;
  for (size_t i = 0; i < filled.size(); ++i) {
    out.push_back(of_text(in, i));
    out.back().said = filled[i].filled;
  }
  return out;
}

std::vector<Prediction> translations(const PredictCall& call, const Model& model, const TextInputs& in,
                                     RunBar& bar) {
  TranslateOptions options;
  options.beams = call.beams;
  options.tokens = call.tokens;
  options.progress = [&](double done, const std::string& next) { bar.show(done, next); };
  std::vector<Prediction> out;
  for (const Translated& t : translate(model, in.texts, options)) {
    out.push_back(of_text(in, out.size()));
    out.back().said = t.translation;
    out.back().more["ended"] = t.ended;
  }
  return out;
}

std::vector<Prediction> continuations(const PredictCall& call, const Model& model, const TextInputs& in,
                                      RunBar& bar) {
  constexpr int64_t k_tokens = 20;
  std::vector<Prediction> out;
  for (size_t i = 0; i < in.texts.size(); ++i) {
    bar.show(static_cast<double>(i) / static_cast<double>(in.texts.size()), "the next text");
    out.push_back(of_text(in, i));
    const auto given = static_cast<int64_t>(model.encode(in.texts[i]).size());
    const int64_t room = context_of(model.config()) - given;
    GenerateOptions options;
    options.tokens = call.tokens > 0 ? call.tokens : std::clamp<int64_t>(room, 1, k_tokens);
    out.back().said = model.generate(in.texts[i], options, std::function<void(const std::string&)>());
  }
  return out;
}

std::vector<Prediction> image_classes(const Model& model, const std::vector<ImageSource>& images,
                                      RunBar& bar) {
  BatchOptions options;
  options.progress = [&](double done, const std::string& next) { bar.show(done, next); };
  std::vector<Prediction> out;
  for (const Classified& image : classify_images(model, images, options).texts) {
    Prediction p;
    p.input = image.text;
    take_best(p, image.classes);
    out.push_back(std::move(p));
  }
  return out;
}

void predict_series(const PredictCall& call, const Model& model) {
  if (call.arguments.size() > 1) fail_call("this model reads a table of series; give one file");
  const std::string& file = call.arguments.front();
  std::error_code none;
  if (!std::filesystem::is_regular_file(file, none))
    fail_call("this model reads a table of series; there is no file that is called ", in_quotes(file));
  SeriesOptions options;
  if (const std::optional<SeriesScale>& series = model.tasks().series) options.columns = series->columns;
  const SeriesTable table = read_series(file, options);
  const Forecast ahead = forecast(model, table.values);
  show_forecast(call, file, ahead, table.times.empty() ? "" : table.times.back());
  std::vector<std::string> notes;
  if (table.gaps > 0)
    notes.push_back(join(file, ": ", table.gaps, table.gaps == 1 ? " gap, filled" : " gaps, each filled",
                         " with the value before it"));
  print_notes(notes);
}

void check(const PredictCall& call, Made made) {
  const bool reads_table = made != Made::image_classes && made != Made::forecast;
  if (!call.text_column.empty() && !reads_table)
    fail_call("--text-column is for a table of texts; leave it out");
  if (call.tokens > 0 && made != Made::continuation && made != Made::translation)
    fail_call("--tokens is for a model that writes; leave it out");
  if (call.beams > 0 && made != Made::translation) fail_call("--beams is for translations; leave it out");
}

void predict(const PredictCall& given, const Terminal& terminal) {
  PredictCall call = given;
  if (call.arguments.empty()) call.arguments = {"-"};
  const Model model = open_model(call.model);
  const Made made = made_for(model);
  check(call, made);
  if (made == Made::forecast) return predict_series(call, model);
  TextInputs in;
  std::vector<ImageSource> images;
  if (made == Made::image_classes)
    images = image_inputs(call);
  else
    in = text_inputs(call);
  std::optional<RunBar> bar(std::in_place, terminal);
  std::vector<Prediction> all;
  switch (made) {
    case Made::classes:
    case Made::word_classes:
      all = classes_of(model, in, *bar);
      break;
    case Made::hidden_words:
      all = hidden_words(model, in, *bar);
      break;
    case Made::translation:
      all = translations(call, model, in, *bar);
      break;
    case Made::continuation:
      all = continuations(call, model, in, *bar);
      break;
    case Made::image_classes:
      all = image_classes(model, images, *bar);
      break;
    case Made::forecast:
      break;
  }
  bar.reset();  // gone before the result stands there
  show_predictions(call, made, all, in.table, terminal);
  constexpr size_t k_notes = 5;  // of a table of thousands many texts are cut
  if (const size_t count = in.notes.size(); count > k_notes) {
    in.notes.resize(k_notes);
    in.notes.push_back(join("and ", count - k_notes, " more"));
  }
  print_notes(in.notes);
}

}  // namespace

Work add_predict(CLI::App& app) {
  auto call = std::make_shared<PredictCall>();
  CLI::App* sub = app.add_subcommand(
      "predict", "What a model was made for: a class, a translation, how a text goes on, a forecast.");
  sub->add_option(
         "INPUT", call->arguments,
         "Texts, text files, a folder of .txt files, or a table of texts (.csv, .tsv, .jsonl); for a model "
         "of "
         "images PNG and JPEG files or a folder of them, for one of series a file of numbers; - or nothing "
         "reads a line for each from standard input.")
      ->type_name("");
  sub->add_option("-o", call->out,
                  "Writes a CSV: the table's own columns, and what is said beside each row; of a series the "
                  "moments ahead.")
      ->type_name("FILE");
  sub->add_option("--text-column", call->text_column,
                  "The table's column of texts, by name, or by number from 0 (found by its usual name).")
      ->type_name("NAME");
  sub->add_option_function<std::string>(
         "--header", [call](const std::string& word) { call->header = word == "yes"; },
         "Whether the table's first row names its columns (found out).")
      ->check(CLI::IsMember({"yes", "no"}).description(""))
      ->type_name("yes|no");
  sub->add_option("--top", call->top, "So many of the likeliest classes are shown (3; --json has all).")
      ->check(CLI::Range(1, 1 << 20).description(""))
      ->type_name("N");
  sub->add_option("--tokens", call->tokens,
                  "At most so many tokens of what is written (20; of a translation "
                  "three for each that is read, and 20).")
      ->check(CLI::Range(1, 1000000).description(""))
      ->type_name("N");
  sub->add_option("--beams", call->beams, "Translations: texts written side by side (the model's own).")
      ->check(CLI::Range(1, 64).description(""))
      ->type_name("N");
  sub->add_flag("--json", call->json, "Prints an object a line instead, one for each input.");
  add_model_options(*sub, call->model);
  sub->add_option("--heads", call->model.heads, "How many heads a model has that does not say so.")
      ->type_name("N");
  sub->footer(
      "Examples:\n"
      "  limpid predict \"Win a prize now\" --model sms_spam/model.safetensors\n"
      "  limpid predict messages.csv --model sms_spam/model.safetensors -o out.csv\n"
      "  limpid predict photos/ --model mnist/model.safetensors --json\n"
      "  limpid predict hours.csv --model etth1/model.safetensors\n"
      "  limpid predict \"3 1 2 0 5 4 =\" --model sort/model.safetensors --tokens 6\n");
  return [call](const Terminal& terminal) { predict(*call, terminal); };
}

}  // namespace limpid::command
