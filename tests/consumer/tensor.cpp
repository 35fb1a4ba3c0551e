// The smallest user of an installed limpid: a shape with names, and an error that says what was wrong.
#include <cstdio>

#include "limpid/error.h"
#include "limpid/tensor.h"

int main() {
  std::printf("limpid::DType::f32 takes %zu bytes\n", limpid::byte_size(limpid::DType::f32));
  try {
    limpid::dtype_named("float33");
  } catch (const limpid::Error& error) {
    std::printf("%s\n", error.what());
    return limpid::byte_size(limpid::DType::f32) == 4 ? 0 : 1;
  }
  return 1;
}
