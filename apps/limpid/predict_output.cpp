// How predictions are shown.
#include <algorithm>
#include <cmath>

#include "core/label.h"
#include "core/number_text.h"
#include "core/width.h"
#include "files/csv_rows.h"
#include "limpid/files.h"
#include "limpid/predict.h"
#include "limpid/texts.h"

namespace limpid::command {

namespace {

std::string csv_line(const std::vector<std::string>& fields) {
  std::string out;
  for (const std::string& field : fields) out += (&field == &fields.front() ? "" : ",") + csv_field(field);
  return out + "\n";
}

// A name that no column has yet.
std::string free_name(const std::vector<std::string>& columns, std::string name) {
  while (std::find(columns.begin(), columns.end(), name) != columns.end()) name += "_";
  return name;
}

// The table as it was, with a column of what is said; without one a table of the inputs.
std::string csv_of(Made made, const std::vector<Prediction>& all, const std::optional<TextTable>& table) {
  const bool files = std::any_of(all.begin(), all.end(), [](const Prediction& p) { return !p.file.empty(); });
  const bool probable =
      std::any_of(all.begin(), all.end(), [](const Prediction& p) { return p.probability.has_value(); });
  std::vector<std::string> columns;
  if (table)
    columns = table->columns;
  else if (made == Made::image_classes)
    columns = {"image"};
  else
    columns = files ? std::vector<std::string>{"file", "text"} : std::vector<std::string>{"text"};
  std::vector<std::string> head = columns;
  head.push_back(free_name(columns, "prediction"));
  if (probable) head.push_back(free_name(columns, "probability"));
  std::string out = csv_line(head);
  for (size_t i = 0; i < all.size(); ++i) {
    const Prediction& p = all[i];
    std::vector<std::string> row = table ? table->rows[i] : std::vector<std::string>{p.input};
    if (!table && files) row.insert(row.begin(), p.file);
    row.push_back(p.said);
    if (probable) row.push_back(p.probability ? number_text(*p.probability) : "");
    out += csv_line(row);
  }
  return out;
}

Json json_of(Made made, const Prediction& p, const std::optional<TextTable>& table, size_t row) {
  Json out = {{made == Made::image_classes ? "image" : "text", p.input}};
  if (!p.file.empty()) out["file"] = p.file;
  if (table) {
    out["row"] = Json::object();
    for (size_t k = 0; k < table->columns.size(); ++k) out["row"][table->columns[k]] = table->rows[row][k];
  }
  out["prediction"] = p.said;
  if (p.probability) out["probability"] = *p.probability;
  if (!p.classes.empty()) {
    out["classes"] = Json::array();
    for (const ClassScore& score : p.classes)
      out["classes"].push_back({{"class", score.name}, {"probability", score.probability}});
  }
  out.update(p.more);
  return out;
}

void print_for_people(const PredictCall& call, const Prediction& p, size_t columns) {
  const std::string of = p.file.empty() ? p.input : p.file;
  print(clip_to_width(visible_line(of), columns) + "\n");
  if (p.classes.empty()) return print("  " + visible_line(p.said) + "\n");
  size_t widest = 0;
  const size_t shown = std::min(p.classes.size(), static_cast<size_t>(call.top));
  for (size_t i = 0; i < shown; ++i) widest = std::max(widest, display_width(p.classes[i].name));
  widest = std::min(widest, columns / 2);
  for (size_t i = 0; i < shown; ++i)
    print("  " + pad_to_width(visible_line(p.classes[i].name), widest) + "  " +
          probability_text(p.classes[i].probability) + "\n");
}

// A line a row: what is said, and the text.
void print_rows(const std::vector<Prediction>& all, size_t columns) {
  size_t widest = 0;
  for (const Prediction& p : all) widest = std::max(widest, display_width(visible_line(p.said)));
  widest = std::min(widest, columns / 2);
  for (const Prediction& p : all) {
    std::string line = pad_to_width(visible_line(p.said), widest) + "  ";
    if (p.probability) line += probability_text(*p.probability) + "  ";
    line = clip_to_width(line + visible_line(p.input), columns);
    while (line.ends_with(' ')) line.pop_back();
    print(line + "\n");
  }
}

}  // namespace

void show_predictions(const PredictCall& call, Made made, const std::vector<Prediction>& all,
                      const std::optional<TextTable>& table, const Terminal& terminal) {
  const auto columns = static_cast<size_t>(std::max(terminal.columns, 40));
  if (!call.out.empty()) {
    write_file_whole(call.out, csv_of(made, all, table));
    if (!call.json)
      print(join(call.out, ": ", all.size(), all.size() == 1 ? " prediction\n" : " predictions\n"));
  }
  if (call.json) {
    for (size_t i = 0; i < all.size(); ++i) print(json_text(json_of(made, all[i], table, i)));
  } else if (call.out.empty() && table) {
    print_rows(all, columns);
  } else if (call.out.empty()) {
    for (const Prediction& p : all) print_for_people(call, p, columns);
  }
}

void show_forecast(const PredictCall& call, const std::string& file, const Forecast& f,
                   const std::string& after) {
  const int64_t moments = f.values.shape()[0].size, columns = f.values.shape()[1].size;
  if (call.json) {
    Json json = {{"file", file}, {"columns", f.columns}, {"forecast", Json::array()}};
    if (!after.empty()) json["after"] = after;
    for (int64_t t = 0; t < moments; ++t) {
      Json row = Json::array();
      for (int64_t k = 0; k < columns; ++k) row.push_back(f.values.at({t, k}));
      json["forecast"].push_back(std::move(row));
    }
    print(json_text(json));
  }
  if (!call.out.empty()) {
    std::vector<std::string> head = {free_name(f.columns, "step")};
    head.insert(head.end(), f.columns.begin(), f.columns.end());
    std::string csv = csv_line(head);
    for (int64_t t = 0; t < moments; ++t) {
      std::string row = std::to_string(t + 1);
      for (int64_t k = 0; k < columns; ++k) row += "," + number_text(f.values.at({t, k}));
      csv += row + "\n";
    }
    write_file_whole(call.out, csv);
    if (!call.json) print(join(call.out, ": ", moments, moments == 1 ? " moment" : " moments", " ahead\n"));
  }
  if (call.json || !call.out.empty()) return;
  print(visible_line(file) + (after.empty() ? "" : ", after " + visible_line(after)) + "\n");
  constexpr size_t k_width = 12;
  std::string head = pad_to_width("step", 6);
  for (const std::string& name : f.columns) head += "  " + pad_to_width(visible_line(name), k_width);
  while (head.ends_with(' ')) head.pop_back();
  print(head + "\n");
  for (int64_t t = 0; t < moments; ++t) {
    std::string row = pad_to_width(std::to_string(t + 1), 6);
    for (int64_t k = 0; k < columns; ++k) {
      char number[32];
      std::snprintf(number, sizeof number, "%.6g", f.values.at({t, k}));
      row += "  " + pad_to_width(number, k_width);
    }
    while (row.ends_with(' ')) row.pop_back();
    print(row + "\n");
  }
}

}  // namespace limpid::command
