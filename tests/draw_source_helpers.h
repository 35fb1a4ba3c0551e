// Law 1 for pictures, as tests ask it: every number that an SVG shows is written again from exactly the cell
// that it names.
#pragma once

#include <cctype>
#include <regex>

#include "draw_number_helpers.h"

namespace limpid {

struct Label {
  std::string kind, source, text;
};

inline std::string unescaped(std::string text) {
  for (const auto& [from, to] :
       {std::pair<std::string, std::string>{"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&amp;", "&"}})
    for (size_t at = text.find(from); at != text.npos; at = text.find(from, at + 1))
      text.replace(at, from.size(), to);
  return text;
}

inline std::string attribute_of(const std::string& tag, const std::string& name) {
  const size_t at = tag.find(" " + name + "=\"");
  if (at == tag.npos) return "";
  const size_t begin = at + name.size() + 3;
  return unescaped(tag.substr(begin, tag.find('"', begin) - begin));
}

inline std::vector<Label> labels_of(const std::string& svg) {
  std::vector<Label> out;
  for (size_t at = svg.find("<text "); at != svg.npos; at = svg.find("<text ", at + 1)) {
    const size_t close = svg.find('>', at), end = svg.find("</text>", close);
    const std::string tag = svg.substr(at, close - at);
    static const std::regex piece("</?tspan[^>]*>");  // of a typeset text
    out.push_back({attribute_of(tag, "data-kind"), attribute_of(tag, "data-source"),
                   unescaped(std::regex_replace(svg.substr(close + 1, end - close - 1), piece, ""))});
  }
  return out;
}

inline std::vector<Source> sources_of(const std::string& list) {
  std::vector<Source> out;
  for (size_t at = 0; at < list.size();) {
    const size_t end = std::min(list.find("; ", at), list.size());
    out.push_back(source_from(list.substr(at, end - at)));
    at = end + 2;
  }
  return out;
}

// What is wrong with the numbers of a picture: a label whose numbers are not, in order, those of its sources;
// a number with a point that names no source.
inline std::vector<std::string> lies(const std::string& svg, const Trace& trace) {
  static const std::set<std::string> declared = {"shape", "count", "index", "tick", "token", "equation"};
  std::vector<std::string> out;
  int checked = 0;
  for (const Label& label : labels_of(svg)) {
    if (label.kind.empty()) out.push_back("'" + label.text + "' is of no kind");
    size_t at = 0;
    for (const Source& source : sources_of(label.source)) {
      const std::string number = written(source, trace);
      const size_t found = label.text.find(number, at);
      // The whole of a number, not the end or beginning of a longer one.
      const auto part = [&](size_t i) {
        return i < label.text.size() &&
               (std::isdigit(static_cast<unsigned char>(label.text[i])) || label.text[i] == '.');
      };
      if (found == label.text.npos || (found > 0 && part(found - 1)) ||
          (part(found + number.size()) && label.text[found + number.size()] != '.'))
        out.push_back("'" + label.text + "' does not show " + number + ", " + to_string(source));
      else
        at = found + number.size();
      ++checked;
    }
    if (label.kind == "number" && label.source.empty()) out.push_back("'" + label.text + "' names no source");
    static const std::regex decimal("[0-9]\\.[0-9]");
    if (label.source.empty() && declared.count(label.kind) == 0 && std::regex_search(label.text, decimal))
      out.push_back("'" + label.text + "' is a " + label.kind + " with a number");
  }
  if (checked == 0) out.push_back("nothing was checked");
  return out;
}

inline std::string told_all(const std::vector<std::string>& all) {
  std::string out;
  for (const std::string& one : all) out += one + "\n";
  return out;
}

}  // namespace limpid
