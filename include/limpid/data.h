// Files as examples: texts with a class or a number each, texts in pairs, images with a class, tables of
// series; and what is done to examples while a network learns from them.
//
//   const LabelledTexts train = read_labelled_texts("train.csv");
//   const LabelledTexts test = read_labelled_texts("test.csv", {}, train.classes);
//   const LabelledImages digits = read_idx("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz");
//   const SeriesTable hours = read_series("ETTh1.csv");
//   const TextPairs pairs = read_pairs("train.en.gz", "train.de.gz");
//
// Any file may be compressed with gzip, which is told by its content.  A file is never trusted: a row that
// cannot be used is left out, counted and named (SkippedRows); what makes the whole file doubtful, and a file
// of which no row is left, is an Error{work}; an option that does not fit the file is an Error{call}. Nothing
// is printed: the caller says what was skipped.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "limpid/api.h"
#include "limpid/image.h"
#include "limpid/tensor.h"

namespace LIMPID_API limpid {

/// Rows that could not be used: how many, and of the first ten what was wrong with them
/// ("train.csv: line 17 has 2 fields, expected 3").
struct SkippedRows {
  static constexpr size_t k_named = 10;
  int64_t count = 0;
  std::vector<std::string> first;

  void add(const std::string& what) {
    if (first.size() < k_named) first.push_back(what);
    ++count;
  }
};

// ---- lines ---------------------------------------------------------------------------------------

/// The lines of a text file without their ends (LF or CRLF); a byte order mark is dropped, empty lines stay.
/// Throws Error{work} naming the first line that is not UTF-8 or holds a NUL byte.
std::vector<std::string> read_lines(const std::filesystem::path& path);

// ---- texts with a class or a number --------------------------------------------------------------

/// How a table of texts is read: .csv, .tsv, .jsonl (an object a line), with a header or without.
struct TableOptions {
  /// Columns by name, or by number from 0 ("0") where none has that name.  Empty: guessed from the names that
  /// are usual (text, sentence, message, sms, ...; label, class, category, intent, target, ...), whatever
  /// their case.  Of a table of two columns one may be unknown; of two columns without a header the class is
  /// the one with fewer different values.  Where the guess fails the Error{call} lists the columns.
  std::string text, label;
  /// ",", "\t", ";", another character, or "jsonl".  Empty: by the file's name and its first rows.
  std::string separator;
  /// Whether the first row names the columns.  By itself: it does where a column is asked for by a name, or
  /// where one of its fields is a usual name.
  std::optional<bool> header;
  /// Whether "a ""b""" is a quoted field, as RFC 4180 has it.  By itself: unless tabs separate the fields.
  std::optional<bool> quotes;
  /// What a caller of its own calls `text`, and a true `header`, in messages.
  std::string text_name = "text", header_name = "header";
};

/// Texts as they stand in the file, each with its class.
struct LabelledTexts {
  std::vector<std::string> texts;
  std::vector<int64_t> labels;       // which of `classes`
  std::vector<std::string> classes;  // without white space round them
  SkippedRows skipped;
};

/// Reads texts and their classes.  `classes`: those that are known already (a test file is read after its
/// training file); a row of another class is skipped.  Empty: all that the file has, in the order of their
/// bytes, or by value where all are whole numbers.  A row is skipped that has another number of fields, an
/// empty text or label, a NUL byte, or is not UTF-8.
LabelledTexts read_labelled_texts(const std::filesystem::path& path, const TableOptions& options = {},
                                  const std::vector<std::string>& classes = {});

/// Of texts that are the same to the byte the first alone.
LabelledTexts without_repeats(const LabelledTexts& texts);

/// Texts, each with a number to predict.
struct NumberedTexts {
  std::vector<std::string> texts;
  std::vector<double> numbers;  // finite
  SkippedRows skipped;
};

/// The same of a column of numbers, whose usual names are score, number, value, rating and those of classes.
NumberedTexts read_numbered_texts(const std::filesystem::path& path, const TableOptions& options = {});

/// A table of texts as it stands, its other columns too.
struct TextTable {
  std::vector<std::string> columns;            // without a header "0", "1", ...
  std::vector<std::vector<std::string>> rows;  // a field a column
  size_t text = 0;                             // the column that holds the texts
  bool header = true;                          // the file names its columns
  SkippedRows skipped;
};

/// Reads a table of which one column holds texts: the one that options.text names, else by its usual names,
/// else the only one, or of two that which has not the usual name of a class.  Where a column but that one is
/// missing in some rows (.jsonl), the texts alone are kept.  Rows are skipped as read_labelled_texts does.
TextTable read_text_table(const std::filesystem::path& path, const TableOptions& options = {});

// ---- texts in pairs ------------------------------------------------------------------------------

/// source[i] and target[i] belong together; white space round them is dropped.
struct TextPairs {
  std::vector<std::string> source, target;
  SkippedRows skipped;
};

/// Two parallel files, a sentence a line.  Throws Error{work} with both counts where they are not equally
/// long.  A pair is skipped where a side is empty, is not UTF-8 or holds a NUL byte.
TextPairs read_pairs(const std::filesystem::path& source, const std::filesystem::path& target);

/// TableOptions of a table of pairs: usual names are source, src, target, tgt, question, answer, ..., and
/// codes of languages (en, de) where the table has two columns.  Two columns without a header are the source
/// and the target.
struct PairOptions {
  std::string source, target;
  std::string separator;
  std::optional<bool> header;
  std::optional<bool> quotes;
};
TextPairs read_pairs(const std::filesystem::path& table, const PairOptions& options = {});

// ---- images with a class -------------------------------------------------------------------------

struct LabelledImages {
  Tensor images;                     // u8 [B,Y,X,K]
  std::vector<int64_t> labels;       // which of `classes`
  std::vector<std::string> classes;  // of IDX "0", "1", ... up to the largest label of the file
  SkippedRows skipped;
};

/// IDX, the format of MNIST (http://yann.lecun.com/exdb/mnist): bytes [N,Y,X] or [N,Y,X,K], and bytes [N].
/// `limit`: the first so many; 0: all.  `classes`: as of read_labelled_texts.  Throws Error{work} where a
/// file is shorter or longer than its header says, or the two hold unlike counts.
LabelledImages read_idx(const std::filesystem::path& images, const std::filesystem::path& labels,
                        int64_t limit = 0, const std::vector<std::string>& classes = {});

struct ImageFolderOptions {
  int64_t height = 0, width = 0;  // what every image is resized to; 0: the first one's
  int64_t channels = 3;           // 1 or 3
  Resample resample = Resample::bilinear;
  int64_t limit = 0;  // images of a class, the first in the order of their names; 0: all
};

/// A folder of folders, each named as the class of the .png and .jpg files in it and in its folders.  Hidden
/// files are passed over; any other file, and an image that cannot be read, is a skipped row.  `classes`: as
/// of read_labelled_texts.
LabelledImages read_image_folder(const std::filesystem::path& path, const ImageFolderOptions& options = {},
                                 const std::vector<std::string>& classes = {});

// ---- series --------------------------------------------------------------------------------------

/// What becomes of a gap: a cell that is empty, "NA", "N/A", "NaN", "null", "none", "?" or "-", whatever its
/// case, or that is no finite number (which is then named in SeriesTable::odd).
enum class Gaps {
  previous,     // the value before it; at the start the first value
  interpolate,  // on the line between the values beside it; at both ends the nearest value
  keep,         // NaN
  refuse,       // Error{work} naming the first
};

struct SeriesOptions {
  /// By name, or by number from 0 where none has that name; empty: every column that holds a number, but the
  /// times.
  std::vector<std::string> columns;
  /// The column of times.  Empty: the first, if it is called date, time, month, ... or holds no number in any
  /// row.
  std::string time;
  Gaps gaps = Gaps::previous;
  std::string separator;       // as of TableOptions
  std::optional<bool> header;  // by itself: if no field of the first row is a number, or it is told by a name
};

struct SeriesTable {
  std::string about;                 // the first line of the file beside it whose name ends in .names, if any
  std::vector<std::string> times;    // one a row; empty where the file has none
  std::vector<std::string> columns;  // "0", "1", ... without a header
  Tensor values;                     // f64 [rows,columns]
  int64_t gaps = 0;                  // cells that were gaps, of all columns
  SkippedRows odd;  // gaps that the file does not mark as such: "line 4, column 2 ('b'): '?0.2' ..."
  std::vector<std::string> left_out;  // columns without a number, not asked for
  SkippedRows skipped;                // rows of another number of fields
};

/// Reads a table of numbers, one row a moment, the earliest first.  Throws Error{work} where the times run
/// backwards, and where a column that was asked for holds no number.
SeriesTable read_series(const std::filesystem::path& path, const SeriesOptions& options = {});

// ---- examples as a network learns from them ------------------------------------------------------
//
// Each change is a function of the seed, the step and the example's number in its data: whatever batch it
// stands in and on whatever thread, it has the same bits.

/// Where random numbers are drawn for examples.
struct ExampleDraw {
  uint64_t seed = 0;
  uint32_t step = 0;
  std::span<const int64_t> rows;  // number of each example in its data; empty: 0, 1, ...
};

struct AugmentOptions {
  double shift = 0;     // up to this share of the height and of the width, each way: 0.1
  double rotate = 0;    // up to so many degrees, each way
  double scale = 0;     // by a factor between 1 - scale and 1 + scale
  bool mirror = false;  // every second image: left and right exchanged
  double erase = 0;     // how likely a rectangle is filled (Zhong et al. 2017, "Random erasing")
  double erase_least = 0.02, erase_most = 0.2;  // its share of the image; its sides are within 1 : 3
  double fill = 0;                              // what stands where no pixel was
};

/// The images moved, turned, scaled (about their middle, bilinear), mirrored, then erased in part.  Takes u8
/// or f32 with axes B, Y, X and, if there are channels, K, in any order; gives the same type and shape.
/// Throws Error{call} for a setting out of range.
Tensor augment(const ConstView& images, const AugmentOptions& options, const ExampleDraw& draw);

struct DropWordsOptions {
  double probability = 0;  // of each token
  std::optional<int64_t>
      replacement;            // the id that stands in its place ("unknown", a mask); none: it is left out
  std::vector<int64_t> kept;  // ids that are never dropped: the special ones
};

/// Word dropout (Iyyer et al. 2015): the ids of one example, some replaced or left out.  `draw.rows`: at most
/// one.
std::vector<int64_t> drop_words(std::span<const int64_t> ids, const DropWordsOptions& options,
                                const ExampleDraw& draw);

}  // namespace LIMPID_API limpid
