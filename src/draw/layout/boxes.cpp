#include "draw/layout/boxes.h"

#include <algorithm>
#include <cmath>

#include "draw/scene/text.h"

namespace limpid::draw {

namespace {

constexpr double k_box_text = 104;  // the widest line of a box
constexpr double k_one_line = 64;   // what is wider goes on two lines where it can
constexpr size_t k_words_shown = 6;

bool elision(const Word& word) { return word.index == "\xe2\x8b\xae"; }

double index_width(const std::vector<Word>& words) {
  double width = 0;
  for (const Word& word : words) width = std::max(width, text_width(word.index, k_label_size));
  return width;
}

// ---- boxes ---------------------------------------------------------------------------------------

std::string join_of(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += (text.empty() ? "" : " ") + line;
  return text;
}

std::vector<std::string> lines_of(const Node& node) {
  if (node.kind == Node::Kind::result) return {elided(node.label, k_label_size, k_result_text)};
  const std::string label = node.label.empty() ? "?" : node.label;
  std::vector<std::string> lines = wrapped(label, k_label_size, k_box_text);
  const double width = text_width(label, k_label_size);
  for (double narrow = width / 2; lines.size() == 1 && width > k_one_line && narrow < width; narrow += 2)
    if (std::vector<std::string> two = wrapped(label, k_label_size, narrow);
        two.size() == 2 && join_of(two) == label)
      lines = two;
  return lines;
}

// "1.77M parameters"
std::string count_words(int64_t count, const Spacing& spacing) {
  const auto in = [&](double unit, const char* letter) {
    const double value = static_cast<double>(count) / unit;
    char text[32];
    std::snprintf(text, sizeof text,
                  value < 10    ? "%.2f%s"
                  : value < 100 ? "%.1f%s"
                                : "%.0f%s",
                  value, letter);
    return std::string(text);
  };
  const std::string number = count >= 999500000 ? in(1e9, "B")
                             : count >= 999500  ? in(1e6, "M")
                             : count >= 10000   ? in(1e3, "K")
                                                : std::to_string(count);
  return join(number, " ", spacing.parameter, count == 1 ? "" : "s");
}

constexpr double k_edit_text = 132;  // the widest line that says what an edit did
const std::string k_pencil = "\xe2\x9c\x8e ";

// "✎ set to 0": below the label, in one line or two.
std::vector<std::string> edit_lines(const Node& node, const Spacing& spacing) {
  if (node.edit.empty()) return {};
  std::vector<std::string> lines = wrapped(k_pencil + node.edit, spacing.small, k_edit_text);
  if (lines.size() > 2) lines = {lines[0], elided(lines[1] + " \xe2\x80\xa6", spacing.small, k_edit_text)};
  return lines;
}

Rect size_of(const Node& node, const std::vector<Word>& words, bool parameters, const Spacing& spacing) {
  if (node.kind == Node::Kind::words) {
    double width = 0;
    for (const Word& word : words) width = std::max(width, text_width(word.text, spacing.small));
    return {0, 0, std::ceil(index_width(words) + (width > 0 ? 8 + width : 0) + 4),
            spacing.word_pitch * static_cast<double>(words.size())};
  }
  double width = 0;
  const std::vector<std::string> lines = lines_of(node);
  for (const std::string& line : lines) width = std::max(width, text_width(line, k_label_size));
  if (node.kind == Node::Kind::result) return {0, 0, std::ceil(width) + 8, k_line_height + 6};
  const bool counted = parameters && node.parameters > 0;
  if (counted) width = std::max(width, text_width(count_words(node.parameters, spacing), spacing.small));
  const std::vector<std::string> edits = edit_lines(node, spacing);
  for (const std::string& line : edits) width = std::max(width, text_width(line, spacing.small));
  return {0, 0, std::max(56.0, 2 * (std::ceil(width / 2) + spacing.beside)),
          std::max(k_box_height,
                   k_line_height * static_cast<double>(lines.size() + counted + edits.size()) + 14)};
}

}  // namespace

std::vector<Word> sentence(const SceneOptions& o, const Spacing& spacing) {
  const auto word = [&](size_t i) {
    const std::string said = clean(o.tokens[i].label), index = "X" + subscript(static_cast<int64_t>(i) + 1);
    // Vectors have no words: their labels are their places, which stand there already.
    const bool place = said == index || said == join("X", i + 1);
    return Word{index, place ? "" : elided(said, spacing.small, k_word_text)};
  };
  const Word others = {"\xe2\x8b\xae", ""};
  if (o.tokens.empty())
    return {{"X" + subscript(1), ""}, {"X" + subscript(2), ""}, others, {"X\xe2\x82\x99", ""}};
  std::vector<Word> words;
  for (size_t i = 0; i < o.tokens.size(); ++i) {
    const bool fits = o.tokens.size() <= k_words_shown;
    if (fits || i < k_words_shown - 2 || i + 1 == o.tokens.size())
      words.push_back(word(i));
    else if (i == k_words_shown - 2)
      words.push_back(others);
  }
  return words;
}

std::vector<Rect> sizes_of(const Outline& outline, const std::vector<Word>& words, bool parameters,
                           const Spacing& spacing) {
  std::vector<Rect> sizes;
  for (const Node& node : outline.nodes) sizes.push_back(size_of(node, words, parameters, spacing));
  for (const Edge& e : outline.edges)
    if (outline.nodes[static_cast<size_t>(e.from)].kind == Node::Kind::words) {
      double& height = sizes[static_cast<size_t>(e.to)].height;
      height = std::max(height, sizes[static_cast<size_t>(e.from)].height);
    }
  return sizes;
}

void even_columns(Layout& l) {
  for (const std::vector<int>& layer : l.layers) {
    const auto boxed = [&](int i) {
      return l.item(i).node >= 0 && l.node(l.item(i).node).kind != Node::Kind::words &&
             l.node(l.item(i).node).kind != Node::Kind::result;
    };
    double width = 0;
    for (int i : layer)
      if (boxed(i)) width = std::max(width, l.item(i).width);
    for (int i : layer)
      if (boxed(i)) l.item(i).width = width;
  }
}

void write_labels(Scene& scene, const Layout& l, bool parameters) {
  for (size_t i = 0; i < scene.boxes.size(); ++i) {
    const Node& node = l.outline->nodes[i];
    if (node.kind == Node::Kind::words) continue;
    SceneBox& box = scene.boxes[i];
    const std::vector<std::string> lines = lines_of(node);
    const bool counted = parameters && node.parameters > 0 && node.kind == Node::Kind::stage;
    const std::vector<std::string> edits = edit_lines(node, l.spacing);
    double y = box.rect.centre().y -
               k_line_height * (static_cast<double>(lines.size() + counted + edits.size()) - 1) / 2 +
               0.36 * k_label_size;
    for (const std::string& line : lines) {
      const bool result = node.kind == Node::Kind::result;
      box.texts.push_back({SceneText::Kind::label,
                           line,
                           {result ? box.rect.x + 4 : box.rect.centre().x, y},
                           result ? SceneText::Anchor::start : SceneText::Anchor::middle,
                           k_label_size,
                           Role::plain});
      y += k_line_height;
    }
    if (counted)
      box.texts.push_back({SceneText::Kind::count,
                           count_words(node.parameters, l.spacing),
                           {box.rect.centre().x, y},
                           SceneText::Anchor::middle,
                           l.spacing.small,
                           Role::plain});
    if (counted) y += k_line_height;
    for (const std::string& line : edits) {
      box.texts.push_back({SceneText::Kind::name,
                           line,
                           {box.rect.centre().x, y},
                           SceneText::Anchor::middle,
                           l.spacing.small,
                           Role::plain});
      y += k_line_height;
    }
    box.edit = node.edit;
  }
}

std::vector<double> word_heights(const std::vector<Word>& words, const Spacing& spacing) {
  std::vector<double> heights;
  for (size_t i = 0; i < words.size(); ++i)
    if (!elision(words[i]))
      heights.push_back((static_cast<double>(i) - (static_cast<double>(words.size()) - 1) / 2) *
                        spacing.word_pitch);
  return heights;
}

void write_words(Scene& scene, const Layout& l, const std::vector<Word>& words) {
  for (size_t i = 0; i < scene.boxes.size(); ++i) {
    if (l.outline->nodes[i].kind != Node::Kind::words) continue;
    SceneBox& box = scene.boxes[i];
    const double column = index_width(words);
    double y = box.rect.y + l.spacing.word_pitch / 2 + 0.36 * k_label_size;
    for (const Word& word : words) {
      const bool dots = elision(word);
      const auto anchor = dots ? SceneText::Anchor::middle : SceneText::Anchor::start;
      box.texts.push_back({SceneText::Kind::token,
                           word.index,
                           {box.rect.x + (dots ? column / 2 : 0), y},
                           anchor,
                           k_label_size,
                           Role::plain});
      if (!word.text.empty())
        box.texts.push_back({SceneText::Kind::token,
                             word.text,
                             {box.rect.x + column + 8, y},
                             SceneText::Anchor::start,
                             l.spacing.small,
                             Role::plain});
      y += l.spacing.word_pitch;
    }
  }
}

}  // namespace limpid::draw
