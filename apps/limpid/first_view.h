// What the explorer's page shows of a run before anybody opens anything, asked beforehand: a page that is one
// file shows it before its own engine runs.
#pragma once

#include <string>

#include "core/json.h"
#include "explore/explorer.h"

namespace limpid::command {

/// The questions of the page's first view of what is open, and their answers, as one message of
/// docs/explore-protocol.md: `questions`, as the page writes them, and an array of bytes for each, under its
/// place in that list.  Of a long text without the numbers of the columns; empty where the page would ask
/// others: of images, series, and encoder-decoders.
std::string first_view(explore::Explorer&);

/// The JSON of an answer of the explorer's.
Json answer_fields(const std::string& answer);

}  // namespace limpid::command
