#include "bench/measure/memory.h"

#include <cstring>
#include <map>
#include <new>
#include <vector>

#include "core/memory.h"
#include "limpid/random.h"

namespace limpid::bench {
namespace {

std::map<std::pair<std::string, int64_t>, std::weak_ptr<std::byte>>& held() {
  static std::map<std::pair<std::string, int64_t>, std::weak_ptr<std::byte>> memory;
  return memory;
}

// A prime many, so that rows of a power of two numbers differ.  Drawing every number would take longer than
// the benchmark.
const std::vector<float>& some_numbers() {
  static const std::vector<float> numbers = [] {
    std::vector<float> drawn(65537);
    Random random(1, stream_named("bench"));
    for (float& x : drawn) x = static_cast<float>(2 * random.uniform() - 1);
    return drawn;
  }();
  return numbers;
}

}  // namespace

std::shared_ptr<std::byte> shared_bytes(const std::string& name, int64_t bytes) {
  std::weak_ptr<std::byte>& known = held()[{name, bytes}];
  if (std::shared_ptr<std::byte> memory = known.lock()) return memory;
  const auto size = static_cast<size_t>(bytes);
  std::byte* raw = allocate(size);
  if (!raw) throw std::bad_alloc();
  std::shared_ptr<std::byte> memory(raw, release);
  std::memset(raw, 0, size);
  known = memory;
  return memory;
}

namespace {

template <class T, class Convert>
std::shared_ptr<T> shared_as(const std::string& name, int64_t count, const Convert& convert) {
  const int64_t size = count * static_cast<int64_t>(sizeof(T));
  const bool there = !held()[{name, size}].expired();
  const std::shared_ptr<std::byte> bytes = shared_bytes(name, size);
  std::shared_ptr<T> numbers(bytes, reinterpret_cast<T*>(bytes.get()));
  const std::vector<float>& some = some_numbers();
  if (!there)
    for (int64_t i = 0; i < count; ++i)
      numbers.get()[i] = convert(some[static_cast<size_t>(i) % some.size()]);
  return numbers;
}

}  // namespace

std::shared_ptr<float> shared_numbers(const std::string& name, int64_t count) {
  return shared_as<float>(name, count, [](float x) { return x; });
}

std::shared_ptr<bf16> shared_bf16(const std::string& name, int64_t count) {
  return shared_as<bf16>(name + " bf16", count, [](float x) { return to_bf16(x); });
}

}  // namespace limpid::bench
