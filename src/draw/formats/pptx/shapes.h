// What every shape of a slide is made of: its head, place, form, colours and words (DrawingML).
#pragma once

#include <string_view>

#include "draw/formats/xml.h"
#include "limpid/draw.h"

namespace limpid::draw {

/// Writes the pieces of shapes, in the order in which they are asked for; who asks keeps ECMA-376's order.
class PptxShapes {
 public:
  /// `offset`: of the scene on the slide.
  PptxShapes(Point offset, Theme theme) : offset_(offset), theme_(theme) {}

  /// Opens a shape up to its properties; the caller writes them, closes them, writes its text, and closes it.
  /// An id of 0: the next one.  Returns the id.
  int open_shape(std::string_view name, std::string_view description = {}, int id = 0, bool text_box = false,
                 std::string_view properties = "<p:nvPr/>");
  /// Id, name and alternative text; likewise.
  int head(int id, std::string_view name, std::string_view description);

  /// Where a rectangle of the scene lies on the slide.
  Rect moved(const Rect& r) const;
  /// Its place, turned by so many 60,000ths of a degree.
  void place(const Rect& scene_rect, int64_t turn = 0, std::string_view element = "a:xfrm");
  /// A preset form; corners of that radius, for the shorter side that is given.
  void shape(std::string_view preset, double corner = 0, double side = 1);

  /// One of the theme's colours where it has that colour, else the colour itself ("#0072b2").
  void solid(std::string_view hex, double opacity = 1);
  void outline(std::string_view hex, double width, bool dashed = false, bool arrow = false,
               double opacity = 1);
  void no_outline();

  /// Opens a text body; `vertical` is its anchor, `lower` how far its middle lies below the shape's.
  void open_text(std::string_view vertical, double lower = 0);
  /// One line of it, and how far its baseline lies from the next (0: as the font has it).
  void paragraph(const SceneText& text, double pitch = 0);

 protected:
  Point offset_;
  Theme theme_;
  Xml xml_;
  int last_id_ = 1;  // of a shape; 1 is the shape tree's

 private:
  void run(const SceneText& text, const SceneRun& piece);
  std::string_view slot_of(std::string_view hex) const;
};

}  // namespace limpid::draw
