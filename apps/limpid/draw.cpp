// limpid draw: the network's diagram, from the graph.
#include "limpid/draw.h"

#include <filesystem>

#include "limpid/commands.h"
#include "limpid/input.h"

namespace limpid::command {

namespace {

struct Call {
  std::vector<std::string> arguments;
  NetworkCall network;
  std::optional<std::string> text;
  std::string theme = "auto", format, out;
};

// What the positional arguments say: a figure's name, a stored trace, either, both or none.
std::string stored_trace(const Call& call) {
  std::string trace;
  for (size_t i = 0; i < call.arguments.size(); ++i) {
    const std::string& argument = call.arguments[i];
    if (i == 0 && argument == "network") continue;
    if ((argument.ends_with(".safetensors") || argument.ends_with(".npz")) &&
        !std::filesystem::exists(argument))
      fail_call(argument, ": there is no such file");
    if (!trace.empty() || !is_trace_file(argument))
      fail_call("'", argument,
                "' is neither a figure nor a stored trace; expected network, or FILE.safetensors");
    trace = argument;
  }
  return trace;
}

void check(const CLI::App& sub, const Call& call, bool stored) {
  if (call.out.empty()) fail_call("no file to draw into; add -o net.svg");
  if (call.out == "-" && call.format.empty()) fail_call("-o - needs --format svg");
  if (call.out != "-" && call.format.empty() && !call.out.ends_with(".svg"))
    fail_call("-o ", call.out, ": figures are drawn as SVG; give a name that ends with .svg");
  if (!stored) return check_network_options(sub, call.network);
  std::vector<std::string> running = network_options();
  running.push_back("--text");
  const std::string option = given_option(sub, running);
  if (!option.empty())
    fail_call("a stored trace is drawn as it is; ", option, " needs a run, so leave the trace out");
}

// Sizes and words of a run where there is one; letters where there is only a model.
Scene scene_of(const Call& call, const std::string& stored) {
  if (!stored.empty()) return network_scene(load_trace(stored));
  const bool runs = call.text || !call.network.tokens.empty() || !call.network.vectors.empty();
  if (!runs && !call.network.textbook()) {
    const Model model = open_model(call.network.model);
    SceneOptions options;
    options.title = model.title();
    return network_scene(model.graph(), options);
  }
  // The textbook's network is made for a sentence.
  const std::optional<std::string> text = runs ? call.text : std::optional<std::string>("Life is short");
  TraceOptions options;
  options.observe = {{"*", Depth::summary}};
  return network_scene(input_of(call.network, text).trace(options));
}

void draw(const CLI::App& sub, const Call& call) {
  const std::string stored = stored_trace(call);
  check(sub, call, !stored.empty());
  const SvgOptions options{call.theme == "auto" ? Theme::automatic : theme_named(call.theme)};
  const Scene scene = scene_of(call, stored);
  if (call.out == "-") return print(to_svg(scene, options));
  write_svg(scene, call.out, options);
}

}  // namespace

Work add_draw(CLI::App& app) {
  auto call = std::make_shared<Call>();
  CLI::App* sub = app.add_subcommand("draw", "Draws a network's diagram, with the shape of every value.");
  sub->add_option("FIGURE|TRACE", call->arguments,
                  "What to draw: network, the diagram from input to output (the only figure so far), and a "
                  "stored trace to "
                  "draw it from.")
      ->expected(0, 2)
      ->type_name("");
  sub->add_option("-o", call->out, "The file to draw into, FILE.svg; - is standard output.")
      ->type_name("FILE");
  sub->add_option("--format", call->format, "The format, where the file's name does not say.")
      ->check(CLI::IsMember({"svg"}).description(""))
      ->type_name("svg");
  sub->add_option("--theme", call->theme, "For light or for dark pages, or as the reader's page is (auto).")
      ->check(CLI::IsMember({"auto", "light", "dark"}).description(""))
      ->type_name("auto|light|dark");
  sub->add_option("--text", call->text,
                  "A sentence to run through the network: its words and sizes stand in the figure.")
      ->type_name("TEXT");
  add_network_options(*sub, call->network);
  sub->footer(
      "Examples:\n"
      "  limpid draw -o net.svg\n"
      "  limpid draw --text \"Life is short\" -o net.svg\n"
      "  limpid draw life.safetensors -o net.svg --theme dark\n"
      "  limpid draw --network textbook --heads 2 --add-norm -o textbook.svg\n");
  return [call, sub](const Terminal&) { draw(*sub, *call); };
}

}  // namespace limpid::command
