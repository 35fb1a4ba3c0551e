// How help reads: a short page for `limpid --help`, and options whose sentences keep within 80 columns.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

namespace limpid::command {

/// What `limpid --help` and `limpid` alone show.
std::string overview();
/// `limpid --version`: the version, the instruction set in use, the number of threads.
std::string version();
/// The help of subcommands.
std::shared_ptr<CLI::Formatter> help_formatter();

}  // namespace limpid::command
