// A command that several processes share: what each of them says, and how they end.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "limpid/ranks.h"
#include "limpid/terminal.h"

namespace limpid::command {

/// Runs `work` on this process's rank.  Only rank 0 writes to the terminal, as to a pipe.  What all ranks
/// fail with is rank 0's error; a rank that fails alone says so, and ends all.
void on_ranks(const Terminal&, const std::function<void(const Terminal&, Ranks&)>& work);

/// "mpirun -n 4 ", or nothing.
std::string launcher_of(const Ranks&);

/// How much of the summing the ranks waited for, in a line; empty of one process.
std::string summing_of(const Ranks&);

/// To standard error, when a run that was asked to end waits for other ranks: they may be lost.
void say_waiting(int64_t step, int64_t saved_step, const std::string& command);

/// Files that processes of this machine were writing there when they were killed.
void remove_left_over(const std::filesystem::path& folder);

}  // namespace limpid::command
