#include "limpid/texts.h"

#include <algorithm>
#include <cstdio>

#include "core/label.h"
#include "limpid/commands.h"
#include "limpid/images.h"
#include "limpid/run_bar.h"

namespace limpid::command {

void add_task_options(CLI::App& sub, TaskCall& call) {
  sub.add_option("TEXT", call.arguments,
                 "One text or several; @FILE reads one from a file, - or nothing from standard input.  For a "
                 "model that reads images: PNG and JPEG files, or a folder of them.")
      ->type_name("");
  sub.add_option("--lines", call.lines,
                 "Each line of this file is a text, an empty one too; or the name of an image.")
      ->type_name("FILE");
  sub.add_option("--trace", call.trace,
                 "Keeps the trace of the first of them as FILE.safetensors or FILE.npz.")
      ->type_name("FILE");
  sub.add_flag("--json", call.json, "Prints one JSON object instead.");
  add_model_options(sub, call.model);
  sub.add_option("--heads", call.model.heads, "How many heads a model has that does not say so.")
      ->type_name("N");
}

void check_task(const TaskCall& call) {
  if (!call.trace.empty() && !call.trace.ends_with(".safetensors") && !call.trace.ends_with(".npz"))
    fail_call("--trace ", call.trace, ": a trace is kept as .safetensors or .npz; give a name that ends so");
  if (!call.lines.empty() && !call.arguments.empty())
    fail_call("--lines gives the texts; leave those of the call out");
}

std::vector<std::string> texts_of(const TaskCall& call) {
  check_task(call);
  if (!call.lines.empty()) return lines_of(call.lines, true);
  if (call.arguments.empty()) return {text_of(std::nullopt)};
  std::vector<std::string> texts;
  for (const std::string& argument : call.arguments) {
    refuse_image(argument);
    texts.push_back(text_of(argument));
  }
  return texts;
}

std::vector<ImageSource> images_of(const TaskCall& call) {
  check_task(call);
  return images_named(call.lines.empty() ? call.arguments : lines_of(call.lines));
}

bool names_images(const TaskCall& call) {
  const std::vector<std::string> all = call.lines.empty() ? call.arguments : lines_of(call.lines);
  return !all.empty() && names_images(all.front());
}

void print_notes(const std::vector<std::string>& notes) {
  flush_output();
  for (const std::string& note : notes)
    std::fprintf(stderr, "limpid: note: %s\n", visible_line(note).c_str());
}

void save_trace(const TaskCall& call, const Model& model, const std::string& text,
                const TraceOptions& options, const Terminal& terminal) {
  if (call.trace.empty()) return;
  RunBar bar(terminal);
  TraceOptions seen = options;
  seen.progress = [&](double done, const std::string& next) { bar.show(done, next); };
  save(model.trace(text, seen), call.trace);
}

void save_trace(const TaskCall& call, const Model& model, const ImageSource& image,
                const Terminal& terminal) {
  if (call.trace.empty()) return;
  RunBar bar(terminal);
  TraceOptions seen;
  seen.progress = [&](double done, const std::string& next) { bar.show(done, next); };
  save(model.trace(model.image_input(image.read()), seen, image.name), call.trace);
}

std::string probability_text(double p) {
  if (p > 0 && p < 0.00005) return "<0.0001";
  char text[32];
  std::snprintf(text, sizeof text, "%.4f", p);
  return text;
}

std::string json_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace limpid::command
