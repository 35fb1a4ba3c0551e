// The scene as SVG: it only paints.
#include <cmath>
#include <map>

#include "core/number_text.h"
#include "draw/text.h"
#include "limpid/draw.h"
#include "limpid/files.h"

namespace limpid {

namespace {

// ---- colours -------------------------------------------------------------------------------------

// What is painted, by the name of its class; each has one colour a theme.
struct Paint {
  std::string_view name, property, light, dark;
};

// Query blue, key vermilion, value green, scores and weights purple (Okabe and Ito 2008, safe for
// colour-blind readers); lighter on dark ground.  All else is grey.
constexpr Paint k_paints[] = {
    {"page", "fill", "#ffffff", "#14171d"},         {"block", "fill", "#f7f8fa", "#1b1f27"},
    {"group", "fill", "#eef0f5", "#232833"},        {"edge", "stroke", "#d5dae3", "#3a4250"},
    {"box", "fill", "#ffffff", "#14171d"},          {"ink", "fill", "#1f2430", "#e8ebf1"},
    {"soft", "fill", "#5b6475", "#a9b2c1"},         {"plain", "stroke", "#8b94a5", "#8993a5"},
    {"query", "stroke", "#0072b2", "#56b4e9"},      {"key", "stroke", "#d55e00", "#ff9350"},
    {"value", "stroke", "#009e73", "#35cfa2"},      {"weights", "stroke", "#8a4fb0", "#c79be6"},
    {"plain-fill", "fill", "#8b94a5", "#8993a5"},   {"query-fill", "fill", "#0072b2", "#56b4e9"},
    {"key-fill", "fill", "#d55e00", "#ff9350"},     {"value-fill", "fill", "#009e73", "#35cfa2"},
    {"weights-fill", "fill", "#8a4fb0", "#c79be6"},
};

const Paint& paint_named(std::string_view name) {
  for (const Paint& paint : k_paints)
    if (paint.name == name) return paint;
  return k_paints[0];
}

// ---- writing -------------------------------------------------------------------------------------

std::string number(double value) { return number_text(std::round(value * 100) / 100); }

std::string escaped(std::string_view text) {
  std::string out;
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

class Painter {
 public:
  Painter(const Scene& scene, Theme theme) : scene_(scene), theme_(theme) {}

  std::string paint() {
    open();
    for (const SceneFrame& frame : scene_.frames) paint_frame(frame);
    // Residual paths lie below the streams that they branch from.
    for (bool residual : {true, false})
      for (const SceneConnector& c : scene_.connectors)
        if (c.residual == residual) paint_connector(c);
    for (const SceneMark& mark : scene_.marks)
      out_ += join("<circle cx=\"", number(mark.at.x), "\" cy=\"", number(mark.at.y), "\" r=\"3\"",
                   fill(mark.role), "/>\n");
    for (const SceneBox& box : scene_.boxes) paint_box(box);
    for (const SceneText& text : scene_.texts) paint_text(text);
    return out_ + "</svg>\n";
  }

 private:
  // The class, and its colour for whoever reads no style sheets.
  std::string with(std::string_view paint_name) const {
    const Paint& paint = paint_named(paint_name);
    return join(" class=\"", paint.name, "\" ", paint.property, "=\"",
                theme_ == Theme::dark ? paint.dark : paint.light, "\"");
  }
  std::string fill(Role role) const { return with(join(name(role), "-fill")); }

  std::string stroke_colour(std::string_view paint_name) const {
    const Paint& paint = paint_named(paint_name);
    return std::string(theme_ == Theme::dark ? paint.dark : paint.light);
  }

  void open() {
    const std::string w = number(scene_.width), h = number(scene_.height);
    out_ = join("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ", w, " ", h, "\" width=\"", w,
                "\" height=\"", h,
                "\" role=\"img\" aria-labelledby=\"title desc\" "
                "font-family=\"'DejaVu Sans', Verdana, 'Noto Sans', Arial, sans-serif\">\n");
    out_ += join("<title id=\"title\">", escaped(draw::clean(scene_.title)), "</title>\n<desc id=\"desc\">",
                 escaped(draw::clean(scene_.description)), "</desc>\n");
    if (theme_ == Theme::automatic) {
      out_ += "<style>@media (prefers-color-scheme: dark) {";
      for (const Paint& paint : k_paints)
        out_ += join(" .", paint.name, "{", paint.property, ":", paint.dark, "}");
      // A frame's and a box's second colour.
      out_ += join(" .rim{stroke:", paint_named("edge").dark, "}");
      out_ += " }</style>\n";
    }
    out_ += join("<rect width=\"", w, "\" height=\"", h, "\"", with("page"), "/>\n");
  }

  void rectangle(const Rect& r, double radius, const std::string& looks) {
    out_ += join("<rect x=\"", number(r.x), "\" y=\"", number(r.y), "\" width=\"", number(r.width),
                 "\" height=\"", number(r.height), "\" rx=\"", number(radius), "\"", looks, "/>\n");
  }

  // Repeated blocks look like a stack of sheets.
  void paint_frame(const SceneFrame& frame) {
    out_ += join("<g data-name=\"", escaped(frame.name), "\">\n");
    const bool outer = frame.repeats > 1;
    for (int sheet = outer ? 2 : 0; sheet >= 0; --sheet) {
      Rect r = frame.rect;
      r.x += 4 * sheet;
      r.y += 4 * sheet;
      const Paint& paint = paint_named(outer ? "block" : "group");
      const Paint& rim = paint_named("edge");
      const bool dark = theme_ == Theme::dark;
      rectangle(r, 12,
                join(" class=\"", paint.name, " rim\" fill=\"", dark ? paint.dark : paint.light,
                     "\" stroke=\"", dark ? rim.dark : rim.light, "\""));
    }
    paint_text(frame.title);
    out_ += "</g>\n";
  }

  void paint_box(const SceneBox& box) {
    out_ += join("<g data-name=\"", escaped(box.name), "\">\n");
    std::string hint = box.caption;
    if (!box.equation.empty()) hint += (hint.empty() ? "" : "  ") + box.equation;
    if (!hint.empty()) out_ += join("<title>", escaped(draw::clean(hint)), "</title>\n");
    if (box.look == SceneBox::Look::stage) {
      const Paint& rim = paint_named(name(box.role));
      const Paint& paper = paint_named("box");
      const bool dark = theme_ == Theme::dark;
      rectangle(box.rect, 7,
                join(" class=\"", paper.name, " ", rim.name, "\" fill=\"", dark ? paper.dark : paper.light,
                     "\" stroke=\"", dark ? rim.dark : rim.light, "\" stroke-width=\"1.6\""));
    }
    for (const SceneText& text : box.texts) paint_text(text);
    out_ += "</g>\n";
  }

  void paint_text(const SceneText& text) {
    const bool soft = text.role == Role::plain && text.kind != SceneText::Kind::label &&
                      !(text.kind == SceneText::Kind::token && text.size >= draw::k_label_size);
    const std::string colour = text.role != Role::plain ? fill(text.role) : with(soft ? "soft" : "ink");
    const std::string_view anchor = text.anchor == SceneText::Anchor::start ? ""
                                    : text.anchor == SceneText::Anchor::end ? " text-anchor=\"end\""
                                                                            : " text-anchor=\"middle\"";
    out_ += join("<text x=\"", number(text.at.x), "\" y=\"", number(text.at.y), "\" font-size=\"",
                 number(text.size), "\"", anchor, colour, ">", escaped(draw::clean(text.text)), "</text>\n");
  }

  void paint_connector(const SceneConnector& c) {
    const std::vector<Point>& p = c.points;
    const Point end = p.back(), before = p[p.size() - 2];
    const double dx = (end.x > before.x) - (end.x < before.x), dy = (end.y > before.y) - (end.y < before.y);
    const Point neck = {end.x - 8 * dx, end.y - 8 * dy};
    const auto fork = static_cast<size_t>(c.fork);
    std::string way = join("M", number(p[fork].x), " ", number(p[fork].y));
    for (size_t i = fork + 1; i + 1 < p.size(); ++i)
      way +=
          marked(p[i]) ? join("L", number(p[i].x), " ", number(p[i].y)) : rounded(p[i - 1], p[i], p[i + 1]);
    way += join("L", number(neck.x), " ", number(neck.y));
    out_ +=
        join("<path data-value=\"", escaped(c.value), "\" d=\"", way, "\"", with(name(c.role)),
             " fill=\"none\" stroke-width=\"1.6\"", c.residual ? " stroke-dasharray=\"5 4\"" : "", "/>\n");
    out_ += join("<path d=\"M", number(end.x), " ", number(end.y), "L", number(neck.x - 4 * dy), " ",
                 number(neck.y - 4 * dx), "L", number(neck.x + 4 * dy), " ", number(neck.y + 4 * dx), "z\"",
                 fill(c.role), "/>\n");
  }

  // Corners where ways part stay sharp.
  bool marked(const Point& p) const {
    for (const SceneMark& mark : scene_.marks)
      if (mark.at == p) return true;
    return false;
  }

  // A corner with a small round.
  static std::string rounded(const Point& a, const Point& corner, const Point& b) {
    const auto toward = [&](const Point& p) {
      const double length = std::abs(p.x - corner.x) + std::abs(p.y - corner.y),
                   step = std::min(6.0, length / 2);
      return length == 0 ? corner
                         : Point{corner.x + (p.x - corner.x) / length * step,
                                 corner.y + (p.y - corner.y) / length * step};
    };
    const Point in = toward(a), out = toward(b);
    return join("L", number(in.x), " ", number(in.y), "Q", number(corner.x), " ", number(corner.y), " ",
                number(out.x), " ", number(out.y));
  }

  const Scene& scene_;
  Theme theme_;
  std::string out_;
};

struct ThemeWord {
  Theme theme;
  std::string_view word;
};
constexpr ThemeWord k_themes[] = {{Theme::automatic, "auto"}, {Theme::light, "light"}, {Theme::dark, "dark"}};

}  // namespace

std::string_view name(Theme theme) {
  for (const ThemeWord& known : k_themes)
    if (known.theme == theme) return known.word;
  return "?";
}

Theme theme_named(std::string_view word) {
  for (const ThemeWord& known : k_themes)
    if (known.word == word) return known.theme;
  fail_call("theme '", word, "' is not known; expected auto, light or dark");
}

std::string to_svg(const Scene& scene, const SvgOptions& options) {
  return Painter(scene, options.theme).paint();
}

void write_svg(const Scene& scene, const std::filesystem::path& path, const SvgOptions& options) {
  write_file_whole(path, to_svg(scene, options));
}

}  // namespace limpid
