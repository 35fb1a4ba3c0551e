// Values in and out of files: safetensors, NumPy's .npy and .npz, CSV.
//
// Reading: the content of a file is never trusted.  Whatever is wrong with it, down to one flipped bit in a
// header, is an Error{work} that names the file, the place and what was expected; memory is only taken for
// bytes that are really there; nothing in a file is ever run.  An axis has no name in these formats, so the
// shapes that come back are unnamed (Tensor::reshape names them).
//
// Writing: a file appears whole or not at all (FileWriter), and the same values give the same bytes, every
// time.  A failure is an Error{work}; a value that the format cannot hold is an Error{call}.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "limpid/api.h"
#include "limpid/tensor.h"

namespace LIMPID_API limpid {

// ---- whole files ---------------------------------------------------------------------------------

/// Somebody else's bytes, to read.
using Bytes = std::span<const std::byte>;

inline Bytes bytes_of(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

/// Everything in the file (or pipe), as bytes in a string.
std::string read_file(const std::filesystem::path& path);

/// Makes `path` hold exactly these bytes; see FileWriter.
void write_file_whole(const std::filesystem::path& path, Bytes bytes);
void write_file_whole(const std::filesystem::path& path, std::string_view bytes);

/// Writes a file that appears whole: into a temporary file in the same folder, which commit() makes durable
/// (fsync) and renames.  Until then, and after any failure, an old file of that name is untouched; a writer
/// that goes without commit() leaves nothing behind.  An existing file keeps its permissions, a symbolic link
/// its target.  A path that is no regular file (/dev/stdout, a pipe) is written to directly.
class FileWriter {
 public:
  explicit FileWriter(std::filesystem::path path);
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  void write(Bytes bytes);
  void write(std::string_view bytes) { write(bytes_of(bytes)); }
  /// The last call: the file is there when it returns.
  void commit();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// ---- safetensors ---------------------------------------------------------------------------------

/// What a safetensors file holds: https://github.com/huggingface/safetensors, "Format".
struct TensorFile {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;  // "__metadata__"
};

/// What a safetensors file says it holds.
struct SafetensorsInfo {
  struct Entry {
    std::string name;
    DType dtype = DType::f32;
    Shape shape;
    uint64_t bytes = 0;   // in the file
    uint64_t offset = 0;  // of its first byte, from the start of the file
    /// The type's name in the file where limpid has no such type ("U64", "F4"), else empty.  `dtype`
    /// then means nothing, and reading the tensor is an error; the file's other tensors can be read.
    std::string unreadable;
    /// The type's name in the file where it is read as another: "F8_E4M3" and "F8_E5M2" (OCP 8-bit floats) as
    /// bf16, which holds each of their numbers exactly; else empty.
    std::string stored;
  };
  std::vector<Entry> entries;  // in the order of their bytes in the file
  std::map<std::string, std::string> metadata;

  /// The entry of that name, or null.
  const Entry* find(std::string_view name) const;
};

/// The header alone, fully checked; no tensor is read.  Tensors of types that limpid does not have are
/// listed, Entry::unreadable says so.
SafetensorsInfo inspect_safetensors(const std::filesystem::path& path);

/// Every tensor.  All that the reference implementation rejects is rejected (a header over 100 MB or longer
/// than the file, holes, overlaps, offsets that disagree with shape and type, bytes left over, ...), and so
/// are keys given twice, more than 8 axes, and types that limpid does not have (U64, F4, ...).  A byte
/// of a BOOL tensor that is neither 0 nor 1 is read as true.
TensorFile read_safetensors(const std::filesystem::path& path);
/// The same from memory; `name` stands for the file in messages.
TensorFile read_safetensors(Bytes bytes, std::string_view name);

/// Reads tensors one at a time, for files larger than memory, or of which only a part is wanted.
class SafetensorsReader {
 public:
  explicit SafetensorsReader(const std::filesystem::path& path);
  /// Reads from memory that outlives the reader.
  SafetensorsReader(Bytes bytes, std::string_view name);
  ~SafetensorsReader();
  SafetensorsReader(SafetensorsReader&&) noexcept;
  SafetensorsReader& operator=(SafetensorsReader&&) noexcept;

  const SafetensorsInfo& info() const;
  /// Throws Error{call} if there is no tensor of that name, Error{work} where limpid has no such type.
  Tensor read(std::string_view name) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Writes tensors by falling alignment of their type and then by name, as the reference implementation does;
/// the data starts at a multiple of 8 bytes.  Views need not be contiguous.  Throws Error{call} for a tensor
/// named
/// "__metadata__", and for names or metadata that are not UTF-8.
void write_safetensors(const std::filesystem::path& path, const TensorFile& file);
void write_safetensors(const std::filesystem::path& path, const std::map<std::string, ConstView>& tensors,
                       const std::map<std::string, std::string>& metadata = {});
/// The bytes that write_safetensors would write.
std::string safetensors_bytes(const TensorFile& file);

// ---- NumPy ---------------------------------------------------------------------------------------

/// One array of a .npy file: format versions 1 to 3, C or Fortran order (the result is always in C order),
/// either byte order, of type f8 f4 f2 i8 i4 i2 i1 u4 u2 u1 b1.  Other types (objects, text, complex) are an
/// error.
Tensor read_npy(const std::filesystem::path& path);
Tensor read_npy(Bytes bytes, std::string_view name);

/// Writes format version 1, C order, little endian.  NumPy has no bf16: it is written as f32, which holds
/// every bf16 exactly.
void write_npy(const std::filesystem::path& path, const ConstView& values);
std::string npy_bytes(const ConstView& values);

/// The arrays of a .npz file (a zip of .npy files, stored or deflated), by name without ".npy".
std::map<std::string, Tensor> read_npz(const std::filesystem::path& path);
std::map<std::string, Tensor> read_npz(Bytes bytes, std::string_view name);

/// Writes a .npz: arrays by name, stored, dated 1980-01-01.  Throws Error{call} for an empty name.
void write_npz(const std::filesystem::path& path, const std::map<std::string, Tensor>& arrays);
void write_npz(const std::filesystem::path& path, const std::map<std::string, ConstView>& arrays);

// ---- CSV -----------------------------------------------------------------------------------------

/// Whether the first row of a CSV file names the columns.
enum class CsvHeader {
  automatic,  // it does if one of its fields is not a number
  present,
  absent,
};

/// Whether the first column names the rows.
enum class CsvLabels {
  automatic,  // read_csv: it does where its field is not a number in any row, or the header says so (below)
  present,
  absent,
};

/// Finds the separator in the first line that is not empty: a tab if it holds one, else a semicolon if it
/// holds one, else a comma, else blanks (any run of spaces; those at a line's ends are none).  What is quoted
/// does not count.
inline constexpr char k_csv_separator_automatic = '\0';

struct CsvOptions {
  CsvHeader header = CsvHeader::automatic;
  /// ',', ';', '\t' or any other character; ' ' is any run of spaces and tabs.
  char separator = k_csv_separator_automatic;
  CsvLabels labels = CsvLabels::automatic;
  /// read_csv: the columns to read, in this order; all if empty.  Needs a header.
  std::vector<std::string> columns;
};

/// Text fields as they stand, quotes undone.
struct CsvText {
  std::vector<std::string> columns;  // empty without a header
  std::vector<std::vector<std::string>> rows;
};

struct CsvNumbers {
  std::vector<std::string> columns;  // empty without a header; without the column of labels
  std::vector<std::string> labels;   // names of the rows; empty where the file has none
  Tensor values;                     // f64 [rows, columns]
};

/// Reads CSV as RFC 4180 has it: fields may be quoted ("a ""b"""), quoted fields may hold separators and line
/// ends, lines end with LF or CRLF, a UTF-8 byte order mark and empty lines are skipped.  Every row must have
/// as many fields as the first.  Errors name the line and the column.
CsvText read_csv_text(const std::filesystem::path& path, const CsvOptions& options = {});
CsvText read_csv_text(Bytes bytes, std::string_view name, const CsvOptions& options = {});

/// The same, of numbers ("1", "-2.5e-3", "nan", "inf", spaces around them allowed); anything else is an
/// error, an empty field too.  A first column of names is kept apart (CsvLabels): it is one where no row has
/// a number there, where the first row's first field is empty and others are not (pandas), or where the
/// header has one field fewer than the rows (R).
CsvNumbers read_csv(const std::filesystem::path& path, const CsvOptions& options = {});
CsvNumbers read_csv(Bytes bytes, std::string_view name, const CsvOptions& options = {});

/// Writes a table of numbers [rows, columns] (or [rows]: one column), each as the shortest text that reads
/// back as the same number of its type; with a first row of names if `columns` is not empty.  Throws
/// Error{call} if the number of names is not that of the columns.
void write_csv(const std::filesystem::path& path, const ConstView& values,
               const std::vector<std::string>& columns = {});
std::string csv_bytes(const ConstView& values, const std::vector<std::string>& columns = {});

}  // namespace LIMPID_API limpid
