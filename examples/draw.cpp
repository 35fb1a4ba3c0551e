// Draws one token's way through attention, with the numbers of the run, and the deck of the whole sentence's.
//   c++ -std=c++20 draw.cpp $(pkg-config --cflags --libs limpid) && ./a.out "Life is short"
#include <limpid/draw.h>
#include <limpid/model.h>

#include <iostream>

int main(int argc, char** argv) try {
  limpid::TraceOptions options;
  options.parameters = true;  // W_Q and its like are drawn too
  const limpid::Trace trace = limpid::Model::builtin().trace(argc > 1 ? argv[1] : "Life is short", options);

  limpid::FigureOptions figure;
  figure.layer = 1;
  const limpid::Scene scene = limpid::token_scene(trace, figure);
  limpid::write_figure(scene, "token.svg");
  for (const limpid::SceneStep& step : scene.steps) std::cout << step.text << "\n";

  // One page of the deck; a format that holds several (formats() tells) takes them all.
  const std::vector<limpid::Slide> pages = limpid::lecture(trace, figure);
  limpid::write_figure(pages.back().scene, "question.svg");
  std::cout << pages.size() << " pages; the last: " << pages.back().notes << "\n";
} catch (const limpid::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
