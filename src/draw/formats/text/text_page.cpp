#include "draw/formats/text/text_page.h"

#include <algorithm>
#include <optional>

#include "core/width.h"
#include "draw/formats/text/text_parts.h"
#include "draw/formats/words.h"
#include "draw/scene/text.h"

namespace limpid::draw {

namespace {

constexpr double k_apart = 14;  // a gap that a blank line stands for

struct Gap {
  double at = 0, width = 0;
  bool across = false;  // between left and right
};

// The widest gap that nothing spans, in one direction.
Gap widest(const TextParts& parts, bool across) {
  std::vector<std::pair<double, double>> spans;
  const auto add = [&](const Rect& r) {
    spans.emplace_back(across ? r.x : r.y, across ? r.right() : r.bottom());
  };
  for (const TextParts::Part& part : parts.parts)
    if (part.kind != TextParts::Kind::mark) add(part.rect);
  std::sort(spans.begin(), spans.end());
  Gap gap = {0, 0, across};
  if (spans.empty()) return gap;
  double end = spans[0].second;
  for (const auto& [from, to] : spans) {
    if (from - end > gap.width) gap = {(from + end) / 2, from - end, across};
    end = std::max(end, to);
  }
  return gap;
}

TextParts side(const TextParts& parts, const Gap& gap, bool before) {
  TextParts out = {parts.scene, {}};
  for (const TextParts::Part& part : parts.parts) {
    const Point c = part.rect.centre();
    if (((gap.across ? c.x : c.y) < gap.at) == before) out.parts.push_back(part);
  }
  return out;
}

bool key_only(const TextParts& parts) {
  return std::all_of(parts.parts.begin(), parts.parts.end(), [&](const TextParts::Part& part) {
    return part.kind == TextParts::Kind::mark ||
           (part.kind == TextParts::Kind::text &&
            parts.scene->texts[part.index].kind == SceneText::Kind::legend);
  });
}

// The entries of a key's one line, in as many lines as they need.
std::string key_in_lines(const TextParts& parts, size_t columns) {
  std::vector<const SceneText*> entries;
  for (const TextParts::Part& part : parts.parts)
    if (part.kind == TextParts::Kind::text) entries.push_back(&parts.scene->texts[part.index]);
  std::stable_sort(entries.begin(), entries.end(),
                   [](const SceneText* a, const SceneText* b) { return a->at.x < b->at.x; });
  std::string out, line;
  for (const SceneText* entry : entries) {
    const std::string words = (entry->role == Role::plain ? "" : "• ") + clean(entry->text);
    if (!line.empty() && display_width(line) + 3 + display_width(words) > columns) {
      out += line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : "   ") + words;
  }
  return out + line + "\n";
}

// Nothing where a part that cannot be cut is too wide.
std::optional<std::string> painted(const TextParts& parts, int64_t columns) {
  if (parts.parts.empty()) return "";
  const Gap down = widest(parts, false), across = widest(parts, true);
  // A key's lines have no columns in common.
  if (down.width > 0 && key_only(parts))
    return painted(side(parts, down, true), columns).value_or("") +
           painted(side(parts, down, false), columns).value_or("");
  const TextDrawing plain(parts, false, columns);
  if (plain.columns() <= columns) return plain.text();
  if (key_only(parts)) return key_in_lines(parts, static_cast<size_t>(columns));
  const Gap& gap = across.width > down.width ? across : down;
  if (gap.width > 0) {
    const auto first = painted(side(parts, gap, true), columns),
               second = painted(side(parts, gap, false), columns);
    if (!first || !second) return std::nullopt;
    return *first + (first->empty() || second->empty() || gap.width < k_apart ? "" : "\n") + *second;
  }
  if (const TextParts::Part& only = parts.parts[0];
      parts.parts.size() == 1 && only.kind == TextParts::Kind::text)
    return filled(clean(parts.scene->texts[only.index].text), static_cast<size_t>(columns), 0);
  if (!parts.joined()) return plain.text(columns);
  const TextDrawing turned(parts, true, columns);
  if (turned.columns() <= columns) return turned.text();
  return std::nullopt;
}

}  // namespace

namespace {

// A word that only holds the ends of lines stands in its row as any other text does.
Scene without_holders(const Scene& scene) {
  Scene out = scene;
  if (!out.connectors.empty()) return out;
  std::erase_if(out.boxes, [&](const SceneBox& box) {
    if (box.look != SceneBox::Look::bare || !box.ports.empty()) return false;
    out.texts.insert(out.texts.end(), box.texts.begin(), box.texts.end());
    return true;
  });
  return out;
}

}  // namespace

std::string in_letters(const Scene& scene, int64_t columns) {
  const Scene flat = without_holders(scene);
  return painted(parts_of(flat), columns).value_or("");
}

}  // namespace limpid::draw
