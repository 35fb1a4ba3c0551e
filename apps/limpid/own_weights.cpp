#include "limpid/own_weights.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "limpid/files.h"

namespace limpid::command {

namespace {

std::vector<std::string> labels_of(const std::string& given) {
  std::vector<std::string> out;
  std::string word;
  if (!given.empty() && std::filesystem::is_regular_file(given)) {
    std::istringstream lines(read_file(given));
    while (std::getline(lines, word)) {
      if (word.ends_with('\r')) word.pop_back();
      out.push_back(word);
    }
    return out;
  }
  std::istringstream words(given);
  while (words >> word) out.push_back(word);
  return out;
}

Tensor chosen(std::map<std::string, Tensor> arrays, const OwnWeightsCall& call, std::string& name) {
  if (!call.array.empty()) {
    const auto found = arrays.find(call.array);
    if (found != arrays.end()) {
      name = call.array;
      return std::move(found->second);
    }
  } else if (arrays.size() == 1) {
    name = arrays.begin()->first;
    return std::move(arrays.begin()->second);
  }
  std::string names;
  for (const auto& [each, tensor] : arrays) names += (names.empty() ? "" : ", ") + each;
  if (names.size() > 200) names = names.substr(0, 200) + " ...";
  fail_call(call.file, " holds ", arrays.size(), " arrays (", names, ")",
            call.array.empty() ? "; say which with --array NAME" : join("; there is no '", call.array, "'"));
}

// Of a matrix of shares every row adds up to 1.
void note_sums(const OwnWeights& own, const std::string& file) {
  const Tensor all = own.weights.to(DType::f64);
  const int64_t columns = own.weights.shape()[own.weights.shape().rank() - 1].size;
  double least = INFINITY, most = -INFINITY;
  for (int64_t i = 0; i + columns <= all.count() && columns > 0; i += columns) {
    double sum = 0;
    for (int64_t k = 0; k < columns; ++k) sum += all.data<double>()[i + k];
    least = std::min(least, sum), most = std::max(most, sum);
  }
  if (least > most || (std::fabs(least - 1) <= 1e-3 && std::fabs(most - 1) <= 1e-3)) return;
  std::fprintf(stderr, "limpid: note: %s: rows add up to %g to %g, not to 1\n", file.c_str(), least, most);
}

}  // namespace

bool is_own_weights(const std::string& file) {
  if (file.ends_with(".npy") || file.ends_with(".csv")) return true;
  if (!std::filesystem::exists(file)) return false;
  if (file.ends_with(".npz")) return read_npz(file).count("metadata.json") == 0;
  if (!file.ends_with(".safetensors")) return false;
  const auto metadata = inspect_safetensors(file).metadata;
  return metadata.count("limpid") == 0 && metadata.count("limpid.model") == 0;
}

OwnWeights read_own_weights(const OwnWeightsCall& call) {
  OwnWeights own;
  own.title = std::filesystem::path(call.file).filename().string();
  if (call.file.ends_with(".npy")) {
    if (!call.array.empty()) fail_call("--array is for files of several arrays; ", call.file, " holds one");
    own.weights = read_npy(call.file);
    own.name = std::filesystem::path(call.file).stem().string();
  } else if (call.file.ends_with(".csv")) {
    own.weights = read_csv(call.file).values;
    own.name = std::filesystem::path(call.file).stem().string();
  } else if (call.file.ends_with(".npz")) {
    own.weights = chosen(read_npz(call.file), call, own.name);
  } else {
    own.weights = chosen(read_safetensors(call.file).tensors, call, own.name);
  }
  if (own.name != own.title && !call.array.empty()) own.title += ", " + own.name;
  own.rows = labels_of(call.rows.empty() ? call.tokens : call.rows);
  own.columns = labels_of(call.columns.empty() ? call.tokens : call.columns);
  const int rank = own.weights.shape().rank();
  if (rank >= 2 && !call.tokens.empty() && (call.rows.empty() || call.columns.empty()) &&
      own.weights.shape()[rank - 2].size != own.weights.shape()[rank - 1].size)
    fail_call("--tokens names queries and keys alike, and here are ", own.weights.shape()[rank - 2].size,
              " queries and ", own.weights.shape()[rank - 1].size, " keys; give --rows and --columns");
  if (rank >= 2 && rank <= 4 && own.weights.count() > 0) note_sums(own, call.file);
  return own;
}

double points_of(const std::string& length) {
  char* end = nullptr;
  const double number = std::strtod(length.c_str(), &end);
  const std::string unit = end;
  const double each = unit == "pt"   ? 1
                      : unit == "mm" ? 72 / 25.4
                      : unit == "cm" ? 72 / 2.54
                      : unit == "in" ? 72
                      : unit == "px" ? 0.75
                                     : 0;
  if (end == length.c_str() || each == 0 || !std::isfinite(number) || number <= 0 || number * each > 1e5)
    fail_call("--width ", length, ": expected a length with its unit, pt, mm, cm, in or px, such as 240pt");
  return number * each;
}

}  // namespace limpid::command
