// Reading the wire format of protocol buffers (https://protobuf.dev/programming-guides/encoding/): one
// message, field by field.  Nothing is copied; a length that points past the end is an error.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

#include "limpid/error.h"

namespace limpid::text {

class ProtobufReader {
 public:
  /// `base` is where the bytes stand in the file, for messages.
  explicit ProtobufReader(std::string_view bytes, size_t base = 0) : bytes_(bytes), base_(base) {}

  struct Field {
    uint64_t number = 0;
    int wire = 0;            // 0 varint, 1 64 bits, 2 bytes, 5 32 bits
    uint64_t value = 0;      // of 0, 1 and 5
    std::string_view bytes;  // of 2
    size_t at = 0;           // where the bytes stand in the file

    int64_t integer() const { return need(0), static_cast<int64_t>(value); }
    bool boolean() const { return need(0), value != 0; }
    float real() const { return need(5), std::bit_cast<float>(static_cast<uint32_t>(value)); }
    std::string_view text() const { return need(2), bytes; }
    void need(int expected) const {
      if (wire != expected) {
        fail_work("field ", number, " before byte ", at, " has wire type ", wire, ", expected ", expected);
      }
    }
  };

  /// False at the end.
  bool next(Field& field) {
    if (at_ == bytes_.size()) return false;
    const uint64_t key = varint();
    field = {};
    field.number = key >> 3;
    field.wire = static_cast<int>(key & 7);
    switch (field.wire) {
      case 0:
        field.value = varint();
        break;
      case 1:
        field.value = fixed(8);
        break;
      case 5:
        field.value = fixed(4);
        break;
      case 2: {
        const uint64_t size = varint();
        if (size > bytes_.size() - at_) {
          fail_work("field ", field.number, " at byte ", base_ + at_, " says ", size, " bytes, ",
                    bytes_.size() - at_, " are left");
        }
        field.bytes = bytes_.substr(at_, static_cast<size_t>(size));
        field.at = base_ + at_;
        at_ += static_cast<size_t>(size);
        break;
      }
      default:
        fail_work("wire type ", field.wire, " before byte ", base_ + at_, ", expected 0, 1, 2 or 5");
    }
    if (field.wire != 2) field.at = base_ + at_;
    return true;
  }

 private:
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at_ == bytes_.size()) fail_work("it ends inside a number at byte ", base_ + at_);
      const auto byte = static_cast<unsigned char>(bytes_[at_++]);
      value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    fail_work("a number of more than 10 bytes before byte ", base_ + at_);
  }

  uint64_t fixed(size_t size) {
    if (bytes_.size() - at_ < size) fail_work("it ends inside a number at byte ", base_ + at_);
    uint64_t value = 0;
    for (size_t i = 0; i < size; ++i)
      value |= uint64_t{static_cast<unsigned char>(bytes_[at_ + i])} << (8 * i);
    at_ += size;
    return value;
  }

  std::string_view bytes_;
  size_t base_, at_ = 0;
};

}  // namespace limpid::text
