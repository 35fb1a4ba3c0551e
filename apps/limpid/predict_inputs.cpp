// What a call of predict names.
#include <algorithm>
#include <filesystem>
#include <iostream>

#include "core/label.h"
#include "limpid/files.h"
#include "limpid/images.h"
#include "limpid/predict.h"

namespace limpid::command {

namespace {

namespace fs = std::filesystem;

bool ends_with_any(const std::string& name, std::initializer_list<std::string_view> ends) {
  return std::any_of(ends.begin(), ends.end(), [&](std::string_view end) { return name.ends_with(end); });
}

bool is_table(const PredictCall& call, const std::string& argument) {
  std::error_code none;
  const bool said = !call.text_column.empty() || call.header;  // a table of any name
  if (said && fs::is_regular_file(argument, none)) return true;
  const std::string plain = argument.ends_with(".gz") ? argument.substr(0, argument.size() - 3) : argument;
  return ends_with_any(plain, {".csv", ".tsv", ".jsonl"});
}

std::vector<std::string> lines_of_input() {
  std::vector<std::string> out;
  for (std::string line; std::getline(std::cin, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (line.find_first_not_of(" \t") != line.npos) out.push_back(std::move(line));
  }
  if (out.empty()) fail_call("standard input is empty; give a line for each input");
  return out;
}

std::vector<std::string> texts_in_folder(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    if (at->is_regular_file() && at->path().extension() == ".txt") files.push_back(at->path().string());
  if (error) fail_work("cannot read ", folder, ": ", error.message());
  if (files.empty()) fail_work(folder, " is a folder without .txt files, and this model reads texts");
  std::sort(files.begin(), files.end());
  return files;
}

void add_file(const std::string& file, TextInputs& into) {
  into.texts.push_back(text_of("@" + file));
  into.files.push_back(file);
}

void read_table(const PredictCall& call, TextInputs& into) {
  if (call.arguments.size() > 1)
    fail_call(call.arguments.front(), " is a table; give it alone, one call for each");
  TableOptions options;
  options.text_name = "--text-column";
  options.header_name = "--header yes";
  options.text = call.text_column;
  options.header = call.header;
  TextTable table = read_text_table(call.arguments.front(), options);
  for (const auto& row : table.rows) into.texts.push_back(row[table.text]);
  if (table.skipped.count > 0)
    into.notes.push_back(join(table.skipped.count, table.skipped.count == 1 ? " row was" : " rows were",
                              " left out: ", table.skipped.first.front()));
  into.table = std::move(table);
}

}  // namespace

TextInputs text_inputs(const PredictCall& call) {
  TextInputs out;
  std::error_code none;
  for (const std::string& argument : call.arguments) {
    if (is_table(call, argument)) {
      read_table(call, out);
      return out;
    }
    refuse_image(argument);
    if (argument == "-") {
      for (std::string& line : lines_of_input())
        out.texts.push_back(std::move(line)), out.files.emplace_back();
    } else if (fs::is_directory(argument, none)) {
      for (const std::string& file : texts_in_folder(argument)) add_file(file, out);
    } else if (fs::is_regular_file(argument, none)) {
      add_file(argument, out);
    } else {
      out.texts.push_back(text_of(argument));
      out.files.emplace_back();
    }
  }
  return out;
}

std::vector<ImageSource> image_inputs(const PredictCall& call) {
  std::vector<std::string> names;
  for (const std::string& argument : call.arguments) {
    if (argument != "-")
      names.push_back(argument);
    else
      for (std::string& line : lines_of_input()) names.push_back(std::move(line));
  }
  return images_named(names);
}

}  // namespace limpid::command
