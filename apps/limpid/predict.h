// What predict is made of: what a call names, what a model says of it, how that is shown.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "limpid/data.h"
#include "limpid/input.h"
#include "limpid/tasks.h"
#include "limpid/terminal.h"

namespace limpid::command {

struct PredictCall {
  std::vector<std::string> arguments;
  ModelCall model;
  std::string out;
  std::string text_column;
  std::optional<bool> header;
  int64_t top = 3;     // classes, for people
  int64_t tokens = 0;  // of what goes on; 0: 20, or as many as fit the context
  int64_t beams = 0;
  bool json = false;
};

/// What a model does with what it reads.
enum class Made { classes, word_classes, hidden_words, continuation, translation, image_classes, forecast };
/// Throws Error{call} naming the command that serves a model that does none of these.
Made made_for(const Model&);

/// The texts of a call: one after another, or the rows of a table.
struct TextInputs {
  std::vector<std::string> texts;
  std::optional<TextTable> table;  // of which text i is row i
  std::vector<std::string> files;  // where each is a file of its own: its name; else empty
  std::vector<std::string> notes;
};
TextInputs text_inputs(const PredictCall&);
/// Images, of a call for a model of images: files, folders, or - for their names on standard input.
std::vector<ImageSource> image_inputs(const PredictCall&);

/// What a model says of one input.
struct Prediction {
  std::string input;                // the text, or the name of a file
  std::string file;                 // of a text that is a file's
  std::string said;                 // the class, the translation, how the text goes on, ...
  std::vector<ClassScore> classes;  // the likeliest first
  std::optional<double> probability;
  Json more = Json::object();  // else, for programs
};

/// For people, an object a line, or the table that -o asks for.
void show_predictions(const PredictCall&, Made, const std::vector<Prediction>&,
                      const std::optional<TextTable>&, const Terminal&);
void show_forecast(const PredictCall&, const std::string& file, const Forecast&, const std::string& after);

}  // namespace limpid::command
