// Loops that do one thing as fast as this machine can: what limits (limits.h) are made of.  Each runs on the
// instruction set in use (kernels/isa.h) and on the calling thread, and nothing in it can be left out by a
// compiler.
#pragma once

#include <cstddef>
#include <cstdint>

namespace limpid::bench {

/// `steps` rounds of independent multiply-adds (f32, fused where the instruction set has them) on registers
/// alone, as many as keep its units busy.  Returns how many floating-point operations that was: two a lane.
int64_t multiply_adds(int64_t steps);

/// Whether this machine multiplies pairs of bf16 numbers and adds them up in f32 (AVX512-BF16's vdpbf16ps),
/// and the instruction set in use is the one that has it.
bool has_bf16_products();
/// The same with those products, on registers alone: four operations a lane.  Where there are none, in
/// f32: multiply_adds.
int64_t bf16_products(int64_t steps);

/// Reads `bytes` (a multiple of 4) at `from` once, in 1, 2 or 4 streams side by side.
void read_all(const std::byte* from, int64_t bytes, int streams);
/// Copies with plain vector loads and stores.
void copy_all(const std::byte* from, std::byte* to, int64_t bytes);
/// Copies with stores that go past the caches; both at multiples of 64.
void copy_around(const std::byte* from, std::byte* to, int64_t bytes);

/// What the elements of a key/value cache are stored as.
enum class Stored { f32, bf16, f16, int8 };
/// What any decode has to do with an element of the cache once it is in L1: load it, convert it to f32, and
/// multiply and add it once for each of `queries` (1 or 4, the query heads that share it).  `steps` passes
/// over a block of 8 KiB; returns how many elements that was.  int8 in fours: every fourth number at a time,
/// a query laid out to match.
int64_t convert_multiply(Stored stored, int queries, int64_t steps, bool in_fours = false);

}  // namespace limpid::bench
