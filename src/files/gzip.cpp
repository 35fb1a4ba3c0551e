#include "files/gzip.h"

#include <zlib.h>

#include <algorithm>

#include "files/growth.h"

namespace limpid {

namespace {

constexpr int k_gzip_only = 16 + MAX_WBITS;             // no bare zlib stream, no raw deflate
constexpr size_t k_unpacked_at_once = size_t{1} << 20;  // what is unpacked at once
constexpr size_t k_most_inflated = size_t{1} << 30;     // zlib counts in 32 bits

class Inflater {
 public:
  explicit Inflater(std::string_view name) : name_(name) {
    if (::inflateInit2(&stream_, k_gzip_only) != Z_OK) fail_work(name_, ": no memory to unpack it");
  }
  ~Inflater() { ::inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // One member, behind what `out` holds; returns how many bytes of `in` it took.
  size_t member(Bytes in, std::string& out, uint64_t most) {
    size_t given = 0;
    stream_.avail_in = 0;
    for (int state = Z_OK; state != Z_STREAM_END;) {
      if (stream_.avail_in == 0) {
        const size_t part = std::min(in.size() - given, k_most_inflated);
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(in.data() + given));
        stream_.avail_in = static_cast<uInt>(part);
        given += part;
      }
      const size_t before = out.size();
      out.resize(before + k_unpacked_at_once);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + before);
      stream_.avail_out = static_cast<uInt>(k_unpacked_at_once);
      state = ::inflate(&stream_, Z_NO_FLUSH);
      out.resize(out.size() - stream_.avail_out);
      if (out.size() > most)
        fail_work(name_, ": its ", in.size(), " bytes unpack to more than ", most,
                  "; it was made to fill the memory");
      check(state, given == in.size() && stream_.avail_in == 0 && stream_.avail_out != 0, out.size());
    }
    const size_t used = given - stream_.avail_in;
    ::inflateReset(&stream_);
    return used;
  }

 private:
  void check(int state, bool at_end, size_t unpacked) const {
    if (state == Z_STREAM_END) return;
    if (state == Z_MEM_ERROR) fail_work(name_, ": no memory to unpack it");
    if (state != Z_OK && state != Z_BUF_ERROR)
      fail_work(name_, ": the gzip file is damaged", stream_.msg ? join(" (", stream_.msg, ")") : "",
                " after ", unpacked, " unpacked bytes");
    if (at_end) fail_work(name_, ": the gzip file is cut off after ", unpacked, " unpacked bytes");
  }

  z_stream stream_{};
  std::string_view name_;
};

// Tapes and disks fill their last block with zeros.
bool only_zeros(Bytes bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

bool is_gzip(Bytes bytes) {
  return bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b};
}

std::string gunzip(Bytes bytes, std::string_view name) {
  if (!is_gzip(bytes)) fail_work(name, " is no gzip file");
  Inflater inflater(name);
  std::string out;
  const uint64_t most = most_unpacked(bytes.size());
  for (Bytes rest = bytes; !rest.empty() && !only_zeros(rest);) {
    if (!is_gzip(rest))
      fail_work(name, ": ", rest.size(), " bytes that are no gzip stand behind the ", out.size(),
                " unpacked ones");
    rest = rest.subspan(inflater.member(rest, out, most));
  }
  return out;
}

std::string read_file_unpacked(const std::filesystem::path& path) {
  std::string content = read_file(path);
  return is_gzip(bytes_of(content)) ? gunzip(bytes_of(content), path.string()) : content;
}

}  // namespace limpid
