// NumPy's .npz: a zip of .npy files.  libzip does the zip.
#include <algorithm>
#include <array>
#include <functional>

#include "core/label.h"
#include "core/utf8.h"
#include "files/byte_source.h"
#include "files/npy.h"
#include "files/npz.h"
#include "files/recognize.h"
#include "files/zip_handles.h"

namespace limpid {

namespace {

constexpr std::string_view k_suffix = ".npy";
// 1980-01-01 00:00:00, a zip's first day: the same arrays give the same file on every day.
constexpr zip_uint16_t k_dos_time = 0, k_dos_date = 1 << 5 | 1;

// ---- reading -------------------------------------------------------------------------------------

// The sizes a zip states are claims: memory grows with the bytes that really come out, of which `left` may.
std::string read_entry(zip_t* archive, zip_uint64_t index, const std::string& shown, uint64_t& left) {
  const Entry file(zip_fopen_index(archive, index, 0));
  if (!file) fail_work(shown, ": ", zip_strerror(archive));
  std::string content;
  constexpr size_t k_chunk = size_t{1} << 20;
  for (size_t used = 0;;) {
    content.resize(used + k_chunk);
    const zip_int64_t got = zip_fread(file.get(), content.data() + used, k_chunk);
    if (got < 0) fail_work(shown, ": ", zip_file_strerror(file.get()));
    used += static_cast<size_t>(got);
    content.resize(used);
    if (got == 0) return content;
    if (static_cast<uint64_t>(got) > left)
      fail_work(shown, ": the archive unpacks to more than ", k_most_growth,
                " times its size; it was made to fill the memory");
    left -= static_cast<uint64_t>(got);
  }
}

Archive open_archive(Source source, const std::string& name) {
  zip_stat_t whole;
  zip_stat_init(&whole);
  if (zip_source_stat(source.get(), &whole) == 0 && (whole.valid & ZIP_STAT_SIZE) && whole.size == 0)
    fail_work(name, ": not a .npz file: it is empty");  // libzip would take it for an archive without entries
  ErrorText error;
  Archive archive(zip_open_from_source(source.get(), ZIP_RDONLY | ZIP_CHECKCONS, &error.error));
  if (!archive && zip_error_code_zip(&error.error) == ZIP_ER_EXISTS)
    fail_work(name, ": two arrays of one name");
  if (!archive) fail_work(name, ": not a .npz file, or one that was cut short: ", error.text());
  source.release();  // the archive's from here
  return archive;
}

std::map<std::string, Tensor> read_archive(Source source, const std::string& name) {
  zip_stat_t whole;
  zip_stat_init(&whole);
  const bool stated = zip_source_stat(source.get(), &whole) == 0 && (whole.valid & ZIP_STAT_SIZE);
  uint64_t left = stated ? most_unpacked(whole.size) : k_always_read;
  const Archive archive = open_archive(std::move(source), name);
  std::map<std::string, Tensor> arrays;
  const zip_int64_t count = zip_get_num_entries(archive.get(), 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    const auto index = static_cast<zip_uint64_t>(i);
    const char* entry = zip_get_name(archive.get(), index, 0);
    if (!entry) fail_work(name, ": entry ", i, ": ", zip_strerror(archive.get()));
    std::string key = entry;
    const std::string shown = name + ": '" + visible_line(std::string_view(key).substr(0, 200)) + "'";
    if (!key.ends_with(k_suffix)) fail_work(shown, " is not an array, expected names that end with .npy");
    key.resize(key.size() - k_suffix.size());
    arrays.emplace(key, read_npy(bytes_of(read_entry(archive.get(), index, shown, left)), shown));
  }
  return arrays;
}

Source memory(Bytes bytes, const std::string& name) {
  ErrorText error;
  Source source(zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error.error));
  if (!source) fail_work(name, ": ", error.text());
  return source;
}

Source file_source(const std::filesystem::path& path) {
  refuse_other_kinds(*open_source(path), FileKind::npz);
  ErrorText error;
  Source source(zip_source_file_create(path.c_str(), 0, -1, &error.error));
  if (!source) fail_work("cannot read ", path.string(), ": ", error.text());
  return source;
}

// ---- writing -------------------------------------------------------------------------------------

// Adds one array; `pieces` must live until the archive is closed.
void add(zip_t* archive, const std::string& key, const NpyPieces& pieces) {
  const auto fragment = [](Bytes bytes) {  // libzip only reads them
    return zip_buffer_fragment_t{reinterpret_cast<zip_uint8_t*>(const_cast<std::byte*>(bytes.data())),
                                 bytes.size()};
  };
  const std::array fragments = {fragment(bytes_of(pieces.header)), fragment(pieces.data)};
  ErrorText error;
  const zip_uint64_t used = pieces.data.empty() ? 1 : 2;
  Source source(zip_source_buffer_fragment_create(fragments.data(), used, 0, &error.error));
  if (!source) fail_work("npz: '", key, "': ", error.text());
  const std::string name = key + std::string(k_suffix);
  const zip_int64_t index = zip_file_add(archive, name.c_str(), source.get(), ZIP_FL_ENC_UTF_8);
  if (index < 0) fail_work("npz: '", key, "': ", zip_strerror(archive));
  source.release();
  const auto at = static_cast<zip_uint64_t>(index);
  if (zip_set_file_compression(archive, at, ZIP_CM_STORE, 0) != 0 ||
      zip_file_set_dostime(archive, at, k_dos_time, k_dos_date, 0) != 0)
    fail_work("npz: '", key, "': ", zip_strerror(archive));
}

// The whole archive in memory: libzip must go back to what it wrote, a pipe or FileWriter cannot.
Source make_archive(const std::map<std::string, ConstView>& arrays) {
  ErrorText error;
  Source built(zip_source_buffer_create(nullptr, 0, 0, &error.error));
  if (!built) fail_work("npz: ", error.text());
  Archive archive(zip_open_from_source(built.get(), ZIP_TRUNCATE, &error.error));
  if (!archive) fail_work("npz: ", error.text());
  zip_source_keep(built.get());  // one reference the archive's, one ours
  std::map<std::string, NpyPieces> pieces;
  for (const auto& [key, view] : arrays) {
    if (key.empty() || key.find('\0') != key.npos || !is_utf8(key))
      fail_call("npz: '", key.c_str(), "' is no name for an array, expected UTF-8 text without zero bytes");
    add(archive.get(), key, pieces.emplace(key, npy_pieces(view)).first->second);
  }
  if (zip_close(archive.get()) != 0) fail_work("npz: ", zip_strerror(archive.get()));
  archive.release();  // zip_close freed it
  return built;
}

// An archive without entries, which libzip would not write at all.
constexpr std::string_view k_empty_zip("PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22);

void copy_out(zip_source_t* source, FileWriter& writer) {
  if (zip_source_open(source) != 0) fail_work("npz: ", zip_error_strerror(zip_source_error(source)));
  std::vector<std::byte> buffer(size_t{1} << 20);
  zip_int64_t got = 0;
  while ((got = zip_source_read(source, buffer.data(), buffer.size())) > 0)
    writer.write(Bytes(buffer.data(), static_cast<size_t>(got)));
  if (got < 0) fail_work("npz: ", zip_error_strerror(zip_source_error(source)));
  zip_source_close(source);
}

}  // namespace

std::map<std::string, Tensor> read_npz(const std::filesystem::path& path) {
  std::error_code none;
  if (!std::filesystem::is_regular_file(path, none))
    return read_npz(bytes_of(read_file(path)), path.string());
  return read_archive(file_source(path), path.string());
}

std::map<std::string, Tensor> read_npz(Bytes bytes, std::string_view name) {
  refuse_other_kinds(*memory_source(bytes, name), FileKind::npz);
  return read_archive(memory(bytes, std::string(name)), std::string(name));
}

void visit_npz_entries(const std::filesystem::path& path,
                       const std::function<void(const std::string& entry, const NpzPieces& next)>& each) {
  const std::string name = path.string();
  const Archive archive = open_archive(file_source(path), name);
  const zip_int64_t count = zip_get_num_entries(archive.get(), 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    const auto index = static_cast<zip_uint64_t>(i);
    const char* entry = zip_get_name(archive.get(), index, 0);
    if (!entry) fail_work(name, ": entry ", i, ": ", zip_strerror(archive.get()));
    const Entry file(zip_fopen_index(archive.get(), index, 0));
    if (!file) fail_work(name, ": '", entry, "': ", zip_strerror(archive.get()));
    each(entry, [&](std::span<std::byte> into) {
      size_t used = 0;
      while (used < into.size()) {
        const zip_int64_t got = zip_fread(file.get(), into.data() + used, into.size() - used);
        if (got < 0) fail_work(name, ": '", entry, "': ", zip_file_strerror(file.get()));
        if (got == 0) break;
        used += static_cast<size_t>(got);
      }
      return used;
    });
  }
}

void write_npz(const std::filesystem::path& path, const std::map<std::string, ConstView>& arrays) {
  const Source archive = arrays.empty() ? nullptr : make_archive(arrays);
  FileWriter writer(path);
  if (archive)
    copy_out(archive.get(), writer);
  else
    writer.write(k_empty_zip);
  writer.commit();
}

void write_npz(const std::filesystem::path& path, const std::map<std::string, Tensor>& arrays) {
  std::map<std::string, ConstView> views;
  for (const auto& [name, tensor] : arrays) views.emplace(name, tensor.view());
  write_npz(path, views);
}

}  // namespace limpid
