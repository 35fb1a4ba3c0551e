// XML as text: elements in the order in which they are opened, escaped, well-formed by construction.
//
//   Xml xml;
//   xml.open("rect").set("x", 12).set("id", name).close();      <rect x="12" id="..."/>
//   xml.open("title").text(words).close();                      <title>...</title>
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace limpid::draw {

class Xml {
 public:
  Xml& open(std::string_view element);
  /// An attribute of the element that was opened last.  Values are cleaned (text.h) and escaped.
  Xml& set(std::string_view attribute, std::string_view value);
  Xml& set(std::string_view attribute, const char* value) { return set(attribute, std::string_view(value)); }
  Xml& set(std::string_view attribute, const std::string& value) {
    return set(attribute, std::string_view(value));
  }
  Xml& set(std::string_view attribute, int64_t value) { return set(attribute, std::to_string(value)); }
  Xml& set(std::string_view attribute, int value) { return set(attribute, std::to_string(value)); }
  /// Rounded to hundredths.
  Xml& set(std::string_view attribute, double value);
  /// An attribute whose lines stay lines (a line end is written &#xa;).
  Xml& set_lines(std::string_view attribute, std::string_view lines);
  /// Cleaned and escaped.
  Xml& text(std::string_view words);
  /// Already XML.
  Xml& raw(std::string_view xml);
  Xml& close();
  /// Closes what is open, and gives the text.
  std::string take();

 private:
  void finish_tag();

  std::string out_;
  std::vector<std::string> open_;
  bool in_tag_ = false;
};

/// With < > & " as entities; nothing else changes.
std::string xml_escaped(std::string_view text);

inline constexpr std::string_view k_xml_head =
    "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";

}  // namespace limpid::draw
