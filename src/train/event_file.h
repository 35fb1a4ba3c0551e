// Events as TensorBoard reads them: records of TensorFlow's TFRecord framing
// (https://www.tensorflow.org/tutorials/load_data/tfrecord), each an Event of
// tensorboard/compat/proto/event.proto.
//
//   u64 length | u32 masked CRC32C of it | the Event | u32 masked CRC32C of that         (little endian)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace limpid {

/// Castagnoli's, as of RFC 3720, appendix B.4.
uint32_t crc32c(std::string_view bytes);

struct Scalar {
  std::string tag;
  float value = 0;
};

/// The record that a file begins with: its version, "brain.Event:2".
std::string event_version(double wall_time);
/// The record of what was measured after a step.
std::string event_of(double wall_time, int64_t step, const std::vector<Scalar>&);

/// The whole records that a file begins with, and which steps they are of; what does not hold ends them.
struct EventsRead {
  size_t bytes = 0;            // of the records up to `last_step`
  std::vector<int64_t> steps;  // of those, each once, as they stand
};
EventsRead read_events(std::string_view file, int64_t last_step);

}  // namespace limpid
