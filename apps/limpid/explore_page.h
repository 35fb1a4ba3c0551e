// The explorer's page as one file, with the engine and models inside: limpid explore --html FILE.
#pragma once

#include <string>
#include <vector>

#include "limpid/files.h"

namespace limpid::command {

/// A page that holds more takes seconds to open; whoever has such a model drops it on the page.
inline constexpr uintmax_t k_most_carried_bytes = 100 << 20;

struct CarriedFile {
  std::string path;  // in the model's folder; "": the model is this file
  std::string bytes;
};

struct CarriedPage {
  std::string model;     // its name
  bool builtin = false;  // it is the built-in one
  std::vector<CarriedFile> files;
  std::string text;   // of an image or a series: its name
  std::string input;  // of an image or a series: its numbers, f32 as the network reads them
  std::vector<std::string> edits;
  std::string first_view;                    // what first_view() has asked before; empty: nothing
  std::string training_title, training_log;  // empty: there is no run
};

/// The files of a model that a page can read: the file itself, or those of a folder that belong to a model of
/// the hub. Throws Error{call} for what a page cannot read, and for more bytes than a page should carry.
std::vector<CarriedFile> carried_files(const std::string& model);

/// The bytes of the page.  It refers to nothing outside.
std::string carried_page(const CarriedPage&);

}  // namespace limpid::command
