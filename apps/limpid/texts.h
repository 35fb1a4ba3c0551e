// What embed, fill and classify share: the texts that a call names, notes, the trace of the first text.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "core/json.h"
#include "limpid/images.h"
#include "limpid/input.h"
#include "limpid/tasks.h"
#include "limpid/terminal.h"

namespace limpid::command {

struct TaskCall {
  std::vector<std::string> arguments;
  std::string lines, trace;
  ModelCall model;
  bool json = false;
};

/// Throws Error{call} for options that do not go together.
void check_task(const TaskCall& call);

/// TEXT..., --lines, --trace, --json, and those of add_model_options.
void add_task_options(CLI::App& sub, TaskCall& call);

/// The texts: each argument as text_of has it, or every line of the file that --lines names, an empty one
/// too; neither: standard input, one text.
std::vector<std::string> texts_of(const TaskCall& call);

/// The images, for a model that reads them: of each argument, or of every line of the file that --lines
/// names.
std::vector<ImageSource> images_of(const TaskCall& call);

/// Whether they name images: the first of them is an image file or a folder.
bool names_images(const TaskCall& call);

/// "limpid: note: ..." on standard error.
void print_notes(const std::vector<std::string>& notes);

/// Keeps the trace of a text where --trace asks for it.
void save_trace(const TaskCall& call, const Model& model, const std::string& text,
                const TraceOptions& options, const Terminal& terminal);
/// The same of an image.
void save_trace(const TaskCall& call, const Model& model, const ImageSource& image, const Terminal& terminal);

/// A probability for people: "0.9968", "<0.0001".
std::string probability_text(double p);

/// Any text as JSON has it: bytes that are no UTF-8 become U+FFFD.
std::string json_text(const Json& json);

}  // namespace limpid::command
