#include "files/byte_source.h"

#include <cstring>

namespace limpid {

namespace {

class MemorySource : public ByteSource {
 public:
  MemorySource(Bytes bytes, std::string_view name) : bytes_(bytes) {
    name_ = name;
    size_ = bytes.size();
  }
  void read(uint64_t offset, std::span<std::byte> into) const override {
    if (offset > size_ || into.size() > size_ - offset)
      fail_work(name_, ": ends at byte ", size_, ", expected ", into.size(), " bytes at ", offset);
    if (!into.empty()) std::memcpy(into.data(), bytes_.data() + offset, into.size());
  }

 private:
  Bytes bytes_;
};

}  // namespace

std::unique_ptr<ByteSource> memory_source(Bytes bytes, std::string_view name) {
  return std::make_unique<MemorySource>(bytes, name);
}

}  // namespace limpid
