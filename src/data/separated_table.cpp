// Fields between separators: .csv, .tsv, and what else people write.
#include <algorithm>

#include "data/table.h"
#include "files/csv_rows.h"

namespace limpid::data {

namespace {

class SeparatedTable final : public Table {
 public:
  SeparatedTable(DataFile file, char separator, bool quotes)
      : Table(std::move(file)), separator_(separator), quotes_(quotes) {}

  void name_columns(const std::optional<bool>& header,
                    const std::function<bool(const Fields&)>& names_columns) {
    CsvRows rows = reader();
    Fields first;
    rows.next(first);
    width_ = first.size();
    width_line_ = rows.line();
    has_header_ = header ? *header : names_columns(first);
    for (size_t i = 0; i < width_; ++i)
      columns_.push_back(has_header_ ? std::string(trimmed(first[i])) : std::to_string(i));
  }

  std::string written() const override { return "fields are separated by " + shown_separator(separator_); }

  void each_row(const std::vector<size_t>& wanted, SkippedRows& skipped, const EachRow& each) const override {
    CsvRows rows = reader();
    Fields row, fields(wanted.size());
    std::string fault;
    if (has_header_) rows.next(row);
    while (rows.next(row, fault)) {
      if (!fault.empty()) {
        skipped.add(join(file(), ": ", fault));
      } else if (row.size() != width_) {
        skipped.add(join(line_name(rows.line()), " has ", counted(static_cast<int64_t>(row.size()), "field"),
                         ", expected ", width_, " as in line ", width_line_, " (separated by ",
                         shown_separator(separator_), ")"));
      } else {
        for (size_t i = 0; i < wanted.size(); ++i) fields[i] = row[wanted[i]];
        each(fields, rows.line());
      }
    }
  }

 private:
  CsvRows reader() const { return {file_.content, file_.name, separator_, quotes_}; }

  char separator_;
  bool quotes_;
  size_t width_ = 0;
  int64_t width_line_ = 1;
};

// How many of the first rows have as many fields as the first one, if there are two or more.
struct Fit {
  int64_t alike = 0;
  bool all = false;
};

Fit fit_of(const DataFile& file, char separator, const std::optional<bool>& quotes) {
  constexpr int64_t k_looked_at = 20;
  constexpr size_t k_looked_into = size_t{1} << 18;  // a quote that is never closed ends here
  CsvRows rows(std::string_view(file.content).substr(0, k_looked_into), file.name, separator,
               quotes.value_or(separator != '\t'));
  Fields first, row;
  Fit fit;
  int64_t seen = 0;
  try {
    if (!rows.next(first) || first.size() < 2) return fit;
    std::string fault;
    for (fit.alike = seen = 1; seen < k_looked_at && rows.next(row, fault); ++seen)
      fit.alike += fault.empty() && row.size() == first.size();
  } catch (const Error&) {
    ++seen;  // a row that is not alike; each_row will say what is wrong with it
  }
  const int64_t cut_off =
      seen < k_looked_at && file.content.size() > k_looked_into;  // the last row is no whole one
  fit.all = fit.alike > 0 && fit.alike + cut_off >= seen;
  return fit;
}

// The one by which all first rows have the same number of fields; where several or none have, the one that
// most rows agree on, and of equal ones the first.
char separator_of(const DataFile& file, const std::optional<bool>& quotes) {
  char best = ',';
  Fit best_fit;
  for (const char separator : {'\t', ';', ','}) {
    const Fit fit = fit_of(file, separator, quotes);
    if (fit.all > best_fit.all || (fit.all == best_fit.all && fit.alike > best_fit.alike)) {
      best = separator;
      best_fit = fit;
    }
  }
  return best;
}

char said_separator(const std::string& separator) {
  if (separator == "\\t") return '\t';
  if (separator.size() != 1 || separator == "\"" || separator == "\n" || separator == "\r")
    fail_call("the separator of a table is ", shown_field(separator), ", expected one character or jsonl");
  return separator[0];
}

}  // namespace

std::unique_ptr<Table> open_separated(DataFile file, const TableFormat& format,
                                      const std::function<bool(const Fields& first)>& names_columns) {
  const char separator =
      format.separator.empty() ? separator_of(file, format.quotes) : said_separator(format.separator);
  // Programs that write tabs between texts do not quote them: a quotation mark there is the writer's own.
  const bool quotes = format.quotes.value_or(separator != '\t');
  auto table = std::make_unique<SeparatedTable>(std::move(file), separator, quotes);
  table->name_columns(format.header, names_columns);
  return table;
}

}  // namespace limpid::data
