#include "text/pipeline/post_processors.h"

namespace limpid::text {

ModelInput PostProcessing::apply(const Encoding& first, const Encoding* second, bool add_special) const {
  ModelInput out;
  const auto add = [&](int64_t id, const Span& span, const TemplatePart& part) {
    out.ids.push_back(id);
    out.type_ids.push_back(part.type_id);
    out.spans.push_back(span);
    out.text_of.push_back(part.sequence);
  };
  for (const TemplatePart& part : second == nullptr ? single : pair) {
    if (part.sequence < 0) {
      for (const int64_t id : part.ids) {
        if (add_special) add(id, {}, part);
      }
      continue;
    }
    const Encoding& text = part.sequence == 0 || second == nullptr ? first : *second;
    for (size_t i = 0; i < text.ids.size(); ++i) add(text.ids[i], text.spans[i], part);
  }
  return out;
}

}  // namespace limpid::text
