// GGUF, the file format of llama.cpp's models: versions 2 and 3, little endian.
// Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
//
// A file holds metadata (keys with typed values, the tokenizer's tables among them) and tensors, most of them
// in blocks of 32 or 256 numbers that share a scale.  As with every file (limpid/files.h), nothing in it is
// trusted: whatever is wrong is an Error{work} that names the file, the key or tensor, and the byte; nothing
// in it is run.
#pragma once

#include <map>
#include <optional>
#include <variant>

#include "limpid/files.h"

namespace LIMPID_API limpid {

// ---- types of tensors ----------------------------------------------------------------------------

/// As the file numbers them (ggml_type of ggml.h).
enum class GgufType : uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q8_1 = 9,
  q2_k = 10,
  q3_k = 11,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  q8_k = 15,
  iq2_xxs = 16,
  iq2_xs = 17,
  iq3_xxs = 18,
  iq1_s = 19,
  iq4_nl = 20,
  iq3_s = 21,
  iq2_s = 22,
  iq4_xs = 23,
  i8 = 24,
  i16 = 25,
  i32 = 26,
  i64 = 27,
  f64 = 28,
  iq1_m = 29,
  bf16 = 30,
  tq1_0 = 34,
  tq2_0 = 35,
  mxfp4 = 39,
  nvfp4 = 40,
  q1_0 = 41,
};

/// A type's block: so many numbers in so many bytes.  Of F32, F16, ... a block is one number.
struct GgufBlock {
  std::string_view name;  // as ggml writes it: "Q4_K"
  int64_t numbers = 1;
  size_t bytes = 0;
  /// Whether limpid reads its numbers: F32, F16, BF16, F64, I8 to I64, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K to
  /// Q6_K.  Of the others (IQ*, TQ*, MXFP4, ...) it knows the size, so that the rest of their file can be
  /// read.
  bool readable = false;
  /// What a tensor of it is read as: f32 where it is quantised.
  DType dtype = DType::f32;
};

/// Throws Error{call} for a number that is no type (4, 5, 31 to 33 and 36 to 38 were types once).
const GgufBlock& block_of(GgufType);
std::string_view name(GgufType);

/// Blocks to the numbers they stand for, as ggml's dequantize_row_* computes them, to the bit
/// (src/files/gguf/dequantize.cpp describes each layout).  Plain types are converted to f32.  Throws
/// Error{call} where the type is not readable, or the bytes are not those of out.size() numbers.
void dequantize(GgufType, Bytes blocks, std::span<float> out);

/// Numbers to blocks of Q8_0, Q4_0 or Q4_1, rounded as ggml's quantize_row_*_ref rounds.  Throws Error{call}
/// for another type, a count that is no whole number of blocks, a number that is not finite, and a block
/// whose scale is beyond f16.
std::vector<std::byte> quantize(GgufType, std::span<const float> numbers);

// ---- what a file says it holds ---------------------------------------------------------------------

/// As the file numbers them (gguf_metadata_value_type).
enum class GgufValueType : uint32_t {
  u8,
  i8,
  u16,
  i16,
  u32,
  i32,
  f32,
  boolean,
  string,
  array,
  u64,
  i64,
  f64
};
/// "u8", ..., "bool", "string", "array".
std::string_view name(GgufValueType);

/// A metadata value.  An array's elements stay in the file (a vocabulary has a hundred thousand): GgufReader
/// reads them.
struct GgufValue {
  GgufValueType type = GgufValueType::u8;  // an array's: that of its elements, which are no arrays
  bool array = false;
  uint64_t count = 1;   // elements
  uint64_t offset = 0;  // of the value, of an array's first element, from the start of the file
  uint64_t bytes = 0;   // from there to its end
  /// The value, in the widest type of its kind; a string is bytes, UTF-8 if the writer kept to the format. Of
  /// an array: 0.
  std::variant<uint64_t, int64_t, double, bool, std::string> value;
};

struct GgufInfo {
  struct Entry {
    std::string name;
    GgufType type = GgufType::f32;
    Shape shape;          // row major: GGUF's dimensions in reverse, its rows (dimension 0) last
    uint64_t bytes = 0;   // of its blocks
    uint64_t offset = 0;  // of its first byte, from the start of the file
  };
  std::string file;  // for messages
  uint32_t version = 3;
  /// "general.alignment": every tensor begins at a multiple of it, counted from data_offset.
  uint64_t alignment = 32;
  uint64_t data_offset = 0;  // where the tensors' data begins
  std::map<std::string, GgufValue, std::less<>> metadata;
  std::vector<Entry> entries;  // in the order of the file

  /// The tensor of that name, or null.
  const Entry* find(std::string_view name) const;
  /// The value of that key, or nothing where there is none.  Throws Error{work} if it is of another kind: an
  /// integer is any of u8 to i64 that fits, a number is an integer or a float.
  std::optional<int64_t> integer(std::string_view key) const;
  std::optional<double> number(std::string_view key) const;
  std::optional<bool> boolean(std::string_view key) const;
  std::optional<std::string> text(std::string_view key) const;
  /// The sum of the tensors' numbers.
  int64_t parameter_count() const;
};

/// The header alone, fully checked, read in small pieces whatever the size of the file; no tensor is read.
/// After this every tensor lies within the file, apart from the others, with as many bytes as its type and
/// shape need.  Besides what ggml refuses, these are errors: version 1 and big-endian files, arrays in
/// arrays, names that are given twice or are not UTF-8, more than 16,384 keys or 262,144 tensors, and a
/// header of more than 1 GiB.
GgufInfo inspect_gguf(const std::filesystem::path& path);
GgufInfo inspect_gguf(Bytes bytes, std::string_view name);

// ---- reading ---------------------------------------------------------------------------------------

/// Reads tensors one at a time from a file that is mapped into memory: only what is read takes any.  The file
/// must not be cut short while the reader lives (the system then ends the program, as with any mapped file).
class GgufReader {
 public:
  explicit GgufReader(const std::filesystem::path& path);
  /// Reads from memory that outlives the reader.
  GgufReader(Bytes bytes, std::string_view name);
  ~GgufReader();
  GgufReader(GgufReader&&) noexcept;
  GgufReader& operator=(GgufReader&&) noexcept;

  const GgufInfo& info() const;
  /// The tensor's numbers: plain types as they are stored, quantised ones as f32.  Throws Error{call} if
  /// there is no tensor of that name, Error{work} if its type is not readable.
  Tensor read(std::string_view name) const;
  /// The tensor's blocks as they stand in the file, of any type.  They live as long as the reader.
  Bytes raw(std::string_view name) const;
  /// Gives back the memory that reading this tensor took; it may be read again.
  void forget(std::string_view name) const;

  /// An array of metadata.  Throws Error{work} if there is none of that key, or its elements are of another
  /// kind (as in GgufInfo::integer).
  std::vector<std::string> strings(std::string_view key) const;
  std::vector<int64_t> integers(std::string_view key) const;
  std::vector<double> numbers(std::string_view key) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace LIMPID_API limpid
