#include "draw/formats/xml.h"

#include <cmath>
#include <utility>

#include "core/number_text.h"
#include "draw/scene/text.h"

namespace limpid::draw {

std::string xml_escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

void Xml::finish_tag() {
  if (in_tag_) out_ += '>';
  in_tag_ = false;
}

Xml& Xml::open(std::string_view element) {
  finish_tag();
  out_ += '<';
  out_ += element;
  open_.emplace_back(element);
  in_tag_ = true;
  return *this;
}

Xml& Xml::set(std::string_view attribute, std::string_view value) {
  out_ += ' ';
  out_ += attribute;
  out_ += "=\"";
  out_ += xml_escaped(clean(value));
  out_ += '"';
  return *this;
}

Xml& Xml::set(std::string_view attribute, double value) {
  return set(attribute, number_text(std::round(value * 100) / 100));
}

Xml& Xml::set_lines(std::string_view attribute, std::string_view lines) {
  out_ += ' ';
  out_ += attribute;
  out_ += "=\"";
  for (bool first = true;; first = false) {
    const size_t end = lines.find('\n');
    if (!first) out_ += "&#xa;";
    out_ += xml_escaped(clean(lines.substr(0, end)));
    if (end == std::string_view::npos) break;
    lines.remove_prefix(end + 1);
  }
  out_ += '"';
  return *this;
}

Xml& Xml::text(std::string_view words) {
  finish_tag();
  out_ += xml_escaped(clean(words));
  return *this;
}

Xml& Xml::raw(std::string_view xml) {
  finish_tag();
  out_ += xml;
  return *this;
}

Xml& Xml::close() {
  if (in_tag_) {
    out_ += "/>";
  } else {
    out_ += "</";
    out_ += open_.back();
    out_ += '>';
  }
  in_tag_ = false;
  open_.pop_back();
  return *this;
}

std::string Xml::take() {
  while (!open_.empty()) close();
  return std::exchange(out_, {});
}

}  // namespace limpid::draw
