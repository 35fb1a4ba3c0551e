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

// ---- what a prediction looked at -----------------------------------------------------------------

/// Which weights: of a layer, the mean over its heads or one of them.
struct LookOptions {
  int layer = -1;       // -1: alignment_scene: the last; the others: rolled out over all layers (rollout.h)
  int head = -1;        // -1: the mean over the layer's heads
  int token = -1;       // of a network that predicts at each place: which place; -1: the last
  double width = 1240;  // at most about so wide
};

/// Which source word each word of an encoder-decoder's text looked at when it was written: the weights of its
/// cross-attention, words down, words of the source across, the largest of each row marked.  A word that the
/// tokenizer split is one place: its pieces' weights are added where it is looked at and averaged where it
/// looks.  A word's row is that of the token before it, whose probabilities chose it.  Throws Error{call} for
/// another network, and where the trace lacks the weights.
Scene alignment_scene(const Trace&, const LookOptions& = {});
std::vector<Observation> alignment_reads(const Graph&, const LookOptions& = {});
/// The same in the form of Moses: "0-0 1-2 2-1", source and target, words counted from 0 as the figure counts
/// them: for each word of the text the source word with the largest weight.  Tokens that begin or end a text
/// are no words and not counted.
std::string moses_alignment(const Trace&, const LookOptions& = {});

/// What the figures below read of a run over `length` tokens.
std::vector<Observation> attended_reads(const Graph&, int64_t length, const LookOptions& = {});

/// The sentence with each word shaded by how much the prediction looks at it, and the likeliest classes, or
/// tokens that come next.  The weights are those of the rows that the prediction is read from: of a class the
/// row that its pooling picks, or the mean over all; of what comes next the last token's.  Rolled out they
/// are the trace's value `rollout`, which with_rollout() adds (rollout.h).  A word that the tokenizer split
/// is one: its pieces' weights are added.  Throws Error{call} for a run that is not of a text.
Scene attention_on_text_scene(const Trace&, const LookOptions& = {});

/// The image as the network read it and, over it, the weights that the prediction gives its patches: rolled
/// out over the layers, and of every head of a layer (LookOptions::layer, else the last; or of one head);
/// with the likeliest classes.  Reads the value `rollout` too.  Throws Error{call} for a run that is not of
/// an image.
Scene attention_on_image_scene(const Trace&, const LookOptions& = {});

/// What a run does not say of the series that it read.
struct SeriesLook : LookOptions {
  int64_t column = -1;             // -1: the last
  std::string name;                // of that column
  double mean = 0, deviation = 1;  // what was read is (x - mean) / deviation
  std::vector<double> truth;  // of the moments that are foretold, as the network reads them; empty: not known
  std::vector<std::string> times;  // of the moments read and foretold; empty: they are counted
};
/// One column of the series that was read, the forecast and, where it is given, the truth, in the file's
/// units; below it the patches, shaded by the weights that the forecast gives them.  Reads the value
/// `rollout` unless a layer is named.  Throws Error{call} for a run that is not of a series.
Scene attention_on_series_scene(const Trace&, const SeriesLook& = {});

// ---- what a classifier gets wrong ----------------------------------------------------------------

/// How often each class was said for each: counts[true][said].
struct Confusion {
  std::string model;                 // whose answers they are; may be empty
  std::vector<std::string> classes;  // empty: they are called by their numbers
  std::vector<std::vector<int64_t>> counts;
};
/// From {"confusion": [[...], ...], "classes": [...]}, as limpid eval --json prints it among other things.
/// Throws Error{work} naming what is not as expected.
Confusion confusion_from(std::string_view json);
/// Counts in cells, shaded by their share of the row, and the pairs that are confused most.  Up to 80
/// classes, or as many as fit `width` (0: all 80); of more those that are confused most, and it says so.
Scene confusion_scene(const Confusion&, const std::string& title = "", double width = 0);

// ---- a column of a paper -------------------------------------------------------------------------

/// How wide a figure may be laid out so that it fits `points` with its text (12) at least 6 pt.
double layout_width(double points);
/// The figure made `points` wide, and at most as high as the text of an A4 page (700 pt) where its own text
/// then still has 6 pt; what is narrower stands in the middle.  Throws Error{call} saying the least width
/// that serves, where its smallest text would come out below 6 pt.
void fit_width(Scene&, double points);

/// One report of a training run: its numbers by name ("epoch", "loss", "accuracy", "validation", ...).
struct TrainingReport {
  /// What kind a head was of (heads.h).
  struct Head {
    std::string attention;  // "blocks.0.attn"
    int64_t layer = 0, head = 0;
    std::string kind;
    double score = 0;
  };
  std::map<std::string, double> numbers;
  std::string observation;
  std::vector<Head> heads;
};
/// From the lines that `limpid train` writes (log.jsonl).  Throws Error{work} naming the line that is none.
std::vector<TrainingReport> training_reports(std::string_view json_lines);
/// At most about `width` wide: of a narrow one the plots stand below one another.
Scene training_scene(const std::vector<TrainingReport>&, const std::string& title = "", double width = 1240);

/// A sentence that a training run watched, as it was at one report.
struct LearningStep {
  Trace trace;            // with the step as numbers["step"]
  TrainingReport report;  // whose loss stands beside it
};
struct LearningOptions {
  int layer = 0;
  int head = -1;        // -1: every head of the layer
  size_t rows = 8;      // at most so many steps, evenly chosen, the first and the last among them
  double width = 1240;  // at most about so wide
};
/// How the heads of a layer came to look where they look: a row a step with its loss, a column a head, each
/// cell the weights of the sentence at that step; below it the kind of the head, where it has one.  Sources
/// of cells are `step.500/blocks.0.attn.pattern[...]`, of losses and scores those of the report, by its
/// place in the run: `loss[2]`, `heads[2,1]`.  Throws Error{call} for no steps, for steps of unlike sentences
/// and for a layer or head that is not there.
Scene learning_scene(const std::vector<LearningStep>&, const LearningOptions& = {});

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
