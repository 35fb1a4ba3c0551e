// NumPy's .npy: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
//
//   "\x93NUMPY", version (2 bytes), header length (2 bytes in version 1, 4 later), the header: the text of a
//   Python dict such as {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }, then the numbers.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "core/label.h"
#include "files/byte_source.h"
#include "files/npy.h"
#include "files/recognize.h"

namespace limpid {

static_assert(std::endian::native == std::endian::little, "npy: little-endian machines only");

namespace {

constexpr std::string_view k_magic = "\x93NUMPY";

struct TypeCode {
  DType dtype;
  std::string_view code;
};
constexpr TypeCode k_codes[] = {
    {DType::f64, "f8"}, {DType::f32, "f4"}, {DType::f16, "f2"},     {DType::i64, "i8"},
    {DType::i32, "i4"}, {DType::i16, "i2"}, {DType::i8, "i1"},      {DType::u32, "u4"},
    {DType::u16, "u2"}, {DType::u8, "u1"},  {DType::boolean, "b1"},
};

using Header = NpyHeader;

// ---- the header's text ---------------------------------------------------------------------------

class NpyHeaderParser {
 public:
  NpyHeaderParser(std::string_view text, const std::string& file) : text_(text), file_(file) {}
  Header parse();

 private:
  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    fail_work(file_, ": npy header: ", parts...);
  }
  [[noreturn]] void expected(std::string_view what) const {
    fail("expected ", what, " at byte ", at_, " of ", visible_line(text_.substr(0, 200)));
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip_blanks() {
    while (at_ < text_.size() && std::string_view(" \t\n\r").find(text_[at_]) != std::string_view::npos)
      ++at_;
  }
  bool take(std::string_view token) {
    skip_blanks();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  void must(std::string_view token) {
    if (!take(token)) expected(token);
  }
  std::string_view quoted();
  std::string_view list();
  int64_t whole_number();
  void dtype(Header& header);
  Shape shape();

  std::string_view text_;
  const std::string& file_;
  size_t at_ = 0;
};

std::string_view NpyHeaderParser::quoted() {
  skip_blanks();
  const char quote = peek();
  if (quote != '\'' && quote != '"') expected("a quoted word");
  const size_t end = text_.find(quote, at_ + 1);
  if (end == std::string_view::npos) expected("a closing quote");
  const std::string_view word = text_.substr(at_ + 1, end - at_ - 1);
  at_ = end + 1;
  return word;
}

// A structured type: everything up to the bracket that closes it.
std::string_view NpyHeaderParser::list() {
  const size_t begin = at_;
  int depth = 0;
  do {
    const char c = peek();
    if (at_ >= text_.size()) expected("a closing bracket");
    if (c == '\'' || c == '"') {
      quoted();
      continue;
    }
    depth += c == '[' ? 1 : c == ']' ? -1 : 0;
    ++at_;
  } while (depth > 0);
  return text_.substr(begin, at_ - begin);
}

int64_t NpyHeaderParser::whole_number() {
  skip_blanks();
  if (peek() < '0' || peek() > '9') expected("a size, a whole number from 0 up");
  int64_t value = 0;
  for (; peek() >= '0' && peek() <= '9'; ++at_)
    if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, peek() - '0', &value))
      fail("shape overflows: more than any memory holds");
  if (peek() == 'L') ++at_;  // as Python 2 wrote it
  return value;
}

void NpyHeaderParser::dtype(Header& header) {
  skip_blanks();
  if (peek() == '[') {
    header.type = list();
    header.unreadable = "structured arrays are not supported, expected one type such as '<f4'";
    return;
  }
  const std::string_view word = quoted();
  header.type = word;
  const bool ordered = !word.empty() && std::string_view("<>=|").find(word[0]) != std::string_view::npos;
  const std::string_view code = ordered ? word.substr(1) : word;
  header.big_endian = ordered && word[0] == '>';
  for (const TypeCode& type : k_codes)
    if (type.code == code) {
      header.dtype = type.dtype;
      return;
    }
  std::string known;
  for (const TypeCode& type : k_codes) known += " " + std::string(type.code);
  header.unreadable =
      join("type '", visible_line(word.substr(0, 40)), "' is not supported, expected one of", known);
}

Shape NpyHeaderParser::shape() {
  Shape shape;
  must("(");
  while (!take(")")) {
    if (shape.rank() == k_max_rank) fail("shape has more than ", k_max_rank, " axes");
    shape.append({Axis::none, whole_number()});
    if (!take(",")) {
      if (shape.rank() == 1) expected("a comma (a tuple of one)");
      must(")");
      break;
    }
  }
  return shape;
}

Header NpyHeaderParser::parse() {
  Header header;
  std::array<bool, 3> seen{};
  const auto once = [&](size_t field, std::string_view key) {
    if (seen[field]) fail(key, " is given twice");
    seen[field] = true;
  };
  must("{");
  while (!take("}")) {
    const std::string_view key = quoted();
    must(":");
    if (key == "descr") {
      once(0, key);
      dtype(header);
    } else if (key == "fortran_order") {
      once(1, key);
      header.fortran_order = take("True");
      if (!header.fortran_order) must("False");
    } else if (key == "shape") {
      once(2, key);
      header.shape = shape();
    } else {
      fail("key '", visible_line(key.substr(0, 40)),
           "' is not known, expected descr, fortran_order and shape");
    }
    if (!take(",")) {
      must("}");
      break;
    }
  }
  skip_blanks();
  if (at_ != text_.size()) expected("the end");
  for (size_t field = 0; field < seen.size(); ++field)
    if (!seen[field]) fail("no ", std::array{"descr", "fortran_order", "shape"}[field]);
  return header;
}

// ---- the file ------------------------------------------------------------------------------------

// Reads magic, version and header; returns where the numbers begin.
uint64_t read_header(const ByteSource& source, Header& header) {
  const std::string& file = source.name();
  std::array<unsigned char, 12> start{};
  if (source.size() < 10) {
    refuse_other_kinds(source, FileKind::npy);
    fail_work(file, ": ", source.size(), " bytes, too short for a .npy file");
  }
  source.read(0, std::as_writable_bytes(std::span(start).first(10)));
  if (std::memcmp(start.data(), k_magic.data(), k_magic.size()) != 0) {
    refuse_other_kinds(source, FileKind::npy);
    fail_work(file, ": not a .npy file: it does not start with \"\\x93NUMPY\"");
  }
  const int version = start[6];
  if (version < 1 || version > 3)
    fail_work(file, ": .npy version ", version, ".", int{start[7]}, ", expected 1, 2 or 3");
  const size_t length_bytes = version == 1 ? 2 : 4;
  const uint64_t text_at = 8 + length_bytes;
  if (source.size() < text_at) fail_work(file, ": ", source.size(), " bytes, too short for a .npy file");
  source.read(0, std::as_writable_bytes(std::span(start).first(text_at)));
  uint64_t length = 0;
  for (size_t i = 0; i < length_bytes; ++i) length |= uint64_t{start[8 + i]} << (8 * i);
  if (length > source.size() - text_at)
    fail_work(file, ": npy header of ", length, " bytes, only ", source.size() - text_at,
              " follow; the file was cut short");
  std::string text(length, '\0');
  source.read(text_at, std::as_writable_bytes(std::span(text)));
  header = NpyHeaderParser(text, file).parse();
  return text_at + length;
}

// How many bytes the numbers take; checked before memory is asked for.
uint64_t data_bytes(const Header& header, const std::string& file) {
  uint64_t bytes = byte_size(header.dtype);
  for (const Dim& dim : header.shape)
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(dim.size), &bytes) || bytes > INT64_MAX)
      fail_work(file, ": npy header: shape ", header.shape.text(), " overflows: more than any memory holds");
  return bytes;
}

