// Text as LaTeX takes it: everything escaped, equations in math.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "limpid/scene.h"

namespace limpid::draw {

/// One line of any text.  Letters that pdfTeX's fonts lack are \limpidletter{4E2D}{...}, which prints the
/// letter where the engine has Unicode and its code elsewhere; it is defined at the top of the file.
std::string tex_escaped(std::string_view text);

/// Typeset runs in math, without the dollars: "A_{t,s} = \mathrm{exp}(Z_{t,s})".
std::string tex_math(const std::vector<SceneRun>&);

/// What stands in a node: the text, or its runs in math.
std::string tex_text(const SceneText&);

/// One line that may stand behind a %.
std::string tex_comment(std::string_view text);

}  // namespace limpid::draw
