// What the programs that measure share: the machine they ran on, tables for people, result files.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace limpid::bench {

/// "AMD EPYC (family 26, model 2), 2 cores, avx512": /proc/cpuinfo's words, and the instruction set in use.
std::string machine_text();

/// Runs `body` and gives the exit status: 0 done, 1 the work failed, 2 the call was wrong; errors go to
/// stderr.
int guarded(const std::string& program, const std::function<void()>& body);

/// A table: the first column to the left, the others to the right; a row of one cell is a heading.
class Table {
 public:
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// `digits` after the point.
std::string fixed(double value, int digits);
/// 1234567 as "1,234,567".
std::string grouped(int64_t value);

/// Writes {"program", "command", "date", "machine", "version", ...results} as a file that appears whole.
void write_result(const std::string& path, const nlohmann::ordered_json& results);

}  // namespace limpid::bench
