#include "text/models/token_model.h"

#include <algorithm>

#include "core/label.h"
#include "limpid/error.h"

namespace limpid::text {

Vocabulary::Vocabulary(std::vector<std::pair<std::string, int64_t>> entries) {
  const int64_t greatest = greatest_id(entries.size());
  int64_t size = 0;
  for (const auto& [piece, id] : entries) {
    if (id < 0 || id > greatest) {
      fail_work("vocabulary: token ", in_quotes(piece), " has the id ", id, ", expected 0 to ", greatest,
                " for ", entries.size(), " tokens");
    }
    size = std::max(size, id + 1);
  }
  pieces_.resize(static_cast<size_t>(size));
  there_.resize(static_cast<size_t>(size));
  for (auto& [piece, id] : entries) {
    const auto at = static_cast<size_t>(id);
    if (there_[at]) {
      fail_work("vocabulary: tokens ", in_quotes(pieces_[at]), " and ", in_quotes(piece), " have the id ",
                id);
    }
    there_[at] = true;
    longest_ = std::max(longest_, piece.size());
    pieces_[at] = std::move(piece);
  }
  ids_.reserve(entries.size());
  for (size_t id = 0; id < pieces_.size(); ++id) {
    if (there_[id]) ids_[pieces_[id]] = static_cast<uint32_t>(id);
  }
}

std::vector<uint32_t> TokenModel::byte_tokens() const {
  std::vector<uint32_t> ids;
  const char* digits = "0123456789ABCDEF";
  for (size_t byte = 0; byte < 256; ++byte) {
    const std::string name{'<', '0', 'x', digits[byte / 16], digits[byte % 16], '>'};
    const auto id = vocabulary_.id(name);
    if (!id) return {};
    ids.push_back(*id);
  }
  return ids;
}

}  // namespace limpid::text
