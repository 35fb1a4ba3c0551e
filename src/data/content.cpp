#include "data/content.h"

#include <algorithm>
#include <cstdio>

#include "core/utf8.h"
#include "files/byte_source.h"
#include "files/gzip.h"
#include "files/recognize.h"

namespace limpid::data {

DataFile read_data_file(const std::filesystem::path& path) {
  return {path.string(), read_file_unpacked(path)};
}

void require_text(const DataFile& file, std::string_view expected) {
  const RecognizedFile seen = recognize(*memory_source(bytes_of(file.content), file.name));
  const auto refuse = [&](const std::string& advice) {
    fail_work(file.name, " is ", seen.what, ", expected ", expected, advice.empty() ? "" : "; ", advice);
  };
  switch (seen.kind) {
    case FileKind::empty:
    case FileKind::text:
    case FileKind::json:
    case FileKind::xml:
    case FileKind::binary:
      return;
    case FileKind::html:
    case FileKind::lfs_pointer:
    case FileKind::utf16:
      return refuse(seen.advice);
    case FileKind::zip:
    case FileKind::archive:
    case FileKind::gzip:  // twice compressed
      return is_utf8(file.content) ? void() : refuse(seen.advice);
    default:  // a text may begin as such a file does ("GGUF"), but is UTF-8; what to do with one is no matter
              // here
      if (!is_utf8(file.content)) refuse("");
  }
}

std::string_view without_mark(std::string_view content) {
  constexpr std::string_view k_mark = "\xef\xbb\xbf";
  if (content.starts_with(k_mark)) content.remove_prefix(k_mark.size());
  return content;
}

std::vector<std::string_view> lines_of(std::string_view content) {
  content = without_mark(content);
  std::vector<std::string_view> lines;
  lines.reserve(static_cast<size_t>(std::count(content.begin(), content.end(), '\n')) + 1);
  while (!content.empty()) {
    const size_t end = std::min(content.find('\n'), content.size());
    std::string_view line = content.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
    content.remove_prefix(std::min(end + 1, content.size()));
  }
  return lines;
}

std::optional<std::string> fault_of_text(std::string_view text) {
  if (const size_t at = first_not_utf8(text); at != text.npos) {
    char byte[8];
    std::snprintf(byte, sizeof byte, "0x%02X", static_cast<unsigned char>(text[at]));
    return join("is not UTF-8 (byte ", at + 1, " is ", byte, ")");
  }
  if (const size_t at = text.find('\0'); at != text.npos) return join("holds a NUL byte (byte ", at + 1, ")");
  return std::nullopt;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view k_space = " \t\r\n\v\f";
  const size_t first = text.find_first_not_of(k_space);
  if (first == text.npos) return "";
  return text.substr(first, text.find_last_not_of(k_space) - first + 1);
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string counted(int64_t count, std::string_view one) {
  return join(count, " ", one, count == 1 ? "" : "s");
}

std::string none_usable(const SkippedRows& skipped, std::string_view row, const std::string& file) {
  std::string_view first = skipped.first.front();
  if (const std::string named = file + ": "; first.starts_with(named)) first.remove_prefix(named.size());
  if (skipped.count == 1) return join("its only ", row, " cannot be used: ", first);
  return join("none of its ", counted(skipped.count, row), " can be used; the first: ", first);
}

}  // namespace limpid::data