void swap_bytes(std::span<std::byte> bytes, size_t size) {
  for (size_t i = 0; i + size <= bytes.size(); i += size)
    std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(i),
                 bytes.begin() + static_cast<std::ptrdiff_t>(i + size));
}

// The numbers lie with the first axis fastest; gives them in C order.
Tensor from_fortran(const Tensor& stored, const Shape& shape) {
  std::vector<int64_t> strides;
  int64_t stride = 1;
  for (const Dim& dim : shape) {
    strides.push_back(stride);
    stride *= dim.size;
  }
  return Tensor::copy_of(ConstView(stored.dtype(), shape, strides, stored.raw()));
}

Tensor read(const ByteSource& source) {
  const Header header = read_npy_header(source);
  if (!header.unreadable.empty()) fail_work(source.name(), ": npy header: ", header.unreadable);
  const uint64_t data_at = header.data_at;
  check_npy_size(header, source.size() - data_at, source.name());
  Tensor tensor(header.dtype, header.shape);
  const std::span bytes(static_cast<std::byte*>(tensor.raw()), tensor.bytes());
  source.read(data_at, bytes);
  if (header.big_endian) swap_bytes(bytes, byte_size(header.dtype));
  if (header.dtype == DType::boolean)  // a C++ bool may hold 0 or 1 only
    for (std::byte& b : bytes) b = static_cast<std::byte>(b != std::byte{0});
  const bool reorder = header.fortran_order && header.shape.rank() > 1 && tensor.count() > 0;
  return reorder ? from_fortran(tensor, header.shape) : tensor;
}

