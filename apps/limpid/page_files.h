// The files of the explorer's page, as the program carries them: those of web/dist, or the small page beside
// this file where that is not there.
#pragma once

#include <map>
#include <string>

#include "limpid/server.h"

namespace limpid::command {

/// By name ("index.html").
std::map<std::string, ServedFile> page_files();

}  // namespace limpid::command
