#include "limpid/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "limpid/error.h"

namespace limpid::command {

namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

int columns_of(int descriptor) {
  winsize size{};
  return ioctl(descriptor, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

// A narrower terminal wraps what a page of this width holds: better than no page.
constexpr int k_least_columns = 30;

int find_columns() {
  const int asked = std::atoi(environment("COLUMNS").c_str());
  if (asked > 0) return std::max(asked, k_least_columns);
  const int own = columns_of(STDOUT_FILENO);
  return own > 0 ? std::max(own, k_least_columns) : 80;
}

[[noreturn]] void fail_output() {
  const int reason = errno;
  if (reason == EPIPE) throw ClosedPipe{};
  fail_work("standard output: ", std::strerror(reason));
}

}  // namespace

Terminal find_terminal(Colour colour) {
  Terminal t;
  const bool dumb = environment("TERM") == "dumb";
  t.output = isatty(STDOUT_FILENO);
  t.progress = isatty(STDERR_FILENO) && !dumb;
  t.columns = find_columns();
  t.colour = colour == Colour::always ||
             (colour == Colour::automatic && t.output && !dumb && environment("NO_COLOR").empty());
  const std::string depth = environment("COLORTERM");
  t.true_colour = depth == "truecolor" || depth == "24bit" || colour == Colour::always;
  return t;
}

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) fail_output();
}

void flush_output() {
  if (std::fflush(stdout) != 0) fail_output();
}

void close_output() {
  flush_output();
  if (std::fclose(stdout) != 0) fail_output();
}

std::string tame(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f) c = '?';
  return out;
}

std::string shell_word(std::string_view text) {
  static constexpr std::string_view k_plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,+@%";
  if (!text.empty() && text.find_first_not_of(k_plain) == text.npos) return std::string(text);
  std::string out = "'";
  for (char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

}  // namespace limpid::command
