#include "bench/measure/program.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "kernels/isa.h"
#include "limpid/error.h"
#include "limpid/files.h"
#include "limpid/version.h"

namespace limpid::bench {

namespace {

// The first value of a key in /proc/cpuinfo, "" where there is none (other systems, other processors).
std::string cpuinfo(const std::string& key) {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (line.compare(0, key.size(), key) != 0) continue;
    const size_t colon = line.find_first_not_of(" \t", key.size());
    if (colon == std::string::npos || line[colon] != ':') continue;
    const size_t value = line.find_first_not_of(" \t", colon + 1);
    return value == std::string::npos ? "" : line.substr(value);
  }
  return "";
}

std::string processor() {
  for (const char* key : {"model name", "CPU part", "Processor"})
    if (const std::string found = cpuinfo(key); !found.empty()) return found;
  return "unknown processor";
}

// As the system remembers it, words and all; the program's name alone where it does not.
std::vector<std::string> command_line() {
  std::vector<std::string> words;
  std::ifstream in("/proc/self/cmdline");
  for (std::string word; std::getline(in, word, '\0');) words.push_back(word);
  if (words.empty()) words.emplace_back("limpid");
  return words;
}

std::string now() {
  const std::time_t seconds = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

// Columns on a screen: every code point of our tables is one wide.
size_t width_of(const std::string& cell) {
  return static_cast<size_t>(
      std::count_if(cell.begin(), cell.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::string machine_text() {
  std::string text = processor();
  const std::string family = cpuinfo("cpu family"), model = cpuinfo("model");
  if (!family.empty()) text += join(" (family ", family, ", model ", model, ")");
  return join(text, ", ", std::thread::hardware_concurrency(), " cores, ", kernels::isa_name());
}

int guarded(const std::string& program, const std::function<void()>& body) {
  try {
    body();
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s: %s\n", program.c_str(), error.what());
    return error.kind() == Error::Kind::call ? 2 : 1;
  }
}

std::string Table::text() const {
  std::vector<size_t> widths;
  for (const auto& row : rows_) {
    if (row.size() < 2) continue;
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], width_of(row[c]));
  }
  std::string out;
  for (const auto& row : rows_) {
    std::string line;
    for (size_t c = 0; c < row.size(); ++c) {
      const std::string pad(row.size() < 2 ? 0 : widths[c] - width_of(row[c]), ' ');
      line += c == 0 ? row[c] + pad : "  " + pad + row[c];
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string grouped(int64_t value) {
  std::string text = std::to_string(value);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > (value < 0 ? 1 : 0); at -= 3)
    text.insert(static_cast<size_t>(at), ",");
  return text;
}

void write_result(const std::string& path, const nlohmann::ordered_json& results) {
  const std::vector<std::string> command = command_line();
  std::string line;
  for (const std::string& word : command) {
    const bool quoted = word.find(' ') != word.npos;
    line += join(line.empty() ? "" : " ", quoted ? "\"" : "", word, quoted ? "\"" : "");
  }
  nlohmann::ordered_json json = {{"program", std::filesystem::path(command.front()).filename().string()},
                                 {"command", line},
                                 {"date", now()},
                                 {"machine",
                                  {{"processor", processor()},
                                   {"family", cpuinfo("cpu family")},
                                   {"model", cpuinfo("model")},
                                   {"cores", std::thread::hardware_concurrency()},
                                   {"instruction_set", kernels::isa_name()}}},
                                 {"compiler", __VERSION__},
                                 {"version", k_version}};
  json.update(results);
  write_file_whole(path, json.dump(2) + "\n");
}

}  // namespace limpid::bench
