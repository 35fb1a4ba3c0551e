#include "files/deflate.h"

#include <zlib.h>

#include <algorithm>

#include "limpid/error.h"

namespace limpid {

namespace {

constexpr int k_bare = -MAX_WBITS, k_gzip = 16 + MAX_WBITS;  // what zlib calls them
constexpr size_t k_at_once = size_t{1} << 30;                // zlib counts in 32 bits

class Deflater {
 public:
  explicit Deflater(int kind) {
    constexpr int k_most_memory = 9;
    if (deflateInit2(&stream_, Z_BEST_COMPRESSION, Z_DEFLATED, kind, k_most_memory, Z_DEFAULT_STRATEGY) !=
        Z_OK)
      fail_work("deflate: there is no memory for it");
  }
  ~Deflater() { deflateEnd(&stream_); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  std::string packed(std::string_view bytes) {
    std::string out;
    for (int state = Z_OK; state != Z_STREAM_END;) {
      if (stream_.avail_in == 0) {
        const std::string_view part = bytes.substr(0, k_at_once);
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(part.data()));
        stream_.avail_in = static_cast<uInt>(part.size());
        bytes.remove_prefix(part.size());
      }
      const size_t before = out.size();
      const size_t room = std::min<size_t>(k_at_once, deflateBound(&stream_, stream_.avail_in));
      out.resize(before + room);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + before);
      stream_.avail_out = static_cast<uInt>(room);
      state = deflate(&stream_, bytes.empty() ? Z_FINISH : Z_NO_FLUSH);
      out.resize(out.size() - stream_.avail_out);
      if (state == Z_STREAM_ERROR) fail_work("deflate: zlib refused its own stream");
    }
    return out;
  }

 private:
  z_stream stream_ = {};
};

}  // namespace

std::string deflated(std::string_view bytes) { return Deflater(k_bare).packed(bytes); }
std::string gzipped(std::string_view bytes) { return Deflater(k_gzip).packed(bytes); }

}  // namespace limpid
