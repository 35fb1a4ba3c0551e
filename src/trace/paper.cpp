#include "trace/paper.h"

#include <algorithm>
#include <cmath>

#include "core/label.h"
#include "core/width.h"

namespace limpid {

namespace {

struct Rgb {
  int red, green, blue;
};

// The colours of shared meaning (docs: query blue, key vermilion, value green, scores and weights purple).
constexpr Rgb k_query = {0x00, 0x72, 0xb2}, k_key = {0xd5, 0x5e, 0x00}, k_value = {0x00, 0x9e, 0x73},
              k_weights = {0x8a, 0x4f, 0xb0};

// From nearly no attention to all of it.
constexpr Rgb k_pale = {0xf1, 0xe9, 0xf8}, k_deep = {0x4d, 0x1d, 0x78};

Rgb between(Rgb a, Rgb b, double share) {
  const auto mix = [&](int x, int y) { return static_cast<int>(std::lround(x + (y - x) * share)); };
  return {mix(a.red, b.red), mix(a.green, b.green), mix(a.blue, b.blue)};
}

// The 6 x 6 x 6 cube of the 256 colours.
int cube_step(int level) { return level < 48 ? 0 : level < 115 ? 1 : (level - 35) / 40; }

}  // namespace

Ink ink_of(Role role) {
  switch (role) {
    case Role::query:
      return Ink::query;
    case Role::key:
      return Ink::key;
    case Role::value:
      return Ink::value;
    case Role::weights:
      return Ink::weights;
    case Role::plain:
      break;
  }
  return Ink::plain;
}

std::string Pen::code(int ground, int red, int green, int blue) const {
  if (true_colour_) return join("\x1b[", ground, ";2;", red, ";", green, ";", blue, "m");
  return join("\x1b[", ground, ";5;", 16 + 36 * cube_step(red) + 6 * cube_step(green) + cube_step(blue), "m");
}

std::string Pen::write(std::string_view text, Ink ink, bool bold) const {
  if (!colour_ || text.empty()) return std::string(text);
  std::string before = bold || ink == Ink::heading || ink == Ink::alarm ? "\x1b[1m" : "";
  const auto in = [&](const Rgb& c) { before += code(38, c.red, c.green, c.blue); };
  switch (ink) {
    case Ink::query:
      in(k_query);
      break;
    case Ink::key:
      in(k_key);
      break;
    case Ink::value:
      in(k_value);
      break;
    case Ink::weights:
      in(k_weights);
      break;
    case Ink::faint:
      before += "\x1b[2m";
      break;
    case Ink::plain:
    case Ink::heading:
    case Ink::alarm:
      break;
  }
  return before.empty() ? std::string(text) : before + std::string(text) + "\x1b[0m";
}

std::string Pen::shaded(std::string_view text, double share) const {
  if (!colour_) return std::string(text);
  share = std::clamp(std::isfinite(share) ? share : 0.0, 0.0, 1.0);
  const Rgb back = between(k_pale, k_deep, std::pow(share, 0.7));
  const double light = (0.299 * back.red + 0.587 * back.green + 0.114 * back.blue) / 255;
  const Rgb front = light > 0.5 ? Rgb{0x1c, 0x10, 0x28} : Rgb{0xff, 0xff, 0xff};
  return code(48, back.red, back.green, back.blue) + code(38, front.red, front.green, front.blue) +
         std::string(text) + "\x1b[0m";
}

std::string Line::taken(std::string_view text) {
  std::string clipped = clip_to_width(text, left());
  if (clipped.empty()) return clipped;
  text_.append(spaces_, ' ');
  spaces_ = 0;
  width_ += display_width(clipped);
  return clipped;
}

Line& Line::add(std::string_view text, Ink ink, bool bold) {
  const std::string fit = taken(text);
  text_ += pen_->write(fit, ink, bold);
  return *this;
}

Line& Line::shaded(std::string_view text, double share) {
  const std::string fit = taken(text);
  if (!fit.empty()) text_ += pen_->shaded(fit, share);
  return *this;
}

Line& Line::to(size_t column) {
  column = std::min(column, columns_);
  if (column > width_) {
    spaces_ += column - width_;
    width_ = column;
  }
  return *this;
}

Line& Line::right(std::string_view text, size_t column, Ink ink) {
  const size_t width = display_width(text);
  to(column > width ? column - width : 0);
  return add(text, ink);
}

bool Line::fits(std::string_view text, size_t gap) const { return gap + display_width(text) <= left(); }

Paper::Paper(const PageOptions& options) : pen_(options), columns_(static_cast<size_t>(options.columns)) {
  if (options.columns < 30)
    fail_call("page: it is to be ", options.columns, " columns wide, expected at least 30");
}

Line& Paper::line(size_t indent) {
  lines_.emplace_back(pen_, columns_);
  return lines_.back().to(indent);
}

void Paper::blank() {
  if (!lines_.empty() && !lines_.back().text().empty()) line();
}

void Paper::paragraph(std::string_view text, size_t indent, Ink ink) {
  const std::string clean = visible_line(text);
  const size_t room = columns_ > indent ? columns_ - indent : 0;
  std::string now;
  for (size_t at = 0, end; at < clean.size(); at = end + 1) {
    end = std::min(clean.find(' ', at), clean.size());
    const std::string word = clean.substr(at, end - at);
    if (word.empty()) continue;
    if (!now.empty() && display_width(now) + 1 + display_width(word) > room) {
      line(indent).add(now, ink);
      now.clear();
    }
    now += (now.empty() ? "" : " ") + word;
  }
  line(indent).add(now, ink);
}

std::string Paper::text() const {
  std::string out;
  for (const Line& line : lines_) {
    out += line.text();
    while (!out.empty() && out.back() == ' ') out.pop_back();
    out += '\n';
  }
  return out;
}

}  // namespace limpid
