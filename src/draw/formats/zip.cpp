#include "draw/formats/package.h"
#include "files/zip_handles.h"
#include "limpid/error.h"

namespace limpid::draw {

namespace {

constexpr zip_uint16_t k_dos_time = 0, k_dos_date = 1 << 5 | 1;  // 1980-01-01 00:00:00

void add(zip_t* archive, const ZipEntry& part) {
  ErrorText error;
  Source source(zip_source_buffer_create(part.bytes.data(), part.bytes.size(), 0, &error.error));
  if (!source) fail_work("zip: '", part.name, "': ", error.text());
  const zip_int64_t index = zip_file_add(archive, part.name.c_str(), source.get(), ZIP_FL_ENC_UTF_8);
  if (index < 0) fail_work("zip: '", part.name, "': ", zip_strerror(archive));
  source.release();  // the archive's from here
  const auto at = static_cast<zip_uint64_t>(index);
  if (zip_set_file_compression(archive, at, ZIP_CM_DEFLATE, 6) != 0 ||
      zip_file_set_dostime(archive, at, k_dos_time, k_dos_date, 0) != 0)
    fail_work("zip: '", part.name, "': ", zip_strerror(archive));
}

}  // namespace

std::string zipped(const std::vector<ZipEntry>& parts) {
  ErrorText error;
  const Source built(zip_source_buffer_create(nullptr, 0, 0, &error.error));
  if (!built) fail_work("zip: ", error.text());
  Archive archive(zip_open_from_source(built.get(), ZIP_TRUNCATE, &error.error));
  if (!archive) fail_work("zip: ", error.text());
  zip_source_keep(built.get());  // one reference the archive's, one ours
  for (const ZipEntry& part : parts) add(archive.get(), part);
  if (zip_close(archive.get()) != 0) fail_work("zip: ", zip_strerror(archive.get()));
  static_cast<void>(archive.release());
  zip_stat_t stat;
  if (zip_source_stat(built.get(), &stat) != 0 || !(stat.valid & ZIP_STAT_SIZE) ||
      zip_source_open(built.get()) != 0)
    fail_work("zip: what was written cannot be read back");
  std::string bytes(stat.size, '\0');
  const zip_int64_t got = zip_source_read(built.get(), bytes.data(), bytes.size());
  zip_source_close(built.get());
  if (got != static_cast<zip_int64_t>(bytes.size())) fail_work("zip: what was written cannot be read back");
  return bytes;
}

}  // namespace limpid::draw
