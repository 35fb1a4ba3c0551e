// IDX, the format of MNIST's files: two zeros, the type of its numbers, how many axes, their sizes (32 bits,
// big endian), the numbers.  http://yann.lecun.com/exdb/mnist, "The IDX file format".
#include <algorithm>
#include <cstring>

#include "core/label.h"
#include "data/classes.h"
#include "data/readers.h"
#include "limpid/files.h"

namespace limpid {

namespace data {

namespace {

struct IdxType {
  unsigned char code;
  std::string_view name;
};
constexpr IdxType k_idx_types[] = {{0x08, "bytes"},           {0x09, "signed bytes"},
                                   {0x0B, "16-bit integers"}, {0x0C, "32-bit integers"},
                                   {0x0D, "32-bit floats"},   {0x0E, "64-bit floats"}};

// The header of a file of bytes, and the bytes.
struct Idx {
  std::vector<int64_t> sizes;
  std::string_view numbers;

  std::string shape() const { return Shape::unnamed(sizes).text(); }
  int64_t count() const { return sizes[0]; }
};

int64_t byte_at(const DataFile& file, size_t at) { return static_cast<unsigned char>(file.content[at]); }

void require_idx_type(const DataFile& file) {
  const auto code = byte_at(file, 2);
  for (const IdxType& type : k_idx_types) {
    if (type.code != code) continue;
    if (code == 0x08) return;
    fail_work(file.name, ": holds ", type.name, ", expected bytes (IDX type 0x08)");
  }
  fail_work(file.name, ": is no IDX file: its type is ", code, ", expected 8 (bytes)");
}

Idx read_header(const DataFile& file, std::string_view expected) {
  constexpr size_t k_start = 4, k_size = 4;
  if (file.content.empty())
    fail_work(file.name, ": is empty, expected ", expected, " in IDX, the format of MNIST");
  if (file.content.size() < k_start || byte_at(file, 0) != 0 || byte_at(file, 1) != 0)
    fail_work(file.name, ": is no IDX file, which begins with two zeros; expected ", expected,
              " in IDX, the format of MNIST");
  require_idx_type(file);
  const auto axes = static_cast<size_t>(byte_at(file, 3));
  if (axes < 1 || axes > 4) fail_work(file.name, ": has ", axes, " axes, expected ", expected);
  const size_t header = k_start + axes * k_size;
  if (file.content.size() < header)
    fail_work(file.name, ": is cut off in its header: it has ", file.content.size(), " bytes, expected ",
              header, " and more");
  Idx idx;
  uint64_t bytes = 1;
  bool overflow = false;
  for (size_t axis = 0; axis < axes; ++axis) {
    int64_t size = 0;
    for (size_t i = 0; i < k_size; ++i) size = size << 8 | byte_at(file, k_start + axis * k_size + i);
    idx.sizes.push_back(size);
    overflow = overflow || (size != 0 && bytes > UINT64_MAX / static_cast<uint64_t>(size));
    bytes *= static_cast<uint64_t>(size);
  }
  idx.numbers = std::string_view(file.content).substr(header);
  if (overflow || bytes != idx.numbers.size())
    fail_work(file.name, ": its header says ", idx.shape(), ", which is ",
              overflow ? "more than any file holds" : join(bytes, " bytes"), ", but ", idx.numbers.size(),
              " follow: it is ", !overflow && bytes < idx.numbers.size() ? "too long" : "cut off");
  if (bytes == 0) fail_work(file.name, ": holds nothing: its header says ", idx.shape());
  return idx;
}

Idx read_images_header(const DataFile& file) {
  constexpr std::string_view k_expected = "images [count,lines,columns]";
  Idx idx = read_header(file, k_expected);
  if (idx.sizes.size() == 3) idx.sizes.push_back(1);
  if (idx.sizes.size() != 4) fail_work(file.name, ": is ", idx.shape(), ", expected ", k_expected);
  if (idx.sizes[3] != 1 && idx.sizes[3] != 3)
    fail_work(file.name, ": its images have ", idx.sizes[3], " channels, expected 1 or 3");
  return idx;
}

}  // namespace

LabelledImages idx_images(const DataFile& images, const DataFile& labels, int64_t limit,
                          const std::vector<std::string>& classes) {
  if (limit < 0) fail_call("read_idx: a limit of ", limit, " images, expected 0 (all) or more");
  const ClassNumbers known(classes);
  const Idx pixels = read_images_header(images);
  const Idx names = read_header(labels, "labels [count]");
  if (names.sizes.size() != 1)
    fail_work(labels.name, ": is ", names.shape(), ", expected labels [count]; are the two files exchanged?");
  if (names.count() != pixels.count())
    fail_work(images.name, " holds ", counted(pixels.count(), "image"), ", ", labels.name, " ", names.count(),
              " labels; they belong together one by one");
  LabelledImages out;
  out.classes = classes;
  const auto byte_of = [&](size_t i) { return static_cast<unsigned char>(names.numbers[i]); };
  if (classes.empty()) {
    unsigned char most = 0;
    for (size_t i = 0; i < names.numbers.size(); ++i) most = std::max(most, byte_of(i));
    for (int i = 0; i <= most; ++i) out.classes.push_back(std::to_string(i));
  }
  const ClassNumbers numbers(out.classes);
  const int64_t wanted = limit == 0 ? pixels.count() : std::min(limit, pixels.count());
  std::vector<size_t> kept;
  for (size_t i = 0; i < static_cast<size_t>(wanted); ++i) {
    const std::string name = std::to_string(byte_of(i));
    if (const auto number = numbers.find(name)) {
      out.labels.push_back(*number);
      kept.push_back(i);
    } else {
      out.skipped.add(join(labels.name, ": label ", i + 1, " ", unknown_class(name, classes)));
    }
  }
  if (kept.empty()) fail_work(labels.name, ": ", none_usable(out.skipped, "label", labels.name));
  const Dim count = {Axis::B, static_cast<int64_t>(kept.size())};
  out.images = Tensor(
      DType::u8, {count, {Axis::Y, pixels.sizes[1]}, {Axis::X, pixels.sizes[2]}, {Axis::K, pixels.sizes[3]}});
  const auto image = static_cast<size_t>(out.images.count() / count.size);
  for (size_t i = 0; i < kept.size(); ++i)
    std::memcpy(out.images.data<uint8_t>() + i * image, pixels.numbers.data() + kept[i] * image, image);
  return out;
}

}  // namespace data

LabelledImages read_idx(const std::filesystem::path& images, const std::filesystem::path& labels,
                        int64_t limit, const std::vector<std::string>& classes) {
  return data::idx_images(data::read_data_file(images), data::read_data_file(labels), limit, classes);
}

}  // namespace limpid