// ---- writing -------------------------------------------------------------------------------------

std::string header_bytes(DType dtype, const Shape& shape) {
  std::string_view code;
  for (const TypeCode& type : k_codes)
    if (type.dtype == dtype) code = type.code;
  std::string sizes;
  for (const Dim& dim : shape) sizes += (sizes.empty() ? "" : ", ") + std::to_string(dim.size);
  if (shape.rank() == 1) sizes += ",";
  std::string text = join("{'descr': '", byte_size(dtype) == 1 ? '|' : '<', code,
                          "', 'fortran_order': False, 'shape': (", sizes, "), }");
  constexpr size_t k_before = 10, k_alignment = 64;
  text.append(k_alignment - (k_before + text.size() + 1) % k_alignment, ' ');
  text += '\n';
  std::string out(k_magic);
  out += {'\1', '\0', static_cast<char>(text.size() & 0xff), static_cast<char>(text.size() >> 8)};
  return out + text;
}

}  // namespace

NpyHeader read_npy_header(const ByteSource& source) {
  NpyHeader header;
  const uint64_t data_at = read_header(source, header);
  header.data_at = data_at;
  data_bytes(header, source.name());  // the shape is one that can be
  return header;
}

void check_npy_size(const NpyHeader& header, uint64_t bytes, const std::string& file) {
  const uint64_t needed = data_bytes(header, file);
  if (bytes != needed)
    fail_work(file, ": ", bytes, " bytes of data, expected ", needed, " for ", name(header.dtype), " ",
              header.shape.text());
}

NpyPieces npy_pieces(const ConstView& values) {
  if (values.shape().rank() > k_max_rank)
    fail_call("npy: shape ", values.shape().text(), " has more than ", k_max_rank, " axes");
  const DType dtype = values.dtype() == DType::bf16 ? DType::f32 : values.dtype();
  const auto count = static_cast<size_t>(values.shape().count());
  if (count > 0 && values.empty()) fail_call("npy: the view holds no numbers");
  NpyPieces pieces;
  pieces.header = header_bytes(dtype, values.shape());
  const void* data = values.raw();
  if (count > 0 && (dtype != values.dtype() || !values.contiguous())) {
    pieces.copied = Tensor(dtype, values.shape());
    copy(values, pieces.copied);
    data = pieces.copied.raw();
  }
  pieces.data = Bytes(static_cast<const std::byte*>(data), count * byte_size(dtype));
  return pieces;
}

Tensor read_npy(const std::filesystem::path& path) { return read(*open_source(path)); }

Tensor read_npy(Bytes bytes, std::string_view name) { return read(*memory_source(bytes, name)); }

void write_npy(const std::filesystem::path& path, const ConstView& values) {
  const NpyPieces pieces = npy_pieces(values);
  FileWriter writer(path);
  writer.write(pieces.header);
  writer.write(pieces.data);
  writer.commit();
}

std::string npy_bytes(const ConstView& values) {
  const NpyPieces pieces = npy_pieces(values);
  return pieces.header + std::string(reinterpret_cast<const char*>(pieces.data.data()), pieces.data.size());
}

}  // namespace limpid
