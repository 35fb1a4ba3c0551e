// From a scene to a file: themes, formats by their endings.
#include <algorithm>

#include "limpid/draw.h"
#include "limpid/files.h"

namespace limpid {

namespace {

struct ThemeWord {
  Theme theme;
  std::string_view word;
};
constexpr ThemeWord k_themes[] = {{Theme::automatic, "auto"}, {Theme::light, "light"}, {Theme::dark, "dark"}};

std::string endings(const std::string& before, bool of_any_figure = false) {
  std::vector<std::string> some;
  for (const Format& format : formats())
    if (!of_any_figure || !format.graph) some.push_back(before + format.ending);
  std::string list;
  for (size_t i = 0; i < some.size(); ++i)
    list += (i == 0 ? "" : i + 1 == some.size() ? " or " : ", ") + some[i];
  return list;
}

// Whether nodes and edges tell it: boxes of stages, or arrows from shape to shape.
bool graph(const Scene& scene) {
  return std::any_of(scene.boxes.begin(), scene.boxes.end(),
                     [](const SceneBox& box) { return box.look == SceneBox::Look::stage; }) ||
         std::any_of(scene.lines.begin(), scene.lines.end(), [](const SceneLine& line) {
           return line.arrow && line.from.on != LineEnd::On::nothing && line.to.on != LineEnd::On::nothing;
         });
}

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

const Format& format_named(std::string_view ending) {
  for (const Format& format : formats())
    if (format.ending == ending || (!ending.empty() && format.also == ending)) return format;
  fail_call("format '", ending, "' is not known; expected ", endings(""));
}

const Format& format_of(const std::filesystem::path& path) {
  std::string ending = path.extension().string();
  for (char& c : ending) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  for (const Format& format : formats())
    if (ending.size() > 1 && (format.ending == ending.substr(1) || format.also == ending.substr(1)))
      return format;
  fail_call(path.string(), ": a figure's format is told by the end of the file's name; expected ",
            endings("."));
}

std::string paint(const std::vector<Slide>& pages, const Format& format, const PaintOptions& options) {
  if (pages.empty()) fail_call("paint: no pages given; a figure has at least one");
  if (pages.size() > 1 && !format.deck)
    fail_call(format.name, " holds one page, and this figure has ", pages.size(),
              "; write .pptx or .pdf, or one page of it");
  if (format.graph && !graph(pages[0].scene))
    fail_call(format.name, " (.", format.ending, ") holds nodes and edges, and this figure is no graph",
              pages[0].scene.title.empty() ? "" : ": " + pages[0].scene.title, "; write ",
              endings(".", true));
  return format.paint(pages, options);
}

std::string paint(const Scene& scene, const Format& format, const PaintOptions& options) {
  return paint(std::vector<Slide>{{scene, scene.title, scene.description}}, format, options);
}

void write_figure(const std::vector<Slide>& pages, const std::filesystem::path& path,
                  const PaintOptions& options) {
  write_file_whole(path, paint(pages, format_of(path), options));
}

void write_figure(const Scene& scene, const std::filesystem::path& path, const PaintOptions& options) {
  write_file_whole(path, paint(scene, format_of(path), options));
}

}  // namespace limpid
