#include "limpid/random.h"

#include <cmath>
#include <numbers>

#include "limpid/error.h"

namespace limpid {

namespace {

constexpr uint32_t k_sequence_step = 0xffffffff;  // the step that Random draws at

uint32_t low(uint64_t x) { return static_cast<uint32_t>(x); }
uint32_t high(uint64_t x) { return static_cast<uint32_t>(x >> 32); }

}  // namespace

// ---- by place ------------------------------------------------------------------------------------

PhiloxCounter philox(PhiloxCounter counter, PhiloxKey key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53} * counter[0];
    const uint64_t b = uint64_t{0xCD9E8D57} * counter[2];
    counter = {high(b) ^ counter[1] ^ key[0], low(b), high(a) ^ counter[3] ^ key[1], low(a)};
    key[0] += 0x9E3779B9;  // golden ratio
    key[1] += 0xBB67AE85;  // sqrt(3) - 1
  }
  return counter;
}

PhiloxCounter random_words(uint64_t seed, uint32_t stream, uint32_t step, uint64_t block) {
  return philox({low(block), high(block), step, stream}, {low(seed), high(seed)});
}

double uniform(uint64_t seed, uint32_t stream, uint32_t step, uint64_t index) {
  return random_words(seed, stream, step, index / 4)[index % 4] * 0x1p-32;
}

uint32_t stream_named(std::string_view name) {
  uint32_t hash = 2166136261;
  for (char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash;
}

// ---- one after another ---------------------------------------------------------------------------

uint64_t Random::bits() {
  const auto words = random_words(state_.seed, state_.stream, k_sequence_step, state_.position / 2);
  const size_t first = 2 * (state_.position % 2);
  ++state_.position;
  return words[first] | uint64_t{words[first + 1]} << 32;
}

double Random::uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }

double Random::normal() {
  const double u = 1 - uniform();  // (0, 1]: never the logarithm of 0
  const double v = uniform();
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
}

uint64_t Random::below(uint64_t count) {
  if (count == 0) fail_call("random: below(0) asks for a number out of none");
  const uint64_t surplus =
      (0 - count) % count;  // 2^64 mod count: that many draws would favour the low values
  uint64_t drawn = bits();
  while (drawn < surplus) drawn = bits();
  return drawn % count;
}

// ---- as NumPy ------------------------------------------------------------------------------------

MersenneTwister::MersenneTwister(uint32_t seed) {
  words_[0] = seed;
  for (uint32_t i = 1; i < k_size; ++i) words_[i] = 1812433253u * (words_[i - 1] ^ (words_[i - 1] >> 30)) + i;
}

void MersenneTwister::refill() {
  for (size_t i = 0; i < k_size; ++i) {
    const uint32_t y = (words_[i] & 0x80000000) | (words_[(i + 1) % k_size] & 0x7fffffff);
    words_[i] = words_[(i + 397) % k_size] ^ (y >> 1) ^ (y & 1 ? 0x9908b0df : 0);
  }
  next_ = 0;
}

uint32_t MersenneTwister::bits() {
  if (next_ == k_size) refill();
  uint32_t y = words_[next_++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680;
  y ^= (y << 15) & 0xefc60000;
  return y ^ (y >> 18);
}

double MersenneTwister::uniform() {
  const uint32_t a = bits() >> 5, b = bits() >> 6;  // 27 and 26 bits, drawn in this order
  return (a * 67108864.0 + b) * 0x1p-53;
}

}  // namespace limpid
