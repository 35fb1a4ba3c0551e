// Texts with a class or a number each, and lines of text.
#include <cmath>
#include <unordered_map>
#include <unordered_set>

#include "core/label.h"
#include "core/number_text.h"
#include "data/classes.h"
#include "data/columns.h"
#include "data/readers.h"

namespace limpid {

namespace data {

namespace {

constexpr std::string_view k_text_names[] = {
    "text",     "sentence", "message", "sms",      "content",  "review", "tweet",       "utterance", "query",
    "question", "comment",  "body",    "document", "headline", "title",  "description", "input"};
constexpr std::string_view k_class_names[] = {"label",     "labels",  "class", "category", "intent", "target",
                                              "sentiment", "emotion", "topic", "tag",      "y"};
constexpr std::string_view k_number_names[] = {"score",  "number", "value",  "rating", "stars",
                                               "target", "label",  "labels", "y"};

WantedColumn wanted_texts(const TableOptions& options) {
  return {"texts", options.text_name, options.text, k_text_names, options.header_name};
}

std::unique_ptr<Table> open_texts(DataFile file, const TableOptions& options, const TwoWanted& wanted) {
  return open_table(std::move(file), {options.separator, options.header, options.quotes},
                    [&](const Fields& first) { return names_columns(first, wanted); });
}

// What keeps a text out, or nothing.
std::optional<std::string> fault_of_example(std::string_view text, std::string_view what) {
  if (trimmed(text).empty()) return join(": the ", what, " is empty");
  if (const auto fault = fault_of_text(text)) return join(": the ", what, " ", *fault);
  return std::nullopt;
}

// Of two columns the one with fewer different values holds the classes; returns the columns of texts and of
// classes.
std::array<size_t, 2> by_different_values(const Table& table, const TwoWanted& wanted) {
  std::unordered_set<std::string> values[2];
  SkippedRows ignored;
  table.each_row({0, 1}, ignored, [&](Fields& fields, int64_t) {
    for (const size_t i : {0, 1}) values[i].insert(fields[i]);
  });
  if (values[0].size() == values[1].size()) fail_to_guess(table, wanted[0]);
  return values[0].size() < values[1].size() ? std::array<size_t, 2>{1, 0} : std::array<size_t, 2>{0, 1};
}

// A class that one row alone has, where the first row was not taken for names but may hold them.
void check_first_class(const Table& table, const std::vector<std::string>& names) {
  constexpr size_t k_enough = 8;  // rows by which a class is expected to return
  if (table.has_header() || names.size() < k_enough) return;
  std::unordered_map<std::string, int64_t> counts;
  for (const std::string& name : names) ++counts[name];
  if (counts[names[0]] == 1 && counts.size() <= names.size() / 2)
    fail_call(table.file(), ": the first row has the class ", in_quotes(names[0]),
              ", which no other row has: say whether it names the columns (header)");
}

void check_classes(const Table& table, size_t column, size_t classes, size_t rows) {
  constexpr size_t k_enough = 20;
  if (rows >= k_enough && classes == rows)
    fail_call(table.file(), ": each of its ", rows, " rows has a class of its own in column ",
              in_quotes(table.columns()[column]),
              "; another column holds the classes (label): ", table.listed_columns());
}

}  // namespace

LabelledTexts labelled_texts(DataFile file, const TableOptions& options,
                             const std::vector<std::string>& classes) {
  const TwoWanted wanted = {wanted_texts(options), {"classes", "label", options.label, k_class_names}};
  const ClassNumbers known(classes);
  const auto table = open_texts(std::move(file), options, wanted);
  const auto found = two_columns(*table, wanted);
  const auto columns = found ? *found : by_different_values(*table, wanted);
  LabelledTexts out;
  std::vector<std::string> names;
  table->each_row({columns[0], columns[1]}, out.skipped, [&](Fields& fields, int64_t line) {
    std::string name(trimmed(fields[1]));
    auto fault = fault_of_example(fields[0], "text");
    if (!fault) fault = fault_of_example(name, "class");
    if (!fault && !classes.empty() && !known.find(name))
      fault = ": the class " + unknown_class(name, classes);
    if (fault) return out.skipped.add(table->line_name(line) + *fault);
    out.texts.push_back(std::move(fields[0]));
    names.push_back(std::move(name));
  });
  if (names.empty()) fail_without_rows(*table, out.skipped);
  out.classes = classes;
  if (classes.empty()) {
    if (!options.header) check_first_class(*table, names);
    out.classes = in_class_order(names);
    check_classes(*table, columns[1], out.classes.size(), names.size());
  }
  const ClassNumbers numbers(out.classes);
  for (const std::string& name : names) out.labels.push_back(numbers.of(name));
  return out;
}

NumberedTexts numbered_texts(DataFile file, const TableOptions& options) {
  const TwoWanted wanted = {wanted_texts(options), {"numbers", "label", options.label, k_number_names}};
  const auto table = open_texts(std::move(file), options, wanted);
  const auto columns = two_columns(*table, wanted);
  if (!columns) fail_to_guess(*table, wanted[1]);
  NumberedTexts out;
  table->each_row({(*columns)[0], (*columns)[1]}, out.skipped, [&](Fields& fields, int64_t line) {
    auto fault = fault_of_example(fields[0], "text");
    const auto number = parse_number(trimmed(fields[1]));
    if (!fault && (!number || !std::isfinite(*number)))
      fault = join(": ", in_quotes(fields[1]), " is no finite number");
    if (fault) return out.skipped.add(table->line_name(line) + *fault);
    out.texts.push_back(std::move(fields[0]));
    out.numbers.push_back(*number);
  });
  if (out.texts.empty()) fail_without_rows(*table, out.skipped);
  return out;
}

namespace {

size_t text_column(const Table& table, const TwoWanted& wanted) {
  const size_t width = table.columns().size();
  if (const auto found = usual_or_asked(table, wanted[0])) return *found;
  if (width == 1) return 0;
  const auto classes = usual_or_asked(table, wanted[1]);
  if (width == 2 && classes) return 1 - *classes;
  fail_to_guess(table, wanted[0]);
}

std::vector<Fields> text_rows(const Table& table, const std::vector<size_t>& wanted, size_t text,
                              SkippedRows& skipped) {
  std::vector<Fields> out;
  table.each_row(wanted, skipped, [&](Fields& fields, int64_t line) {
    if (const auto fault = fault_of_example(fields[text], "text"))
      return skipped.add(table.line_name(line) + *fault);
    out.push_back(fields);  // the table goes on with its own
  });
  return out;
}

}  // namespace

TextTable text_table(DataFile file, const TableOptions& options) {
  const TwoWanted wanted = {wanted_texts(options), {"classes", "label", options.label, k_class_names}};
  const auto table = open_texts(std::move(file), options, wanted);
  TextTable out;
  out.text = text_column(*table, wanted);
  out.header = table->has_header();
  out.columns = table->columns();
  std::vector<size_t> all(out.columns.size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = i;
  out.rows = text_rows(*table, all, out.text, out.skipped);
  SkippedRows skipped;
  std::vector<Fields> texts = text_rows(*table, {out.text}, 0, skipped);
  if (texts.size() > out.rows.size()) {  // some lack another column
    out.columns = {out.columns[out.text]};
    out.text = 0;
    out.rows = std::move(texts);
    out.skipped = skipped;
  }
  if (out.rows.empty()) fail_without_rows(*table, out.skipped);
  return out;
}

std::vector<std::string> lines(const DataFile& file) {
  require_text(file, "lines of text");
  std::vector<std::string> out;
  for (const std::string_view line : lines_of(file.content)) {
    if (const auto fault = fault_of_text(line)) fail_work(file.name, ": line ", out.size() + 1, " ", *fault);
    out.emplace_back(line);
  }
  return out;
}

}  // namespace data

std::vector<std::string> read_lines(const std::filesystem::path& path) {
  return data::lines(data::read_data_file(path));
}

LabelledTexts read_labelled_texts(const std::filesystem::path& path, const TableOptions& options,
                                  const std::vector<std::string>& classes) {
  return data::labelled_texts(data::read_data_file(path), options, classes);
}

NumberedTexts read_numbered_texts(const std::filesystem::path& path, const TableOptions& options) {
  return data::numbered_texts(data::read_data_file(path), options);
}

TextTable read_text_table(const std::filesystem::path& path, const TableOptions& options) {
  return data::text_table(data::read_data_file(path), options);
}

LabelledTexts without_repeats(const LabelledTexts& texts) {
  LabelledTexts out;
  out.classes = texts.classes;
  out.skipped = texts.skipped;
  std::unordered_set<std::string_view> seen;
  for (size_t i = 0; i < texts.texts.size(); ++i) {
    if (!seen.insert(texts.texts[i]).second) continue;
    out.texts.push_back(texts.texts[i]);
    out.labels.push_back(texts.labels[i]);
  }
  return out;
}

}  // namespace limpid
