// Where the output goes: how wide it is, whether it shows colours, and whether it still takes anything.
#pragma once

#include <string>
#include <string_view>

namespace limpid::command {

/// The reader of standard output has gone (`limpid trace ... | head`): stop, quietly.
struct ClosedPipe {};

enum class Colour { automatic, always, never };

struct Terminal {
  int columns = 80;
  bool colour = false;
  bool true_colour = false;  // 24 bits
  bool output = false;       // standard output is a terminal
  bool progress = false;     // standard error is one that can redraw a line
};

/// COLUMNS, else the terminal's own width, else 80; colours as the caller, NO_COLOR and TERM say.
Terminal find_terminal(Colour);

/// To standard output.  Throws ClosedPipe, or Error{work} for a full disk.
void print(std::string_view text);
/// What is printed has arrived when this returns.
void flush_output();
/// The last call.
void close_output();

/// Text for a terminal from a source nobody vouches for: control characters but line feed and tab become "?".
std::string tame(std::string_view text);

/// A word as a POSIX shell reads it back: quoted where it has to be.
std::string shell_word(std::string_view text);

}  // namespace limpid::command
