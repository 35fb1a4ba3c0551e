#include "limpid/input.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "limpid/files.h"

namespace limpid::command {

namespace {

std::string without_last_line_end(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

std::string from_standard_input() {
  if (isatty(STDIN_FILENO))
    fail_call("no text given; write it after the command, such as \"Life is short\", or pipe it in");
  std::string text;  // through stdio: /dev/stdin cannot be opened where it is a socket
  char buffer[1 << 16];
  while (const size_t count = std::fread(buffer, 1, sizeof buffer, stdin)) text.append(buffer, count);
  if (std::ferror(stdin)) fail_work("standard input: ", std::strerror(errno));
  return without_last_line_end(std::move(text));
}

std::string read_text(const std::optional<std::string>& argument) {
  if (!argument || *argument == "-") return from_standard_input();
  if (argument->starts_with('@') && argument->size() > 1)
    return without_last_line_end(read_file(argument->substr(1)));
  return *argument;
}

}  // namespace

std::string text_of(const std::optional<std::string>& argument) {
  const std::string text = read_text(argument);
  if (text.find_first_not_of(" \t\r\n\v\f") == text.npos)
    fail_call("the text is ", text.empty() ? "empty" : "only spaces",
              "; give at least one word, such as \"Life is short\"");
  return text;
}

Model open_model(const std::string& path) { return path.empty() ? Model::builtin() : Model::load(path); }

}  // namespace limpid::command
