// A file of text as the readers of this folder take it: whole, unpacked, and known to be text.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "limpid/data.h"

namespace limpid::data {

/// A file in memory; `name` stands for it in messages.
struct DataFile {
  std::string name;
  std::string content;
};

/// Reads a file, unpacked if it is of gzip.
DataFile read_data_file(const std::filesystem::path& path);

/// Throws Error{work} saying what the file is instead, if it is of another kind than text: UTF-16, an image,
/// an archive, a page of HTML.  `expected`: "a table of texts".
void require_text(const DataFile& file, std::string_view expected);

/// Without a byte order mark at its start.
std::string_view without_mark(std::string_view content);

/// Lines without their ends, LF or CRLF, without a byte order mark.
std::vector<std::string_view> lines_of(std::string_view content);

/// What is wrong with the bytes of one text ("is not UTF-8 (byte 7 is 0xE9)", "holds a NUL byte (byte 3)"),
/// or nothing.
std::optional<std::string> fault_of_text(std::string_view text);

/// Without blanks, tabs and line ends on both sides.
std::string_view trimmed(std::string_view text);

/// ASCII letters made small.
std::string lower_case(std::string_view text);

/// "1 row", "2 rows".
std::string counted(int64_t count, std::string_view one);

/// "none of its 7 rows can be used; the first: line 2 has 1 field": `file` is not named again.
std::string none_usable(const SkippedRows& skipped, std::string_view row, const std::string& file);

}  // namespace limpid::data
