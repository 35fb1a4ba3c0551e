// limpid draw: figures of a network and of a run of it.
#include "limpid/draw.h"

#include <filesystem>

#include "core/label.h"
#include "files/recognize.h"
#include "limpid/commands.h"
#include "limpid/files.h"
#include "limpid/input.h"
#include "limpid/learning.h"
#include "limpid/own_weights.h"
#include "limpid/rollout.h"
#include "limpid/token.h"

namespace limpid::command {

namespace {

struct DrawCall : PartCall {
  std::vector<std::string> arguments;
  NetworkCall network;
  std::optional<std::string> text;
  std::optional<int> layer, head;
  std::optional<int64_t> page, watched;
  std::vector<std::string> open;
  std::string token, theme = "auto", format, out;
  bool parameters = false, compress = false, words = false;
  OwnWeightsCall own;
  std::string width, moses, column;
  bool draws_own = false;  // weights from a file that is no trace
  // What the arguments say.
  std::string figure = "network", file;
};

struct Figure {
  std::string_view name, about;
  bool numbers;  // needs a run
};
constexpr Figure k_figures[] = {
    {"network", "the whole network, from input to output", false},
    {"attention", "the inside of one attention layer", false},
    {"token", "one token's way through a head, with its numbers", true},
    {"matrices", "one head as the matrices it multiplies", true},
    {"heads", "who looks at whom: every head, a --layer, a --head", true},
    {"alignment", "which source word each written word looked at", true},
    {"attention-on-text", "how much the prediction looks at each word", true},
    {"confusion", "which classes are taken for which (eval --json)", false},
    {"attention-on-image", "how much the prediction looks at each patch", true},
    {"attention-on-series", "a forecast, and which moments it looks at", true},
    {"training", "loss and accuracy of a training run's log.jsonl", false},
    {"learning", "a layer's heads at each report of a training run", false},
    {"slides", "a deck about one sentence, in teaching order", true},
};

bool is_figure(const std::string& word) {
  return std::any_of(std::begin(k_figures), std::end(k_figures),
                     [&](const Figure& f) { return f.name == word; });
}

std::string figure_names() {
  std::string list;
  for (const Figure& figure : k_figures) list += (list.empty() ? "" : ", ") + std::string(figure.name);
  return list;
}

// A figure's name, a file (a stored trace, a training's log or its folder), either, both or none.
void read_arguments(DrawCall& call) {
  size_t i = 0;
  if (i < call.arguments.size() && is_figure(call.arguments[i])) call.figure = call.arguments[i++];
  if (i < call.arguments.size()) call.file = call.arguments[i++];
  const bool log = call.figure == "training" || call.figure == "confusion" || call.figure == "learning";
  const auto ends = [&](std::string_view end) { return call.file.ends_with(end); };
  if ((ends(".safetensors") || ends(".npz")) && !std::filesystem::exists(call.file))
    fail_work(call.file, ": there is no such file");
  if (call.figure == "heads" && i == call.arguments.size() && !call.file.empty() &&
      is_own_weights(call.file)) {
    call.draws_own = true;
    return;
  }
  if (i == call.arguments.size() && !call.file.empty() && !log && !is_trace_file(call.file) &&
      std::filesystem::exists(call.file)) {
    const RecognizedFile seen = recognize(std::filesystem::path(call.file));
    fail_work(call.file, " is ", seen.what, ", expected a stored trace (.safetensors or .npz)",
              is_own_weights(call.file) ? "; weights of your own are drawn by limpid draw heads FILE"
                                        : (seen.advice.empty() ? "" : "; " + seen.advice));
  }
  if (i < call.arguments.size() || (!call.file.empty() && !log && !is_trace_file(call.file)))
    fail_call("'", call.arguments.back(), "' is neither a figure nor a stored trace; expected ",
              figure_names(), ", or FILE.safetensors");
  if (call.figure == "confusion" && call.file.empty())
    fail_call(
        "confusion: give what limpid eval --json printed: limpid draw confusion FILE.json -o confusion.svg");
  if (call.figure == "learning" && call.file.empty())
    fail_call("learning: give the folder of a training run: limpid draw learning FOLDER -o learning.svg");
  if (log && call.file.empty())
    fail_call(
        "training: give the log that limpid train wrote: limpid draw training FOLDER/log.jsonl -o loss.svg");
}

const Format& format_for(const DrawCall& call) {
  if (call.out.empty())
    fail_call("no file to draw into; add -o ", call.figure == "network" ? "net" : call.figure,
              call.figure == "slides" ? ".pptx" : ".svg");
  if (!call.format.empty()) return format_named(call.format);
  if (call.out == "-") fail_call("-o - needs --format, such as --format svg");
  return format_of(call.out);
}

void check(const CLI::App& sub, const DrawCall& call) {
  const auto only = [&](const char* option, std::initializer_list<std::string_view> figures) {
    if (given_option(sub, {option}).empty()) return;
    if (std::find(figures.begin(), figures.end(), call.figure) != figures.end()) return;
    std::string list;
    for (std::string_view figure : figures) list += (list.empty() ? "" : ", ") + std::string(figure);
    fail_call(option, " is for the figure ", list, "; leave it out");
  };
  only("--layer", {"attention", "token", "matrices", "heads", "slides", "alignment", "attention-on-text",
                   "attention-on-image", "attention-on-series", "learning"});
  only("--watched", {"learning"});
  only("--head", {"learning", "token", "matrices", "heads", "slides", "alignment", "attention-on-text",
                  "attention-on-image", "attention-on-series"});
  only("--moses", {"alignment"});
  only("--truth", {"attention-on-series"});
  only("--column", {"attention-on-series"});
  only("--part",
       {"network", "attention", "token", "matrices", "heads", "slides", "attention-on-text", "learning"});
  only("--token", {"token", "slides", "attention-on-text"});
  only("--open", {"network"});
  only("--words", {"heads", "slides"});
  only("--params", {"network", "attention"});
  for (const char* option : {"--rows", "--columns", "--array"}) {
    only(option, {"heads"});
    if (!call.draws_own && !given_option(sub, {option}).empty())
      fail_call(option, " is for weights of your own: limpid draw heads weights.npy ", option, " ...");
  }
  if (call.figure == "slides" && !call.width.empty())
    fail_call("--width is for one figure; the pages of a deck are 13.3 x 7.5 inches");
  if (call.draws_own) {
    std::vector<std::string> running = network_options();
    std::erase(running, "--tokens");
    running.push_back("--text");
    if (const std::string option = given_option(sub, running); !option.empty())
      fail_call(call.file, " holds weights, which are drawn as they are; leave ", option, " out");
    return;
  }
  if (call.file.empty()) return check_network_options(sub, call.network);
  std::vector<std::string> running = network_options();
  running.push_back("--text");
  const std::string option = given_option(sub, running);
  if (!option.empty())
    fail_call(call.figure == "training"    ? "a training log is drawn as it is; "
              : call.figure == "learning"  ? "a training run is drawn as it is; "
              : call.figure == "confusion" ? "a table of counts is drawn as it is; "
                                           : "a stored trace is drawn as it is; ",
              option, " needs a run, so leave the file out");
}

// ---- what is drawn -------------------------------------------------------------------------------

// Said before anything is observed of a layer that is not there.
void require_layer(const Graph& graph, int layer) {
  int layers = 0;
  while (graph.find(join("blocks.", layers, ".attn.q")) >= 0) ++layers;
  if (layers > 0 && layer >= layers)
    fail_call("layer ", layer, " does not exist: this network has ",
              layers == 1 ? "one layer, 0" : join("the layers 0 to ", layers - 1));
}

// How wide --width lets a figure be laid out; 0: as the figure likes.
double asked_width(const DrawCall& call) {
  return call.width.empty() ? 0 : layout_width(points_of(call.width));
}

FigureOptions figure_options(const DrawCall& call, const Trace& trace) {
  FigureOptions options;
  const int none = call.figure == "slides" && !call.head ? -1 : 0;  // the deck chooses
  options.layer = call.layer.value_or(none);
  options.head = call.head.value_or(none);
  if (const double width = asked_width(call); width > 0) options.width = width;
  options.one_layer = call.figure == "heads" && call.layer && !call.head;
  if (!call.token.empty()) options.token = positions_of(trace, call.token).back();
  return options;
}

// Whether the figure shows what a prediction looks at, rolled out unless a layer is named.
bool shows_prediction(const DrawCall& call) { return call.figure.starts_with("attention-on-"); }

LookOptions look_options(const DrawCall& call, const Trace* trace = nullptr) {
  LookOptions options;
  options.layer = call.layer.value_or(-1);
  options.head = call.head.value_or(-1);
  if (trace && !call.token.empty()) options.token = positions_of(*trace, call.token).back();
  if (const double width = asked_width(call); width > 0) options.width = width;
  return options;
}

// What the figure reads of the run that is to come.
std::vector<Observation> reads_of(const DrawCall& call, const Trace& begun) {
  const Graph& graph = *begun.graph;
  if (call.figure == "network" || call.figure == "attention") return network_reads(graph);
  if (call.figure == "alignment") return alignment_reads(graph, look_options(call));
  const auto length = static_cast<int64_t>(begun.tokens.size());
  if (shows_prediction(call)) {
    LookOptions look = look_options(call, &begun);
    if (call.figure == "attention-on-image") look.layer = -1;  // it shows the rollout in any case
    return attended_reads(graph, length, look);
  }
  const FigureOptions options = figure_options(call, begun);
  if (call.figure == "token") return token_reads(graph, length, options);
  if (call.figure == "matrices") return matrices_reads(graph, length, options);
  if (call.words) return word_reads(graph);
  if (call.figure == "slides") return lecture_reads(graph, length, options);
  return call.head ? head_reads(graph, length, options) : heads_reads(graph, length, options);
}

// An encoder-decoder's diagram is of both; what shows layers and heads shows those of one part.
Trace trace_of(const DrawCall& call, std::optional<SeriesRead>* series = nullptr) {
  const bool whole = (call.figure == "network" && call.part.empty()) || call.figure == "alignment";
  const auto shown = [&](Trace trace) {
    std::optional<Trace> part = whole ? std::nullopt : call.cut(trace);
    return part ? std::move(*part) : std::move(trace);
  };
  if (!call.file.empty()) return shown(load_trace(call.file));
  const bool runs = call.text || !call.network.tokens.empty() || !call.network.vectors.empty();
  TraceOptions options;
  options.reads = [&](const Trace& begun) {
    if (whole) return reads_of(call, begun);
    return call.reads(begun, [&](const Trace& part) { return reads_of(call, part); });
  };
  options.parameters = call.figure == "matrices" || call.figure == "slides" || call.network.textbook();
  if (call.network.textbook()) options.seed = call.network.seed;
  Input input = input_of(call.network, runs ? call.text : std::optional<std::string>("Life is short"));
  require_layer(input.model.graph(), call.layer.value_or(0));
  if (series) *series = input.series;
  return shown(input.trace(options));
}

std::vector<Slide> one(Scene scene) {
  Slide slide;
  slide.title = scene.title;
  slide.notes = scene.description;
  slide.scene = std::move(scene);
  return {std::move(slide)};
}

// The network, as letters where there is only a model, with the words and sizes of a run where there is one.
std::vector<Slide> network_pages(const DrawCall& call, const Format& format) {
  SceneOptions options;
  if (format.ending == "txt") options.width = 1e6;  // in one row, which letters turn to run downwards
  options.parameters = call.parameters;
  // A row of boxes may be 8% wider than it is asked to be.
  if (const double width = asked_width(call); width > 0) options.width = width / 1.08;
  options.open = call.open;
  const auto scene_of = [&](const auto& from) {
    return call.figure == "attention" ? attention_scene(from, call.layer.value_or(0), options)
                                      : network_scene(from, options);
  };
  const bool runs =
      !call.file.empty() || call.text || !call.network.tokens.empty() || call.network.textbook();
  if (runs) return one(scene_of(trace_of(call)));
  const Model model = open_model(call.network);
  options.title = model.title();
  return one(scene_of(model.graph()));
}

// The folder of a run is what it is called: sayings/log.jsonl.
std::string run_name(const std::string& log) {
  const std::filesystem::path path = std::filesystem::absolute(log);
  return path.has_parent_path() ? path.parent_path().filename().string() : path.stem().string();
}

std::vector<Slide> own_pages(const DrawCall& call) {
  OwnWeightsCall own = call.own;
  own.file = call.file;
  own.tokens = call.network.words;
  for (int64_t id : call.network.tokens) own.tokens += std::to_string(id) + " ";
  const OwnWeights weights = read_own_weights(own);
  const FigureOptions options = figure_options(call, Trace());
  return call.head ? one(head_scene(weights, options)) : heads_pages(weights, options);
}

std::vector<Slide> alignment_pages(const DrawCall& call) {
  const Trace trace = trace_of(call);
  std::vector<Slide> pages = one(alignment_scene(trace, look_options(call)));
  if (!call.moses.empty()) write_file_whole(call.moses, moses_alignment(trace, look_options(call)));
  return pages;
}

// One column of a series, with what its file says of it.
SeriesLook series_look(const DrawCall& call, const LookOptions& look,
                       const std::optional<SeriesRead>& series) {
  SeriesLook out;
  static_cast<LookOptions&>(out) = look;
  if (!series) {
    if (!call.column.empty())
      fail_call(
          "--column: a stored trace does not know the columns of its series by name; leave the file out");
    return out;
  }
  const std::vector<std::string>& names = series->columns;
  const auto found =
      call.column.empty() ? names.end() - 1 : std::find(names.begin(), names.end(), call.column);
  if (found == names.end()) {
    std::string list;
    for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
    fail_call("--column ", call.column, " is none of the series; expected ", list);
  }
  const auto column = static_cast<size_t>(found - names.begin());
  out.column = static_cast<int64_t>(column);
  out.name = names[column];
  out.mean = series->mean[column];
  out.deviation = series->deviation[column];
  out.times = series->times;
  if (series->truth.count() > 0)
    for (int64_t i = 0; i < series->truth.shape()[0].size; ++i)
      out.truth.push_back(series->truth.at({i, out.column}));
  return out;
}

std::vector<Slide> prediction_pages(const DrawCall& call) {
  std::optional<SeriesRead> series;
  const Trace seen = trace_of(call, &series);
  const bool image = call.figure == "attention-on-image";
  const Trace trace = call.layer && !image ? seen : with_rollout(seen);
  const LookOptions look = look_options(call, &trace);
  if (call.figure == "attention-on-series")
    return one(attention_on_series_scene(trace, series_look(call, look, series)));
  return one(image ? attention_on_image_scene(trace, look) : attention_on_text_scene(trace, look));
}

std::vector<Slide> learning_pages(const DrawCall& call) {
  const auto shown = [&](Trace trace) {
    std::optional<Trace> part = call.cut(trace);
    return part ? std::move(*part) : std::move(trace);
  };
  LearningOptions options;
  options.layer = call.layer.value_or(0);
  options.head = call.head.value_or(-1);
  if (const double width = asked_width(call); width > 0) options.width = width;
  return one(learning_scene(read_learning(call.file, call.watched.value_or(0), shown, call.part), options));
}

std::vector<Slide> pages_of(const DrawCall& call, const Format& format) {
  if (call.draws_own) return own_pages(call);
  if (call.figure == "network" || call.figure == "attention") return network_pages(call, format);
  if (call.figure == "training")
    return one(training_scene(training_reports(read_file(call.file)), "Training of " + run_name(call.file),
                              figure_options(call, Trace()).width));
  if (call.figure == "confusion")
    return one(confusion_scene(confusion_from(read_file(call.file)), "", asked_width(call)));
  if (call.figure == "alignment") return alignment_pages(call);
  if (call.figure == "learning") return learning_pages(call);
  if (shows_prediction(call)) return prediction_pages(call);
  const Trace trace = call.words ? in_words(trace_of(call)) : trace_of(call);
  const FigureOptions options = figure_options(call, trace);
  if (call.figure == "token") return one(token_scene(trace, options));
  if (call.figure == "matrices") return one(matrices_scene(trace, options));
  if (call.figure == "slides") return lecture(trace, options);
  if (call.head) return one(head_scene(trace, options));
  return heads_pages(trace, options);
}

void draw(const CLI::App& sub, DrawCall call, const Terminal& terminal) {
  read_arguments(call);
  check(sub, call);
  const Format& format = format_for(call);
  PaintOptions options;
  if (call.out == "-" && terminal.output) options.columns = terminal.columns;
  options.compressed = call.compress;
  if (call.compress && format.ending != "drawio")
    fail_call("--compress is for .drawio, whose text it deflates; leave it out for .", format.ending);
  options.theme = call.theme == "auto" ? Theme::automatic : theme_named(call.theme);
  std::vector<Slide> pages = pages_of(call, format);
  if (!call.width.empty())
    for (Slide& page : pages) fit_width(page.scene, points_of(call.width));
  const auto count = static_cast<int64_t>(pages.size());
  if (call.page) {
    if (*call.page < 1 || *call.page > count)
      fail_call("--page is ", *call.page, ", and this figure has ",
                count == 1 ? "one page" : join("the pages 1 to ", count));
    pages = {std::move(pages[static_cast<size_t>(*call.page - 1)])};
  } else if (count > 1 && !format.deck) {
    fail_call(format.name, " holds one page, and this figure has ", count, "; add --page 1 to --page ", count,
              ", or write a deck, such as -o ", call.figure, ".pptx");
  }
  const std::string bytes = paint(pages, format, options);
  if (call.out == "-") return print(bytes);
  write_file_whole(call.out, bytes);
}

// --width of the textbook's network is a number; else it is the figure's, and no option of the network's.
void take_width(CLI::App& sub, DrawCall& call) {
  if (call.width.empty()) return;
  const bool count = call.width.find_first_not_of("0123456789") == call.width.npos && call.width.size() < 9;
  if (call.network.textbook() && count) {
    call.network.width = std::atoll(call.width.c_str());
    call.width.clear();
  } else {
    sub.get_option("--width")->clear();
  }
}

}  // namespace

Work add_draw(CLI::App& app) {
  auto call = std::make_shared<DrawCall>();
  CLI::App* sub = app.add_subcommand("draw", "Draws a network, or a run of it, as an editable figure.");
  sub->add_option(
         "FIGURE|FILE", call->arguments,
         "What to draw: " + figure_names() +
             " (network); and a stored trace to draw it from, a training's log.jsonl, or its folder.")
      ->expected(0, 2)
      ->type_name("");
  std::string endings;
  std::vector<std::string> words;
  for (const Format& format : formats()) {
    endings += (endings.empty() ? "." : ", .") + format.ending;
    words.push_back(format.ending);
    if (!format.also.empty()) {
      endings += " or ." + format.also;
      words.push_back(format.also);
    }
  }
  sub->add_option("-o", call->out,
                  "The file to draw into, by its ending: " + endings + "; - is standard output.")
      ->type_name("FILE");
  sub->add_option("--format", call->format, "The format, where the file's name does not say.")
      ->check(CLI::IsMember(words).description(""))
      ->type_name("ENDING");
  sub->add_option("--theme", call->theme, "For light or for dark pages, or as the reader's page is (auto).")
      ->check(CLI::IsMember({"auto", "light", "dark"}).description(""))
      ->type_name("auto|light|dark");
  sub->add_flag(
      "--compress", call->compress,
      "Of .drawio, the compressed form, as older programs write it; plain text is easier to compare.");
  sub->add_flag("--words", call->words,
                "Whole words where the tokenizer split them: a word's pieces are added where it is looked "
                "at, and averaged where it looks.");
  sub->add_option("--page", call->page, "Only this page of a figure of several, from 1.")->type_name("N");
  const std::string which = "What of it";
  add_part_option(*sub, *call, which);
  sub->add_option(
         "--text", call->text,
         "The sentence to run through the network (Life is short); a PNG or JPEG file for a model that "
         "reads images, a table of numbers (.csv, .tsv) for one that reads series.")
      ->type_name("TEXT")
      ->group(which);
  sub->add_option("--layer", call->layer, "The layer, from 0 (0).")
      ->type_name("L")
      ->check(from_zero())
      ->group(which);
  sub->add_option("--head", call->head, "The head, from 0 (0).")
      ->type_name("H")
      ->check(from_zero())
      ->group(which);
  sub->add_option("--token", call->token,
                  "The token, as an index from 0, a word, or WORD#2 for its second occurrence (the last).")
      ->type_name("TOKEN")
      ->group(which);
  sub->add_option(
         "--open", call->open,
         "Of a network of many blocks, draws this one with what is inside and closes the others; none "
         "closes all.")
      ->expected(1)
      ->take_all()
      ->type_name("BLOCK")
      ->group(which);
  sub->add_flag("--params", call->parameters, "Says in every box how many numbers it has learned.")
      ->group(which);
  sub->add_option("--watched", call->watched, "Which of a run's watched sentences, from 0 (0).")
      ->type_name("N")
      ->check(from_zero())
      ->group(which);
  sub->add_option("--moses", call->moses,
                  "Writes an alignment as Moses has it too: 0-0 1-2, source and text, words counted from 0.")
      ->type_name("FILE")
      ->group(which);
  sub->add_option("--column", call->column, "Which column of a series (the last).")
      ->type_name("NAME")
      ->group(which);
  sub->add_flag("--truth", call->network.hold_back,
                "Holds back the last moments of a series, as many as are foretold, and draws them beside the "
                "forecast.")
      ->group(which);
  const std::string own = "Weights of your own (heads FILE.npy, .npz, .safetensors or .csv)";
  sub->add_option("--array", call->own.array, "Which array of a file of several.")
      ->type_name("NAME")
      ->group(own);
  sub->add_option("--rows", call->own.rows,
                  "Names of the queries, with blanks between them, or a file with one a line; --tokens names "
                  "queries and keys alike.")
      ->type_name("NAMES")
      ->group(own);
  sub->add_option("--columns", call->own.columns, "Names of the keys.")->type_name("NAMES")->group(own);
  add_network_options(*sub, call->network);
  sub->remove_option(sub->get_option("--width"));
  sub->add_option(
         "--width", call->width,
         "How wide the figure is, for a column of a paper, laid out anew with its text at least 6 pt: 240pt, "
         "85mm, 3.3in.  Of the textbook's network, without a unit: how many numbers stand for a word (4).")
      ->type_name("LENGTH|N");
  std::string footer = "Figures:\n";
  for (const Figure& figure : k_figures)
    footer += join("  ", figure.name, std::string(21 - figure.name.size(), ' '), figure.about, "\n");
  sub->footer(footer +
              "\nExamples:\n"
              "  limpid draw -o net.svg\n"
              "  limpid draw --open blocks.0 --params -o net.svg\n"
              "  limpid draw token --text \"Life is short\" --token short -o token.svg\n"
              "  limpid draw matrices life.safetensors --layer 1 --head 2 -o head.svg\n"
              "  limpid draw heads --layer 1 -o heads.svg\n"
              "  limpid draw heads weights.npy --tokens \"Life is short\" -o own.svg\n"
              "  limpid draw matrices --text \"Life is short\" --width 240pt -o column.pdf\n"
              "  limpid draw attention --network textbook --heads 2 -o attention.svg\n"
              "  limpid draw attention-on-text --text \"Life is short\" -o looks.svg\n"
              "  limpid draw slides --text \"Life is short\" -o life.pptx\n");
  return [call, sub](const Terminal& terminal) {
    take_width(*sub, *call);
    draw(*sub, *call, terminal);
  };
}

}  // namespace limpid::command
