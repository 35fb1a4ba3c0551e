#include "train/event_file.h"

#include <array>
#include <cstring>

namespace limpid {

namespace {

std::array<uint32_t, 256> make_table() {
  constexpr uint32_t k_polynomial = 0x82f63b78;  // reversed
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) ? (crc >> 1) ^ k_polynomial : crc >> 1;
    table[i] = crc;
  }
  return table;
}

// So that the sum of bytes that hold sums is none that is likely to stand there.
uint32_t masked(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8U; }

template <class T>
std::string little_endian(T number) {
  std::string out;
  for (size_t i = 0; i < sizeof number; ++i) out += static_cast<char>(number >> (8 * i));
  return out;
}

template <class T>
T from_little_endian(std::string_view bytes) {
  T out = 0;
  for (size_t i = 0; i < sizeof out; ++i)
    out |= static_cast<T>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  return out;
}

std::string record(const std::string& event) {
  const std::string length = little_endian<uint64_t>(event.size());
  return length + little_endian(masked(crc32c(length))) + event + little_endian(masked(crc32c(event)));
}

// ---- protocol buffers: fields of a number and a wire type -----------------------------------------

constexpr uint64_t k_varint = 0, k_eight_bytes = 1, k_counted = 2, k_four_bytes = 5;

std::string varint(uint64_t number) {
  std::string out;
  for (; number >= 0x80; number >>= 7) out += static_cast<char>(0x80 | (number & 0x7f));
  return out + static_cast<char>(number);
}
std::string key(uint64_t field, uint64_t type) { return varint(field << 3 | type); }
std::string counted(uint64_t field, const std::string& bytes) {
  return key(field, k_counted) + varint(bytes.size()) + bytes;
}
template <class Bits, class Real>
Bits bits_of(Real number) {
  Bits bits;
  static_assert(sizeof bits == sizeof number);
  std::memcpy(&bits, &number, sizeof bits);
  return bits;
}

std::string begun(double wall_time) {
  return key(1, k_eight_bytes) + little_endian(bits_of<uint64_t>(wall_time));
}

// Nothing where the bytes end.
bool take_varint(std::string_view& bytes, uint64_t& number) {
  number = 0;
  for (int shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    number |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

// The step of an Event; -1 for what is none, or has none.
int64_t step_of(std::string_view event) {
  int64_t step = 0;
  bool scalars = false;
  while (!event.empty()) {
    uint64_t field = 0, number = 0;
    if (!take_varint(event, field)) return -1;
    size_t skip = 0;
    switch (field & 7) {
      case k_varint:
        if (!take_varint(event, number)) return -1;
        break;
      case k_eight_bytes:
        skip = 8;
        break;
      case k_four_bytes:
        skip = 4;
        break;
      case k_counted:
        if (!take_varint(event, number)) return -1;
        skip = number > event.size() ? event.size() + 1 : static_cast<size_t>(number);
        break;
      default:
        return -1;
    }
    if (skip > event.size()) return -1;
    event.remove_prefix(skip);
    if (field >> 3 == 2) step = static_cast<int64_t>(number);
    if (field >> 3 == 5) scalars = true;
  }
  return scalars ? step : -1;
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  static const std::array<uint32_t, 256> table = make_table();
  uint32_t crc = 0xffffffffU;
  for (const char c : bytes) crc = (crc >> 8) ^ table[(crc ^ static_cast<unsigned char>(c)) & 0xff];
  return crc ^ 0xffffffffU;
}

std::string event_version(double wall_time) { return record(begun(wall_time) + counted(3, "brain.Event:2")); }

std::string event_of(double wall_time, int64_t step, const std::vector<Scalar>& scalars) {
  std::string summary;
  for (const Scalar& scalar : scalars)
    summary += counted(
        1, counted(1, scalar.tag) + key(2, k_four_bytes) + little_endian(bits_of<uint32_t>(scalar.value)));
  return record(begun(wall_time) + key(2, k_varint) + varint(static_cast<uint64_t>(step)) +
                counted(5, summary));
}

EventsRead read_events(std::string_view file, int64_t last_step) {
  constexpr size_t k_head = 12, k_tail = 4;
  EventsRead out;
  for (std::string_view rest = file; rest.size() >= k_head + k_tail;) {
    const auto length = from_little_endian<uint64_t>(rest.substr(0, 8));
    if (from_little_endian<uint32_t>(rest.substr(8, 4)) != masked(crc32c(rest.substr(0, 8)))) break;
    if (length > rest.size() - k_head - k_tail) break;
    const std::string_view event = rest.substr(k_head, static_cast<size_t>(length));
    const size_t whole = k_head + event.size() + k_tail;
    if (from_little_endian<uint32_t>(rest.substr(whole - k_tail, k_tail)) != masked(crc32c(event))) break;
    const int64_t step = step_of(event);
    if (step > last_step) break;
    if (step >= 0 && (out.steps.empty() || out.steps.back() != step)) out.steps.push_back(step);
    out.bytes += whole;
    rest.remove_prefix(whole);
  }
  return out;
}

}  // namespace limpid
