// Which instruction set the kernels run on: by default the best that the machine has, or the one that the
// environment variable LIMPID_ISA or force_isa() names, so that each is testable on one machine.
#pragma once

#include <string>
#include <vector>

namespace limpid::kernels {

/// The names that force_isa takes on this machine, best first: of "avx512", "avx2", "neon", "plain".
std::vector<std::string> isa_names();

/// The one in use.  Throws Error{call} where LIMPID_ISA names none of isa_names().
std::string isa_name();

/// From now on the kernels run on `name` ("" is the best there is).  A kernel planned before keeps its own.
/// Not while kernels run.  Throws Error{call} unless the name is one of isa_names().
void force_isa(const std::string& name);

/// Reads LIMPID_ISA once per process; what builds or launches kernels calls it first.
void choose_isa();

}  // namespace limpid::kernels
