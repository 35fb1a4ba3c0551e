// Texts in pairs: two parallel files, or a table.
#include <algorithm>

#include "data/columns.h"
#include "data/readers.h"

namespace limpid {

namespace data {

namespace {

constexpr std::string_view k_source_names[] = {"source", "src",      "question", "input",
                                               "prompt", "document", "text"};
constexpr std::string_view k_target_names[] = {"target",   "tgt",     "answer",     "output",
                                               "response", "summary", "translation"};
// ISO 639-1 codes of the languages that parallel corpora are mostly in: two columns of such names are pairs.
constexpr std::string_view k_languages[] = {
    "ar", "bg", "ca", "cs", "cy", "da", "de", "el", "en", "es", "et", "eu", "fa", "fi", "fr", "ga",
    "gl", "he", "hi", "hr", "hu", "id", "is", "it", "ja", "ko", "lt", "lv", "mk", "ms", "mt", "nl",
    "no", "pl", "pt", "ro", "ru", "sk", "sl", "sq", "sr", "sv", "th", "tr", "uk", "ur", "vi", "zh"};

bool is_language(std::string_view column) {
  const size_t dot = column.rfind('.');
  const std::string name = lower_case(trimmed(dot == column.npos ? column : column.substr(dot + 1)));
  return std::find(std::begin(k_languages), std::end(k_languages), name) != std::end(k_languages);
}

// Adds a pair, or the reason why it is none.
void add_pair(TextPairs& pairs, std::string_view source, std::string_view target, const std::string& where) {
  source = trimmed(source);
  target = trimmed(target);
  for (const auto& [side, text] : {std::pair("source", source), std::pair("target", target)}) {
    if (text.empty()) return pairs.skipped.add(join(where, ": the ", side, " is empty"));
    if (const auto fault = fault_of_text(text))
      return pairs.skipped.add(join(where, ": the ", side, " ", *fault));
  }
  pairs.source.emplace_back(source);
  pairs.target.emplace_back(target);
}

}  // namespace

TextPairs parallel_texts(const DataFile& source, const DataFile& target) {
  for (const DataFile* file : {&source, &target}) {
    require_text(*file, "a sentence a line");
    if (trimmed(without_mark(file->content)).empty())
      fail_work(file->name, ": holds no sentences: it is empty");
  }
  const auto sources = lines_of(source.content), targets = lines_of(target.content);
  if (sources.size() != targets.size())
    fail_work(source.name, " has ", counted(static_cast<int64_t>(sources.size()), "line"), ", ", target.name,
              " has ", targets.size(),
              ", expected as many in both: line i of the one belongs to line i of the other");
  TextPairs pairs;
  for (size_t i = 0; i < sources.size(); ++i)
    add_pair(pairs, sources[i], targets[i], join(source.name, ": line ", i + 1));
  if (pairs.source.empty()) fail_work(source.name, ": ", none_usable(pairs.skipped, "pair", source.name));
  return pairs;
}

TextPairs table_of_pairs(DataFile file, const PairOptions& options) {
  const TwoWanted wanted = {WantedColumn{"sources", "source", options.source, k_source_names},
                            WantedColumn{"targets", "target", options.target, k_target_names}};
  const auto table = open_table(
      std::move(file), {options.separator, options.header, options.quotes}, [&](const Fields& first) {
        const bool languages = first.size() == 2 && is_language(first[0]) && is_language(first[1]);
        return languages || names_columns(first, wanted);
      });
  const auto columns = two_columns(*table, wanted).value_or(std::array<size_t, 2>{0, 1});
  TextPairs pairs;
  table->each_row({columns[0], columns[1]}, pairs.skipped, [&](Fields& fields, int64_t line) {
    add_pair(pairs, fields[0], fields[1], table->line_name(line));
  });
  if (pairs.source.empty()) fail_without_rows(*table, pairs.skipped);
  return pairs;
}

}  // namespace data

TextPairs read_pairs(const std::filesystem::path& source, const std::filesystem::path& target) {
  return data::parallel_texts(data::read_data_file(source), data::read_data_file(target));
}

TextPairs read_pairs(const std::filesystem::path& table, const PairOptions& options) {
  return data::table_of_pairs(data::read_data_file(table), options);
}

}  // namespace limpid
