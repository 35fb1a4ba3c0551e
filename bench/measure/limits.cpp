#include "bench/measure/limits.h"

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "bench/measure/memory.h"
#include "bench/measure/rounds.h"
#include "core/threads.h"
#include "limpid/error.h"

namespace limpid::bench {
namespace {

// About ten milliseconds of multiply-adds: waking the threads (50 us) is no part of it.
constexpr int64_t k_steps = 1600000, k_convert_steps = 16000;

// Every thread has registers of its own: the limit grows with them.
Limit on_registers(std::string name, std::string type, std::string unit, int64_t each,
                   const std::function<void()>& loop) {
  return {std::move(name), std::move(type), std::move(unit),
          [each](int threads) { return static_cast<double>(each) * threads; },
          [loop] { parallel_for(threads(), [&](int64_t, int) { loop(); }); }};
}

// Thread i of n gets the i-th part, so that every thread meets the same part of the block in its own cache
// again.
template <class Body>
void in_parts(int64_t bytes, const Body& body) {
  const int64_t parts = threads(), each = bytes / parts / 64 * 64;
  parallel_for(parts, [&](int64_t part, int) {
    const int64_t first = part * each;
    body(first, part + 1 == parts ? bytes - first : each);
  });
}

// A small block is gone through often in one call, to make waking the threads no part of it.
int64_t passes(int64_t bytes) { return std::max<int64_t>(1, (1 << 28) / std::max<int64_t>(bytes, 1)); }

// The fastest way of several, each tried three times in turn.
std::function<void()> fastest(const std::vector<std::function<void()>>& ways) {
  std::vector<double> best(ways.size(), 1e30);
  for (int round = 0; round < 3; ++round)
    for (size_t i = 0; i < ways.size(); ++i) best[i] = std::min(best[i], timed(threads(), "", ways[i])(1));
  return ways[static_cast<size_t>(std::min_element(best.begin(), best.end()) - best.begin())];
}

// One thread, Zen 4: 256 MiB 14, 18 and 23 GB/s in 1, 2 and 4 streams, 16 MiB 55, 60 and 37.  Prefetching by
// hand read less everywhere.
Limit reading(int64_t bytes) {
  const auto memory = shared_bytes("limit", bytes);
  const int64_t often = passes(bytes);
  std::vector<std::function<void()>> ways;
  for (int streams : {1, 2, 4})
    ways.emplace_back([=] {
      in_parts(bytes, [&](int64_t first, int64_t count) {
        for (int64_t i = 0; i < often; ++i) read_all(memory.get() + first, count, streams);
      });
    });
  return {join("read ", bytes_text(bytes)), "", "bytes",
          [=](int) { return static_cast<double>(bytes * often); }, fastest(ways)};
}

Limit copying(int64_t bytes) {
  const int64_t half = bytes / 2, often = passes(bytes);
  const auto from = shared_bytes("limit", half), to = shared_bytes("limit copy", half);
  const auto with = [=](void (*copy)(const std::byte*, std::byte*, int64_t)) -> std::function<void()> {
    return [=] {
      in_parts(half, [&](int64_t first, int64_t count) {
        for (int64_t i = 0; i < often; ++i) copy(from.get() + first, to.get() + first, count);
      });
    };
  };
  return {join("copy ", bytes_text(bytes)), "", "bytes",
          [=](int) { return 2.0 * static_cast<double>(half * often); },
          fastest({with(copy_all), with(copy_around)})};
}

std::string name_of(Stored stored) {
  switch (stored) {
    case Stored::f32:
      return "f32";
    case Stored::bf16:
      return "bf16";
    case Stored::f16:
      return "f16";
    case Stored::int8:
      break;
  }
  return "int8";
}

Limit converting(Stored stored, int queries) {
  const auto way = [=](bool in_fours) -> std::function<void()> {
    return [=] { convert_multiply(stored, queries, k_convert_steps, in_fours); };
  };
  const int64_t each = convert_multiply(stored, queries, 1) * k_convert_steps;
  const bool two_ways =
      stored == Stored::int8 && convert_multiply(stored, queries, 1, true) * k_convert_steps == each;
  return on_registers(queries == 1 ? "convert, multiply" : join("convert, multiply by ", queries),
                      name_of(stored), "elements", each,
                      two_ways ? fastest({way(false), way(true)}) : way(false));
}

// Bytes of a cache in Linux's words ("32K"); 0 where the system does not say.
int64_t cache_bytes(int level) {
  for (int index = 0; index < 8; ++index) {
    const std::string folder = join("/sys/devices/system/cpu/cpu0/cache/index", index, "/");
    std::string type, size;
    int found = 0;
    if (!(std::ifstream(folder + "level") >> found) || found != level) continue;
    if (!(std::ifstream(folder + "type") >> type) || type == "Instruction") continue;
    if (!(std::ifstream(folder + "size") >> size) || size.empty()) continue;
    const int64_t unit = size.back() == 'K' ? 1024 : size.back() == 'M' ? 1 << 20 : 1;
    return std::atoll(size.c_str()) * unit;
  }
  return 0;
}

}  // namespace

Limit make_limit(const LimitKey& key) {
  switch (key.kind) {
    case LimitKey::Kind::multiply_adds:
      return on_registers("multiply-adds", "f32", "operations", multiply_adds(1) * k_steps,
                          [] { multiply_adds(k_steps); });
    case LimitKey::Kind::bf16_products:
      return on_registers(has_bf16_products() ? "bf16 products" : "multiply-adds", "bf16", "operations",
                          bf16_products(1) * k_steps, [] { bf16_products(k_steps); });
    case LimitKey::Kind::read:
      return reading(key.bytes);
    case LimitKey::Kind::copy:
      return copying(key.bytes);
    case LimitKey::Kind::convert:
      break;
  }
  return converting(key.stored, key.queries);
}

std::vector<Footprint> footprints() {
  std::vector<Footprint> all;
  int64_t last = 1 << 20;
  for (int level = 1; level <= 3; ++level) {
    const int64_t bytes = cache_bytes(level);
    if (bytes <= 0) continue;
    all.push_back({join("L", level), bytes / 2, level < 3});
    last = bytes;
  }
  // Four times the last cache, or as much as a small machine can spare: enough for a prefetcher to be all
  // there is.
  all.push_back({"memory", std::clamp<int64_t>(4 * last, int64_t{64} << 20, int64_t{512} << 20), false});
  return all;
}

std::string bytes_text(int64_t bytes) {
  static constexpr const char* k_units[] = {"B", "KiB", "MiB", "GiB"};
  auto value = static_cast<double>(bytes);
  int unit = 0;
  for (; unit < 3 && value >= 1024; ++unit) value /= 1024;
  char text[32];
  std::snprintf(text, sizeof text,
                value == static_cast<double>(static_cast<int64_t>(value)) ? "%.0f %s" : "%.1f %s", value,
                k_units[unit]);
  return text;
}

}  // namespace limpid::bench
