// BLEU as sacreBLEU computes it by default: Papineni et al. 2002, cased, one reference, the tokens of
// mteval-v13a, precisions of 0 smoothed exponentially (Post 2018, "A call for clarity in reporting BLEU
// scores").
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace limpid {

/// The words and signs that are counted.
std::vector<std::string> bleu_tokens(std::string_view line);

}  // namespace limpid
