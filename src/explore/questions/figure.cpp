// figure: what is seen, as a file, by the engine's own painters.
#include "limpid/draw.h"

#include <algorithm>
#include <optional>

#include "core/label.h"
#include "explore/state.h"
#include "limpid/rollout.h"

namespace limpid::explore {

namespace {

struct FigureCall {
  std::string figure;
  FigureOptions options;
  LookOptions look;
  bool named_layer = false;
};

using Pages = std::vector<Slide>;

Pages one(Scene scene) {
  Slide slide;
  slide.title = scene.title;
  slide.notes = scene.description;
  slide.scene = std::move(scene);
  return {std::move(slide)};
}

// A figure: what it reads of a run that begins, and how it is drawn.
struct Figure {
  std::string name;
  bool parameters = false;
  std::vector<Observation> (*reads)(const Trace& begun, const FigureCall&) = nullptr;
  Pages (*draw)(const Trace&, const FigureCall&) = nullptr;
};

int64_t length_of(const Trace& trace) { return static_cast<int64_t>(trace.tokens.size()); }

const std::vector<Figure>& figures() {
  using Call = const FigureCall&;
  static const std::vector<Figure> k_figures = {
      {"network", false, [](const Trace& begun, Call) { return network_reads(*begun.graph); },
       [](const Trace& trace, Call) { return one(network_scene(trace)); }},
      {"attention", false, [](const Trace& begun, Call) { return network_reads(*begun.graph); },
       [](const Trace& trace, Call call) { return one(attention_scene(trace, call.options.layer)); }},
      {"token", false,
       [](const Trace& begun, Call call) {
         return token_reads(*begun.graph, length_of(begun), call.options);
       },
       [](const Trace& trace, Call call) { return one(token_scene(trace, call.options)); }},
      {"matrices", true,
       [](const Trace& begun, Call call) {
         return matrices_reads(*begun.graph, length_of(begun), call.options);
       },
       [](const Trace& trace, Call call) { return one(matrices_scene(trace, call.options)); }},
      {"heads", false,
       [](const Trace& begun, Call call) {
         return heads_reads(*begun.graph, length_of(begun), call.options);
       },
       [](const Trace& trace, Call call) { return heads_pages(trace, call.options); }},
      {"head", false,
       [](const Trace& begun, Call call) { return head_reads(*begun.graph, length_of(begun), call.options); },
       [](const Trace& trace, Call call) { return one(head_scene(trace, call.options)); }},
      {"attention-on-text", false,
       [](const Trace& begun, Call call) {
         return attended_reads(*begun.graph, length_of(begun), call.look);
       },
       [](const Trace& trace, Call call) {
         return one(attention_on_text_scene(call.named_layer ? trace : with_rollout(trace), call.look));
       }},
      {"alignment", false,
       [](const Trace& begun, Call call) { return alignment_reads(*begun.graph, call.look); },
       [](const Trace& trace, Call call) { return one(alignment_scene(trace, call.look)); }},
      {"slides", true,
       [](const Trace& begun, Call call) {
         return lecture_reads(*begun.graph, length_of(begun), call.options);
       },
       [](const Trace& trace, Call call) { return lecture(trace, call.options); }},
  };
  return k_figures;
}

const Figure& figure_named(const std::string& name) {
  std::string list;
  for (const Figure& each : figures()) {
    if (each.name == name) return each;
    list += each.name + ", ";
  }
  fail_call("figure: figure is ", in_quotes(name), ", expected one of ", list, "training");
}

// An encoder-decoder's heads are those of its decoder, unless the figure is of all of it.
Pages pages_of(const Run& run, const Figure& figure, const FigureCall& call) {
  const bool parts = has_encoder(run.graph()) && call.figure != "network" && call.figure != "alignment";
  const auto reads = [&](const Trace& begun) {
    const auto own = [&](const Trace& shown) { return figure.reads(shown, call); };
    return parts ? part_reads(begun, NetworkPart::decoder, own) : own(begun);
  };
  const std::optional<Trace> made =
      run.stored() ? std::nullopt : std::optional(run.alone(reads, figure.parameters));
  const Trace& trace = made ? *made : *run.stored();
  return figure.draw(parts ? part_of(trace, NetworkPart::decoder) : trace, call);
}

std::string media_of(const std::string& ending) {
  static const std::map<std::string, std::string> k_media = {
      {"svg", "image/svg+xml"},
      {"png", "image/png"},
      {"pdf", "application/pdf"},
      {"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
      {"drawio", "application/vnd.jgraph.mxfile"}};
  const auto found = k_media.find(ending);
  return found == k_media.end() ? "text/plain; charset=utf-8" : found->second;
}

FigureCall call_of(Request& request) {
  FigureCall call;
  call.figure = request.text("figure");
  const bool slides = call.figure == "slides";
  call.named_layer = request.has("layer");
  const auto layer =
      static_cast<int>(request.integer_or("layer", slides ? -1 : 0, slides ? -1 : 0, INT32_MAX));
  const auto head = static_cast<int>(request.integer_or("head", slides ? -1 : 0, -1, INT32_MAX));
  call.options.layer = layer;
  call.options.head = head;
  call.options.one_layer = call.named_layer;
  call.options.token = static_cast<int>(request.integer_or("token", -1, -1, INT32_MAX));
  call.look.layer = call.named_layer ? layer : -1;
  call.look.head = request.has("head") ? head : -1;
  call.look.token = call.options.token;
  const double width = request.real_or("width", call.options.width);
  if (!(width >= 100 && width <= 20000)) fail_call("figure: width is ", width, ", expected 100 to 20000");
  call.options.width = call.look.width = width;
  return call;
}

}  // namespace

void ask_figure(State& state, Request& request, Answer& answer) {
  const FigureCall call = call_of(request);
  const Format& format = format_named(request.text_or("format", "svg"));
  PaintOptions paint_options;
  const std::string theme = request.text_or("theme", "auto");
  paint_options.theme = theme == "auto" ? Theme::automatic : theme_named(theme);
  const int64_t page = request.integer_or("page", 0, 0, INT32_MAX);
  Pages pages;
  if (call.figure == "training") {
    request.finish();
    const std::string log = state.host.training_log();
    if (log.empty())
      fail_call("figure: no training run is open; begin with one: limpid explore --run FOLDER");
    pages = one(training_scene(training_reports(log), "Training of " + state.host.training_title(),
                               call.options.width));
  } else {
    const Figure& figure = figure_named(call.figure);
    pages = pages_of(asked_run(state, request, answer), figure, call);
  }
  const auto count = static_cast<int64_t>(pages.size());
  answer.fields["pages"] = count;
  if (page > count) fail_call("figure: page is ", page, ", expected 1 to ", count);
  if (page > 0 || (count > 1 && !format.deck))
    pages = {std::move(pages[static_cast<size_t>(std::max<int64_t>(page, 1) - 1)])};
  answer.fields["media"] = media_of(format.ending);
  answer.fields["name"] = call.figure + "." + format.ending;
  answer.add_file(paint(pages, format, paint_options));
}

}  // namespace limpid::explore
