// Numbers of 8 bits, as files store them: OCP 8-bit Floating Point Specification (OFP8), revision 1.0, 2023.
// Every one of them is a bf16 exactly, so that is what limpid reads them as.
#pragma once

#include <optional>
#include <string_view>

#include "limpid/files.h"

namespace limpid {

enum class Float8 : uint8_t {
  e4m3,  // safetensors' F8_E4M3, PyTorch's float8_e4m3fn: no infinities, S.1111.111 is NaN
  e5m2,  // F8_E5M2, float8_e5m2: infinities and NaN as IEEE 754 has them
};

/// The type that safetensors or PyTorch calls so.
std::optional<Float8> float8_named(std::string_view name);

/// One number; NaN keeps its sign.
bf16 to_bf16(Float8, uint8_t bits);
/// Many, into as many bf16.
void widen(Float8, Bytes from, bf16* into);

}  // namespace limpid
