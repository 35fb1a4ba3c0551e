// The parts of a scene, and a drawing of some of them in letters.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "draw/formats/text/text_canvas.h"
#include "draw/formats/text/text_map.h"
#include "limpid/draw.h"

namespace limpid::draw {

struct TextParts {
  enum class Kind { frame, box, connector, text, grid, bar, line, mark };
  struct Part {
    Kind kind;
    size_t index;  // in the scene's list of its kind
    Rect rect;
  };
  const Scene* scene = nullptr;
  std::vector<Part> parts;
  /// Whether connectors hold them together.
  bool joined() const;
};

/// What a box says, texts of one baseline in one line.
struct BoxLine {
  std::string words;
  Rect rect;
};
std::vector<BoxLine> lines_of(const SceneBox&);

/// The letters of a text that stands upright, from top to bottom: one under the other.
std::vector<std::string> letters_of(const SceneText&);
/// A frame round a cell, which letters show as a star in it.
bool frames_cell(const SceneLine&);

/// All of a scene that letters can show: lines that are neither level nor upright are left out, unless they
/// are curves.
TextParts parts_of(const Scene&);

class TextDrawing {
 public:
  /// Turned: what runs to the right in the scene runs downwards.
  TextDrawing(const TextParts&, bool turned, int64_t page_columns);
  int64_t columns() const { return across_.size(); }
  std::string text(int64_t at_most = 0) const;

 private:
  struct Pooled {
    int64_t rows = 1, columns = 1;  // cells of the grid in one letter
    int64_t letters = 2;            // columns of one such cell
  };

  Rect turn(const Rect&) const;
  Point turn(const Point&) const;
  void need_box(const SceneBox&);
  void need_words(const SceneBox&);
  void need_connector(const SceneConnector&);
  void need_grid(const SceneGrid&);
  std::pair<double, double> room_of(const SceneText&) const;
  double free_until(const SceneText&) const;
  Rect on_row(const Rect&) const;
  void need_text(const SceneText&);
  void need_labels();
  void need_line(const SceneLine&);
  Pooled pooled(const SceneGrid&) const;

  void frame(TextCanvas&, const SceneFrame&) const;
  void box(TextCanvas&, const SceneBox&) const;
  void connector(TextCanvas&, const SceneConnector&) const;
  void grid(TextCanvas&, const SceneGrid&) const;
  void words(TextCanvas&, const SceneText&) const;
  void labels(TextCanvas&) const;
  void line(TextCanvas&, const SceneLine&) const;

  TextParts parts_;
  bool turned_;
  int64_t page_columns_;
  TextMap across_, down_;
  // Texts that stand beside a connector, by connector: turned, they are placed where its way leaves room.
  std::map<int, std::vector<const SceneText*>> labels_;
};

}  // namespace limpid::draw
