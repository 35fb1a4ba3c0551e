// Figures: a network laid out once, as a scene that painters only paint.
//
//   Scene scene = network_scene(graph, {});          // or of a trace: its words, its sizes
//   write_figure(scene, "net.svg");              // or .pptx, .drawio, .tex, ...: formats() lists them
//
// The layout reads the graph and nothing else: columns are the longest way from the input, an edge that skips
// several stages between equal shapes is a residual path (dashed, below), stages that share a group's name
// stand in its frame, and blocks.0, blocks.1, ... of equal structure are drawn once.  A long network goes on
// in a further row, cut where it is one value wide.  Parameters are not drawn; nor are views (unless they
// join several axes), the stages of a gradient, and tables of constants that several stages share.
//
// Nothing crosses a box, text keeps to its box, and no two labels meet: tests/draw_test.cpp holds that.  The
// same call gives the same scene, and the same scene the same bytes.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "limpid/api.h"
#include "limpid/scene.h"

namespace LIMPID_API limpid {

// ---- layout --------------------------------------------------------------------------------------

struct SceneOptions {
  std::string title;  // said to programs and screen readers; drawn by whoever shows the figure
  /// Rows are cut to fit; where that saves one, a row may be 8% wider.  0: what an A4 sheet takes with its
  /// smallest text at least 7 pt (one block open at most), in landscape or in portrait; where that is not
  /// enough, things stand closer with larger words beside them, and at last edges show letters.
  double width = 0;
  std::vector<Token> tokens;         // the sentence: at most six places are drawn, the others elided
  std::map<Axis, int64_t> sizes;     // bound sizes; where all axes of a value are known, edges show numbers
  std::string token_word = "token";  // what a place is called
  bool letters = false;              // edges show axis letters all the same; the legend tells their sizes
  bool legend = true;
  bool parameters = false;  // how many numbers each stage has learned
  /// Which blocks of a network of many are drawn with what is inside: "blocks.3"; the others are closed
  /// boxes, "none" closes all.  Empty: of blocks that are alike the first stands open for all.
  std::vector<std::string> open;
  /// What was edited in the run, in words, by the name of the value: "set to 0".
  std::map<std::string, std::string> edited;
};

/// The network figure.  Throws Error{call} for a graph without stages.
Scene network_scene(const Graph&, const SceneOptions& = {});
/// The network that ran, with the words and the sizes of the run.
Scene network_scene(const Trace&, SceneOptions = {});

/// The inside of one attention layer: what it reads, projections, scores, weights, their sum, joined heads.
/// Two inputs where it attends to another sequence.  Throws Error{call} for a layer that is not there.
Scene attention_scene(const Graph&, int layer = 0, SceneOptions = {});
Scene attention_scene(const Trace&, int layer = 0, SceneOptions = {});

// ---- figures of numbers --------------------------------------------------------------------------
// Each throws Error{call} for a layer, head or token that is not there, and where the trace does not hold
// what it draws, naming what to observe.

struct FigureOptions {
  int layer = 0, head = 0;
  int token = -1;          // place in the sentence; -1: the last
  double width = 1240;     // at most about so wide
  double height = 0;       // at most about so high; 0: what an A4 sheet takes
  bool one_layer = false;  // heads_pages: only the heads of `layer`
};

// What a figure reads of a run over `length` tokens: observe this, and the run computes no more
// (TraceOptions::reads). Of a long text the T x S stages are read as pooled maps, largest weights and single
// rows.
std::vector<Observation> network_reads(const Graph&);  // of network_scene and attention_scene: sizes alone
std::vector<Observation> token_reads(const Graph&, int64_t length, const FigureOptions&);
std::vector<Observation> matrices_reads(const Graph&, int64_t length, const FigureOptions&);
std::vector<Observation> heads_reads(const Graph&, int64_t length, const FigureOptions&);
std::vector<Observation> head_reads(const Graph&, int64_t length, const FigureOptions&);
std::vector<Observation> lecture_reads(const Graph&, int64_t length, const FigureOptions&);

/// One head as the matrices it multiplies: X, W_Q, Q, K transposed, scores, weights, V, output.  Numbers
/// stand in the cells where they fit; what is larger is coloured only, and pooled where a cell would be too
/// small to see.
Scene matrices_scene(const Trace&, const FigureOptions& = {});
/// One token's way through one head: its query against every key, the weights, the values, their sum.
Scene token_scene(const Trace&, const FigureOptions& = {});
/// Every layer and head as a small map; as many pages as it takes to stay readable.
std::vector<Slide> heads_pages(const Trace&, const FigureOptions& = {});
/// One head: lines from token to token, and its map.
Scene head_scene(const Trace&, const FigureOptions& = {});

/// Weights from elsewhere, to be drawn as the heads of a run are.
struct OwnWeights {
  std::string name;                        // what the numbers are called: their sources
  std::string title;                       // what the figure says of them
  Tensor weights;                          // [L,H,T,S], [H,T,S] or [T,S]
  std::vector<std::string> rows, columns;  // of T and of S; empty: places are numbered
};
/// Throws Error{call} for weights of another rank, without elements or with a NaN, and for labels that are
/// not as many as the places.
std::vector<Slide> heads_pages(const OwnWeights&, const FigureOptions& = {});
Scene head_scene(const OwnWeights&, const FigureOptions& = {});

// ---- a column of a paper -------------------------------------------------------------------------

/// How wide a figure may be laid out so that it fits `points` with its text (12) at least 6 pt.
double layout_width(double points);
/// The figure made `points` wide, and at most as high as the text of an A4 page (700 pt) where its own text
/// then still has 6 pt; what is narrower stands in the middle.  Throws Error{call} saying the least width
/// that serves, where its smallest text would come out below 6 pt.
void fit_width(Scene&, double points);

/// One report of a training run: its numbers by name ("epoch", "loss", "accuracy", "validation", ...).
struct TrainingReport {
  std::map<std::string, double> numbers;
  std::string observation;
};
/// From the lines that `limpid train` writes (log.jsonl).  Throws Error{work} naming the line that is none.
std::vector<TrainingReport> training_reports(std::string_view json_lines);
/// At most about `width` wide: of a narrow one the plots stand below one another.
Scene training_scene(const std::vector<TrainingReport>&, const std::string& title = "", double width = 1240);

/// A deck for one sentence, in teaching order: the network built up one step a page, attention with its
/// numbers, every head, what comes next, the key insight, and a quiz made from this run whose answers stand
/// in the notes.  It is for a hall: slides of 13.333 by 7.5 inches, no text under 18 pt but the numbers of
/// grids.  A layer and a head of -1: the head that chooses most sharply for the token, which is the one that
/// the insight is about.  The trace should hold everything (an observation of "*"), with its parameters.
std::vector<Slide> lecture(const Trace&, const FigureOptions& = {});

// ---- painters ------------------------------------------------------------------------------------

enum class Theme {
  automatic,  // light, and dark where the reader prefers dark pages
  light,
  dark,
};
std::string_view name(Theme);
/// Throws Error{call} listing the themes.
Theme theme_named(std::string_view name);

struct PaintOptions {
  Theme theme = Theme::automatic;  // formats that cannot choose by themselves are light
  int columns = 80;                // of a terminal
  bool compressed = false;         // .drawio: its text deflated, as older programs write it
};

/// A kind of file that figures can be written as.  One file of src/draw/formats/ each.
struct Format {
  std::string ending;  // "svg": of the file's name, and the word for --format
  std::string name;    // "SVG"
  std::string about;   // what it is for, in one line
  bool deck = false;   // whether several pages go into one file
  std::string (*paint)(const std::vector<Slide>& pages, const PaintOptions&) = nullptr;
  std::string also = {};  // another ending that means it: "gv"
  bool graph = false;     // whether it holds nodes and edges and nothing else
};
/// Every format of this build.
const std::vector<Format>& formats();
/// By an ending, whichever of the two it has.  Throws Error{call} listing the formats there are.
const Format& format_named(std::string_view ending);
/// By the ending of a file's name.
const Format& format_of(const std::filesystem::path&);

/// The bytes of the file.  The same pages give the same bytes.  Throws Error{call} for several pages where
/// the format holds one, and for a figure that is no graph where the format holds nothing else.
std::string paint(const std::vector<Slide>& pages, const Format&, const PaintOptions& = {});
std::string paint(const Scene&, const Format&, const PaintOptions& = {});
std::string to_svg(const Scene&, const PaintOptions& = {});
/// The same as a file, which appears whole or not at all; the format by its ending.
void write_figure(const std::vector<Slide>& pages, const std::filesystem::path&, const PaintOptions& = {});
void write_figure(const Scene&, const std::filesystem::path&, const PaintOptions& = {});

}  // namespace LIMPID_API limpid
