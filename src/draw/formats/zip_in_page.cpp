// A zip without libzip, which a page does not have (preset `web`): parts, deflated, and the list of them at
// the end (PKWARE's APPNOTE.TXT, 4.3).
#include <zlib.h>

#include "draw/formats/package.h"
#include "files/deflate.h"

namespace limpid::draw {

namespace {

constexpr unsigned k_version = 20, k_names_are_utf8 = 1 << 11, k_deflated = 8;
constexpr unsigned k_time = 0, k_date = 1 << 5 | 1;  // 1980-01-01 00:00:00

void put(std::string& out, uint32_t number, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(number >> (8 * i) & 0xff);
}

// What stands before a part, and again in the list.
std::string facts(const ZipEntry& part, const std::string& packed) {
  std::string out;
  put(out, k_version, 2);
  put(out, k_names_are_utf8, 2);
  put(out, k_deflated, 2);
  put(out, k_time, 2);
  put(out, k_date, 2);
  put(out,
      static_cast<uint32_t>(
          crc32(0, reinterpret_cast<const Bytef*>(part.bytes.data()), static_cast<uInt>(part.bytes.size()))),
      4);
  put(out, static_cast<uint32_t>(packed.size()), 4);
  put(out, static_cast<uint32_t>(part.bytes.size()), 4);
  put(out, static_cast<uint32_t>(part.name.size()), 2);
  put(out, 0, 2);  // no extra fields
  return out;
}

}  // namespace

std::string zipped(const std::vector<ZipEntry>& parts) {
  std::string out, list;
  for (const ZipEntry& part : parts) {
    const std::string packed = deflated(part.bytes), about = facts(part, packed);
    put(list, 0x02014b50, 4);
    put(list, k_version, 2);
    list += about;
    put(list, 0, 2);  // no comment
    put(list, 0, 2);  // the first disk
    put(list, 0, 2);
    put(list, 0, 4);
    put(list, static_cast<uint32_t>(out.size()), 4);
    list += part.name;
    put(out, 0x04034b50, 4);
    out += about + part.name + packed;
  }
  const auto begins = static_cast<uint32_t>(out.size());
  out += list;
  put(out, 0x06054b50, 4);
  put(out, 0, 4);  // one disk
  put(out, static_cast<uint32_t>(parts.size()), 2);
  put(out, static_cast<uint32_t>(parts.size()), 2);
  put(out, static_cast<uint32_t>(list.size()), 4);
  put(out, begins, 4);
  put(out, 0, 2);
  return out;
}

}  // namespace limpid::draw
