// The built-in model's bytes, put into the program by the assembler.  A page (preset `web`) is given them by
// whoever made it.
#include "model/builtin.h"

#include "limpid/model.h"

extern "C" {
extern const char limpid_builtin_begin[];
extern const char limpid_builtin_end[];
}

__asm__(
    ".section .rodata\n"
    ".balign 64\n"
    ".global limpid_builtin_begin\n"
    "limpid_builtin_begin:\n"
    ".incbin \"" LIMPID_BUILTIN_FILE
    "\"\n"
    ".global limpid_builtin_end\n"
    "limpid_builtin_end:\n"
    ".byte 0\n"
    ".previous\n");

namespace limpid {

Bytes builtin_model_bytes() {
  return bytes_of(
      std::string_view(limpid_builtin_begin, static_cast<size_t>(limpid_builtin_end - limpid_builtin_begin)));
}

Model Model::builtin() {
  LoadOptions options;
  options.weights = Weights::f32;  // small, and often looked at
  return read(builtin_model_bytes(), k_builtin_file, options);
}

}  // namespace limpid
