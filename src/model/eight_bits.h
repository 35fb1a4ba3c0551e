// Parameters of 8 bits in limpid's own model files: blocks of Q8_0, whose numbers and scales stand apart, so
// that any reader of .safetensors can multiply them out.
#pragma once

#include "limpid/engine.h"
#include "limpid/files.h"
#include "limpid/stored.h"

namespace limpid {

/// A matrix as the file has it: `numbers` i8 of the parameter's own shape, and f16 `scales`, one for 32
/// numbers along the axis that a product adds up over (of a table of embeddings: along a row).
struct EightBits {
  Tensor numbers, scales;
};

/// The name of the scales beside a parameter's numbers.
std::string scales_name(const std::string& parameter);

/// Whether the matrix can be divided into blocks.
bool fits_eight_bits(const StorableMatrix&);
/// Rounds the numbers, as f32, as ggml rounds to Q8_0.  Throws Error{call} for a number that is not finite.
EightBits to_eight_bits(const Tensor&, const StorableMatrix&);
/// The blocks as limpid multiplies by them.  Throws Error{work} naming `where` for scales of a wrong shape or
/// type.
StoredMatrix stored_of(const EightBits&, const Shape& parameter, const StorableMatrix&,
                       const std::string& where);

}  // namespace limpid
