// Values that a pickle of protocol 0 writes as a line of text.
#pragma once

#include "files/torch/objects.h"

namespace limpid::torch {

/// LONG: "12L"; beyond 64 bits as it is written.
Ref add_long(Objects&, std::string_view line);
/// STRING: 'text' as Python 2 prints it; only what needs no escape, as no key of a state dict does.
Ref add_quoted(Objects&, std::string_view line);
/// UNICODE: latin-1 with \uXXXX and \UXXXXXXXX.
Ref add_escaped(Objects&, std::string_view line);

}  // namespace limpid::torch
