// How the program and its MPI module speak: the module alone is linked to MPI, and is opened where a launcher
// has started the process (docs/decisions/0021-mpi-is-a-module.md).
#pragma once

#include <string>

#include "limpid/ranks.h"

namespace limpid {

constexpr const char* k_mpi_module = "limpid_mpi.so";

extern "C" {
/// The limpid that the module was built with; the MPI that it uses.
using MpiModuleVersion = const char* (*)();
/// The ranks, or null and what went wrong.
using MpiModuleJoin = Ranks* (*)(std::string* error);
}

}  // namespace limpid
